/* SPDX-License-Identifier: Apache-2.0
 *
 * test_http_client.c: what the client refuses, and what it says when something is wrong.
 */
#include "unit/net/raw_tls.h"

#include <poll.h>

static int ping_with(const struct loopback *loopback,
                     const struct fed__http_client_options *options,
                     struct fed__http_reply *reply) {
  struct fed__http_client *client;
  char text[256];
  int code = fed__http_client_new(&loopback->context, options, &client);
  if (code != FED_OK) return code;
  code = get_text(client, "/ping", reply, text);
  fed__http_client_free(client);
  return code;
}

static void check_message(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("expected '%s' in '%s'", part, fed_error_last()->message);
}

static void checks_url(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  static const char *const urls[] = {"http://127.0.0.1:1", "127.0.0.1:1",
                                     "https://",           "https://127.0.0.1:1/path",
                                     "https://u:p@host",   "file:///etc/passwd"};
  struct fed__http_client_options options = client_options(loopback, NULL);
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    options.url = urls[i];
    assert_int_equal(ping_with(loopback, &options, &reply), FED_E_INPUT);
  }
  char with_slash[80];
  snprintf(with_slash, sizeof with_slash, "%s/", loopback->url);
  options.url = with_slash;
  assert_int_equal(ping_with(loopback, &options, &reply), FED_OK);
}

static void says_when_nobody_listens(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  const struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  fed__http_server_close(loopback->server);
  loopback->server = NULL;
  assert_int_equal(ping_with(loopback, &options, &reply), FED_E_NETWORK);
  check_message("cannot reach https://127.0.0.1:");
  check_message("Connection refused; is the server running?");
}

static void refuses_other_authority(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  struct fed__ca other;
  assert_int_equal(fed__ca_create(&loopback->context, "test", 30, &other), FED_OK);
  struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  options.ca_der = fed_buffer_slice(&other.certificate);
  assert_int_equal(ping_with(loopback, &options, &reply), FED_E_CERTIFICATE);
  check_message("not issued by this federation's authority");
  assert_int_equal(loopback->handler.headers_count, 0);
  fed__ca_clear(&other);
}

static void reopen_with(struct loopback *loopback, struct credentials *credentials) {
  struct fed__http_server_options options = server_options(loopback);
  options.certificate_pem = (const char *)credentials->certificate.data;
  options.key_pem = (const char *)credentials->key.data;
  fed__http_server_close(loopback->server);
  open_loopback_server(loopback, &options);
}

static void check_server_refused(struct loopback *loopback, const char *name, int64_t from_ms,
                                 int64_t until_ms, int code, const char *message) {
  struct credentials credentials;
  struct fed__http_reply reply;
  const int64_t now_ms = loopback->context.clock->wall_ms(loopback->context.clock);
  make_server_credentials(&loopback->ca, name, now_ms + from_ms, now_ms + until_ms, &credentials);
  reopen_with(loopback, &credentials);
  const struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  assert_int_equal(ping_with(loopback, &options, &reply), code);
  check_message(message);
  assert_int_equal(loopback->handler.headers_count, 0);
  clear_credentials(&credentials);
}

static void refuses_expired_server(void **state) {
  check_server_refused(*state, "127.0.0.1", -HOUR_MS / 2, -HOUR_MS / 4, FED_E_EXPIRED,
                       "has expired");
}

static void refuses_future_server(void **state) {
  check_server_refused(*state, "127.0.0.1", HOUR_MS / 4, HOUR_MS / 2, FED_E_EXPIRED,
                       "not yet valid");
}

static void refuses_other_name(void **state) {
  check_server_refused(*state, "example.org", -HOUR_MS / 2, HOUR_MS, FED_E_CERTIFICATE,
                       "was refused");
}

/* A client's certificate comes from the right authority, but is not for servers. */
static void refuses_client_as_server(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  reopen_with(loopback, &loopback->agent);
  const struct fed__http_client_options options = client_options(loopback, NULL);
  assert_int_equal(ping_with(loopback, &options, &reply), FED_E_CERTIFICATE);
}

static void refuses_other_key(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_reply reply;
  struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  options.key_pem = (const char *)loopback->operator_.key.data;
  assert_int_equal(ping_with(loopback, &options, &reply), FED_E_CERTIFICATE);
  check_message("certificate and key");
}

static void bounds_answers(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  struct fed_buffer body;
  struct fed__http_request request = {
      .method = "GET", .path = "/ping", .timeout_ms = 10000, .answer_bytes_max = 3};
  fed_buffer_init(&body, &loopback->context, 100);
  assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_E_TOO_LARGE);
  request.answer_bytes_max = 4;
  assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_OK);
  body.size_max = 7; /* and the buffer's own bound holds too */
  assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_E_TOO_LARGE);
  fed_buffer_clear(&body);
  fed__http_client_free(client);
}

/* The same client asks with every method in turn: nothing of one call is left in the next. */
static void changes_methods(void **state) {
  struct loopback *loopback = *state;
  struct fed__http_client *client = open_client(loopback, NULL);
  struct fed__http_reply reply;
  struct fed_buffer body;
  static const char *const methods[] = {"PATCH", "GET", "HEAD", "POST", "GET", "PATCH", "HEAD"};
  fed_buffer_init(&body, &loopback->context, 100);
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    const int has_body = methods[i][0] == 'P';
    const struct fed__http_request request = {.method = methods[i],
                                              .path = "/small",
                                              .body = fed_slice_of_text(has_body ? "body" : ""),
                                              .timeout_ms = 10000,
                                              .answer_bytes_max = 100};
    body.size = 0;
    assert_int_equal(fed__http_call(client, &request, &reply, &body), FED_OK);
    assert_int_equal(body.size, has_body ? 4 : 0);
  }
  fed_buffer_clear(&body);
  fed__http_client_free(client);
}

/* --- servers that misbehave: a thread that speaks TLS and then says one thing --- */

struct rude_server {
  struct loopback *loopback;
  int listener;
  uint16_t port;
  const char *says; /* NULL: not even TLS */
  pthread_t thread;
};

static void say_over_tls(struct rude_server *rude, int peer) {
  gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;
  char request[4096];
  struct credentials *own = &rude->loopback->server_credentials;
  gnutls_datum_t certificate = {own->certificate.data, (unsigned)own->certificate.size};
  gnutls_datum_t key = {own->key.data, (unsigned)own->key.size};
  gnutls_certificate_allocate_credentials(&credentials);
  gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
  gnutls_init(&session, GNUTLS_SERVER);
  gnutls_set_default_priority(session);
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_transport_set_int(session, peer);
  if (gnutls_handshake(session) == 0) {
    gnutls_record_recv(session, request, sizeof request);
    gnutls_record_send(session, rude->says, strlen(rude->says));
    gnutls_bye(session, GNUTLS_SHUT_WR);
  }
  gnutls_deinit(session);
  gnutls_certificate_free_credentials(credentials);
}

static void *serve_rudely(void *data) {
  struct rude_server *rude = data;
  const int peer = accept(rude->listener, NULL, NULL);
  if (rude->says)
    say_over_tls(rude, peer);
  else if (write(peer, "hello, not TLS\r\n", 16) < 0)
    perror("write");
  shutdown(peer, SHUT_WR);
  char rest[4096];
  while (read(peer, rest, sizeof rest) > 0) {
  }
  close(peer);
  return NULL;
}

static void listen_on_loopback(int *listener, uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(*listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(*listener, 4), 0);
  assert_int_equal(getsockname(*listener, (struct sockaddr *)&address, &size), 0);
  *port = ntohs(address.sin_port);
}

static int ping_rude_server(struct loopback *loopback, const char *says,
                            struct fed__http_reply *reply) {
  struct rude_server rude = {.loopback = loopback, .says = says};
  char url[64];
  listen_on_loopback(&rude.listener, &rude.port);
  assert_int_equal(pthread_create(&rude.thread, NULL, serve_rudely, &rude), 0);
  snprintf(url, sizeof url, "https://127.0.0.1:%u", rude.port);
  struct fed__http_client_options options = client_options(loopback, NULL);
  options.url = url;
  const int code = ping_with(loopback, &options, reply);
  pthread_join(rude.thread, NULL);
  close(rude.listener);
  return code;
}

static void survives_rude_servers(void **state) {
  struct fed__http_reply reply;
  assert_int_equal(ping_rude_server(*state, NULL, &reply), FED_E_NETWORK);
  assert_int_equal(ping_rude_server(*state, "", &reply), FED_E_NETWORK);
  assert_int_equal(ping_rude_server(*state, "nonsense\r\n\r\n", &reply), FED_E_NETWORK);
  assert_int_equal(
      ping_rude_server(*state, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", &reply),
      FED_E_NETWORK);
  assert_int_equal(ping_rude_server(*state,
                                    "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\n"
                                    "Content-Length: 0\r\n\r\n",
                                    &reply),
                   FED_E_PROTOCOL);
  assert_int_equal(reply.status, 302);
}

/* Failures without a Failure message: the status decides. */
static void maps_bare_statuses(void **state) {
  static const struct {
    const char *says;
    int code;
  } cases[] = {
      {"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n", FED_E_DENIED},
      {"HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\nhello", FED_E_NOT_FOUND},
      {"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", FED_E_BUSY},
      {"HTTP/1.1 502 x\r\nContent-Length: 13\r\n\r\n<html></html>", FED_E_NETWORK},
      /* a Failure whose code is none: 0x10 0xff 0x7f is field 2 = 16383 */
      {"HTTP/1.1 410 x\r\nContent-Length: 3\r\n\r\n\x10\xff\x7f", FED_E_STALE},
  };
  struct fed__http_reply reply;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(ping_rude_server(*state, cases[i].says, &reply), cases[i].code);
  assert_int_equal(ping_rude_server(*state, cases[2].says, &reply), FED_E_BUSY);
  assert_int_equal(reply.retry_after_s, 7);
}

/* --- proxies --- */

/* A proxy for one CONNECT: answers it, and carries bytes both ways until one side closes. */
struct proxy {
  int listener;
  uint16_t port, target;
  const char *says;
  char request[1024];
  pthread_t thread;
};

static void carry(int a, int b) {
  char bytes[4096];
  struct pollfd ends[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
  while (poll(ends, 2, 10000) > 0)
    for (int i = 0; i < 2; i++) {
      if (!ends[i].revents) continue;
      const ssize_t got = read(ends[i].fd, bytes, sizeof bytes);
      if (got <= 0 || write(ends[1 - i].fd, bytes, (size_t)got) != got) return;
    }
}

static void *run_proxy(void *data) {
  struct proxy *proxy = data;
  const int client = accept(proxy->listener, NULL, NULL);
  const ssize_t got = read(client, proxy->request, sizeof proxy->request - 1);
  proxy->request[got > 0 ? got : 0] = '\0';
  const int target = raw_connect(proxy->target);
  if (write(client, proxy->says, strlen(proxy->says)) > 0 && strstr(proxy->says, " 200 "))
    carry(client, target);
  close(target);
  close(client);
  return NULL;
}

static int ping_through_proxy(struct loopback *loopback, struct proxy *proxy,
                              struct fed__http_reply *reply) {
  char url[64];
  listen_on_loopback(&proxy->listener, &proxy->port);
  proxy->target = fed__http_server_port(loopback->server);
  assert_int_equal(pthread_create(&proxy->thread, NULL, run_proxy, proxy), 0);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy->port);
  struct fed__http_client_options options = client_options(loopback, &loopback->agent);
  options.proxy = url;
  const int code = ping_with(loopback, &options, reply);
  pthread_join(proxy->thread, NULL);
  close(proxy->listener);
  return code;
}

static void goes_through_proxies(void **state) {
  struct loopback *loopback = *state;
  struct proxy proxy = {.says = "HTTP/1.1 200 Connection established\r\n\r\n"};
  struct fed__http_reply reply;
  char expected[64];
  assert_int_equal(ping_through_proxy(loopback, &proxy, &reply), FED_OK);
  assert_int_equal(reply.status, 200);
  snprintf(expected, sizeof expected, "CONNECT 127.0.0.1:%u HTTP/1.1\r\n", proxy.target);
  assert_memory_equal(proxy.request, expected, strlen(expected));
}

static void says_what_the_proxy_says(void **state) {
  struct proxy proxy = {.says = "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"};
  struct fed__http_reply reply;
  assert_int_equal(ping_through_proxy(*state, &proxy, &reply), FED_E_NETWORK);
  check_message("the proxy answers with status 407");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_loopback, close_loopback)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(checks_url),
      TEST(says_when_nobody_listens),
      TEST(refuses_other_authority),
      TEST(refuses_expired_server),
      TEST(refuses_future_server),
      TEST(refuses_other_name),
      TEST(refuses_client_as_server),
      TEST(refuses_other_key),
      TEST(bounds_answers),
      TEST(changes_methods),
      TEST(survives_rude_servers),
      TEST(maps_bare_statuses),
      TEST(goes_through_proxies),
      TEST(says_what_the_proxy_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
