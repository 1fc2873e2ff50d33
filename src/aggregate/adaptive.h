/* SPDX-License-Identifier: Apache-2.0
 *
 * adaptive.h: what the adaptive server optimisers share: they differ in how the second moment v
 * takes up the square of the new direction d.
 *
 *   d+ = beta1 * d + (1 - beta1) * mean;  v+ = by each rule;  x+ = x + rate * d+ / (sqrt(v+) + tau)
 *
 * Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan: Adaptive federated optimization
 * (ICLR 2021), algorithm 2: d_0 = 0 and v_0 = tau^2, without bias correction.
 */
#ifndef FED_AGGREGATE_ADAPTIVE_H
#define FED_AGGREGATE_ADAPTIVE_H

#include "aggregate/server_rule.h"

#include <math.h>

static inline const char *const *
fed__adaptive_states(const struct fed__server_rule_settings *settings) {
  static const char *const names[] = {"direction", "second_moment", NULL};
  (void)settings;
  return names;
}

static inline void fed__adaptive_start(const struct fed__server_rule_settings *settings,
                                       size_t count, float *const state[FED__SERVER_STATES_MAX]) {
  const float start = (float)(settings->adaptivity * settings->adaptivity);
  for (size_t i = 0; i < count; i++) {
    state[0][i] = 0;
    state[1][i] = start;
  }
}

/* `second`: from v, d^2 and the settings to v+. */
static inline void fed__adaptive_step(
    const struct fed__server_turn *turn,
    double (*second)(double v, double square, const struct fed__server_rule_settings *settings)) {
  const struct fed__server_rule_settings *s = turn->settings;
  for (size_t i = 0; i < turn->count; i++) {
    const double direction =
        s->beta1 * (double)turn->state[0][i] + (1 - s->beta1) * (double)turn->mean[i];
    const double moment = second((double)turn->state[1][i], direction * direction, s);
    turn->next_state[0][i] = (float)direction;
    turn->next_state[1][i] = (float)moment;
    turn->next[i] = (float)((double)turn->current[i] +
                            s->learning_rate * direction / (sqrt(moment) + s->adaptivity));
  }
}

#endif
