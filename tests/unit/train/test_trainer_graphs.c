/* SPDX-License-Identifier: Apache-2.0
 *
 * test_trainer_graphs.c: what a graph itself brings to training: its own loss, random choices,
 * running statistics that stay.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define WIDTH 3
#define BATCH 4

static const int64_t square[2] = {WIDTH, WIDTH}, row[1] = {WIDTH};

static float value_of(size_t i) { return sinf(1.5f * (float)i + 1); }

static void begin_graph(struct graph_writer *writer) {
  float values[WIDTH * WIDTH];
  for (size_t i = 0; i < WIDTH * WIDTH; i++) values[i] = value_of(i);
  writer_init(writer);
  writer_input(writer, "x", 1, row);
  writer_floats(writer, "w", 2, square, values);
  writer_node(writer, "Gemm", "x,w", "y");
}

static struct fed_model *end_graph(struct graph_writer *writer, const char *output,
                                   const struct fed_model_options *options) {
  struct fed_model *model;
  writer_output(writer, output);
  must(fed_model_load(&writer->context, writer_finish(writer), options, &model));
  return model;
}

static struct fed_trainer *new_trainer(const struct graph_writer *writer,
                                       const struct fed_model *model, enum fed_loss loss) {
  struct fed_train_options options;
  struct fed_trainer *trainer;
  fed_train_options_init(&options);
  options.loss = loss;
  options.batch_size = BATCH;
  options.precision = FED_PRECISION_F64;
  options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&writer->context, model, &options, &trainer));
  return trainer;
}

static void fill_inputs(struct fed_trainer *trainer) {
  float *x = fed_trainer_batch(trainer)->inputs[0].data;
  for (size_t i = 0; i < BATCH * WIDTH; i++) x[i] = value_of(i + 20);
}

/* ---- a loss of its own ---------------------------------------------------------------------- */

/* The mean square of the output, once by the graph and once by the engine: the same training. */
static void test_own_loss(void **state) {
  (void)state;
  struct graph_writer writers[2];
  struct fed_model *models[2];
  struct fed_trainer *trainers[2];
  double losses[2] = {0};
  for (int i = 0; i < 2; i++) {
    begin_graph(&writers[i]);
    if (i) {
      writer_node(&writers[i], "Mul", "y,y", "squares");
      writer_int_attribute(&writers[i], "keepdims", 0);
      writer_node(&writers[i], "ReduceMean", "squares", "mean");
    }
    models[i] = end_graph(&writers[i], i ? "mean" : "y", NULL);
    trainers[i] =
        new_trainer(&writers[i], models[i], i ? FED_LOSS_OUTPUT : FED_LOSS_MEAN_SQUARED_ERROR);
    for (int step = 0; step < 3; step++) {
      struct fed_metrics metrics = {0};
      fill_inputs(trainers[i]);
      must(fed_train_step(trainers[i], &metrics));
      losses[i] = metrics.loss_sum / (double)metrics.example_count;
    }
  }
  const double *one = fed__trainer_parameter(trainers[0], 0);
  const double *other = fed__trainer_parameter(trainers[1], 0);
  assert_true(fabs(losses[0] - losses[1]) < 1e-14);
  for (size_t i = 0; i < WIDTH * WIDTH; i++) {
    assert_true(fabs(one[i] - other[i]) < 1e-14);
    assert_true(one[i] != (double)value_of(i));
  }
  for (int i = 0; i < 2; i++) {
    fed_trainer_free(trainers[i]);
    fed_model_free(models[i]);
    writer_clear(&writers[i]);
  }
}

/* One number for a batch is no output for another loss. */
static void test_single_number(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_train_options options;
  struct fed_trainer *trainer;
  begin_graph(&writer);
  writer_int_attribute(&writer, "keepdims", 0);
  writer_node(&writer, "ReduceMean", "y", "mean");
  struct fed_model *model = end_graph(&writer, "mean", NULL);
  fed_train_options_init(&options);
  static const enum fed_loss losses[] = {FED_LOSS_SOFTMAX_CROSS_ENTROPY,
                                         FED_LOSS_SOFT_CROSS_ENTROPY, FED_LOSS_BINARY_CROSS_ENTROPY,
                                         FED_LOSS_MEAN_SQUARED_ERROR, FED_LOSS_HUBER};
  for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
    options.loss = losses[i];
    assert_int_equal(fed_trainer_new(&writer.context, model, &options, &trainer), FED_E_SHAPE);
    assert_null(trainer);
  }
  fed_model_free(model);
  writer_clear(&writer);
}

/* ---- random choices ------------------------------------------------------------------------- */

static int gather_one(struct fed_examples *self, const uint32_t *rows, size_t count,
                      struct fed_batch *batch) {
  (void)self, (void)rows;
  for (size_t i = 0; i < count * WIDTH; i++) {
    ((float *)batch->inputs[0].data)[i] = 1;
    ((float *)batch->target.data)[i] = 0;
  }
  return FED_OK;
}

/* The weights after one step of one example; all from the same start. */
static void train_once(struct fed_trainer *trainer, const struct fed_model *model, uint64_t seed,
                       double weights[WIDTH * WIDTH]) {
  struct fed_examples examples = {.gather = gather_one, .count = 1};
  const struct fed_epochs epochs = {.epochs = 1, .seed = seed};
  struct fed_metrics metrics = {0};
  examples.spec = *fed_model_inputs(model);
  examples.spec.target = (struct fed_tensor){.dtype = FED_F32, .shape = {1, {WIDTH}}};
  must(fed_trainer_reset(trainer, fed_model_params(model)));
  must(fed_train_epochs(trainer, &examples, &epochs, &metrics));
  memcpy(weights, fed__trainer_parameter(trainer, 0), WIDTH * WIDTH * sizeof *weights);
}

/* Each training drops others: an agent's rounds do not repeat the first one's choices. */
static void test_dropout_by_seed(void **state) {
  (void)state;
  static const float half = 0.5f;
  static const uint8_t yes = 1;
  struct graph_writer writer;
  double first[WIDTH * WIDTH], found[WIDTH * WIDTH];
  size_t different = 0;
  begin_graph(&writer);
  writer_floats(&writer, "ratio", 0, NULL, &half);
  writer_tensor(&writer, "training", 9, 0, NULL, &yes, 1);
  writer_node(&writer, "Dropout", "y,ratio,training", "kept");
  struct fed_model *model = end_graph(&writer, "kept", NULL);
  struct fed_trainer *trainer = new_trainer(&writer, model, FED_LOSS_MEAN_SQUARED_ERROR);
  train_once(trainer, model, 1, first);
  for (uint64_t seed = 2; seed < 18; seed++) {
    train_once(trainer, model, seed, found);
    different += memcmp(first, found, sizeof first) != 0;
  }
  assert_true(different >= 8); /* of 16; equal are one in eight */
  train_once(trainer, model, 1, found);
  assert_memory_equal(first, found, sizeof first);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&writer);
}

/* ---- statistics that stay ------------------------------------------------------------------- */

static void test_local_statistics(void **state) {
  (void)state;
  static const float ones[WIDTH] = {1, 1, 1}, zeros[WIDTH] = {0, 0, 0};
  const struct fed_model_options options = {.statistics = FED_STATISTICS_LOCAL};
  struct graph_writer writer;
  struct fed_params local;
  struct fed_metrics metrics = {0};
  begin_graph(&writer);
  writer_floats(&writer, "scale", 1, row, ones);
  writer_floats(&writer, "bias", 1, row, zeros);
  writer_floats(&writer, "mean", 1, row, zeros);
  writer_floats(&writer, "variance", 1, row, ones);
  writer_int_attribute(&writer, "training_mode", 1);
  writer_node(&writer, "BatchNormalization", "y,scale,bias,mean,variance", "z,m,v");
  struct fed_model *model = end_graph(&writer, "z", &options);
  assert_int_equal(fed_model_params(model)->count, 3);
  assert_int_equal(fed_model_local_params(model)->count, 2);
  struct fed_trainer *trainer = new_trainer(&writer, model, FED_LOSS_MEAN_SQUARED_ERROR);
  fill_inputs(trainer);
  must(fed_params_copy(&local, &writer.context, fed_model_local_params(model)));
  must(fed_trainer_local_params(trainer, &local));
  assert_memory_equal(local.tensors[0].data, zeros, sizeof zeros);
  must(fed_train_step(trainer, &metrics));
  must(fed_trainer_local_params(trainer, &local));
  assert_memory_not_equal(local.tensors[0].data, zeros, sizeof zeros);
  assert_memory_not_equal(local.tensors[1].data, ones, sizeof ones);
  /* A reset with new parameters leaves them; setting them brings them back. */
  struct fed_params kept;
  must(fed_params_copy(&kept, &writer.context, &local));
  must(fed_trainer_reset(trainer, fed_model_params(model)));
  must(fed_trainer_local_params(trainer, &local));
  assert_memory_equal(local.storage, kept.storage, kept.storage_bytes);
  must(fed_trainer_set_local_params(trainer, fed_model_local_params(model)));
  must(fed_trainer_local_params(trainer, &local));
  assert_memory_equal(local.tensors[0].data, zeros, sizeof zeros);
  fed_params_clear(&kept);
  fed_params_clear(&local);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&writer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_own_loss),
      cmocka_unit_test(test_single_number),
      cmocka_unit_test(test_dropout_by_seed),
      cmocka_unit_test(test_local_statistics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
