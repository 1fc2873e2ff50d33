/* SPDX-License-Identifier: Apache-2.0
 *
 * select_weighted.c: clients with more examples are drawn more often. One after the other is taken
 * out, each time client i of those left with probability n_i / Σ n_j, n_i being its examples
 * (successive sampling; Li et al. 2020, "On the convergence of FedAvg on non-IID data", scheme I,
 * but without replacement). Done at once by the keys of Efraimidis and Spirakis 2006, "Weighted
 * random sampling with a reservoir": the largest ln(u_i) / n_i, u_i uniform in (0, 1).
 *
 * A client drawn so should count like any other (aggregate.weights: uniform): by its examples it
 * would count twice for them. An unknown number of examples counts as the mean of those known.
 */
#include "round/selection/selection.h"

static uint32_t draw_weighted(const struct fed__draw *draw) {
  fed__draw_score_by_examples(draw, "cohort_weighted", draw->clients, draw->count, draw->scored);
  fed__scored_keep_best(draw->scored, draw->count, draw->wanted);
  return fed__draw_take(draw, draw->wanted);
}

const struct fed__selection_rule fed__select_weighted = {
    .name = "weighted", .keeps_facts = 1, .draw = draw_weighted};
