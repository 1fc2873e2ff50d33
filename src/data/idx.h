/* SPDX-License-Identifier: Apache-2.0
 *
 * idx.h: the IDX format of the MNIST files (http://yann.lecun.com/exdb/mnist/): two zero bytes,
 * a type, the rank, the extents as big-endian 32-bit numbers, the elements big-endian.
 */
#ifndef FED_DATA_IDX_H
#define FED_DATA_IDX_H

#include "data/data_array.h"

/* Read the array of an IDX file, plain or gzip. FED_E_SYNTAX for what is no IDX file,
 * FED_E_TRUNCATED, FED_E_TOO_LARGE, and the errors of the source. */
FED_MUST int fed__idx_read(const struct fed__array_place *place, struct fed__array *array);

/* Write the chosen rows of a byte array that lies in memory, in that order, as a plain IDX file. */
FED_MUST int fed__idx_write(const char *path, const struct fed__array *array, const uint32_t *rows,
                            size_t row_count);

#endif
