/* SPDX-License-Identifier: Apache-2.0
 *
 * http_client.c: HTTP calls over libcurl: one handle used again and again, so that connection and
 * TLS session are too. Certificates and keys go in from memory and never touch a disk.
 */
#include "net/http_client.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "net/http_client_error.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_MS 250
#define FAILURE_BYTES_MAX ((size_t)64 << 10)

struct fed__http_client {
  const struct fed_context *context;
  CURL *easy;
  CURLM *multi;
  char *url;
  uint32_t stall_timeout_ms;
  uint64_t bytes_sent, bytes_received;
  char curl_message[CURL_ERROR_SIZE];
};

/* --- setting up --- */

#define SET(easy, option, value)                                                                   \
  do {                                                                                             \
    const CURLcode set_result_ = curl_easy_setopt((easy), (option), (value));                      \
    if (set_result_ != CURLE_OK)                                                                   \
      return FED_RAISE(set_result_ == CURLE_OUT_OF_MEMORY ? FED_E_MEMORY : FED_E_INTERNAL,         \
                       "setting up HTTP: " #option ": %s", curl_easy_strerror(set_result_));       \
  } while (0)

static struct curl_blob make_blob(struct fed_slice bytes) {
  return (struct curl_blob){(void *)(uintptr_t)bytes.data, bytes.size, CURL_BLOB_COPY};
}

static int copy_url(struct fed__http_client *client, const char *url) {
  const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;
  const size_t size = host ? strcspn(host, "/?#@ ") : 0;
  if (size == 0 || (host[size] && strcmp(host + size, "/") != 0))
    return FED_RAISE(FED_E_INPUT, "'%s': expected a server's URL, as https://host:8443", url);
  client->url = fed__copy_slice_text(client->context, fed_slice_of(url, 8 + size));
  return client->url ? FED_OK : FED_E_MEMORY;
}

/* This authority and no other: the system's folder of authorities is taken out. */
static int set_trust(struct fed__http_client *client, struct fed_slice ca_der) {
  struct fed_buffer pem;
  fed_buffer_init(&pem, client->context, 1 << 16);
  int code = fed__certificate_encode_pem(ca_der, &pem);
  if (code == FED_OK) {
    struct curl_blob blob = make_blob(fed_buffer_slice(&pem));
    if (curl_easy_setopt(client->easy, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK ||
        curl_easy_setopt(client->easy, CURLOPT_CAPATH, NULL) != CURLE_OK)
      code = FED_RAISE(FED_E_INTERNAL, "setting up HTTP: the authority was not accepted");
  }
  fed_buffer_clear(&pem);
  return code;
}

static int set_identity(CURL *easy, const struct fed__http_client_options *options) {
  if (!options->certificate_pem) return FED_OK;
  struct curl_blob certificate = make_blob(fed_slice_of_text(options->certificate_pem));
  struct curl_blob key = make_blob(fed_slice_of_text(options->key_pem));
  SET(easy, CURLOPT_SSLCERTTYPE, "PEM");
  SET(easy, CURLOPT_SSLKEYTYPE, "PEM");
  SET(easy, CURLOPT_SSLCERT_BLOB, &certificate);
  SET(easy, CURLOPT_SSLKEY_BLOB, &key);
  return FED_OK;
}

static int set_transport(struct fed__http_client *client,
                         const struct fed__http_client_options *options) {
  CURL *easy = client->easy;
  SET(easy, CURLOPT_PROTOCOLS_STR, "https");
  SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
  SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
  SET(easy, CURLOPT_NOSIGNAL, 1L);
  SET(easy, CURLOPT_TCP_NODELAY, 1L);
  SET(easy, CURLOPT_TCP_KEEPALIVE, 1L); /* routers forget connections that wait in silence */
  SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(easy, CURLOPT_ERRORBUFFER, client->curl_message);
  SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
  SET(easy, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)options->bytes_per_s_max);
  SET(easy, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)options->bytes_per_s_max);
  if (options->proxy) SET(easy, CURLOPT_PROXY, options->proxy);
  return FED_OK;
}

static int set_up(struct fed__http_client *client, const struct fed__http_client_options *options) {
  FED_TRY(copy_url(client, options->url));
  client->stall_timeout_ms = options->stall_timeout_ms;
  client->easy = curl_easy_init();
  client->multi = curl_multi_init();
  if (!client->easy || !client->multi) return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
  FED_TRY(set_transport(client, options));
  FED_TRY(set_trust(client, options->ca_der));
  return set_identity(client->easy, options);
}

int fed__http_client_new(const struct fed_context *context,
                         const struct fed__http_client_options *options,
                         struct fed__http_client **client) {
  *client = NULL;
  struct fed__http_client *made = fed__zalloc(context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->context = context;
  const int code = set_up(made, options);
  if (code == FED_OK)
    *client = made;
  else
    fed__http_client_free(made);
  return code;
}

void fed__http_client_free(struct fed__http_client *client) {
  if (!client) return;
  curl_easy_cleanup(client->easy);
  curl_multi_cleanup(client->multi);
  fed__free(client->context, client->url);
  fed__free(client->context, client);
}

/* --- one call --- */

struct call {
  struct fed__http_client *client;
  const struct fed__http_request *request;
  struct curl_slist *fields;
  struct fed_buffer *body;   /* of an answer below 400 */
  struct fed_buffer failure; /* of one at or above */
  size_t body_left;
  int code; /* of a callback that broke the call off */
};

static int take_bytes(struct call *call, struct fed_slice bytes) {
  long status = 0;
  curl_easy_getinfo(call->client->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) return fed_buffer_append(&call->failure, bytes.data, bytes.size);
  if (bytes.size > call->body_left)
    return FED_RAISE(FED_E_TOO_LARGE, "%s%s: the answer has more than the %zu bytes expected",
                     call->client->url, call->request->path, call->request->answer_bytes_max);
  call->body_left -= bytes.size;
  return fed_buffer_append(call->body, bytes.data, bytes.size);
}

static size_t write_bytes(char *data, size_t size, size_t count, void *user) {
  struct call *call = user;
  call->code = take_bytes(call, fed_slice_of(data, size * count));
  return call->code == FED_OK ? size * count : 0;
}

static int set_method(CURL *easy, const struct fed__http_request *request) {
  const bool is_get = strcmp(request->method, "GET") == 0;
  const bool is_head = strcmp(request->method, "HEAD") == 0;
  SET(easy, CURLOPT_NOBODY, 0L);
  SET(easy, CURLOPT_CUSTOMREQUEST, NULL);
  SET(easy, CURLOPT_HTTPGET, 1L);
  if (is_head) SET(easy, CURLOPT_NOBODY, 1L);
  if (is_get || is_head) return FED_OK;
  SET(easy, CURLOPT_POST, 1L);
  SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
  SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
  SET(easy, CURLOPT_POSTFIELDS, request->body.size ? (const char *)request->body.data : "");
  return FED_OK;
}

static int set_timeouts(struct fed__http_client *client, int64_t timeout_ms) {
  const long stall_s = timeout_ms > 0 ? 0 : ((long)client->stall_timeout_ms + 999) / 1000;
  SET(client->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  SET(client->easy, CURLOPT_LOW_SPEED_LIMIT, stall_s ? 1L : 0L);
  SET(client->easy, CURLOPT_LOW_SPEED_TIME, stall_s);
  return FED_OK;
}

static int set_fields(struct call *call) {
  for (const char *const *field = call->request->fields; field && *field; field++) {
    struct curl_slist *longer = curl_slist_append(call->fields, *field);
    if (!longer) return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
    call->fields = longer;
  }
  SET(call->client->easy, CURLOPT_HTTPHEADER, call->fields);
  return FED_OK;
}

static int set_request(struct call *call) {
  CURL *easy = call->client->easy;
  char *target = fed__format(call->client->context, "%s%s", call->client->url, call->request->path);
  if (!target) return FED_E_MEMORY;
  const CURLcode result = curl_easy_setopt(easy, CURLOPT_URL, target);
  fed__free(call->client->context, target);
  if (result != CURLE_OK) return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
  SET(easy, CURLOPT_WRITEFUNCTION, write_bytes);
  SET(easy, CURLOPT_WRITEDATA, call);
  FED_TRY(set_method(easy, call->request));
  FED_TRY(set_timeouts(call->client, call->request->timeout_ms));
  return set_fields(call);
}

static CURLcode transfer_result(CURLM *multi) {
  int left = 0;
  const CURLMsg *message = curl_multi_info_read(multi, &left);
  return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/* Drive the transfer to its end. By libcurl's "multi" interface, because its simple one calls
 * back only once a second. */
static int drive(struct call *call, CURLcode *result) {
  const struct fed__http_request *request = call->request;
  CURLM *multi = call->client->multi;
  int running = 1;
  for (;;) {
    if (curl_multi_perform(multi, &running) != CURLM_OK)
      return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
    if (!running) break;
    if (request->interrupt && request->interrupt(request->interrupt_data))
      return FED_RAISE(FED_E_BUSY, "%s %s was broken off", request->method, request->path);
    curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
  }
  *result = transfer_result(multi);
  return FED_OK;
}

static int64_t number_field(CURL *easy, const char *name) {
  struct curl_header *header;
  if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return -1;
  char *end = NULL;
  const long long number = strtoll(header->value, &end, 10);
  return end != header->value && *end == '\0' && number >= 0 ? number : -1;
}

static void read_reply(CURL *easy, struct fed__http_reply *reply) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  reply->status = (uint32_t)status;
  reply->upload_offset = number_field(easy, "Upload-Offset");
  reply->retry_after_s = number_field(easy, "Retry-After");
}

static void count_bytes(struct fed__http_client *client) {
  curl_off_t sent = 0, received = 0;
  long head_sent = 0, head_received = 0;
  curl_easy_getinfo(client->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(client->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &head_sent);
  curl_easy_getinfo(client->easy, CURLINFO_HEADER_SIZE, &head_received);
  client->bytes_sent += (uint64_t)sent + (uint64_t)head_sent;
  client->bytes_received += (uint64_t)received + (uint64_t)head_received;
}

static int raise_curl(const struct call *call, CURLcode result) {
  const struct fed__http_client *client = call->client;
  struct fed__curl_failure failure = {client->url, client->curl_message, result};
  if (call->code != FED_OK) return call->code;
  curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &failure.os_error);
  curl_easy_getinfo(client->easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
  curl_easy_getinfo(client->easy, CURLINFO_HTTP_CONNECTCODE, &failure.proxy_status);
  return fed__curl_raise(&failure);
}

static int perform(struct call *call, struct fed__http_reply *reply) {
  struct fed__http_client *client = call->client;
  CURLcode result = CURLE_OK;
  client->curl_message[0] = '\0';
  FED_TRY(set_request(call));
  if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK)
    return FED_RAISE(FED_E_MEMORY, "out of memory for HTTP");
  const int code = drive(call, &result);
  curl_multi_remove_handle(client->multi, client->easy);
  count_bytes(client);
  read_reply(client->easy, reply);
  if (code != FED_OK) return code;
  if (result != CURLE_OK) return raise_curl(call, result);
  if (reply->status < 300) return FED_OK;
  return fed__http_status_raise(client->context, client->url, reply->status,
                                fed_buffer_slice(&call->failure));
}

int fed__http_call(struct fed__http_client *client, const struct fed__http_request *request,
                   struct fed__http_reply *reply, struct fed_buffer *body) {
  struct call call = {
      .client = client, .request = request, .body = body, .body_left = request->answer_bytes_max};
  *reply = (struct fed__http_reply){0, -1, -1};
  fed_buffer_init(&call.failure, client->context, FAILURE_BYTES_MAX);
  const int code = perform(&call, reply);
  curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(call.fields);
  fed_buffer_clear(&call.failure);
  return code;
}

uint64_t fed__http_client_bytes_sent(const struct fed__http_client *client) {
  return client->bytes_sent;
}

uint64_t fed__http_client_bytes_received(const struct fed__http_client *client) {
  return client->bytes_received;
}
