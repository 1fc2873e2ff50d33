/* SPDX-License-Identifier: Apache-2.0
 *
 * federation.c: a federation's folder: made once, then worked on beside a running server: tokens
 * for newcomers, the list of clients, revocation.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "round/store.h"
#include "server/server.h"
#include "store/sqlite_store.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define CA_DAYS 3650
#define SERVER_DAYS 825
#define OPERATOR_DAYS 825
#define DAY_MS 86400000LL

static int write_key(const struct fed_context *context, const char *folder, const char *name,
                     const struct fed__key *key) {
  struct fed_buffer pem;
  fed_buffer_init(&pem, context, 1 << 16);
  int code = fed__key_encode(key, &pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, name, fed_buffer_slice(&pem), FED__FILE_PRIVATE);
  fed__secret_buffer_clear(&pem);
  return code;
}

/* ---- creating ------------------------------------------------------------------------------- */

static int make_server_identity(const struct fed_context *context, const char *folder,
                                const struct fed__ca *ca,
                                const struct fed__federation *federation) {
  const char *names[] = {federation->host, "localhost", "127.0.0.1", "::1"};
  const int64_t now_ms = context->clock->wall_ms(context->clock);
  struct fed__key key;
  struct fed__public_key public_key;
  struct fed_buffer pem;
  fed_buffer_init(&pem, context, 1 << 16);
  FED_TRY(fed__key_generate(context, &key));
  int code = fed__key_public(&key, &public_key);
  if (code == FED_OK)
    code = fed__certificate_issue_server(ca, &public_key, names, 4, now_ms - 300000,
                                         now_ms + SERVER_DAYS * DAY_MS, &pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "server.pem", fed_buffer_slice(&pem), FED__FILE_SHARED);
  if (code == FED_OK) code = write_key(context, folder, "server.key", &key);
  fed__key_clear(&key);
  fed_buffer_clear(&pem);
  return code;
}

static int record_client(const struct fed_context *context, const struct fed__ca *ca,
                         struct fed__store *store, const struct fed_buffer *pem) {
  const int64_t now_ms = context->clock->wall_ms(context->clock);
  struct fed__identity identity;
  struct fed_buffer der;
  fed_buffer_init(&der, context, 1 << 16);
  int code = fed__certificate_encode_der(fed_buffer_slice(pem), &der);
  if (code == FED_OK)
    code = fed__certificate_verify(fed_buffer_slice(&ca->certificate), fed_buffer_slice(&der),
                                   now_ms, &identity);
  fed_buffer_clear(&der);
  FED_TRY(code);
  struct fed__client_record record = {.role = identity.role,
                                      .state = FED__CLIENT_ACTIVE,
                                      .fingerprint = identity.fingerprint,
                                      .enrolled_ms = now_ms,
                                      .expires_ms = identity.not_after_ms};
  snprintf(record.name, sizeof record.name, "%s", identity.name);
  snprintf(record.serial, sizeof record.serial, "%s", identity.serial);
  FED_TRY(store->ops->begin(store));
  code = store->ops->client_put(store, &record);
  if (code == FED_OK) return store->ops->commit(store, 1);
  store->ops->rollback(store);
  return code;
}

static int make_operator(const struct fed_context *context, const char *folder,
                         const struct fed__ca *ca, struct fed__store *store) {
  const int64_t now_ms = context->clock->wall_ms(context->clock);
  struct fed__grant grant = {.name = "operator",
                             .role = FED__ROLE_OPERATOR,
                             .not_before_ms = now_ms - 300000,
                             .not_after_ms = now_ms + OPERATOR_DAYS * DAY_MS};
  struct fed__key key;
  struct fed_buffer request, pem;
  fed_buffer_init(&request, context, 1 << 16);
  fed_buffer_init(&pem, context, 1 << 16);
  FED_TRY(fed__serial_generate(context, &grant.serial));
  FED_TRY(fed__key_generate(context, &key));
  int code = fed__request_create(&key, "operator", &request);
  if (code == FED_OK)
    code = fed__certificate_issue_client(ca, fed_buffer_slice(&request), &grant, &pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "operator.pem", fed_buffer_slice(&pem), FED__FILE_SHARED);
  if (code == FED_OK) code = write_key(context, folder, "operator.key", &key);
  if (code == FED_OK) code = record_client(context, ca, store, &pem);
  fed__key_clear(&key);
  fed_buffer_clear(&request);
  fed_buffer_clear(&pem);
  return code;
}

int fed__federation_save(const struct fed_context *context, const char *folder,
                         const struct fed__federation *federation) {
  struct fed_buffer text;
  fed_buffer_init(&text, context, 1 << 16);
  json_t *json =
      json_pack("{s:s, s:s, s:s, s:i}", "name", federation->name, "host", federation->host,
                "address", federation->address, "port", (int)federation->port);
  char *dumped = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  int code = dumped ? fed_buffer_print(&text, "%s\n", dumped)
                    : FED_RAISE(FED_E_INPUT, "name and host must be valid UTF-8");
  if (code == FED_OK)
    code = fed__file_write_in(folder, "federation.json", fed_buffer_slice(&text), FED__FILE_SHARED);
  free(dumped); /* jansson's */
  json_decref(json);
  fed_buffer_clear(&text);
  return code;
}

static int create_parts(const struct fed_context *context, const char *folder,
                        const struct fed__federation *federation, const struct fed__ca *ca) {
  char path[FED__PATH_MAX];
  struct fed__store *store = NULL;
  FED_TRY(
      fed__file_write_in(folder, "ca.pem", fed_buffer_slice(&ca->certificate), FED__FILE_SHARED));
  FED_TRY(write_key(context, folder, "ca.key", &ca->key));
  FED_TRY(make_server_identity(context, folder, ca, federation));
  FED_TRY(fed__path_join(path, sizeof path, folder, "store"));
  FED_TRY(fed__sqlite_store_open(context, path, 1, &store));
  int code = make_operator(context, folder, ca, store);
  store->ops->close(store);
  return code == FED_OK ? fed__federation_save(context, folder, federation) : code;
}

int fed__federation_create(const struct fed_context *context, const char *folder,
                           const struct fed__federation *federation) {
  char path[FED__PATH_MAX];
  struct fed__ca ca;
  FED_TRY(fed__path_join(path, sizeof path, folder, "federation.json"));
  if (fed__file_exists(path))
    return FED_RAISE(FED_E_EXISTS, "'%s' holds a federation already; choose another folder",
                     folder);
  FED_TRY(fed__folder_make(folder));
  FED_TRY(fed__ca_create(context, federation->name, CA_DAYS, &ca));
  int code = create_parts(context, folder, federation, &ca);
  fed__ca_clear(&ca);
  return code;
}

/* ---- loading -------------------------------------------------------------------------------- */

int fed__federation_load(const struct fed_context *context, const char *folder,
                         struct fed__federation *federation) {
  struct fed_buffer text;
  const char *name, *host, *address;
  int port, code = fed__file_read_in(context, folder, "federation.json", &text);
  if (code == FED_E_NOT_FOUND)
    code = FED_RAISE(FED_E_NOT_FOUND,
                     "'%s' holds no federation; make one with `fed server create "
                     "--dir %s`",
                     folder, folder);
  json_error_t error;
  json_t *json = code == FED_OK ? json_loadb((char *)text.data, text.size, 0, &error) : NULL;
  if (code == FED_OK && (!json ||
                         json_unpack(json, "{s:s, s:s, s:s, s:i}", "name", &name, "host", &host,
                                     "address", &address, "port", &port) != 0 ||
                         port < 0 || port > 65535))
    code = FED_RAISE(FED_E_SYNTAX, "'%s/federation.json': expected name, host, address and port",
                     folder);
  if (code == FED_OK) {
    snprintf(federation->name, sizeof federation->name, "%s", name);
    snprintf(federation->host, sizeof federation->host, "%s", host);
    snprintf(federation->address, sizeof federation->address, "%s", address);
    federation->port = (uint16_t)port;
  }
  json_decref(json);
  fed_buffer_clear(&text);
  return code;
}

static int open_store(const struct fed_context *context, const char *folder,
                      struct fed__store **store) {
  char path[FED__PATH_MAX];
  struct fed__federation federation;
  FED_TRY(fed__federation_load(context, folder, &federation));
  FED_TRY(fed__path_join(path, sizeof path, folder, "store"));
  return fed__sqlite_store_open(context, path, 0, store);
}

/* ---- tokens, clients ------------------------------------------------------------------------ */

static int put_token(struct fed__store *store, const struct fed__token_record *record) {
  FED_TRY(store->ops->begin(store));
  const int code = store->ops->token_put(store, record);
  if (code == FED_OK) return store->ops->commit(store, 1);
  store->ops->rollback(store);
  return code;
}

static int make_token(const struct fed_context *context, const char *folder,
                      struct fed__token *token) {
  struct fed__federation federation;
  struct fed_buffer certificate;
  char url[400];
  FED_TRY(fed__federation_load(context, folder, &federation));
  snprintf(url, sizeof url, "https://%s:%u", federation.host, federation.port);
  int code = fed__file_read_in(context, folder, "ca.pem", &certificate);
  if (code == FED_OK) code = fed__token_create(context, url, fed_buffer_slice(&certificate), token);
  fed_buffer_clear(&certificate);
  return code;
}

int fed__federation_add_token(const struct fed_context *context, const char *folder,
                              const char *name, enum fed__role role, double valid_s,
                              struct fed_buffer *out) {
  const int64_t now_ms = context->clock->wall_ms(context->clock);
  struct fed__token token;
  struct fed__store *store = NULL;
  FED_TRY(fed__name_check(name));
  FED_TRY(make_token(context, folder, &token));
  struct fed__token_record record = {.secret_hash = fed__token_secret_hash(token.secret),
                                     .role = role,
                                     .created_ms = now_ms,
                                     .expires_ms = now_ms + (int64_t)(valid_s * 1000)};
  snprintf(record.name, sizeof record.name, "%s", name);
  int code = open_store(context, folder, &store);
  if (code == FED_OK) code = put_token(store, &record);
  if (store) store->ops->close(store);
  if (code == FED_OK) code = fed__token_encode(&token, out);
  fed__token_clear(&token);
  return code;
}

static int append_client(void *data, const struct fed__client_record *record) {
  json_t *client =
      json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "name", record->name, "role",
                fed__role_name(record->role), "state",
                record->state == FED__CLIENT_ACTIVE ? "active" : "revoked", "serial",
                record->serial, "enrolled_ms", (json_int_t)record->enrolled_ms, "last_seen_ms",
                (json_int_t)record->last_seen_ms, "expires_ms", (json_int_t)record->expires_ms);
  return json_array_append_new(data, client) != 0;
}

static int append_token(void *data, const struct fed__token_record *record) {
  if (record->used_ms) return 0;
  json_t *token =
      json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", record->name, "role",
                fed__role_name(record->role), "state", "invited", "created_ms",
                (json_int_t)record->created_ms, "expires_ms", (json_int_t)record->expires_ms);
  return json_array_append_new(data, token) != 0;
}

int fed__federation_list(const struct fed_context *context, const char *folder,
                         struct fed_buffer *out) {
  struct fed__store *store = NULL;
  FED_TRY(open_store(context, folder, &store));
  json_t *list = json_array();
  int code = store->ops->client_list(store, append_client, list);
  if (code == FED_OK) code = store->ops->token_list(store, append_token, list);
  store->ops->close(store);
  char *text = code == FED_OK ? json_dumps(list, JSON_INDENT(2)) : NULL;
  if (text) code = fed_buffer_print(out, "%s\n", text);
  free(text); /* jansson's */
  json_decref(list);
  return code;
}

static int revoke(struct fed__store *store, const char *name) {
  struct fed__client_record record;
  int code = store->ops->client_find(store, name, &record);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_NOT_FOUND, "there is no client '%s'; `fed enroll list` shows all", name);
  FED_TRY(code);
  record.state = FED__CLIENT_REVOKED;
  FED_TRY(store->ops->begin(store));
  code = store->ops->client_put(store, &record);
  if (code == FED_OK) return store->ops->commit(store, 1);
  store->ops->rollback(store);
  return code;
}

int fed__federation_revoke(const struct fed_context *context, const char *folder,
                           const char *name) {
  struct fed__store *store = NULL;
  FED_TRY(open_store(context, folder, &store));
  const int code = revoke(store, name);
  store->ops->close(store);
  return code;
}
