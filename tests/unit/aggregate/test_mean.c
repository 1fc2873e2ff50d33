/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mean.c: the mean against 128-bit sums; any order gives the same bits; extremes do not
 * overflow; what could is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregate/aggregate.h"
#include "base/rng.h"
#include "failing_alloc.h"

#include <stdlib.h>

#define N 1003 /* not a multiple of any vector */
#define CLIENTS 24

__extension__ typedef __int128 wide;

static struct failing_alloc memory;
static struct fed_context context;
static const struct fed__aggregate_ops *const mean = &fed__aggregate_mean;

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static struct fed__aggregate *open_mean(size_t elements, uint32_t bits, uint64_t weight_max,
                                        uint64_t clients_max) {
  const struct fed__aggregate_shape shape = {elements, bits, weight_max, clients_max};
  struct fed__aggregate *aggregate;
  assert_int_equal(mean->init(&context, &shape, &aggregate), FED_OK);
  return aggregate;
}

static void put_integer(uint8_t *grid, uint32_t bits, size_t index, int64_t value) {
  for (uint32_t k = 0; k < bits / 8; k++)
    grid[index * (bits / 8) + k] = (uint8_t)((uint64_t)value >> (8 * k));
}

/* Updates of random integers, with the ends of the range among them. */
static void make_updates(uint32_t bits, uint8_t *grids, int64_t *values, uint64_t *weights,
                         uint64_t weight_max) {
  struct fed_rng rng;
  const int64_t low = -((int64_t)1 << (bits - 1)), high = -low - 1;
  fed__rng_init(&rng, 7, "test_mean", bits, weight_max);
  for (size_t c = 0; c < CLIENTS; c++) {
    weights[c] = 1 + fed__rng_below(&rng, weight_max);
    for (size_t i = 0; i < N; i++) {
      const int64_t drawn = low + (int64_t)fed__rng_below(&rng, (uint64_t)1 << bits);
      const int64_t value = i == 0 ? low : i == 1 ? high : drawn;
      values[c * N + i] = value;
      put_integer(grids + c * N * (bits / 8), bits, i, value);
    }
  }
}

static void assert_is_sum(const int64_t *sum, const int64_t *values, const uint64_t *weights) {
  for (size_t i = 0; i < N; i++) {
    wide expected = 0;
    for (size_t c = 0; c < CLIENTS; c++) expected += (wide)values[c * N + i] * (wide)weights[c];
    assert_true((wide)sum[i] == expected);
  }
}

static void any_order_gives_the_exact_sum(void **state) {
  (void)state;
  static uint8_t grids[CLIENTS * N * 4];
  static int64_t values[CLIENTS * N];
  uint64_t weights[CLIENTS], weight_sum, expected_weight = 0;
  static const struct {
    uint32_t bits;
    uint64_t weight_max;
  } cases[] = {
      {8, 1}, {16, 1}, {32, 1}, {8, 5000}, {16, 100000}, {32, 1 << 20}, {8, (uint64_t)1 << 51}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    const uint32_t bits = cases[k].bits;
    const size_t bytes = N * (bits / 8);
    struct fed__aggregate *aggregate = open_mean(N, bits, cases[k].weight_max, CLIENTS);
    uint32_t order[CLIENTS];
    struct fed_rng rng;
    make_updates(bits, grids, values, weights, cases[k].weight_max);
    expected_weight = 0;
    for (uint32_t c = 0; c < CLIENTS; c++) expected_weight += weights[c];
    for (uint32_t c = 0; c < CLIENTS; c++) order[c] = c;
    fed__rng_init(&rng, 1, "order", k, 0);
    for (int repeat = 0; repeat < 5; repeat++) {
      const int64_t *sum;
      mean->begin(aggregate);
      for (size_t c = 0; c < CLIENTS; c++)
        assert_int_equal(
            mean->add(aggregate, fed_slice_of(grids + order[c] * bytes, bytes), weights[order[c]]),
            FED_OK);
      assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_OK);
      assert_is_sum(sum, values, weights);
      assert_int_equal(weight_sum, expected_weight);
      fed__rng_shuffle(&rng, order, CLIENTS);
    }
    mean->free(aggregate);
  }
}

/* Folded in by two and merged is as if folded in by one. */
static void merged_sums_are_one_sum(void **state) {
  (void)state;
  static uint8_t grids[CLIENTS * N * 2];
  static int64_t values[CLIENTS * N];
  uint64_t weights[CLIENTS], weight_sum, expected_weight = 0;
  const int64_t *sum;
  struct fed__aggregate *first = open_mean(N, 16, 100, CLIENTS);
  struct fed__aggregate *second = open_mean(N, 16, 100, CLIENTS);
  make_updates(16, grids, values, weights, 100);
  assert_int_equal(mean->merge(first, second), FED_OK); /* nothing to nothing */
  assert_int_equal(mean->finish(first, &sum, &weight_sum), FED_E_EMPTY);
  for (size_t c = 0; c < CLIENTS; c++) {
    const struct fed_slice grid = fed_slice_of(grids + c * N * 2, (size_t)N * 2);
    assert_int_equal(mean->add(c % 3 ? first : second, grid, weights[c]), FED_OK);
    expected_weight += weights[c];
  }
  assert_int_equal(mean->merge(first, second), FED_OK);
  assert_int_equal(mean->finish(first, &sum, &weight_sum), FED_OK);
  assert_is_sum(sum, values, weights);
  assert_int_equal(weight_sum, expected_weight);
  assert_int_equal(mean->merge(first, second), FED_E_LIMIT); /* more clients than it is made for */
  assert_int_equal(mean->finish(first, &sum, &weight_sum), FED_OK);
  assert_is_sum(sum, values, weights);
  mean->free(first);
  mean->free(second);
}

static void refused_updates_leave_the_sum_alone(void **state) {
  (void)state;
  struct fed__aggregate *aggregate = open_mean(4, 16, 10, 2);
  const int16_t grid[] = {1, -2, 32767, -32768};
  const struct fed_slice good = fed_slice_of(grid, sizeof grid);
  const int64_t *sum;
  uint64_t weight_sum;
  assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_E_EMPTY);
  assert_int_equal(mean->add(aggregate, good, 10), FED_OK);
  assert_int_equal(mean->add(aggregate, fed_slice_of(grid, 7), 1), FED_E_SHAPE);
  assert_message_has("7 bytes");
  assert_message_has("expected 8");
  assert_int_equal(mean->add(aggregate, fed_slice_of(grid, 0), 1), FED_E_SHAPE);
  assert_int_equal(mean->add(aggregate, good, 0), FED_E_RANGE);
  assert_int_equal(mean->add(aggregate, good, 11), FED_E_RANGE);
  assert_message_has("1 to 10");
  assert_int_equal(mean->add(aggregate, good, UINT64_MAX), FED_E_RANGE);
  assert_int_equal(mean->add(aggregate, good, 1), FED_OK);
  assert_int_equal(mean->add(aggregate, good, 1), FED_E_LIMIT);
  assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_OK);
  assert_int_equal(weight_sum, 11);
  for (int i = 0; i < 4; i++) assert_true(sum[i] == 11 * (int64_t)grid[i]);
  mean->begin(aggregate);
  assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_E_EMPTY);
  assert_int_equal(mean->add(aggregate, good, 1), FED_OK);
  assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_OK);
  for (int i = 0; i < 4; i++) assert_true(sum[i] == grid[i]);
  mean->free(aggregate);
}

/* The largest shapes that are accepted, filled with the largest updates. */
static void extremes_do_not_overflow(void **state) {
  (void)state;
  static const struct fed__aggregate_shape shapes[] = {{3, 8, (uint64_t)1 << 54, 4},
                                                       {3, 16, (uint64_t)1 << 46, 4},
                                                       {3, 32, (uint64_t)1 << 30, 4},
                                                       {3, 32, 1, 4}};
  for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
    const struct fed__aggregate_shape *shape = &shapes[k];
    const int64_t low = -((int64_t)1 << (shape->grid_bits - 1)), high = -low - 1;
    uint8_t grid[12];
    const int64_t *sum;
    uint64_t weight_sum;
    struct fed__aggregate *aggregate;
    put_integer(grid, shape->grid_bits, 0, low);
    put_integer(grid, shape->grid_bits, 1, high);
    put_integer(grid, shape->grid_bits, 2, -1);
    assert_int_equal(mean->init(&context, shape, &aggregate), FED_OK);
    for (int c = 0; c < 4; c++)
      assert_int_equal(
          mean->add(aggregate, fed_slice_of(grid, 3 * (shape->grid_bits / 8)), shape->weight_max),
          FED_OK);
    assert_int_equal(mean->finish(aggregate, &sum, &weight_sum), FED_OK);
    const wide weight = (wide)shape->weight_max * 4;
    assert_true((wide)sum[0] == low * weight);
    assert_true((wide)sum[1] == high * weight);
    assert_true((wide)sum[2] == -weight);
    assert_true(weight_sum == (uint64_t)weight);
    mean->free(aggregate);
  }
}

static void shapes_that_may_overflow_are_refused(void **state) {
  (void)state;
  static const struct fed__aggregate_shape wrong[] = {
      {3, 8, ((uint64_t)1 << 54) + 1, 4},
      {3, 16, (uint64_t)1 << 46, 5},
      {3, 32, ((uint64_t)1 << 30) + 1, 4},
      {3, 32, UINT64_MAX, 1},
      {3, 8, (uint64_t)1 << 32, (uint64_t)1 << 32}, /* the product itself overflows */
      {3, 12, 1, 1},
      {3, 0, 1, 1},
      {0, 8, 1, 1},
      {SIZE_MAX / 8, 8, 1, 1},
      {3, 8, 0, 1},
      {3, 8, 1, 0}};
  for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
    struct fed__aggregate *aggregate = (struct fed__aggregate *)&memory;
    assert_int_equal(mean->check(&wrong[k]), FED_E_RANGE);
    assert_int_equal(mean->init(&context, &wrong[k], &aggregate), FED_E_RANGE);
    assert_null(aggregate);
  }
  assert_int_equal(mean->check(&wrong[1]), FED_E_RANGE);
  assert_message_has("5 clients of weight up to 70368744177664 with 16-bit");
  assert_message_has("2^48");
}

static void memory_does_not_grow_with_clients(void **state) {
  (void)state;
  static const uint8_t grid[N];
  const struct fed__aggregate_shape shape = {N, 8, 1, 1000};
  const long living = memory.living;
  struct fed__aggregate *aggregate = open_mean(N, 8, 1, 1000);
  const long made = memory.made;
  for (int c = 0; c < 1000; c++)
    assert_int_equal(mean->add(aggregate, fed_slice_of(grid, N), 1), FED_OK);
  assert_int_equal(memory.made, made);
  assert_true(mean->bytes(&shape) >= N * 8 && mean->bytes(&shape) < N * 8 + 256);
  mean->free(aggregate);
  mean->free(NULL);
  assert_int_equal(memory.living, living);
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  const struct fed__aggregate_shape shape = {N, 8, 1, 1};
  struct failing_alloc failing;
  struct fed_context limited;
  struct fed__aggregate *aggregate;
  int code = FED_E_MEMORY;
  long allowed = 0;
  for (; code != FED_OK; allowed++) {
    failing_alloc_init(&failing, &limited, allowed);
    code = mean->init(&limited, &shape, &aggregate);
    if (code == FED_OK) mean->free(aggregate);
    assert_true(code == FED_OK || (code == FED_E_MEMORY && !aggregate));
    assert_int_equal(failing.living, 0);
  }
  assert_true(allowed > 2);
}

/* Every length around the width of a vector, at odd addresses. */
static void folds_exactly_at_every_length(int64_t weight) {
  uint8_t bytes[4 * 80 + 1];
  int64_t sum[80], values[80];
  for (uint32_t bits = 8; bits <= 32; bits *= 2)
    for (size_t count = 0; count < 80; count++) {
      for (size_t i = 0; i < 80; i++) {
        values[i] = (int64_t)(i * 2654435761u) % ((int64_t)1 << (bits - 1)) * (i % 2 ? -1 : 1);
        put_integer(bytes + 1, bits, i, values[i]);
        sum[i] = (int64_t)i << 40;
      }
      fed__fold(sum, bytes + 1, bits, count, weight);
      for (size_t i = 0; i < 80; i++)
        assert_true(sum[i] == ((int64_t)i << 40) + (i < count ? values[i] * weight : 0));
    }
}

static void the_fold_is_exact_at_every_length(void **state) {
  (void)state;
  folds_exactly_at_every_length(123456789);
  folds_exactly_at_every_length(INT32_MAX);
  folds_exactly_at_every_length(INT64_C(3000000001)); /* no 32 bits hold it */
}

/* What two processes hold, added word by word, is what one would hold. */
static void words_of_two_add_up(void **state) {
  (void)state;
  static uint8_t grids[CLIENTS * N * 2];
  static int64_t values[CLIENTS * N];
  uint64_t weights[CLIENTS], weight_sum, expected_weight = 0;
  const int64_t *sum;
  size_t count, other_count;
  struct fed__aggregate *parts[] = {open_mean(N, 16, 100, CLIENTS), open_mean(N, 16, 100, CLIENTS)};
  make_updates(16, grids, values, weights, 100);
  for (size_t c = 0; c < CLIENTS; c++) {
    const struct fed_slice grid = fed_slice_of(grids + c * N * 2, (size_t)N * 2);
    assert_int_equal(mean->add(parts[c % 2], grid, weights[c]), FED_OK);
    expected_weight += weights[c];
  }
  int64_t *words = mean->words(parts[0], &count);
  const int64_t *others = mean->words(parts[1], &other_count);
  assert_int_equal(count, other_count);
  for (size_t i = 0; i < count; i++) words[i] += others[i];
  assert_int_equal(mean->finish(parts[0], &sum, &weight_sum), FED_OK);
  assert_is_sum(sum, values, weights);
  assert_int_equal(weight_sum, expected_weight);
  assert_int_equal(mean->add(parts[0], fed_slice_of(grids, (size_t)N * 2), 1), FED_E_LIMIT);
  mean->free(parts[0]);
  mean->free(parts[1]);
}

static void rules_are_found_by_name(void **state) {
  (void)state;
  assert_ptr_equal(fed__aggregate_find("mean"), mean);
  assert_null(fed__aggregate_find("median?"));
  assert_null(fed__aggregate_find(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_order_gives_the_exact_sum),
      cmocka_unit_test(merged_sums_are_one_sum),
      cmocka_unit_test(words_of_two_add_up),
      cmocka_unit_test(refused_updates_leave_the_sum_alone),
      cmocka_unit_test(extremes_do_not_overflow),
      cmocka_unit_test(shapes_that_may_overflow_are_refused),
      cmocka_unit_test(memory_does_not_grow_with_clients),
      cmocka_unit_test(running_out_of_memory_leaves_nothing),
      cmocka_unit_test(the_fold_is_exact_at_every_length),
      cmocka_unit_test(rules_are_found_by_name),
  };
  failing_alloc_init(&memory, &context, LONG_MAX);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
