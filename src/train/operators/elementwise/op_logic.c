/* SPDX-License-Identifier: Apache-2.0
 *
 * op_logic.c: what gives truth values: Equal, Less, LessOrEqual, Greater, GreaterOrEqual of
 * numbers; And, Or, Xor, Not of truth values; IsNaN, IsInf of real numbers. No gradient passes.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"

#include <math.h>

typedef unsigned char truth; /* 0 or 1 */

FED__ROW2(equal_integers, truth, int64_t, int64_t, x == y)
FED__ROW2(less_integers, truth, int64_t, int64_t, x < y)
FED__ROW2(less_or_equal_integers, truth, int64_t, int64_t, x <= y)
FED__ROW2(greater_integers, truth, int64_t, int64_t, x > y)
FED__ROW2(greater_or_equal_integers, truth, int64_t, int64_t, x >= y)
FED__ROW2(equal_truths, truth, truth, truth, x == y)
FED__ROW2(and_truths, truth, truth, truth, x &y)
FED__ROW2(or_truths, truth, truth, truth, x | y)
FED__ROW2(xor_truths, truth, truth, truth, x ^ y)

static int infer_equal(const struct fed__inference *inference) {
  return fed__infer_broadcast_truth(inference, FED__ANY);
}
static int infer_order(const struct fed__inference *inference) {
  return fed__infer_broadcast_truth(inference, FED__NUMBERS);
}
static int infer_logic(const struct fed__inference *inference) {
  return fed__infer_broadcast_truth(inference, FED__TRUTHS);
}
static int infer_is_nan(const struct fed__inference *inference) {
  return fed__infer_broadcast_truth(inference, FED__REALS);
}

struct infinities {
  int64_t positive, negative; /* which are looked for */
};

static int read_infinities(const struct fed__node *node, struct infinities *infinities) {
  FED_TRY(fed__attribute_int(node, "detect_positive", 1, &infinities->positive));
  return fed__attribute_int(node, "detect_negative", 1, &infinities->negative);
}
static int infer_is_inf(const struct fed__inference *inference) {
  struct infinities infinities;
  FED_TRY(read_infinities(inference->node, &infinities));
  return fed__infer_broadcast_truth(inference, FED__REALS);
}
static int prepare_is_inf(struct fed__operation *operation) {
  return read_infinities(operation->node, operation->state);
}

static void and_forward(const struct fed__operation *operation) {
  fed__broadcast_forward(operation, and_truths);
}
static void or_forward(const struct fed__operation *operation) {
  fed__broadcast_forward(operation, or_truths);
}
static void xor_forward(const struct fed__operation *operation) {
  fed__broadcast_forward(operation, xor_truths);
}
static void not_forward(const struct fed__operation *operation) {
  const truth *in = operation->inputs[0].data;
  truth *out = operation->outputs[0].data;
  FED__EACH for (size_t i = 0; i < operation->outputs[0].elements; i++) out[i] = !in[i];
}

#define FED__TEMPLATE "train/operators/elementwise/op_logic.c"
#include "train/typed.h"

#define LOGIC_ROW(name, onnx_type, inputs, infer_function, forward_function)                       \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = inputs,                                                                        \
      .inputs_max = inputs,                                                                        \
      .outputs_max = 1,                                                                            \
      .infer = infer_function,                                                                     \
      .forward = forward_function,                                                                 \
  };

LOGIC_ROW(equal, "Equal", 2, infer_equal, FED__TYPED(equal_forward))
LOGIC_ROW(less, "Less", 2, infer_order, FED__TYPED(less_forward))
LOGIC_ROW(less_or_equal, "LessOrEqual", 2, infer_order, FED__TYPED(less_or_equal_forward))
LOGIC_ROW(greater, "Greater", 2, infer_order, FED__TYPED(greater_forward))
LOGIC_ROW(greater_or_equal, "GreaterOrEqual", 2, infer_order, FED__TYPED(greater_or_equal_forward))
LOGIC_ROW(and, "And", 2, infer_logic, FED__UNTYPED(and_forward))
LOGIC_ROW(or, "Or", 2, infer_logic, FED__UNTYPED(or_forward))
LOGIC_ROW(xor, "Xor", 2, infer_logic, FED__UNTYPED(xor_forward))
LOGIC_ROW(not, "Not", 1, infer_logic, FED__UNTYPED(not_forward))
LOGIC_ROW(is_nan, "IsNaN", 1, infer_is_nan, FED__TYPED(is_nan_forward))

const struct fed__operator fed__op_is_inf = {
    .type = "IsInf",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_is_inf,
    .state_size = sizeof(struct infinities),
    .prepare = prepare_is_inf,
    .forward = FED__TYPED(is_inf_forward),
};

#else

#define COMPARISON(name, condition)                                                                \
  FED__ROW2(TYPED(name), truth, REAL, REAL, condition)                                             \
  static void TYPED(name##_forward)(const struct fed__operation *operation) {                      \
    const int integers = operation->inputs[0].dtype == FED_I64;                                    \
    fed__broadcast_forward(operation, integers ? name##_integers : TYPED(name));                   \
  }

COMPARISON(less, x < y)
COMPARISON(less_or_equal, x <= y)
COMPARISON(greater, x > y)
COMPARISON(greater_or_equal, x >= y)
#undef COMPARISON

FED__ROW2(TYPED(equal), truth, REAL, REAL, x == y)
static void TYPED(equal_forward)(const struct fed__operation *operation) {
  const enum fed_dtype dtype = operation->inputs[0].dtype;
  fed__broadcast_forward(operation, dtype == FED_I64    ? equal_integers
                                    : dtype == FED_BOOL ? equal_truths
                                                        : TYPED(equal));
}

static void TYPED(is_nan_forward)(const struct fed__operation *operation) {
  const REAL *in = operation->inputs[0].data;
  truth *out = operation->outputs[0].data;
  FED__EACH for (size_t i = 0; i < operation->outputs[0].elements; i++) out[i] = in[i] != in[i];
}

static void TYPED(is_inf_forward)(const struct fed__operation *operation) {
  const struct infinities *infinities = operation->state;
  const REAL *in = operation->inputs[0].data;
  truth *out = operation->outputs[0].data;
  const truth positive = infinities->positive != 0, negative = infinities->negative != 0;
  FED__EACH for (size_t i = 0; i < operation->outputs[0].elements; i++) out[i] =
      in[i] == INFINITY    ? positive
      : in[i] == -INFINITY ? negative
                           : 0;
}

#endif
