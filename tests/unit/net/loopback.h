/* SPDX-License-Identifier: Apache-2.0
 *
 * loopback.h: a small federation on one machine for the tests of net: an authority, a server with
 * a handler of a few paths, and clients of several kinds. Certificates are valid for an hour
 * around now; the server's clock can be moved.
 */
#ifndef FED_TEST_LOOPBACK_H
#define FED_TEST_LOOPBACK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/raise.h"
#include "net/federation_client.h"
#include "net/http_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR_MS ((int64_t)3600 * 1000)

struct moved_clock {
  struct fed_clock clock;
  struct fed_clock *system;
  int64_t moved_ms;
};

static int64_t moved_wall_ms(struct fed_clock *self) {
  struct moved_clock *moved = (struct moved_clock *)self;
  return moved->system->wall_ms(moved->system) + moved->moved_ms;
}

static int64_t moved_monotonic_us(struct fed_clock *self) {
  struct moved_clock *moved = (struct moved_clock *)self;
  return moved->system->monotonic_us(moved->system);
}

struct credentials {
  struct fed_buffer certificate, key; /* PEM, with a zero behind */
};

#define WAITING_MAX 16

/* The handler: what each path does is in answer_path. */
struct test_handler {
  struct fed__http_handler base;
  const char *file_path; /* what /file answers */
  const char *file_tag;  /* its ETag */
  pthread_mutex_t lock;
  struct fed__http_exchange *waiting[WAITING_MAX]; /* of /wait */
  int waiting_count;
  int headers_count, complete_count, gone_count;
  _Atomic size_t streamed_bytes; /* tests wait for it */
};

struct loopback {
  struct fed_context context; /* the clients' */
  struct fed_context server_context;
  struct moved_clock clock;
  struct fed__ca ca;
  struct fed_buffer ca_der;
  struct credentials server_credentials, agent, operator_;
  struct test_handler handler;
  struct fed__http_server *server;
  char url[64];
};

/* --- certificates --- */

static void init_credentials(struct credentials *credentials, const struct fed_context *context,
                             struct fed__key *key) {
  fed_buffer_init(&credentials->certificate, context, 1 << 16);
  fed_buffer_init(&credentials->key, context, 1 << 16);
  assert_int_equal(fed__key_generate(context, key), FED_OK);
  assert_int_equal(fed__key_encode(key, &credentials->key), FED_OK);
  assert_non_null(fed_buffer_text(&credentials->key));
}

static inline void make_server_credentials(const struct fed__ca *ca, const char *name,
                                           int64_t from_ms, int64_t until_ms,
                                           struct credentials *credentials) {
  struct fed__key key;
  struct fed__public_key public_key;
  const char *const names[] = {name};
  init_credentials(credentials, ca->context, &key);
  assert_int_equal(fed__key_public(&key, &public_key), FED_OK);
  assert_int_equal(fed__certificate_issue_server(ca, &public_key, names, 1, from_ms, until_ms,
                                                 &credentials->certificate),
                   FED_OK);
  assert_non_null(fed_buffer_text(&credentials->certificate));
}

static void make_client_credentials(const struct fed__ca *ca, const char *name, enum fed__role role,
                                    struct credentials *credentials) {
  struct fed__key key;
  struct fed_buffer request;
  const int64_t now_ms = ca->context->clock->wall_ms(ca->context->clock);
  struct fed__grant grant = {name, role, {{0}}, now_ms - HOUR_MS / 2, now_ms + HOUR_MS};
  init_credentials(credentials, ca->context, &key);
  fed_buffer_init(&request, ca->context, 1 << 16);
  assert_int_equal(fed__serial_generate(ca->context, &grant.serial), FED_OK);
  assert_int_equal(fed__request_create(&key, name, &request), FED_OK);
  assert_int_equal(fed__certificate_issue_client(ca, fed_buffer_slice(&request), &grant,
                                                 &credentials->certificate),
                   FED_OK);
  assert_non_null(fed_buffer_text(&credentials->certificate));
  fed_buffer_clear(&request);
}

static void clear_credentials(struct credentials *credentials) {
  fed_buffer_clear(&credentials->certificate);
  fed_buffer_clear(&credentials->key);
}

/* --- the handler --- */

static void answer_text(struct fed__http_exchange *exchange, uint32_t status, const char *text) {
  const struct fed__http_answer answer = {
      .status = status, .content_type = "text/plain", .body = fed_slice_of_text(text)};
  fed__http_answer(exchange, &answer);
}

static void test_headers(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct test_handler *handler = (struct test_handler *)self;
  const char *path = fed__http_path(exchange);
  pthread_mutex_lock(&handler->lock);
  handler->headers_count++;
  pthread_mutex_unlock(&handler->lock);
  if (strcmp(path, "/echo") == 0) fed__http_accept_body(exchange, 3 << 20);
  if (strcmp(path, "/small") == 0) fed__http_accept_body(exchange, 1000);
  if (strcmp(path, "/stream") == 0 || strcmp(path, "/stream-limited") == 0)
    fed__http_stream_body(exchange);
  if (strcmp(path, "/early-no") == 0) answer_text(exchange, 403, "no");
  if (strcmp(path, "/early-yes") == 0) answer_text(exchange, 200, "yes");
}

static int test_chunk(struct fed__http_handler *self, struct fed__http_exchange *exchange,
                      struct fed_slice bytes) {
  struct test_handler *handler = (struct test_handler *)self;
  handler->streamed_bytes += bytes.size;
  if (strcmp(fed__http_path(exchange), "/stream-limited") == 0 && handler->streamed_bytes > 100000)
    return FED_RAISE(FED_E_LIMIT, "over the limit of the test");
  return FED_OK;
}

static void answer_who(struct fed__http_exchange *exchange) {
  char text[128];
  const struct fed__identity *who = fed__http_identity(exchange);
  snprintf(text, sizeof text, "%s %s", who ? who->name : "nobody",
           who ? fed__role_name(who->role) : "none");
  answer_text(exchange, 200, text);
}

static void answer_file(struct test_handler *handler, struct fed__http_exchange *exchange) {
  const struct fed__http_field tag = {"ETag", handler->file_tag};
  const struct fed__http_answer answer = {.status = 200,
                                          .content_type = "application/octet-stream",
                                          .fields = &tag,
                                          .field_count = handler->file_tag ? 1 : 0,
                                          .path = handler->file_path};
  fed__http_answer(exchange, &answer);
}

static void test_complete(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct test_handler *handler = (struct test_handler *)self;
  const char *path = fed__http_path(exchange);
  pthread_mutex_lock(&handler->lock);
  handler->complete_count++;
  if (strcmp(path, "/wait") == 0 && handler->waiting_count < WAITING_MAX)
    handler->waiting[handler->waiting_count++] = exchange;
  pthread_mutex_unlock(&handler->lock);
  if (strcmp(path, "/ping") == 0) answer_text(exchange, 200, "pong");
  if (strcmp(path, "/who") == 0) answer_who(exchange);
  if (strcmp(path, "/file") == 0) answer_file(handler, exchange);
  if (strcmp(path, "/stream") == 0) answer_text(exchange, 200, "streamed");
  if (strcmp(path, "/query") == 0) {
    const char *value = fed__http_query(exchange, "a");
    answer_text(exchange, 200, value ? value : "-");
  }
  if (strcmp(path, "/echo") == 0 || strcmp(path, "/small") == 0) {
    const struct fed__http_answer answer = {.status = 200,
                                            .content_type = "application/octet-stream",
                                            .body = fed__http_body(exchange)};
    fed__http_answer(exchange, &answer);
  }
  if (strcmp(path, "/raise") == 0) {
    FED_RAISE((int)strtol(fed__http_query(exchange, "code"), NULL, 10), "as asked for");
    fed__http_answer_failure(exchange, 0);
  }
  if (strcmp(path, "/stale") == 0) {
    FED_RAISE(FED_E_STALE, "round 7 is over");
    fed__http_answer_failure(exchange, 2500);
  }
  if (strcmp(path, "/broken") == 0) {
    FED_RAISE(FED_E_IO, "/var/lib/fed/secret-place: disk on fire");
    fed__http_answer_failure(exchange, 0);
  }
}

static void test_gone(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct test_handler *handler = (struct test_handler *)self;
  pthread_mutex_lock(&handler->lock);
  handler->gone_count++;
  for (int i = 0; i < handler->waiting_count; i++)
    if (handler->waiting[i] == exchange)
      handler->waiting[i--] = handler->waiting[--handler->waiting_count];
  pthread_mutex_unlock(&handler->lock);
}

static int waiting_count(struct test_handler *handler) {
  pthread_mutex_lock(&handler->lock);
  const int count = handler->waiting_count;
  pthread_mutex_unlock(&handler->lock);
  return count;
}

/* Wait until `count` exchanges wait for an answer. */
static inline void await_waiting(struct test_handler *handler, int count) {
  for (int i = 0; i < 5000 && waiting_count(handler) != count; i++) usleep(1000);
  assert_int_equal(waiting_count(handler), count);
}

/* --- the server --- */

static struct fed__http_server_options server_options(struct loopback *loopback) {
  return (struct fed__http_server_options){
      .address = "127.0.0.1",
      .certificate_pem = (const char *)loopback->server_credentials.certificate.data,
      .key_pem = (const char *)loopback->server_credentials.key.data,
      .ca_der = fed_buffer_slice(&loopback->ca_der),
      .threads = 2,
      .handler = &loopback->handler.base};
}

static void open_loopback_server(struct loopback *loopback,
                                 const struct fed__http_server_options *options) {
  assert_int_equal(fed__http_server_open(&loopback->server_context, options, &loopback->server),
                   FED_OK);
  snprintf(loopback->url, sizeof loopback->url, "https://127.0.0.1:%u",
           fed__http_server_port(loopback->server));
}

static void prepare_loopback(struct loopback *loopback) {
  *loopback = (struct loopback){0};
  fed_context_init(&loopback->context);
  const int64_t now_ms = loopback->context.clock->wall_ms(loopback->context.clock);
  loopback->clock =
      (struct moved_clock){{moved_wall_ms, moved_monotonic_us}, loopback->context.clock, 0};
  loopback->server_context = loopback->context;
  loopback->server_context.clock = &loopback->clock.clock;
  assert_int_equal(fed__ca_create(&loopback->context, "test", 30, &loopback->ca), FED_OK);
  fed_buffer_init(&loopback->ca_der, &loopback->context, 1 << 16);
  assert_int_equal(
      fed__certificate_encode_der(fed_buffer_slice(&loopback->ca.certificate), &loopback->ca_der),
      FED_OK);
  make_server_credentials(&loopback->ca, "127.0.0.1", now_ms - HOUR_MS / 2, now_ms + HOUR_MS,
                          &loopback->server_credentials);
  make_client_credentials(&loopback->ca, "berlin", FED__ROLE_AGENT, &loopback->agent);
  make_client_credentials(&loopback->ca, "alice", FED__ROLE_OPERATOR, &loopback->operator_);
  loopback->handler.base =
      (struct fed__http_handler){test_headers, test_chunk, test_complete, test_gone};
  pthread_mutex_init(&loopback->handler.lock, NULL);
}

static void clear_loopback(struct loopback *loopback) {
  fed__http_server_close(loopback->server);
  pthread_mutex_destroy(&loopback->handler.lock);
  clear_credentials(&loopback->server_credentials);
  clear_credentials(&loopback->agent);
  clear_credentials(&loopback->operator_);
  fed_buffer_clear(&loopback->ca_der);
  fed__ca_clear(&loopback->ca);
}

static inline int open_loopback(void **state) {
  struct loopback *loopback = test_malloc(sizeof *loopback);
  prepare_loopback(loopback);
  const struct fed__http_server_options options = server_options(loopback);
  open_loopback_server(loopback, &options);
  *state = loopback;
  return 0;
}

static inline int close_loopback(void **state) {
  clear_loopback(*state);
  test_free(*state);
  return 0;
}

/* --- clients --- */

static struct fed__http_client_options client_options(const struct loopback *loopback,
                                                      const struct credentials *credentials) {
  return (struct fed__http_client_options){
      .url = loopback->url,
      .ca_der = fed_buffer_slice(&loopback->ca_der),
      .certificate_pem = credentials ? (const char *)credentials->certificate.data : NULL,
      .key_pem = credentials ? (const char *)credentials->key.data : NULL,
      .proxy = "", /* none, whatever the environment says */
      .connect_timeout_ms = 5000,
      .stall_timeout_ms = 5000};
}

static inline struct fed__http_client *open_client(const struct loopback *loopback,
                                                   const struct credentials *credentials) {
  struct fed__http_client *client;
  const struct fed__http_client_options options = client_options(loopback, credentials);
  assert_int_equal(fed__http_client_new(&loopback->context, &options, &client), FED_OK);
  return client;
}

/* One request; the answer's text in `text`. */
static inline int get_text(struct fed__http_client *client, const char *path,
                           struct fed__http_reply *reply, char text[256]) {
  struct fed_context context;
  struct fed_buffer body;
  const struct fed__http_request request = {
      .method = "GET", .path = path, .timeout_ms = 10000, .answer_bytes_max = 200};
  fed_context_init(&context);
  fed_buffer_init(&body, &context, 200);
  const int code = fed__http_call(client, &request, reply, &body);
  snprintf(text, 256, "%.*s", (int)body.size, body.data ? (const char *)body.data : "");
  fed_buffer_clear(&body);
  return code;
}

#endif
