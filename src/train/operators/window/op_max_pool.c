/* SPDX-License-Identifier: Apache-2.0
 *
 * op_max_pool.c: MaxPool over one to three spatial dimensions. The place of each maximum is kept
 * for the way back; of equal maxima the first gets the gradient.
 */
#include "base/raise.h"
#include "train/operators/window/window.h"

static int read_max_pool(const struct fed__node *node, const struct fed_shape *x,
                         struct fed_pool *pool) {
  int64_t storage_order;
  FED_TRY(fed__attribute_int(node, "storage_order", 0, &storage_order));
  if (storage_order && node->output_count > 1)
    return FED_RAISE(FED_E_UNSUPPORTED, "indices in storage_order 1 are not supported");
  FED_TRY(fed__window_read(node, x, NULL, &pool->window));
  pool->batch = x->dims[0];
  pool->channels = x->dims[1];
  return FED_OK;
}

static int infer_max_pool(const struct fed__inference *inference) {
  struct fed_pool pool;
  FED_TRY(fed__infer_real(inference, 0));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_max_pool(inference->node, x, &pool));
  const struct fed_shape shape = fed__window_output(x, pool.channels, pool.window.out);
  FED_TRY(fed__infer_output(inference, 0, FED_F32, &shape, NULL));
  return fed__infer_output(inference, 1, FED_I64, &shape, NULL);
}

static int prepare_max_pool(struct fed__operation *operation) {
  struct fed__window_state *state = operation->state;
  struct fed_pool pool = {0};
  FED_TRY(read_max_pool(operation->node, &operation->inputs[0].shape, &pool));
  const int64_t *out = pool.window.out;
  operation->saved_bytes =
      (size_t)(pool.batch * pool.channels * out[0] * out[1] * out[2]) * sizeof(int32_t);
  if (operation->node->outputs[0] == FED__NONE)
    operation->scratch_bytes = operation->outputs[1].elements * sizeof(double);
  return operation->kernels->pool_new(operation->context, &pool, &state->instance);
}

/* Indices count through the whole input. */
static void fill_indices(const struct fed__operation *operation) {
  const struct fed__operand *x = &operation->inputs[0], *indices = &operation->outputs[1];
  const int32_t *argmax = operation->saved;
  const size_t planes = (size_t)(x->shape.dims[0] * x->shape.dims[1]);
  const size_t in_plane = x->elements / planes, out_plane = indices->elements / planes;
  int64_t *to = indices->data;
  for (size_t i = 0; i < indices->elements; i++)
    to[i] = (int64_t)(i / out_plane * in_plane) + argmax[i];
}

static void max_pool_forward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  void *y = operation->outputs[0].data ? operation->outputs[0].data : operation->scratch;
  operation->kernels->max_pool_forward(state->instance, operation->inputs[0].data, y,
                                       operation->saved);
  if (operation->output_count > 1 && operation->outputs[1].data) fill_indices(operation);
}

static void max_pool_backward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  operation->kernels->max_pool_backward(state->instance, operation->outputs[0].gradient,
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
    .state_size = sizeof(struct fed__window_state),
    .prepare = prepare_max_pool,
    .release = fed__window_release,
    .bytes = fed__window_bytes,
    .forward = FED__UNTYPED(max_pool_forward),
    .backward = FED__UNTYPED(max_pool_backward),
};
