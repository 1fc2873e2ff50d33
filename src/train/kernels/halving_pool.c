/* SPDX-License-Identifier: Apache-2.0
 *
 * halving_pool.c: four windows at a time with the vectors of GCC and Clang, which every x86-64 and
 * every 64-bit ARM has. Bound by memory rather than by arithmetic, so wider vectors gain nothing.
 */
#include "train/kernels/halving_pool.h"

#include <string.h>

#define LANES 4
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));

static int axis_halves(const struct fed_window *window, int axis) {
  return window->kernel[axis] == 2 && window->stride[axis] == 2 && window->dilation[axis] == 1 &&
         window->pad_before[axis] == 0 && 2 * window->out[axis] <= window->in[axis];
}

int fed__halving_pool_fits(const struct fed_pool *pool) {
  return pool->window.in[0] == 1 && pool->window.out[0] == 1 && pool->window.kernel[0] == 1 &&
         pool->window.pad_before[0] == 0 && axis_halves(&pool->window, 1) &&
         axis_halves(&pool->window, 2);
}

struct best {
  floats value;
  ints at;
};

static floats load(const float *from) {
  floats loaded;
  memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

static ints choose(ints mask, ints yes, ints no) { return (mask & yes) | (~mask & no); }

/* A later pixel wins if it is greater, or NaN. */
static struct best better(struct best best, floats value, ints at) {
  const ints wins = (value > best.value) | (value != value); /* NOLINT: isnan of a vector */
  return (struct best){(floats)choose(wins, (ints)value, (ints)best.value),
                       choose(wins, at, best.at)};
}

/* LANES windows side by side; `at` is the index of the first window's first pixel. */
static void reduce_windows(const float *top, int32_t width, int32_t at, float *y, int32_t *argmax) {
  const floats top_left = load(top), top_right = load(top + LANES);
  const floats low_left = load(top + width), low_right = load(top + width + LANES);
  const ints first = at + (ints){0, 2, 4, 6};
  struct best best = {__builtin_shufflevector(top_left, top_right, 0, 2, 4, 6), first};
  best = better(best, __builtin_shufflevector(top_left, top_right, 1, 3, 5, 7), first + 1);
  best = better(best, __builtin_shufflevector(low_left, low_right, 0, 2, 4, 6), first + width);
  best = better(best, __builtin_shufflevector(low_left, low_right, 1, 3, 5, 7), first + width + 1);
  memcpy(y, &best.value, sizeof best.value);
  memcpy(argmax, &best.at, sizeof best.at);
}

/* One window, where a row has fewer than LANES. */
static void reduce_window(const float *top, int32_t width, int32_t at, float *y, int32_t *argmax) {
  const int32_t offsets[4] = {0, 1, width, width + 1};
  int32_t best = 0;
  for (int i = 1; i < 4; i++) {
    const float value = top[offsets[i]];
    if (value > top[best] || value != value) best = offsets[i];
  }
  *y = top[best];
  *argmax = at + best;
}

/* `at` is the index of the row's first pixel. The last vector overlaps the one before. */
static void reduce_row(const struct fed_pool *pool, const float *plane, int32_t at, float *y,
                       int32_t *argmax) {
  const int32_t width = (int32_t)pool->window.in[2], count = (int32_t)pool->window.out[2];
  const float *top = plane + at;
  if (count < LANES)
    for (int32_t i = 0; i < count; i++)
      reduce_window(top + 2 * i, width, at + 2 * i, y + i, argmax + i);
  else
    for (int32_t next = 0; next < count; next += LANES) {
      const int32_t i = next + LANES <= count ? next : count - LANES;
      reduce_windows(top + 2 * i, width, at + 2 * i, y + i, argmax + i);
    }
}

void fed__halving_pool_forward(const struct fed_pool *pool, const float *x, float *y,
                               int32_t *argmax) {
  const int64_t in_width = pool->window.in[2], out_width = pool->window.out[2];
  const int64_t in_plane = pool->window.in[1] * in_width;
  for (int64_t i = 0; i < pool->batch * pool->channels; i++, x += in_plane)
    for (int64_t row = 0; row < pool->window.out[1]; row++) {
      reduce_row(pool, x, (int32_t)(2 * row * in_width), y, argmax);
      y += out_width;
      argmax += out_width;
    }
}

/* LANES windows side by side: dy where the maximum was, 0 in the three other places. */
static void spread_windows(const float *dy, const int32_t *argmax, int32_t width, int32_t at,
                           float *top) {
  const ints gradient = (ints)load(dy), first = at + (ints){0, 2, 4, 6};
  ints found;
  memcpy(&found, argmax, sizeof found);
  for (int32_t row = 0; row < 2; row++) {
    const ints left = gradient & (found == first + row * width);
    const ints right = gradient & (found == first + row * width + 1);
    const ints both[2] = {__builtin_shufflevector(left, right, 0, 4, 1, 5),
                          __builtin_shufflevector(left, right, 2, 6, 3, 7)};
    memcpy(top + row * width, both, sizeof both);
  }
}

static void spread_window(float dy, int32_t argmax, int32_t width, int32_t at, float *top) {
  const int32_t offsets[4] = {0, 1, width, width + 1};
  for (int i = 0; i < 4; i++) top[offsets[i]] = argmax == at + offsets[i] ? dy : 0;
}

/* What is behind the last window of a row belongs to none. */
static void spread_row(const struct fed_pool *pool, const float *dy, const int32_t *argmax,
                       int32_t at, float *plane) {
  const int32_t width = (int32_t)pool->window.in[2], count = (int32_t)pool->window.out[2];
  float *top = plane + at;
  if (count < LANES)
    for (int32_t i = 0; i < count; i++)
      spread_window(dy[i], argmax[i], width, at + 2 * i, top + 2 * i);
  else
    for (int32_t next = 0; next < count; next += LANES) {
      const int32_t i = next + LANES <= count ? next : count - LANES;
      spread_windows(dy + i, argmax + i, width, at + 2 * i, top + 2 * i);
    }
  for (int32_t i = 2 * count; i < width; i++) top[i] = top[width + i] = 0;
}

void fed__halving_pool_backward(const struct fed_pool *pool, const float *dy, const int32_t *argmax,
                                float *dx) {
  const int64_t in_width = pool->window.in[2], out_width = pool->window.out[2];
  const int64_t in_plane = pool->window.in[1] * in_width;
  const int64_t covered = 2 * pool->window.out[1] * in_width;
  for (int64_t i = 0; i < pool->batch * pool->channels; i++, dx += in_plane) {
    for (int64_t row = 0; row < pool->window.out[1]; row++) {
      spread_row(pool, dy, argmax, (int32_t)(2 * row * in_width), dx);
      dy += out_width;
      argmax += out_width;
    }
    memset(dx + covered, 0, (size_t)(in_plane - covered) * sizeof *dx);
  }
}
