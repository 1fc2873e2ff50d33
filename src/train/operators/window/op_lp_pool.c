/* SPDX-License-Identifier: Apache-2.0
 *
 * op_lp_pool.c: LpPool and GlobalLpPool over one to three spatial dimensions: the p-norm of each
 * window. The kernels of average pooling sum the powers.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/window/window.h"

#include <math.h>

struct lp_pool {
  struct fed__window_state window; /* first, for its release and bytes */
  int64_t p;
};

static int read_lp_pool(const struct fed__node *node, const struct fed_shape *x, int global,
                        struct fed_pool *pool, int64_t *p) {
  FED_TRY(fed__attribute_int(node, "p", 2, p));
  if (*p < 1)
    return FED_RAISE(FED_E_RANGE, "attribute 'p' is %lld, expected 1 or more", (long long)*p);
  /* The whole data is one window: as the weights' extents of a convolution. */
  FED_TRY(fed__window_read(node, x, global ? x : NULL, &pool->window));
  pool->batch = x->dims[0];
  pool->channels = x->dims[1];
  pool->divisor = FED_POOL_UNDIVIDED;
  return FED_OK;
}

static int infer(const struct fed__inference *inference, int global) {
  struct fed_pool pool;
  int64_t p;
  FED_TRY(fed__infer_real(inference, 0));
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(read_lp_pool(inference->node, x, global, &pool, &p));
  const struct fed_shape shape = fed__window_output(x, pool.channels, pool.window.out);
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int infer_lp_pool(const struct fed__inference *inference) { return infer(inference, 0); }
static int infer_global_lp_pool(const struct fed__inference *inference) {
  return infer(inference, 1);
}

/* Scratch: the powers of x, or the gradients of the windows' sums. */
static int prepare(struct fed__operation *operation, int global) {
  struct lp_pool *state = operation->state;
  const size_t in = operation->inputs[0].elements, out = operation->outputs[0].elements;
  struct fed_pool pool;
  FED_TRY(read_lp_pool(operation->node, &operation->inputs[0].shape, global, &pool, &state->p));
  operation->scratch_bytes = (in > out ? in : out) * sizeof(double);
  return operation->kernels->pool_new(operation->context, &pool, &state->window.instance);
}

static int prepare_lp_pool(struct fed__operation *operation) { return prepare(operation, 0); }
static int prepare_global_lp_pool(struct fed__operation *operation) {
  return prepare(operation, 1);
}

#define FED__TEMPLATE "train/operators/window/op_lp_pool.c"
#include "train/typed.h"

#define LP_POOL_ROW(name, onnx_type, infer_rule, prepare_rule)                                     \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_rule,                                                                         \
      .state_size = sizeof(struct lp_pool),                                                        \
      .prepare = prepare_rule,                                                                     \
      .release = fed__window_release,                                                              \
      .bytes = fed__window_bytes,                                                                  \
      .forward = FED__TYPED(lp_pool_forward),                                                      \
      .backward = FED__TYPED(lp_pool_backward),                                                    \
      .backward_inputs = 1,                                                                        \
      .backward_outputs = 1,                                                                       \
  };

LP_POOL_ROW(lp_pool, "LpPool", infer_lp_pool, prepare_lp_pool)
LP_POOL_ROW(global_lp_pool, "GlobalLpPool", infer_global_lp_pool, prepare_global_lp_pool)

#else

static void TYPED(lp_pool_forward)(const struct fed__operation *operation) {
  const struct lp_pool *state = operation->state;
  const REAL p = (REAL)state->p;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data, *powers = operation->scratch;
  for (size_t i = 0; i < operation->inputs[0].elements; i++)
    powers[i] = state->p == 2 ? x[i] * x[i] : REAL_FUNCTION(pow)(REAL_FUNCTION(fabs)(x[i]), p);
  operation->kernels->average_pool_forward(state->window.instance, powers, y);
  for (size_t i = 0; i < operation->outputs[0].elements; i++)
    y[i] = state->p == 2 ? REAL_FUNCTION(sqrt)(y[i]) : REAL_FUNCTION(pow)(y[i], 1 / p);
}

/* dx = sign(x) |x|^(p - 1) * the sum of dy y^(1 - p) over the windows; 0 where a norm is 0. */
static void TYPED(lp_pool_backward)(const struct fed__operation *operation) {
  const struct lp_pool *state = operation->state;
  const REAL power = (REAL)(state->p - 1);
  const REAL *x = operation->inputs[0].data, *y = operation->outputs[0].data;
  const REAL *dy = operation->outputs[0].gradient;
  REAL *dx = operation->inputs[0].gradient, *sums = operation->scratch;
  for (size_t i = 0; i < operation->outputs[0].elements; i++)
    sums[i] = y[i] == 0 ? 0 : dy[i] * REAL_FUNCTION(pow)(y[i], -power);
  operation->kernels->average_pool_backward(state->window.instance, sums, dx);
  for (size_t i = 0; i < operation->inputs[0].elements; i++) {
    const REAL size = REAL_FUNCTION(pow)(REAL_FUNCTION(fabs)(x[i]), power);
    dx[i] *= x[i] > 0 ? size : x[i] < 0 ? -size : 0;
  }
}

#endif
