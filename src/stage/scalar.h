/* SPDX-License-Identifier: Apache-2.0
 *
 * scalar.h: a number that travels with an update, behind its elements: cut into digits that fit
 * grid integers, so that it adds up exactly, in any order, like everything else in the sum.
 *
 * From 0 to below 2^16, in steps of 2^-16: 32 bits, in digits of grid_bits - 1 bits, the lowest
 * first.
 */
#ifndef FED_STAGE_SCALAR_H
#define FED_STAGE_SCALAR_H

#include "fed/error.h"

#include <stddef.h>
#include <stdint.h>

/* Grid integers that one takes: 5, 3 or 2. */
size_t fed__scalar_digits(uint32_t grid_bits);

/* FED_E_RANGE. `grid`: where the digits go, of any alignment. */
FED_MUST int fed__scalar_put(double scalar, uint32_t grid_bits, void *grid);

/* The weighted mean from the weighted sums of the digits. */
double fed__scalar_mean(const int64_t *digit_sums, uint32_t grid_bits, uint64_t weight_sum);

#endif
