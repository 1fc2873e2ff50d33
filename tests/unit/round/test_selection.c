/* SPDX-License-Identifier: Apache-2.0
 *
 * test_selection.c: each rule of selection against theory: probabilities of being drawn, quotas,
 * fairness, highest losses. test_select_oort.c has Oort's.
 */
#include "selection_world.h"

#include "failing_alloc.h"

#include <stdlib.h>

/* ---- theory --------------------------------------------------------------------------------- */

static void enumeration_is_right(void **state) {
  (void)state;
  /* Two of three: 1 is drawn first with 1/6; after 2 (2/6) with 1/4, after 3 (3/6) with 1/3. */
  const double weights[] = {1, 2, 3};
  assert_float_equal(inclusion(weights, 3, 0, 1, 2), 0.5, 1e-12);
  assert_float_equal(inclusion(weights, 3, 0, 2, 0), 1.0 / 6 + 2.0 / 6 / 4 + 3.0 / 6 / 3, 1e-12);
  assert_float_equal(inclusion(weights, 3, 0, 3, 0), 1, 1e-12);
}

/* ---- uniform, Poisson ----------------------------------------------------------------------- */

static void uniform_draws_all_alike(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_UNIFORM};
  static struct world world;
  uint64_t both = 0;
  begin(&world, &settings, 10);
  assert_null(world.selection.facts); /* it needs none */
  for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
    assert_int_equal(draw(&world, 1, attempt, 4), 4);
    both += (uint64_t)(is_drawn(&world, 2) && is_drawn(&world, 7));
  }
  for (uint32_t i = 0; i < 10; i++) assert_frequency(world.times[i], ATTEMPTS, 0.4);
  assert_frequency(both, ATTEMPTS, 0.4 * 3 / 9); /* without replacement */
  assert_int_equal(draw(&world, 1, 1, 10), 10);
  assert_int_equal(draw(&world, 1, 1, 20), 10); /* all there are */
  fed__selection_clear(&world.selection);
}

/* Each by itself: mean and variance of the size are n q and n q (1 - q), pairs come with q². */
static void poisson_draws_each_by_itself(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_POISSON};
  static struct world world;
  double sum = 0, squares = 0;
  uint64_t both = 0;
  begin(&world, &settings, 20);
  for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const double size = draw(&world, 1, attempt, 5);
    sum += size;
    squares += size * size;
    both += (uint64_t)(is_drawn(&world, 0) && is_drawn(&world, 19));
  }
  const double mean = sum / ATTEMPTS, variance = squares / ATTEMPTS - mean * mean;
  assert_float_equal(mean, 5, 5 * sqrt(3.75 / ATTEMPTS));
  assert_float_equal(variance, 3.75, 5 * 3.75 * sqrt(2.0 / ATTEMPTS));
  for (uint32_t i = 0; i < 20; i++) assert_frequency(world.times[i], ATTEMPTS, 0.25);
  assert_frequency(both, ATTEMPTS, 0.0625);
  fed__selection_clear(&world.selection);
}

/* With a pool the probability does not depend on how many are there. */
static void poisson_with_a_pool(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_POISSON,
                                                          .pool = 50};
  static struct world world;
  begin(&world, &settings, 20);
  for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) draw(&world, 1, attempt, 5);
  for (uint32_t i = 0; i < 20; i++) assert_frequency(world.times[i], ATTEMPTS, 0.1);
  assert_int_equal(draw(&world, 1, 1, 50), 20); /* probability 1 */
  fed__selection_clear(&world.selection);
}

/* Whether a client is drawn does not depend on who else is there. */
static void poisson_does_not_look_at_others(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_POISSON,
                                                          .pool = 40};
  static struct world world;
  begin(&world, &settings, 40);
  for (uint32_t attempt = 1; attempt <= 500; attempt++) {
    uint32_t few[] = {3, 17, 30};
    draw(&world, 1, attempt, 10);
    const uint32_t drawn = fed__selection_draw(&world.selection, 3, 1, attempt, few, 3, 10);
    uint32_t of_all = 0;
    of_all += (uint32_t)is_drawn(&world, 3) + (uint32_t)is_drawn(&world, 17) +
              (uint32_t)is_drawn(&world, 30);
    assert_int_equal(drawn, of_all);
    for (uint32_t i = 0; i < drawn; i++) assert_true(is_drawn(&world, few[i]));
  }
  fed__selection_clear(&world.selection);
}

/* ---- weighted, availability ----------------------------------------------------------------- */

static void weighted_by_examples(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_WEIGHTED};
  static const double weights[] = {1, 2, 3, 10, 40};
  static struct world world;
  begin(&world, &settings, 5);
  for (uint32_t i = 0; i < 5; i++) facts_of(&world, i)->example_count = (uint64_t)weights[i];
  for (uint32_t wanted = 1; wanted <= 4; wanted++) {
    draw_often(&world, wanted, wanted);
    assert_successive(&world, weights, wanted);
  }
  fed__selection_clear(&world.selection);
}

static void unknown_examples_count_as_the_mean(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_WEIGHTED};
  static const double weights[] = {2, 6, 4, 4}; /* the last two do not say */
  static struct world world;
  begin(&world, &settings, 4);
  facts_of(&world, 0)->example_count = 2;
  facts_of(&world, 1)->example_count = 6;
  draw_often(&world, 1, 2);
  assert_successive(&world, weights, 2);
  facts_of(&world, 0)->example_count = facts_of(&world, 1)->example_count = 0;
  draw_often(&world, 2, 2); /* nobody says */
  for (uint32_t i = 0; i < 4; i++) assert_frequency(world.times[i], ATTEMPTS, 0.5);
  fed__selection_clear(&world.selection);
}

static void seldom_ones_are_preferred(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_AVAILABILITY};
  static const uint32_t seen[] = {1, 2, 4, 8, 20};
  static struct world world;
  double weights[5];
  begin(&world, &settings, 5);
  for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
    for (uint32_t i = 0; i < 5; i++) facts_of(&world, i)->seen_count = seen[i] - 1;
    draw(&world, 1, attempt, 2);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(facts_of(&world, i)->seen_count, seen[i]);
  }
  for (uint32_t i = 0; i < 5; i++) weights[i] = 1.0 / seen[i];
  assert_successive(&world, weights, 2);
  fed__selection_clear(&world.selection);
}

/* Twenty are there in each round, twenty in every fifth, m ~ Bin(20, 1/5) of them at a time. One is
 * drawn: of the seldom ones with 5 m / (5 m + 20), the mean of which is 0.475, so 0.905 times as
 * often as of the others; uniformly with m / (m + 20), 0.193 times as often. */
static void availability_evens_out(void **state) {
  (void)state;
  static const struct fed__selection_settings settings[] = {{.kind = FED__SELECTION_AVAILABILITY},
                                                            {.kind = FED__SELECTION_UNIFORM}};
  double ratio[2];
  for (int rule = 0; rule < 2; rule++) {
    static struct world world;
    struct fed_rng rng;
    uint64_t times[2] = {0};
    begin(&world, &settings[rule], 40);
    fed__rng_init(&rng, 1, "there", 0, 0);
    for (uint64_t round = 1; round <= 2000; round++) {
      uint32_t there[40], count = 0;
      for (uint32_t client = 0; client < 40; client++)
        if (client < 20 || fed__rng_below(&rng, 5) == 0) there[count++] = client;
      const uint32_t drawn = fed__selection_draw(&world.selection, 3, round, 1, there, count, 1);
      for (uint32_t i = 0; i < drawn; i++) times[there[i] >= 20]++;
    }
    ratio[rule] = (double)times[1] / (double)times[0];
    fed__selection_clear(&world.selection);
  }
  assert_float_equal(ratio[0], 0.898, 5 * 0.041);
  assert_float_equal(ratio[1], 0.193, 5 * 0.012);
}

/* ---- round robin ---------------------------------------------------------------------------- */

static void everybody_has_a_turn(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_ROUND_ROBIN};
  static struct world world;
  uint32_t first[10];
  begin(&world, &settings, 10);
  for (uint64_t round = 1; round <= 100; round++) {
    uint64_t fewest = UINT64_MAX, most = 0;
    assert_int_equal(draw(&world, round, 1, 3), 3);
    for (uint32_t i = 0; i < 3; i++)
      fed__selection_note_chosen(&world.selection, world.clients[i], round);
    for (uint32_t i = 0; i < 10; i++) {
      fewest = world.times[i] < fewest ? world.times[i] : fewest;
      most = world.times[i] > most ? world.times[i] : most;
    }
    assert_true(most - fewest <= 1);
    if (round <= 3) memcpy(first + 3 * (round - 1), world.clients, 3 * sizeof *first);
    if (round == 11) /* after thirty turns the order begins again */
      for (uint32_t i = 0; i < 3; i++) assert_true(is_drawn(&world, first[i]));
  }
  fed__selection_clear(&world.selection);
}

/* A client that was away is next when it comes back; a failed attempt takes the next in turn. */
static void turns_wait(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_ROUND_ROBIN};
  static struct world world;
  static const uint32_t away[] = {4};
  begin(&world, &settings, 6);
  for (uint32_t i = 0; i < 6; i++) facts_of(&world, i)->chosen_round = 10 + i % 2;
  facts_of(&world, 4)->chosen_round = 3;
  assert_always(&world, 20, away, 1);
  fed__selection_note_chosen(&world.selection, 4, 20);
  draw(&world, 20, 2, 2); /* of 0 and 2, which are at 10 */
  assert_true(is_drawn(&world, 0) && is_drawn(&world, 2));
  fed__selection_clear(&world.selection);
}

/* ---- power of choice ------------------------------------------------------------------------ */

static void highest_losses_among_the_candidates(void **state) {
  (void)state;
  struct fed__selection_settings settings = {.kind = FED__SELECTION_POWER_OF_CHOICE,
                                             .candidates = 8};
  static const double losses[] = {0.4, 2.5, 1.1, 0.9, 3.0, 0.2, 1.7, 2.4};
  static const uint32_t highest[] = {4, 1, 7};
  static struct world world;
  begin(&world, &settings, 8);
  for (uint32_t i = 0; i < 8; i++) {
    facts_of(&world, i)->loss = losses[i];
    facts_of(&world, i)->reported_count = 1;
  }
  assert_always(&world, 5, highest, 3); /* all are candidates */

  /* One of two candidates, of equal examples: the k-th highest of n is the best of two with
   * probability (n - k) / (n (n - 1) / 2). */
  static const uint32_t order[] = {4, 1, 7, 6, 2, 3, 0, 5};
  world.selection.settings.candidates = 2;
  draw_often(&world, 5, 1);
  for (uint32_t k = 1; k <= 8; k++)
    assert_frequency(world.times[order[k - 1]], ATTEMPTS, (8 - k) / 28.0);
  world.selection.settings.candidates = 0; /* twice as many as wanted: the same here */
  uint64_t before[8];
  memcpy(before, world.times, sizeof before);
  draw_often(&world, 5, 1);
  assert_memory_equal(before, world.times, sizeof before);
  fed__selection_clear(&world.selection);
}

static void candidates_come_by_their_examples(void **state) {
  (void)state;
  const struct fed__selection_settings settings = {.kind = FED__SELECTION_POWER_OF_CHOICE,
                                                   .candidates = 2};
  static const double weights[] = {1, 5, 2, 8};
  static struct world world;
  begin(&world, &settings, 4);
  for (uint32_t i = 0; i < 4; i++) facts_of(&world, i)->example_count = (uint64_t)weights[i];
  draw_often(&world, 1, 2); /* as many candidates as are wanted */
  assert_successive(&world, weights, 2);
  fed__selection_clear(&world.selection);
}

static void losses_that_nobody_knows(void **state) {
  (void)state;
  const struct fed__selection_settings settings = {.kind = FED__SELECTION_POWER_OF_CHOICE,
                                                   .candidates = 5};
  static const uint32_t new_ones[] = {1, 3}, high[] = {1, 3, 4}, middle[] = {1, 3, 4, 2};
  static struct world world;
  begin(&world, &settings, 5);
  for (uint32_t i = 0; i < 5; i++) facts_of(&world, i)->reported_count = i != 1 && i != 3;
  facts_of(&world, 0)->loss = 1; /* 2 does not share its loss: as the mean, 2 */
  facts_of(&world, 4)->loss = 3;
  assert_always(&world, 5, new_ones, 2); /* never asked before */
  assert_always(&world, 5, high, 3);
  assert_always(&world, 5, middle, 4);
  fed__selection_clear(&world.selection);
}

/* ---- stratified ----------------------------------------------------------------------------- */

static char north[] = "north-*", south[] = "south-*", *patterns[] = {north, south};
static const struct fed__selection_settings stratified = {
    .kind = FED__SELECTION_STRATIFIED, .groups = patterns, .group_count = 2};

static void names_make_groups(void **state) {
  (void)state;
  assert_int_equal(fed__selection_group(&stratified, "north-7"), 0);
  assert_int_equal(fed__selection_group(&stratified, "south-"), 1);
  assert_int_equal(fed__selection_group(&stratified, "west"), 2);
  assert_int_equal(fed__selection_group(&stratified, ""), 2);
}

/* 6, 9 and 5 of 20: of cohorts of 20 k / 20 … the quota k n_g / 20, rounded down or up, and each
 * client with the same probability. */
static void quotas_are_proportional(void **state) {
  (void)state;
  static const uint32_t sizes[] = {6, 9, 5};
  static struct world world;
  begin(&world, &stratified, 20);
  for (uint32_t i = 0; i < 20; i++)
    facts_of(&world, i)->group = (i * 7) % 20 < 6 ? 0 : (i * 7) % 20 < 15 ? 1 : 2;
  for (uint32_t wanted = 1; wanted < 20; wanted++) {
    for (uint32_t attempt = 1; attempt <= 200; attempt++) {
      uint32_t seats[3] = {0};
      assert_int_equal(draw(&world, 1, attempt, wanted), wanted);
      for (uint32_t i = 0; i < wanted; i++) seats[facts_of(&world, world.clients[i])->group]++;
      for (int g = 0; g < 3; g++)
        assert_in_range(seats[g], wanted * sizes[g] / 20, (wanted * sizes[g] + 19) / 20);
    }
  }
  draw_often(&world, 1, 7);
  for (uint32_t i = 0; i < 20; i++) assert_frequency(world.times[i], ATTEMPTS, 0.35);
  fed__selection_clear(&world.selection);
}

/* ---- what they have in common --------------------------------------------------------------- */

/* The best of many against sorting them, with many ties. */
static int by_score(const void *a, const void *b) {
  const struct fed__scored *left = a, *right = b;
  if (left->score != right->score) return left->score < right->score ? 1 : -1;
  if (left->tie != right->tie) return left->tie < right->tie ? 1 : -1;
  return left->client > right->client ? 1 : -1;
}

static void the_best_are_those_of_sorting(void **state) {
  (void)state;
  static struct fed__scored found[5000], sorted[5000];
  struct fed_rng rng;
  fed__rng_init(&rng, 1, "scores", 0, 0);
  for (int i = 0; i < 2000; i++) {
    const size_t count = fed__rng_below(&rng, i % 40 ? 51 : 5001);
    const size_t wanted = fed__rng_below(&rng, count + 1);
    const uint64_t values = 1 + fed__rng_below(&rng, i % 40 ? 60 : 3000);
    for (size_t k = 0; k < count; k++)
      found[k] = (struct fed__scored){(double)fed__rng_below(&rng, values), (uint32_t)k,
                                      (uint32_t)fed__rng_below(&rng, 3)};
    memcpy(sorted, found, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_score);
    fed__scored_keep_best(found, count, wanted);
    qsort(found, wanted, sizeof *found, by_score);
    for (size_t k = 0; k < wanted; k++) assert_int_equal(found[k].client, sorted[k].client);
  }
}

/* Round and attempt decide, and the same ones decide the same; the front has no favourites. */
static void draws_are_repeatable(void **state) {
  (void)state;
  for (int kind = FED__SELECTION_UNIFORM; kind <= FED__SELECTION_STRATIFIED; kind++) {
    struct fed__selection_settings settings = stratified;
    static struct world world;
    uint32_t first[CLIENTS_MAX], front[2] = {0}, size;
    int differ = 0;
    settings.kind = (enum fed__selection_kind)kind;
    begin(&world, &settings, 40);
    size = draw(&world, 4, 2, 10);
    memcpy(first, world.clients, size * sizeof *first);
    for (uint32_t i = 0; i < 40 && world.selection.facts; i++) facts_of(&world, i)->seen_count = 0;
    assert_int_equal(draw(&world, 4, 2, 10), size);
    assert_memory_equal(first, world.clients, size * sizeof *first);
    for (uint32_t attempt = 3; attempt < 43; attempt++) {
      differ |= draw(&world, 4, attempt, 10) != size ||
                memcmp(first, world.clients, size * sizeof *first) != 0;
      front[world.clients[0] >= 20] += world.drawn_count > 0;
    }
    assert_true(differ);
    if (kind != FED__SELECTION_POISSON) assert_true(front[0] >= 4 && front[1] >= 4);
    fed__selection_clear(&world.selection);
  }
}

static void memory_may_fail(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_OORT};
  struct failing_alloc failing;
  struct fed_context context;
  struct fed__selection selection;
  for (long allowed = 0; allowed <= 2; allowed++) {
    failing_alloc_init(&failing, &context, allowed);
    fed__selection_init(&selection, &context, &settings);
    assert_int_equal(fed__selection_set_client_count(&selection, 7),
                     allowed == 2 ? FED_OK : FED_E_MEMORY);
    assert_int_equal(selection.client_count, allowed == 2 ? 7 : 0);
    assert_true(allowed < 2 || isnan(selection.facts[6].loss));
    fed__selection_clear(&selection);
    assert_int_equal(failing.living, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(enumeration_is_right),
      cmocka_unit_test(uniform_draws_all_alike),
      cmocka_unit_test(poisson_draws_each_by_itself),
      cmocka_unit_test(poisson_with_a_pool),
      cmocka_unit_test(poisson_does_not_look_at_others),
      cmocka_unit_test(weighted_by_examples),
      cmocka_unit_test(unknown_examples_count_as_the_mean),
      cmocka_unit_test(seldom_ones_are_preferred),
      cmocka_unit_test(availability_evens_out),
      cmocka_unit_test(everybody_has_a_turn),
      cmocka_unit_test(turns_wait),
      cmocka_unit_test(highest_losses_among_the_candidates),
      cmocka_unit_test(candidates_come_by_their_examples),
      cmocka_unit_test(losses_that_nobody_knows),
      cmocka_unit_test(names_make_groups),
      cmocka_unit_test(quotas_are_proportional),
      cmocka_unit_test(the_best_are_those_of_sorting),
      cmocka_unit_test(draws_are_repeatable),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
