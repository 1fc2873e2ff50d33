/* SPDX-License-Identifier: Apache-2.0
 *
 * test_window_norm_values.c: what convolutions, poolings and normalisations give, against
 * onnxruntime 1.23 (and onnx's ReferenceEvaluator, where it agrees), whose results are written down
 * here. The operands are a formula: element i of operand s is ((i * (7 + 2 s)) % 13 - 6) / 4; of
 * BatchNormalization's variance the absolute value plus 1/4.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define INTS(...)                                                                                  \
  sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]) { __VA_ARGS__ }
#define NUMBERS(...)                                                                               \
  (const double[]) { __VA_ARGS__ }

struct value_case {
  const char *name;
  void (*write)(struct graph_writer *writer);
  struct fed_shape operands[5];
  struct {
    struct fed_shape shape;
    const double *values;
  } results[3]; /* y, z, w */
};

static void write_operands(struct graph_writer *writer, const struct value_case *test) {
  static const char *const names[] = {"a", "b", "c", "d", "e"};
  float values[256];
  for (int slot = 0; slot < 5 && test->operands[slot].rank; slot++) {
    size_t elements;
    must(fed_shape_elements(&test->operands[slot], &elements));
    assert_true(elements <= 256);
    for (size_t i = 0; i < elements; i++) {
      const int number = (int)(i * (size_t)(7 + 2 * slot) % 13) - 6;
      values[i] = (float)(slot == 4 ? abs(number) + 1 : number) / 4;
    }
    writer_floats(writer, names[slot], test->operands[slot].rank, test->operands[slot].dims,
                  values);
  }
}

static void check_result(const struct value_case *test, const struct fed_tensor *found, int slot) {
  char text[128];
  if (!fed_shape_equal(&found->shape, &test->results[slot].shape))
    fail_msg("%s: output %d has shape %s", test->name, slot,
             fed_shape_format(&found->shape, text, sizeof text));
  for (size_t i = 0; i < fed_tensor_elements(found); i++) {
    const double value = found->dtype == FED_I64 ? (double)((const int64_t *)found->data)[i]
                                                 : (double)((const float *)found->data)[i];
    const double expected = test->results[slot].values[i];
    if (!(fabs(value - expected) <= 2e-5 * (1 + fabs(expected))))
      fail_msg("%s: output %d, element %zu: expected %.7g, found %.7g", test->name, slot, i,
               expected, value);
  }
}

static void test_case(void **state) {
  static const char *const outputs[] = {"y", "z", "w"};
  const struct value_case *test = *state;
  struct graph_writer writer;
  struct fed_params found = {0};
  writer_init(&writer);
  write_operands(&writer, test);
  test->write(&writer);
  int count = 0;
  for (; count < 3 && test->results[count].values; count++) writer_output(&writer, outputs[count]);
  must(fed__graph_evaluate(&writer.context, writer_finish(&writer), NULL, 0, &found));
  assert_int_equal(found.count, count);
  for (int i = 0; i < count; i++) check_result(test, &found.tensors[i], i);
  fed_params_clear(&found);
  writer_clear(&writer);
}

static void conv_volume(struct graph_writer *w) {
  w->opset = 22;
  writer_ints_attribute(w, "pads", INTS(1, 0, 1, 0, 1, 0));
  writer_ints_attribute(w, "strides", INTS(2, 1, 1));
  writer_node(w, "Conv", "a,b,c", "y");
}
static void conv_depthwise(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "group", 2);
  writer_text_attribute(w, "auto_pad", "SAME_LOWER");
  writer_ints_attribute(w, "strides", INTS(2, 2));
  writer_node(w, "Conv", "a,b", "y");
}
static void conv_dilated(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "dilations", INTS(2, 1));
  writer_ints_attribute(w, "pads", INTS(1, 1, 1, 0));
  writer_node(w, "Conv", "a,b,c", "y");
}
static void convtranspose(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "strides", INTS(2, 1));
  writer_ints_attribute(w, "pads", INTS(0, 1, 1, 0));
  writer_ints_attribute(w, "output_padding", INTS(1, 0));
  writer_node(w, "ConvTranspose", "a,b,c", "y");
}
static void convtranspose_output_shape(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "strides", INTS(3, 2));
  writer_ints_attribute(w, "output_shape", INTS(6, 5));
  writer_node(w, "ConvTranspose", "a,b", "y");
}
static void convtranspose_same_upper(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "strides", INTS(2));
  writer_text_attribute(w, "auto_pad", "SAME_UPPER");
  writer_int_attribute(w, "group", 2);
  writer_node(w, "ConvTranspose", "a,b,c", "y");
}
static void convtranspose_volume(struct graph_writer *w) {
  w->opset = 22;
  writer_ints_attribute(w, "dilations", INTS(1, 2, 1));
  writer_ints_attribute(w, "strides", INTS(1, 1, 2));
  writer_node(w, "ConvTranspose", "a,b", "y");
}
static void maxpool_indices(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "strides", INTS(2, 1));
  writer_ints_attribute(w, "pads", INTS(1, 0, 0, 0));
  writer_node(w, "MaxPool", "a", "y,z");
}
static void maxpool_indices_by_columns(struct graph_writer *w) {
  writer_int_attribute(w, "storage_order", 1);
  maxpool_indices(w);
}
static void maxpool_ceil_and_dilations(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "strides", INTS(2, 2));
  writer_ints_attribute(w, "dilations", INTS(1, 2));
  writer_int_attribute(w, "ceil_mode", 1);
  writer_node(w, "MaxPool", "a", "y");
}
static void maxpool_volume(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "kernel_shape", INTS(1, 2, 2));
  writer_ints_attribute(w, "strides", INTS(1, 1, 2));
  writer_node(w, "MaxPool", "a", "y");
}
static void averagepool_padding(struct graph_writer *w) {
  w->opset = 13;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 3));
  writer_ints_attribute(w, "strides", INTS(1, 2));
  writer_ints_attribute(w, "pads", INTS(0, 1, 1, 1));
  writer_node(w, "AveragePool", "a", "y");
}
static void averagepool_counting_padding_ceil(struct graph_writer *w) {
  w->opset = 19;
  writer_ints_attribute(w, "kernel_shape", INTS(3, 2));
  writer_ints_attribute(w, "strides", INTS(2, 2));
  writer_ints_attribute(w, "pads", INTS(1, 0, 1, 1));
  writer_int_attribute(w, "ceil_mode", 1);
  writer_int_attribute(w, "count_include_pad", 1);
  writer_node(w, "AveragePool", "a", "y");
}
static void averagepool_dilations(struct graph_writer *w) {
  w->opset = 19;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "dilations", INTS(2, 1));
  writer_node(w, "AveragePool", "a", "y");
}
static void lppool(struct graph_writer *w) {
  w->opset = 18;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_int_attribute(w, "p", 3);
  writer_node(w, "LpPool", "a", "y");
}
static void globalaveragepool(struct graph_writer *w) {
  w->opset = 13;
  writer_node(w, "GlobalAveragePool", "a", "y");
}
static void globalmaxpool(struct graph_writer *w) {
  w->opset = 13;
  writer_node(w, "GlobalMaxPool", "a", "y");
}
static void globallppool(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "p", 1);
  writer_node(w, "GlobalLpPool", "a", "y");
}
static void batchnormalization(struct graph_writer *w) {
  w->opset = 15;
  writer_float_attribute(w, "epsilon", 0.25F);
  writer_node(w, "BatchNormalization", "a,b,c,d,e", "y");
}
static void batchnormalization_training(struct graph_writer *w) {
  w->opset = 15;
  writer_float_attribute(w, "epsilon", 0.25F);
  writer_float_attribute(w, "momentum", 0.75F);
  writer_int_attribute(w, "training_mode", 1);
  writer_node(w, "BatchNormalization", "a,b,c,d,e", "y,z,w");
}
static void layernormalization(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 1);
  writer_float_attribute(w, "epsilon", 0.5F);
  writer_node(w, "LayerNormalization", "a,b,c", "y,z,w");
}
static void rmsnormalization(struct graph_writer *w) {
  w->opset = 23;
  writer_float_attribute(w, "epsilon", 0.5F);
  writer_node(w, "RMSNormalization", "a,b", "y");
}
static void instancenormalization(struct graph_writer *w) {
  w->opset = 13;
  writer_node(w, "InstanceNormalization", "a,b,c", "y");
}
static void groupnormalization_18(struct graph_writer *w) {
  w->opset = 18;
  writer_int_attribute(w, "num_groups", 2);
  writer_node(w, "GroupNormalization", "a,b,c", "y");
}
static void groupnormalization_21(struct graph_writer *w) {
  w->opset = 21;
  writer_int_attribute(w, "num_groups", 2);
  writer_node(w, "GroupNormalization", "a,b,c", "y");
}
static void lpnormalization(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "axis", 1);
  writer_node(w, "LpNormalization", "a", "y");
}
static void lpnormalization_p_1(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "p", 1);
  writer_node(w, "LpNormalization", "a", "y");
}
static void lrn(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "size", 3);
  writer_float_attribute(w, "alpha", 0.5F);
  writer_float_attribute(w, "beta", 0.5F);
  writer_float_attribute(w, "bias", 1.5F);
  writer_node(w, "LRN", "a", "y");
}
static void softmax(struct graph_writer *w) {
  w->opset = 13;
  writer_node(w, "Softmax", "a", "y");
}
static void softmax_axis_0(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Softmax", "a", "y");
}
static void logsoftmax(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "axis", 1);
  writer_node(w, "LogSoftmax", "a", "y");
}
static void hardmax(struct graph_writer *w) {
  w->opset = 13;
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Hardmax", "a", "y");
}

/* Data without elements: what is empty stays so, and nothing is read. */
static void softmax_empty(struct graph_writer *w) { writer_node(w, "Softmax", "a", "y"); }
static void softmax_empty_columns(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "LogSoftmax", "a", "y");
}
static void hardmax_empty(struct graph_writer *w) { writer_node(w, "Hardmax", "a", "y"); }
static void lp_empty(struct graph_writer *w) { writer_node(w, "LpNormalization", "a", "y"); }
static void layer_empty(struct graph_writer *w) {
  writer_node(w, "LayerNormalization", "a,b", "y");
}
static void batch_empty(struct graph_writer *w) {
  writer_node(w, "BatchNormalization", "a,b,c,d,e", "y");
}

static const struct value_case cases[] = {
    {"Softmax, empty rows", softmax_empty, {{2, {3, 0}}}, {{{2, {3, 0}}, NUMBERS(0)}}},
    {"Softmax, no row", softmax_empty, {{2, {0, 3}}}, {{{2, {0, 3}}, NUMBERS(0)}}},
    {"LogSoftmax, empty", softmax_empty_columns, {{2, {0, 3}}}, {{{2, {0, 3}}, NUMBERS(0)}}},
    {"Hardmax, empty", hardmax_empty, {{2, {3, 0}}}, {{{2, {3, 0}}, NUMBERS(0)}}},
    {"LpNormalization, empty", lp_empty, {{2, {3, 0}}}, {{{2, {3, 0}}, NUMBERS(0)}}},
    {"LayerNormalization, empty rows",
     layer_empty,
     {{2, {3, 0}}, {1, {0}}},
     {{{2, {3, 0}}, NUMBERS(0)}}},
    {"LayerNormalization, no row",
     layer_empty,
     {{2, {0, 3}}, {1, {3}}},
     {{{2, {0, 3}}, NUMBERS(0)}}},
    {"BatchNormalization, empty",
     batch_empty,
     {{3, {0, 2, 3}}, {1, {2}}, {1, {2}}, {1, {2}}, {1, {2}}},
     {{{3, {0, 2, 3}}, NUMBERS(0)}}},
    {"Conv, volume",
     conv_volume,
     {{5, {1, 2, 2, 3, 2}}, {5, {2, 2, 2, 2, 1}}, {1, {2}}},
     {{{5, {1, 2, 1, 3, 3}},
       NUMBERS(-1.5, 0.75, -2.25, -1.5, 0.4375, -2.5625, -1.5, -1.75, -0.6875, 1.25, -1.6875,
               1.0625, 1.25, -1.0625, 1.6875, 1.25, 0.125, 1.625)}}},
    {"Conv, depthwise",
     conv_depthwise,
     {{4, {1, 2, 3, 4}}, {4, {2, 1, 2, 3}}},
     {{{4, {1, 2, 2, 2}}, NUMBERS(-1.5, -1.5625, -1.4375, -3.75, -0.75, 0.875, 1.625, 3.875)}}},
    {"Conv, dilated",
     conv_dilated,
     {{4, {1, 1, 4, 3}}, {4, {2, 1, 2, 2}}, {1, {2}}},
     {{{4, {1, 2, 4, 3}},
       NUMBERS(-2.125, -0.375, -2.1875, -1.6875, -0.125, -2.4375, -2.6875, -3, -1.25, -2.0625,
               0.375, -3.375, 1.875, -0.5, 3.1875, 0.3125, 1.75, -0.125, 2.8125, 0.1875, 2.375,
               1.25, 0.5, 2.25)}}},
    {"ConvTranspose",
     convtranspose,
     {{4, {1, 2, 2, 3}}, {4, {2, 1, 2, 2}}, {1, {1}}},
     {{{4, {1, 1, 4, 3}},
       NUMBERS(-2, 0.0625, -2.4375, -1.625, 0.25, -0.5625, 0.125, -1.875, -0.9375, -0.0625, -2.25,
               -0.5625)}}},
    {"ConvTranspose, output_shape",
     convtranspose_output_shape,
     {{4, {1, 1, 2, 2}}, {4, {1, 1, 2, 3}}},
     {{{4, {1, 1, 6, 5}},
       NUMBERS(2.25, -1.125, 0, 0.1875, -0.0625, 1.875, -1.5, -0.3125, 0.25, 0, 0, 0, 0, 0, 0,
               1.875, -0.9375, -0.4375, 0.375, -0.125, 1.5625, -1.25, -0.625, 0.5, 0, 0, 0, 0, 0,
               0)}}},
    {"ConvTranspose, SAME_UPPER",
     convtranspose_same_upper,
     {{3, {1, 2, 3}}, {3, {2, 2, 3}}, {1, {4}}},
     {{{3, {1, 4, 6}},
       NUMBERS(0.75, -2.625, -1.5, -1.3125, 0.3125, -2.4375, 3.125, -0.25, 0.9375, 1.5, 2.8125, 0,
               0.25, 1.375, 1.875, -0.5, -0.25, 1.6875, -0.125, 1, 1.25, -1.25, -0.8125, 1.375)}}},
    {"ConvTranspose, volume",
     convtranspose_volume,
     {{5, {1, 1, 2, 2, 2}}, {5, {1, 1, 1, 2, 2}}},
     {{{5, {1, 1, 2, 4, 4}},
       NUMBERS(2.25, -1.125, -0.375, 0.1875, 1.875, -0.9375, -0.75, 0.375, 0.375, 1.875, -0.0625,
               -0.3125, 0.3125, 1.5625, -0.125, -0.625, 1.5, -0.75, -1.125, 0.5625, 1.125, -0.5625,
               -1.5, 0.75, 0.25, 1.25, -0.1875, -0.9375, 0.1875, 0.9375, -0.25, -1.25)}}},
    {"MaxPool, indices",
     maxpool_indices,
     {{4, {1, 2, 3, 3}}},
     {{{4, {1, 2, 2, 2}}, NUMBERS(0.25, 0.25, 1, 1, 1.25, 1.5, 0.5, 0.5)},
      {{4, {1, 2, 2, 2}}, NUMBERS(1, 1, 7, 7, 9, 11, 16, 16)}}},
    {"MaxPool, indices by columns", /* place (row, column) of 3 by 3 is row + 3 column */
     maxpool_indices_by_columns,
     {{4, {1, 2, 3, 3}}},
     {{{4, {1, 2, 2, 2}}, NUMBERS(0.25, 0.25, 1, 1, 1.25, 1.5, 0.5, 0.5)},
      {{4, {1, 2, 2, 2}}, NUMBERS(3, 3, 5, 5, 9, 15, 14, 14)}}},
    {"MaxPool, ceil and dilations",
     maxpool_ceil_and_dilations,
     {{4, {1, 1, 4, 6}}},
     {{{4, {1, 1, 2, 3}}, NUMBERS(-0.5, -0.25, -0.25, 1, 1.25, 1.25)}}},
    {"MaxPool, volume",
     maxpool_volume,
     {{5, {1, 1, 2, 3, 4}}},
     {{{5, {1, 1, 2, 2, 2}}, NUMBERS(0.75, 1, 1.25, 1.5, 0.5, 0.75, 1, 1.25)}}},
    {"AveragePool, padding",
     averagepool_padding,
     {{4, {1, 1, 3, 4}}},
     {{{4, {1, 1, 3, 2}}, NUMBERS(-0.375, 0.08333334, 0.125, 0.5833333, 0.375, 0.8333333)}}},
    {"AveragePool, counting padding, ceil",
     averagepool_counting_padding_ceil,
     {{4, {1, 1, 4, 4}}},
     {{{4, {1, 1, 3, 2}}, NUMBERS(-0.25, -0.08333334, -0.1666667, 0.08333334, -0.375, -0.25)}}},
    {"AveragePool, dilations",
     averagepool_dilations,
     {{4, {1, 1, 4, 3}}},
     {{{4, {1, 1, 2, 2}}, NUMBERS(-0.25, -0.125, 0.125, 0.25)}}},
    {"LpPool",
     lppool,
     {{4, {1, 1, 3, 3}}},
     {{{4, {1, 1, 2, 2}}, NUMBERS(1.652872, 1.502311, 1.365639, 1.365639)}}},
    {"GlobalAveragePool",
     globalaveragepool,
     {{4, {2, 2, 2, 3}}},
     {{{4, {2, 2, 1, 1}}, NUMBERS(-0.375, 0.375, -0.5, 0.25)}}},
    {"GlobalMaxPool",
     globalmaxpool,
     {{3, {2, 2, 5}}},
     {{{3, {2, 2, 1}}, NUMBERS(0.5, 1.25, 1.5, 0.75)}}},
    {"GlobalLpPool", globallppool, {{3, {2, 2, 3}}}, {{{3, {2, 2, 1}}, NUMBERS(3, 2.25, 2.25, 3)}}},
    {"BatchNormalization",
     batchnormalization,
     {{3, {2, 3, 2}}, {1, {3}}, {1, {3}}, {1, {3}}, {1, {3}}},
     {{{3, {2, 3, 2}},
       NUMBERS(-1.5, -3.356155, 1.403093, 2.474745, 0.625, 0.1875, -2.295495, -4.15165, 1.862372,
               2.934024, 0.4375, 0)}}},
    {"BatchNormalization, training",
     batchnormalization_training,
     {{3, {3, 2, 2}}, {1, {2}}, {1, {2}}, {1, {2}}, {1, {2}}},
     {{{3, {3, 2, 2}},
       NUMBERS(0.396844, -2.017321, 0.301578, 1.508661, -0.2929175, -2.707083, 0.6464587, 1.853541,
               -0.9826789, -3.396844, 0.9913395, 2.198422)},
      {{1, {2}}, NUMBERS(-1.15625, -1.09375)},
      {{1, {2}}, NUMBERS(1.545573, 1.170573)}}},
    {"LayerNormalization",
     layernormalization,
     {{3, {2, 2, 3}}, {2, {2, 3}}, {2, {2, 3}}},
     {{{3, {2, 2, 3}},
       NUMBERS(-0.02409804, 1.659973, 0.9413207, -0.7066032, -0.7966304, -0.75, -0.02409804,
               1.659973, 0.9413207, -0.7066032, -0.7966304, -0.75)},
      {{3, {2, 1, 1}}, NUMBERS(-0.375, 0.375)},
      {{3, {2, 1, 1}}, NUMBERS(0.8746086, 0.8746086)}}},
    {"RMSNormalization",
     rmsnormalization,
     {{2, {2, 5}}, {1, {5}}},
     {{{2, {2, 5}},
       NUMBERS(1.821997, 0.1518331, 0.2530551, -0.5061102, -0.8097763, -0.9914684, -0.4957342,
               -0.2203263, 0.5508158, 1.101632)}}},
    {"InstanceNormalization",
     instancenormalization,
     {{3, {2, 2, 3}}, {1, {2}}, {1, {2}}},
     {{{3, {2, 2, 3}},
       NUMBERS(-0.2060175, -3.602722, -0.6912611, 1.65437, 0.1986394, 1.896991, -0.2060176,
               -3.602721, -0.6912611, 1.654369, 0.1986392, 1.896991)}}},
    {"GroupNormalization 18",
     groupnormalization_18,
     {{3, {1, 4, 2}}, {1, {2}}, {1, {2}}},
     {{{3, {1, 4, 2}},
       NUMBERS(0.1970454, -2.772784, -0.2272159, -3.197045, 0.4014773, 1.886392, 0.6136079,
               2.098523)}}},
    {"GroupNormalization 21",
     groupnormalization_21,
     {{3, {1, 4, 2}}, {1, {4}}, {1, {4}}},
     {{{3, {1, 4, 2}},
       NUMBERS(0.1970454, -2.772784, 0.6136079, 2.098523, 1.032841, 0.5378693, 1.310653,
               -1.164205)}}},
    {"LpNormalization",
     lpnormalization,
     {{3, {2, 3, 2}}},
     {{{3, {2, 3, 2}},
       NUMBERS(-0.6837634, 0.2672612, -0.5698029, 0.5345225, -0.4558423, 0.8017837, -0.8017837,
               0.4558423, -0.5345225, 0.5698029, -0.2672612, 0.6837634)}}},
    {"LpNormalization, p = 1",
     lpnormalization_p_1,
     {{2, {3, 4}}},
     {{{2, {3, 4}},
       NUMBERS(-0.4285714, 0.07142857, -0.3571429, 0.1428571, -0.2857143, 0.2142857, -0.2142857,
               0.2857143, -0.1428571, 0.3571429, -0.07142857, 0.4285714)}}},
    {"LRN",
     lrn,
     {{4, {1, 5, 1, 2}}},
     {{{4, {1, 5, 1, 2}},
       NUMBERS(-1.026479, 0.20067, -0.8238525, 0.3897419, -0.7034524, 0.5586938, -0.5586938,
               0.7034525, -0.3909811, 0.9004503)}}},
    {"Softmax",
     softmax,
     {{2, {2, 5}}},
     {{{2, {2, 5}},
       NUMBERS(0.05856033, 0.3369914, 0.07519295, 0.4327056, 0.09654966, 0.2251045, 0.0502276,
               0.2890399, 0.06449351, 0.3711345)}}},
    {"Softmax, axis 0",
     softmax_axis_0,
     {{2, {3, 2}}},
     {{{2, {3, 2}}, NUMBERS(0.2542752, 0.2542752, 0.3264959, 0.3264959, 0.419229, 0.419229)}}},
    {"LogSoftmax",
     logsoftmax,
     {{3, {1, 4, 2}}},
     {{{3, {1, 4, 2}},
       NUMBERS(-1.800016, -1.800016, -1.550016, -1.550016, -1.300016, -1.300016, -1.050016,
               -1.050016)}}},
    {"Hardmax",
     hardmax,
     {{2, {3, 4}}},
     {{{2, {3, 4}}, NUMBERS(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1)}}},
};

int main(void) {
  enum { COUNT = sizeof cases / sizeof cases[0] };
  struct CMUnitTest tests[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    tests[i] =
        (struct CMUnitTest){cases[i].name, test_case, NULL, NULL, (void *)(uintptr_t)&cases[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
