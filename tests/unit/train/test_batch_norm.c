/* SPDX-License-Identifier: Apache-2.0
 *
 * test_batch_norm.c: BatchNormalization's two lives: statistics that are measured in training,
 * mixed into the running ones after each step and used in evaluation, and such that are given. All
 * numbers follow by hand from a batch of 1, 3, 5, 7 (mean 4, variance 5) at momentum 3/4.
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

struct run {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer;
};

static void write_graph(struct graph_writer *writer, int training_mode, float momentum) {
  const int64_t one = 1;
  writer_init(writer);
  writer_input(writer, "x", 1, &one);
  writer_floats(writer, "scale", 1, &one, (const float[]){2});
  writer_floats(writer, "bias", 1, &one, (const float[]){1});
  writer_floats(writer, "mean", 1, &one, (const float[]){8});
  writer_floats(writer, "variance", 1, &one, (const float[]){16});
  writer_int_attribute(writer, "training_mode", training_mode);
  writer_float_attribute(writer, "momentum", momentum);
  writer_float_attribute(writer, "epsilon", 0);
  writer_node(writer, "BatchNormalization", "x,scale,bias,mean,variance",
              training_mode ? "y,new_mean,new_variance" : "y");
  writer_output(writer, "y");
}

static void start(struct run *run, int training_mode, enum fed_statistics statistics,
                  enum fed_precision precision) {
  const struct fed_model_options options = {.statistics = statistics};
  struct fed_train_options training;
  write_graph(&run->writer, training_mode, 0.75F);
  must(fed_model_load(&run->writer.context, writer_finish(&run->writer), &options, &run->model));
  fed_train_options_init(&training);
  training.batch_size = 4;
  training.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  training.learning_rate = 0;
  training.precision = precision;
  must(fed_trainer_new(&run->writer.context, run->model, &training, &run->trainer));
  const struct fed_batch *batch = fed_trainer_batch(run->trainer);
  for (int i = 0; i < 4; i++) {
    ((float *)batch->inputs[0].data)[i] = (float)(1 + 2 * i);
    ((float *)batch->target.data)[i] = 0;
  }
}

static void stop(struct run *run) {
  fed_trainer_free(run->trainer);
  fed_model_free(run->model);
  writer_clear(&run->writer);
}

/* y = 2 (x - mean) / deviation + 1 */
static void check_output(const struct run *run, enum fed_precision precision, double mean,
                         double variance) {
  struct fed_shape shape;
  const void *y = fed__trainer_output(run->trainer, &shape);
  for (int i = 0; i < 4; i++) {
    const double expected = 2 * (1 + 2 * i - mean) / sqrt(variance) + 1;
    const double found =
        precision == FED_PRECISION_F64 ? ((const double *)y)[i] : (double)((const float *)y)[i];
    assert_true(fabs(found - expected) <= 1e-5);
  }
}

static void check_parameter(const struct run *run, const char *name, double expected) {
  struct fed_params params;
  must(fed_params_copy(&params, &run->writer.context, fed_model_params(run->model)));
  must(fed_trainer_params(run->trainer, &params));
  const struct fed_tensor *tensor = fed_params_find(&params, name);
  assert_non_null(tensor);
  assert_true(fabs((double)*(float *)tensor->data - expected) <= 1e-5);
  fed_params_clear(&params);
}

static void check_measured(int training_mode, enum fed_statistics statistics,
                           enum fed_precision precision) {
  struct run run;
  struct fed_metrics metrics = {0};
  start(&run, training_mode, statistics, precision);
  assert_int_equal(fed_model_trained_count(run.model), 2);
  must(fed_evaluate_step(run.trainer, &metrics));
  check_output(&run, precision, 8, 16);
  must(fed_train_step(run.trainer, &metrics));
  check_output(&run, precision, 4, 5);
  check_parameter(&run, "mean", 8 * 0.75 + 4 * 0.25);
  check_parameter(&run, "variance", 16 * 0.75 + 5 * 0.25);
  must(fed_train_step(run.trainer, &metrics));
  check_parameter(&run, "mean", 7 * 0.75 + 4 * 0.25);
  must(fed_evaluate_step(run.trainer, &metrics));
  check_output(&run, precision, 6.25, 13.25 * 0.75 + 5 * 0.25);
  stop(&run);
}

static void measured_statistics_follow_the_batches(void **state) {
  (void)state;
  for (int precision = FED_PRECISION_F32; precision <= FED_PRECISION_F64; precision++) {
    check_measured(1, FED_STATISTICS_AS_EXPORTED, (enum fed_precision)precision);
    check_measured(0, FED_STATISTICS_AVERAGE, (enum fed_precision)precision);
  }
}

/* A gradient without a step leaves them alone. */
static void gradients_alone_change_nothing(void **state) {
  (void)state;
  struct run run;
  struct fed_metrics metrics = {0};
  start(&run, 1, FED_STATISTICS_AVERAGE, FED_PRECISION_F32);
  must(fed__gradient_compute(run.trainer, &metrics));
  check_output(&run, FED_PRECISION_F32, 4, 5);
  check_parameter(&run, "mean", 8);
  check_parameter(&run, "variance", 16);
  stop(&run);
}

static void local_statistics_stay(void **state) {
  (void)state;
  struct run run;
  struct fed_metrics metrics = {0};
  start(&run, 0, FED_STATISTICS_LOCAL, FED_PRECISION_F32);
  assert_int_equal(fed_model_params(run.model)->count, 2);
  assert_int_equal(fed_model_local_params(run.model)->count, 2);
  must(fed_train_step(run.trainer, &metrics));
  must(fed_evaluate_step(run.trainer, &metrics));
  check_output(&run, FED_PRECISION_F32, 7, 13.25);
  assert_true(*(float *)fed_model_local_params(run.model)->tensors[0].data == 8);
  stop(&run);
}

static void check_given(int training_mode, enum fed_statistics statistics) {
  struct run run;
  struct fed_metrics metrics = {0};
  start(&run, training_mode, statistics, FED_PRECISION_F32);
  assert_int_equal(fed_model_params(run.model)->count, 2);
  for (int i = 0; i < 2; i++) {
    must(fed_train_step(run.trainer, &metrics));
    check_output(&run, FED_PRECISION_F32, 8, 16);
  }
  stop(&run);
}

static void given_statistics_stay_as_they_are(void **state) {
  (void)state;
  check_given(0, FED_STATISTICS_AS_EXPORTED);
  check_given(0, FED_STATISTICS_FREEZE);
  check_given(1, FED_STATISTICS_FREEZE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(measured_statistics_follow_the_batches),
      cmocka_unit_test(gradients_alone_change_nothing),
      cmocka_unit_test(local_statistics_stay),
      cmocka_unit_test(given_statistics_stay_as_they_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
