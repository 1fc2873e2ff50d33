/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_read.c: the records of a CSV file as examples of one input and a target, as a job declares
 * it.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/csv.h"
#include "data/dataset_examples.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NO_FIELD SIZE_MAX

struct table {
  struct fed__records records;
  struct fed__dataset_schema schema;
  struct fed__csv_reader reader;
  struct fed__csv_place place;
  size_t *fields;       /* of each column: which field of a record, or NO_FIELD */
  size_t record_fields; /* the fields that every record must have */
  float *row;           /* the inputs of the record read last */
  size_t width;         /* the number of them */
  int64_t label;        /* its target: */
  float number;
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
  const struct fed__target_schema *target = &table->schema.target;
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
  const struct fed__csv_schema *csv = &table->schema.csv;
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
                       reader->text->source->name, (unsigned long long)reader->record, name);
    *field = i;
  }
  return FED_OK;
}

static int match_header(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema.csv;
  const struct fed__csv_reader *reader = &table->reader;
  int found;
  FED_TRY(fed__csv_next(&table->reader, &found));
  if (!found)
    return FED_RAISE(FED_E_EMPTY, "%s: expected a header, found nothing",
                     reader->text->source->name);
  table->record_fields = reader->field_count;
  for (size_t i = 0; i < csv->column_count; i++) {
    FED_TRY(find_field(table, csv->columns[i].name, &table->fields[i]));
    if (table->fields[i] == NO_FIELD && csv->columns[i].kind != FED__COLUMN_IGNORE)
      return FED_RAISE(FED_E_MISSING,
                       "%s line %llu: expected a column '%s' in the header, found %zu others, the "
                       "first being '%.40s'",
                       reader->text->source->name, (unsigned long long)reader->record,
                       csv->columns[i].name, reader->field_count, fed__csv_field(reader, 0));
  }
  return FED_OK;
}

static int match_columns(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema.csv;
  table->fields = fed__zalloc(table->records.context, csv->column_count, sizeof table->fields[0]);
  if (!table->fields) return FED_E_MEMORY;
  if (csv->has_header) return match_header(table);
  for (size_t i = 0; i < csv->column_count; i++) table->fields[i] = i;
  table->record_fields = csv->column_count;
  return FED_OK;
}

static int use_target(struct table *table, const char *text) {
  if (table->schema.target.kind == FED__TARGET_CLASS)
    return fed__csv_label(&table->place, text, &table->label);
  return fed__csv_number(&table->place, text, &table->number);
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
    return use_target(table, text);
  case FED__COLUMN_IGNORE:
    break;
  }
  return FED_OK;
}

static int use_record(struct table *table) {
  const struct fed__csv_schema *csv = &table->schema.csv;
  const struct fed__csv_reader *reader = &table->reader;
  if (reader->field_count != table->record_fields)
    return FED_RAISE(FED_E_SHAPE, "%s line %llu: expected %zu fields%s, found %zu",
                     reader->text->source->name, (unsigned long long)reader->record,
                     table->record_fields, csv->has_header ? " as in the header" : "",
                     reader->field_count);
  table->place.line = reader->record;
  size_t at = 0;
  for (size_t i = 0; i < csv->column_count; i++) {
    table->place.column = &csv->columns[i];
    if (table->fields[i] != NO_FIELD)
      FED_TRY(use_field(table, fed__csv_field(reader, table->fields[i]), table->row + at));
    at += column_width(&csv->columns[i]);
  }
  return FED_OK;
}

static int next(struct fed__records *records, size_t *count, int *found) {
  struct table *table = (struct table *)records;
  FED_TRY(fed__csv_next(&table->reader, found));
  *count = *found != 0;
  return *found ? use_record(table) : FED_OK;
}

static void get(const struct fed__records *records, size_t at,
                const struct fed__record_slots *slots) {
  const struct table *table = (const struct table *)records;
  const int is_class = table->schema.target.kind == FED__TARGET_CLASS;
  (void)at; /* a record is one example */
  if (slots->inputs[0]) memcpy(slots->inputs[0], table->row, table->width * sizeof(float));
  if (!slots->target) return;
  if (is_class) memcpy(slots->target, &table->label, sizeof table->label);
  if (!is_class) memcpy(slots->target, &table->number, sizeof table->number);
}

static void free_table(struct fed__records *records) {
  struct table *table = (struct table *)records;
  const struct fed_context *context = records->context;
  if (table->place.locale) freelocale(table->place.locale);
  fed__csv_reader_clear(&table->reader);
  fed__text_reader_clear(&records->text);
  fed__source_close(&records->source);
  fed__free(context, records->spec.inputs[0].name);
  fed__free(context, table->fields);
  fed__free(context, table->row);
  fed__free(context, table);
}

static int make_spec(struct table *table, const struct fed__input_schema *input) {
  struct fed_example_spec *spec = &table->records.spec;
  const struct fed_shape found = {1, {(int64_t)table->width}}, one = {1, {1}};
  const struct fed__target_schema *target = &table->schema.target;
  spec->input_count = 1;
  spec->inputs[0].dtype = FED_F32;
  spec->target.dtype = target->kind == FED__TARGET_CLASS ? FED_I64 : FED_F32;
  FED_TRY(fed__dataset_agree_shape(input->file, &found, &input->shape, &spec->inputs[0].shape));
  if (target->kind == FED__TARGET_NUMBER && target->shape.rank)
    FED_TRY(fed__dataset_agree_shape(input->file, &one, &target->shape, &spec->target.shape));
  if (input->name && !(spec->inputs[0].name = fed__copy_text(table->records.context, input->name)))
    return FED_E_MEMORY;
  return FED_OK;
}

static int open_table(struct table *table) {
  struct fed__records *records = &table->records;
  const struct fed__dataset_schema *schema = &table->schema;
  table->place = (struct fed__csv_place){.csv = &schema->csv,
                                         .file = records->source.name,
                                         .locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
  if (!table->place.locale) return FED_RAISE(FED_E_MEMORY, "out of memory for the C locale");
  if (schema->target.kind == FED__TARGET_CLASS) table->place.classes = schema->target.classes;
  FED_TRY(fed__text_reader_init(&records->text, &records->source));
  FED_TRY(fed__csv_reader_init(&table->reader, &records->text, schema->csv.delimiter));
  FED_TRY(check_columns(table));
  FED_TRY(match_columns(table));
  table->row = fed__zalloc(records->context, table->width, sizeof table->row[0]);
  return table->row ? make_spec(table, schema->inputs) : FED_E_MEMORY;
}

static int check_schema(const struct fed__dataset_schema *schema) {
  if (schema->input_count != 1)
    return FED_RAISE(FED_E_INPUT, "a csv dataset has one input of all columns, the job has %zu",
                     schema->input_count);
  if (schema->inputs[0].kind != FED__INPUT_NUMBERS)
    return FED_RAISE(FED_E_INPUT, "the input of a csv dataset is of numbers");
  if (schema->target.kind == FED__TARGET_NEXT)
    return FED_RAISE(FED_E_INPUT, "the target of a csv dataset is a class or a number");
  return FED_OK;
}

int fed__csv_open(const struct fed_context *context, const char *folder,
                  const struct fed__dataset_schema *schema, struct fed__records **records) {
  FED_TRY(check_schema(schema));
  struct table *table = fed__zalloc(context, 1, sizeof *table);
  if (!table) return FED_E_MEMORY;
  table->schema = *schema;
  table->records = (struct fed__records){
      .next = next, .get = get, .free = free_table, .context = context, .source = {.fd = -1}};
  int code = fed__source_open(context, folder, schema->inputs[0].file, &table->records.source);
  if (code == FED_OK) code = open_table(table);
  table->schema.inputs = NULL; /* looked at here only */
  if (code == FED_OK) {
    *records = &table->records;
  } else {
    free_table(&table->records);
  }
  return code;
}
