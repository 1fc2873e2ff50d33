/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h: a federation's server: it enrols clients, runs jobs round by round, keeps every
 * model version, and answers agents and operators over HTTP (docs/protocol.md). Everything it
 * must not forget is in its folder; after a kill at any moment, opening the folder again goes on.
 *
 *   folder/  federation.json  ca.key ca.pem  server.key server.pem  operator.key operator.pem
 *            store/           the database and the objects
 *
 * Threads: the server makes its own; these functions are for one thread.
 */
#ifndef FED_SERVER_H
#define FED_SERVER_H

#include "crypto/certificate.h"
#include "fed/buffer.h"

struct fed__server;

struct fed__server_options {
  const char *folder;
  const char *data_folder; /* a job's relative test folder lies below it; NULL: `folder` */
  const char *address;     /* NULL: as federation.json says */
  uint16_t port;           /* 0: as federation.json says */
  uint32_t threads;        /* 0: one per core, at most 4 */
};

FED_MUST int fed__server_open(const struct fed_context *context,
                              const struct fed__server_options *options,
                              struct fed__server **server);
const char *fed__server_url(const struct fed__server *server);
uint16_t fed__server_port(const struct fed__server *server);
void fed__server_close(struct fed__server *server);

/* What federation.json holds. */
struct fed__federation {
  char name[65];
  char host[256]; /* as clients reach it: in the certificate and in tokens */
  char address[64];
  uint16_t port;
};

/* Make a new federation in `folder`: CA, server identity, first operator, empty store.
 * FED_E_EXISTS if there is one already. */
FED_MUST int fed__federation_create(const struct fed_context *context, const char *folder,
                                    const struct fed__federation *federation);
FED_MUST int fed__federation_load(const struct fed_context *context, const char *folder,
                                  struct fed__federation *federation);
FED_MUST int fed__federation_save(const struct fed_context *context, const char *folder,
                                  const struct fed__federation *federation);

/* Work on a federation's folder beside a running server. Token: appended to `out` as text.
 * List: JSON array of clients and open tokens. Revoke: takes effect on the client's next request.
 */
FED_MUST int fed__federation_add_token(const struct fed_context *context, const char *folder,
                                       const char *name, enum fed__role role, double valid_s,
                                       struct fed_buffer *out);
FED_MUST int fed__federation_list(const struct fed_context *context, const char *folder,
                                  struct fed_buffer *json);
FED_MUST int fed__federation_revoke(const struct fed_context *context, const char *folder,
                                    const char *name);

/* An operator's own folder, anywhere:
 *   folder/  federation.json  ca.pem  operator.key (private)  operator.pem
 * Enrol: make a key, trade the token for a certificate; FED_E_EXISTS if the folder holds a
 * federation or an operator already. Renew: trade a token for a new certificate for the folder's
 * key. FED_E_ROLE if the token was for an agent; it is used up then. FED_E_TOKEN, FED_E_NETWORK …
 */
FED_MUST int fed__operator_enrol(const struct fed_context *context, const char *folder,
                                 struct fed_slice token, const char *proxy,
                                 struct fed__identity *identity);
FED_MUST int fed__operator_renew(const struct fed_context *context, const char *folder,
                                 struct fed_slice token, const char *proxy,
                                 struct fed__identity *identity);

/* Who the folder's certificate says the operator is; errors of fed__certificate_verify. */
FED_MUST int fed__operator_load(const struct fed_context *context, const char *folder,
                                struct fed__identity *identity);

#endif
