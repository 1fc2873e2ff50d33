/* SPDX-License-Identifier: Apache-2.0
 *
 * test_select_oort.c: Oort's utility, worked out by hand; its exploration.
 */
#include "selection_world.h"

static void set_facts(struct world *world, uint32_t client, uint64_t examples, double loss,
                      uint64_t reported_round, int64_t duration_ms) {
  *facts_of(world, client) = (struct fed__client_facts){.example_count = examples,
                                                        .loss = loss,
                                                        .duration_ms = duration_ms,
                                                        .reported_round = reported_round,
                                                        .reported_count = 1};
}

/* By hand, in round 10, with U = 200, 190, 100, 200, so U_95 = 200 and U_min = 100:
 *   client 0   1.0 + sqrt(0.1 ln 10 / 6) = 1.195900
 *   client 1   0.9 + sqrt(0.1 ln 10 / 2) = 1.239307
 *   client 2   0.0 + sqrt(0.1 ln 10 / 1) = 0.479852
 *   client 3  (1.0 + sqrt(0.1 ln 10 / 9)) * (10 s / 20 s)^2 = 0.289988   */
static void begin_oort(struct world *world) {
  static const struct fed__selection_settings settings = {
      .kind = FED__SELECTION_OORT, .exploration_decay = 1, .duration_s = 10, .penalty = 2};
  begin(world, &settings, 4);
  set_facts(world, 0, 100, 2.0, 6, 5000);
  set_facts(world, 1, 50, 3.8, 2, 10000);
  set_facts(world, 2, 100, 1.0, 1, 5000);
  set_facts(world, 3, 400, 0.5, 9, 20000);
}

static void utilities_by_hand(void **state) {
  (void)state;
  static const uint32_t best_three[] = {0, 1, 2}, unpunished[] = {0, 1, 3}, fast[] = {0, 2};
  static struct world world;
  begin_oort(&world);
  /* One of those with 95 % of 1.239307 = 1.177342: 0 or 1, by their utilities. */
  draw_often(&world, 10, 1);
  assert_frequency(world.times[0], ATTEMPTS, 1.195900 / (1.195900 + 1.239307));
  assert_frequency(world.times[1], ATTEMPTS, 1.239307 / (1.195900 + 1.239307));
  assert_int_equal(world.times[2] + world.times[3], 0);
  assert_always(&world, 10, best_three, 3);
  world.selection.settings.penalty = 0; /* client 3: 1.159951 */
  assert_always(&world, 10, unpunished, 3);
  /* The 30th percentile of 5, 5, 10, 20 s is 5 s: client 1 falls to a quarter, 0.309827. */
  world.selection.settings.penalty = 2;
  world.selection.settings.duration_s = 0;
  assert_always(&world, 10, fast, 2);
  fed__selection_clear(&world.selection);
}

/* The longer ago, the more is it worth to look again: 0.479852 against 0.159951. */
static void what_was_long_ago_counts(void **state) {
  (void)state;
  static const uint32_t stale[] = {2};
  static struct world world;
  begin_oort(&world);
  for (uint32_t i = 0; i < 4; i++) set_facts(&world, i, 10, 1, i == 2 ? 1 : 9, 1000);
  assert_always(&world, 10, stale, 1);
  fed__selection_clear(&world.selection);
}

/* U = 1 … 39 and an outlier, which counts as the 95th percentile, 39. With R 2 and L 1 the second
 * term is 0.263277, so the best have 1.263277, and 0.95 of it is reached from U = 37 on. */
static void outliers_are_clipped(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {
      .kind = FED__SELECTION_OORT, .exploration_decay = 1, .duration_s = 10};
  static struct world world;
  begin(&world, &settings, 40);
  for (uint32_t i = 0; i < 40; i++) set_facts(&world, i, 1, i < 39 ? i + 1 : 1e9, 1, 1000);
  draw_often(&world, 2, 1);
  const double stale = 0.263277, sum = 36 / 38.0 + 37 / 38.0 + 2 + 4 * stale;
  assert_frequency(world.times[36], ATTEMPTS, (36 / 38.0 + stale) / sum);
  assert_frequency(world.times[37], ATTEMPTS, (37 / 38.0 + stale) / sum);
  assert_frequency(world.times[38], ATTEMPTS, (1 + stale) / sum);
  assert_frequency(world.times[39], ATTEMPTS, (1 + stale) / sum);
  fed__selection_clear(&world.selection);
}

/* Client 3's loss is not known: the mean 2.266667 of the others makes U = 906.67, the largest. */
static void an_unknown_loss_is_the_mean(void **state) {
  (void)state;
  static const uint32_t unknown[] = {3};
  static struct world world;
  begin_oort(&world);
  set_facts(&world, 3, 400, NAN, 9, 0);
  assert_always(&world, 10, unknown, 1);
  fed__selection_clear(&world.selection);
}

static uint32_t new_ones(struct world *world, uint64_t round, uint32_t attempt, uint32_t wanted,
                         uint32_t trained) {
  uint32_t count = 0;
  assert_int_equal(draw(world, round, attempt, wanted), wanted);
  for (uint32_t i = 0; i < wanted; i++) count += world->clients[i] >= trained;
  return count;
}

/* Of ten 5, 2.5, 1.25, then the floor of 1, rounded down or up; never more than there are. */
static void exploration_decays(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {.kind = FED__SELECTION_OORT,
                                                          .exploration = 0.5,
                                                          .exploration_decay = 0.5,
                                                          .exploration_floor = 0.1,
                                                          .penalty = 2};
  static const double wanted[] = {0, 5, 2.5, 1.25, 1, 1};
  static struct world world;
  begin(&world, &settings, 20);
  for (uint64_t round = 1; round <= 5; round++) {
    uint64_t up = 0;
    for (uint32_t i = 0; i < 20; i++) facts_of(&world, i)->reported_count = 0;
    assert_int_equal(new_ones(&world, round, 1, 10, 0), 10); /* nobody has trained */
    for (uint32_t i = 0; i < 10; i++) set_facts(&world, i, 10, 1 + i, 1, 1000);
    for (uint32_t attempt = 1; attempt <= 2000; attempt++) {
      const uint32_t found = new_ones(&world, round, attempt, 10, 10);
      assert_true(found == floor(wanted[round]) || found == ceil(wanted[round]));
      up += found > wanted[round];
    }
    assert_frequency(up, 2000, wanted[round] - floor(wanted[round]));
  }
  for (uint32_t i = 0; i < 17; i++) set_facts(&world, i, 10, 1 + i, 1, 1000);
  assert_int_equal(new_ones(&world, 1, 1, 10, 17), 3);
  assert_int_equal(new_ones(&world, 1, 1, 19, 17), 3);
  fed__selection_clear(&world.selection);
}

/* Who was never asked is drawn by examples. */
static void exploration_goes_by_examples(void **state) {
  (void)state;
  static const struct fed__selection_settings settings = {
      .kind = FED__SELECTION_OORT, .exploration = 1, .exploration_decay = 1};
  static const double weights[] = {1, 5, 2, 8};
  static struct world world;
  begin(&world, &settings, 4);
  for (uint32_t i = 0; i < 4; i++) facts_of(&world, i)->example_count = (uint64_t)weights[i];
  draw_often(&world, 1, 2);
  assert_successive(&world, weights, 2);
  fed__selection_clear(&world.selection);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(utilities_by_hand),    cmocka_unit_test(what_was_long_ago_counts),
      cmocka_unit_test(outliers_are_clipped), cmocka_unit_test(an_unknown_loss_is_the_mean),
      cmocka_unit_test(exploration_decays),   cmocka_unit_test(exploration_goes_by_examples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
