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

#include <float.h>
#include <math.h>
#include <string.h>

/* Of float tables: each result lies within this part of the sum of its terms' absolute values (a
 * float has 6e-8, and sums have up to 10,000 terms). */
#define TOLERANCE 2e-5
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct fed_context context;
static const struct fed_kernel_table *const oracle __attribute__((unused)) =
    &fed__kernels_reference_f64;

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
static inline struct vector new_result(size_t size) {
  struct vector vector = new_vector(size);
  for (size_t i = 0; i < size; i++) vector.wide[i] = vector.narrow[i] = NAN;
  return vector;
}

static void free_vector(struct vector *vector) {
  fed__free(&context, vector->wide);
  fed__free(&context, vector->narrow);
}

static inline void assert_close(const struct vector *result, const struct vector *scale,
                                const char *name, const char *what) {
  for (size_t i = 0; i < result->size; i++) {
    const double error = fabs((double)result->narrow[i] - result->wide[i]);
    if (!(error <= TOLERANCE * scale->wide[i] + FLT_MIN))
      fail_msg("%s, %s[%zu]: expected %.9g, found %.9g (terms sum to %.3g)", name, what, i,
               result->wide[i], (double)result->narrow[i], scale->wide[i]);
  }
}

static inline void assert_same_doubles(const double *expected, const double *found, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!(fabs(expected[i] - found[i]) <= 1e-12 * (1 + fabs(expected[i]))) &&
        !(isnan(expected[i]) && isnan(found[i])))
      fail_msg("[%zu]: expected %.17g, found %.17g", i, expected[i], found[i]);
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
