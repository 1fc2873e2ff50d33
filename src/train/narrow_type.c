/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow_type.c: the formats of ONNX's small types (onnx.ai/onnx/technical: float8, float4, int4,
 * int2), rounding to them, and reading them. Some nanoseconds an element.
 */
#include "train/narrow_type.h"

#include <math.h>
#include <string.h>

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

/* Those that the schema of ONNX 1.12 does not know yet. */
enum {
  FLOAT8E4M3FN = 17,
  FLOAT8E4M3FNUZ,
  FLOAT8E5M2,
  FLOAT8E5M2FNUZ,
  UINT4,
  INT4,
  FLOAT4E2M1,
  FLOAT8E8M0,
  UINT2,
  INT2,
};

static const struct fed__narrow_type types[] = {
    {"float16", 65504, TYPE(FLOAT16), 16, 1, 1, 10, -14, FED__OVERFLOW_INFINITE, 0},
    {"bfloat16", 0x1.fep127, TYPE(BFLOAT16), 16, 1, 1, 7, -126, FED__OVERFLOW_INFINITE, 0},
    {"float8e4m3fn", 448, FLOAT8E4M3FN, 8, 1, 1, 3, -6, FED__OVERFLOW_NAN, 0},
    {"float8e4m3fnuz", 240, FLOAT8E4M3FNUZ, 8, 1, 1, 3, -7, FED__OVERFLOW_NAN, 1},
    {"float8e5m2", 57344, FLOAT8E5M2, 8, 1, 1, 2, -14, FED__OVERFLOW_INFINITE, 0},
    {"float8e5m2fnuz", 57344, FLOAT8E5M2FNUZ, 8, 1, 1, 2, -15, FED__OVERFLOW_NAN, 1},
    {"float4e2m1", 6, FLOAT4E2M1, 4, 1, 1, 1, 0, FED__OVERFLOW_LARGEST, 0},
    {"float8e8m0", 0x1p127, FLOAT8E8M0, 8, 1, 0, 0, -127, FED__OVERFLOW_NAN, 0},
    {"uint4", 0, UINT4, 4, 0, 0, 0, 0, FED__OVERFLOW_LARGEST, 0},
    {"int4", 0, INT4, 4, 0, 1, 0, 0, FED__OVERFLOW_LARGEST, 0},
    {"uint2", 0, UINT2, 2, 0, 0, 0, 0, FED__OVERFLOW_LARGEST, 0},
    {"int2", 0, INT2, 2, 0, 1, 0, 0, FED__OVERFLOW_LARGEST, 0},
};

const struct fed__narrow_type *fed__narrow_type_find(int32_t onnx_type) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (types[i].onnx == onnx_type) return &types[i];
  return NULL;
}

/* ---- rounding ------------------------------------------------------------------------------- */

static double too_large(const struct fed__narrow_type *type, int saturate) {
  if (saturate || type->overflow == FED__OVERFLOW_LARGEST) return type->largest;
  return type->overflow == FED__OVERFLOW_NAN ? NAN : INFINITY;
}

/* Powers of two only, upwards: a scale must not become smaller than what it scales. */
static double round_scale(const struct fed__narrow_type *type, double value, int saturate) {
  int exponent;
  if (!(value >= 0)) return NAN;
  if (value > type->largest) return too_large(type, saturate);
  if (value <= ldexp(1, type->exponent_min)) return ldexp(1, type->exponent_min);
  return frexp(value, &exponent) == 0.5 ? value : ldexp(1, exponent);
}

double fed__narrow_real(const struct fed__narrow_type *type, double value, int saturate) {
  if (!type->is_signed) return round_scale(type, value, saturate);
  if (value != value) return type->overflow == FED__OVERFLOW_LARGEST ? 0 : value;
  double magnitude = fabs(value);
  if (isfinite(magnitude)) {
    int exponent = type->exponent_min;
    if (magnitude >= ldexp(1, exponent)) exponent = ilogb(magnitude);
    const double unit = ldexp(1, exponent - (int)type->fraction_bits);
    magnitude = nearbyint(magnitude / unit) * unit;
  }
  if (magnitude > type->largest) magnitude = too_large(type, saturate);
  return copysign(magnitude, type->one_zero && magnitude == 0 ? 1 : value);
}

int64_t fed__narrow_integer(const struct fed__narrow_type *type, int64_t value) {
  const int64_t all = (int64_t)1 << type->bits, low = value & (all - 1);
  return type->is_signed && low >= all / 2 ? low - all : low;
}

/* ---- reading -------------------------------------------------------------------------------- */

size_t fed__narrow_bytes(const struct fed__narrow_type *type, size_t count) {
  const size_t in_byte = 8 / (type->bits < 8 ? type->bits : 8);
  return type->bits > 8 ? count * (type->bits / 8) : count / in_byte + (count % in_byte != 0);
}

/* Of a code's three parts the exponent is biased so that 1 is the least of normal numbers. The
 * codes that the format has for infinities and NaN lie above the largest number. */
static double decode_real(const struct fed__narrow_type *type, unsigned code) {
  if (!type->is_signed) return code == 255 ? NAN : ldexp(1, (int)code + type->exponent_min);
  const unsigned sign = code >> (type->bits - 1), rest = code & ((1U << (type->bits - 1)) - 1);
  const unsigned exponent = rest >> type->fraction_bits;
  const unsigned fraction = rest & ((1U << type->fraction_bits) - 1);
  const int unit =
      (int)(exponent ? exponent : 1) - 1 + type->exponent_min - (int)type->fraction_bits;
  const double value = ldexp(exponent ? fraction + (1U << type->fraction_bits) : fraction, unit);
  if (type->one_zero && sign && rest == 0) return NAN;
  if (value > type->largest)
    return type->overflow == FED__OVERFLOW_INFINITE && fraction == 0 ? (sign ? -INFINITY : INFINITY)
                                                                     : NAN;
  return sign ? -value : value;
}

void fed__narrow_decode(const struct fed__narrow_type *type, const uint8_t *bytes, size_t count,
                        void *to) {
  const size_t in_byte = type->bits < 8 ? 8 / type->bits : 1;
  for (size_t i = 0; i < count; i++) {
    unsigned code = bytes[i / in_byte] >> (i % in_byte * type->bits) & ((1U << type->bits) - 1);
    if (type->bits == 16) {
      uint16_t wide;
      memcpy(&wide, bytes + 2 * i, sizeof wide);
      code = wide;
    }
    if (type->is_real)
      ((float *)to)[i] = (float)decode_real(type, code);
    else
      ((int8_t *)to)[i] = (int8_t)fed__narrow_integer(type, code);
  }
}
