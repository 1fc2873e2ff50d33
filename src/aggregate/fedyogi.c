/* SPDX-License-Identifier: Apache-2.0
 *
 * fedyogi.c: the server's half of FedYogi: v moves towards the square by a bounded amount, so that
 * it does not collapse when gradients become sparse.
 *
 *   v+ = v - (1 - beta2) * d^2 * sign(v - d^2)
 *
 * Reddi et al.: Adaptive federated optimization (ICLR 2021), algorithm 2; the rest is in
 * adaptive.h.
 */
#include "aggregate/adaptive.h"

static double second_moment(double v, double square,
                            const struct fed__server_rule_settings *settings) {
  const double change = (1 - settings->beta2) * square;
  return square > v ? v + change : square < v ? v - change : v;
}

static void step(const struct fed__server_turn *turn) { fed__adaptive_step(turn, second_moment); }

const struct fed__server_rule fed__server_fedyogi = {
    .name = "fedyogi", .states = fed__adaptive_states, .start = fed__adaptive_start, .step = step};
