/* SPDX-License-Identifier: Apache-2.0
 *
 * transcendental.h: exp, expm1, log1p, log, tanh, erf and the logistic function in float, without
 * branches, so that loops over them become vector code; they are within three units in the last
 * place of the exact value (test_elementwise_functions.c tries the floats from end to end). The
 * twins in double are the C library's.
 *
 * exp and expm1: x = n ln 2 + r, and a polynomial in r. log: x = 2^n m with m around 1, and the
 * series of the inverse hyperbolic tangent in (m - 1) / (m + 1). erf: a polynomial in x^2 up to
 * 0.9, then 1 - exp of one in x. The coefficients are least-maximum fits, made for this file.
 */
#ifndef FED_TRAIN_TRANSCENDENTAL_H
#define FED_TRAIN_TRANSCENDENTAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t fed__float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float fed__bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* 2^n for n from -126 to 127. */
static inline float fed__power_of_two(int32_t n) {
  return fed__bits_float((uint32_t)(n + 127) << 23);
}

/* exp(x) = 2^n (1 + rest): n is the integer nearest to x / ln 2, taken from the low bits of a sum
 * so large that nothing behind the point is left. */
struct fed__exp_parts {
  int32_t n;
  float rest;
};
static inline struct fed__exp_parts fed__exp_split(float x) {
  const float shift = 12582912; /* 1.5 * 2^23 */
  const float sum = x * 1.44269504F + shift, n = sum - shift;
  const float r = (x - n * 0.693145752F) - n * 1.42860677e-6F; /* ln 2 in two parts */
  const float p =
      0.5F +
      r * (0.166666672F +
           r * (0.0416663513F + r * (0.00833327323F + r * (0.00139412913F + r * 0.000199139526F))));
  const uint32_t low = fed__float_bits(sum) - fed__float_bits(shift);
  return (struct fed__exp_parts){(int32_t)low, r + r * r * p};
}

/* In two factors, since 2^n alone may be out of range where the result is not. */
static inline float fed__exp_f32(float x) {
  const float limited = x < -104 ? -104 : x > 89 ? 89 : x;
  const struct fed__exp_parts parts = fed__exp_split(limited);
  const int32_t half = parts.n >> 1;
  return (1 + parts.rest) * fed__power_of_two(half) * fed__power_of_two(parts.n - half);
}

static inline float fed__expm1_f32(float x) {
  const float limited = x < -25 ? -25 : x > 89 ? 89 : x;
  const struct fed__exp_parts parts = fed__exp_split(limited);
  const float scale = fed__power_of_two(parts.n - 1); /* 2^128 is out of range */
  return 2 * (scale * parts.rest + (scale - 0.5F));
}

static inline float fed__sigmoid_f32(float x) { return 1 / (1 + fed__exp_f32(-x)); }

static inline float fed__tanh_f32(float x) {
  const float size = fabsf(x), limited = size > 10 ? 10 : size;
  const float grown = fed__expm1_f32(2 * limited);
  return copysignf(grown / (grown + 2), x);
}

/* For x from 0 to 1. log(1 + x) = 2 s + s q series = x - (x^2 / 2 - s (x^2 / 2 + q series)): in the
 * last form what is rounded is small beside x. */
static inline float fed__log1p_f32(float x) {
  const float s = x / (2 + x), q = s * s, half = 0.5F * x * x;
  const float series =
      0.666666687F +
      q * (0.400000542F +
           q * (0.28568396F + q * (0.22301501F + q * (0.171478495F + q * 0.217923954F))));
  return x - (half - s * (half + q * series));
}

static inline float fed__log_f32(float x) {
  const uint32_t root = 0x3f3504f3; /* sqrt(1 / 2), the smallest m */
  const int tiny = x < 1.17549435e-38F;
  const uint32_t bits = fed__float_bits(tiny ? x * 8388608 : x) - root;
  const float n = (float)(((int32_t)bits >> 23) - (tiny ? 23 : 0));
  const float f = fed__bits_float((bits & 0x007fffff) + root) - 1;
  const float s = f / (2 + f), q = s * s, half = 0.5F * f * f;
  const float series = 0.666666627F + q * (0.400003374F + q * (0.285372049F + q * 0.235842556F));
  const float result =
      n * 0.693145752F - ((half - (s * (half + q * series) + n * 1.42860677e-6F)) - f);
  const float special = x == 0 ? -INFINITY : x > 0 ? x : NAN;
  return x > 0 && x <= 3.40282347e38F ? result : special;
}

static inline float fed__erf_f32(float x) {
  const float size = fabsf(x), limited = size > 4 ? 4 : size, square = x * x;
  const float p =
      0.128379166F +
      square *
          (-0.376126349F +
           square * (0.112837151F +
                     square * (-0.0268605091F +
                               square * (0.00520385895F +
                                         square * (-0.000817563909F + square * 8.51310251e-05F)))));
  const float q =
      -0.00016920513F +
      limited *
          (1.12948835F +
           limited * (0.633400857F +
                      limited * (0.108220384F +
                                 limited * (-0.0250806157F +
                                            limited * (0.0041562547F +
                                                       limited * (-0.000431393564F +
                                                                  limited * 2.08286183e-05F))))));
  const float near = x + x * p, far = copysignf(1 - fed__exp_f32(-q), x);
  return size < 0.9F ? near : far;
}

static inline double fed__exp_f64(double x) { return exp(x); }
static inline double fed__expm1_f64(double x) { return expm1(x); }
static inline double fed__log_f64(double x) { return log(x); }
static inline double fed__log1p_f64(double x) { return log1p(x); }
static inline double fed__sigmoid_f64(double x) { return 1 / (1 + exp(-x)); }
static inline double fed__tanh_f64(double x) { return tanh(x); }
static inline double fed__erf_f64(double x) { return erf(x); }

#endif
