/* SPDX-License-Identifier: Apache-2.0
 *
 * op_function.c: functions of calculus: Neg, Abs, Sqrt, Exp, Log, Reciprocal, Sin, Cos, Erf; and
 * the step functions Sign, Floor, Ceil, Round (halves to even), through which no gradient passes.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"
#include "train/operators/elementwise/transcendental.h"

#define ERF_SLOPE 1.12837916709551257390 /* 2 / sqrt(pi) */

FED__UNARY_INTEGERS(neg, (int64_t)(0 - (uint64_t)x))
FED__UNARY_INTEGERS(abs, x < 0 ? (int64_t)(0 - (uint64_t)x) : x)
FED__UNARY_INTEGERS(sign, (x > 0) - (x < 0))

#define FED__TEMPLATE "train/operators/elementwise/op_function.c"
#include "train/typed.h"

FED__UNARY_ROW(neg, "Neg", 13, fed__infer_same_number, NULL, .backward_inputs = 0)
FED__UNARY_ROW(abs, "Abs", 13, fed__infer_same_number, NULL, .backward_inputs = 1)
FED__UNARY_ROW(sqrt, "Sqrt", 13, fed__infer_same_real, NULL, .backward_outputs = 1)
FED__UNARY_ROW(exp, "Exp", 13, fed__infer_same_real, NULL, .backward_outputs = 1)
FED__UNARY_ROW(log, "Log", 13, fed__infer_same_real, NULL, .backward_inputs = 1)
FED__UNARY_ROW(reciprocal, "Reciprocal", 13, fed__infer_same_real, NULL, .backward_outputs = 1)
FED__UNARY_ROW(sin, "Sin", 13, fed__infer_same_real, NULL, .backward_inputs = 1)
FED__UNARY_ROW(cos, "Cos", 13, fed__infer_same_real, NULL, .backward_inputs = 1)
FED__UNARY_ROW(erf, "Erf", 13, fed__infer_same_real, NULL, .backward_inputs = 1)

#define STEP_ROW(name, onnx_type, infer_function)                                                  \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .in_place = 1,                                                                               \
      .infer = infer_function,                                                                     \
      .state_size = sizeof(struct fed__coefficients),                                              \
      .forward = FED__TYPED(name##_forward),                                                       \
  };

STEP_ROW(sign, "Sign", fed__infer_same_number)
STEP_ROW(floor, "Floor", fed__infer_same_real)
STEP_ROW(ceil, "Ceil", fed__infer_same_real)
STEP_ROW(round, "Round", fed__infer_same_real)

#else

FED__UNARY_FORWARD(neg_reals, -x)
FED__UNARY_NUMBERS(neg)
FED__UNARY_BACKWARD(neg, y, outputs[0], -1)

FED__UNARY_FORWARD(abs_reals, REAL_FUNCTION(fabs)(x))
FED__UNARY_NUMBERS(abs)
FED__UNARY_BACKWARD(abs, x, inputs[0], (REAL)(x > 0) - (REAL)(x < 0))

FED__UNARY_BY_OUTPUT(sqrt, REAL_FUNCTION(sqrt)(x), (REAL)0.5 / y)
FED__UNARY_BY_OUTPUT(exp, TYPED(fed__exp)(x), y)
FED__UNARY_BY_INPUT(log, TYPED(fed__log)(x), 1 / x)
FED__UNARY_BY_OUTPUT(reciprocal, 1 / x, -y *y)
FED__UNARY_BY_INPUT(sin, REAL_FUNCTION(sin)(x), REAL_FUNCTION(cos)(x))
FED__UNARY_BY_INPUT(cos, REAL_FUNCTION(cos)(x), -REAL_FUNCTION(sin)(x))
FED__UNARY_BY_INPUT(erf, TYPED(fed__erf)(x), (REAL)ERF_SLOPE *TYPED(fed__exp)(-x *x))

FED__UNARY_FORWARD(sign_reals, x > 0 ? 1 : x < 0 ? -1 : x)
FED__UNARY_NUMBERS(sign)
FED__UNARY_FORWARD(floor, REAL_FUNCTION(floor)(x))
FED__UNARY_FORWARD(ceil, REAL_FUNCTION(ceil)(x))
FED__UNARY_FORWARD(round, REAL_FUNCTION(rint)(x))

#endif
