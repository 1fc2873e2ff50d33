/* SPDX-License-Identifier: Apache-2.0
 *
 * federation_client.c: the calls of the protocol, each a request and a decoded answer.
 */
#include "net/federation_client.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/base64.h"
#include "crypto/certificate.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define CALL_TIMEOUT_MS 60000
#define PAUSE_MS_MAX 8000
#define JSON_BYTES_MAX ((size_t)64 << 20)

static const char *const message_fields[] = {"Content-Type: application/protobuf", NULL};

/* A call whose answer is a message. */
static int call_for_message(struct fed__http_client *client, const struct fed_context *context,
                            const struct fed__http_request *request,
                            const ProtobufCMessageDescriptor *descriptor,
                            struct fed__http_reply *reply, ProtobufCMessage **answer) {
  struct fed_buffer body;
  fed_buffer_init(&body, context, request->answer_bytes_max);
  int code = fed__http_call(client, request, reply, &body);
  if (code == FED_OK) code = fed__wire_decode(context, descriptor, fed_buffer_slice(&body), answer);
  fed_buffer_clear(&body);
  return code;
}

/* Send a message by POST; the path, timeout and interrupt come in `request`. */
static int post_message(struct fed__http_client *client, const struct fed_context *context,
                        struct fed__http_request request, const ProtobufCMessage *message,
                        const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **answer) {
  struct fed__http_reply reply;
  struct fed_buffer bytes;
  *answer = NULL;
  fed_buffer_init(&bytes, context, FED__SUBMISSION_BYTES_MAX);
  int code = fed__wire_encode(message, &bytes);
  if (code == FED_OK) {
    request.method = "POST";
    request.fields = message_fields;
    request.body = fed_buffer_slice(&bytes);
    request.answer_bytes_max = FED__MESSAGE_BYTES_MAX;
    code = call_for_message(client, context, &request, descriptor, &reply, answer);
  }
  fed_buffer_clear(&bytes);
  return code;
}

static ProtobufCBinaryData bytes_field(struct fed_slice bytes) {
  return (ProtobufCBinaryData){bytes.size, (uint8_t *)(uintptr_t)bytes.data};
}

int fed__federation_enrol(struct fed__http_client *client, const struct fed_context *context,
                          struct fed_slice secret, struct fed_slice request_der,
                          Fed__EnrolReply **reply) {
  const struct fed__http_request request = {.path = "/v1/enrol", .timeout_ms = CALL_TIMEOUT_MS};
  ProtobufCMessage *answer;
  Fed__EnrolRequest message;
  fed__enrol_request__init(&message);
  message.protocol = FED__PROTOCOL_VERSION;
  message.secret = bytes_field(secret);
  message.request = bytes_field(request_der);
  const int code =
      post_message(client, context, request, &message.base, &fed__enrol_reply__descriptor, &answer);
  *reply = (Fed__EnrolReply *)answer;
  return code;
}

int fed__federation_enrol_by_token(const struct fed_context *context,
                                   const struct fed__token *token, const struct fed__key *key,
                                   const char *proxy, Fed__EnrolReply **reply) {
  const struct fed__http_client_options options = {
      .url = token->url,
      .ca_der = fed_slice_of(token->ca_certificate, token->ca_certificate_size),
      .proxy = proxy,
      .connect_timeout_ms = 10000,
      .stall_timeout_ms = 30000};
  struct fed__http_client *client = NULL;
  struct fed_buffer request;
  fed_buffer_init(&request, context, 1 << 16);
  FED_TRY(fed__http_client_new(context, &options, &client));
  int code = fed__request_create(key, "newcomer", &request);
  if (code == FED_OK)
    code = fed__federation_enrol(client, context, fed_slice_of(token->secret, sizeof token->secret),
                                 fed_buffer_slice(&request), reply);
  fed_buffer_clear(&request);
  fed__http_client_free(client);
  return code;
}

int fed__federation_check_in(struct fed__http_client *client, const struct fed_context *context,
                             const Fed__CheckIn *hello, int (*interrupt)(void *),
                             void *interrupt_data, Fed__CheckInReply **reply) {
  const struct fed__http_request request = {.path = "/v1/check-in",
                                            .timeout_ms = (int64_t)hello->wait_ms + CALL_TIMEOUT_MS,
                                            .interrupt = interrupt,
                                            .interrupt_data = interrupt_data};
  ProtobufCMessage *answer;
  const int code = post_message(client, context, request, &hello->base,
                                &fed__check_in_reply__descriptor, &answer);
  *reply = (Fed__CheckInReply *)answer;
  return code;
}

int fed__federation_report_failure(struct fed__http_client *client,
                                   const struct fed_context *context,
                                   const Fed__TaskFailure *failure) {
  struct fed__http_reply reply;
  struct fed_buffer bytes, nothing;
  fed_buffer_init(&bytes, context, FED__MESSAGE_BYTES_MAX);
  fed_buffer_init(&nothing, context, 0);
  int code = fed__wire_encode(&failure->base, &bytes);
  if (code == FED_OK) {
    const struct fed__http_request request = {.method = "POST",
                                              .path = "/v1/failures",
                                              .fields = message_fields,
                                              .body = fed_buffer_slice(&bytes),
                                              .timeout_ms = CALL_TIMEOUT_MS};
    code = fed__http_call(client, &request, &reply, &nothing);
  }
  fed_buffer_clear(&bytes);
  fed_buffer_clear(&nothing);
  return code;
}

int fed__federation_submit(struct fed__http_client *client, const struct fed_context *context,
                           const Fed__JobSubmission *submission, Fed__JobAccepted **reply) {
  const struct fed__http_request request = {.path = "/v1/jobs"};
  ProtobufCMessage *answer;
  const int code = post_message(client, context, request, &submission->base,
                                &fed__job_accepted__descriptor, &answer);
  *reply = (Fed__JobAccepted *)answer;
  return code;
}

int fed__federation_get(struct fed__http_client *client, const char *path, int64_t timeout_ms,
                        struct fed_buffer *out) {
  struct fed__http_reply reply;
  const struct fed__http_request request = {
      .method = "GET", .path = path, .timeout_ms = timeout_ms, .answer_bytes_max = JSON_BYTES_MAX};
  return fed__http_call(client, &request, &reply, out);
}

int fed__federation_post(struct fed__http_client *client, const char *path, struct fed_slice json,
                         struct fed_buffer *out) {
  static const char *const fields[] = {"Content-Type: application/json", NULL};
  struct fed__http_reply reply;
  const struct fed__http_request request = {.method = "POST",
                                            .path = path,
                                            .fields = fields,
                                            .body = json,
                                            .timeout_ms = CALL_TIMEOUT_MS,
                                            .answer_bytes_max = JSON_BYTES_MAX};
  return fed__http_call(client, &request, &reply, out);
}

/* --- downloads --- */

static int has_hash(const struct fed_buffer *bytes, const struct fed__digest *hash) {
  const struct fed__digest found = fed__sha256_of(fed_buffer_slice(bytes));
  return fed__digest_equal(&found, hash);
}

/* A server may answer a request for the rest with the whole, behind the part that is here. */
static void drop_first(struct fed_buffer *bytes, size_t size) {
  memmove(bytes->data, bytes->data + size, bytes->size - size);
  bytes->size -= size;
}

static int fetch_rest(struct fed__http_client *client, const char *hex, struct fed_buffer *out) {
  char path[96], range[64];
  const size_t had = out->size;
  const char *const fields[] = {had ? range : NULL, NULL};
  struct fed__http_reply reply;
  snprintf(path, sizeof path, "/v1/objects/%s", hex);
  snprintf(range, sizeof range, "Range: bytes=%zu-", had);
  const struct fed__http_request request = {
      .method = "GET", .path = path, .fields = fields, .answer_bytes_max = out->size_max - had};
  const int code = fed__http_call(client, &request, &reply, out);
  if (had && reply.status == 200) drop_first(out, had);
  return code;
}

int fed__federation_download(struct fed__http_client *client, const struct fed_context *context,
                             const struct fed__digest *hash, struct fed_buffer *out) {
  char hex[FED__DIGEST_HEX_SIZE];
  (void)context;
  if (out->size && has_hash(out, hash)) return FED_OK;
  fed__digest_encode(hash, hex);
  const int code = fetch_rest(client, hex, out);
  const int is_beyond = code == FED_E_RANGE && out->size > 0;
  if (code != FED_OK && !is_beyond) return code;
  if (!is_beyond && has_hash(out, hash)) return FED_OK;
  fed_buffer_clear(out);
  return FED_RAISE(FED_E_CORRUPT, "the object %s came with another hash: get it again", hex);
}

/* --- uploads --- */

struct upload {
  struct fed__http_client *client;
  const struct fed_context *context;
  struct fed_slice bytes;
  char path[192];
  char digest[96]; /* the header field */
  uint64_t offset;
};

static int prepare_upload(struct upload *upload, const Fed__Task *task) {
  struct fed_buffer text;
  const struct fed__digest digest = fed__sha256_of(upload->bytes);
  FED_TRY(fed__name_check(task->job));
  snprintf(upload->path, sizeof upload->path, "/v1/updates/%s/%" PRIu64 "/%u/%u", task->job,
           task->round, task->attempt, task->exchange);
  fed_buffer_init(&text, upload->context, 64);
  int code = fed__base64_encode(fed_slice_of(digest.bytes, sizeof digest.bytes),
                                FED__BASE64_STANDARD, &text);
  if (code == FED_OK)
    snprintf(upload->digest, sizeof upload->digest, "Repr-Digest: sha-256=:%.*s:", (int)text.size,
             (const char *)text.data);
  fed_buffer_clear(&text);
  return code;
}

static int move_offset(struct upload *upload, int64_t offset) {
  if (offset < 0 || (uint64_t)offset > upload->bytes.size)
    return FED_RAISE(FED_E_PROTOCOL,
                     "the server has %" PRId64 " bytes of an update of %zu: not this one", offset,
                     upload->bytes.size);
  upload->offset = (uint64_t)offset;
  return FED_OK;
}

static int ask_offset(struct upload *upload) {
  struct fed__http_reply reply;
  struct fed_buffer nothing;
  const struct fed__http_request request = {
      .method = "HEAD", .path = upload->path, .timeout_ms = CALL_TIMEOUT_MS};
  fed_buffer_init(&nothing, upload->context, 0);
  FED_TRY(fed__http_call(upload->client, &request, &reply, &nothing));
  return move_offset(upload, reply.upload_offset);
}

static int send_rest(struct upload *upload, struct fed__http_reply *reply, Fed__Receipt **receipt) {
  char offset[48];
  ProtobufCMessage *answer = NULL;
  const char *const fields[] = {"Content-Type: application/partial-upload", "Upload-Complete: ?1",
                                offset, upload->digest, NULL};
  const struct fed__http_request request = {
      .method = "PATCH",
      .path = upload->path,
      .fields = fields,
      .body =
          fed_slice_of(upload->bytes.data + upload->offset, upload->bytes.size - upload->offset),
      .answer_bytes_max = FED__MESSAGE_BYTES_MAX};
  snprintf(offset, sizeof offset, "Upload-Offset: %" PRIu64, upload->offset);
  const int code = call_for_message(upload->client, upload->context, &request,
                                    &fed__receipt__descriptor, reply, &answer);
  *receipt = (Fed__Receipt *)answer;
  return code;
}

/* Longer after each failure, and different from client to client: after a server's restart they
 * do not all come at once. */
static void pause_before(const struct fed_context *context, uint32_t failures) {
  uint32_t pause_ms = 250u << (failures < 5 ? failures - 1 : 5);
  uint16_t jitter = 0;
  if (pause_ms > PAUSE_MS_MAX) pause_ms = PAUSE_MS_MAX;
  if (context->entropy->fill(context->entropy, &jitter, sizeof jitter) != 0) jitter = 0;
  usleep((pause_ms / 2 + (uint32_t)jitter * (pause_ms / 2) / UINT16_MAX) * 1000);
}

static int is_worth_repeating(int code) {
  return code == FED_E_NETWORK || code == FED_E_TIMEOUT || code == FED_E_BUSY;
}

/* The first request of an upload assumes that the server has nothing yet, which saves a question;
 * if it has something, it refuses and says how much. */
static int try_upload(struct upload *upload, uint32_t failures, Fed__Receipt **receipt) {
  struct fed__http_reply reply;
  if (failures > 0) FED_TRY(ask_offset(upload));
  const int code = send_rest(upload, &reply, receipt);
  if (reply.status != 409 || reply.upload_offset < 0) return code;
  FED_TRY(move_offset(upload, reply.upload_offset));
  return send_rest(upload, &reply, receipt);
}

int fed__federation_upload(struct fed__http_client *client, const struct fed_context *context,
                           const Fed__Task *task, struct fed_slice update, uint32_t tries,
                           Fed__Receipt **receipt) {
  struct upload upload = {.client = client, .context = context, .bytes = update};
  *receipt = NULL;
  FED_TRY(prepare_upload(&upload, task));
  for (uint32_t failures = 0;; failures++) {
    if (failures > 0) pause_before(context, failures);
    const int code = try_upload(&upload, failures, receipt);
    if (code == FED_OK || !is_worth_repeating(code) || failures + 1 >= tries) return code;
  }
}
