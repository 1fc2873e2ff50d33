/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c: the attributes kernel_shape, strides, dilations, pads, auto_pad, ceil_mode,
 * output_padding and output_shape.
 */
#include "train/operators/window/window.h"
#include "base/raise.h"

#define EXTENT_MAX (INT64_C(1) << 31) /* products and sums of two stay far inside int64 */
#define TAPS_MAX (INT64_C(1) << 20)

/* A node while its window is read: the window's axes from `first` on are the data's. */
struct reading {
  const struct fed__node *node;
  struct fed_window *window;
  int first;
};

static int spatial(const struct reading *reading) { return FED_SPATIAL - reading->first; }

static int read_list(const struct reading *reading, const char *name, int64_t *values,
                     size_t expected, size_t *count) {
  FED_TRY(fed__attribute_ints(reading->node, name, values, expected, count));
  if (*count == 0 || *count == expected) return FED_OK;
  return FED_RAISE(FED_E_SHAPE,
                   "attribute '%s' has %zu values, expected %zu for %d spatial "
                   "dimensions",
                   name, *count, expected, spatial(reading));
}

static int check_values(const char *name, const int64_t *values, size_t count, int64_t least,
                        int64_t most) {
  for (size_t i = 0; i < count; i++)
    if (values[i] < least || values[i] > most)
      return FED_RAISE(FED_E_RANGE, "attribute '%s' has the value %lld, expected %lld to %lld",
                       name, (long long)values[i], (long long)least, (long long)most);
  return FED_OK;
}

/* One value for each axis; where the list or the axis is missing it stays. */
static int read_axes(const struct reading *reading, const char *name, int64_t least, int64_t most,
                     int64_t values[FED_SPATIAL]) {
  size_t count;
  int64_t given[FED_SPATIAL];
  FED_TRY(read_list(reading, name, given, (size_t)spatial(reading), &count));
  FED_TRY(check_values(name, given, count, least, most));
  for (size_t i = 0; i < count; i++) values[reading->first + (int)i] = given[i];
  return FED_OK;
}

static int read_pads(const struct reading *reading) {
  size_t count;
  int64_t pads[2 * FED_SPATIAL];
  FED_TRY(read_list(reading, "pads", pads, 2 * (size_t)spatial(reading), &count));
  FED_TRY(check_values("pads", pads, count, 0, EXTENT_MAX));
  for (size_t i = 0; i < count / 2; i++) {
    reading->window->pad_before[reading->first + (int)i] = pads[i];
    reading->window->pad_after[reading->first + (int)i] = pads[count / 2 + i];
  }
  return FED_OK;
}

static int64_t covered(const struct fed_window *window, int axis) {
  return window->dilation[axis] * (window->kernel[axis] - 1) + 1;
}

enum auto_pad { PAD_GIVEN, PAD_NONE, PAD_SAME_UPPER, PAD_SAME_LOWER };

static int read_auto_pad(const struct fed__node *node, enum auto_pad *mode) {
  static const char *const words[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  struct fed_slice text;
  FED_TRY(fed__attribute_text(node, "auto_pad", "NOTSET", &text));
  for (int i = 0; i < 4; i++)
    if (text.size == strlen(words[i]) && memcmp(text.data, words[i], text.size) == 0) {
      *mode = (enum auto_pad)i;
      return FED_OK;
    }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "attribute 'auto_pad' should be NOTSET, VALID, SAME_UPPER or "
                   "SAME_LOWER, but is '%.*s'",
                   (int)(text.size < 40 ? text.size : 40), (const char *)text.data);
}

/* An odd one goes to the given end. */
static void split_padding(struct fed_window *window, int axis, int64_t total, int upper) {
  if (total < 0) total = 0;
  window->pad_before[axis] = upper ? total / 2 : total - total / 2;
  window->pad_after[axis] = total - window->pad_before[axis];
}

/* As much padding as gives ceil(in / stride) outputs. */
static void pad_same(struct fed_window *window, int axis, int upper) {
  const int64_t stride = window->stride[axis];
  const int64_t out = (window->in[axis] + stride - 1) / stride;
  split_padding(window, axis, (out - 1) * stride + covered(window, axis) - window->in[axis], upper);
}

/* In ceil mode a last window may hang over the end, but must start before it. */
static int count_outputs(struct fed_window *window, int axis, int ceil_mode) {
  const int64_t stride = window->stride[axis];
  const int64_t room =
      window->in[axis] + window->pad_before[axis] + window->pad_after[axis] - covered(window, axis);
  if (room < 0 && !ceil_mode)
    return FED_RAISE(FED_E_SHAPE, "a kernel covering %lld does not fit into %lld with padding",
                     (long long)covered(window, axis), (long long)window->in[axis]);
  window->out[axis] = room < 0 ? 0 : room / stride + 1;
  const int64_t next_start = window->out[axis] * stride - window->pad_before[axis];
  if (ceil_mode && (room < 0 || room % stride) && next_start < window->in[axis])
    window->out[axis]++;
  return FED_OK;
}

/* Kernel, strides and dilations of a node over data of this shape, whose extents go to `extents`.
 */
static int begin(struct reading *reading, const struct fed_shape *data,
                 const struct fed_shape *weights, int64_t extents[FED_SPATIAL]) {
  struct fed_window *window = reading->window;
  char text[128];
  *window = (struct fed_window){.in = {1, 1, 1},
                                .out = {1, 1, 1},
                                .kernel = {1, 1, 1},
                                .stride = {1, 1, 1},
                                .dilation = {1, 1, 1}};
  if (data->rank < 3 || data->rank > 2 + FED_SPATIAL)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "data of shape %s; supported are [N, C] and one to three dimensions more",
                     fed_shape_format(data, text, sizeof text));
  reading->first = 2 + FED_SPATIAL - (int)data->rank;
  for (int axis = reading->first; axis < FED_SPATIAL; axis++) {
    extents[axis] = data->dims[axis - FED_SPATIAL + (int)data->rank];
    if (extents[axis] < 1 || extents[axis] > EXTENT_MAX)
      return FED_RAISE(FED_E_RANGE, "data of shape %s is empty or too large",
                       fed_shape_format(data, text, sizeof text));
    if (weights) window->kernel[axis] = weights->dims[axis - FED_SPATIAL + (int)data->rank];
  }
  if (!weights && !fed__attribute_find(reading->node, "kernel_shape"))
    return FED_RAISE(FED_E_MISSING, "attribute 'kernel_shape' is missing");
  const struct fed_window by_weights = *window;
  FED_TRY(read_axes(reading, "kernel_shape", 1, TAPS_MAX, window->kernel));
  if (weights && memcmp(by_weights.kernel, window->kernel, sizeof window->kernel) != 0)
    return FED_RAISE(FED_E_SHAPE, "attribute 'kernel_shape' differs from the weights of shape %s",
                     fed_shape_format(weights, text, sizeof text));
  FED_TRY(check_values("kernel_shape", window->kernel, FED_SPATIAL, 1, TAPS_MAX));
  FED_TRY(read_axes(reading, "strides", 1, EXTENT_MAX, window->stride));
  return read_axes(reading, "dilations", 1, TAPS_MAX, window->dilation);
}

int fed__window_read(const struct fed__node *node, const struct fed_shape *data,
                     const struct fed_shape *weights, struct fed_window *window) {
  struct reading reading = {.node = node, .window = window};
  enum auto_pad mode = PAD_GIVEN;
  int64_t ceil_mode;
  FED_TRY(begin(&reading, data, weights, window->in));
  FED_TRY(read_auto_pad(node, &mode));
  FED_TRY(fed__attribute_int(node, "ceil_mode", 0, &ceil_mode));
  if (mode == PAD_GIVEN) FED_TRY(read_pads(&reading));
  for (int axis = reading.first; axis < FED_SPATIAL; axis++) {
    if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER)
      pad_same(window, axis, mode == PAD_SAME_UPPER);
    FED_TRY(count_outputs(window, axis, ceil_mode != 0));
  }
  return FED_OK;
}

/* The result's extent, before what `pads` takes off or instead of it. */
struct transposed {
  enum auto_pad mode;
  int64_t output_padding[FED_SPATIAL], output_shape[FED_SPATIAL];
};

static int find_input(struct fed_window *window, int axis, const struct transposed *transposed) {
  const int64_t extra = transposed->output_padding[axis];
  const int64_t full =
      window->stride[axis] * (window->out[axis] - 1) + extra + covered(window, axis);
  const int same = transposed->mode == PAD_SAME_UPPER || transposed->mode == PAD_SAME_LOWER;
  int64_t wanted = transposed->output_shape[axis];
  if (extra >= window->stride[axis] && extra >= window->dilation[axis])
    return FED_RAISE(FED_E_RANGE, "output_padding %lld should be less than the stride or dilation",
                     (long long)extra);
  if (!wanted && same) wanted = window->out[axis] * window->stride[axis];
  if (wanted) split_padding(window, axis, full - wanted, transposed->mode == PAD_SAME_UPPER);
  window->in[axis] = wanted ? wanted : full - window->pad_before[axis] - window->pad_after[axis];
  if (window->in[axis] < 1 || window->in[axis] > EXTENT_MAX)
    return FED_RAISE(FED_E_SHAPE, "the result would have an extent of %lld",
                     (long long)window->in[axis]);
  return FED_OK;
}

int fed__window_read_transposed(const struct fed__node *node, const struct fed_shape *data,
                                const struct fed_shape *weights, struct fed_window *window) {
  struct reading reading = {.node = node, .window = window};
  struct transposed transposed = {.mode = PAD_GIVEN};
  FED_TRY(begin(&reading, data, weights, window->out));
  FED_TRY(read_auto_pad(node, &transposed.mode));
  FED_TRY(read_axes(&reading, "output_padding", 0, EXTENT_MAX, transposed.output_padding));
  FED_TRY(read_axes(&reading, "output_shape", 1, EXTENT_MAX, transposed.output_shape));
  if (transposed.mode == PAD_GIVEN) FED_TRY(read_pads(&reading));
  for (int axis = reading.first; axis < FED_SPATIAL; axis++)
    FED_TRY(find_input(window, axis, &transposed));
  return FED_OK;
}

struct fed_shape fed__window_output(const struct fed_shape *data, int64_t channels,
                                    const int64_t extents[FED_SPATIAL]) {
  struct fed_shape shape = {data->rank, {data->dims[0], channels}};
  for (uint32_t i = 2; i < data->rank; i++) shape.dims[i] = extents[FED_SPATIAL + i - data->rank];
  return shape;
}

int fed__window_check_bias(const struct fed__inference *inference, int64_t channels) {
  const struct fed__known *bias = fed__infer_input(inference, 2);
  if (!bias || (bias->shape.rank == 1 && bias->shape.dims[0] == channels)) return FED_OK;
  char text[128];
  return FED_RAISE(FED_E_SHAPE, "the bias has shape %s, expected [%lld]",
                   fed_shape_format(&bias->shape, text, sizeof text), (long long)channels);
}

void fed__window_release(struct fed__operation *operation) {
  struct fed__window_state *state = operation->state;
  if (state->instance) operation->kernels->instance_free(state->instance);
}

size_t fed__window_bytes(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  return operation->kernels->instance_bytes(state->instance);
}

int fed__window_trains(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == 1 || slot == 2;
}

double fed__window_work(const struct fed__known *elements, const struct fed__known *weights) {
  return 2 * (double)elements->elements * (double)weights->elements /
         (double)weights->shape.dims[0];
}
