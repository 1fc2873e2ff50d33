/* SPDX-License-Identifier: Apache-2.0
 *
 * test_round_async.c: transcripts of asynchronous training: how many work at a time, what makes a
 * version, what is too stale, what is double, who is given up.
 */
#include "unit/round/scripted_round.h"

/* Three work at a time, two answers make a version, which two more may follow before an answer is
 * too stale. */
static struct fed__round_settings settings_of_async(void) {
  struct fed__round_settings settings = plain_settings();
  settings.cohort = settings.invited = 3;
  settings.minimum = 2;
  settings.buffer = 2;
  settings.staleness_max = 2;
  settings.rounds = 100;
  return settings;
}

/* Five clients, three of them at work on version 0. Who is drawn is up to chance: `worker` has
 * them in the order of their tasks. */
struct scene {
  struct script script;
  uint32_t worker[3];
};

static void note_workers(struct scene *scene) {
  memcpy(scene->worker, scene->script.round.cohort, sizeof scene->worker);
}

static void open_scene(struct scene *scene) {
  const struct fed__round_settings settings = settings_of_async();
  struct script *script = &scene->script;
  begin(script, &settings, 5);
  fed__round_resume_closing(&script->round, 0);
  for (uint32_t client = 0; client < 5; client++) assert_string_equal(check_in(script, client), "");
  const char *effects = model(script);
  assert_int_equal(strncmp(effects, "open, task ", 11), 0);
  assert_int_equal(script->round.cohort_count, 3);
  assert_int_equal(script->round.waiting_count, 2);
  note_workers(scene);
}

static void close_scene(struct scene *scene) { fed__round_clear(&scene->script.round); }

/* The client's answer to a task of that round. */
static const char *answer(struct script *script, uint32_t client, uint64_t round, uint32_t number) {
  assert_int_equal(step(script, (struct fed__round_event){.type = FED__EVENT_REPORTED,
                                                          .client = client,
                                                          .round = round,
                                                          .attempt = number}),
                   FED_OK);
  return script->effects;
}

static void assert_effects(const char *found, const char *format, uint32_t client) {
  char expected[64];
  snprintf(expected, sizeof expected, format, client);
  if (strncmp(found, expected, strlen(expected)) != 0)
    fail_msg("effects: %s; expected %s…", found, expected);
}

static void who_answers_makes_room_for_another(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  const char *effects = answer(&scene.script, scene.worker[0], 1, 1);
  assert_effects(effects, "count %u, task ", scene.worker[0]);
  assert_int_equal(scene.script.round.cohort_count, 3);
  assert_int_equal(scene.script.round.waiting_count, 1);
  assert_string_equal(check_in(&scene.script, scene.worker[0]), "");
  assert_int_equal(scene.script.round.cohort_count, 3);
  close_scene(&scene);
}

static void the_buffer_makes_a_version(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  answer(&scene.script, scene.worker[0], 1, 1);
  assert_effects(answer(&scene.script, scene.worker[1], 1, 1), "count %u, close", scene.worker[1]);
  assert_int_equal(scene.script.round.phase, FED__PHASE_CLOSING);
  assert_int_equal(strncmp(model(&scene.script), "open, task ", 11), 0);
  assert_int_equal(scene.script.round.round, 2);
  assert_int_equal(scene.script.round.reported_count, 0);
  /* The third is still at work on version 0: its answer counts. */
  assert_effects(answer(&scene.script, scene.worker[2], 1, 1), "count %u", scene.worker[2]);
  close_scene(&scene);
}

static void answers_while_a_version_is_made_count_for_the_next(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  answer(&scene.script, scene.worker[0], 1, 1);
  answer(&scene.script, scene.worker[1], 1, 1);
  assert_effects(answer(&scene.script, scene.worker[2], 1, 1), "count %u", scene.worker[2]);
  assert_int_equal(scene.script.round.reported_count, 2);
  model(&scene.script);
  assert_int_equal(scene.script.round.reported_count, 1);
  note_workers(&scene);
  const uint32_t next = scene.worker[0];
  const struct fed__open_task *task = &scene.script.round.tasks[next];
  assert_effects(answer(&scene.script, next, task->round, task->number), "count %u, close", next);
  close_scene(&scene);
}

/* Let the others make a version: two of the newest tasks are answered. */
static void make_version(struct scene *scene, uint32_t but) {
  struct fed__round *round = &scene->script.round;
  const uint64_t before = round->round;
  while (round->phase == FED__PHASE_EXCHANGE) {
    uint32_t at = 0;
    while (round->cohort[at] == but) at++;
    const uint32_t client = round->cohort[at];
    const struct fed__open_task task = round->tasks[client];
    answer(&scene->script, client, task.round, task.number);
    check_in(&scene->script, client);
  }
  model(&scene->script);
  assert_int_equal(round->round, before + 1);
}

static void what_is_too_stale_is_dropped(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  const uint32_t slow = scene.worker[2];
  make_version(&scene, slow);
  make_version(&scene, slow);
  make_version(&scene, slow);
  assert_int_equal(scene.script.round.round, 4);
  assert_effects(answer(&scene.script, slow, 1, 1), "dismiss %u", slow);
  assert_string_equal(scene.script.reason, "too many versions were made since the task");
  close_scene(&scene);
}

static void an_answer_counts_once(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  const uint32_t client = scene.worker[0];
  answer(&scene.script, client, 1, 1);
  assert_effects(answer(&scene.script, client, 1, 1), "again %u", client);
  assert_effects(answer(&scene.script, client, 1, 2), "dismiss %u", client);
  assert_effects(answer(&scene.script, client, 0, 1), "dismiss %u", client);
  assert_int_equal(scene.script.round.reported_count, 1);
  close_scene(&scene);
}

/* A client that asks again has lost its task; the answer to that one is not wanted any more. */
static void who_asks_again_gets_a_new_task(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  const uint32_t client = scene.worker[1];
  assert_effects(check_in(&scene.script, client), "task %u", client);
  assert_int_equal(scene.script.round.tasks[client].number, 2);
  assert_effects(answer(&scene.script, client, 1, 1), "dismiss %u", client);
  assert_effects(answer(&scene.script, client, 1, 2), "count %u", client);
  close_scene(&scene);
}

static void tasks_that_are_overdue_are_given_up(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  assert_int_equal(fed__round_next_ms(&scene.script.round), scene.script.now_ms + 60000);
  wait_ms(&scene.script, 60000);
  assert_int_equal(scene.script.round.cohort_count, 2); /* those two that waited */
  assert_int_equal(scene.script.round.lost_count, 3);
  assert_effects(answer(&scene.script, scene.worker[0], 1, 1), "dismiss %u", scene.worker[0]);
  close_scene(&scene);
}

static void a_version_that_cannot_be_made_loses_its_answers(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene);
  for (int k = 0; k < 2; k++) answer(&scene.script, scene.worker[k], 1, 1);
  assert_effects(after(&scene.script, FED__EVENT_MODEL_FAILED, 0), "fail, open", 0);
  assert_int_equal(scene.script.round.round, 1);
  assert_int_equal(scene.script.round.attempt, 2);
  assert_int_equal(scene.script.round.reported_count, 0);
  assert_effects(answer(&scene.script, scene.worker[2], 1, 1), "count %u", scene.worker[2]);
  close_scene(&scene);
}

static void nothing_begins_below_the_minimum(void **state) {
  (void)state;
  const struct fed__round_settings settings = settings_of_async();
  struct script script;
  begin(&script, &settings, 5);
  fed__round_resume_closing(&script.round, 0);
  assert_string_equal(model(&script), "");
  assert_string_equal(check_in(&script, 4), "");
  assert_string_equal(check_in(&script, 2), "open, task 2, task 4");
  fed__round_clear(&script.round);
}

/* Two have answered and not yet asked again; the one at work is fewer than the minimum to begin. */
static void those_at_work_go_on_though_few_are_there(void **state) {
  (void)state;
  const struct fed__round_settings settings = settings_of_async();
  struct script script;
  begin(&script, &settings, 3);
  fed__round_resume_closing(&script.round, 0);
  for (uint32_t client = 0; client < 3; client++) check_in(&script, client);
  model(&script);
  assert_effects(answer(&script, 0, 1, 1), "count %u", 0);
  assert_effects(answer(&script, 1, 1, 1), "count %u, close", 1);
  assert_string_equal(model(&script), "open");
  assert_int_equal(script.round.phase, FED__PHASE_EXCHANGE);
  assert_effects(answer(&script, 2, 1, 1), "count %u", 2);
  fed__round_clear(&script.round);
}

static void it_ends_and_evaluates_in_step(void **state) {
  (void)state;
  struct fed__round_settings settings = settings_of_async();
  struct script script;
  settings.rounds = 1;
  settings.final_evaluation = 1;
  begin(&script, &settings, 3);
  fed__round_resume_closing(&script.round, 0);
  for (uint32_t client = 0; client < 3; client++) check_in(&script, client);
  model(&script);
  assert_effects(answer(&script, 0, 1, 1), "count %u", 0);
  assert_effects(answer(&script, 1, 1, 1), "count %u, close", 1);
  check_in(&script, 0);
  check_in(&script, 1);
  model(&script);
  assert_int_equal(script.round.kind, FED__ROUND_EVALUATE);
  assert_effects(answer(&script, 2, 1, 1), "dismiss %u", 2);
  wait_ms(&script, 1000);
  assert_string_equal(report(&script, 0), "count 0");
  assert_string_equal(report(&script, 1), "count 1, close");
  assert_string_equal(model(&script), "finish");
  assert_int_equal(script.end, FED__END_ROUNDS);
  fed__round_clear(&script.round);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_answers_makes_room_for_another),
      cmocka_unit_test(the_buffer_makes_a_version),
      cmocka_unit_test(answers_while_a_version_is_made_count_for_the_next),
      cmocka_unit_test(what_is_too_stale_is_dropped),
      cmocka_unit_test(an_answer_counts_once),
      cmocka_unit_test(who_asks_again_gets_a_new_task),
      cmocka_unit_test(tasks_that_are_overdue_are_given_up),
      cmocka_unit_test(a_version_that_cannot_be_made_loses_its_answers),
      cmocka_unit_test(nothing_begins_below_the_minimum),
      cmocka_unit_test(those_at_work_go_on_though_few_are_there),
      cmocka_unit_test(it_ends_and_evaluates_in_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
