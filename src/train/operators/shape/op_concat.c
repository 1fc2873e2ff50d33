/* SPDX-License-Identifier: Apache-2.0
 *
 * op_concat.c: Concat and Split along an axis, each the other's gradient. Rows are copied whole;
 * linear in the elements.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

struct concat_state {
  uint32_t axis;
};

static int read_axis(const struct fed__node *node, uint32_t rank, int64_t absent, uint32_t *axis) {
  int64_t value;
  FED_TRY(fed__attribute_int(node, "axis", absent, &value));
  return fed__axis_normalise(value, rank, axis);
}

/* The input must look like the first one besides the axis, and adds to its extent there. */
static int join_shape(const struct fed__known *input, uint32_t slot, uint32_t axis,
                      const struct fed__known *first, struct fed_shape *shape) {
  char expected[128], found[128];
  struct fed_shape same = input->shape;
  if (same.rank > axis) same.dims[axis] = first->shape.dims[axis];
  if (!fed_shape_equal(&same, &first->shape))
    return FED_RAISE(FED_E_SHAPE, "input %u of shape %s cannot follow one of shape %s on axis %u",
                     slot, fed_shape_format(&input->shape, found, sizeof found),
                     fed_shape_format(&first->shape, expected, sizeof expected), axis);
  if (input->dtype != first->dtype)
    return FED_RAISE(FED_E_TYPE, "input %u is %s, but input 0 is %s", slot,
                     fed_dtype_name(input->dtype), fed_dtype_name(first->dtype));
  if (__builtin_add_overflow(shape->dims[axis], input->shape.dims[axis], &shape->dims[axis]))
    return FED_RAISE(FED_E_TOO_LARGE, "the extents along axis %u overflow", axis);
  return FED_OK;
}

static int infer_concat(const struct fed__inference *inference) {
  const struct fed__known *first = fed__infer_input(inference, 0);
  struct fed_shape shape = first->shape;
  uint32_t axis;
  if (!fed__attribute_find(inference->node, "axis"))
    return FED_RAISE(FED_E_MISSING, "attribute 'axis' is missing");
  FED_TRY(read_axis(inference->node, shape.rank, 0, &axis));
  shape.dims[axis] = 0;
  for (uint32_t i = 0; i < inference->node->input_count; i++) {
    const struct fed__known *input = fed__infer_input(inference, i);
    if (!input) return FED_RAISE(FED_E_MISSING, "input %u is left out", i);
    FED_TRY(join_shape(input, i, axis, first, &shape));
  }
  return fed__infer_output(inference, 0, first->dtype, &shape, NULL);
}

static int prepare_concat(struct fed__operation *operation) {
  struct concat_state *state = operation->state;
  return read_axis(operation->node, operation->inputs[0].shape.rank, 0, &state->axis);
}

/* The whole's rows, of `whole` bytes, each hold `part` bytes of a part from byte `at` on. */
struct rows {
  int64_t count, whole, part, at;
};

static struct rows rows_of(const struct fed__operation *operation,
                           const struct fed__operand *whole) {
  const struct concat_state *state = operation->state;
  const int64_t unit = (int64_t)fed__operand_unit(operation, whole);
  return (struct rows){.count = fed__shape_extent(&whole->shape, 0, state->axis),
                       .whole =
                           fed__shape_extent(&whole->shape, state->axis, whole->shape.rank) * unit};
}

/* Bytes that `extent` along the axis take in a row. */
static int64_t bytes_along(const struct fed__operation *operation, const struct fed__operand *whole,
                           int64_t extent) {
  const struct concat_state *state = operation->state;
  return extent * fed__shape_stride(&whole->shape, state->axis) *
         (int64_t)fed__operand_unit(operation, whole);
}

static void join(const struct rows *rows, const void *part, char *whole) {
  for (int64_t i = 0; i < rows->count; i++)
    memcpy(whole + i * rows->whole + rows->at, (const char *)part + i * rows->part,
           (size_t)rows->part);
}

static void separate(const struct rows *rows, const char *whole, void *part) {
  for (int64_t i = 0; i < rows->count; i++)
    memcpy((char *)part + i * rows->part, whole + i * rows->whole + rows->at, (size_t)rows->part);
}

static void clear(const struct rows *rows, char *whole) {
  for (int64_t i = 0; i < rows->count; i++)
    memset(whole + i * rows->whole + rows->at, 0, (size_t)rows->part);
}

static void concat_forward(const struct fed__operation *operation) {
  const struct concat_state *state = operation->state;
  const struct fed__operand *whole = &operation->outputs[0];
  struct rows rows = rows_of(operation, whole);
  for (uint32_t i = 0; i < operation->input_count && whole->elements; i++, rows.at += rows.part) {
    const struct fed__operand *input = &operation->inputs[i];
    rows.part = bytes_along(operation, whole, input->shape.dims[state->axis]);
    if (rows.part) join(&rows, input->data, whole->data);
  }
}

static void concat_backward(const struct fed__operation *operation) {
  const struct concat_state *state = operation->state;
  const struct fed__operand *whole = &operation->outputs[0];
  struct rows rows = rows_of(operation, whole);
  for (uint32_t i = 0; i < operation->input_count; i++, rows.at += rows.part) {
    const struct fed__operand *input = &operation->inputs[i];
    rows.part = bytes_along(operation, whole, input->shape.dims[state->axis]);
    if (input->gradient) separate(&rows, whole->gradient, input->gradient);
  }
}

const struct fed__operator fed__op_concat = {
    .type = "Concat",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = FED__NODES_MAX,
    .outputs_max = 1,
    .infer = infer_concat,
    .passes = UINT32_MAX,
    .state_size = sizeof(struct concat_state),
    .prepare = prepare_concat,
    .forward = FED__UNTYPED(concat_forward),
    .backward = FED__UNTYPED(concat_backward),
};

struct split_state {
  struct concat_state along; /* first: the rows are found as for Concat */
  int64_t chunk;             /* the extent of every output but the last … */
  const int64_t *extents;    /* … or, if not NULL, each one's */
};

/* As many chunks as outputs; from opset 18 on, with num_outputs, the last may be smaller. */
static int read_chunk(const struct fed__node *node, int64_t extent, int64_t *chunk) {
  const int64_t count = node->output_count;
  int64_t wanted;
  FED_TRY(fed__attribute_int(node, "num_outputs", count, &wanted));
  if (wanted != count)
    return FED_RAISE(FED_E_SHAPE, "num_outputs is %lld, but there are %lld outputs",
                     (long long)wanted, (long long)count);
  *chunk = extent / count + (extent % count != 0);
  if (*chunk * (count - 1) > extent ||
      (extent % count && !fed__attribute_find(node, "num_outputs")))
    return FED_RAISE(FED_E_SHAPE, "an extent of %lld cannot be split into %lld equal parts",
                     (long long)extent, (long long)count);
  return FED_OK;
}

static int check_extents(const struct fed__node *node, const int64_t *extents, size_t count,
                         int64_t whole) {
  int64_t rest = whole;
  if (count != node->output_count)
    return FED_RAISE(FED_E_SHAPE, "input 1 has %zu extents for %u outputs", count,
                     node->output_count);
  for (size_t i = 0; i < count; i++) {
    if (extents[i] < 0 || extents[i] > rest)
      return FED_RAISE(FED_E_SHAPE, "part %zu has extent %lld where %lld of %lld are left", i,
                       (long long)extents[i], (long long)rest, (long long)whole);
    rest -= extents[i];
  }
  if (rest)
    return FED_RAISE(FED_E_SHAPE, "the parts leave %lld of %lld over", (long long)rest,
                     (long long)whole);
  return FED_OK;
}

static int64_t part_extent(const struct split_state *state, uint32_t part, uint32_t count,
                           int64_t whole) {
  if (state->extents) return state->extents[part];
  return part + 1 < count ? state->chunk : whole - state->chunk * (int64_t)(count - 1);
}

static int infer_split(const struct fed__inference *inference) {
  const struct fed__node *node = inference->node;
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed_shape shape = input->shape;
  struct split_state state = {0};
  size_t count;
  FED_TRY(read_axis(node, shape.rank, 0, &state.along.axis));
  const int64_t whole = shape.dims[state.along.axis];
  if (fed__infer_input(inference, 1)) {
    FED_TRY(fed__infer_integers(inference, 1, &state.extents, &count));
    FED_TRY(check_extents(node, state.extents, count, whole));
  } else {
    FED_TRY(read_chunk(node, whole, &state.chunk));
  }
  for (uint32_t i = 0; i < node->output_count; i++) {
    shape.dims[state.along.axis] = part_extent(&state, i, node->output_count, whole);
    FED_TRY(fed__infer_output(inference, i, input->dtype, &shape, NULL));
  }
  return FED_OK;
}

static int prepare_split(struct fed__operation *operation) {
  struct split_state *state = operation->state;
  const struct fed_shape *input = &operation->inputs[0].shape;
  FED_TRY(read_axis(operation->node, input->rank, 0, &state->along.axis));
  if (!fed__operand_absent(operation, 1)) {
    state->extents = operation->inputs[1].data;
    return FED_OK;
  }
  return read_chunk(operation->node, input->dims[state->along.axis], &state->chunk);
}

static int64_t part_bytes(const struct fed__operation *operation, uint32_t part) {
  const struct split_state *state = operation->state;
  const struct fed__operand *whole = &operation->inputs[0];
  return bytes_along(
      operation, whole,
      part_extent(state, part, operation->output_count, whole->shape.dims[state->along.axis]));
}

static void split_forward(const struct fed__operation *operation) {
  const struct fed__operand *whole = &operation->inputs[0];
  struct rows rows = rows_of(operation, whole);
  for (uint32_t i = 0; i < operation->output_count && whole->elements; i++, rows.at += rows.part) {
    rows.part = part_bytes(operation, i);
    if (operation->outputs[i].data) separate(&rows, whole->data, operation->outputs[i].data);
  }
}

static void split_backward(const struct fed__operation *operation) {
  const struct fed__operand *whole = &operation->inputs[0];
  struct rows rows = rows_of(operation, whole);
  for (uint32_t i = 0; i < operation->output_count; i++, rows.at += rows.part) {
    rows.part = part_bytes(operation, i);
    if (operation->outputs[i].gradient)
      join(&rows, operation->outputs[i].gradient, whole->gradient);
    else
      clear(&rows, whole->gradient);
  }
}

const struct fed__operator fed__op_split = {
    .type = "Split",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_max = FED__NODES_MAX,
    .infer = infer_split,
    .passes = 1,
    .state_size = sizeof(struct split_state),
    .prepare = prepare_split,
    .forward = FED__UNTYPED(split_forward),
    .backward = FED__UNTYPED(split_backward),
};
