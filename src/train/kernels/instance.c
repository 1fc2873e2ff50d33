/* SPDX-License-Identifier: Apache-2.0
 *
 * instance.c: makes, checks and frees kernel instances. After the check a kernel may rely on
 * positive extents, on the output extents fitting the others, and on every pooling window
 * touching the image.
 */
#include "train/kernels/instance.h"

#include "base/memory.h"
#include "base/raise.h"

#include <inttypes.h>

static const char *const axis_names[FED_SPATIAL] = {"depth", "height", "width"};

static int check_positive(const struct fed_window *window, int axis) {
  const int64_t positive[] = {window->in[axis], window->out[axis], window->kernel[axis],
                              window->stride[axis], window->dilation[axis]};
  int good = window->pad_before[axis] >= 0 && window->pad_after[axis] >= 0;
  for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) good &= positive[i] > 0;
  if (good) return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "%s: expected positive extents, strides and dilations and no negative padding, "
                   "found input %" PRId64 ", output %" PRId64 ", kernel %" PRId64
                   ", stride %" PRId64 ", dilation %" PRId64 ", padding %" PRId64 " and %" PRId64,
                   axis_names[axis], window->in[axis], window->out[axis], window->kernel[axis],
                   window->stride[axis], window->dilation[axis], window->pad_before[axis],
                   window->pad_after[axis]);
}

/* Fewer outputs than there is room for leave the end of the input unread: fine. */
static int check_room(const struct fed_window *window, int axis) {
  FED_TRY(check_positive(window, axis));
  const int64_t room = window->in[axis] + window->pad_before[axis] + window->pad_after[axis] -
                       window->dilation[axis] * (window->kernel[axis] - 1) - 1;
  const int64_t most = room < 0 ? 0 : room / window->stride[axis] + 1;
  if (window->out[axis] <= most) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "%s: expected an output of at most %" PRId64 ", found %" PRId64,
                   axis_names[axis], most, window->out[axis]);
}

/* The number of a window's taps that are at least at `from` and below `to`. */
static int64_t count_taps(const struct fed_window *window, int axis, int64_t out, int64_t from,
                          int64_t to) {
  const int64_t step = window->dilation[axis];
  const int64_t start = out * window->stride[axis] - window->pad_before[axis];
  int64_t first = start >= from ? 0 : (from - start + step - 1) / step;
  int64_t end = start >= to ? 0 : (to - start + step - 1) / step;
  if (end > window->kernel[axis]) end = window->kernel[axis];
  return end > first ? end - first : 0;
}

/* A maximum or mean over padding alone means nothing. The last window may hang over the end. */
static int check_windows(const struct fed_window *window, int axis) {
  FED_TRY(check_positive(window, axis));
  for (int64_t out = 0; out < window->out[axis]; out++)
    if (count_taps(window, axis, out, 0, window->in[axis]) == 0)
      return FED_RAISE(FED_E_SHAPE,
                       "%s: pooling window %" PRId64 " lies in the padding alone; use less padding",
                       axis_names[axis], out);
  return FED_OK;
}

static int check_conv(const struct fed_conv *shape) {
  for (int axis = 0; axis < FED_SPATIAL; axis++) FED_TRY(check_room(&shape->window, axis));
  if (shape->batch > 0 && shape->groups > 0 && shape->in_channels > 0 && shape->out_channels > 0 &&
      shape->in_channels % shape->groups == 0 && shape->out_channels % shape->groups == 0)
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "expected a batch and channels that the groups divide, found batch %" PRId64
                   ", %" PRId64 " to %" PRId64 " channels in %" PRId64 " groups",
                   shape->batch, shape->in_channels, shape->out_channels, shape->groups);
}

/* Indices into a plane and counts of taps are int32_t. */
static int check_volume(const int64_t extents[FED_SPATIAL], const char *what) {
  if (extents[0] <= INT32_MAX / extents[1] && extents[0] * extents[1] <= INT32_MAX / extents[2])
    return FED_OK;
  return FED_RAISE(FED_E_RANGE,
                   "expected %s of at most 2^31 - 1 elements, found %" PRId64 " × %" PRId64
                   " × %" PRId64,
                   what, extents[0], extents[1], extents[2]);
}

static int check_pool(const struct fed_pool *shape) {
  for (int axis = 0; axis < FED_SPATIAL; axis++) FED_TRY(check_windows(&shape->window, axis));
  if (shape->batch <= 0 || shape->channels <= 0)
    return FED_RAISE(FED_E_SHAPE, "expected a batch with channels, found %" PRId64 " × %" PRId64,
                     shape->batch, shape->channels);
  FED_TRY(check_volume(shape->window.in, "a plane"));
  FED_TRY(check_volume(shape->window.out, "an output plane"));
  return check_volume(shape->window.kernel, "a kernel");
}

static struct fed_kernel_instance *new_instance(const struct fed_context *context) {
  struct fed_kernel_instance *instance = fed__zalloc(context, 1, sizeof *instance);
  if (!instance) return NULL;
  instance->context = context;
  instance->bytes = sizeof *instance;
  return instance;
}

int fed__conv_instance_new(const struct fed_context *context, const struct fed_conv *shape,
                           struct fed_kernel_instance **instance) {
  FED_TRY(check_conv(shape));
  *instance = new_instance(context);
  if (!*instance) return FED_E_MEMORY;
  (*instance)->conv = *shape;
  return FED_OK;
}

/* What each output of an average is divided by. */
static int fill_counts(struct fed_kernel_instance *instance) {
  const struct fed_window *window = &instance->pool.window;
  const int padding = instance->pool.divisor == FED_POOL_BY_PIXELS_AND_PADDING;
  const int64_t plane = window->out[0] * window->out[1] * window->out[2];
  instance->counts = fed__zalloc(instance->context, (size_t)plane, sizeof *instance->counts);
  if (!instance->counts) return FED_E_MEMORY;
  instance->bytes += (size_t)plane * sizeof *instance->counts;
  for (int64_t i = 0; i < plane; i++) {
    const int64_t at[FED_SPATIAL] = {i / window->out[2] / window->out[1],
                                     i / window->out[2] % window->out[1], i % window->out[2]};
    int64_t count = 1;
    for (int axis = 0; axis < FED_SPATIAL; axis++) {
      const int64_t before = padding ? window->pad_before[axis] : 0;
      const int64_t after = padding ? window->pad_after[axis] : 0;
      count *= count_taps(window, axis, at[axis], -before, window->in[axis] + after);
    }
    instance->counts[i] = (int32_t)count;
  }
  return FED_OK;
}

int fed__pool_instance_new(const struct fed_context *context, const struct fed_pool *shape,
                           struct fed_kernel_instance **instance) {
  FED_TRY(check_pool(shape));
  *instance = new_instance(context);
  if (!*instance) return FED_E_MEMORY;
  (*instance)->pool = *shape;
  if (shape->divisor == FED_POOL_UNDIVIDED || fill_counts(*instance) == FED_OK) return FED_OK;
  fed__kernel_instance_free(*instance);
  *instance = NULL;
  return FED_E_MEMORY;
}

void fed__kernel_instance_free(struct fed_kernel_instance *instance) {
  if (!instance) return;
  if (instance->state_free) instance->state_free(instance);
  fed__free(instance->context, instance->counts);
  fed__free(instance->context, instance);
}

size_t fed__kernel_instance_bytes(const struct fed_kernel_instance *instance) {
  return instance->bytes;
}
