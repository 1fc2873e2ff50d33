/* SPDX-License-Identifier: Apache-2.0
 *
 * op_expand.c: Expand and Tile: elements repeated along dimensions. One move whose strides are 0
 * where it repeats; linear in the elements of the output.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

static int infer_expand(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const int64_t *dims;
  size_t count;
  FED_TRY(fed__infer_integers(inference, 1, &dims, &count));
  if (count > FED_RANK_MAX) return FED_RAISE(FED_E_SHAPE, "%zu dimensions are too many", count);
  struct fed_shape wanted = {.rank = (uint32_t)count};
  for (size_t i = 0; i < count; i++) wanted.dims[i] = dims[i];
  struct fed_shape shape;
  FED_TRY(fed__shape_broadcast(&input->shape, &wanted, &shape));
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int prepare_expand(struct fed__operation *operation) {
  const struct fed_shape *input = &operation->inputs[0].shape;
  const struct fed_shape *output = &operation->outputs[0].shape;
  const uint32_t added = output->rank - input->rank;
  for (uint32_t i = 0; i < output->rank; i++) {
    const int repeated = i < added || input->dims[i - added] == 1;
    fed__move_dimension(operation->state, output->dims[i],
                        repeated ? 0 : fed__shape_stride(input, i - added),
                        fed__shape_stride(output, i));
  }
  return FED_OK;
}

static int infer_tile(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed_shape shape = input->shape;
  const int64_t *repeats;
  size_t count;
  FED_TRY(fed__infer_integers(inference, 1, &repeats, &count));
  if (count != shape.rank)
    return FED_RAISE(FED_E_SHAPE, "input 1 has %zu numbers for a value with %u dimensions", count,
                     shape.rank);
  for (uint32_t i = 0; i < shape.rank; i++)
    if (repeats[i] < 0 || __builtin_mul_overflow(shape.dims[i], repeats[i], &shape.dims[i]))
      return FED_RAISE(FED_E_RANGE, "dimension %u cannot be repeated %lld times", i,
                       (long long)repeats[i]);
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int prepare_tile(struct fed__operation *operation) {
  const struct fed_shape *input = &operation->inputs[0].shape;
  const struct fed_shape *output = &operation->outputs[0].shape;
  struct fed__move *move = operation->state;
  *move = (struct fed__move){.rank = 1}; /* nothing to move */
  if (operation->outputs[0].elements == 0) return FED_OK;
  move->rank = 0;
  for (uint32_t i = 0; i < output->rank; i++) {
    const int64_t stride = fed__shape_stride(output, i);
    fed__move_dimension(move, output->dims[i] / input->dims[i], 0, stride * input->dims[i]);
    fed__move_dimension(move, input->dims[i], fed__shape_stride(input, i), stride);
  }
  return FED_OK;
}

#define REPEAT_ROW(name, onnx_type)                                                                \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 2,                                                                             \
      .inputs_max = 2,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
      .passes = 1,                                                                                 \
      .state_size = sizeof(struct fed__move),                                                      \
      .prepare = prepare_##name,                                                                   \
      .forward = FED__UNTYPED(fed__move_forward),                                                  \
      .backward = FED__UNTYPED(fed__move_backward),                                                \
      .adds = 1,                                                                                   \
  };

REPEAT_ROW(expand, "Expand")
REPEAT_ROW(tile, "Tile")
