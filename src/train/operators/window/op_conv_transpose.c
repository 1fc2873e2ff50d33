/* SPDX-License-Identifier: Apache-2.0
 *
 * op_conv_transpose.c: ConvTranspose over one to three spatial dimensions: the data gradient of a
 * convolution that has the same weights and takes the result to the data. So the kernels of
 * convolutions do the arithmetic, each in another's role; the bias is added here.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/window/window.h"

/* The convolution, from the result's channels to the data's. */
static int read_transposed(const struct fed__node *node, const struct fed_shape *x,
                           const struct fed_shape *w, struct fed_conv *conv) {
  char data[128], weights[128];
  FED_TRY(fed__attribute_int(node, "group", 1, &conv->groups));
  if (x->rank < 3 || w->rank != x->rank || w->dims[0] != x->dims[1] || conv->groups < 1 ||
      conv->groups > w->dims[0] || w->dims[0] % conv->groups ||
      w->dims[1] > INT64_MAX / conv->groups)
    return FED_RAISE(FED_E_SHAPE, "weights %s do not fit data %s in %lld groups",
                     fed_shape_format(w, weights, sizeof weights),
                     fed_shape_format(x, data, sizeof data), (long long)conv->groups);
  conv->batch = x->dims[0];
  conv->in_channels = w->dims[1] * conv->groups;
  conv->out_channels = w->dims[0];
  return fed__window_read_transposed(node, x, w, &conv->window);
}

static int infer_transposed(const struct fed__inference *inference) {
  struct fed_conv conv;
  for (uint32_t i = 0; i < 3; i++) FED_TRY(fed__infer_real(inference, i));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_transposed(inference->node, x, &fed__infer_input(inference, 1)->shape, &conv));
  FED_TRY(fed__window_check_bias(inference, conv.in_channels));
  const struct fed_shape shape = fed__window_output(x, conv.in_channels, conv.window.in);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_transposed(struct fed__operation *operation) {
  struct fed__window_state *state = operation->state;
  struct fed_conv conv = {.has_bias = 0};
  FED_TRY(read_transposed(operation->node, &operation->inputs[0].shape, &operation->inputs[1].shape,
                          &conv));
  return operation->kernels->conv_new(operation->context, &conv, &state->instance);
}

static double transposed_work(const struct fed__inference *inference) {
  return fed__window_work(fed__infer_input(inference, 0), fed__infer_input(inference, 1));
}

#define FED__TEMPLATE "train/operators/window/op_conv_transpose.c"
#include "train/typed.h"

const struct fed__operator fed__op_conv_transpose = {
    .type = "ConvTranspose",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_transposed,
    .trains = fed__window_trains,
    .state_size = sizeof(struct fed__window_state),
    .prepare = prepare_transposed,
    .release = fed__window_release,
    .bytes = fed__window_bytes,
    .forward = FED__TYPED(transposed_forward),
    .backward = FED__TYPED(transposed_backward),
    .backward_inputs = 1 | 2,
    .work = transposed_work,
};

#else
#include "train/operators/norm/sums.inc"

static void TYPED(transposed_forward)(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs, *y = operation->outputs;
  operation->kernels->conv_backward(state->instance, NULL, inputs[1].data, inputs[0].data, y->data,
                                    NULL, NULL);
  if (fed__operand_absent(operation, 2)) return;
  const int64_t channels = y->shape.dims[1], planes = y->shape.dims[0] * channels;
  const int64_t plane = (int64_t)y->elements / planes;
  const REAL *bias = inputs[2].data;
  REAL *to = y->data;
  for (int64_t i = 0; i < planes; i++, to += plane)
    for (int64_t j = 0; j < plane; j++) to[j] += bias[i % channels];
}

static void TYPED(transposed_backward)(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  const struct fed__operand *inputs = operation->inputs, *y = operation->outputs;
  if (inputs[0].gradient)
    operation->kernels->conv_forward(state->instance, y->gradient, inputs[1].data, NULL,
                                     inputs[0].gradient);
  if (inputs[1].gradient)
    operation->kernels->conv_backward(state->instance, y->gradient, inputs[1].data, inputs[0].data,
                                      NULL, inputs[1].gradient, NULL);
  if (fed__operand_absent(operation, 2) || !inputs[2].gradient) return;
  const int64_t channels = y->shape.dims[1], planes = y->shape.dims[0] * channels;
  const int64_t plane = (int64_t)y->elements / planes;
  const REAL *dy = y->gradient;
  REAL *dbias = inputs[2].gradient;
  memset(dbias, 0, (size_t)channels * sizeof *dbias);
  for (int64_t i = 0; i < planes; i++, dy += plane) dbias[i % channels] += TYPED(sum)(dy, plane);
}

#endif
