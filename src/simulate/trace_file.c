/* SPDX-License-Identifier: Apache-2.0
 *
 * trace_file.c: columns by name, and fields as numbers.
 */
#include "simulate/trace_file.h"
#include "base/file.h"
#include "base/nearest.h"
#include "base/raise.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the first line ------------------------------------------------------------------------- */

static unsigned long long line_of(const struct fed__trace_file *file) {
  return (unsigned long long)file->csv.record;
}

static int raise_unknown(const struct fed__trace_file *file, const char *name, size_t field) {
  const char *names[FED__TRACE_COLUMNS_MAX];
  char quoted[FED__YAML_QUOTE_SIZE];
  for (size_t i = 0; i < file->column_count; i++) names[i] = file->columns[i].name;
  const char *nearest = fed__nearest_name(name, names, file->column_count);
  fed__yaml_quote(name, quoted);
  if (nearest)
    return FED_RAISE(FED_E_INPUT, "%s line %llu, column %zu: %s is not known: did you mean '%s'?",
                     file->path, line_of(file), field, quoted, nearest);
  return FED_RAISE(FED_E_INPUT, "%s line %llu, column %zu: %s is not known; '%s' is, for example",
                   file->path, line_of(file), field, quoted, names[0]);
}

static int place_column(struct fed__trace_file *file, size_t field) {
  const char *name = fed__csv_field(&file->csv, field - 1);
  for (size_t i = 0; i < file->column_count; i++) {
    if (strcmp(name, file->columns[i].name) != 0) continue;
    if (file->place[i])
      return FED_RAISE(FED_E_DUPLICATE, "%s line %llu, column %zu: '%s' is column %zu already",
                       file->path, line_of(file), field, name, file->place[i]);
    file->place[i] = field;
    return FED_OK;
  }
  return raise_unknown(file, name, field);
}

static int read_header(struct fed__trace_file *file) {
  int found;
  FED_TRY(fed__csv_next(&file->csv, &found));
  if (!found)
    return FED_RAISE(FED_E_EMPTY, "'%s' is empty: expected a line with the columns' names",
                     file->path);
  file->field_count = file->csv.field_count;
  for (size_t field = 1; field <= file->field_count; field++) FED_TRY(place_column(file, field));
  for (size_t i = 0; i < file->column_count; i++)
    if (file->columns[i].required && !file->place[i])
      return FED_RAISE(FED_E_MISSING, "%s line %llu: the column '%s' is missing", file->path,
                       line_of(file), file->columns[i].name);
  return FED_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

int fed__trace_file_next(struct fed__trace_file *file, int *found) {
  FED_TRY(fed__csv_next(&file->csv, found));
  if (*found && file->csv.field_count != file->field_count)
    return FED_RAISE(FED_E_INPUT, "%s line %llu: expected %zu fields, found %zu", file->path,
                     line_of(file), file->field_count, file->csv.field_count);
  return FED_OK;
}

const char *fed__trace_file_text(const struct fed__trace_file *file, size_t column) {
  const size_t field = file->place[column];
  const char *text = field ? fed__csv_field(&file->csv, field - 1) : "";
  return *text ? text : NULL;
}

int fed__trace_file_raise(const struct fed__trace_file *file, size_t column, int code,
                          const char *expected) {
  char quoted[FED__YAML_QUOTE_SIZE];
  const char *text = fed__trace_file_text(file, column);
  return FED_RAISE(code, "%s line %llu, column '%s': expected %s, found %s", file->path,
                   line_of(file), file->columns[column].name, expected,
                   text ? fed__yaml_quote(text, quoted) : "nothing");
}

/* Digits, a point, an exponent; strtod also takes "nan", "inf" and hexadecimal. */
static int parse(const char *text, double *number) {
  char *end;
  if (strspn(text, "+-.eE0123456789") != strlen(text)) return 0;
  *number = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*number);
}

int fed__trace_file_number(const struct fed__trace_file *file, size_t column, double *number) {
  const double maximum = file->columns[column].maximum;
  const char *text = fed__trace_file_text(file, column);
  char expected[64];
  *number = -1;
  if (!text) return FED_OK;
  snprintf(expected, sizeof expected, "a number from 0 to %.15g", maximum);
  if (!parse(text, number)) return fed__trace_file_raise(file, column, FED_E_TYPE, expected);
  if (*number < 0 || *number > maximum)
    return fed__trace_file_raise(file, column, FED_E_RANGE, expected);
  *number += 0.0; /* -0 is 0 */
  return FED_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The file may lie anywhere, and be a link: whoever simulates names it. */
static int open_source(const struct fed_context *context, const char *path,
                       struct fed__source *source) {
  char real[PATH_MAX];
  if (!realpath(path, real))
    return FED_RAISE(errno == EACCES ? FED_E_PERMISSION : FED_E_NOT_FOUND, "cannot find '%s': %s",
                     path, strerror(errno));
  char *slash = strrchr(real, '/');
  *slash = '\0';
  FED_TRY(fed__source_open(context, slash == real ? "/" : real, slash + 1, source));
  snprintf(source->name, sizeof source->name, "%s", path);
  return FED_OK;
}

static int open_reader(struct fed__trace_file *file) {
  int code = fed__text_reader_init(&file->text, &file->source);
  if (code == FED_OK) code = fed__csv_reader_init(&file->csv, &file->text, ',');
  if (code == FED_OK) code = read_header(file);
  if (code == FED_OK) code = fed__number_locale_begin(&file->numbers);
  if (code == FED_OK) return FED_OK;
  fed__csv_reader_clear(&file->csv);
  fed__text_reader_clear(&file->text);
  return code;
}

int fed__trace_file_open(const struct fed_context *context, const char *path,
                         const struct fed__trace_column *columns, size_t column_count,
                         struct fed__trace_file *file) {
  *file = (struct fed__trace_file){.path = path, .columns = columns, .column_count = column_count};
  FED_REQUIRE(column_count <= FED__TRACE_COLUMNS_MAX);
  FED_TRY(open_source(context, path, &file->source));
  const int code = open_reader(file);
  if (code != FED_OK) fed__source_close(&file->source);
  return code;
}

void fed__trace_file_close(struct fed__trace_file *file) {
  fed__number_locale_end(&file->numbers);
  fed__csv_reader_clear(&file->csv);
  fed__text_reader_clear(&file->text);
  fed__source_close(&file->source);
}
