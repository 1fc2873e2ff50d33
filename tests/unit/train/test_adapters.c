/* SPDX-License-Identifier: Apache-2.0
 *
 * test_adapters.c: low-rank adapters beside Gemm and MatMul: what they compute and learn against
 * the formula y + alpha / rank * (x A) B, written out in double; what is exported computes the same
 * without adapters; what cannot be adapted is refused with the reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fed/train.h"
#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define IN 5
#define OUT 3
#define RANK 2
#define BATCH 4
#define ALPHA 3.0

/* The three ways in which linear layers come: Gemm with the weight transposed (PyTorch) and a
 * factor, MatMul with it as it is (dynamo), and through a Transpose (TorchScript). */
enum layout { GEMM, MATMUL, TRANSPOSED, LAYOUTS };

static float weights[IN * OUT], bias[OUT];

static void write_model(struct graph_writer *writer, enum layout layout) {
  struct fed_rng rng;
  fed__rng_init(&rng, 1, "weights", 0, 0);
  for (int i = 0; i < IN * OUT; i++) weights[i] = (float)fed__rng_normal(&rng);
  for (int i = 0; i < OUT; i++) bias[i] = (float)fed__rng_normal(&rng);
  writer_init(writer);
  writer_input(writer, "x", 1, (const int64_t[]){IN});
  if (layout == MATMUL)
    writer_floats(writer, "w", 2, (const int64_t[]){IN, OUT}, weights);
  else
    writer_floats(writer, "w", 2, (const int64_t[]){OUT, IN}, weights);
  writer_floats(writer, "b", 1, (const int64_t[]){OUT}, bias);
  if (layout == GEMM) {
    writer_int_attribute(writer, "transB", 1);
    writer_float_attribute(writer, "alpha", 0.5F);
    writer_node(writer, "Gemm", "x,w,b", "y");
  } else {
    if (layout == TRANSPOSED) writer_node(writer, "Transpose", "w", "wt");
    writer_node(writer, "MatMul", layout == MATMUL ? "x,w" : "x,wt", "product");
    writer_node(writer, "Add", "product,b", "y");
  }
  writer_output(writer, "y");
  writer_finish(writer);
}

static double weight_at(enum layout layout, int in, int out) {
  const double value = (double)weights[layout == MATMUL ? in * OUT + out : out * IN + in];
  return layout == GEMM ? 0.5 * value : value;
}

static const char *const adapted[] = {"w"};
static const struct fed_model_options options = {.adapted = adapted,
                                                 .adapted_count = 1,
                                                 .adapter_rank = RANK,
                                                 .adapter_alpha = ALPHA,
                                                 .adapter_seed = 7};

static struct fed_trainer *new_trainer(const struct fed_context *context,
                                       const struct fed_model *model) {
  struct fed_trainer *trainer;
  struct fed_train_options train;
  fed_train_options_init(&train);
  train.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  train.precision = FED_PRECISION_F64;
  train.batch_size = BATCH;
  train.learning_rate = 0.5;
  must(fed_trainer_new(context, model, &train, &trainer));
  struct fed_batch *batch = fed_trainer_batch(trainer);
  float *x = batch->inputs[0].data, *target = batch->target.data;
  for (int i = 0; i < BATCH * IN; i++) x[i] = (float)((i * 7) % 11) / 5 - 1;
  for (int i = 0; i < BATCH * OUT; i++) target[i] = (float)((i * 5) % 7) / 3 - 1;
  return trainer;
}

/* The output by the formula; `a` [IN, RANK] and `b` [RANK, OUT]. */
static void expect_output(enum layout layout, const float *x, const float *a, const float *b,
                          double *y) {
  for (int n = 0; n < BATCH; n++)
    for (int out = 0; out < OUT; out++) {
      double sum = (double)bias[out];
      for (int in = 0; in < IN; in++) {
        double low = 0;
        for (int k = 0; k < RANK; k++) low += (double)a[in * RANK + k] * (double)b[k * OUT + out];
        sum += (double)x[n * IN + in] * (weight_at(layout, in, out) + ALPHA / RANK * low);
      }
      y[n * OUT + out] = sum;
    }
}

static void check_output(struct fed_trainer *trainer, const double *expected, double tolerance) {
  struct fed_shape shape;
  struct fed_metrics metrics = {0};
  must(fed_evaluate_step(trainer, &metrics));
  const double *found = fed__trainer_output(trainer, &shape);
  for (int i = 0; i < BATCH * OUT; i++)
    if (!(fabs(found[i] - expected[i]) <= tolerance))
      fail_msg("element %d is %.12g, expected %.12g", i, found[i], expected[i]);
}

/* A is random in ±1/sqrt(IN) and B zero: at first nothing changes. */
static void check_start(const struct fed_params *params) {
  const float *a = params->tensors[0].data, *b = params->tensors[1].data;
  double squares = 0;
  assert_int_equal(params->count, 2);
  assert_string_equal(params->tensors[0].name, "w.lora_A");
  assert_string_equal(params->tensors[1].name, "w.lora_B");
  for (int i = 0; i < IN * RANK; i++) {
    assert_true(fabsf(a[i]) <= 1 / sqrtf(IN));
    squares += (double)a[i] * (double)a[i];
  }
  assert_true(squares > 0.1);
  for (int i = 0; i < RANK * OUT; i++) assert_true(b[i] == 0);
}

/* One step of gradient descent on the mean of the squares: with B zero, A gets no gradient, and
 * B that of s (x A)' (2 (y - t) / count). */
static void check_step(struct fed_trainer *trainer, const struct fed_params *start,
                       const double *y) {
  struct fed_params after;
  struct fed_metrics metrics = {0};
  const float *a = start->tensors[0].data, *x = fed_trainer_batch(trainer)->inputs[0].data;
  const float *target = fed_trainer_batch(trainer)->target.data;
  must(fed_params_copy(&after, start->context, start));
  must(fed_train_step(trainer, &metrics));
  must(fed_trainer_params(trainer, &after));
  assert_memory_equal(after.tensors[0].data, a, IN * RANK * sizeof(float));
  for (int k = 0; k < RANK; k++)
    for (int out = 0; out < OUT; out++) {
      double gradient = 0;
      for (int n = 0; n < BATCH; n++) {
        double low = 0;
        for (int in = 0; in < IN; in++) low += (double)x[n * IN + in] * (double)a[in * RANK + k];
        gradient += low * 2 * (y[n * OUT + out] - (double)target[n * OUT + out]) / (BATCH * OUT);
      }
      const double expected = -0.5 * ALPHA / RANK * gradient;
      const double found = (double)((const float *)after.tensors[1].data)[k * OUT + out];
      assert_true(fabs(found - expected) <= 1e-6 * (1 + fabs(expected)));
    }
  fed_params_clear(&after);
}

/* Adapters with other values: the formula; and the merged model, with float32's rounding. */
static void check_merged(struct graph_writer *writer, enum layout layout,
                         const struct fed_model *model, struct fed_trainer *trainer) {
  struct fed_params params;
  struct fed_model *merged;
  struct fed_buffer file;
  double y[BATCH * OUT];
  must(fed_params_copy(&params, &writer->context, fed_model_params(model)));
  for (size_t i = 0; i < fed_params_elements(&params); i++)
    fed_params_floats(&params)[i] = (float)((i * 5) % 13) / 8 - 0.7F;
  expect_output(layout, fed_trainer_batch(trainer)->inputs[0].data, params.tensors[0].data,
                params.tensors[1].data, y);
  must(fed_trainer_reset(trainer, &params));
  check_output(trainer, y, 1e-12);
  fed_buffer_init(&file, &writer->context, 1 << 20);
  must(fed_model_export(model, &params, &file));
  must(fed_model_load(&writer->context, fed_buffer_slice(&file), NULL, &merged));
  assert_int_equal(fed_model_params(merged)->count, 2);
  assert_string_equal(fed_model_params(merged)->tensors[0].name, "w");
  assert_memory_equal(fed_model_params(merged)->tensors[1].data, bias, sizeof bias);
  struct fed_trainer *plain = new_trainer(&writer->context, merged);
  check_output(plain, y, 1e-5);
  fed_trainer_free(plain);
  fed_model_free(merged);
  fed_buffer_clear(&file);
  fed_params_clear(&params);
}

static void test_layouts(void **state) {
  (void)state;
  for (enum layout layout = 0; layout < LAYOUTS; layout++) {
    struct graph_writer writer;
    struct fed_model *model;
    double y[BATCH * OUT];
    write_model(&writer, layout);
    must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), &options, &model));
    const struct fed_params *params = fed_model_params(model);
    check_start(params);
    struct fed_trainer *trainer = new_trainer(&writer.context, model);
    expect_output(layout, fed_trainer_batch(trainer)->inputs[0].data, params->tensors[0].data,
                  params->tensors[1].data, y);
    check_output(trainer, y, 1e-12);
    check_step(trainer, params, y);
    check_merged(&writer, layout, model, trainer);
    fed_trainer_free(trainer);
    fed_model_free(model);
    writer_clear(&writer);
  }
}

/* The same seed gives the same start, on every machine of a federation; another one another. */
static void test_seed(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_model *first, *second, *other;
  struct fed_model_options another = options;
  another.adapter_seed++;
  write_model(&writer, GEMM);
  must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), &options, &first));
  must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), &options, &second));
  must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), &another, &other));
  assert_memory_equal(fed_model_params(first)->storage, fed_model_params(second)->storage,
                      fed_model_params(first)->storage_bytes);
  assert_memory_not_equal(fed_model_params(first)->storage, fed_model_params(other)->storage,
                          fed_model_params(first)->storage_bytes);
  fed_model_free(first);
  fed_model_free(second);
  fed_model_free(other);
  writer_clear(&writer);
}

/* Two products with one weight share the adapters: the merged weight must suit both. */
static void test_shared_weight(void **state) {
  (void)state;
  static const float square[4] = {1, 2, 3, 4};
  struct graph_writer writer;
  struct fed_model *model;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  writer_floats(&writer, "w", 2, (const int64_t[]){2, 2}, square);
  writer_node(&writer, "MatMul", "x,w", "h");
  writer_node(&writer, "MatMul", "h,w", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), &options, &model));
  assert_int_equal(fed_model_params(model)->count, 2);
  fed_model_free(model);
  writer_clear(&writer);
}

/* A graph of one node that reads the initializer w, and an option that wants to adapt `pattern`. */
static void check_refused(const char *type, const char *inputs, int64_t trans_a,
                          const char *pattern, uint32_t rank, int code, const char *part) {
  static const float square[4] = {1, 2, 3, 4};
  const char *const patterns[] = {pattern};
  const struct fed_model_options wanted = {
      .adapted = patterns, .adapted_count = 1, .adapter_rank = rank};
  struct graph_writer writer;
  struct fed_model *model;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  writer_floats(&writer, "w", 2, (const int64_t[]){2, 2}, square);
  if (trans_a) writer_int_attribute(&writer, "transA", trans_a);
  writer_node(&writer, type, inputs, "h");
  writer_node(&writer, "Add", "h,w", "y");
  writer_output(&writer, "y");
  const int found = fed_model_load(&writer.context, writer_finish(&writer), &wanted, &model);
  if (found != code || !strstr(fed_error_last()->message, part))
    fail_msg("expected %s with \"%s\", found %s: %s", fed_error_name(code), part,
             fed_error_name(found), fed_error_last()->message);
  assert_null(model);
  writer_clear(&writer);
}

static void test_refusals(void **state) {
  (void)state;
  check_refused("MatMul", "x,w", 0, "v*", 2, FED_E_MISSING, "'v*' fits no Gemm or MatMul");
  check_refused("MatMul", "x,w", 0, "w", 2, FED_E_UNSUPPORTED,
                "an operator other than Gemm and MatMul reads it, too");
  check_refused("MatMul", "w,x", 0, "node_h", 2, FED_E_UNSUPPORTED,
                "no Gemm or MatMul with a weight on the right");
  check_refused("Gemm", "x,w", 1, "w", 2, FED_E_UNSUPPORTED, "reads it, too");
  check_refused("Relu", "x", 0, "node_h", 2, FED_E_UNSUPPORTED, "no Gemm or MatMul");
  check_refused("MatMul", "x,w", 0, "w", 0, FED_E_RANGE, "a rank from 1 to");
  check_refused("MatMul", "x,w", 0, "w", 70000, FED_E_RANGE, "not 70000");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layouts),
      cmocka_unit_test(test_seed),
      cmocka_unit_test(test_shared_weight),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
