/* SPDX-License-Identifier: Apache-2.0
 *
 * test_shape_values.c: what the operators that move, make, choose and reduce elements give. The
 * expected values are those of the ONNX operator specification's examples and rules, worked out by
 * hand, and of numpy. ONNX's own node tests are run elsewhere; here is what they leave out: empty
 * values, ties, NaN, ends far out of range, indices that come with the examples.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/gradient.h"
#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define COUNT(type, ...) (sizeof((const type[]){__VA_ARGS__}) / sizeof(type))
#define INTS(...)                                                                                  \
  COUNT(int64_t, __VA_ARGS__), (const int64_t[]) { __VA_ARGS__ }
#define FLOATS(...)                                                                                \
  COUNT(float, __VA_ARGS__), (const float[]) { __VA_ARGS__ }
#define SHAPE(...) (&(const struct fed_shape){COUNT(int64_t, __VA_ARGS__), {__VA_ARGS__}})

static const struct fed_shape scalar;

static void begin(struct graph_writer *w) {
  writer_init(w);
  w->opset = 18;
}

/* A float constant. */
static void put(struct graph_writer *w, const char *name, const struct fed_shape *shape,
                size_t count, const float *values) {
  writer_tensor(w, name, 1, shape->rank, shape->dims, values, count * sizeof *values);
}

static void put_truth(struct graph_writer *w, const char *name, size_t count,
                      const uint8_t *values) {
  writer_tensor(w, name, 9, 1, (const int64_t[]){(int64_t)count}, values, count);
}

/* The graph's output "y" once all is computed; clears the writer. */
static void evaluate(struct graph_writer *w, const struct fed_shape *shape, enum fed_dtype dtype,
                     struct fed_params *found) {
  writer_output(w, "y");
  must(fed__graph_evaluate(&w->context, writer_finish(w), NULL, 0, found));
  char text[128];
  if (!fed_shape_equal(&found->tensors[0].shape, shape))
    fail_msg("found shape %s", fed_shape_format(&found->tensors[0].shape, text, sizeof text));
  assert_int_equal(found->tensors[0].dtype, dtype);
  writer_clear(w);
}

static void expect(struct graph_writer *w, const struct fed_shape *shape, size_t count,
                   const float *expected) {
  struct fed_params found;
  evaluate(w, shape, FED_F32, &found);
  const float *values = found.tensors[0].data;
  assert_int_equal(fed_tensor_elements(&found.tensors[0]), count);
  for (size_t i = 0; i < count; i++)
    if (!(values[i] == expected[i] || (isnan(values[i]) && isnan(expected[i]))))
      fail_msg("element %zu: expected %g, found %g", i, (double)expected[i], (double)values[i]);
  fed_params_clear(&found);
}

static void expect_ints(struct graph_writer *w, const struct fed_shape *shape, size_t count,
                        const int64_t *expected) {
  struct fed_params found;
  evaluate(w, shape, FED_I64, &found);
  const int64_t *values = found.tensors[0].data;
  assert_int_equal(fed_tensor_elements(&found.tensors[0]), count);
  for (size_t i = 0; i < count; i++)
    if (values[i] != expected[i])
      fail_msg("element %zu: expected %lld, found %lld", i, (long long)expected[i],
               (long long)values[i]);
  fed_params_clear(&found);
}

/* 1 to 12 as [3, 4]. */
static void begin_table(struct graph_writer *w) {
  begin(w);
  put(w, "x", SHAPE(3, 4), FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

static void slice(struct graph_writer *w, int64_t start, int64_t end, int64_t step) {
  begin_table(w);
  writer_ints(w, "start", 1, &start);
  writer_ints(w, "end", 1, &end);
  writer_ints(w, "axis", INTS(-1));
  writer_ints(w, "step", 1, &step);
  writer_node(w, "Slice", "x,start,end,axis,step", "columns");
  writer_ints(w, "zero", INTS(0));
  writer_node(w, "Gather", "columns,zero", "y"); /* the first row */
}

/* numpy: x[0, start:end:step]. */
static void test_slice_ends(void **state) {
  struct graph_writer w;
  (void)state;
  slice(&w, 1, INT64_MAX, 1);
  expect(&w, SHAPE(1, 3), FLOATS(2, 3, 4));
  slice(&w, INT64_MIN, 2, 1);
  expect(&w, SHAPE(1, 2), FLOATS(1, 2));
  slice(&w, INT64_MAX, INT64_MIN, -1);
  expect(&w, SHAPE(1, 4), FLOATS(4, 3, 2, 1));
  slice(&w, -2, INT64_MIN, -2);
  expect(&w, SHAPE(1, 2), FLOATS(3, 1));
  slice(&w, 0, 4, INT64_MAX);
  expect(&w, SHAPE(1, 1), FLOATS(1));
  slice(&w, 3, 0, INT64_MIN);
  expect(&w, SHAPE(1, 1), FLOATS(4));
  slice(&w, 3, -1, 1);
  expect(&w, SHAPE(1, 0), 0, NULL);
  slice(&w, 9, 12, 1);
  expect(&w, SHAPE(1, 0), 0, NULL);
}

static void test_range(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  writer_ints(&w, "start", INTS(INT64_MAX - 1));
  writer_ints(&w, "limit", INTS(INT64_MIN));
  writer_ints(&w, "delta", INTS(INT64_MIN + 1));
  writer_node(&w, "Range", "start,limit,delta", "y");
  expect_ints(&w, SHAPE(2), INTS(INT64_MAX - 1, -1));
  begin(&w);
  put(&w, "start", &scalar, FLOATS(1));
  put(&w, "limit", &scalar, FLOATS(2));
  put(&w, "delta", &scalar, FLOATS(0.3F));
  writer_node(&w, "Range", "start,limit,delta", "y");
  const double delta = (double)0.3F;
  expect(&w, SHAPE(4),
         FLOATS(1, (float)(1 + delta), (float)(1 + 2 * delta), (float)(1 + 3 * delta)));
  begin(&w);
  writer_ints(&w, "start", INTS(3));
  writer_ints(&w, "limit", INTS(3));
  writer_ints(&w, "delta", INTS(1));
  writer_node(&w, "Range", "start,limit,delta", "y");
  expect_ints(&w, SHAPE(0), 0, NULL);
}

/* An empty list of extents is the shape of a lone number. */
static void test_constant_of_shape(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  writer_ints(&w, "extents", 0, NULL);
  writer_node(&w, "ConstantOfShape", "extents", "y");
  expect(&w, &scalar, FLOATS(0));
  begin(&w);
  writer_ints(&w, "extents", INTS(2, 0));
  writer_node(&w, "ConstantOfShape", "extents", "y");
  expect(&w, SHAPE(2, 0), 0, NULL);
}

/* Nothing and something: the empty list neither disappears nor disturbs. */
static void test_concat_empty(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  writer_ints(&w, "none", 0, NULL);
  writer_ints(&w, "some", INTS(4, 5));
  writer_int_attribute(&w, "axis", 0);
  writer_node(&w, "Concat", "none,some,none", "y");
  expect_ints(&w, SHAPE(2), INTS(4, 5));
  begin(&w);
  writer_ints_attribute(&w, "value_ints", 0, NULL);
  writer_node(&w, "Constant", "", "none");
  writer_ints(&w, "some", INTS(4, 5));
  writer_int_attribute(&w, "axis", 0);
  writer_node(&w, "Concat", "some,none", "y");
  expect_ints(&w, SHAPE(2), INTS(4, 5));
}

static void begin_empty(struct graph_writer *w) {
  begin(w);
  put(w, "x", SHAPE(2, 0), 0, NULL);
  writer_ints(w, "axes", INTS(1));
}

/* The specification's values for reductions of nothing. */
static void test_reduce_empty(void **state) {
  static const struct {
    const char *type;
    float value;
  } cases[] = {
      {"ReduceSum", 0},        {"ReduceProd", 1},           {"ReduceL1", 0},
      {"ReduceL2", 0},         {"ReduceSumSquare", 0},      {"ReduceMax", -INFINITY},
      {"ReduceMin", INFINITY}, {"ReduceLogSum", -INFINITY}, {"ReduceLogSumExp", -INFINITY},
      {"ReduceMean", NAN},
  };
  struct graph_writer w;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    begin_empty(&w);
    writer_node(&w, cases[i].type, "x,axes", "y");
    expect(&w, SHAPE(2, 1), FLOATS(cases[i].value, cases[i].value));
  }
}

static void test_reduce_integers(void **state) {
  struct graph_writer w;
  static const struct {
    const char *type;
    int64_t value;
  } cases[] = {{"ReduceSum", -8}, {"ReduceProd", 42}, {"ReduceMax", 2},       {"ReduceMin", -7},
               {"ReduceL1", 12},  {"ReduceMean", -2}, {"ReduceSumSquare", 62}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    begin(&w);
    writer_ints(&w, "x", INTS(2, -7, -3));
    writer_int_attribute(&w, "keepdims", 0);
    writer_node(&w, cases[i].type, "x", "y");
    expect_ints(&w, &scalar, 1, &cases[i].value);
  }
}

static void test_reduce_nan(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put(&w, "x", SHAPE(2, 3), FLOATS(1, NAN, 2, 3, 1, 2));
  writer_ints(&w, "axes", INTS(1));
  writer_node(&w, "ReduceMax", "x,axes", "y");
  expect(&w, SHAPE(2, 1), FLOATS(NAN, 3));
}

/* Far from 0, where the exponential overflows or vanishes. */
static void test_log_sum_exp_range(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put(&w, "x", SHAPE(3, 1), FLOATS(1000, -1000, -INFINITY));
  writer_ints(&w, "axes", INTS(1));
  writer_node(&w, "ReduceLogSumExp", "x,axes", "y");
  expect(&w, SHAPE(3, 1), FLOATS(1000, -1000, -INFINITY));
}

/* Long enough for all lanes; the odd end must be counted, too. */
static void test_reduce_long(void **state) {
  enum { LENGTH = 1003 };
  struct graph_writer w;
  float values[LENGTH];
  (void)state;
  for (int i = 0; i < LENGTH; i++) values[i] = (float)i;
  begin(&w);
  put(&w, "x", SHAPE(LENGTH), LENGTH, values);
  writer_node(&w, "ReduceSum", "x", "y");
  expect(&w, SHAPE(1), FLOATS((float)(LENGTH * (LENGTH - 1) / 2)));
}

static void test_top_k_ties(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put(&w, "x", SHAPE(6), FLOATS(1, 3, 3, 2, 3, 1));
  writer_ints(&w, "k", INTS(4));
  writer_node(&w, "TopK", "x,k", ",y");
  expect_ints(&w, SHAPE(4), INTS(1, 2, 4, 3));
  begin(&w);
  put(&w, "x", SHAPE(6), FLOATS(1, 3, NAN, 2, 3, 1));
  writer_ints(&w, "k", INTS(6));
  writer_int_attribute(&w, "largest", 0);
  writer_node(&w, "TopK", "x,k", ",y");
  expect_ints(&w, SHAPE(6), INTS(0, 5, 3, 1, 4, 2));
}

static void test_arg_max_ties(void **state) {
  struct graph_writer w;
  (void)state;
  for (int last = 0; last < 2; last++) {
    begin(&w);
    put(&w, "x", SHAPE(5), FLOATS(1, 3, 2, 3, 0));
    writer_int_attribute(&w, "select_last_index", last);
    writer_node(&w, "ArgMax", "x", "y");
    expect_ints(&w, SHAPE(1), INTS(last ? 3 : 1));
  }
}

/* Out of range: all off. */
static void test_one_hot_outside(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  writer_ints(&w, "indices", INTS(2, -3, 3, INT64_MIN));
  writer_ints(&w, "depth", INTS(3));
  put(&w, "values", SHAPE(2), FLOATS(-1, 1));
  writer_node(&w, "OneHot", "indices,depth,values", "y");
  expect(&w, SHAPE(4, 3), FLOATS(-1, -1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1));
}

static void test_eye_like(void **state) {
  struct graph_writer w;
  (void)state;
  begin_table(&w);
  writer_int_attribute(&w, "k", -1);
  writer_int_attribute(&w, "dtype", 7);
  writer_node(&w, "EyeLike", "x", "y");
  expect_ints(&w, SHAPE(3, 4), INTS(0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0));
  begin_table(&w);
  writer_int_attribute(&w, "k", INT64_MIN);
  writer_node(&w, "EyeLike", "x", "y");
  expect(&w, SHAPE(3, 4), FLOATS(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

static void test_nonzero(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put(&w, "x", SHAPE(2, 2), FLOATS(1, 0, 1, 1));
  writer_node(&w, "NonZero", "x", "y");
  expect_ints(&w, SHAPE(2, 3), INTS(0, 1, 1, 0, 0, 1));
  begin(&w);
  put(&w, "x", SHAPE(2), FLOATS(0, 0));
  writer_node(&w, "NonZero", "x", "y");
  expect_ints(&w, SHAPE(1, 0), 0, NULL);
}

static void test_compress_flat(void **state) {
  struct graph_writer w;
  (void)state;
  begin_table(&w);
  put_truth(&w, "stays", 5, (const uint8_t[]){0, 1, 0, 0, 1});
  writer_node(&w, "Compress", "x,stays", "y");
  expect(&w, SHAPE(2), FLOATS(2, 5));
}

/* numpy.pad of one row by more than its extent. */
static void check_pad(const char *mode, const float *expected) {
  struct graph_writer w;
  begin(&w);
  w.opset = 19;
  put(&w, "x", SHAPE(3), FLOATS(1, 2, 3));
  writer_ints(&w, "pads", INTS(5, 4));
  writer_text_attribute(&w, "mode", mode);
  writer_node(&w, "Pad", "x,pads", "y");
  expect(&w, SHAPE(12), 12, expected);
}

static void test_pad_far(void **state) {
  (void)state;
  check_pad("reflect", (const float[]){2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3});
  check_pad("wrap", (const float[]){2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1});
  check_pad("edge", (const float[]){1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3});
  check_pad("constant", (const float[]){0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0});
}

/* Nothing can be padded to something; all of something can be cut off. */
static void test_pad_empty(void **state) {
  struct graph_writer w;
  (void)state;
  begin_empty(&w);
  writer_ints(&w, "pads", INTS(0, 1, 0, 0));
  put(&w, "value", &scalar, FLOATS(7));
  writer_node(&w, "Pad", "x,pads,value", "y");
  expect(&w, SHAPE(2, 1), FLOATS(7, 7));
  begin_table(&w);
  writer_ints(&w, "pads", INTS(0, -6, 0, 4));
  writer_node(&w, "Pad", "x,pads", "y");
  expect(&w, SHAPE(3, 2), FLOATS(0, 0, 0, 0, 0, 0));
}

/* The last of several updates stays; sums count them all. */
static void test_scatter_twice(void **state) {
  struct graph_writer w;
  static const char *const reductions[] = {"none", "add", "mul", "max", "min"};
  static const int64_t expected[] = {3, 18, 150, 10, 3};
  (void)state;
  for (size_t i = 0; i < 5; i++) {
    begin(&w);
    writer_ints(&w, "data", INTS(1, 10, 1));
    writer_tensor(&w, "indices", 7, 2, (const int64_t[]){2, 1}, (const int64_t[]){1, -2}, 16);
    writer_ints(&w, "updates", INTS(5, 3));
    writer_text_attribute(&w, "reduction", reductions[i]);
    writer_node(&w, "ScatterND", "data,indices,updates", "y");
    expect_ints(&w, SHAPE(3), INTS(1, expected[i], 1));
  }
}

/* What has no dimensions, or none longer than 1, is still one element. */
static void test_rank_zero(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put(&w, "x", &scalar, FLOATS(5));
  writer_ints(&w, "none", 0, NULL);
  writer_ints(&w, "ones", INTS(1, 1));
  writer_node(&w, "Transpose", "x", "transposed");
  writer_node(&w, "Pad", "transposed,none", "padded");
  writer_node(&w, "ReduceMax", "padded", "largest");
  writer_node(&w, "Tile", "largest,none", "tiled");
  writer_node(&w, "Expand", "tiled,ones", "expanded");
  writer_node(&w, "Transpose", "expanded", "y");
  expect(&w, SHAPE(1, 1), FLOATS(5));
}

/* A trainer for one graph with input "x" of `count` integers an example. */
struct run {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer;
};

static void run_begin(struct run *run, int64_t count) {
  begin(&run->writer);
  writer_value(&run->writer, 11, "x", 7, 1, &count);
}

static void run_load(struct run *run, const int64_t *indices, size_t count) {
  struct fed_train_options options;
  writer_output(&run->writer, "y");
  must(fed_model_load(&run->writer.context, writer_finish(&run->writer), NULL, &run->model));
  fed_train_options_init(&options);
  options.batch_size = 1;
  options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&run->writer.context, run->model, &options, &run->trainer));
  memcpy(fed_trainer_batch(run->trainer)->inputs[0].data, indices, count * sizeof *indices);
  *(int64_t *)fed_trainer_batch(run->trainer)->target.data = 0;
}

static void run_end(struct run *run) {
  fed_trainer_free(run->trainer);
  fed_model_free(run->model);
  writer_clear(&run->writer);
}

static void load_embedding(struct run *run, int64_t first, int64_t second) {
  run_begin(run, 2);
  put(&run->writer, "table", SHAPE(3, 2), FLOATS(1, 2, 3, 4, 5, 6));
  writer_node(&run->writer, "Gather", "table,x", "rows");
  writer_node(&run->writer, "Flatten", "rows", "y");
  run_load(run, (const int64_t[]){first, second}, 2);
}

static void test_embedding(void **state) {
  struct run run;
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  (void)state;
  load_embedding(&run, 2, -3);
  assert_int_equal(fed_model_trained_count(run.model), 1);
  must(fed_train_step(run.trainer, &metrics));
  must(fed_evaluate_step(run.trainer, &metrics));
  const float *y = fed__trainer_output(run.trainer, &shape);
  assert_true(fed_shape_equal(&shape, SHAPE(1, 4)));
  assert_true(y[0] > 5); /* the label's logit rose */
  assert_true(y[1] < 6 && y[2] < 1 && y[3] < 2);
  const float *row = (const float *)fed__trainer_gradient(run.trainer, 0) + 2;
  assert_true(row[0] == 0 && row[1] == 0); /* nobody asked for the row in the middle */
  run_end(&run);
}

/* An index out of range, in a step, becomes NaN, which the step refuses. */
static void test_index_out_of_range(void **state) {
  static const int64_t wrong[] = {3, -4, INT64_MAX, INT64_MIN};
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct run run;
    struct fed_metrics metrics = {0};
    struct fed_shape shape;
    load_embedding(&run, 1, wrong[i]);
    assert_int_equal(fed_train_step(run.trainer, &metrics), FED_E_NOT_FINITE);
    const float *y = fed__trainer_output(run.trainer, &shape);
    assert_true(y[0] == 3 && y[1] == 4 && isnan(y[2]) && isnan(y[3]));
    run_end(&run);
  }
}

static void load_scatter(struct run *run, int64_t first, int64_t second) {
  run_begin(run, 2);
  put(&run->writer, "data", SHAPE(1, 3), FLOATS(1, 2, 3));
  put(&run->writer, "updates", SHAPE(1, 2), FLOATS(8, 9));
  writer_int_attribute(&run->writer, "axis", 1);
  writer_node(&run->writer, "ScatterElements", "data,x,updates", "y");
  writer_trainable(&run->writer, "updates");
  run_load(run, (const int64_t[]){first, second}, 2);
}

static void test_scatter_out_of_range(void **state) {
  struct run run;
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  (void)state;
  load_scatter(&run, 2, 0);
  must(fed_train_step(run.trainer, &metrics));
  const float *y = fed__trainer_output(run.trainer, &shape);
  assert_true(y[0] == 9 && y[1] == 2 && y[2] == 8);
  run_end(&run);
  load_scatter(&run, 3, 0);
  assert_int_equal(fed_train_step(run.trainer, &metrics), FED_E_NOT_FINITE);
  run_end(&run);
}

/* The batch size reaches shapes that are computed from it. */
static void test_shape_of_batch(void **state) {
  struct graph_writer w;
  struct fed_model *model;
  struct fed_train_options options;
  struct fed_trainer *trainer;
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  (void)state;
  begin(&w);
  writer_input(&w, "x", 2, (const int64_t[]){2, 2});
  writer_int_attribute(&w, "end", 1);
  writer_node(&w, "Shape", "x", "batch");
  writer_ints(&w, "rest", INTS(-1));
  writer_int_attribute(&w, "axis", 0);
  writer_node(&w, "Concat", "batch,rest", "wanted");
  writer_node(&w, "Reshape", "x,wanted", "flat");
  put(&w, "row", SHAPE(4), FLOATS(1, 1, 1, 1));
  writer_node(&w, "Mul", "flat,row", "y");
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  fed_train_options_init(&options);
  options.batch_size = 3;
  must(fed_trainer_new(&w.context, model, &options, &trainer));
  struct fed_batch *batch = fed_trainer_batch(trainer);
  for (int i = 0; i < 12; i++) ((float *)batch->inputs[0].data)[i] = (float)i;
  memset(batch->target.data, 0, 3 * sizeof(int64_t));
  batch->count = 3;
  must(fed_evaluate_step(trainer, &metrics));
  const float *y = fed__trainer_output(trainer, &shape);
  assert_true(fed_shape_equal(&shape, SHAPE(3, 4)));
  for (int i = 0; i < 12; i++) assert_true(y[i] == (float)i);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slice_ends),         cmocka_unit_test(test_range),
      cmocka_unit_test(test_constant_of_shape),  cmocka_unit_test(test_concat_empty),
      cmocka_unit_test(test_reduce_empty),       cmocka_unit_test(test_reduce_integers),
      cmocka_unit_test(test_reduce_nan),         cmocka_unit_test(test_log_sum_exp_range),
      cmocka_unit_test(test_reduce_long),        cmocka_unit_test(test_top_k_ties),
      cmocka_unit_test(test_arg_max_ties),       cmocka_unit_test(test_one_hot_outside),
      cmocka_unit_test(test_eye_like),           cmocka_unit_test(test_nonzero),
      cmocka_unit_test(test_compress_flat),      cmocka_unit_test(test_pad_far),
      cmocka_unit_test(test_pad_empty),          cmocka_unit_test(test_scatter_twice),
      cmocka_unit_test(test_rank_zero),          cmocka_unit_test(test_embedding),
      cmocka_unit_test(test_index_out_of_range), cmocka_unit_test(test_scatter_out_of_range),
      cmocka_unit_test(test_shape_of_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
