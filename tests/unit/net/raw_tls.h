/* SPDX-License-Identifier: Apache-2.0
 *
 * raw_tls.h: a TLS client that says exactly what it is told, for requests that no decent client
 * makes. It verifies nothing.
 */
#ifndef FED_TEST_RAW_TLS_H
#define FED_TEST_RAW_TLS_H

#include "unit/net/loopback.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct raw_tls {
  int socket;
  gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;
};

static inline int raw_connect(uint16_t port) {
  const int connected = socket(AF_INET, SOCK_STREAM, 0);
  const struct timeval patience = {5, 0};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_true(connected >= 0);
  setsockopt(connected, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(connect(connected, (struct sockaddr *)&address, sizeof address), 0);
  return connected;
}

/* Certificate and key need not belong together. Returns GnuTLS's result of the handshake. */
static inline int raw_tls_open(struct raw_tls *raw, uint16_t port, const char *certificate_pem,
                               const char *key_pem) {
  *raw = (struct raw_tls){.socket = raw_connect(port)};
  assert_int_equal(gnutls_certificate_allocate_credentials(&raw->credentials), 0);
  if (certificate_pem) {
    gnutls_datum_t certificate = {(unsigned char *)(uintptr_t)certificate_pem,
                                  (unsigned)strlen(certificate_pem)};
    gnutls_datum_t key = {(unsigned char *)(uintptr_t)key_pem, (unsigned)strlen(key_pem)};
    gnutls_certificate_set_flags(raw->credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
    assert_true(gnutls_certificate_set_x509_key_mem(raw->credentials, &certificate, &key,
                                                    GNUTLS_X509_FMT_PEM) >= 0);
  }
  assert_int_equal(gnutls_init(&raw->session, GNUTLS_CLIENT), 0);
  assert_int_equal(gnutls_priority_set_direct(raw->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL),
                   0);
  gnutls_credentials_set(raw->session, GNUTLS_CRD_CERTIFICATE, raw->credentials);
  gnutls_transport_set_int(raw->session, raw->socket);
  int result;
  do {
    result = gnutls_handshake(raw->session);
  } while (result < 0 && !gnutls_error_is_fatal(result));
  return result;
}

static inline void raw_tls_close(struct raw_tls *raw) {
  gnutls_deinit(raw->session);
  gnutls_certificate_free_credentials(raw->credentials);
  close(raw->socket);
}

/* Returns the number of bytes sent. A record holds 16 KiB. */
static inline size_t raw_tls_send(struct raw_tls *raw, const char *text) {
  const size_t size = strlen(text);
  size_t sent = 0;
  while (sent < size) {
    const ssize_t result = gnutls_record_send(raw->session, text + sent, size - sent);
    if (result < 0 && gnutls_error_is_fatal((int)result)) break;
    if (result > 0) sent += (size_t)result;
  }
  return sent;
}

/* All that comes until the server closes; returns the last result of GnuTLS: 0 for a proper end.
 * GnuTLS asks to be called again after each session ticket. */
static inline int raw_tls_receive(struct raw_tls *raw, char *text, size_t size) {
  size_t got = 0;
  ssize_t result = 0;
  for (int again = 0; again < 4; again++) {
    while ((result = gnutls_record_recv(raw->session, text + got, size - 1 - got)) > 0)
      got += (size_t)result;
    if (result == 0 || gnutls_error_is_fatal((int)result)) break;
  }
  text[got] = '\0';
  return (int)result;
}

/* Send one request and return what came back. The request should end the connection. */
static inline void raw_tls_exchange(struct loopback *loopback, const char *request, char *answer,
                                    size_t size) {
  struct raw_tls raw;
  assert_int_equal(raw_tls_open(&raw, fed__http_server_port(loopback->server), NULL, NULL), 0);
  assert_int_equal(raw_tls_send(&raw, request), strlen(request));
  raw_tls_receive(&raw, answer, size);
  raw_tls_close(&raw);
}

#endif
