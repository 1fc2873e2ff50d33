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

/* Read an array of a format that has arrays. */
FED_MUST int fed__dataset_read_array(enum fed__data_format format,
                                     const struct fed__array_place *place,
                                     struct fed__array *array);

/* Check arrays against the schema (one pass over labels, indices and floats) and make examples of
 * them, which take them over; after a failure they are still the caller's. */
FED_MUST int fed__dataset_examples_new(const struct fed_context *context,
                                       const struct fed__dataset_schema *schema,
                                       struct fed__dataset_arrays *arrays,
                                       struct fed_examples **examples);

/* `declared` if it has as many elements as `found` (rank 0: any), else FED_E_SHAPE. */
FED_MUST int fed__dataset_agree_shape(const char *name, const struct fed_shape *found,
                                      const struct fed_shape *declared, struct fed_shape *shape);

/* FED_E_RANGE unless scale and offset keep every integer finite in float32. */
FED_MUST int fed__dataset_check_scale(const char *name, const struct fed__input_schema *schema);

/* FED_E_RANGE for rows[0..count) that are not there. */
FED_MUST int fed__dataset_check_rows(const struct fed_examples *examples, const uint32_t *rows,
                                     size_t count);

/* FED_E_EMPTY, FED_E_TOO_LARGE for a number of examples that cannot be. */
FED_MUST int fed__dataset_check_count(const char *name, uint64_t count);

#endif
