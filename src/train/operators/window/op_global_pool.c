/* SPDX-License-Identifier: Apache-2.0
 *
 * op_global_pool.c: GlobalAveragePool and GlobalMaxPool: one number for each channel of each
 * example. Of equal maxima the first gets the gradient; a NaN is a maximum, so that it is noticed.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operator.h"

struct planes {
  int64_t count, size;
};

static int infer_global(const struct fed__inference *inference) {
  char text[128];
  const struct fed__known *x = fed__infer_input(inference, 0);
  FED_TRY(fed__infer_real(inference, 0));
  if (x->shape.rank < 3 || x->elements == 0 || x->elements > INT32_MAX * (size_t)x->shape.dims[0])
    return FED_RAISE(FED_E_SHAPE,
                     "data of shape %s, expected [N, C] and one dimension or more, "
                     "and examples of at most 2^31 - 1 elements",
                     fed_shape_format(&x->shape, text, sizeof text));
  struct fed_shape shape = x->shape;
  for (uint32_t i = 2; i < shape.rank; i++) shape.dims[i] = 1;
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_global(struct fed__operation *operation) {
  struct planes *planes = operation->state;
  planes->count = (int64_t)operation->outputs[0].elements;
  planes->size = (int64_t)operation->inputs[0].elements / planes->count;
  return FED_OK;
}

static int prepare_global_max(struct fed__operation *operation) {
  FED_TRY(prepare_global(operation));
  operation->saved_bytes = operation->outputs[0].elements * sizeof(int32_t);
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/window/op_global_pool.c"
#include "train/typed.h"

#define GLOBAL_ROW(name, onnx_type, prepare_rule)                                                  \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_global,                                                                       \
      .state_size = sizeof(struct planes),                                                         \
      .prepare = prepare_rule,                                                                     \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
  };

GLOBAL_ROW(global_average_pool, "GlobalAveragePool", prepare_global)
GLOBAL_ROW(global_max_pool, "GlobalMaxPool", prepare_global_max)

#else
#include "train/operators/norm/sums.inc"

FED__WIDE static void TYPED(global_average_pool_forward)(const struct fed__operation *operation) {
  const struct planes *planes = operation->state;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data;
  for (int64_t i = 0; i < planes->count; i++, x += planes->size)
    y[i] = TYPED(sum)(x, planes->size) / (REAL)planes->size;
}

FED__WIDE static void TYPED(global_average_pool_backward)(const struct fed__operation *operation) {
  const struct planes *planes = operation->state;
  const REAL *dy = operation->outputs[0].gradient;
  REAL *dx = operation->inputs[0].gradient;
  for (int64_t i = 0; i < planes->count; i++) {
    const REAL share = dy[i] / (REAL)planes->size;
    for (int64_t j = 0; j < planes->size; j++) *dx++ = share;
  }
}

static void TYPED(global_max_pool_forward)(const struct fed__operation *operation) {
  const struct planes *planes = operation->state;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data;
  int32_t *argmax = operation->saved;
  for (int64_t i = 0; i < planes->count; i++, x += planes->size) {
    int32_t best = 0;
    for (int32_t j = 1; j < (int32_t)planes->size; j++)
      if (x[j] > x[best] || x[j] != x[j]) best = j;
    argmax[i] = best;
    y[i] = x[best];
  }
}

static void TYPED(global_max_pool_backward)(const struct fed__operation *operation) {
  const struct planes *planes = operation->state;
  const REAL *dy = operation->outputs[0].gradient;
  const int32_t *argmax = operation->saved;
  REAL *dx = operation->inputs[0].gradient;
  memset(dx, 0, operation->inputs[0].elements * sizeof *dx);
  for (int64_t i = 0; i < planes->count; i++) dx[i * planes->size + argmax[i]] = dy[i];
}

#endif
