/* SPDX-License-Identifier: Apache-2.0
 *
 * op_softmax.c: Softmax, LogSoftmax and Hardmax along an axis. Four passes over a row, in vectors:
 * along the row if the axis is the last one, else across up to COLUMNS rows that lie side by side.
 */
#ifndef REAL
#include "base/wide.h"
#include "train/operators/elementwise/broadcast.h"
#include "train/operators/elementwise/transcendental.h"
#include "train/operators/norm/axis.h"

#define COLUMNS 64

#define FED__TEMPLATE "train/operators/norm/op_softmax.c"
#include "train/typed.h"

#define AXIS_ROW(name, onnx_type)                                                                  \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .in_place = 1,                                                                               \
      .infer = fed__axis_infer,                                                                    \
      .state_size = sizeof(struct fed__axis),                                                      \
      .prepare = fed__axis_prepare,                                                                \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
      .backward_outputs = 1,                                                                       \
  };

AXIS_ROW(softmax, "Softmax")
AXIS_ROW(log_softmax, "LogSoftmax")

const struct fed__operator fed__op_hardmax = {
    .type = "Hardmax",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = fed__axis_infer,
    .state_size = sizeof(struct fed__axis),
    .prepare = fed__axis_prepare,
    .forward = FED__TYPED(hardmax_forward),
};

#else
#include "train/operators/norm/sums.inc"

static void TYPED(exp_row)(const REAL *x, REAL shift, REAL *y, int64_t count) {
  FED__EACH for (int64_t i = 0; i < count; i++) y[i] = TYPED(fed__exp)(x[i] - shift);
}

static void TYPED(softmax_row)(const REAL *x, REAL *y, int64_t count) {
  TYPED(exp_row)(x, TYPED(largest)(x, count), y, count);
  const REAL factor = 1 / TYPED(sum)(y, count);
  for (int64_t i = 0; i < count; i++) y[i] *= factor;
}

static void TYPED(softmax_row_gradient)(const REAL *y, const REAL *dy, REAL *dx, int64_t count) {
  const REAL mean = TYPED(dot)(y, dy, count);
  FED__EACH for (int64_t i = 0; i < count; i++) dx[i] = y[i] * (dy[i] - mean);
}

static void TYPED(log_softmax_row)(const REAL *x, REAL *y, int64_t count) {
  const REAL shift = TYPED(largest)(x, count);
  REAL part[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) part[lane] += TYPED(fed__exp)(x[i + lane] - shift);
  for (int lane = 0; i + lane < count; lane++) part[lane] += TYPED(fed__exp)(x[i + lane] - shift);
  const REAL logarithm = REAL_FUNCTION(log)(TYPED(add_lanes)(part));
  FED__EACH for (int64_t j = 0; j < count; j++) y[j] = (x[j] - shift) - logarithm;
}

static void TYPED(log_softmax_row_gradient)(const REAL *y, const REAL *dy, REAL *dx,
                                            int64_t count) {
  const REAL total = TYPED(sum)(dy, count);
  FED__EACH for (int64_t i = 0; i < count; i++) dx[i] = dy[i] - TYPED(fed__exp)(y[i]) * total;
}

/* The same for rows that lie side by side, `count` of `size` elements each `stride` apart. */
struct TYPED(columns) {
  int64_t size, stride, count;
  REAL largest[COLUMNS], sum[COLUMNS];
};

#define EACH_COLUMN                                                                                \
  for (int64_t i = 0; i < c->size * c->stride; i += c->stride)                                     \
  FED__EACH for (int64_t j = 0; j < c->count; j++)

static void TYPED(reduce_columns)(struct TYPED(columns) * c, const REAL *x) {
  for (int64_t j = 0; j < c->count; j++) c->largest[j] = x[j], c->sum[j] = 0;
  EACH_COLUMN c->largest[j] = x[i + j] > c->largest[j] ? x[i + j] : c->largest[j];
}

static void TYPED(softmax_columns)(struct TYPED(columns) * c, const REAL *x, REAL *y) {
  TYPED(reduce_columns)(c, x);
  EACH_COLUMN {
    y[i + j] = TYPED(fed__exp)(x[i + j] - c->largest[j]);
    c->sum[j] += y[i + j];
  }
  EACH_COLUMN y[i + j] /= c->sum[j];
}

static void TYPED(softmax_columns_gradient)(struct TYPED(columns) * c, const REAL *y,
                                            const REAL *dy, REAL *dx) {
  for (int64_t j = 0; j < c->count; j++) c->sum[j] = 0;
  EACH_COLUMN c->sum[j] += y[i + j] * dy[i + j];
  EACH_COLUMN dx[i + j] = y[i + j] * (dy[i + j] - c->sum[j]);
}

static void TYPED(log_softmax_columns)(struct TYPED(columns) * c, const REAL *x, REAL *y) {
  TYPED(reduce_columns)(c, x);
  EACH_COLUMN c->sum[j] += TYPED(fed__exp)(x[i + j] - c->largest[j]);
  for (int64_t j = 0; j < c->count; j++) c->sum[j] = REAL_FUNCTION(log)(c->sum[j]);
  EACH_COLUMN y[i + j] = (x[i + j] - c->largest[j]) - c->sum[j];
}

static void TYPED(log_softmax_columns_gradient)(struct TYPED(columns) * c, const REAL *y,
                                                const REAL *dy, REAL *dx) {
  for (int64_t j = 0; j < c->count; j++) c->sum[j] = 0;
  EACH_COLUMN c->sum[j] += dy[i + j];
  EACH_COLUMN dx[i + j] = dy[i + j] - TYPED(fed__exp)(y[i + j]) * c->sum[j];
}
#undef EACH_COLUMN

static struct TYPED(columns) TYPED(columns_from)(const struct fed__axis *axis, int64_t column) {
  const int64_t left = axis->inner - column;
  return (struct TYPED(columns)){
      .size = axis->size, .stride = axis->inner, .count = left < COLUMNS ? left : COLUMNS};
}

#define SOFTMAX_LOOPS(name)                                                                        \
  FED__WIDE static void TYPED(name##_forward)(const struct fed__operation *operation) {            \
    const struct fed__axis *axis = operation->state;                                               \
    const REAL *x = operation->inputs[0].data;                                                     \
    REAL *y = operation->outputs[0].data;                                                          \
    const int64_t size = axis->size * axis->inner;                                                 \
    if (operation->outputs[0].elements == 0) return;                                               \
    for (int64_t row = 0; row < axis->outer; row++, x += size, y += size) {                        \
      if (axis->inner == 1) TYPED(name##_row)(x, y, size);                                         \
      for (int64_t j = 0; j < axis->inner && axis->inner > 1; j += COLUMNS) {                      \
        struct TYPED(columns) columns = TYPED(columns_from)(axis, j);                              \
        TYPED(name##_columns)(&columns, x + j, y + j);                                             \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  FED__WIDE static void TYPED(name##_backward)(const struct fed__operation *operation) {           \
    const struct fed__axis *axis = operation->state;                                               \
    const REAL *y = operation->outputs[0].data, *dy = operation->outputs[0].gradient;              \
    REAL *dx = operation->inputs[0].gradient;                                                      \
    const int64_t size = axis->size * axis->inner;                                                 \
    for (int64_t row = 0; row < axis->outer; row++, y += size, dy += size, dx += size) {           \
      if (axis->inner == 1) TYPED(name##_row_gradient)(y, dy, dx, size);                           \
      for (int64_t j = 0; j < axis->inner && axis->inner > 1; j += COLUMNS) {                      \
        struct TYPED(columns) columns = TYPED(columns_from)(axis, j);                              \
        TYPED(name##_columns_gradient)(&columns, y + j, dy + j, dx + j);                           \
      }                                                                                            \
    }                                                                                              \
  }

SOFTMAX_LOOPS(softmax)
SOFTMAX_LOOPS(log_softmax)
#undef SOFTMAX_LOOPS

static void TYPED(hardmax_forward)(const struct fed__operation *operation) {
  const struct fed__axis *axis = operation->state;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data;
  memset(y, 0, operation->outputs[0].elements * sizeof *y);
  if (operation->outputs[0].elements == 0) return;
  for (int64_t row = 0; row < axis->outer * axis->inner; row++) {
    const int64_t start = row / axis->inner * axis->size * axis->inner + row % axis->inner;
    int64_t best = start;
    for (int64_t i = 1; i < axis->size; i++)
      if (x[start + i * axis->inner] > x[best]) best = start + i * axis->inner;
    y[best] = 1;
  }
}

#endif
