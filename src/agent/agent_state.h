/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_state.h: what the agent's files share.
 */
#ifndef FED_AGENT_STATE_H
#define FED_AGENT_STATE_H

#include "agent/agent.h"
#include "agent/worker.h"
#include "net/federation_client.h"

#define FED__AGENT_REFUSALS_MAX 32

/* Who this agent is, from its folder. */
struct fed__agent_identity {
  char name[FED__NAME_MAX + 1];
  char url[512];
  struct fed_buffer ca_der, certificate, key;
};

FED_MUST int fed__agent_identity_load(const struct fed_context *context, const char *folder,
                                      struct fed__agent_identity *identity);
void fed__agent_identity_clear(struct fed__agent_identity *identity);

/* An object that the next task probably names again: the plan, the graph. */
struct fed__agent_object {
  struct fed__digest hash;
  struct fed_buffer bytes;
};

/* An approval that was found good: of these objects, by this signer, and not looked at again before
 * `until_ms` (wall clock). */
struct fed__agent_approved {
  struct fed__digest approval, plan, graph;
  struct fed__identity signer;
  int64_t from_ms, until_ms; /* both 0: none yet */
};

struct fed__agent_refusal {
  char job[FED__NAME_MAX + 1];
  int code;
  char reason[512];
};

struct fed__agent {
  const struct fed_context *context;
  const struct fed__agent_options *options;
  struct fed__agent_identity identity;
  struct fed__policy policy;
  struct fed__http_client *client;
  struct fed__worker worker;
  struct fed__agent_object plan, graph, approval, parameters, server_state;
  struct fed__agent_approved approved;
  struct fed__agent_refusal refusals[FED__AGENT_REFUSALS_MAX]; /* a ring */
  size_t refusal_count;
  uint64_t *example_counts; /* by data set of the policy: 0 until opened */
};

/* Hold the task against the policy, do it, send the update. Failures that the server should know
 * of have been reported when this returns. */
FED_MUST int fed__agent_do_task(struct fed__agent *agent, const Fed__Task *task);

int fed__agent_stopping(void *agent);

#endif
