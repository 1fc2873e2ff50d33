/* SPDX-License-Identifier: Apache-2.0
 *
 * op_one_hot.c: OneHot: for each index a row with one value on and the others off; all are off
 * for an index out of range, as ONNX has it. No gradient. Linear in the elements of the output.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

struct one_hot_state {
  int64_t outer, depth, inner;
};

/* The one number in the input, cut off to an integer. */
static int read_depth(const struct fed__inference *inference, int64_t *depth) {
  const int64_t *integers;
  const float *reals;
  size_t count;
  if (fed__infer_input(inference, 1)->dtype == FED_F32) {
    FED_TRY(fed__infer_reals(inference, 1, &reals, &count));
    *depth = count == 1 && *reals >= 1 && *reals < 0x1p34F ? (int64_t)*reals : 0;
  } else {
    FED_TRY(fed__infer_integers(inference, 1, &integers, &count));
    *depth = count == 1 ? *integers : 0;
  }
  if (*depth < 1) return FED_RAISE(FED_E_RANGE, "the depth should be one number from 1 on");
  return FED_OK;
}

static int read_axis(const struct fed__node *node, uint32_t rank, uint32_t *axis) {
  int64_t value;
  FED_TRY(fed__attribute_int(node, "axis", -1, &value));
  return fed__axis_normalise(value, rank, axis);
}

static int infer_one_hot(const struct fed__inference *inference) {
  const struct fed__known *indices = fed__infer_input(inference, 0);
  const struct fed__known *values = fed__infer_input(inference, 2);
  struct fed_shape shape = {.rank = indices->shape.rank + 1};
  int64_t depth;
  uint32_t axis;
  FED_TRY(read_depth(inference, &depth));
  if (indices->dtype == FED_BOOL) return FED_RAISE(FED_E_TYPE, "input 0 should be numbers");
  if (values->shape.rank != 1 || values->elements != 2)
    return FED_RAISE(FED_E_SHAPE, "input 2 should be two values: off, on");
  if (shape.rank > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "more than %d dimensions", FED_RANK_MAX);
  FED_TRY(read_axis(inference->node, shape.rank, &axis));
  for (uint32_t i = 0, from = 0; i < shape.rank; i++)
    shape.dims[i] = i == axis ? depth : indices->shape.dims[from++];
  return fed__infer_output(inference, 0, values->dtype, &shape, NULL);
}

static int prepare_one_hot(struct fed__operation *operation) {
  struct one_hot_state *state = operation->state;
  const struct fed__operand *output = &operation->outputs[0];
  uint32_t axis;
  FED_TRY(read_axis(operation->node, output->shape.rank, &axis));
  *state = (struct one_hot_state){
      .outer = output->elements ? fed__shape_extent(&output->shape, 0, axis) : 0,
      .depth = output->shape.dims[axis],
      .inner = fed__shape_stride(&output->shape, axis),
  };
  return FED_OK;
}

/* The index, or -1 if it is out of range. */
static int64_t index_at(const struct fed__operation *operation, int64_t at, int64_t depth) {
  const struct fed__operand *indices = &operation->inputs[0];
  double real;
  if (indices->dtype == FED_I64) {
    const int64_t index = ((const int64_t *)indices->data)[at];
    return index < -depth || index >= depth ? -1 : index < 0 ? index + depth : index;
  }
  real = operation->kernels->precision == FED_PRECISION_F64
             ? ((const double *)indices->data)[at]
             : (double)((const float *)indices->data)[at];
  if (!(real >= (double)-depth && real < (double)depth)) return -1;
  return real < 0 ? (int64_t)real + depth : (int64_t)real;
}

static void one_hot_forward(const struct fed__operation *operation) {
  const struct one_hot_state *state = operation->state;
  const struct fed__operand *output = &operation->outputs[0];
  const int64_t unit = (int64_t)fed__operand_unit(operation, output);
  const char *off = operation->inputs[2].data, *on = off + unit;
  const struct fed__move fill = {1, {(int64_t)output->elements}, {0}, {1}, 0, 0};
  fed__move_copy(&fill, (size_t)unit, off, output->data);
  for (int64_t i = 0; i < state->outer; i++)
    for (int64_t j = 0; j < state->inner; j++) {
      const int64_t index = index_at(operation, i * state->inner + j, state->depth);
      const int64_t at = (i * state->depth + index) * state->inner + j;
      if (index >= 0) memcpy((char *)output->data + at * unit, on, (size_t)unit);
    }
}

const struct fed__operator fed__op_one_hot = {
    .type = "OneHot",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_one_hot,
    .state_size = sizeof(struct one_hot_state),
    .prepare = prepare_one_hot,
    .forward = FED__UNTYPED(one_hot_forward),
};
