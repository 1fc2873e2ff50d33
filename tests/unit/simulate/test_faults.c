/* SPDX-License-Identifier: Apache-2.0
 *
 * test_faults.c: whatever goes wrong on the way, each update is counted once, the run ends, and any
 * number of threads gives the same bits, also when the run is interrupted; what does not change who
 * is counted does not change the model; each fault takes the time and the bytes that it should.
 */
#include "made_up_job.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "failing_alloc.h"
#include "simulate/simulation_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 40

/* ---- what must hold after each round -------------------------------------------------------- */

/* A client waits, or asks, or answers: one of these, at most; and where devices come and go its
 * next coming or leaving is known. */
static void check_clients(const struct fed__simulation *simulation) {
  uint32_t doing[CLIENTS_MAX] = {0}, moving[CLIENTS_MAX] = {0};
  const struct fed__event_queue *queue = &simulation->queue;
  const int may_leave = fed__devices_period_us(&simulation->devices) != 0;
  for (size_t i = 0; i < queue->count; i++) {
    const struct fed__queued_event *event = &queue->items[i];
    if (event->type == FED__QUEUED_COMES || event->type == FED__QUEUED_LEAVES)
      moving[event->client]++;
    else if (!event->copy)
      doing[event->client]++;
  }
  for (uint32_t c = 0; c < simulation->partition.client_count; c++) {
    doing[c] += simulation->round.waiting[c];
    if (!fed__simulation_is_eligible(simulation, c)) {
      assert_int_equal(doing[c] + moving[c], 0);
    } else if (may_leave) {
      assert_true(doing[c] <= 1 && moving[c] <= 1);
    } else {
      assert_int_equal(doing[c], 1);
      assert_int_equal(moving[c], 0);
    }
  }
}

static int is_member(const struct fed__round *round, uint32_t client) {
  for (uint32_t i = 0; i < round->cohort_count; i++)
    if (round->cohort[i] == client) return 1;
  return 0;
}

/* Everybody counts once, and everybody who counts is a member. */
static void check_visits(const struct fed__simulation *simulation,
                         const struct fed__simulated_round *round) {
  uint32_t counted[CLIENTS_MAX] = {0};
  uint64_t examples = 0;
  assert_int_equal(simulation->visit_count, round->reported);
  assert_true(round->reported >= simulation->job->rounds.minimum);
  assert_true(round->reported <= round->cohort);
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const uint32_t client = simulation->visits[i].client;
    assert_int_equal(counted[client]++, 0);
    assert_true(is_member(&simulation->round, client));
    examples += fed__partition_train_count(&simulation->partition, client);
  }
  if (round->kind == FED__ROUND_TRAIN)
    assert_int_equal(round->trained.example_count, examples * simulation->job->train.epochs);
}

static void check_round(struct fed__simulation_observer *self,
                        const struct fed__simulation *simulation,
                        const struct fed__simulated_round *round) {
  const struct made_up *made = observed(self);
  if (made->round_count)
    assert_true(round->virtual_s >= made->rounds[made->round_count - 1].virtual_s);
  check_clients(simulation);
  if (!round->failure) check_visits(simulation, round);
  keep_round(self, simulation, round);
}

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

/* ---- any mix -------------------------------------------------------------------------------- */

/* 0 in half of the cases, else up to `most`. */
static double some_of(struct fed_rng *rng, double most) {
  return fed__rng_unit(rng) < 0.5 ? 0 : most * fed__rng_unit(rng);
}

/* Clients that come and go every few minutes, again and again after PERIOD seconds. */
#define MIX_CLIENTS 11
#define PERIOD 600
static char availability[64];

static int write_availability(void **state) {
  char text[8192];
  size_t size = (size_t)snprintf(text, sizeof text, "client,from,to\n");
  struct fed_rng rng;
  (void)state;
  fed__rng_init(&rng, 5, "availability", 0, 0);
  for (uint32_t c = 0; c < MIX_CLIENTS; c++)
    for (uint64_t at = fed__rng_below(&rng, 100), length; at < PERIOD - 150; at += length) {
      length = 1 + fed__rng_below(&rng, 150);
      size += (size_t)snprintf(text + size, sizeof text - size, "client-%04u,%u,%u\n", c,
                               (uint32_t)at, (uint32_t)(at + length));
      at += 1 + fed__rng_below(&rng, 60);
    }
  snprintf(availability, sizeof availability, "availability.%ld.csv", (long)getpid());
  return fed__file_write_quick(availability, fed_slice_of_text(text), FED__FILE_SHARED) != FED_OK;
}

static int remove_availability(void **state) {
  (void)state;
  return unlink(availability);
}

static void mix(struct made_up *made, uint64_t seed) {
  struct fed_rng rng;
  struct fed__fault_settings *faults = &made->job.simulate.faults;
  struct fed__device_settings *device = &made->job.simulate.device;
  fed__rng_init(&rng, seed, "mix", 0, 0);
  made->job.seed = seed;
  faults->lost = some_of(&rng, 0.5);
  faults->resend_s = 0.001 + some_of(&rng, 20);
  faults->duplicated = some_of(&rng, 1);
  faults->delayed = some_of(&rng, 1);
  faults->reordered = some_of(&rng, 1);
  faults->delay_s = some_of(&rng, 100);
  faults->client_crash = some_of(&rng, 0.7);
  faults->client_restart_s = 0.001 + some_of(&rng, 100);
  faults->server_crash = some_of(&rng, 0.6);
  faults->server_restart_s = some_of(&rng, 40000);
  device->speed = some_of(&rng, 0.05); /* 16 examples: from 5 min */
  device->speed_spread = some_of(&rng, 1);
  device->latency_s = some_of(&rng, 2);
  device->drop_out = some_of(&rng, 0.5);
  device->available = fed__rng_unit(&rng) < 0.5 ? 1 : 0.3 + 0.6 * fed__rng_unit(&rng);
  device->available_within_s = some_of(&rng, 86400);
  if (seed % 3 == 0) {
    device->available = 1;
    device->availability = fed__copy_text(&made->context, availability);
    device->availability_repeats_s = PERIOD;
    device->speed *= 10;
  }
  made->job.rounds.over_selection = 1 + some_of(&rng, 1);
  made->job.rounds.deadline_s = 20 + some_of(&rng, 20000);
  made->job.rounds.gather_s = some_of(&rng, 3600);
}

static const struct fed__simulation *watched;

static int check_between_events(struct fed__simulation_observer *self) {
  (void)self;
  check_clients(watched);
  return 0;
}

/* A run's state after its second round, as it is kept for later. */
static struct fed_buffer saved;
static size_t saved_rounds; /* that had been told */

static int save_once(struct fed__simulation_observer *self, struct fed__simulation *simulation,
                     int stopping) {
  const struct made_up *made = observed(self);
  struct fed__checkpoint checkpoint;
  (void)stopping;
  if (saved.size || made->round_count < 2) return FED_OK;
  fed__checkpoint_begin(&checkpoint, &made->context);
  assert_int_equal(fed__simulation_carry(simulation, &checkpoint), FED_OK);
  assert_int_equal(fed__checkpoint_encode(&checkpoint, &saved), FED_OK);
  fed__checkpoint_clear(&checkpoint);
  saved_rounds = made->round_count;
  return FED_OK;
}

static void prepare_mix(struct made_up *made, uint64_t seed, uint32_t threads,
                        struct fed__simulation *simulation) {
  make_up(made, "epochs: 1", "count: 4, cohort: 5, minimum: 3, failures_max: 4",
          "aggregate: {server_momentum: 0.5}\n"
          "simulate: {clients: 11, partition: {kind: drawn, examples: 20}}\n");
  mix(made, seed);
  made->observer.round_over = check_round;
  made->observer.stopping = check_between_events;
  watched = simulation;
  const struct fed__simulation_setting setting = setting_of(made, threads);
  assert_int_equal(fed__simulation_init(simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(simulation), FED_OK);
}

static int go_on(struct fed__simulation *simulation) {
  struct fed__checkpoint checkpoint;
  assert_int_equal(
      fed__checkpoint_decode(&checkpoint, simulation->context, fed_buffer_slice(&saved)), FED_OK);
  assert_int_equal(fed__simulation_carry(simulation, &checkpoint), FED_OK);
  fed__checkpoint_clear(&checkpoint);
  return fed__simulation_run(simulation);
}

/* `b` was told the rounds of `a` behind the first so many. */
static void must_be_same(const struct made_up *a, const struct fed__simulation *in_a,
                         const struct made_up *b, const struct fed__simulation *in_b,
                         size_t behind) {
  assert_int_equal(a->round_count - behind, b->round_count);
  assert_memory_equal(a->rounds + behind, b->rounds, b->round_count * sizeof b->rounds[0]);
  assert_memory_equal(in_a->current.storage, in_b->current.storage, in_a->current.storage_bytes);
  assert_memory_equal(in_a->trouble, in_b->trouble, sizeof in_a->trouble);
  assert_true(in_a->now_us == in_b->now_us && in_a->end == in_b->end);
}

static void check_trouble(const struct fed__simulation *simulation) {
  const struct fed__fault_settings *faults = &simulation->job->simulate.faults;
  const struct fed__device_settings *device = &simulation->job->simulate.device;
  const uint64_t *trouble = simulation->trouble;
  if (faults->lost == 0 && faults->duplicated == 0) assert_true(!trouble[FED__TROUBLE_REPEATED]);
  if (faults->lost == 0) assert_true(!trouble[FED__TROUBLE_LOST]);
  if (faults->delayed == 0) assert_true(!trouble[FED__TROUBLE_DELAYED]);
  if (faults->reordered == 0) assert_true(!trouble[FED__TROUBLE_REORDERED]);
  if (faults->client_crash == 0) assert_true(!trouble[FED__TROUBLE_CLIENT_CRASH]);
  if (faults->server_crash == 0) assert_true(!trouble[FED__TROUBLE_SERVER_CRASH]);
  if (device->drop_out == 0) assert_true(!trouble[FED__TROUBLE_DROPPED_OUT]);
  if (device->available == 1 && !device->availability)
    assert_true(!trouble[FED__TROUBLE_WENT_AWAY]);
}

static void clear_mix(struct made_up *made, struct fed__simulation *simulation) {
  fed__simulation_clear(simulation);
  take_down(made);
}

static void any_mix_counts_once_and_ends(void **state) {
  (void)state;
  static struct made_up made, other;
  uint64_t ends[FED__END_FAILURES + 1] = {0}, trouble[FED__TROUBLE_COUNT] = {0}, resumed = 0;
  for (uint64_t seed = 0; seed < 400; seed++) {
    struct fed__simulation simulation, again;
    prepare_mix(&made, seed, 1, &simulation);
    made.observer.at_rest = save_once;
    fed_buffer_init(&saved, &made.context, SIZE_MAX);
    const int code = fed__simulation_run(&simulation);
    assert_true(code == FED_OK || code == FED_E_INPUT);
    check_trouble(&simulation);
    ends[simulation.end]++;
    for (int i = 0; i < FED__TROUBLE_COUNT; i++) trouble[i] += simulation.trouble[i];

    prepare_mix(&other, seed, 2 + seed % 2, &again);
    assert_int_equal(fed__simulation_run(&again), code);
    must_be_same(&made, &simulation, &other, &again, 0);
    clear_mix(&other, &again);

    if (saved.size) { /* and from where it was interrupted */
      prepare_mix(&other, seed, 1, &again);
      assert_int_equal(go_on(&again), code);
      must_be_same(&made, &simulation, &other, &again, saved_rounds);
      clear_mix(&other, &again);
      resumed++;
    }
    fed_buffer_clear(&saved);
    clear_mix(&made, &simulation);
  }
  assert_true(ends[FED__END_ROUNDS] > 200 && resumed > 300);
  for (int i = 0; i < FED__TROUBLE_COUNT; i++) assert_true(trouble[i] > 100);
}

static void memory_may_fail(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  prepare_mix(&made, 0, 1, &simulation);
  fed__simulation_clear(&simulation);
  made.job.simulate.faults.server_crash = 0.6;
  made.job.rounds.count = 2;
  const struct fed_context system = made.context;
  int code = FED_E_MEMORY;
  for (long allowed = 0; code == FED_E_MEMORY; allowed += 1 + allowed / 100) {
    struct failing_alloc memory;
    failing_alloc_init(&memory, &made.context, allowed);
    const struct fed__simulation_setting setting = setting_of(&made, 1);
    made.round_count = 0;
    code = fed__simulation_init(&simulation, &setting);
    if (code == FED_OK) {
      code = fed__simulation_divide(&simulation);
      if (code == FED_OK) code = fed__simulation_run(&simulation);
      if (code == FED_OK) assert_true(simulation.trouble[FED__TROUBLE_SERVER_CRASH] > 0);
      fed__simulation_clear(&simulation);
    }
    assert_int_equal(memory.living, 0);
  }
  assert_int_equal(code, FED_OK);
  made.context = system;
  take_down(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(duplicates_leave_the_model),
      cmocka_unit_test(delays_leave_the_model),
      cmocka_unit_test(the_order_leaves_the_model),
      cmocka_unit_test(a_server_that_crashes_leaves_the_model),
      cmocka_unit_test(losses_leave_the_model_of_all),
      cmocka_unit_test(what_is_lost_takes_time_and_bytes),
      cmocka_unit_test(crashes_are_counted_and_void_attempts_told),
      cmocka_unit_test(time_ends_a_job_whose_server_crashes),
      cmocka_unit_test(turns_go_on_after_a_crash),
      cmocka_unit_test(devices_with_little_memory_take_no_part),
      cmocka_unit_test(who_leaves_loses_the_work),
      cmocka_unit_test(who_is_never_there_cannot_begin),
      cmocka_unit_test(late_answers_cost_their_bytes),
      cmocka_unit_test(any_mix_counts_once_and_ends),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, write_availability, remove_availability);
}
