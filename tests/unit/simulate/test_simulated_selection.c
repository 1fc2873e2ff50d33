/* SPDX-License-Identifier: Apache-2.0
 *
 * test_simulated_selection.c: rules of selection in whole runs: the same with any number of
 * threads, by facts that come from the partition and from the clients' training.
 */
#include "made_up_job.h"

#include <math.h>
#include <stdlib.h>

#define CLIENTS 30
#define ROUNDS_TEXT "count: 12, cohort: 6, minimum: 1, deadline: 30 s, "
#define WORLD                                                                                      \
  "simulate: {clients: 30, partition: {kind: dirichlet, alpha: 0.5},\n"                            \
  "           device: {speed: 10, speed_spread: 1, drop_out: 0.2}}\n"

/* Runs it with one thread and with five. */
static void compare_threads(const char *rounds, const char *more) {
  static struct made_up one, many;
  struct fed__simulation first, second;
  make_up(&one, "epochs: 1", rounds, more);
  make_up(&many, "epochs: 1", rounds, more);
  simulate(&one, 1, &first);
  simulate(&many, 5, &second);
  assert_int_equal(first.version, 12);
  assert_int_equal(one.round_count, many.round_count);
  assert_memory_equal(one.rounds, many.rounds, one.round_count * sizeof one.rounds[0]);
  assert_memory_equal(first.current.storage, second.current.storage, first.current.storage_bytes);
  fed__simulation_clear(&first);
  fed__simulation_clear(&second);
  take_down(&one);
  take_down(&many);
}

static void threads_do_not_matter(void **state) {
  (void)state;
  static const char *const rules[] = {"{rule: weighted}",
                                      "{rule: round_robin}",
                                      "{rule: power_of_choice, candidates: 12}",
                                      "{rule: oort}",
                                      "{rule: availability}",
                                      "{rule: stratified, groups: [client-000*, client-001*]}"};
  char rounds[256];
  for (size_t rule = 0; rule < sizeof rules / sizeof rules[0]; rule++) {
    snprintf(rounds, sizeof rounds, ROUNDS_TEXT "over_selection: 1.5, selection: %s", rules[rule]);
    compare_threads(rounds, WORLD);
    snprintf(rounds, sizeof rounds, ROUNDS_TEXT "selection: %s", rules[rule]);
    compare_threads(rounds, WORLD "aggregate: {algorithm: fedbuff, buffer: 3}\n");
  }
  compare_threads(ROUNDS_TEXT "selection: {rule: poisson, pool: 30}", WORLD);
}

/* ---- by the facts --------------------------------------------------------------------------- */

/* Keeps the facts as they were when the last round was over, to check the next cohort by. */
struct watcher {
  struct made_up made; /* first */
  struct fed__client_facts before[CLIENTS];
  int rounds_checked;
};

static double known_loss(const struct watcher *watcher, uint32_t client) {
  const struct fed__client_facts *facts = &watcher->before[client];
  return facts->reported_count ? facts->loss : INFINITY;
}

static int is_member(const struct fed__simulation *simulation, uint32_t client) {
  for (uint32_t i = 0; i < simulation->round.cohort_count; i++)
    if (simulation->round.cohort[i] == client) return 1;
  return 0;
}

/* Nobody outside of the cohort had a higher loss than somebody in it. */
static void check_cohort(struct fed__simulation_observer *self,
                         const struct fed__simulation *simulation,
                         const struct fed__simulated_round *round) {
  struct watcher *watcher = (struct watcher *)observed(self);
  const struct fed__client_facts *facts = simulation->round.selection.facts;
  double lowest_in = INFINITY, highest_out = -INFINITY;
  for (uint32_t i = 0; i < CLIENTS && round->round > 1; i++) {
    if (is_member(simulation, i))
      lowest_in = fmin(lowest_in, known_loss(watcher, i));
    else
      highest_out = fmax(highest_out, known_loss(watcher, i));
  }
  if (round->round > 1) assert_true(lowest_in >= highest_out);
  watcher->rounds_checked += isfinite(lowest_in);
  for (uint32_t i = 0; i < CLIENTS; i++) {
    assert_int_equal(facts[i].example_count, 24); /* 900 / 30, a fifth of them held out */
    assert_int_equal(isfinite(facts[i].loss), facts[i].reported_count > 0);
  }
  memcpy(watcher->before, facts, sizeof watcher->before);
}

static void highest_losses_take_part(void **state) {
  (void)state;
  static struct watcher watcher;
  struct fed__simulation simulation;
  make_up(&watcher.made, "epochs: 1",
          "count: 20, cohort: 5, minimum: 5, selection: {rule: power_of_choice, candidates: 30}",
          "simulate: {clients: 30}\n");
  watcher.made.observer.round_over = check_cohort;
  simulate(&watcher.made, 3, &simulation);
  /* All have been asked after six rounds; the last evaluation has a cohort, too. */
  assert_int_equal(watcher.rounds_checked, 15);
  fed__simulation_clear(&simulation);
  take_down(&watcher.made);
}

/* A training of one step on all rows has the loss of the received model on them. */
static void the_loss_is_that_of_the_training(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  struct fed_metrics metrics = {0};
  make_up(&made, "epochs: 1", "count: 1, cohort: 1, minimum: 1, selection: {rule: oort, pool: 1}",
          "evaluate: {federated: false, every: 0}\nsimulate: {clients: 1}\n");
  made.job.data.holdout = 0;
  made.job.train.options.batch_size = ROWS;
  simulate(&made, 1, &simulation);
  assert_int_equal(open_arrays(&made, &examples), FED_OK);
  assert_int_equal(fed_trainer_new(&made.context, made.model, &made.job.train.options, &trainer),
                   FED_OK);
  assert_int_equal(fed_evaluate(trainer, examples, NULL, 0, &metrics), FED_OK);
  assert_float_equal(fed__round_facts(&simulation.round, 0)->loss, metrics.loss_sum / ROWS, 1e-6);
  fed_trainer_free(trainer);
  fed_examples_free(examples);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Of 30 clients a fifth: cohorts of any size, all of whom count. */
static void poisson_cohorts_have_any_size(void **state) {
  (void)state;
  static struct made_up made;
  struct fed__simulation simulation;
  uint32_t smallest = UINT32_MAX, largest = 0, sum = 0;
  make_up(&made, "epochs: 0", "count: 150, cohort: 6, minimum: 1, selection: {rule: poisson}",
          "evaluate: {every: 0}\nsimulate: {clients: 30}\n");
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.version, 150);
  for (size_t i = 0; i < made.round_count; i++) {
    const struct fed__simulated_round *round = &made.rounds[i];
    if (round->failure) continue; /* nobody was drawn: 1 in 800 */
    assert_int_equal(round->reported, round->cohort);
    smallest = round->cohort < smallest ? round->cohort : smallest;
    largest = round->cohort > largest ? round->cohort : largest;
    sum += round->cohort;
  }
  assert_in_range(sum, 900 - 135, 900 + 135); /* deviation 27 */
  assert_true(smallest <= 3 && largest >= 9);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Slow clients are not asked again while there are fast ones. */
static void oort_avoids_the_slow(void **state) {
  (void)state;
  static const char *const rules[] = {"selection: {rule: uniform}",
                                      "selection: {rule: oort, exploration: 0.2, penalty: 4}"};
  double seconds[2];
  for (int i = 0; i < 2; i++) {
    static struct made_up made;
    struct fed__simulation simulation;
    char rounds[256];
    snprintf(rounds, sizeof rounds, "count: 60, cohort: 5, minimum: 5, %s", rules[i]);
    make_up(&made, "epochs: 1", rounds,
            "evaluate: {every: 0}\n"
            "simulate: {clients: 30, device: {speed: 10, speed_spread: 1}}\n");
    simulate(&made, 2, &simulation);
    seconds[i] = (double)simulation.now_us * 1e-6;
    fed__simulation_clear(&simulation);
    take_down(&made);
  }
  assert_true(seconds[1] < 0.7 * seconds[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_do_not_matter),
      cmocka_unit_test(highest_losses_take_part),
      cmocka_unit_test(the_loss_is_that_of_the_training),
      cmocka_unit_test(poisson_cohorts_have_any_size),
      cmocka_unit_test(oort_avoids_the_slow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
