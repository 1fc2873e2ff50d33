/* SPDX-License-Identifier: Apache-2.0
 *
 * scaffold.c: the server's half of SCAFFOLD: the model as in FedAvg, and the control variate c.
 *
 *   x+ = x + rate * mean(y_i - x);  c = sum over all clients of w_i * c_i / sum of w_i
 *
 * Karimireddy et al.: SCAFFOLD (ICML 2020), algorithm 1, where clients weigh alike and c moves by
 * |S| / N of the mean over the cohort S. What is kept is the sum of w_i * c_i: of those who take
 * part its change is known, whatever the others weigh, and c is the mean over all clients after
 * every round. Adding |S| / N of the cohort's weighted mean to c itself would count a client's
 * change by who else was there. The clients get c (fed__plan_vector_down).
 */
#include "aggregate/server_rule.h"

static const char *const *states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"control", NULL};
  (void)settings;
  return names;
}

static void step(const struct fed__server_turn *turn) {
  const double rate = turn->settings->learning_rate;
  const double part = turn->weight_sum / turn->settings->control_scale;
  for (size_t i = 0; i < turn->count; i++) {
    turn->next[i] = (float)((double)turn->current[i] + rate * (double)turn->mean[i]);
    turn->next_state[0][i] =
        (float)((double)turn->state[0][i] + part * (double)turn->second_mean[i]);
  }
}

const struct fed__server_rule fed__server_scaffold = {
    .name = "scaffold", .counts_all = 1, .states = states, .step = step};
