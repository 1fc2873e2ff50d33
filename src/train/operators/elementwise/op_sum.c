/* SPDX-License-Identifier: Apache-2.0
 *
 * op_sum.c: Sum and Mean of any number of values broadcast together, added from the first to the
 * last.
 */
#ifndef REAL
#include "train/operators/elementwise/elementwise.h"

#include <limits.h>

#define FED__TEMPLATE "train/operators/elementwise/op_sum.c"
#include "train/typed.h"

#define SUM_ROW(name, onnx_type)                                                                   \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = 1,                                                                             \
      .inputs_max = INT_MAX,                                                                       \
      .outputs_max = 1,                                                                            \
      .infer = fed__infer_broadcast_real,                                                          \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
  };

SUM_ROW(sum, "Sum")
SUM_ROW(mean, "Mean")

#else

FED__ROW1(TYPED(copy), REAL, REAL, x)
FED__ROW2(TYPED(add), REAL, REAL, REAL, x + y)
FED__ROW2(TYPED(scale), REAL, REAL, REAL, x *y)

static void TYPED(sum_forward)(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array out = fed__array_of(operation, output);
  struct fed__array in[2] = {fed__array_of(operation, &operation->inputs[0])};
  fed__broadcast(&output->shape, &out, in, 1, TYPED(copy));
  in[0] = out;
  for (uint32_t i = 1; i < operation->input_count; i++) {
    in[1] = fed__array_of(operation, &operation->inputs[i]);
    fed__broadcast(&output->shape, &out, in, 2, TYPED(add));
  }
}

static void TYPED(mean_forward)(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  REAL *out = output->data;
  TYPED(sum_forward)(operation);
  FED__EACH for (size_t i = 0; i < output->elements; i++) out[i] /= (REAL)operation->input_count;
}

/* Every operand's gradient is the output's, times `factor`. */
static void TYPED(share_out)(const struct fed__operation *operation, REAL factor) {
  static const struct fed_shape lone = {0};
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array in[] = {fed__gradient_of(operation, output),
                                  {&lone, sizeof(REAL), &factor}};
  for (uint32_t i = 0; i < operation->input_count; i++) {
    const struct fed__array out = fed__gradient_of(operation, &operation->inputs[i]);
    if (out.data) fed__broadcast(&output->shape, &out, in, 2, TYPED(scale));
  }
}

static void TYPED(sum_backward)(const struct fed__operation *operation) {
  TYPED(share_out)(operation, 1);
}
static void TYPED(mean_backward)(const struct fed__operation *operation) {
  TYPED(share_out)(operation, 1 / (REAL)operation->input_count);
}

#endif
