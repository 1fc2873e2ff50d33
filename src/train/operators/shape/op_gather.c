/* SPDX-License-Identifier: Apache-2.0
 *
 * op_gather.c: Gather, GatherElements, GatherND and Compress: reading at places that integers
 * tell, such as rows of a table of embeddings. The gradient of the data adds up where a place was
 * read several times. Linear in the elements of the output, backward also in those of the data.
 */
#include "base/raise.h"
#include "train/operators/shape/places.h"

struct gather_state {
  uint32_t axis; /* or the number of batch dimensions */
  int64_t count, block;
};

static int read_axis(const struct fed__node *node, const char *name, uint32_t rank,
                     uint32_t *axis) {
  int64_t value;
  FED_TRY(fed__attribute_int(node, name, 0, &value));
  return fed__axis_normalise(value, rank, axis);
}

static void add_dimensions(struct fed_shape *shape, const struct fed_shape *from, uint32_t first,
                           uint32_t last) {
  for (uint32_t i = first; i < last; i++) shape->dims[shape->rank++] = from->dims[i];
}

static int check_rank(int64_t rank) {
  if (rank > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "the output would have %lld dimensions, at most %d are supported",
                     (long long)rank, FED_RANK_MAX);
  return FED_OK;
}

static int infer_gather(const struct fed__inference *inference) {
  const struct fed__known *data = fed__infer_input(inference, 0);
  const struct fed__known *indices = fed__infer_input(inference, 1);
  struct fed_shape shape = {0};
  uint32_t axis;
  FED_TRY(read_axis(inference->node, "axis", data->shape.rank, &axis));
  FED_TRY(fed__infer_indices(inference, 1, data->shape.dims[axis]));
  FED_TRY(check_rank((int64_t)data->shape.rank + indices->shape.rank - 1));
  add_dimensions(&shape, &data->shape, 0, axis);
  add_dimensions(&shape, &indices->shape, 0, indices->shape.rank);
  add_dimensions(&shape, &data->shape, axis + 1, data->shape.rank);
  return fed__infer_output(inference, 0, data->dtype, &shape, NULL);
}

static int infer_gather_elements(const struct fed__inference *inference) {
  uint32_t axis;
  FED_TRY(fed__infer_elements(inference, &axis));
  return fed__infer_output(inference, 0, fed__infer_input(inference, 0)->dtype,
                           &fed__infer_input(inference, 1)->shape, NULL);
}

static int read_batch_dims(const struct fed__inference *inference, uint32_t *batch_dims) {
  const struct fed_shape *data = &fed__infer_input(inference, 0)->shape;
  const struct fed_shape *indices = &fed__infer_input(inference, 1)->shape;
  int64_t value;
  FED_TRY(fed__attribute_int(inference->node, "batch_dims", 0, &value));
  if (indices->rank == 0 || value < 0 || value >= data->rank || value >= indices->rank)
    return FED_RAISE(FED_E_RANGE, "batch_dims %lld of data and indices of %u and %u dimensions",
                     (long long)value, data->rank, indices->rank);
  *batch_dims = (uint32_t)value;
  for (uint32_t i = 0; i < *batch_dims; i++)
    if (data->dims[i] != indices->dims[i])
      return FED_RAISE(FED_E_SHAPE, "batch dimension %u is %lld in the data, %lld in the indices",
                       i, (long long)data->dims[i], (long long)indices->dims[i]);
  return FED_OK;
}

static int infer_gather_nd(const struct fed__inference *inference) {
  const struct fed__known *data = fed__infer_input(inference, 0);
  const struct fed__known *indices = fed__infer_input(inference, 1);
  struct fed_shape shape = {0};
  uint32_t batch_dims = 0;
  FED_TRY(read_batch_dims(inference, &batch_dims));
  FED_TRY(fed__infer_rows(inference, batch_dims));
  const uint32_t depth = (uint32_t)indices->shape.dims[indices->shape.rank - 1];
  FED_TRY(check_rank((int64_t)indices->shape.rank - 1 + data->shape.rank - batch_dims - depth));
  add_dimensions(&shape, &indices->shape, 0, indices->shape.rank - 1);
  add_dimensions(&shape, &data->shape, batch_dims + depth, data->shape.rank);
  return fed__infer_output(inference, 0, data->dtype, &shape, NULL);
}

/* Which elements along the axis stay; without an axis, those of the flattened value. */
static int infer_compress(const struct fed__inference *inference) {
  const struct fed__known *data = fed__infer_input(inference, 0);
  const struct fed__known *condition = fed__infer_input(inference, 1);
  struct fed_shape shape = data->shape;
  uint32_t axis = 0;
  if (fed__attribute_find(inference->node, "axis"))
    FED_TRY(read_axis(inference->node, "axis", shape.rank, &axis));
  else
    shape = (struct fed_shape){1, {(int64_t)data->elements}};
  if (condition->dtype != FED_BOOL || condition->shape.rank != 1)
    return FED_RAISE(FED_E_TYPE, "input 1 should be a list of bool");
  const uint8_t *stays = condition->content;
  if (!stays)
    return FED_RAISE(FED_E_UNSUPPORTED, "input 1 must be a constant, not depend on the examples");
  int64_t count = 0;
  for (size_t i = 0; i < condition->elements; i++) {
    if (stays[i] && (int64_t)i >= shape.dims[axis])
      return FED_RAISE(FED_E_RANGE, "element %zu of an extent of %lld cannot stay", i,
                       (long long)shape.dims[axis]);
    count += stays[i] != 0;
  }
  shape.dims[axis] = count;
  return fed__infer_output(inference, 0, data->dtype, &shape, NULL);
}

static int set_places(struct fed__operation *operation, int64_t count, int64_t block) {
  struct gather_state *state = operation->state;
  const int empty = operation->outputs[0].elements == 0;
  state->count = empty ? 0 : count;
  state->block = block;
  operation->saved_bytes = (size_t)state->count * sizeof(int64_t);
  return FED_OK;
}

static int prepare_gather(struct fed__operation *operation) {
  struct gather_state *state = operation->state;
  const struct fed_shape *data = &operation->inputs[0].shape;
  FED_TRY(read_axis(operation->node, "axis", data->rank, &state->axis));
  return set_places(
      operation, fed__shape_extent(data, 0, state->axis) * (int64_t)operation->inputs[1].elements,
      fed__shape_stride(data, state->axis));
}

static int prepare_gather_elements(struct fed__operation *operation) {
  struct gather_state *state = operation->state;
  FED_TRY(read_axis(operation->node, "axis", operation->inputs[0].shape.rank, &state->axis));
  return set_places(operation, (int64_t)operation->inputs[1].elements, 1);
}

static int prepare_gather_nd(struct fed__operation *operation) {
  struct gather_state *state = operation->state;
  const struct fed_shape *data = &operation->inputs[0].shape;
  const struct fed_shape *indices = &operation->inputs[1].shape;
  const uint32_t last = indices->rank - 1;
  FED_TRY(read_axis(operation->node, "batch_dims", data->rank, &state->axis));
  return set_places(
      operation, fed__shape_extent(indices, 0, last),
      fed__shape_extent(data, state->axis + (uint32_t)indices->dims[last], data->rank));
}

static int prepare_compress(struct fed__operation *operation) {
  struct gather_state *state = operation->state;
  const struct fed__operand *data = &operation->inputs[0], *output = &operation->outputs[0];
  const int flat = !fed__attribute_find(operation->node, "axis");
  if (!flat) FED_TRY(read_axis(operation->node, "axis", data->shape.rank, &state->axis));
  const int64_t block = flat ? 1 : fed__shape_stride(&data->shape, state->axis);
  return set_places(operation, block ? (int64_t)output->elements / block : 0, block);
}

static void find_gather(const struct fed__operation *operation, int64_t *places) {
  const struct gather_state *state = operation->state;
  const struct fed__operand *indices = &operation->inputs[1];
  const struct fed_shape *data = &operation->inputs[0].shape;
  const int64_t extent = data->dims[state->axis], outer = fed__shape_extent(data, 0, state->axis);
  const int64_t *values = indices->data;
  for (int64_t i = 0; i < outer; i++)
    for (size_t j = 0; j < indices->elements; j++) {
      const int64_t place = fed__place_of(values[j], extent, state->block);
      *places++ = place == FED__NONE ? FED__NONE : i * extent * state->block + place;
    }
}

static void find_gather_elements(const struct fed__operation *operation, int64_t *places) {
  const struct gather_state *state = operation->state;
  fed__places_elements(&operation->inputs[0].shape, state->axis, &operation->inputs[1], places);
}

static void find_gather_nd(const struct fed__operation *operation, int64_t *places) {
  const struct gather_state *state = operation->state;
  fed__places_rows(&operation->inputs[0].shape, state->axis, &operation->inputs[1], places);
}

static void find_compress(const struct fed__operation *operation, int64_t *places) {
  const struct gather_state *state = operation->state;
  const struct fed__operand *data = &operation->inputs[0], *condition = &operation->inputs[1];
  const int flat = !fed__attribute_find(operation->node, "axis");
  const int64_t extent = flat ? (int64_t)data->elements : data->shape.dims[state->axis];
  const int64_t outer = (int64_t)data->elements / (extent * state->block);
  const uint8_t *stays = condition->data;
  for (int64_t i = 0; i < outer; i++)
    for (size_t j = 0; j < condition->elements; j++)
      if (stays[j]) *places++ = (i * extent + (int64_t)j) * state->block;
}

static struct fed__places places_of(const struct fed__operation *operation) {
  const struct gather_state *state = operation->state;
  return (struct fed__places){state->count, state->block, operation->saved};
}

static void gather_backward(const struct fed__operation *operation) {
  const struct fed__places places = places_of(operation);
  fed__places_read_backward(operation, &places);
}

/* Tables of embeddings train; lists of numbers are constants of a formula. */
static int trains_table(uint32_t slot, const struct fed_shape *shape) {
  return slot == 0 && (!shape || shape->rank >= 2);
}

#define GATHER_ROW(name, onnx_type, trains_rule)                                                   \
  static void name##_forward(const struct fed__operation *operation) {                             \
    const struct fed__places places = places_of(operation);                                        \
    if (places.count) find_##name(operation, operation->saved);                                    \
    fed__places_read(operation, &places);                                                          \
  }                                                                                                \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 2,                                                                             \
      .inputs_max = 2,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
      .trains = trains_rule,                                                                       \
      .passes = 1,                                                                                 \
      .state_size = sizeof(struct gather_state),                                                   \
      .prepare = prepare_##name,                                                                   \
      .forward = FED__UNTYPED(name##_forward),                                                     \
      .backward = FED__UNTYPED(gather_backward),                                                   \
  };

GATHER_ROW(gather, "Gather", trains_table)
GATHER_ROW(gather_elements, "GatherElements", NULL)
GATHER_ROW(gather_nd, "GatherND", NULL)
GATHER_ROW(compress, "Compress", NULL)
