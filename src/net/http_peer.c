/* SPDX-License-Identifier: Apache-2.0
 *
 * http_peer.c: the TLS side of a connection: who the client is, and what its socket carried.
 *
 * GnuTLS checks in the handshake that the client holds the key of the certificate it shows, and
 * nothing else about it; whether the federation issued it is decided here, so that a client with
 * a bad certificate gets an answer that says why.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "net/http_exchange.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

/* The identifier of a public key, as GnuTLS makes it. */
struct key_id {
  unsigned char bytes[64];
  size_t size;
};

static int read_certificate(const char *pem, struct key_id *id) {
  const gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
  gnutls_x509_crt_t certificate;
  int result = gnutls_x509_crt_init(&certificate);
  if (result < 0) return result;
  result = gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM);
  if (result >= 0) result = gnutls_x509_crt_get_key_id(certificate, 0, id->bytes, &id->size);
  gnutls_x509_crt_deinit(certificate);
  return result;
}

static int read_key(const char *pem, struct key_id *id) {
  const gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
  gnutls_x509_privkey_t key;
  int result = gnutls_x509_privkey_init(&key);
  if (result < 0) return result;
  result = gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (result >= 0) result = gnutls_x509_privkey_get_key_id(key, 0, id->bytes, &id->size);
  gnutls_x509_privkey_deinit(key);
  return result;
}

/* GnuTLS itself does not notice (in 3.7) when an Ed25519 key is another certificate's. */
int fed__http_check_credentials(const char *certificate_pem, const char *key_pem) {
  struct key_id certificate = {.size = sizeof certificate.bytes};
  struct key_id key = {.size = sizeof key.bytes};
  int result = read_certificate(certificate_pem, &certificate);
  if (result < 0)
    return FED_RAISE(FED_E_CERTIFICATE, "the server's certificate cannot be used: %s",
                     gnutls_strerror(result));
  result = read_key(key_pem, &key);
  if (result < 0)
    return FED_RAISE(FED_E_CERTIFICATE, "the server's key cannot be used: %s",
                     gnutls_strerror(result));
  if (key.size == certificate.size && memcmp(key.bytes, certificate.bytes, key.size) == 0)
    return FED_OK;
  return FED_RAISE(FED_E_CERTIFICATE, "the server's certificate belongs to another key than the "
                                      "one given");
}

struct fed__http_peer *fed__http_peer_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

void fed__http_peer_count(struct fed__http_server *server, struct MHD_Connection *connection,
                          struct fed__http_peer *peer) {
  struct tcp_info traffic = {0};
  socklen_t size = sizeof traffic;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &traffic, &size) != 0) return;
  pthread_mutex_lock(&server->lock);
  server->counters.bytes_in += traffic.tcpi_bytes_received - peer->bytes_in;
  server->counters.bytes_out += traffic.tcpi_bytes_sent - peer->bytes_out;
  pthread_mutex_unlock(&server->lock);
  peer->bytes_in = traffic.tcpi_bytes_received;
  peer->bytes_out = traffic.tcpi_bytes_sent;
}

int fed__http_is_abandoned(const struct fed__http_exchange *exchange) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct pollfd peer = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
  return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* GnuTLS takes the end of a connection in the middle of a record for a pause, and libmicrohttpd
 * would then wait for more until the idle timeout: a cut connection is an error here. */
static ssize_t pull_bytes(gnutls_transport_ptr_t socket, void *out, size_t size) {
  const ssize_t got = recv((int)(intptr_t)socket, out, size, 0);
  if (got != 0) return got;
  errno = ECONNRESET;
  return -1;
}

static struct fed__http_peer *peer_came(struct fed__http_server *server,
                                        struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  if (info) {
    gnutls_transport_set_pull_function(info->tls_session, pull_bytes);
    gnutls_session_ticket_enable_server(info->tls_session, &server->ticket_key);
  }
  pthread_mutex_lock(&server->lock);
  server->counters.connections++;
  pthread_mutex_unlock(&server->lock);
  return fed__zalloc(server->context, 1, sizeof(struct fed__http_peer));
}

static void peer_left(struct fed__http_server *server, struct MHD_Connection *connection,
                      struct fed__http_peer *peer) {
  if (!peer) return;
  fed__http_peer_count(server, connection, peer);
  pthread_mutex_lock(&server->lock);
  if (!peer->has_asked) server->counters.malformed++;
  pthread_mutex_unlock(&server->lock);
  fed__free(server->context, peer);
}

void fed__http_peer_changed(void *server, struct MHD_Connection *connection, void **peer,
                            enum MHD_ConnectionNotificationCode change) {
  if (change == MHD_CONNECTION_NOTIFY_STARTED) {
    *peer = peer_came(server, connection);
  } else {
    peer_left(server, connection, *peer);
    *peer = NULL;
  }
}

static struct fed_slice peer_certificate(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  unsigned count = 0;
  const gnutls_datum_t *chain =
      info ? gnutls_certificate_get_peers(info->tls_session, &count) : NULL;
  return chain && count > 0 ? fed_slice_of(chain[0].data, chain[0].size) : fed_slice_of(NULL, 0);
}

int fed__http_peer_identify(struct fed__http_server *server, struct MHD_Connection *connection,
                            const struct fed__identity **identity) {
  struct fed__http_peer *peer = fed__http_peer_of(connection);
  const struct fed_slice certificate = peer_certificate(connection);
  const int64_t now_ms = server->context->clock->wall_ms(server->context->clock);
  *identity = NULL;
  if (!peer) return FED_RAISE(FED_E_MEMORY, "out of memory for a connection");
  if (!certificate.data) return FED_OK;
  if (!peer->identified || now_ms > peer->identity.not_after_ms)
    FED_TRY(fed__certificate_verify(fed_buffer_slice(&server->ca_der), certificate, now_ms,
                                    &peer->identity));
  peer->identified = true;
  *identity = &peer->identity;
  return FED_OK;
}
