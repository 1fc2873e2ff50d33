/* SPDX-License-Identifier: Apache-2.0
 *
 * fedavg.c: the server's half of FedAvg, and of all that differs from it at the clients alone
 * (FedSGD, FedProx).
 *
 *   v+ = m * v + rate * mean;  x+ = x + v+
 *
 * Without momentum and with rate 1 that is FedAvg: McMahan et al., Communication-efficient learning
 * of deep networks from decentralized data (AISTATS 2017). With momentum m it is FedAvgM: Hsu, Qi,
 * Brown, Measuring the effects of non-identical data distribution for federated visual
 * classification (2019).
 */
#include "aggregate/server_rule.h"

static const char *const *states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"momentum", NULL};
  return settings->momentum > 0 ? names : names + 1;
}

static void step(const struct fed__server_turn *turn) {
  const double rate = turn->settings->learning_rate, momentum = turn->settings->momentum;
  for (size_t i = 0; i < turn->count; i++) {
    double velocity = rate * (double)turn->mean[i];
    if (momentum > 0) {
      velocity += momentum * (double)turn->state[0][i];
      turn->next_state[0][i] = (float)velocity;
    }
    turn->next[i] = (float)((double)turn->current[i] + velocity);
  }
}

const struct fed__server_rule fed__server_fedavg = {
    .name = "fedavg", .states = states, .step = step};
