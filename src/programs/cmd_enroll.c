/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_enroll.c: fed enroll token|list|revoke: works on the federation's folder, beside a running
 * server.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/raise.h"
#include "crypto/secret.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"
#include "server/server.h"

static int print_token(struct fed__invocation *invocation, const struct fed_buffer *token) {
  const char *file = fed__option_text(invocation, "out");
  if (file) return fed__file_write(file, fed_buffer_slice(token), FED__FILE_PRIVATE);
  printf("%.*s\n", (int)token->size, (char *)token->data);
  return FED_OK;
}

static int make_token(struct fed__invocation *invocation) {
  enum fed__role role;
  double hours = 24;
  struct fed_buffer token;
  FED_TRY(fed__role_parse(fed__option_text(invocation, "role"), &role));
  FED_TRY(fed__option_number(invocation, "hours", 0.01, 24 * 365, &hours));
  fed_buffer_init(&token, invocation->context, 1 << 16);
  int code = fed__federation_add_token(invocation->context, fed__option_text(invocation, "dir"),
                                       invocation->arguments[0], role, hours * 3600, &token);
  if (code == FED_OK) code = print_token(invocation, &token);
  fed__secret_buffer_clear(&token);
  return code;
}

static void print_client(const json_t *client) {
  char until[32];
  fed__format_time(json_integer_value(json_object_get(client, "expires_ms")), until);
  until[10] = '\0';
  printf("%-24s %-9s %-8s until %s\n", json_string_value(json_object_get(client, "name")),
         json_string_value(json_object_get(client, "role")),
         json_string_value(json_object_get(client, "state")), until);
}

static int list(struct fed__invocation *invocation) {
  struct fed_buffer text;
  size_t index;
  json_t *client;
  fed_buffer_init(&text, invocation->context, (size_t)64 << 20);
  int code = fed__federation_list(invocation->context, fed__option_text(invocation, "dir"), &text);
  json_t *clients = code == FED_OK ? json_loadb((char *)text.data, text.size, 0, NULL) : NULL;
  if (code == FED_OK && invocation->json) fwrite(text.data, 1, text.size, stdout);
  if (code == FED_OK && !invocation->json)
    json_array_foreach(clients, index, client) print_client(client);
  json_decref(clients);
  fed_buffer_clear(&text);
  return code;
}

static int revoke(struct fed__invocation *invocation) {
  FED_TRY(fed__federation_revoke(invocation->context, fed__option_text(invocation, "dir"),
                                 invocation->arguments[0]));
  if (!invocation->quiet)
    printf("revoked '%s': its next request is refused\n", invocation->arguments[0]);
  return FED_OK;
}

static const struct fed__option token_options[] = {
    FED__DIR_OPTION,
    {"role", "ROLE", "agent or operator", "agent"},
    {"hours", "HOURS", "how long the token can be used", "24"},
    {"out", "FILE", "write the token there, readable by you only", NULL},
    {0}};
static const struct fed__option dir_options[] = {FED__DIR_OPTION, {0}};
static const char *const token_examples[] = {
    "fed enroll token hospital-a --out hospital-a.token",
    "invite hospital-a; give it the file over a channel that you trust", NULL};
static const char *const revoke_examples[] = {"fed enroll revoke hospital-a", "put hospital-a out",
                                              NULL};

const struct fed__command fed__enroll_commands[3] = {
    {"enroll token", "NAME", "invite a client: print a single-use token",
     "Whoever holds the token can enrol under NAME, once. Enrolling NAME again replaces its "
     "certificate.",
     token_options, token_examples, 1, 1, make_token},
    {"enroll list", "", "list clients and open invitations", NULL, dir_options, NULL, 0, 0, list},
    {"enroll revoke", "NAME", "put a client out; takes effect on its next request", NULL,
     dir_options, revoke_examples, 1, 1, revoke},
};
