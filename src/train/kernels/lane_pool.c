/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_pool.c: 16 planes are laid side by side, pixel by pixel, so that a vector holds the same
 * pixel of each, and every window, whatever its stride and dilation, is a few whole vectors. An
 * instance owns the room for that: 64 bytes a pixel of an input plane and 128 of an output plane.
 */
#include "train/kernels/lane_pool.h"

#include "base/memory.h"
#include "base/wide.h"
#include "train/kernels/halving_pool.h"
#include "train/kernels/instance.h"

#include <string.h>

#define LANES 16
#define BLOCK 4 /* planes and pixels that are turned at once */
typedef float floats __attribute__((vector_size(4 * LANES), may_alias));

/* Compilers take comparisons of vectors wider than the processor's apart into single numbers, so
 * maxima work with vectors that every processor has. */
#define PARTS (LANES / BLOCK)
typedef float part __attribute__((vector_size(4 * BLOCK), may_alias));
typedef int32_t part_index __attribute__((vector_size(4 * BLOCK), may_alias));
#define EACH_PART _Pragma("GCC unroll 4") for (int p = 0; p < PARTS; p++)

static const struct fed_kernel_table *const reference = &fed__kernels_reference_f32;

/* The workspace: the planes side by side. */
struct lanes {
  void *allocation;
  floats *in, *out;
  part_index *argmax; /* PARTS for each output */
};

/* ---- side by side and back ---- */

static void turn_block(const float *from, int64_t from_stride, float *to, int64_t to_stride) {
  part a, b, c, d;
  memcpy(&a, from, sizeof a), memcpy(&b, from + from_stride, sizeof b);
  memcpy(&c, from + 2 * from_stride, sizeof c), memcpy(&d, from + 3 * from_stride, sizeof d);
  const part ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const part ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const part cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const part cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  memcpy(to, &a, sizeof a), memcpy(to + to_stride, &b, sizeof b);
  memcpy(to + 2 * to_stride, &c, sizeof c), memcpy(to + 3 * to_stride, &d, sizeof d);
}

/* `to` becomes the transpose of `from`, which has so many rows and columns. Bits are moved, no
 * numbers, so this serves indices, too. */
static void turn(const float *from, int64_t from_stride, int64_t rows, int64_t columns, float *to,
                 int64_t to_stride) {
  const int64_t whole_rows = rows - rows % BLOCK, whole_columns = columns - columns % BLOCK;
  for (int64_t column = 0; column < whole_columns; column += BLOCK)
    for (int64_t row = 0; row < whole_rows; row += BLOCK)
      turn_block(from + row * from_stride + column, from_stride, to + column * to_stride + row,
                 to_stride);
  for (int64_t row = 0; row < rows; row++)
    for (int64_t column = row < whole_rows ? whole_columns : 0; column < columns; column++)
      memcpy(to + column * to_stride + row, from + row * from_stride + column, sizeof *to);
}

static void put_side_by_side(const float *planes, int64_t count, int64_t pixels, void *lanes) {
  turn(planes, pixels, count, pixels, lanes, LANES);
}

static void put_back(const void *lanes, int64_t count, int64_t pixels, void *planes) {
  turn(lanes, LANES, pixels, count, planes, pixels);
}

/* ---- windows ---- */

/* The taps of one output along one axis that meet the image, and the first one's place. */
struct span {
  int64_t first, end, step;
};

static struct span find_span(const struct fed_window *window, int axis, int64_t out) {
  const int64_t step = window->dilation[axis];
  int64_t from = out * window->stride[axis] - window->pad_before[axis];
  int64_t end = from + (window->kernel[axis] - 1) * step + 1;
  while (from < 0) from += step;
  if (end > window->in[axis]) end = window->in[axis];
  return (struct span){from, end, step};
}

/* For each output `o` of a plane, spans[0] to spans[2] are its window. */
#define FOR_EACH_WINDOW(window, spans, o)                                                          \
  for (int64_t o = 0, deep_ = 0; deep_ < (window)->out[0]; deep_++)                                \
    for (int64_t high_ = ((spans)[0] = find_span(window, 0, deep_), 0); high_ < (window)->out[1];  \
         high_++)                                                                                  \
      for (int64_t wide_ = ((spans)[1] = find_span(window, 1, high_), 0);                          \
           wide_ < (window)->out[2] && ((spans)[2] = find_span(window, 2, wide_), 1);              \
           wide_++, o++)

/* For each pixel `at` of the window. */
#define FOR_EACH_PIXEL(window, spans, at)                                                          \
  for (int64_t d_ = (spans)[0].first; d_ < (spans)[0].end; d_ += (spans)[0].step)                  \
    for (int64_t h_ = (spans)[1].first; h_ < (spans)[1].end; h_ += (spans)[1].step)                \
      for (int64_t row_ = (d_ * (window)->in[1] + h_) * (window)->in[2],                           \
                   at = row_ + (spans)[2].first;                                                   \
           at < row_ + (spans)[2].end; at += (spans)[2].step)

/* The first pixel of a window wins, then a greater one, or a NaN. */
static void find_maxima(const struct fed_window *window, const struct lanes *lanes) {
  struct span spans[FED_SPATIAL];
  const part *in = (const part *)lanes->in;
  part best[PARTS], *out = (part *)lanes->out;
  part_index place[PARTS], *argmax = lanes->argmax;
  FOR_EACH_WINDOW(window, spans, o) {
    const int64_t first =
        (spans[0].first * window->in[1] + spans[1].first) * window->in[2] + spans[2].first;
    EACH_PART {
      best[p] = in[first * PARTS + p];
      place[p] = (part_index){0} + (int32_t)first;
    }
    FOR_EACH_PIXEL(window, spans, at) EACH_PART {
      const part value = in[at * PARTS + p];
      const part_index wins = (value > best[p]) | (value != value); /* NOLINT: isnan of a vector */
      best[p] = (part)((wins & (part_index)value) | (~wins & (part_index)best[p]));
      place[p] = (wins & (int32_t)at) | (~wins & place[p]);
    }
    EACH_PART {
      out[o * PARTS + p] = best[p];
      argmax[o * PARTS + p] = place[p];
    }
  }
}

static void find_means(const struct fed_window *window, const int32_t *counts,
                       const struct lanes *lanes) {
  struct span spans[FED_SPATIAL];
  FOR_EACH_WINDOW(window, spans, o) {
    floats sum = {0};
    FOR_EACH_PIXEL(window, spans, at) sum += lanes->in[at];
    lanes->out[o] = sum / (counts ? (float)counts[o] : 1);
  }
}

static void spread_means(const struct fed_window *window, const int32_t *counts,
                         const struct lanes *lanes) {
  struct span spans[FED_SPATIAL];
  memset(lanes->in, 0, (size_t)(window->in[0] * window->in[1] * window->in[2]) * sizeof(floats));
  FOR_EACH_WINDOW(window, spans, o) {
    const floats share = lanes->out[o] / (counts ? (float)counts[o] : 1);
    FOR_EACH_PIXEL(window, spans, at) lanes->in[at] += share;
  }
}

/* ---- the table's entries ---- */

/* A batch of planes, 16 by 16: `first` and how many. */
#define FOR_EACH_GROUP(planes, first, count)                                                       \
  for (int64_t first = 0, count = (planes) < LANES ? (planes) : LANES; first < (planes);           \
       first += LANES, count = (planes)-first < LANES ? (planes)-first : LANES)

static int64_t volume(const int64_t extents[FED_SPATIAL]) {
  return extents[0] * extents[1] * extents[2];
}

FED__WIDE static void max_in_lanes(const struct fed_pool *pool, const struct lanes *lanes,
                                   const float *x, float *y, int32_t *argmax) {
  const int64_t in = volume(pool->window.in), out = volume(pool->window.out);
  FOR_EACH_GROUP(pool->batch * pool->channels, first, count) {
    put_side_by_side(x + first * in, count, in, lanes->in);
    find_maxima(&pool->window, lanes);
    put_back(lanes->out, count, out, y + first * out);
    put_back(lanes->argmax, count, out, argmax + first * out);
  }
}

FED__WIDE static void mean_in_lanes(const struct fed_kernel_instance *instance,
                                    const struct lanes *lanes, const float *x, float *y) {
  const struct fed_pool *pool = &instance->pool;
  const int64_t in = volume(pool->window.in), out = volume(pool->window.out);
  FOR_EACH_GROUP(pool->batch * pool->channels, first, count) {
    put_side_by_side(x + first * in, count, in, lanes->in);
    find_means(&pool->window, instance->counts, lanes);
    put_back(lanes->out, count, out, y + first * out);
  }
}

FED__WIDE static void mean_back_in_lanes(const struct fed_kernel_instance *instance,
                                         const struct lanes *lanes, const float *dy, float *dx) {
  const struct fed_pool *pool = &instance->pool;
  const int64_t in = volume(pool->window.in), out = volume(pool->window.out);
  FOR_EACH_GROUP(pool->batch * pool->channels, first, count) {
    put_side_by_side(dy + first * out, count, out, lanes->out);
    spread_means(&pool->window, instance->counts, lanes);
    put_back(lanes->in, count, in, dx + first * in);
  }
}

static void max_pool_forward(struct fed_kernel_instance *instance, const void *x, void *y,
                             int32_t *argmax) {
  if (fed__halving_pool_fits(&instance->pool))
    fed__halving_pool_forward(&instance->pool, x, y, argmax);
  else if (instance->state)
    max_in_lanes(&instance->pool, instance->state, x, y, argmax);
  else
    reference->max_pool_forward(instance, x, y, argmax);
}

static void max_pool_backward(struct fed_kernel_instance *instance, const void *dy,
                              const int32_t *argmax, void *dx) {
  if (fed__halving_pool_fits(&instance->pool))
    fed__halving_pool_backward(&instance->pool, dy, argmax, dx);
  else
    reference->max_pool_backward(instance, dy, argmax, dx);
}

static void average_pool_forward(struct fed_kernel_instance *instance, const void *x, void *y) {
  if (instance->state)
    mean_in_lanes(instance, instance->state, x, y);
  else
    reference->average_pool_forward(instance, x, y);
}

static void average_pool_backward(struct fed_kernel_instance *instance, const void *dy, void *dx) {
  if (instance->state)
    mean_back_in_lanes(instance, instance->state, dy, dx);
  else
    reference->average_pool_backward(instance, dy, dx);
}

static void free_lanes(struct fed_kernel_instance *instance) {
  struct lanes *lanes = instance->state;
  fed__free(instance->context, lanes->allocation);
  fed__free(instance->context, lanes);
}

static int attach_lanes(struct fed_kernel_instance *instance) {
  const size_t in = (size_t)volume(instance->pool.window.in);
  const size_t out = (size_t)volume(instance->pool.window.out);
  struct lanes *lanes = fed__zalloc(instance->context, 1, sizeof *lanes);
  if (!lanes) return FED_E_MEMORY;
  instance->state = lanes;
  instance->state_free = free_lanes;
  lanes->allocation = fed__zalloc(instance->context, in + 2 * out + 1, sizeof(floats));
  if (!lanes->allocation) return FED_E_MEMORY;
  instance->bytes += sizeof *lanes + (in + 2 * out + 1) * sizeof(floats);
  const uintptr_t start = ((uintptr_t)lanes->allocation + sizeof(floats) - 1) / sizeof(floats);
  lanes->in = (floats *)(start * sizeof(floats));
  lanes->out = lanes->in + in;
  lanes->argmax = (part_index *)(lanes->out + out);
  return FED_OK;
}

/* A few planes are not worth it. */
static int pool_new(const struct fed_context *context, const struct fed_pool *shape,
                    struct fed_kernel_instance **instance) {
  const int64_t planes = shape->batch * shape->channels;
  const int is_mean = shape->divisor != FED_POOL_UNDIVIDED;
  int code = fed__pool_instance_new(context, shape, instance);
  if (code != FED_OK || planes < LANES / 2) return code;
  if (!is_mean && fed__halving_pool_fits(shape)) return FED_OK;
  code = attach_lanes(*instance);
  if (code == FED_OK) return FED_OK;
  fed__kernel_instance_free(*instance);
  *instance = NULL;
  return code;
}

void fed__lane_pool_fill(struct fed_kernel_table *table) {
  table->pool_new = pool_new;
  table->max_pool_forward = max_pool_forward;
  table->max_pool_backward = max_pool_backward;
  table->average_pool_forward = average_pool_forward;
  table->average_pool_backward = average_pool_backward;
}
