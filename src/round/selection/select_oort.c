/* SPDX-License-Identifier: Apache-2.0
 *
 * select_oort.c: clients that are worth most to the model for the time that they take (Lai et al.
 * 2021, "Oort: efficient federated learning via guided participant selection", algorithm 1).
 *
 * A client that has trained before has the utility
 *
 *   ( (min(U_i, U_95) - U_min) / (U_95 - U_min) + sqrt(0.1 ln R / L_i) ) * (T / D_i)^a
 *
 * with U_i = examples_i * loss_i, what it has to learn from; U_95 the 95th percentile of all U,
 * against outliers, and U_min the least; R this round and L_i the last that it trained in (the
 * longer ago, the less is known); D_i what it took, T the duration that is wished for, and the
 * last factor only where D_i > T (a: the setting `penalty`).
 *
 * Of a cohort of K the part 1 - e are such clients: drawn, in proportion to their utilities, from
 * those that have at least 95 % of the utility of the worst one that would make it. The rest, e K
 * rounded down or up at random, was never asked before, drawn in proportion to examples;
 * e = max(floor, exploration * decay^(R-1)).
 *
 * Other than in the paper: U_i has the mean of the losses where the paper has the root of the mean
 * of their squares, which agents do not send (the mean is at most that, and equal where losses
 * are); U is scaled to 0 … 1, as the authors' own code does, or the second term would not count; T
 * stays where the job sets it (else at the 30th percentile of D, where their code begins), without
 * a pacer; nobody is shut out after some number of rounds. An unknown loss, or number of examples,
 * stands at the mean of those known, an unknown duration is no penalty.
 */
#include "round/selection/selection.h"

#include <math.h>

#define CUT_OFF 0.95
#define CLIP_AT 0.95  /* of the clients have a lower utility */
#define FAST_PART 0.3 /* of the clients are in time */

struct bounds {
  double mean_examples, mean_loss;
  double utility_min, utility_clip, duration_ms;
};

/* The value below which a part of the scores lies; disturbs their order. */
static double quantile(struct fed__scored *scored, size_t count, double part) {
  const size_t above = count - (size_t)(part * (double)count);
  double least = INFINITY;
  if (count == 0) return INFINITY;
  fed__scored_keep_best(scored, count, above);
  for (size_t i = 0; i < above; i++) least = fmin(least, scored[i].score);
  return least;
}

/* Those who have trained before come first, the others after them; in place, by way of `scored`. */
static uint32_t separate_trained(const struct fed__draw *draw) {
  uint32_t trained = 0, others = 0;
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint32_t client = draw->clients[i];
    if (draw->facts[client].reported_count)
      draw->clients[trained++] = client;
    else
      draw->scored[others++].client = client;
  }
  for (uint32_t i = 0; i < others; i++) draw->clients[trained + i] = draw->scored[i].client;
  return trained;
}

static double statistical_utility(const struct fed__client_facts *facts,
                                  const struct bounds *bounds) {
  const double loss = isfinite(facts->loss) ? facts->loss : bounds->mean_loss;
  return loss * (facts->example_count ? (double)facts->example_count : bounds->mean_examples);
}

static double mean_loss(const struct fed__draw *draw, uint32_t trained) {
  double sum = 0;
  size_t known = 0;
  for (uint32_t i = 0; i < trained; i++) {
    const double loss = draw->facts[draw->clients[i]].loss;
    if (!isfinite(loss)) continue;
    sum += loss;
    known++;
  }
  return known ? sum / (double)known : 1;
}

static double wished_duration_ms(const struct fed__draw *draw, uint32_t trained) {
  size_t known = 0;
  if (draw->settings->duration_s > 0) return draw->settings->duration_s * 1000;
  for (uint32_t i = 0; i < trained; i++) {
    const uint32_t client = draw->clients[i];
    const int64_t duration_ms = draw->facts[client].duration_ms;
    if (duration_ms > 0)
      draw->scored[known++] = (struct fed__scored){(double)duration_ms, client, 0};
  }
  return quantile(draw->scored, known, FAST_PART);
}

static struct bounds bounds_of(const struct fed__draw *draw, uint32_t trained) {
  struct bounds bounds = {.mean_examples = fed__draw_mean_examples(draw),
                          .mean_loss = mean_loss(draw, trained),
                          .utility_min = INFINITY,
                          .duration_ms = wished_duration_ms(draw, trained)};
  for (uint32_t i = 0; i < trained; i++) {
    const uint32_t client = draw->clients[i];
    const double utility = statistical_utility(&draw->facts[client], &bounds);
    bounds.utility_min = fmin(bounds.utility_min, utility);
    draw->scored[i] = (struct fed__scored){utility, client, 0};
  }
  bounds.utility_clip = quantile(draw->scored, trained, CLIP_AT);
  return bounds;
}

static double utility_of(const struct fed__draw *draw, const struct fed__client_facts *facts,
                         const struct bounds *bounds) {
  const double range = bounds->utility_clip - bounds->utility_min;
  const double value = fmin(statistical_utility(facts, bounds), bounds->utility_clip);
  const double scaled = range > 0 ? (value - bounds->utility_min) / range : 0;
  const double stale = sqrt(0.1 * log((double)draw->round) / (double)facts->reported_round);
  const double duration_ms = (double)facts->duration_ms;
  const double system = duration_ms > bounds->duration_ms
                            ? pow(bounds->duration_ms / duration_ms, draw->settings->penalty)
                            : 1;
  return (scaled + stale) * system;
}

/* Bring `wanted` of those who have trained to the front of `scored`. */
static void exploit(const struct fed__draw *draw, uint32_t trained, uint32_t wanted) {
  const uint64_t key = fed__rng_key(draw->seed, "cohort_exploited", draw->round, draw->attempt);
  const struct bounds bounds = bounds_of(draw, trained);
  double worst = INFINITY;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < trained; i++) {
    const uint32_t client = draw->clients[i];
    draw->scored[i] = (struct fed__scored){utility_of(draw, &draw->facts[client], &bounds), client,
                                           (uint32_t)(fed__rng_at(key, client) >> 32)};
  }
  fed__scored_keep_best(draw->scored, trained, wanted);
  for (uint32_t i = 0; i < wanted; i++) worst = fmin(worst, draw->scored[i].score);
  for (uint32_t i = 0; i < trained; i++)
    if (draw->scored[i].score >= CUT_OFF * worst) draw->scored[kept++] = draw->scored[i];
  for (uint32_t i = 0; i < kept; i++)
    draw->scored[i].score =
        fed__score_of_weight(key, draw->scored[i].client, draw->scored[i].score);
  fed__scored_keep_best(draw->scored, kept, wanted);
}

static uint32_t draw_oort(const struct fed__draw *draw) {
  const struct fed__selection_settings *settings = draw->settings;
  struct fed_rng rng;
  fed__rng_init(&rng, draw->seed, "cohort_exploration", draw->round, draw->attempt);
  const double decayed =
      settings->exploration * pow(settings->exploration_decay, (double)draw->round - 1);
  const double exploration = fmax(settings->exploration_floor, decayed);
  const uint32_t trained = separate_trained(draw), others = draw->count - trained;
  uint32_t explored = (uint32_t)(exploration * draw->wanted + fed__rng_unit(&rng));
  if (explored > others) explored = others;
  if (draw->wanted - explored > trained) explored = draw->wanted - trained;
  const uint32_t exploited = draw->wanted - explored;
  exploit(draw, trained, exploited);
  fed__draw_score_by_examples(draw, "cohort_explored", draw->clients + trained, others,
                              draw->scored + exploited);
  fed__scored_keep_best(draw->scored + exploited, others, explored);
  return fed__draw_take(draw, draw->wanted);
}

const struct fed__selection_rule fed__select_oort = {
    .name = "oort", .keeps_facts = 1, .draw = draw_oort};
