/* SPDX-License-Identifier: Apache-2.0
 *
 * instance.c: makes, checks and frees kernel instances. After the check a kernel may rely on
 * positive extents, on the output extent following from the others, and on every pooling window
 * touching the image.
 */
#include "train/kernels/instance.h"

#include "base/memory.h"
#include "base/raise.h"

#include <inttypes.h>

/* One spatial dimension of a convolution or a pooling. */
struct axis {
  const char *name;
  int64_t in, out, kernel, stride, dilation, pad_before, pad_after;
};

static int check_positive(const struct axis *axis) {
  if (axis->in > 0 && axis->out > 0 && axis->kernel > 0 && axis->stride > 0 && axis->dilation > 0 &&
      axis->pad_before >= 0 && axis->pad_after >= 0)
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "%s: expected positive extents, strides and dilations and no negative padding, "
                   "found input %" PRId64 ", output %" PRId64 ", kernel %" PRId64
                   ", stride %" PRId64 ", dilation %" PRId64 ", padding %" PRId64 " and %" PRId64,
                   axis->name, axis->in, axis->out, axis->kernel, axis->stride, axis->dilation,
                   axis->pad_before, axis->pad_after);
}

static int check_output(const struct axis *axis) {
  FED_TRY(check_positive(axis));
  const int64_t room =
      axis->in + axis->pad_before + axis->pad_after - axis->dilation * (axis->kernel - 1) - 1;
  const int64_t expected = room < 0 ? 0 : room / axis->stride + 1;
  if (axis->out == expected) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "%s: expected an output of %" PRId64 ", found %" PRId64, axis->name,
                   expected, axis->out);
}

static int window_touches(const struct axis *axis, int64_t out) {
  for (int64_t tap = 0; tap < axis->kernel; tap++) {
    const int64_t at = out * axis->stride - axis->pad_before + tap * axis->dilation;
    if (at >= 0 && at < axis->in) return 1;
  }
  return 0;
}

/* A maximum over padding alone has no place to send its gradient. */
static int check_windows(const struct axis *axis) {
  FED_TRY(check_output(axis));
  for (int64_t out = 0; out < axis->out; out++)
    if (!window_touches(axis, out))
      return FED_RAISE(FED_E_SHAPE,
                       "%s: pooling window %" PRId64 " lies in the padding alone; use less padding",
                       axis->name, out);
  return FED_OK;
}

#define AXIS(shape, extent, index)                                                                 \
  {                                                                                                \
#extent, (shape)->in_##extent, (shape)->out_##extent, (shape)->kernel_##extent,                \
        (shape)->stride[index], (shape)->dilation[index],                                          \
                                                  (shape)->pad_before[index],                      \
                                                                      (shape)->pad_after[index]    \
  }

static int check_conv(const struct fed_conv *shape) {
  const struct axis axes[2] = {AXIS(shape, height, 0), AXIS(shape, width, 1)};
  for (int i = 0; i < 2; i++) FED_TRY(check_output(&axes[i]));
  if (shape->batch > 0 && shape->groups > 0 && shape->in_channels > 0 && shape->out_channels > 0 &&
      shape->in_channels % shape->groups == 0 && shape->out_channels % shape->groups == 0)
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "expected a batch and channels that the groups divide, found batch %" PRId64
                   ", %" PRId64 " to %" PRId64 " channels in %" PRId64 " groups",
                   shape->batch, shape->in_channels, shape->out_channels, shape->groups);
}

static int check_pool(const struct fed_pool *shape) {
  const struct axis axes[2] = {AXIS(shape, height, 0), AXIS(shape, width, 1)};
  for (int i = 0; i < 2; i++) FED_TRY(check_windows(&axes[i]));
  if (shape->batch <= 0 || shape->channels <= 0)
    return FED_RAISE(FED_E_SHAPE, "expected a batch with channels, found %" PRId64 " × %" PRId64,
                     shape->batch, shape->channels);
  if (shape->in_height > INT32_MAX / shape->in_width)
    return FED_RAISE(FED_E_RANGE,
                     "expected a plane of at most 2^31 - 1 elements, found %" PRId64 " × %" PRId64,
                     shape->in_height, shape->in_width);
  return FED_OK;
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

int fed__pool_instance_new(const struct fed_context *context, const struct fed_pool *shape,
                           struct fed_kernel_instance **instance) {
  FED_TRY(check_pool(shape));
  *instance = new_instance(context);
  if (!*instance) return FED_E_MEMORY;
  (*instance)->pool = *shape;
  return FED_OK;
}

void fed__kernel_instance_free(struct fed_kernel_instance *instance) {
  if (!instance) return;
  if (instance->state_free) instance->state_free(instance);
  fed__free(instance->context, instance);
}

size_t fed__kernel_instance_bytes(const struct fed_kernel_instance *instance) {
  return instance->bytes;
}
