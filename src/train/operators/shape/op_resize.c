/* SPDX-License-Identifier: Apache-2.0
 *
 * op_resize.c: Resize, nearest or linear, axis after axis: linear in the elements of the output
 * for each axis that changes.
 */
#ifndef REAL
#include "base/memory.h"
#include "base/raise.h"
#include "train/operators/shape/move.h"
#include "train/operators/shape/resize.h"

/* Along one axis: [outer, in, inner] becomes [outer, out, inner]. */
struct pass {
  int64_t outer, in, out, inner;
  const struct fed__tap *taps; /* by output element */
};

struct resize_state {
  double extrapolation;
  uint32_t pass_count;
  struct pass passes[FED_RANK_MAX];
  struct fed__tap *taps;
  size_t tap_count;
  size_t between; /* elements of the largest value between two passes */
};

static int is_given(const struct fed__inference *inference, uint32_t slot) {
  const struct fed__known *input = fed__infer_input(inference, slot);
  return input && input->elements;
}

static int infer_reals(const struct fed__inference *inference, uint32_t slot, size_t size,
                       double *values, size_t *count) {
  const float *reals;
  if (!is_given(inference, slot)) return FED_OK;
  FED_TRY(fed__infer_reals(inference, slot, &reals, count));
  if (*count > size) return FED_RAISE(FED_E_SHAPE, "input %u has %zu numbers", slot, *count);
  for (size_t i = 0; i < *count; i++) values[i] = (double)reals[i];
  return FED_OK;
}

static int infer_resize(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  struct fed__resize_inputs inputs = {0};
  struct fed__resize resize;
  const int64_t *sizes;
  FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(infer_reals(inference, 1, 2 * FED_RANK_MAX, inputs.roi, &inputs.roi_count));
  FED_TRY(infer_reals(inference, 2, FED_RANK_MAX, inputs.scales, &inputs.scale_count));
  if (is_given(inference, 3)) {
    FED_TRY(fed__infer_integers(inference, 3, &sizes, &inputs.size_count));
    if (inputs.size_count > FED_RANK_MAX)
      return FED_RAISE(FED_E_SHAPE, "input 3 has %zu numbers", inputs.size_count);
    memcpy(inputs.sizes, sizes, inputs.size_count * sizeof *sizes);
  }
  FED_TRY(fed__resize_read(inference->node, &input->shape, &inputs, &resize));
  struct fed_shape shape = {.rank = resize.rank};
  for (uint32_t i = 0; i < shape.rank; i++) shape.dims[i] = resize.axes[i].out;
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static void read_reals(const struct fed__operation *operation, uint32_t slot, double *values,
                       size_t *count) {
  if (fed__operand_absent(operation, slot)) return;
  const struct fed__operand *input = &operation->inputs[slot];
  *count = input->elements;
  for (size_t i = 0; i < *count; i++)
    values[i] = operation->kernels->precision == FED_PRECISION_F64
                    ? ((const double *)input->data)[i]
                    : (double)((const float *)input->data)[i];
}

static void read_inputs(const struct fed__operation *operation, struct fed__resize_inputs *inputs) {
  *inputs = (struct fed__resize_inputs){0};
  read_reals(operation, 1, inputs->roi, &inputs->roi_count);
  read_reals(operation, 2, inputs->scales, &inputs->scale_count);
  if (fed__operand_absent(operation, 3)) return;
  inputs->size_count = operation->inputs[3].elements;
  if (inputs->size_count)
    memcpy(inputs->sizes, operation->inputs[3].data, inputs->size_count * sizeof(int64_t));
}

static void add_pass(struct resize_state *state, const struct fed__resize *resize,
                     struct fed_shape *shape, uint32_t i, struct fed__tap *taps) {
  const struct fed__resize_axis *axis = &resize->axes[i];
  const int64_t inner = fed__shape_stride(shape, i), outer = fed__shape_extent(shape, 0, i);
  state->passes[state->pass_count++] = (struct pass){outer, axis->in, axis->out, inner, taps};
  for (int64_t at = 0; at < axis->out; at++) taps[at] = fed__resize_tap(resize, axis, at);
  shape->dims[i] = axis->out;
}

static int prepare_resize(struct fed__operation *operation) {
  struct resize_state *state = operation->state;
  struct fed_shape shape = operation->inputs[0].shape;
  struct fed__resize_inputs inputs;
  struct fed__resize resize;
  read_inputs(operation, &inputs);
  FED_TRY(fed__resize_read(operation->node, &shape, &inputs, &resize));
  state->extrapolation = resize.extrapolation;
  if (operation->outputs[0].elements == 0) return FED_OK;
  for (uint32_t i = 0; i < resize.rank; i++) state->tap_count += (size_t)resize.axes[i].out;
  state->taps = fed__zalloc(operation->context, state->tap_count, sizeof *state->taps);
  if (!state->taps) return FED_E_MEMORY;
  struct fed__tap *taps = state->taps;
  for (uint32_t i = 0; i < resize.rank; i++) {
    if (fed__resize_keeps(&resize, &resize.axes[i])) continue;
    const size_t elements = (size_t)fed__shape_extent(&shape, 0, shape.rank);
    if (state->pass_count && elements > state->between) state->between = elements;
    add_pass(state, &resize, &shape, i, taps);
    taps += resize.axes[i].out;
  }
  const size_t places = state->pass_count > 2 ? 2 : 1;
  operation->scratch_bytes =
      places * state->between * fed__operand_unit(operation, &operation->inputs[0]);
  return FED_OK;
}

static void release_resize(struct fed__operation *operation) {
  struct resize_state *state = operation->state;
  fed__free(operation->context, state->taps);
}

static size_t resize_bytes(const struct fed__operation *operation) {
  const struct resize_state *state = operation->state;
  return state->tap_count * sizeof *state->taps;
}

#define FED__TEMPLATE "train/operators/shape/op_resize.c"
#include "train/typed.h"

const struct fed__operator fed__op_resize = {
    .type = "Resize",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 4,
    .outputs_max = 1,
    .infer = infer_resize,
    .state_size = sizeof(struct resize_state),
    .prepare = prepare_resize,
    .release = release_resize,
    .bytes = resize_bytes,
    .forward = FED__TYPED(resize_forward),
    .backward = FED__TYPED(resize_backward),
};

#else

static void TYPED(resize_row)(const struct pass *pass, const struct fed__tap *tap, REAL outside,
                              const REAL *from, REAL *restrict to) {
  const REAL weight = (REAL)tap->weight, rest = (REAL)(1 - tap->weight);
  if (tap->low == FED__NONE) {
    for (int64_t i = 0; i < pass->inner; i++) to[i] = outside;
    return;
  }
  const REAL *low = from + tap->low * pass->inner, *high = from + tap->high * pass->inner;
  if (tap->weight == 0)
    memcpy(to, low, (size_t)pass->inner * sizeof *to);
  else
    for (int64_t i = 0; i < pass->inner; i++) to[i] = rest * low[i] + weight * high[i];
}

static void TYPED(resize_pass)(const struct pass *pass, REAL outside, const REAL *from, REAL *to) {
  for (int64_t i = 0; i < pass->outer; i++, from += pass->in * pass->inner)
    for (int64_t j = 0; j < pass->out; j++, to += pass->inner)
      TYPED(resize_row)(pass, &pass->taps[j], outside, from, to);
}

static void TYPED(resize_forward)(const struct fed__operation *operation) {
  const struct resize_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const REAL *from = input->data;
  REAL *between = operation->scratch;
  if (output->elements && state->pass_count == 0)
    memcpy(output->data, from, output->elements * sizeof *from);
  for (uint32_t i = 0; i < state->pass_count; i++) {
    REAL *to = i + 1 == state->pass_count ? output->data : between + i % 2 * state->between;
    TYPED(resize_pass)(&state->passes[i], (REAL)state->extrapolation, from, to);
    from = to;
  }
}

static void TYPED(give_back_pass)(const struct pass *pass, const REAL *from, REAL *to) {
  memset(to, 0, (size_t)(pass->outer * pass->in * pass->inner) * sizeof *to);
  for (int64_t i = 0; i < pass->outer; i++, to += pass->in * pass->inner)
    for (int64_t j = 0; j < pass->out; j++, from += pass->inner) {
      const struct fed__tap *tap = &pass->taps[j];
      const REAL weight = (REAL)tap->weight, rest = (REAL)(1 - tap->weight);
      if (tap->low == FED__NONE) continue;
      REAL *low = to + tap->low * pass->inner, *high = to + tap->high * pass->inner;
      for (int64_t l = 0; l < pass->inner; l++) low[l] += rest * from[l];
      for (int64_t l = 0; l < pass->inner && tap->weight != 0; l++) high[l] += weight * from[l];
    }
}

static void TYPED(resize_backward)(const struct fed__operation *operation) {
  const struct resize_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0], *output = &operation->outputs[0];
  const REAL *from = output->gradient;
  REAL *between = operation->scratch;
  if (state->pass_count == 0) memcpy(input->gradient, from, input->elements * sizeof *from);
  for (uint32_t i = state->pass_count; i-- > 0;) {
    REAL *to = i == 0 ? input->gradient : between + (i - 1) % 2 * state->between;
    TYPED(give_back_pass)(&state->passes[i], from, to);
    from = to;
  }
}

#endif
