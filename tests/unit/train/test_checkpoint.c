/* SPDX-License-Identifier: Apache-2.0
 *
 * test_checkpoint.c: computing activations again gives the same bits in less memory, dropout and
 * batch statistics included; and arrays that share memory in place disturb nobody: the reference
 * is the same graph with every inner value read once more at the end, so that nothing is shared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fed/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit/train/graph_writer.h"

#define WIDTH 24
#define LAYERS 12
#define BATCH 16
#define STEPS 5

static float weight(size_t layer, size_t i) {
  return (float)((int)((layer * 131 + i * 17) % 61) - 30) / 120;
}

/* Layers of Gemm, BatchNormalization, Relu and (without `keep`, which changes the numbers of the
 * operations that masks are drawn by) Dropout. `keep`: the sum of all inner values, times zero, is
 * added to the output. */
static struct fed_slice write_tower(struct graph_writer *writer, int dropout, int keep) {
  static float values[WIDTH * WIDTH], ones[WIDTH], zeros[WIDTH];
  const int64_t square[] = {WIDTH, WIDTH}, line[] = {WIDTH};
  const float ratio = 0.25f, nothing = 0;
  const uint8_t yes = 1;
  char inputs[256], outputs[64], name[32], before[32] = "x", sum[32] = "";
  writer_init(writer);
  writer_input(writer, "x", 1, line);
  writer_floats(writer, "ratio", 0, NULL, &ratio);
  writer_floats(writer, "nothing", 0, NULL, &nothing);
  writer_tensor(writer, "yes", 9, 0, NULL, &yes, 1);
  for (size_t i = 0; i < WIDTH; i++) ones[i] = 1;
  for (size_t l = 0; l < LAYERS; l++) {
    for (size_t i = 0; i < WIDTH * WIDTH; i++) values[i] = weight(l, i);
    const struct {
      const char *name;
      const float *values;
    } lines[] = {{"b", zeros}, {"scale", ones}, {"shift", zeros}, {"mean", zeros}, {"var", ones}};
    snprintf(name, sizeof name, "w%zu", l);
    writer_floats(writer, name, 2, square, values);
    for (size_t i = 0; i < 5; i++) {
      snprintf(name, sizeof name, "%s%zu", lines[i].name, l);
      writer_floats(writer, name, 1, line, lines[i].values);
    }
    snprintf(inputs, sizeof inputs, "%s,w%zu,b%zu", before, l, l);
    snprintf(outputs, sizeof outputs, "g%zu", l);
    writer_node(writer, "Gemm", inputs, outputs);
    snprintf(inputs, sizeof inputs, "g%zu,scale%zu,shift%zu,mean%zu,var%zu", l, l, l, l, l);
    snprintf(outputs, sizeof outputs, "n%zu,nm%zu,nv%zu", l, l, l);
    writer_int_attribute(writer, "training_mode", 1);
    writer_node(writer, "BatchNormalization", inputs, outputs);
    snprintf(inputs, sizeof inputs, "n%zu", l);
    snprintf(outputs, sizeof outputs, "r%zu", l);
    writer_node(writer, "Relu", inputs, outputs);
    snprintf(inputs, sizeof inputs, dropout ? "r%zu,ratio,yes" : "r%zu", l);
    snprintf(before, sizeof before, "d%zu", l);
    writer_node(writer, dropout ? "Dropout" : "Abs", inputs, before);
    for (const char *kind = "gnr"; keep && *kind; kind++) {
      snprintf(inputs, sizeof inputs, "%s%s%c%zu", sum, *sum ? "," : "", *kind, l);
      snprintf(name, sizeof name, "s%c%zu", *kind, l);
      writer_node(writer, *sum ? "Add" : "Identity", inputs, name);
      memcpy(sum, name, sizeof sum);
    }
  }
  if (keep) {
    snprintf(inputs, sizeof inputs, "%s,nothing", sum);
    writer_node(writer, "Mul", inputs, "unseen");
    snprintf(inputs, sizeof inputs, "%s,unseen", before);
    writer_node(writer, "Add", inputs, "y");
  } else {
    writer_node(writer, "Identity", before, "y");
  }
  writer_output(writer, "y");
  return writer_finish(writer);
}

struct outcome {
  struct fed_params params;
  struct fed_memory memory;
  double loss;
};

static struct outcome train(int dropout, int keep, int checkpoint) {
  static struct fed_context context; /* outlives what is given out */
  struct graph_writer writer;
  struct fed_train_options options;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_metrics metrics = {0};
  struct outcome outcome = {0};
  fed_train_options_init(&options);
  options.batch_size = BATCH;
  options.momentum = 0.9;
  options.checkpoint = checkpoint;
  options.kernels = FED_KERNELS_REFERENCE;
  const struct fed_slice onnx = write_tower(&writer, dropout, keep);
  fed_context_init(&context);
  must(fed_model_load(&writer.context, onnx, NULL, &model));
  must(fed_trainer_new(&writer.context, model, &options, &trainer));
  struct fed_batch *batch = fed_trainer_batch(trainer);
  batch->count = BATCH;
  for (size_t i = 0; i < BATCH * WIDTH; i++)
    ((float *)batch->inputs[0].data)[i] = (float)(i * 7919 % 101) / 50 - 1;
  for (size_t i = 0; i < BATCH; i++) ((int64_t *)batch->target.data)[i] = (int64_t)(i % 5);
  for (int i = 0; i < STEPS; i++) must(fed_train_step(trainer, &metrics));
  outcome.loss = metrics.loss_sum;
  fed_trainer_memory(trainer, &outcome.memory);
  must(fed_params_copy(&outcome.params, &context, fed_model_params(model)));
  must(fed_trainer_params(trainer, &outcome.params));
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&writer);
  return outcome;
}

static void assert_same(const struct outcome *a, const struct outcome *b) {
  assert_true(isfinite(a->loss));
  assert_true(a->loss == b->loss);
  assert_int_equal(a->params.count, b->params.count);
  for (size_t i = 0; i < a->params.count; i++)
    assert_memory_equal(a->params.tensors[i].data, b->params.tensors[i].data,
                        fed_tensor_bytes(&a->params.tensors[i]));
}

static void checkpoints_change_memory_alone(void **state) {
  (void)state;
  struct outcome plain = train(1, 0, 0), again = train(1, 0, 1);
  assert_same(&plain, &again);
  print_message("activations: %zu bytes (bound %zu), with checkpoints %zu (bound %zu)\n",
                plain.memory.activations, plain.memory.activations_bound, again.memory.activations,
                again.memory.activations_bound);
  assert_true(again.memory.activations * 10 < plain.memory.activations * 8);
  assert_true(again.memory.activations * 10 <= again.memory.activations_bound * 12);
  assert_true(plain.memory.activations * 10 <= plain.memory.activations_bound * 12);
  fed_params_clear(&plain.params);
  fed_params_clear(&again.params);
}

static void sharing_in_place_disturbs_nobody(void **state) {
  (void)state;
  struct outcome shared = train(0, 0, 0), apart = train(0, 1, 0), both = train(0, 1, 1);
  assert_same(&shared, &apart);
  assert_same(&shared, &both);
  assert_true(shared.memory.activations < apart.memory.activations);
  fed_params_clear(&shared.params);
  fed_params_clear(&apart.params);
  fed_params_clear(&both.params);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(checkpoints_change_memory_alone),
                                     cmocka_unit_test(sharing_in_place_disturbs_nobody)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
