/* SPDX-License-Identifier: Apache-2.0
 *
 * feddyn.c: the server's half of FedDyn: the mean of the clients' models, corrected by h, which
 * collects how far the clients that took part have moved.
 *
 *   h+ = h - alpha * sum over the cohort of w_i * (y_i - x) / sum over all clients of w_i
 *   x+ = x + mean(y_i - x) - h+ / alpha
 *
 * Acar et al.: Federated learning based on dynamic regularization (ICLR 2021), algorithm 1, where
 * all of the m clients weigh alike: its h adds alpha / m times the sum over the cohort. The
 * server's learning rate (1 there) goes with the mean. What is kept is h times the weight of all
 * clients: the sum of w_i * g_i, as in scaffold.c.
 */
#include "aggregate/server_rule.h"

static const char *const *states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"regularizer", NULL};
  (void)settings;
  return names;
}

static void step(const struct fed__server_turn *turn) {
  const double alpha = turn->settings->regularizer, rate = turn->settings->learning_rate;
  for (size_t i = 0; i < turn->count; i++) {
    const double mean = (double)turn->mean[i];
    const double sum = (double)turn->state[0][i] - alpha * turn->weight_sum * mean;
    const double h = sum / turn->weight_of_all;
    turn->next_state[0][i] = (float)sum;
    turn->next[i] = (float)((double)turn->current[i] + rate * mean - h / alpha);
  }
}

const struct fed__server_rule fed__server_feddyn = {
    .name = "feddyn", .counts_all = 1, .states = states, .step = step};
