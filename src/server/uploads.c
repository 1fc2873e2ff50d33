/* SPDX-License-Identifier: Apache-2.0
 *
 * uploads.c: updates on their way in: PATCH appends at an offset, HEAD asks for it (the IETF
 * resumable-upload convention). An update is kept in memory until it is complete, checked
 * against its announced hash and folded into the sum; it never touches the disk. At most one
 * upload a client, and a bound on all of them together.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/base64.h"
#include "server/server_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LOSS_SUM_MAX 1e100 /* far above any of float32, and squares of sums of it are finite */

/* What a request's path and headers say. */
struct upload_target {
  char job[FED__NAME_MAX + 1];
  uint64_t round;
  uint32_t attempt, exchange, client;
};

static int parse_number(const char *path, int index, uint64_t *number) {
  char part[32], *end;
  if (!fed__path_part(path, index, part, sizeof part) || part[0] < '0' || part[0] > '9')
    return FED_RAISE(FED_E_USAGE, "part %d of '%s' must be a number", index, path);
  *number = strtoull(part, &end, 10);
  if (*end) return FED_RAISE(FED_E_USAGE, "part %d of '%s' must be a number", index, path);
  return FED_OK;
}

/* /v1/updates/{job}/{round}/{attempt}/{exchange} */
static int parse_target(struct fed__server *server, struct fed__http_exchange *exchange,
                        struct upload_target *target) {
  const char *path = fed__http_path(exchange);
  uint64_t attempt, exchange_number;
  if (!fed__path_part(path, 2, target->job, sizeof target->job))
    return FED_RAISE(FED_E_USAGE, "expected /v1/updates/job/round/attempt/exchange, found '%s'",
                     path);
  FED_TRY(parse_number(path, 3, &target->round));
  FED_TRY(parse_number(path, 4, &attempt));
  FED_TRY(parse_number(path, 5, &exchange_number));
  target->attempt = (uint32_t)attempt;
  target->exchange = (uint32_t)exchange_number;
  return fed__roster_number(&server->roster, fed__http_identity(exchange)->name, &target->client);
}

static int parse_digest(const struct fed_context *context, const char *field,
                        struct fed__digest *digest) {
  static const char prefix[] = "sha-256=:";
  struct fed_slice text;
  if (!field || strncmp(field, prefix, sizeof prefix - 1) != 0)
    return FED_RAISE(FED_E_MISSING, "expected a Repr-Digest header with sha-256");
  text = fed_slice_of_text(field + sizeof prefix - 1);
  if (!text.size || text.data[text.size - 1] != ':')
    return FED_RAISE(FED_E_SYNTAX, "Repr-Digest: expected sha-256=:…:, found '%.80s'", field);
  text.size--;
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, context, 2 * sizeof digest->bytes);
  int code = fed__base64_decode(text, FED__BASE64_STANDARD, &bytes);
  if (code == FED_OK && bytes.size != sizeof digest->bytes)
    code = FED_RAISE(FED_E_SYNTAX, "Repr-Digest: %zu bytes, SHA-256 has 32", bytes.size);
  if (code == FED_OK) memcpy(digest->bytes, bytes.data, bytes.size);
  fed_buffer_clear(&bytes);
  return code;
}

static int parse_offset(const struct fed__http_exchange *exchange, uint64_t *offset) {
  const char *field = fed__http_header(exchange, "Upload-Offset");
  char *end;
  if (!field || *field < '0' || *field > '9')
    return FED_RAISE(FED_E_MISSING, "expected an Upload-Offset header");
  *offset = strtoull(field, &end, 10);
  return *end ? FED_RAISE(FED_E_SYNTAX, "Upload-Offset: '%s' is not a number", field) : FED_OK;
}

/* ---- the uploads in progress ---------------------------------------------------------------- */

static int is_target(const struct fed__upload *upload, const struct upload_target *target) {
  return upload->client == target->client && upload->round == target->round &&
         upload->attempt == target->attempt && upload->exchange == target->exchange &&
         strcmp(upload->job, target->job) == 0;
}

static struct fed__upload *find_upload(struct fed__server *server, uint32_t client) {
  struct fed__upload *upload = server->uploads;
  while (upload && upload->client != client) upload = upload->next;
  return upload;
}

static void drop_upload(struct fed__server *server, struct fed__upload *upload) {
  struct fed__upload **link = &server->uploads;
  while (*link != upload) link = &(*link)->next;
  *link = upload->next;
  server->upload_bytes -= upload->body.size_max;
  fed_buffer_clear(&upload->body);
  fed__free(server->context, upload);
}

/* All uploads of a run (NULL: of every run) that nobody writes to now. */
void fed__drop_uploads(struct fed__server *server, const struct fed__run *run) {
  struct fed__upload *upload = server->uploads, *next;
  for (; upload; upload = next) {
    next = upload->next;
    if (!upload->writer && (!run || strcmp(upload->job, run->record.id) == 0))
      drop_upload(server, upload);
  }
}

static int add_upload(struct fed__server *server, const struct upload_target *target,
                      size_t bytes_max, struct fed__upload **upload) {
  if (server->upload_bytes + bytes_max > FED__UPLOAD_BYTES_MAX)
    return FED_RAISE(FED_E_BUSY, "too many updates are on their way in; come back later");
  struct fed__upload *fresh = fed__zalloc(server->context, 1, sizeof *fresh);
  if (!fresh) return FED_E_MEMORY;
  snprintf(fresh->job, sizeof fresh->job, "%s", target->job);
  fresh->round = target->round;
  fresh->attempt = target->attempt;
  fresh->exchange = target->exchange;
  fresh->client = target->client;
  fed_buffer_init(&fresh->body, server->context, bytes_max);
  server->upload_bytes += bytes_max;
  fresh->next = server->uploads;
  server->uploads = *upload = fresh;
  return FED_OK;
}

static size_t update_bytes_max(const struct fed__run *run) {
  return 4 + FED__HEADER_BYTES_MAX + fed__plan_update_bytes(&run->plan);
}

/* ---- receipts ------------------------------------------------------------------------------- */

static void answer_receipt(struct fed__server *server, struct fed__http_exchange *exchange,
                           Fed__Verdict verdict, const char *reason) {
  Fed__Receipt receipt = FED__RECEIPT__INIT;
  char text[256];
  snprintf(text, sizeof text, "%s", reason ? reason : "");
  receipt.verdict = verdict;
  receipt.reason = text;
  fed__answer_message(exchange, server->context, &receipt.base);
}

static enum fed__answer_wish wish_for(const struct fed__run *run,
                                      const struct upload_target *target) {
  const struct fed__round_event answer = {.client = target->client,
                                          .round = target->round,
                                          .attempt = target->attempt,
                                          .exchange = target->exchange};
  return run && !run->broken ? fed__round_wish(&run->round, &answer) : FED__ANSWER_NOT_WANTED;
}

/* Is this the client's turn to send? If not, answers: a receipt, or 0 when it may send. */
static int answer_if_not_wanted(struct fed__server *server, struct fed__http_exchange *exchange,
                                const struct fed__run *run, const struct upload_target *target) {
  const enum fed__answer_wish wish = wish_for(run, target);
  if (wish == FED__ANSWER_COUNTED)
    answer_receipt(server, exchange, FED__VERDICT__COUNTED_BEFORE, NULL);
  else if (wish == FED__ANSWER_NOT_WANTED)
    answer_receipt(server, exchange, FED__VERDICT__DISMISSED,
                   "the round is over, or not this client's");
  return wish != FED__ANSWER_WANTED;
}

/* ---- HEAD and the head of PATCH ------------------------------------------------------------- */

static void answer_offset(struct fed__http_exchange *exchange, uint32_t status, size_t offset,
                          int complete) {
  char text[24];
  snprintf(text, sizeof text, "%zu", offset);
  const struct fed__http_field fields[] = {{"Upload-Offset", text},
                                           {"Upload-Complete", complete ? "?1" : "?0"},
                                           {"Cache-Control", "no-store"}};
  fed__http_answer(
      exchange, &(struct fed__http_answer){.status = status, .fields = fields, .field_count = 3});
}

static void answer_head(struct fed__server *server, struct fed__http_exchange *exchange,
                        const struct upload_target *target) {
  const struct fed__run *run = fed__run_find(server, target->job);
  const struct fed__upload *upload = find_upload(server, target->client);
  const int counted = wish_for(run, target) == FED__ANSWER_COUNTED;
  const int known = upload && is_target(upload, target);
  answer_offset(exchange, 204, known ? upload->body.size : 0, counted);
}

static int begin_patch(struct fed__server *server, struct fed__http_exchange *exchange,
                       struct fed__run *run, const struct upload_target *target) {
  struct fed__digest digest;
  uint64_t offset = 0;
  struct fed__upload *upload = find_upload(server, target->client);
  FED_TRY(parse_offset(exchange, &offset));
  FED_TRY(parse_digest(server->context, fed__http_header(exchange, "Repr-Digest"), &digest));
  if (upload && upload->writer)
    return FED_RAISE(FED_E_BUSY, "this client is sending an update on another connection");
  if (upload &&
      (!is_target(upload, target) || offset == 0 || !fed__digest_equal(&upload->digest, &digest))) {
    drop_upload(server, upload);
    upload = NULL;
  }
  if (offset != (upload ? upload->body.size : 0)) {
    answer_offset(exchange, 409, upload ? upload->body.size : 0, 0);
    return FED_OK;
  }
  if (!upload) FED_TRY(add_upload(server, target, update_bytes_max(run), &upload));
  upload->digest = digest;
  upload->writer = exchange;
  fed__http_set_data(exchange, upload);
  fed__http_stream_body(exchange);
  return FED_OK;
}

void fed__handle_upload_headers(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct upload_target target;
  int code = parse_target(server, exchange, &target);
  if (code == FED_OK && strcmp(fed__http_method(exchange), "HEAD") == 0) {
    answer_head(server, exchange, &target);
    return;
  }
  if (code == FED_OK) {
    struct fed__run *run = fed__run_find(server, target.job);
    if (answer_if_not_wanted(server, exchange, run, &target)) return;
    code = begin_patch(server, exchange, run, &target);
  }
  if (code != FED_OK) fed__http_answer_failure(exchange, code == FED_E_BUSY ? 1000 : 0);
}

/* Without the lock: only this exchange writes to its upload. */
int fed__handle_upload_chunk(struct fed__server *server, struct fed__http_exchange *exchange,
                             struct fed_slice bytes) {
  struct fed__upload *upload = fed__http_data(exchange);
  (void)server;
  FED_REQUIRE(upload && upload->writer == exchange);
  return fed_buffer_append(&upload->body, bytes.data, bytes.size);
}

/* ---- a complete update ---------------------------------------------------------------------- */

static int check_metrics(const Fed__Metrics *metrics) {
  if (!metrics) return FED_OK;
  if (metrics->correct_count > metrics->example_count || metrics->example_count > UINT32_MAX ||
      fabs(metrics->loss_sum) > LOSS_SUM_MAX)
    return FED_RAISE(FED_E_RANGE,
                     "update: metrics that cannot be: %llu of %llu correct, loss sum %g",
                     (unsigned long long)metrics->correct_count,
                     (unsigned long long)metrics->example_count, metrics->loss_sum);
  return FED_OK;
}

static int check_header(const struct fed__run *run, const Fed__UpdateHeader *header) {
  const int training = run->round.kind == FED__ROUND_TRAIN;
  const size_t elements = training ? run->plan.shape.element_count : 0;
  if (memcmp(header->nonce.data, run->nonce, FED__NONCE_BYTES) != 0)
    return FED_RAISE(FED_E_REPLAY, "update: its nonce is not that of this attempt; was it sent "
                                   "before?");
  if (header->element_count != elements ||
      (training && header->grid_bits != run->plan.shape.grid_bits))
    return FED_RAISE(FED_E_SHAPE, "update: expected %zu elements of %u bits, found %llu of %u",
                     elements, run->plan.shape.grid_bits, (unsigned long long)header->element_count,
                     header->grid_bits);
  if (training && header->example_count == 0)
    return FED_RAISE(FED_E_EMPTY, "update: made from no examples");
  FED_TRY(check_metrics(header->train));
  return check_metrics(header->evaluate);
}

static int report(struct fed__run *run, const struct fed__upload *upload,
                  const struct fed__pending_update *pending) {
  struct fed__round_event event = fed__run_event(run, FED__EVENT_REPORTED);
  event.client = upload->client;
  event.round = upload->round;
  event.attempt = upload->attempt;
  event.exchange = upload->exchange;
  run->pending = pending;
  const int code = fed__run_step(run, &event);
  run->pending = NULL;
  return code;
}

/* The update is whole: check it, let the state table decide, keep its verdict. */
static int take(struct fed__server *server, struct fed__run *run, struct fed__upload *upload,
                Fed__Verdict *verdict, const char **reason) {
  struct fed__pending_update pending = {0};
  Fed__UpdateHeader *header = NULL;
  const struct fed__digest digest = fed__sha256_of(fed_buffer_slice(&upload->body));
  if (!fed__digest_equal(&digest, &upload->digest))
    return FED_RAISE(FED_E_CORRUPT, "update: its bytes do not match the announced hash; send it "
                                    "again");
  FED_TRY(
      fed__update_decode(server->context, fed_buffer_slice(&upload->body), &header, &pending.grid));
  int code = check_header(run, header);
  pending.header = header;
  pending.bytes = upload->body.size;
  pending.staleness = fed__round_staleness(&run->round, upload->client);
  pending.weight = fed__plan_stale_weight(&run->job, header->example_count, pending.staleness);
  if (code == FED_OK) code = report(run, upload, &pending);
  fed__wire_free(server->context, header);
  *reason = run->verdict_reason;
  *verdict = run->verdict == FED__EFFECT_COUNT            ? FED__VERDICT__COUNTED
             : run->verdict == FED__EFFECT_COUNTED_BEFORE ? FED__VERDICT__COUNTED_BEFORE
                                                          : FED__VERDICT__DISMISSED;
  if (code == FED_OK && *verdict == FED__VERDICT__DISMISSED) server->updates_dismissed++;
  return code;
}

static int is_last_part(const struct fed__http_exchange *exchange) {
  const char *field = fed__http_header(exchange, "Upload-Complete");
  return field && strcmp(field, "?1") == 0;
}

/* Leaves the lock before answering, so that what is acknowledged is in the store. */
void fed__handle_upload_complete(struct fed__server *server, struct fed__http_exchange *exchange) {
  Fed__Verdict verdict = FED__VERDICT__DISMISSED;
  const char *reason = "the round is over";
  fed__server_lock(server);
  struct fed__upload *upload = fed__http_data(exchange);
  struct fed__run *run = upload ? fed__run_find(server, upload->job) : NULL;
  int code = FED_OK;
  fed__http_set_data(exchange, NULL);
  if (upload) upload->writer = NULL;
  if (upload && !is_last_part(exchange)) {
    answer_offset(exchange, 204, upload->body.size, 0);
    code = fed__server_unlock(server);
    if (code != FED_OK) fed__log_failure(server->context, FED_LOG_ERROR, "store.failed");
    return;
  }
  const uint32_t client = upload ? upload->client : 0;
  if (run && !run->broken) code = take(server, run, upload, &verdict, &reason);
  if (code != FED_OK) server->updates_refused++;
  upload = upload ? find_upload(server, client) : NULL; /* closing a round drops them */
  if (upload && !upload->writer) drop_upload(server, upload);
  if (code == FED_OK)
    code = fed__server_unlock(server);
  else if (fed__server_unlock(server) != FED_OK)
    fed__log_failure(server->context, FED_LOG_ERROR, "store.failed");
  if (code == FED_OK)
    answer_receipt(server, exchange, verdict, reason);
  else
    fed__http_answer_failure(exchange, 0);
}

void fed__upload_writer_gone(struct fed__server *server, struct fed__http_exchange *exchange) {
  for (struct fed__upload *upload = server->uploads; upload; upload = upload->next)
    if (upload->writer == exchange) upload->writer = NULL;
}
