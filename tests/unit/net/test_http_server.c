/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_server.c: requests and answers over TLS on the loopback interface.
 */
#include "unit/net/loopback.h"

static void answers_ping(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/ping", &reply, text), FED_OK);
  assert_int_equal(reply.status, 200);
  assert_string_equal(text, "pong");
  fed__http_client_free(client);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(answers_ping, open_loopback, close_loopback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
