/* SPDX-License-Identifier: Apache-2.0
 *
 * test_uploads.c: updates as they come from clients that are broken, slow, late or hostile, sent
 * over TLS to a real server: each is counted once, dismissed or refused, and never half.
 */
#include "small_federation.h"

#include <math.h>

/* What a client sends, and how. */
struct sending {
  const char *job;
  uint64_t round;
  uint32_t attempt, exchange;
  struct fed_slice bytes; /* of this part */
  struct fed_slice whole; /* that the digest announces */
  uint64_t offset;
  int is_last;
};

static int patch(struct small_federation *f, int agent, const struct sending *sending,
                 struct fed__http_reply *reply, Fed__Verdict *verdict) {
  char path[192], offset[48], digest_field[96];
  struct fed_buffer digest_text, answer;
  ProtobufCMessage *receipt = NULL;
  const struct fed__digest digest = fed__sha256_of(sending->whole);
  fed_buffer_init(&digest_text, &f->context, 64);
  fed_buffer_init(&answer, &f->context, 1 << 16);
  assert_int_equal(fed__base64_encode(fed_slice_of(digest.bytes, sizeof digest.bytes),
                                      FED__BASE64_STANDARD, &digest_text),
                   FED_OK);
  snprintf(path, sizeof path, "/v1/updates/%s/%llu/%u/%u", sending->job,
           (unsigned long long)sending->round, sending->attempt, sending->exchange);
  snprintf(offset, sizeof offset, "Upload-Offset: %llu", (unsigned long long)sending->offset);
  snprintf(digest_field, sizeof digest_field,
           "Repr-Digest: sha-256=:%s:", fed_buffer_text(&digest_text));
  const char *const fields[] = {sending->is_last ? "Upload-Complete: ?1" : "Upload-Complete: ?0",
                                offset, digest_field, NULL};
  const struct fed__http_request request = {.method = "PATCH",
                                            .path = path,
                                            .fields = fields,
                                            .body = sending->bytes,
                                            .timeout_ms = 20000,
                                            .answer_bytes_max = 1 << 16};
  const int code = fed__http_call(f->agents[agent].http, &request, reply, &answer);
  if (code == FED_OK && reply->status == 200) {
    assert_int_equal(fed__wire_decode(&f->context, &fed__receipt__descriptor,
                                      fed_buffer_slice(&answer), &receipt),
                     FED_OK);
    *verdict = ((Fed__Receipt *)receipt)->verdict;
  }
  fed__wire_free(&f->context, receipt);
  fed_buffer_clear(&digest_text);
  fed_buffer_clear(&answer);
  return code;
}

/* The whole update at once. */
static int send_whole(struct small_federation *f, int agent, const Fed__Task *task,
                      const struct fed_buffer *update, Fed__Verdict *verdict) {
  struct fed__http_reply reply;
  const struct sending sending = {.job = task->job,
                                  .round = task->round,
                                  .attempt = task->attempt,
                                  .exchange = task->exchange,
                                  .bytes = fed_buffer_slice(update),
                                  .whole = fed_buffer_slice(update),
                                  .is_last = 1};
  return patch(f, agent, &sending, &reply, verdict);
}

static void assert_verdict(struct small_federation *f, int agent, const Fed__Task *task,
                           const struct fed_buffer *update, Fed__Verdict wanted) {
  Fed__Verdict verdict = FED__VERDICT__DISMISSED;
  const int code = send_whole(f, agent, task, update, &verdict);
  if (code != FED_OK) fail_msg("refused: %s", fed_error_last()->message);
  assert_int_equal(verdict, wanted);
}

static void assert_refused(struct small_federation *f, int agent, const Fed__Task *task,
                           const struct fed_buffer *update, int code, const char *part) {
  Fed__Verdict verdict;
  assert_int_equal(send_whole(f, agent, task, update, &verdict), code);
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static Fed__UpdateHeader header_for(const Fed__Task *task, uint64_t example_count) {
  Fed__UpdateHeader header = FED__UPDATE_HEADER__INIT;
  header.nonce = task->nonce;
  header.example_count = example_count;
  header.grid_bits = 16;
  header.element_count = ELEMENTS;
  return header;
}

/* Every element moves by `steps` grid steps of 2^-4. */
static void encode(struct small_federation *f, const Fed__UpdateHeader *header, int16_t steps,
                   struct fed_buffer *update) {
  uint8_t grid[4 * ELEMENTS];
  const size_t size = header->element_count * header->grid_bits / 8;
  assert_true(size <= sizeof grid);
  for (size_t i = 0; i < sizeof grid; i += 2) {
    grid[i] = (uint8_t)((uint16_t)steps & 0xff);
    grid[i + 1] = (uint8_t)((uint16_t)steps >> 8);
  }
  fed_buffer_init(update, &f->context, 1 << 16);
  assert_int_equal(fed__update_encode(header, fed_slice_of(grid, size), update), FED_OK);
}

static void encode_plain(struct small_federation *f, const Fed__Task *task, uint64_t example_count,
                         int16_t steps, struct fed_buffer *update) {
  const Fed__UpdateHeader header = header_for(task, example_count);
  encode(f, &header, steps, update);
}

static void load_parameters(struct small_federation *f, const Fed__Task *task,
                            struct fed_params *params) {
  struct fed_buffer bytes;
  struct fed__digest hash;
  memcpy(hash.bytes, task->parameters.data, sizeof hash.bytes);
  fed_buffer_init(&bytes, &f->context, 1 << 20);
  assert_int_equal(fed__federation_download(f->agents[0].http, &f->context, &hash, &bytes), FED_OK);
  assert_int_equal(fed_safetensors_decode(fed_buffer_slice(&bytes), &f->context, params), FED_OK);
  fed_buffer_clear(&bytes);
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* (1 * 8 + 3 * -2) / 4 steps = 0.5 * 2^-4, exactly. */
static void the_mean_of_two_updates_is_the_next_version(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent first[2], second[2];
  struct fed_buffer updates[2];
  struct fed_params before, after;
  submit_job(f, "count: 2, cohort: 2, minimum: 2");
  get_tasks(f, 2, first);
  const Fed__Task *task = first[0].reply->task;
  assert_string_equal(task->job, f->job);
  assert_int_equal(task->cohort, 2);
  load_parameters(f, task, &before);
  encode_plain(f, task, 1, 8, &updates[0]);
  encode_plain(f, task, 3, -2, &updates[1]);
  assert_verdict(f, 0, task, &updates[0], FED__VERDICT__COUNTED);
  assert_verdict(f, 0, task, &updates[0], FED__VERDICT__COUNTED_BEFORE);
  assert_verdict(f, 2, task, &updates[1], FED__VERDICT__DISMISSED); /* not a member */
  assert_verdict(f, 1, task, &updates[1], FED__VERDICT__COUNTED);
  assert_verdict(f, 1, task, &updates[1], FED__VERDICT__DISMISSED); /* the round is over */
  get_tasks(f, 2, second);
  assert_int_equal(second[0].reply->task->round, 2);
  load_parameters(f, second[0].reply->task, &after);
  for (size_t i = 0; i < ELEMENTS; i++)
    assert_true(fed_params_floats(&after)[i] == fed_params_floats(&before)[i] + 0.03125f);
  fed_params_clear(&before);
  fed_params_clear(&after);
  for (int i = 0; i < 2; i++) fed_buffer_clear(&updates[i]);
  free_tasks(f, 2, first);
  free_tasks(f, 2, second);
}

static void a_damaged_update_is_refused_and_can_be_sent_again(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent agents[2];
  struct fed_buffer update;
  struct fed__http_reply reply;
  Fed__Verdict verdict;
  submit_job(f, "count: 1, cohort: 2, minimum: 2");
  get_tasks(f, 2, agents);
  const Fed__Task *task = agents[0].reply->task;
  encode_plain(f, task, 1, 8, &update);
  struct sending sending = {
      .job = task->job, .round = 1, .attempt = 1, .whole = fed_buffer_slice(&update), .is_last = 1};
  for (size_t size = 0; size < update.size; size++) { /* cut off anywhere */
    sending.bytes = fed_slice_of(update.data, size);
    assert_int_equal(patch(f, 0, &sending, &reply, &verdict), FED_E_CORRUPT);
    assert_int_equal(reply.status, 400);
  }
  struct fed_buffer damaged;
  fed_buffer_init(&damaged, &f->context, 1 << 16);
  assert_int_equal(fed_buffer_append(&damaged, update.data, update.size), FED_OK);
  for (size_t at = 0; at < update.size; at++) { /* one bit off anywhere */
    damaged.data[at] ^= 0x10;
    sending.bytes = fed_buffer_slice(&damaged);
    assert_int_equal(patch(f, 0, &sending, &reply, &verdict), FED_E_CORRUPT);
    damaged.data[at] ^= 0x10;
  }
  assert_verdict(f, 0, task, &update, FED__VERDICT__COUNTED);
  fed_buffer_clear(&damaged);
  fed_buffer_clear(&update);
  free_tasks(f, 2, agents);
}

static void an_update_comes_in_parts(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent agents[2];
  struct fed_buffer update, other;
  struct fed__http_reply reply;
  Fed__Verdict verdict = FED__VERDICT__DISMISSED;
  submit_job(f, "count: 1, cohort: 2, minimum: 2");
  get_tasks(f, 2, agents);
  const Fed__Task *task = agents[0].reply->task;
  encode_plain(f, task, 1, 8, &update);
  encode_plain(f, task, 2, 8, &other);
  struct sending sending = {.job = task->job,
                            .round = 1,
                            .attempt = 1,
                            .bytes = fed_slice_of(update.data, 10),
                            .whole = fed_buffer_slice(&update)};
  assert_int_equal(patch(f, 0, &sending, &reply, &verdict), FED_OK);
  assert_int_equal(reply.status, 204);
  assert_int_equal(reply.upload_offset, 10);
  sending.offset = 9; /* not where the server is: it says where */
  assert_int_not_equal(patch(f, 0, &sending, &reply, &verdict), FED_OK);
  assert_int_equal(reply.status, 409);
  assert_int_equal(reply.upload_offset, 10);
  sending.offset = 10; /* the rest of another update does not go on */
  sending.whole = fed_buffer_slice(&other);
  assert_int_not_equal(patch(f, 0, &sending, &reply, &verdict), FED_OK);
  assert_int_equal(reply.status, 409);
  assert_int_equal(reply.upload_offset, 0);
  sending.offset = 0;
  sending.whole = fed_buffer_slice(&update);
  assert_int_equal(patch(f, 0, &sending, &reply, &verdict), FED_OK);
  sending.bytes = fed_slice_of(update.data + 10, update.size - 10);
  sending.offset = 10;
  sending.is_last = 1;
  assert_int_equal(patch(f, 0, &sending, &reply, &verdict), FED_OK);
  assert_int_equal(verdict, FED__VERDICT__COUNTED);
  fed_buffer_clear(&update);
  fed_buffer_clear(&other);
  free_tasks(f, 2, agents);
}

/* A recorded update does not count for another round: the nonce is another. */
static void a_replayed_update_is_refused(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent first[2], second[2];
  struct fed_buffer update;
  submit_job(f, "count: 2, cohort: 2, minimum: 2");
  get_tasks(f, 2, first);
  encode_plain(f, first[0].reply->task, 1, 8, &update);
  for (int i = 0; i < 2; i++)
    assert_verdict(f, i, first[0].reply->task, &update, FED__VERDICT__COUNTED);
  get_tasks(f, 2, second);
  assert_memory_not_equal(first[0].reply->task->nonce.data, second[0].reply->task->nonce.data,
                          FED__NONCE_BYTES);
  assert_refused(f, 0, second[0].reply->task, &update, FED_E_REPLAY, "nonce");
  Fed__Task other = *second[0].reply->task;
  other.attempt = 2; /* one that has not come */
  assert_verdict(f, 0, &other, &update, FED__VERDICT__DISMISSED);
  fed_buffer_clear(&update);
  free_tasks(f, 2, first);
  free_tasks(f, 2, second);
}

static void an_update_that_cannot_be_is_refused(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent agents[2];
  struct fed_buffer update;
  Fed__Metrics metrics = FED__METRICS__INIT, more = FED__METRICS__INIT;
  submit_job(f, "count: 1, cohort: 2, minimum: 2");
  get_tasks(f, 2, agents);
  const Fed__Task *task = agents[0].reply->task;
  const Fed__UpdateHeader good = header_for(task, 5);
  struct {
    Fed__UpdateHeader header;
    int code;
    const char *part;
  } cases[6];
  for (size_t i = 0; i < 6; i++) cases[i].header = good;
  cases[0].header.element_count = ELEMENTS - 1, cases[0].code = FED_E_SHAPE;
  cases[0].part = "expected 10 elements of 16 bits, found 9 of 16";
  cases[1].header.grid_bits = 8, cases[1].code = FED_E_SHAPE;
  cases[1].part = "found 10 of 8";
  cases[2].header.example_count = 0, cases[2].code = FED_E_EMPTY;
  cases[2].part = "no examples";
  metrics.example_count = 4, metrics.correct_count = 5;
  cases[3].header.train = &metrics, cases[3].code = FED_E_RANGE;
  cases[3].part = "5 of 4 correct";
  cases[4].header.norm = NAN, cases[4].code = FED_E_NOT_FINITE;
  cases[4].part = "norm";
  more.example_count = 1, more.loss_sum = -1e101;
  cases[5].header.evaluate = &more, cases[5].code = FED_E_RANGE;
  cases[5].part = "loss sum -1e+101";
  for (size_t i = 0; i < 6; i++) {
    encode(f, &cases[i].header, 1, &update);
    assert_refused(f, 0, task, &update, cases[i].code, cases[i].part);
    fed_buffer_clear(&update);
  }
  fed_buffer_init(&update, &f->context, 1 << 20); /* far more than any update of this model */
  assert_int_equal(fed_buffer_reserve(&update, 100000), FED_OK);
  memset(update.data, 1, update.size = 100000);
  assert_refused(f, 0, task, &update, FED_E_TOO_LARGE, "");
  fed_buffer_clear(&update);
  encode(f, &good, 1, &update);
  assert_verdict(f, 0, task, &update, FED__VERDICT__COUNTED);
  fed_buffer_clear(&update);
  free_tasks(f, 2, agents);
}

/* A graph's own loss may be below zero; that of a model that diverges is enormous, and no sum of
 * such overflows. */
static void any_finite_loss_is_counted(void **state) {
  struct small_federation *f = *state;
  static const double losses[] = {-30, 1e90, 1e90};
  struct waiting_agent agents[3];
  struct fed_buffer update;
  Fed__Metrics metrics = FED__METRICS__INIT;
  submit_job(f, "count: 1, cohort: 3, minimum: 3");
  get_tasks(f, 3, agents);
  metrics.example_count = 4;
  for (uint32_t i = 0; i < 3; i++) {
    Fed__UpdateHeader header = header_for(agents[i].reply->task, 5);
    metrics.loss_sum = losses[i];
    header.train = &metrics;
    encode(f, &header, 1, &update);
    assert_verdict(f, i, agents[i].reply->task, &update, FED__VERDICT__COUNTED);
    fed_buffer_clear(&update);
  }
  free_tasks(f, 3, agents);
}

static int call(struct small_federation *f, const char *method, const char *path,
                const char *const *fields) {
  struct fed__http_reply reply;
  struct fed_buffer answer;
  const struct fed__http_request request = {.method = method,
                                            .path = path,
                                            .fields = fields,
                                            .body = fed_slice_of_text("x"),
                                            .timeout_ms = 20000,
                                            .answer_bytes_max = 1 << 16};
  fed_buffer_init(&answer, &f->context, 1 << 16);
  const int code = fed__http_call(f->agents[0].http, &request, &reply, &answer);
  fed_buffer_clear(&answer);
  return code;
}

static void requests_without_sense_are_refused(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent agents[2];
  char path[128];
  submit_job(f, "count: 1, cohort: 2, minimum: 2");
  get_tasks(f, 2, agents);
  snprintf(path, sizeof path, "/v1/updates/%s/1/1/0", f->job);
  static const char *const no_offset[] = {"Upload-Complete: ?1", NULL};
  static const char *const no_digest[] = {"Upload-Offset: 0", NULL};
  static const char *const bad_digests[][3] = {
      {"Upload-Offset: 0", "Repr-Digest: md5=:AAAA:", NULL},
      {"Upload-Offset: 0", "Repr-Digest: sha-256=:AAAA:", NULL},
      {"Upload-Offset: 0", "Repr-Digest: sha-256=:", NULL},
      {"Upload-Offset: 0", "Repr-Digest: sha-256=:!!!!:", NULL},
  };
  assert_int_equal(call(f, "PATCH", path, no_offset), FED_E_MISSING);
  assert_int_equal(call(f, "PATCH", path, no_digest), FED_E_MISSING);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(fed_error_class(call(f, "PATCH", path, bad_digests[i])), FED_CLASS_INPUT);
  static const char *const paths[] = {"/v1/updates/test-1/x/1/0", "/v1/updates/test-1/1/-1/0",
                                      "/v1/updates/test-1/1/1/0x"};
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(call(f, "PATCH", paths[i], no_offset), FED_E_USAGE);
  free_tasks(f, 2, agents);
}

static void a_lost_client_is_not_waited_for(void **state) {
  struct small_federation *f = *state;
  struct waiting_agent agents[2];
  struct fed_buffer update;
  submit_job(f, "count: 1, cohort: 2, minimum: 1");
  get_tasks(f, 2, agents);
  const Fed__Task *task = agents[0].reply->task;
  Fed__TaskFailure failure = FED__TASK_FAILURE__INIT;
  failure.job = f->job;
  failure.round = failure.attempt = 1;
  failure.nonce = task->nonce;
  failure.code = FED_E_MEMORY;
  assert_int_equal(fed__federation_report_failure(f->agents[1].http, &f->context, &failure),
                   FED_OK);
  encode_plain(f, task, 1, 8, &update);
  assert_verdict(f, 1, task, &update, FED__VERDICT__DISMISSED);
  assert_verdict(f, 0, task, &update, FED__VERDICT__COUNTED);
  struct fed_buffer json;
  char path[128];
  snprintf(path, sizeof path, "/v1/jobs/%s", f->job);
  fed_buffer_init(&json, &f->context, 1 << 16);
  assert_int_equal(fed__federation_get(f->operator_.http, path, 20000, &json), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&json), "\"state\":\"done\""));
  failure.job = (char *)(uintptr_t) "nothing-1";
  assert_int_equal(fed__federation_report_failure(f->agents[1].http, &f->context, &failure),
                   FED_E_STALE);
  fed_buffer_clear(&json);
  fed_buffer_clear(&update);
  free_tasks(f, 2, agents);
}

static void another_version_of_the_protocol_is_refused(void **state) {
  struct small_federation *f = *state;
  static const uint32_t versions[] = {0, FED__PROTOCOL_VERSION + 1, UINT32_MAX};
  for (size_t i = 0; i < 3; i++) {
    Fed__CheckIn hello = FED__CHECK_IN__INIT;
    Fed__CheckInReply *reply = NULL;
    Fed__JobSubmission submission = FED__JOB_SUBMISSION__INIT;
    Fed__JobAccepted *accepted = NULL;
    hello.protocol = submission.protocol = versions[i];
    submission.plan = submission.graph = submission.approval =
        (ProtobufCBinaryData){1, (uint8_t[]){'x'}};
    assert_int_equal(
        fed__federation_check_in(f->agents[0].http, &f->context, &hello, NULL, NULL, &reply),
        FED_E_VERSION);
    assert_int_equal(fed__federation_submit(f->operator_.http, &f->context, &submission, &accepted),
                     FED_E_VERSION);
    assert_null(reply);
    assert_null(accepted);
  }
}

/* The text of the job's events so far. */
static void read_events(struct small_federation *f, struct fed_buffer *events) {
  char path[128];
  struct fed__http_reply reply;
  snprintf(path, sizeof path, "/v1/jobs/%s/events", f->job);
  const struct fed__http_request request = {
      .method = "GET", .path = path, .timeout_ms = 20000, .answer_bytes_max = 1 << 20};
  fed_buffer_init(events, &f->context, 1 << 20);
  assert_int_equal(fed__http_call(f->operator_.http, &request, &reply, events), FED_OK);
  assert_int_equal(reply.status, 200);
}

/* What a rule of selection goes by is written down where the job has such a rule. */
static void a_report_is_recorded_with_what_it_took(void **state) {
  struct small_federation *f = *state;
  static const char *const rules[] = {"uniform", "weighted"};
  for (int i = 0; i < 2; i++) {
    struct waiting_agent agents[2];
    struct fed_buffer update, events;
    char rounds[128];
    snprintf(rounds, sizeof rounds, "count: 1, cohort: 2, minimum: 2, selection: {rule: %s}",
             rules[i]);
    submit_job(f, rounds);
    get_tasks(f, 2, agents);
    encode_plain(f, agents[0].reply->task, 1, 8, &update);
    assert_verdict(f, 0, agents[0].reply->task, &update, FED__VERDICT__COUNTED);
    read_events(f, &events);
    assert_non_null(strstr(fed_buffer_text(&events), "\"client.reported\""));
    assert_int_equal(strstr(fed_buffer_text(&events), "\"duration_s\":") != NULL, i);
    assert_verdict(f, 1, agents[1].reply->task, &update, FED__VERDICT__COUNTED);
    fed_buffer_clear(&events);
    fed_buffer_clear(&update);
    free_tasks(f, 2, agents);
  }
}

int main(void) {
#define WITH_SERVER(test)                                                                          \
  cmocka_unit_test_setup_teardown(test, open_small_federation, close_small_federation)
  const struct CMUnitTest tests[] = {
      WITH_SERVER(the_mean_of_two_updates_is_the_next_version),
      WITH_SERVER(a_damaged_update_is_refused_and_can_be_sent_again),
      WITH_SERVER(an_update_comes_in_parts),
      WITH_SERVER(a_replayed_update_is_refused),
      WITH_SERVER(an_update_that_cannot_be_is_refused),
      WITH_SERVER(any_finite_loss_is_counted),
      WITH_SERVER(requests_without_sense_are_refused),
      WITH_SERVER(a_lost_client_is_not_waited_for),
      WITH_SERVER(another_version_of_the_protocol_is_refused),
      WITH_SERVER(a_report_is_recorded_with_what_it_took),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
