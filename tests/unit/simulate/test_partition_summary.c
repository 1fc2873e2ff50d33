/* SPDX-License-Identifier: Apache-2.0
 *
 * test_partition_summary.c: sizes, classes and distances of small partitions, worked out by hand,
 * and the distance of one class a client from any number of classes in closed form.
 */
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "simulate/partition_summary.h"

#include <math.h>

static struct fed_context context;

static struct fed__partition parts(const size_t *counts, uint32_t clients) {
  static const char names[4][FED__CLIENT_NAME_BYTES] = {"a", "b", "c", "d"};
  struct fed__partition partition;
  assert_int_equal(fed__partition_of_parts(&context, names, counts, clients, &partition), FED_OK);
  return partition;
}

/* Rows 0 to 3 are a's, 4 to 9 b's; c has none. All together 5 of class 0, 3 of 1, 2 of 2.
 * a: 3, 1, 0 of 4: (|.75 - .5| + |.25 - .3| + |0 - .2|) / 2 = .25
 * b: 2, 2, 2 of 6: (|1/3 - .5| + |1/3 - .3| + |1/3 - .2|) / 2 = 1/6 */
static void by_hand(void **state) {
  (void)state;
  static const int64_t labels[] = {0, 0, 0, 1, 0, 0, 1, 1, 2, 2};
  struct fed__partition partition = parts((const size_t[]){4, 6, 0}, 3);
  struct fed__partition_summary summary;
  uint64_t counts[3];
  assert_int_equal(fed__partition_summary_init(&partition, labels, 3, &summary), FED_OK);
  assert_int_equal(summary.divided_count, 10);
  assert_memory_equal(summary.totals, ((const uint64_t[]){5, 3, 2}), 3 * sizeof(uint64_t));
  assert_int_equal(summary.clients[0].size, 4);
  assert_int_equal(summary.clients[0].classes, 2);
  assert_true(fabs(summary.clients[0].distance - 0.25) < 1e-12);
  assert_true(fabs(summary.clients[1].distance - 1.0 / 6) < 1e-12);
  assert_int_equal(summary.clients[2].size, 0);
  assert_true(summary.sizes.count == 3 && summary.sizes.lowest == 0 && summary.sizes.highest == 6);
  assert_true(fabs(summary.sizes.mean - 10.0 / 3) < 1e-12 && summary.sizes.median == 4);
  assert_true(summary.distances.count == 2 && summary.class_counts.count == 2);
  assert_true(fabs(summary.distances.mean - (0.25 + 1.0 / 6) / 2) < 1e-12);
  assert_true(summary.class_counts.mean == 2.5);
  fed__partition_summary_counts(&summary, 1, counts);
  assert_memory_equal(counts, ((const uint64_t[]){2, 2, 2}), sizeof counts);
  fed__partition_summary_clear(&summary);
  fed__partition_clear(&partition);
}

/* Clients of one class each, of K equally frequent ones: 1 - 1 / K. */
static void one_class_a_client(void **state) {
  (void)state;
  static const int64_t labels[] = {0, 0, 1, 1, 2, 2, 3, 3};
  struct fed__partition partition = parts((const size_t[]){2, 2, 2, 2}, 4);
  struct fed__partition_summary summary;
  assert_int_equal(fed__partition_summary_init(&partition, labels, 4, &summary), FED_OK);
  assert_true(summary.distances.lowest == 0.75 && summary.distances.highest == 0.75);
  assert_true(summary.class_counts.highest == 1);
  fed__partition_summary_clear(&summary);
  fed__partition_clear(&partition);
}

/* The rows of a client are all counted, whether they train or are held out, kept or drawn. */
static void rows_that_are_drawn(void **state) {
  (void)state;
  static const int64_t labels[] = {1, 1, 1};
  const struct fed__partition_settings settings = {.kind = FED__PARTITION_DRAWN, .examples = 5};
  const struct fed__partition_source source = {3, labels, 2};
  struct fed__partition partition;
  struct fed__partition_summary summary;
  assert_int_equal(fed__partition_make(&context, &settings, &source, 4, 1, &partition), FED_OK);
  partition.drawn_train_count = 3;
  assert_int_equal(fed__partition_summary_init(&partition, labels, 2, &summary), FED_OK);
  assert_int_equal(summary.divided_count, 20);
  assert_int_equal(summary.totals[1], 20);
  assert_true(summary.distances.highest == 0 && summary.class_counts.highest == 1);
  fed__partition_summary_clear(&summary);
  fed__partition_clear(&partition);
}

static void a_target_that_is_no_class(void **state) {
  (void)state;
  struct fed__partition partition = parts((const size_t[]){4, 6}, 2);
  struct fed__partition_summary summary;
  assert_int_equal(fed__partition_summary_init(&partition, NULL, 7, &summary), FED_OK);
  assert_int_equal(summary.classes, 0);
  assert_true(summary.sizes.mean == 5);
  assert_int_equal(summary.distances.count, 0);
  fed__partition_summary_clear(&summary);
  fed__partition_clear(&partition);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const int64_t labels[] = {0, 1, 1};
  int code = FED_E_MEMORY;
  struct fed__partition partition = parts((const size_t[]){1, 2}, 2);
  for (long allowed = 0; code != FED_OK; allowed++) {
    struct failing_alloc memory;
    struct fed_context failing;
    struct fed__partition_summary summary;
    failing_alloc_init(&memory, &failing, allowed);
    partition.context = &failing;
    code = fed__partition_summary_init(&partition, labels, 2, &summary);
    assert_true(allowed < 50);
    if (code == FED_OK)
      fed__partition_summary_clear(&summary);
    else
      assert_int_equal(code, FED_E_MEMORY);
    assert_int_equal(memory.living, 0);
  }
  partition.context = &context;
  fed__partition_clear(&partition);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_hand),
      cmocka_unit_test(one_class_a_client),
      cmocka_unit_test(rows_that_are_drawn),
      cmocka_unit_test(a_target_that_is_no_class),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
