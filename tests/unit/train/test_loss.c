/* SPDX-License-Identifier: Apache-2.0
 *
 * test_loss.c: softmax cross entropy against its closed forms and finite differences, for one and
 * for several labels an example.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/loss.h"

#include <math.h>

#define OUTER 2
#define CLASSES 3
#define INNER 4
#define COUNT (OUTER * CLASSES * INNER)

static const struct fed__loss *cross_entropy(void) {
  const struct fed__loss *loss;
  assert_int_equal(fed__loss_find(FED_LOSS_SOFTMAX_CROSS_ENTROPY, &loss), FED_OK);
  return loss;
}

static double run_loss(const struct fed_shape *shape, const double *output, const int64_t *labels,
                       double *gradient, struct fed_metrics *metrics) {
  const struct fed__loss_call call = {shape, output, labels, gradient, metrics};
  *metrics = (struct fed_metrics){0};
  assert_int_equal(cross_entropy()->check(&call), FED_OK);
  cross_entropy()->run[FED_PRECISION_F64](&call);
  return metrics->loss_sum / (double)metrics->example_count;
}

/* Equal logits: log(classes), whatever their size; the first class counts as the answer. */
static void test_equal_logits(void **state) {
  (void)state;
  static const double sizes[] = {0, 700, -1e5};
  for (size_t i = 0; i < 3; i++) {
    double output[2 * CLASSES], gradient[2 * CLASSES];
    static const int64_t labels[2] = {0, 2};
    struct fed_metrics metrics;
    for (size_t j = 0; j < 2 * CLASSES; j++) output[j] = sizes[i];
    const struct fed_shape shape = {2, {2, CLASSES}};
    assert_true(fabs(run_loss(&shape, output, labels, gradient, &metrics) - log(CLASSES)) < 1e-9);
    assert_int_equal(metrics.example_count, 2);
    assert_int_equal(metrics.correct_count, 1);
    assert_true(fabs(gradient[0] - (1.0 / CLASSES - 1) / 2) < 1e-15);
    assert_true(fabs(gradient[1] - 1.0 / CLASSES / 2) < 1e-15);
  }
}

/* Two classes: log(1 + exp(-d)) of the difference d, also where exp would overflow. */
static void test_two_classes(void **state) {
  (void)state;
  static const double differences[] = {0.5, -3, 30, 2000};
  static const int64_t label = 0;
  const struct fed_shape shape = {2, {1, 2}};
  for (size_t i = 0; i < 4; i++) {
    struct fed_metrics metrics;
    const double output[2] = {differences[i], 0};
    const double expected = log1p(exp(-differences[i]));
    assert_true(fabs(run_loss(&shape, output, &label, NULL, &metrics) - expected) < 1e-12);
  }
}

static void test_positions(void **state) {
  (void)state;
  const struct fed_shape shape = {4, {OUTER, CLASSES, 2, 2}};
  double output[COUNT], gradient[COUNT];
  int64_t labels[OUTER * INNER];
  struct fed_metrics metrics, ignored;
  for (size_t i = 0; i < COUNT; i++) output[i] = sin(3.0 * (double)i);
  for (size_t i = 0; i < OUTER * INNER; i++) labels[i] = (int64_t)(i * i % CLASSES);
  run_loss(&shape, output, labels, gradient, &metrics);
  assert_int_equal(metrics.example_count, OUTER * INNER);
  for (size_t i = 0; i < COUNT; i++) {
    const double before = output[i], step = 1e-5;
    output[i] = before + step;
    const double above = run_loss(&shape, output, labels, NULL, &ignored);
    output[i] = before - step;
    const double below = run_loss(&shape, output, labels, NULL, &ignored);
    output[i] = before;
    assert_true(fabs((above - below) / (2 * step) - gradient[i]) < 1e-10);
  }
}

/* The classes are axis 1: each position's own label decides. */
static void test_class_axis(void **state) {
  (void)state;
  const struct fed_shape shape = {3, {1, 2, 2}};
  static const double output[4] = {5, 0, 0, 5}; /* position 0: class 0; position 1: class 1 */
  static const int64_t right[2] = {0, 1}, wrong[2] = {1, 0};
  struct fed_metrics metrics;
  run_loss(&shape, output, right, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 2);
  run_loss(&shape, output, wrong, NULL, &metrics);
  assert_int_equal(metrics.correct_count, 0);
}

static void test_shapes(void **state) {
  (void)state;
  struct fed_shape target;
  const struct fed_shape good = {4, {8, 10, 3, 2}}, bad = {1, {8}};
  assert_int_equal(cross_entropy()->target_shape(&good, &target), FED_OK);
  assert_true(fed_shape_equal(&target, &(struct fed_shape){2, {3, 2}}));
  assert_int_equal(cross_entropy()->target_shape(&bad, &target), FED_E_SHAPE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equal_logits), cmocka_unit_test(test_two_classes),
      cmocka_unit_test(test_positions),    cmocka_unit_test(test_class_axis),
      cmocka_unit_test(test_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
