/* SPDX-License-Identifier: Apache-2.0
 *
 * op_transpose.c: Transpose, DepthToSpace and SpaceToDepth: all elements in another order. One
 * move; linear in the elements.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

/* axes[i]: the input's dimension that becomes the output's dimension i. */
static int read_permutation(const struct fed__node *node, uint32_t rank, int64_t *axes) {
  size_t count;
  uint32_t seen = 0;
  FED_TRY(fed__attribute_ints(node, "perm", axes, FED_RANK_MAX, &count));
  for (uint32_t i = 0; i < rank && count == 0; i++) axes[i] = rank - 1 - i;
  if (count && count != rank)
    return FED_RAISE(FED_E_SHAPE, "perm has %zu entries for a value with %u dimensions", count,
                     rank);
  for (uint32_t i = 0; i < rank; i++) {
    if (axes[i] < 0 || axes[i] >= (int64_t)rank || (seen >> axes[i] & 1))
      return FED_RAISE(FED_E_RANGE, "perm is no permutation of 0 to %u: place %u has %lld",
                       rank - 1, i, (long long)axes[i]);
    seen |= 1U << axes[i];
  }
  return FED_OK;
}

static int infer_transpose(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  int64_t axes[FED_RANK_MAX];
  struct fed_shape shape = {.rank = input->shape.rank};
  FED_TRY(read_permutation(inference->node, shape.rank, axes));
  for (uint32_t i = 0; i < shape.rank; i++) shape.dims[i] = input->shape.dims[axes[i]];
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int prepare_transpose(struct fed__operation *operation) {
  const struct fed_shape *input = &operation->inputs[0].shape;
  const struct fed_shape *output = &operation->outputs[0].shape;
  int64_t axes[FED_RANK_MAX];
  FED_TRY(read_permutation(operation->node, input->rank, axes));
  for (uint32_t i = 0; i < input->rank; i++)
    fed__move_dimension(operation->state, output->dims[i],
                        fed__shape_stride(input, (uint32_t)axes[i]), fed__shape_stride(output, i));
  return FED_OK;
}

/* Between [batch, channels * block * block, height, width] and [batch, channels, height * block,
 * width * block]. The deep side's second dimension is [row, column, channel] within the block, or
 * channel first in mode CRD. */
static int read_blocks(const struct fed__node *node, const struct fed_shape *shape, int64_t *block,
                       int *channel_first) {
  static const char *const modes[] = {"DCR", "CRD", NULL};
  size_t mode;
  FED_TRY(fed__attribute_choice(node, "mode", modes, &mode));
  *channel_first = mode == 1;
  FED_TRY(fed__attribute_int(node, "blocksize", 0, block));
  if (shape->rank != 4)
    return FED_RAISE(FED_E_SHAPE, "input 0 should have 4 dimensions, but has %u", shape->rank);
  if (*block < 1 || *block > INT32_MAX)
    return FED_RAISE(FED_E_RANGE, "blocksize is %lld", (long long)*block);
  return FED_OK;
}

static int infer_depth_to_space(const struct fed__inference *inference) {
  struct fed_shape shape = fed__infer_input(inference, 0)->shape;
  int64_t block;
  int channel_first;
  FED_TRY(read_blocks(inference->node, &shape, &block, &channel_first));
  if (shape.dims[1] % (block * block))
    return FED_RAISE(FED_E_SHAPE, "%lld channels cannot be divided into blocks of %lld by %lld",
                     (long long)shape.dims[1], (long long)block, (long long)block);
  shape.dims[1] /= block * block;
  for (int i = 2; i < 4; i++)
    if (__builtin_mul_overflow(shape.dims[i], block, &shape.dims[i]))
      return FED_RAISE(FED_E_TOO_LARGE, "blocks of %lld are too large", (long long)block);
  return fed__infer_output(inference, 0, fed__infer_input(inference, 0)->dtype, &shape, NULL);
}

static int infer_space_to_depth(const struct fed__inference *inference) {
  struct fed_shape shape = fed__infer_input(inference, 0)->shape;
  int64_t block;
  int channel_first;
  FED_TRY(read_blocks(inference->node, &shape, &block, &channel_first));
  for (int i = 2; i < 4; i++) {
    if (shape.dims[i] % block)
      return FED_RAISE(FED_E_SHAPE, "extent %lld cannot be divided into blocks of %lld",
                       (long long)shape.dims[i], (long long)block);
    shape.dims[i] /= block;
  }
  if (__builtin_mul_overflow(shape.dims[1], block * block, &shape.dims[1]))
    return FED_RAISE(FED_E_TOO_LARGE, "blocks of %lld are too large", (long long)block);
  return fed__infer_output(inference, 0, fed__infer_input(inference, 0)->dtype, &shape, NULL);
}

/* The move from the deep to the wide side, in the order of the wide one. */
static struct fed__move spread(const struct fed_shape *deep, int64_t block, int channel_first) {
  const int64_t channels = deep->dims[1] / (block * block), height = deep->dims[2],
                width = deep->dims[3], plane = height * width;
  const int64_t channel = channel_first ? block * block * plane : plane;
  const int64_t column = channel_first ? plane : channels * plane;
  const int64_t line = block * width * block, image = height * line; /* of the wide side */
  struct fed__move move = {0};
  fed__move_dimension(&move, deep->dims[0], deep->dims[1] * plane, channels * image);
  fed__move_dimension(&move, channels, channel, image);
  fed__move_dimension(&move, height, width, line);
  fed__move_dimension(&move, block, column * block, width * block);
  fed__move_dimension(&move, width, 1, block);
  fed__move_dimension(&move, block, column, 1);
  return move;
}

static int prepare_blocks(struct fed__operation *operation, const struct fed_shape *deep,
                          struct fed__move *move) {
  int64_t block;
  int channel_first;
  *move = (struct fed__move){.rank = 1}; /* nothing to move */
  if (operation->inputs[0].elements == 0) return FED_OK;
  FED_TRY(read_blocks(operation->node, deep, &block, &channel_first));
  *move = spread(deep, block, channel_first);
  return FED_OK;
}

static int prepare_depth_to_space(struct fed__operation *operation) {
  return prepare_blocks(operation, &operation->inputs[0].shape, operation->state);
}

static int prepare_space_to_depth(struct fed__operation *operation) {
  struct fed__move *move = operation->state;
  FED_TRY(prepare_blocks(operation, &operation->outputs[0].shape, move));
  *move = fed__move_reversed(move);
  return FED_OK;
}

#define MOVE_ROW(name, onnx_type)                                                                  \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
      .passes = 1,                                                                                 \
      .state_size = sizeof(struct fed__move),                                                      \
      .prepare = prepare_##name,                                                                   \
      .forward = FED__UNTYPED(fed__move_forward),                                                  \
      .backward = FED__UNTYPED(fed__move_backward),                                                \
      .adds = 1,                                                                                   \
  };

MOVE_ROW(transpose, "Transpose")
MOVE_ROW(depth_to_space, "DepthToSpace")
MOVE_ROW(space_to_depth, "SpaceToDepth")
