/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_operator.c: fed operator enroll|renew|show: an operator's own folder.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/raise.h"
#include "crypto/secret.h"
#include "crypto/token.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"
#include "server/server.h"

#include <string.h>

static void print_identity(const struct fed__invocation *invocation,
                           const struct fed__identity *identity) {
  char key[FED__PUBLIC_KEY_HEX_SIZE], until[32];
  fed__public_key_encode(&identity->key, key);
  if (invocation->json) {
    printf(
        "{\"name\":\"%s\",\"role\":\"%s\",\"key\":\"%s\",\"serial\":\"%s\",\"expires_ms\":%lld}\n",
        identity->name, fed__role_name(identity->role), key, identity->serial,
        (long long)identity->not_after_ms);
    return;
  }
  fed__format_time(identity->not_after_ms, until);
  printf("name         %s\nrole         %s\nkey          %s\nvalid until  %.10s\n", identity->name,
         fed__role_name(identity->role), key, until);
}

typedef int take_token_fn(const struct fed_context *context, const char *folder,
                          struct fed_slice token, const char *proxy,
                          struct fed__identity *identity);

static int take_token(struct fed__invocation *invocation, take_token_fn *take) {
  const char *file = fed__option_text(invocation, "token");
  struct fed__identity identity;
  struct fed_buffer token;
  if (!file) return FED_RAISE(FED_E_USAGE, "--token FILE is needed ('-' reads standard input)");
  fed_buffer_init(&token, invocation->context, FED__TOKEN_TEXT_MAX);
  int code = fed__file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, &token);
  if (code == FED_OK)
    code = take(invocation->context, fed__option_text(invocation, "dir"), fed_buffer_slice(&token),
                fed__option_text(invocation, "proxy"), &identity);
  fed__secret_buffer_clear(&token);
  if (code == FED_OK && !invocation->quiet) print_identity(invocation, &identity);
  return code;
}

static int enroll(struct fed__invocation *invocation) {
  return take_token(invocation, fed__operator_enrol);
}

static int renew(struct fed__invocation *invocation) {
  return take_token(invocation, fed__operator_renew);
}

static int show(struct fed__invocation *invocation) {
  struct fed__identity identity;
  FED_TRY(fed__operator_load(invocation->context, fed__option_text(invocation, "dir"), &identity));
  print_identity(invocation, &identity);
  return FED_OK;
}

static const struct fed__option token_options[] = {
    {"dir", "FOLDER", "the operator's folder", "federation"},
    {"token", "FILE", "the enrolment token; '-' reads standard input", NULL},
    {"proxy", "URL", "HTTP proxy; else https_proxy of the environment", NULL},
    {0}};
static const struct fed__option dir_options[] = {FED__DIR_OPTION, {0}};
static const char *const enroll_examples[] = {
    "fed operator enroll --dir hearts --token maria.token",
    "make a key, trade the token for a certificate; then: fed job list --dir hearts", NULL};
static const char *const renew_examples[] = {
    "fed operator renew --dir hearts --token maria.token",
    "a new certificate for the same key, before the old one expires or after", NULL};

const struct fed__command fed__operator_commands[3] = {
    {"operator enroll", "", "become an operator with a token",
     "For a token made with `fed enroll token NAME --role operator`. The private key is made here "
     "and never leaves the folder, which the other commands then take as --dir.",
     token_options, enroll_examples, 0, 0, enroll},
    {"operator renew", "", "a new certificate for the folder's operator, with a token",
     "The key stays, so policies that name it need no change.", token_options, renew_examples, 0, 0,
     renew},
    {"operator show", "", "show name, key and validity of the folder's operator",
     "The key is what a policy's allow.signer_keys lists.", dir_options, NULL, 0, 0, show},
};
