/* SPDX-License-Identifier: Apache-2.0
 *
 * test_baselines.c: what a federation is measured against: the same bits as training by hand on the
 * same rows; clients of one class know that class and nothing else, which gives all figures in
 * closed form; passes as they are counted; samples; any number of threads.
 */
#include "made_up_job.h"

#include "base/memory.h"
#include "simulate/baselines.h"

#include <math.h>

#define ALL_THREE "  baselines: [centralised, local, best]\n"

static struct made_up made;

static void run(const char *rounds, const char *simulate_section, uint32_t threads, int has_test,
                struct fed__simulation *simulation) {
  char more[512];
  snprintf(more, sizeof more, "simulate:\n%s", simulate_section);
  make_up(&made, "epochs: 2", rounds, more);
  made.has_test = has_test;
  simulate(&made, threads, simulation);
}

static struct fed__baselines baselines_of(struct fed__simulation *simulation) {
  struct fed__baselines found;
  if (fed__baselines_make(simulation, &found) != FED_OK) fail_msg("%s", fed_error_last()->message);
  return found;
}

static void clear(struct fed__simulation *simulation, struct fed__baselines *baselines) {
  fed__baselines_clear(baselines);
  fed__simulation_clear(simulation);
  take_down(&made);
}

/* Train on these rows alone, and measure on the test set. */
static void by_hand(const char *name, const uint32_t *rows, size_t count, uint32_t epochs,
                    struct fed__metric_sums *sums) {
  struct fed_train_options options = made.job.train.options;
  struct fed_examples *examples;
  struct fed_trainer *trainer, *tester;
  struct fed_params params;
  struct fed_metrics trained = {0}, tested = {0};
  const struct fed_epochs plan = {
      .rows = rows,
      .row_count = count,
      .epochs = epochs,
      .seed = fed__rng_key(made.job.seed, "baseline", fed__name_number(name), 0)};
  assert_int_equal(open_arrays(&made, &examples), FED_OK);
  assert_int_equal(fed_trainer_new(&made.context, made.model, &options, &trainer), FED_OK);
  assert_int_equal(fed_train_epochs(trainer, examples, &plan, &trained), FED_OK);
  assert_int_equal(fed_params_copy(&params, &made.context, fed_model_params(made.model)), FED_OK);
  assert_int_equal(fed_trainer_params(trainer, &params), FED_OK);
  options.batch_size = 64;
  assert_int_equal(fed_trainer_new(&made.context, made.model, &options, &tester), FED_OK);
  assert_int_equal(fed_trainer_reset(tester, &params), FED_OK);
  *sums = (struct fed__metric_sums){0};
  for (uint32_t first = 0; first < ROWS; first += 640) {
    uint32_t chunk[640];
    const uint32_t size = ROWS - first < 640 ? ROWS - first : 640;
    tested = (struct fed_metrics){0};
    for (uint32_t i = 0; i < size; i++) chunk[i] = first + i;
    assert_int_equal(fed_evaluate(tester, examples, chunk, size, &tested), FED_OK);
    fed__metric_sums_add(sums, &tested);
  }
  fed_params_clear(&params);
  fed_trainer_free(tester);
  fed_trainer_free(trainer);
  fed_examples_free(examples);
}

/* 5 of 10 clients in each of 6 rounds, 2 epochs: a client's rows are gone through 6 times. */
static void the_same_as_by_hand(void **state) {
  (void)state;
  struct fed__simulation simulation;
  struct fed__metric_sums sums;
  uint32_t pooled[ROWS];
  size_t count = 0;
  run("count: 6, cohort: 5, minimum: 5", "  clients: 10\n" ALL_THREE, 2, 1, &simulation);
  struct fed__baselines found = baselines_of(&simulation);
  assert_true(found.on_test);
  assert_int_equal(found.passes, 6);
  assert_int_equal(found.local_count, 10);
  for (uint32_t c = 0; c < 10; c++) {
    char name[FED__CLIENT_NAME_BYTES];
    const struct fed__client_rows rows = fed__partition_rows(&simulation.partition, c, NULL);
    memcpy(pooled + count, rows.train, rows.train_count * sizeof *pooled);
    count += rows.train_count;
    by_hand(fed__partition_name(&simulation.partition, c, name), rows.train, rows.train_count, 6,
            &sums);
    assert_int_equal(found.local[c].client, c);
    assert_memory_equal(&found.local[c].common.sums, &sums, sizeof sums);
    assert_int_equal(found.local[c].own.example_count, rows.held_out_count);
  }
  by_hand("", pooled, count, 6, &sums);
  assert_memory_equal(&found.centralised.sums, &sums, sizeof sums);
  assert_memory_equal(&found.federated.sums, &made.rounds[5].tested, sizeof sums);
  assert_int_equal(found.federated_clients.accuracy.count, 10);
  assert_int_equal(found.centralised_clients.accuracy.count, 10);
  clear(&simulation, &found);
}

/* Who has one class only names it always: its accuracy on all rows is the class's share of them,
 * and on its own rows 1; the shares add up to 1. */
static void clients_of_one_class(void **state) {
  (void)state;
  struct fed__simulation simulation;
  size_t counts[CLASSES] = {0}, most = 0;
  run("count: 20, cohort: 3, minimum: 3",
      "  clients: 3\n  partition: {kind: labels, labels: 1}\n" ALL_THREE, 2, 1, &simulation);
  struct fed__baselines found = baselines_of(&simulation);
  for (int i = 0; i < ROWS; i++) counts[made.labels[i]]++;
  for (uint32_t c = 0; c < CLASSES; c++) {
    assert_int_equal(found.local[c].common.sums.correct_count, counts[c]);
    assert_int_equal(found.local[c].own.correct_count, found.local[c].own.example_count);
    if (counts[c] > counts[most]) most = c;
  }
  assert_int_equal(found.best, most);
  assert_true(fabs(found.local_accuracy.mean - 1.0 / CLASSES) < 1e-12);
  assert_true(found.own_accuracy.lowest == 1);
  assert_true(fed__metric_sums_accuracy(&found.centralised.sums) > 0.6);
  assert_int_equal(found.local_auc.count, 0); /* of more than two classes nothing is ranked */
  assert_true(isnan(found.centralised.auc));
  clear(&simulation, &found);
}

/* Without a test set all are measured on all held-out rows; those of single clients add up. */
static void on_held_out_rows(void **state) {
  (void)state;
  struct fed__simulation simulation;
  size_t held_out = 0;
  run("count: 3, cohort: 4, minimum: 4", "  clients: 4\n" ALL_THREE, 2, 0, &simulation);
  struct fed__baselines found = baselines_of(&simulation);
  for (uint32_t c = 0; c < 4; c++)
    held_out += fed__partition_held_out_count(&simulation.partition, c);
  assert_false(found.on_test);
  assert_int_equal(held_out, ROWS / 5);
  assert_int_equal(found.federated.sums.example_count, held_out);
  assert_int_equal(found.centralised.sums.example_count, held_out);
  for (uint32_t c = 0; c < 4; c++) {
    assert_int_equal(found.local[c].common.sums.example_count, held_out);
    assert_true(found.local[c].own.example_count < held_out);
  }
  clear(&simulation, &found);
}

static void keep_local(const struct fed__baselines *found, struct fed__local_figures *local) {
  memcpy(local, found->local, found->local_count * sizeof *local);
}

static void any_number_of_threads(void **state) {
  (void)state;
  static struct fed__local_figures first[FED__BASELINE_CLIENTS_MAX];
  struct fed__baseline_figures centralised = {0};
  for (uint32_t threads = 1; threads <= 5; threads += 2) {
    struct fed__simulation simulation;
    run("count: 2, cohort: 20, minimum: 5", "  clients: 20\n" ALL_THREE, threads, 0, &simulation);
    struct fed__baselines found = baselines_of(&simulation);
    if (threads == 1) {
      keep_local(&found, first);
      centralised = found.centralised;
    }
    assert_memory_equal(&found.centralised.sums, &centralised.sums, sizeof centralised.sums);
    for (uint32_t i = 0; i < found.local_count; i++) {
      assert_memory_equal(&found.local[i].common.sums, &first[i].common.sums,
                          sizeof first[i].common.sums);
      assert_true(found.local[i].own.loss_sum == first[i].own.loss_sum);
    }
    clear(&simulation, &found);
  }
}

static void a_sample_of_many(void **state) {
  (void)state;
  uint32_t first[FED__BASELINE_CLIENTS_MAX];
  for (int turn = 0; turn < 2; turn++) {
    struct fed__simulation simulation;
    run("count: 1, cohort: 150, minimum: 5", "  clients: 150\n  baselines: [best]\n", 2, 0,
        &simulation);
    struct fed__baselines found = baselines_of(&simulation);
    assert_int_equal(found.local_count, FED__BASELINE_CLIENTS_MAX);
    assert_int_equal(found.centralised.sums.example_count, 0); /* was not asked for */
    for (uint32_t i = 0; i < found.local_count; i++) {
      assert_true(found.local[i].client < 150);
      assert_true(i == 0 || found.local[i].client > found.local[i - 1].client);
      if (turn) assert_int_equal(found.local[i].client, first[i]);
      first[i] = found.local[i].client;
    }
    assert_int_not_equal(first[99], 99); /* not the first hundred */
    clear(&simulation, &found);
  }
}

static void training_that_diverges(void **state) {
  (void)state;
  struct fed__simulation simulation;
  make_up(&made, "epochs: 60, weight_decay: 10", "count: 2, cohort: 3, minimum: 3, failures_max: 1",
          "simulate:\n  clients: 3\n" ALL_THREE);
  made.job.train.options.learning_rate = 1e6;
  simulate(&made, 2, &simulation);
  struct fed__baselines found = baselines_of(&simulation);
  assert_int_equal(simulation.version, 0);
  assert_int_equal(found.passes, 1); /* at least */
  assert_true(found.centralised.diverged);
  assert_int_equal(found.local_diverged, 3);
  assert_int_equal(found.local_accuracy.count, 0);
  assert_false(found.federated.diverged); /* the model that the job began with */
  clear(&simulation, &found);
}

static int stop_now(struct fed__simulation_observer *self) {
  (void)self;
  return 1;
}

static void none_and_stopped(void **state) {
  (void)state;
  struct fed__simulation simulation;
  struct fed__baselines found;
  run("count: 1, cohort: 4, minimum: 4", "  clients: 4\n", 2, 0, &simulation);
  found = baselines_of(&simulation);
  assert_int_equal(found.wanted, 0);
  clear(&simulation, &found);
  run("count: 1, cohort: 4, minimum: 4", "  clients: 4\n" ALL_THREE, 2, 0, &simulation);
  made.observer.stopping = stop_now;
  assert_int_equal(fed__baselines_make(&simulation, &found), FED_E_BUSY);
  clear(&simulation, &found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_as_by_hand), cmocka_unit_test(clients_of_one_class),
      cmocka_unit_test(on_held_out_rows),    cmocka_unit_test(any_number_of_threads),
      cmocka_unit_test(a_sample_of_many),    cmocka_unit_test(training_that_diverges),
      cmocka_unit_test(none_and_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
