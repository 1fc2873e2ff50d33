/* SPDX-License-Identifier: Apache-2.0
 *
 * data_array.h: an array as a file holds it: in the file's element type (a byte a pixel stays a
 * byte), row after row. All formats of arrays are read into such arrays. A small one lies in
 * memory; of a large one in a plain file elements are read when they are wanted: the system's page
 * cache keeps what is used often, and gives it back when memory is short.
 *
 * Threads: many may read an array's elements at once.
 */
#ifndef FED_DATA_DATA_ARRAY_H
#define FED_DATA_DATA_ARRAY_H

#include "data/data_source.h"
#include "fed/tensor.h"

enum fed__byte_order { FED__LITTLE_ENDIAN, FED__BIG_ENDIAN };

/* Where an array is. */
struct fed__array_place {
  const struct fed_context *context;
  const char *folder, *file; /* file: below the folder */
  const char *array;         /* its name in the file, if the format has names */
  uint64_t memory_max;       /* an array of more bytes in a plain file stays there */
};

struct fed__array {
  const struct fed_context *context;
  char name[256]; /* for messages: the file, and the array's name if it has one */
  enum fed_dtype dtype;
  struct fed_shape shape; /* the first extent counts the examples */
  void *data;             /* in this machine's byte order; NULL: in the file, or nothing */
  struct fed__array_file *file;
};

/* Take all the rest of the source (context, name, dtype and shape of the array are set): its
 * elements, or the file itself. FED_E_TOO_LARGE for a packed one beyond FED__DATA_BYTES_MAX;
 * FED_E_TRUNCATED; FED_E_INPUT if bytes are left; FED_E_CORRUPT. */
FED_MUST int fed__array_load(struct fed__array *array, struct fed__source *source,
                             enum fed__byte_order order, uint64_t memory_max);

void fed__array_clear(struct fed__array *array);

/* The rows, and the elements of one row. Rank 0 is one row of one element. */
size_t fed__array_rows(const struct fed__array *array);
size_t fed__array_row_elements(const struct fed__array *array);
uint64_t fed__array_bytes(const struct fed__array *array);

/* Whether the element type can be read as numbers (not F16, BF16); as integers. */
int fed__array_is_numeric(const struct fed__array *array);
int fed__array_is_integer(const struct fed__array *array);

/* The row is wanted soon: have the processor fetch it while something else is done. */
void fed__array_fetch(const struct fed__array *array, size_t row);

/* count elements from `first` on, as float32: value * scale + offset; as int64 (integers only).
 * They fail for an array in a file only: FED_E_IO; FED_E_TRUNCATED if it became shorter. */
FED_MUST int fed__array_floats(const struct fed__array *array, size_t first, size_t count,
                               float scale, float offset, float *out);
FED_MUST int fed__array_integers(const struct fed__array *array, size_t first, size_t count,
                                 int64_t *out);

#endif
