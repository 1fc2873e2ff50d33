/* SPDX-License-Identifier: Apache-2.0
 *
 * fedbuff.c: the server's half of FedBuff: a version is made of every K updates that come in, each
 * weighted by how stale it is.
 *
 *   x+ = x + rate / K * sum over the buffer of s(t - t_i) * delta_i,  s(t) = 1 / sqrt(1 + t)
 *
 * Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba: Federated learning with buffered
 * asynchronous aggregation (AISTATS 2022), algorithm 1 and section 5 (staleness scaling). The mean
 * that comes in is weighted by s; times the mean of s, it is the sum over K.
 */
#include "aggregate/server_rule.h"

static const char *const *states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"momentum", NULL};
  return settings->momentum > 0 ? names : names + 1;
}

static void step(const struct fed__server_turn *turn) {
  struct fed__server_rule_settings settings = *turn->settings;
  struct fed__server_turn discounted = *turn;
  settings.learning_rate *= turn->discount;
  discounted.settings = &settings;
  fed__server_fedavg.step(&discounted);
}

const struct fed__server_rule fed__server_fedbuff = {
    .name = "fedbuff", .states = states, .step = step};
