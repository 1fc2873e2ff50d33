/* SPDX-License-Identifier: Apache-2.0
 *
 * op_top_k.c: TopK, ArgMax and ArgMin along one axis. Of equal elements the one with the lower
 * index comes first (ArgMax and ArgMin can be asked for the last); NaN counts as the largest, so
 * that it is not lost. TopK's values have a gradient. TopK costs n log k a row, by a heap of the
 * k best so far; the others are linear.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/shape/move.h"

#include <math.h>

struct top_k_state {
  int64_t outer, extent, inner, k;
  int smallest, last;
};

static int read_axis(const struct fed__node *node, int64_t absent, uint32_t rank, uint32_t *axis) {
  int64_t value;
  FED_TRY(fed__attribute_int(node, "axis", absent, &value));
  return fed__axis_normalise(value, rank, axis);
}

static int refuse_bool(const struct fed__known *input) {
  if (input->dtype == FED_BOOL) return FED_RAISE(FED_E_TYPE, "truth values cannot be ordered");
  return FED_OK;
}

static int infer_top_k(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed_shape shape = input->shape;
  const int64_t *k;
  size_t count;
  uint32_t axis;
  FED_TRY(refuse_bool(input));
  FED_TRY(read_axis(inference->node, -1, shape.rank, &axis));
  FED_TRY(fed__infer_integers(inference, 1, &k, &count));
  if (count != 1 || *k < 0 || *k > shape.dims[axis])
    return FED_RAISE(FED_E_RANGE, "k should be one number from 0 to %lld, the extent of axis %u",
                     (long long)shape.dims[axis], axis);
  shape.dims[axis] = *k;
  FED_TRY(fed__infer_output(inference, 0, input->dtype, &shape, NULL));
  return fed__infer_output(inference, 1, FED_I64, &shape, NULL);
}

static int infer_arg(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed_shape shape = {0};
  int64_t keeps;
  uint32_t axis;
  FED_TRY(refuse_bool(input));
  FED_TRY(read_axis(inference->node, 0, input->shape.rank, &axis));
  FED_TRY(fed__attribute_int(inference->node, "keepdims", 1, &keeps));
  if (input->shape.dims[axis] == 0)
    return FED_RAISE(FED_E_SHAPE, "axis %u is empty: there is nothing to choose from", axis);
  for (uint32_t i = 0; i < input->shape.rank; i++)
    if (i != axis || keeps) shape.dims[shape.rank++] = i == axis ? 1 : input->shape.dims[i];
  return fed__infer_output(inference, 0, FED_I64, &shape, NULL);
}

static void prepare_along(struct fed__operation *operation, uint32_t axis, int64_t k) {
  struct top_k_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0];
  *state = (struct top_k_state){
      .outer = input->elements ? fed__shape_extent(&input->shape, 0, axis) : 0,
      .extent = input->shape.dims[axis],
      .inner = fed__shape_stride(&input->shape, axis),
      .k = k,
  };
}

/* The indices of the chosen ones are kept for the way back. */
static int prepare_top_k(struct fed__operation *operation) {
  struct top_k_state *state = operation->state;
  const struct fed_shape *shape = &operation->inputs[0].shape;
  int64_t largest;
  uint32_t axis;
  FED_TRY(read_axis(operation->node, -1, shape->rank, &axis));
  FED_TRY(fed__attribute_int(operation->node, "largest", 1, &largest));
  prepare_along(operation, axis, *(const int64_t *)operation->inputs[1].data);
  state->smallest = !largest;
  operation->saved_bytes = (size_t)(state->outer * state->inner * state->k) * sizeof(int64_t);
  operation->scratch_bytes = (size_t)state->k * sizeof(int64_t);
  return FED_OK;
}

static int prepare_arg(struct fed__operation *operation) {
  struct top_k_state *state = operation->state;
  int64_t last;
  uint32_t axis;
  FED_TRY(read_axis(operation->node, 0, operation->inputs[0].shape.rank, &axis));
  FED_TRY(fed__attribute_int(operation->node, "select_last_index", 0, &last));
  prepare_along(operation, axis, 1);
  state->smallest = operation->op == &fed__op_arg_min;
  state->last = last != 0;
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/shape/op_top_k.c"
#include "train/typed.h"

#define REAL int64_t
#define TYPED(name) name##_i64
#include "train/operators/shape/op_top_k.c"
#undef REAL
#undef TYPED

static void top_k_forward(const struct fed__operation *operation) {
  const struct top_k_state *state = operation->state;
  const size_t bytes = (size_t)(state->outer * state->inner * state->k) * sizeof(int64_t);
  if (bytes == 0) return;
  if (operation->inputs[0].dtype == FED_I64)
    find_top_i64(operation);
  else if (operation->kernels->precision == FED_PRECISION_F64)
    find_top_f64(operation);
  else
    find_top_f32(operation);
  if (operation->output_count > 1 && operation->outputs[1].data)
    memcpy(operation->outputs[1].data, operation->saved, bytes);
}

static void top_k_backward(const struct fed__operation *operation) {
  fed__gradient_zero(operation, &operation->inputs[0]);
  if (operation->kernels->precision == FED_PRECISION_F64)
    give_back_f64(operation);
  else
    give_back_f32(operation);
}

static void arg_forward(const struct fed__operation *operation) {
  if (operation->inputs[0].dtype == FED_I64)
    find_best_i64(operation);
  else if (operation->kernels->precision == FED_PRECISION_F64)
    find_best_f64(operation);
  else
    find_best_f32(operation);
}

const struct fed__operator fed__op_top_k = {
    .type = "TopK",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 2,
    .infer = infer_top_k,
    .state_size = sizeof(struct top_k_state),
    .prepare = prepare_top_k,
    .forward = FED__UNTYPED(top_k_forward),
    .backward = FED__UNTYPED(top_k_backward),
};

#define ARG_ROW(name, onnx_type)                                                                   \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_arg,                                                                          \
      .state_size = sizeof(struct top_k_state),                                                    \
      .prepare = prepare_arg,                                                                      \
      .forward = FED__UNTYPED(arg_forward),                                                        \
  };

ARG_ROW(arg_max, "ArgMax")
ARG_ROW(arg_min, "ArgMin")

#else

/* The elements of one row, `stride` apart. */
struct TYPED(row) {
  const REAL *x;
  int64_t stride;
  int smallest;
};

/* Does element a come before element b? */
static int TYPED(precedes)(const struct TYPED(row) * row, int64_t a, int64_t b) {
  const REAL x = row->x[a * row->stride], y = row->x[b * row->stride];
  const int x_larger = x > y || (isnan((double)x) && !isnan((double)y));
  const int y_larger = y > x || (isnan((double)y) && !isnan((double)x));
  if (x_larger == y_larger) return a < b;
  return row->smallest ? y_larger : x_larger;
}

/* Let the element at the root of a heap, whose root is the last in order, sink to its place. */
static void TYPED(sink)(const struct TYPED(row) * row, int64_t *heap, int64_t count, int64_t at) {
  const int64_t element = heap[at];
  for (int64_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && TYPED(precedes)(row, heap[child], heap[child + 1])) child++;
    if (!TYPED(precedes)(row, element, heap[child])) break;
    heap[at] = heap[child];
  }
  heap[at] = element;
}

/* The first k in order, in order. */
static void TYPED(select_first)(const struct TYPED(row) * row, int64_t extent, int64_t k,
                                int64_t *heap) {
  for (int64_t i = 0; i < k; i++) heap[i] = i;
  for (int64_t i = k / 2; i-- > 0;) TYPED(sink)(row, heap, k, i);
  for (int64_t i = k; i < extent; i++) {
    if (!TYPED(precedes)(row, i, heap[0])) continue;
    heap[0] = i;
    TYPED(sink)(row, heap, k, 0);
  }
  for (int64_t count = k; count-- > 1;) {
    const int64_t last = heap[0];
    heap[0] = heap[count];
    heap[count] = last;
    TYPED(sink)(row, heap, count, 0);
  }
}

static void TYPED(find_top)(const struct fed__operation *operation) {
  const struct top_k_state *state = operation->state;
  const REAL *x = operation->inputs[0].data;
  REAL *y = operation->outputs[0].data;
  int64_t *saved = operation->saved, *heap = operation->scratch;
  for (int64_t i = 0; i < state->outer; i++)
    for (int64_t j = 0; j < state->inner; j++) {
      const struct TYPED(row)
          row = {x + i * state->extent * state->inner + j, state->inner, state->smallest};
      TYPED(select_first)(&row, state->extent, state->k, heap);
      for (int64_t l = 0; l < state->k; l++) {
        const int64_t at = (i * state->k + l) * state->inner + j;
        saved[at] = heap[l];
        if (y) y[at] = row.x[heap[l] * row.stride];
      }
    }
}

static inline void TYPED(give_back)(const struct fed__operation *operation) {
  const struct top_k_state *state = operation->state;
  const REAL *dy = operation->outputs[0].gradient;
  const int64_t *saved = operation->saved;
  REAL *dx = operation->inputs[0].gradient;
  for (int64_t i = 0; i < state->outer; i++, dx += state->extent * state->inner)
    for (int64_t l = 0; l < state->k; l++)
      for (int64_t j = 0; j < state->inner; j++) dx[*saved++ * state->inner + j] = *dy++;
}

static void TYPED(find_best)(const struct fed__operation *operation) {
  const struct top_k_state *state = operation->state;
  const REAL *x = operation->inputs[0].data;
  int64_t *y = operation->outputs[0].data;
  for (int64_t i = 0; i < state->outer; i++, x += state->extent * state->inner)
    for (int64_t j = 0; j < state->inner; j++) {
      const struct TYPED(row) row = {x + j, state->inner, state->smallest};
      int64_t best = 0;
      for (int64_t l = 1; l < state->extent; l++) {
        const int equal = row.x[l * row.stride] == row.x[best * row.stride];
        if (equal ? state->last : TYPED(precedes)(&row, l, best)) best = l;
      }
      *y++ = best;
    }
}

#endif
