/* SPDX-License-Identifier: Apache-2.0
 *
 * data_array.h: an array as a file holds it: in the file's element type (a byte a pixel stays a
 * byte), row after row, in this machine's byte order. All formats are read into such arrays.
 */
#ifndef FED_DATA_DATA_ARRAY_H
#define FED_DATA_DATA_ARRAY_H

#include "data/data_source.h"
#include "fed/tensor.h"

struct fed__array {
  const struct fed_context *context;
  char name[256]; /* for messages: the file, and the array's name if it has one */
  enum fed_dtype dtype;
  struct fed_shape shape; /* the first extent counts the examples */
  void *data;             /* owned; NULL in an array that holds nothing */
};

enum fed__byte_order { FED__LITTLE_ENDIAN, FED__BIG_ENDIAN };

/* Fill `array` (context, name, dtype and shape are set) with all the rest of the source.
 * FED_E_TOO_LARGE beyond FED__DATA_BYTES_MAX; FED_E_TRUNCATED; FED_E_INPUT if bytes are left. */
FED_MUST int fed__array_load(struct fed__array *array, struct fed__source *source,
                             enum fed__byte_order order);

void fed__array_clear(struct fed__array *array);

/* The rows, and the elements of one row. Rank 0 is one row of one element. */
size_t fed__array_rows(const struct fed__array *array);
size_t fed__array_row_elements(const struct fed__array *array);

/* Whether the element type can be read as numbers (not F16, BF16); as integers. */
int fed__array_is_numeric(const struct fed__array *array);
int fed__array_is_integer(const struct fed__array *array);

/* count elements from `first` on, as float32: value * scale + offset; as int64 (integers only). */
void fed__array_floats(const struct fed__array *array, size_t first, size_t count, float scale,
                       float offset, float *out);
void fed__array_integers(const struct fed__array *array, size_t first, size_t count, int64_t *out);

#endif
