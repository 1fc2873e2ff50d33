/* SPDX-License-Identifier: Apache-2.0
 *
 * op_clip.c: Clip to bounds that are lone numbers, each of which may be left out; and PRelu. Where
 * the bounds contradict each other, the upper one holds. The gradient passes where nothing was cut
 * off, bounds included, and otherwise goes to the bound (PyTorch's rule).
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"

#include <math.h>

static int infer_clip(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  FED_TRY(fed__infer_type(inference, 0, FED__NUMBERS));
  for (uint32_t i = 1; i <= 2; i++) {
    const struct fed__known *bound = fed__infer_input(inference, i);
    if (bound && (bound->elements != 1 || bound->dtype != input->dtype))
      return FED_RAISE(FED_E_TYPE,
                       "input %u, a bound, should be one number of type %s, but is %zu %s", i,
                       fed_dtype_name(input->dtype), bound->elements, fed_dtype_name(bound->dtype));
  }
  return fed__infer_output(inference, 0, input->dtype, &input->shape, NULL);
}

static void clip_integers(const struct fed__operation *operation) {
  const int has_low = !fed__operand_absent(operation, 1);
  const int has_high = !fed__operand_absent(operation, 2);
  const int64_t low = has_low ? *(const int64_t *)operation->inputs[1].data : INT64_MIN;
  const int64_t high = has_high ? *(const int64_t *)operation->inputs[2].data : INT64_MAX;
  const int64_t *in = operation->inputs[0].data;
  int64_t *out = operation->outputs[0].data;
  FED__EACH for (size_t i = 0; i < operation->outputs[0].elements; i++) {
    const int64_t raised = in[i] < low ? low : in[i];
    out[i] = raised > high ? high : raised;
  }
}

/* The slope is broadcast to the data, not the other way round. */
static int infer_prelu(const struct fed__inference *inference) {
  struct fed_shape shape;
  char data[128], slope[128];
  const struct fed__known *x = fed__infer_input(inference, 0), *by = fed__infer_input(inference, 1);
  FED_TRY(fed__infer_alike(inference, 0, 2, FED__REALS, &shape));
  if (!fed_shape_equal(&shape, &x->shape))
    return FED_RAISE(FED_E_SHAPE, "a slope of shape %s cannot be broadcast to data of shape %s",
                     fed_shape_format(&by->shape, slope, sizeof slope),
                     fed_shape_format(&x->shape, data, sizeof data));
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

static int trains_slope(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == 1;
}

#define FED__TEMPLATE "train/operators/elementwise/op_clip.c"
#include "train/typed.h"

const struct fed__operator fed__op_clip = {
    .type = "Clip",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 1,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_clip,
    .in_place = 1,
    .forward = FED__TYPED(clip_forward),
    .backward = FED__TYPED(clip_backward),
    .backward_inputs = 1 | 2 | 4,
};

const struct fed__operator fed__op_prelu = {
    .type = "PRelu",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_prelu,
    .trains = trains_slope,
    .in_place = 1,
    .forward = FED__TYPED(prelu_forward),
    .backward = FED__TYPED(prelu_backward),
    .backward_inputs = 1 | 2,
};

#else

static REAL TYPED(bound)(const struct fed__operation *operation, uint32_t slot, REAL absent) {
  return fed__operand_absent(operation, slot) ? absent
                                              : *(const REAL *)operation->inputs[slot].data;
}

static void TYPED(clip_reals)(const struct fed__operation *operation) {
  const REAL low = TYPED(bound)(operation, 1, -INFINITY);
  const REAL high = TYPED(bound)(operation, 2, INFINITY);
  const REAL *in = operation->inputs[0].data;
  REAL *out = operation->outputs[0].data;
  const size_t count = operation->outputs[0].elements;
  FED__EACH for (size_t i = 0; i < count; i++) {
    const REAL x = in[i], raised = x < low ? low : x;
    out[i] = raised > high ? high : raised;
  }
}

static void TYPED(clip_forward)(const struct fed__operation *operation) {
  (operation->inputs[0].dtype == FED_I64 ? clip_integers : TYPED(clip_reals))(operation);
}

/* A bound's gradient: the sum over what it took the place of. */
static void TYPED(clip_backward_bound)(const struct fed__operation *operation, uint32_t slot) {
  if (fed__operand_absent(operation, slot) || !operation->inputs[slot].gradient) return;
  const REAL low = TYPED(bound)(operation, 1, -INFINITY);
  const REAL high = TYPED(bound)(operation, 2, INFINITY);
  const REAL *in = operation->inputs[0].data, *dy = operation->outputs[0].gradient;
  REAL sum = 0;
  for (size_t i = 0; i < operation->outputs[0].elements; i++) {
    const REAL raised = in[i] < low ? low : in[i];
    if (slot == 1 ? in[i] < low && low <= high : raised > high) sum += dy[i];
  }
  *(REAL *)operation->inputs[slot].gradient = sum;
}

static void TYPED(clip_backward)(const struct fed__operation *operation) {
  const REAL low = TYPED(bound)(operation, 1, -INFINITY);
  const REAL high = TYPED(bound)(operation, 2, INFINITY);
  const REAL *in = operation->inputs[0].data, *from = operation->outputs[0].gradient;
  REAL *to = operation->inputs[0].gradient;
  const size_t count = to ? operation->outputs[0].elements : 0;
  TYPED(clip_backward_bound)(operation, 1);
  TYPED(clip_backward_bound)(operation, 2);
  FED__EACH for (size_t i = 0; i < count; i++) {
    const REAL x = in[i], dy = from[i];
    to[i] = x >= low && x <= high ? dy : 0;
  }
}

/* y: the slope; z: the output's gradient. */
FED__ROW2(TYPED(prelu), REAL, REAL, REAL, x > 0 ? x : x * y)
FED__ROW3(TYPED(prelu_by_x), REAL, REAL, REAL, REAL, x > 0 ? z : z * y)
FED__ROW3(TYPED(prelu_by_slope), REAL, REAL, REAL, REAL, x > 0 ? 0 : z * x)

static void TYPED(prelu_forward)(const struct fed__operation *operation) {
  fed__broadcast_forward(operation, TYPED(prelu));
}
static void TYPED(prelu_backward)(const struct fed__operation *operation) {
  fed__broadcast_backward(operation, 1, TYPED(prelu_by_slope));
  fed__broadcast_backward(operation, 0, TYPED(prelu_by_x));
}

#endif
