/* SPDX-License-Identifier: Apache-2.0
 *
 * test_simulation.c: whole runs: a round of one client is what the library trains by hand; any
 * number of threads gives the same; deadlines, over-selection and drop-outs on the virtual clock;
 * targets; runs that cannot go on; memory that fails.
 */
#include "made_up_job.h"

#include "base/raise.h"
#include "failing_alloc.h"

#include <math.h>

/* ---- against the parts ---------------------------------------------------------------------- */

/* One client that has everything, one round: local epochs in the order of its own seed, then the
 * difference rounded to the grid and added. */
static void one_client_is_plain_training(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 2", "count: 1, cohort: 1, minimum: 1",
          "evaluate: {federated: false, every: 0}\nsimulate: {clients: 1}\n");
  made.job.data.holdout = 0;
  simulate(&made, 1, &simulation);

  const struct fed_params *start = fed_model_params(made.model);
  const struct fed_epochs epochs = {.epochs = 2,
                                    .seed = fed__plan_train_seed(&made.job, 1, "client-0000")};
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  struct fed_params trained;
  struct fed_metrics metrics = {0};
  assert_int_equal(open_arrays(&made, &examples), FED_OK);
  assert_int_equal(fed_params_copy(&trained, &made.context, start), FED_OK);
  assert_int_equal(fed_trainer_new(&made.context, made.model, &made.job.train.options, &trainer),
                   FED_OK);
  assert_int_equal(fed_train_epochs(trainer, examples, &epochs, &metrics), FED_OK);
  assert_int_equal(fed_trainer_params(trainer, &trained), FED_OK);
  const float *before = fed_params_floats(start), *by_hand = fed_params_floats(&trained),
              *found = fed_params_floats(&simulation.current);
  for (size_t i = 0; i < fed_params_elements(start); i++) {
    const double steps = nearbyint((double)(by_hand[i] - before[i]) * 0x1p13);
    assert_true(found[i] == (float)((double)before[i] + steps * 0x1p-13));
  }
  assert_int_equal(made.rounds[0].trained.example_count, 2 * ROWS);
  assert_int_equal(made.rounds[0].trained.correct_count, metrics.correct_count);
  fed_params_clear(&trained);
  fed_examples_free(examples);
  fed_trainer_free(trainer);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* The last version's classes, by hand from the matrix of the same model. */
static void check_tested_classes(struct fed__simulation *simulation,
                                 const struct fed__tested_classes *tested) {
  struct fed__classification found;
  double recall = 0, lowest = 1;
  assert_int_equal(fed__simulation_classify_test(simulation, &found), FED_OK);
  for (uint32_t c = 0; c < CLASSES; c++) {
    uint64_t wanted = 0;
    for (uint32_t k = 0; k < CLASSES; k++) wanted += found.confusion[c * CLASSES + k];
    const double own = (double)found.confusion[c * CLASSES + c] / (double)wanted;
    recall += own / CLASSES;
    lowest = fmin(lowest, own);
  }
  assert_int_equal(tested->classes, CLASSES);
  assert_float_equal(tested->recall, recall, 1e-12);
  assert_float_equal(tested->lowest_recall, lowest, 1e-12);
  assert_true(lowest < recall && isnan(tested->auc));
  fed__classification_clear(&found);
}

static void threads_do_not_matter(void **state) {
  (void)state;
  static struct made_up one, many;
  struct fed__simulation simulations[2];
  struct fed__client_figures clients[2];
  static const char *const rounds = "count: 4, cohort: 10, over_selection: 1.5, minimum: 4, "
                                    "deadline: 20 s";
  static const char *const more =
      "aggregate: {server_momentum: 0.3}\n"
      "simulate: {clients: 40, partition: {kind: dirichlet, alpha: 0.5},\n"
      "           device: {speed: 10, speed_spread: 1, drop_out: 0.2}}\n";
  make_up(&one, "epochs: 1", rounds, more);
  make_up(&many, "epochs: 1", rounds, more);
  one.has_test = many.has_test = 1;
  simulate(&one, 1, &simulations[0]);
  simulate(&many, 5, &simulations[1]);
  assert_int_equal(one.round_count, many.round_count);
  assert_memory_equal(one.rounds, many.rounds, one.round_count * sizeof one.rounds[0]);
  assert_memory_equal(simulations[0].current.storage, simulations[1].current.storage,
                      simulations[0].current.storage_bytes);
  assert_true(simulations[0].now_us == simulations[1].now_us && simulations[0].now_us > 0);
  check_tested_classes(&simulations[0], &one.rounds[simulations[0].version - 1].tested_classes);
  for (int i = 0; i < 2; i++)
    assert_int_equal(fed__simulation_measure_clients(&simulations[i], 40, &clients[i], NULL, NULL),
                     FED_OK);
  assert_memory_equal(&clients[0], &clients[1], sizeof clients[0]);
  assert_in_range(clients[0].accuracy.count, 30, 40); /* some have nothing to hold out */
  assert_true(clients[0].accuracy.mean > 1.0 / CLASSES);
  for (int i = 0; i < 2; i++) fed__simulation_clear(&simulations[i]);
  take_down(&one);
  take_down(&many);
}

/* ---- the virtual clock ---------------------------------------------------------------------- */

/* 900 examples among 9 clients are 80 each to train on; at 10 examples a second 8 s a round. */
static void rounds_take_what_devices_take(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 3, cohort: 5, minimum: 5",
          "evaluate: {every: 0}\n"
          "simulate: {clients: 9, device: {speed: 10, latency: 250 ms}}\n");
  simulate(&made, 2, &simulation);
  assert_int_equal(made.round_count, 3);
  for (int i = 0; i < 3; i++) assert_float_equal(made.rounds[i].virtual_s, (i + 1) * 8.5, 1e-9);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  assert_int_equal(made.rounds[1].down_bytes, 5 * 4 * simulation.plan.shape.element_count);
  assert_int_equal(made.rounds[1].up_bytes, 5 * 2 * simulation.plan.shape.element_count);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Nobody is in time: the deadline passes, the round is tried again after the back-off, twice, and
 * the job is over. */
static void slow_devices_fail_the_round(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1",
          "count: 3, cohort: 5, minimum: 2, deadline: 7 s, back_off: 2 s, failures_max: 3",
          "evaluate: {every: 0}\nsimulate: {clients: 20, device: {speed: 2}}\n"); /* 18 s */
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_FAILURES);
  assert_int_equal(made.round_count, 3);
  assert_float_equal(made.rounds[0].virtual_s, 7, 1e-9);
  assert_float_equal(made.rounds[1].virtual_s, 7 + 2 + 7, 1e-9);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(made.rounds[i].attempt, i + 1);
    assert_non_null(made.rounds[i].failure);
  }
  assert_int_equal(simulation.visits_done, 0); /* what does not count is not done */
  assert_memory_equal(simulation.current.storage, fed_model_params(made.model)->storage,
                      simulation.current.storage_bytes);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* Without over-selection a round with drop-outs lasts to its deadline; with enough of it, as long
 * as the slowest of those that count. */
static void over_selection_saves_time(void **state) {
  (void)state;
  static const char *const rounds[] = {"count: 20, cohort: 10, minimum: 3, deadline: 100 s",
                                       "count: 20, cohort: 10, over_selection: 3, minimum: 3, "
                                       "deadline: 100 s"};
  double seconds[2];
  for (int i = 0; i < 2; i++) {
    struct made_up made;
    struct fed__simulation simulation;
    uint32_t missing = 0;
    make_up(&made, "epochs: 0", rounds[i],
            "evaluate: {every: 0}\n"
            "simulate: {clients: 300, device: {latency: 1 s, drop_out: 0.3}}\n");
    simulate(&made, 1, &simulation);
    seconds[i] = (double)simulation.now_us * 1e-6;
    for (size_t k = 0; k < made.round_count; k++) missing += 10 - made.rounds[k].reported;
    if (i == 0) assert_in_range(missing, 60 - 33, 60 + 33); /* of 200, deviation 6.5 */
    if (i == 1) assert_int_equal(missing, 0);
    fed__simulation_clear(&simulation);
    take_down(&made);
  }
  assert_true(seconds[0] > 19 * 100); /* that nobody of ten drops out happens in 3 % of rounds */
  assert_float_equal(seconds[1], 20 * 2, 1e-9);
}

static void time_ends_the_job(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 1000, cohort: 5, minimum: 5",
          "evaluate: {every: 0}\nstop: {seconds: 30 s}\n"
          "simulate: {clients: 9, device: {speed: 10}}\n");
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_TIME);
  assert_int_equal(made.round_count, 4); /* of 8 s each */
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void a_target_ends_the_job(void **state) {
  (void)state;
  for (int has_test = 0; has_test < 2; has_test++) {
    struct made_up made;
    struct fed__simulation simulation;
    make_up(&made, "epochs: 3", "count: 100, cohort: 10, minimum: 10",
            "stop: {metric: accuracy, at_least: 0.7}\nsimulate: {clients: 10}\n");
    made.has_test = has_test;
    simulate(&made, 2, &simulation);
    assert_int_equal(simulation.end, FED__END_TARGET);
    assert_true(made.round_count > 1 && made.round_count < 100);
    const struct fed__simulated_round *last = &made.rounds[made.round_count - 1];
    assert_int_equal(last->kind, FED__ROUND_EVALUATE);
    const struct fed__simulated_round *decisive = last - 1, *before = last - 2;
    const struct fed__metric_sums *found = has_test ? &decisive->tested : &decisive->evaluated;
    const struct fed__metric_sums *earlier = has_test ? &before->tested : &before->evaluated;
    assert_true(fed__metric_sums_accuracy(found) >= 0.7);
    if (made.round_count > 2) assert_true(fed__metric_sums_accuracy(earlier) < 0.7);
    fed__simulation_clear(&simulation);
    take_down(&made);
  }
}

static void a_run_can_be_stopped(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 50, cohort: 5, minimum: 5", "simulate: {clients: 10}\n");
  made.stop_after = 3;
  simulate(&made, 2, &simulation);
  assert_int_equal(simulation.end, FED__END_STOPPED);
  assert_int_equal(simulation.version, 3);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static void clients_that_diverge_are_in_no_sum(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 2, cohort: 10, minimum: 5, failures_max: 2",
          "evaluate: {every: 0}\nsimulate: {clients: 10}\n");
  made.points[0] = NAN; /* one client's, if it trains on it */
  made.job.data.holdout = 0;
  simulate(&made, 3, &simulation);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  assert_int_equal(made.rounds[0].diverged, 1);
  assert_int_equal(made.rounds[0].trained.example_count, ROWS - ROWS / 10);
  assert_int_equal(fed_params_check_finite(&simulation.current), FED_OK);
  fed__simulation_clear(&simulation);
  for (int i = 0; i < ROWS; i++) made.points[i * FEATURES] = NAN; /* everybody's */
  simulate(&made, 3, &simulation);
  assert_int_equal(simulation.end, FED__END_FAILURES);
  assert_int_equal(made.rounds[0].diverged, 10);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* What three clients see: the first the points as they are, the second with noise of deviation 1,
 * the third of 2. 1200 values each: five standard errors of a deviation are a tenth. */
static void noise_grows_with_the_client(void **state) {
  static struct made_up made;
  (void)state;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 1, cohort: 3, minimum: 3",
          "simulate: {clients: 3, partition: {kind: feature, noise: 2}}\n");
  simulate(&made, 2, &simulation);
  struct fed_examples *examples = fed__pool_examples(simulation.pool);
  for (uint32_t c = 0; c < 3; c++) {
    const size_t from = simulation.partition.starts[c], to = simulation.partition.starts[c + 1];
    double squares = 0;
    assert_int_equal(to - from, ROWS / 3);
    for (size_t i = from; i < to; i++) {
      const uint32_t row = simulation.partition.rows[i];
      float found[FEATURES];
      int64_t label;
      struct fed_batch batch = {.count = 1};
      batch.inputs[0].data = found;
      batch.target.data = &label;
      assert_int_equal(examples->gather(examples, &row, 1, &batch), FED_OK);
      assert_int_equal(label, made.labels[row]);
      for (int k = 0; k < FEATURES; k++)
        squares += pow((double)found[k] - (double)made.points[row * FEATURES + (uint32_t)k], 2);
    }
    const double deviation = sqrt(squares / (ROWS / 3 * FEATURES));
    assert_true(fabs(deviation - c) <= 0.1 * c);
  }
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static void drawn_examples_have_no_noise(void **state) {
  static struct made_up made;
  (void)state;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 1, cohort: 3, minimum: 3",
          "simulate: {clients: 3, partition: {kind: drawn, noise: 2}}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_E_INPUT);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static void all_clients_are_drawn_alike(void **state) {
  (void)state;
  enum { ROUNDS = 190, CLIENTS = 40, COHORT = 10 };
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 0", "count: 190, cohort: 10, minimum: 10",
          "evaluate: {every: 0}\nsimulate: {clients: 40}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  uint32_t drawn[CLIENTS] = {0};
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  /* Only the first cohort can be looked at from outside: of as many runs with other seeds. */
  for (uint64_t seed = 0; seed < ROUNDS; seed++) {
    fed__simulation_clear(&simulation);
    made.job.seed = seed;
    made.stop_after = 1;
    simulate(&made, 1, &simulation);
    for (uint32_t i = 0; i < COHORT; i++) drawn[simulation.visits[i].client]++;
  }
  /* binomial: 190 * 0.25 = 47.5, deviation 6 */
  for (uint32_t c = 0; c < CLIENTS; c++) assert_in_range(drawn[c], 18, 77);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* ---- refusals and failures ------------------------------------------------------------------ */

static void too_few_clients_cannot_begin(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 2, cohort: 10, minimum: 5", "simulate: {clients: 4}\n");
  const struct fed__simulation_setting setting = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_INPUT);
  assert_non_null(strstr(fed_error_last()->message, "4 clients have enough examples"));
  fed__simulation_clear(&simulation);
  made.job.simulate.clients = 5; /* fewer than a cohort, but the minimum */
  simulate(&made, 1, &simulation);
  assert_int_equal(simulation.end, FED__END_ROUNDS);
  assert_int_equal(made.rounds[0].cohort, 5);
  fed__simulation_clear(&simulation);
  made.job.data.examples_min = 181; /* they have 180 */
  const struct fed__simulation_setting again = setting_of(&made, 1);
  assert_int_equal(fed__simulation_init(&simulation, &again), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_INPUT);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static int refuse_to_open(struct fed__simulation_source *self, struct fed_examples **training,
                          struct fed_examples **test) {
  (void)self, (void)training, (void)test;
  return fed__raise(__FILE__, __LINE__, FED_E_NOT_FOUND, "no such data");
}

static void failures_are_passed_on(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 1", "count: 2, cohort: 4, minimum: 4", "simulate: {clients: 4}\n");
  struct fed__simulation_setting setting = setting_of(&made, 4);
  struct fed__simulation_source closed = {refuse_to_open};
  setting.source = &closed;
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_E_NOT_FOUND);
  assert_string_equal(fed_error_last()->message, "no such data");
  setting = setting_of(&made, 2);
  made.labels[5] = CLASSES; /* found by whoever trains on it, in any thread */
  made.job.data.holdout = 0;
  assert_int_equal(fed__simulation_init(&simulation, &setting), FED_OK);
  assert_int_equal(fed__simulation_divide(&simulation), FED_OK);
  assert_int_equal(fed__simulation_run(&simulation), FED_E_RANGE);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static void memory_may_fail(void **state) {
  (void)state;
  struct made_up made;
  make_up(&made, "epochs: 1", "count: 2, cohort: 4, minimum: 4",
          "simulate: {clients: 8, partition: {kind: shards, shards: 1}}\n");
  made.has_test = 1;
  const struct fed_context system = made.context;
  int code = FED_E_MEMORY;
  for (long allowed = 0; code != FED_OK; allowed += 1 + allowed / 16) {
    struct failing_alloc memory;
    struct fed__simulation simulation;
    failing_alloc_init(&memory, &made.context, allowed);
    const struct fed__simulation_setting setting = setting_of(&made, 1);
    made.round_count = 0;
    code = fed__simulation_init(&simulation, &setting);
    if (code == FED_OK) {
      code = fed__simulation_divide(&simulation);
      if (code == FED_OK) code = fed__simulation_run(&simulation);
      fed__simulation_clear(&simulation);
    }
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    assert_int_equal(memory.living, 0);
  }
  made.context = system;
  take_down(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_client_is_plain_training),
      cmocka_unit_test(threads_do_not_matter),
      cmocka_unit_test(rounds_take_what_devices_take),
      cmocka_unit_test(slow_devices_fail_the_round),
      cmocka_unit_test(over_selection_saves_time),
      cmocka_unit_test(time_ends_the_job),
      cmocka_unit_test(a_target_ends_the_job),
      cmocka_unit_test(a_run_can_be_stopped),
      cmocka_unit_test(clients_that_diverge_are_in_no_sum),
      cmocka_unit_test(noise_grows_with_the_client),
      cmocka_unit_test(drawn_examples_have_no_noise),
      cmocka_unit_test(all_clients_are_drawn_alike),
      cmocka_unit_test(too_few_clients_cannot_begin),
      cmocka_unit_test(failures_are_passed_on),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
