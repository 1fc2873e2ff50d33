/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pool.c: pooling of every table against its definition written out pixel by pixel: of equal
 * maxima PyTorch's rule (the first; a NaN wins), of averages what they are divided by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "unit/train/kernel_vectors.h"

struct pool_case {
  int64_t batch, channels, size[3], kernel[3], stride[3], dilation[3], before[3], after[3];
};

static const struct pool_case pool_cases[] = {
    {1, 1, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {2, 3, {1, 28, 28}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {33, 2, {1, 14, 14}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {2, 2, {1, 7, 9}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {1, 1, {1, 3, 34}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {2, 3, {1, 8, 10}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {1, 4, {1, 9, 8}, {1, 3, 2}, {1, 1, 1}, {1, 2, 3}, {0, 1, 0}, {0, 0, 1}},
    {3, 1, {1, 1, 20}, {1, 1, 4}, {1, 1, 3}, {1, 1, 1}, {0, 0, 2}, {0, 0, 1}},
    {2, 5, {1, 6, 6}, {1, 2, 2}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {2, 3, {5, 6, 7}, {2, 3, 2}, {1, 2, 3}, {1, 1, 2}, {1, 0, 0}, {0, 1, 1}},
    {1, 2, {6, 4, 4}, {2, 2, 2}, {2, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {3, 17, {1, 7, 9}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {1, 9, {1, 5, 5}, {1, 3, 2}, {1, 1, 2}, {1, 2, 1}, {0, 2, 0}, {0, 1, 1}},
    {2, 7, {3, 4, 5}, {2, 2, 3}, {1, 2, 1}, {1, 1, 2}, {1, 0, 2}, {1, 1, 1}},
    {1, 2, {8, 1, 1}, {3, 1, 1}, {2, 1, 1}, {2, 1, 1}, {2, 0, 0}, {1, 0, 0}},
};

static int64_t volume(const int64_t *extents) { return extents[0] * extents[1] * extents[2]; }

static struct fed_pool pool_of(const struct pool_case *c) {
  struct fed_pool pool = {.batch = c->batch, .channels = c->channels};
  for (int i = 0; i < 3; i++) {
    pool.window.in[i] = c->size[i], pool.window.kernel[i] = c->kernel[i];
    pool.window.stride[i] = c->stride[i], pool.window.dilation[i] = c->dilation[i];
    pool.window.pad_before[i] = c->before[i], pool.window.pad_after[i] = c->after[i];
    pool.window.out[i] =
        (c->size[i] + c->before[i] + c->after[i] - c->dilation[i] * (c->kernel[i] - 1) - 1) /
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

/* Is the pixel at these coordinates, perhaps in the padding, one of the output's window? */
static int in_window(const struct fed_window *window, const int64_t *pixel, const int64_t *out) {
  for (int i = 0; i < 3; i++) {
    const int64_t from_start = pixel[i] - out[i] * window->stride[i] + window->pad_before[i];
    if (from_start < 0 || from_start % window->dilation[i]) return 0;
    if (from_start / window->dilation[i] >= window->kernel[i]) return 0;
  }
  return 1;
}

static void coordinates(const int64_t *extents, int64_t at, int64_t *result) {
  result[0] = at / extents[2] / extents[1];
  result[1] = at / extents[2] % extents[1];
  result[2] = at % extents[2];
}

/* PyTorch's rule, written as one pass over the plane's pixels in row-major order. */
static int32_t first_maximum(const struct fed_window *window, const double *plane,
                             const int64_t *out) {
  int32_t best = -1;
  for (int64_t at = 0; at < volume(window->in); at++) {
    int64_t pixel[3];
    coordinates(window->in, at, pixel);
    if (!in_window(window, pixel, out)) continue;
    if (best < 0 || plane[at] > plane[best]) best = (int32_t)at;
  }
  return best;
}

static void check_pool(const struct fed_kernel_table *table, const struct fed_pool *pool) {
  const struct fed_window *window = &pool->window;
  const int64_t in_plane = volume(window->in), out_plane = volume(window->out);
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
    int64_t out[3];
    coordinates(window->out, i % out_plane, out);
    const int32_t best = first_maximum(window, plane, out);
    assert_int_equal(argmax[i], best);
    assert_true((double)y.narrow[i] == plane[best]);
    dx.wide[i / out_plane * in_plane + best] += dy.wide[i];
  }
  for (size_t i = 0; i < dx.size; i++) assert_true(fabs((double)dx.narrow[i] - dx.wide[i]) <= 1e-5);
  table->instance_free(instance);
  fed__free(&context, argmax);
  free_vector(&x), free_vector(&dx), free_vector(&y), free_vector(&dy);
}

/* The sum over the window's pixels, by what the mean is divided by. */
static double mean_of(const struct fed_pool *pool, const double *plane, const int64_t *out,
                      double *divisor) {
  const struct fed_window *window = &pool->window;
  const int padding = pool->divisor == FED_POOL_BY_PIXELS_AND_PADDING;
  int64_t before[3], padded[3], pixel[3];
  double sum = 0;
  *divisor = 0;
  for (int i = 0; i < 3; i++) {
    before[i] = padding ? window->pad_before[i] : 0;
    padded[i] = window->in[i] + before[i] + (padding ? window->pad_after[i] : 0);
  }
  for (int64_t at = 0; at < volume(padded); at++) {
    coordinates(padded, at, pixel);
    for (int i = 0; i < 3; i++) pixel[i] -= before[i];
    *divisor += in_window(window, pixel, out);
  }
  for (int64_t at = 0; at < volume(window->in); at++) {
    coordinates(window->in, at, pixel);
    if (in_window(window, pixel, out)) sum += plane[at];
  }
  if (pool->divisor == FED_POOL_UNDIVIDED) *divisor = 1;
  return sum / *divisor;
}

static void check_average(const struct fed_kernel_table *table, const struct fed_pool *pool) {
  const struct fed_window *window = &pool->window;
  const int64_t in_plane = volume(window->in), out_plane = volume(window->out);
  const int64_t planes = pool->batch * pool->channels;
  struct vector x = new_random((size_t)(planes * in_plane), 3), dx = new_result(x.size);
  struct vector y = new_result((size_t)(planes * out_plane)), dy = new_random(y.size, 8);
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(table->pool_new(&context, pool, &instance), FED_OK);
  table->average_pool_forward(instance, x.narrow, y.narrow);
  table->average_pool_backward(instance, dy.narrow, dx.narrow);
  memset(dx.wide, 0, dx.size * sizeof(double));
  for (int64_t i = 0; i < planes * out_plane; i++) {
    const int64_t plane = i / out_plane * in_plane;
    int64_t out[3], pixel[3];
    double divisor;
    coordinates(window->out, i % out_plane, out);
    assert_true(fabs(mean_of(pool, x.wide + plane, out, &divisor) - (double)y.narrow[i]) <= 1e-5);
    for (int64_t at = 0; at < in_plane; at++) {
      coordinates(window->in, at, pixel);
      if (in_window(window, pixel, out)) dx.wide[plane + at] += dy.wide[i] / divisor;
    }
  }
  for (size_t i = 0; i < dx.size; i++) assert_true(fabs((double)dx.narrow[i] - dx.wide[i]) <= 1e-5);
  table->instance_free(instance);
  free_vector(&x), free_vector(&dx), free_vector(&y), free_vector(&dy);
}

static void check_pools(const struct fed_kernel_table *table) {
  for (size_t i = 0; i < COUNT(pool_cases); i++) {
    struct fed_pool pool = pool_of(&pool_cases[i]);
    check_pool(table, &pool);
    for (int divisor = 0; divisor < 3; divisor++) {
      pool.divisor = (enum fed_pool_divisor)divisor;
      check_average(table, &pool);
    }
  }
}

/* In ceil mode the last window may hang over the end of the padding, and what is beyond does not
 * count; but it must meet a pixel. */
static void overhanging_windows_count_what_is_there(void **state) {
  (void)state;
  const float x[5] = {1, 2, 3, 4, 5};
  struct fed_pool pool = pool_of(
      &(struct pool_case){1, 1, {1, 1, 5}, {1, 1, 4}, {1, 1, 3}, {1, 1, 1}, {0, 0, 1}, {0, 0, 1}});
  pool.divisor = FED_POOL_BY_PIXELS_AND_PADDING;
  pool.window.out[2] = 3; /* the third window starts in the padding */
  struct fed_kernel_instance *instance = NULL;
  assert_int_equal(fed__kernels_reference_f32.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  pool.window.out[2] = 2;
  pool.window.kernel[2] = 5; /* 0 1 2 3 4 | 3 4 5 0, and one beyond the padding */
  assert_int_equal(fed__kernels_reference_f32.pool_new(&context, &pool, &instance), FED_OK);
  float y[2];
  fed__kernels_reference_f32.average_pool_forward(instance, x, y);
  assert_true(y[0] == 10.0f / 5 && y[1] == 12.0f / 4);
  fed__kernels_reference_f32.instance_free(instance);
}

/* A NaN must reach the loss, where it is noticed; minus infinity is a maximum like another. The
 * NaN is in window `at` of a row of `count`, at each of its four pixels. */
static void check_nan_wins(const struct fed_kernel_table *table, int count, int at) {
  const int64_t width = 2 * count;
  const struct fed_pool pool =
      pool_of(&(struct pool_case){1, 1, {1, 2, width}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0}, {0}});
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
  struct fed_pool pool = pool_of(
      &(struct pool_case){1, 1, {1, 1, 4}, {1, 2, 2}, {1, 1, 1}, {1, 2, 1}, {0, 1}, {0, 1}});
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  assert_non_null(
      strstr(fed_error_last()->message, "height: pooling window 0 lies in the padding"));
  pool = pool_of(&pool_cases[1]);
  pool.window.out[1]++;
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  pool = pool_of(&pool_cases[1]);
  pool.channels = 0;
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_SHAPE);
  pool = pool_of(
      &(struct pool_case){1, 1, {1, 65536, 65536}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}});
  assert_int_equal(fed__kernels_reference_f64.pool_new(&context, &pool, &instance), FED_E_RANGE);
  assert_null(instance);
}

/* Each allocation in turn fails: reported, and nothing is lost. */
static void check_allocation_failures(const struct fed_kernel_table *table) {
  struct fed_pool pool = pool_of(&pool_cases[5]);
  pool.divisor = FED_POOL_BY_PIXELS;
  pool.channels = 16;
  for (long allowed = 0;; allowed++) {
    struct fed_context short_of_memory;
    struct failing_alloc failing;
    struct fed_kernel_instance *instance = NULL;
    failing_alloc_init(&failing, &short_of_memory, allowed);
    const int code = table->pool_new(&short_of_memory, &pool, &instance);
    if (code == FED_OK) table->instance_free(instance);
    assert_int_equal(failing.living, 0);
    if (code == FED_OK) {
      assert_true(allowed >= 2);
      return;
    }
    assert_int_equal(code, FED_E_MEMORY);
    assert_null(instance);
  }
}

static void failing_allocations_are_reported(void **state) {
  (void)state;
  check_allocation_failures(&fed__kernels_reference_f32);
  const struct fed_kernel_table *table = find_onednn();
  if (table) check_allocation_failures(table);
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
      cmocka_unit_test(overhanging_windows_count_what_is_there),
      cmocka_unit_test(impossible_pools_are_refused),
      cmocka_unit_test(failing_allocations_are_reported),
  };
  return cmocka_run_group_tests(tests, init_context, NULL);
}
