/* SPDX-License-Identifier: Apache-2.0
 *
 * test_split.c: splits are complete, repeatable, and have the moments of the Dirichlet
 * distribution: each proportion has mean 1/k and variance (1/k)(1 - 1/k)/(alpha k + 1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct fed_context context;

static int make_context(void **state) {
  (void)state;
  fed_context_init(&context);
  return 0;
}

static void holdout_takes_every_row_once(void **state) {
  (void)state;
  uint8_t seen[1000] = {0};
  struct fed__split split;
  assert_int_equal(fed__split_holdout(&context, 1000, 0.2, 7, &split), FED_OK);
  assert_int_equal(split.train_count, 800);
  assert_int_equal(split.held_out_count, 200);
  for (size_t i = 0; i < 800; i++) seen[split.train[i]]++;
  for (size_t i = 0; i < 200; i++) seen[split.held_out[i]]++;
  for (size_t i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
  for (size_t i = 1; i < 800; i++) assert_true(split.train[i - 1] < split.train[i]);
  for (size_t i = 1; i < 200; i++) assert_true(split.held_out[i - 1] < split.held_out[i]);
  fed__split_clear(&split);
}

/* 200 of 1,000 rows without replacement: their mean has the variance
 * (N^2 - 1)/12 / n * (N - n)/(N - 1) = 333.7, so 5 standard deviations are 91.3. */
static void holdout_is_uniform_and_follows_the_seed(void **state) {
  (void)state;
  struct fed__split first, again, other;
  double sum = 0;
  assert_int_equal(fed__split_holdout(&context, 1000, 0.2, 7, &first), FED_OK);
  assert_int_equal(fed__split_holdout(&context, 1000, 0.2, 7, &again), FED_OK);
  assert_int_equal(fed__split_holdout(&context, 1000, 0.2, 8, &other), FED_OK);
  assert_memory_equal(first.held_out, again.held_out, 200 * sizeof(uint32_t));
  assert_memory_not_equal(first.held_out, other.held_out, 200 * sizeof(uint32_t));
  for (size_t i = 0; i < 200; i++) sum += first.held_out[i];
  assert_true(fabs(sum / 200 - 499.5) < 91.3);
  fed__split_clear(&first);
  fed__split_clear(&again);
  fed__split_clear(&other);
}

static void holdout_of_few(void **state) {
  (void)state;
  static const struct {
    size_t count;
    double fraction;
    size_t held_out;
  } cases[] = {{1, 0.5, 0}, {2, 0.01, 1}, {2, 0.99, 1}, {3, 0, 0}, {10, 0.25, 3}, {10, 0.24, 2}};
  struct fed__split split;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(fed__split_holdout(&context, cases[i].count, cases[i].fraction, 1, &split),
                     FED_OK);
    assert_int_equal(split.held_out_count, cases[i].held_out);
    assert_int_equal(split.train_count, cases[i].count - cases[i].held_out);
    fed__split_clear(&split);
  }
  assert_int_equal(fed__split_holdout(&context, 0, 0.5, 1, &split), FED_E_EMPTY);
  assert_int_equal(fed__split_holdout(&context, 5, 1, 1, &split), FED_E_RANGE);
  assert_int_equal(fed__split_holdout(&context, 5, -0.1, 1, &split), FED_E_RANGE);
  assert_int_equal(fed__split_holdout(&context, 5, NAN, 1, &split), FED_E_RANGE);
}

#define CLASSES 2000u /* each is one draw from the distribution */
#define CLASS_SIZE 500u
#define COUNT (CLASSES * CLASS_SIZE)

static int64_t *make_labels(void) {
  int64_t *labels = malloc(COUNT * sizeof labels[0]);
  assert_non_null(labels);
  for (size_t i = 0; i < COUNT; i++) labels[i] = (int64_t)(i % CLASSES);
  return labels;
}

/* The mean of 2,000 draws is within 5 standard errors, their variance within 15 per cent: the
 * variance's own relative standard error is sqrt((kurtosis - 1)/2000), at most 4 per cent here.
 * Cutting 500 examples moves a proportion by at most 1/500. */
static void check_moments(const int64_t *labels, uint32_t clients, double alpha) {
  const struct fed__split_dirichlet options = {.labels = labels,
                                               .count = COUNT,
                                               .classes = CLASSES,
                                               .clients = clients,
                                               .alpha = alpha,
                                               .seed = 11};
  uint32_t *client_of = malloc(COUNT * sizeof client_of[0]);
  double *shares = calloc((size_t)CLASSES * clients, sizeof shares[0]);
  assert_true(client_of && shares);
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_OK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_true(client_of[i] < clients);
    shares[(size_t)labels[i] * clients + client_of[i]] += 1.0 / CLASS_SIZE;
  }
  const double mean = 1.0 / clients, variance = mean * (1 - mean) / (alpha * clients + 1);
  for (uint32_t c = 0; c < clients; c++) {
    double sum = 0, squares = 0;
    for (uint32_t k = 0; k < CLASSES; k++) sum += shares[(size_t)k * clients + c];
    for (uint32_t k = 0; k < CLASSES; k++)
      squares += pow(shares[(size_t)k * clients + c] - sum / CLASSES, 2);
    assert_true(fabs(sum / CLASSES - mean) < 5 * sqrt(variance / CLASSES) + 1.0 / CLASS_SIZE / 10);
    assert_true(fabs(squares / (CLASSES - 1) / variance - 1) < 0.15);
  }
  free(client_of);
  free(shares);
}

static void shares_have_the_moments_of_the_dirichlet(void **state) {
  (void)state;
  int64_t *labels = make_labels();
  check_moments(labels, 5, 0.5);
  check_moments(labels, 3, 1);
  check_moments(labels, 4, 10);
  free(labels);
}

static void partition_follows_the_seed_and_the_minimum(void **state) {
  (void)state;
  int64_t labels[600];
  uint32_t first[600], again[600], other[600];
  size_t sizes[10] = {0};
  for (size_t i = 0; i < 600; i++) labels[i] = (int64_t)(i % 10);
  struct fed__split_dirichlet options = {.labels = labels,
                                         .count = 600,
                                         .classes = 10,
                                         .clients = 10,
                                         .alpha = 0.5,
                                         .client_min = 20,
                                         .seed = 3};
  assert_int_equal(fed__split_dirichlet(&context, &options, first), FED_OK);
  assert_int_equal(fed__split_dirichlet(&context, &options, again), FED_OK);
  assert_memory_equal(first, again, sizeof first);
  for (size_t i = 0; i < 600; i++) sizes[first[i]]++;
  for (size_t c = 0; c < 10; c++) assert_true(sizes[c] >= 20);
  options.seed = 4;
  assert_int_equal(fed__split_dirichlet(&context, &options, other), FED_OK);
  assert_memory_not_equal(first, other, sizeof first);
}

/* A tiny alpha gives every class to one client, a huge one to all in equal parts. */
static void extreme_alphas(void **state) {
  (void)state;
  int64_t labels[400];
  uint32_t client_of[400];
  for (size_t i = 0; i < 400; i++) labels[i] = (int64_t)(i / 100);
  struct fed__split_dirichlet options = {
      .labels = labels, .count = 400, .classes = 4, .clients = 4, .alpha = 1e-6, .seed = 5};
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_OK);
  for (size_t i = 0; i < 400; i++) assert_int_equal(client_of[i], client_of[i / 100 * 100]);
  options.alpha = 1e9;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_OK);
  size_t sizes[4] = {0};
  for (size_t i = 0; i < 100; i++) sizes[client_of[i]]++;
  for (size_t c = 0; c < 4; c++) assert_int_equal(sizes[c], 25);
}

static void settings_that_cannot_be_met(void **state) {
  (void)state;
  int64_t labels[8] = {0, 1, 0, 1, 0, 1, 0, 1};
  uint32_t client_of[8];
  const struct fed__split_dirichlet fine = {
      .labels = labels, .count = 8, .classes = 2, .clients = 2, .alpha = 1, .seed = 1};
  struct fed__split_dirichlet options = fine;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_OK);
  options.classes = 1;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
  options = fine;
  options.clients = 0;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
  options = fine;
  options.alpha = 0;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
  options.alpha = INFINITY;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
  options = fine;
  options.client_min = 5;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
  options = fine; /* three clients of two classes with nearly one client each */
  options.clients = 3;
  options.client_min = 1;
  options.alpha = 1e-9;
  assert_int_equal(fed__split_dirichlet(&context, &options, client_of), FED_E_RANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(holdout_takes_every_row_once),
      cmocka_unit_test(holdout_is_uniform_and_follows_the_seed),
      cmocka_unit_test(holdout_of_few),
      cmocka_unit_test(shares_have_the_moments_of_the_dirichlet),
      cmocka_unit_test(partition_follows_the_seed_and_the_minimum),
      cmocka_unit_test(extreme_alphas),
      cmocka_unit_test(settings_that_cannot_be_met),
  };
  return cmocka_run_group_tests(tests, make_context, NULL);
}
