/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_server.c: requests and answers over TLS on the loopback interface, and the refusals
 * of what breaks the rules.
 */
#include "base/file.h"
#include "unit/net/raw_tls.h"

#include <linux/tcp.h>

static struct fed__http_counters counters_of(const struct loopback *loopback) {
  struct fed__http_counters counters;
  fed__http_server_counters(loopback->server, &counters);
  return counters;
}

/* Connections are taken down a moment after the client has gone. */
static void await_malformed(const struct loopback *loopback, uint64_t count) {
  for (int i = 0; i < 5000 && counters_of(loopback).malformed < count; i++) usleep(1000);
  assert_int_equal(counters_of(loopback).malformed, count);
}

/* POST `size` bytes, and give the answer's body in `body`. */
static int post_bytes(struct fed__http_client *client, const char *path, size_t size,
                      struct fed__http_reply *reply, struct fed_buffer *body) {
  uint8_t *bytes = test_malloc(size + 1);
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 31 + i / 251);
  const struct fed__http_request request = {.method = "POST",
                                            .path = path,
                                            .body = fed_slice_of(bytes, size),
                                            .timeout_ms = 10000,
                                            .answer_bytes_max = body->size_max};
  const int code = fed__http_call(client, &request, reply, body);
  if (code == FED_OK && strcmp(path, "/stream") != 0) {
    assert_int_equal(body->size, size);
    assert_memory_equal(body->data ? body->data : bytes, bytes, size);
  }
  test_free(bytes);
  return code;
}

static void answers_ping(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/ping", &reply, text), FED_OK);
  assert_int_equal(reply.status, 200);
  assert_string_equal(text, "pong");
  assert_int_equal(get_text(client, "/query?b=1&a=x%20y", &reply, text), FED_OK);
  assert_string_equal(text, "x y");
  fed__http_client_free(client);
}

static void listens_on_ipv6(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_server_options options = server_options(loopback);
  struct fed__http_server *server;
  options.address = "::1";
  options.threads = 1;
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server), FED_OK);
  assert_int_not_equal(fed__http_server_port(server), 0);
  fed__http_server_close(server);
}

static void keeps_connections(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  for (int i = 0; i < 100; i++)
    assert_int_equal(get_text(client, i % 2 ? "/ping" : "/stale", &reply, text),
                     i % 2 ? FED_OK : FED_E_STALE);
  assert_int_equal(counters_of(loopback).connections, 1);
  assert_int_equal(counters_of(loopback).requests, 100);
  assert_true(fed__http_client_bytes_sent(client) > 100 * 20);
  assert_true(fed__http_client_bytes_received(client) > 100 * 4);
  fed__http_client_free(client);
}

/* QEMU's user mode does not pass on what the system knows of a connection. */
static int system_counts_bytes(void) {
  struct tcp_info traffic;
  socklen_t size = sizeof traffic;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int code = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &traffic, &size);
  close(fd);
  return code == 0 && size > offsetof(struct tcp_info, tcpi_bytes_sent);
}

static void counts_bytes(void **state) {
  struct loopback *loopback = *state;
  if (!system_counts_bytes()) skip();
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer body;
  fed_buffer_init(&body, &loopback->context, 2 << 20);
  assert_int_equal(post_bytes(client, "/echo", 1 << 20, &reply, &body), FED_OK);
  fed__http_client_free(client);
  for (int i = 0; i < 5000 && counters_of(loopback).bytes_out < 1 << 20; i++) usleep(1000);
  assert_in_range(counters_of(loopback).bytes_in, 1 << 20, (1 << 20) * 11 / 10);
  assert_in_range(counters_of(loopback).bytes_out, 1 << 20, (1 << 20) * 11 / 10);
  fed_buffer_clear(&body);
}

/* --- who asks --- */

static void check_who(struct loopback *loopback, const struct credentials *credentials,
                      const char *expected) {
  struct fed__http_client *client = open_client(loopback, credentials);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/who", &reply, text), FED_OK);
  assert_string_equal(text, expected);
  assert_int_equal(get_text(client, "/who", &reply, text), FED_OK);
  assert_string_equal(text, expected);
  fed__http_client_free(client);
}

static void knows_who_asks(void **state) {
  struct loopback *loopback = *state;
  check_who(loopback, &loopback->agent, "berlin agent");
  check_who(loopback, &loopback->operator_, "alice operator");
  check_who(loopback, NULL, "nobody none");
}

static void refuses_other_authority(void **state) {
  struct loopback *loopback = *state;
  struct fed__ca other;
  struct credentials impostor;
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(fed__ca_create(&loopback->context, "test", 30, &other), FED_OK);
  make_client_credentials(&other, "berlin", FED__ROLE_AGENT, &impostor);
  struct fed__http_client *client = open_client(loopback, &impostor);
  assert_int_equal(get_text(client, "/who", &reply, text), FED_E_CERTIFICATE);
  assert_int_equal(reply.status, 403);
  assert_int_equal(counters_of(loopback).refused_certificates, 1);
  assert_int_equal(loopback->handler.headers_count, 0);
  fed__http_client_free(client);
  clear_credentials(&impostor);
  fed__ca_clear(&other);
}

/* A server's certificate comes from the right authority, but is not for clients. */
static void refuses_server_certificate(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  char text[256];
  struct fed__http_client *client = open_client(loopback, &loopback->server_credentials);
  assert_int_equal(get_text(client, "/who", &reply, text), FED_E_CERTIFICATE);
  assert_int_equal(reply.status, 403);
  fed__http_client_free(client);
}

static void refuses_expired(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/who", &reply, text), FED_OK);
  loopback->clock.moved_ms = 2 * HOUR_MS; /* while the connection is open */
  assert_int_equal(get_text(client, "/who", &reply, text), FED_E_EXPIRED);
  assert_int_equal(reply.status, 403);
  assert_int_equal(counters_of(loopback).connections, 1);
  fed__http_client_free(client);
}

/* Somebody who copied a certificate, which is no secret, but has not its key. */
static void refuses_certificate_without_key(void **state) {
  struct loopback *loopback = *state;
  const uint16_t port = fed__http_server_port(loopback->server);
  struct raw_tls raw;
  char answer[4096];
  const char *certificate = (const char *)loopback->agent.certificate.data;
  raw_tls_open(&raw, port, certificate, (const char *)loopback->agent.key.data);
  raw_tls_send(&raw, "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  raw_tls_receive(&raw, answer, sizeof answer);
  assert_non_null(strstr(answer, "berlin agent"));
  raw_tls_close(&raw);

  raw_tls_open(&raw, port, certificate, (const char *)loopback->operator_.key.data);
  raw_tls_send(&raw, "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert_true(raw_tls_receive(&raw, answer, sizeof answer) < 0);
  assert_string_equal(answer, "");
  raw_tls_close(&raw);
  assert_int_equal(loopback->handler.headers_count, 1);
}

static void speaks_only_tls_1_3(void **state) {
  struct loopback *loopback = *state;
  struct raw_tls raw = {.socket = raw_connect(fed__http_server_port(loopback->server))};
  assert_int_equal(gnutls_certificate_allocate_credentials(&raw.credentials), 0);
  assert_int_equal(gnutls_init(&raw.session, GNUTLS_CLIENT), 0);
  gnutls_priority_set_direct(raw.session, "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL);
  gnutls_credentials_set(raw.session, GNUTLS_CRD_CERTIFICATE, raw.credentials);
  gnutls_transport_set_int(raw.session, raw.socket);
  assert_true(gnutls_handshake(raw.session) < 0);
  raw_tls_close(&raw);
  await_malformed(loopback, 1);
}

/* --- bodies --- */

static void bounds_bodies(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer body;
  static const size_t sizes[] = {0, 1, 999, 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    fed_buffer_init(&body, &loopback->context, 2000);
    assert_int_equal(post_bytes(client, "/small", sizes[i], &reply, &body), FED_OK);
    fed_buffer_clear(&body);
  }
  assert_int_equal(post_bytes(client, "/small", 1001, &reply, &body), FED_E_TOO_LARGE);
  assert_int_equal(reply.status, 413);
  assert_int_equal(post_bytes(client, "/ping", 1, &reply, &body), FED_E_TOO_LARGE);
  assert_int_equal(reply.status, 413);
  assert_int_equal(counters_of(loopback).refused_lengths, 2);
  assert_int_equal(counters_of(loopback).connections, 1);
  fed__http_client_free(client);
}

/* POST a body that the server answers before it came. */
static void check_early(struct loopback *loopback, const char *method, const char *path,
                        size_t size, int code, const char *text) {
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer body;
  uint8_t *bytes = test_calloc(1, size);
  const struct fed__http_request request = {.method = method,
                                            .path = path,
                                            .body = fed_slice_of(bytes, size),
                                            .timeout_ms = 10000,
                                            .answer_bytes_max = 100};
  fed_buffer_init(&body, &loopback->context, 100);
  for (int i = 0; i < 2; i++) {
    body.size = 0;
    assert_int_equal(fed__http_call(client, &request, &reply, &body), code);
    assert_string_equal(fed_buffer_text(&body), text);
  }
  fed_buffer_clear(&body);
  fed__http_client_free(client);
  test_free(bytes);
}

static void answers_before_the_body(void **state) {
  static const size_t sizes[] = {1, 500000, 1 << 20, (1 << 20) + 1, 5 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    check_early(*state, "PATCH", "/early-no", sizes[i], FED_E_DENIED, "");
    check_early(*state, "PATCH", "/early-yes", sizes[i], FED_OK, "yes");
    check_early(*state, "POST", "/early-yes", sizes[i], FED_OK, "yes");
  }
}

static void takes_large_bodies(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer body;
  fed_buffer_init(&body, &loopback->context, 4 << 20);
  assert_int_equal(post_bytes(client, "/echo", 3 << 20, &reply, &body), FED_OK);
  body.size = 0;
  assert_int_equal(post_bytes(client, "/echo", (3 << 20) + 1, &reply, &body), FED_E_TOO_LARGE);
  assert_int_equal(reply.status, 413);
  assert_int_equal(post_bytes(client, "/stream", 2 << 20, &reply, &body), FED_OK);
  assert_int_equal(loopback->handler.streamed_bytes, 2 << 20);
  fed_buffer_clear(&body);
  fed__http_client_free(client);
}

static void ends_streams_that_fail(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer body;
  fed_buffer_init(&body, &loopback->context, 100);
  assert_int_equal(post_bytes(client, "/stream-limited", 500000, &reply, &body), FED_E_LIMIT);
  assert_int_equal(reply.status, 413);
  assert_int_equal(loopback->handler.complete_count, 0);
  fed_buffer_clear(&body);
  fed__http_client_free(client);
}

static void takes_chunked_bodies(void **state) {
  struct loopback *loopback = *state;
  char answer[4096];
  raw_tls_exchange(loopback,
                   "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
                   answer, sizeof answer);
  assert_non_null(strstr(answer, "HTTP/1.1 200"));
  assert_non_null(strstr(answer, "\r\n\r\nhello world"));
}

static void bounds_chunked_bodies(void **state) {
  struct loopback *loopback = *state;
  char answer[4096], request[2048];
  snprintf(request, sizeof request,
           "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
           "Transfer-Encoding: chunked\r\n\r\n3e9\r\n%01001d\r\n0\r\n\r\n",
           0);
  raw_tls_exchange(loopback, request, answer, sizeof answer);
  assert_non_null(strstr(answer, "HTTP/1.1 413"));
  assert_int_equal(counters_of(loopback).refused_lengths, 1);
}

/* The end of the exchange is told although the request never becomes complete. */
static void forgets_broken_uploads(void **state) {
  struct loopback *loopback = *state;
  struct raw_tls raw;
  raw_tls_open(&raw, fed__http_server_port(loopback->server), NULL, NULL);
  raw_tls_send(&raw, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
  for (int i = 0; i < 5000 && loopback->handler.streamed_bytes < 3; i++) usleep(1000);
  raw_tls_close(&raw);
  fed__http_server_close(loopback->server);
  loopback->server = NULL;
  assert_int_equal(loopback->handler.headers_count, 1);
  assert_int_equal(loopback->handler.complete_count, 0);
  assert_int_equal(loopback->handler.gone_count, 1);
}

static int gone_count(struct test_handler *handler) {
  pthread_mutex_lock(&handler->lock);
  const int count = handler->gone_count;
  pthread_mutex_unlock(&handler->lock);
  return count;
}

/* A client that is killed leaves half a record and the end of the connection, together. */
static void notices_cut_uploads(void **state) {
  struct loopback *loopback = *state;
  static const unsigned char half_record[] = {0x17, 3, 3, 0x40, 0, 1, 2, 3};
  struct raw_tls raw;
  char text[16001];
  snprintf(text, sizeof text, "%016000d", 0);
  raw_tls_open(&raw, fed__http_server_port(loopback->server), NULL, NULL);
  raw_tls_send(&raw, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 20; i++) raw_tls_send(&raw, text);
  assert_int_equal(write(raw.socket, half_record, sizeof half_record), sizeof half_record);
  shutdown(raw.socket, SHUT_WR);
  for (int i = 0; i < 5000 && gone_count(&loopback->handler) == 0; i++) usleep(1000);
  assert_int_equal(gone_count(&loopback->handler), 1);
  assert_int_equal(loopback->handler.streamed_bytes, 20 * 16000);
  raw_tls_close(&raw);
}

/* --- failures --- */

static void sends_failures(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/stale", &reply, text), FED_E_STALE);
  assert_int_equal(reply.status, 410);
  assert_int_equal(reply.retry_after_s, 3); /* 2500 ms, rounded up */
  assert_string_equal(fed_error_last()->message, "round 7 is over");
  assert_string_equal(text, "");
  fed__http_client_free(client);
}

/* The status that docs/protocol.md states for a code. */
static uint32_t documented_status(const char *page, int code) {
  char row[80];
  snprintf(row, sizeof row, "\n| %d | `%s` | ", code, fed_error_name(code));
  const char *found = strstr(page, row);
  assert_non_null(found);
  return (uint32_t)strtoul(found + strlen(row), NULL, 10);
}

static void maps_failures_as_documented(void **state) {
  static const int codes[] = {
#define ERROR_CODE(name, class_, number, text) FED_E_##name,
      FED_ERROR_LIST(ERROR_CODE)
#undef ERROR_CODE
  };
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  struct fed_buffer page;
  char path[64], text[256];
  fed_buffer_init(&page, &loopback->context, 1 << 20);
  assert_int_equal(fed__file_read(FED_TESTS "/../docs/protocol.md", &page), FED_OK);
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    snprintf(path, sizeof path, "/raise?code=%d", codes[i]);
    assert_int_equal(get_text(client, path, &reply, text), codes[i]);
    assert_int_equal(reply.status, documented_status(fed_buffer_text(&page), codes[i]));
    assert_int_equal(reply.retry_after_s, reply.status == 503 ? 1 : -1);
  }
  fed_buffer_clear(&page);
  fed__http_client_free(client);
}

static void keeps_own_troubles_private(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  char text[256];
  assert_int_equal(get_text(client, "/broken", &reply, text), FED_E_IO);
  assert_int_equal(reply.status, 500);
  assert_null(strstr(fed_error_last()->message, "secret-place"));
  fed__http_client_free(client);
}

/* --- requests that break the rules --- */

static void check_raw_status(struct loopback *loopback, const char *request, const char *status) {
  char answer[4096], expected[32];
  snprintf(expected, sizeof expected, "HTTP/1.1 %s ", status);
  raw_tls_exchange(loopback, request, answer, sizeof answer);
  if (strncmp(answer, expected, strlen(expected)) != 0)
    fail_msg("expected %s for [%.60s], got [%.300s]", status, request, answer);
}

static void refuses_malformed_requests(void **state) {
  struct loopback *loopback = *state;
  static const char *const requests[] = {
      "GET /%2e%2e/etc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "GET /ping%00x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      "GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n", /* no Host */
      "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nno colon here\r\n\r\n",
      "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 12x\r\n\r\n",
      "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      "zz\r\n",
  };
  const size_t count = sizeof requests / sizeof requests[0];
  for (size_t i = 0; i < count; i++) check_raw_status(loopback, requests[i], "400");
  assert_int_equal(loopback->handler.complete_count, 0);
  assert_int_equal(loopback->handler.headers_count, loopback->handler.gone_count);
}

static void bounds_heads(void **state) {
  struct loopback *loopback = *state;
  char request[40000] = "", line[64];
  snprintf(request, sizeof request, "GET /%02100d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
           0);
  check_raw_status(loopback, request, "414");
  snprintf(request, sizeof request,
           "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: %017000d\r\n\r\n", 0);
  check_raw_status(loopback, request, "431");
  size_t size = (size_t)snprintf(request, sizeof request,
                                 "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
  for (int i = 0; i < 80; i++) {
    snprintf(line, sizeof line, "X-%d: y\r\n", i);
    size += (size_t)snprintf(request + size, sizeof request - size, "%s", line);
  }
  snprintf(request + size, sizeof request - size, "\r\n");
  check_raw_status(loopback, request, "431");
  assert_int_equal(counters_of(loopback).refused_lengths, 3);
  assert_int_equal(loopback->handler.headers_count, 0);
}

static void survives_garbage(void **state) {
  struct loopback *loopback = *state;
  const uint16_t port = fed__http_server_port(loopback->server);
  const char *const garbage[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
                                 "\n\n\n"};
  char answer[4096];
  struct raw_tls raw;
  for (size_t i = 0; i < 3; i++) { /* instead of TLS */
    const int plain = raw_connect(port);
    assert_true(write(plain, garbage[i], strlen(garbage[i])) > 0);
    shutdown(plain, SHUT_WR);
    while (read(plain, answer, sizeof answer) > 0) {
    }
    close(plain);
  }
  await_malformed(loopback, 3);
  raw_tls_open(&raw, port, NULL, NULL); /* inside TLS */
  raw_tls_send(&raw, "\x01\x02\x03 nonsense\r\n\r\n\r\n");
  raw_tls_receive(&raw, answer, sizeof answer);
  raw_tls_close(&raw);
  await_malformed(loopback, 4);
  assert_int_equal(loopback->handler.headers_count, 0);
  struct fed__http_client *client = open_client(loopback, &loopback->agent);
  struct fed__http_reply reply;
  assert_int_equal(get_text(client, "/ping", &reply, answer), FED_OK);
  fed__http_client_free(client);
}

/* --- opening --- */

static void names_port_in_use(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_server_options options = server_options(loopback);
  struct fed__http_server *server;
  char expected[64];
  options.port = fed__http_server_port(loopback->server);
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_ADDRESS_IN_USE);
  assert_null(server);
  snprintf(expected, sizeof expected, "port %u on 127.0.0.1 is in use: ", options.port);
  assert_memory_equal(fed_error_last()->message, expected, strlen(expected));
}

static void refuses_bad_options(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_server_options options = server_options(loopback);
  struct fed__http_server *server;
  options.address = "localhost.invalid";
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_INPUT);
  options.address = "192.0.2.1"; /* of nobody (RFC 5737) */
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_INPUT);
  options = server_options(loopback);
  options.key_pem = (const char *)loopback->agent.key.data;
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_CERTIFICATE);
  options = server_options(loopback);
  options.certificate_pem = "nonsense";
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_CERTIFICATE);
  options = server_options(loopback);
  options.ca_der = fed_slice_of_text("nonsense");
  assert_int_equal(fed__http_server_open(&loopback->server_context, &options, &server),
                   FED_E_CERTIFICATE);
}

static void bounds_connections_of_an_address(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_server_options options = server_options(loopback);
  struct raw_tls raw[3];
  fed__http_server_close(loopback->server);
  options.connections_per_address_max = 2;
  open_loopback_server(loopback, &options);
  const uint16_t port = fed__http_server_port(loopback->server);
  assert_int_equal(raw_tls_open(&raw[0], port, NULL, NULL), 0);
  assert_int_equal(raw_tls_open(&raw[1], port, NULL, NULL), 0);
  assert_true(raw_tls_open(&raw[2], port, NULL, NULL) < 0);
  for (int i = 0; i < 3; i++) raw_tls_close(&raw[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_loopback, close_loopback)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(answers_ping),
      TEST(listens_on_ipv6),
      TEST(keeps_connections),
      TEST(counts_bytes),
      TEST(knows_who_asks),
      TEST(refuses_other_authority),
      TEST(refuses_server_certificate),
      TEST(refuses_expired),
      TEST(refuses_certificate_without_key),
      TEST(speaks_only_tls_1_3),
      TEST(bounds_bodies),
      TEST(answers_before_the_body),
      TEST(takes_large_bodies),
      TEST(ends_streams_that_fail),
      TEST(takes_chunked_bodies),
      TEST(bounds_chunked_bodies),
      TEST(forgets_broken_uploads),
      TEST(notices_cut_uploads),
      TEST(sends_failures),
      TEST(maps_failures_as_documented),
      TEST(keeps_own_troubles_private),
      TEST(refuses_malformed_requests),
      TEST(bounds_heads),
      TEST(survives_garbage),
      TEST(names_port_in_use),
      TEST(refuses_bad_options),
      TEST(bounds_connections_of_an_address),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
