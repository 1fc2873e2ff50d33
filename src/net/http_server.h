/* SPDX-License-Identifier: Apache-2.0
 *
 * http_server.h: an HTTP/1.1 server over TLS 1.3 (libmicrohttpd, epoll) that knows nothing about
 * federations. It checks the peer's certificate against the federation's CA, bounds every
 * length, and hands requests to one handler. An answer may be given at once or later, from any
 * thread: that is what long polls are made of.
 *
 * Order of calls for one exchange: headers → chunk… → complete → gone. All calls of one exchange
 * come from one thread at a time; calls of different exchanges may come at the same time.
 *
 * An exchange that waits for its answer costs no thread and does not time out: whoever keeps it
 * must answer in the end. A client that goes away meanwhile is noticed when the answer is sent.
 */
#ifndef FED_HTTP_SERVER_H
#define FED_HTTP_SERVER_H

#include "crypto/certificate.h"
#include "fed/buffer.h"

struct fed__http_server;
struct fed__http_exchange; /* one request and its answer; lives until `gone` returns */

struct fed__http_handler {
  /* The head has come. Say with fed__http_accept_body / _stream_body how to take the body (without
   * either, a request with a body is refused with 413), or answer already: then the body is read
   * and thrown away, or the connection closed. */
  void (*headers)(struct fed__http_handler *self, struct fed__http_exchange *exchange);
  /* A piece of a streamed body. A failure ends the request with that failure. */
  FED_MUST int (*chunk)(struct fed__http_handler *self, struct fed__http_exchange *exchange,
                        struct fed_slice bytes);
  /* The body is complete: answer now, or keep the exchange and answer later. Not called when
   * `headers` answered. */
  void (*complete)(struct fed__http_handler *self, struct fed__http_exchange *exchange);
  /* The exchange is over (answered, broken off, or the server stops): the last call; it always
   * comes if `headers` did. Whoever answers from other threads must by then have stopped. */
  void (*gone)(struct fed__http_handler *self, struct fed__http_exchange *exchange);
};

struct fed__http_server_options {
  const char *address;                   /* "127.0.0.1", "::1", "0.0.0.0" … */
  uint16_t port;                         /* 0: any free one */
  const char *certificate_pem, *key_pem; /* the server's */
  struct fed_slice ca_der;               /* client certificates must be signed by it */
  uint32_t threads;                      /* that serve connections; 0: one per core, at most 4 */
  uint32_t connections_max, connections_per_address_max; /* 0: 8192 and 1024 */
  uint32_t idle_timeout_s;                               /* 0: 120 */
  struct fed__http_handler *handler;
};

/* FED_E_ADDRESS_IN_USE naming address, port and what to do; FED_E_PERMISSION (ports below 1024);
 * FED_E_INPUT (not an address); FED_E_CERTIFICATE; FED_E_MEMORY. */
FED_MUST int fed__http_server_open(const struct fed_context *context,
                                   const struct fed__http_server_options *options,
                                   struct fed__http_server **server);
uint16_t fed__http_server_port(const struct fed__http_server *server);
/* Answers what is still waiting with 503, then closes every connection and joins the threads. */
void fed__http_server_close(struct fed__http_server *server);

/* The request. Texts live as long as the exchange. */
const char *fed__http_method(const struct fed__http_exchange *exchange);
/* Without the query. A path never holds a percent sign: escapes are refused. */
const char *fed__http_path(const struct fed__http_exchange *exchange);
const char *fed__http_query(const struct fed__http_exchange *exchange,
                            const char *name); /* or NULL */
const char *fed__http_header(const struct fed__http_exchange *exchange,
                             const char *name); /* or NULL */
/* Who asks: NULL without a client certificate. A certificate that does not verify (another CA,
 * expired, wrong use) never gets this far: 403 with a Failure body, and the handler is not
 * called. Expiry is checked for each request, revocation is the handler's. */
const struct fed__identity *fed__http_identity(const struct fed__http_exchange *exchange);
struct fed_slice fed__http_body(const struct fed__http_exchange *exchange); /* in `complete` */
/* Has the client of a waiting exchange hung up? (The library notices only when it answers.) */
int fed__http_is_abandoned(const struct fed__http_exchange *exchange);
void fed__http_set_data(struct fed__http_exchange *exchange, void *data);
void *fed__http_data(const struct fed__http_exchange *exchange);

/* In `headers`: collect the body in memory, at most `size_max` bytes (else 413). */
void fed__http_accept_body(struct fed__http_exchange *exchange, size_t size_max);
/* In `headers`: hand the body on in pieces through `chunk`. */
void fed__http_stream_body(struct fed__http_exchange *exchange);

struct fed__http_field {
  const char *name, *value;
};
struct fed__http_answer {
  uint32_t status;
  const char *content_type;             /* NULL without body */
  const struct fed__http_field *fields; /* further headers, copied */
  size_t field_count;
  struct fed_slice body; /* copied */
  const char *path;      /* instead of `body`: this file, in pieces; with status 200 a Range of
                          * the request is honoured (206, 416) */
};

/* Answer, from any thread, once; the second answer to one exchange is ignored. */
void fed__http_answer(struct fed__http_exchange *exchange, const struct fed__http_answer *answer);

/* Answer with the last failure of this thread: status by its class (usage, input 400; protocol
 * 409; crypto 403; io 500; busy 503 with Retry-After; resource 507; denied 403; internal 500) or
 * by its code (TOO_LARGE, LIMIT 413; NOT_FOUND 404; EXISTS 409; VERSION 426; STALE 410), body a
 * Failure message (application/protobuf). The message of a status of 500 or 507 stays here, in
 * the log: it may name files. */
void fed__http_answer_failure(struct fed__http_exchange *exchange, uint32_t come_back_ms);
/* The same with one more header field, as Upload-Offset. */
void fed__http_answer_failure_with(struct fed__http_exchange *exchange, uint32_t come_back_ms,
                                   struct fed__http_field field);

/* Counters since the start, for /metrics. */
struct fed__http_counters {
  uint64_t connections, requests;
  uint64_t bytes_in, bytes_out; /* through the sockets */
  uint64_t refused_certificates, refused_lengths;
  uint64_t malformed; /* requests that broke the rules, connections that never sent a request */
};
void fed__http_server_counters(const struct fed__http_server *server,
                               struct fed__http_counters *counters);

#endif
