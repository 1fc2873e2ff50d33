/* SPDX-License-Identifier: Apache-2.0
 *
 * test_kernels.c: matrix products of every table against sums written out here, and which table is
 * chosen. Convolution and pooling: test_conv.c, test_pool.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/kernels/vector/vector_gemm.h"
#include "unit/train/kernel_vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct vector absolute(const struct vector *of) {
  struct vector vector = new_vector(of->size);
  for (size_t i = 0; i < of->size; i++) vector.wide[i] = fabs(of->wide[i]);
  return vector;
}

/* ---- matrix product ---- */

static size_t stored(int64_t rows, int64_t row_stride) { return (size_t)(rows * row_stride); }

static void sum_products(const struct fed_gemm *shape, const double *a, const double *b,
                         double *c) {
  for (int64_t i = 0; i < shape->m; i++)
    for (int64_t j = 0; j < shape->n; j++) {
      double sum = 0;
      for (int64_t l = 0; l < shape->k; l++)
        sum += a[shape->transpose_a ? l * shape->lda + i : i * shape->lda + l] *
               b[shape->transpose_b ? j * shape->ldb + l : l * shape->ldb + j];
      double *at = &c[i * shape->ldc + j];
      *at = shape->alpha * sum + (shape->beta == 0 ? 0 : shape->beta * *at);
    }
}

static void check_gemm(const struct fed_kernel_table *table, const struct fed_gemm *shape) {
  struct vector a = new_random(stored(shape->transpose_a ? shape->k : shape->m, shape->lda), 1);
  struct vector b = new_random(stored(shape->transpose_b ? shape->n : shape->k, shape->ldb), 2);
  struct vector c = new_random(stored(shape->m, shape->ldc), 3);
  struct vector expected = new_random(c.size, 3), scale = absolute(&c);
  struct vector a_size = absolute(&a), b_size = absolute(&b);
  struct fed_gemm sizes = *shape;
  sizes.alpha = fabs(shape->alpha);
  sizes.beta = 1; /* what lies between the rows must not change: it is its own measure */
  sum_products(shape, a.wide, b.wide, expected.wide);
  sum_products(&sizes, a_size.wide, b_size.wide, scale.wide);
  oracle->gemm(shape, a.wide, b.wide, c.wide);
  assert_same_doubles(expected.wide, c.wide, c.size);
  table->gemm(shape, a.narrow, b.narrow, c.narrow);
  assert_close(&c, &scale, "gemm", "c");
  struct vector *all[] = {&a, &b, &c, &expected, &scale, &a_size, &b_size};
  for (size_t i = 0; i < COUNT(all); i++) free_vector(all[i]);
}

static void check_gemms(const struct fed_kernel_table *table) {
  static const int64_t sizes[][3] = {{1, 1, 1},     {1, 10, 128},    {2, 3, 5},     {7, 13, 11},
                                     {32, 10, 128}, {33, 200, 784},  {10, 784, 31}, {64, 64, 64},
                                     {17, 1, 65},   {128, 1568, 32}, {5, 129, 1}};
  static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 0.25}, {2, 0}, {0, 0.5}};
  for (size_t i = 0; i < COUNT(sizes); i++)
    for (size_t f = 0; f < COUNT(factors); f++)
      for (int t = 0; t < 8; t++) {
        const int transpose_a = t & 1, transpose_b = t >> 1 & 1, gap = t >> 2 ? 3 : 0;
        const int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        check_gemm(table, &(struct fed_gemm){
                              transpose_a, transpose_b, m, n, k, (transpose_a ? m : k) + gap,
                              (transpose_b ? k : n) + gap, n + gap, factors[f][0], factors[f][1]});
      }
}

/* beta 0 means that c is not read: NaN there must not survive. */
static void check_gemm_ignores_c(const struct fed_kernel_table *table) {
  const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, 1, 0, 3};
  float c[4] = {NAN, NAN, NAN, INFINITY};
  table->gemm(&(struct fed_gemm){0, 0, 2, 2, 3, 3, 2, 2, 1, 0}, a, b, c);
  const float expected[4] = {5, 11, 14, 23};
  for (int i = 0; i < 4; i++) assert_true(c[i] == expected[i]);
}

/* ---- the tables ---- */

static void check_table(const struct fed_kernel_table *table) {
  assert_int_equal(table->precision, FED_PRECISION_F32);
  check_gemms(table);
  check_gemm_ignores_c(table);
}

static void float_reference_keeps_the_contract(void **state) {
  (void)state;
  check_table(&fed__kernels_reference_f32);
}

static void onednn_keeps_the_contract(void **state) {
  (void)state;
  const struct fed_kernel_table *table = find_onednn();
  if (!table) skip();
  check_table(table);
}

static void choice_follows_the_wish(void **state) {
  (void)state;
  const struct fed_kernel_table *table = NULL;
  assert_int_equal(fed__kernels_choose(FED_KERNELS_REFERENCE, FED_PRECISION_F32, &table), FED_OK);
  assert_ptr_equal(table, &fed__kernels_reference_f32);
  assert_int_equal(fed__kernels_choose(FED_KERNELS_AUTO, FED_PRECISION_F64, &table), FED_OK);
  assert_ptr_equal(table, oracle);
  assert_int_equal(fed__kernels_choose(FED_KERNELS_ONEDNN, FED_PRECISION_F64, &table),
                   FED_E_UNSUPPORTED);
  assert_int_equal(fed__kernels_choose(FED_KERNELS_AUTO, FED_PRECISION_F32, &table), FED_OK);
  const struct fed__vector_gemm *vector = fed__vector_gemm_find();
  if (vector) assert_ptr_equal(table->gemm, vector->gemm);
  assert_int_equal(fed__kernels_choose((enum fed_kernels)9, FED_PRECISION_F32, &table),
                   FED_E_USAGE);
}

/* Nothing but training may map the library; this runs first. */
static int library_is_mapped(void) {
  char line[512];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  if (!maps) return 0;
  while (fgets(line, sizeof line, maps)) found |= strstr(line, "libdnnl") != NULL;
  fclose(maps);
  return found;
}

static void the_library_is_mapped_on_first_use(void **state) {
  (void)state;
  const struct fed_kernel_table *table = NULL;
  assert_int_equal(fed__kernels_choose(FED_KERNELS_REFERENCE, FED_PRECISION_F32, &table), FED_OK);
  assert_false(library_is_mapped());
  if (!find_onednn()) skip();
  assert_true(library_is_mapped());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_library_is_mapped_on_first_use),
      cmocka_unit_test(float_reference_keeps_the_contract),
      cmocka_unit_test(onednn_keeps_the_contract),
      cmocka_unit_test(choice_follows_the_wish),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
