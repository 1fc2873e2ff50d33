/* SPDX-License-Identifier: Apache-2.0
 *
 * scalar.c: a number as digits, and the mean of many from the sums of theirs.
 */
#include "stage/scalar.h"
#include "base/raise.h"

#include <math.h>
#include <string.h>

#define SCALAR_BITS 32

size_t fed__scalar_digits(uint32_t grid_bits) {
  return (SCALAR_BITS + grid_bits - 2) / (grid_bits - 1);
}

int fed__scalar_put(double scalar, uint32_t grid_bits, void *grid) {
  const double steps = scalar * 0x1p16;
  if (!(steps >= 0 && steps < 0x1p32 - 0.5))
    return FED_RAISE(FED_E_RANGE, "a number of %g beside the update, expected 0 to below 65536",
                     scalar);
  uint64_t left = (uint64_t)llrint(steps);
  char *out = grid;
  for (size_t i = 0; i < fed__scalar_digits(grid_bits); i++) {
    const int32_t digit = (int32_t)(left & (((uint64_t)1 << (grid_bits - 1)) - 1));
    memcpy(out + i * (grid_bits / 8), &digit, grid_bits / 8); /* little-endian */
    left >>= grid_bits - 1;
  }
  return FED_OK;
}

double fed__scalar_mean(const int64_t *digit_sums, uint32_t grid_bits, uint64_t weight_sum) {
  double sum = 0;
  for (size_t i = fed__scalar_digits(grid_bits); i-- > 0;)
    sum = ldexp(sum, (int)grid_bits - 1) + (double)digit_sums[i];
  return sum * 0x1p-16 / (double)weight_sum;
}
