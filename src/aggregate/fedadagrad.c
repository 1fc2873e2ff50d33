/* SPDX-License-Identifier: Apache-2.0
 *
 * fedadagrad.c: the server's half of FedAdagrad: squares add up, so steps only get smaller.
 *
 *   v+ = v + d^2
 *
 * Reddi et al.: Adaptive federated optimization (ICLR 2021), algorithm 2; the rest is in
 * adaptive.h.
 */
#include "aggregate/adaptive.h"

static double second_moment(double v, double square,
                            const struct fed__server_rule_settings *settings) {
  (void)settings;
  return v + square;
}

static void step(const struct fed__server_turn *turn) { fed__adaptive_step(turn, second_moment); }

const struct fed__server_rule fed__server_fedadagrad = {.name = "fedadagrad",
                                                        .states = fed__adaptive_states,
                                                        .start = fed__adaptive_start,
                                                        .step = step};
