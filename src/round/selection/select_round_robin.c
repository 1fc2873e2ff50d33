/* SPDX-License-Identifier: Apache-2.0
 *
 * select_round_robin.c: whoever was not chosen for longest is next, those never chosen before all
 * others: by the round in which they were chosen last, then by how often they were chosen, then in
 * an order that is drawn once from the job's seed, and stays. Where all clients are there each
 * time, all have been chosen equally often at any moment, give or take one (the scheduler of
 * time-sharing systems; for federated learning Yang et al. 2020, "Scheduling policies for federated
 * learning in wireless networks").
 */
#include "round/selection/selection.h"

#define COUNT_STEPS 0x1p20 /* counts are below: as many rounds as a job can have */

static double priority_of(const struct fed__client_facts *facts) {
  return -((double)facts->chosen_round * COUNT_STEPS + (double)facts->chosen_count);
}

static uint32_t draw_round_robin(const struct fed__draw *draw) {
  const uint64_t key = fed__rng_key(draw->seed, "cohort_round_robin", 0, 0);
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint32_t client = draw->clients[i];
    draw->scored[i] = (struct fed__scored){.score = priority_of(&draw->facts[client]),
                                           .client = client,
                                           .tie = (uint32_t)(fed__rng_at(key, client) >> 32)};
  }
  fed__scored_keep_best(draw->scored, draw->count, draw->wanted);
  return fed__draw_take(draw, draw->wanted);
}

const struct fed__selection_rule fed__select_round_robin = {
    .name = "round_robin", .keeps_facts = 1, .draw = draw_round_robin};
