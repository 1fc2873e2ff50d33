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

#include "unit/train/kernel_vectors.h"

#include <pthread.h>
#include <string.h>

struct conv_case {
  const char *name;
  int64_t batch, in, out, groups, size[3], kernel[3];
  int64_t stride[3], dilation[3], before[3], after[3];
  int has_bias;
};

#define ONES                                                                                       \
  { 1, 1, 1 }

static const struct conv_case conv_cases[] = {
    {"one pixel", 1, 1, 1, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, 1},
    {"pointwise", 3, 5, 7, 1, {1, 4, 6}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, 1},
    {"fashion 1",
     2,
     1,
     16,
     1,
     {1, 28, 28},
     {1, 5, 5},
     {1, 1, 1},
     {1, 1, 1},
     {0, 2, 2},
     {0, 2, 2},
     1},
    {"fashion 2",
     33,
     16,
     32,
     1,
     {1, 14, 14},
     {1, 5, 5},
     {1, 1, 1},
     {1, 1, 1},
     {0, 2, 2},
     {0, 2, 2},
     1},
    {"no bias", 4, 3, 8, 1, {1, 9, 7}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 0},
    {"strided", 5, 4, 6, 1, {1, 11, 13}, {1, 3, 3}, {1, 2, 3}, {1, 1, 1}, {0, 1, 0}, {0, 0, 1}, 1},
    {"dilated", 2, 3, 5, 1, {1, 12, 10}, {1, 3, 2}, {1, 1, 1}, {1, 2, 3}, {0, 2, 3}, {0, 2, 0}, 1},
    {"asymmetric",
     2,
     8,
     16,
     1,
     {1, 7, 9},
     {1, 4, 2},
     {1, 1, 2},
     {1, 1, 1},
     {0, 2, 0},
     {0, 1, 1},
     0},
    {"grouped", 3, 8, 12, 4, {1, 6, 6}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 1},
    {"wide groups",
     2,
     32,
     64,
     2,
     {1, 5, 5},
     {1, 3, 3},
     {1, 2, 2},
     {1, 1, 1},
     {0, 1, 1},
     {0, 1, 1},
     1},
    {"depthwise",
     4,
     24,
     24,
     24,
     {1, 8, 9},
     {1, 3, 3},
     {1, 1, 1},
     {1, 1, 1},
     {0, 1, 1},
     {0, 1, 1},
     1},
    {"depthwise strided",
     1,
     7,
     7,
     7,
     {1, 9, 9},
     {1, 5, 5},
     {1, 2, 2},
     {1, 1, 1},
     {0, 2, 2},
     {0, 2, 2},
     0},
    {"multiplied depthwise",
     2,
     3,
     6,
     3,
     {1, 6, 5},
     {1, 3, 3},
     {1, 1, 1},
     {1, 1, 1},
     {0, 0, 1},
     {0, 1, 0},
     1},
    {"signal", 6, 4, 9, 1, {1, 1, 40}, {1, 1, 7}, {1, 1, 2}, {1, 1, 1}, {0, 0, 3}, {0, 0, 3}, 1},
    {"causal signal",
     2,
     6,
     6,
     1,
     {1, 1, 17},
     {1, 1, 3},
     {1, 1, 1},
     {1, 1, 4},
     {0, 0, 8},
     {0, 0, 0},
     1},
    {"padding over the kernel",
     2,
     2,
     3,
     1,
     {1, 3, 3},
     {1, 2, 2},
     {1, 1, 1},
     {1, 1, 1},
     {0, 3, 2},
     {0, 2, 3},
     1},
    {"stride over the kernel",
     2,
     3,
     4,
     1,
     {1, 10, 10},
     {1, 1, 2},
     {1, 3, 4},
     {1, 1, 1},
     {0, 0, 0},
     {0, 0, 0},
     1},
    {"many channels",
     1,
     65,
     33,
     1,
     {1, 4, 4},
     {1, 3, 3},
     {1, 1, 1},
     {1, 1, 1},
     {0, 1, 1},
     {0, 1, 1},
     1},
    {"tiles", 2, 32, 48, 1, {1, 17, 15}, {1, 3, 3}, ONES, ONES, {0, 1, 1}, {0, 1, 1}, 1},
    {"tiles inside", 3, 16, 32, 1, {1, 30, 19}, {1, 3, 3}, ONES, ONES, {0, 0, 0}, {0, 0, 0}, 0},
    {"tiles aside", 1, 64, 16, 1, {1, 9, 12}, {1, 3, 3}, ONES, ONES, {0, 2, 0}, {0, 0, 1}, 1},
    {"no blocks", 2, 20, 24, 1, {1, 16, 16}, {1, 3, 3}, ONES, ONES, {0, 1, 1}, {0, 1, 1}, 1},
    {"volume", 2, 3, 5, 1, {5, 6, 7}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1},
    {"strided volume",
     2,
     16,
     8,
     1,
     {5, 7, 8},
     {2, 3, 1},
     {2, 1, 3},
     {1, 2, 1},
     {0, 2, 1},
     {1, 1, 0},
     0},
    {"grouped volume",
     3,
     8,
     4,
     2,
     {4, 4, 5},
     {3, 1, 2},
     {1, 2, 1},
     {1, 1, 2},
     {1, 0, 0},
     {1, 0, 2},
     1},
    {"depthwise volume",
     2,
     9,
     9,
     9,
     {4, 5, 6},
     {3, 3, 3},
     {1, 1, 1},
     {1, 1, 1},
     {1, 1, 1},
     {1, 1, 1},
     1},
    {"depth alone",
     2,
     4,
     3,
     1,
     {9, 1, 1},
     {3, 1, 1},
     {2, 1, 1},
     {1, 1, 1},
     {1, 0, 0},
     {0, 0, 0},
     1},
};

static int64_t out_extent(const struct conv_case *c, int axis) {
  return (c->size[axis] + c->before[axis] + c->after[axis] -
          c->dilation[axis] * (c->kernel[axis] - 1) - 1) /
             c->stride[axis] +
         1;
}

static struct fed_conv conv_of(const struct conv_case *c) {
  struct fed_conv conv = {.batch = c->batch,
                          .in_channels = c->in,
                          .out_channels = c->out,
                          .groups = c->groups,
                          .has_bias = c->has_bias};
  memcpy(conv.window.in, c->size, sizeof c->size);
  memcpy(conv.window.kernel, c->kernel, sizeof c->kernel);
  memcpy(conv.window.stride, c->stride, sizeof c->stride);
  memcpy(conv.window.dilation, c->dilation, sizeof c->dilation);
  memcpy(conv.window.pad_before, c->before, sizeof c->before);
  memcpy(conv.window.pad_after, c->after, sizeof c->after);
  for (int axis = 0; axis < 3; axis++) conv.window.out[axis] = out_extent(c, axis);
  return conv;
}

static size_t volume(const int64_t *extents) {
  return (size_t)(extents[0] * extents[1] * extents[2]);
}

/* The arrays of one convolution: operands, then results. */
struct conv_arrays {
  struct vector x, w, bias, dy, y, dx, dw, dbias;
};

static struct conv_arrays new_arrays(const struct fed_conv *conv) {
  const size_t x = (size_t)(conv->batch * conv->in_channels) * volume(conv->window.in);
  const size_t y = (size_t)(conv->batch * conv->out_channels) * volume(conv->window.out);
  const size_t w = (size_t)(conv->out_channels * (conv->in_channels / conv->groups)) *
                   volume(conv->window.kernel);
  const size_t bias = (size_t)conv->out_channels;
  return (struct conv_arrays){new_random(x, 1), new_random(w, 2), new_random(bias, 3),
                              new_random(y, 4), new_result(y),    new_result(x),
                              new_result(w),    new_result(bias)};
}

static void free_arrays(struct conv_arrays *a) {
  struct vector *all[] = {&a->x, &a->w, &a->bias, &a->dy, &a->y, &a->dx, &a->dw, &a->dbias};
  for (size_t i = 0; i < COUNT(all); i++) free_vector(all[i]);
}

static struct fed_kernel_instance *new_conv(const struct fed_kernel_table *table,
                                            const struct fed_conv *conv) {
  struct fed_kernel_instance *instance = NULL;
  if (table->conv_new(&context, conv, &instance) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  assert_true(table->instance_bytes(instance) > 0);
  return instance;
}

static void run_oracle(const struct fed_conv *conv, struct conv_arrays *a) {
  struct fed_kernel_instance *instance = new_conv(oracle, conv);
  oracle->conv_forward(instance, a->x.wide, a->w.wide, conv->has_bias ? a->bias.wide : NULL,
                       a->y.wide);
  oracle->conv_backward(instance, a->x.wide, a->w.wide, a->dy.wide, a->dx.wide, a->dw.wide,
                        conv->has_bias ? a->dbias.wide : NULL);
  oracle->instance_free(instance);
}

static void run_table(const struct fed_kernel_table *table, struct fed_kernel_instance *instance,
                      const struct fed_conv *conv, struct conv_arrays *a) {
  table->conv_forward(instance, a->x.narrow, a->w.narrow, conv->has_bias ? a->bias.narrow : NULL,
                      a->y.narrow);
  table->conv_backward(instance, a->x.narrow, a->w.narrow, a->dy.narrow, a->dx.narrow, a->dw.narrow,
                       conv->has_bias ? a->dbias.narrow : NULL);
}

static void make_absolute(struct vector *vector) {
  for (size_t i = 0; i < vector->size; i++) vector->wide[i] = fabs(vector->wide[i]);
}

static void check_conv(const struct fed_kernel_table *table, const struct fed_conv *conv,
                       const char *name) {
  struct conv_arrays a = new_arrays(conv), sizes = new_arrays(conv), again = new_arrays(conv);
  make_absolute(&sizes.x), make_absolute(&sizes.w);
  make_absolute(&sizes.bias), make_absolute(&sizes.dy);
  run_oracle(conv, &a);
  run_oracle(conv, &sizes);
  struct fed_kernel_instance *instance = new_conv(table, conv);
  run_table(table, instance, conv, &a);
  run_table(table, instance, conv, &again);
  table->instance_free(instance);
  assert_close(&a.y, &sizes.y, name, "y");
  assert_close(&a.dx, &sizes.dx, name, "dx");
  assert_close(&a.dw, &sizes.dw, name, "dw");
  if (conv->has_bias) assert_close(&a.dbias, &sizes.dbias, name, "dbias");
  assert_memory_equal(a.y.narrow, again.y.narrow, a.y.size * sizeof(float));
  assert_memory_equal(a.dx.narrow, again.dx.narrow, a.dx.size * sizeof(float));
  assert_memory_equal(a.dw.narrow, again.dw.narrow, a.dw.size * sizeof(float));
  free_arrays(&a), free_arrays(&sizes), free_arrays(&again);
}

static void check_convs(const struct fed_kernel_table *table) {
  for (size_t i = 0; i < COUNT(conv_cases); i++) {
    const struct fed_conv conv = conv_of(&conv_cases[i]);
    check_conv(table, &conv, conv_cases[i].name);
  }
  for (int64_t batch = 1; batch <= 33; batch += 8) {
    struct fed_conv conv = conv_of(&conv_cases[4]);
    conv.batch = batch;
    check_conv(table, &conv, "every batch");
  }
}

static void assert_same(const struct vector *a, const struct vector *b) {
  assert_memory_equal(a->narrow, b->narrow, a->size * sizeof(float));
}

/* Each gradient alone is what it is together with the others. */
static void check_lone_gradients(const struct fed_kernel_table *table) {
  const struct fed_conv conv = conv_of(&conv_cases[3]);
  struct conv_arrays a = new_arrays(&conv), b = new_arrays(&conv);
  struct fed_kernel_instance *instance = new_conv(table, &conv);
  const float *x = b.x.narrow, *w = b.w.narrow, *dy = b.dy.narrow;
  run_table(table, instance, &conv, &a);
  table->conv_backward(instance, x, w, dy, NULL, b.dw.narrow, b.dbias.narrow);
  assert_same(&a.dw, &b.dw);
  assert_same(&a.dbias, &b.dbias);
  b.dw.narrow[0] = NAN;
  table->conv_backward(instance, x, w, dy, NULL, b.dw.narrow, NULL);
  assert_same(&a.dw, &b.dw);
  table->conv_backward(instance, x, w, dy, b.dx.narrow, NULL, NULL);
  assert_same(&a.dx, &b.dx);
  b.dbias.narrow[0] = NAN;
  table->conv_backward(instance, x, w, dy, NULL, NULL, b.dbias.narrow);
  for (size_t i = 0; i < b.dbias.size; i++)
    assert_true(fabsf(a.dbias.narrow[i] - b.dbias.narrow[i]) <= 1e-3f);
  table->instance_free(instance);
  free_arrays(&a), free_arrays(&b);
}

/* A last output left out: the end of the input is not read, its gradient is zero. */
static void check_short_output(const struct fed_kernel_table *table) {
  struct fed_conv conv = conv_of(&conv_cases[4]);
  conv.window.out[2] -= 2;
  conv.window.out[1] -= 1;
  check_conv(table, &conv, "shorter output");
}

/* The loss of which dy is the gradient: the sum of y * dy. */
static double loss_of(struct fed_kernel_instance *instance, const struct fed_conv *conv,
                      struct conv_arrays *a) {
  oracle->conv_forward(instance, a->x.wide, a->w.wide, conv->has_bias ? a->bias.wide : NULL,
                       a->y.wide);
  double loss = 0;
  for (size_t i = 0; i < a->y.size; i++) loss += a->y.wide[i] * a->dy.wide[i];
  return loss;
}

/* The loss is linear in each operand, so a central difference has no error but rounding. */
static void check_differences(struct fed_kernel_instance *instance, const struct fed_conv *conv,
                              struct conv_arrays *a, struct vector *operand,
                              const struct vector *gradient) {
  const size_t step = operand->size / 50 + 1;
  for (size_t i = 0; i < operand->size; i += step) {
    const double kept = operand->wide[i];
    operand->wide[i] = kept + 0.5;
    const double above = loss_of(instance, conv, a);
    operand->wide[i] = kept - 0.5;
    const double below = loss_of(instance, conv, a);
    operand->wide[i] = kept;
    assert_true(fabs(above - below - gradient->wide[i]) <= 1e-9);
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

static void check_table(const struct fed_kernel_table *table) {
  check_convs(table);
  check_lone_gradients(table);
  check_short_output(table);
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

/* A failing allocation: the n-th fails, all others succeed. */
struct failing_alloc {
  struct fed_alloc alloc;
  struct fed_alloc *system;
  int left;
};

static void *resize_or_fail(struct fed_alloc *self, void *pointer, size_t size) {
  struct failing_alloc *failing = (struct failing_alloc *)self;
  if (size && failing->left-- == 0) return NULL;
  return failing->system->resize(failing->system, pointer, size);
}

static void check_allocation_failures(const struct fed_kernel_table *table) {
  const struct fed_conv conv = conv_of(&conv_cases[3]);
  struct failing_alloc failing = {{resize_or_fail}, context.alloc, 0};
  struct fed_context short_of_memory = context;
  short_of_memory.alloc = &failing.alloc;
  int failures = 0;
  for (;; failures++) {
    struct fed_kernel_instance *instance = NULL;
    failing.left = failures;
    const int code = table->conv_new(&short_of_memory, &conv, &instance);
    if (code == FED_OK) table->instance_free(instance);
    if (code == FED_OK) break;
    assert_int_equal(code, FED_E_MEMORY);
    assert_null(instance);
  }
  assert_true(failures >= 1);
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
