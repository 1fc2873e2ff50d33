/* SPDX-License-Identifier: Apache-2.0
 *
 * test_round_waiting.c: who waits in asynchronous training is found by its place without a list,
 * and the draws and deadlines are those that a look at everybody gives.
 */
#include "unit/round/scripted_round.h"

#include "base/rng.h"
#include "round/round_parts.h"

#define CLIENTS 1000

static struct fed__round_settings settings_of_async(uint32_t cohort) {
  struct fed__round_settings settings = plain_settings();
  settings.cohort = settings.invited = cohort;
  settings.minimum = 2;
  settings.buffer = 7;
  settings.staleness_max = 1000;
  settings.rounds = 100000;
  return settings;
}

static uint32_t list_waiting(const struct fed__round *round, uint32_t list[CLIENTS]) {
  uint32_t count = 0;
  for (uint32_t client = 0; client < round->client_count; client++)
    if (round->waiting[client]) list[count++] = client;
  return count;
}

static void must_find_all(const struct fed__round *round) {
  uint32_t list[CLIENTS];
  const uint32_t count = list_waiting(round, list);
  assert_int_equal(count, round->waiting_count);
  for (uint32_t rank = 0; rank < count; rank++)
    assert_int_equal(fed__round_find_waiting(round, rank), list[rank]);
}

static void the_nth_is_found(void **state) {
  (void)state;
  const struct fed__round_settings settings = settings_of_async(5);
  struct script script;
  struct fed_rng rng;
  fed__rng_init(&rng, 3, "waiting", 0, 0);
  begin(&script, &settings, 1);
  struct fed__round *round = &script.round;
  for (uint32_t clients = 1; clients <= CLIENTS; clients += 1 + clients / 7) {
    assert_int_equal(fed__round_set_client_count(round, clients), FED_OK);
    for (int i = 0; i < 60; i++) {
      const int is_waiting = fed__rng_below(&rng, 3) != 0;
      fed__round_set_waiting(round, (uint32_t)fed__rng_below(&rng, clients), is_waiting);
    }
    must_find_all(round);
  }
  memset(round->waiting, 0, round->client_count); /* as a checkpoint is read */
  round->waiting[7] = round->waiting[64] = round->waiting[999 % round->client_count] = 1;
  round->waiting_count = 3;
  fed__round_count_waiting(round);
  must_find_all(round);
  fed__round_clear(round);
}

/* The client that a draw among a list of all who wait would take next. */
static uint32_t next_of_list(struct fed__round *round) {
  uint32_t list[CLIENTS];
  const uint32_t count = list_waiting(round, list);
  assert_true(count > 1);
  assert_int_equal(fed__selection_draw(&round->selection, round->settings.seed, round->round,
                                       round->draw_count + 1, list, count, 1),
                   1);
  return list[0];
}

static int64_t next_overdue_ms(const struct fed__round *round) {
  int64_t next = INT64_MAX;
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    const int64_t given_ms = round->tasks[round->cohort[i]].given_ms;
    if (given_ms + round->settings.deadline_ms < next)
      next = given_ms + round->settings.deadline_ms;
  }
  return next;
}

static const char *answer(struct script *script, uint32_t client) {
  const struct fed__open_task *task = &script->round.tasks[client];
  assert_int_equal(step(script, (struct fed__round_event){.type = FED__EVENT_REPORTED,
                                                          .client = client,
                                                          .round = task->round,
                                                          .attempt = task->number}),
                   FED_OK);
  return script->effects;
}

/* Somebody at work answers, and its place goes to the one of the list; or asks again, or is late.
 */
static void draws_are_those_of_a_list(void **state) {
  (void)state;
  const struct fed__round_settings settings = settings_of_async(20);
  struct script script;
  struct fed_rng rng;
  uint32_t drawn_count = 0, overdue_count = 0;
  fed__rng_init(&rng, 5, "waiting", 0, 0);
  begin(&script, &settings, CLIENTS);
  struct fed__round *round = &script.round;
  fed__round_resume_closing(round, 0);
  for (uint32_t client = 0; client < CLIENTS; client += 2) check_in(&script, client);
  model(&script);
  for (int i = 0; i < 3000; i++) {
    if (round->phase == FED__PHASE_CLOSING) model(&script);
    assert_int_equal(round->cohort_count, 20);
    const uint32_t client = round->cohort[fed__rng_below(&rng, 20)];
    script.now_ms += (int64_t)fed__rng_below(&rng, 200);
    if (i % 5 == 0) {
      assert_int_equal(strncmp(check_in(&script, client), "task ", 5), 0);
    } else if (i % 17 == 0) {
      const uint32_t lost = round->lost_count;
      const int64_t left_ms = next_overdue_ms(round) - script.now_ms;
      wait_ms(&script, left_ms > 0 ? left_ms : 0);
      assert_true(round->lost_count > lost);
      overdue_count++;
    } else {
      char expected[64];
      snprintf(expected, sizeof expected, "count %u, task %u", client, next_of_list(round));
      const char *effects = answer(&script, client);
      if (round->phase != FED__PHASE_CLOSING) assert_string_equal(effects, expected);
      drawn_count++;
      check_in(&script, client);
    }
    assert_true(fed__round_next_ms(round) == next_overdue_ms(round) ||
                round->phase == FED__PHASE_CLOSING);
  }
  assert_true(drawn_count > 1000 && overdue_count > 100);
  fed__round_clear(round);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_nth_is_found),
                                     cmocka_unit_test(draws_are_those_of_a_list)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
