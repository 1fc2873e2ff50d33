/* SPDX-License-Identifier: Apache-2.0
 *
 * test_metric_sums.c: means are those of long double where losses are ordinary, and of any size the
 * sums are the same in any order and any grouping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "round/metric_sums.h"

#include <float.h>
#include <string.h>

static void means_are_those_of_the_losses(void **state) {
  (void)state;
  struct fed__metric_sums sums = {0};
  long double loss = 0;
  uint64_t count = 0;
  for (uint32_t i = 1; i <= 1000; i++) {
    const struct fed_metrics metrics = {i, i / 2, (i % 3 ? 1 : -1) * 0.37 * i * i};
    fed__metric_sums_add(&sums, &metrics);
    loss += (long double)metrics.loss_sum;
    count += i;
  }
  const double mean = (double)(loss / count);
  assert_true(fabs(fed__metric_sums_loss(&sums) - mean) <= 0x1p-21 * 1000 / (double)count);
  assert_true(fed__metric_sums_accuracy(&sums) == 250000.0 / 500500.0);
}

static const double enormous[] = {3e13, 1e300, -7.5, 0.25, DBL_MAX, -2e18, 8.8e12, 1e19, -1e19, 5};
enum { COUNT = sizeof enormous / sizeof enormous[0] };

static void enormous_losses_add_up_in_any_order(void **state) {
  (void)state;
  struct fed__metric_sums forwards = {0}, backwards = {0}, halves[2] = {{0}};
  for (size_t i = 0; i < COUNT; i++) {
    const struct fed_metrics metrics = {1, 0, enormous[i]}, last = {1, 0, enormous[COUNT - 1 - i]};
    fed__metric_sums_add(&forwards, &metrics);
    fed__metric_sums_add(&backwards, &last);
    fed__metric_sums_add(&halves[i % 2], &metrics);
  }
  fed__metric_sums_merge(&halves[0], &halves[1]);
  assert_memory_equal(&forwards, &backwards, sizeof forwards);
  assert_memory_equal(&forwards, &halves[0], sizeof forwards);
  /* three of 2^62 and one of -2^62; the others are exact */
  const double sum = 2 * 0x1p62 + 3e13 + 8.8e12 - 2e18;
  assert_true(fabs(fed__metric_sums_loss(&forwards) * COUNT / sum - 1) < 1e-12);
}

static void a_million_of_the_largest_fit(void **state) {
  (void)state;
  struct fed__metric_sums sums = {0};
  for (uint32_t i = 0; i < 1000000; i++) {
    const struct fed_metrics metrics = {1, 0, i % 2 ? DBL_MAX : 0x1p62 - 0x1p20};
    fed__metric_sums_add(&sums, &metrics);
  }
  assert_true(fabs(fed__metric_sums_loss(&sums) / 0x1p62 - 1) < 1e-12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(means_are_those_of_the_losses),
      cmocka_unit_test(enormous_losses_add_up_in_any_order),
      cmocka_unit_test(a_million_of_the_largest_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
