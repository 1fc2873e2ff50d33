/* SPDX-License-Identifier: Apache-2.0
 *
 * selection_world.h: a rule of selection and clients that all wait, for tests of how often each is
 * drawn: against closed forms, or by enumerating all draws of a small case, over many attempts with
 * one seed. Bounds are 5 standard deviations.
 */
#ifndef SELECTION_WORLD_H
#define SELECTION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "round/selection/selection.h"

#include <math.h>
#include <string.h>

#define CLIENTS_MAX 64
#define ATTEMPTS 50000

/* Clients that all wait, a rule, and how often each was drawn. */
struct world {
  struct fed_context context;
  struct fed__selection selection;
  uint32_t client_count, clients[CLIENTS_MAX];
  uint32_t drawn_count; /* by the last draw */
  uint64_t times[CLIENTS_MAX];
};

static inline void begin(struct world *world, const struct fed__selection_settings *settings,
                         uint32_t client_count) {
  *world = (struct world){.client_count = client_count};
  fed_context_init(&world->context);
  fed__selection_init(&world->selection, &world->context, settings);
  assert_int_equal(fed__selection_set_client_count(&world->selection, client_count), FED_OK);
}

static inline struct fed__client_facts *facts_of(struct world *world, uint32_t client) {
  struct fed__client_facts *facts = fed__selection_facts(&world->selection, client);
  assert_non_null(facts);
  return facts;
}

/* One draw from all; they are different clients. */
static inline uint32_t draw(struct world *world, uint64_t round, uint32_t attempt,
                            uint32_t wanted) {
  uint8_t drawn[CLIENTS_MAX] = {0};
  for (uint32_t i = 0; i < world->client_count; i++) world->clients[i] = i;
  world->drawn_count = fed__selection_draw(&world->selection, 3, round, attempt, world->clients,
                                           world->client_count, wanted);
  for (uint32_t i = 0; i < world->drawn_count; i++) {
    assert_true(world->clients[i] < world->client_count);
    assert_false(drawn[world->clients[i]]++);
    world->times[world->clients[i]]++;
  }
  return world->drawn_count;
}

static inline int is_drawn(const struct world *world, uint32_t client) {
  for (uint32_t i = 0; i < world->drawn_count; i++)
    if (world->clients[i] == client) return 1;
  return 0;
}

static inline void draw_often(struct world *world, uint64_t round, uint32_t wanted) {
  memset(world->times, 0, sizeof world->times);
  for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++)
    assert_int_equal(draw(world, round, attempt, wanted), wanted);
}

static inline void assert_frequency(uint64_t times, uint64_t of, double probability) {
  const double mean = probability * (double)of;
  const double deviation = sqrt(mean * (1 - probability));
  if (fabs((double)times - mean) > 5 * deviation + 1e-9)
    fail_msg("%llu of %llu, expected %g give or take %g", (unsigned long long)times,
             (unsigned long long)of, mean, deviation);
}

/* Is exactly this set drawn, whatever the attempt? */
static inline void assert_always(struct world *world, uint64_t round, const uint32_t *set,
                                 uint32_t count) {
  for (uint32_t attempt = 1; attempt <= 50; attempt++) {
    draw(world, round, attempt, count);
    for (uint32_t i = 0; i < count; i++)
      if (!is_drawn(world, set[i])) fail_msg("client %u is not drawn", set[i]);
  }
}

/* ---- theory --------------------------------------------------------------------------------- */

/* The probability that `client` is among `left` successive draws, by enumeration. */
static inline double inclusion(const double *weights, uint32_t count, uint32_t taken, uint32_t left,
                               uint32_t client) {
  double sum = 0, probability = 0;
  if (left == 0) return 0;
  for (uint32_t i = 0; i < count; i++)
    if (!(taken >> i & 1)) sum += weights[i];
  for (uint32_t i = 0; i < count; i++) {
    if (taken >> i & 1) continue;
    const double next =
        i == client ? 1 : inclusion(weights, count, taken | 1u << i, left - 1, client);
    probability += weights[i] / sum * next;
  }
  return probability;
}

static inline void assert_successive(const struct world *world, const double *weights,
                                     uint32_t wanted) {
  for (uint32_t i = 0; i < world->client_count; i++)
    assert_frequency(world->times[i], ATTEMPTS,
                     inclusion(weights, world->client_count, 0, wanted, i));
}

#endif
