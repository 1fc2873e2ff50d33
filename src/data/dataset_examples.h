/* SPDX-License-Identifier: Apache-2.0
 *
 * dataset_examples.h: arrays of a data owner as examples.
 */
#ifndef FED_DATA_DATASET_EXAMPLES_H
#define FED_DATA_DATASET_EXAMPLES_H

#include "data/data_array.h"
#include "data/dataset.h"

/* Arrays as the reader of a format delivers them: those of the inputs, then that of the target. */
struct fed__dataset_arrays {
  struct fed__array inputs[FED_INPUTS_MAX];
  struct fed__array target;
};

void fed__dataset_arrays_clear(struct fed__dataset_arrays *arrays);

/* Check arrays against the schema and make examples of them, which take them over; after a
 * failure they are still the caller's. */
FED_MUST int fed__dataset_examples_new(const struct fed_context *context,
                                       const struct fed__dataset_schema *schema,
                                       struct fed__dataset_arrays *arrays,
                                       struct fed_examples **examples);

#endif
