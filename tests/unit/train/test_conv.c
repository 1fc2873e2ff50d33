/* SPDX-License-Identifier: Apache-2.0
 *
 * test_conv.c: convolution of every table: the double reference against finite differences and the
 * example of the ONNX specification, every other table against it, over many shapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/train/conv_harness.h"

#include <pthread.h>

/* The loss of which dy is the gradient: the sum of y * dy. */
static double loss_of(struct fed_kernel_instance *instance, const struct fed_conv *conv,
                      struct conv_arrays *a) {
  oracle->conv_forward(instance, a->x.wide, a->w.wide, conv->has_bias ? a->bias.wide : NULL,
                       a->y.wide);
  double loss = 0;
  for (size_t i = 0; i < a->y.size; i++) loss += a->y.wide[i] * a->dy.wide[i];
  return loss;
}

static void move_along(struct vector *operand, const struct vector *direction, double far) {
  for (size_t i = 0; i < operand->size; i++) operand->wide[i] += far * direction->wide[i];
}

/* The loss is linear in each operand, so a central difference has no error but rounding. Along a
 * random direction it sees every element of the gradient at once. */
static void check_differences(struct fed_kernel_instance *instance, const struct fed_conv *conv,
                              struct conv_arrays *a, struct vector *operand,
                              const struct vector *gradient) {
  for (uint64_t seed = 5; seed < 8; seed++) {
    struct vector direction = new_random(operand->size, seed);
    double expected = 0, size = 0;
    for (size_t i = 0; i < operand->size; i++) {
      expected += gradient->wide[i] * direction.wide[i];
      size += fabs(gradient->wide[i] * direction.wide[i]);
    }
    move_along(operand, &direction, 0.5);
    const double above = loss_of(instance, conv, a);
    move_along(operand, &direction, -1);
    const double below = loss_of(instance, conv, a);
    move_along(operand, &direction, 0.5);
    assert_true(fabs(above - below - expected) <= 1e-12 * (1 + size));
    free_vector(&direction);
  }
}

static void conv_gradients_equal_differences(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(conv_cases); i++) {
    struct fed_conv conv = conv_of(&conv_cases[i]);
    if (conv.batch > 3) conv.batch = 3;
    struct conv_arrays a = new_arrays(&conv);
    run_oracle(&conv, &a);
    struct fed_kernel_instance *instance = new_conv(oracle, &conv);
    check_differences(instance, &conv, &a, &a.x, &a.dx);
    check_differences(instance, &conv, &a, &a.w, &a.dw);
    if (conv.has_bias) check_differences(instance, &conv, &a, &a.bias, &a.dbias);
    oracle->instance_free(instance);
    free_arrays(&a);
  }
}

/* The example of the ONNX specification of Conv (a 5 × 5 image counting up, a kernel of ones). */
static void conv_equals_the_onnx_example(void **state) {
  (void)state;
  static const struct conv_case padded = {
      "onnx", 1, 1, 1, 1, {1, 5, 5}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 0};
  static const double expected[25] = {12,  21, 27, 33,  24,  33,  54,  63, 72,  51,  63,  99, 108,
                                      117, 81, 93, 144, 153, 162, 111, 72, 111, 117, 123, 84};
  const struct fed_conv conv = conv_of(&padded);
  double x[25], w[9], y[25];
  for (int i = 0; i < 25; i++) x[i] = i;
  for (int i = 0; i < 9; i++) w[i] = 1;
  struct fed_kernel_instance *instance = new_conv(oracle, &conv);
  oracle->conv_forward(instance, x, w, NULL, y);
  assert_same_doubles(expected, y, 25);
  oracle->instance_free(instance);
}

static void contradictory_convs_are_refused(void **state) {
  (void)state;
  struct fed_kernel_instance *instance = NULL;
  struct fed_conv conv = conv_of(&conv_cases[4]);
  conv.window.out[2]++;
  assert_int_equal(oracle->conv_new(&context, &conv, &instance), FED_E_SHAPE);
  assert_non_null(
      strstr(fed_error_last()->message, "width: expected an output of at most 7, found 8"));
  conv = conv_of(&conv_cases[4]);
  conv.groups = 2;
  assert_int_equal(oracle->conv_new(&context, &conv, &instance), FED_E_SHAPE);
  conv = conv_of(&conv_cases[4]);
  conv.window.stride[0] = 0;
  assert_int_equal(oracle->conv_new(&context, &conv, &instance), FED_E_SHAPE);
  conv = conv_of(&conv_cases[4]);
  conv.window.kernel[1] = 100;
  assert_int_equal(oracle->conv_new(&context, &conv, &instance), FED_E_SHAPE);
  assert_null(instance);
}

static void float_reference_convolves(void **state) {
  (void)state;
  check_table(&fed__kernels_reference_f32);
}

static void onednn_table_convolves(void **state) {
  (void)state;
  const struct fed_kernel_table *table = find_onednn();
  if (!table) skip();
  check_table(table);
}

/* With Winograd's tiles, where the processor has them. */
static void automatic_table_convolves(void **state) {
  (void)state;
  const struct fed_kernel_table *table = NULL;
  assert_int_equal(fed__kernels_choose(FED_KERNELS_AUTO, FED_PRECISION_F32, &table), FED_OK);
  check_convs(table);
}

/* oneDNN computes every convolution here but those of groups with few channels; a mistake in
 * describing one to it would hide behind the reference, which takes over what oneDNN refuses. Other
 * bits show that it computed. */
static int left_to_reference(const struct fed_conv *conv) {
  const int64_t ins = conv->in_channels / conv->groups;
  const int depthwise = ins == 1 && conv->out_channels == conv->groups;
  if (conv->groups == 1) return 0;
  return conv->window.in[0] > 1 ? ins < 4 : ins < 3 && !depthwise;
}

static void onednn_computes_itself(void **state) {
  (void)state;
  const struct fed_kernel_table *const reference = &fed__kernels_reference_f32;
  const struct fed_kernel_table *table = find_onednn();
  if (!table) skip();
  for (size_t i = 0; i < COUNT(conv_cases); i++) {
    const struct fed_conv conv = conv_of(&conv_cases[i]);
    struct fed_kernel_instance *own = new_conv(table, &conv), *plain = new_conv(reference, &conv);
    const int refused = table->instance_bytes(own) == reference->instance_bytes(plain);
    if (refused != left_to_reference(&conv))
      fail_msg("oneDNN %s the convolution '%s'", refused ? "refused" : "took", conv_cases[i].name);
    table->instance_free(own), reference->instance_free(plain);
  }
  const struct fed_conv conv = conv_of(&conv_cases[3]);
  struct conv_arrays a = new_arrays(&conv), b = new_arrays(&conv);
  struct fed_kernel_instance *own = new_conv(table, &conv), *plain = new_conv(reference, &conv);
  run_table(table, own, &conv, &a);
  run_table(reference, plain, &conv, &b);
  assert_memory_not_equal(a.y.narrow, b.y.narrow, a.y.size * sizeof(float));
  assert_memory_not_equal(a.dx.narrow, b.dx.narrow, a.dx.size * sizeof(float));
  assert_memory_not_equal(a.dw.narrow, b.dw.narrow, a.dw.size * sizeof(float));
  table->instance_free(own), reference->instance_free(plain);
  free_arrays(&a), free_arrays(&b);
}

/* Threads with instances of their own get what one thread gets, bit for bit. */
static void *run_one_conv(void *arrays) {
  const struct fed_kernel_table *table = NULL;
  const struct fed_conv conv = conv_of(&conv_cases[3]);
  struct fed_kernel_instance *instance = NULL;
  if (fed__kernels_onednn(&table) != FED_OK) return NULL;
  if (table->conv_new(&context, &conv, &instance) != FED_OK) return NULL;
  for (int i = 0; i < 3; i++) run_table(table, instance, &conv, arrays);
  table->instance_free(instance);
  return arrays;
}

static void onednn_threads_agree(void **state) {
  (void)state;
  if (!find_onednn()) skip();
  const struct fed_conv conv = conv_of(&conv_cases[3]);
  struct conv_arrays arrays[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) arrays[i] = new_arrays(&conv);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, run_one_conv, &arrays[i]), 0);
  for (int i = 0; i < 4; i++) {
    void *result = NULL;
    pthread_join(threads[i], &result);
    assert_non_null(result);
    assert_memory_equal(arrays[0].dw.narrow, arrays[i].dw.narrow, arrays[0].dw.size * 4);
    assert_memory_equal(arrays[0].y.narrow, arrays[i].y.narrow, arrays[0].y.size * 4);
  }
  for (int i = 0; i < 4; i++) free_arrays(&arrays[i]);
}

static void failing_allocations_are_reported(void **state) {
  (void)state;
  check_allocation_failures(&fed__kernels_reference_f32);
  const struct fed_kernel_table *table = find_onednn();
  if (table) check_allocation_failures(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(conv_equals_the_onnx_example),
      cmocka_unit_test(conv_gradients_equal_differences),
      cmocka_unit_test(contradictory_convs_are_refused),
      cmocka_unit_test(float_reference_convolves),
      cmocka_unit_test(onednn_table_convolves),
      cmocka_unit_test(automatic_table_convolves),
      cmocka_unit_test(onednn_computes_itself),
      cmocka_unit_test(onednn_threads_agree),
      cmocka_unit_test(failing_allocations_are_reported),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
