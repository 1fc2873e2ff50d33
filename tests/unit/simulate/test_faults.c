/* SPDX-License-Identifier: Apache-2.0
 *
 * test_faults.c: faults that do not change who is counted do not change the model; each fault takes
 * the time and the bytes that it should, and is counted; devices that leave, or have little memory.
 */
#include "round_checks.h"

#include "base/raise.h"

#include <string.h>

/* The sums of the rounds, as far as they are over. */
static uint64_t trouble_of(const struct made_up *made, enum fed__trouble trouble) {
  uint64_t sum = 0;
  for (size_t i = 0; i < made->round_count; i++) sum += made->rounds[i].trouble[trouble];
  return sum;
}

/* ---- what does not change the model --------------------------------------------------------- */

/* Those of one round after the other, without the attempts that failed. */
static void must_have_same_results(const struct made_up *a, const struct made_up *b) {
  size_t at = 0;
  for (size_t i = 0; i < b->round_count; i++) {
    if (b->rounds[i].failure) continue;
    while (a->rounds[at].failure) at++;
    assert_int_equal(a->rounds[at].round, b->rounds[i].round);
    assert_memory_equal(&a->rounds[at].trained, &b->rounds[i].trained,
                        sizeof a->rounds[at].trained);
    assert_memory_equal(&a->rounds[at].evaluated, &b->rounds[i].evaluated,
                        sizeof a->rounds[at].evaluated);
    at++;
  }
}

static void run_job(struct made_up *made, struct fed__simulation *simulation, uint32_t threads,
                    const char *rounds, const char *more) {
  make_up(made, "epochs: 1", rounds, more);
  made->observer.round_over = check_round;
  simulate(made, threads, simulation);
}

/* The faults that are counted under `trouble` leave the model as it is, and they did happen. */
static void leaves_the_model(const char *rounds, uint32_t clients, const char *faults,
                             enum fed__trouble trouble) {
  static struct made_up calm, disturbed;
  struct fed__simulation simulations[2];
  char more[512];
  const char *world =
      "aggregate: {server_momentum: 0.3}\n"
      "simulate: {clients: %u, partition: {kind: dirichlet},\n"
      "  device: {speed: 10, speed_spread: 0.5, latency: 100 ms},\n  faults: {%s}}\n";
  snprintf(more, sizeof more, world, clients, "");
  run_job(&calm, &simulations[0], 1, rounds, more);
  snprintf(more, sizeof more, world, clients, faults);
  run_job(&disturbed, &simulations[1], 2, rounds, more);
  assert_int_equal(simulations[1].end, FED__END_ROUNDS);
  assert_memory_equal(simulations[0].current.storage, simulations[1].current.storage,
                      simulations[0].current.storage_bytes);
  must_have_same_results(&calm, &disturbed);
  assert_true(simulations[1].trouble[trouble] > 0);
  assert_true(trouble_of(&disturbed, trouble) > 0);
  for (int i = 0; i < FED__TROUBLE_COUNT; i++) assert_true(simulations[0].trouble[i] == 0);
  fed__simulation_clear(&simulations[0]);
  fed__simulation_clear(&simulations[1]);
  take_down(&calm);
  take_down(&disturbed);
}

static const char *some = "count: 8, cohort: 6, minimum: 6, deadline: 1 h, gather: 1 h";
static const char *all = "count: 8, cohort: 12, minimum: 12, deadline: 10 h, gather: 10 h";

static void duplicates_leave_the_model(void **state) {
  (void)state;
  leaves_the_model(some, 20, "duplicated: 1, delay: 200 ms", FED__TROUBLE_REPEATED);
}

static void delays_leave_the_model(void **state) {
  (void)state;
  leaves_the_model(some, 20, "delayed: 0.7, delay: 5 min", FED__TROUBLE_DELAYED);
}

static void the_order_leaves_the_model(void **state) {
  (void)state;
  leaves_the_model(some, 20, "reordered: 1, delay: 10 s", FED__TROUBLE_REORDERED);
}

static void a_server_that_crashes_leaves_the_model(void **state) {
  (void)state;
  leaves_the_model(some, 20, "server_crash: 0.6, server_restart: 5 s", FED__TROUBLE_SERVER_CRASH);
}

/* Where a round waits for everybody, what is lost only takes time. */
static void losses_leave_the_model_of_all(void **state) {
  (void)state;
  leaves_the_model(all, 12, "lost: 0.4, resend: 3 s", FED__TROUBLE_LOST);
  leaves_the_model(all, 12, "client_crash: 0.5, client_restart: 10 s", FED__TROUBLE_CLIENT_CRASH);
  leaves_the_model(all, 12,
                   "lost: 0.2, duplicated: 0.3, delayed: 0.3, reordered: 0.5, delay: 20 s,\n"
                   "    client_crash: 0.2, server_crash: 0.5",
                   FED__TROUBLE_REPEATED);
}

/* So are crashes while it waits for them. */
static void a_server_that_crashes_while_waiting_leaves_the_model(void **state) {
  (void)state;
  leaves_the_model(all, 12,
                   "lost: 0.4, resend: 3 s, server_crash_waiting: 0.7, server_restart: 4 s",
                   FED__TROUBLE_SERVER_CRASH);
}

/* ---- what each fault takes ------------------------------------------------------------------ */

/* A lost message is noticed after `resend`. */
static void what_is_lost_takes_time_and_bytes(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  run_job(&made, &simulation, 1, "count: 150, cohort: 1, minimum: 1, deadline: 10 h, gather: 10 h",
          "evaluate: {every: 0}\n"
          "simulate: {clients: 1, faults: {lost: 0.5, resend: 1 s}}\n");
  const uint64_t elements = simulation.plan.shape.element_count;
  uint64_t down = 0, up = 0;
  for (size_t i = 0; i < made.round_count; i++) {
    down += made.rounds[i].down_bytes;
    up += made.rounds[i].up_bytes;
  }
  const uint64_t lost = simulation.trouble[FED__TROUBLE_LOST];
  assert_int_equal(down % (4 * elements), 0);
  assert_true(down > 150 * 4 * elements && up > 150 * 2 * elements);
  /* one client: whatever is lost, everything waits for it */
  assert_true(simulation.now_us == (int64_t)(lost * 1000000));
  /* Check-in and task must both arrive, else both are tried again: with 1/4 each time, so 3 tries
   * lose a message before the one that does not, with a variance of 12; and the same for the
   * answer and its acknowledgement: 6 a round. */
  assert_in_range(lost, 900 - 5 * 60, 900 + 5 * 60);
  /* an acknowledgement that is lost is why an answer comes again */
  assert_in_range(simulation.trouble[FED__TROUBLE_REPEATED] + simulation.trouble[FED__TROUBLE_LATE],
                  150 - 5 * 18, 150 + 5 * 18);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Of 50 rounds each has one crash before its model; a crash in a round costs `server_restart` and
 * the work that was done until then. */
static void crashes_are_counted_and_void_attempts_told(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  uint64_t void_attempts = 0;
  run_job(&made, &simulation, 1, "count: 50, cohort: 3, minimum: 3, deadline: 1 h",
          "evaluate: {every: 0}\n"
          "simulate: {clients: 3, faults: {server_crash: 0.5, server_restart: 2 min}}\n");
  for (size_t i = 0; i < made.round_count; i++) {
    const struct fed__simulated_round *round = &made.rounds[i];
    if (!round->failure) continue;
    void_attempts++;
    assert_non_null(strstr(round->failure, "server crashed"));
    assert_int_equal(round[1].round, round->round);
    assert_int_equal(round[1].attempt, round->attempt + 1);
    assert_int_equal(round[1].cohort, 3);
  }
  const uint64_t crashes = simulation.trouble[FED__TROUBLE_SERVER_CRASH];
  assert_true(simulation.now_us == (int64_t)(crashes * 120 * 1000000));
  /* attempts are 50 plus the void ones; each has a crash with p = 1/2, of which three quarters (0,
   * 1, 2 of 0 … 3 answers) make it void: 50 * 3/5 void ones, and 1/4 as many crashes more */
  assert_int_equal(made.round_count, 50 + void_attempts);
  assert_in_range(void_attempts, 30 - 24, 30 + 30);
  assert_true(crashes > void_attempts && crashes < void_attempts + 30);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Of three clients one is there, and the others come at 100 and 200 s: the server waits for them,
 * and crashes with the probability 1/2, with one or with two. It is back 1000 s later, first of all
 * those who waited, and may crash again. */
static double begins_at(uint64_t seed, uint64_t *crashes) {
  static struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 1, cohort: 3, minimum: 3, gather: 1 h, deadline: 1 h",
          "evaluate: {every: 0, federated: false}\n"
          "simulate: {clients: 3,\n"
          "           faults: {server_crash_waiting: 0.5, server_restart: 1000 s}}\n");
  made.observer.round_over = check_round;
  made.job.seed = seed;
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  for (uint32_t c = 0; c < 3; c++) {
    const struct fed__interval there = {c * 100 * (int64_t)1000000, INT64_MAX / 4, c};
    assert_int_equal(fed__intervals_add(&made.context, &simulation.devices.availability, &there),
                     FED_OK);
  }
  assert_int_equal(fed__simulation_run(&simulation), FED_OK);
  assert_int_equal(made.round_count, 1);
  assert_int_equal(made.rounds[0].attempt, 1);
  assert_int_equal(made.rounds[0].cohort, 3);
  assert_null(made.rounds[0].failure);
  *crashes = simulation.trouble[FED__TROUBLE_SERVER_CRASH];
  const double begun_s = made.rounds[0].virtual_s;
  fed__simulation_clear(&simulation);
  take_down(&made);
  return begun_s;
}

static void a_waiting_server_crashes_at_any_moment(void **state) {
  (void)state;
  int at_first = 0, at_second = 0;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    uint64_t crashes;
    const double begun_s = begins_at(seed, &crashes);
    if (!crashes) {
      assert_float_equal(begun_s, 200, 1e-3);
      continue;
    }
    const int late = begun_s > 1000 * (double)crashes + 50;
    assert_float_equal(begun_s, 1000 * (double)crashes + (late ? 100 : 0), 1e-3);
    at_first += !late;
    at_second += late;
  }
  assert_in_range(at_first, 25 - 18, 25 + 18); /* deviation 4.3 */
  assert_in_range(at_second, 25 - 18, 25 + 18);
}

/* While it backs off after a failed attempt: the store knows of no open round, so it gathers at
 * once, for the next attempt. The only client never answers in the first attempts. */
static void a_crash_ends_the_wait_after_a_failure(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  uint64_t begun_anew = 0;
  run_job(&made, &simulation, 1,
          "count: 30, cohort: 2, minimum: 2, deadline: 1 min, back_off: 1 h, back_off_max: 1 h,\n"
          "  failures_max: 100",
          "evaluate: {every: 0, federated: false}\n"
          "simulate: {clients: 2, device: {drop_out: 0.3},\n"
          "           faults: {server_crash_waiting: 0.5, server_restart: 2 h}}\n");
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  for (size_t i = 0; i + 1 < made.round_count; i++) {
    const struct fed__simulated_round *round = &made.rounds[i];
    const double wait_s = round[1].virtual_s - round->virtual_s - (round[1].failure ? 60 : 0);
    if (!round->failure) continue;
    assert_int_equal(round[1].round, round->round);
    assert_int_equal(round[1].attempt, round->attempt + 1);
    if (round[1].trouble[FED__TROUBLE_SERVER_CRASH]) {
      begun_anew++;
      assert_true(wait_s >= 7200 && wait_s < 7200 + 3600);
    } else {
      assert_float_equal(wait_s, 3600, 1e-3);
    }
  }
  assert_true(begun_anew > 3);
  assert_int_equal(begun_anew, simulation.trouble[FED__TROUBLE_SERVER_CRASH]);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* A crash gives the job no more time. */
static void time_ends_a_job_whose_server_crashes(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  run_job(&made, &simulation, 1, "count: 1000, cohort: 3, minimum: 3, deadline: 1 h",
          "evaluate: {every: 0}\nstop: {seconds: 4 h}\n"
          "simulate: {clients: 3, device: {latency: 1 min},\n"
          "           faults: {server_crash: 0.5, server_restart: 2 min}}\n");
  assert_int_equal(simulation.end, FED__END_TIME);
  assert_true(simulation.now_us >= 4 * 3600 * (int64_t)1000000);
  assert_true(simulation.now_us < 4 * 3600 * (int64_t)1000000 + 600 * (int64_t)1000000);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Whose turn it was is known again after a crash: in three rounds all of twelve clients train. */
static void turns_go_on_after_a_crash(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  run_job(&made, &simulation, 1,
          "count: 30, cohort: 4, minimum: 4, deadline: 1 h, selection: {rule: round_robin}",
          "evaluate: {every: 0}\n"
          "simulate: {clients: 12, device: {speed: 1, speed_spread: 0.5},\n"
          "           faults: {server_crash: 0.4}}\n");
  assert_true(simulation.trouble[FED__TROUBLE_SERVER_CRASH] > 5);
  for (uint32_t c = 0; c < 12; c++) assert_int_equal(simulation.rounds_trained[c], 10);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* ---- memory and time of day ----------------------------------------------------------------- */

static void devices_with_little_memory_take_no_part(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 2, cohort: 5, minimum: 2",
          "simulate: {clients: 40, device: {distribution: uniform, memory: 100 B,\n"
          "                                 memory_spread: 0.9}}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  const size_t needed = fed__pool_training_bytes(simulation.pool);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_INPUT);
  assert_non_null(strstr(fed_error_last()->message, "40 others have less than the"));
  fed__simulation_clear(&simulation);
  made.job.simulate.device.memory = needed; /* half of them have less than the mean */
  made.observer.round_over = check_round;
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.eligible_count + simulation.small_memory_count, 40);
  assert_in_range(simulation.small_memory_count, 20 - 15, 20 + 15); /* deviation 3.2 */
  for (uint32_t c = 0; c < 40; c++)
    assert_int_equal(fed__simulation_is_eligible(&simulation, c),
                     fed__device_of(&simulation.devices, c).memory >= (double)needed);
  struct fed__client_figures figures; /* the model is for all of them */
  assert_int_equal(fed__simulation_measure_clients(&simulation, UINT32_MAX, &figures, NULL, NULL),
                   FED_OK);
  assert_int_equal(figures.accuracy.count, 40);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* All devices are there from 22 to 2 o'clock, and work 3 h on a task: who begins at 22 is back in
 * time, and a second round in the same night is too long for what is left of it: work that is begun
 * is lost, and done again in the next night. */
static void who_leaves_loses_the_work(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  run_job(
      &made, &simulation, 1, "count: 2, cohort: 4, minimum: 4, deadline: 40 h, gather: 1 h",
      "evaluate: {every: 0, federated: false}\n"
      "simulate: {clients: 4, device: {speed: 0.0166666666666666666, available: 0.16666666666,\n"
      "                                available_within: 0}}\n"); /* 180 examples: 3 h */
  const double hour = 3600;
  /* They are there at 0 o'clock, for 2 h: lost. The night's task from 22 o'clock is done at 25; the
   * next one is lost at 26 and begins again at 46. */
  assert_int_equal(made.round_count, 2);
  assert_float_equal(made.rounds[0].virtual_s, 25 * hour, 1);
  assert_float_equal(made.rounds[1].virtual_s, 49 * hour, 1);
  assert_int_equal(made.rounds[0].trouble[FED__TROUBLE_WENT_AWAY], 4);
  assert_int_equal(made.rounds[1].trouble[FED__TROUBLE_WENT_AWAY], 4);
  assert_int_equal(made.rounds[0].down_bytes, 2 * 4 * 4 * simulation.plan.shape.element_count);
  assert_int_equal(made.rounds[0].up_bytes, 4 * 2 * simulation.plan.shape.element_count);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Six hours each, spread over the day: more than about a third of 40 are never there at once. */
static void who_is_never_there_cannot_begin(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 2, cohort: 40, minimum: 39",
          "simulate: {clients: 40, device: {available: 0.25}}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_INPUT);
  assert_non_null(strstr(fed_error_last()->message, "of the 40 clients, 39 (rounds.minimum) are"));
  assert_true(simulation.now_us < 4 * FED__DAY_US);
  fed__simulation_clear(&simulation);
  made.job.rounds.minimum = 3;
  made.job.rounds.cohort = 3;
  made.observer.round_over = check_round;
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Without a common pace there is no round that fails: tasks that take longer than devices are there
 * would be given for ever. */
static void work_that_is_never_done_ends(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 5, cohort: 3, minimum: 2, deadline: 3 h",
          "aggregate: {algorithm: fedbuff, buffer: 2}\nevaluate: {every: 0, federated: false}\n"
          "simulate: {clients: 9, device: {speed: 0.01, available: 0.05}}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_INPUT);
  assert_non_null(strstr(fed_error_last()->message, "version 1 is never made: no answer that"));
  assert_true(simulation.trouble[FED__TROUBLE_WENT_AWAY] > 9);
  fed__simulation_clear(&simulation);
  made.job.simulate.device.speed = 1; /* 80 s of 72 min */
  made.observer.round_over = check_round;
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* The numbers of the tasks of a version that clients had when the server crashed. */
static uint32_t numbers_before[CLIENTS_MAX];
static uint32_t renumbered; /* tasks that were given again, and counted */

static void check_numbers(struct fed__simulation_observer *self,
                          const struct fed__simulation *simulation,
                          const struct fed__simulated_round *round) {
  const struct fed__open_task *tasks = simulation->round.tasks;
  for (size_t i = 0; i < simulation->visit_count && !round->failure; i++) {
    const struct fed__visit *visit = &simulation->visits[i];
    if (visit->base_version + 1 != round->round || !numbers_before[visit->client]) continue;
    assert_true((visit->number >> 40) + 1 > numbers_before[visit->client]);
    renumbered++;
  }
  for (uint32_t c = 0; c < simulation->partition.client_count; c++)
    numbers_before[c] = round->failure && tasks[c].round == round->round ? tasks[c].number : 0;
  check_round(self, simulation, round);
}

/* A server that crashes has lost what was in the buffer, and the tasks: each version is made of
 * answers to tasks that were given after it was begun for the last time. */
static void a_crash_empties_the_buffer(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  uint64_t void_attempts = 0;
  make_up(&made, "epochs: 1", "count: 40, cohort: 4, minimum: 3, deadline: 1 h",
          "aggregate: {algorithm: fedbuff, buffer: 3}\nevaluate: {every: 0, federated: false}\n"
          "simulate: {clients: 10, device: {speed: 1, speed_spread: 0.3},\n"
          "           faults: {server_crash: 0.4, server_restart: 2 min}}\n");
  made.observer.round_over = check_numbers;
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  assert_true(renumbered > 5);
  for (size_t i = 0; i < made.round_count; i++) {
    const struct fed__simulated_round *round = &made.rounds[i];
    if (!round->failure) continue;
    void_attempts++;
    assert_string_equal(round->failure, "the server crashed; the version is made anew");
    assert_int_equal(round[1].round, round->round);
    assert_int_equal(round[1].attempt, round->attempt + 1);
    /* three answers of some 72 s each, after the two minutes */
    if (!round[1].failure) assert_true(round[1].virtual_s > round->virtual_s + 120 + 30);
  }
  assert_int_equal(made.round_count, 40 + void_attempts);
  assert_in_range(void_attempts, 5, 40); /* of 40 versions 3/4 * 0.4 and more */
  assert_true(simulation.trouble[FED__TROUBLE_LATE] >= void_attempts);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Over-selection: answers that come too late are sent all the same. */
static void late_answers_cost_their_bytes(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  uint64_t up = 0, reported = 0;
  run_job(&made, &simulation, 1,
          "count: 30, cohort: 5, over_selection: 2, minimum: 5, deadline: 1 h",
          "evaluate: {every: 0}\n"
          "simulate: {clients: 30, device: {speed: 1, speed_spread: 0.3}}\n");
  for (size_t i = 0; i < made.round_count; i++) {
    up += made.rounds[i].up_bytes;
    reported += made.rounds[i].reported;
  }
  const uint64_t late = trouble_of(&made, FED__TROUBLE_LATE);
  assert_int_equal(reported, 150);
  assert_in_range(late, 120, 150); /* all but those of the last rounds */
  assert_int_equal(up, (reported + late) * 2 * simulation.plan.shape.element_count);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(duplicates_leave_the_model),
      cmocka_unit_test(delays_leave_the_model),
      cmocka_unit_test(the_order_leaves_the_model),
      cmocka_unit_test(a_server_that_crashes_leaves_the_model),
      cmocka_unit_test(losses_leave_the_model_of_all),
      cmocka_unit_test(a_server_that_crashes_while_waiting_leaves_the_model),
      cmocka_unit_test(what_is_lost_takes_time_and_bytes),
      cmocka_unit_test(crashes_are_counted_and_void_attempts_told),
      cmocka_unit_test(a_waiting_server_crashes_at_any_moment),
      cmocka_unit_test(a_crash_ends_the_wait_after_a_failure),
      cmocka_unit_test(time_ends_a_job_whose_server_crashes),
      cmocka_unit_test(turns_go_on_after_a_crash),
      cmocka_unit_test(devices_with_little_memory_take_no_part),
      cmocka_unit_test(who_leaves_loses_the_work),
      cmocka_unit_test(who_is_never_there_cannot_begin),
      cmocka_unit_test(work_that_is_never_done_ends),
      cmocka_unit_test(a_crash_empties_the_buffer),
      cmocka_unit_test(late_answers_cost_their_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
