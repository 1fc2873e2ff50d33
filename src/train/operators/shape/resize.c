/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.c: ONNX's rules of Resize: extents, coordinates, neighbours.
 */
#include "train/operators/shape/resize.h"
#include "base/raise.h"

#include <math.h>

enum coordinates {
  HALF_PIXEL,
  HALF_PIXEL_SYMMETRIC,
  PYTORCH_HALF_PIXEL,
  ALIGN_CORNERS,
  ASYMMETRIC,
  CROP_AND_RESIZE
};
enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };
enum policy { STRETCH, NOT_LARGER, NOT_SMALLER };

#define EXTENT_MAX 0x1p40

static int read_words(const struct fed__node *node, struct fed__resize *resize) {
  static const char *const modes[] = {"nearest", "linear", NULL};
  static const char *const coordinates[] = {"half_pixel",
                                            "half_pixel_symmetric",
                                            "pytorch_half_pixel",
                                            "align_corners",
                                            "asymmetric",
                                            "tf_crop_and_resize",
                                            NULL};
  static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                          "ceil", NULL};
  size_t mode;
  int64_t antialias;
  FED_TRY(fed__attribute_choice(node, "mode", modes, &mode));
  FED_TRY(fed__attribute_choice(node, "coordinate_transformation_mode", coordinates,
                                &resize->coordinates));
  FED_TRY(fed__attribute_choice(node, "nearest_mode", roundings, &resize->rounding));
  FED_TRY(fed__attribute_int(node, "antialias", 0, &antialias));
  if (antialias && mode) return FED_RAISE(FED_E_UNSUPPORTED, "antialias is not supported");
  resize->linear = mode == 1;
  return fed__attribute_float(node, "extrapolation_value", 0, &resize->extrapolation);
}

/* The axes that scales, sizes and roi speak of; all, if the attribute is left out. */
static int read_axes(const struct fed__node *node, uint32_t rank, uint32_t *axes, size_t *count) {
  int64_t given[FED_RANK_MAX];
  uint32_t seen = 0;
  FED_TRY(fed__attribute_ints(node, "axes", given, FED_RANK_MAX, count));
  const int all = *count == 0;
  if (all) *count = rank;
  for (size_t i = 0; i < *count; i++) {
    FED_TRY(fed__axis_normalise(all ? (int64_t)i : given[i], rank, &axes[i]));
    if (seen >> axes[i] & 1) return FED_RAISE(FED_E_DUPLICATE, "axis %u is given twice", axes[i]);
    seen |= 1U << axes[i];
  }
  return FED_OK;
}

static int check_counts(const struct fed__resize *resize, const struct fed__resize_inputs *inputs,
                        size_t axes) {
  if ((inputs->scale_count == 0) == (inputs->size_count == 0))
    return FED_RAISE(FED_E_SHAPE, "expected either scales (input 2) or sizes (input 3)");
  const size_t found = inputs->scale_count + inputs->size_count;
  if (found != axes) return FED_RAISE(FED_E_SHAPE, "%zu scales or sizes for %zu axes", found, axes);
  if (resize->coordinates == CROP_AND_RESIZE && inputs->roi_count != 2 * axes)
    return FED_RAISE(FED_E_SHAPE, "roi (input 1) has %zu numbers, expected 2 for each of %zu axes",
                     inputs->roi_count, axes);
  return FED_OK;
}

static int set_extent(struct fed__resize_axis *axis, double extent) {
  if (!(extent >= 0 && extent <= EXTENT_MAX))
    return FED_RAISE(FED_E_RANGE, "an extent of %lld cannot become %g", (long long)axis->in,
                     extent);
  axis->out = (int64_t)extent;
  if (axis->in == 0 && axis->out)
    return FED_RAISE(FED_E_SHAPE, "an empty dimension cannot be resized");
  return FED_OK;
}

/* In float, as the numbers are in the file: 0.7F times 10 is 7 there and less in double. */
static int apply_scale(struct fed__resize_axis *axis, double scale) {
  if (!(scale > 0 && scale <= EXTENT_MAX))
    return FED_RAISE(FED_E_RANGE, "a scale of %g is not positive", scale);
  axis->scale = scale;
  return set_extent(
      axis, floor((double)((float)axis->in * (float)(axis->end - axis->start) * (float)scale)));
}

static int apply_size(struct fed__resize_axis *axis, int64_t size) {
  axis->scale = axis->in ? (double)size / (double)axis->in : 1;
  return set_extent(axis, (double)size);
}

/* One scale for all axes, so that nothing is larger, or smaller, than wanted. */
static int keep_aspect(enum policy policy, struct fed__resize *resize, const uint32_t *axes,
                       size_t count) {
  double scale = count ? resize->axes[axes[0]].scale : 1;
  for (size_t i = 1; i < count; i++)
    scale = policy == NOT_LARGER ? fmin(scale, resize->axes[axes[i]].scale)
                                 : fmax(scale, resize->axes[axes[i]].scale);
  for (size_t i = 0; i < count; i++) {
    struct fed__resize_axis *axis = &resize->axes[axes[i]];
    axis->scale = scale;
    FED_TRY(set_extent(axis, floor(scale * (double)axis->in + 0.5)));
  }
  return FED_OK;
}

int fed__resize_read(const struct fed__node *node, const struct fed_shape *shape,
                     const struct fed__resize_inputs *inputs, struct fed__resize *resize) {
  static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
  uint32_t axes[FED_RANK_MAX];
  size_t count, policy;
  FED_TRY(read_words(node, resize));
  FED_TRY(read_axes(node, shape->rank, axes, &count));
  FED_TRY(check_counts(resize, inputs, count));
  FED_TRY(fed__attribute_choice(node, "keep_aspect_ratio_policy", policies, &policy));
  resize->rank = shape->rank;
  for (uint32_t i = 0; i < shape->rank; i++)
    resize->axes[i] = (struct fed__resize_axis){shape->dims[i], shape->dims[i], 1, 0, 1};
  for (size_t i = 0; i < count; i++) {
    struct fed__resize_axis *axis = &resize->axes[axes[i]];
    if (resize->coordinates == CROP_AND_RESIZE) {
      axis->start = inputs->roi[i];
      axis->end = inputs->roi[count + i];
    }
    FED_TRY(inputs->scale_count ? apply_scale(axis, inputs->scales[i])
                                : apply_size(axis, inputs->sizes[i]));
  }
  if (policy == STRETCH || inputs->scale_count) return FED_OK;
  return keep_aspect((enum policy)policy, resize, axes, count);
}

int fed__resize_keeps(const struct fed__resize *resize, const struct fed__resize_axis *axis) {
  return axis->in == axis->out && axis->scale == 1 &&
         (resize->coordinates != CROP_AND_RESIZE || (axis->start == 0 && axis->end == 1));
}

/* Where the output element lies in the input. `length` may be a fraction: what the output would
 * be had it not been cut off to whole elements. */
static double coordinate_of(const struct fed__resize *resize, const struct fed__resize_axis *axis,
                            double at) {
  const double length = axis->scale * (double)axis->in, last = (double)axis->in - 1;
  const double half = (at + 0.5) / axis->scale - 0.5;
  switch ((enum coordinates)resize->coordinates) {
  case HALF_PIXEL:
    return half;
  case HALF_PIXEL_SYMMETRIC:
    return half + (double)axis->in / 2 * (1 - (double)axis->out / length);
  case PYTORCH_HALF_PIXEL:
    return axis->out > 1 ? half : 0;
  case ALIGN_CORNERS:
    return length == 1 || axis->out == 1 ? 0 : at * last / (length - 1);
  case ASYMMETRIC:
    return at / axis->scale;
  case CROP_AND_RESIZE:
    if (axis->out == 1) return (axis->start + axis->end) / 2 * last;
    return axis->start * last + at * (axis->end - axis->start) * last / ((double)axis->out - 1);
  }
  return 0;
}

static double round_to(enum rounding rounding, double x) {
  const double below = floor(x), part = x - below;
  switch (rounding) {
  case PREFER_FLOOR:
    return part > 0.5 ? below + 1 : below;
  case PREFER_CEIL:
    return part >= 0.5 ? below + 1 : below;
  case FLOOR:
    return below;
  case CEIL:
    return ceil(x);
  }
  return below;
}

static int64_t inside(double x, int64_t extent) {
  return x < 0 ? 0 : x > (double)(extent - 1) ? extent - 1 : (int64_t)x;
}

struct fed__tap fed__resize_tap(const struct fed__resize *resize,
                                const struct fed__resize_axis *axis, int64_t at) {
  const double x = coordinate_of(resize, axis, (double)at), below = floor(x);
  if (resize->coordinates == CROP_AND_RESIZE && !(x >= 0 && x <= (double)(axis->in - 1)))
    return (struct fed__tap){FED__NONE, FED__NONE, 0};
  if (!resize->linear) {
    const int64_t nearest = inside(round_to((enum rounding)resize->rounding, x), axis->in);
    return (struct fed__tap){nearest, nearest, 0};
  }
  return (struct fed__tap){inside(below, axis->in), inside(below + 1, axis->in), x - below};
}
