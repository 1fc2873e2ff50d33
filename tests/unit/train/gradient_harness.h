/* SPDX-License-Identifier: Apache-2.0
 *
 * gradient_harness.h: an operator's gradient by every operand against central finite differences
 * in float64. The operands are initializers named as trainable, the result goes into softmax cross
 * entropy, whose own gradient is thereby checked, too. A test file is a table of cases and
 * `return check_gradients(cases, count);`. Include it after cmocka.h.
 *
 * The loss does not see a shift of all logits: where an operand only shifts, put a Tanh behind.
 */
#ifndef FED_TESTS_GRADIENT_HARNESS_H
#define FED_TESTS_GRADIENT_HARNESS_H

#include "base/rng.h"
#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define STEP 1e-5
#define TOLERANCE 1e-8
#define OPERANDS_MAX 8
#define OPERAND_ELEMENTS_MAX 4096
#define GRADIENT_CASES_MAX 256

/* A case: operands a, b, c … (as many as have a rank), and a function that writes the nodes from
 * them to "y", which needs at least two elements; which of them train, if not all. Values are
 * normal around 0.5, or uniform in [low, high) where that is not empty. */
struct operand_case {
  const char *name;
  void (*write)(struct graph_writer *writer);
  struct fed_shape operands[OPERANDS_MAX];
  const char *trainable;
  double low, high;
  int training; /* the differences are those of training mode, where that is another function */
};

static inline float draw_value(struct fed_rng *rng, const struct operand_case *test) {
  if (test->low < test->high)
    return (float)(test->low + (test->high - test->low) * fed__rng_unit(rng));
  return (float)(0.5 + fed__rng_normal(rng));
}

static inline void write_operands(struct graph_writer *writer, const struct operand_case *test) {
  static const char *const names[OPERANDS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  static const char all[] = "a,b,c,d,e,f,g,h";
  char list[sizeof all];
  struct fed_rng rng;
  float values[OPERAND_ELEMENTS_MAX];
  int count = 0;
  fed__rng_init(&rng, 7, test->name, 0, 0);
  for (; count < OPERANDS_MAX && test->operands[count].rank; count++) {
    size_t elements;
    must(fed_shape_elements(&test->operands[count], &elements));
    assert_true(elements <= OPERAND_ELEMENTS_MAX);
    for (size_t i = 0; i < elements; i++) values[i] = draw_value(&rng, test);
    writer_floats(writer, names[count], test->operands[count].rank, test->operands[count].dims,
                  values);
  }
  assert_true(count > 0);
  snprintf(list, sizeof list, "%.*s", 2 * count - 1, all);
  writer_trainable(writer, test->trainable ? test->trainable : list);
}

/* y as one row of logits. The input's one feature is added so that the graph has an input. */
static inline struct fed_trainer *make_trainer(struct graph_writer *writer,
                                               const struct operand_case *test,
                                               struct fed_model **model) {
  static const int64_t one = 1, row[2] = {1, -1};
  struct fed_train_options options;
  struct fed_trainer *trainer;
  writer_init(writer);
  writer_input(writer, "x", 1, &one);
  write_operands(writer, test);
  writer_ints(writer, "row", 2, row);
  test->write(writer);
  writer_node(writer, "Reshape", "y,row", "flat");
  writer_node(writer, "Add", "flat,x", "logits");
  writer_output(writer, "logits");
  must(fed_model_load(&writer->context, writer_finish(writer), NULL, model));
  fed_train_options_init(&options);
  options.precision = FED_PRECISION_F64;
  options.kernels = FED_KERNELS_REFERENCE;
  options.batch_size = 1;
  must(fed_trainer_new(&writer->context, *model, &options, &trainer));
  *(int64_t *)fed_trainer_batch(trainer)->target.data = 1;
  return trainer;
}

static inline double loss_of(struct fed_trainer *trainer, const struct operand_case *test) {
  struct fed_metrics metrics = {0};
  must(test->training ? fed__gradient_compute(trainer, &metrics)
                      : fed_evaluate_step(trainer, &metrics));
  return metrics.loss_sum;
}

static inline double finite_difference(struct fed_trainer *trainer, const struct operand_case *test,
                                       double *value) {
  const double before = *value;
  *value = before + STEP;
  const double above = loss_of(trainer, test);
  *value = before - STEP;
  const double below = loss_of(trainer, test);
  *value = before;
  return (above - below) / (2 * STEP);
}

static inline void check_parameter(struct fed_trainer *trainer, const struct operand_case *test,
                                   size_t index, size_t elements) {
  struct fed_metrics metrics = {0};
  double *parameter = fed__trainer_parameter(trainer, index), largest = 0;
  double gradient[OPERAND_ELEMENTS_MAX];
  must(fed__gradient_compute(trainer, &metrics));
  memcpy(gradient, fed__trainer_gradient(trainer, index), elements * sizeof *gradient);
  for (size_t i = 0; i < elements; i++) {
    const double difference = finite_difference(trainer, test, &parameter[i]);
    if (!(fabs(difference - gradient[i]) <= TOLERANCE))
      fail_msg("%s: operand %zu, element %zu: finite difference %.12g, gradient %.12g", test->name,
               index, i, difference, gradient[i]);
    if (fabs(gradient[i]) > largest) largest = fabs(gradient[i]);
  }
  if (!(largest > 100 * TOLERANCE)) fail_msg("%s: operand %zu: no gradient", test->name, index);
}

static inline void check_case(const struct operand_case *test) {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer = make_trainer(&writer, test, &model);
  const struct fed_params *params = fed_model_params(model);
  for (size_t i = 0; i < fed_model_trained_count(model); i++)
    check_parameter(trainer, test, i, fed_tensor_elements(&params->tensors[i]));
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&writer);
}

static inline void test_case(void **state) { check_case(*state); }

static inline int check_gradients(const struct operand_case *cases, size_t count) {
  static struct CMUnitTest tests[GRADIENT_CASES_MAX];
  if (count > GRADIENT_CASES_MAX) return 1;
  for (size_t i = 0; i < count; i++)
    tests[i] =
        (struct CMUnitTest){cases[i].name, test_case, NULL, NULL, (void *)(uintptr_t)&cases[i]};
  return _cmocka_run_group_tests("gradients", tests, count, NULL, NULL);
}

#define INTS(...)                                                                                  \
  sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]) { __VA_ARGS__ }

#endif
