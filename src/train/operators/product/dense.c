/* SPDX-License-Identifier: Apache-2.0
 *
 * dense.c: the two products of a dense layer's backward pass, together where the weight is updated
 * at once.
 */
#include "train/operators/product/dense.h"
#include "train/operators/product/parameter_product.h"

/* A run along the inner dimension: rows of op(b), columns of op(a). */
struct inner_run {
  int64_t from, count;
};

static size_t unit_of(const struct fed__operation *operation) {
  return operation->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

static const void *skip(const struct fed__operation *operation, const void *data, int64_t count) {
  return (const char *)data + (size_t)count * unit_of(operation);
}

/* d(a) of a transposed a, as its own layout: op(b) * dy'. */
static void backward_transposed_a(const struct fed__operation *operation,
                                  const struct fed__dense *dense) {
  const struct fed_gemm product = {
      .transpose_a = dense->transpose_b,
      .transpose_b = 1,
      .m = dense->k,
      .n = dense->m,
      .k = dense->n,
      .lda = dense->transpose_b ? dense->k : dense->n,
      .ldb = dense->n,
      .ldc = dense->m,
      .alpha = dense->alpha,
  };
  operation->kernels->gemm(&product, operation->inputs[1].data, operation->outputs[0].gradient,
                           operation->inputs[0].gradient);
}

/* d(b) for a run, as b's own layout: op(a)' * dy, or its transpose. */
static void backward_b(const struct fed__operation *operation, const struct fed__dense *dense,
                       struct inner_run run) {
  const int64_t a_stride = dense->transpose_a ? dense->m : dense->k;
  const void *dy = operation->outputs[0].gradient;
  const void *a =
      skip(operation, operation->inputs[0].data, run.from * (dense->transpose_a ? dense->m : 1));
  struct fed_gemm product = {.alpha = dense->alpha, .k = dense->m};
  if (dense->transpose_b) {
    product.transpose_a = 1, product.transpose_b = dense->transpose_a;
    product.m = dense->n, product.n = run.count;
    product.lda = dense->n, product.ldb = a_stride, product.ldc = dense->k;
    fed__product_for_parameter(operation, 1, run.from, &product, dy, a);
  } else {
    product.transpose_a = !dense->transpose_a;
    product.m = run.count, product.n = dense->n;
    product.lda = a_stride, product.ldb = dense->n, product.ldc = dense->n;
    fed__product_for_parameter(operation, 1, run.from * dense->n, &product, a, dy);
  }
}

/* The run's columns of d(a), which is not transposed: dy * op(b)'. */
static void backward_a(const struct fed__operation *operation, const struct fed__dense *dense,
                       struct inner_run run) {
  char *da = operation->inputs[0].gradient;
  const int64_t b_stride = dense->transpose_b ? dense->k : dense->n;
  const int64_t first = run.from * (dense->transpose_b ? 1 : dense->n);
  const struct fed_gemm product = {
      .transpose_b = !dense->transpose_b,
      .m = dense->m,
      .n = run.count,
      .k = dense->n,
      .lda = dense->n,
      .ldb = b_stride,
      .ldc = dense->k,
      .alpha = dense->alpha,
  };
  operation->kernels->gemm(&product, operation->outputs[0].gradient,
                           skip(operation, operation->inputs[1].data, first),
                           da + (size_t)run.from * unit_of(operation));
}

#define RUN_BYTES ((size_t)256 << 10) /* half of a second-level cache, at least */
#define RUN_MULTIPLE 32               /* whole vectors */

size_t fed__dense_scratch(const struct fed__operation *operation) {
  return fed__parameter_product_scratch(operation, 1);
}

/* Both, so that a weight larger than the caches comes from memory once: a run of it gives its part
 * of d(a) and is then updated. */
static void backward_together(const struct fed__operation *operation,
                              const struct fed__dense *dense) {
  const int64_t fit = (int64_t)(RUN_BYTES / unit_of(operation)) / dense->n;
  struct inner_run run = {.count = (fit / RUN_MULTIPLE + !(fit / RUN_MULTIPLE)) * RUN_MULTIPLE};
  for (; run.from < dense->k; run.from += run.count) {
    if (run.count > dense->k - run.from) run.count = dense->k - run.from;
    backward_a(operation, dense, run);
    backward_b(operation, dense, run);
  }
}

void fed__dense_backward(const struct fed__operation *operation, const struct fed__dense *dense) {
  const struct inner_run all = {0, dense->k};
  const int wants_a = operation->inputs[0].gradient != NULL;
  const int wants_b = operation->inputs[1].gradient != NULL;
  if (wants_a && wants_b && fed__updates(operation, 1) && !dense->transpose_a) {
    backward_together(operation, dense);
    return;
  }
  if (wants_a && dense->transpose_a) backward_transposed_a(operation, dense);
  if (wants_a && !dense->transpose_a) backward_a(operation, dense, all);
  if (wants_b) backward_b(operation, dense, all);
}
