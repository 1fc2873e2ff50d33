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

static double limit(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

static void write_integer(uint8_t *out, int64_t value, uint32_t bits) {
  for (uint32_t shift = 0; shift < bits; shift += 8) *out++ = (uint8_t)((uint64_t)value >> shift);
}

static int raise_not_finite(size_t index, float value) {
  return FED_RAISE(FED_E_NOT_FINITE,
                   "element %zu of the update: expected a finite number, found %g; the training "
                   "diverged: lower the learning rate or look at the data",
                   index, (double)value);
}

static int round_to_grid(const struct fed__stage_settings *settings, struct fed__update *update) {
  const uint32_t bits = settings->grid_bits;
  const int64_t high = ((int64_t)1 << (bits - 1)) - 1, low = -high - 1;
  const double steps_per_unit = 1 / settings->grid_step;
  uint8_t *out = update->grid;
  update->clamped_count = 0;
  for (size_t i = 0; i < update->element_count; i++, out += bits / 8) {
    const double steps = (double)update->values[i] * steps_per_unit;
    if (!isfinite(steps)) return raise_not_finite(i, update->values[i]);
    int64_t rounded = lrint(limit(steps, (double)low - 1, (double)high + 1));
    if (rounded < low || rounded > high) {
      update->clamped_count++;
      rounded = rounded < low ? low : high;
    }
    write_integer(out, rounded, bits);
  }
  return FED_OK;
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
