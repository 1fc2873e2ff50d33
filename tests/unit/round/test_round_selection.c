/* SPDX-License-Identifier: Apache-2.0
 *
 * test_round_selection.c: rules of selection inside of the state table: when a draw happens,
 * cohorts of any size, and what the table notes about clients.
 */
#include "scripted_round.h"

#include <math.h>

static void check_in_all(struct script *script, uint32_t count) {
  for (uint32_t client = 0; client < count; client++) check_in(script, client);
}

/* Draws wait for the pool, or for the time to gather. */
static void a_draw_waits_for_the_pool(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.selection.pool = 7;
  begin(&s, &settings, 10);
  check_in_all(&s, 6);
  assert_int_equal(s.round.phase, FED__PHASE_GATHERING); /* the cohort would be four */
  check_in(&s, 6);
  assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
  assert_int_equal(s.round.cohort_count, 4);
  fed__round_clear(&s.round);

  begin(&s, &settings, 10);
  check_in_all(&s, 5);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + settings.gather_ms);
  wait_ms(&s, settings.gather_ms);
  assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
  assert_int_equal(s.round.cohort_count, 4);
  fed__round_clear(&s.round);
}

/* Twenty wait for cohorts of five by Poisson; the pool holds all, so that they wait. */
static void open_poisson(struct script *s, uint64_t seed, uint32_t minimum) {
  struct fed__round_settings settings = plain_settings();
  settings.seed = seed;
  settings.cohort = settings.invited = 5;
  settings.minimum = minimum;
  settings.selection.kind = FED__SELECTION_POISSON;
  settings.selection.pool = 20;
  begin(s, &settings, 20);
  check_in_all(s, 20);
}

/* All that were drawn must answer, be they more than the cohort or fewer. */
static void poisson_counts_everybody_who_is_drawn(void **state) {
  (void)state;
  int smaller = 0, larger = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct script s;
    open_poisson(&s, seed, 1);
    const uint32_t size = s.round.cohort_count;
    smaller += size < 5;
    larger += size > 5;
    assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
    for (uint32_t i = 0; i < size; i++) {
      assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
      report(&s, s.round.cohort[i]);
    }
    assert_int_equal(s.round.phase, FED__PHASE_CLOSING);
    assert_int_equal(s.round.reported_count, size);
    fed__round_clear(&s.round);
  }
  assert_true(smaller >= 5 && larger >= 5);
}

/* Too few: nobody gets a task, and after the back-off the next attempt draws again. */
static void a_draw_below_the_minimum_fails(void **state) {
  (void)state;
  int failed = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct script s;
    open_poisson(&s, seed, 5);
    if (s.round.cohort_count >= 5) {
      assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
    } else {
      failed++;
      assert_string_equal(s.effects, "open, fail");
      assert_string_equal(s.reason, "fewer clients than the minimum were drawn");
      assert_int_equal(s.round.phase, FED__PHASE_FAILED);
      assert_int_equal(s.round.waiting_count, 20);
      s.round.settings.minimum = 1;
      assert_string_equal(wait_ms(&s, 499), "");
      wait_ms(&s, 1);
      assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
      assert_int_equal(s.round.attempt, 2);
    }
    fed__round_clear(&s.round);
  }
  assert_in_range(failed, 5, 35);
}

/* Who was there, chosen, answered and after what time; who kept the round waiting. */
static void the_table_notes_what_it_sees(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.selection.kind = FED__SELECTION_OORT;
  settings.minimum = 2;
  begin(&s, &settings, 6);
  check_in_all(&s, 4);
  assert_int_equal(s.round.phase, FED__PHASE_EXCHANGE);
  s.now_ms += 1500;
  report(&s, 2);
  s.now_ms += 500;
  report(&s, 0);
  lose(&s, 1);
  wait_ms(&s, 58000); /* the deadline; 3 has not answered */
  assert_int_equal(s.round.phase, FED__PHASE_CLOSING);
  static const uint32_t reported[] = {1, 0, 1, 0, 0, 0}, chosen[] = {1, 1, 1, 1, 0, 0};
  static const int64_t took_ms[] = {2000, 0, 1500, 60000, 0, 0};
  for (uint32_t i = 0; i < 6; i++) {
    const struct fed__client_facts *facts = fed__round_facts(&s.round, i);
    assert_int_equal(facts->reported_count, reported[i]);
    assert_int_equal(facts->reported_round, reported[i]);
    assert_int_equal(facts->chosen_count, chosen[i]);
    assert_int_equal(facts->chosen_round, chosen[i]);
    assert_int_equal(facts->seen_count, chosen[i]); /* all who were there */
    assert_int_equal(facts->duration_ms, took_ms[i]);
    assert_true(isnan(facts->loss));
  }
  model(&s);
  check_in(&s, 4);
  check_in(&s, 2);
  check_in(&s, 0);
  check_in(&s, 1);
  report(&s, 4);
  assert_int_equal(fed__round_facts(&s.round, 4)->seen_count, 1);
  assert_int_equal(fed__round_facts(&s.round, 4)->reported_round, 2);
  assert_int_equal(fed__round_facts(&s.round, 2)->seen_count, 2);
  fed__round_clear(&s.round);
}

/* A round that is run again has its cohort; those count as chosen. */
static void a_resumed_round_keeps_its_cohort(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  static const uint32_t cohort[] = {5, 1, 4, 2};
  settings.selection.kind = FED__SELECTION_ROUND_ROBIN;
  begin(&s, &settings, 8);
  assert_int_equal(fed__round_resume(&s.round, 3, 2, cohort, 4, s.now_ms, &s.driver), FED_OK);
  assert_memory_equal(s.round.cohort, cohort, sizeof cohort);
  for (uint32_t i = 0; i < 4; i++)
    assert_int_equal(fed__round_facts(&s.round, cohort[i])->chosen_round, 3);
  assert_int_equal(fed__round_facts(&s.round, 0)->chosen_round, 0);
  assert_null(fed__round_facts(&s.round, 8));
  fed__round_clear(&s.round);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_draw_waits_for_the_pool),
      cmocka_unit_test(poisson_counts_everybody_who_is_drawn),
      cmocka_unit_test(a_draw_below_the_minimum_fails),
      cmocka_unit_test(the_table_notes_what_it_sees),
      cmocka_unit_test(a_resumed_round_keeps_its_cohort),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
