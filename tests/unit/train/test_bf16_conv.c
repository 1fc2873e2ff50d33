/* SPDX-License-Identifier: Apache-2.0
 *
 * test_bf16_conv.c: convolutions in bfloat16 against the plain C ones in double. The operands are
 * multiples of 1/64 below 2, which bfloat16 holds exactly, so that only the order of the sums
 * differs; and other operands are indeed rounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/train/kernel_vectors.h"

#define ARRAYS 8 /* x, w, bias, dy; y, dx, dw, dbias */

static struct vector new_exact(size_t size, uint64_t number) {
  struct vector vector = new_random(size, number);
  for (size_t i = 0; i < size; i++)
    vector.narrow[i] = (float)(vector.wide[i] = floor(vector.wide[i] * 64) / 64);
  return vector;
}

static const struct fed_kernel_table *find_table(void) {
  const struct fed_kernel_table *table = NULL;
  if (fed__kernels_choose(FED_KERNELS_AUTO, FED_PRECISION_BF16, &table) == FED_OK) return table;
  assert_int_equal(fed_error_last()->code, FED_E_UNSUPPORTED);
  return NULL;
}

static void run(const struct fed_kernel_table *table, const struct fed_conv *conv,
                void *const *arrays) {
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(table->conv_new(&context, conv, &instance), FED_OK);
  table->conv_forward(instance, arrays[0], arrays[1], arrays[2], arrays[4]);
  table->conv_backward(instance, arrays[0], arrays[1], arrays[3], arrays[5], arrays[6], arrays[7]);
  table->instance_free(instance);
}

static void assert_near(const struct vector *result) {
  for (size_t i = 0; i < result->size; i++)
    if (!(fabs((double)result->narrow[i] - result->wide[i]) <= 1e-4 * (1 + fabs(result->wide[i]))))
      fail_msg("element %zu: %g, expected %g", i, (double)result->narrow[i], result->wide[i]);
}

static void check(const struct fed_kernel_table *table, int64_t in, int64_t out, int64_t groups) {
  const struct fed_conv conv = {
      .batch = 3,
      .in_channels = in,
      .out_channels = out,
      .groups = groups,
      .has_bias = 1,
      .window = {{1, 9, 8}, {1, 9, 8}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}}};
  const size_t x = (size_t)(3 * in * 72), y = (size_t)(3 * out * 72),
               w = (size_t)(out * in / groups * 9), b = (size_t)out;
  struct vector all[ARRAYS] = {new_exact(x, 1), new_exact(w, 2), new_exact(b, 3), new_exact(y, 4),
                               new_result(y),   new_result(x),   new_result(w),   new_result(b)};
  void *narrow[ARRAYS], *wide[ARRAYS];
  for (int i = 0; i < ARRAYS; i++) narrow[i] = all[i].narrow, wide[i] = all[i].wide;
  run(table, &conv, narrow);
  run(&fed__kernels_reference_f64, &conv, wide);
  for (int i = 4; i < ARRAYS; i++) assert_near(&all[i]);
  for (int i = 0; i < ARRAYS; i++) free_vector(&all[i]);
}

static void exact_operands(void **state) {
  (void)state;
  const struct fed_kernel_table *table = find_table();
  if (!table) skip();
  check(table, 16, 32, 1);
  check(table, 3, 16, 1);
  check(table, 5, 7, 1);
  check(table, 16, 16, 16);
  check(table, 8, 16, 2);
}

/* 1 + 2^-12 rounds to 1. */
static void operands_are_rounded(void **state) {
  (void)state;
  const struct fed_kernel_table *table = find_table();
  if (!table) skip();
  const struct fed_gemm shape = {.m = 1, .n = 1, .k = 1, .lda = 1, .ldb = 1, .ldc = 1, .alpha = 1};
  const float a = 1 + 0x1p-12f, b = 3;
  float c = NAN;
  table->gemm(&shape, &a, &b, &c);
  assert_true(c == 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(exact_operands),
                                     cmocka_unit_test(operands_are_rounded)};
  return cmocka_run_group_tests(tests, init_context, NULL);
}
