/* SPDX-License-Identifier: Apache-2.0
 *
 * test_operator_values.c: what operators give for small inputs that can be computed by hand: the
 * rules for padding, rounding and broadcasting of the ONNX operator specification.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/gradient.h"
#include "unit/train/graph_writer.h"

#define FLOATS(...)                                                                                \
  (const float[]) { __VA_ARGS__ }

/* Runs the graph, whose output is "y" with a batch of 1, and compares. */
static void check_output(struct graph_writer *writer, const struct fed_shape *shape,
                         const float *expected, const float *input) {
  struct fed_train_options options;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_metrics metrics = {0};
  struct fed_shape found;
  writer_output(writer, "y");
  must(fed_model_load(&writer->context, writer_finish(writer), NULL, &model));
  fed_train_options_init(&options);
  options.batch_size = 1;
  options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&writer->context, model, &options, &trainer));
  const struct fed_tensor *x = &fed_trainer_batch(trainer)->inputs[0];
  memcpy(x->data, input, fed_tensor_bytes(x));
  must(fed_evaluate_step(trainer, &metrics));
  const float *values = fed__trainer_output(trainer, &found);
  assert_true(fed_shape_equal(&found, shape));
  size_t elements;
  must(fed_shape_elements(shape, &elements));
  for (size_t i = 0; i < elements; i++)
    if (values[i] != expected[i])
      fail_msg("element %zu: expected %g, found %g", i, (double)expected[i], (double)values[i]);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(writer);
}

/* Convolution of 1 2 3 4 5 with the weights 100 10 1: each output shows what it covers. */
static void begin_digits(struct graph_writer *writer) {
  writer_init(writer);
  writer_input(writer, "x", 2, (const int64_t[]){1, 5});
  writer_floats(writer, "w", 3, (const int64_t[]){1, 1, 3}, FLOATS(100, 10, 1));
}

static void check_digits(struct graph_writer *writer, size_t count, const float *expected) {
  writer_node(writer, "Conv", "x,w", "y");
  check_output(writer, &(struct fed_shape){3, {1, 1, (int64_t)count}}, expected,
               FLOATS(1, 2, 3, 4, 5));
}

static void test_conv_plain(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_digits(&writer);
  check_digits(&writer, 3, FLOATS(123, 234, 345));
}

static void test_conv_pads(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_digits(&writer);
  writer_ints_attribute(&writer, "pads", 2, (const int64_t[]){2, 1});
  writer_ints_attribute(&writer, "strides", 1, (const int64_t[]){2});
  check_digits(&writer, 3, FLOATS(1, 123, 345));
}

static void test_conv_same_upper(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_digits(&writer);
  writer_text_attribute(&writer, "auto_pad", "SAME_UPPER");
  writer_ints_attribute(&writer, "strides", 1, (const int64_t[]){4});
  check_digits(&writer, 2, FLOATS(12, 450)); /* total padding 2: one at each end */
}

/* Four inputs at stride 3 need 2 outputs and total padding 2; kernel 2 leaves an odd one. */
static void check_same_odd(const char *mode, const float *expected) {
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){1, 4});
  writer_floats(&writer, "w", 3, (const int64_t[]){1, 1, 2}, FLOATS(10, 1));
  writer_text_attribute(&writer, "auto_pad", mode);
  writer_ints_attribute(&writer, "strides", 1, (const int64_t[]){3});
  writer_node(&writer, "Conv", "x,w", "y");
  check_output(&writer, &(struct fed_shape){3, {1, 1, 2}}, expected, FLOATS(1, 2, 3, 4));
}

static void test_conv_same_odd(void **state) {
  (void)state;
  check_same_odd("SAME_UPPER", FLOATS(12, 40));
  check_same_odd("SAME_LOWER", FLOATS(1, 34));
}

static void test_conv_dilated(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_digits(&writer);
  writer_ints_attribute(&writer, "dilations", 1, (const int64_t[]){2});
  check_digits(&writer, 1, FLOATS(135));
}

static void check_pool(int ceil_mode, size_t count, const float *expected) {
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){1, 6});
  writer_ints_attribute(&writer, "kernel_shape", 1, (const int64_t[]){3});
  writer_ints_attribute(&writer, "strides", 1, (const int64_t[]){2});
  writer_int_attribute(&writer, "ceil_mode", ceil_mode);
  writer_node(&writer, "MaxPool", "x", "y");
  check_output(&writer, &(struct fed_shape){3, {1, 1, (int64_t)count}}, expected,
               FLOATS(-5, -4, -9, -2, -7, -8));
}

static void test_pool_rounding(void **state) {
  (void)state;
  check_pool(0, 2, FLOATS(-4, -2));
  check_pool(1, 3, FLOATS(-4, -2, -7));
}

/* In ceil mode a window that would start behind the data is left out. */
static void test_pool_no_empty_window(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){1, 3});
  writer_ints_attribute(&writer, "kernel_shape", 1, (const int64_t[]){1});
  writer_ints_attribute(&writer, "strides", 1, (const int64_t[]){3});
  writer_int_attribute(&writer, "ceil_mode", 1);
  writer_node(&writer, "MaxPool", "x", "y");
  check_output(&writer, &(struct fed_shape){3, {1, 1, 1}}, FLOATS(7), FLOATS(7, 8, 9));
}

static void check_binary(const char *operator, const float * expected) {
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){2, 1});
  writer_floats(&writer, "b", 1, (const int64_t[]){3}, FLOATS(1, 2, 4));
  writer_node(&writer, operator, "x,b", "y");
  check_output(&writer, &(struct fed_shape){3, {1, 2, 3}}, expected, FLOATS(8, -16));
}

static void test_broadcast(void **state) {
  (void)state;
  check_binary("Add", FLOATS(9, 10, 12, -15, -14, -12));
  check_binary("Sub", FLOATS(7, 6, 4, -17, -18, -20));
  check_binary("Mul", FLOATS(8, 16, 32, -16, -32, -64));
  check_binary("Div", FLOATS(8, 4, 2, -16, -8, -4));
}

static void test_matmul_broadcast(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){1, 2});
  writer_floats(&writer, "b", 3, (const int64_t[]){2, 2, 1}, FLOATS(1, 2, 3, 4));
  writer_node(&writer, "MatMul", "x,b", "product"); /* [1, 1, 2] by [2, 2, 1] */
  writer_ints(&writer, "shape", 2, (const int64_t[]){1, -1});
  writer_node(&writer, "Reshape", "product,shape", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 2}}, FLOATS(50, 110), FLOATS(10, 20));
}

static void test_gemm(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  writer_floats(&writer, "b", 2, (const int64_t[]){3, 2}, FLOATS(1, 2, 3, 4, 5, 6));
  writer_floats(&writer, "c", 1, (const int64_t[]){3}, FLOATS(1, 0, -1));
  writer_int_attribute(&writer, "transB", 1);
  writer_float_attribute(&writer, "alpha", 2);
  writer_float_attribute(&writer, "beta", 0.5F);
  writer_node(&writer, "Gemm", "x,b,c", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 3}}, FLOATS(42.5F, 86, 129.5F), FLOATS(1, 10));
}

static void test_activations(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){3});
  writer_node(&writer, "Relu", "x", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 3}}, FLOATS(0, 0, 2), FLOATS(-1, 0, 2));
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){3});
  writer_node(&writer, "Sigmoid", "x", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 3}}, FLOATS(0, 0.5F, 1), FLOATS(-200, 0, 200));
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){3});
  writer_node(&writer, "Tanh", "x", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 3}}, FLOATS(-1, 0, 1), FLOATS(-200, 0, 200));
}

/* A shape from a Constant node; 0 copies an extent. */
static void test_constant_shape(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 2, (const int64_t[]){2, 2});
  writer_ints_attribute(&writer, "value_ints", 2, (const int64_t[]){0, 4});
  writer_node(&writer, "Constant", "", "shape");
  writer_node(&writer, "Reshape", "x,shape", "y");
  check_output(&writer, &(struct fed_shape){2, {1, 4}}, FLOATS(1, 2, 3, 4), FLOATS(1, 2, 3, 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv_plain),           cmocka_unit_test(test_conv_pads),
      cmocka_unit_test(test_conv_same_upper),      cmocka_unit_test(test_conv_same_odd),
      cmocka_unit_test(test_conv_dilated),         cmocka_unit_test(test_pool_rounding),
      cmocka_unit_test(test_pool_no_empty_window), cmocka_unit_test(test_broadcast),
      cmocka_unit_test(test_matmul_broadcast),     cmocka_unit_test(test_gemm),
      cmocka_unit_test(test_activations),          cmocka_unit_test(test_constant_shape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
