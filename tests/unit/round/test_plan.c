/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plan.c: what follows from a job: combinations that cannot work are refused, weights, seeds.
 * What the algorithms make of it is in test_algorithms.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "round/plan.h"

#include <string.h>

static char mean_rule[] = "mean", median_rule[] = "median";

static struct fed__job plain_job(void) {
  return (struct fed__job){.seed = 1,
                           .rounds = {.cohort = 10, .over_selection = 1.25, .minimum = 5},
                           .update = {.grid_bits = 16, .grid_step = 0x1p-13},
                           .aggregate = {.rule = mean_rule,
                                         .weight_max = 1000000,
                                         .server_learning_rate = 1,
                                         .beta1 = 0.9,
                                         .beta2 = 0.99,
                                         .adaptivity = 0.001,
                                         .buffer = 10,
                                         .staleness_max = 10,
                                         .mixing = 0.6}};
}

static void assert_refused(const struct fed__job *job, size_t elements, int code,
                           const char *part) {
  struct fed__plan plan;
  assert_int_equal(fed__plan_make(job, elements, &plan), code);
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static void a_plan_follows_from_its_job(void **state) {
  (void)state;
  struct fed__job job = plain_job();
  struct fed__plan plan;
  job.update.clip_norm = 2.5;
  assert_int_equal(fed__plan_make(&job, 7850, &plan), FED_OK);
  assert_ptr_equal(plan.rule, &fed__aggregate_mean);
  assert_true(plan.stages.clip_norm == 2.5 && plan.stages.grid_step == 0x1p-13);
  assert_int_equal(plan.stages.grid_bits, 16);
  assert_int_equal(plan.shape.grid_bits, 16);
  assert_int_equal(plan.shape.element_count, 7850);
  assert_int_equal(plan.shape.weight_max, 1000000);
  assert_true(plan.shape.clients_max >= 13); /* 12.5 are invited, rounded up */
  assert_int_equal(plan.exchange_count, 1);
  job.aggregate.weights = FED__WEIGHTS_UNIFORM;
  assert_int_equal(fed__plan_make(&job, 7850, &plan), FED_OK);
  assert_int_equal(plan.shape.weight_max, 1);
}

static void what_cannot_work_is_refused(void **state) {
  (void)state;
  struct fed__job job = plain_job();
  assert_refused(&job, 0, FED_E_EMPTY, "no trainable parameters");
  job.aggregate.rule = median_rule;
  assert_refused(&job, 10, FED_E_UNSUPPORTED, "'median' is not known");
  job = plain_job();
  job.update.grid_bits = 12;
  assert_refused(&job, 10, FED_E_RANGE, "8, 16 or 32");
  job.update.grid_bits = 0;
  assert_refused(&job, 10, FED_E_INPUT, "set grid_bits");
  job = plain_job();
  job.update.grid_step = 0.1;
  assert_refused(&job, 10, FED_E_RANGE, "power of two");
  job = plain_job();
  job.update.clip_norm = -1;
  assert_refused(&job, 10, FED_E_RANGE, "clip_norm");
}

/* weight_max * clients_max may be 2^(64 - bits) and not one more. */
static void sums_that_could_overflow_are_refused(void **state) {
  (void)state;
  struct fed__job job = plain_job();
  struct fed__plan plan;
  job.update.grid_bits = 32;
  job.rounds.cohort = 15;
  job.rounds.over_selection = 1; /* 16 with the spare one */
  job.aggregate.weight_max = (uint64_t)1 << 28;
  assert_int_equal(fed__plan_make(&job, 10, &plan), FED_OK);
  job.aggregate.weight_max++;
  assert_refused(&job, 10, FED_E_RANGE, "lower weight_max");
  job.aggregate.weights = FED__WEIGHTS_UNIFORM; /* then weight_max does not matter */
  assert_int_equal(fed__plan_make(&job, 10, &plan), FED_OK);
}

static void clients_weigh_by_their_examples_up_to_a_bound(void **state) {
  (void)state;
  struct fed__job job = plain_job();
  job.aggregate.weight_max = 600;
  assert_int_equal(fed__plan_weight(&job, 0), 0);
  assert_int_equal(fed__plan_weight(&job, 599), 599);
  assert_int_equal(fed__plan_weight(&job, 600), 600);
  assert_int_equal(fed__plan_weight(&job, UINT64_MAX), 600);
  job.aggregate.weights = FED__WEIGHTS_UNIFORM;
  assert_int_equal(fed__plan_weight(&job, 599), 1);
}

/* Each round and each client trains with randomness of its own; the same again, the same. */
static void seeds_are_named_by_round_and_client(void **state) {
  (void)state;
  static const char *const clients[] = {"a", "b", "hospital-a", "hospital-b", ""};
  struct fed__job job = plain_job();
  uint64_t seeds[2 * 50 * 5];
  size_t count = 0;
  for (job.seed = 1; job.seed <= 2; job.seed++)
    for (uint64_t round = 1; round <= 50; round++)
      for (size_t i = 0; i < 5; i++) {
        seeds[count] = fed__plan_train_seed(&job, round, clients[i]);
        assert_true(seeds[count] == fed__plan_train_seed(&job, round, clients[i]));
        for (size_t before = 0; before < count; before++)
          assert_false(seeds[before] == seeds[count]);
        count++;
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_plan_follows_from_its_job),
      cmocka_unit_test(what_cannot_work_is_refused),
      cmocka_unit_test(sums_that_could_overflow_are_refused),
      cmocka_unit_test(clients_weigh_by_their_examples_up_to_a_bound),
      cmocka_unit_test(seeds_are_named_by_round_and_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
