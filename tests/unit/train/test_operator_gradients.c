/* SPDX-License-Identifier: Apache-2.0
 *
 * test_operator_gradients.c: gradients of products, windows, views and of the graph's joints
 * (values with several readers, tied parameters) against finite differences. Values are compared
 * with closed forms elsewhere (test_operator_values.c, test_onnx_vectors.c).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

static void gemm_plain(struct graph_writer *w) { writer_node(w, "Gemm", "a,b", "y"); }
static void gemm_bias(struct graph_writer *w) { writer_node(w, "Gemm", "a,b,c", "y"); }
static void gemm_scaled(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 0.75F);
  writer_float_attribute(w, "beta", -1.5F);
  writer_node(w, "Gemm", "a,b,c", "y");
}
/* The loss does not see a shift of all logits: hence the Tanh. */
static void gemm_lone_bias(struct graph_writer *w) {
  writer_node(w, "Gemm", "a,b,c", "product");
  writer_node(w, "Tanh", "product", "y");
}
static void gemm_transposed_a(struct graph_writer *w) {
  writer_int_attribute(w, "transA", 1);
  gemm_scaled(w);
}
static void gemm_transposed_b(struct graph_writer *w) {
  writer_int_attribute(w, "transB", 1);
  gemm_scaled(w);
}
static void gemm_transposed_both(struct graph_writer *w) {
  writer_int_attribute(w, "transB", 1);
  gemm_transposed_a(w);
}
static void matmul(struct graph_writer *w) { writer_node(w, "MatMul", "a,b", "y"); }
static void add(struct graph_writer *w) { writer_node(w, "Add", "a,b", "y"); }
static void sub(struct graph_writer *w) { writer_node(w, "Sub", "a,b", "y"); }
static void mul(struct graph_writer *w) { writer_node(w, "Mul", "a,b", "y"); }
/* Div by 1.5 + sigmoid(b), which stays away from zero. */
static void quotient(struct graph_writer *w) {
  static const float offset = 1.5F;
  writer_floats(w, "offset", 0, NULL, &offset);
  writer_node(w, "Sigmoid", "b", "positive");
  writer_node(w, "Add", "positive,offset", "divisor");
  writer_node(w, "Div", "a,divisor", "y");
}
static void relu(struct graph_writer *w) { writer_node(w, "Relu", "a", "y"); }
static void sigmoid(struct graph_writer *w) { writer_node(w, "Sigmoid", "a", "y"); }
static void tanh_(struct graph_writer *w) { writer_node(w, "Tanh", "a", "y"); }

static void conv(struct graph_writer *w) { writer_node(w, "Conv", "a,b", "y"); }
static void conv_bias(struct graph_writer *w) { writer_node(w, "Conv", "a,b,c", "y"); }
static void conv_padded(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(1, 0, 2, 1));
  writer_ints_attribute(w, "strides", INTS(2, 1));
  conv_bias(w);
}
static void conv_dilated(struct graph_writer *w) {
  writer_ints_attribute(w, "dilations", INTS(1, 2));
  conv_bias(w);
}
static void conv_grouped(struct graph_writer *w) {
  writer_int_attribute(w, "group", 2);
  conv_padded(w);
}
static void conv_same(struct graph_writer *w) {
  writer_text_attribute(w, "auto_pad", "SAME_LOWER");
  writer_ints_attribute(w, "strides", INTS(2, 2));
  conv_bias(w);
}
static void conv_one_dimension(struct graph_writer *w) {
  writer_ints_attribute(w, "pads", INTS(2, 1));
  writer_ints_attribute(w, "strides", INTS(2));
  conv_bias(w);
}
static void pool(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(2, 2));
  writer_ints_attribute(w, "strides", INTS(2, 2));
  writer_node(w, "MaxPool", "a", "y");
}
static void pool_overlapping(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(3, 2));
  writer_ints_attribute(w, "pads", INTS(1, 0, 1, 1));
  writer_ints_attribute(w, "strides", INTS(2, 1));
  writer_ints_attribute(w, "dilations", INTS(1, 2));
  writer_node(w, "MaxPool", "a", "y");
}
static void pool_ceil(struct graph_writer *w) {
  writer_int_attribute(w, "ceil_mode", 1);
  pool(w);
}
static void pool_one_dimension(struct graph_writer *w) {
  writer_ints_attribute(w, "kernel_shape", INTS(3));
  writer_node(w, "MaxPool", "a", "y");
}

static void flatten(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 2);
  writer_node(w, "Flatten", "a", "flattened");
  writer_node(w, "MatMul", "flattened,b", "y");
}
static void reshape(struct graph_writer *w) {
  writer_ints(w, "wanted", INTS(0, -1, 2));
  writer_node(w, "Reshape", "a,wanted", "reshaped");
  writer_node(w, "Mul", "reshaped,b", "y");
}
static void squeezed(struct graph_writer *w) {
  writer_ints(w, "first", INTS(0));
  writer_ints(w, "ends", INTS(0, -1));
  writer_node(w, "Squeeze", "a,first", "less");
  writer_node(w, "Unsqueeze", "less,ends", "more");
  writer_node(w, "Mul", "more,b", "y");
}
/* One value as both operands, and again later. */
static void same_twice(struct graph_writer *w) {
  writer_node(w, "Tanh", "a", "t");
  writer_node(w, "Mul", "t,t", "square");
  writer_node(w, "Add", "square,t", "y");
}
/* A residual connection whose branches go through views. */
static void residual(struct graph_writer *w) {
  writer_node(w, "MatMul", "a,b", "h");
  writer_node(w, "Identity", "h", "left");
  writer_node(w, "Flatten", "h", "right");
  writer_node(w, "Sigmoid", "right", "gate");
  writer_node(w, "Mul", "left,gate", "product");
  writer_node(w, "Add", "product,h", "y");
}
/* A parameter in two places. */
static void tied(struct graph_writer *w) {
  writer_node(w, "MatMul", "a,b", "h");
  writer_node(w, "Tanh", "h", "t");
  writer_node(w, "MatMul", "t,b", "y");
}

static const struct operand_case cases[] = {
    {"Gemm", gemm_plain, {{2, {3, 4}}, {2, {4, 5}}}},
    {"Gemm, bias row", gemm_bias, {{2, {3, 4}}, {2, {4, 5}}, {1, {5}}}},
    {"Gemm, bias column", gemm_scaled, {{2, {3, 4}}, {2, {4, 5}}, {2, {3, 1}}}},
    {"Gemm, bias matrix", gemm_scaled, {{2, {3, 4}}, {2, {4, 5}}, {2, {3, 5}}}},
    {"Gemm, lone bias", gemm_lone_bias, {{2, {3, 4}}, {2, {4, 5}}, {1, {1}}}},
    {"Gemm, a transposed", gemm_transposed_a, {{2, {4, 3}}, {2, {4, 5}}, {1, {5}}}},
    {"Gemm, b transposed", gemm_transposed_b, {{2, {3, 4}}, {2, {5, 4}}, {2, {1, 5}}}},
    {"Gemm, both transposed", gemm_transposed_both, {{2, {4, 3}}, {2, {5, 4}}, {1, {5}}}},
    {"MatMul", matmul, {{2, {3, 4}}, {2, {4, 2}}}},
    {"MatMul, rows of a batch", matmul, {{3, {2, 3, 4}}, {2, {4, 2}}}},
    {"MatMul, batches", matmul, {{3, {2, 3, 4}}, {3, {2, 4, 2}}}},
    {"MatMul, broadcast left", matmul, {{2, {3, 4}}, {3, {2, 4, 2}}}},
    {"MatMul, broadcast both", matmul, {{4, {2, 1, 3, 4}}, {4, {1, 3, 4, 2}}}},
    {"MatMul, vector left", matmul, {{1, {4}}, {3, {2, 4, 3}}}},
    {"MatMul, vector right", matmul, {{3, {2, 3, 4}}, {1, {4}}}},
    {"Add", add, {{2, {3, 4}}, {2, {3, 4}}}},
    {"Add, bias", add, {{3, {2, 3, 4}}, {1, {4}}}},
    {"Add, channels", add, {{4, {2, 3, 2, 2}}, {3, {3, 1, 1}}}},
    {"Sub, outer", sub, {{2, {3, 1}}, {2, {1, 4}}}},
    {"Mul", mul, {{3, {2, 3, 2}}, {3, {2, 3, 2}}}},
    {"Mul, broadcast", mul, {{4, {2, 1, 3, 1}}, {3, {4, 1, 2}}}},
    {"Mul, lone number", mul, {{1, {1}}, {2, {3, 2}}}},
    {"Div", quotient, {{2, {3, 4}}, {1, {4}}}},
    {"Relu", relu, {{2, {5, 7}}}},
    {"Sigmoid", sigmoid, {{2, {3, 4}}}},
    {"Tanh", tanh_, {{2, {3, 4}}}},
    {"Conv", conv, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 2}}}},
    {"Conv, bias", conv_bias, {{4, {1, 1, 4, 4}}, {4, {2, 1, 1, 1}}, {1, {2}}}},
    {"Conv, pads and strides", conv_padded, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 2}}, {1, {3}}}},
    {"Conv, dilations", conv_dilated, {{4, {1, 2, 4, 6}}, {4, {2, 2, 2, 3}}, {1, {2}}}},
    {"Conv, groups", conv_grouped, {{4, {2, 4, 4, 4}}, {4, {6, 2, 2, 3}}, {1, {6}}}},
    {"Conv, auto_pad", conv_same, {{4, {1, 1, 5, 4}}, {4, {2, 1, 3, 3}}, {1, {2}}}},
    {"Conv, frozen weights", conv_padded, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 2}}, {1, {3}}}, "a,c"},
    {"Conv, frozen bias", conv_padded, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 2}}, {1, {3}}}, "b"},
    {"Conv, only data", conv_padded, {{4, {2, 2, 4, 5}}, {4, {3, 2, 3, 2}}, {1, {3}}}, "a"},
    {"Gemm, frozen factors", gemm_bias, {{2, {3, 4}}, {2, {4, 5}}, {1, {5}}}, "c"},
    {"MatMul, frozen left", matmul, {{2, {3, 4}}, {3, {2, 4, 2}}}, "b"},
    {"Conv, one dimension", conv_one_dimension, {{3, {2, 2, 7}}, {3, {3, 2, 3}}, {1, {3}}}},
    {"MaxPool", pool, {{4, {2, 2, 4, 4}}}},
    {"MaxPool, overlapping", pool_overlapping, {{4, {2, 2, 5, 5}}}},
    {"MaxPool, ceil", pool_ceil, {{4, {1, 2, 5, 3}}}},
    {"MaxPool, one dimension", pool_one_dimension, {{3, {2, 2, 7}}}},
    {"Flatten", flatten, {{3, {2, 3, 4}}, {2, {4, 3}}}},
    {"Reshape", reshape, {{2, {2, 8}}, {1, {2}}}},
    {"Squeeze, Unsqueeze", squeezed, {{3, {1, 3, 2}}, {1, {3}}}},
    {"same value twice", same_twice, {{2, {3, 3}}}},
    {"residual", residual, {{2, {3, 4}}, {2, {4, 2}}}},
    {"tied", tied, {{2, {3, 4}}, {2, {4, 4}}}},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
