/* SPDX-License-Identifier: Apache-2.0
 *
 * op_average_pool.c: AveragePool over one to three spatial dimensions; padding counts if
 * count_include_pad says so.
 */
#include "base/raise.h"
#include "train/operators/window/window.h"

static int read_average_pool(const struct fed__node *node, const struct fed_shape *x,
                             struct fed_pool *pool) {
  int64_t counts_padding;
  FED_TRY(fed__attribute_int(node, "count_include_pad", 0, &counts_padding));
  FED_TRY(fed__window_read(node, x, NULL, &pool->window));
  pool->batch = x->dims[0];
  pool->channels = x->dims[1];
  pool->divisor = counts_padding ? FED_POOL_BY_PIXELS_AND_PADDING : FED_POOL_BY_PIXELS;
  return FED_OK;
}

static int infer_average_pool(const struct fed__inference *inference) {
  struct fed_pool pool;
  FED_TRY(fed__infer_real(inference, 0));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_average_pool(inference->node, x, &pool));
  const struct fed_shape shape = fed__window_output(x, pool.channels, pool.window.out);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_average_pool(struct fed__operation *operation) {
  struct fed__window_state *state = operation->state;
  struct fed_pool pool;
  FED_TRY(read_average_pool(operation->node, &operation->inputs[0].shape, &pool));
  return operation->kernels->pool_new(operation->context, &pool, &state->instance);
}

static void average_pool_forward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  operation->kernels->average_pool_forward(state->instance, operation->inputs[0].data,
                                           operation->outputs[0].data);
}

static void average_pool_backward(const struct fed__operation *operation) {
  const struct fed__window_state *state = operation->state;
  operation->kernels->average_pool_backward(state->instance, operation->outputs[0].gradient,
                                            operation->inputs[0].gradient);
}

const struct fed__operator fed__op_average_pool = {
    .type = "AveragePool",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_average_pool,
    .state_size = sizeof(struct fed__window_state),
    .prepare = prepare_average_pool,
    .release = fed__window_release,
    .bytes = fed__window_bytes,
    .forward = FED__UNTYPED(average_pool_forward),
    .backward = FED__UNTYPED(average_pool_backward),
};
