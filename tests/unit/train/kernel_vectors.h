/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_vectors.h: operands for the tests of kernels: the same values in double, for the oracle,
 * and in float.
 */
#ifndef FED_TESTS_KERNEL_VECTORS_H
#define FED_TESTS_KERNEL_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/kernels/kernels.h"

#include <math.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct fed_context context;

static int init_context(void **state) {
  (void)state;
  fed_context_init(&context);
  return 0;
}

/* The same values as double and as float, chosen so that both are exact. */
struct vector {
  size_t size;
  double *wide;
  float *narrow;
};

static struct vector new_vector(size_t size) {
  struct vector vector = {size, fed__zalloc(&context, size + 1, sizeof(double)),
                          fed__zalloc(&context, size + 1, sizeof(float))};
  assert_non_null(vector.wide);
  assert_non_null(vector.narrow);
  return vector;
}

static struct vector new_random(size_t size, uint64_t number) {
  struct vector vector = new_vector(size);
  struct fed_rng rng;
  fed__rng_init(&rng, 1, "test_kernels", number, size);
  for (size_t i = 0; i < size; i++) {
    vector.narrow[i] = (float)(fed__rng_unit(&rng) * 2 - 1);
    vector.wide[i] = (double)vector.narrow[i];
  }
  return vector;
}

/* Results must be overwritten, so they start as NaN. */
static struct vector new_result(size_t size) {
  struct vector vector = new_vector(size);
  for (size_t i = 0; i < size; i++) vector.wide[i] = vector.narrow[i] = NAN;
  return vector;
}

static void free_vector(struct vector *vector) {
  fed__free(&context, vector->wide);
  fed__free(&context, vector->narrow);
}

/* oneDNN's table, or NULL after saying why there is none. Another failure than a missing library
 * fails the test. */
static inline const struct fed_kernel_table *find_onednn(void) {
  const struct fed_kernel_table *table = NULL;
  if (fed__kernels_onednn(&table) == FED_OK) return table;
  assert_int_equal(fed_error_last()->code, FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "libdnnl2"));
  if (!strstr(fed_error_last()->message, "cannot open shared object file"))
    fail_msg("%s", fed_error_last()->message);
  print_message("oneDNN is not installed: %s\n", fed_error_last()->message);
  return NULL;
}

#endif
