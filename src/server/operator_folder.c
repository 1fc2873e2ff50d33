/* SPDX-License-Identifier: Apache-2.0
 *
 * operator_folder.c: becoming an operator: the key is made here and never leaves; the certificate
 * comes for a token. A renewed certificate is for the same key, which policies may name.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/secret.h"
#include "net/federation_client.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parts ---------------------------------------------------------------------------------- */

static struct fed_slice authority_of(const struct fed__token *token) {
  return fed_slice_of(token->ca_certificate, token->ca_certificate_size);
}

/* The reverse of what a token's URL is made of: https://HOST:PORT. */
static int describe_federation(const struct fed__token *token, struct fed__federation *federation) {
  const char *host = token->url + strlen("https://"); /* the token's reader has looked */
  const char *colon = strrchr(host, ':');
  char *end = NULL;
  const long port = colon ? strtol(colon + 1, &end, 10) : 0;
  if (port < 1 || port > 65535 || *end || (size_t)(colon - host) >= sizeof federation->host)
    return FED_RAISE(FED_E_TOKEN, "expected https://HOST:PORT in the token, found '%s'",
                     token->url);
  *federation = (struct fed__federation){.port = (uint16_t)port};
  snprintf(federation->host, sizeof federation->host, "%.*s", (int)(colon - host), host);
  snprintf(federation->address, sizeof federation->address, "%s", "127.0.0.1");
  return fed__certificate_federation(authority_of(token), federation->name);
}

/* A certificate for the key, and who it says its owner is. */
static int trade(const struct fed_context *context, const struct fed__token *token,
                 const struct fed__key *key, const char *proxy, struct fed_buffer *pem,
                 struct fed__identity *identity) {
  Fed__EnrolReply *reply = NULL;
  FED_TRY(fed__federation_enrol_by_token(context, token, key, proxy, &reply));
  int code = fed__certificate_verify(authority_of(token), fed_slice_of_text(reply->certificate),
                                     context->clock->wall_ms(context->clock), identity);
  if (code == FED_OK && identity->role != FED__ROLE_OPERATOR)
    code = FED_RAISE(FED_E_ROLE,
                     "the token was for the agent '%s', not for an operator; ask for one made with "
                     "`fed enroll token NAME --role operator`",
                     identity->name);
  if (code == FED_OK) code = fed_buffer_append(pem, reply->certificate, strlen(reply->certificate));
  fed__wire_free(context, reply);
  return code;
}

static int write_certificate(const char *folder, const struct fed_buffer *pem) {
  return fed__file_write_in(folder, "operator.pem", fed_buffer_slice(pem), FED__FILE_SHARED);
}

/* ---- enrolling ------------------------------------------------------------------------------ */

static int write_key(const struct fed_context *context, const char *folder,
                     const struct fed__key *key) {
  struct fed_buffer pem;
  fed_buffer_init(&pem, context, 1 << 16);
  int code = fed__key_encode(key, &pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "operator.key", fed_buffer_slice(&pem), FED__FILE_PRIVATE);
  fed__secret_buffer_clear(&pem);
  return code;
}

static int write_authority(const struct fed_context *context, const char *folder,
                           const struct fed__token *token) {
  struct fed_buffer pem;
  fed_buffer_init(&pem, context, 1 << 16);
  int code = fed__certificate_encode_pem(authority_of(token), &pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "ca.pem", fed_buffer_slice(&pem), FED__FILE_SHARED);
  fed_buffer_clear(&pem);
  return code;
}

/* federation.json comes last: a folder without it holds no operator yet. */
static int enrol_with(const struct fed_context *context, const char *folder,
                      const struct fed__token *token, const char *proxy,
                      struct fed__identity *identity) {
  struct fed__federation federation;
  struct fed_buffer pem;
  struct fed__key key;
  FED_TRY(describe_federation(token, &federation));
  FED_TRY(fed__folder_make(folder));
  FED_TRY(fed__key_generate(context, &key));
  fed_buffer_init(&pem, context, 1 << 16);
  int code = trade(context, token, &key, proxy, &pem, identity);
  if (code == FED_OK) code = write_key(context, folder, &key);
  if (code == FED_OK) code = write_authority(context, folder, token);
  if (code == FED_OK) code = write_certificate(folder, &pem);
  if (code == FED_OK) code = fed__federation_save(context, folder, &federation);
  fed__key_clear(&key);
  fed_buffer_clear(&pem);
  return code;
}

int fed__operator_enrol(const struct fed_context *context, const char *folder,
                        struct fed_slice text, const char *proxy, struct fed__identity *identity) {
  char path[FED__PATH_MAX];
  struct fed__token token;
  FED_TRY(fed__path_join(path, sizeof path, folder, "federation.json"));
  if (fed__file_exists(path))
    return FED_RAISE(FED_E_EXISTS,
                     "'%s' holds a federation or an operator already; choose another folder, or "
                     "renew its certificate with `fed operator renew`",
                     folder);
  FED_TRY(fed__token_decode(context, text, &token));
  const int code = enrol_with(context, folder, &token, proxy, identity);
  fed__token_clear(&token);
  return code;
}

/* ---- renewing, loading ---------------------------------------------------------------------- */

/* Before the token is used up: is it of this federation? */
static int check_authority(const struct fed_context *context, const char *folder,
                           const struct fed__token *token) {
  struct fed_buffer pem, der;
  int code = fed__file_read_in(context, folder, "ca.pem", &pem);
  fed_buffer_init(&der, context, 1 << 16);
  if (code == FED_OK) code = fed__certificate_encode_der(fed_buffer_slice(&pem), &der);
  if (code == FED_OK && (der.size != token->ca_certificate_size ||
                         memcmp(der.data, token->ca_certificate, der.size) != 0))
    code = FED_RAISE(FED_E_CERTIFICATE,
                     "the token is of another federation than '%s'; `fed operator enroll` joins it "
                     "in a folder of its own",
                     folder);
  fed_buffer_clear(&der);
  fed_buffer_clear(&pem);
  return code;
}

static int read_key(const struct fed_context *context, const char *folder, struct fed__key *key) {
  struct fed_buffer pem;
  int code = fed__file_read_in(context, folder, "operator.key", &pem);
  if (code == FED_OK) code = fed__key_decode(fed_buffer_slice(&pem), key);
  fed__secret_buffer_clear(&pem);
  return code;
}

static int renew_with(const struct fed_context *context, const char *folder,
                      const struct fed__token *token, const char *proxy,
                      struct fed__identity *identity) {
  struct fed_buffer pem;
  struct fed__key key;
  FED_TRY(check_authority(context, folder, token));
  FED_TRY(read_key(context, folder, &key));
  fed_buffer_init(&pem, context, 1 << 16);
  int code = trade(context, token, &key, proxy, &pem, identity);
  if (code == FED_OK) code = write_certificate(folder, &pem);
  fed__key_clear(&key);
  fed_buffer_clear(&pem);
  return code;
}

int fed__operator_renew(const struct fed_context *context, const char *folder,
                        struct fed_slice text, const char *proxy, struct fed__identity *identity) {
  struct fed__token token;
  FED_TRY(fed__token_decode(context, text, &token));
  const int code = renew_with(context, folder, &token, proxy, identity);
  fed__token_clear(&token);
  return code;
}

int fed__operator_load(const struct fed_context *context, const char *folder,
                       struct fed__identity *identity) {
  struct fed_buffer ca = {0}, certificate = {0};
  int code = fed__file_read_in(context, folder, "ca.pem", &ca);
  if (code == FED_OK) code = fed__file_read_in(context, folder, "operator.pem", &certificate);
  if (code == FED_OK)
    code = fed__certificate_verify(fed_buffer_slice(&ca), fed_buffer_slice(&certificate),
                                   context->clock->wall_ms(context->clock), identity);
  fed_buffer_clear(&ca);
  fed_buffer_clear(&certificate);
  return code;
}
