/* SPDX-License-Identifier: Apache-2.0
 *
 * op_conv.c: Conv over one to three spatial dimensions, grouped, strided, dilated, padded. The
 * kernel table does the arithmetic.
 */
#include "base/raise.h"
#include "train/operators/window/window.h"

static int read_conv(const struct fed__node *node, const struct fed_shape *x,
                     const struct fed_shape *w, struct fed_conv *conv) {
  char data[128], weights[128];
  FED_TRY(fed__attribute_int(node, "group", 1, &conv->groups));
  if (x->rank < 3 || w->rank != x->rank || conv->groups < 1 || conv->groups > w->dims[0] ||
      w->dims[0] % conv->groups || x->dims[1] % conv->groups ||
      x->dims[1] / conv->groups != w->dims[1])
    return FED_RAISE(FED_E_SHAPE, "weights %s do not fit data %s in %lld groups",
                     fed_shape_format(w, weights, sizeof weights),
                     fed_shape_format(x, data, sizeof data), (long long)conv->groups);
  conv->batch = x->dims[0];
  conv->in_channels = x->dims[1];
  conv->out_channels = w->dims[0];
  return fed__window_read(node, x, w, &conv->window);
}

static int infer_conv(const struct fed__inference *inference) {
  struct fed_conv conv;
  for (uint32_t i = 0; i < 3; i++) FED_TRY(fed__infer_real(inference, i));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_conv(inference->node, x, &fed__infer_input(inference, 1)->shape, &conv));
  FED_TRY(fed__window_check_bias(inference, conv.out_channels));
  const struct fed_shape shape = fed__window_output(x, conv.out_channels, conv.window.out);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_conv(struct fed__operation *operation) {
  struct fed__window_state *state = operation->state;
  struct fed_conv conv = {.has_bias = !fed__operand_absent(operation, 2)};
  FED_TRY(
      read_conv(operation->node, &operation->inputs[0].shape, &operation->inputs[1].shape, &conv));
  return operation->kernels->conv_new(operation->context, &conv, &state->instance);
}

static void conv_forward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  operation->kernels->conv_forward(state->instance, inputs[0].data, inputs[1].data,
                                   fed__operand_absent(operation, 2) ? NULL : inputs[2].data,
                                   operation->outputs[0].data);
}

static void conv_backward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  operation->kernels->conv_backward(state->instance, inputs[0].data, inputs[1].data,
                                    operation->outputs[0].gradient, inputs[0].gradient,
                                    inputs[1].gradient,
                                    fed__operand_absent(operation, 2) ? NULL : inputs[2].gradient);
}

static double conv_work(const struct fed__inference *inference) {
  return fed__window_work(&inference->shapes->values[inference->node->outputs[0]],
                          fed__infer_input(inference, 1));
}

const struct fed__operator fed__op_conv = {
    .type = "Conv",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_conv,
    .trains = fed__window_trains,
    .state_size = sizeof(struct fed__window_state),
    .prepare = prepare_conv,
    .release = fed__window_release,
    .bytes = fed__window_bytes,
    .forward = FED__UNTYPED(conv_forward),
    .backward = FED__UNTYPED(conv_backward),
    .backward_inputs = 1 | 2,
    .work = conv_work,
};
