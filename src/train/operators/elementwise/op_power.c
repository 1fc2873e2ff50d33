/* SPDX-License-Identifier: Apache-2.0
 *
 * op_power.c: Pow and Mod of two values broadcast together. Real powers with one of the exponents
 * 1, 2, 3, 0.5, -1 for all elements cost a multiplication or two instead of a call of pow; the
 * exponent may be integers, then it has no gradient. Integers are multiplied out and wrap around;
 * with a negative exponent the result is cut off toward zero, 0 to a negative power is 0. Mod of
 * integers by zero is 0.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"

#include <math.h>

struct modulus {
  int64_t truncates; /* attribute fmod: the sign is that of the dividend, else of the divisor */
};

static int64_t power_of_integers(int64_t x, int64_t y) {
  uint64_t result = 1, base = (uint64_t)x;
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  for (; y; y >>= 1, base *= base)
    if (y & 1) result *= base;
  return (int64_t)result;
}

/* An integer to a real power. */
static int64_t power_cut_off(int64_t x, double y) {
  const double power = pow((double)x, y);
  if (isnan(power)) return 0;
  return power >= 0x1p63 ? INT64_MAX : power <= -0x1p63 ? INT64_MIN : (int64_t)power;
}

FED__ROW2(integer_to_integer, int64_t, int64_t, int64_t, power_of_integers(x, y))

/* By -1 nothing is left; the lowest integer could not be divided. */
static int64_t remainder_truncated(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }
static int64_t remainder_floored(int64_t x, int64_t y) {
  const int64_t rest = remainder_truncated(x, y);
  return rest && (rest < 0) != (y < 0) ? rest + y : rest;
}
FED__ROW2(mod_truncated, int64_t, int64_t, int64_t, remainder_truncated(x, y))
FED__ROW2(mod_floored, int64_t, int64_t, int64_t, remainder_floored(x, y))

static int infer_pow(const struct fed__inference *inference) {
  const struct fed__known *x = fed__infer_input(inference, 0), *y = fed__infer_input(inference, 1);
  struct fed_shape shape;
  FED_TRY(fed__infer_type(inference, 0, FED__NUMBERS));
  FED_TRY(fed__infer_type(inference, 1, FED__NUMBERS));
  FED_TRY(fed__shape_broadcast(&x->shape, &y->shape, &shape));
  return fed__infer_output(inference, 0, x->dtype, &shape, NULL);
}

static int infer_mod(const struct fed__inference *inference) {
  struct modulus modulus;
  FED_TRY(fed__attribute_int(inference->node, "fmod", 0, &modulus.truncates));
  return fed__infer_broadcast_number(inference);
}

static int prepare_mod(struct fed__operation *operation) {
  struct modulus *modulus = operation->state;
  return fed__attribute_int(operation->node, "fmod", 0, &modulus->truncates);
}

#define FED__TEMPLATE "train/operators/elementwise/op_power.c"
#include "train/typed.h"

const struct fed__operator fed__op_pow = {
    .type = "Pow",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_pow,
    .in_place = 1,
    .forward = FED__TYPED(pow_forward),
    .backward = FED__TYPED(pow_backward),
    .backward_inputs = 1 | 2,
};

const struct fed__operator fed__op_mod = {
    .type = "Mod",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_mod,
    .in_place = 1,
    .state_size = sizeof(struct modulus),
    .prepare = prepare_mod,
    .forward = FED__TYPED(mod_forward),
    .backward = FED__TYPED(mod_backward),
    .backward_inputs = 1 | 2,
};

#else

FED__ROW2(TYPED(power), REAL, REAL, REAL, REAL_FUNCTION(pow)(x, y))
FED__ROW2(TYPED(power_integer), REAL, REAL, int64_t, REAL_FUNCTION(pow)(x, (REAL)y))
FED__ROW2(TYPED(integer_to_real), int64_t, int64_t, REAL, power_cut_off(x, (double)y))
FED__ROW1(TYPED(itself), REAL, REAL, x)
FED__ROW1(TYPED(square), REAL, REAL, x *x)
FED__ROW1(TYPED(cube), REAL, REAL, x *x *x)
FED__ROW1(TYPED(root), REAL, REAL, REAL_FUNCTION(sqrt)(x))
FED__ROW1(TYPED(inverse), REAL, REAL, 1 / x)

/* The derivative by x, times the output's gradient z; 0 to the power of 0 does not change. */
static inline REAL TYPED(power_slope)(REAL x, REAL y) {
  return y == 0 ? 0 : y * REAL_FUNCTION(pow)(x, y - 1);
}
FED__ROW3(TYPED(power_by_x), REAL, REAL, REAL, REAL, z *TYPED(power_slope)(x, y))
FED__ROW3(TYPED(power_integer_by_x), REAL, REAL, int64_t, REAL, z *TYPED(power_slope)(x, (REAL)y))
FED__ROW3(TYPED(itself_by_x), REAL, REAL, REAL, REAL, z)
FED__ROW3(TYPED(square_by_x), REAL, REAL, REAL, REAL, z * 2 * x)
FED__ROW3(TYPED(cube_by_x), REAL, REAL, REAL, REAL, z * 3 * x * x)
FED__ROW3(TYPED(root_by_x), REAL, REAL, REAL, REAL, z *(REAL)0.5 / REAL_FUNCTION(sqrt)(x))
FED__ROW3(TYPED(inverse_by_x), REAL, REAL, REAL, REAL, -z / (x * x))

/* By y: x^y log x, whose limit at x = 0 is 0. */
static inline REAL TYPED(exponent_slope)(REAL x, REAL y) {
  return x == 0 && y >= 0 ? 0 : REAL_FUNCTION(pow)(x, y) * REAL_FUNCTION(log)(x);
}
FED__ROW3(TYPED(power_by_y), REAL, REAL, REAL, REAL, z *TYPED(exponent_slope)(x, y))

/* What to do for a lone exponent that has a short way, or for all. */
struct TYPED(power_way) {
  REAL exponent;
  fed__row *value, *by_x;
};

static struct TYPED(power_way) TYPED(find_power)(const struct fed__operation *operation) {
  static const struct TYPED(power_way) short_ways[] = {
      {1, TYPED(itself), TYPED(itself_by_x)},    {2, TYPED(square), TYPED(square_by_x)},
      {3, TYPED(cube), TYPED(cube_by_x)},        {(REAL)0.5, TYPED(root), TYPED(root_by_x)},
      {-1, TYPED(inverse), TYPED(inverse_by_x)},
  };
  const struct fed__operand *y = &operation->inputs[1];
  const int integer = y->dtype == FED_I64;
  for (size_t i = 0; y->elements == 1 && i < sizeof short_ways / sizeof short_ways[0]; i++) {
    const REAL exponent = integer ? (REAL) * (const int64_t *)y->data : *(const REAL *)y->data;
    if (exponent == short_ways[i].exponent) return short_ways[i];
  }
  if (integer) return (struct TYPED(power_way)){0, TYPED(power_integer), TYPED(power_integer_by_x)};
  return (struct TYPED(power_way)){0, TYPED(power), TYPED(power_by_x)};
}

static void TYPED(pow_forward)(const struct fed__operation *operation) {
  if (operation->inputs[0].dtype == FED_F32)
    fed__broadcast_forward(operation, TYPED(find_power)(operation).value);
  else if (operation->inputs[1].dtype == FED_I64)
    fed__broadcast_forward(operation, integer_to_integer);
  else
    fed__broadcast_forward(operation, TYPED(integer_to_real));
}

static void TYPED(pow_backward)(const struct fed__operation *operation) {
  fed__broadcast_backward(operation, 1, TYPED(power_by_y));
  fed__broadcast_backward(operation, 0, TYPED(find_power)(operation).by_x);
}

static inline REAL TYPED(floored)(REAL x, REAL y) {
  const REAL rest = REAL_FUNCTION(fmod)(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
FED__ROW2(TYPED(mod_truncated), REAL, REAL, REAL, REAL_FUNCTION(fmod)(x, y))
FED__ROW2(TYPED(mod_floored), REAL, REAL, REAL, TYPED(floored)(x, y))
FED__ROW3(TYPED(mod_by_x), REAL, REAL, REAL, REAL, z)
FED__ROW3(TYPED(mod_truncated_by_y), REAL, REAL, REAL, REAL, -z *REAL_FUNCTION(trunc)(x / y))
FED__ROW3(TYPED(mod_floored_by_y), REAL, REAL, REAL, REAL, -z *REAL_FUNCTION(floor)(x / y))

static void TYPED(mod_forward)(const struct fed__operation *operation) {
  const struct modulus *modulus = operation->state;
  if (operation->inputs[0].dtype == FED_I64)
    fed__broadcast_forward(operation, modulus->truncates ? mod_truncated : mod_floored);
  else
    fed__broadcast_forward(operation,
                           modulus->truncates ? TYPED(mod_truncated) : TYPED(mod_floored));
}

static void TYPED(mod_backward)(const struct fed__operation *operation) {
  const struct modulus *modulus = operation->state;
  fed__broadcast_backward(operation, 1,
                          modulus->truncates ? TYPED(mod_truncated_by_y) : TYPED(mod_floored_by_y));
  fed__broadcast_backward(operation, 0, TYPED(mod_by_x));
}

#endif
