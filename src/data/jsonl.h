/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonl.h: text files with a JSON object (RFC 8259) on each line, whose fields the job names. Blank
 * lines are passed over; a line has at most 8 MiB; a name must not stand twice in an object.
 */
#ifndef FED_DATA_JSONL_H
#define FED_DATA_JSONL_H

#include "data/dataset.h"
#include "data/records.h"
#include "data/vocabulary.h"

#include <jansson.h>

#define FED__JSONL_LINE_BYTES_MAX ((size_t)8 << 20)

/* Open the first input's file; all inputs and the target are fields of its objects. `*records` is
 * the caller's to free. */
FED_MUST int fed__jsonl_open(const struct fed_context *context, const char *folder,
                             const struct fed__dataset_schema *schema,
                             struct fed__records **records);

/* Where a value stands, for messages, and the value. */
struct fed__json_place {
  const char *file;
  uint64_t line;
  const char *field;
  const json_t *value; /* NULL: there is no such field */
};

/* "a text", "no such field" …: what a value is, for messages. */
const char *fed__json_describe(const json_t *value);

/* Exactly `count` numbers, the value itself or all in a list and its lists, as value * scale +
 * offset. FED_E_TYPE, FED_E_SHAPE, FED_E_NOT_FINITE. */
FED_MUST int fed__json_numbers(const struct fed__json_place *place, double scale, double offset,
                               size_t count, float *out);

/* An integer, or a list of integers, in [0, limit): appended, int64_t each. FED_E_TYPE, FED_E_RANGE
 */
FED_MUST int fed__json_indices(const struct fed__json_place *place, uint32_t limit,
                               struct fed_buffer *out);

/* A text, or texts of a list with a line feed between two: appended. FED_E_TYPE */
FED_MUST int fed__json_text(const struct fed__json_place *place, struct fed_buffer *out);

/* A text that is not empty, a whole number, true or false, as a text with a zero byte: appended. */
FED_MUST int fed__json_key(const struct fed__json_place *place, struct fed_buffer *out);

/* A class: one of the names if there are names, else an integer in [0, classes). */
FED_MUST int fed__json_label(const struct fed__json_place *place,
                             const struct fed__target_schema *target, int64_t *label);

#endif
