/* SPDX-License-Identifier: Apache-2.0
 *
 * op_lrn.c: LRN, local response normalisation across channels (Krizhevsky et al. 2012):
 * y = x / d^beta with d = bias + alpha / size * the sum of the squares of `size` channels around.
 * The d are kept for the way back.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operator.h"

#include <math.h>

/* Data of [batch, channels, plane]; the window reaches from `before` channels to `after`. */
struct lrn {
  int64_t batch, channels, plane, before, after;
  double alpha, beta, bias;
};

static int read_lrn(const struct fed__node *node, const struct fed_shape *x, struct lrn *lrn) {
  int64_t size;
  char text[128];
  FED_TRY(fed__attribute_float(node, "alpha", 1e-4, &lrn->alpha));
  FED_TRY(fed__attribute_float(node, "beta", 0.75, &lrn->beta));
  FED_TRY(fed__attribute_float(node, "bias", 1, &lrn->bias));
  FED_TRY(fed__attribute_int(node, "size", 0, &size));
  if (x->rank < 2)
    return FED_RAISE(FED_E_SHAPE, "data of shape %s, expected [N, C] and perhaps more dimensions",
                     fed_shape_format(x, text, sizeof text));
  if (size < 1 || size > INT32_MAX)
    return FED_RAISE(FED_E_RANGE, "attribute 'size' is %lld, expected 1 or more", (long long)size);
  lrn->batch = x->dims[0];
  lrn->channels = x->dims[1];
  lrn->plane = 1;
  for (uint32_t i = 2; i < x->rank; i++) lrn->plane *= x->dims[i];
  lrn->before = (size - 1) / 2;
  lrn->after = size / 2;
  lrn->alpha /= (double)size;
  return FED_OK;
}

static int infer_lrn(const struct fed__inference *inference) {
  struct lrn lrn;
  const struct fed__known *x = fed__infer_input(inference, 0);
  FED_TRY(fed__infer_real(inference, 0));
  if (x->elements == 0) return FED_RAISE(FED_E_SHAPE, "the data is empty");
  FED_TRY(read_lrn(inference->node, &x->shape, &lrn));
  return fed__infer_output(inference, 0, FED_F32, &x->shape, NULL);
}

static int prepare_lrn(struct fed__operation *operation) {
  struct lrn *lrn = operation->state;
  FED_TRY(read_lrn(operation->node, &operation->inputs[0].shape, lrn));
  operation->saved_bytes = operation->inputs[0].elements * sizeof(double);
  operation->scratch_bytes = (size_t)(lrn->channels * lrn->plane) * sizeof(double);
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/norm/op_lrn.c"
#include "train/typed.h"

const struct fed__operator fed__op_lrn = {
    .type = "LRN",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_lrn,
    .state_size = sizeof(struct lrn),
    .prepare = prepare_lrn,
    .forward = FED__TYPED(lrn_forward),
    .backward = FED__TYPED(lrn_backward),
    .backward_inputs = 1,
};

#else

static void TYPED(add_product)(const REAL *restrict a, const REAL *restrict b, int64_t count,
                               REAL *restrict sum) {
  for (int64_t i = 0; i < count; i++) sum[i] += a[i] * b[i];
}

/* For each channel the sum of a b over `before` channels below to `after` above it. */
static void TYPED(sum_window)(const struct lrn *lrn, int64_t before, int64_t after, const REAL *a,
                              const REAL *b, REAL *sums) {
  const int64_t plane = lrn->plane;
  memset(sums, 0, (size_t)(lrn->channels * plane) * sizeof *sums);
  for (int64_t c = 0; c < lrn->channels; c++)
    for (int64_t other = c - before; other <= c + after; other++)
      if (other >= 0 && other < lrn->channels)
        TYPED(add_product)(a + other * plane, b + other * plane, plane, sums + c * plane);
}

FED__WIDE static void TYPED(lrn_forward)(const struct fed__operation *operation) {
  const struct lrn *lrn = operation->state;
  const int64_t image = lrn->channels * lrn->plane;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data, *d = operation->saved;
  for (int64_t n = 0; n < lrn->batch; n++, x += image, y += image, d += image) {
    TYPED(sum_window)(lrn, lrn->before, lrn->after, x, x, d);
    for (int64_t i = 0; i < image; i++) {
      d[i] = (REAL)lrn->bias + (REAL)lrn->alpha * d[i];
      y[i] = x[i] * REAL_FUNCTION(pow)(d[i], (REAL)-lrn->beta);
    }
  }
}

/* dx = dy d^-beta - 2 alpha beta x * the sum of dy x d^(-beta - 1) over the channels in whose
 * window x is; d is overwritten on the way, since it is not read again. */
FED__WIDE static void TYPED(lrn_backward)(const struct fed__operation *operation) {
  const struct lrn *lrn = operation->state;
  const int64_t image = lrn->channels * lrn->plane;
  const REAL *x = operation->inputs[0].data, *dy = operation->outputs[0].gradient;
  const REAL both = (REAL)(2 * lrn->alpha * lrn->beta);
  REAL *dx = operation->inputs[0].gradient, *d = operation->saved, *sums = operation->scratch;
  for (int64_t n = 0; n < lrn->batch; n++, x += image, dy += image, dx += image, d += image) {
    for (int64_t i = 0; i < image; i++) {
      const REAL power = REAL_FUNCTION(pow)(d[i], (REAL)-lrn->beta);
      dx[i] = dy[i] * power;
      d[i] = x[i] * power / d[i];
    }
    TYPED(sum_window)(lrn, lrn->after, lrn->before, dy, d, sums);
    for (int64_t i = 0; i < image; i++) dx[i] -= both * x[i] * sums[i];
  }
}

#endif
