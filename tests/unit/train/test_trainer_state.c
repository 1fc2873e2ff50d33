/* SPDX-License-Identifier: Apache-2.0
 *
 * test_trainer_state.c: a training that is saved and restored goes on bit for bit; what a trainer
 * says of its memory; the limit on it; how epochs draw rows and tell the examples of passes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/epochs.h"
#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define FEATURES 5
#define WIDTH 7
#define CLASSES 3
#define ROWS 10
#define BATCH 4
#define STEPS_PER_EPOCH 3

/* Examples drawn from their row's stream; each pass adds noise in the order of reading. */
struct noisy_examples {
  struct fed_examples base;
  struct fed_rng noise;
  int in_pass, passes, ended;
  uint64_t seeds[16];
  uint32_t seen[4096];
  size_t seen_count;
};

struct opened {
  struct graph_writer writer;
  struct fed_model *model;
  struct noisy_examples examples;
  struct fed_train_options options;
};

static int gather_rows(struct fed_examples *self, const uint32_t *rows, size_t count,
                       struct fed_batch *batch) {
  struct noisy_examples *examples = (struct noisy_examples *)self;
  for (size_t i = 0; i < count; i++) {
    struct fed_rng rng;
    fed__rng_init(&rng, 3, "examples", rows[i], 0);
    float *x = (float *)batch->inputs[0].data + i * FEATURES;
    for (size_t j = 0; j < FEATURES; j++)
      x[j] = (float)(fed__rng_normal(&rng) +
                     (examples->in_pass ? 0.1 * fed__rng_normal(&examples->noise) : 0));
    ((int64_t *)batch->target.data)[i] = (int64_t)(rows[i] % CLASSES);
    examples->seen[examples->seen_count++ % 4096] = rows[i];
  }
  return FED_OK;
}

static void begin_noise(struct fed_examples *self, uint64_t seed) {
  struct noisy_examples *examples = (struct noisy_examples *)self;
  assert_false(examples->in_pass);
  examples->in_pass = 1;
  examples->seeds[examples->passes++ % 16] = seed;
  fed__rng_init(&examples->noise, seed, "noise", 0, 0);
}

static void end_noise(struct fed_examples *self) {
  struct noisy_examples *examples = (struct noisy_examples *)self;
  assert_true(examples->in_pass);
  examples->in_pass = 0;
  examples->ended++;
}

static int open_state(void **state) {
  static struct opened opened;
  float values[WIDTH * (FEATURES + CLASSES)];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) values[i] = sinf((float)i);
  opened = (struct opened){0};
  struct graph_writer *writer = &opened.writer;
  writer_init(writer);
  writer_input(writer, "x", 1, (const int64_t[]){FEATURES});
  writer_floats(writer, "w1", 2, (const int64_t[]){FEATURES, WIDTH}, values);
  writer_floats(writer, "b1", 1, (const int64_t[]){WIDTH}, values + 7);
  writer_floats(writer, "w2", 2, (const int64_t[]){WIDTH, CLASSES}, values + 5);
  writer_node(writer, "Gemm", "x,w1,b1", "h");
  writer_node(writer, "Tanh", "h", "t");
  writer_node(writer, "Gemm", "t,w2", "y");
  writer_output(writer, "y");
  must(fed_model_load(&writer->context, writer_finish(writer), NULL, &opened.model));
  opened.examples.base = (struct fed_examples){.gather = gather_rows,
                                               .begin_pass = begin_noise,
                                               .end_pass = end_noise,
                                               .count = ROWS,
                                               .spec = *fed_model_inputs(opened.model)};
  fed_train_options_init(&opened.options);
  opened.options.batch_size = BATCH;
  opened.options.kernels = FED_KERNELS_REFERENCE;
  *state = &opened;
  return 0;
}

static int close_state(void **state) {
  struct opened *opened = *state;
  fed_model_free(opened->model);
  writer_clear(&opened->writer);
  return 0;
}

static struct fed_trainer *new_trainer(const struct opened *opened) {
  struct fed_trainer *trainer;
  must(fed_trainer_new(&opened->writer.context, opened->model, &opened->options, &trainer));
  return trainer;
}

/* ---- going on where it was ------------------------------------------------------------------ */

/* The walk from `from` to `to` steps. */
static void walk(struct opened *opened, struct fed_trainer *trainer, uint64_t from, uint64_t to) {
  const struct fed_epochs epochs = {.epochs = 100, .seed = 11, .steps_max = to};
  struct fed_metrics metrics = {0};
  struct fed__walk walk;
  if (to == 0) return;
  must(fed__walk_begin(&walk, trainer, &opened->examples.base, &epochs));
  must(fed__walk_skip(&walk, from));
  while (!fed__walk_is_over(&walk)) must(fed__walk_step(&walk, &metrics));
  fed__walk_end(&walk);
}

/* All bits of a trainer: its parameters in its own precision, and its state. */
static void check_same_trainers(const struct opened *opened, const struct fed_trainer *a,
                                const struct fed_trainer *b) {
  const struct fed_params *params = fed_model_params(opened->model);
  const size_t unit = opened->options.precision == FED_PRECISION_F64 ? 8 : 4;
  for (size_t i = 0; i < params->count; i++)
    assert_memory_equal(fed__trainer_parameter((struct fed_trainer *)(uintptr_t)a, i),
                        fed__trainer_parameter((struct fed_trainer *)(uintptr_t)b, i),
                        fed_tensor_elements(&params->tensors[i]) * unit);
  struct fed_params one, other;
  uint64_t one_step, other_step;
  must(fed_trainer_state(a, &one, &one_step));
  must(fed_trainer_state(b, &other, &other_step));
  must(fed_params_match(&one, &other));
  assert_int_equal(one_step, other_step);
  if (one.count) assert_memory_equal(one.storage, other.storage, one.storage_bytes);
  fed_params_clear(&one);
  fed_params_clear(&other);
}

/* Steps in one go, and the same with a change of trainers after `stop` of them. */
static void check_resumed(struct opened *opened, uint64_t stop) {
  const uint64_t steps = 2 * STEPS_PER_EPOCH + 2;
  struct fed_trainer *whole = new_trainer(opened), *first = new_trainer(opened);
  struct fed_trainer *second = new_trainer(opened);
  struct fed_params params, state;
  uint64_t step;
  walk(opened, whole, 0, steps);
  walk(opened, first, 0, stop);
  must(fed_params_copy(&params, &opened->writer.context, fed_model_params(opened->model)));
  must(fed_trainer_params(first, &params));
  must(fed_trainer_state(first, &state, &step));
  assert_int_equal(step, stop);
  fed_trainer_free(first);
  must(fed_trainer_reset(second, &params));
  must(fed_trainer_restore(second, &state, step));
  walk(opened, second, stop, steps);
  check_same_trainers(opened, whole, second);
  fed_params_clear(&params);
  fed_params_clear(&state);
  fed_trainer_free(whole);
  fed_trainer_free(second);
}

static void test_goes_on(void **state) {
  struct opened *opened = *state;
  opened->options.schedule = FED_SCHEDULE_COSINE;
  opened->options.schedule_steps = 12;
  opened->options.warmup_steps = 3;
  for (int optimizer = FED_OPTIMIZER_SGD; optimizer <= FED_OPTIMIZER_RMSPROP; optimizer++)
    for (int precision = FED_PRECISION_F32; precision <= FED_PRECISION_F64; precision++)
      for (int momentum = 0; momentum < 2; momentum++) {
        opened->options.optimizer = (enum fed_optimizer)optimizer;
        opened->options.precision = (enum fed_precision)precision;
        opened->options.momentum = 0.9 * momentum;
        if (momentum && optimizer != FED_OPTIMIZER_SGD && optimizer != FED_OPTIMIZER_RMSPROP)
          continue;
        check_resumed(opened, 0);
        check_resumed(opened, STEPS_PER_EPOCH);
        check_resumed(opened, STEPS_PER_EPOCH + 1);
      }
}

static void test_names(void **state) {
  struct opened *opened = *state;
  opened->options.optimizer = FED_OPTIMIZER_ADAM;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_params found;
  uint64_t step;
  must(fed_trainer_state(trainer, &found, &step));
  static const char *const names[] = {"state0.w1", "state0.b1", "state0.w2",
                                      "state1.w1", "state1.b1", "state1.w2"};
  assert_int_equal(found.count, 6);
  for (size_t i = 0; i < 6; i++) {
    assert_string_equal(found.tensors[i].name, names[i]);
    assert_int_equal(found.tensors[i].dtype, FED_F32);
  }
  fed_params_clear(&found);
  fed_trainer_free(trainer);
}

/* The state of another optimiser, precision or model changes nothing. */
static void test_wrong_state(void **state) {
  struct opened *opened = *state;
  opened->options.momentum = 0.9;
  struct fed_trainer *trainer = new_trainer(opened), *fresh = new_trainer(opened);
  struct fed_params other;
  uint64_t step;
  walk(opened, trainer, 0, 2);
  walk(opened, fresh, 0, 2);
  opened->options.optimizer = FED_OPTIMIZER_ADAM;
  opened->options.momentum = 0;
  struct fed_trainer *adam = new_trainer(opened);
  must(fed_trainer_state(adam, &other, &step));
  assert_int_not_equal(fed_trainer_restore(trainer, &other, 9), FED_OK);
  assert_non_null(strstr(fed_error_last()->message, "not of this training"));
  fed_params_clear(&other);
  opened->options.optimizer = FED_OPTIMIZER_SGD;
  opened->options.momentum = 0.9;
  opened->options.precision = FED_PRECISION_F64;
  struct fed_trainer *wide = new_trainer(opened);
  must(fed_trainer_state(wide, &other, &step));
  assert_int_not_equal(fed_trainer_restore(trainer, &other, 9), FED_OK);
  fed_params_clear(&other);
  opened->options.precision = FED_PRECISION_F32;
  check_same_trainers(opened, trainer, fresh);
  fed_trainer_free(trainer);
  fed_trainer_free(fresh);
  fed_trainer_free(adam);
  fed_trainer_free(wide);
}

/* ---- memory --------------------------------------------------------------------------------- */

static size_t on_64(size_t bytes) { return (bytes + 63) / 64 * 64; }

static void test_memory(void **state) {
  struct opened *opened = *state;
  opened->options.optimizer = FED_OPTIMIZER_ADAM;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_memory memory;
  fed_trainer_memory(trainer, &memory);
  const size_t parameters =
      on_64(4 * FEATURES * WIDTH) + on_64(4 * WIDTH) + on_64(4 * WIDTH * CLASSES);
  assert_int_equal(memory.parameters, parameters);
  assert_int_equal(memory.gradients, parameters);
  assert_int_equal(memory.optimizer, 2 * parameters);
  assert_int_equal(memory.batch, on_64(4 * BATCH * FEATURES) + on_64(8 * BATCH));
  assert_true(memory.activations >= memory.activations_bound);
  /* The output and its gradient are alive together with the hidden layer. */
  assert_true(memory.activations_bound >=
              on_64(4 * BATCH * WIDTH) + 2 * on_64(4 * BATCH * CLASSES));
  assert_int_equal(fed_trainer_bytes(trainer), memory.parameters + memory.gradients +
                                                   memory.optimizer + memory.batch +
                                                   memory.kernels + memory.activations);
  fed_trainer_free(trainer);
}

static void check_limit(struct opened *opened, uint64_t bytes, const char *part) {
  struct fed_trainer *trainer;
  opened->options.memory_bytes_max = bytes;
  assert_int_equal(
      fed_trainer_new(&opened->writer.context, opened->model, &opened->options, &trainer),
      FED_E_TOO_LARGE);
  assert_null(trainer);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
}

static void test_memory_limit(void **state) {
  struct opened *opened = *state;
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_memory memory;
  fed_trainer_memory(trainer, &memory);
  const size_t needed = fed_trainer_bytes(trainer);
  fed_trainer_free(trainer);
  char text[64];
  snprintf(text, sizeof text, "%zu for parameters", memory.parameters);
  check_limit(opened, 100, text);
  snprintf(text, sizeof text, "need %zu bytes (%zu are alive", memory.activations,
           memory.activations_bound);
  check_limit(opened, needed - memory.kernels - 1, text);
  opened->options.memory_bytes_max = needed;
  fed_trainer_free(new_trainer(opened));
}

/* ---- epochs --------------------------------------------------------------------------------- */

static void train_epochs(struct opened *opened, const struct fed_epochs *epochs, int code) {
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_metrics metrics = {0};
  assert_int_equal(fed_train_epochs(trainer, &opened->examples.base, epochs, &metrics), code);
  fed_trainer_free(trainer);
}

/* 4000 draws: each row as often as its weight says, within six standard deviations. */
static void test_weighted_rows(void **state) {
  struct opened *opened = *state;
  static const uint32_t rows[4] = {9, 3, 5, 0};
  static const double weights[4] = {1, 0, 2, 5};
  const struct fed_epochs epochs = {
      .rows = rows, .row_count = 4, .epochs = 1000, .seed = 2, .row_weights = weights};
  size_t times[ROWS] = {0};
  train_epochs(opened, &epochs, FED_OK);
  assert_int_equal(opened->examples.seen_count, 4000);
  for (size_t i = 0; i < 4000; i++) times[opened->examples.seen[i]]++;
  for (size_t i = 0; i < 4; i++) {
    const double chance = weights[i] / 8, mean = 4000 * chance;
    assert_true(fabs((double)times[rows[i]] - mean) <= 6 * sqrt(mean * (1 - chance)));
  }
}

static void test_wrong_weights(void **state) {
  struct opened *opened = *state;
  static const double bad[][3] = {{1, -1, 1}, {1, NAN, 1}, {INFINITY, 1, 1}, {0, 0, 0}};
  static const uint32_t rows[3] = {0, 1, 2};
  for (size_t i = 0; i < 4; i++)
    train_epochs(
        opened,
        &(struct fed_epochs){.rows = rows, .row_count = 3, .epochs = 1, .row_weights = bad[i]},
        FED_E_RANGE);
}

/* A pass an epoch, each with its own seed; evaluation sees none. */
static void test_passes(void **state) {
  struct opened *opened = *state;
  struct noisy_examples *examples = &opened->examples;
  train_epochs(opened, &(struct fed_epochs){.epochs = 3, .seed = 5}, FED_OK);
  assert_int_equal(examples->passes, 3);
  assert_int_equal(examples->ended, 3);
  assert_true(examples->seeds[0] != examples->seeds[1] && examples->seeds[1] != examples->seeds[2]);
  const uint64_t first = examples->seeds[0];
  train_epochs(opened, &(struct fed_epochs){.epochs = 1, .seed = 5}, FED_OK);
  assert_true(examples->seeds[3] == first);
  train_epochs(opened, &(struct fed_epochs){.epochs = 9, .seed = 6, .steps_max = 4}, FED_OK);
  assert_int_equal(examples->passes, 6);
  assert_int_equal(examples->ended, 6); /* also the pass that the limit cut short */
  assert_true(examples->seeds[4] != first);
  struct fed_trainer *trainer = new_trainer(opened);
  struct fed_metrics metrics = {0};
  must(fed_evaluate(trainer, &examples->base, NULL, 0, &metrics));
  assert_int_equal(examples->passes, 6);
  fed_trainer_free(trainer);
}

/* A failure in the middle of a pass ends it, too. */
static void test_failed_pass(void **state) {
  struct opened *opened = *state;
  opened->options.learning_rate = 3e38;
  train_epochs(opened, &(struct fed_epochs){.epochs = 9}, FED_E_NOT_FINITE);
  assert_int_equal(opened->examples.passes, opened->examples.ended);
  assert_false(opened->examples.in_pass);
}

/* One number is as good as a list of one: data sets have no dimensions of 1. */
static void test_target_of_one_number(void **state) {
  struct opened *opened = *state;
  opened->options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  opened->examples.base.spec.target =
      (struct fed_tensor){.dtype = FED_F32, .shape = {2, {1, CLASSES}}};
  train_epochs(opened, &(struct fed_epochs){.epochs = 1}, FED_OK);
  opened->examples.base.spec.target.shape.dims[0] = 2;
  train_epochs(opened, &(struct fed_epochs){.epochs = 1}, FED_E_SHAPE);
}

#define STATE_TEST(function) cmocka_unit_test_setup_teardown(function, open_state, close_state)

int main(void) {
  const struct CMUnitTest tests[] = {
      STATE_TEST(test_goes_on),       STATE_TEST(test_names),
      STATE_TEST(test_wrong_state),   STATE_TEST(test_memory),
      STATE_TEST(test_memory_limit),  STATE_TEST(test_weighted_rows),
      STATE_TEST(test_wrong_weights), STATE_TEST(test_passes),
      STATE_TEST(test_failed_pass),   STATE_TEST(test_target_of_one_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
