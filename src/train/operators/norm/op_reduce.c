/* SPDX-License-Identifier: Apache-2.0
 *
 * op_reduce.c: ReduceSum, ReduceMean, ReduceMax and the like over any axes. One walk over the
 * input in its order; what is merged into one output element adds up in that order, in eight
 * lanes where it is contiguous: the same bits each time. Linear in the elements.
 *
 * Of equal largest (smallest) elements each gets the same part of the gradient.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/shape/move.h"

#include <math.h>

#define LANES 8

struct reduce_state {
  struct fed__move move; /* over the input; its `to` side, with stride 0, over the output */
  int64_t group;         /* elements that become one */
};

/* From opset 13 (ReduceSum) or 18 on the axes are input 1, before that an attribute. */
static int mark_axes(const struct fed__node *node, uint32_t rank, const int64_t *given,
                     size_t count, char *marks) {
  int64_t attribute[FED_RANK_MAX], keep_if_none;
  if (!given) {
    FED_TRY(fed__attribute_ints(node, "axes", attribute, FED_RANK_MAX, &count));
    given = attribute;
  }
  FED_TRY(fed__attribute_int(node, "noop_with_empty_axes", 0, &keep_if_none));
  memset(marks, count == 0 && !keep_if_none, FED_RANK_MAX);
  for (size_t i = 0; i < count; i++) {
    uint32_t axis;
    FED_TRY(fed__axis_normalise(given[i], rank, &axis));
    if (marks[axis]) return FED_RAISE(FED_E_DUPLICATE, "axis %u is given twice", axis);
    marks[axis] = 1;
  }
  return FED_OK;
}

static int infer_shape(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const int64_t *axes = NULL;
  struct fed_shape shape = {0};
  char marks[FED_RANK_MAX];
  size_t count = 0;
  int64_t keeps;
  if (fed__infer_input(inference, 1)) FED_TRY(fed__infer_integers(inference, 1, &axes, &count));
  FED_TRY(mark_axes(inference->node, input->shape.rank, axes, count, marks));
  FED_TRY(fed__attribute_int(inference->node, "keepdims", 1, &keeps));
  for (uint32_t i = 0; i < input->shape.rank; i++)
    if (!marks[i] || keeps) shape.dims[shape.rank++] = marks[i] ? 1 : input->shape.dims[i];
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int infer_reals(const struct fed__inference *inference) {
  FED_TRY(fed__infer_real(inference, 0));
  return infer_shape(inference);
}

static int infer_numbers(const struct fed__inference *inference) {
  if (fed__infer_input(inference, 0)->dtype == FED_BOOL)
    return FED_RAISE(FED_E_TYPE, "truth values can only be reduced by ReduceMax and ReduceMin");
  return infer_shape(inference);
}

static int prepare_reduce(struct fed__operation *operation) {
  struct reduce_state *state = operation->state;
  const struct fed_shape *input = &operation->inputs[0].shape;
  const int given = !fed__operand_absent(operation, 1);
  int64_t to_stride[FED_RANK_MAX], stride = 1;
  char marks[FED_RANK_MAX];
  FED_TRY(mark_axes(operation->node, input->rank, given ? operation->inputs[1].data : NULL,
                    given ? operation->inputs[1].elements : 0, marks));
  state->group = operation->inputs[0].elements ? 1 : 0;
  for (uint32_t i = input->rank; i-- > 0;) {
    to_stride[i] = marks[i] ? 0 : stride;
    if (operation->inputs[0].elements) *(marks[i] ? &state->group : &stride) *= input->dims[i];
  }
  for (uint32_t i = 0; i < input->rank; i++)
    fed__move_dimension(&state->move, input->dims[i], fed__shape_stride(input, i), to_stride[i]);
  return FED_OK;
}

/* Two numbers for each output element while it is computed. */
static int prepare_with_counts(struct fed__operation *operation) {
  operation->scratch_bytes = 2 * operation->outputs[0].elements * sizeof(double);
  return prepare_reduce(operation);
}

/* The innermost dimension of a walk over the input, whose elements are neighbours. */
struct line {
  int64_t length, to_stride;
};

static struct line line_of(const struct fed__move *move) {
  const uint32_t last = move->rank - 1;
  if (move->rank == 0) return (struct line){1, 0};
  return (struct line){move->dims[last], move->to_stride[last]};
}

#define TYPE float
#define SUM float
#define NAMED(name) name##_f32
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#include "train/operators/norm/reduce.inc"

#define TYPE double
#define SUM double
#define NAMED(name) name##_f64
#define LOWEST (double)-INFINITY
#define HIGHEST (double)INFINITY
#include "train/operators/norm/reduce.inc"

#define TYPE int64_t
#define SUM uint64_t
#define NAMED(name) name##_i64
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#include "train/operators/norm/reduce.inc"

#define TYPE uint8_t /* truth values */
#define SUM unsigned
#define NAMED(name) name##_bool
#define LOWEST 0
#define HIGHEST 1
#include "train/operators/norm/reduce.inc"

/* The forward function of an operator, whatever the type. */
#define REDUCE_ANY(name, merging, truth)                                                           \
  static void name##_forward(const struct fed__operation *operation) {                             \
    if (operation->inputs[0].dtype == FED_I64)                                                     \
      merging##_merge_i64(operation);                                                              \
    else if (truth && operation->inputs[0].dtype == FED_BOOL)                                      \
      merging##_merge_bool(operation);                                                             \
    else if (operation->kernels->precision == FED_PRECISION_F64)                                   \
      merging##_merge_f64(operation);                                                              \
    else                                                                                           \
      merging##_merge_f32(operation);                                                              \
  }

REDUCE_ANY(sum, sum, 0)
REDUCE_ANY(l1, magnitude, 0)
REDUCE_ANY(sum_square, square, 0)
REDUCE_ANY(prod, product, 0)
REDUCE_ANY(max, largest, 1)
REDUCE_ANY(min, smallest, 1)

static void divide_integers(const struct fed__operation *operation) {
  const struct reduce_state *state = operation->state;
  int64_t *y = operation->outputs[0].data;
  for (size_t i = 0; i < operation->outputs[0].elements && state->group; i++) y[i] /= state->group;
}

#define FED__TEMPLATE "train/operators/norm/op_reduce.c"
#include "train/typed.h"

static void mean_forward(const struct fed__operation *operation) {
  sum_forward(operation);
  if (operation->inputs[0].dtype == FED_I64)
    divide_integers(operation);
  else if (operation->kernels->precision == FED_PRECISION_F64)
    divide_f64(operation);
  else
    divide_f32(operation);
}

#define REDUCE_ROW(name, onnx_type, infer_rule, prepare_rule, forward_rows, reads_x, reads_y)      \
  const struct fed__operator fed__op_reduce_##name = {                                             \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 2,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_rule,                                                                         \
      .state_size = sizeof(struct reduce_state),                                                   \
      .prepare = prepare_rule,                                                                     \
      .forward = forward_rows,                                                                     \
      .backward = FED__TYPED(name##_backward),                                                     \
      .backward_inputs = reads_x,                                                                  \
      .backward_outputs = reads_y,                                                                 \
  };

REDUCE_ROW(sum, "ReduceSum", infer_numbers, prepare_reduce, FED__UNTYPED(sum_forward), 0, 0)
REDUCE_ROW(mean, "ReduceMean", infer_numbers, prepare_reduce, FED__UNTYPED(mean_forward), 0, 0)
REDUCE_ROW(l1, "ReduceL1", infer_numbers, prepare_reduce, FED__UNTYPED(l1_forward), 1, 0)
REDUCE_ROW(l2, "ReduceL2", infer_reals, prepare_reduce, FED__TYPED(l2_forward), 1, 1)
REDUCE_ROW(sum_square, "ReduceSumSquare", infer_numbers, prepare_reduce,
           FED__UNTYPED(sum_square_forward), 1, 0)
REDUCE_ROW(log_sum, "ReduceLogSum", infer_reals, prepare_reduce, FED__TYPED(log_sum_forward), 0, 1)
REDUCE_ROW(log_sum_exp, "ReduceLogSumExp", infer_reals, prepare_with_counts,
           FED__TYPED(log_sum_exp_forward), 1, 1)
REDUCE_ROW(prod, "ReduceProd", infer_numbers, prepare_with_counts, FED__UNTYPED(prod_forward), 1, 0)
REDUCE_ROW(max, "ReduceMax", infer_shape, prepare_with_counts, FED__UNTYPED(max_forward), 1, 1)
REDUCE_ROW(min, "ReduceMin", infer_shape, prepare_with_counts, FED__UNTYPED(min_forward), 1, 1)

#else

static void TYPED(divide)(const struct fed__operation *operation) {
  const struct reduce_state *state = operation->state;
  REAL *y = operation->outputs[0].data;
  for (size_t i = 0; i < operation->outputs[0].elements; i++) y[i] /= (REAL)state->group;
}

static void TYPED(l2_forward)(const struct fed__operation *operation) {
  REAL *y = operation->outputs[0].data;
  TYPED(square_merge)(operation);
  for (size_t i = 0; i < operation->outputs[0].elements; i++) y[i] = REAL_FUNCTION(sqrt)(y[i]);
}

static void TYPED(log_sum_forward)(const struct fed__operation *operation) {
  REAL *y = operation->outputs[0].data;
  TYPED(sum_merge)(operation);
  for (size_t i = 0; i < operation->outputs[0].elements; i++) y[i] = REAL_FUNCTION(log)(y[i]);
}

/* For every element x[i] of the input, with the index j of the output element that it is part of.
 */
#define FOR_EACH(statement)                                                                        \
  do {                                                                                             \
    const struct reduce_state *state = operation->state;                                           \
    const struct line line = line_of(&state->move);                                                \
    struct fed__walk walk = fed__walk_start(&state->move, 1);                                      \
    int64_t i = 0;                                                                                 \
    for (int64_t row = 0; row < walk.rows; row++, fed__walk_next(&walk, &state->move))             \
      for (int64_t column = 0; column < line.length; column++, i++) {                              \
        const int64_t j = walk.to + column * line.to_stride;                                       \
        statement;                                                                                 \
      }                                                                                            \
  } while (0)

/* log(sum(exp(x))) with the largest x taken out, so that nothing overflows. */
static void TYPED(log_sum_exp_forward)(const struct fed__operation *operation) {
  const REAL *x = operation->inputs[0].data;
  const size_t count = operation->outputs[0].elements;
  REAL *y = operation->outputs[0].data, *sums = operation->scratch;
  TYPED(largest_merge)(operation);
  memset(sums, 0, count * sizeof *sums);
  FOR_EACH(sums[j] += isinf(y[j]) ? REAL_FUNCTION(exp)(x[i]) : REAL_FUNCTION(exp)(x[i] - y[j]));
  for (size_t i = 0; i < count; i++) y[i] = REAL_FUNCTION(log)(sums[i]) + (isinf(y[i]) ? 0 : y[i]);
}

#define GRADIENT(name, slope)                                                                      \
  static void TYPED(name##_backward)(const struct fed__operation *operation) {                     \
    const REAL *x = operation->inputs[0].data, *y = operation->outputs[0].data;                    \
    const REAL *dy = operation->outputs[0].gradient;                                               \
    REAL *dx = operation->inputs[0].gradient;                                                      \
    const REAL part = 1 / (REAL)((const struct reduce_state *)operation->state)->group;            \
    (void)x, (void)y, (void)part;                                                                  \
    FOR_EACH(dx[i] = dy[j] * (slope));                                                             \
  }

GRADIENT(sum, 1)
GRADIENT(mean, part)
GRADIENT(l1, (REAL)((x[i] > 0) - (x[i] < 0)))
GRADIENT(l2, y[j] == 0 ? 0 : x[i] / y[j])
GRADIENT(sum_square, 2 * x[i])
GRADIENT(log_sum, REAL_FUNCTION(exp)(-y[j]))
GRADIENT(log_sum_exp, y[j] == -(REAL)INFINITY ? 0 : REAL_FUNCTION(exp)(x[i] - y[j]))

/* The product of the others: with one zero among them only that one has a gradient. */
static void TYPED(prod_backward)(const struct fed__operation *operation) {
  const REAL *x = operation->inputs[0].data, *dy = operation->outputs[0].gradient;
  const size_t count = operation->outputs[0].elements;
  REAL *dx = operation->inputs[0].gradient;
  REAL *products = operation->scratch, *zeros = products + count;
  for (size_t i = 0; i < count; i++) products[i] = 1, zeros[i] = 0;
  FOR_EACH(if (x[i] == 0) zeros[j]++; else products[j] *= x[i]);
  FOR_EACH(dx[i] = zeros[j] == (x[i] == 0) ? dy[j] * products[j] / (x[i] == 0 ? 1 : x[i]) : 0);
}

static void TYPED(extreme_backward)(const struct fed__operation *operation) {
  const REAL *x = operation->inputs[0].data, *y = operation->outputs[0].data;
  const REAL *dy = operation->outputs[0].gradient;
  REAL *dx = operation->inputs[0].gradient, *counts = operation->scratch;
  memset(counts, 0, operation->outputs[0].elements * sizeof *counts);
  FOR_EACH(counts[j] += x[i] == y[j]);
  FOR_EACH(dx[i] = x[i] == y[j] ? dy[j] / counts[j] : 0);
}

static void TYPED(max_backward)(const struct fed__operation *operation) {
  TYPED(extreme_backward)(operation);
}

static void TYPED(min_backward)(const struct fed__operation *operation) {
  TYPED(extreme_backward)(operation);
}

#undef FOR_EACH
#undef GRADIENT
#endif
