/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h: the data owner's side of a federation: it enrols once, then asks the server for
 * tasks, holds each against the owner's policy, trains, and sends only what the policy and the
 * job's stages leave of the update.
 *
 *   folder/  agent.json  agent.key (private)  agent.pem  ca.pem
 *
 * The agent process itself is small and has one thread; training happens in a child process with
 * limits on memory, processor time and wall-clock time, which goes away when there is no work.
 */
#ifndef FED_AGENT_H
#define FED_AGENT_H

#include "fed/buffer.h"

/* Make a key, trade the token for a certificate, write both into `folder` (made if missing).
 * FED_E_EXISTS if the folder holds an identity already, FED_E_TOKEN, FED_E_NETWORK … */
FED_MUST int fed__agent_enrol(const struct fed_context *context, const char *folder,
                              struct fed_slice token, const char *proxy);

struct fed__agent_options {
  const char *folder;
  const char *policy_file;
  const char *proxy;           /* NULL: from the environment */
  int (*stopping)(void *data); /* asked often; non-zero ends the run */
  void *stopping_data;
};

/* Work until `stopping` says so: network failures and server restarts are waited out. Returns
 * FED_OK then; FED_E_REVOKED when the federation has put this agent out; other failures only for
 * what cannot get better by itself (no identity, wrong policy file). */
FED_MUST int fed__agent_run(const struct fed_context *context,
                            const struct fed__agent_options *options);

#endif
