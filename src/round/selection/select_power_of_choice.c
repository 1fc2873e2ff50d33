/* SPDX-License-Identifier: Apache-2.0
 *
 * select_power_of_choice.c: of d candidates, drawn in proportion to their examples, those with the
 * highest losses take part (Cho, Wang and Joshi 2020, "Client selection in federated learning:
 * convergence analysis and power-of-choice selection strategies", the variant rpow-d: the loss is
 * the mean over the steps of a client's last training, so that nothing is sent for it, and that of
 * a client which was never asked is infinite). d = wanted is the weighted draw; the larger d, the
 * faster and the more biased.
 *
 * Equal losses: at random. A client that was asked but whose owner does not share metrics stands at
 * the mean of the losses known.
 */
#include "round/selection/selection.h"

#include <math.h>

static double mean_loss(const struct fed__draw *draw) {
  double sum = 0;
  size_t known = 0;
  for (uint32_t i = 0; i < draw->count; i++) {
    const double loss = draw->facts[draw->clients[i]].loss;
    if (!isfinite(loss)) continue;
    sum += loss;
    known++;
  }
  return known ? sum / (double)known : 0;
}

static double loss_of(const struct fed__client_facts *facts, double mean) {
  if (isfinite(facts->loss)) return facts->loss;
  return facts->reported_count ? mean : INFINITY;
}

static uint32_t draw_power_of_choice(const struct fed__draw *draw) {
  const uint64_t key = fed__rng_key(draw->seed, "cohort_choice", draw->round, draw->attempt);
  const uint64_t asked =
      draw->settings->candidates ? draw->settings->candidates : 2 * (uint64_t)draw->wanted;
  const uint32_t candidates = asked < draw->count ? (uint32_t)asked : draw->count;
  const double mean = mean_loss(draw);
  fed__draw_score_by_examples(draw, "cohort_candidates", draw->clients, draw->count, draw->scored);
  fed__scored_keep_best(draw->scored, draw->count, candidates);
  for (uint32_t i = 0; i < candidates; i++) {
    struct fed__scored *scored = &draw->scored[i];
    scored->score = loss_of(&draw->facts[scored->client], mean);
    scored->tie = (uint32_t)(fed__rng_at(key, scored->client) >> 32);
  }
  fed__scored_keep_best(draw->scored, candidates, draw->wanted);
  return fed__draw_take(draw, draw->wanted);
}

const struct fed__selection_rule fed__select_power_of_choice = {
    .name = "power_of_choice", .keeps_facts = 1, .draw = draw_power_of_choice};
