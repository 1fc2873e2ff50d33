/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_window.c: gradients of convolutions and poolings: dimensions, groups, padding of
 * every kind, strides, dilations, and windows that hang over the end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

static void conv(struct graph_writer *w) { writer_node(w, "Conv", "a,b,c", "y"); }
static void conv_bare(struct graph_writer *w) { writer_node(w, "Conv", "a,b", "y"); }
static void conv_volume(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(1, 0, 2, 0, 1, 1));
  writer_ints_attribute(w, "strides", INTS(2, 1, 2));
  writer_ints_attribute(w, "dilations", INTS(1, 2, 1));
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2, 3));
  conv(w);
}
static void conv_groups(struct graph_writer *w) {
  writer_int_attribute(w, "group", 2);
  conv(w);
}
static void conv_depthwise(struct graph_writer *w) {
  writer_int_attribute(w, "group", 3);
  writer_text_attribute(w, "auto_pad", "SAME_LOWER");
  writer_ints_attribute(w, "strides", INTS(2, 2));
  conv(w);
}
static void conv_valid(struct graph_writer *w) {
  writer_text_attribute(w, "auto_pad", "VALID");
  conv(w);
}

static void transposed(struct graph_writer *w) { writer_node(w, "ConvTranspose", "a,b,c", "y"); }
static void transposed_bare(struct graph_writer *w) { writer_node(w, "ConvTranspose", "a,b", "y"); }
static void transposed_padded(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(1, 0, 0, 2));
  writer_ints_attribute(w, "strides", INTS(2, 3));
  writer_ints_attribute(w, "output_padding", INTS(1, 2));
  transposed(w);
}
static void transposed_dilated(struct graph_writer *w) {
  writer_ints_attribute(w, "dilations", INTS(2, 3));
  writer_ints_attribute(w, "output_padding", INTS(1, 2));
  transposed(w);
}
static void transposed_shaped(struct graph_writer *w) {
  writer_ints_attribute(w, "strides", INTS(3, 2));
  writer_ints_attribute(w, "output_shape", INTS(10, 8));
  transposed_bare(w);
}
static void transposed_groups(struct graph_writer *w) {
  writer_int_attribute(w, "group", 2);
  writer_text_attribute(w, "auto_pad", "SAME_UPPER");
  writer_ints_attribute(w, "strides", INTS(2));
  transposed(w);
}
static void transposed_volume(struct graph_writer *w) {
  writer_ints_attribute(w, "strides", INTS(1, 2, 1));
  writer_ints_attribute(w, "pads", INTS(0, 1, 1, 1, 0, 0));
  transposed(w);
}

static void max_volume(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 3, 2));
  writer_ints_attribute(w, "strides", INTS(1, 2, 2));
  writer_ints_attribute(w, "pads", INTS(1, 0, 0, 0, 1, 1));
  writer_node(w, "MaxPool", "a", "y");
}
static void max_dilated(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "dilations", INTS(2, 3));
  writer_int_attribute(w, "ceil_mode", 1);
  writer_ints_attribute(w, "strides", INTS(2, 2));
  writer_node(w, "MaxPool", "a", "y,indices");
}
static void max_same(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(3));
  writer_ints_attribute(w, "strides", INTS(2));
  writer_text_attribute(w, "auto_pad", "SAME_LOWER");
  writer_node(w, "MaxPool", "a", "y");
}

static void average(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 3));
  writer_node(w, "AveragePool", "a", "y");
}
static void average_padded(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(1, 1, 0, 2));
  writer_ints_attribute(w, "strides", INTS(2, 2));
  average(w);
}
static void average_counting(struct graph_writer *w) {
  writer_int_attribute(w, "count_include_pad", 1);
  writer_int_attribute(w, "ceil_mode", 1);
  average_padded(w);
}
static void average_dilated(struct graph_writer *w) {
  w->opset = 19;
  writer_ints_attribute(w, "dilations", INTS(2, 1));
  average_padded(w);
}
static void average_volume(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2, 2));
  writer_text_attribute(w, "auto_pad", "SAME_UPPER");
  writer_node(w, "AveragePool", "a", "y");
}
static void average_signal(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(4));
  writer_ints_attribute(w, "strides", INTS(3));
  writer_int_attribute(w, "ceil_mode", 1);
  writer_node(w, "AveragePool", "a", "y");
}
static void global_average(struct graph_writer *w) {
  writer_node(w, "GlobalAveragePool", "a", "y");
}
static void global_max(struct graph_writer *w) { writer_node(w, "GlobalMaxPool", "a", "y"); }

static void lp_pool(struct graph_writer *w) {
  w->opset = 18;
  writer_ints_attribute(w, "kernel_shape", INTS(2, 3));
  writer_ints_attribute(w, "pads", INTS(1, 0, 0, 1));
  writer_node(w, "LpPool", "a", "y");
}
static void lp_pool_cubes(struct graph_writer *w) {
  writer_int_attribute(w, "p", 3);
  lp_pool(w);
}
static void global_lp_pool(struct graph_writer *w) { writer_node(w, "GlobalLpPool", "a", "y"); }

static const struct operand_case cases[] = {
    {"Conv, volume", conv_volume, {{5, {2, 2, 4, 5, 6}}, {5, {3, 2, 2, 2, 3}}, {1, {3}}}},
    {"Conv, volume, frozen weights",
     conv_volume,
     {{5, {1, 2, 4, 5, 6}}, {5, {3, 2, 2, 2, 3}}, {1, {3}}},
     "a,c"},
    {"Conv, only bias", conv_groups, {{4, {2, 4, 4, 4}}, {4, {6, 2, 2, 3}}, {1, {6}}}, "c"},
    {"Conv, only weights", conv_groups, {{4, {2, 4, 4, 4}}, {4, {6, 2, 2, 3}}, {1, {6}}}, "b"},
    {"Conv, depthwise, SAME_LOWER",
     conv_depthwise,
     {{4, {2, 3, 5, 6}}, {4, {6, 1, 3, 2}}, {1, {6}}}},
    {"Conv, VALID", conv_valid, {{3, {2, 3, 6}}, {3, {2, 3, 3}}, {1, {2}}}},
    {"Conv, kernel of the data's size", conv_bare, {{4, {2, 2, 3, 4}}, {4, {5, 2, 3, 4}}}},
    {"ConvTranspose", transposed, {{4, {2, 3, 3, 4}}, {4, {3, 2, 2, 3}}, {1, {2}}}},
    {"ConvTranspose, pads", transposed_padded, {{4, {2, 2, 3, 3}}, {4, {2, 3, 3, 3}}, {1, {3}}}},
    {"ConvTranspose, dilations",
     transposed_dilated,
     {{4, {1, 2, 3, 3}}, {4, {2, 2, 2, 3}}, {1, {2}}}},
    {"ConvTranspose, output_shape", transposed_shaped, {{4, {1, 1, 3, 3}}, {4, {1, 2, 3, 3}}}},
    {"ConvTranspose, groups", transposed_groups, {{3, {2, 4, 5}}, {3, {4, 3, 3}}, {1, {6}}}},
    {"ConvTranspose, volume",
     transposed_volume,
     {{5, {1, 2, 2, 3, 3}}, {5, {2, 2, 2, 3, 2}}, {1, {2}}}},
    {"ConvTranspose, only data", transposed, {{4, {2, 3, 3, 4}}, {4, {3, 2, 2, 3}}, {1, {2}}}, "a"},
    {"ConvTranspose, only bias", transposed, {{4, {2, 3, 3, 4}}, {4, {3, 2, 2, 3}}, {1, {2}}}, "c"},
    {"MaxPool, volume", max_volume, {{5, {2, 2, 3, 5, 4}}}},
    {"MaxPool, dilations", max_dilated, {{4, {2, 2, 6, 7}}}},
    {"MaxPool, SAME_LOWER", max_same, {{3, {2, 3, 6}}}},
    {"AveragePool", average, {{4, {2, 2, 4, 5}}}},
    {"AveragePool, pads", average_padded, {{4, {2, 2, 5, 5}}}},
    {"AveragePool, counting padding", average_counting, {{4, {2, 2, 4, 6}}}},
    {"AveragePool, dilations", average_dilated, {{4, {1, 2, 5, 5}}}},
    {"AveragePool, volume", average_volume, {{5, {1, 2, 3, 3, 4}}}},
    {"AveragePool, one dimension", average_signal, {{3, {2, 2, 9}}}},
    {"GlobalAveragePool", global_average, {{4, {2, 3, 4, 5}}}},
    {"GlobalAveragePool, one dimension", global_average, {{3, {2, 3, 19}}}},
    {"LpPool", lp_pool, {{4, {2, 2, 3, 4}}}},
    {"LpPool, p = 3", lp_pool_cubes, {{4, {1, 2, 3, 4}}}},
    {"GlobalLpPool", global_lp_pool, {{3, {2, 3, 4}}}},
    {"GlobalMaxPool", global_max, {{5, {2, 3, 2, 3, 2}}}},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
