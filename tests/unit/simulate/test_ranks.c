/* SPDX-License-Identifier: Apache-2.0
 *
 * test_ranks.c: several processes of a simulation, here as threads that add up in memory: they
 * agree, share, and give the bits of one, whatever the algorithm keeps; a failure of one is
 * everybody's, told with its place.
 */
#include "made_up_job.h"

#include "base/memory.h"
#include "base/raise.h"
#include "simulate/baselines.h"
#include "simulate/ranks.h"

#include <pthread.h>

#define RANKS_MAX 40
#define WORDS_MAX 4096
#define ROUNDS 6 /* with that of the last evaluation */

static struct {
  pthread_barrier_t barrier;
  pthread_mutex_t lock;
  uint64_t words[WORDS_MAX];
} meeting;

/* Everybody adds what it has and takes what came out; then the first one clears the table. */
static void sum_here(uint32_t rank, int64_t *values, size_t count) {
  pthread_mutex_lock(&meeting.lock);
  for (size_t i = 0; i < count; i++) meeting.words[i] += (uint64_t)values[i];
  pthread_mutex_unlock(&meeting.lock);
  pthread_barrier_wait(&meeting.barrier);
  for (size_t i = 0; i < count; i++) values[i] = (int64_t)meeting.words[i];
  pthread_barrier_wait(&meeting.barrier);
  if (rank == 0) memset(meeting.words, 0, sizeof meeting.words);
  pthread_barrier_wait(&meeting.barrier);
}

static void sum(struct fed__ranks *self, int64_t *values, size_t count) {
  for (size_t part; count; values += part, count -= part) {
    part = count < WORDS_MAX ? count : WORDS_MAX;
    sum_here(self->rank, values, part);
  }
}

struct process {
  struct fed__ranks ranks;
  pthread_t thread;
  int (*work)(struct process *self);
  int code;       /* what came of it */
  uint32_t fails; /* the process with this rank and those behind it do */
  struct fed_error error;
  const char *algorithm;
  struct made_up made;
  struct fed__simulation simulation;
  struct fed__baselines baselines;
};

static void *run_process(void *data) {
  struct process *process = data;
  process->code = process->work(process);
  process->error = *fed_error_last();
  return NULL;
}

static struct process processes[RANKS_MAX];

static void run_all(uint32_t count, int (*work)(struct process *self)) {
  pthread_barrier_init(&meeting.barrier, NULL, count);
  pthread_mutex_init(&meeting.lock, NULL);
  for (uint32_t i = 0; i < count; i++) {
    processes[i].ranks = (struct fed__ranks){
        .rank = i, .count = count, .here = count, .machine = "here", .sum = sum};
    processes[i].work = work;
    assert_int_equal(pthread_create(&processes[i].thread, NULL, run_process, &processes[i]), 0);
  }
  for (uint32_t i = 0; i < count; i++) pthread_join(processes[i].thread, NULL);
  pthread_mutex_destroy(&meeting.lock);
  pthread_barrier_destroy(&meeting.barrier);
}

/* ---- agreeing and sharing ------------------------------------------------------------------- */

static int wish(void) { return 1; }

static int agree_twice(struct process *self) {
  struct fed__ranks *ranks = &self->ranks;
  if (ranks->rank == 1) ranks->wants_to_stop = wish;
  FED_TRY(fed__ranks_agree(ranks, FED_OK));
  if (!ranks->stopping) return FED_E_INTERNAL;
  const int fails = ranks->rank >= self->fails;
  const int code = fed__ranks_agree(
      ranks, fails ? FED_RAISE(FED_E_SHAPE, "number %u is out of shape", ranks->rank) : FED_OK);
  return fed__ranks_agree(ranks, code); /* nobody is asked any more */
}

static void all_fail_with_the_first(void **state) {
  (void)state;
  static const uint32_t firsts[] = {0, 1, 31, 32, 39};
  for (size_t k = 0; k < sizeof firsts / sizeof *firsts; k++) {
    char message[64];
    for (uint32_t i = 0; i < RANKS_MAX; i++) processes[i].fails = firsts[k];
    run_all(RANKS_MAX, agree_twice);
    snprintf(message, sizeof message, "number %u is out of shape", firsts[k]);
    for (uint32_t i = 0; i < RANKS_MAX; i++) {
      assert_int_equal(processes[i].code, FED_E_SHAPE);
      if (i == firsts[k]) assert_string_equal(processes[i].error.message, message);
      assert_non_null(strstr(processes[i].error.message, message));
    }
    snprintf(message, sizeof message, "(process %u of 40, on here)", firsts[k] + 1);
    assert_true(firsts[k] == 0 || strstr(processes[0].error.message, message));
  }
  for (uint32_t i = 0; i < RANKS_MAX; i++) processes[i].fails = UINT32_MAX;
  run_all(3, agree_twice);
  for (int i = 0; i < 3; i++) assert_int_equal(processes[i].code, FED_OK);
}

static int share_bytes(struct process *self) {
  struct fed_context context;
  struct fed_buffer bytes;
  fed_context_init(&context);
  fed_buffer_init(&bytes, &context, 1 << 20);
  for (uint32_t i = 0; self->ranks.rank == 0 && i < 70001; i++) {
    const uint8_t byte = (uint8_t)(i * i + 1);
    FED_TRY(fed_buffer_append(&bytes, &byte, 1));
  }
  int code = fed__ranks_share(&self->ranks, &bytes);
  if (bytes.size != 70001) code = FED_E_SHAPE;
  for (uint32_t i = 0; code == FED_OK && i < 70001; i++)
    if (bytes.data[i] != (uint8_t)(i * i + 1)) code = FED_E_CORRUPT;
  fed_buffer_clear(&bytes);
  return code;
}

static void bytes_are_shared(void **state) {
  (void)state;
  run_all(5, share_bytes);
  for (int i = 0; i < 5; i++) assert_int_equal(processes[i].code, FED_OK);
}

/* ---- whole simulations ---------------------------------------------------------------------- */

static int open_or_fail(struct fed__simulation_source *self, struct fed_examples **training,
                        struct fed_examples **test) {
  const struct process *process =
      (struct process *)(void *)((char *)self - offsetof(struct process, made.source));
  if (process->ranks.rank >= process->fails) return FED_RAISE(FED_E_NOT_FOUND, "no data here");
  return open_made_up(self, training, test);
}

static int simulate_part(struct process *self) {
  char more[256];
  snprintf(more, sizeof more,
           "aggregate: {algorithm: %s}\nevaluate: {every: 2}\n"
           "simulate: {clients: 20, partition: {kind: dirichlet, alpha: 0.3}, device: {speed: 10, "
           "speed_spread: 0.5, drop_out: 0.2}, baselines: [centralised, local]}\n",
           self->algorithm);
  make_up(&self->made, "epochs: 2", "count: 5, cohort: 7, minimum: 3", more);
  self->made.has_test = 1;
  self->made.source.open = open_or_fail;
  struct fed__simulation_setting setting = setting_of(&self->made, 1 + self->ranks.rank % 2);
  setting.ranks = self->ranks.count > 1 ? &self->ranks : NULL;
  int code = fed__simulation_init(&self->simulation, &setting);
  code = fed__ranks_agree(setting.ranks, code);
  if (code == FED_OK) code = fed__simulation_divide(&self->simulation);
  return code == FED_OK ? fed__simulation_run(&self->simulation) : code;
}

static void clear_all(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    fed__simulation_clear(&processes[i].simulation);
    take_down(&processes[i].made);
  }
}

static void assert_same(const struct process *process, const float *model,
                        const struct fed__simulated_round *rounds) {
  assert_memory_equal(fed_params_floats(&process->simulation.current), model,
                      fed_params_elements(&process->simulation.current) * sizeof *model);
  assert_int_equal(process->made.round_count, ROUNDS);
  for (int i = 0; i < ROUNDS; i++) {
    assert_memory_equal(&process->made.rounds[i].tested, &rounds[i].tested,
                        sizeof rounds[i].tested);
    assert_memory_equal(&process->made.rounds[i].tested_classes, &rounds[i].tested_classes,
                        sizeof rounds[i].tested_classes);
    assert_memory_equal(&process->made.rounds[i].trained, &rounds[i].trained,
                        sizeof rounds[i].trained);
    assert_true(process->made.rounds[i].virtual_s == rounds[i].virtual_s);
  }
}

static void any_number_gives_the_bits_of_one(void **state) {
  (void)state;
  static const char *const algorithms[] = {"fedavg", "scaffold", "fedbuff, buffer: 4",
                                           "feddyn, regularizer: 0.01", "fedadam"};
  static struct fed__simulated_round rounds[ROUNDS];
  float model[256];
  for (size_t k = 0; k < sizeof algorithms / sizeof *algorithms; k++)
    for (uint32_t count = 1; count <= 4; count++) {
      for (uint32_t i = 0; i < count; i++) processes[i].algorithm = algorithms[k];
      run_all(count, simulate_part);
      for (uint32_t i = 0; i < count; i++)
        if (processes[i].code != FED_OK) fail_msg("%s", processes[i].error.message);
      const struct fed_params *first = &processes[0].simulation.current;
      if (count == 1) {
        assert_true(fed_params_elements(first) <= 256);
        memcpy(model, fed_params_floats(first), fed_params_elements(first) * sizeof *model);
        memcpy(rounds, processes[0].made.rounds, sizeof rounds);
      }
      for (uint32_t i = 0; i < count; i++) assert_same(&processes[i], model, rounds);
      clear_all(count);
    }
}

static int compare_part(struct process *self) {
  FED_TRY(simulate_part(self));
  return fed__baselines_make(&self->simulation, &self->baselines);
}

static void baselines_are_dealt_out(void **state) {
  (void)state;
  static struct fed__local_figures local[20];
  struct fed__metric_sums centralised = {0};
  for (uint32_t count = 1; count <= 3; count++) {
    for (uint32_t i = 0; i < count; i++) processes[i].algorithm = "fedavg";
    run_all(count, compare_part);
    for (uint32_t i = 0; i < count; i++) {
      const struct fed__baselines *found = &processes[i].baselines;
      if (processes[i].code != FED_OK) fail_msg("%s", processes[i].error.message);
      assert_int_equal(found->local_count, 20);
      if (count == 1) memcpy(local, found->local, sizeof local);
      if (count == 1) centralised = found->centralised.sums;
      assert_memory_equal(&found->centralised.sums, &centralised, sizeof centralised);
      for (int k = 0; k < 20; k++) {
        assert_memory_equal(&found->local[k].common.sums, &local[k].common.sums,
                            sizeof local[k].common.sums);
        assert_true(found->local[k].own.loss_sum == local[k].own.loss_sum);
      }
      fed__baselines_clear(&processes[i].baselines);
    }
    clear_all(count);
  }
}

static void one_without_data_ends_all(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 3; i++) {
    processes[i].fails = 2;
    processes[i].algorithm = "fedavg";
  }
  run_all(3, simulate_part);
  for (uint32_t i = 0; i < 3; i++) assert_int_equal(processes[i].code, FED_E_NOT_FOUND);
  assert_string_equal(processes[0].error.message, "no data here (process 3 of 3, on here)");
  clear_all(3);
}

int main(void) {
  for (uint32_t i = 0; i < RANKS_MAX; i++) processes[i].fails = UINT32_MAX;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_fail_with_the_first),          cmocka_unit_test(bytes_are_shared),
      cmocka_unit_test(any_number_gives_the_bits_of_one), cmocka_unit_test(baselines_are_dealt_out),
      cmocka_unit_test(one_without_data_ends_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
