/* SPDX-License-Identifier: Apache-2.0
 *
 * op_conv.c: Conv over one or two spatial dimensions, grouped, strided, dilated, padded. The
 * kernel table does the arithmetic and always makes both weight and bias gradients; of a frozen
 * one it lands in scratch memory.
 */
#include "base/raise.h"
#include "train/operator.h"
#include "train/operators/window/window.h"

struct conv_state {
  struct fed_kernel_instance *instance;
  size_t frozen_bias_at; /* offset in scratch of the gradient of a frozen bias */
};

static int read_conv(const struct fed__node *node, const struct fed_shape *x,
                     const struct fed_shape *w, struct fed__window *window, int64_t *groups) {
  char data[128], weights[128];
  FED_TRY(fed__attribute_int(node, "group", 1, groups));
  if (x->rank < 3 || w->rank != x->rank || *groups < 1 || *groups > w->dims[0] ||
      w->dims[0] % *groups || x->dims[1] % *groups || x->dims[1] / *groups != w->dims[1])
    return FED_RAISE(FED_E_SHAPE, "weights %s do not fit data %s in %lld groups",
                     fed_shape_format(w, weights, sizeof weights),
                     fed_shape_format(x, data, sizeof data), (long long)*groups);
  const int64_t kernel[2] = {w->rank == 4 ? w->dims[2] : 1, w->dims[w->rank - 1]};
  return fed__window_read(node, x, kernel, window);
}

static int infer_conv(const struct fed__inference *inference) {
  struct fed__window window;
  int64_t groups;
  for (uint32_t i = 0; i < 3; i++) FED_TRY(fed__infer_real(inference, i));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  const struct fed_shape *w = &fed__infer_input(inference, 1)->shape;
  const struct fed__known *bias = fed__infer_input(inference, 2);
  FED_TRY(read_conv(inference->node, x, w, &window, &groups));
  if (bias && (bias->shape.rank != 1 || bias->shape.dims[0] != w->dims[0]))
    return FED_RAISE(FED_E_SHAPE, "the bias should have %lld elements", (long long)w->dims[0]);
  const struct fed_shape shape = fed__window_output(&window, x, w->dims[0]);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int has_bias(const struct fed__operation *operation) {
  return operation->input_count > 2 && operation->inputs[2].elements > 0;
}

static void reserve_scratch(struct fed__operation *operation) {
  struct conv_state *state = operation->state;
  const size_t unit = sizeof(double);
  if (!operation->inputs[1].wants_gradient)
    operation->scratch_bytes += operation->inputs[1].elements * unit;
  state->frozen_bias_at = operation->scratch_bytes;
  if (has_bias(operation) && !operation->inputs[2].wants_gradient)
    operation->scratch_bytes += operation->inputs[2].elements * unit;
}

static int prepare_conv(struct fed__operation *operation) {
  struct conv_state *state = operation->state;
  struct fed__window window;
  int64_t groups;
  FED_TRY(read_conv(operation->node, &operation->inputs[0].shape, &operation->inputs[1].shape,
                    &window, &groups));
  reserve_scratch(operation);
  const struct fed_conv shape = {
      .batch = window.batch,
      .in_channels = window.channels,
      .out_channels = operation->inputs[1].shape.dims[0],
      .groups = groups,
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
      .has_bias = has_bias(operation),
  };
  return operation->kernels->conv_new(operation->context, &shape, &state->instance);
}

static void release_conv(struct fed__operation *operation) {
  struct conv_state *state = operation->state;
  if (state->instance) operation->kernels->instance_free(state->instance);
}

static size_t conv_bytes(const struct fed__operation *operation) {
  const struct conv_state *state = operation->state;
  return operation->kernels->instance_bytes(state->instance);
}

static void conv_forward(const struct fed__operation *operation) {
  const struct conv_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  operation->kernels->conv_forward(state->instance, inputs[0].data, inputs[1].data,
                                   has_bias(operation) ? inputs[2].data : NULL,
                                   operation->outputs[0].data);
}

static void conv_backward(const struct fed__operation *operation) {
  const struct conv_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  char *scratch = operation->scratch;
  void *dw = inputs[1].gradient ? inputs[1].gradient : scratch;
  void *dbias = NULL;
  if (has_bias(operation))
    dbias = inputs[2].gradient ? inputs[2].gradient : scratch + state->frozen_bias_at;
  operation->kernels->conv_backward(state->instance, inputs[0].data, inputs[1].data,
                                    operation->outputs[0].gradient, inputs[0].gradient, dw, dbias);
}

static int trains_conv(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == 1 || slot == 2;
}

const struct fed__operator fed__op_conv = {
    .type = "Conv",
    .opset_min = 13,
    .opset_max = 23,
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_conv,
    .trains = trains_conv,
    .state_size = sizeof(struct conv_state),
    .prepare = prepare_conv,
    .release = release_conv,
    .bytes = conv_bytes,
    .forward = FED__UNTYPED(conv_forward),
    .backward = FED__UNTYPED(conv_backward),
    .backward_inputs = 1 | 2,
};
