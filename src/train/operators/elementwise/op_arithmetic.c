/* SPDX-License-Identifier: Apache-2.0
 *
 * op_arithmetic.c: Add, Sub, Mul, Div of two values broadcast together: real numbers, or integers
 * where shapes are computed. Integers wrap around; they are divided toward zero, and by zero give
 * zero. The cost is that of reading and writing the arrays.
 */
#ifndef REAL
#include "train/operators/elementwise/elementwise.h"

FED__ROW2(add_integers, int64_t, int64_t, int64_t, (int64_t)((uint64_t)x + (uint64_t)y))
FED__ROW2(sub_integers, int64_t, int64_t, int64_t, (int64_t)((uint64_t)x - (uint64_t)y))
FED__ROW2(mul_integers, int64_t, int64_t, int64_t, (int64_t)((uint64_t)x *(uint64_t)y))
/* By -1 as a negation, since the lowest integer has no positive twin. */
FED__ROW2(div_integers, int64_t, int64_t, int64_t,
          y == 0    ? 0
          : y == -1 ? (int64_t)(0 - (uint64_t)x)
                    : x / y)

#define FED__TEMPLATE "train/operators/elementwise/op_arithmetic.c"
#include "train/typed.h"

/* A bias or scale trains; a lone number is a constant of the formula. */
static int trains_many(uint32_t slot, const struct fed_shape *shape) {
  size_t elements;
  (void)slot;
  return !shape || (fed_shape_elements(shape, &elements) == FED_OK && elements > 1);
}

#define ARITHMETIC_ROW(name, onnx_type, trains_rule, reads)                                        \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = 2,                                                                             \
      .inputs_max = 2,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = fed__infer_broadcast_number,                                                        \
      .trains = trains_rule,                                                                       \
      .in_place = 1,                                                                               \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
      .backward_inputs = reads,                                                                    \
  };

ARITHMETIC_ROW(add, "Add", trains_many, 0)
ARITHMETIC_ROW(sub, "Sub", NULL, 0)
ARITHMETIC_ROW(mul, "Mul", trains_many, 1 | 2)
ARITHMETIC_ROW(div, "Div", NULL, 1 | 2)

#else

FED__ROW2(TYPED(add), REAL, REAL, REAL, x + y)
FED__ROW2(TYPED(sub), REAL, REAL, REAL, x - y)
FED__ROW2(TYPED(mul), REAL, REAL, REAL, x *y)
FED__ROW2(TYPED(div), REAL, REAL, REAL, x / y)

/* The derivatives by x and y, times the output's gradient z. Those of sums do not look at x and y,
 * whose memory may be in use for something else by then. */
static void TYPED(pass)(size_t count, const void *const *in, void *out) {
  if (out != in[2]) memcpy(out, in[2], count * sizeof(REAL));
}
static void TYPED(pass_negated)(size_t count, const void *const *in, void *out) {
  const REAL *from = in[2];
  REAL *to = out;
  FED__EACH for (size_t i = 0; i < count; i++) to[i] = -from[i];
}
FED__ROW3(TYPED(mul_by_x), REAL, REAL, REAL, REAL, z *y)
FED__ROW3(TYPED(mul_by_y), REAL, REAL, REAL, REAL, z *x)
FED__ROW3(TYPED(div_by_x), REAL, REAL, REAL, REAL, z / y)
FED__ROW3(TYPED(div_by_y), REAL, REAL, REAL, REAL, -z *(x / y) / y)

/* The gradient of input 0 comes last: it may lie where the output's is. */
#define ARITHMETIC(name, by_x, by_y)                                                               \
  static void TYPED(name##_forward)(const struct fed__operation *operation) {                      \
    const int integers = operation->outputs[0].dtype == FED_I64;                                   \
    fed__broadcast_forward(operation, integers ? name##_integers : TYPED(name));                   \
  }                                                                                                \
  static void TYPED(name##_backward)(const struct fed__operation *operation) {                     \
    fed__broadcast_backward(operation, 1, TYPED(by_y));                                            \
    fed__broadcast_backward(operation, 0, TYPED(by_x));                                            \
  }

ARITHMETIC(add, pass, pass)
ARITHMETIC(sub, pass, pass_negated)
ARITHMETIC(mul, mul_by_x, mul_by_y)
ARITHMETIC(div, div_by_x, div_by_y)

#undef ARITHMETIC
#endif
