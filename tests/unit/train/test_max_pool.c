/* SPDX-License-Identifier: Apache-2.0
 *
 * test_max_pool.c: max pooling of every table against PyTorch's rule written out pixel by pixel:
 * the first of equal maxima, and a NaN wins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/train/kernel_vectors.h"

struct pool_case {
  int64_t batch, channels, height, width, kernel[2], stride[2], dilation[2], before[2], after[2];
};

static const struct pool_case pool_cases[] = {
    {1, 1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
    {2, 3, 28, 28, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
    {33, 2, 14, 14, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
    {2, 2, 7, 9, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
    {1, 1, 3, 34, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}},
    {2, 3, 8, 10, {3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}},
    {1, 4, 9, 8, {3, 2}, {1, 1}, {2, 3}, {1, 0}, {0, 1}},
    {3, 1, 1, 20, {1, 4}, {1, 3}, {1, 1}, {0, 2}, {0, 1}},
    {2, 5, 6, 6, {2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
};

static struct fed_pool pool_of(const struct pool_case *c) {
  struct fed_pool pool = {.batch = c->batch,
                          .channels = c->channels,
                          .in_height = c->height,
                          .in_width = c->width,
                          .kernel_height = c->kernel[0],
                          .kernel_width = c->kernel[1]};
  int64_t *const outs[2] = {&pool.out_height, &pool.out_width};
  const int64_t ins[2] = {c->height, c->width};
  for (int i = 0; i < 2; i++) {
    pool.stride[i] = c->stride[i], pool.dilation[i] = c->dilation[i];
    pool.pad_before[i] = c->before[i], pool.pad_after[i] = c->after[i];
    *outs[i] = (ins[i] + c->before[i] + c->after[i] - c->dilation[i] * (c->kernel[i] - 1) - 1) /
                   c->stride[i] +
               1;
  }
  return pool;
}

/* Values from a few small integers: full of ties. */
static struct vector new_ties(size_t size) {
  struct vector vector = new_random(size, 7);
  for (size_t i = 0; i < size; i++)
    vector.wide[i] = vector.narrow[i] = (float)floor(vector.wide[i] * 3);
  return vector;
}

/* PyTorch's rule, written as one pass over the window's pixels in row-major order. */
static int32_t first_maximum(const struct fed_pool *pool, const double *plane, int64_t oh,
                             int64_t ow) {
  int32_t best = -1;
  for (int64_t at = 0; at < pool->in_height * pool->in_width; at++) {
    const int64_t down = at / pool->in_width - oh * pool->stride[0] + pool->pad_before[0];
    const int64_t right = at % pool->in_width - ow * pool->stride[1] + pool->pad_before[1];
    if (down < 0 || right < 0 || down % pool->dilation[0] || right % pool->dilation[1]) continue;
    if (down / pool->dilation[0] >= pool->kernel_height) continue;
    if (right / pool->dilation[1] >= pool->kernel_width) continue;
    if (best < 0 || plane[at] > plane[best]) best = (int32_t)at;
  }
  return best;
}

static void check_pool(const struct fed_kernel_table *table, const struct fed_pool *pool) {
  const int64_t in_plane = pool->in_height * pool->in_width;
  const int64_t out_plane = pool->out_height * pool->out_width;
  const int64_t planes = pool->batch * pool->channels;
  struct vector x = new_ties((size_t)(planes * in_plane)), dx = new_result(x.size);
  struct vector y = new_result((size_t)(planes * out_plane)), dy = new_random(y.size, 8);
  int32_t *argmax = fed__zalloc(&context, y.size, sizeof *argmax);
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(table->pool_new(&context, pool, &instance), FED_OK);
  table->max_pool_forward(instance, x.narrow, y.narrow, argmax);
  table->max_pool_backward(instance, dy.narrow, argmax, dx.narrow);
  memset(dx.wide, 0, dx.size * sizeof(double));
  for (int64_t i = 0; i < planes * out_plane; i++) {
    const double *plane = x.wide + i / out_plane * in_plane;
    const int64_t at = i % out_plane;
    const int32_t best = first_maximum(pool, plane, at / pool->out_width, at % pool->out_width);
    assert_int_equal(argmax[i], best);
    assert_true((double)y.narrow[i] == plane[best]);
    dx.wide[i / out_plane * in_plane + best] += dy.wide[i];
  }
  for (size_t i = 0; i < dx.size; i++) assert_true(fabs((double)dx.narrow[i] - dx.wide[i]) <= 1e-5);
  table->instance_free(instance);
  fed__free(&context, argmax);
  free_vector(&x), free_vector(&dx), free_vector(&y), free_vector(&dy);
}

static void check_pools(const struct fed_kernel_table *table) {
  for (size_t i = 0; i < COUNT(pool_cases); i++) {
    const struct fed_pool pool = pool_of(&pool_cases[i]);
    check_pool(table, &pool);
  }
}

/* A NaN must reach the loss, where it is noticed; minus infinity is a maximum like another. The
 * NaN is in window `at` of a row of `count`, at each of its four pixels. */
static void check_nan_wins(const struct fed_kernel_table *table, int count, int at) {
  const int64_t width = 2 * count;
  const struct fed_pool pool =
      pool_of(&(struct pool_case){1, 1, 2, width, {2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}});
  for (int pixel = 0; pixel < 4; pixel++) {
    float x[128], y[32];
    int32_t argmax[32];
    for (int64_t i = 0; i < 2 * width; i++) x[i] = (float)(i % 5);
    const int64_t place = pixel / 2 * width + 2 * at + pixel % 2;
    x[place] = NAN;
    x[0] = x[1] = x[width] = x[width + 1] = -INFINITY;
    struct fed_kernel_instance *instance = NULL;
    assert_int_equal(table->pool_new(&context, &pool, &instance), FED_OK);
    table->max_pool_forward(instance, x, y, argmax);
    assert_true(isnan(y[at]));
    assert_int_equal(argmax[at], place);
    assert_true(isinf(y[0]));
    assert_int_equal(argmax[0], 0);
    table->instance_free(instance);
  }
}

static void check_pool_keeps_nan(const struct fed_kernel_table *table) {
  check_nan_wins(table, 32, 19);
  check_nan_wins(table, 3, 2);
}

static void impossible_pools_are_refused(void **state) {
  (void)state;
  struct fed_kernel_instance *instance = NULL;
  struct fed_pool pool =
      pool_of(&(struct pool_case){1, 1, 1, 4, {2, 2}, {1, 1}, {2, 1}, {1, 0}, {1, 0}});
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  assert_non_null(
      strstr(fed_error_last()->message, "height: pooling window 0 lies in the padding"));
  pool = pool_of(&pool_cases[1]);
  pool.out_height++;
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  pool = pool_of(&pool_cases[1]);
  pool.channels = 0;
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  pool = (struct fed_pool){1, 1, 65536, 65536, 65536, 65536, 1, 1, {1, 1}, {1, 1}, {0}, {0}};
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_RANGE);
  assert_null(instance);
}

static void float_reference_pools(void **state) {
  (void)state;
  check_pools(&fed__kernels_reference_f32);
  check_pool_keeps_nan(&fed__kernels_reference_f32);
}

static void onednn_table_pools(void **state) {
  (void)state;
  const struct fed_kernel_table *table = find_onednn();
  if (!table) skip();
  check_pools(table);
  check_pool_keeps_nan(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(float_reference_pools),
      cmocka_unit_test(onednn_table_pools),
      cmocka_unit_test(impossible_pools_are_refused),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
