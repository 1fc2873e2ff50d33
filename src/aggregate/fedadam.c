/* SPDX-License-Identifier: Apache-2.0
 *
 * fedadam.c: the server's half of FedAdam: a running mean of the squares.
 *
 *   v+ = beta2 * v + (1 - beta2) * d^2
 *
 * Reddi et al.: Adaptive federated optimization (ICLR 2021), algorithm 2; the rest is in
 * adaptive.h.
 */
#include "aggregate/adaptive.h"

static double second_moment(double v, double square,
                            const struct fed__server_rule_settings *settings) {
  return settings->beta2 * v + (1 - settings->beta2) * square;
}

static void step(const struct fed__server_turn *turn) { fed__adaptive_step(turn, second_moment); }

const struct fed__server_rule fed__server_fedadam = {
    .name = "fedadam", .states = fed__adaptive_states, .start = fed__adaptive_start, .step = step};
