/* SPDX-License-Identifier: Apache-2.0
 *
 * scored.c: clients in the order of a number: the best of them, and weighted draws.
 */
#include "round/selection/selection.h"

#include <math.h>

#define SAMPLES 32

static int is_before(const struct fed__scored *a, const struct fed__scored *b) {
  if (a->score != b->score) return a->score > b->score;
  if (a->tie != b->tie) return a->tie > b->tie;
  return a->client < b->client;
}

static void swap(struct fed__scored *a, struct fed__scored *b) {
  const struct fed__scored kept = *a;
  *a = *b;
  *b = kept;
}

/* Of a few entries at places that no order of the input has a reason to make bad ones, the one that
 * is likely to lie just behind the best `wanted`: then one pass leaves little to look at. */
static size_t choose_pivot(const struct fed__scored *scored, size_t count, size_t wanted) {
  size_t places[SAMPLES];
  const size_t samples = count < SAMPLES * SAMPLES ? 1 : SAMPLES;
  for (size_t i = 0; i < samples; i++) {
    const size_t place = fed__rng_at(count, i) % count;
    size_t k = i;
    for (; k > 0 && is_before(&scored[place], &scored[places[k - 1]]); k--)
      places[k] = places[k - 1];
    places[k] = place;
  }
  const size_t rank = wanted * samples / count + 2;
  return places[rank < samples ? rank : samples - 1];
}

/* Quickselect (Hoare 1961) with pivots from samples (Floyd and Rivest 1975). */
void fed__scored_keep_best(struct fed__scored *scored, size_t count, size_t wanted) {
  size_t from = 0, to = count;
  for (size_t span = count; span > 1 && wanted > from && wanted < to; span = to - from) {
    swap(&scored[from], &scored[from + choose_pivot(scored + from, span, wanted - from)]);
    size_t better = from;
    for (size_t i = from + 1; i < to; i++)
      if (is_before(&scored[i], &scored[from])) swap(&scored[i], &scored[++better]);
    swap(&scored[from], &scored[better]); /* the pivot is at its place: `better` are before it */
    if (better < wanted)
      from = better + 1;
    else
      to = better;
  }
}

double fed__score_of_weight(uint64_t key, uint32_t client, double weight) {
  const double uniform = ((double)(fed__rng_at(key, client) >> 11) + 0.5) * 0x1p-53;
  return weight > 0 ? log(uniform) / weight : -INFINITY;
}

double fed__draw_mean_examples(const struct fed__draw *draw) {
  double sum = 0;
  size_t known = 0;
  for (uint32_t i = 0; i < draw->count; i++) {
    const uint64_t examples = draw->facts[draw->clients[i]].example_count;
    sum += (double)examples;
    known += examples > 0;
  }
  return known ? sum / (double)known : 1;
}

void fed__draw_score_by_examples(const struct fed__draw *draw, const char *stream,
                                 const uint32_t *clients, size_t count,
                                 struct fed__scored *scored) {
  const uint64_t key = fed__rng_key(draw->seed, stream, draw->round, draw->attempt);
  const double mean = fed__draw_mean_examples(draw);
  for (size_t i = 0; i < count; i++) {
    const uint64_t examples = draw->facts[clients[i]].example_count;
    const double weight = examples ? (double)examples : mean;
    scored[i] = (struct fed__scored){fed__score_of_weight(key, clients[i], weight), clients[i], 0};
  }
}

uint32_t fed__draw_take(const struct fed__draw *draw, uint32_t count) {
  struct fed_rng rng;
  fed__rng_init(&rng, draw->seed, "cohort_order", draw->round, draw->attempt);
  for (uint32_t i = 0; i < count; i++) draw->clients[i] = draw->scored[i].client;
  fed__rng_shuffle(&rng, draw->clients, count);
  return count;
}
