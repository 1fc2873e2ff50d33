/* SPDX-License-Identifier: Apache-2.0
 *
 * op_gemm.c: Gemm, y = alpha * op(a) * op(b) + beta * c. One matrix product forward, one for each
 * gradient that is wanted.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/product/parameter_product.h"

struct gemm_state {
  int64_t m, n, k;
  int64_t transpose_a, transpose_b;
  int64_t bias_rows, bias_columns; /* extents of c: 1 or m, 1 or n */
  double alpha, beta;
};

static int read_gemm(const struct fed__node *node, const struct fed_shape *a,
                     const struct fed_shape *b, struct gemm_state *gemm) {
  char left[128], right[128];
  FED_TRY(fed__attribute_int(node, "transA", 0, &gemm->transpose_a));
  FED_TRY(fed__attribute_int(node, "transB", 0, &gemm->transpose_b));
  FED_TRY(fed__attribute_float(node, "alpha", 1, &gemm->alpha));
  FED_TRY(fed__attribute_float(node, "beta", 1, &gemm->beta));
  gemm->transpose_a = gemm->transpose_a != 0;
  gemm->transpose_b = gemm->transpose_b != 0;
  if (a->rank != 2 || b->rank != 2 || a->dims[!gemm->transpose_a] != b->dims[gemm->transpose_b])
    return FED_RAISE(
        FED_E_SHAPE, "matrices %s%s and %s%s cannot be multiplied",
        fed_shape_format(a, left, sizeof left), gemm->transpose_a ? " (transposed)" : "",
        fed_shape_format(b, right, sizeof right), gemm->transpose_b ? " (transposed)" : "");
  gemm->m = a->dims[gemm->transpose_a];
  gemm->k = a->dims[!gemm->transpose_a];
  gemm->n = b->dims[!gemm->transpose_b];
  return FED_OK;
}

static int infer_gemm(const struct fed__inference *inference) {
  struct gemm_state gemm;
  char bias[128], product[128];
  const struct fed__known *c = fed__infer_input(inference, 2);
  for (uint32_t i = 0; i < 3; i++) FED_TRY(fed__infer_real(inference, i));
  FED_TRY(read_gemm(inference->node, &fed__infer_input(inference, 0)->shape,
                    &fed__infer_input(inference, 1)->shape, &gemm));
  const struct fed_shape shape = {2, {gemm.m, gemm.n}};
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
  operation->scratch_bytes = fed__parameter_product_scratch(operation, 1);
  if (operation->input_count < 3) return FED_OK;
  const struct fed_shape *c = &inputs[2].shape;
  gemm->bias_rows = c->rank == 2 ? c->dims[0] : 1;
  gemm->bias_columns = c->rank ? c->dims[c->rank - 1] : 1;
  return FED_OK;
}

static int has_bias(const struct fed__operation *operation) {
  return operation->input_count > 2 && operation->inputs[2].elements > 0;
}

/* d(a), as a's own layout: dy * op(b)', or its transpose. */
static void gemm_backward_a(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const void *dy = operation->outputs[0].gradient, *b = operation->inputs[1].data;
  const int64_t b_stride = gemm->transpose_b ? gemm->k : gemm->n;
  struct fed_gemm product = {.alpha = gemm->alpha, .k = gemm->n};
  if (gemm->transpose_a) {
    product.transpose_a = (int)gemm->transpose_b, product.transpose_b = 1;
    product.m = gemm->k, product.n = gemm->m;
    product.lda = b_stride, product.ldb = gemm->n, product.ldc = gemm->m;
    operation->kernels->gemm(&product, b, dy, operation->inputs[0].gradient);
  } else {
    product.transpose_b = !gemm->transpose_b;
    product.m = gemm->m, product.n = gemm->k;
    product.lda = gemm->n, product.ldb = b_stride, product.ldc = gemm->k;
    operation->kernels->gemm(&product, dy, b, operation->inputs[0].gradient);
  }
}

/* d(b), as b's own layout: op(a)' * dy, or its transpose. */
static void gemm_backward_b(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const void *dy = operation->outputs[0].gradient, *a = operation->inputs[0].data;
  const int64_t a_stride = gemm->transpose_a ? gemm->m : gemm->k;
  struct fed_gemm product = {.alpha = gemm->alpha, .k = gemm->m};
  if (gemm->transpose_b) {
    product.transpose_a = 1, product.transpose_b = (int)gemm->transpose_a;
    product.m = gemm->n, product.n = gemm->k;
    product.lda = gemm->n, product.ldb = a_stride, product.ldc = gemm->k;
    fed__product_for_parameter(operation, 1, &product, dy, a);
  } else {
    product.transpose_a = !gemm->transpose_a;
    product.m = gemm->k, product.n = gemm->n;
    product.lda = a_stride, product.ldb = gemm->n, product.ldc = gemm->n;
    fed__product_for_parameter(operation, 1, &product, a, dy);
  }
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
    .opset_max = 23,
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
  for (int64_t i = 0; i < gemm->m; i++, c += row_step, y += gemm->n)
    if (gemm->bias_columns == 1)
      for (int64_t j = 0; j < gemm->n; j++) y[j] = beta * c[0];
    else
      for (int64_t j = 0; j < gemm->n; j++) y[j] = beta * c[j];
}

static void TYPED(gemm_forward)(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const struct fed_gemm product = {
      .transpose_a = (int)gemm->transpose_a,
      .transpose_b = (int)gemm->transpose_b,
      .m = gemm->m,
      .n = gemm->n,
      .k = gemm->k,
      .lda = gemm->transpose_a ? gemm->m : gemm->k,
      .ldb = gemm->transpose_b ? gemm->k : gemm->n,
      .ldc = gemm->n,
      .alpha = gemm->alpha,
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
  for (int64_t i = 0; i < gemm->m; i++, dc += row_step, dy += gemm->n)
    if (gemm->bias_columns == 1)
      for (int64_t j = 0; j < gemm->n; j++) dc[0] += beta * dy[j];
    else
      for (int64_t j = 0; j < gemm->n; j++) dc[j] += beta * dy[j];
}

static void TYPED(gemm_backward)(const struct fed__operation *operation) {
  if (operation->inputs[0].gradient) gemm_backward_a(operation);
  if (operation->inputs[1].gradient) gemm_backward_b(operation);
  if (has_bias(operation) && operation->inputs[2].gradient) TYPED(gemm_backward_bias)(operation);
}

#endif
