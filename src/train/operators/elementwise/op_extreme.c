/* SPDX-License-Identifier: Apache-2.0
 *
 * op_extreme.c: Min and Max of any number of values broadcast together; a NaN wins. The gradient
 * goes to the operand that attains the extreme; if several do, they share it evenly (PyTorch's rule
 * for two). Backward costs two passes for each operand.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"

FED__ROW1(copy_integers, int64_t, int64_t, x)
FED__ROW2(min_integers, int64_t, int64_t, int64_t, x < y ? x : y)
FED__ROW2(max_integers, int64_t, int64_t, int64_t, x > y ? x : y)

/* scratch: of each element of the output, how many operands attain it, then what each gets. */
static int prepare_extreme(struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  if (operation->runs_backward)
    operation->scratch_bytes = output->elements * fed__array_of(operation, output).unit;
  return FED_OK;
}

/* The first two operands, then each other one with what there is. */
static void fold_operands(const struct fed__operation *operation, fed__row *copy, fed__row *row) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array out = fed__array_of(operation, output);
  struct fed__array in[2] = {fed__array_of(operation, &operation->inputs[0])};
  if (operation->input_count == 1) fed__broadcast(&output->shape, &out, in, 1, copy);
  for (uint32_t i = 1; i < operation->input_count; i++) {
    in[1] = fed__array_of(operation, &operation->inputs[i]);
    fed__broadcast(&output->shape, &out, in, 2, row);
    in[0] = out;
  }
}

#define FED__TEMPLATE "train/operators/elementwise/op_extreme.c"
#include "train/typed.h"

#define EXTREME_ROW(name, onnx_type)                                                               \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = 1,                                                                             \
      .inputs_max = 32, /* as many as backward_inputs has bits */                                  \
      .outputs_max = 1,                                                                            \
      .infer = fed__infer_broadcast_number,                                                        \
      .prepare = prepare_extreme,                                                                  \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(extreme_backward),                                                    \
      .backward_inputs = UINT32_MAX,                                                               \
      .backward_outputs = 1,                                                                       \
  };

EXTREME_ROW(min, "Min")
EXTREME_ROW(max, "Max")

#else

FED__ROW1(TYPED(copy), REAL, REAL, x)
FED__ROW2(TYPED(min), REAL, REAL, REAL, x < y || x != x ? x : y)
FED__ROW2(TYPED(max), REAL, REAL, REAL, x > y || x != x ? x : y)

static void TYPED(min_forward)(const struct fed__operation *operation) {
  const int integers = operation->outputs[0].dtype == FED_I64;
  fold_operands(operation, integers ? copy_integers : TYPED(copy),
                integers ? min_integers : TYPED(min));
}

static void TYPED(max_forward)(const struct fed__operation *operation) {
  const int integers = operation->outputs[0].dtype == FED_I64;
  fold_operands(operation, integers ? copy_integers : TYPED(copy),
                integers ? max_integers : TYPED(max));
}

/* x: the operand, y: the extreme, z: the count so far, or the share of those that attain it. */
FED__ROW3(TYPED(count), REAL, REAL, REAL, REAL, z + (REAL)(x == y))
FED__ROW3(TYPED(take), REAL, REAL, REAL, REAL, x == y ? z : 0)
FED__ROW2(TYPED(split), REAL, REAL, REAL, x / (y > 1 ? y : 1))

static void TYPED(extreme_backward)(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array share = {&output->shape, sizeof(REAL), operation->scratch};
  const struct fed__array split[] = {fed__gradient_of(operation, output), share};
  struct fed__array in[] = {share, fed__array_of(operation, output), share};
  memset(operation->scratch, 0, output->elements * sizeof(REAL));
  for (uint32_t i = 0; i < operation->input_count; i++) {
    in[0] = fed__array_of(operation, &operation->inputs[i]);
    fed__broadcast(&output->shape, &share, in, 3, TYPED(count));
  }
  fed__broadcast(&output->shape, &share, split, 2, TYPED(split));
  for (uint32_t i = 0; i < operation->input_count; i++) {
    const struct fed__array out = fed__gradient_of(operation, &operation->inputs[i]);
    in[0] = fed__array_of(operation, &operation->inputs[i]);
    if (out.data) fed__broadcast(&output->shape, &out, in, 3, TYPED(take));
  }
}

#endif
