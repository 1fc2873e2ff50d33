/* SPDX-License-Identifier: Apache-2.0
 *
 * scaffold.c: the server's half of SCAFFOLD: the model as in FedAvg, and the control variate c,
 * which goes to the clients with the next model.
 *
 *   x+ = x + rate * mean(y_i - x);  c+ = c + |S| / N * mean(c_i+ - c_i)
 *
 * Karimireddy et al.: SCAFFOLD (ICML 2020), algorithm 1; S is the cohort, N the number of clients.
 */
#include "aggregate/server_rule.h"

static const char *const *states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"control", NULL};
  (void)settings;
  return names;
}

static void step(const struct fed__server_turn *turn) {
  const double rate = turn->settings->learning_rate;
  const double part = turn->participation / turn->settings->control_scale;
  for (size_t i = 0; i < turn->count; i++) {
    turn->next[i] = (float)((double)turn->current[i] + rate * (double)turn->mean[i]);
    turn->next_state[0][i] =
        (float)((double)turn->state[0][i] + part * (double)turn->second_mean[i]);
  }
}

const struct fed__server_rule fed__server_scaffold = {
    .name = "scaffold", .states = states, .step = step};
