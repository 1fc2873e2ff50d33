/* SPDX-License-Identifier: Apache-2.0
 *
 * test_noisy_examples.c: noise has the deviation that its row asks for and the normal
 * distribution's shape, is the same each time, and leaves everything else as it is.
 */
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/noisy_examples.h"

#include <math.h>
#include <string.h>

#define ROWS 200
#define VALUES 500

static struct fed_context context;
static float values[ROWS * VALUES], deviations[ROWS];
static int64_t tokens[ROWS], labels[ROWS];

static struct fed_examples *plain(const struct fed_context *with, int with_numbers) {
  const struct fed_tensor inputs[] = {{"x", FED_F32, {2, {ROWS, VALUES}}, values},
                                      {"t", FED_I64, {1, {ROWS}}, tokens}};
  const struct fed_tensor target = {"y", FED_I64, {1, {ROWS}}, labels};
  struct fed_examples *examples;
  assert_int_equal(fed_examples_of_arrays(with, inputs + !with_numbers, with_numbers ? 2 : 1,
                                          &target, &examples),
                   FED_OK);
  return examples;
}

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  for (int i = 0; i < ROWS * VALUES; i++) values[i] = (float)(i % 17);
  for (int i = 0; i < ROWS; i++) tokens[i] = labels[i] = i;
  for (int i = 0; i < ROWS; i++) deviations[i] = i < ROWS / 2 ? 0 : i % 2 ? 0.5f : 2;
  return 0;
}

static struct fed_examples *noisy(uint64_t seed) {
  struct fed_examples *examples;
  assert_int_equal(
      fed__noisy_examples_new(&context, plain(&context, 1), deviations, seed, &examples), FED_OK);
  return examples;
}

static void gathers(struct fed_examples *examples, const uint32_t *rows, size_t count, float *out,
                    int64_t *token, int64_t *label) {
  struct fed_batch batch = {.count = count};
  batch.inputs[0].data = out;
  batch.inputs[1].data = token;
  batch.target.data = label;
  assert_int_equal(examples->gather(examples, rows, count, &batch), FED_OK);
}

/* 25,000 values each: a mean is off by 1 / 158 of the deviation, a standard deviation by 1 / 224, a
 * share of 0.6827 within one deviation by 0.0029, one standard error; five of them are allowed. */
static void as_large_as_asked_for(void **state) {
  (void)state;
  static float found[VALUES];
  struct fed_examples *examples = noisy(1);
  double sum[2] = {0}, squares[2] = {0}, within[2] = {0};
  const double count = ROWS / 4 * VALUES, sizes[2] = {2, 0.5};
  int64_t token, label;
  for (uint32_t row = 0; row < ROWS; row++) {
    gathers(examples, &row, 1, found, &token, &label);
    assert_int_equal(token, row);
    assert_int_equal(label, row);
    if (row < ROWS / 2) assert_memory_equal(found, values + row * VALUES, sizeof found);
    for (int i = 0; i < VALUES && row >= ROWS / 2; i++) {
      const double noise = found[i] - values[row * VALUES + i];
      sum[row % 2] += noise;
      squares[row % 2] += noise * noise;
      within[row % 2] += fabs(noise) < sizes[row % 2];
    }
  }
  for (int k = 0; k < 2; k++) {
    assert_true(fabs(sum[k] / count) < 5 * sizes[k] / sqrt(count));
    assert_true(fabs(sqrt(squares[k] / count) / sizes[k] - 1) < 5 / sqrt(2 * count));
    assert_true(fabs(within[k] / count - 0.6827) < 5 * 0.0029);
  }
  fed_examples_free(examples);
}

static void the_same_each_time(void **state) {
  (void)state;
  static float first[3 * VALUES], again[3 * VALUES], other[3 * VALUES];
  int64_t token[3], label[3];
  struct fed_examples *examples = noisy(1), *of_another_seed = noisy(2);
  gathers(examples, (const uint32_t[]){150, 151, 3}, 3, first, token, label);
  gathers(examples, (const uint32_t[]){3, 150, 150}, 3, again, token, label);
  gathers(of_another_seed, (const uint32_t[]){150, 151, 3}, 3, other, token, label);
  assert_memory_equal(first, again + VALUES, VALUES * sizeof(float));
  assert_memory_equal(first, again + 2 * VALUES, VALUES * sizeof(float));
  assert_memory_equal(first + 2 * VALUES, again, VALUES * sizeof(float));
  assert_memory_not_equal(first, other, VALUES * sizeof(float));
  const float ratio = (first[0] - values[150 * VALUES]) / (first[VALUES] - values[151 * VALUES]);
  assert_true(fabsf(ratio - 4) > 1e-3f); /* rows have noise of their own */
  fed_examples_free(examples);
  fed_examples_free(of_another_seed);
}

static void inputs_that_are_not_wanted(void **state) {
  (void)state;
  int64_t token, label;
  struct fed_examples *examples = noisy(1);
  gathers(examples, (const uint32_t[]){199}, 1, NULL, &token, &label);
  assert_int_equal(label, 199);
  struct fed_batch batch = {.count = 1};
  batch.target.data = &label;
  assert_int_equal(examples->gather(examples, (const uint32_t[]){ROWS}, 1, &batch), FED_E_RANGE);
  fed_examples_free(examples);
}

static void what_is_refused(void **state) {
  (void)state;
  struct failing_alloc memory;
  struct fed_context failing;
  struct fed_examples *whole = plain(&context, 0), *examples = NULL;
  assert_int_equal(fed__noisy_examples_new(&context, whole, deviations, 1, &examples), FED_E_INPUT);
  fed_examples_free(whole);
  whole = plain(&context, 1);
  failing_alloc_init(&memory, &failing, 0);
  assert_int_equal(fed__noisy_examples_new(&failing, whole, deviations, 1, &examples),
                   FED_E_MEMORY);
  assert_null(examples);
  fed_examples_free(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_large_as_asked_for),
      cmocka_unit_test(the_same_each_time),
      cmocka_unit_test(inputs_that_are_not_wanted),
      cmocka_unit_test(what_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
