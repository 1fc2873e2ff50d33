/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_file.h: a CSV file whose first line names its columns, read row by row; all columns but
 * those declared are refused. Memory: one row.
 */
#ifndef FED_SIMULATE_TRACE_FILE_H
#define FED_SIMULATE_TRACE_FILE_H

#include "data/csv.h"
#include "job/settings.h"

#define FED__TRACE_COLUMNS_MAX 16

struct fed__trace_column {
  const char *name;
  double maximum; /* of a number, which is at least 0 */
  int required;
};

struct fed__trace_file {
  const char *path;
  const struct fed__trace_column *columns;
  size_t column_count;
  size_t place[FED__TRACE_COLUMNS_MAX]; /* by column: which field, from 1; 0: not in the file */
  size_t field_count;
  struct fed__source source;
  struct fed__text_reader text;
  struct fed__csv_reader csv;
  struct fed__number_locale numbers;
};

/* `path` and `columns` must outlive the file. Nothing to close after a failure. */
FED_MUST int fed__trace_file_open(const struct fed_context *context, const char *path,
                                  const struct fed__trace_column *columns, size_t column_count,
                                  struct fed__trace_file *file);
void fed__trace_file_close(struct fed__trace_file *file);

/* The next row; `*found` 0 at the end. */
FED_MUST int fed__trace_file_next(struct fed__trace_file *file, int *found);

/* Of the current row. NULL: there is no such column, or its field is empty. */
const char *fed__trace_file_text(const struct fed__trace_file *file, size_t column);
/* -1 where the text is NULL. */
FED_MUST int fed__trace_file_number(const struct fed__trace_file *file, size_t column,
                                    double *number);

/* Raise a failure about a column of the current row: "expected WHAT, found …". */
int fed__trace_file_raise(const struct fed__trace_file *file, size_t column, int code,
                          const char *expected);

#endif
