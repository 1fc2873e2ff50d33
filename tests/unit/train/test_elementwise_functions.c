/* SPDX-License-Identifier: Apache-2.0
 *
 * test_elementwise_functions.c: the functions of transcendental.h against the C library's in
 * double, over floats of every magnitude; the largest errors over all floats are those written
 * below, rounded up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/operators/elementwise/transcendental.h"

#include <float.h>

#define STRIDE 4099 /* through the bit patterns: a prime, so that all low bits occur */

static double logistic(double x) { return 1 / (1 + exp(-x)); }

struct function {
  const char *name;
  float (*fast)(float x);
  double (*exact)(double x);
  double low, high;
  double units; /* in the last place of the result */
};

/* The distance of neighbouring floats there; that of the smallest normal ones below them. */
static double unit_at(double value) {
  int exponent;
  const double size = fabs(value) < (double)FLT_MIN ? (double)FLT_MIN : fabs(value);
  frexp(size, &exponent);
  return ldexp(1, exponent - FLT_MANT_DIG);
}

static void check_at(const struct function *function, float x) {
  const double expected = function->exact((double)x);
  const float found = function->fast(x);
  if (found == (float)expected || (isnan(found) && isnan(expected))) return;
  if (!(fabs((double)found - expected) <= function->units * unit_at(expected)))
    fail_msg("%s(%.9g) is %.9g, expected %.17g", function->name, (double)x, (double)found,
             expected);
}

static void check_function(void **state) {
  const struct function *function = *state;
  for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STRIDE) {
    const float x = fed__bits_float((uint32_t)bits);
    if (!((double)x < function->low) && !((double)x > function->high)) check_at(function, x);
  }
  for (int i = -110 * 512; i <= 110 * 512; i++) {
    const double x = i / 512.0;
    if (x >= function->low && x <= function->high) check_at(function, (float)x);
  }
}

static const struct function functions[] = {
    {"exp", fed__exp_f32, exp, -INFINITY, INFINITY, 1},
    {"expm1", fed__expm1_f32, expm1, -INFINITY, INFINITY, 1.5},
    {"log", fed__log_f32, log, -INFINITY, INFINITY, 1},
    {"log1p", fed__log1p_f32, log1p, 0, 1, 1.3},
    {"tanh", fed__tanh_f32, tanh, -INFINITY, INFINITY, 2.5},
    {"erf", fed__erf_f32, erf, -INFINITY, INFINITY, 1.4},
    {"sigmoid", fed__sigmoid_f32, logistic, -87, INFINITY, 2.5},
};

/* Where the logistic function is below the normal numbers, zero will do. */
static void test_sigmoid_end(void **state) {
  (void)state;
  for (int i = 87 * 8; i < 200 * 8; i++) {
    const float x = -(float)i / 8;
    const float found = fed__sigmoid_f32(x);
    assert_true(found >= 0 && (double)found <= 1.01 * logistic((double)x));
  }
  assert_true(fed__sigmoid_f32(-INFINITY) == 0);
}

int main(void) {
  enum { COUNT = sizeof functions / sizeof functions[0] };
  struct CMUnitTest tests[COUNT + 1] = {
      [COUNT] = {"the end of sigmoid", test_sigmoid_end, NULL, NULL, NULL}};
  for (size_t i = 0; i < COUNT; i++)
    tests[i] = (struct CMUnitTest){functions[i].name, check_function, NULL, NULL,
                                   (void *)(uintptr_t)&functions[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
