/* SPDX-License-Identifier: Apache-2.0
 *
 * op_gemm.c: Gemm, y = alpha * op(a) * op(b) + beta * c. One matrix product forward, one for each
 * gradient that is wanted.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/product/dense.h"

struct gemm_state {
  struct fed__dense dense;
  int64_t bias_rows, bias_columns; /* extents of c: 1 or m, 1 or n */
  double beta;
};

static int read_gemm(const struct fed__node *node, const struct fed_shape *a,
                     const struct fed_shape *b, struct gemm_state *gemm) {
  struct fed__dense *dense = &gemm->dense;
  int64_t transpose_a, transpose_b;
  char left[128], right[128];
  FED_TRY(fed__attribute_int(node, "transA", 0, &transpose_a));
  FED_TRY(fed__attribute_int(node, "transB", 0, &transpose_b));
  FED_TRY(fed__attribute_float(node, "alpha", 1, &dense->alpha));
  FED_TRY(fed__attribute_float(node, "beta", 1, &gemm->beta));
  dense->transpose_a = transpose_a != 0;
  dense->transpose_b = transpose_b != 0;
  if (a->rank != 2 || b->rank != 2 || a->dims[!dense->transpose_a] != b->dims[dense->transpose_b])
    return FED_RAISE(
        FED_E_SHAPE, "matrices %s%s and %s%s cannot be multiplied",
        fed_shape_format(a, left, sizeof left), dense->transpose_a ? " (transposed)" : "",
        fed_shape_format(b, right, sizeof right), dense->transpose_b ? " (transposed)" : "");
  dense->m = a->dims[dense->transpose_a];
  dense->k = a->dims[!dense->transpose_a];
  dense->n = b->dims[!dense->transpose_b];
  return FED_OK;
}

static int infer_gemm(const struct fed__inference *inference) {
  struct gemm_state gemm;
  char bias[128], product[128];
  const struct fed__known *c = fed__infer_input(inference, 2);
  for (uint32_t i = 0; i < 3; i++) FED_TRY(fed__infer_real(inference, i));
  FED_TRY(read_gemm(inference->node, &fed__infer_input(inference, 0)->shape,
                    &fed__infer_input(inference, 1)->shape, &gemm));
  const struct fed_shape shape = {2, {gemm.dense.m, gemm.dense.n}};
  struct fed_shape together = shape;
  if (c) FED_TRY(fed__shape_broadcast(&shape, &c->shape, &together));
  if (!fed_shape_equal(&shape, &together))
    return FED_RAISE(FED_E_SHAPE, "input C of shape %s does not fit the product %s",
                     fed_shape_format(&c->shape, bias, sizeof bias),
                     fed_shape_format(&shape, product, sizeof product));
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int prepare_gemm(struct fed__operation *operation) {
  struct gemm_state *gemm = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  FED_TRY(read_gemm(operation->node, &inputs[0].shape, &inputs[1].shape, gemm));
  operation->scratch_bytes = fed__dense_scratch(operation);
  if (operation->input_count < 3) return FED_OK;
  const struct fed_shape *c = &inputs[2].shape;
  gemm->bias_rows = c->rank == 2 ? c->dims[0] : 1;
  gemm->bias_columns = c->rank ? c->dims[c->rank - 1] : 1;
  return FED_OK;
}

static int has_bias(const struct fed__operation *operation) {
  return operation->input_count > 2 && operation->inputs[2].elements > 0;
}

#define FED__TEMPLATE "train/operators/product/op_gemm.c"
#include "train/typed.h"

static int trains_gemm(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == 1 || slot == 2;
}

const struct fed__operator fed__op_gemm = {
    .type = "Gemm",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_gemm,
    .trains = trains_gemm,
    .state_size = sizeof(struct gemm_state),
    .prepare = prepare_gemm,
    .forward = FED__TYPED(gemm_forward),
    .backward = FED__TYPED(gemm_backward),
    .backward_inputs = 1 | 2,
    .updates = 2,
};

#else

static void TYPED(spread_bias)(const struct gemm_state *gemm, const REAL *c, REAL *y) {
  const REAL beta = (REAL)gemm->beta;
  const int64_t row_step = gemm->bias_rows == 1 ? 0 : gemm->bias_columns;
  for (int64_t i = 0; i < gemm->dense.m; i++, c += row_step, y += gemm->dense.n)
    if (gemm->bias_columns == 1)
      for (int64_t j = 0; j < gemm->dense.n; j++) y[j] = beta * c[0];
    else
      for (int64_t j = 0; j < gemm->dense.n; j++) y[j] = beta * c[j];
}

static void TYPED(gemm_forward)(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const struct fed__dense *dense = &gemm->dense;
  const struct fed_gemm product = {
      .transpose_a = dense->transpose_a,
      .transpose_b = dense->transpose_b,
      .m = dense->m,
      .n = dense->n,
      .k = dense->k,
      .lda = dense->transpose_a ? dense->m : dense->k,
      .ldb = dense->transpose_b ? dense->k : dense->n,
      .ldc = dense->n,
      .alpha = dense->alpha,
      .beta = has_bias(operation) ? 1 : 0,
  };
  if (has_bias(operation))
    TYPED(spread_bias)(gemm, operation->inputs[2].data, operation->outputs[0].data);
  operation->kernels->gemm(&product, operation->inputs[0].data, operation->inputs[1].data,
                           operation->outputs[0].data);
}

static void TYPED(gemm_backward_bias)(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const REAL *dy = operation->outputs[0].gradient;
  const REAL beta = (REAL)gemm->beta;
  const int64_t row_step = gemm->bias_rows == 1 ? 0 : gemm->bias_columns;
  REAL *dc = operation->inputs[2].gradient;
  memset(dc, 0, operation->inputs[2].elements * sizeof *dc);
  for (int64_t i = 0; i < gemm->dense.m; i++, dc += row_step, dy += gemm->dense.n)
    if (gemm->bias_columns == 1)
      for (int64_t j = 0; j < gemm->dense.n; j++) dc[0] += beta * dy[j];
    else
      for (int64_t j = 0; j < gemm->dense.n; j++) dc[j] += beta * dy[j];
}

static void TYPED(gemm_backward)(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  fed__dense_backward(operation, &gemm->dense);
  if (has_bias(operation) && operation->inputs[2].gradient) TYPED(gemm_backward_bias)(operation);
}

#endif
