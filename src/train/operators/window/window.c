/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c: the attributes kernel_shape, strides, dilations, pads, auto_pad and ceil_mode.
 */
#include "train/operators/window/window.h"
#include "base/raise.h"

#define EXTENT_MAX (INT64_C(1) << 31) /* products and sums of two stay far inside int64 */

static int read_pair(const struct fed__node *node, const char *name, uint32_t spatial,
                     int64_t absent, int64_t least, int64_t pair[2]) {
  size_t count;
  int64_t given[2];
  FED_TRY(fed__attribute_ints(node, name, given, spatial, &count));
  if (count != 0 && count != spatial)
    return FED_RAISE(FED_E_SHAPE, "attribute '%s' has %zu values for %u spatial dimensions", name,
                     count, spatial);
  pair[0] = pair[1] = absent;
  for (uint32_t i = 0; i < count; i++) pair[2 - spatial + i] = given[i];
  if (spatial == 1) pair[0] = 1; /* a height of one: kernel, stride and dilation 1 */
  for (int i = 0; i < 2; i++)
    if (pair[i] < least || pair[i] > EXTENT_MAX)
      return FED_RAISE(FED_E_RANGE, "attribute '%s' is %lld, expected %lld or more", name,
                       (long long)pair[i], (long long)least);
  return FED_OK;
}

static int read_pads(const struct fed__node *node, uint32_t spatial, struct fed__window *window) {
  int64_t pads[4];
  size_t count;
  FED_TRY(fed__attribute_ints(node, "pads", pads, 2 * (size_t)spatial, &count));
  if (count != 0 && count != 2 * (size_t)spatial)
    return FED_RAISE(FED_E_SHAPE, "attribute 'pads' has %zu values, expected %u", count,
                     2 * spatial);
  for (uint32_t i = 0; i < spatial && count; i++) {
    window->pad_before[2 - spatial + i] = pads[i];
    window->pad_after[2 - spatial + i] = pads[spatial + i];
  }
  for (size_t i = 0; i < count; i++)
    if (pads[i] < 0 || pads[i] > EXTENT_MAX)
      return FED_RAISE(FED_E_RANGE, "attribute 'pads' contains %lld", (long long)pads[i]);
  return FED_OK;
}

static int64_t covered(const struct fed__window *window, int axis) {
  return window->dilation[axis] * (window->kernel[axis] - 1) + 1;
}

/* As much padding as gives ceil(in / stride) outputs; an odd one goes to the given end. */
static void pad_same(struct fed__window *window, int axis, int upper) {
  const int64_t stride = window->stride[axis];
  const int64_t out = (window->in[axis] + stride - 1) / stride;
  int64_t total = (out - 1) * stride + covered(window, axis) - window->in[axis];
  if (total < 0) total = 0;
  window->pad_before[axis] = upper ? total / 2 : total - total / 2;
  window->pad_after[axis] = total - window->pad_before[axis];
}

static int apply_auto_pad(const struct fed__node *node, uint32_t spatial,
                          struct fed__window *window) {
  struct fed_slice mode;
  FED_TRY(fed__attribute_text(node, "auto_pad", "NOTSET", &mode));
#define MODE_IS(word) (mode.size == strlen(word) && memcmp(mode.data, word, mode.size) == 0)
  if (MODE_IS("NOTSET")) return read_pads(node, spatial, window);
  if (MODE_IS("VALID")) return FED_OK;
  if (!MODE_IS("SAME_UPPER") && !MODE_IS("SAME_LOWER"))
    return FED_RAISE(FED_E_UNSUPPORTED, "auto_pad should be NOTSET, VALID, SAME_UPPER or "
                                        "SAME_LOWER");
  for (int axis = 0; axis < 2; axis++) pad_same(window, axis, MODE_IS("SAME_UPPER"));
#undef MODE_IS
  return FED_OK;
}

/* In ceil mode a last window may hang over the end, but must start before it. */
static int count_outputs(struct fed__window *window, int axis, int ceil_mode) {
  const int64_t stride = window->stride[axis];
  const int64_t room =
      window->in[axis] + window->pad_before[axis] + window->pad_after[axis] - covered(window, axis);
  if (room < 0)
    return FED_RAISE(FED_E_SHAPE, "a kernel covering %lld does not fit into %lld with padding",
                     (long long)covered(window, axis), (long long)window->in[axis]);
  window->out[axis] = room / stride + 1;
  const int64_t next_start = window->out[axis] * stride - window->pad_before[axis];
  if (ceil_mode && room % stride && next_start < window->in[axis]) {
    window->out[axis]++;
    window->pad_after[axis] += stride - room % stride;
  }
  return FED_OK;
}

static int read_data(const struct fed_shape *data, uint32_t *spatial, struct fed__window *window) {
  char text[128];
  if (data->rank != 3 && data->rank != 4)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "data of shape %s; supported are [N, C, W] and [N, C, H, W]",
                     fed_shape_format(data, text, sizeof text));
  *spatial = data->rank - 2;
  window->batch = data->dims[0];
  window->channels = data->dims[1];
  window->in[0] = *spatial == 2 ? data->dims[2] : 1;
  window->in[1] = data->dims[data->rank - 1];
  if (window->in[0] > EXTENT_MAX || window->in[1] > EXTENT_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "data of shape %s is too large",
                     fed_shape_format(data, text, sizeof text));
  return FED_OK;
}

int fed__window_read(const struct fed__node *node, const struct fed_shape *data,
                     const int64_t *kernel, struct fed__window *window) {
  uint32_t spatial = 0;
  int64_t ceil_mode;
  *window = (struct fed__window){0};
  FED_TRY(read_data(data, &spatial, window));
  FED_TRY(read_pair(node, "kernel_shape", spatial, kernel ? 1 : 0, kernel ? 0 : 1, window->kernel));
  if (kernel) window->kernel[0] = kernel[0], window->kernel[1] = kernel[1];
  FED_TRY(read_pair(node, "strides", spatial, 1, 1, window->stride));
  FED_TRY(read_pair(node, "dilations", spatial, 1, 1, window->dilation));
  for (int axis = 0; axis < 2; axis++)
    if (window->kernel[axis] < 1 || window->kernel[axis] > (1 << 20) ||
        window->dilation[axis] > (1 << 20))
      return FED_RAISE(FED_E_RANGE, "a kernel of %lld with dilation %lld",
                       (long long)window->kernel[axis], (long long)window->dilation[axis]);
  FED_TRY(apply_auto_pad(node, spatial, window));
  FED_TRY(fed__attribute_int(node, "ceil_mode", 0, &ceil_mode));
  for (int axis = 0; axis < 2; axis++) FED_TRY(count_outputs(window, axis, ceil_mode != 0));
  return FED_OK;
}

struct fed_shape fed__window_output(const struct fed__window *window, const struct fed_shape *data,
                                    int64_t channels) {
  struct fed_shape shape = {data->rank, {window->batch, channels, window->out[0], window->out[1]}};
  if (data->rank == 3) shape.dims[2] = window->out[1];
  return shape;
}
