/* SPDX-License-Identifier: Apache-2.0
 *
 * test_schedule.c: learning rates at the beginning, middle and end, from the formulas' definition.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/schedule.h"

#include <math.h>

static void check_rate(const struct fed_train_options *options, uint64_t step, double expected) {
  const double rate = fed__schedule_rate(options, step);
  if (fabs(rate - expected) > 1e-15) fail_msg("expected %.17g, found %.17g", expected, rate);
}

static void test_rates(void **state) {
  (void)state;
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.learning_rate = 0.8;
  options.schedule_steps = 100;
  options.schedule_floor = 0.25;
  options.schedule_every = 10;
  options.schedule_factor = 0.5;
  check_rate(&options, 12345, 0.8);

  options.schedule = FED_SCHEDULE_LINEAR;
  check_rate(&options, 0, 0.8);
  check_rate(&options, 50, 0.5);
  check_rate(&options, 100, 0.2);
  check_rate(&options, 1000, 0.2);

  options.schedule = FED_SCHEDULE_COSINE;
  check_rate(&options, 0, 0.8);
  check_rate(&options, 50, 0.5);
  check_rate(&options, 25, 0.2 + 0.6 * (1 + sqrt(0.5)) / 2);
  check_rate(&options, 100, 0.2);

  options.schedule = FED_SCHEDULE_STEP;
  check_rate(&options, 9, 0.8);
  check_rate(&options, 10, 0.4);
  check_rate(&options, 39, 0.1);
}

/* The schedule begins where the warm-up ends. */
static void test_warmup(void **state) {
  (void)state;
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.learning_rate = 0.8;
  options.warmup_steps = 4;
  check_rate(&options, 0, 0.2);
  check_rate(&options, 2, 0.6);
  check_rate(&options, 3, 0.8);
  check_rate(&options, 4, 0.8);
  options.schedule = FED_SCHEDULE_LINEAR;
  options.schedule_steps = 100;
  check_rate(&options, 1, 0.4);
  check_rate(&options, 4, 0.8);
  check_rate(&options, 54, 0.4);
  check_rate(&options, 104, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates), cmocka_unit_test(test_warmup)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
