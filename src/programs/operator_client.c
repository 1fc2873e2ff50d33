/* SPDX-License-Identifier: Apache-2.0
 *
 * operator_client.c: connecting and signing as an operator.
 */
#include "programs/operator_client.h"
#include "base/file.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "crypto/secret.h"
#include "server/server.h"

#include <jansson.h>

static int connect_with(const struct fed_context *context, const char *url, struct fed_buffer *ca,
                        struct fed_buffer *certificate, struct fed_buffer *key,
                        struct fed__http_client **client) {
  struct fed_buffer der;
  fed_buffer_init(&der, context, 1 << 16);
  int code = fed__certificate_encode_der(fed_buffer_slice(ca), &der);
  if (code == FED_OK) {
    const struct fed__http_client_options options = {.url = url,
                                                     .ca_der = fed_buffer_slice(&der),
                                                     .certificate_pem =
                                                         fed_buffer_text(certificate),
                                                     .key_pem = fed_buffer_text(key),
                                                     .connect_timeout_ms = 10000,
                                                     .stall_timeout_ms = 90000};
    code = fed__http_client_new(context, &options, client);
  }
  fed_buffer_clear(&der);
  return code;
}

static int read_identity(const struct fed_context *context, const char *folder,
                         struct fed_buffer *ca, struct fed_buffer *certificate,
                         struct fed_buffer *key) {
  FED_TRY(fed__file_read_in(context, folder, "ca.pem", ca));
  FED_TRY(fed__file_read_in(context, folder, "operator.pem", certificate));
  return fed__file_read_in(context, folder, "operator.key", key);
}

static void clear_identity(struct fed_buffer *ca, struct fed_buffer *certificate,
                           struct fed_buffer *key) {
  fed_buffer_clear(ca);
  fed_buffer_clear(certificate);
  if (key->data) fed__secret_buffer_clear(key);
}

int fed__operator_connect(const struct fed_context *context, const char *folder,
                          struct fed__http_client **client) {
  struct fed__federation federation;
  struct fed_buffer ca = {0}, certificate = {0}, key = {0};
  char url[400];
  FED_TRY(fed__federation_load(context, folder, &federation));
  snprintf(url, sizeof url, "https://%s:%u", federation.host, federation.port);
  int code = read_identity(context, folder, &ca, &certificate, &key);
  if (code == FED_OK) code = connect_with(context, url, &ca, &certificate, &key, client);
  clear_identity(&ca, &certificate, &key);
  return code;
}

static int sign(const struct fed_context *context, const struct fed_buffer *ca,
                const struct fed_buffer *certificate, const struct fed_buffer *key_pem,
                const struct fed__approved_job *job, struct fed_buffer *approval) {
  struct fed__key key;
  FED_TRY(fed__key_decode(fed_buffer_slice(key_pem), &key));
  const int code = fed__approval_make(context, fed_buffer_slice(ca), fed_buffer_slice(certificate),
                                      &key, job, approval);
  fed__key_clear(&key);
  return code;
}

int fed__operator_sign(const struct fed_context *context, const char *folder,
                       const struct fed__approved_job *job, struct fed_buffer *approval) {
  struct fed_buffer ca = {0}, certificate = {0}, key = {0};
  int code = read_identity(context, folder, &ca, &certificate, &key);
  if (code == FED_OK) code = sign(context, &ca, &certificate, &key, job, approval);
  clear_identity(&ca, &certificate, &key);
  return code;
}

static int show(struct fed__invocation *invocation, struct fed__http_client *client,
                const char *path, void (*print)(const void *json)) {
  struct fed_buffer answer;
  fed_buffer_init(&answer, invocation->context, (size_t)64 << 20);
  int code = fed__federation_get(client, path, 30000, &answer);
  json_t *json = code == FED_OK ? json_loadb((char *)answer.data, answer.size, 0, NULL) : NULL;
  if (code == FED_OK && !json)
    code = FED_RAISE(FED_E_PROTOCOL, "the server's answer to %s is not JSON", path);
  if (code == FED_OK && invocation->json) printf("%.*s\n", (int)answer.size, (char *)answer.data);
  if (code == FED_OK && !invocation->json) print(json);
  json_decref(json);
  fed_buffer_clear(&answer);
  return code;
}

int fed__operator_show(struct fed__invocation *invocation, const char *path,
                       void (*print)(const void *json)) {
  struct fed__http_client *client = NULL;
  FED_TRY(fed__operator_connect(invocation->context, fed__option_text(invocation, "dir"), &client));
  const int code = show(invocation, client, path, print);
  fed__http_client_free(client);
  return code;
}
