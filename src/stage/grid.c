/* SPDX-License-Identifier: Apache-2.0
 *
 * grid.c: the stage that rounds an update to whole multiples of grid_step, so that a sum over
 * clients is a sum of integers: exact, whatever the order. One pass over the elements.
 *
 * Rounding is to the nearest multiple, ties to the even one; an element moves by at most half a
 * step, the L2 norm of n elements by at most step / 2 * sqrt(n). What the integers cannot hold is
 * clamped to their ends and counted. The step is a power of two, so the division is exact.
 */
#include "base/raise.h"
#include "stage/stage.h"

#include <math.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "grids are little-endian");

#define BLOCK 512 /* elements that are rounded before they are written out, at any address */

#if defined(__clang__)
#define VECTORISED
#else
#define VECTORISED                                                                                 \
  __attribute__((optimize("O3", "no-trapping-math"))) /* as GCC does from there                    \
                                                       */
#endif

static int is_active(const struct fed__stage_settings *settings) {
  return settings->grid_bits != 0;
}

static int check_grid(const struct fed__stage_settings *settings) {
  const uint32_t bits = settings->grid_bits;
  const double step = settings->grid_step;
  int exponent;
  if (bits != 8 && bits != 16 && bits != 32)
    return FED_RAISE(FED_E_RANGE, "grid_bits: expected 8, 16 or 32, found %u", bits);
  if (!isfinite(step) || frexp(step, &exponent) != 0.5 || fabs(log2(step)) > 126)
    return FED_RAISE(FED_E_RANGE,
                     "grid_step: expected a power of two from 2^-126 to 2^126, found %g", step);
  return FED_OK;
}

size_t fed__stage_grid_bytes(const struct fed__stage_settings *settings, size_t element_count) {
  return element_count * (settings->grid_bits / 8);
}

static int raise_not_finite(const struct fed__update *update) {
  size_t i = 0;
  while (i + 1 < update->element_count && isfinite(update->values[i])) i++;
  return FED_RAISE(FED_E_NOT_FINITE,
                   "element %zu of the update: expected a finite number, found %g; the training "
                   "diverged: lower the learning rate or look at the data",
                   i, (double)update->values[i]);
}

/* What a block of elements came to. */
struct rounded {
  int is_finite;
  uint32_t clamped_count;
};

/* A loop without branches, calls or conversions, which compilers turn into vectors: once `shift`,
 * 1.5 * 2^52 or 1.5 * 2^23, has been added, the lowest bits of a double or a float are the number
 * rounded to a whole one, ties to the even one. 0 if an element does not fit or is not finite:
 * `out` is nothing then. `whole` is as wide as `real`. */
#define DEFINE_FITTING(name, bits, real, whole, shift, target)                                     \
  VECTORISED target static int name##_##bits(const float *restrict values, size_t count,           \
                                             double steps_per_unit, int##bits##_t *restrict out) { \
    const real low = (real)INT##bits##_MIN - (real)0.5, high = (real)INT##bits##_MAX + (real)0.5;  \
    const real factor = (real)steps_per_unit;                                                      \
    whole misfits = 0;                                                                             \
    for (size_t i = 0; i < count; i++) {                                                           \
      const real steps = (real)values[i] * factor, shifted = steps + (shift);                      \
      whole raw;                                                                                   \
      memcpy(&raw, &shifted, sizeof raw);                                                          \
      misfits |= !(steps >= low) | !(steps < high);                                                \
      out[i] = (int##bits##_t)raw;                                                                 \
    }                                                                                              \
    return !misfits;                                                                               \
  }

#define DEFINE_FITTING_GRIDS(name, target)                                                         \
  DEFINE_FITTING(name, 8, float, uint32_t, 0x1.8p23F, target)                                      \
  DEFINE_FITTING(name, 16, float, uint32_t, 0x1.8p23F, target)                                     \
  DEFINE_FITTING(name, 32, double, uint64_t, 0x1.8p52, target)                                     \
  static int name(uint32_t bits, const float *values, size_t count, double steps_per_unit,         \
                  void *out) {                                                                     \
    if (bits == 8) return name##_8(values, count, steps_per_unit, out);                            \
    if (bits == 16) return name##_16(values, count, steps_per_unit, out);                          \
    return name##_32(values, count, steps_per_unit, out);                                          \
  }

DEFINE_FITTING_GRIDS(fit_anywhere, )

#if defined(__x86_64__)
DEFINE_FITTING_GRIDS(fit_avx2, __attribute__((target("avx2"))))
DEFINE_FITTING_GRIDS(fit_avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))))

static int fit_block(uint32_t bits, const float *values, size_t count, double steps_per_unit,
                     void *out) {
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return fit_avx512(bits, values, count, steps_per_unit, out);
  return __builtin_cpu_supports("avx2") ? fit_avx2(bits, values, count, steps_per_unit, out)
                                        : fit_anywhere(bits, values, count, steps_per_unit, out);
}
#else
static int fit_block(uint32_t bits, const float *values, size_t count, double steps_per_unit,
                     void *out) {
  return fit_anywhere(bits, values, count, steps_per_unit, out);
}
#endif

/* A block with elements that do not fit. */
static struct rounded clamp_block(uint32_t bits, const float *values, size_t count,
                                  double steps_per_unit, void *out) {
  const double high = ldexp(1, (int)bits - 1) - 1, low = -high - 1;
  struct rounded rounded = {1, 0};
  for (size_t i = 0; i < count; i++) {
    const double whole = nearbyint((double)values[i] * steps_per_unit);
    if (!isfinite(values[i])) return (struct rounded){0, 0};
    const int32_t kept = (int32_t)(whole < low ? low : whole > high ? high : whole);
    rounded.clamped_count += kept != whole;
    if (bits == 8) ((int8_t *)out)[i] = (int8_t)kept;
    if (bits == 16) ((int16_t *)out)[i] = (int16_t)kept;
    if (bits == 32) ((int32_t *)out)[i] = kept;
  }
  return rounded;
}

/* `out` has room for BLOCK integers of any of the widths. */
static struct rounded round_block(const struct fed__stage_settings *settings, const float *values,
                                  size_t count, void *out) {
  const uint32_t bits = settings->grid_bits;
  const double steps_per_unit = 1 / settings->grid_step;
  if (fit_block(bits, values, count, steps_per_unit, out)) return (struct rounded){1, 0};
  return clamp_block(bits, values, count, steps_per_unit, out);
}

static int round_to_grid(const struct fed__stage_settings *settings, struct fed__update *update) {
  const size_t bytes = settings->grid_bits / 8;
  int32_t block[BLOCK];
  char *out = update->grid;
  const int is_aligned = (uintptr_t)out % bytes == 0;
  update->clamped_count = 0;
  for (size_t at = 0; at < update->element_count; at += BLOCK, out += BLOCK * bytes) {
    const size_t left = update->element_count - at, count = left < BLOCK ? left : BLOCK;
    const struct rounded rounded =
        round_block(settings, update->values + at, count, is_aligned ? (void *)out : block);
    if (!rounded.is_finite) return raise_not_finite(update);
    update->clamped_count += rounded.clamped_count;
    if (!is_aligned) memcpy(out, block, count * bytes);
  }
  return FED_OK;
}

static int32_t grid_integer(const char *at, uint32_t bits) {
  int16_t two;
  int32_t four;
  if (bits == 8) return *(const int8_t *)at;
  memcpy(&two, at, sizeof two);
  if (bits == 16) return two;
  memcpy(&four, at, sizeof four);
  return four;
}

void fed__stage_grid_values(const struct fed__stage_settings *settings, const void *grid,
                            size_t element_count, float *values) {
  const size_t bytes = settings->grid_bits / 8;
  for (size_t i = 0; i < element_count; i++)
    values[i] = (float)(grid_integer((const char *)grid + i * bytes, settings->grid_bits) *
                        settings->grid_step);
}

static int mean_of_sum(const struct fed__stage_settings *settings, const int64_t *sum,
                       uint64_t weight_sum, size_t element_count, float *mean) {
  const double step = settings->grid_step, weight = (double)weight_sum;
  for (size_t i = 0; i < element_count; i++) mean[i] = (float)((double)sum[i] * step / weight);
  return FED_OK;
}

const struct fed__stage_ops fed__stage_grid = {
    .name = "grid",
    .needs = FED__UPDATE_IS_DIFFERENCE,
    .gives = FED__UPDATE_ON_GRID,
    .active = is_active,
    .check = check_grid,
    .client = round_to_grid,
    .server = mean_of_sum,
};
