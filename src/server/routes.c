/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c: from a request's method and path to its handler, as one table that also says who may
 * call and how large a body may be. Everybody but a newcomer shows a certificate, and a revoked
 * one is refused here, on the very next request.
 */
#include "base/log.h"
#include "base/raise.h"
#include "server/server_state.h"

#include <stdio.h>
#include <stdlib.h>

enum access { ACCESS_ANYONE, ACCESS_AGENT, ACCESS_OPERATOR, ACCESS_ENROLLED };

struct route {
  const char *method, *pattern; /* {} stands for one part of the path */
  enum access access;
  size_t body_max;
  void (*handle)(struct fed__server *server, struct fed__http_exchange *exchange);
};

static void handle_object(struct fed__server *server, struct fed__http_exchange *exchange);
static void handle_health(struct fed__server *server, struct fed__http_exchange *exchange);

static const struct route routes[] = {
    {"POST", "/v1/check-in", ACCESS_AGENT, FED__MESSAGE_BYTES_MAX, fed__handle_check_in},
    {"GET", "/v1/objects/{}", ACCESS_ENROLLED, 0, handle_object},
    {"HEAD", "/v1/updates/{}/{}/{}/{}", ACCESS_AGENT, 0, NULL},
    {"PATCH", "/v1/updates/{}/{}/{}/{}", ACCESS_AGENT, 0, NULL},
    {"POST", "/v1/failures", ACCESS_AGENT, FED__MESSAGE_BYTES_MAX, fed__handle_task_failure},
    {"POST", "/v1/enrol", ACCESS_ANYONE, FED__MESSAGE_BYTES_MAX, fed__handle_enrol},
    {"POST", "/v1/jobs", ACCESS_OPERATOR, FED__SUBMISSION_BYTES_MAX, fed__handle_submit},
    {"GET", "/v1/jobs", ACCESS_OPERATOR, 0, fed__handle_jobs},
    {"GET", "/v1/jobs/{}", ACCESS_OPERATOR, 0, fed__handle_job},
    {"POST", "/v1/jobs/{}/stop", ACCESS_OPERATOR, 4096, fed__handle_stop},
    {"GET", "/v1/jobs/{}/events", ACCESS_OPERATOR, 0, fed__handle_events},
    {"GET", "/v1/agents", ACCESS_OPERATOR, 0, fed__handle_agents},
    {"GET", "/metrics", ACCESS_ENROLLED, 0, fed__handle_metrics},
    {"GET", "/healthz", ACCESS_ANYONE, 0, handle_health},
};

/* ---- answers -------------------------------------------------------------------------------- */

void fed__answer_json(struct fed__http_exchange *exchange, uint32_t status, json_t *json) {
  char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(json);
  if (!text) {
    FED_RAISE(FED_E_MEMORY, "out of memory while answering");
    fed__http_answer_failure(exchange, 0);
    return;
  }
  fed__http_answer(exchange, &(struct fed__http_answer){.status = status,
                                                        .content_type = "application/json",
                                                        .body = fed_slice_of_text(text)});
  free(text); /* jansson's */
}

void fed__answer_message(struct fed__http_exchange *exchange, const struct fed_context *context,
                         const ProtobufCMessage *message) {
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, context, FED__MESSAGE_BYTES_MAX);
  if (fed__wire_encode(message, &bytes) == FED_OK)
    fed__http_answer(exchange, &(struct fed__http_answer){.status = 200,
                                                          .content_type = "application/protobuf",
                                                          .body = fed_buffer_slice(&bytes)});
  else
    fed__http_answer_failure(exchange, 0);
  fed_buffer_clear(&bytes);
}

/* ---- small routes --------------------------------------------------------------------------- */

static void handle_health(struct fed__server *server, struct fed__http_exchange *exchange) {
  fed__answer_json(exchange, 200,
                   json_pack("{s:s, s:s, s:i}", "status", "ok", "federation",
                             server->federation.name, "protocol", FED__PROTOCOL_VERSION));
}

/* Immutable, so that any cache may keep it for ever. */
static void handle_object(struct fed__server *server, struct fed__http_exchange *exchange) {
  char hex[FED__DIGEST_HEX_SIZE + 1], path[4096], tag[FED__DIGEST_HEX_SIZE + 4];
  struct fed__digest digest;
  int code = fed__path_part(fed__http_path(exchange), 2, hex, sizeof hex)
                 ? fed__digest_decode(fed_slice_of_text(hex), &digest)
                 : FED_RAISE(FED_E_USAGE, "expected /v1/objects/ and 64 hexadecimal digits");
  if (code == FED_OK)
    code = server->store->ops->object_path(server->store, &digest, path, sizeof path);
  if (code != FED_OK) {
    fed__http_answer_failure(exchange, 0);
    return;
  }
  snprintf(tag, sizeof tag, "\"%s\"", hex);
  const struct fed__http_field fields[] = {
      {"ETag", tag}, {"Cache-Control", "private, immutable, max-age=31536000"}};
  fed__http_answer(exchange, &(struct fed__http_answer){.status = 200,
                                                        .content_type = "application/octet-stream",
                                                        .fields = fields,
                                                        .field_count = 2,
                                                        .path = path});
}

/* ---- matching ------------------------------------------------------------------------------- */

/* Part `index` of a path, counted from 0; NULL if there is none or it does not fit. */
const char *fed__path_part(const char *path, int index, char *part, size_t size) {
  const char *at = path;
  for (int i = 0; i <= index; i++) {
    if (*at != '/') return NULL;
    at++;
    if (i < index) at += strcspn(at, "/");
  }
  const size_t length = strcspn(at, "/");
  if (length == 0 || length >= size) return NULL;
  memcpy(part, at, length);
  part[length] = '\0';
  return part;
}

static int matches(const char *pattern, const char *path) {
  while (*pattern && *path) {
    if (pattern[0] == '{') {
      const size_t length = strcspn(path, "/");
      if (!length) return 0;
      path += length;
      pattern += 2;
    } else if (*pattern++ != *path++) {
      return 0;
    }
  }
  return !*pattern && !*path;
}

static const struct route *find_route(const struct fed__http_exchange *exchange) {
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
    if (strcmp(routes[i].method, fed__http_method(exchange)) == 0 &&
        matches(routes[i].pattern, fed__http_path(exchange)))
      return &routes[i];
  return NULL;
}

static int is_upload(const struct route *route) { return !route->handle; }

/* ---- who may ask ---------------------------------------------------------------------------- */

static int check_not_revoked(struct fed__server *server, const struct fed__identity *identity) {
  struct fed__client_record record;
  const int code = server->store->ops->client_find(server->store, identity->name, &record);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_CERTIFICATE, "'%s' is not enrolled in this federation", identity->name);
  FED_TRY(code);
  if (record.state == FED__CLIENT_REVOKED)
    return FED_RAISE(FED_E_REVOKED,
                     "the certificate of '%s' was revoked; ask the operator for a "
                     "new enrolment token",
                     identity->name);
  if (!fed__digest_equal(&record.fingerprint, &identity->fingerprint))
    return FED_RAISE(FED_E_REVOKED,
                     "'%s' has enrolled again since; this older certificate is no "
                     "longer valid",
                     identity->name);
  return FED_OK;
}

static int check_access(struct fed__server *server, const struct fed__http_exchange *exchange,
                        enum access access) {
  const struct fed__identity *identity = fed__http_identity(exchange);
  if (access == ACCESS_ANYONE) return FED_OK;
  if (!identity)
    return FED_RAISE(FED_E_CERTIFICATE, "a client certificate is needed here; enrol first");
  FED_TRY(check_not_revoked(server, identity));
  if (access == ACCESS_AGENT && identity->role != FED__ROLE_AGENT)
    return FED_RAISE(FED_E_ROLE, "this is for agents; '%s' is an operator", identity->name);
  if (access == ACCESS_OPERATOR && identity->role != FED__ROLE_OPERATOR)
    return FED_RAISE(FED_E_ROLE, "this is for operators; '%s' is an agent", identity->name);
  return FED_OK;
}

/* ---- how often ------------------------------------------------------------------------------ */

static const struct fed__rate_limit client_limit = {2000, 4000}, stranger_limit = {100, 500};

static int take_token(struct fed__server *server, const struct fed__identity *identity) {
  const int64_t now_us = server->context->clock->monotonic_us(server->context->clock);
  uint32_t number;
  if (!identity) return fed__bucket_take(&server->strangers, &stranger_limit, now_us);
  if (fed__roster_number(&server->roster, identity->name, &number) != FED_OK) return 0;
  return fed__bucket_take(&server->roster.clients[number]->requests, &client_limit, now_us);
}

static int check_rate(struct fed__server *server, const struct fed__http_exchange *exchange) {
  pthread_mutex_lock(&server->lock);
  const int taken = take_token(server, fed__http_identity(exchange));
  server->rate_limited += !taken;
  pthread_mutex_unlock(&server->lock);
  return taken ? FED_OK : FED_RAISE(FED_E_BUSY, "too many requests; come back later");
}

/* ---- the handler ---------------------------------------------------------------------------- */

static struct fed__server *server_of(struct fed__http_handler *handler) {
  return (struct fed__server *)handler;
}

static void unlock(struct fed__server *server) {
  if (fed__server_unlock(server) != FED_OK)
    fed__log_failure(server->context, FED_LOG_ERROR, "store.failed");
}

static void on_headers(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct fed__server *server = server_of(self);
  const struct route *route = find_route(exchange);
  int code = route ? check_access(server, exchange, route->access)
                   : FED_RAISE(FED_E_NOT_FOUND, "there is no %s %s here",
                               fed__http_method(exchange), fed__http_path(exchange));
  if (code == FED_OK) code = check_rate(server, exchange);
  if (code != FED_OK) {
    fed__http_answer_failure(exchange, code == FED_E_BUSY ? 1000 : 0);
  } else if (is_upload(route)) {
    fed__server_lock(server);
    fed__handle_upload_headers(server, exchange);
    unlock(server);
  } else if (route->body_max) {
    fed__http_accept_body(exchange, route->body_max);
  }
}

static int on_chunk(struct fed__http_handler *self, struct fed__http_exchange *exchange,
                    struct fed_slice bytes) {
  return fed__handle_upload_chunk(server_of(self), exchange, bytes);
}

static void on_complete(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct fed__server *server = server_of(self);
  const struct route *route = find_route(exchange);
  if (!route) return;
  if (is_upload(route)) {
    fed__handle_upload_complete(server, exchange);
    return;
  }
  if (route->handle == handle_object || route->handle == handle_health) {
    route->handle(server, exchange); /* need no lock */
    return;
  }
  fed__server_lock(server);
  route->handle(server, exchange);
  unlock(server);
}

static void on_gone(struct fed__http_handler *self, struct fed__http_exchange *exchange) {
  struct fed__server *server = server_of(self);
  const struct route *route = find_route(exchange);
  if (!route) return;
  fed__server_lock(server);
  if (is_upload(route))
    fed__upload_writer_gone(server, exchange);
  else if (route->handle == fed__handle_check_in)
    fed__unpark(server, exchange);
  else if (route->handle == fed__handle_events)
    fed__drop_watcher(server, exchange);
  unlock(server);
}

void fed__server_routes(struct fed__server *server) {
  server->handler = (struct fed__http_handler){on_headers, on_chunk, on_complete, on_gone};
}
