/* SPDX-License-Identifier: Apache-2.0
 *
 * test_fault_mixes.c: hundreds of runs with faults and devices drawn by a seed: each update is
 * counted once, the run ends, and any number of threads gives the same bits, also when the run is
 * interrupted; and running out of memory leaves nothing behind.
 */
#include "round_checks.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "failing_alloc.h"
#include "simulate/simulation_state.h"

#include <stdlib.h>
#include <unistd.h>

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
  if (!fed__job_buffer(&made->job)) made->job.rounds.over_selection = 1 + some_of(&rng, 1);
  made->job.rounds.deadline_s = 20 + some_of(&rng, fed__job_buffer(&made->job) ? 1000 : 20000);
  made->job.rounds.gather_s = some_of(&rng, 3600);
  faults->server_crash_waiting = some_of(&rng, 0.4);
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

static struct counted_tasks counted;

static void check_mixed_round(struct fed__simulation_observer *self,
                              const struct fed__simulation *simulation,
                              const struct fed__simulated_round *round) {
  if (!round->failure && fed__round_is_asynchronous(&simulation->round))
    check_tasks(simulation, &counted);
  check_round(self, simulation, round);
}

static void prepare_mix(struct made_up *made, uint64_t seed, uint32_t threads,
                        struct fed__simulation *simulation) {
  static const struct {
    const char *rounds, *aggregate;
  } kinds[] = {
      {"count: 4, cohort: 5, minimum: 3, failures_max: 4", "server_momentum: 0.5"},
      {"count: 9, cohort: 5, minimum: 3, failures_max: 4", "algorithm: fedbuff, buffer: 3"},
      {"count: 4, cohort: 5, minimum: 3, failures_max: 4", "algorithm: scaffold"},
      {"count: 20, cohort: 4, minimum: 1, failures_max: 4", "algorithm: fedasync"}};
  char more[256];
  snprintf(more, sizeof more,
           "aggregate: {%s}\nsimulate: {clients: 11, partition: {kind: drawn, examples: 20}}\n",
           kinds[seed % 4].aggregate);
  make_up(made, "epochs: 1", kinds[seed % 4].rounds, more);
  mix(made, seed);
  made->observer.round_over = check_mixed_round;
  counted.count = 0;
  made->observer.stopping = check_between_events;
  watched = simulation;
  const struct fed__simulation_setting setting = setting_of(made, threads);
  if (fed__simulation_init(simulation, &setting) != FED_OK ||
      fed__simulation_divide(simulation) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
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
  if (faults->server_crash == 0 && faults->server_crash_waiting == 0)
    assert_true(!trouble[FED__TROUBLE_SERVER_CRASH]);
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
      cmocka_unit_test(any_mix_counts_once_and_ends),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, write_availability, remove_availability);
}
