/* SPDX-License-Identifier: Apache-2.0
 *
 * test_trainer.c: steps, epochs and evaluation through the public interface: what they refuse,
 * that a failed step changes nothing, that runs repeat bit for bit, and the optimisers' options
 * against formulas written out here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define FEATURES 3
#define CLASSES 4
#define ROWS 11
#define BATCH 4

/* Examples in memory: row i is drawn from its own stream. `seen` records the order. */
struct memory_examples {
  struct fed_examples base;
  uint32_t seen[256];
  size_t seen_count;
};

struct trainer_state {
  struct graph_writer writer;
  struct fed_model *model;
  struct memory_examples examples;
  struct fed_train_options options;
};

static int gather_rows(struct fed_examples *self, const uint32_t *rows, size_t count,
                       struct fed_batch *batch) {
  struct memory_examples *examples = (struct memory_examples *)self;
  for (size_t i = 0; i < count; i++) {
    struct fed_rng rng;
    fed__rng_init(&rng, 3, "examples", rows[i], 0);
    float *x = (float *)batch->inputs[0].data + i * FEATURES;
    for (size_t j = 0; j < FEATURES; j++) x[j] = (float)fed__rng_normal(&rng);
    ((int64_t *)batch->target.data)[i] = (int64_t)(rows[i] % CLASSES);
    examples->seen[examples->seen_count++ % 256] = rows[i];
  }
  return FED_OK;
}

/* Gemm, Tanh, Gemm. */
static int open_state(void **state) {
  static struct trainer_state opened;
  float values[2 * CLASSES * CLASSES];
  for (size_t i = 0; i < 2 * CLASSES * CLASSES; i++) values[i] = sinf((float)i);
  opened = (struct trainer_state){0};
  writer_init(&opened.writer);
  writer_input(&opened.writer, "x", 1, (const int64_t[]){FEATURES});
  writer_floats(&opened.writer, "w1", 2, (const int64_t[]){FEATURES, CLASSES}, values);
  writer_floats(&opened.writer, "b1", 1, (const int64_t[]){CLASSES}, values + 7);
  writer_floats(&opened.writer, "w2", 2, (const int64_t[]){CLASSES, CLASSES}, values + 5);
  writer_node(&opened.writer, "Gemm", "x,w1,b1", "h");
  writer_node(&opened.writer, "Tanh", "h", "t");
  writer_node(&opened.writer, "Gemm", "t,w2", "y");
  writer_output(&opened.writer, "y");
  must(fed_model_load(&opened.writer.context, writer_finish(&opened.writer), NULL, &opened.model));
  opened.examples.base = (struct fed_examples){.gather = gather_rows, .count = ROWS};
  opened.examples.base.spec = *fed_model_inputs(opened.model);
  fed_train_options_init(&opened.options);
  opened.options.batch_size = BATCH;
  opened.options.kernels = FED_KERNELS_REFERENCE;
  *state = &opened;
  return 0;
}

static int close_state(void **state) {
  struct trainer_state *opened = *state;
  fed_model_free(opened->model);
  writer_clear(&opened->writer);
  return 0;
}

static struct fed_trainer *new_trainer(const struct trainer_state *opened) {
  struct fed_trainer *trainer;
  must(fed_trainer_new(&opened->writer.context, opened->model, &opened->options, &trainer));
  return trainer;
}

static void fill_batch(struct trainer_state *opened, struct fed_trainer *trainer, size_t count) {
  static const uint32_t rows[BATCH] = {0, 1, 2, 3};
  struct fed_batch *batch = fed_trainer_batch(trainer);
  batch->count = count;
  must(gather_rows(&opened->examples.base, rows, count, batch));
}

static void read_params(const struct trainer_state *opened, const struct fed_trainer *trainer,
                        struct fed_params *params) {
  must(fed_params_copy(params, &opened->writer.context, fed_model_params(opened->model)));
  must(fed_trainer_params(trainer, params));
}

static void check_same(const struct fed_params *a, const struct fed_params *b, int same) {
  must(fed_params_match(a, b));
  assert_int_equal(memcmp(a->storage, b->storage, a->storage_bytes) == 0, same);
}

/* A step that must fail and leave parameters and metrics alone. */
static void check_refused_step(struct trainer_state *opened, struct fed_trainer *trainer, int code,
                               const char *part) {
  struct fed_params before, after;
  struct fed_metrics metrics = {5, 2, 1.5};
  read_params(opened, trainer, &before);
  assert_int_equal(fed_train_step(trainer, &metrics), code);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
  read_params(opened, trainer, &after);
  check_same(&before, &after, 1);
  assert_int_equal(metrics.example_count, 5);
  assert_int_equal(metrics.correct_count, 2);
  assert_true(metrics.loss_sum == 1.5);
  fed_params_clear(&before);
  fed_params_clear(&after);
}

static void test_labels(void **state) {
  struct trainer_state *opened = *state;
  struct fed_trainer *trainer = new_trainer(opened);
  fill_batch(opened, trainer, BATCH);
  int64_t *labels = fed_trainer_batch(trainer)->target.data;
  labels[2] = CLASSES;
  check_refused_step(opened, trainer, FED_E_RANGE, "label 4 of example 2");
  labels[2] = -1;
  check_refused_step(opened, trainer, FED_E_RANGE, "classes 0 to 3");
  labels[2] = INT64_MIN;
  check_refused_step(opened, trainer, FED_E_RANGE, "label -9223372036854775808");
  fed_trainer_free(trainer);
}

static void test_not_finite(void **state) {
  struct trainer_state *opened = *state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  struct fed_trainer *trainer = new_trainer(opened);
  for (size_t i = 0; i < 3; i++) {
    struct fed_metrics metrics = {0};
    fill_batch(opened, trainer, BATCH);
    float *w2 = fed__trainer_parameter(trainer, 2);
    const float before = w2[1];
    w2[1] = bad[i];
    check_refused_step(opened, trainer, FED_E_NOT_FINITE, "the loss is not a finite number");
    w2[1] = before;
    must(fed_train_step(trainer, &metrics));
  }
  ((float *)fed_trainer_batch(trainer)->inputs[0].data)[0] = NAN;
  check_refused_step(opened, trainer, FED_E_NOT_FINITE, "the examples");
  fed_trainer_free(trainer);
}

static void test_batch_count(void **state) {
  struct trainer_state *opened = *state;
  struct fed_trainer *trainer = new_trainer(opened);
  fill_batch(opened, trainer, BATCH);
  fed_trainer_batch(trainer)->count = 0;
  check_refused_step(opened, trainer, FED_E_RANGE, "the batch has 0 examples");
  fed_trainer_batch(trainer)->count = BATCH + 1;
  check_refused_step(opened, trainer, FED_E_RANGE, "expected 1 to 4");
  fed_trainer_free(trainer);
}

/* The gradient of a batch is the mean of its examples' gradients, for every smaller size, too. */
static void test_smaller_batches(void **state) {
  struct trainer_state *opened = *state;
  opened->options.precision = FED_PRECISION_F64;
  struct fed_trainer *trainer = new_trainer(opened), *one = new_trainer(opened);
  for (size_t count = 1; count <= BATCH; count++) {
    double sum[FEATURES * CLASSES] = {0}, loss = 0;
    struct fed_metrics metrics = {0};
    fill_batch(opened, trainer, count);
    for (size_t i = 0; i < count; i++) {
      const uint32_t row = (uint32_t)i;
      struct fed_metrics single = {0};
      fed_trainer_batch(one)->count = 1;
      must(gather_rows(&opened->examples.base, &row, 1, fed_trainer_batch(one)));
      must(fed__gradient_compute(one, &single));
      const double *gradient = fed__trainer_gradient(one, 0);
      for (size_t j = 0; j < FEATURES * CLASSES; j++) sum[j] += gradient[j];
      loss += single.loss_sum;
    }
    must(fed__gradient_compute(trainer, &metrics));
    assert_int_equal(metrics.example_count, count);
    assert_true(fabs(metrics.loss_sum - loss) < 1e-12);
    const double *gradient = fed__trainer_gradient(trainer, 0);
    for (size_t j = 0; j < FEATURES * CLASSES; j++)
      assert_true(fabs(gradient[j] - sum[j] / (double)count) < 1e-13);
  }
  fed_trainer_free(trainer);
  fed_trainer_free(one);
}

static void run_epochs(struct trainer_state *opened, uint64_t seed, struct fed_params *params,
                       struct fed_metrics *metrics) {
  struct fed_trainer *trainer = new_trainer(opened);
  const struct fed_epochs epochs = {.epochs = 3, .seed = seed};
  must(fed_train_epochs(trainer, &opened->examples.base, &epochs, metrics));
  read_params(opened, trainer, params);
  fed_trainer_free(trainer);
}

static void test_runs_repeat(void **state) {
  struct trainer_state *opened = *state;
  static const enum fed_optimizer optimizers[] = {FED_OPTIMIZER_SGD, FED_OPTIMIZER_ADAM};
  static const enum fed_kernels kernels[] = {FED_KERNELS_REFERENCE, FED_KERNELS_AUTO};
  for (size_t i = 0; i < 4; i++) {
    struct fed_params first, second, other;
    struct fed_metrics one = {0}, two = {0}, three = {0};
    opened->options.optimizer = optimizers[i / 2];
    opened->options.kernels = kernels[i % 2];
    opened->options.momentum = optimizers[i / 2] == FED_OPTIMIZER_SGD ? 0.5 : 0;
    run_epochs(opened, 1, &first, &one);
    run_epochs(opened, 1, &second, &two);
    run_epochs(opened, 2, &other, &three);
    check_same(&first, &second, 1);
    check_same(&first, &other, 0);
    assert_memory_equal(&one, &two, sizeof one);
    fed_params_clear(&first);
    fed_params_clear(&second);
    fed_params_clear(&other);
  }
}

/* Every row once an epoch, in another order each time; the metrics count them all. */
static void test_epochs_cover_rows(void **state) {
  struct trainer_state *opened = *state;
  struct fed_params params;
  struct fed_metrics metrics = {0};
  run_epochs(opened, 9, &params, &metrics);
  fed_params_clear(&params);
  assert_int_equal(metrics.example_count, 3 * ROWS);
  assert_int_equal(opened->examples.seen_count, 3 * ROWS);
  for (size_t epoch = 0; epoch < 3; epoch++) {
    int times[ROWS] = {0};
    for (size_t i = 0; i < ROWS; i++) times[opened->examples.seen[epoch * ROWS + i]]++;
    for (size_t i = 0; i < ROWS; i++) assert_int_equal(times[i], 1);
  }
  assert_memory_not_equal(opened->examples.seen, opened->examples.seen + ROWS,
                          ROWS * sizeof(uint32_t));
}

static void test_rows_and_step_limit(void **state) {
  struct trainer_state *opened = *state;
  static const uint32_t rows[] = {8, 2, 5, 9, 1};
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_metrics metrics = {0};
  const struct fed_epochs epochs = {.rows = rows, .row_count = 5, .epochs = 9, .steps_max = 3};
  must(fed_train_epochs(trainer, &opened->examples.base, &epochs, &metrics));
  assert_int_equal(metrics.example_count, 4 + 1 + 4);
  opened->examples.seen_count = 0;
  must(fed_evaluate(trainer, &opened->examples.base, rows, 5, &metrics));
  assert_int_equal(metrics.example_count, 9 + 5);
  assert_memory_equal(opened->examples.seen, rows, sizeof rows);
  fed_trainer_free(trainer);
}

static void test_wrong_examples(void **state) {
  struct trainer_state *opened = *state;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_metrics metrics = {0};
  struct fed_example_spec *spec = &opened->examples.base.spec;
  spec->inputs[0].shape.dims[0]++;
  assert_int_equal(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &metrics), FED_E_SHAPE);
  spec->inputs[0].shape.dims[0]--;
  spec->target.dtype = FED_F32;
  assert_int_equal(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &metrics), FED_E_SHAPE);
  spec->target.dtype = FED_I64;
  spec->input_count = 2;
  assert_int_equal(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &metrics), FED_E_SHAPE);
  spec->input_count = 1;
  opened->examples.base.count = 0;
  assert_int_equal(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &metrics), FED_E_EMPTY);
  fed_trainer_free(trainer);
}

static void test_evaluation_changes_nothing(void **state) {
  struct trainer_state *opened = *state;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_params before, after;
  struct fed_metrics metrics = {0}, again = {0};
  read_params(opened, trainer, &before);
  must(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &metrics));
  must(fed_evaluate(trainer, &opened->examples.base, NULL, 0, &again));
  read_params(opened, trainer, &after);
  check_same(&before, &after, 1);
  assert_memory_equal(&metrics, &again, sizeof again);
  assert_int_equal(metrics.example_count, ROWS);
  fed_params_clear(&before);
  fed_params_clear(&after);
  fed_trainer_free(trainer);
}

static void test_reset(void **state) {
  struct trainer_state *opened = *state;
  opened->options.momentum = 0.9;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_params first, second;
  struct fed_metrics metrics = {0};
  const struct fed_epochs epochs = {.epochs = 2, .seed = 4};
  must(fed_train_epochs(trainer, &opened->examples.base, &epochs, &metrics));
  read_params(opened, trainer, &first);
  must(fed_trainer_reset(trainer, fed_model_params(opened->model)));
  must(fed_train_epochs(trainer, &opened->examples.base, &epochs, &metrics));
  read_params(opened, trainer, &second);
  check_same(&first, &second, 1);
  fed_params_clear(&first);
  fed_params_clear(&second);
  fed_trainer_free(trainer);
}

/* What three steps should do to one number, given its gradient in each. */
typedef double update_rule(const struct fed_train_options *options, double p, double g, int step,
                           double *buffer);

static double sgd_rule(const struct fed_train_options *o, double p, double g, int step,
                       double *buffer) {
  g += o->weight_decay * p;
  *buffer = step ? o->momentum * *buffer + g : g;
  return p - o->learning_rate * (o->nesterov ? g + o->momentum * *buffer : *buffer);
}

/* Each step's gradient is measured first; the step must then follow the rule. */
static void check_rule(struct trainer_state *opened, update_rule *rule) {
  opened->options.precision = FED_PRECISION_F64;
  struct fed_trainer *trainer = new_trainer(opened);
  enum { COUNT = FEATURES * CLASSES };
  double buffers[COUNT] = {0}, expected[COUNT];
  for (int step = 0; step < 3; step++) {
    struct fed_metrics metrics = {0};
    fill_batch(opened, trainer, BATCH);
    must(fed__gradient_compute(trainer, &metrics));
    const double *gradient = fed__trainer_gradient(trainer, 0);
    const double *parameter = fed__trainer_parameter(trainer, 0);
    for (size_t i = 0; i < COUNT; i++)
      expected[i] = rule(&opened->options, parameter[i], gradient[i], step, &buffers[i]);
    must(fed_train_step(trainer, &metrics));
    for (size_t i = 0; i < COUNT; i++) assert_true(fabs(parameter[i] - expected[i]) < 1e-15);
  }
  fed_trainer_free(trainer);
}

static void test_sgd_options(void **state) {
  struct trainer_state *opened = *state;
  opened->options.weight_decay = 0.01;
  check_rule(opened, sgd_rule);
  opened->options.momentum = 0.7;
  check_rule(opened, sgd_rule);
  opened->options.nesterov = 1;
  check_rule(opened, sgd_rule);
}

/* The change of all parameters by one step has norm rate * clip_norm if the gradient is larger. */
static double step_norm(struct trainer_state *opened) {
  struct fed_trainer *trainer = new_trainer(opened);
  const struct fed_params *start = fed_model_params(opened->model);
  struct fed_metrics metrics = {0};
  double sum = 0;
  fill_batch(opened, trainer, BATCH);
  must(fed_train_step(trainer, &metrics));
  for (size_t i = 0; i < start->count; i++) {
    const double *parameter = fed__trainer_parameter(trainer, i);
    for (size_t j = 0; j < fed_tensor_elements(&start->tensors[i]); j++)
      sum += pow(parameter[j] - (double)((float *)start->tensors[i].data)[j], 2);
  }
  fed_trainer_free(trainer);
  return sqrt(sum);
}

static void test_clipping(void **state) {
  struct trainer_state *opened = *state;
  opened->options.precision = FED_PRECISION_F64;
  opened->options.learning_rate = 0.5;
  const double free_norm = step_norm(opened) / 0.5;
  assert_true(free_norm > 0.01);
  opened->options.clip_norm = free_norm / 3;
  assert_true(fabs(step_norm(opened) - 0.5 * free_norm / 3) < 1e-14);
  opened->options.clip_norm = free_norm * 1.01;
  assert_true(fabs(step_norm(opened) - 0.5 * free_norm) < 1e-14);
}

static void check_options(struct trainer_state *opened, int code) {
  struct fed_trainer *trainer;
  assert_int_equal(
      fed_trainer_new(&opened->writer.context, opened->model, &opened->options, &trainer), code);
  assert_null(trainer);
  fed_train_options_init(&opened->options);
}

static void test_wrong_options(void **state) {
  struct trainer_state *opened = *state;
  struct fed_train_options *options = &opened->options;
  options->batch_size = 0, check_options(opened, FED_E_RANGE);
  options->learning_rate = NAN, check_options(opened, FED_E_RANGE);
  options->learning_rate = -1, check_options(opened, FED_E_RANGE);
  options->momentum = 1, check_options(opened, FED_E_RANGE);
  options->nesterov = 1, check_options(opened, FED_E_RANGE);
  options->clip_norm = INFINITY, check_options(opened, FED_E_RANGE);
  options->optimizer = FED_OPTIMIZER_ADAM, options->beta2 = 1;
  check_options(opened, FED_E_RANGE);
  options->schedule = FED_SCHEDULE_COSINE, check_options(opened, FED_E_RANGE);
  options->schedule = FED_SCHEDULE_STEP, check_options(opened, FED_E_RANGE);
  options->loss = (enum fed_loss)99, check_options(opened, FED_E_USAGE);
  options->optimizer = (enum fed_optimizer)99, check_options(opened, FED_E_USAGE);
  options->schedule = (enum fed_schedule)99, check_options(opened, FED_E_USAGE);
}

#define TRAINER_TEST(function) cmocka_unit_test_setup_teardown(function, open_state, close_state)

int main(void) {
  const struct CMUnitTest tests[] = {
      TRAINER_TEST(test_labels),
      TRAINER_TEST(test_not_finite),
      TRAINER_TEST(test_batch_count),
      TRAINER_TEST(test_smaller_batches),
      TRAINER_TEST(test_runs_repeat),
      TRAINER_TEST(test_epochs_cover_rows),
      TRAINER_TEST(test_rows_and_step_limit),
      TRAINER_TEST(test_wrong_examples),
      TRAINER_TEST(test_evaluation_changes_nothing),
      TRAINER_TEST(test_reset),
      TRAINER_TEST(test_sgd_options),
      TRAINER_TEST(test_clipping),
      TRAINER_TEST(test_wrong_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
