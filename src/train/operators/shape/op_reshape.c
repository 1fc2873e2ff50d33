/* SPDX-License-Identifier: Apache-2.0
 *
 * op_reshape.c: operators that only give the same elements another shape: Reshape, Flatten,
 * Squeeze, Unsqueeze, Identity. Their output shares the input's memory, nothing runs; a content
 * that is known beforehand passes through.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

static int infer_view(const struct fed__inference *inference, const struct fed_shape *shape) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  char from[128], to[128];
  size_t elements;
  FED_TRY(fed_shape_elements(shape, &elements));
  if (elements != input->elements)
    return FED_RAISE(FED_E_SHAPE,
                     "%s cannot be reshaped to %s: is the batch size written into the "
                     "model?",
                     fed_shape_format(&input->shape, from, sizeof from),
                     fed_shape_format(shape, to, sizeof to));
  return fed__infer_output(inference, 0, input->dtype, shape, input->content);
}

static int infer_identity(const struct fed__inference *inference) {
  return infer_view(inference, &fed__infer_input(inference, 0)->shape);
}

static int infer_flatten(const struct fed__inference *inference) {
  const struct fed_shape *input = &fed__infer_input(inference, 0)->shape;
  int64_t axis;
  FED_TRY(fed__attribute_int(inference->node, "axis", 1, &axis));
  if (axis < -(int64_t)input->rank || axis > (int64_t)input->rank)
    return FED_RAISE(FED_E_RANGE, "axis %lld of a value with %u dimensions", (long long)axis,
                     input->rank);
  if (axis < 0) axis += input->rank;
  struct fed_shape shape = {.rank = 2};
  shape.dims[0] = fed__shape_extent(input, 0, (uint32_t)axis);
  shape.dims[1] = fed__shape_extent(input, (uint32_t)axis, input->rank);
  return infer_view(inference, &shape);
}

/* Puts the one missing extent in place of -1. */
static int fill_missing(const struct fed__known *input, struct fed_shape *shape, int missing) {
  size_t rest;
  shape->dims[missing] = 1;
  FED_TRY(fed_shape_elements(shape, &rest));
  if (rest == 0 || input->elements % rest)
    return FED_RAISE(FED_E_SHAPE, "%zu elements cannot be split into groups of %zu",
                     input->elements, rest);
  shape->dims[missing] = (int64_t)(input->elements / rest);
  return FED_OK;
}

static int infer_reshape(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const int64_t *wanted;
  size_t count;
  int64_t zero_is_zero;
  int missing = -1;
  FED_TRY(fed__infer_integers(inference, 1, &wanted, &count));
  FED_TRY(fed__attribute_int(inference->node, "allowzero", 0, &zero_is_zero));
  if (count > FED_RANK_MAX) return FED_RAISE(FED_E_SHAPE, "%zu dimensions are too many", count);
  struct fed_shape shape = {.rank = (uint32_t)count};
  for (uint32_t i = 0; i < shape.rank; i++) {
    shape.dims[i] = wanted[i];
    if (wanted[i] == 0 && !zero_is_zero) {
      if (i >= input->shape.rank)
        return FED_RAISE(FED_E_SHAPE, "extent 0 at place %u keeps an extent that is not there", i);
      shape.dims[i] = input->shape.dims[i];
    } else if (wanted[i] == -1) {
      if (missing >= 0) return FED_RAISE(FED_E_SHAPE, "the wanted shape has -1 twice");
      missing = (int)i;
    } else if (wanted[i] < -1) {
      return FED_RAISE(FED_E_RANGE, "the wanted shape has extent %lld", (long long)wanted[i]);
    }
  }
  if (missing >= 0) FED_TRY(fill_missing(input, &shape, missing));
  return infer_view(inference, &shape);
}

/* The axes in input 1 as marks over `rank` dimensions. */
static int read_axes(const struct fed__inference *inference, uint32_t rank, char *marks) {
  const int64_t *axes;
  size_t count;
  FED_TRY(fed__infer_integers(inference, 1, &axes, &count));
  for (size_t i = 0; i < count; i++) {
    uint32_t axis;
    FED_TRY(fed__axis_normalise(axes[i], rank, &axis));
    if (marks[axis]) return FED_RAISE(FED_E_DUPLICATE, "axis %u is given twice", axis);
    marks[axis] = 1;
  }
  return FED_OK;
}

/* Without axes every extent of 1 goes. */
static int infer_squeeze(const struct fed__inference *inference) {
  const struct fed_shape *input = &fed__infer_input(inference, 0)->shape;
  char marks[FED_RANK_MAX] = {0};
  struct fed_shape shape = {0};
  if (fed__infer_input(inference, 1)) {
    FED_TRY(read_axes(inference, input->rank, marks));
  } else {
    for (uint32_t i = 0; i < input->rank; i++) marks[i] = input->dims[i] == 1;
  }
  for (uint32_t i = 0; i < input->rank; i++) {
    if (!marks[i]) shape.dims[shape.rank++] = input->dims[i];
    if (marks[i] && input->dims[i] != 1)
      return FED_RAISE(FED_E_SHAPE, "axis %u has extent %lld and cannot be left out", i,
                       (long long)input->dims[i]);
  }
  return infer_view(inference, &shape);
}

static int infer_unsqueeze(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const int64_t *axes;
  size_t count;
  char marks[FED_RANK_MAX] = {0};
  FED_TRY(fed__infer_integers(inference, 1, &axes, &count));
  if (count > FED_RANK_MAX - input->shape.rank)
    return FED_RAISE(FED_E_SHAPE, "more than %d dimensions", FED_RANK_MAX);
  struct fed_shape shape = {.rank = input->shape.rank + (uint32_t)count};
  FED_TRY(read_axes(inference, shape.rank, marks));
  for (uint32_t i = 0, from = 0; i < shape.rank; i++)
    shape.dims[i] = marks[i] ? 1 : input->shape.dims[from++];
  return infer_view(inference, &shape);
}

#define VIEW_ROW(name, onnx_type, least, most)                                                     \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = least,                                                                         \
      .inputs_max = most,                                                                          \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
      .passes = 1,                                                                                 \
      .view = 1,                                                                                   \
  };

VIEW_ROW(identity, "Identity", 1, 1)
VIEW_ROW(flatten, "Flatten", 1, 1)
VIEW_ROW(reshape, "Reshape", 2, 2)
VIEW_ROW(squeeze, "Squeeze", 1, 2)
VIEW_ROW(unsqueeze, "Unsqueeze", 2, 2)
