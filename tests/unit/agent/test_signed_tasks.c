/* SPDX-License-Identifier: Apache-2.0
 *
 * test_signed_tasks.c: an agent against a server that lies: it offers a job that no operator of
 * the federation signed, in every way there is. The agent neither reads the job nor fetches its
 * model; it tells the server the error's code and no more.
 */
#include "unit/net/loopback.h"

#include "agent/agent.h"
#include "base/file.h"
#include "round/approval.h"

#define OBJECTS_MAX 8

struct object {
  struct fed__digest hash;
  struct fed_buffer bytes;
  int fetched;
};

/* The server: a task for the first who checks in, objects, and what it was told. */
static struct liar {
  struct loopback loopback;
  char folder[64], policy[96];
  struct object objects[OBJECTS_MAX];
  size_t object_count;
  Fed__Task task;
  int task_given;
  ProtobufCBinaryData second_graph; /* of a second task under the same approval; empty: none */
  _Atomic int over;                 /* the agent came again, or reported a failure */
  int refusal_code, failure_code;
  char refusal[600];
} liar;

/* ---- the server ----------------------------------------------------------------------------- */

static void liar_headers(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  (void)self;
  if (strcmp(fed__http_method(exchange), "POST") == 0)
    fed__http_accept_body(exchange, FED__MESSAGE_BYTES_MAX);
}

static void answer_message(struct fed__http_exchange *exchange, const ProtobufCMessage *message) {
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, &liar.loopback.context, FED__MESSAGE_BYTES_MAX);
  assert_int_equal(fed__wire_encode(message, &bytes), FED_OK);
  fed__http_answer(exchange, &(struct fed__http_answer){.status = 200,
                                                        .content_type = "application/protobuf",
                                                        .body = fed_buffer_slice(&bytes)});
  fed_buffer_clear(&bytes);
}

static void note_refusals(const Fed__CheckIn *hello) {
  if (!hello->n_refusals) return;
  liar.refusal_code = (int)hello->refusals[0]->code;
  snprintf(liar.refusal, sizeof liar.refusal, "%s", hello->refusals[0]->reason);
}

static void check_in(struct fed__http_exchange *exchange) {
  Fed__CheckInReply reply = FED__CHECK_IN_REPLY__INIT;
  ProtobufCMessage *hello;
  assert_int_equal(fed__wire_decode(&liar.loopback.context, &fed__check_in__descriptor,
                                    fed__http_body(exchange), &hello),
                   FED_OK);
  note_refusals((Fed__CheckIn *)hello);
  fed__wire_free(&liar.loopback.context, hello);
  const int offers_second = liar.task_given == 1 && liar.second_graph.len;
  if (liar.task_given && !offers_second) liar.over = 1;
  if (offers_second) liar.task.graph = liar.second_graph;
  if (!liar.task_given || offers_second) reply.task = &liar.task;
  liar.task_given++;
  reply.come_back_ms = 1;
  answer_message(exchange, &reply.base);
}

static void note_failure(struct fed__http_exchange *exchange) {
  ProtobufCMessage *failure;
  assert_int_equal(fed__wire_decode(&liar.loopback.context, &fed__task_failure__descriptor,
                                    fed__http_body(exchange), &failure),
                   FED_OK);
  liar.failure_code = (int)((Fed__TaskFailure *)failure)->code;
  fed__wire_free(&liar.loopback.context, failure);
  fed__http_answer(exchange, &(struct fed__http_answer){.status = 204});
}

static void give_object(struct fed__http_exchange *exchange) {
  const char *hex = strrchr(fed__http_path(exchange), '/') + 1;
  struct fed__digest hash;
  assert_int_equal(fed__digest_decode(fed_slice_of_text(hex), &hash), FED_OK);
  for (size_t i = 0; i < liar.object_count; i++) {
    struct object *object = &liar.objects[i];
    if (!fed__digest_equal(&object->hash, &hash)) continue;
    object->fetched = 1;
    fed__http_answer(exchange,
                     &(struct fed__http_answer){.status = 200,
                                                .content_type = "application/octet-stream",
                                                .body = fed_buffer_slice(&object->bytes)});
    return;
  }
  FED_RAISE(FED_E_NOT_FOUND, "there is no such object");
  fed__http_answer_failure(exchange, 0);
}

static void liar_complete(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  const char *path = fed__http_path(exchange);
  (void)self;
  if (strcmp(path, "/v1/check-in") == 0)
    check_in(exchange);
  else if (strcmp(path, "/v1/failures") == 0)
    note_failure(exchange);
  else
    give_object(exchange);
}

static void liar_gone(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  (void)self, (void)exchange;
}

/* ---- objects and approvals ------------------------------------------------------------------ */

static struct object *put(struct fed_slice bytes) {
  struct object *object = &liar.objects[liar.object_count++];
  assert_true(liar.object_count <= OBJECTS_MAX);
  *object = (struct object){.hash = fed__sha256_of(bytes)};
  fed_buffer_init(&object->bytes, &liar.loopback.context, 1 << 20);
  assert_int_equal(fed_buffer_append(&object->bytes, bytes.data, bytes.size), FED_OK);
  return object;
}

static struct object *put_text(const char *text) { return put(fed_slice_of_text(text)); }

static struct object *put_plan(const char *name) {
  char plan[256];
  snprintf(plan, sizeof plan,
           "version: 1\nname: %s\nmodel: {file: m.onnx}\ntrain: {epochs: 0}\n"
           "evaluate: {every: 0}\nrounds: {count: 1, cohort: 2, minimum: 2}\n",
           name);
  return put_text(plan);
}

static struct object *put_approval(const struct fed__ca *authority,
                                   const struct credentials *signer, const struct object *plan,
                                   const struct object *graph) {
  const struct fed__approved_job job = {plan->hash, graph->hash};
  struct fed_buffer approval;
  struct fed__key key;
  fed_buffer_init(&approval, &liar.loopback.context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__key_decode(fed_buffer_slice(&signer->key), &key), FED_OK);
  assert_int_equal(
      fed__approval_make(&liar.loopback.context, fed_buffer_slice(&authority->certificate),
                         fed_buffer_slice(&signer->certificate), &key, &job, &approval),
      FED_OK);
  struct object *object = put(fed_buffer_slice(&approval));
  fed_buffer_clear(&approval);
  return object;
}

static void offer(struct object *plan, struct object *graph, struct object *approval) {
  static uint8_t nonce[FED__NONCE_BYTES], parameters[FED__HASH_BYTES];
  fed__task__init(&liar.task);
  liar.task.job = (char *)(uintptr_t) "test-1";
  liar.task.round = liar.task.attempt = 1;
  liar.task.cohort = 2;
  liar.task.deadline_ms = 60000;
  liar.task.plan = (ProtobufCBinaryData){FED__HASH_BYTES, plan->hash.bytes};
  liar.task.graph = (ProtobufCBinaryData){FED__HASH_BYTES, graph->hash.bytes};
  liar.task.approval = (ProtobufCBinaryData){FED__HASH_BYTES, approval->hash.bytes};
  liar.task.parameters = (ProtobufCBinaryData){FED__HASH_BYTES, parameters}; /* of no object */
  liar.task.nonce = (ProtobufCBinaryData){FED__NONCE_BYTES, nonce};
}

/* ---- the agent ------------------------------------------------------------------------------ */

static void write_in(const char *name, struct fed_slice bytes) {
  assert_int_equal(fed__file_write_in(liar.folder, name, bytes, FED__FILE_PRIVATE), FED_OK);
}

static void write_policy(const char *allow) {
  char text[256];
  snprintf(text, sizeof text, "allow: {%s}\ndata: {name: d, folder: d}\n", allow);
  write_in("policy.yaml", fed_slice_of_text(text));
}

static int open_liar(void **state) {
  char settings[160];
  (void)state;
  liar = (struct liar){0};
  prepare_loopback(&liar.loopback);
  liar.loopback.handler.base =
      (struct fed__http_handler){liar_headers, NULL, liar_complete, liar_gone};
  const struct fed__http_server_options options = server_options(&liar.loopback);
  open_loopback_server(&liar.loopback, &options);
  snprintf(liar.folder, sizeof liar.folder, "/tmp/fed-test-liar-XXXXXX");
  assert_non_null(mkdtemp(liar.folder));
  snprintf(liar.policy, sizeof liar.policy, "%s/policy.yaml", liar.folder);
  snprintf(settings, sizeof settings, "{\"name\":\"berlin\",\"url\":\"%s\"}", liar.loopback.url);
  write_in("agent.json", fed_slice_of_text(settings));
  write_in("agent.key", fed_buffer_slice(&liar.loopback.agent.key));
  write_in("agent.pem", fed_buffer_slice(&liar.loopback.agent.certificate));
  write_in("ca.pem", fed_buffer_slice(&liar.loopback.ca.certificate));
  write_policy("jobs: [test]");
  return 0;
}

static int close_liar(void **state) {
  (void)state;
  for (size_t i = 0; i < liar.object_count; i++) fed_buffer_clear(&liar.objects[i].bytes);
  clear_loopback(&liar.loopback);
  return fed__folder_remove(liar.folder);
}

static int is_over(void *data) {
  (void)data;
  return liar.over;
}

static void run_agent(void) {
  const struct fed__agent_options options = {
      .folder = liar.folder, .policy_file = liar.policy, .proxy = "", .stopping = is_over};
  assert_int_equal(fed__agent_run(&liar.loopback.context, &options), FED_OK);
}

/* The agent refuses what it is offered, and says no more than the code. */
static void assert_refused(int code, const struct object *graph) {
  run_agent();
  assert_int_equal(liar.refusal_code, code);
  assert_string_equal(liar.refusal, fed_error_text(code));
  assert_int_equal(liar.failure_code, 0);
  assert_false(graph->fetched);
}

/* ---- the tests ------------------------------------------------------------------------------ */

/* What is signed is done: here up to the parameters, which this server does not have. */
static void a_signed_job_is_taken_up(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  offer(plan, graph, put_approval(&liar.loopback.ca, &liar.loopback.operator_, plan, graph));
  run_agent();
  assert_int_equal(liar.refusal_code, 0);
  assert_int_equal(liar.failure_code, FED_E_NOT_FOUND);
  assert_true(graph->fetched);
}

static void another_plan_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model"),
                *other = put_text("[no job");
  offer(other, graph, put_approval(&liar.loopback.ca, &liar.loopback.operator_, plan, graph));
  assert_refused(FED_E_SIGNATURE, graph); /* and not SYNTAX: it was not read */
}

static void another_graph_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model"), *other = put_text("bad");
  offer(plan, other, put_approval(&liar.loopback.ca, &liar.loopback.operator_, plan, graph));
  assert_refused(FED_E_SIGNATURE, other);
}

/* An approval that was found good a moment ago is good for what it signs only. */
static void another_graph_is_refused_after_a_good_task(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model"), *other = put_text("bad");
  offer(plan, graph, put_approval(&liar.loopback.ca, &liar.loopback.operator_, plan, graph));
  liar.second_graph = (ProtobufCBinaryData){FED__HASH_BYTES, other->hash.bytes};
  run_agent();
  assert_true(graph->fetched);
  assert_int_equal(liar.refusal_code, FED_E_SIGNATURE);
  assert_false(other->fetched);
}

static void another_jobs_approval_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  struct object *old_plan = put_plan("old"), *old_graph = put_text("an old model");
  offer(plan, graph,
        put_approval(&liar.loopback.ca, &liar.loopback.operator_, old_plan, old_graph));
  assert_refused(FED_E_SIGNATURE, graph);
}

static void an_agents_approval_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  offer(plan, graph, put_approval(&liar.loopback.ca, &liar.loopback.agent, plan, graph));
  assert_refused(FED_E_ROLE, graph);
}

static void the_servers_approval_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  offer(plan, graph,
        put_approval(&liar.loopback.ca, &liar.loopback.server_credentials, plan, graph));
  assert_refused(FED_E_CERTIFICATE, graph);
}

static void another_authoritys_operator_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  struct credentials alice;
  struct fed__ca theirs;
  assert_int_equal(fed__ca_create(&liar.loopback.context, "test", 30, &theirs), FED_OK);
  make_client_credentials(&theirs, "alice", FED__ROLE_OPERATOR, &alice);
  offer(plan, graph, put_approval(&liar.loopback.ca, &alice, plan, graph));
  assert_refused(FED_E_CERTIFICATE, graph);
  clear_credentials(&alice);
  fed__ca_clear(&theirs);
}

/* A certificate that an authority made for itself, which nobody knows. */
static void a_self_made_certificate_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  struct credentials self;
  struct fed__ca own;
  assert_int_equal(fed__ca_create(&liar.loopback.context, "alice", 30, &own), FED_OK);
  self.certificate = own.certificate;
  fed_buffer_init(&self.key, &liar.loopback.context, 1 << 16);
  assert_int_equal(fed__key_encode(&own.key, &self.key), FED_OK);
  offer(plan, graph, put_approval(&liar.loopback.ca, &self, plan, graph));
  assert_refused(FED_E_CERTIFICATE, graph);
  fed_buffer_clear(&self.key);
  fed__ca_clear(&own);
}

static void an_expired_certificate_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  const struct fed_context *context = &liar.loopback.context;
  const int64_t now_ms = context->clock->wall_ms(context->clock);
  const struct fed__grant grant = {
      "alice", FED__ROLE_OPERATOR, {{1}}, now_ms - 10000, now_ms - 5000};
  struct credentials alice;
  struct fed_buffer request;
  struct fed__key key;
  init_credentials(&alice, context, &key);
  fed_buffer_init(&request, context, 1 << 16);
  assert_int_equal(fed__request_create(&key, "alice", &request), FED_OK);
  assert_int_equal(fed__certificate_issue_client(&liar.loopback.ca, fed_buffer_slice(&request),
                                                 &grant, &alice.certificate),
                   FED_OK);
  offer(plan, graph, put_approval(&liar.loopback.ca, &alice, plan, graph));
  assert_refused(FED_E_EXPIRED, graph);
  fed_buffer_clear(&request);
  clear_credentials(&alice);
}

static void what_is_no_approval_is_refused(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  offer(plan, graph, put_text("trust me"));
  assert_refused(FED_E_SYNTAX, graph);
}

/* The policy's own sentence is for the server, too. */
static void the_policy_names_the_signers(void **state) {
  (void)state;
  struct object *plan = put_plan("test"), *graph = put_text("a model");
  write_policy("jobs: [test], signers: [bob, \"car*\"]");
  offer(plan, graph, put_approval(&liar.loopback.ca, &liar.loopback.operator_, plan, graph));
  run_agent();
  assert_int_equal(liar.refusal_code, FED_E_DENIED);
  assert_non_null(strstr(liar.refusal, "job 'test' is signed by 'alice', who is not among the "
                                       "signers that this site's policy allows"));
  assert_false(graph->fetched);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_liar, close_liar)
  const struct CMUnitTest tests[] = {
      TEST(a_signed_job_is_taken_up),           TEST(another_plan_is_refused),
      TEST(another_graph_is_refused),           TEST(another_graph_is_refused_after_a_good_task),
      TEST(another_jobs_approval_is_refused),   TEST(an_agents_approval_is_refused),
      TEST(the_servers_approval_is_refused),    TEST(another_authoritys_operator_is_refused),
      TEST(a_self_made_certificate_is_refused), TEST(an_expired_certificate_is_refused),
      TEST(what_is_no_approval_is_refused),     TEST(the_policy_names_the_signers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
