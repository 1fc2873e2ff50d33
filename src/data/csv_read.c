/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_read.c: a CSV file as a matrix of inputs and an array of targets, as a job declares it.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NO_FIELD SIZE_MAX

struct table {
  const struct fed_context *context;
  const struct fed__dataset_schema *schema;
  struct fed__csv_reader reader;
  struct fed__csv_place place;
  size_t *fields;           /* of each column: which field of a record, or NO_FIELD */
  size_t record_fields;     /* the fields that every record must have */
  float *row;               /* the inputs of one record */
  size_t width;             /* the number of them */
  size_t row_count;         /* examples so far */
  struct fed_buffer inputs; /* float each */
  struct fed_buffer target; /* int64_t or float each */
};

/* The input values that a column stands for. */
static size_t column_width(const struct fed__column_schema *column) {
  if (column->kind == FED__COLUMN_NUMBER) return 1;
  return column->kind == FED__COLUMN_CATEGORY ? fed__csv_slots(column) : 0;
}

size_t fed__csv_width(const struct fed__csv_schema *csv) {
  size_t width = 0;
  for (size_t i = 0; i < csv->column_count; i++) width += column_width(&csv->columns[i]);
  return width;
}

static int refuse_column(const struct fed__column_schema *column, const char *why) {
  return FED_RAISE(FED_E_INPUT, "the job's column '%s' %s", column->name, why);
}

static int check_numbers(const struct fed__column_schema *column) {
  if (!isfinite(column->mean) || !isfinite(column->missing_value) || !(column->std >= 0))
    return refuse_column(column, "needs a finite mean, stand-in and standard deviation");
  if (column->has_range && !(column->min <= column->max))
    return refuse_column(column, "has a range whose minimum is above its maximum");
  return FED_OK;
}

static int check_categories(const struct fed__column_schema *column) {
  const size_t slots = fed__csv_slots(column);
  if (column->kind == FED__COLUMN_CATEGORY && slots == 0)
    return refuse_column(column, "is a category but lists no values");
  if (column->kind == FED__COLUMN_NUMBER && slots)
    return refuse_column(column, "is a number but lists categories");
  if (slots > FED__CSV_VALUES_MAX) return refuse_column(column, "has too many categories");
  if (!slots || column->missing == FED__MISSING_REFUSE) return FED_OK;
  if (column->missing == FED__MISSING_MEAN)
    return refuse_column(column, "is a category: there is no mean to stand in for missing ones");
  if (!(column->missing_value >= 0 && column->missing_value < (double)slots))
    return refuse_column(column, "lets a slot stand in for missing ones that it does not have");
  return FED_OK;
}

static int check_target(const struct table *table, const struct fed__column_schema *column) {
  const struct fed__target_schema *target = &table->schema->target;
  if (column->missing != FED__MISSING_REFUSE)
    return refuse_column(column, "is the target: nothing can stand in for a missing one");
  if (target->kind == FED__TARGET_CLASS && target->classes == 0)
    return refuse_column(column, "is a class, but the job declares no classes");
  if (target->kind == FED__TARGET_NUMBER && column->category_count)
    return refuse_column(column, "lists categories, but the target is a number");
  if (target->kind == FED__TARGET_CLASS && fed__csv_slots(column) > target->classes)
    return refuse_column(column, "has more categories than the target has classes");
  return FED_OK;
}

static int check_columns(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema->csv;
  size_t targets = 0;
  table->width = fed__csv_width(csv);
  for (size_t i = 0; i < csv->column_count; i++) {
    const struct fed__column_schema *column = &csv->columns[i];
    FED_TRY(check_numbers(column));
    FED_TRY(check_categories(column));
    if (column->kind == FED__COLUMN_TARGET) FED_TRY(check_target(table, column));
    targets += column->kind == FED__COLUMN_TARGET;
    if (table->width > FED__CSV_VALUES_MAX) return refuse_column(column, "is one value too many");
  }
  if (targets != 1)
    return FED_RAISE(FED_E_INPUT, "expected one target column in the job, found %zu", targets);
  if (table->width == 0) return FED_RAISE(FED_E_INPUT, "the job declares no input columns");
  return FED_OK;
}

/* Which field has this name? */
static int find_field(const struct table *table, const char *name, size_t *field) {
  const struct fed__csv_reader *reader = &table->reader;
  *field = NO_FIELD;
  for (size_t i = 0; i < reader->field_count; i++) {
    if (strcmp(fed__csv_field(reader, i), name) != 0) continue;
    if (*field != NO_FIELD)
      return FED_RAISE(FED_E_DUPLICATE, "%s line %llu: the column '%s' is there twice",
                       reader->source->name, (unsigned long long)reader->record, name);
    *field = i;
  }
  return FED_OK;
}

static int match_header(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema->csv;
  const struct fed__csv_reader *reader = &table->reader;
  int found;
  FED_TRY(fed__csv_next(&table->reader, &found));
  if (!found)
    return FED_RAISE(FED_E_EMPTY, "%s: expected a header, found nothing", reader->source->name);
  table->record_fields = reader->field_count;
  for (size_t i = 0; i < csv->column_count; i++) {
    FED_TRY(find_field(table, csv->columns[i].name, &table->fields[i]));
    if (table->fields[i] == NO_FIELD && csv->columns[i].kind != FED__COLUMN_IGNORE)
      return FED_RAISE(FED_E_MISSING,
                       "%s line %llu: expected a column '%s' in the header, found %zu others, the "
                       "first being '%.40s'",
                       reader->source->name, (unsigned long long)reader->record,
                       csv->columns[i].name, reader->field_count, fed__csv_field(reader, 0));
  }
  return FED_OK;
}

static int match_columns(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema->csv;
  table->fields = fed__zalloc(table->context, csv->column_count, sizeof table->fields[0]);
  if (!table->fields) return FED_E_MEMORY;
  if (csv->has_header) return match_header(table);
  for (size_t i = 0; i < csv->column_count; i++) table->fields[i] = i;
  table->record_fields = csv->column_count;
  return FED_OK;
}

static int add_target(struct table *table, const char *text) {
  int64_t label;
  float number;
  if (table->schema->target.kind == FED__TARGET_CLASS) {
    FED_TRY(fed__csv_label(&table->place, text, &label));
    return fed_buffer_append(&table->target, &label, sizeof label);
  }
  FED_TRY(fed__csv_number(&table->place, text, &number));
  return fed_buffer_append(&table->target, &number, sizeof number);
}

static int use_field(struct table *table, const char *text, float *values) {
  const struct fed__column_schema *column = table->place.column;
  uint32_t slot;
  switch (column->kind) {
  case FED__COLUMN_NUMBER:
    return fed__csv_number(&table->place, text, values);
  case FED__COLUMN_CATEGORY:
    FED_TRY(fed__csv_category(&table->place, text, &slot));
    memset(values, 0, column_width(column) * sizeof values[0]);
    values[slot] = 1;
    return FED_OK;
  case FED__COLUMN_TARGET:
    return add_target(table, text);
  case FED__COLUMN_IGNORE:
    break;
  }
  return FED_OK;
}

static int add_record(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema->csv;
  const struct fed__csv_reader *reader = &table->reader;
  if (reader->field_count != table->record_fields)
    return FED_RAISE(FED_E_SHAPE, "%s line %llu: expected %zu fields%s, found %zu",
                     reader->source->name, (unsigned long long)reader->record, table->record_fields,
                     csv->has_header ? " as in the header" : "", reader->field_count);
  table->place.line = reader->record;
  size_t at = 0;
  for (size_t i = 0; i < csv->column_count; i++) {
    table->place.column = &csv->columns[i];
    if (table->fields[i] != NO_FIELD)
      FED_TRY(use_field(table, fed__csv_field(reader, table->fields[i]), table->row + at));
    at += column_width(&csv->columns[i]);
  }
  table->row_count++;
  return fed_buffer_append(&table->inputs, table->row, table->width * sizeof table->row[0]);
}

static int read_table(struct table *table) {
  int found = 1;
  FED_TRY(check_columns(table));
  FED_TRY(match_columns(table));
  table->row = fed__zalloc(table->context, table->width, sizeof table->row[0]);
  if (!table->row) return FED_E_MEMORY;
  for (;;) {
    FED_TRY(fed__csv_next(&table->reader, &found));
    if (!found) return FED_OK;
    FED_TRY(add_record(table));
  }
}

/* The arrays take over what was read. */
static void hand_over(struct table *table, struct fed__dataset_arrays *arrays) {
  struct fed__array *input = &arrays->inputs[0], *target = &arrays->target;
  const int is_class = table->schema->target.kind == FED__TARGET_CLASS;
  const int64_t rows = (int64_t)table->row_count;
  *input = (struct fed__array){.context = table->context,
                               .dtype = FED_F32,
                               .shape = {.rank = 2, .dims = {rows, (int64_t)table->width}},
                               .data = table->inputs.data};
  *target = (struct fed__array){.context = table->context,
                                .dtype = is_class ? FED_I64 : FED_F32,
                                .shape = {.rank = 1, .dims = {rows}},
                                .data = table->target.data};
  snprintf(input->name, sizeof input->name, "%s", table->place.file);
  snprintf(target->name, sizeof target->name, "%s", table->place.file);
  table->inputs.data = table->target.data = NULL;
}

static int read_source(struct table *table, struct fed__source *source,
                       struct fed__dataset_arrays *arrays) {
  FED_TRY(fed__csv_reader_init(&table->reader, source, table->schema->csv.delimiter));
  FED_TRY(read_table(table));
  hand_over(table, arrays);
  return FED_OK;
}

int fed__csv_read(const struct fed_context *context, const char *folder,
                  const struct fed__dataset_schema *schema, struct fed__dataset_arrays *arrays) {
  struct fed__source source;
  struct table table = {.context = context, .schema = schema};
  if (schema->input_count != 1)
    return FED_RAISE(FED_E_INPUT, "a csv dataset has one input of all columns, the job has %zu",
                     schema->input_count);
  FED_TRY(fed__source_open(context, folder, schema->inputs[0].file, &source));
  fed_buffer_init(&table.inputs, context, FED__DATA_BYTES_MAX);
  fed_buffer_init(&table.target, context, FED__DATA_BYTES_MAX);
  table.place = (struct fed__csv_place){
      .csv = &schema->csv, .file = source.name, .locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
  if (schema->target.kind == FED__TARGET_CLASS) table.place.classes = schema->target.classes;
  int code = table.place.locale ? read_source(&table, &source, arrays)
                                : FED_RAISE(FED_E_MEMORY, "out of memory for the C locale");
  if (table.place.locale) freelocale(table.place.locale);
  fed__csv_reader_clear(&table.reader);
  fed_buffer_clear(&table.inputs);
  fed_buffer_clear(&table.target);
  fed__free(context, table.fields);
  fed__free(context, table.row);
  fed__source_close(&source);
  return code;
}
