/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_wait.c: answers that come later and from other threads (long polls), and closing a
 * server while clients wait.
 */
#include "unit/net/raw_tls.h"

/* A client in a thread of its own that asks for /wait. */
struct waiter {
  struct loopback *loopback;
  pthread_t thread;
  int code;
  uint32_t status;
  char text[256];
};

static void *ask_and_wait(void *data) {
  struct waiter *waiter = data;
  struct fed__http_client *client;
  struct fed__http_reply reply;
  const struct fed__http_client_options options =
      client_options(waiter->loopback, &waiter->loopback->agent);
  waiter->code = fed__http_client_new(&waiter->loopback->context, &options, &client);
  if (waiter->code != FED_OK) return NULL;
  waiter->code = get_text(client, "/wait", &reply, waiter->text);
  waiter->status = reply.status;
  fed__http_client_free(client);
  return NULL;
}

static void start_waiters(struct loopback *loopback, struct waiter *waiters, int count) {
  for (int i = 0; i < count; i++) {
    waiters[i] = (struct waiter){.loopback = loopback};
    assert_int_equal(pthread_create(&waiters[i].thread, NULL, ask_and_wait, &waiters[i]), 0);
  }
  await_waiting(&loopback->handler, count);
}

/* As any owner of waiting exchanges must: answer under the lock that `gone` takes too. */
static void answer_all(struct test_handler *handler, const char *text) {
  pthread_mutex_lock(&handler->lock);
  for (int i = 0; i < handler->waiting_count; i++) {
    answer_text(handler->waiting[i], 200, text);
    answer_text(handler->waiting[i], 500, "the second answer is ignored");
  }
  pthread_mutex_unlock(&handler->lock);
}

static void answers_from_another_thread(void **state) {
  struct loopback *loopback = *state;
  struct waiter waiters[8];
  start_waiters(loopback, waiters, 8);
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/ping", &reply, text), FED_OK); /* nobody is held up */
  fed__http_client_free(client);
  answer_all(&loopback->handler, "now");
  for (int i = 0; i < 8; i++) {
    pthread_join(waiters[i].thread, NULL);
    assert_int_equal(waiters[i].code, FED_OK);
    assert_string_equal(waiters[i].text, "now");
  }
  await_waiting(&loopback->handler, 0);
}

static void *answer_soon(void *data) {
  struct test_handler *handler = data;
  for (int answered = 0; answered < 200;) {
    pthread_mutex_lock(&handler->lock);
    if (handler->waiting_count > 0 && handler->waiting[0]) {
      answer_text(handler->waiting[0], 200, "quick");
      handler->waiting[0] = handler->waiting[--handler->waiting_count];
      answered++;
    }
    pthread_mutex_unlock(&handler->lock);
  }
  return NULL;
}

/* The answer may come while `complete` is still running, just before or just after the wait
 * begins; nothing is lost. */
static void answers_at_any_moment(void **state) {
  struct loopback *loopback = *state;
  pthread_t answerer;
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(pthread_create(&answerer, NULL, answer_soon, &loopback->handler), 0);
  for (int i = 0; i < 200; i++) {
    assert_int_equal(get_text(client, "/wait", &reply, text), FED_OK);
    assert_string_equal(text, "quick");
  }
  pthread_join(answerer, NULL);
  fed__http_client_free(client);
}

static void closes_while_clients_wait(void **state) {
  struct loopback *loopback = *state;
  struct waiter waiters[8];
  start_waiters(loopback, waiters, 8);
  fed__http_server_close(loopback->server);
  loopback->server = NULL;
  for (int i = 0; i < 8; i++) {
    pthread_join(waiters[i].thread, NULL);
    assert_int_equal(waiters[i].code, FED_E_BUSY);
    assert_int_equal(waiters[i].status, 503);
  }
  assert_int_equal(loopback->handler.gone_count, 8);
  assert_int_equal(loopback->handler.waiting_count, 0);
}

static void survives_clients_that_leave(void **state) {
  struct loopback *loopback = *state;
  struct raw_tls raw;
  raw_tls_open(&raw, fed__http_server_port(loopback->server), NULL, NULL);
  raw_tls_send(&raw, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await_waiting(&loopback->handler, 1);
  raw_tls_close(&raw);
  assert_int_equal(loopback->handler.gone_count, 0);
  answer_all(&loopback->handler, "nobody hears this");
  await_waiting(&loopback->handler, 0);
}

static int break_off(void *data) { return ++*(int *)data > 2; }

static void can_be_interrupted(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  struct fed_buffer body;
  int calls = 0;
  const struct fed__http_request request = {.method = "GET",
                                            .path = "/wait",
                                            .timeout_ms = 60000,
                                            .interrupt = break_off,
                                            .interrupt_data = &calls};
  fed_buffer_init(&body, &loopback->context, 0);
  assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_E_BUSY);
  assert_int_equal(calls, 3);
  assert_int_equal(get_text(client, "/ping", &reply, (char[256]){0}), FED_OK);
  fed__http_client_free(client);
}

static void times_out(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  struct fed_buffer body;
  const struct fed__http_request request = {.method = "GET", .path = "/wait", .timeout_ms = 50};
  fed_buffer_init(&body, &loopback->context, 0);
  assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_E_TIMEOUT);
  fed__http_client_free(client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_loopback, close_loopback)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(answers_from_another_thread), TEST(answers_at_any_moment),
      TEST(closes_while_clients_wait),   TEST(survives_clients_that_leave),
      TEST(can_be_interrupted),          TEST(times_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
