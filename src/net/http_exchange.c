/* SPDX-License-Identifier: Apache-2.0
 *
 * http_exchange.c: the life of a request, driven by libmicrohttpd: head, body, the wait for an
 * answer, the end.
 *
 * libmicrohttpd calls the same function for the head, each piece of the body, the end of the
 * request, and again after a wait. An answer can be sent only with the head (then the connection
 * is closed if a body was to follow) or at the end; so after an early answer a body of moderate
 * size is read and thrown away, and a large one costs the client the connection.
 */
#include "net/http_exchange.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"

#include <stdlib.h>
#include <strings.h>

#define TARGET_SIZE_MAX 2048
#define HEAD_SIZE_MAX ((size_t)16 << 10)
#define FIELD_COUNT_MAX 64
#define DISCARD_BYTES_MAX ((uint64_t)1 << 20)

const char *fed__http_method(const struct fed__http_exchange *exchange) { return exchange->method; }

const char *fed__http_path(const struct fed__http_exchange *exchange) { return exchange->path; }

const char *fed__http_query(const struct fed__http_exchange *exchange, const char *name) {
  return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *fed__http_header(const struct fed__http_exchange *exchange, const char *name) {
  return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

const struct fed__identity *fed__http_identity(const struct fed__http_exchange *exchange) {
  return exchange->identity;
}

struct fed_slice fed__http_body(const struct fed__http_exchange *exchange) {
  return fed_buffer_slice(&exchange->body);
}

void fed__http_set_data(struct fed__http_exchange *exchange, void *data) { exchange->data = data; }

void *fed__http_data(const struct fed__http_exchange *exchange) { return exchange->data; }

void fed__http_accept_body(struct fed__http_exchange *exchange, size_t size_max) {
  exchange->body_use = FED__HTTP_BODY_COLLECTED;
  exchange->body.size_max = size_max;
}

void fed__http_stream_body(struct fed__http_exchange *exchange) {
  exchange->body_use = FED__HTTP_BODY_STREAMED;
}

bool fed__http_exchange_answered(struct fed__http_exchange *exchange) {
  pthread_mutex_lock(&exchange->server->lock);
  const bool is_answered = exchange->is_answered;
  pthread_mutex_unlock(&exchange->server->lock);
  return is_answered;
}

static void count_one(struct fed__http_exchange *exchange, uint64_t *counter) {
  pthread_mutex_lock(&exchange->server->lock);
  ++*counter;
  pthread_mutex_unlock(&exchange->server->lock);
}

/* --- the head --- */

void *fed__http_exchange_begin(void *data, const char *target, struct MHD_Connection *connection) {
  struct fed__http_server *server = data;
  struct fed__http_peer *peer = fed__http_peer_of(connection);
  struct fed__http_exchange *exchange =
      peer ? fed__zalloc(server->context, 1, sizeof *exchange) : NULL;
  if (!exchange) return NULL;
  peer->has_asked = true;
  exchange->server = server;
  exchange->connection = connection;
  exchange->target_size = strlen(target);
  exchange->has_escapes = memchr(target, '%', strcspn(target, "?")) != NULL;
  fed_buffer_init(&exchange->body, server->context, 0);
  pthread_mutex_lock(&server->lock);
  server->counters.requests++;
  exchange->next = server->exchanges;
  if (exchange->next) exchange->next->previous = exchange;
  server->exchanges = exchange;
  pthread_mutex_unlock(&server->lock);
  return exchange;
}

static uint64_t announced_bytes(const struct fed__http_exchange *exchange) {
  const char *length = fed__http_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
  if (fed__http_header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING)) return UINT64_MAX;
  return length ? strtoull(length, NULL, 10) : 0;
}

static void refuse_length(struct fed__http_exchange *exchange, uint32_t status) {
  count_one(exchange, &exchange->server->counters.refused_lengths);
  fed__http_answer_refusal(exchange, status);
}

/* libmicrohttpd has its own, larger, bound on the head: the connection's memory. */
static bool refuse_large_head(struct fed__http_exchange *exchange) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  const int fields = MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, NULL, NULL);
  if (exchange->target_size > TARGET_SIZE_MAX) {
    FED_RAISE(FED_E_TOO_LARGE, "a path and query of %zu bytes, at most %d are read",
              exchange->target_size, TARGET_SIZE_MAX);
    refuse_length(exchange, MHD_HTTP_URI_TOO_LONG);
  } else if (fields > FIELD_COUNT_MAX || (info && info->header_size > HEAD_SIZE_MAX)) {
    FED_RAISE(FED_E_TOO_LARGE, "%d header fields of %zu bytes, at most %d of %zu are read", fields,
              info ? info->header_size : 0, FIELD_COUNT_MAX, HEAD_SIZE_MAX);
    refuse_length(exchange, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
  } else {
    return false;
  }
  return true;
}

static int check_head(const struct fed__http_exchange *exchange) {
  const char *coding = fed__http_header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING);
  if (exchange->has_escapes)
    return FED_RAISE(FED_E_SYNTAX, "a path with escapes (%%): no path here needs any");
  if (coding && strcasecmp(coding, "chunked") != 0)
    return FED_RAISE(FED_E_UNSUPPORTED, "Transfer-Encoding: only chunked is understood");
  if (coding && fed__http_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH))
    return FED_RAISE(FED_E_SYNTAX, "both Transfer-Encoding and Content-Length");
  return FED_OK;
}

static void check_body_announced(struct fed__http_exchange *exchange) {
  const uint64_t announced = announced_bytes(exchange);
  if (exchange->body_use == FED__HTTP_BODY_STREAMED || announced == 0) return;
  const bool is_chunked = announced == UINT64_MAX;
  if (exchange->body_use == FED__HTTP_BODY_COLLECTED &&
      (is_chunked || announced <= exchange->body.size_max))
    return;
  if (exchange->body_use == FED__HTTP_BODY_REFUSED)
    FED_RAISE(FED_E_TOO_LARGE, "%s %s takes no body", exchange->method, exchange->path);
  else
    FED_RAISE(FED_E_TOO_LARGE, "a body of %llu bytes, at most %zu are read",
              (unsigned long long)announced, exchange->body.size_max);
  refuse_length(exchange, MHD_HTTP_CONTENT_TOO_LARGE);
}

static void take_head(struct fed__http_exchange *exchange) {
  struct fed__http_server *server = exchange->server;
  if (refuse_large_head(exchange)) return;
  if (check_head(exchange) != FED_OK) {
    count_one(exchange, &server->counters.malformed);
    fed__http_answer_failure(exchange, 0);
  } else if (fed__http_peer_identify(server, exchange->connection, &exchange->identity) != FED_OK) {
    count_one(exchange, &server->counters.refused_certificates);
    fed__http_answer_failure(exchange, 0);
  } else {
    exchange->is_handled = true;
    server->handler->headers(server->handler, exchange);
    if (!fed__http_exchange_answered(exchange)) check_body_announced(exchange);
  }
}

static enum MHD_Result send_response(struct fed__http_exchange *exchange) {
  if (!exchange->response) return MHD_NO;
  return MHD_queue_response(exchange->connection, exchange->status, exchange->response);
}

static enum MHD_Result begin_request(struct fed__http_exchange *exchange, const char *method,
                                     const char *path) {
  exchange->method = method;
  exchange->path = path;
  take_head(exchange);
  const uint64_t announced = announced_bytes(exchange);
  if (announced != UINT64_MAX && announced > DISCARD_BYTES_MAX &&
      fed__http_exchange_answered(exchange))
    return send_response(exchange);
  return MHD_YES;
}

/* --- the body --- */

static int take_bytes(struct fed__http_exchange *exchange, struct fed_slice bytes) {
  struct fed__http_handler *handler = exchange->server->handler;
  if (exchange->body_use == FED__HTTP_BODY_STREAMED)
    return handler->chunk(handler, exchange, bytes);
  return fed_buffer_append(&exchange->body, bytes.data, bytes.size);
}

static enum MHD_Result take_body(struct fed__http_exchange *exchange, struct fed_slice bytes) {
  if (fed__http_exchange_answered(exchange)) {
    exchange->discarded_bytes += bytes.size;
    return exchange->discarded_bytes > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
  }
  const int code = take_bytes(exchange, bytes);
  if (code == FED_E_TOO_LARGE) count_one(exchange, &exchange->server->counters.refused_lengths);
  if (code != FED_OK) fed__http_answer_failure(exchange, 0);
  return MHD_YES;
}

/* --- the answer --- */

/* True if the exchange now waits: its answer will come from another thread. */
static bool wait_for_answer(struct fed__http_exchange *exchange) {
  struct fed__http_server *server = exchange->server;
  pthread_mutex_lock(&server->lock);
  const bool waits = !exchange->is_answered && !server->stopping;
  if (waits) {
    exchange->is_waiting = true;
    MHD_suspend_connection(exchange->connection);
  }
  pthread_mutex_unlock(&server->lock);
  return waits;
}

static enum MHD_Result end_request(struct fed__http_exchange *exchange) {
  struct fed__http_handler *handler = exchange->server->handler;
  if (!exchange->is_complete) {
    exchange->is_complete = true;
    if (!fed__http_exchange_answered(exchange)) handler->complete(handler, exchange);
  }
  if (wait_for_answer(exchange)) return MHD_YES;
  if (!fed__http_exchange_answered(exchange)) {
    FED_RAISE(FED_E_BUSY, "the server is stopping: try again later");
    fed__http_answer_failure(exchange, 0);
  }
  return send_response(exchange);
}

enum MHD_Result fed__http_exchange_continue(void *server, struct MHD_Connection *connection,
                                            const char *path, const char *method,
                                            const char *version, const char *body,
                                            size_t *body_size, void **data) {
  struct fed__http_exchange *exchange = *data;
  (void)server, (void)connection, (void)version;
  if (!exchange) return MHD_NO;
  if (!exchange->method) return begin_request(exchange, method, path);
  if (*body_size == 0) return end_request(exchange);
  const struct fed_slice bytes = fed_slice_of(body, *body_size);
  *body_size = 0;
  return take_body(exchange, bytes);
}

/* --- the end --- */

static void log_exchange(const struct fed__http_exchange *exchange) {
  fed__log(exchange->server->context, FED_LOG_DEBUG, "http.request", "s:s, s:s, s:s, s:i", "method",
           exchange->method, "path", exchange->path, "client",
           exchange->identity ? exchange->identity->name : "", "status", (int)exchange->status);
}

static void unlink_exchange(struct fed__http_exchange *exchange) {
  struct fed__http_server *server = exchange->server;
  pthread_mutex_lock(&server->lock);
  if (!exchange->method) server->counters.malformed++;
  if (exchange->previous) exchange->previous->next = exchange->next;
  if (exchange->next) exchange->next->previous = exchange->previous;
  if (server->exchanges == exchange) server->exchanges = exchange->next;
  if (server->stopping) pthread_cond_signal(&server->over);
  pthread_mutex_unlock(&server->lock);
}

void fed__http_exchange_end(void *data, struct MHD_Connection *connection, void **state,
                            enum MHD_RequestTerminationCode reason) {
  struct fed__http_server *server = data;
  struct fed__http_exchange *exchange = *state;
  struct fed__http_peer *peer = fed__http_peer_of(connection);
  (void)reason;
  *state = NULL;
  if (!exchange) return;
  if (exchange->is_handled) server->handler->gone(server->handler, exchange);
  if (exchange->method) log_exchange(exchange);
  if (peer) fed__http_peer_count(server, connection, peer);
  unlink_exchange(exchange);
  if (exchange->response) MHD_destroy_response(exchange->response);
  fed_buffer_clear(&exchange->body);
  fed__free(server->context, exchange);
}
