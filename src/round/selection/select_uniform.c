/* SPDX-License-Identifier: Apache-2.0
 *
 * select_uniform.c: every set of `wanted` clients is as likely as any other: each of the n that are
 * there takes part with probability wanted / n (McMahan et al. 2017, "Communication-efficient
 * learning of deep networks from decentralized data", algorithm 1).
 *
 * Looks at no facts. O(wanted); O(wanted^2) by ranks.
 */
#include "round/selection/selection.h"

static uint32_t draw_uniform(const struct fed__draw *draw) {
  struct fed_rng rng;
  fed__rng_init(&rng, draw->seed, "cohort", draw->round, draw->attempt);
  fed__rng_sample(&rng, draw->clients, draw->count, draw->wanted);
  return draw->wanted;
}

static void draw_uniform_ranks(const struct fed__draw *draw, uint32_t *ranks) {
  struct fed_rng rng;
  fed__rng_init(&rng, draw->seed, "cohort", draw->round, draw->attempt);
  fed__rng_sample_ranks(&rng, draw->count, draw->wanted, ranks);
}

const struct fed__selection_rule fed__select_uniform = {
    .name = "uniform", .draw = draw_uniform, .draw_ranks = draw_uniform_ranks};
