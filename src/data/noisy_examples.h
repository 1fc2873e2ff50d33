/* SPDX-License-Identifier: Apache-2.0
 *
 * noisy_examples.h: examples whose numbers have Gaussian noise, as from an instrument that is worse
 * than others: the same noise each time that a row is gathered, with a deviation of its own for
 * each row. Targets and whole numbers stay as they are.
 */
#ifndef FED_DATA_NOISY_EXAMPLES_H
#define FED_DATA_NOISY_EXAMPLES_H

#include "fed/examples.h"

/* Takes `plain` over; after a failure it is still the caller's. `deviations`, by row, must outlive
 * the examples. A row's noise follows from the seed, the row and the input. FED_E_INPUT if no input
 * is of numbers, FED_E_MEMORY. */
FED_MUST int fed__noisy_examples_new(const struct fed_context *context, struct fed_examples *plain,
                                     const float *deviations, uint64_t seed,
                                     struct fed_examples **examples);

#endif
