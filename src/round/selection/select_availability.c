/* SPDX-License-Identifier: Apache-2.0
 *
 * select_availability.c: clients that are seldom there are preferred while they are. With s_i the
 * draws at which client i was there so far, this one included, those there are taken one after the
 * other, each time client i of those left with probability (1 / s_i) / Σ (1 / s_j) (successive
 * sampling as in select_weighted.c).
 *
 * A client that is there in a part a_i of the rounds has s_i ~ a_i, and is taken, when there, in
 * proportion to 1 / a_i: so over the run all take part about equally often, whatever their
 * availability, as far as a cohort can make up for it (weighting by inverse propensity, Horvitz and
 * Thompson 1952). To take the seldom ones first is the idea of Abdelmoniem et al. 2023, "REFL:
 * resource-efficient federated learning", who have clients predict their availability.
 */
#include "round/selection/selection.h"

static uint32_t draw_by_availability(const struct fed__draw *draw) {
  const uint64_t key = fed__rng_key(draw->seed, "cohort_availability", draw->round, draw->attempt);
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint32_t client = draw->clients[i];
    const double weight = 1.0 / draw->facts[client].seen_count;
    draw->scored[i] = (struct fed__scored){fed__score_of_weight(key, client, weight), client, 0};
  }
  fed__scored_keep_best(draw->scored, draw->count, draw->wanted);
  return fed__draw_take(draw, draw->wanted);
}

const struct fed__selection_rule fed__select_availability = {
    .name = "availability", .keeps_facts = 1, .draw = draw_by_availability};
