/* SPDX-License-Identifier: Apache-2.0
 *
 * csv.h: records of a CSV file (RFC 4180), and the conversion of typed columns to numbers.
 *
 * Accepted beyond the RFC: another delimiter, LF as a line end, a UTF-8 byte order mark; blank
 * lines are skipped and blanks around fields without quotes do not count. Refused: a quote within
 * a field without quotes, text behind a closing quote, a bare CR, a zero byte.
 */
#ifndef FED_DATA_CSV_H
#define FED_DATA_CSV_H

#include "data/dataset.h"
#include "data/records.h"

#include <locale.h>

#define FED__CSV_RECORD_BYTES_MAX ((size_t)1 << 20)
#define FED__CSV_FIELDS_MAX ((size_t)16384)
#define FED__CSV_VALUES_MAX ((size_t)65536) /* input values of one example */

struct fed__csv_reader {
  struct fed__text_reader *text;
  char delimiter;
  uint64_t record;          /* the line on which the current record starts */
  struct fed_buffer fields; /* of the current record, each with a zero byte */
  struct fed_buffer starts; /* size_t each: where a field starts in `fields` */
  size_t field_count;
};

/* The text must outlive the reader. Clear the reader also after a failure. */
FED_MUST int fed__csv_reader_init(struct fed__csv_reader *reader, struct fed__text_reader *text,
                                  char delimiter);
void fed__csv_reader_clear(struct fed__csv_reader *reader);

/* Read the next record; `*found` 0 at the end. The fields are valid until the next call.
 * FED_E_SYNTAX, FED_E_TRUNCATED, FED_E_TOO_LARGE name file and line. */
FED_MUST int fed__csv_next(struct fed__csv_reader *reader, int *found);
const char *fed__csv_field(const struct fed__csv_reader *reader, size_t at);

/* What one field becomes. */
struct fed__csv_place {
  const struct fed__csv_schema *csv;
  const struct fed__column_schema *column;
  const char *file;
  uint64_t line;
  uint32_t classes; /* of the target; 0: it is a number */
  locale_t locale;  /* C, whatever the program's locale is */
};

/* A column's slots, counting the one for other categories; 0 if it has no categories. */
size_t fed__csv_slots(const struct fed__column_schema *column);

/* The value of a number column; the slot of a category column; the class of a target.
 * FED_E_TYPE, FED_E_RANGE, FED_E_MISSING, FED_E_NOT_FINITE say what was expected. */
FED_MUST int fed__csv_number(const struct fed__csv_place *place, const char *text, float *value);
FED_MUST int fed__csv_category(const struct fed__csv_place *place, const char *text,
                               uint32_t *slot);
FED_MUST int fed__csv_label(const struct fed__csv_place *place, const char *text, int64_t *label);

/* Open a CSV dataset's file: one float32 input of all columns side by side. `*records` is the
 * caller's to free. */
FED_MUST int fed__csv_open(const struct fed_context *context, const char *folder,
                           const struct fed__dataset_schema *schema, struct fed__records **records);

#endif
