/* SPDX-License-Identifier: Apache-2.0
 *
 * http_exchange.h: what the files of the HTTP server share. For them only.
 *
 * One lock, the server's, guards the list of exchanges, the counters, and of each exchange what
 * another thread may touch: whether it waits, whether it is answered, and its response. It is
 * held for moments only, never while the handler runs. libmicrohttpd's own lock comes after it.
 */
#ifndef FED_HTTP_EXCHANGE_H
#define FED_HTTP_EXCHANGE_H

#include "net/http_server.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>

struct fed__http_server {
  const struct fed_context *context;
  struct fed__http_handler *handler;
  struct fed_buffer ca_der;
  gnutls_datum_t ticket_key;
  struct MHD_Daemon *daemon;
  uint16_t port;

  pthread_mutex_t lock;
  pthread_cond_t over; /* an exchange is over, while stopping */
  struct fed__http_exchange *exchanges;
  struct fed__http_counters counters;
  bool stopping;
};

/* One connection: who is at the other end. Only the connection's own thread uses it. */
struct fed__http_peer {
  bool identified; /* `identity` has been verified */
  struct fed__identity identity;
  bool has_asked;               /* at least one request came */
  uint64_t bytes_in, bytes_out; /* of the socket, that the counters hold already */
};

enum fed__http_body { FED__HTTP_BODY_REFUSED, FED__HTTP_BODY_COLLECTED, FED__HTTP_BODY_STREAMED };

struct fed__http_exchange {
  struct fed__http_server *server;
  struct MHD_Connection *connection;
  struct fed__http_exchange *previous, *next;
  size_t target_size; /* of path and query as they came */
  bool has_escapes;   /* in the path */
  const char *method, *path;
  const struct fed__identity *identity;
  void *data;
  enum fed__http_body body_use;
  struct fed_buffer body;
  uint64_t discarded_bytes;
  bool is_handled;  /* `headers` was called */
  bool is_complete; /* `complete` was, or it was answered before */
  /* Under the server's lock: */
  bool is_waiting, is_answered;
  uint32_t status;
  struct MHD_Response *response; /* NULL and answered: break the connection off */
};

/* A socket that listens. FED_E_ADDRESS_IN_USE, FED_E_PERMISSION, FED_E_INPUT, FED_E_NETWORK. */
FED_MUST int fed__http_listen(const char *address, uint16_t port, int *listener,
                              uint16_t *port_chosen);

/* FED_E_CERTIFICATE unless the two belong together. */
FED_MUST int fed__http_check_credentials(const char *certificate_pem, const char *key_pem);

/* libmicrohttpd's call when a connection comes and goes. */
void fed__http_peer_changed(void *server, struct MHD_Connection *connection, void **peer,
                            enum MHD_ConnectionNotificationCode change);
struct fed__http_peer *fed__http_peer_of(struct MHD_Connection *connection);
/* Verify the client's certificate; `*identity` is NULL if there is none. FED_E_CERTIFICATE,
 * FED_E_EXPIRED. */
FED_MUST int fed__http_peer_identify(struct fed__http_server *server,
                                     struct MHD_Connection *connection,
                                     const struct fed__identity **identity);
/* Bring the counters up to date with what went through the socket. */
void fed__http_peer_count(struct fed__http_server *server, struct MHD_Connection *connection,
                          struct fed__http_peer *peer);

/* libmicrohttpd's calls for a request: its first line is there; it, or a piece of its body, is
 * there; it is over. */
void *fed__http_exchange_begin(void *server, const char *target, struct MHD_Connection *connection);
enum MHD_Result fed__http_exchange_continue(void *server, struct MHD_Connection *connection,
                                            const char *path, const char *method,
                                            const char *version, const char *body,
                                            size_t *body_size, void **exchange);
void fed__http_exchange_end(void *server, struct MHD_Connection *connection, void **exchange,
                            enum MHD_RequestTerminationCode reason);
bool fed__http_exchange_answered(struct fed__http_exchange *exchange);

/* Answer with the last failure under a status of one's own choice. */
void fed__http_answer_refusal(struct fed__http_exchange *exchange, uint32_t status);
/* Answer all exchanges that wait with 503. */
void fed__http_answer_waiting(struct fed__http_server *server);

/* A response made of a file, or of the part of it that the request asks for. FED_E_NOT_FOUND,
 * FED_E_IO, FED_E_MEMORY. `*status` becomes 206 or 416. */
FED_MUST int fed__http_file_response(const struct fed__http_exchange *exchange,
                                     const struct fed__http_answer *answer, uint32_t *status,
                                     struct MHD_Response **response);

#endif
