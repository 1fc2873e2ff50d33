/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c: enrolling: the key is made here and never leaves; the certificate comes back.
 */
#include "agent/agent_state.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/certificate.h"
#include "crypto/secret.h"
#include "crypto/token.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- enrolling ------------------------------------------------------------------------------ */

static int write_settings(const char *folder, const char *name, const char *url) {
  json_t *json = json_pack("{s:s, s:s}", "name", name, "url", url);
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  const int code =
      text ? fed__file_write_in(folder, "agent.json", fed_slice_of_text(text), FED__FILE_SHARED)
           : FED_RAISE(FED_E_MEMORY, "out of memory for agent.json");
  free(text); /* jansson's */
  json_decref(json);
  return code;
}

/* agent.json comes last: a folder without it holds no identity yet. */
static int write_identity(const struct fed_context *context, const char *folder,
                          const struct fed__token *token, const struct fed__key *key,
                          const Fed__EnrolReply *reply) {
  struct fed_buffer key_pem, ca_pem;
  fed_buffer_init(&key_pem, context, 1 << 16);
  fed_buffer_init(&ca_pem, context, 1 << 16);
  int code = fed__key_encode(key, &key_pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "agent.key", fed_buffer_slice(&key_pem), FED__FILE_PRIVATE);
  if (code == FED_OK)
    code = fed__certificate_encode_pem(
        fed_slice_of(token->ca_certificate, token->ca_certificate_size), &ca_pem);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "ca.pem", fed_buffer_slice(&ca_pem), FED__FILE_SHARED);
  if (code == FED_OK)
    code = fed__file_write_in(folder, "agent.pem", fed_slice_of_text(reply->certificate),
                              FED__FILE_SHARED);
  if (code == FED_OK) code = write_settings(folder, reply->name, token->url);
  fed__secret_buffer_clear(&key_pem);
  fed_buffer_clear(&ca_pem);
  return code;
}

static int enrol_with(const struct fed_context *context, const char *folder,
                      const struct fed__token *token, const char *proxy) {
  Fed__EnrolReply *reply = NULL;
  struct fed__key key;
  FED_TRY(fed__key_generate(context, &key));
  int code = fed__federation_enrol_by_token(context, token, &key, proxy, &reply);
  if (code == FED_OK) code = write_identity(context, folder, token, &key, reply);
  if (code == FED_OK)
    fed__log(context, FED_LOG_INFO, "agent.enrolled", "s:s, s:s", "name", reply->name, "server",
             token->url);
  fed__wire_free(context, reply);
  fed__key_clear(&key);
  return code;
}

int fed__agent_enrol(const struct fed_context *context, const char *folder, struct fed_slice text,
                     const char *proxy) {
  char path[FED__PATH_MAX];
  struct fed__token token;
  FED_TRY(fed__path_join(path, sizeof path, folder, "agent.json"));
  if (fed__file_exists(path))
    return FED_RAISE(FED_E_EXISTS,
                     "'%s' holds an identity already; remove the folder to enrol anew", folder);
  FED_TRY(fed__token_decode(context, text, &token));
  int code = fed__folder_make(folder);
  if (code == FED_OK) code = enrol_with(context, folder, &token, proxy);
  fed__token_clear(&token);
  return code;
}

/* ---- loading -------------------------------------------------------------------------------- */

static int load_settings(const struct fed_context *context, const char *folder,
                         struct fed__agent_identity *identity) {
  struct fed_buffer text;
  const char *name, *url;
  int code = fed__file_read_in(context, folder, "agent.json", &text);
  if (code == FED_E_NOT_FOUND)
    code = FED_RAISE(FED_E_NOT_FOUND,
                     "'%s' holds no identity; enrol first: fed-agent enroll --dir "
                     "%s --token FILE",
                     folder, folder);
  json_t *json = code == FED_OK ? json_loadb((char *)text.data, text.size, 0, NULL) : NULL;
  if (code == FED_OK && (!json || json_unpack(json, "{s:s, s:s}", "name", &name, "url", &url) != 0))
    code = FED_RAISE(FED_E_SYNTAX, "'%s/agent.json': expected name and url", folder);
  if (code == FED_OK) {
    snprintf(identity->name, sizeof identity->name, "%s", name);
    snprintf(identity->url, sizeof identity->url, "%s", url);
  }
  json_decref(json);
  fed_buffer_clear(&text);
  return code;
}

int fed__agent_identity_load(const struct fed_context *context, const char *folder,
                             struct fed__agent_identity *identity) {
  struct fed_buffer ca_pem;
  *identity = (struct fed__agent_identity){0};
  FED_TRY(load_settings(context, folder, identity));
  FED_TRY(fed__file_read_in(context, folder, "agent.pem", &identity->certificate));
  FED_TRY(fed__file_read_in(context, folder, "agent.key", &identity->key));
  int code = fed__file_read_in(context, folder, "ca.pem", &ca_pem);
  fed_buffer_init(&identity->ca_der, context, 1 << 16);
  if (code == FED_OK)
    code = fed__certificate_encode_der(fed_buffer_slice(&ca_pem), &identity->ca_der);
  fed_buffer_clear(&ca_pem);
  return code;
}

void fed__agent_identity_clear(struct fed__agent_identity *identity) {
  fed_buffer_clear(&identity->ca_der);
  fed_buffer_clear(&identity->certificate);
  if (identity->key.data) fed__secret_buffer_clear(&identity->key);
}
