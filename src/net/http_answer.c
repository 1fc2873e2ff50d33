/* SPDX-License-Identifier: Apache-2.0
 *
 * http_answer.c: answers and failures as libmicrohttpd's responses, handed over from any thread.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "net/http_exchange.h"
#include "wire/wire.h"

#include <stdio.h>

#define FAILURE_BYTES_MAX 8192
#define RETRY_AFTER_S_MIN 1

/* The status of a failure: by its code, else by its class. */
static const struct {
  int code;
  uint32_t status;
} code_statuses[] = {
    {FED_E_TOO_LARGE, MHD_HTTP_CONTENT_TOO_LARGE}, {FED_E_LIMIT, MHD_HTTP_CONTENT_TOO_LARGE},
    {FED_E_NOT_FOUND, MHD_HTTP_NOT_FOUND},         {FED_E_EXISTS, MHD_HTTP_CONFLICT},
    {FED_E_VERSION, MHD_HTTP_UPGRADE_REQUIRED},    {FED_E_STALE, MHD_HTTP_GONE},
};

static uint32_t failure_status(int code) {
  for (size_t i = 0; i < sizeof code_statuses / sizeof code_statuses[0]; i++)
    if (code_statuses[i].code == code) return code_statuses[i].status;
  switch (fed_error_class(code)) {
  case FED_CLASS_USAGE:
  case FED_CLASS_INPUT:
    return MHD_HTTP_BAD_REQUEST;
  case FED_CLASS_PROTOCOL:
    return MHD_HTTP_CONFLICT;
  case FED_CLASS_CRYPTO:
  case FED_CLASS_DENIED:
    return MHD_HTTP_FORBIDDEN;
  case FED_CLASS_BUSY:
    return MHD_HTTP_SERVICE_UNAVAILABLE;
  case FED_CLASS_RESOURCE:
    return MHD_HTTP_INSUFFICIENT_STORAGE;
  default:
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
  }
}

static int add_field(struct MHD_Response *response, const char *name, const char *value) {
  if (MHD_add_response_header(response, name, value) == MHD_YES) return FED_OK;
  return FED_RAISE(FED_E_INTERNAL, "the header field '%s: %s' cannot be sent", name, value);
}

static int add_fields(struct MHD_Response *response, const struct fed__http_answer *answer) {
  if (answer->content_type)
    FED_TRY(add_field(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type));
  for (size_t i = 0; i < answer->field_count; i++)
    FED_TRY(add_field(response, answer->fields[i].name, answer->fields[i].value));
  return FED_OK;
}

static int memory_response(const struct fed__http_answer *answer, struct MHD_Response **response) {
  *response = MHD_create_response_from_buffer(
      answer->body.size, (void *)(uintptr_t)answer->body.data, MHD_RESPMEM_MUST_COPY);
  return *response ? FED_OK : FED_RAISE(FED_E_MEMORY, "out of memory for an answer");
}

static int make_response(const struct fed__http_exchange *exchange,
                         const struct fed__http_answer *answer, uint32_t *status,
                         struct MHD_Response **response) {
  *status = answer->status;
  *response = NULL;
  int code = answer->path ? fed__http_file_response(exchange, answer, status, response)
                          : memory_response(answer, response);
  if (code == FED_OK) code = add_fields(*response, answer);
  if (code == FED_OK) return FED_OK;
  if (*response) MHD_destroy_response(*response);
  *response = NULL;
  return code;
}

/* --- failures --- */

/* Protobuf's strings are UTF-8; a message may quote what a peer sent. */
static void make_utf8(char *text) {
  if (fed__wire_is_utf8(text)) return;
  for (; *text; text++)
    if ((unsigned char)*text >= 0x80) *text = '?';
}

/* Failures of the server's own, whose messages may name its files. */
static bool is_private(uint32_t status) {
  return status == MHD_HTTP_INTERNAL_SERVER_ERROR || status == MHD_HTTP_INSUFFICIENT_STORAGE;
}

static int encode_failure(uint32_t status, uint32_t come_back_ms, struct fed_buffer *bytes) {
  const struct fed_error *error = fed_error_last();
  char message[sizeof error->message];
  snprintf(message, sizeof message, "%s",
           is_private(status) ? "the server failed; its log says why" : error->message);
  make_utf8(message);
  Fed__Failure failure;
  fed__failure__init(&failure);
  failure.protocol = FED__PROTOCOL_VERSION;
  failure.code = (uint32_t)error->code;
  failure.name = (char *)(uintptr_t)fed_error_name(error->code);
  failure.message = message;
  failure.come_back_ms = come_back_ms;
  return fed__wire_encode(&failure.base, bytes);
}

/* Whether to come back, and when: as Retry-After, in whole seconds. */
static size_t add_advice(uint32_t status, uint32_t come_back_ms, char seconds[16],
                         struct fed__http_field *field) {
  const uint32_t rounded_s = come_back_ms / 1000 + (come_back_ms % 1000 != 0);
  if (come_back_ms == 0 && status != MHD_HTTP_SERVICE_UNAVAILABLE) return 0;
  snprintf(seconds, 16, "%u", rounded_s ? rounded_s : RETRY_AFTER_S_MIN);
  *field = (struct fed__http_field){MHD_HTTP_HEADER_RETRY_AFTER, seconds};
  return 1;
}

/* A response made of the last failure; NULL if there is no memory even for that. `extra` may be
 * NULL. */
static struct MHD_Response *failure_response(const struct fed__http_exchange *exchange,
                                             uint32_t status, uint32_t come_back_ms,
                                             const struct fed__http_field *extra) {
  const struct fed_context *context = exchange->server->context;
  char seconds[16];
  struct fed__http_field fields[2];
  size_t count = add_advice(status, come_back_ms, seconds, fields);
  struct MHD_Response *response = NULL;
  struct fed_buffer body;
  if (extra) fields[count++] = *extra;
  fed_buffer_init(&body, context, FAILURE_BYTES_MAX);
  if (is_private(status)) fed__log_failure(context, FED_LOG_ERROR, "http.failed");
  if (encode_failure(status, come_back_ms, &body) == FED_OK) {
    const struct fed__http_answer answer = {status, "application/protobuf",  fields,
                                            count,  fed_buffer_slice(&body), NULL};
    if (make_response(exchange, &answer, &status, &response) != FED_OK) response = NULL;
  }
  fed_buffer_clear(&body);
  return response;
}

/* --- handing over --- */

/* Under the server's lock. */
static void hand_over(struct fed__http_exchange *exchange, uint32_t status,
                      struct MHD_Response *response) {
  exchange->is_answered = true;
  exchange->status = status;
  exchange->response = response;
  if (exchange->is_waiting) MHD_resume_connection(exchange->connection);
  exchange->is_waiting = false;
}

static void answer_once(struct fed__http_exchange *exchange, uint32_t status,
                        struct MHD_Response *response) {
  struct fed__http_server *server = exchange->server;
  pthread_mutex_lock(&server->lock);
  const bool is_first = !exchange->is_answered;
  if (is_first) hand_over(exchange, status, response);
  pthread_mutex_unlock(&server->lock);
  if (!is_first && response) MHD_destroy_response(response);
}

void fed__http_answer(struct fed__http_exchange *exchange, const struct fed__http_answer *answer) {
  uint32_t status;
  struct MHD_Response *response;
  if (make_response(exchange, answer, &status, &response) != FED_OK)
    fed__http_answer_failure(exchange, 0);
  else
    answer_once(exchange, status, response);
}

static void answer_last_failure(struct fed__http_exchange *exchange, uint32_t status,
                                uint32_t come_back_ms, const struct fed__http_field *extra) {
  answer_once(exchange, status, failure_response(exchange, status, come_back_ms, extra));
}

void fed__http_answer_failure(struct fed__http_exchange *exchange, uint32_t come_back_ms) {
  answer_last_failure(exchange, failure_status(fed_error_last()->code), come_back_ms, NULL);
}

void fed__http_answer_failure_with(struct fed__http_exchange *exchange, uint32_t come_back_ms,
                                   struct fed__http_field field) {
  answer_last_failure(exchange, failure_status(fed_error_last()->code), come_back_ms, &field);
}

void fed__http_answer_refusal(struct fed__http_exchange *exchange, uint32_t status) {
  answer_last_failure(exchange, status, 0, NULL);
}

static struct fed__http_exchange *find_waiting(const struct fed__http_server *server) {
  struct fed__http_exchange *exchange = server->exchanges;
  while (exchange && !exchange->is_waiting) exchange = exchange->next;
  return exchange;
}

/* An exchange that waits is over soon after somebody else answers it: it may only be touched
 * under the lock, and its response is made before. */
void fed__http_answer_waiting(struct fed__http_server *server) {
  const struct fed__http_exchange unbound = {.server = server};
  const uint32_t status = MHD_HTTP_SERVICE_UNAVAILABLE;
  for (struct fed__http_exchange *exchange = NULL;;) {
    FED_RAISE(FED_E_BUSY, "the server is stopping: try again later");
    struct MHD_Response *response = failure_response(&unbound, status, 0, NULL);
    pthread_mutex_lock(&server->lock);
    exchange = find_waiting(server);
    if (exchange) hand_over(exchange, status, response);
    pthread_mutex_unlock(&server->lock);
    if (exchange) continue;
    if (response) MHD_destroy_response(response);
    return;
  }
}
