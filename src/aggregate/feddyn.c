/* SPDX-License-Identifier: Apache-2.0
 *
 * feddyn.c: the server's half of FedDyn: the mean of the clients' models, corrected by h, which
 * collects how far the clients that took part have moved.
 *
 *   h+ = h - alpha * |S| / N * mean(y_i - x);  x+ = x + mean(y_i - x) - h+ / alpha
 *
 * Acar et al.: Federated learning based on dynamic regularization (ICLR 2021), algorithm 1: its h
 * adds alpha / m times the sum over the cohort, m being the number of all clients. The server's
 * learning rate (1 there) goes with the mean.
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
    const double h = (double)turn->state[0][i] - alpha * turn->participation * mean;
    turn->next_state[0][i] = (float)h;
    turn->next[i] = (float)((double)turn->current[i] + rate * mean - h / alpha);
  }
}

const struct fed__server_rule fed__server_feddyn = {
    .name = "feddyn", .states = states, .step = step};
