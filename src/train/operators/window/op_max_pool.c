/* SPDX-License-Identifier: Apache-2.0
 *
 * op_max_pool.c: MaxPool over one to three spatial dimensions. The place of each maximum is kept
 * for the way back; of equal maxima the first gets the gradient. Integers, which ONNX has of 8 bits
 * only, go through real numbers.
 */
#include "base/raise.h"
#include "train/operators/window/window.h"

static int read_max_pool(const struct fed__node *node, const struct fed_shape *x,
                         struct fed_pool *pool) {
  FED_TRY(fed__window_read(node, x, NULL, &pool->window));
  pool->batch = x->dims[0];
  pool->channels = x->dims[1];
  return FED_OK;
}

static int infer_max_pool(const struct fed__inference *inference) {
  struct fed_pool pool;
  const struct fed__known *input = fed__infer_input(inference, 0);
  const struct fed_shape *x = &input->shape;
  if (input->dtype != FED_I64) FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(read_max_pool(inference->node, x, &pool));
  const struct fed_shape shape = fed__window_output(x, pool.channels, pool.window.out);
  FED_TRY(fed__infer_output(inference, 0, input->dtype, &shape, NULL));
  return fed__infer_output(inference, 1, FED_I64, &shape, NULL);
}

struct max_pool {
  struct fed__window_state window; /* first: window.c frees it */
  int64_t by_columns;              /* indices count through the first spatial dimension fastest */
  int64_t in[3];
  size_t outputs;
};

static int prepare_max_pool(struct fed__operation *operation) {
  struct max_pool *state = operation->state;
  struct fed_pool pool = {0};
  FED_TRY(read_max_pool(operation->node, &operation->inputs[0].shape, &pool));
  FED_TRY(fed__attribute_int(operation->node, "storage_order", 0, &state->by_columns));
  const int64_t *out = pool.window.out;
  memcpy(state->in, pool.window.in, sizeof state->in);
  state->outputs = (size_t)(pool.batch * pool.channels * out[0] * out[1] * out[2]);
  operation->saved_bytes = state->outputs * sizeof(int32_t);
  if (operation->node->outputs[0] == FED__NONE || operation->inputs[0].dtype == FED_I64)
    operation->scratch_bytes = (state->outputs + operation->inputs[0].elements) * sizeof(double);
  return operation->kernels->pool_new(operation->context, &pool, &state->window.instance);
}

/* The place in a plane, counted the other way round. */
static int64_t by_columns(const int64_t in[3], int64_t place) {
  const int64_t last = place % in[2], middle = place / in[2] % in[1];
  return (last * in[1] + middle) * in[0] + place / in[2] / in[1];
}

/* Indices count through the whole input. */
static void fill_indices(const struct fed__operation *operation) {
  const struct max_pool *state = operation->state;
  const struct fed__operand *x = &operation->inputs[0], *indices = &operation->outputs[1];
  const int32_t *argmax = operation->saved;
  const size_t planes = (size_t)(x->shape.dims[0] * x->shape.dims[1]);
  const size_t in_plane = x->elements / planes, out_plane = indices->elements / planes;
  int64_t *to = indices->data;
  for (size_t i = 0; i < indices->elements; i++)
    to[i] = (int64_t)(i / out_plane * in_plane) +
            (state->by_columns ? by_columns(state->in, argmax[i]) : argmax[i]);
}

static void put_real(const struct fed__operation *operation, void *to, size_t at, int64_t value) {
  if (operation->kernels->precision == FED_PRECISION_F64)
    ((double *)to)[at] = (double)value;
  else
    ((float *)to)[at] = (float)value;
}

static int64_t get_real(const struct fed__operation *operation, const void *from, size_t at) {
  return operation->kernels->precision == FED_PRECISION_F64 ? (int64_t)((const double *)from)[at]
                                                            : (int64_t)((const float *)from)[at];
}

static void max_pool_forward(const struct fed__operation *operation) {
  const struct max_pool *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const int64_t *integers = input->dtype == FED_I64 ? input->data : NULL;
  double *reals = (double *)operation->scratch + state->outputs;
  void *y = output->data && !integers ? output->data : operation->scratch;
  for (size_t i = 0; integers && i < input->elements; i++)
    put_real(operation, reals, i, integers[i]);
  operation->kernels->max_pool_forward(state->window.instance, integers ? reals : input->data, y,
                                       operation->saved);
  for (size_t i = 0; integers && output->data && i < state->outputs; i++)
    ((int64_t *)output->data)[i] = get_real(operation, y, i);
  if (operation->output_count > 1 && operation->outputs[1].data) fill_indices(operation);
}

static void max_pool_backward(const struct fed__operation *operation) {
  const struct max_pool *state = operation->state;
  operation->kernels->max_pool_backward(state->window.instance, operation->outputs[0].gradient,
                                        operation->saved, operation->inputs[0].gradient);
}

const struct fed__operator fed__op_max_pool = {
    .type = "MaxPool",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 2,
    .infer = infer_max_pool,
    .state_size = sizeof(struct max_pool),
    .prepare = prepare_max_pool,
    .release = fed__window_release,
    .bytes = fed__window_bytes,
    .forward = FED__UNTYPED(max_pool_forward),
    .backward = FED__UNTYPED(max_pool_backward),
};
