/* SPDX-License-Identifier: Apache-2.0
 *
 * fednova.c: the server's half of FedNova: the mean of the normalised changes d_i, times how far
 * the clients went on average.
 *
 *   x+ = x + rate * mean(tau_i) * mean(d_i)
 *
 * Wang et al.: Tackling the objective inconsistency problem in heterogeneous federated optimization
 * (NeurIPS 2020), equation 7 with tau_eff = sum over i of p_i * tau_i, where p_i are the weights
 * (with momentum or plain SGD as in its section 5: tau_i stands for |a_i|_1).
 */
#include "aggregate/server_rule.h"

static void step(const struct fed__server_turn *turn) {
  const double rate =
      turn->settings->learning_rate * turn->scalar_mean / turn->settings->steps_scale;
  for (size_t i = 0; i < turn->count; i++)
    turn->next[i] = (float)((double)turn->current[i] + rate * (double)turn->mean[i]);
}

const struct fed__server_rule fed__server_fednova = {.name = "fednova", .step = step};
