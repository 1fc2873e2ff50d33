/* SPDX-License-Identifier: Apache-2.0
 *
 * test_federation_client.c: the protocol's calls against a small stand-in for the server, over
 * connections that break in the middle.
 */
#include "crypto/base64.h"
#include "unit/net/raw_tls.h"

#include <fcntl.h>
#include <poll.h>

#define OBJECT_SIZE ((size_t)1 << 20)
#define OFFSETS_MAX 8

/* What the stand-in holds. One request at a time is enough here, but a broken one may end late. */
struct federation {
  struct fed__http_handler base;
  struct loopback *loopback;
  pthread_mutex_t lock;
  char object_path[64];
  struct fed__digest object_hash;
  int ranges_seen;
  int refuses_barely;                /* without a Failure */
  struct fed__http_exchange *writer; /* whose bytes the upload takes */
  struct fed_buffer upload;
  uint64_t offsets[OFFSETS_MAX]; /* of the PATCH requests, as asked for */
  int patch_count, head_count, busy_count;
  char digest_field[128];
};

static uint8_t object_byte(size_t at) { return (uint8_t)(at * 13 + at / 509); }

static void answer_message(struct fed__http_exchange *exchange, const ProtobufCMessage *message) {
  struct fed_context context;
  struct fed_buffer bytes;
  fed_context_init(&context);
  fed_buffer_init(&bytes, &context, 4096);
  assert_int_equal(fed__wire_encode(message, &bytes), FED_OK);
  const struct fed__http_answer answer = {
      .status = 200, .content_type = "application/protobuf", .body = fed_buffer_slice(&bytes)};
  fed__http_answer(exchange, &answer);
  fed_buffer_clear(&bytes);
}

static void refuse_offset(struct federation *federation, struct fed__http_exchange *exchange) {
  char text[32];
  snprintf(text, sizeof text, "%zu", federation->upload.size);
  const struct fed__http_field field = {"Upload-Offset", text};
  const struct fed__http_answer bare = {.status = 409, .fields = &field, .field_count = 1};
  FED_RAISE(FED_E_OFFSET, "the upload continues at %s", text);
  if (federation->refuses_barely)
    fed__http_answer(exchange, &bare);
  else
    fed__http_answer_failure_with(exchange, 0, field);
}

static void begin_patch(struct federation *federation, struct fed__http_exchange *exchange) {
  const char *offset = fed__http_header(exchange, "Upload-Offset");
  const uint64_t wanted = offset ? strtoull(offset, NULL, 10) : UINT64_MAX;
  if (federation->patch_count < OFFSETS_MAX)
    federation->offsets[federation->patch_count++] = wanted;
  fed__http_stream_body(exchange);
  if (federation->busy_count-- > 0) {
    FED_RAISE(FED_E_BUSY, "not now");
    fed__http_answer_failure(exchange, 10);
  } else if (wanted != federation->upload.size) {
    refuse_offset(federation, exchange);
  } else {
    federation->writer = exchange;
  }
}

static void on_headers(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct federation *federation = (struct federation *)self;
  const char *method = fed__http_method(exchange);
  pthread_mutex_lock(&federation->lock);
  if (strcmp(method, "POST") == 0) fed__http_accept_body(exchange, 1 << 20);
  if (strcmp(method, "PATCH") == 0) begin_patch(federation, exchange);
  pthread_mutex_unlock(&federation->lock);
}

static int on_chunk(struct fed__http_handler *self, struct fed__http_exchange *exchange,
                    struct fed_slice bytes) {
  struct federation *federation = (struct federation *)self;
  pthread_mutex_lock(&federation->lock);
  const int code = federation->writer == exchange
                       ? fed_buffer_append(&federation->upload, bytes.data, bytes.size)
                       : FED_RAISE(FED_E_ORDER, "another request goes on with this upload");
  pthread_mutex_unlock(&federation->lock);
  return code;
}

static void answer_post(struct federation *federation, struct fed__http_exchange *exchange) {
  const char *path = fed__http_path(exchange);
  struct fed_context *context = &federation->loopback->server_context;
  ProtobufCMessage *message = NULL;
  const struct fed_slice body = fed__http_body(exchange);
  if (strcmp(path, "/v1/enrol") == 0 &&
      fed__wire_decode(context, &fed__enrol_request__descriptor, body, &message) == FED_OK) {
    Fed__EnrolReply reply;
    fed__enrol_reply__init(&reply);
    reply.name =
        (char *)(uintptr_t)(((Fed__EnrolRequest *)message)->secret.data[0] == 7 ? "new" : "bad");
    reply.certificate = (char *)(uintptr_t) "PEM";
    answer_message(exchange, &reply.base);
  } else if (strcmp(path, "/v1/check-in") == 0 &&
             fed__wire_decode(context, &fed__check_in__descriptor, body, &message) == FED_OK) {
    Fed__CheckInReply reply;
    fed__check_in_reply__init(&reply);
    reply.come_back_ms = ((Fed__CheckIn *)message)->wait_ms + 1;
    answer_message(exchange, &reply.base);
  } else if (strcmp(path, "/v1/failures") == 0 &&
             fed__wire_decode(context, &fed__task_failure__descriptor, body, &message) == FED_OK) {
    const struct fed__http_answer answer = {.status = 204};
    fed__http_answer(exchange, &answer);
  } else if (strcmp(path, "/v1/jobs") == 0) {
    Fed__JobAccepted reply;
    fed__job_accepted__init(&reply);
    reply.job = (char *)(uintptr_t) "digits-1";
    answer_message(exchange, &reply.base);
  } else {
    answer_text(exchange, 200, strcmp(path, "/v1/jobs/digits-1/stop") == 0 ? "{}" : "?");
  }
  fed__wire_free(context, message);
}

static void answer_object(struct federation *federation, struct fed__http_exchange *exchange) {
  char expected[128], hex[FED__DIGEST_HEX_SIZE];
  if (fed__http_header(exchange, "Range")) federation->ranges_seen++;
  fed__digest_encode(&federation->object_hash, hex);
  snprintf(expected, sizeof expected, "/v1/objects/%s", hex);
  const struct fed__http_answer answer = {
      .status = 200,
      .content_type = "application/octet-stream",
      .path = strcmp(fed__http_path(exchange), expected) == 0 ? federation->object_path : "/none"};
  fed__http_answer(exchange, &answer);
}

static void answer_head(struct federation *federation, struct fed__http_exchange *exchange) {
  char text[32];
  snprintf(text, sizeof text, "%zu", federation->upload.size);
  const struct fed__http_field fields[] = {{"Upload-Offset", text}, {"Upload-Complete", "?0"}};
  const struct fed__http_answer answer = {.status = 204, .fields = fields, .field_count = 2};
  federation->head_count++;
  fed__http_answer(exchange, &answer);
}

static void answer_patch(struct federation *federation, struct fed__http_exchange *exchange) {
  Fed__Receipt receipt;
  fed__receipt__init(&receipt);
  const char *digest = fed__http_header(exchange, "Repr-Digest");
  const char *complete = fed__http_header(exchange, "Upload-Complete");
  const char *type = fed__http_header(exchange, "Content-Type");
  snprintf(federation->digest_field, sizeof federation->digest_field, "%s", digest ? digest : "");
  assert_string_equal(complete, "?1");
  assert_string_equal(type, "application/partial-upload");
  receipt.verdict = FED__VERDICT__COUNTED;
  answer_message(exchange, &receipt.base);
}

static void on_complete(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct federation *federation = (struct federation *)self;
  const char *method = fed__http_method(exchange);
  pthread_mutex_lock(&federation->lock);
  if (strcmp(method, "POST") == 0) answer_post(federation, exchange);
  if (strcmp(method, "PATCH") == 0) answer_patch(federation, exchange);
  if (strcmp(method, "HEAD") == 0) answer_head(federation, exchange);
  if (strcmp(method, "GET") == 0) {
    if (strncmp(fed__http_path(exchange), "/v1/objects/", 12) == 0)
      answer_object(federation, exchange);
    else
      answer_text(exchange, 200, "{\"jobs\": []}");
  }
  pthread_mutex_unlock(&federation->lock);
}

static void on_gone(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct federation *federation = (struct federation *)self;
  pthread_mutex_lock(&federation->lock);
  if (federation->writer == exchange) federation->writer = NULL;
  pthread_mutex_unlock(&federation->lock);
}

/* --- a proxy that cuts connections: each after so many bytes, then without limit --- */

struct cutting_proxy {
  int listener;
  uint16_t port, target;
  size_t budgets[4]; /* both ways together; 0: no limit */
  int connections;
  int stopping[2];
  pthread_t thread;
};

static void carry(struct cutting_proxy *proxy, int client, int server, size_t budget) {
  char bytes[4096];
  struct pollfd ends[3] = {{.fd = client, .events = POLLIN},
                           {.fd = server, .events = POLLIN},
                           {.fd = proxy->stopping[0], .events = POLLIN}};
  size_t carried = 0;
  while (poll(ends, 3, 10000) > 0 && !ends[2].revents)
    for (int i = 0; i < 2; i++) {
      if (!ends[i].revents) continue;
      const ssize_t got = read(ends[i].fd, bytes, sizeof bytes);
      if (got <= 0 || write(ends[1 - i].fd, bytes, (size_t)got) != got) return;
      carried += (size_t)got;
      if (budget && carried > budget) return;
    }
}

/* End the connection to the server so that it still reads all that was carried. */
static void close_gently(int server) {
  char rest[4096];
  shutdown(server, SHUT_WR);
  while (read(server, rest, sizeof rest) > 0) {
  }
  close(server);
}

static void serve_one(struct cutting_proxy *proxy, int client) {
  static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
  char request[1024];
  const size_t budget = proxy->connections < 4 ? proxy->budgets[proxy->connections] : 0;
  const int server = raw_connect(proxy->target);
  proxy->connections++;
  if (read(client, request, sizeof request) > 0 &&
      write(client, established, sizeof established - 1) > 0)
    carry(proxy, client, server, budget);
  close(client);
  close_gently(server);
}

static void *run_proxy(void *data) {
  struct cutting_proxy *proxy = data;
  struct pollfd ends[2] = {{.fd = proxy->listener, .events = POLLIN},
                           {.fd = proxy->stopping[0], .events = POLLIN}};
  while (poll(ends, 2, -1) > 0 && !ends[1].revents) {
    const int client = accept(proxy->listener, NULL, NULL);
    if (client >= 0) serve_one(proxy, client);
  }
  return NULL;
}

static struct fed__http_client *open_cut_client(struct loopback *loopback,
                                                struct cutting_proxy *proxy) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  struct fed__http_client *client;
  char url[64];
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
  proxy->target = fed__http_server_port(loopback->server);
  assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(proxy->listener, 4), 0);
  assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(pipe(proxy->stopping), 0);
  assert_int_equal(pthread_create(&proxy->thread, NULL, run_proxy, proxy), 0);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
  struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  options.proxy = url;
  assert_int_equal(fed__http_client_new(&loopback->context, &options, &client), FED_OK);
  return client;
}

static void close_cut_client(struct fed__http_client *client, struct cutting_proxy *proxy) {
  fed__http_client_free(client);
  assert_int_equal(write(proxy->stopping[1], "x", 1), 1);
  pthread_join(proxy->thread, NULL);
  close(proxy->stopping[0]);
  close(proxy->stopping[1]);
  close(proxy->listener);
}

/* --- the world of a test --- */

static int open_federation(void **state) {
  struct federation *federation = test_calloc(1, sizeof *federation);
  struct loopback *loopback = test_malloc(sizeof *loopback);
  uint8_t *bytes = test_malloc(OBJECT_SIZE);
  prepare_loopback(loopback);
  federation->base = (struct fed__http_handler){on_headers, on_chunk, on_complete, on_gone};
  federation->loopback = loopback;
  pthread_mutex_init(&federation->lock, NULL);
  fed_buffer_init(&federation->upload, &loopback->server_context, 8 << 20);
  for (size_t i = 0; i < OBJECT_SIZE; i++) bytes[i] = object_byte(i);
  federation->object_hash = fed__sha256_of(fed_slice_of(bytes, OBJECT_SIZE));
  snprintf(federation->object_path, sizeof federation->object_path, "/tmp/fed-test-object-XXXXXX");
  const int file = mkstemp(federation->object_path);
  assert_int_equal(write(file, bytes, OBJECT_SIZE), OBJECT_SIZE);
  close(file);
  test_free(bytes);
  struct fed__http_server_options options = server_options(loopback);
  options.handler = &federation->base;
  open_loopback_server(loopback, &options);
  *state = federation;
  return 0;
}

static int close_federation(void **state) {
  struct federation *federation = *state;
  clear_loopback(federation->loopback);
  unlink(federation->object_path);
  fed_buffer_clear(&federation->upload);
  pthread_mutex_destroy(&federation->lock);
  test_free(federation->loopback);
  test_free(federation);
  return 0;
}

/* --- messages --- */

static void enrols(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  const uint8_t secret[32] = {7};
  Fed__EnrolReply *reply;
  assert_int_equal(fed__federation_enrol(client, &federation->loopback->context,
                                         fed_slice_of(secret, sizeof secret),
                                         fed_slice_of_text("request"), &reply),
                   FED_OK);
  assert_string_equal(reply->name, "new");
  assert_string_equal(reply->certificate, "PEM");
  fed__wire_free(&federation->loopback->context, reply);
  fed__http_client_free(client);
}

static void checks_in(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  Fed__CheckIn hello;
  Fed__CheckInReply *reply;
  fed__check_in__init(&hello);
  hello.protocol = 1;
  hello.wait_ms = 1233;
  assert_int_equal(
      fed__federation_check_in(client, &federation->loopback->context, &hello, NULL, NULL, &reply),
      FED_OK);
  assert_null(reply->task);
  assert_int_equal(reply->come_back_ms, 1234);
  fed__wire_free(&federation->loopback->context, reply);
  fed__http_client_free(client);
}

static void reports_failures(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  uint8_t nonce[16] = {1};
  Fed__TaskFailure failure;
  fed__task_failure__init(&failure);
  failure.job = (char *)(uintptr_t) "digits-1";
  failure.nonce = (ProtobufCBinaryData){sizeof nonce, nonce};
  assert_int_equal(fed__federation_report_failure(client, &federation->loopback->context, &failure),
                   FED_OK);
  fed__http_client_free(client);
}

static void serves_operators(void **state) {
  struct federation *federation = *state;
  struct fed_context *context = &federation->loopback->context;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  uint8_t bytes[3] = {1, 2, 3};
  struct fed_buffer out;
  Fed__JobSubmission submission;
  Fed__JobAccepted *accepted;
  fed__job_submission__init(&submission);
  submission.plan = submission.graph = (ProtobufCBinaryData){sizeof bytes, bytes};
  assert_int_equal(fed__federation_submit(client, context, &submission, &accepted), FED_OK);
  assert_string_equal(accepted->job, "digits-1");
  fed__wire_free(context, accepted);
  fed_buffer_init(&out, context, 100);
  assert_int_equal(fed__federation_get(client, "/v1/jobs", 5000, &out), FED_OK);
  assert_string_equal(fed_buffer_text(&out), "{\"jobs\": []}");
  out.size = 0;
  assert_int_equal(
      fed__federation_post(client, "/v1/jobs/digits-1/stop", fed_slice_of_text("{}"), &out),
      FED_OK);
  assert_string_equal(fed_buffer_text(&out), "{}");
  fed_buffer_clear(&out);
  fed__http_client_free(client);
}

/* --- downloads --- */

static void check_object(const struct fed_buffer *out) {
  assert_int_equal(out->size, OBJECT_SIZE);
  for (size_t i = 0; i < OBJECT_SIZE; i++)
    if (out->data[i] != object_byte(i)) fail_msg("byte %zu differs", i);
}

static void downloads(void **state) {
  struct federation *federation = *state;
  struct fed_context *context = &federation->loopback->context;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  struct fed_buffer out;
  fed_buffer_init(&out, context, OBJECT_SIZE);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_OK);
  check_object(&out);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_OK); /* nothing is left to get */
  assert_int_equal(federation->ranges_seen, 0);
  out.data[5] ^= 1; /* complete but wrong: thrown away, and right the next time */
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_E_CORRUPT);
  assert_int_equal(out.size, 0);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_OK);
  check_object(&out);
  fed_buffer_clear(&out);
  fed__http_client_free(client);
}

static void downloads_the_rest(void **state) {
  struct federation *federation = *state;
  struct fed_context *context = &federation->loopback->context;
  struct cutting_proxy proxy = {.budgets = {300000, 0}};
  struct fed__http_client *client = open_cut_client(federation->loopback, &proxy);
  struct fed_buffer out;
  fed_buffer_init(&out, context, OBJECT_SIZE);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_E_NETWORK);
  assert_in_range(out.size, 100000, 300000);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_OK);
  assert_int_equal(federation->ranges_seen, 1);
  check_object(&out);
  assert_true(fed__http_client_bytes_received(client) < OBJECT_SIZE + 50000);
  fed_buffer_clear(&out);
  close_cut_client(client, &proxy);
}

static void refuses_wrong_objects(void **state) {
  struct federation *federation = *state;
  struct fed_context *context = &federation->loopback->context;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  struct fed__digest other = fed__sha256_of(fed_slice_of_text("other"));
  struct fed_buffer out;
  fed_buffer_init(&out, context, OBJECT_SIZE);
  assert_int_equal(fed__federation_download(client, context, &other, &out), FED_E_NOT_FOUND);
  const int file = open(federation->object_path, O_WRONLY);
  assert_int_equal(pwrite(file, "x", 1, 0), 1);
  close(file);
  assert_int_equal(fed__federation_download(client, context, &federation->object_hash, &out),
                   FED_E_CORRUPT);
  assert_int_equal(out.size, 0);
  fed_buffer_clear(&out);
  fed__http_client_free(client);
}

/* --- uploads --- */

static Fed__Task make_task(void) {
  Fed__Task task;
  fed__task__init(&task);
  task.job = (char *)(uintptr_t) "digits-1";
  task.round = 12;
  task.attempt = 3;
  return task;
}

static int upload_object(struct federation *federation, struct fed__http_client *client,
                         uint32_t tries) {
  const Fed__Task task = make_task();
  struct fed_context *context = &federation->loopback->context;
  Fed__Receipt *receipt;
  uint8_t *bytes = test_malloc(OBJECT_SIZE);
  for (size_t i = 0; i < OBJECT_SIZE; i++) bytes[i] = object_byte(i);
  const int code = fed__federation_upload(client, context, &task, fed_slice_of(bytes, OBJECT_SIZE),
                                          tries, &receipt);
  if (code == FED_OK) assert_int_equal(receipt->verdict, FED__VERDICT__COUNTED);
  if (code == FED_OK) check_object(&federation->upload);
  fed__wire_free(context, receipt);
  test_free(bytes);
  return code;
}

static void uploads(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  char expected[128];
  struct fed_buffer digest;
  assert_int_equal(upload_object(federation, client, 1), FED_OK);
  assert_int_equal(federation->patch_count, 1);
  assert_int_equal(federation->offsets[0], 0);
  assert_int_equal(federation->head_count, 0);
  fed_buffer_init(&digest, &federation->loopback->context, 64);
  assert_int_equal(fed__base64_encode(fed_slice_of(federation->object_hash.bytes, 32),
                                      FED__BASE64_STANDARD, &digest),
                   FED_OK);
  snprintf(expected, sizeof expected, "sha-256=:%s:", fed_buffer_text(&digest));
  assert_string_equal(federation->digest_field, expected);
  fed_buffer_clear(&digest);
  fed__http_client_free(client);
}

static void resumes_uploads(void **state) {
  struct federation *federation = *state;
  struct cutting_proxy proxy = {.budgets = {300000, 400000, 0}};
  struct fed__http_client *client = open_cut_client(federation->loopback, &proxy);
  assert_int_equal(upload_object(federation, client, 5), FED_OK);
  assert_int_equal(proxy.connections, 3);
  assert_true(federation->offsets[0] == 0);
  for (int i = 1; i < federation->patch_count; i++) assert_true(federation->offsets[i] > 100000);
  assert_true(federation->head_count >= 1);
  close_cut_client(client, &proxy);
}

static void gives_up_uploads(void **state) {
  struct federation *federation = *state;
  struct cutting_proxy proxy = {.budgets = {100000, 20000, 20000, 20000}};
  struct fed__http_client *client = open_cut_client(federation->loopback, &proxy);
  assert_int_equal(upload_object(federation, client, 2), FED_E_NETWORK);
  close_cut_client(client, &proxy);
}

/* After an agent's restart it does not know that a part is there already. */
static void check_continues(struct federation *federation) {
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  for (size_t i = 0; i < 5000; i++) {
    const uint8_t byte = object_byte(i);
    assert_int_equal(fed_buffer_append(&federation->upload, &byte, 1), FED_OK);
  }
  assert_int_equal(upload_object(federation, client, 1), FED_OK);
  assert_int_equal(federation->patch_count, 2);
  assert_int_equal(federation->offsets[1], 5000);
  fed__http_client_free(client);
}

static void continues_where_the_server_is(void **state) { check_continues(*state); }

static void continues_after_bare_refusal(void **state) {
  struct federation *federation = *state;
  federation->refuses_barely = 1;
  check_continues(federation);
}

static void tries_again_when_busy(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  federation->busy_count = 1;
  assert_int_equal(upload_object(federation, client, 1), FED_E_BUSY);
  federation->busy_count = 1;
  assert_int_equal(upload_object(federation, client, 2), FED_OK);
  fed__http_client_free(client);
}

static void refuses_impossible_offsets(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  federation->upload.size_max = 8 << 20;
  assert_int_equal(fed_buffer_reserve(&federation->upload, 2 * OBJECT_SIZE), FED_OK);
  federation->upload.size = 2 * OBJECT_SIZE;
  assert_int_equal(upload_object(federation, client, 3), FED_E_PROTOCOL);
  fed__http_client_free(client);
}

static void checks_job_names(void **state) {
  struct federation *federation = *state;
  struct fed__http_client *client = open_client(federation->loopback, NULL);
  Fed__Task task = make_task();
  Fed__Receipt *receipt;
  task.job = (char *)(uintptr_t) "../enrol";
  assert_int_equal(fed__federation_upload(client, &federation->loopback->context, &task,
                                          fed_slice_of_text("x"), 1, &receipt),
                   FED_E_INPUT);
  assert_null(receipt);
  fed__http_client_free(client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_federation, close_federation)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(enrols),
      TEST(checks_in),
      TEST(reports_failures),
      TEST(serves_operators),
      TEST(downloads),
      TEST(downloads_the_rest),
      TEST(refuses_wrong_objects),
      TEST(uploads),
      TEST(resumes_uploads),
      TEST(gives_up_uploads),
      TEST(continues_where_the_server_is),
      TEST(continues_after_bare_refusal),
      TEST(tries_again_when_busy),
      TEST(refuses_impossible_offsets),
      TEST(checks_job_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
