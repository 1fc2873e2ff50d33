/* SPDX-License-Identifier: Apache-2.0
 *
 * test_signed_jobs.c: the server takes a job only with an approval by the operator who submits it,
 * keeps that approval, hands it to agents, and says who signed.
 */
#include "small_federation.h"

#include "store/sqlite_store.h"

/* Two files that make a job, and another pair. */
struct job_bytes {
  struct fed_buffer plan, graph;
};

static struct job_bytes make_job(struct small_federation *f, const char *name, uint64_t seed) {
  const struct fed_recipe_options recipe = {
      .recipe = "logreg", .input = {1, {4}}, .classes = 2, .seed = seed};
  struct job_bytes job;
  fed_buffer_init(&job.plan, &f->context, 1 << 16);
  fed_buffer_init(&job.graph, &f->context, 1 << 20);
  assert_int_equal(
      fed_buffer_print(&job.plan,
                       "version: 1\nname: %s\nmodel: {file: model.onnx}\ntrain: {epochs: 0}\n"
                       "evaluate: {every: 0}\nrounds: {count: 1, cohort: 2, minimum: 2}\n",
                       name),
      FED_OK);
  assert_int_equal(fed_recipe_write(&f->context, &recipe, &job.graph), FED_OK);
  return job;
}

static void clear_job(struct job_bytes *job) {
  fed_buffer_clear(&job->plan);
  fed_buffer_clear(&job->graph);
}

/* The job of these files, signed by this client for this authority. */
static struct fed_buffer sign(struct small_federation *f, const struct job_bytes *job,
                              const struct small_client *signer, struct fed_slice authority) {
  const struct fed__approved_job hashes = {fed__sha256_of(fed_buffer_slice(&job->plan)),
                                           fed__sha256_of(fed_buffer_slice(&job->graph))};
  struct fed_buffer approval;
  struct fed__key key;
  fed_buffer_init(&approval, &f->context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__key_decode(fed_buffer_slice(&signer->key), &key), FED_OK);
  assert_int_equal(fed__approval_make(&f->context, authority,
                                      fed_buffer_slice(&signer->certificate), &key, &hashes,
                                      &approval),
                   FED_OK);
  fed__key_clear(&key);
  return approval;
}

static ProtobufCBinaryData field(const struct fed_buffer *bytes) {
  return (ProtobufCBinaryData){bytes->size, bytes->data};
}

/* The operator sends these files with this approval. */
static int send(struct small_federation *f, const struct fed_buffer *plan,
                const struct fed_buffer *graph, const struct fed_buffer *approval) {
  Fed__JobSubmission submission = FED__JOB_SUBMISSION__INIT;
  Fed__JobAccepted *accepted = NULL;
  submission.protocol = FED__PROTOCOL_VERSION;
  submission.plan = field(plan);
  submission.graph = field(graph);
  if (approval) submission.approval = field(approval);
  const int code = fed__federation_submit(f->operator_.http, &f->context, &submission, &accepted);
  if (accepted) snprintf(f->job, sizeof f->job, "%s", accepted->job);
  fed__wire_free(&f->context, accepted);
  return code;
}

static void assert_message(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("expected '%s' in '%s'", part, fed_error_last()->message);
}

static struct fed_buffer get(struct small_federation *f, const char *path) {
  struct fed_buffer json;
  fed_buffer_init(&json, &f->context, 1 << 20);
  assert_int_equal(fed__federation_get(f->operator_.http, path, 20000, &json), FED_OK);
  assert_non_null(fed_buffer_text(&json));
  return json;
}

static void the_signer_is_on_record(void **state) {
  struct small_federation *f = *state;
  struct job_bytes job = make_job(f, "test", 1);
  struct fed_buffer approval = sign(f, &job, &f->operator_, fed_buffer_slice(&f->ca_der)), kept;
  char path[160], hex[FED__DIGEST_HEX_SIZE], expected[160];
  assert_int_equal(send(f, &job.plan, &job.graph, &approval), FED_OK);
  const struct fed__digest hash = fed__sha256_of(fed_buffer_slice(&approval));
  fed__digest_encode(&hash, hex);
  struct fed_buffer list = get(f, "/v1/jobs");
  snprintf(expected, sizeof expected, "\"approval\":\"%s\"", hex);
  assert_non_null(strstr(fed_buffer_text(&list), expected));
  assert_non_null(strstr(fed_buffer_text(&list), "\"signer\":\"operator\""));
  snprintf(path, sizeof path, "/v1/jobs/%s/events?after=0&wait_ms=0", f->job);
  struct fed_buffer events = get(f, path);
  assert_non_null(strstr(fed_buffer_text(&events), "\"type\":\"job.created\""));
  assert_non_null(strstr(fed_buffer_text(&events), "\"signer\":\"operator\""));

  /* Agents are given it, byte for byte. */
  struct waiting_agent agents[2];
  get_tasks(f, 2, agents);
  assert_memory_equal(agents[0].reply->task->approval.data, hash.bytes, 32);
  fed_buffer_init(&kept, &f->context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__federation_download(f->agents[0].http, &f->context, &hash, &kept), FED_OK);
  assert_int_equal(kept.size, approval.size);
  assert_memory_equal(kept.data, approval.data, kept.size);
  free_tasks(f, 2, agents);
  fed_buffer_clear(&kept);
  fed_buffer_clear(&events);
  fed_buffer_clear(&list);
  fed_buffer_clear(&approval);
  clear_job(&job);
}

static void another_job_than_the_signed_one_is_refused(void **state) {
  struct small_federation *f = *state;
  struct job_bytes job = make_job(f, "test", 1), other = make_job(f, "other", 2);
  const struct fed_slice authority = fed_buffer_slice(&f->ca_der);
  struct fed_buffer approval = sign(f, &job, &f->operator_, authority);
  assert_int_equal(send(f, &other.plan, &job.graph, &approval), FED_E_SIGNATURE);
  assert_int_equal(send(f, &job.plan, &other.graph, &approval), FED_E_SIGNATURE);
  assert_int_equal(send(f, &other.plan, &other.graph, &approval), FED_E_SIGNATURE); /* replayed */
  assert_message("not that of the operator 'operator' for this job file and model");
  assert_int_equal(send(f, &job.plan, &job.graph, &approval), FED_OK);
  fed_buffer_clear(&approval);
  clear_job(&job);
  clear_job(&other);
}

static void a_job_without_approval_is_refused(void **state) {
  struct small_federation *f = *state;
  struct job_bytes job = make_job(f, "test", 1);
  assert_int_equal(send(f, &job.plan, &job.graph, NULL), FED_E_RANGE);
  assert_message("JobSubmission.approval");
  struct fed_buffer approval = sign(f, &job, &f->operator_, fed_buffer_slice(&f->ca_der));
  approval.size -= 1; /* of the signature */
  assert_int_equal(send(f, &job.plan, &job.graph, &approval), FED_E_SYNTAX);
  approval.size += 1;
  approval.data[approval.size - 1] ^= 1;
  assert_int_equal(send(f, &job.plan, &job.graph, &approval), FED_E_SIGNATURE);
  struct fed_buffer list = get(f, "/v1/jobs");
  assert_string_equal(fed_buffer_text(&list), "[]");
  fed_buffer_clear(&list);
  fed_buffer_clear(&approval);
  clear_job(&job);
}

/* A client of another authority with the same name, as an operator of the same name. */
static struct small_client make_stranger(struct small_federation *f, struct fed__ca *authority) {
  const int64_t now_ms = f->context.clock->wall_ms(f->context.clock);
  const struct fed__grant grant = {
      "operator", FED__ROLE_OPERATOR, {{1}}, now_ms - 1000, now_ms + 3600000};
  struct small_client stranger = {0};
  struct fed_buffer request;
  struct fed__key key;
  fed_buffer_init(&request, &f->context, 1 << 16);
  fed_buffer_init(&stranger.key, &f->context, 1 << 16);
  fed_buffer_init(&stranger.certificate, &f->context, 1 << 16);
  assert_int_equal(fed__ca_create(&f->context, "small", 30, authority), FED_OK);
  assert_int_equal(fed__key_generate(&f->context, &key), FED_OK);
  assert_int_equal(fed__key_encode(&key, &stranger.key), FED_OK);
  assert_int_equal(fed__request_create(&key, "operator", &request), FED_OK);
  assert_int_equal(fed__certificate_issue_client(authority, fed_buffer_slice(&request), &grant,
                                                 &stranger.certificate),
                   FED_OK);
  fed_buffer_clear(&request);
  return stranger;
}

static void only_the_submitter_signs(void **state) {
  struct small_federation *f = *state;
  struct job_bytes job = make_job(f, "test", 1);
  struct fed__ca theirs;
  struct small_client stranger = make_stranger(f, &theirs), second = {0};
  const struct fed_slice ours = fed_buffer_slice(&f->ca_der);
  enrol_as(f, &second, "maria", FED__ROLE_OPERATOR);
  struct fed_buffer by_agent = sign(f, &job, &f->agents[0], ours);
  struct fed_buffer by_stranger = sign(f, &job, &stranger, ours);
  struct fed_buffer by_second = sign(f, &job, &second, ours);
  struct fed_buffer for_theirs =
      sign(f, &job, &f->operator_, fed_buffer_slice(&theirs.certificate));
  assert_int_equal(send(f, &job.plan, &job.graph, &by_agent), FED_E_ROLE);
  assert_int_equal(send(f, &job.plan, &job.graph, &by_stranger), FED_E_CERTIFICATE);
  assert_int_equal(send(f, &job.plan, &job.graph, &for_theirs), FED_E_SIGNATURE);
  assert_int_equal(send(f, &job.plan, &job.graph, &by_second), FED_E_SIGNATURE);
  assert_message("signed with another certificate (of 'maria') than 'operator' submits it with");
  fed_buffer_clear(&by_agent);
  fed_buffer_clear(&by_stranger);
  fed_buffer_clear(&by_second);
  fed_buffer_clear(&for_theirs);
  clear_client(&second);
  clear_client(&stranger);
  fed__ca_clear(&theirs);
  clear_job(&job);
}

static void reopen_server(struct small_federation *f) {
  const struct fed__server_options options = {.folder = f->folder, .threads = 2};
  assert_int_equal(fed__server_open(&f->context, &options, &f->server), FED_OK);
  connect_client(f, &f->operator_);
}

/* What a store of schema version 1 holds: running jobs that nobody signed. */
static void an_unsigned_job_does_not_go_on(void **state) {
  struct small_federation *f = *state;
  struct fed__store *store;
  struct fed__job_record record;
  char path[128];
  submit_job(f, "count: 1, cohort: 2, minimum: 2");
  fed__server_close(f->server);
  snprintf(path, sizeof path, "%s/store", f->folder);
  assert_int_equal(fed__sqlite_store_open(&f->context, path, 0, &store), FED_OK);
  assert_int_equal(store->ops->job_find(store, f->job, &record), FED_OK);
  assert_string_equal(record.signer, "operator");
  record.signer[0] = '\0';
  assert_int_equal(store->ops->job_put(store, &record), FED_OK);
  store->ops->close(store);
  reopen_server(f);
  struct fed_buffer list = get(f, "/v1/jobs");
  assert_non_null(strstr(fed_buffer_text(&list), "\"state\":\"failed\""));
  assert_non_null(strstr(fed_buffer_text(&list), "it is not signed; submit it again"));
  fed_buffer_clear(&list);
}

int main(void) {
#define WITH_SERVER(test)                                                                          \
  cmocka_unit_test_setup_teardown(test, open_small_federation, close_small_federation)
  const struct CMUnitTest tests[] = {
      WITH_SERVER(the_signer_is_on_record),
      WITH_SERVER(another_job_than_the_signed_one_is_refused),
      WITH_SERVER(a_job_without_approval_is_refused),
      WITH_SERVER(only_the_submitter_signs),
      WITH_SERVER(an_unsigned_job_does_not_go_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
