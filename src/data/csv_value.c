/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_value.c: what a field of a typed column means. A number is decimal digits with an optional
 * sign, point and exponent, in any locale; nan, inf and hexadecimal are none.
 */
#include "base/raise.h"
#include "data/csv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *text) {
  while (*text >= '0' && *text <= '9') text++;
  return text;
}

static int is_number(const char *text) {
  text += *text == '+' || *text == '-';
  const char *whole = skip_digits(text), *end = whole;
  size_t digits = (size_t)(whole - text);
  if (*whole == '.') {
    end = skip_digits(whole + 1);
    digits += (size_t)(end - whole) - 1;
  }
  if (!digits) return 0;
  if (*end == 'e' || *end == 'E') {
    end += end[1] == '+' || end[1] == '-' ? 2 : 1;
    if (skip_digits(end) == end) return 0;
    end = skip_digits(end);
  }
  return *end == '\0';
}

static int is_missing(const struct fed__csv_schema *csv, const char *text) {
  for (size_t i = 0; i < csv->missing_marker_count; i++)
    if (strcmp(csv->missing_markers[i], text) == 0) return 1;
  return 0;
}

size_t fed__csv_slots(const struct fed__column_schema *column) {
  size_t slots = 0;
  for (size_t i = 0; i < column->category_count; i++)
    if (column->categories[i].slot >= slots) slots = (size_t)column->categories[i].slot + 1;
  return slots ? slots + (column->has_other != 0) : 0;
}

struct words {
  char text[400];
  size_t size;
};

static void add_words(struct words *words, const char *format, ...) FED_PRINTF(2, 3);

/* Words that do not fit are left out: it is for a message. */
static void add_words(struct words *words, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = sizeof words->text - words->size;
  int length = vsnprintf(words->text + words->size, room, format, arguments);
  va_end(arguments);
  if (length >= 0 && (size_t)length < room) words->size += (size_t)length;
  words->text[words->size] = '\0';
}

static void add_expected_value(struct words *words, const struct fed__csv_place *place) {
  const struct fed__column_schema *column = place->column;
  if (column->category_count) {
    add_words(words, "one of");
    for (size_t i = 0; i < column->category_count; i++)
      add_words(words, "%s '%s'", i ? "," : "", column->categories[i].text);
  } else if (column->kind == FED__COLUMN_TARGET && place->classes) {
    add_words(words, "a class from 0 to %u", place->classes - 1);
  } else {
    add_words(words, "a number");
    if (column->has_range) add_words(words, " between %g and %g", column->min, column->max);
  }
}

static void add_expected(struct words *words, const struct fed__csv_place *place) {
  add_expected_value(words, place);
  if (place->column->missing == FED__MISSING_REFUSE || !place->csv->missing_marker_count) return;
  add_words(words, " or missing (");
  for (size_t i = 0; i < place->csv->missing_marker_count; i++)
    add_words(words, "%s'%s'", i ? ", " : "", place->csv->missing_markers[i]);
  add_words(words, ")");
}

static int refuse(const struct fed__csv_place *place, int code, const char *text) {
  struct words expected = {.size = 0};
  char found[48];
  add_expected(&expected, place);
  snprintf(found, sizeof found, "%s", text);
  for (char *c = found; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '.';
  return FED_RAISE(code, "%s line %llu, column '%s': expected %s, found '%s'%s", place->file,
                   (unsigned long long)place->line, place->column->name, expected.text, found,
                   is_missing(place->csv, text) ? " (missing)" : "");
}

/* A number as it stands in the file. */
static int parse_number(const struct fed__csv_place *place, const char *text, double *number) {
  const struct fed__column_schema *column = place->column;
  if (!is_number(text)) return refuse(place, FED_E_TYPE, text);
  *number = strtod_l(text, NULL, place->locale);
  if (!isfinite(*number)) return refuse(place, FED_E_NOT_FINITE, text);
  if (column->has_range && !(*number >= column->min && *number <= column->max))
    return refuse(place, FED_E_RANGE, text);
  return FED_OK;
}

int fed__csv_number(const struct fed__csv_place *place, const char *text, float *value) {
  const struct fed__column_schema *column = place->column;
  double number = 0;
  if (!is_missing(place->csv, text))
    FED_TRY(parse_number(place, text, &number));
  else if (column->missing == FED__MISSING_REFUSE)
    return refuse(place, FED_E_MISSING, text);
  else
    number = column->missing == FED__MISSING_MEAN ? column->mean : column->missing_value;
  if (column->std > 0) number = (number - column->mean) / column->std;
  *value = (float)number;
  return isfinite(*value) ? FED_OK : refuse(place, FED_E_NOT_FINITE, text);
}

int fed__csv_category(const struct fed__csv_place *place, const char *text, uint32_t *slot) {
  const struct fed__column_schema *column = place->column;
  for (size_t i = 0; i < column->category_count; i++)
    if (strcmp(column->categories[i].text, text) == 0) {
      *slot = column->categories[i].slot;
      return FED_OK;
    }
  if (is_missing(place->csv, text)) {
    *slot = (uint32_t)column->missing_value;
    return column->missing == FED__MISSING_VALUE ? FED_OK : refuse(place, FED_E_MISSING, text);
  }
  *slot = (uint32_t)fed__csv_slots(column) - 1;
  return column->has_other ? FED_OK : refuse(place, FED_E_RANGE, text);
}

int fed__csv_label(const struct fed__csv_place *place, const char *text, int64_t *label) {
  double number = 0;
  uint32_t slot;
  if (place->column->category_count) {
    FED_TRY(fed__csv_category(place, text, &slot));
    *label = slot;
    return FED_OK;
  }
  if (is_missing(place->csv, text)) return refuse(place, FED_E_MISSING, text);
  FED_TRY(parse_number(place, text, &number));
  if (!(number >= 0 && number < place->classes)) return refuse(place, FED_E_RANGE, text);
  if (number != floor(number)) return refuse(place, FED_E_TYPE, text);
  *label = (int64_t)number;
  return FED_OK;
}
