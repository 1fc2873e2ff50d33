/* SPDX-License-Identifier: Apache-2.0
 *
 * op_activation.c: activations whose derivative follows from their own output: Relu, Sigmoid, Tanh.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operator.h"

#include <math.h>

static int infer_same(const struct fed__inference *inference) {
  FED_TRY(fed__infer_real(inference, 0));
  return fed__infer_output(inference, 0, FED_F32, &fed__infer_input(inference, 0)->shape, NULL);
}

#define FED__TEMPLATE "train/operators/elementwise/op_activation.c"
#include "train/typed.h"

#define ACTIVATION_ROW(name, onnx_type)                                                            \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 23,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_same,                                                                         \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
      .backward_outputs = 1,                                                                       \
  };

ACTIVATION_ROW(relu, "Relu")
ACTIVATION_ROW(sigmoid, "Sigmoid")
ACTIVATION_ROW(tanh, "Tanh")

#else

/* Forward in terms of x, backward in terms of y and dy. */
#define ACTIVATION(name, value, derivative)                                                        \
  static void TYPED(name##_forward)(const struct fed__operation *operation) {                      \
    const size_t count = operation->outputs[0].elements;                                           \
    const REAL *restrict in = operation->inputs[0].data;                                           \
    REAL *restrict out = operation->outputs[0].data;                                               \
    for (size_t i = 0; i < count; i++) {                                                           \
      const REAL x = in[i];                                                                        \
      out[i] = (value);                                                                            \
    }                                                                                              \
  }                                                                                                \
  static void TYPED(name##_backward)(const struct fed__operation *operation) {                     \
    const size_t count = operation->outputs[0].elements;                                           \
    const REAL *restrict out = operation->outputs[0].data;                                         \
    const REAL *restrict from = operation->outputs[0].gradient;                                    \
    REAL *restrict to = operation->inputs[0].gradient;                                             \
    for (size_t i = 0; i < count; i++) {                                                           \
      const REAL y = out[i], dy = from[i];                                                         \
      to[i] = (derivative);                                                                        \
    }                                                                                              \
  }

/* A NaN must stay one, so that a broken run is noticed: hence x <= 0, not x > 0. */
ACTIVATION(relu, x <= 0 ? 0 : x, y > 0 ? dy : 0)
ACTIVATION(sigmoid, 1 / (1 + REAL_FUNCTION(exp)(-x)), dy *y *(1 - y))
ACTIVATION(tanh, REAL_FUNCTION(tanh)(x), dy *(1 - y * y))

#undef ACTIVATION
#endif
