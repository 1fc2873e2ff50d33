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

/* A run of b's rows, with the part of the product that they are in. */
struct row_run {
  int64_t from, count;
};

static size_t unit_of(const struct fed__operation *operation) {
  return operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

static const void *skip(const struct fed__operation *operation, const void *data, int64_t count) {
  return (const char *)data + (size_t)count * unit_of(operation);
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

/* d(b) for some of b's rows, as b's own layout: op(a)' * dy, or its transpose. */
static void gemm_backward_b(const struct fed__operation *operation, struct row_run rows) {
  const struct gemm_state *gemm = operation->state;
  const void *dy = operation->outputs[0].gradient, *a = operation->inputs[0].data;
  const int64_t a_stride = gemm->transpose_a ? gemm->m : gemm->k;
  struct fed_gemm product = {.alpha = gemm->alpha, .k = gemm->m, .m = rows.count};
  if (gemm->transpose_b) {
    product.transpose_a = 1, product.transpose_b = (int)gemm->transpose_a;
    product.n = gemm->k;
    product.lda = gemm->n, product.ldb = a_stride, product.ldc = gemm->k;
    fed__product_for_parameter(operation, 1, rows.from, &product, skip(operation, dy, rows.from),
                               a);
  } else {
    product.transpose_a = !gemm->transpose_a;
    product.n = gemm->n;
    product.lda = a_stride, product.ldb = gemm->n, product.ldc = gemm->n;
    const int64_t step = gemm->transpose_a ? gemm->m : 1;
    fed__product_for_parameter(operation, 1, rows.from, &product,
                               skip(operation, a, rows.from * step), dy);
  }
}

/* What some rows of b contribute to d(a); the first run overwrites. Not for a transposed a. */
static void gemm_backward_a_rows(const struct fed__operation *operation, struct row_run rows) {
  const struct gemm_state *gemm = operation->state;
  const void *dy = operation->outputs[0].gradient;
  char *da = operation->inputs[0].gradient;
  const int64_t columns = gemm->transpose_b ? gemm->k : gemm->n;
  const void *b = skip(operation, operation->inputs[1].data, rows.from * columns);
  struct fed_gemm product = {
      .alpha = gemm->alpha, .m = gemm->m, .lda = gemm->n, .ldb = columns, .ldc = gemm->k};
  if (gemm->transpose_b) {
    product.n = gemm->k, product.k = rows.count, product.beta = rows.from ? 1 : 0;
    operation->kernels->gemm(&product, skip(operation, dy, rows.from), b, da);
  } else {
    product.transpose_b = 1, product.n = rows.count, product.k = gemm->n;
    operation->kernels->gemm(&product, dy, b, da + (size_t)rows.from * unit_of(operation));
  }
}

#define RUN_BYTES ((size_t)256 << 10) /* half of a second-level cache, at least */

/* Both, so that a weight larger than the caches comes from memory once: a run of its rows gives
 * its part of d(a) and is then updated. */
static void gemm_backward_together(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const int64_t total = gemm->transpose_b ? gemm->n : gemm->k;
  const int64_t columns = gemm->transpose_b ? gemm->k : gemm->n;
  const int64_t fit = (int64_t)(RUN_BYTES / unit_of(operation)) / columns;
  struct row_run rows = {.count = fit < 1 ? 1 : fit};
  for (; rows.from < total; rows.from += rows.count) {
    if (rows.count > total - rows.from) rows.count = total - rows.from;
    gemm_backward_a_rows(operation, rows);
    gemm_backward_b(operation, rows);
  }
}

static void gemm_backward_matrices(const struct fed__operation *operation) {
  const struct gemm_state *gemm = operation->state;
  const struct row_run all = {0, gemm->transpose_b ? gemm->n : gemm->k};
  const int wants_a = operation->inputs[0].gradient != NULL;
  const int wants_b = operation->inputs[1].gradient != NULL;
  if (wants_a && wants_b && fed__updates(operation, 1) && !gemm->transpose_a) {
    gemm_backward_together(operation);
    return;
  }
  if (wants_a) gemm_backward_a(operation);
  if (wants_b) gemm_backward_b(operation, all);
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
  gemm_backward_matrices(operation);
  if (has_bias(operation) && operation->inputs[2].gradient) TYPED(gemm_backward_bias)(operation);
}

#endif
