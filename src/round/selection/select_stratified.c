/* SPDX-License-Identifier: Apache-2.0
 *
 * select_stratified.c: each group of clients has its part of the cohort. Group g with n_g of the n
 * clients that are there gets its quota wanted n_g / n, rounded down or up: the seats of the groups
 * before it and its own are
 *   floor((wanted (n_1 + … + n_g) + o) / n), with o uniform in 0 … n-1,
 * so that a quota that is whole is met exactly, and each client takes part with probability wanted
 * / n in any case (systematic sampling of the remainders: Madow 1949, "On the theory of systematic
 * sampling, II"). Within a group the draw is uniform (proportional allocation: Cochran 1977,
 * "Sampling techniques", chapter 5).
 *
 * A group is a pattern of clients' names (rounds.selection.groups): names are given when a client
 * is enrolled, so that none can choose its group.
 */
#include "job/selection_section.h"
#include "round/selection/selection.h"

#define STARTS (FED__SELECTION_GROUPS_MAX + 2)

/* Group by group into `scored`; group g begins at starts[g]. */
static void sort_by_group(const struct fed__draw *draw, uint32_t groups, uint32_t starts[STARTS]) {
  uint32_t next[STARTS] = {0};
  for (uint32_t i = 0; i < draw->count; i++) next[draw->facts[draw->clients[i]].group + 1]++;
  for (uint32_t g = 0; g < groups; g++) next[g + 1] += next[g];
  memcpy(starts, next, sizeof next);
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint32_t client = draw->clients[i];
    draw->scored[next[draw->facts[client].group]++].client = client;
  }
}

static uint32_t draw_stratified(const struct fed__draw *draw) {
  const uint32_t groups = (uint32_t)draw->settings->group_count + 1;
  uint32_t starts[STARTS], drawn = 0;
  struct fed_rng rng;
  if (draw->count == 0) return 0;
  fed__rng_init(&rng, draw->seed, "cohort_stratified", draw->round, draw->attempt);
  const uint64_t offset = fed__rng_below(&rng, draw->count);
  sort_by_group(draw, groups, starts);
  for (uint32_t i = 0; i < draw->count; i++) draw->clients[i] = draw->scored[i].client;
  for (uint32_t g = 0; g < groups; g++) {
    const uint64_t seats_end = ((uint64_t)draw->wanted * starts[g + 1] + offset) / draw->count;
    const uint32_t seats = (uint32_t)seats_end - drawn;
    fed__rng_sample(&rng, draw->clients + starts[g], starts[g + 1] - starts[g], seats);
    for (uint32_t i = 0; i < seats; i++)
      draw->scored[drawn++].client = draw->clients[starts[g] + i];
  }
  return fed__draw_take(draw, drawn);
}

const struct fed__selection_rule fed__select_stratified = {
    .name = "stratified", .keeps_facts = 1, .draw = draw_stratified};
