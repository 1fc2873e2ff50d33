/* SPDX-License-Identifier: Apache-2.0
 *
 * op_pool.c: MaxPool over one or two spatial dimensions. The place of each maximum is kept for
 * the way back; of equal maxima the first gets the gradient.
 */
#include "base/raise.h"
#include "train/operator.h"
#include "train/operators/window/window.h"

struct pool_state {
  struct fed_kernel_instance *instance;
};

/* Padding as wide as the kernel could leave a window without any data. */
static int read_pool(const struct fed__node *node, const struct fed_shape *x,
                     struct fed__window *window) {
  int64_t storage_order;
  FED_TRY(fed__attribute_int(node, "storage_order", 0, &storage_order));
  if (storage_order) return FED_RAISE(FED_E_UNSUPPORTED, "storage_order 1 is not supported");
  FED_TRY(fed__window_read(node, x, NULL, window));
  for (int axis = 0; axis < 2; axis++)
    if (window->pad_before[axis] >= window->kernel[axis] * window->dilation[axis])
      return FED_RAISE(FED_E_SHAPE, "padding %lld is as wide as the kernel",
                       (long long)window->pad_before[axis]);
  return FED_OK;
}

static int infer_max_pool(const struct fed__inference *inference) {
  struct fed__window window;
  FED_TRY(fed__infer_real(inference, 0));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_pool(inference->node, x, &window));
  const struct fed_shape shape = fed__window_output(&window, x, window.channels);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_max_pool(struct fed__operation *operation) {
  struct pool_state *state = operation->state;
  struct fed__window window;
  FED_TRY(read_pool(operation->node, &operation->inputs[0].shape, &window));
  operation->saved_bytes = operation->outputs[0].elements * sizeof(int32_t);
  const struct fed_pool shape = {
      .batch = window.batch,
      .channels = window.channels,
      .in_height = window.in[0],
      .in_width = window.in[1],
      .out_height = window.out[0],
      .out_width = window.out[1],
      .kernel_height = window.kernel[0],
      .kernel_width = window.kernel[1],
      .stride = {window.stride[0], window.stride[1]},
      .dilation = {window.dilation[0], window.dilation[1]},
      .pad_before = {window.pad_before[0], window.pad_before[1]},
      .pad_after = {window.pad_after[0], window.pad_after[1]},
  };
  return operation->kernels->pool_new(operation->context, &shape, &state->instance);
}

static void release_pool(struct fed__operation *operation) {
  struct pool_state *state = operation->state;
  if (state->instance) operation->kernels->instance_free(state->instance);
}

static size_t pool_bytes(const struct fed__operation *operation) {
  const struct pool_state *state = operation->state;
  return operation->kernels->instance_bytes(state->instance);
}

static void max_pool_forward(const struct fed__operation *operation) {
  const struct pool_state *state = operation->state;
  operation->kernels->max_pool_forward(state->instance, operation->inputs[0].data,
                                       operation->outputs[0].data, operation->saved);
}

static void max_pool_backward(const struct fed__operation *operation) {
  const struct pool_state *state = operation->state;
  operation->kernels->max_pool_backward(state->instance, operation->outputs[0].gradient,
                                        operation->saved, operation->inputs[0].gradient);
}

const struct fed__operator fed__op_max_pool = {
    .type = "MaxPool",
    .opset_min = 13,
    .opset_max = 23,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_max_pool,
    .state_size = sizeof(struct pool_state),
    .prepare = prepare_max_pool,
    .release = release_pool,
    .bytes = pool_bytes,
    .forward = FED__UNTYPED(max_pool_forward),
    .backward = FED__UNTYPED(max_pool_backward),
};
