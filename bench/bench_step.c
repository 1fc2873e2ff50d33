/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_step.c: how long one training step of the demo's CNN takes (28 × 28 images, 10 classes,
 * 215,370 parameters), by fed/train.h as any program would call it, on one thread.
 *
 *   bench_step [batch, 32] [steps, 200]
 *
 * Arithmetic is counted as is usual: two operations for each multiplication in a convolution or
 * matrix product, forward, for the weights' gradients, and for the data's gradients of all but the
 * first layer. Everything else in a step (pooling, activations, loss, optimiser) takes time and
 * counts nothing.
 */
#include "base/memory.h"
#include "fed/train.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 10000
#define CLASSES 10

/* Multiplications an example takes, forward. */
static const double first_layer = 16.0 * 28 * 28 * 25;
static const double other_layers = 32.0 * 14 * 14 * 16 * 25 + 1568.0 * 128 + 128.0 * CLASSES;

static int compare_numbers(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void fill(struct fed_batch *batch, size_t count) {
  float *pixels = batch->inputs[0].data;
  int64_t *labels = batch->target.data;
  batch->count = count;
  for (size_t i = 0; i < count * 28 * 28; i++) pixels[i] = (float)(i * 7919 % 101) / 101;
  for (size_t i = 0; i < count; i++) labels[i] = (int64_t)(i % CLASSES);
}

static int time_steps(const struct fed_context *context, struct fed_trainer *trainer,
                      size_t step_count, int64_t *us) {
  struct fed_metrics metrics = {0};
  int code = fed_train_step(trainer, &metrics); /* the first one warms up */
  for (size_t i = 0; code == FED_OK && i < step_count; i++) {
    const int64_t start_us = context->clock->monotonic_us(context->clock);
    code = fed_train_step(trainer, &metrics);
    us[i] = context->clock->monotonic_us(context->clock) - start_us;
  }
  return code;
}

static void print(const struct fed_trainer *trainer, size_t batch, size_t step_count, int64_t *us) {
  const double operations = (double)batch * 2 * (2 * first_layer + 3 * other_layers);
  qsort(us, step_count, sizeof us[0], compare_numbers);
  const double median_ms = (double)us[step_count / 2] / 1000;
  printf(
      "step, batch %zu, kernels %s: median %.3f ms, 99 %% %.3f ms, %.1f GFLOP/s, %.1f MB planned\n",
      batch, fed_trainer_kernels(trainer), median_ms, (double)us[step_count * 99 / 100] / 1000,
      operations / median_ms * 1e-6, (double)fed_trainer_bytes(trainer) * 1e-6);
}

static int run(const struct fed_context *context, const struct fed_model *model, uint32_t batch,
               size_t step_count) {
  static int64_t us[STEPS_MAX];
  struct fed_train_options options;
  struct fed_trainer *trainer = NULL;
  fed_train_options_init(&options);
  options.batch_size = batch;
  options.learning_rate = 0.01;
  options.momentum = 0.9;
  int code = fed_trainer_new(context, model, &options, &trainer);
  if (code != FED_OK) return code;
  fill(fed_trainer_batch(trainer), batch);
  code = time_steps(context, trainer, step_count, us);
  if (code == FED_OK) print(trainer, batch, step_count, us);
  fed_trainer_free(trainer);
  return code;
}

int main(int argc, char **argv) {
  const unsigned long batch = argc > 1 ? strtoul(argv[1], NULL, 10) : 32;
  const unsigned long step_count = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
  const struct fed_recipe_options recipe = {
      .recipe = "cnn", .input = {3, {1, 28, 28}}, .classes = CLASSES, .seed = 1};
  struct fed_model *model = NULL;
  struct fed_context context;
  struct fed_buffer onnx;
  if (batch < 1 || batch > 100000 || step_count < 1 || step_count > STEPS_MAX) {
    fprintf(stderr, "bench_step [batch, 32] [steps, 1 to %d]\n", STEPS_MAX);
    return 2;
  }
  fed_context_init(&context);
  fed_buffer_init(&onnx, &context, (size_t)64 << 20);
  int code = fed_recipe_write(&context, &recipe, &onnx);
  if (code == FED_OK) code = fed_model_load(&context, fed_buffer_slice(&onnx), NULL, &model);
  if (code == FED_OK) code = run(&context, model, (uint32_t)batch, step_count);
  if (code != FED_OK) fprintf(stderr, "bench_step: %s\n", fed_error_last()->message);
  fed_model_free(model);
  fed_buffer_clear(&onnx);
  return (int)fed_error_class(code);
}
