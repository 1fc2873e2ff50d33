/* SPDX-License-Identifier: Apache-2.0
 *
 * op_pad.c: Pad with a constant, by reflection, by the edge or around; negative padding cuts off.
 * Dimensions that are not padded are merged with their neighbours. Linear in the elements of the
 * output.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/shape/move.h"

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

struct pad_axis {
  int64_t in, out, before; /* extents, and where input element 0 is in the output */
  int64_t stride;          /* of the input; 1 for the last */
};

struct pad_state {
  enum pad_mode mode;
  uint32_t rank; /* after merging, at least 1 */
  struct pad_axis axes[FED_RANK_MAX];
};

static int read_mode(const struct fed__node *node, enum pad_mode *mode) {
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap", NULL};
  size_t choice;
  FED_TRY(fed__attribute_choice(node, "mode", modes, &choice));
  *mode = (enum pad_mode)choice;
  return FED_OK;
}

/* By dimension, from the lists of pads and axes (NULL: all). */
static int spread_pads(const int64_t *pads, const int64_t *axes, size_t count, uint32_t rank,
                       int64_t *before, int64_t *after) {
  memset(before, 0, FED_RANK_MAX * sizeof *before);
  memset(after, 0, FED_RANK_MAX * sizeof *after);
  uint32_t seen = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t axis;
    FED_TRY(fed__axis_normalise(axes ? axes[i] : (int64_t)i, rank, &axis));
    if (seen >> axis & 1) return FED_RAISE(FED_E_DUPLICATE, "axis %u is given twice", axis);
    seen |= 1U << axis;
    before[axis] = pads[i];
    after[axis] = pads[count + i];
  }
  return FED_OK;
}

static int pad_extent(int64_t before, int64_t after, enum pad_mode mode, int64_t *extent) {
  const int64_t in = *extent;
  if (__builtin_add_overflow(*extent, before, extent) ||
      __builtin_add_overflow(*extent, after, extent) || *extent < 0)
    return FED_RAISE(FED_E_RANGE, "an extent of %lld cannot be padded by %lld and %lld",
                     (long long)in, (long long)before, (long long)after);
  if (in == 0 && *extent && mode != PAD_CONSTANT)
    return FED_RAISE(FED_E_SHAPE, "an empty dimension can only be padded with a constant");
  return FED_OK;
}

static int check_value(const struct fed__inference *inference) {
  const struct fed__known *value = fed__infer_input(inference, 2);
  if (!value) return FED_OK;
  if (value->elements != 1 || value->dtype != fed__infer_input(inference, 0)->dtype)
    return FED_RAISE(FED_E_TYPE, "input 2 should be one number of the type of input 0");
  return FED_OK;
}

static int infer_pad(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed_shape shape = input->shape;
  const int64_t *pads, *axes = NULL;
  int64_t before[FED_RANK_MAX], after[FED_RANK_MAX];
  size_t count, axis_count = shape.rank;
  enum pad_mode mode;
  FED_TRY(read_mode(inference->node, &mode));
  FED_TRY(check_value(inference));
  FED_TRY(fed__infer_integers(inference, 1, &pads, &count));
  if (fed__infer_input(inference, 3))
    FED_TRY(fed__infer_integers(inference, 3, &axes, &axis_count));
  if (count != 2 * axis_count)
    return FED_RAISE(FED_E_SHAPE, "input 1 has %zu numbers, expected 2 for each of %zu axes", count,
                     axis_count);
  FED_TRY(spread_pads(pads, axes, axis_count, shape.rank, before, after));
  for (uint32_t i = 0; i < shape.rank; i++)
    FED_TRY(pad_extent(before[i], after[i], mode, &shape.dims[i]));
  return fed__infer_output(inference, 0, input->dtype, &shape, NULL);
}

static int is_whole(const struct pad_axis *axis) {
  return axis->before == 0 && axis->in == axis->out;
}

static void add_axis(struct pad_state *state, const struct pad_axis *axis) {
  struct pad_axis *last = state->rank ? &state->axes[state->rank - 1] : NULL;
  if (last && is_whole(last) && is_whole(axis)) {
    last->in = last->out = last->in * axis->in;
    last->stride = axis->stride;
    return;
  }
  state->axes[state->rank++] = *axis;
}

static int prepare_pad(struct fed__operation *operation) {
  struct pad_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  int64_t before[FED_RANK_MAX], after[FED_RANK_MAX];
  const size_t count = operation->inputs[1].elements / 2;
  const int64_t *axes = fed__operand_absent(operation, 3) ? NULL : operation->inputs[3].data;
  if (!fed__operand_absent(operation, 2) && operation->inputs[2].wants_gradient)
    return FED_RAISE(FED_E_UNSUPPORTED, "the padding's value cannot be trained");
  FED_TRY(read_mode(operation->node, &state->mode));
  FED_TRY(spread_pads(operation->inputs[1].data, axes, count, input->shape.rank, before, after));
  if (output->elements == 0) return FED_OK;
  for (uint32_t i = 0; i < input->shape.rank; i++)
    add_axis(state, &(struct pad_axis){.in = input->shape.dims[i],
                                       .out = output->shape.dims[i],
                                       .before = before[i],
                                       .stride = fed__shape_stride(&input->shape, i)});
  if (state->rank == 0) add_axis(state, &(struct pad_axis){.in = 1, .out = 1, .stride = 1});
  return FED_OK;
}

/* The input's element that output element i shows along one axis, or FED__NONE. */
static int64_t source_of(enum pad_mode mode, const struct pad_axis *axis, int64_t i) {
  const int64_t n = axis->in, period = mode == PAD_REFLECT ? 2 * (n - 1) : n;
  i -= axis->before;
  if (i >= 0 && i < n) return i;
  if (mode == PAD_CONSTANT) return FED__NONE;
  if (mode == PAD_EDGE) return i < 0 ? 0 : n - 1;
  if (period == 0) return 0;
  i = (i % period + period) % period;
  return i < n ? i : period - i;
}

/* The input's offset for a row of the output, or FED__NONE if the row is all padding. */
static int64_t row_source(const struct pad_state *state, int64_t row) {
  int64_t offset = 0;
  for (uint32_t i = state->rank - 1; i-- > 0; row /= state->axes[i].out) {
    const int64_t source = source_of(state->mode, &state->axes[i], row % state->axes[i].out);
    if (source == FED__NONE) return FED__NONE;
    offset += source * state->axes[i].stride;
  }
  return offset;
}

static int64_t clamp(int64_t value, int64_t high) {
  return value < 0 ? 0 : value > high ? high : value;
}

/* One row of the output: padding, elements [first, end) of the input as they are, padding. */
struct pad_row {
  int64_t first, end;
};

static struct pad_row inner_row(const struct pad_axis *inner) {
  return (struct pad_row){clamp(inner->before, inner->out),
                          clamp(inner->before + inner->in, inner->out)};
}

static void pad_elements(const struct pad_state *state, size_t unit, const char *from,
                         const char *value, int64_t first, int64_t end, char *to) {
  const struct pad_axis *inner = &state->axes[state->rank - 1];
  for (int64_t i = first; i < end; i++) {
    const int64_t source = from ? source_of(state->mode, inner, i) : FED__NONE;
    memcpy(to + i * (int64_t)unit, source == FED__NONE ? value : from + source * (int64_t)unit,
           unit);
  }
}

static void pad_forward(const struct fed__operation *operation) {
  static const double zero;
  const struct pad_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  if (output->elements == 0) return;
  const int64_t unit = (int64_t)fed__operand_unit(operation, input);
  const struct pad_axis *inner = &state->axes[state->rank - 1];
  const int64_t rows = (int64_t)output->elements / inner->out;
  const struct pad_row row = inner_row(inner);
  const char *data = input->data;
  const void *value = fed__operand_absent(operation, 2) ? &zero : operation->inputs[2].data;
  char *to = output->data;
  for (int64_t i = 0; i < rows; i++, to += inner->out * unit) {
    const int64_t source = row_source(state, i);
    const char *from = source == FED__NONE ? NULL : data + source * unit;
    const int64_t first = from ? row.first : inner->out, end = from ? row.end : inner->out;
    pad_elements(state, (size_t)unit, from, value, 0, first, to);
    if (end > first)
      memcpy(to + first * unit, from + (first - inner->before) * unit,
             (size_t)((end - first) * unit));
    pad_elements(state, (size_t)unit, from, value, end > first ? end : first, inner->out, to);
  }
}

#define FED__TEMPLATE "train/operators/shape/op_pad.c"
#include "train/typed.h"

const struct fed__operator fed__op_pad = {
    .type = "Pad",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 2,
    .inputs_max = 4,
    .outputs_max = 1,
    .infer = infer_pad,
    .passes = 1,
    .state_size = sizeof(struct pad_state),
    .prepare = prepare_pad,
    .forward = FED__UNTYPED(pad_forward),
    .backward = FED__TYPED(pad_backward),
};

#else

static void TYPED(pad_backward)(const struct fed__operation *operation) {
  const struct pad_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const struct pad_axis *inner = &state->axes[state->rank - 1];
  const int64_t rows = (int64_t)output->elements / inner->out;
  const struct pad_row row = inner_row(inner);
  const REAL *dy = output->gradient;
  fed__gradient_zero(operation, input);
  for (int64_t i = 0; i < rows; i++, dy += inner->out) {
    const int64_t source = row_source(state, i);
    if (source == FED__NONE) continue;
    REAL *restrict dx = (REAL *)input->gradient + source;
    for (int64_t j = row.first; j < row.end; j++) dx[j - inner->before] += dy[j];
    for (int64_t j = 0; j < inner->out; j++) {
      const int64_t at = source_of(state->mode, inner, j);
      if (at != FED__NONE && (j < row.first || j >= row.end)) dx[at] += dy[j];
    }
  }
}

#endif
