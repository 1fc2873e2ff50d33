/* SPDX-License-Identifier: Apache-2.0
 *
 * test_window_norm_refusals.c: graphs whose convolutions, poolings or normalisations contradict
 * themselves, ask for what is not supported, or are made to overflow: each is refused, and the
 * message says what was found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "unit/train/graph_writer.h"

#define INTS(...)                                                                                  \
  sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]) { __VA_ARGS__ }
#define HUGE_INT INT64_C(0x7fffffffffffffff)

/* Data x of [batch, 4, 5, 6], an initializer w of the given shape, c of [4], and the node. */
struct refusal {
  const char *name;
  void (*write)(struct graph_writer *writer);
  struct fed_shape weights;
  int code;
  const char *message;
};

static void conv(struct graph_writer *w) { writer_node(w, "Conv", "x,w", "y"); }
static void conv_bias(struct graph_writer *w) { writer_node(w, "Conv", "x,w,c", "y"); }
static void conv_no_group(struct graph_writer *w) {
  writer_int_attribute(w, "group", 0);
  conv(w);
}
static void conv_three_groups(struct graph_writer *w) {
  writer_int_attribute(w, "group", 3);
  conv(w);
}
static void conv_zero_stride(struct graph_writer *w) {
  writer_ints_attribute(w, "strides", INTS(1, 0));
  conv(w);
}
static void conv_one_stride(struct graph_writer *w) {
  writer_ints_attribute(w, "strides", INTS(1));
  conv(w);
}
static void conv_negative_pads(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(0, 0, -1, 0));
  conv(w);
}
static void conv_huge_pads(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(HUGE_INT, 0, HUGE_INT, 0));
  conv(w);
}
static void conv_huge_dilation(struct graph_writer *w) {
  writer_ints_attribute(w, "dilations", INTS(HUGE_INT, 1));
  conv(w);
}
static void conv_wide_dilation(struct graph_writer *w) {
  writer_ints_attribute(w, "dilations", INTS(4, 1));
  conv(w);
}
static void conv_other_kernel(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(3, 2));
  conv(w);
}
static void conv_odd_mode(struct graph_writer *w) {
  writer_text_attribute(w, "auto_pad", "SOMEHOW");
  conv(w);
}
static void transposed(struct graph_writer *w) { writer_node(w, "ConvTranspose", "x,w", "y"); }
static void transposed_padding(struct graph_writer *w) {
  writer_ints_attribute(w, "output_padding", INTS(1, 0));
  transposed(w);
}
static void transposed_nothing(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(3, 0, 3, 0));
  transposed(w);
}
static void transposed_huge(struct graph_writer *w) {
  writer_ints_attribute(w, "strides", INTS(INT64_C(1) << 31, 1));
  transposed(w);
}
static void transposed_groups(struct graph_writer *w) {
  writer_int_attribute(w, "group", HUGE_INT);
  transposed(w);
}
static void max_pool(struct graph_writer *w) { writer_node(w, "MaxPool", "x", "y"); }
static void max_pool_padded(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "pads", INTS(2, 0, 0, 0));
  max_pool(w);
}
static void average_huge(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(HUGE_INT, 2));
  writer_node(w, "AveragePool", "x", "y");
}
static void lp_pool_zero(struct graph_writer *w) {
  writer_int_attribute(w, "p", 0);
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_node(w, "LpPool", "x", "y");
}
static void softmax_far(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 4);
  writer_node(w, "Softmax", "x", "y");
}
static void layer(struct graph_writer *w) { writer_node(w, "LayerNormalization", "x,w", "y"); }
static void instance(struct graph_writer *w) {
  writer_node(w, "InstanceNormalization", "x,w,c", "y");
}
static void group(struct graph_writer *w) {
  w->opset = 21;
  writer_int_attribute(w, "num_groups", 3);
  writer_node(w, "GroupNormalization", "x,w,c", "y");
}
static void group_missing(struct graph_writer *w) {
  w->opset = 21;
  writer_node(w, "GroupNormalization", "x,w,c", "y");
}
static void batch(struct graph_writer *w) {
  writer_node(w, "BatchNormalization", "x,w,c,c,c", "y");
}
static void batch_computed_statistics(struct graph_writer *w) {
  writer_node(w, "Abs", "c", "d");
  writer_int_attribute(w, "training_mode", 1);
  writer_node(w, "BatchNormalization", "x,w,c,d,d", "y");
}
static void batch_old(struct graph_writer *w) {
  w->opset = 13;
  writer_node(w, "BatchNormalization", "x,w,c,c,c", "y,mean,variance");
}
static void lp_cubes(struct graph_writer *w) {
  writer_int_attribute(w, "p", 3);
  writer_node(w, "LpNormalization", "x", "y");
}
static void lrn_nothing(struct graph_writer *w) { writer_node(w, "LRN", "x", "y"); }

static const struct refusal refusals[] = {
    {"Conv, channels", conv, {4, {2, 3, 2, 2}}, FED_E_SHAPE, "weights [2, 3, 2, 2] do not fit"},
    {"Conv, rank", conv, {3, {2, 4, 2}}, FED_E_SHAPE, "do not fit data"},
    {"Conv, no group", conv_no_group, {4, {2, 4, 2, 2}}, FED_E_SHAPE, "in 0 groups"},
    {"Conv, three groups", conv_three_groups, {4, {3, 1, 2, 2}}, FED_E_SHAPE, "in 3 groups"},
    {"Conv, bias", conv_bias, {4, {2, 4, 2, 2}}, FED_E_SHAPE, "the bias has shape [4]"},
    {"Conv, stride 0",
     conv_zero_stride,
     {4, {2, 4, 2, 2}},
     FED_E_RANGE,
     "'strides' has the value 0"},
    {"Conv, one stride", conv_one_stride, {4, {2, 4, 2, 2}}, FED_E_SHAPE, "expected 2"},
    {"Conv, pads", conv_negative_pads, {4, {2, 4, 2, 2}}, FED_E_RANGE, "'pads' has the value -1"},
    {"Conv, huge pads", conv_huge_pads, {4, {2, 4, 2, 2}}, FED_E_RANGE, "'pads'"},
    {"Conv, huge dilation", conv_huge_dilation, {4, {2, 4, 2, 2}}, FED_E_RANGE, "'dilations'"},
    {"Conv, wide",
     conv_wide_dilation,
     {4, {2, 4, 3, 2}},
     FED_E_SHAPE,
     "covering 9 does not fit into 5"},
    {"Conv, kernel_shape",
     conv_other_kernel,
     {4, {2, 4, 2, 2}},
     FED_E_SHAPE,
     "differs from the weights"},
    {"Conv, auto_pad", conv_odd_mode, {4, {2, 4, 2, 2}}, FED_E_UNSUPPORTED, "'SOMEHOW'"},
    {"ConvTranspose, channels", transposed, {4, {2, 4, 2, 2}}, FED_E_SHAPE, "do not fit data"},
    {"ConvTranspose, padding",
     transposed_padding,
     {4, {4, 2, 2, 2}},
     FED_E_RANGE,
     "output_padding 1"},
    {"ConvTranspose, nothing",
     transposed_nothing,
     {4, {4, 2, 1, 1}},
     FED_E_SHAPE,
     "an extent of -1"},
    {"ConvTranspose, huge", transposed_huge, {4, {4, 2, 1, 1}}, FED_E_SHAPE, "an extent of"},
    {"ConvTranspose, groups", transposed_groups, {4, {4, 2, 1, 1}}, FED_E_SHAPE, "groups"},
    {"MaxPool, no kernel", max_pool, {1, {1}}, FED_E_MISSING, "kernel_shape"},
    {"MaxPool, padding", max_pool_padded, {1, {1}}, FED_E_SHAPE, "lies in the padding alone"},
    {"AveragePool, huge", average_huge, {1, {1}}, FED_E_RANGE, "'kernel_shape'"},
    {"LpPool, p = 0", lp_pool_zero, {1, {1}}, FED_E_RANGE, "'p' is 0"},
    {"Softmax, axis", softmax_far, {1, {1}}, FED_E_RANGE, "axis 4"},
    {"LayerNormalization, scale", layer, {1, {5}}, FED_E_SHAPE, "input 1 has shape [5]"},
    {"LayerNormalization, one number", layer, {1, {1}}, FED_E_SHAPE, "input 1 has shape [1]"},
    {"InstanceNormalization", instance, {2, {4, 1}}, FED_E_SHAPE, "input 1 has shape [4, 1]"},
    {"GroupNormalization, groups", group, {1, {4}}, FED_E_SHAPE, "4 channels cannot be 3 groups"},
    {"GroupNormalization, missing", group_missing, {1, {4}}, FED_E_SHAPE, "cannot be 0 groups"},
    {"BatchNormalization, scale",
     batch,
     {1, {3}},
     FED_E_SHAPE,
     "input 1 has shape [3], expected [4]"},
    {"BatchNormalization, computed",
     batch_computed_statistics,
     {1, {4}},
     FED_E_UNSUPPORTED,
     "'d' should be a float32 initializer"},
    {"BatchNormalization 9", batch_old, {1, {4}}, FED_E_UNSUPPORTED, "from opset 14 on"},
    {"LpNormalization", lp_cubes, {1, {1}}, FED_E_UNSUPPORTED, "'p' is 3"},
    {"LRN, no size", lrn_nothing, {1, {1}}, FED_E_RANGE, "'size' is 0"},
};

/* Some refusals come from the kernels, when a trainer is made. */
static int load_and_train(struct graph_writer *writer) {
  struct fed_model *model = NULL;
  struct fed_trainer *trainer = NULL;
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.batch_size = 2;
  options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  int code = fed_model_load(&writer->context, writer_finish(writer), NULL, &model);
  if (code == FED_OK) code = fed_trainer_new(&writer->context, model, &options, &trainer);
  fed_trainer_free(trainer);
  fed_model_free(model);
  return code;
}

static void test_refusal(void **state) {
  const struct refusal *test = *state;
  static const float zeros[256];
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 3, (const int64_t[]){4, 5, 6});
  writer_floats(&writer, "w", test->weights.rank, test->weights.dims, zeros);
  writer_floats(&writer, "c", 1, (const int64_t[]){4}, zeros);
  test->write(&writer);
  writer_output(&writer, "y");
  const int code = load_and_train(&writer);
  if (code == FED_OK) fail_msg("%s was not refused", test->name);
  if (code != test->code || !strstr(fed_error_last()->message, test->message))
    fail_msg("%s: found code %d: %s", test->name, code, fed_error_last()->message);
  writer_clear(&writer);
}

int main(void) {
  enum { COUNT = sizeof refusals / sizeof refusals[0] };
  struct CMUnitTest tests[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    tests[i] = (struct CMUnitTest){refusals[i].name, test_refusal, NULL, NULL,
                                   (void *)(uintptr_t)&refusals[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
