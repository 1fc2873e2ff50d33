/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.h: what Resize does along each axis: which input elements every output element is made
 * of. The rules of ONNX for coordinates are here and nowhere else.
 */
#ifndef FED_TRAIN_RESIZE_H
#define FED_TRAIN_RESIZE_H

#include "train/operator.h"

/* The inputs besides the data, as far as they are there. */
struct fed__resize_inputs {
  double scales[FED_RANK_MAX], roi[2 * FED_RANK_MAX];
  int64_t sizes[FED_RANK_MAX];
  size_t scale_count, roi_count, size_count;
};

struct fed__resize_axis {
  int64_t in, out;
  double scale, start, end; /* of the region that is shown, as parts of the axis */
};

struct fed__resize {
  size_t coordinates, rounding; /* as the words are listed */
  int linear;
  double extrapolation;
  uint32_t rank;
  struct fed__resize_axis axes[FED_RANK_MAX];
};

/* One output element: (1 - weight) times element `low` and weight times element `high`; low is
 * FED__NONE for an element outside the data. */
struct fed__tap {
  int64_t low, high;
  double weight;
};

FED_MUST int fed__resize_read(const struct fed__node *node, const struct fed_shape *shape,
                              const struct fed__resize_inputs *inputs, struct fed__resize *resize);
struct fed__tap fed__resize_tap(const struct fed__resize *resize,
                                const struct fed__resize_axis *axis, int64_t at);

/* Does the axis come out as it went in? */
int fed__resize_keeps(const struct fed__resize *resize, const struct fed__resize_axis *axis);

#endif
