/* SPDX-License-Identifier: Apache-2.0
 *
 * algorithm.h: the federated algorithms: each is a rule for the clients and a rule for the server,
 * with what a job must say to use it.
 */
#ifndef FED_ROUND_ALGORITHM_H
#define FED_ROUND_ALGORITHM_H

#include "aggregate/server_rule.h"
#include "job/job.h"
#include "train/rules/client_rule.h"

struct fed__algorithm {
  const struct fed__client_rule *client;
  const struct fed__server_rule *server;
  unsigned uses; /* settings that only some algorithms look at: algorithm.c */
};

const struct fed__algorithm *fed__algorithm_of(const struct fed__job *job);

/* Does the job say what its algorithm needs, and nothing that it does not look at? FED_E_INPUT
 * naming the setting. */
FED_MUST int fed__algorithm_check(const struct fed__job *job);

void fed__algorithm_settings(const struct fed__job *job, struct fed__client_rule_settings *client,
                             struct fed__server_rule_settings *server);

#endif
