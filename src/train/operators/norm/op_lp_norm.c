/* SPDX-License-Identifier: Apache-2.0
 *
 * op_lp_norm.c: LpNormalization: along an axis, divided by the sum of the absolute values (p = 1)
 * or by the Euclidean length (p = 2). Zeros stay zeros, and get no gradient. A pass for the norm
 * and one for the result; backward finds the norm again.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/norm/axis.h"

#include <math.h>

struct lp_norm {
  struct fed__axis axis;
  int64_t p;
};

static int read_lp_norm(const struct fed__node *node, int64_t *p) {
  FED_TRY(fed__attribute_int(node, "p", 2, p));
  if (*p == 1 || *p == 2) return FED_OK;
  return FED_RAISE(FED_E_UNSUPPORTED, "attribute 'p' is %lld, expected 1 or 2", (long long)*p);
}

static int infer_lp_norm(const struct fed__inference *inference) {
  int64_t p;
  FED_TRY(read_lp_norm(inference->node, &p));
  return fed__axis_infer(inference);
}

static int prepare_lp_norm(struct fed__operation *operation) {
  struct lp_norm *norm = operation->state;
  FED_TRY(read_lp_norm(operation->node, &norm->p));
  return fed__axis_prepare(operation);
}

#define FED__TEMPLATE "train/operators/norm/op_lp_norm.c"
#include "train/typed.h"

const struct fed__operator fed__op_lp_normalization = {
    .type = "LpNormalization",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_lp_norm,
    .state_size = sizeof(struct lp_norm),
    .prepare = prepare_lp_norm,
    .forward = FED__TYPED(lp_norm_forward),
    .backward = FED__TYPED(lp_norm_backward),
    .backward_inputs = 1,
};

#else

/* A row's elements are `inner` apart; this is where number `row` starts. */
static int64_t TYPED(row_start)(const struct fed__axis *axis, int64_t row) {
  return row / axis->inner * axis->size * axis->inner + row % axis->inner;
}

/* 1 / norm, or 0 for a row of zeros. */
static REAL TYPED(row_factor)(const struct lp_norm *norm, const REAL *x) {
  const int64_t end = norm->axis.size * norm->axis.inner;
  REAL sum = 0;
  for (int64_t i = 0; i < end; i += norm->axis.inner)
    sum += norm->p == 1 ? REAL_FUNCTION(fabs)(x[i]) : x[i] * x[i];
  if (sum == 0) return 0;
  return 1 / (norm->p == 1 ? sum : REAL_FUNCTION(sqrt)(sum));
}

static void TYPED(lp_norm_forward)(const struct fed__operation *operation) {
  const struct lp_norm *norm = operation->state;
  const int64_t end = norm->axis.size * norm->axis.inner;
  if (operation->outputs[0].elements == 0) return;
  for (int64_t row = 0; row < norm->axis.outer * norm->axis.inner; row++) {
    const int64_t start = TYPED(row_start)(&norm->axis, row);
    const REAL *x = (const REAL *)operation->inputs[0].data + start;
    REAL *y = (REAL *)operation->outputs[0].data + start;
    const REAL factor = TYPED(row_factor)(norm, x);
    for (int64_t i = 0; i < end; i += norm->axis.inner) y[i] = x[i] * factor;
  }
}

/* dx = factor (dy - direction * sum of dy y); the direction is y itself, or x's sign for p = 1. */
static void TYPED(lp_norm_backward)(const struct fed__operation *operation) {
  const struct lp_norm *norm = operation->state;
  const int64_t end = norm->axis.size * norm->axis.inner;
  for (int64_t row = 0; row < norm->axis.outer * norm->axis.inner; row++) {
    const int64_t start = TYPED(row_start)(&norm->axis, row);
    const REAL *x = (const REAL *)operation->inputs[0].data + start;
    const REAL *dy = (const REAL *)operation->outputs[0].gradient + start;
    REAL *dx = (REAL *)operation->inputs[0].gradient + start;
    const REAL factor = TYPED(row_factor)(norm, x);
    REAL sum = 0;
    for (int64_t i = 0; i < end; i += norm->axis.inner) sum += dy[i] * x[i] * factor;
    for (int64_t i = 0; i < end; i += norm->axis.inner) {
      const REAL sign = (REAL)((x[i] > 0) - (x[i] < 0));
      dx[i] = factor * (dy[i] - sum * (norm->p == 1 ? sign : x[i] * factor));
    }
  }
}

#endif
