/* SPDX-License-Identifier: Apache-2.0
 *
 * test_round.c: the rounds of a job as transcripts: for every situation that round.h names, the
 * events go in and the effects that must come out are written down.
 */
#include "scripted_round.h"

#include "failing_alloc.h"

static void check_in_all(struct script *script, uint32_t count) {
  for (uint32_t client = 0; client < count; client++) check_in(script, client);
}

/* To the exchange of the first round, with the cohort 0 … 3. */
static void open_first(struct script *script, const struct fed__round_settings *settings,
                       uint32_t clients) {
  begin(script, settings, clients);
  check_in_all(script, 4);
  assert_int_equal(script->round.phase, FED__PHASE_EXCHANGE);
}

/* To CLOSING of the open round, which all of 0 … 3 answer. */
static void close_open(struct script *script) {
  for (uint32_t client = 0; client < 4; client++) report(script, client);
  assert_int_equal(script->round.phase, FED__PHASE_CLOSING);
}

/* A whole round of 0 … 3; says what came with its model. */
static const char *whole_round(struct script *script) {
  check_in_all(script, 4);
  close_open(script);
  return model(script);
}

static void three_rounds_make_a_job(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 4);
  assert_string_equal(check_in(&s, 0), "");
  assert_string_equal(check_in(&s, 1), "");
  assert_string_equal(check_in(&s, 3), "");
  assert_string_equal(check_in(&s, 2), "open, task 0, task 1, task 2, task 3");
  assert_int_equal(s.round.round, 1);
  assert_int_equal(s.round.attempt, 1);
  assert_int_equal(s.round.deadline_ms, s.now_ms + 60000);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 60000);
  assert_string_equal(report(&s, 2), "count 2");
  assert_string_equal(check_in(&s, 2), ""); /* waits for the next round */
  assert_string_equal(report(&s, 0), "count 0");
  assert_string_equal(report(&s, 1), "count 1");
  assert_string_equal(report(&s, 3), "count 3, close");
  assert_int_equal(fed__round_next_ms(&s.round), INT64_MAX);
  assert_string_equal(model(&s), "");
  assert_int_equal(s.round.round, 2);
  assert_string_equal(check_in(&s, 0), "");
  assert_string_equal(check_in(&s, 1), "");
  assert_string_equal(check_in(&s, 3), "open, task 0, task 1, task 2, task 3");
  close_open(&s);
  assert_string_equal(model(&s), "");
  assert_string_equal(whole_round(&s), "finish");
  assert_int_equal(s.end, FED__END_ROUNDS);
  assert_int_equal(s.round.phase, FED__PHASE_FINISHED);
  fed__round_clear(&s.round);
}

static void nobody_waits_for_ever_for_a_full_cohort(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 8);
  check_in(&s, 5);
  check_in(&s, 6);
  assert_int_equal(fed__round_next_ms(&s.round), INT64_MAX); /* two are below the minimum */
  assert_string_equal(wait_ms(&s, 5000), "");
  assert_string_equal(check_in(&s, 7), "open, task 5, task 6, task 7"); /* patience is over */
  fed__round_clear(&s.round);

  begin(&s, &settings, 8);
  for (uint32_t client = 5; client < 8; client++) check_in(&s, client);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 1000);
  assert_string_equal(wait_ms(&s, 999), "");
  assert_string_equal(wait_ms(&s, 1), "open, task 5, task 6, task 7");
  fed__round_clear(&s.round);
}

static void a_client_that_leaves_is_not_invited(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 5);
  check_in_all(&s, 3);
  assert_string_equal(check_in(&s, 1), ""); /* a second time: still one client */
  assert_int_equal(s.round.waiting_count, 3);
  assert_string_equal(after(&s, FED__EVENT_LEFT, 1), "");
  assert_string_equal(after(&s, FED__EVENT_LEFT, 1), "");
  assert_int_equal(s.round.waiting_count, 2);
  check_in(&s, 4);
  assert_string_equal(check_in(&s, 3), "open, task 0, task 2, task 3, task 4");
  fed__round_clear(&s.round);
}

static void more_are_invited_than_needed_and_thanked(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.invited = 6;
  begin(&s, &settings, 7);
  check_in_all(&s, 5);
  assert_string_equal(check_in(&s, 5), "open, task 0, task 1, task 2, task 3, task 4, task 5");
  assert_string_equal(check_in(&s, 6), ""); /* came later: not a member */
  assert_string_equal(report(&s, 6), "dismiss 6");
  assert_string_equal(s.reason, "not a member of this round");
  for (uint32_t client = 0; client < 3; client++) report(&s, client);
  assert_string_equal(lose(&s, 4), "");
  assert_string_equal(report(&s, 5), "count 5, close");
  assert_string_equal(report(&s, 3), "dismiss 3"); /* the fifth answer is not needed */
  assert_string_equal(s.reason, "the round is over");
  assert_string_equal(report(&s, 5), "again 5"); /* its receipt was lost */
  fed__round_clear(&s.round);
}

static void the_deadline_closes_with_enough_and_fails_with_fewer(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  open_first(&s, &settings, 4);
  for (uint32_t client = 0; client < 3; client++) report(&s, client);
  assert_string_equal(wait_ms(&s, 59999), "");
  assert_string_equal(wait_ms(&s, 1), "close");
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  report(&s, 0);
  report(&s, 1);
  assert_string_equal(wait_ms(&s, 60000), "fail");
  assert_string_equal(s.reason, "too few clients answered before the deadline");
  assert_int_equal(s.round.phase, FED__PHASE_FAILED);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 500);
  assert_string_equal(report(&s, 2), "dismiss 2"); /* too late */
  fed__round_clear(&s.round);
}

static void lost_clients_end_a_round_early(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  open_first(&s, &settings, 4);
  report(&s, 0);
  report(&s, 1);
  assert_string_equal(lose(&s, 2), "");
  assert_string_equal(lose(&s, 2), ""); /* once */
  assert_int_equal(s.round.lost_count, 1);
  assert_string_equal(report(&s, 2), "dismiss 2");
  assert_string_equal(report(&s, 3), "count 3, close"); /* nobody is left to wait for */
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  report(&s, 0);
  assert_string_equal(lose(&s, 0), ""); /* what has been counted stays counted */
  assert_string_equal(lose(&s, 1), "");
  assert_string_equal(lose(&s, 2), "fail");
  assert_string_equal(s.reason, "too few clients are left");
  fed__round_clear(&s.round);
}

static void answers_count_once_and_only_for_their_attempt(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  open_first(&s, &settings, 4);
  assert_string_equal(report(&s, 0), "count 0");
  assert_string_equal(report(&s, 0), "again 0");
  assert_int_equal(s.round.reported_count, 1);
  static const struct {
    uint64_t round;
    uint32_t attempt, exchange;
  } others[] = {{0, 1, 0}, {2, 1, 0}, {1, 0, 0}, {1, 2, 0}, {1, 1, 1}};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    struct fed__round_event event = {.client = 1,
                                     .round = others[i].round,
                                     .attempt = others[i].attempt,
                                     .exchange = others[i].exchange};
    event.type = FED__EVENT_REPORTED;
    assert_int_equal(step(&s, event), FED_OK);
    assert_string_equal(s.effects, "dismiss 1");
    event.type = FED__EVENT_LOST;
    assert_int_equal(step(&s, event), FED_OK);
    assert_string_equal(s.effects, "");
    assert_int_equal(s.round.member[1], FED__MEMBER_WORKING);
  }
  fed__round_clear(&s.round);
}

static void a_member_that_comes_again_gets_its_task_again(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  open_first(&s, &settings, 4);
  assert_string_equal(check_in(&s, 2), "task 2"); /* its agent was killed and is back */
  assert_string_equal(check_in(&s, 2), "task 2");
  assert_string_equal(report(&s, 2), "count 2");
  assert_string_equal(lose(&s, 3), "");
  assert_string_equal(check_in(&s, 3), ""); /* gave up: no second chance in this attempt */
  fed__round_clear(&s.round);
}

/* Fail the open round, wait the back-off out; says how long that was. */
static int64_t fail_once(struct script *script) {
  check_in_all(script, 4);
  lose(script, 0);
  assert_string_equal(lose(script, 1), "fail");
  const int64_t back_off_ms = fed__round_next_ms(&script->round) - script->now_ms;
  assert_string_equal(check_in(script, 0), "");
  assert_string_equal(wait_ms(script, back_off_ms - 1), "");
  assert_int_equal(script->round.phase, FED__PHASE_FAILED);
  wait_ms(script, 1);
  return back_off_ms;
}

static void the_back_off_doubles_up_to_its_maximum(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.failures_max = 100;
  begin(&s, &settings, 4);
  assert_int_equal(fail_once(&s), 500);
  assert_int_equal(fail_once(&s), 1000);
  assert_int_equal(fail_once(&s), 1500);
  for (int i = 0; i < 80; i++) assert_int_equal(fail_once(&s), 1500); /* 2^80 ms overflow nothing */
  assert_int_equal(s.round.round, 1);
  assert_int_equal(s.round.attempt, 84);
  assert_string_equal(whole_round(&s), ""); /* a success starts the doubling anew */
  assert_int_equal(s.round.attempt, 1);
  assert_int_equal(fail_once(&s), 500);
  fed__round_clear(&s.round);
}

static void too_many_failures_in_a_row_end_the_job(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 4);
  fail_once(&s);
  fail_once(&s);
  check_in_all(&s, 4);
  lose(&s, 0);
  assert_string_equal(lose(&s, 1), "fail, finish");
  assert_int_equal(s.end, FED__END_FAILURES);
  assert_string_equal(s.reason, "too many failed rounds");
  fed__round_clear(&s.round);
}

static void a_model_that_cannot_be_made_is_a_failed_round(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  open_first(&s, &settings, 4);
  close_open(&s);
  assert_string_equal(after(&s, FED__EVENT_MODEL_FAILED, 0), "fail");
  assert_string_equal(s.reason, "the new model could not be made");
  check_in_all(&s, 4);
  assert_string_equal(wait_ms(&s, 500), "open, task 0, task 1, task 2, task 3");
  assert_int_equal(s.round.attempt, 2);
  fed__round_clear(&s.round);
}

static void an_operator_can_stop_a_job_at_any_time(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 4);
  assert_string_equal(stop(&s), "finish"); /* gathering */
  assert_int_equal(s.end, FED__END_STOPPED);
  assert_string_equal(stop(&s), "");
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  report(&s, 0);
  assert_string_equal(stop(&s), "fail, finish"); /* in the exchange: the attempt is void */
  assert_int_equal(s.end, FED__END_STOPPED);
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  close_open(&s);
  assert_string_equal(stop(&s), ""); /* closing: the version that is being made is kept */
  assert_string_equal(model(&s), "finish");
  assert_int_equal(s.end, FED__END_STOPPED);
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  close_open(&s);
  stop(&s);
  assert_string_equal(after(&s, FED__EVENT_MODEL_FAILED, 0), "fail, finish");
  assert_int_equal(s.end, FED__END_STOPPED);
  fed__round_clear(&s.round);

  begin(&s, &settings, 4);
  check_in_all(&s, 4);
  lose(&s, 0);
  lose(&s, 1);
  assert_int_equal(s.round.phase, FED__PHASE_FAILED);
  assert_string_equal(stop(&s), "finish");
  assert_int_equal(s.end, FED__END_STOPPED);
  fed__round_clear(&s.round);
}

static const char *measured_model(struct script *script, double accuracy, double loss) {
  const struct fed__round_event event = {
      .type = FED__EVENT_MODEL, .measured = 1, .accuracy = accuracy, .loss = loss};
  assert_int_equal(step(script, event), FED_OK);
  return script->effects;
}

static void a_target_ends_the_job(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.stop_metric = FED__METRIC_ACCURACY;
  settings.stop_at_least = 0.9;
  open_first(&s, &settings, 4);
  close_open(&s);
  assert_string_equal(measured_model(&s, 0.8999, 0.01), "");
  check_in_all(&s, 4);
  close_open(&s);
  assert_string_equal(measured_model(&s, 0.9, 5), "finish");
  assert_int_equal(s.end, FED__END_TARGET);
  fed__round_clear(&s.round);

  settings.stop_metric = FED__METRIC_LOSS;
  settings.stop_at_most = 0.25;
  open_first(&s, &settings, 4);
  close_open(&s);
  assert_string_equal(model(&s), ""); /* not measured: no loss of 0 */
  check_in_all(&s, 4);
  close_open(&s);
  assert_string_equal(measured_model(&s, 0.99, 0.2501), "");
  check_in_all(&s, 4);
  close_open(&s);
  assert_string_equal(measured_model(&s, 0.1, 0.25), "finish");
  assert_int_equal(s.end, FED__END_TARGET); /* also in what would have been the last round */
  fed__round_clear(&s.round);
}

static void time_ends_the_job(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.time_max_ms = 100000;
  begin(&s, &settings, 4);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 100000);
  assert_string_equal(wait_ms(&s, 99999), "");
  assert_string_equal(wait_ms(&s, 1), "finish"); /* nobody ever came */
  assert_int_equal(s.end, FED__END_TIME);
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4);
  s.now_ms += 59999;
  close_open(&s);
  s.now_ms += 40001;
  assert_string_equal(model(&s), "finish");
  assert_int_equal(s.end, FED__END_TIME);
  fed__round_clear(&s.round);

  settings.back_off_ms = settings.back_off_max_ms = 200000;
  begin(&s, &settings, 4);
  check_in_all(&s, 4);
  lose(&s, 0);
  lose(&s, 1);
  assert_string_equal(wait_ms(&s, 100000), "finish"); /* within the back-off */
  assert_int_equal(s.end, FED__END_TIME);
  fed__round_clear(&s.round);
}

/* `next_ms` never sleeps past the end of the job's time. */
static void the_end_of_time_is_not_slept_through(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.time_max_ms = 400;
  begin(&s, &settings, 4);
  for (uint32_t client = 0; client < 3; client++) check_in(&s, client);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 400); /* before gather_ms */
  fed__round_clear(&s.round);
  begin(&s, &settings, 4);
  check_in_all(&s, 4);
  lose(&s, 0);
  lose(&s, 1);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 400); /* before back_off_ms */
  fed__round_clear(&s.round);
}

static void a_final_evaluation_follows_the_last_round(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.rounds = 1;
  settings.exchange_count = 2; /* an evaluation has one exchange whatever training has */
  settings.final_evaluation = 1;
  open_first(&s, &settings, 4);
  for (uint32_t client = 0; client < 3; client++) report(&s, client);
  assert_string_equal(report(&s, 3), "count 3, next");
  close_open(&s);
  assert_string_equal(model(&s), "");
  assert_int_equal(s.round.kind, FED__ROUND_EVALUATE);
  assert_int_equal(s.round.round, 2);
  assert_int_equal(s.round.ending, FED__END_ROUNDS);
  check_in_all(&s, 4);
  close_open(&s);
  assert_string_equal(model(&s), "finish");
  assert_int_equal(s.end, FED__END_ROUNDS);
  fed__round_clear(&s.round);

  open_first(&s, &settings, 4); /* an operator's stop means now */
  for (uint32_t client = 0; client < 4; client++) report(&s, client);
  close_open(&s);
  stop(&s);
  assert_string_equal(model(&s), "finish");
  assert_int_equal(s.end, FED__END_STOPPED);
  fed__round_clear(&s.round);
}

static void five_exchanges_go_to_those_who_answered(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.exchange_count = 5;
  settings.invited = 6;
  begin(&s, &settings, 6);
  check_in_all(&s, 6);
  for (uint32_t client = 0; client < 3; client++) report(&s, client);
  check_in(&s, 1); /* waits for the second exchange already */
  assert_string_equal(report(&s, 4), "count 4, next, task 1");
  assert_int_equal(s.round.exchange, 1);
  assert_int_equal(s.round.reported_count, 0);
  assert_string_equal(check_in(&s, 0), "task 0");
  assert_string_equal(check_in(&s, 3), ""); /* had not answered: out of the round */
  assert_string_equal(report(&s, 3), "dismiss 3");
  assert_string_equal(check_in(&s, 5), "");
  for (uint32_t client = 0; client < 3; client++) report(&s, client);
  assert_string_equal(wait_ms(&s, 60000), "next"); /* 4 stays silent: three are enough */
  assert_string_equal(check_in(&s, 4), "");
  for (uint32_t exchange = 2; exchange < 4; exchange++) {
    assert_int_equal(s.round.exchange, exchange);
    for (uint32_t client = 0; client < 2; client++) {
      assert_string_equal(check_in(&s, client), client ? "task 1" : "task 0");
      report(&s, client);
    }
    assert_string_equal(report(&s, 2), "count 2, next");
  }
  report(&s, 0);
  report(&s, 1);
  assert_string_equal(report(&s, 2), "count 2, close");
  assert_string_equal(model(&s), "");
  assert_string_equal(wait_ms(&s, 1000), "open, task 3, task 4, task 5"); /* free for the next */
  fed__round_clear(&s.round);
}

static void a_later_exchange_with_too_few_fails_the_round(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.exchange_count = 2;
  open_first(&s, &settings, 4);
  for (uint32_t client = 0; client < 4; client++) report(&s, client);
  lose(&s, 0);
  assert_string_equal(lose(&s, 1), "fail");
  assert_string_equal(s.reason, "too few clients are left");
  check_in_all(&s, 4);
  assert_string_equal(wait_ms(&s, 500), "open, task 0, task 1, task 2, task 3");
  assert_int_equal(s.round.exchange, 0); /* from the first exchange on */
  fed__round_clear(&s.round);
}

static void an_interrupted_round_runs_again_with_the_same_cohort(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  const uint32_t cohort[] = {6, 1, 4};
  struct script s;
  begin(&s, &settings, 8);
  assert_int_equal(fed__round_resume(&s.round, 2, 3, cohort, 3, s.now_ms, &s.driver), FED_OK);
  assert_string_equal(s.effects, "open");
  assert_int_equal(s.round.round, 2);
  assert_int_equal(s.round.attempt, 3);
  assert_int_equal(fed__round_next_ms(&s.round), s.now_ms + 60000);
  assert_string_equal(check_in(&s, 0), ""); /* was no member and is none */
  assert_string_equal(check_in(&s, 6), "task 6");
  assert_string_equal(check_in(&s, 4), "task 4");
  assert_string_equal(check_in(&s, 1), "task 1");
  report(&s, 4);
  report(&s, 6);
  assert_string_equal(report(&s, 1), "count 1, close");
  model(&s);
  assert_int_equal(s.round.round, 3);
  fed__round_clear(&s.round);

  const uint32_t strangers[] = {0, 8, 1};
  begin(&s, &settings, 8);
  assert_int_equal(fed__round_resume(&s.round, 1, 2, strangers, 3, s.now_ms, &s.driver),
                   FED_E_RANGE);
  fed__round_clear(&s.round);
  begin(&s, &settings, 2);
  assert_int_equal(fed__round_resume(&s.round, 1, 2, cohort, 3, s.now_ms, &s.driver), FED_E_RANGE);
  assert_string_equal(s.effects, "");
  fed__round_clear(&s.round);
}

static void a_restart_goes_on_where_the_job_was(void **state) {
  (void)state;
  struct fed__round_settings settings = plain_settings();
  struct script s;
  settings.final_evaluation = 1;
  begin(&s, &settings, 4);
  fed__round_clear(&s.round);
  assert_int_equal(fed__round_init(&s.round, &s.context, &settings, 2, FED__END_NONE, 0), FED_OK);
  assert_int_equal(s.round.round, 3);
  assert_int_equal(s.round.kind, FED__ROUND_TRAIN);
  fed__round_resume_closing(&s.round, 2); /* version 2 was still being measured */
  assert_string_equal(model(&s), "");
  assert_int_equal(s.round.round, 3);
  fed__round_clear(&s.round);
  assert_int_equal(fed__round_init(&s.round, &s.context, &settings, 3, FED__END_TARGET, 0), FED_OK);
  assert_int_equal(s.round.kind, FED__ROUND_EVALUATE);
  assert_int_equal(s.round.round, 4);
  fed__round_clear(&s.round);
}

static void a_client_of_another_number_is_refused(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct script s;
  begin(&s, &settings, 4);
  static const enum fed__round_event_type types[] = {FED__EVENT_CHECK_IN, FED__EVENT_LEFT,
                                                     FED__EVENT_REPORTED, FED__EVENT_LOST};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(step(&s, (struct fed__round_event){.type = types[i], .client = 4}),
                     FED_E_RANGE);
    assert_int_equal(step(&s, (struct fed__round_event){.type = types[i], .client = UINT32_MAX}),
                     FED_E_RANGE);
  }
  assert_int_equal(step(&s, (struct fed__round_event){.type = FED__EVENT_COUNT}), FED_E_INTERNAL);
  fed__round_clear(&s.round);
}

static void memory_that_runs_out_is_reported(void **state) {
  (void)state;
  const struct fed__round_settings settings = plain_settings();
  struct failing_alloc memory;
  struct fed_context context;
  struct fed__round round;
  int code = FED_E_MEMORY;
  for (long allowed = 0; code != FED_OK; allowed++) {
    failing_alloc_init(&memory, &context, allowed);
    code = fed__round_init(&round, &context, &settings, 0, FED__END_NONE, 0);
    if (code == FED_OK) code = fed__round_set_client_count(&round, 1000);
    if (code != FED_OK) assert_int_equal(code, FED_E_MEMORY);
    fed__round_clear(&round);
    fed__round_clear(&round); /* a second time does no harm */
    assert_int_equal(memory.living, 0);
    assert_true(allowed < 20);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(three_rounds_make_a_job),
      cmocka_unit_test(nobody_waits_for_ever_for_a_full_cohort),
      cmocka_unit_test(a_client_that_leaves_is_not_invited),
      cmocka_unit_test(more_are_invited_than_needed_and_thanked),
      cmocka_unit_test(the_deadline_closes_with_enough_and_fails_with_fewer),
      cmocka_unit_test(lost_clients_end_a_round_early),
      cmocka_unit_test(answers_count_once_and_only_for_their_attempt),
      cmocka_unit_test(a_member_that_comes_again_gets_its_task_again),
      cmocka_unit_test(the_back_off_doubles_up_to_its_maximum),
      cmocka_unit_test(too_many_failures_in_a_row_end_the_job),
      cmocka_unit_test(a_model_that_cannot_be_made_is_a_failed_round),
      cmocka_unit_test(an_operator_can_stop_a_job_at_any_time),
      cmocka_unit_test(a_target_ends_the_job),
      cmocka_unit_test(time_ends_the_job),
      cmocka_unit_test(the_end_of_time_is_not_slept_through),
      cmocka_unit_test(a_final_evaluation_follows_the_last_round),
      cmocka_unit_test(five_exchanges_go_to_those_who_answered),
      cmocka_unit_test(a_later_exchange_with_too_few_fails_the_round),
      cmocka_unit_test(an_interrupted_round_runs_again_with_the_same_cohort),
      cmocka_unit_test(a_restart_goes_on_where_the_job_was),
      cmocka_unit_test(a_client_of_another_number_is_refused),
      cmocka_unit_test(memory_that_runs_out_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
