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

/* A row of outputs that a tap joins with inputs: where output 0 of it is, and where the input that
 * belongs to output 0 would be. */
struct tap_row {
  int64_t out, in;
  int64_t deep, high; /* the row's other coordinates */
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

static inline void place_row(const struct fed_window *window, const struct tap *tap,
                             struct tap_row *row) {
  const struct axis_tap *deep = &tap->axes[0], *high = &tap->axes[1];
  const int64_t slice = deep->offset + row->deep * deep->stride;
  const int64_t line = high->offset + row->high * high->stride;
  row->out = (row->deep * window->out[1] + row->high) * window->out[2];
  row->in = (slice * window->in[1] + line) * window->in[2] + tap->axes[2].offset;
}

static inline struct tap_row first_row(const struct fed_window *window, const struct tap *tap) {
  struct tap_row row = {.deep = tap->axes[0].from, .high = tap->axes[1].from};
  if (tap->axes[1].from == tap->axes[1].to || tap->axes[2].from == tap->axes[2].to)
    row.deep = tap->axes[0].to;
  place_row(window, tap, &row);
  return row;
}

static inline int has_row(const struct tap *tap, const struct tap_row *row) {
  return row->deep < tap->axes[0].to;
}

static inline void next_row(const struct fed_window *window, const struct tap *tap,
                            struct tap_row *row) {
  row->out += window->out[2];
  row->in += tap->axes[1].stride * window->in[2];
  if (++row->high < tap->axes[1].to) return;
  row->high = tap->axes[1].from;
  row->deep++;
  place_row(window, tap, row);
}

#define FOR_EACH_ROW(row, window, tap)                                                             \
  for (struct tap_row row = first_row(window, tap); has_row(tap, &row); next_row(window, tap, &row))

static inline int64_t volume(const int64_t extents[FED_SPATIAL]) {
  return extents[0] * extents[1] * extents[2];
}

#endif
