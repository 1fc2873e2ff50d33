/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_harness.h: for the tests of convolutions: many shapes, and what every table of kernels must
 * do with each: agree with the double reference, repeat itself, give each gradient alone, report
 * failing allocations.
 */
#ifndef FED_TESTS_CONV_HARNESS_H
#define FED_TESTS_CONV_HARNESS_H

#include "unit/train/kernel_vectors.h"

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
    {"tiles inside", 3, 32, 32, 1, {1, 30, 19}, {1, 3, 3}, ONES, ONES, {0, 0, 0}, {0, 0, 0}, 0},
    {"tiles aside", 1, 64, 32, 1, {1, 9, 12}, {1, 3, 3}, ONES, ONES, {0, 2, 0}, {0, 0, 1}, 1},
    {"no blocks", 2, 20, 24, 1, {1, 16, 16}, {1, 3, 3}, ONES, ONES, {0, 1, 1}, {0, 1, 1}, 1},
    {"lanes", 64, 6, 16, 1, {1, 12, 12}, {1, 5, 5}, ONES, ONES, {0, 0, 0}, {0, 0, 0}, 1},
    {"lanes, some", 19, 3, 7, 1, {1, 9, 23}, {1, 3, 2}, ONES, ONES, {0, 2, 0}, {0, 1, 1}, 1},
    {"lanes, signal", 10, 2, 13, 1, {1, 1, 31}, {1, 1, 9}, ONES, ONES, {0, 0, 8}, {0, 0, 0}, 0},
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

static inline void check_table(const struct fed_kernel_table *table) {
  check_convs(table);
  check_lone_gradients(table);
  check_short_output(table);
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

static inline void check_allocation_failures(const struct fed_kernel_table *table) {
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

#endif
