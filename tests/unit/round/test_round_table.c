/* SPDX-License-Identifier: Apache-2.0
 *
 * test_round_table.c: what holds for every cell of the table of states, whatever comes: each
 * event is handled or refused, cohorts are drawn fairly and repeatably, and 20,000 random events
 * never break the promises that the server builds on.
 */
#include "scripted_round.h"

#include "base/rng.h"

/* ---- every cell ----------------------------------------------------------------------------- */

/* A fresh round in each phase, reached by events. */
static void reach(struct script *script, enum fed__round_phase phase) {
  const struct fed__round_settings settings = plain_settings();
  begin(script, &settings, 5);
  if (phase == FED__PHASE_GATHERING) return;
  for (uint32_t client = 0; client < 4; client++) check_in(script, client);
  if (phase == FED__PHASE_FINISHED) stop(script);
  if (phase == FED__PHASE_FAILED) lose(script, 0), lose(script, 1);
  if (phase == FED__PHASE_CLOSING)
    for (uint32_t client = 0; client < 4; client++) report(script, client);
  assert_int_equal(script->round.phase, phase);
}

static void every_cell_handles_its_event_or_refuses_it(void **state) {
  (void)state;
  for (int phase = 0; phase < FED__PHASE_COUNT; phase++)
    for (int type = 0; type < FED__EVENT_COUNT; type++)
      for (uint32_t client = 0; client < 5; client++) {
        struct script s;
        reach(&s, (enum fed__round_phase)phase);
        const struct fed__round before = s.round;
        const int is_expected = (type != FED__EVENT_MODEL && type != FED__EVENT_MODEL_FAILED) ||
                                phase == FED__PHASE_CLOSING;
        const struct fed__round_event event = {.type = (enum fed__round_event_type)type,
                                               .client = client,
                                               .round = s.round.round,
                                               .attempt = s.round.attempt};
        assert_int_equal(step(&s, event), is_expected ? FED_OK : FED_E_ORDER);
        if (!is_expected) {
          assert_memory_equal(&before, &s.round, sizeof before);
          assert_string_equal(s.effects, "");
          assert_non_null(strstr(fed_error_last()->message,
                                 fed__round_phase_name((enum fed__round_phase)phase)));
        }
        fed__round_clear(&s.round);
      }
}

static void every_phase_and_end_has_a_name(void **state) {
  (void)state;
  for (int i = 0; i <= FED__PHASE_COUNT; i++)
    for (int j = 0; j < i; j++)
      assert_string_not_equal(fed__round_phase_name((enum fed__round_phase)i),
                              fed__round_phase_name((enum fed__round_phase)j));
  for (int i = 0; i <= FED__END_FAILURES + 1; i++)
    for (int j = 0; j < i; j++)
      assert_string_not_equal(fed__round_end_name((enum fed__round_end)i),
                              fed__round_end_name((enum fed__round_end)j));
}

/* ---- from a job ----------------------------------------------------------------------------- */

static void settings_follow_the_job(void **state) {
  (void)state;
  struct fed__job job = {.seed = 7,
                         .rounds = {.count = 12,
                                    .cohort = 10,
                                    .over_selection = 1.25,
                                    .minimum = 8,
                                    .deadline_s = 60,
                                    .back_off_s = 0.5,
                                    .back_off_max_s = 300,
                                    .failures_max = 9,
                                    .gather_s = 2.5},
                         .evaluate = {.every = 2, .federated = 1},
                         .stop = {FED__METRIC_LOSS, 0.5, 0.25, 3600}};
  struct fed__round_settings s;
  fed__round_settings_from_job(&job, 5, &s);
  assert_int_equal(s.rounds, 12);
  assert_int_equal(s.cohort, 10);
  assert_int_equal(s.invited, 13); /* 12.5, rounded up */
  assert_int_equal(s.minimum, 8);
  assert_int_equal(s.failures_max, 9);
  assert_int_equal(s.exchange_count, 5);
  assert_int_equal(s.gather_ms, 2500);
  assert_int_equal(s.deadline_ms, 60000);
  assert_int_equal(s.back_off_ms, 500);
  assert_int_equal(s.back_off_max_ms, 300000);
  assert_int_equal(s.time_max_ms, 3600000);
  assert_int_equal(s.stop_metric, FED__METRIC_LOSS);
  assert_true(s.stop_at_least == 0.5 && s.stop_at_most == 0.25);
  assert_int_equal(s.seed, 7);
  assert_true(s.final_evaluation);

  job.evaluate.every = 0;
  fed__round_settings_from_job(&job, 1, &s);
  assert_false(s.final_evaluation);
  job.rounds.cohort = 100;
  job.rounds.over_selection = 1.1; /* in binary a little more than 1.1 */
  fed__round_settings_from_job(&job, 1, &s);
  assert_int_equal(s.invited, 110);
}

/* ---- the draw ------------------------------------------------------------------------------- */

#define MANY 40
#define DRAWN 10

/* The cohort of `attempt` at round 1 among MANY waiting clients. */
static void draw(uint64_t seed, uint32_t attempt, uint32_t cohort[DRAWN]) {
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.seed = seed;
  settings.cohort = DRAWN;
  settings.invited = MANY; /* wait for all, then draw */
  settings.minimum = 1;
  begin(&s, &settings, MANY);
  s.round.attempt = attempt;
  for (uint32_t client = 0; client + 1 < MANY; client++) check_in(&s, client);
  s.round.settings.invited = DRAWN;
  check_in(&s, MANY - 1);
  assert_int_equal(s.round.cohort_count, DRAWN);
  memcpy(cohort, s.round.cohort, DRAWN * sizeof *cohort);
  fed__round_clear(&s.round);
}

static void a_draw_is_repeatable(void **state) {
  (void)state;
  uint32_t first[DRAWN], other[DRAWN];
  draw(5, 1, first);
  draw(5, 1, other);
  assert_memory_equal(first, other, sizeof first);
  for (size_t i = 0; i < DRAWN; i++) {
    assert_true(first[i] < MANY);
    for (size_t j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
  }
  draw(6, 1, other);
  assert_memory_not_equal(first, other, sizeof first);
  draw(5, 2, other);
  assert_memory_not_equal(first, other, sizeof first);
}

/* Each client is in DRAWN / MANY of the cohorts. The count of one client over all draws is
 * binomial; the counts sum to a constant, so that the statistic below is chi-square with MANY - 1
 * degrees of freedom, which exceeds 80 with a probability of 1.2e-4. The seeds are fixed. */
static void a_draw_is_fair(void **state) {
  (void)state;
  enum { DRAWS = 2000 };
  uint32_t counts[MANY] = {0}, cohort[DRAWN];
  for (uint32_t seed = 0; seed < DRAWS; seed++) {
    draw(seed, 1 + seed % 3, cohort);
    for (size_t i = 0; i < DRAWN; i++) counts[cohort[i]]++;
  }
  const double share = (double)DRAWN / MANY, expected = DRAWS * share;
  double chi_square = 0;
  for (size_t i = 0; i < MANY; i++) {
    const double off = counts[i] - expected;
    chi_square += off * off / (expected * (1 - share)) * (MANY - 1) / MANY;
  }
  assert_true(chi_square < 80);
  assert_true(chi_square > 12); /* as improbable on the other side: too even to be random */
}

/* ---- random events -------------------------------------------------------------------------- */

#define CLIENTS 12

/* What the server relies on, watched from outside with a book of its own. */
struct watch {
  struct fed__round_driver driver;
  struct fed__round round;
  uint8_t counted[CLIENTS], invited[CLIENTS];
  uint32_t counted_count;
  uint64_t last_round;
  uint32_t last_attempt;
  int is_open, is_closing, is_finished;
  uint64_t effects[9];
};

static uint32_t find_member(const struct fed__round *round, uint32_t client) {
  for (uint32_t i = 0; i < round->cohort_count; i++)
    if (round->cohort[i] == client) return 1;
  return 0;
}

static void watch_open(struct watch *watch, const struct fed__round *round) {
  assert_false(watch->is_open);
  assert_true(round->cohort_count >= round->settings.minimum);
  assert_true(round->cohort_count <= round->settings.invited);
  assert_true(round->round > watch->last_round ||
              (round->round == watch->last_round && round->attempt > watch->last_attempt));
  watch->last_round = round->round;
  watch->last_attempt = round->attempt;
  watch->is_open = 1;
  watch->counted_count = 0;
  memset(watch->counted, 0, sizeof watch->counted);
  memset(watch->invited, 0, sizeof watch->invited);
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    assert_false(watch->invited[round->cohort[i]]);
    watch->invited[round->cohort[i]] = 1;
  }
}

static void watch_next(struct watch *watch, const struct fed__round *round) {
  assert_true(watch->is_open && watch->counted_count >= round->settings.minimum);
  assert_int_equal(round->cohort_count, watch->counted_count);
  memcpy(watch->invited, watch->counted, sizeof watch->invited);
  memset(watch->counted, 0, sizeof watch->counted);
  watch->counted_count = 0;
}

static void watch_effect(struct fed__round_driver *self, const struct fed__round *round,
                         const struct fed__round_effect *effect) {
  struct watch *watch = (struct watch *)self;
  const uint32_t client = effect->client;
  assert_false(watch->is_finished);
  watch->effects[effect->type]++;
  switch (effect->type) {
  case FED__EFFECT_OPEN_ROUND:
    watch_open(watch, round);
    break;
  case FED__EFFECT_GIVE_TASK:
    assert_true(watch->is_open && watch->invited[client] && find_member(round, client));
    assert_false(watch->counted[client]);
    break;
  case FED__EFFECT_COUNT:
    assert_true(watch->is_open && watch->invited[client]);
    assert_false(watch->counted[client]++);
    watch->counted_count++;
    assert_int_equal(watch->counted_count, round->reported_count);
    break;
  case FED__EFFECT_COUNTED_BEFORE:
    assert_true(watch->counted[client]);
    break;
  case FED__EFFECT_NEXT_EXCHANGE:
    watch_next(watch, round);
    break;
  case FED__EFFECT_CLOSE_ROUND:
    assert_true(watch->is_open && watch->counted_count >= round->settings.minimum);
    watch->is_open = 0;
    watch->is_closing = 1;
    break;
  case FED__EFFECT_FAIL_ROUND:
    assert_true(watch->is_open || watch->is_closing);
    watch->is_open = watch->is_closing = 0;
    break;
  case FED__EFFECT_FINISH:
    assert_false(watch->is_open);
    watch->is_finished = 1;
    break;
  case FED__EFFECT_DISMISS:
    assert_non_null(effect->reason);
    break;
  }
}

static void check_counts(const struct watch *watch) {
  const struct fed__round *round = &watch->round;
  uint32_t waiting = 0, reported = 0, lost = 0, open = 0;
  for (uint32_t client = 0; client < CLIENTS; client++) waiting += round->waiting[client];
  assert_int_equal(waiting, round->waiting_count);
  if (round->phase != FED__PHASE_EXCHANGE) return;
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    const uint8_t member = round->member[round->cohort[i]];
    reported += member == FED__MEMBER_REPORTED;
    lost += member == FED__MEMBER_LOST;
    open += member == FED__MEMBER_INVITED || member == FED__MEMBER_WORKING;
  }
  assert_int_equal(reported, round->reported_count);
  assert_int_equal(lost, round->lost_count);
  assert_int_equal(reported + lost + open, round->cohort_count);
  assert_true(open > 0 && reported < round->settings.cohort); /* else it would be over */
  assert_true(reported + open >= round->settings.minimum);
}

/* Mostly what clients do; now and then an answer to another attempt, a failure, a stop. */
static struct fed__round_event draw_event(struct fed_rng *rng, const struct fed__round *round,
                                          int64_t now_ms) {
  static const enum fed__round_event_type likely[] = {
      FED__EVENT_CHECK_IN, FED__EVENT_CHECK_IN, FED__EVENT_REPORTED, FED__EVENT_REPORTED,
      FED__EVENT_REPORTED, FED__EVENT_TIME,     FED__EVENT_LOST,     FED__EVENT_LEFT};
  struct fed__round_event event = {.type = likely[fed__rng_below(rng, 8)],
                                   .now_ms = now_ms,
                                   .client = (uint32_t)fed__rng_below(rng, CLIENTS),
                                   .round = round->round,
                                   .attempt = round->attempt,
                                   .exchange = round->exchange};
  const uint64_t whim = fed__rng_below(rng, 1000);
  if (round->phase == FED__PHASE_CLOSING && whim < 500) event.type = FED__EVENT_MODEL;
  if (whim < 30) event.attempt--;
  if (whim >= 30 && whim < 50) event.round--;
  if (whim >= 50 && whim < 60) event.exchange++;
  if (whim >= 60 && whim < 70) event.type = FED__EVENT_MODEL_FAILED;
  if (whim >= 70 && whim < 80) event.type = FED__EVENT_MODEL;
  if (whim == 80 && fed__rng_below(rng, 20) == 0) event.type = FED__EVENT_STOP;
  return event;
}

static void begin_watch(struct watch *watch, const struct fed_context *context,
                        struct fed_rng *rng) {
  struct fed__round_settings settings = plain_settings();
  settings.rounds = 1 + (uint32_t)fed__rng_below(rng, 12);
  settings.cohort = 1 + (uint32_t)fed__rng_below(rng, 8);
  settings.invited = settings.cohort + (uint32_t)fed__rng_below(rng, 4);
  settings.minimum = 1 + (uint32_t)fed__rng_below(rng, settings.cohort);
  settings.exchange_count = 1 + (uint32_t)fed__rng_below(rng, 5);
  settings.failures_max = 10;
  settings.gather_ms = 100;
  settings.deadline_ms = 5000;
  settings.final_evaluation = (int)fed__rng_below(rng, 2);
  settings.seed = fed__rng_next(rng);
  const uint64_t *kept = watch->effects;
  struct watch fresh = {.driver = {watch_effect}};
  memcpy(fresh.effects, kept, sizeof fresh.effects);
  *watch = fresh;
  assert_int_equal(fed__round_init(&watch->round, context, &settings, 0, FED__END_NONE, 0), FED_OK);
  assert_int_equal(fed__round_set_client_count(&watch->round, CLIENTS), FED_OK);
}

static void random_events_break_no_promise(void **state) {
  (void)state;
  struct fed_context context;
  struct fed_rng rng;
  struct watch watch = {0};
  int64_t now_ms = 0;
  uint64_t jobs = 0, refused = 0;
  fed_context_init(&context);
  fed__rng_init(&rng, 4, "test_round_table", 0, 0);
  begin_watch(&watch, &context, &rng);
  for (int i = 0; i < 20000; i++) {
    now_ms += (int64_t)fed__rng_below(&rng, 100);
    const struct fed__round_event event = draw_event(&rng, &watch.round, now_ms);
    const int code = fed__round_step(&watch.round, &event, &watch.driver);
    assert_true(code == FED_OK || code == FED_E_ORDER);
    refused += code == FED_E_ORDER;
    check_counts(&watch);
    assert_int_equal(watch.is_finished, watch.round.phase == FED__PHASE_FINISHED);
    if (watch.round.phase != FED__PHASE_CLOSING) watch.is_closing = 0;
    if (!watch.is_finished) continue;
    jobs++;
    fed__round_clear(&watch.round);
    begin_watch(&watch, &context, &rng);
    now_ms = 0;
  }
  fed__round_clear(&watch.round);
  assert_true(jobs > 10 && refused > 50); /* the walk went everywhere */
  for (int type = 0; type < 9; type++) assert_true(watch.effects[type] > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_cell_handles_its_event_or_refuses_it),
      cmocka_unit_test(every_phase_and_end_has_a_name),
      cmocka_unit_test(settings_follow_the_job),
      cmocka_unit_test(a_draw_is_repeatable),
      cmocka_unit_test(a_draw_is_fair),
      cmocka_unit_test(random_events_break_no_promise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
