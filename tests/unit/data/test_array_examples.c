/* SPDX-License-Identifier: Apache-2.0
 *
 * test_array_examples.c: examples in the caller's arrays: which rows come, and what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/examples.h"

#include "failing_alloc.h"

#define ROWS 4

static float points[ROWS][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
static int64_t words[ROWS][1][3] = {{{1, 2, 3}}, {{4, 5, 6}}, {{7, 8, 9}}, {{10, 11, 12}}};
static int64_t labels[ROWS] = {10, 11, 12, 13};

static const struct fed_tensor inputs[] = {
    {.dtype = FED_F32, .shape = {2, {ROWS, 2}}, .data = points},
    {.dtype = FED_I64, .shape = {3, {ROWS, 1, 3}}, .data = words}};
static const struct fed_tensor target = {.dtype = FED_I64, .shape = {1, {ROWS}}, .data = labels};

static struct fed_examples *opens(const struct fed_tensor *given_target) {
  static struct fed_context context;
  struct fed_examples *examples;
  fed_context_init(&context);
  if (fed_examples_of_arrays(&context, inputs, 2, given_target, &examples) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return examples;
}

static void test_spec(void **state) {
  (void)state;
  struct fed_examples *examples = opens(&target);
  assert_int_equal(examples->count, ROWS);
  assert_int_equal(examples->spec.input_count, 2);
  assert_int_equal(examples->spec.inputs[0].dtype, FED_F32);
  assert_int_equal(examples->spec.inputs[0].shape.rank, 1);
  assert_int_equal(examples->spec.inputs[0].shape.dims[0], 2);
  assert_int_equal(examples->spec.inputs[1].dtype, FED_I64);
  assert_int_equal(examples->spec.inputs[1].shape.rank, 2);
  assert_int_equal(examples->spec.inputs[1].shape.dims[1], 3);
  assert_int_equal(examples->spec.target.dtype, FED_I64);
  assert_int_equal(examples->spec.target.shape.rank, 0);
  fed_examples_free(examples);
}

static void test_gather(void **state) {
  (void)state;
  static const uint32_t rows[] = {3, 0, 3};
  struct fed_examples *examples = opens(&target);
  float x[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
  int64_t n[3][3], y[3];
  struct fed_batch batch = {.inputs = {{.data = x}, {.data = n}}, .target = {.data = y}};
  assert_int_equal(examples->gather(examples, rows, 3, &batch), FED_OK);
  const float expected_x[4][2] = {{6, 7}, {0, 1}, {6, 7}, {-1, -1}};
  const int64_t expected_n[3][3] = {{10, 11, 12}, {1, 2, 3}, {10, 11, 12}};
  const int64_t expected_y[3] = {13, 10, 13};
  assert_memory_equal(x, expected_x, sizeof x);
  assert_memory_equal(n, expected_n, sizeof n);
  assert_memory_equal(y, expected_y, sizeof y);
  fed_examples_free(examples);
}

static void test_no_such_row(void **state) {
  (void)state;
  static const uint32_t rows[] = {0, ROWS};
  struct fed_examples *examples = opens(&target);
  float x[2][2];
  int64_t n[2][3], y[2];
  struct fed_batch batch = {.inputs = {{.data = x}, {.data = n}}, .target = {.data = y}};
  assert_int_equal(examples->gather(examples, rows, 2, &batch), FED_E_RANGE);
  assert_non_null(strstr(fed_error_last()->message, "4 examples, there is no row 4"));
  fed_examples_free(examples);
}

static void test_no_target(void **state) {
  (void)state;
  static const uint32_t row = 1;
  struct fed_examples *examples = opens(NULL);
  assert_int_equal(examples->spec.target.dtype, FED_F32);
  assert_int_equal(examples->spec.target.shape.rank, 0);
  float x[2];
  int64_t n[3];
  struct fed_batch batch = {.inputs = {{.data = x}, {.data = n}}};
  assert_int_equal(examples->gather(examples, &row, 1, &batch), FED_OK);
  assert_true(x[0] == 2 && x[1] == 3 && n[2] == 6);
  fed_examples_free(examples);
}

static void check_refused(const struct fed_tensor *given, size_t count,
                          const struct fed_tensor *given_target, int code, const char *part) {
  struct fed_context context;
  struct failing_alloc counting;
  failing_alloc_init(&counting, &context, LONG_MAX);
  struct fed_examples *examples = opens(NULL), *not_null = examples;
  assert_int_equal(fed_examples_of_arrays(&context, given, count, given_target, &examples), code);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
  assert_null(examples);
  assert_int_equal(counting.living, 0);
  fed_examples_free(not_null);
}

static struct fed_tensor floats(uint32_t rank, int64_t first, int64_t second) {
  return (struct fed_tensor){.dtype = FED_F32, .shape = {rank, {first, second}}, .data = points};
}

static void test_refused_arrays(void **state) {
  (void)state;
  struct fed_tensor bad = inputs[0];
  bad.dtype = FED_F64;
  check_refused(&bad, 1, NULL, FED_E_TYPE, "input 0: expected an array of F32 or I64, found F64");
  bad = floats(2, ROWS, 2);
  bad.data = NULL;
  check_refused(&bad, 1, NULL, FED_E_USAGE, "input 0: expected an array, found NULL");
  check_refused(inputs, 0, NULL, FED_E_USAGE, "1 to 8 inputs, found 0");
  check_refused(inputs, FED_INPUTS_MAX + 1, NULL, FED_E_USAGE, "found 9");
}

static void test_refused_shapes(void **state) {
  (void)state;
  const struct {
    struct fed_tensor input;
    int code;
    const char *part;
  } cases[] = {
      {floats(0, 0, 0), FED_E_SHAPE, "input 0"},
      {floats(2, 0, 2), FED_E_EMPTY, "no examples"},
      {floats(2, ROWS, 0), FED_E_EMPTY, "shape [4, 0]"},
      {floats(2, ROWS, -1), FED_E_RANGE, ""},
      {floats(2, -1, 2), FED_E_TOO_LARGE, "found -1"},
      {floats(2, (int64_t)UINT32_MAX + 1, 2), FED_E_TOO_LARGE, "found 4294967296"},
      {floats(2, ROWS, INT64_MAX / 2), FED_E_TOO_LARGE, ""},
      {floats(2, ROWS, INT64_MAX / 4), FED_E_TOO_LARGE, ""},
      {floats(FED_RANK_MAX + 1, ROWS, 1), FED_E_SHAPE, "input 0"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_refused(&cases[i].input, 1, NULL, cases[i].code, cases[i].part);
}

static void test_refused_counts(void **state) {
  (void)state;
  const struct fed_tensor two[] = {inputs[0], floats(2, ROWS - 1, 2)};
  struct fed_tensor few = target;
  few.shape.dims[0] = ROWS - 1;
  check_refused(two, 2, &target, FED_E_SHAPE, "input 1: expected an array of 4 rows");
  check_refused(inputs, 2, &few, FED_E_SHAPE, "target: expected an array of 4 rows");
}

static void test_memory(void **state) {
  (void)state;
  struct fed_context context;
  struct failing_alloc failing;
  struct fed_examples *examples;
  failing_alloc_init(&failing, &context, 0);
  assert_int_equal(fed_examples_of_arrays(&context, inputs, 2, &target, &examples), FED_E_MEMORY);
  assert_null(examples);
  assert_int_equal(failing.living, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spec),           cmocka_unit_test(test_gather),
      cmocka_unit_test(test_no_such_row),    cmocka_unit_test(test_no_target),
      cmocka_unit_test(test_refused_arrays), cmocka_unit_test(test_refused_shapes),
      cmocka_unit_test(test_refused_counts), cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
