/* SPDX-License-Identifier: Apache-2.0
 *
 * enrol.c: a newcomer trades the secret of a single-use token and a certificate request for a
 * certificate. What the certificate says comes from the token's record, not from the request.
 */
#include "base/raise.h"
#include "crypto/token.h"
#include "server/server_state.h"

#define CERTIFICATE_DAYS 365

/* A certificate for the token's owner, and its record. */
static int issue(struct fed__server *server, const struct fed__token_record *token,
                 struct fed_slice request, struct fed_buffer *pem,
                 struct fed__client_record *record) {
  const int64_t now_ms = server->context->clock->wall_ms(server->context->clock);
  struct fed__grant grant = {.name = token->name,
                             .role = token->role,
                             .not_before_ms = now_ms - 300000, /* for clocks that run behind */
                             .not_after_ms = now_ms + (int64_t)CERTIFICATE_DAYS * 86400000};
  struct fed__identity identity;
  struct fed_buffer der;
  FED_TRY(fed__serial_generate(server->context, &grant.serial));
  FED_TRY(fed__certificate_issue_client(&server->ca, request, &grant, pem));
  fed_buffer_init(&der, server->context, 1 << 16);
  int code = fed__certificate_encode_der(fed_buffer_slice(pem), &der);
  if (code == FED_OK)
    code = fed__certificate_verify(fed_buffer_slice(&server->ca_der), fed_buffer_slice(&der),
                                   now_ms, &identity);
  fed_buffer_clear(&der);
  FED_TRY(code);
  *record = (struct fed__client_record){.role = token->role,
                                        .state = FED__CLIENT_ACTIVE,
                                        .fingerprint = identity.fingerprint,
                                        .enrolled_ms = now_ms,
                                        .expires_ms = identity.not_after_ms};
  snprintf(record->name, sizeof record->name, "%s", token->name);
  snprintf(record->serial, sizeof record->serial, "%s", identity.serial);
  return FED_OK;
}

/* Token and client change in one transaction: a token is used up if and only if its owner is in. */
static int enrol(struct fed__server *server, const Fed__EnrolRequest *request,
                 struct fed__token_record *token, struct fed_buffer *pem) {
  struct fed__client_record record;
  uint32_t number;
  FED_TRY(fed__wire_check_protocol(request->protocol));
  const struct fed__digest hash = fed__token_secret_hash(request->secret.data);
  FED_TRY(fed__server_write(server, 1));
  FED_TRY(server->store->ops->token_use(
      server->store, &hash, server->context->clock->wall_ms(server->context->clock), token));
  FED_TRY(issue(server, token, fed__wire_slice(request->request), pem, &record));
  FED_TRY(server->store->ops->client_put(server->store, &record));
  if (token->role == FED__ROLE_AGENT)
    FED_TRY(fed__roster_number(&server->roster, token->name, &number));
  fed__server_event(server, "", "client.enrolled", "s:s, s:s, s:s", "client", token->name, "role",
                    fed__role_name(token->role), "serial", record.serial);
  return FED_OK;
}

void fed__handle_enrol(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed__token_record token;
  struct fed_buffer pem;
  ProtobufCMessage *request = NULL;
  fed_buffer_init(&pem, server->context, 1 << 16);
  int code = fed__wire_decode(server->context, &fed__enrol_request__descriptor,
                              fed__http_body(exchange), &request);
  if (code == FED_OK) code = enrol(server, (Fed__EnrolRequest *)request, &token, &pem);
  if (code == FED_OK) {
    Fed__EnrolReply reply = FED__ENROL_REPLY__INIT;
    reply.name = token.name;
    reply.certificate = (char *)(uintptr_t)fed_buffer_text(&pem);
    fed__answer_message(exchange, server->context, &reply.base);
  } else {
    fed__server_undo(server);
    fed__http_answer_failure(exchange, 0);
  }
  fed__wire_free(server->context, request);
  fed_buffer_clear(&pem);
}
