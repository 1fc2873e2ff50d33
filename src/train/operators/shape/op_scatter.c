/* SPDX-License-Identifier: Apache-2.0
 *
 * op_scatter.c: ScatterElements and ScatterND: a copy of the data with updates at places that
 * integers tell. Where several updates meet without a reduction the last one stays, and gets the
 * gradient. Linear in the elements of data and updates.
 */
#include "base/raise.h"
#include "train/operators/shape/places.h"

enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN };

struct scatter_state {
  enum reduction reduction;
  uint32_t axis;
  int64_t count, block;
};

static int read_reduction(const struct fed__node *node, enum reduction *reduction) {
  static const char *const reductions[] = {"none", "add", "mul", "max", "min", NULL};
  size_t choice;
  FED_TRY(fed__attribute_choice(node, "reduction", reductions, &choice));
  *reduction = (enum reduction)choice;
  return FED_OK;
}

static int infer_scatter(const struct fed__inference *inference,
                         const struct fed_shape *updates_expected) {
  const struct fed__known *data = fed__infer_input(inference, 0);
  const struct fed__known *updates = fed__infer_input(inference, 2);
  char expected[128], found[128];
  enum reduction reduction;
  FED_TRY(read_reduction(inference->node, &reduction));
  if (!fed_shape_equal(&updates->shape, updates_expected))
    return FED_RAISE(FED_E_SHAPE, "the updates should have shape %s, but have %s",
                     fed_shape_format(updates_expected, expected, sizeof expected),
                     fed_shape_format(&updates->shape, found, sizeof found));
  if (updates->dtype != data->dtype)
    return FED_RAISE(FED_E_TYPE, "data of %s cannot take updates of %s",
                     fed_dtype_name(data->dtype), fed_dtype_name(updates->dtype));
  if (data->dtype == FED_BOOL && reduction != REDUCE_NONE)
    return FED_RAISE(FED_E_TYPE, "truth values can only be replaced (reduction none)");
  return fed__infer_output(inference, 0, data->dtype, &data->shape, NULL);
}

static int infer_scatter_elements(const struct fed__inference *inference) {
  uint32_t axis;
  FED_TRY(fed__infer_elements(inference, &axis));
  return infer_scatter(inference, &fed__infer_input(inference, 1)->shape);
}

static int infer_scatter_nd(const struct fed__inference *inference) {
  const struct fed_shape *data = &fed__infer_input(inference, 0)->shape;
  const struct fed_shape *indices = &fed__infer_input(inference, 1)->shape;
  FED_TRY(fed__infer_rows(inference, 0));
  const uint32_t last = indices->rank - 1, depth = (uint32_t)indices->dims[last];
  struct fed_shape expected = *indices;
  expected.rank = last;
  if (last + data->rank - depth > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "the updates would need more than %d dimensions", FED_RANK_MAX);
  for (uint32_t i = depth; i < data->rank; i++) expected.dims[expected.rank++] = data->dims[i];
  for (uint32_t i = expected.rank; i < FED_RANK_MAX; i++) expected.dims[i] = 0;
  return infer_scatter(inference, &expected);
}

/* Places for the way back; room for the gradient of the data if nobody else needs it. */
static int prepare_scatter(struct fed__operation *operation, int64_t count, int64_t block) {
  struct scatter_state *state = operation->state;
  FED_TRY(read_reduction(operation->node, &state->reduction));
  const int trains = operation->inputs[0].wants_gradient || operation->inputs[2].wants_gradient;
  if (trains && state->reduction > REDUCE_ADD)
    return FED_RAISE(FED_E_UNSUPPORTED, "only reductions 'none' and 'add' have a gradient here");
  state->count = operation->inputs[2].elements ? count : 0;
  state->block = block;
  operation->saved_bytes = (size_t)state->count * sizeof(int64_t);
  if (trains && state->reduction == REDUCE_NONE && !operation->inputs[0].wants_gradient)
    operation->scratch_bytes =
        operation->inputs[0].elements * fed__operand_unit(operation, &operation->inputs[0]);
  return FED_OK;
}

static int prepare_scatter_elements(struct fed__operation *operation) {
  struct scatter_state *state = operation->state;
  int64_t axis;
  FED_TRY(fed__attribute_int(operation->node, "axis", 0, &axis));
  FED_TRY(fed__axis_normalise(axis, operation->inputs[0].shape.rank, &state->axis));
  return prepare_scatter(operation, (int64_t)operation->inputs[1].elements, 1);
}

static int prepare_scatter_nd(struct fed__operation *operation) {
  const struct fed_shape *data = &operation->inputs[0].shape;
  const struct fed_shape *indices = &operation->inputs[1].shape;
  const uint32_t last = indices->rank - 1;
  return prepare_scatter(operation, fed__shape_extent(indices, 0, last),
                         fed__shape_extent(data, (uint32_t)indices->dims[last], data->rank));
}

/* Returns whether all places are in range. */
static int find_places(const struct fed__operation *operation, int by_rows) {
  const struct scatter_state *state = operation->state;
  int64_t *places = operation->saved;
  if (state->count == 0) return 1;
  if (by_rows)
    fed__places_rows(&operation->inputs[0].shape, 0, &operation->inputs[1], places);
  else
    fed__places_elements(&operation->inputs[0].shape, state->axis, &operation->inputs[1], places);
  for (int64_t i = 0; i < state->count; i++)
    if (places[i] == FED__NONE) return 0;
  return 1;
}

#define SCATTER_LOOP(type, combine)                                                                \
  for (int64_t i = 0; i < places->count; i++, from += places->block) {                             \
    type *at = to + places->places[i];                                                             \
    for (int64_t j = 0; j < places->block; j++) at[j] = (combine);                                 \
  }                                                                                                \
  break

#define SCATTER(type, suffix, with)                                                                \
  static void scatter_##suffix(enum reduction reduction, const struct fed__places *places,         \
                               const type *from, type *to) {                                       \
    switch (reduction) {                                                                           \
    case REDUCE_NONE:                                                                              \
      SCATTER_LOOP(type, from[j]);                                                                 \
    case REDUCE_ADD:                                                                               \
      SCATTER_LOOP(type, with(at[j], +, from[j]));                                                 \
    case REDUCE_MUL:                                                                               \
      SCATTER_LOOP(type, with(at[j], *, from[j]));                                                 \
    case REDUCE_MAX:                                                                               \
      SCATTER_LOOP(type, from[j] > at[j] || from[j] != from[j] ? from[j] : at[j]);                 \
    case REDUCE_MIN:                                                                               \
      SCATTER_LOOP(type, from[j] < at[j] || from[j] != from[j] ? from[j] : at[j]);                 \
    }                                                                                              \
  }

#define PLAIN(a, operation, b) (a operation b)
#define WRAPPED(a, operation, b) (int64_t)((uint64_t)(a)operation(uint64_t)(b))

SCATTER(float, f32, PLAIN)
SCATTER(double, f64, PLAIN)
SCATTER(int64_t, i64, WRAPPED)

static void replace_bytes(const struct fed__places *places, const uint8_t *from, uint8_t *to) {
  for (int64_t i = 0; i < places->count; i++, from += places->block)
    memcpy(to + places->places[i], from, (size_t)places->block);
}

static void scatter(const struct fed__operation *operation, int in_range) {
  const struct scatter_state *state = operation->state;
  const struct fed__operand *output = &operation->outputs[0];
  const void *data = operation->inputs[0].data, *updates = operation->inputs[2].data;
  const struct fed__places places = {state->count, state->block, operation->saved};
  if (output->elements)
    memcpy(output->data, data, output->elements * fed__operand_unit(operation, output));
  if (!in_range)
    fed__places_spoil(operation);
  else if (output->dtype == FED_BOOL)
    replace_bytes(&places, updates, output->data);
  else if (output->dtype == FED_I64)
    scatter_i64(state->reduction, &places, updates, output->data);
  else if (operation->kernels->precision == FED_PRECISION_F64)
    scatter_f64(state->reduction, &places, updates, output->data);
  else
    scatter_f32(state->reduction, &places, updates, output->data);
}

static void scatter_elements_forward(const struct fed__operation *operation) {
  scatter(operation, find_places(operation, 0));
}

static void scatter_nd_forward(const struct fed__operation *operation) {
  scatter(operation, find_places(operation, 1));
}

/* The gradient of what went to each place; taken from there, if it went nowhere else. */
static void collect(const struct fed__places *places, size_t unit, int take, char *from,
                    char *updates) {
  const int64_t bytes = places->block * (int64_t)unit;
  for (int64_t i = places->count; i-- > 0;) {
    if (places->places[i] == FED__NONE) {
      memset(updates + i * bytes, 0, (size_t)bytes);
      continue;
    }
    char *at = from + places->places[i] * (int64_t)unit;
    memcpy(updates + i * bytes, at, (size_t)bytes);
    if (take) memset(at, 0, (size_t)bytes);
  }
}

static void clear(const struct fed__places *places, size_t unit, char *data) {
  for (int64_t i = 0; i < places->count; i++)
    if (places->places[i] != FED__NONE)
      memset(data + places->places[i] * (int64_t)unit, 0, (size_t)places->block * unit);
}

static void scatter_backward(const struct fed__operation *operation) {
  const struct scatter_state *state = operation->state;
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__places places = {state->count, state->block, operation->saved};
  const size_t unit = fed__operand_unit(operation, output);
  const int take = state->reduction == REDUCE_NONE;
  char *data = operation->inputs[0].gradient, *updates = operation->inputs[2].gradient;
  if (!data && take) data = operation->scratch;
  if (data) memcpy(data, output->gradient, output->elements * unit);
  if (updates)
    collect(&places, unit, take, data ? data : output->gradient, updates);
  else if (take && data)
    clear(&places, unit, data);
}

#define SCATTER_ROW(name, onnx_type)                                                               \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 3,                                                                             \
      .inputs_max = 3,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
      .passes = 1 | 4,                                                                             \
      .state_size = sizeof(struct scatter_state),                                                  \
      .prepare = prepare_##name,                                                                   \
      .forward = FED__UNTYPED(name##_forward),                                                     \
      .backward = FED__UNTYPED(scatter_backward),                                                  \
  };

SCATTER_ROW(scatter_elements, "ScatterElements")
SCATTER_ROW(scatter_nd, "ScatterND")
