/* SPDX-License-Identifier: Apache-2.0
 *
 * taps.h: a sliding window taken apart into its taps: each tap of the kernel joins a box of outputs
 * with as many inputs, row by row, so that inner loops run along the width without a condition.
 */
#ifndef FED_TRAIN_TAPS_H
#define FED_TRAIN_TAPS_H

#include "train/kernels/kernels.h"

/* Along one axis: the outputs `from` … `to` - 1 meet the inputs offset + output * stride. */
struct axis_tap {
  int64_t from, to, offset, stride;
};

struct tap {
  struct axis_tap axes[FED_SPATIAL];
  int64_t index; /* in the kernel */
};

/* A row of outputs and where output 0 of it would be in the input's plane. */
struct tap_row {
  int64_t out, in;
};

static inline struct axis_tap find_axis_tap(const struct fed_window *window, int axis,
                                            int64_t index) {
  const int64_t stride = window->stride[axis], out = window->out[axis];
  const int64_t offset = index * window->dilation[axis] - window->pad_before[axis];
  const int64_t last = window->in[axis] - 1 - offset;
  struct axis_tap tap = {0, last < 0 ? 0 : last / stride + 1, offset, stride};
  if (offset < 0) tap.from = (-offset + stride - 1) / stride;
  if (tap.to > out) tap.to = out;
  if (tap.from > tap.to) tap.from = tap.to;
  return tap;
}

/* The tap of that index in the kernel. */
static inline struct tap find_tap(const struct fed_window *window, int64_t index) {
  const int64_t *kernel = window->kernel;
  return (struct tap){{find_axis_tap(window, 0, index / kernel[2] / kernel[1]),
                       find_axis_tap(window, 1, index / kernel[2] % kernel[1]),
                       find_axis_tap(window, 2, index % kernel[2])},
                      index};
}

/* The number of rows of a tap, and one of them. */
static inline int64_t tap_rows(const struct tap *tap) {
  if (tap->axes[2].from >= tap->axes[2].to) return 0;
  return (tap->axes[0].to - tap->axes[0].from) * (tap->axes[1].to - tap->axes[1].from);
}

static inline struct tap_row find_row(const struct fed_window *window, const struct tap *tap,
                                      int64_t row) {
  const struct axis_tap *deep = &tap->axes[0], *high = &tap->axes[1];
  const int64_t d = deep->from + row / (high->to - high->from);
  const int64_t h = high->from + row % (high->to - high->from);
  const int64_t slice = deep->offset + d * deep->stride, line = high->offset + h * high->stride;
  return (struct tap_row){(d * window->out[1] + h) * window->out[2],
                          (slice * window->in[1] + line) * window->in[2] + tap->axes[2].offset};
}

static inline int64_t volume(const int64_t extents[FED_SPATIAL]) {
  return extents[0] * extents[1] * extents[2];
}

#endif
