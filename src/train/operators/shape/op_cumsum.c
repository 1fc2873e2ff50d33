/* SPDX-License-Identifier: Apache-2.0
 *
 * op_cumsum.c: CumSum: running sums along one axis, from either end, each with or without its own
 * element. Its gradient is the same sum from the other end. Linear in the elements.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

struct cumsum_state {
  int exclusive, reverse;
  int64_t outer, extent, inner;
};

static int read_axis(const struct fed__inference *inference, uint32_t *axis) {
  const int64_t *values;
  size_t count;
  FED_TRY(fed__infer_integers(inference, 1, &values, &count));
  if (count != 1) return FED_RAISE(FED_E_SHAPE, "input 1 should be one axis, but has %zu", count);
  return fed__axis_normalise(*values, fed__infer_input(inference, 0)->shape.rank, axis);
}

static int infer_cumsum(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  uint32_t axis;
  FED_TRY(read_axis(inference, &axis));
  if (input->dtype == FED_BOOL) return FED_RAISE(FED_E_TYPE, "truth values have no sum");
  return fed__infer_output(inference, 0, input->dtype, &input->shape, NULL);
}

static int prepare_cumsum(struct fed__operation *operation) {
  struct cumsum_state *state = operation->state;
  const struct fed_shape *shape = &operation->inputs[0].shape;
  int64_t exclusive, reverse;
  uint32_t axis;
  FED_TRY(fed__attribute_int(operation->node, "exclusive", 0, &exclusive));
  FED_TRY(fed__attribute_int(operation->node, "reverse", 0, &reverse));
  FED_TRY(fed__axis_normalise(*(const int64_t *)operation->inputs[1].data, shape->rank, &axis));
  *state = (struct cumsum_state){
      .exclusive = exclusive != 0,
      .reverse = reverse != 0,
      .outer = operation->inputs[0].elements ? fed__shape_extent(shape, 0, axis) : 0,
      .extent = shape->dims[axis],
      .inner = fed__shape_stride(shape, axis),
  };
  return FED_OK;
}

/* Row after row: what is before the first is 0. Integers wrap around. */
#define CUMSUM(type, sum_type, suffix)                                                             \
  static void sum_##suffix(const struct cumsum_state *state, int reverse, const type *from,        \
                           type *to) {                                                             \
    const int64_t inner = state->inner, step = reverse ? -inner : inner;                           \
    for (int64_t i = 0; i < state->outer; i++) {                                                   \
      const int64_t first = (i * state->extent + (reverse ? state->extent - 1 : 0)) * inner;       \
      const type *x = from + first;                                                                \
      type *y = to + first;                                                                        \
      for (int64_t j = 0; j < inner; j++) y[j] = state->exclusive ? 0 : x[j];                      \
      for (int64_t row = 1; row < state->extent; row++, x += step, y += step) {                    \
        const type *next = state->exclusive ? x : x + step;                                        \
        for (int64_t j = 0; j < inner; j++)                                                        \
          y[step + j] = (type)((sum_type)y[j] + (sum_type)next[j]);                                \
      }                                                                                            \
    }                                                                                              \
  }

CUMSUM(float, float, f32)
CUMSUM(double, double, f64)
CUMSUM(int64_t, uint64_t, i64)

static void sum(const struct fed__operation *operation, int reverse, const void *from, void *to) {
  const struct cumsum_state *state = operation->state;
  if (operation->inputs[0].dtype == FED_I64)
    sum_i64(state, reverse, from, to);
  else if (operation->kernels->precision == FED_PRECISION_F64)
    sum_f64(state, reverse, from, to);
  else
    sum_f32(state, reverse, from, to);
}

static void cumsum_forward(const struct fed__operation *operation) {
  const struct cumsum_state *state = operation->state;
  sum(operation, state->reverse, operation->inputs[0].data, operation->outputs[0].data);
}

static void cumsum_backward(const struct fed__operation *operation) {
  const struct cumsum_state *state = operation->state;
  sum(operation, !state->reverse, operation->outputs[0].gradient, operation->inputs[0].gradient);
}

const struct fed__operator fed__op_cumsum = {
    .type = "CumSum",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_cumsum,
    .state_size = sizeof(struct cumsum_state),
    .prepare = prepare_cumsum,
    .forward = FED__UNTYPED(cumsum_forward),
    .backward = FED__UNTYPED(cumsum_backward),
};
