/* SPDX-License-Identifier: Apache-2.0
 *
 * test_evaluation.c: what is measured of single clients and classes: a version measured at all
 * clients is what a cohort of all finds of it a round later; classes add up to what the rounds
 * counted; drift against distances found by hand.
 */
#include "made_up_job.h"

#include "base/memory.h"
#include "failing_alloc.h"

#include <math.h>

#define EVERYBODY "count: 3, cohort: 12, minimum: 12"

/* ---- clients -------------------------------------------------------------------------------- */

static void all_clients_find_what_a_cohort_of_all_finds(void **state) {
  (void)state;
  static struct made_up cohort, all;
  struct fed__simulation simulations[2];
  make_up(&cohort, "epochs: 1", EVERYBODY, "simulate: {clients: 12}\n");
  make_up(&all, "epochs: 1", EVERYBODY, "simulate: {clients: 12, evaluate: {clients: all}}\n");
  simulate(&cohort, 2, &simulations[0]);
  simulate(&all, 2, &simulations[1]);
  assert_int_equal(cohort.round_count, 4); /* the last one only evaluates */
  for (int i = 0; i < 3; i++) {
    assert_int_equal(cohort.rounds[i].clients.version, i);
    assert_int_equal(all.rounds[i].clients.version, i + 1);
    assert_int_equal(all.rounds[i].clients.accuracy.count, 12);
    assert_memory_equal(&all.rounds[i].clients, &cohort.rounds[i + 1].clients,
                        sizeof all.rounds[i].clients);
  }
  assert_memory_equal(simulations[0].current.storage, simulations[1].current.storage,
                      simulations[0].current.storage_bytes);
  for (int i = 0; i < 2; i++) fed__simulation_clear(&simulations[i]);
  take_down(&cohort);
  take_down(&all);
}

static void samples_are_as_large_as_asked_for(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  struct fed__client_figures figures;
  struct fed__visit *visits;
  size_t count;
  make_up(&made, "epochs: 1", "count: 4, cohort: 3, minimum: 3",
          "evaluate: {every: 2}\n"
          "simulate: {clients: 12, evaluate: {clients: sample, sample: 5}}\n");
  simulate(&made, 2, &simulation);
  assert_int_equal(made.rounds[0].clients.loss.count, 0);
  assert_int_equal(made.rounds[1].clients.version, 2);
  assert_int_equal(made.rounds[1].clients.loss.count, 5);
  assert_int_equal(made.rounds[0].drift.count, 0);
  assert_int_equal(made.rounds[1].drift.count, 3);
  assert_int_equal(made.rounds[4].clients.loss.count, 0); /* the last evaluation is the cohort's */
  assert_int_equal(fed__simulation_measure_clients(&simulation, 5, &figures, &visits, &count),
                   FED_OK);
  assert_int_equal(count, 5);
  for (uint32_t i = 0; i < 5; i++) assert_int_equal(visits[i].client, i * 12 / 5);
  uint32_t trained = 0;
  for (int i = 0; i < 12; i++) trained += simulation.rounds_trained[i];
  assert_int_equal(trained, 4 * 3);
  fed__free(&made.context, visits);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* ---- classes -------------------------------------------------------------------------------- */

static void classes_add_up_to_what_rounds_count(void **state) {
  (void)state;
  struct fed__classification found[2];
  for (uint32_t i = 0; i < 2; i++) {
    static struct made_up made;
    struct fed__simulation simulation;
    struct fed__classification held_out;
    struct fed__client_figures figures;
    struct fed__visit *visits;
    size_t count, correct = 0, rows = 0;
    make_up(&made, "epochs: 1", EVERYBODY, "simulate: {clients: 12}\n");
    made.has_test = 1;
    simulate(&made, 1 + 4 * i, &simulation);
    assert_int_equal(fed__simulation_classify_test(&simulation, &found[i]), FED_OK);
    assert_int_equal(found[i].label_count, ROWS);
    assert_int_equal(found[i].correct_count, made.rounds[2].tested.correct_count);
    assert_true(found[i].mean.auc > 0.6 && found[i].mean.auc < 1);
    for (size_t c = 0; c < CLASSES; c++) rows += found[i].each[c].wanted_count;
    assert_int_equal(rows, ROWS);
    assert_int_equal(fed__simulation_measure_clients(&simulation, 12, &figures, &visits, &count),
                     FED_OK);
    assert_int_equal(fed__simulation_classify_held_out(&simulation, visits, count, &held_out),
                     FED_OK);
    for (size_t k = 0; k < count; k++) correct += visits[k].evaluation.correct_count;
    assert_int_equal(held_out.label_count, 12 * 15); /* a fifth of 75 each */
    assert_int_equal(held_out.correct_count, correct);
    fed__classification_clear(&held_out);
    fed__free(&made.context, visits);
    fed__simulation_clear(&simulation);
    take_down(&made);
  }
  assert_memory_equal(found[0].each, found[1].each, CLASSES * sizeof found[0].each[0]);
  assert_memory_equal(found[0].confusion, found[1].confusion,
                      CLASSES * CLASSES * sizeof found[0].confusion[0]);
  for (int i = 0; i < 2; i++) fed__classification_clear(&found[i]);
}

static void nothing_held_out_is_nothing_measured(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  struct fed__classification found;
  struct fed__client_figures figures;
  make_up(&made, "epochs: 1", "count: 1, cohort: 2, minimum: 2",
          "evaluate: {federated: false, every: 0}\nsimulate: {clients: 2}\n");
  made.job.data.holdout = 0;
  simulate(&made, 1, &simulation);
  assert_int_equal(fed__simulation_measure_clients(&simulation, 2, &figures, NULL, NULL), FED_OK);
  assert_int_equal(figures.loss.count, 0);
  assert_int_equal(fed__simulation_classify_test(&simulation, &found), FED_OK);
  assert_int_equal(found.classes, 0);
  assert_int_equal(fed__simulation_classify_held_out(&simulation, NULL, 0, &found), FED_OK);
  assert_int_equal(found.classes, 0);
  assert_int_equal(made.rounds[0].drift.count, 0);
  fed__simulation_clear(&simulation);
  take_down(&made);
}

static void memory_may_fail(void **state) {
  (void)state;
  struct made_up made;
  struct fed__simulation simulation;
  struct failing_alloc failing;
  make_up(&made, "epochs: 1", EVERYBODY, "simulate: {clients: 12}\n");
  made.has_test = 1;
  simulate(&made, 1, &simulation);
  failing_alloc_init(&failing, &made.context, LONG_MAX);
  for (long allowed = 0;; allowed++) {
    struct fed__classification found;
    struct fed__client_figures figures;
    struct fed__visit *visits;
    size_t count;
    failing.made = failing.living = 0;
    failing.allowed = allowed;
    int code = fed__simulation_measure_clients(&simulation, 12, &figures, &visits, &count);
    if (code == FED_OK) {
      code = fed__simulation_classify_held_out(&simulation, visits, count, &found);
      fed__free(&made.context, visits);
    }
    if (code == FED_OK) fed__classification_clear(&found);
    if (code == FED_OK) break;
    assert_int_equal(code, FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
    assert_true(allowed < 100);
  }
  fed__simulation_clear(&simulation);
  take_down(&made);
}

/* ---- drift ---------------------------------------------------------------------------------- */

static void drift_by_hand(void **state) {
  (void)state;
  struct fed__drift drift = {0};
  fed__drift_add(&drift, 3, 1);
  fed__drift_add(&drift, 1, 1);
  fed__drift_add(&drift, 5, 2);
  fed__drift_finish(&drift, 1.75);
  assert_true(drift.count == 3 && drift.mean == 3 && drift.largest == 5);
  assert_true(drift.step == 1.75 && drift.agreement == 0.5); /* of (3 + 1 + 2 * 5) / 4 */
  struct fed__drift still = {0};
  fed__drift_add(&still, 0, 1);
  fed__drift_finish(&still, 0);
  assert_true(still.count == 1 && still.agreement == 0);
}

/* 3^2 + 4^2 + … of differences: 11 numbers, so that vectors and what is left of them are in it. */
static void distances_by_hand(void **state) {
  (void)state;
  struct fed_context context;
  struct fed_params a, b;
  struct fed_tensor tensor = {"w", FED_F32, {1, {11}}, NULL};
  fed_context_init(&context);
  assert_int_equal(fed_params_init(&a, &context, &tensor, 1), FED_OK);
  assert_int_equal(fed_params_init(&b, &context, &tensor, 1), FED_OK);
  for (int i = 0; i < 11; i++) {
    fed_params_floats(&a)[i] = (float)i;
    fed_params_floats(&b)[i] = -1;
  }
  assert_true(fed__params_distance(&a, &b) == sqrt(11. * 12 * 23 / 6)); /* 1 + 4 + … + 121 */
  assert_true(fed__params_distance(&a, &a) == 0);
  fed_params_clear(&a);
  fed_params_clear(&b);
}

/* One client alone: the model's step is its own way but for the grid; two that start from the same
 * model and see other rows go neither quite the same way nor against each other. */
static void drift_of_clients(void **state) {
  (void)state;
  for (uint32_t clients = 1; clients <= 2; clients++) {
    struct made_up made;
    struct fed__simulation simulation;
    char rounds[64], more[64];
    snprintf(rounds, sizeof rounds, "count: 1, cohort: %u, minimum: %u", clients, clients);
    snprintf(more, sizeof more, "simulate: {clients: %u}\n", clients);
    make_up(&made, "epochs: 2", rounds, more);
    simulate(&made, 2, &simulation);
    const struct fed__drift *drift = &made.rounds[0].drift;
    const double moved = fed__params_distance(&simulation.current, fed_model_params(made.model));
    assert_int_equal(drift->count, clients);
    assert_true(drift->step == moved && moved > 0);
    assert_true(drift->largest >= drift->mean);
    if (clients == 1)
      assert_float_equal(drift->agreement, 1, 1e-3);
    else
      assert_true(drift->agreement > 0.5 && drift->agreement < 1);
    fed__simulation_clear(&simulation);
    take_down(&made);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_clients_find_what_a_cohort_of_all_finds),
      cmocka_unit_test(samples_are_as_large_as_asked_for),
      cmocka_unit_test(classes_add_up_to_what_rounds_count),
      cmocka_unit_test(nothing_held_out_is_nothing_measured),
      cmocka_unit_test(memory_may_fail),
      cmocka_unit_test(drift_by_hand),
      cmocka_unit_test(distances_by_hand),
      cmocka_unit_test(drift_of_clients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
