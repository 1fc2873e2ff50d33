/* SPDX-License-Identifier: Apache-2.0
 *
 * real_types.c: float16, bfloat16 and float64 to float32, exactly (float64: to the nearest), and
 * back, to the nearest, ties to even (IEEE 754-2019; bfloat16 is float32's upper half).
 */
#include "train/graph.h"

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, fraction = half & 0x3ff;
  const uint32_t exponent = half >> 10 & 0x1f;
  if (exponent == 0) /* zero and subnormals: fraction times 2^-24 */
    return float_of_bits(sign | bits_of_float((float)fraction * 0x1p-24F));
  if (exponent == 0x1f) return float_of_bits(sign | 0x7f800000 | fraction << 13);
  return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* Drop so many low bits, to the nearest. */
static uint32_t round_bits(uint32_t bits, unsigned dropped) {
  const uint32_t odd = bits >> dropped & 1;
  return (bits + ((uint32_t)1 << (dropped - 1)) - 1 + odd) >> dropped;
}

static uint16_t half_of_float(float value) {
  const uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more */
  if (magnitude < 0x38800000)                                    /* below 2^-14 */
    /* In units of 2^-24, which adding 2^23 rounds to. */
    return (uint16_t)(sign |
                      bits_of_float(float_of_bits(magnitude) * 0x1p24F + 0x1p23F) % 0x800000);
  return (uint16_t)(sign | round_bits(magnitude - (112u << 23), 13));
}

static uint16_t bfloat_of_float(float value) {
  const uint32_t bits = bits_of_float(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)round_bits(bits, 16);
}

int fed__dtype_is_real(enum fed_dtype dtype) {
  return dtype == FED_F32 || dtype == FED_F64 || dtype == FED_F16 || dtype == FED_BF16;
}

void fed__floats_widen(const struct fed_tensor *from, size_t count, float *to) {
  for (size_t i = 0; i < count; i++) {
    if (from->dtype == FED_F16)
      to[i] = float_of_half(((const uint16_t *)from->data)[i]);
    else if (from->dtype == FED_BF16)
      to[i] = float_of_bits((uint32_t)((const uint16_t *)from->data)[i] << 16);
    else if (from->dtype == FED_F64)
      to[i] = (float)((const double *)from->data)[i];
    else
      to[i] = ((const float *)from->data)[i];
  }
}

void fed__floats_narrow(const float *from, size_t count, enum fed_dtype dtype, void *to) {
  for (size_t i = 0; i < count; i++) {
    if (dtype == FED_F16)
      ((uint16_t *)to)[i] = half_of_float(from[i]);
    else if (dtype == FED_BF16)
      ((uint16_t *)to)[i] = bfloat_of_float(from[i]);
    else if (dtype == FED_F64)
      ((double *)to)[i] = (double)from[i];
    else
      ((float *)to)[i] = from[i];
  }
}
