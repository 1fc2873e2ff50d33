/* SPDX-License-Identifier: Apache-2.0
 *
 * op_slice.c: Slice. One move with the steps as strides; linear in the elements of the output.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

/* The elements along one dimension: start, start + step, … */
struct range {
  int64_t start, step, count;
};

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

/* ONNX's rule: negative ends count from the back, and then both are clamped. */
static struct range effective_range(int64_t start, int64_t end, int64_t step, int64_t extent) {
  if (extent == 0) return (struct range){0, 1, 0};
  start += start < 0 ? extent : 0;
  end += end < 0 ? extent : 0;
  const int64_t last = step > 0 ? extent : extent - 1;
  start = clamp(start, 0, last);
  end = clamp(end, step > 0 ? 0 : -1, last);
  const int64_t way = step > 0 ? end - start : start - end;
  const uint64_t length = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
  return (struct range){start, step, way > 0 ? (int64_t)((uint64_t)(way - 1) / length) + 1 : 0};
}

struct slice_inputs {
  const int64_t *starts, *ends, *axes, *steps; /* axes and steps NULL: left out */
};

static int find_range(const struct slice_inputs *inputs, size_t i, const struct fed_shape *shape,
                      uint32_t *axis, struct range *range) {
  const int64_t step = inputs->steps ? inputs->steps[i] : 1;
  FED_TRY(fed__axis_normalise(inputs->axes ? inputs->axes[i] : (int64_t)i, shape->rank, axis));
  if (step == 0) return FED_RAISE(FED_E_RANGE, "the step along axis %u is 0", *axis);
  *range = effective_range(inputs->starts[i], inputs->ends[i], step, shape->dims[*axis]);
  return FED_OK;
}

static int find_ranges(const struct slice_inputs *inputs, size_t count,
                       const struct fed_shape *shape, struct range *ranges) {
  uint32_t seen = 0;
  for (uint32_t i = 0; i < shape->rank; i++) ranges[i] = (struct range){0, 1, shape->dims[i]};
  for (size_t i = 0; i < count; i++) {
    uint32_t axis;
    struct range range;
    FED_TRY(find_range(inputs, i, shape, &axis, &range));
    if (seen >> axis & 1) return FED_RAISE(FED_E_DUPLICATE, "axis %u is given twice", axis);
    seen |= 1U << axis;
    ranges[axis] = range;
  }
  return FED_OK;
}

/* The lists are as long as input 1. */
static int read_list(const struct fed__inference *inference, uint32_t slot, size_t wanted,
                     const int64_t **values) {
  size_t count;
  if (slot > 2 && !fed__infer_input(inference, slot)) return FED_OK;
  FED_TRY(fed__infer_integers(inference, slot, values, &count));
  if (count != wanted)
    return FED_RAISE(FED_E_SHAPE, "input %u has %zu numbers, but input 1 has %zu", slot, count,
                     wanted);
  return FED_OK;
}

static int infer_slice(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct slice_inputs inputs = {0};
  struct range ranges[FED_RANK_MAX];
  struct fed_shape shape = {.rank = input->shape.rank};
  size_t count;
  FED_TRY(fed__infer_integers(inference, 1, &inputs.starts, &count));
  FED_TRY(read_list(inference, 2, count, &inputs.ends));
  FED_TRY(read_list(inference, 3, count, &inputs.axes));
  FED_TRY(read_list(inference, 4, count, &inputs.steps));
  FED_TRY(find_ranges(&inputs, count, &input->shape, ranges));
  for (uint32_t i = 0; i < shape.rank; i++) shape.dims[i] = ranges[i].count;
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int prepare_slice(struct fed__operation *operation) {
  const struct fed__operand *operands = operation->inputs;
  const struct fed_shape *input = &operands[0].shape;
  struct fed__move *move = operation->state;
  struct range ranges[FED_RANK_MAX];
  const struct slice_inputs inputs = {
      .starts = operands[1].data,
      .ends = operands[2].data,
      .axes = fed__operand_absent(operation, 3) ? NULL : operands[3].data,
      .steps = fed__operand_absent(operation, 4) ? NULL : operands[4].data,
  };
  *move = (struct fed__move){.rank = 1}; /* nothing to move */
  if (operation->outputs[0].elements == 0) return FED_OK;
  FED_TRY(find_ranges(&inputs, operands[1].elements, input, ranges));
  move->rank = 0;
  for (uint32_t i = 0; i < input->rank; i++) {
    const int64_t stride = fed__shape_stride(input, i);
    move->from += ranges[i].start * stride;
    if (ranges[i].count > 1)
      fed__move_dimension(move, ranges[i].count, ranges[i].step * stride,
                          fed__shape_stride(&operation->outputs[0].shape, i));
  }
  return FED_OK;
}

const struct fed__operator fed__op_slice = {
    .type = "Slice",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 5,
    .outputs_max = 1,
    .infer = infer_slice,
    .passes = 1,
    .state_size = sizeof(struct fed__move),
    .prepare = prepare_slice,
    .forward = FED__UNTYPED(fed__move_forward),
    .backward = FED__UNTYPED(fed__move_backward),
    .adds = 1,
};
