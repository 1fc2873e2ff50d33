/* SPDX-License-Identifier: Apache-2.0
 *
 * row_groups.c: the values of each row, from whatever format, become a key; a hash table from keys
 * to groups.
 */
#include "data/row_groups.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/raise.h"
#include "data/csv.h"
#include "data/dataset_examples.h"
#include "data/jsonl.h"

#include <string.h>

#define FIRST_SLOTS 64     /* of the hash table */
#define VALUES_AT_ONCE 512 /* of an array */

/* What is asked for. */
struct query {
  const char *folder;
  const struct fed__dataset_schema *schema;
  const char *const *columns;
};

/* ---- groups --------------------------------------------------------------------------------- */

static size_t start_of(const struct fed__row_groups *groups, uint32_t group) {
  size_t start;
  memcpy(&start, groups->starts.data + group * sizeof start, sizeof start);
  return start;
}

static uint64_t hash_of(const uint8_t *bytes, size_t size) { /* FNV-1a */
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash ^ hash >> 32;
}

/* The slot with this key, or the free one where it belongs. */
static uint32_t *find_slot(const struct fed__row_groups *groups, const uint8_t *key, size_t size) {
  size_t at = hash_of(key, size) & (groups->slot_count - 1);
  for (;; at = (at + 1) & (groups->slot_count - 1)) {
    const uint32_t found = groups->slots[at];
    if (found == 0) break;
    const size_t start = start_of(groups, found - 1), end = start_of(groups, found);
    if (end - start == size && memcmp(groups->values.data + start, key, size) == 0) break;
  }
  return &groups->slots[at];
}

/* Never more than half of the slots are taken. */
static int make_room(struct fed__row_groups *groups) {
  if (groups->count < groups->slot_count / 2) return FED_OK;
  const size_t wanted = groups->slot_count ? 2 * groups->slot_count : FIRST_SLOTS;
  uint32_t *slots = fed__zalloc(groups->context, wanted, sizeof *slots);
  if (!slots) return FED_E_MEMORY;
  fed__free(groups->context, groups->slots);
  groups->slots = slots;
  groups->slot_count = wanted;
  for (uint32_t g = 0; g < groups->count; g++) {
    const size_t start = start_of(groups, g);
    *find_slot(groups, groups->values.data + start, start_of(groups, g + 1) - start) = g + 1;
  }
  return FED_OK;
}

static int add_group(struct fed__row_groups *groups, uint32_t *slot) {
  FED_TRY(fed_buffer_append(&groups->values, groups->key.data, groups->key.size));
  FED_TRY(fed_buffer_append(&groups->starts, &groups->values.size, sizeof groups->values.size));
  *slot = ++groups->count;
  return FED_OK;
}

/* So many examples have the values that are in `key`, which is empty after it. */
static int add_rows(struct fed__row_groups *groups, size_t count) {
  FED_TRY(make_room(groups));
  uint32_t *slot = find_slot(groups, groups->key.data, groups->key.size);
  if (*slot == 0 && count) FED_TRY(add_group(groups, slot));
  const uint32_t group = *slot - 1;
  for (size_t i = 0; i < count; i++)
    FED_TRY(fed_buffer_append(&groups->group_of, &group, sizeof group));
  groups->example_count += count;
  groups->key.size = 0;
  return FED_OK;
}

/* ---- a table -------------------------------------------------------------------------------- */

struct table {
  struct fed__row_groups *groups;
  const struct query *query;
  struct fed__source source;
  struct fed__text_reader text;
  struct fed__csv_reader reader;
  size_t record_fields;                  /* that every record must have */
  size_t fields[FED__GROUP_COLUMNS_MAX]; /* of the columns */
};

static int raise_no_column(const struct table *table, const char *const *names, size_t count,
                           const char *column) {
  const char *nearest = fed__nearest_name(column, names, count);
  return nearest ? FED_RAISE(FED_E_MISSING, "'%s' has no column '%.100s'; did you mean '%.100s'?",
                             table->source.name, column, nearest)
                 : FED_RAISE(FED_E_MISSING,
                             "'%s' has no column '%.100s'; it has %zu others, the first being "
                             "'%.40s'",
                             table->source.name, column, count, count ? names[0] : "");
}

static int find_columns(struct table *table, const char *const *names, size_t count) {
  for (size_t k = 0; k < table->groups->column_count; k++) {
    const char *column = table->query->columns[k];
    size_t at = 0;
    while (at < count && strcmp(names[at], column) != 0) at++;
    if (at == count) return raise_no_column(table, names, count, column);
    table->fields[k] = at;
  }
  table->record_fields = count;
  return FED_OK;
}

/* The columns' names: those in the header, or where there is none, those in the job. */
static int name_columns(struct table *table, int has_header) {
  const struct fed__csv_schema *csv = &table->query->schema->csv;
  const size_t count = has_header ? table->reader.field_count : csv->column_count;
  const char **names = fed__zalloc(table->groups->context, count, sizeof *names);
  if (!names) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++)
    names[i] = has_header ? fed__csv_field(&table->reader, i) : csv->columns[i].name;
  const int code = find_columns(table, names, count);
  fed__free(table->groups->context, names);
  return code;
}

static int add_record(struct table *table) {
  const struct fed__csv_reader *reader = &table->reader;
  if (reader->field_count != table->record_fields)
    return FED_RAISE(FED_E_SHAPE, "%s line %llu: expected %zu fields, found %zu",
                     table->source.name, (unsigned long long)reader->record, table->record_fields,
                     reader->field_count);
  for (size_t k = 0; k < table->groups->column_count; k++) {
    const char *value = fed__csv_field(reader, table->fields[k]);
    if (!*value)
      return FED_RAISE(FED_E_MISSING,
                       "%s line %llu: the column '%.100s' is empty, so the row is "
                       "nobody's",
                       table->source.name, (unsigned long long)reader->record,
                       table->query->columns[k]);
    FED_TRY(fed_buffer_append(&table->groups->key, value, strlen(value) + 1));
  }
  return add_rows(table->groups, 1);
}

static int read_records(struct table *table, int has_header, char delimiter) {
  int found = 1;
  FED_TRY(fed__text_reader_init(&table->text, &table->source));
  FED_TRY(fed__csv_reader_init(&table->reader, &table->text, delimiter));
  if (has_header) FED_TRY(fed__csv_next(&table->reader, &found));
  if (found) FED_TRY(name_columns(table, has_header));
  while (found) {
    FED_TRY(fed__csv_next(&table->reader, &found));
    if (found) FED_TRY(add_record(table));
  }
  return FED_OK;
}

static int read_table(struct fed__row_groups *groups, const struct query *query, const char *file,
                      int has_header, char delimiter) {
  struct table table = {.groups = groups, .query = query};
  FED_TRY(fed__source_open(groups->context, query->folder, file, &table.source));
  const int code = read_records(&table, has_header, delimiter);
  fed__csv_reader_clear(&table.reader);
  fed__text_reader_clear(&table.text);
  fed__source_close(&table.source);
  return code;
}

static int read_csv(struct fed__row_groups *groups, const struct query *query) {
  const struct fed__dataset_schema *schema = query->schema;
  return read_table(groups, query, schema->inputs[0].file, schema->csv.has_header,
                    schema->csv.delimiter);
}

static int read_images(struct fed__row_groups *groups, const struct query *query) {
  const char *index = query->schema->target.file;
  if (index) return read_table(groups, query, index, 1, ',');
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "images in folders have no column '%.100s'; an index file "
                   "(target.file) may have it",
                   query->columns[0]);
}

/* ---- records -------------------------------------------------------------------------------- */

static int read_jsonl(struct fed__row_groups *groups, const struct query *query) {
  struct fed__records *records = NULL;
  FED_TRY(fed__jsonl_open(groups->context, query->folder, query->schema, &records));
  int code = FED_OK, found = 1;
  records->key_names = query->columns;
  records->key_count = groups->column_count;
  records->key = &groups->key;
  while (code == FED_OK && found) {
    size_t count = 0;
    code = records->next(records, &count, &found);
    if (code == FED_OK && found) code = add_rows(groups, count);
  }
  records->free(records);
  return code;
}

/* ---- arrays --------------------------------------------------------------------------------- */

static int check_array(const struct fed__array *array, const struct fed__array *first) {
  if (!fed__array_is_integer(array))
    return FED_RAISE(FED_E_TYPE, "%s: expected integers to divide by, found %s", array->name,
                     fed_dtype_name(array->dtype));
  if (fed__array_row_elements(array) != 1)
    return FED_RAISE(FED_E_SHAPE, "%s: expected one integer an example, found %zu", array->name,
                     fed__array_row_elements(array));
  if (fed__array_rows(array) == fed__array_rows(first)) return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "%s has %zu rows, but %s has %zu", array->name,
                   fed__array_rows(array), first->name, fed__array_rows(first));
}

static int open_array(const struct fed__row_groups *groups, const struct query *query,
                      const char *column, struct fed__array *array) {
  const struct fed__dataset_schema *schema = query->schema;
  const char *file = schema->target.file ? schema->target.file : schema->inputs[0].file;
  const int has_names = schema->format == FED__DATA_NPZ || schema->format == FED__DATA_SAFETENSORS;
  const struct fed__array_place place = {groups->context, query->folder, has_names ? file : column,
                                         has_names ? column : NULL, FED__DATASET_MEMORY_BYTES};
  return fed__dataset_read_array(schema->format, &place, array);
}

static int add_elements(struct fed__row_groups *groups, const struct fed__array *arrays,
                        size_t first, size_t count) {
  int64_t values[FED__GROUP_COLUMNS_MAX][VALUES_AT_ONCE] = {{0}};
  const char zero = 0;
  for (size_t k = 0; k < groups->column_count; k++)
    FED_TRY(fed__array_integers(&arrays[k], first, count, values[k]));
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < groups->column_count; k++) {
      FED_TRY(fed_buffer_print(&groups->key, "%lld", (long long)values[k][i]));
      FED_TRY(fed_buffer_append(&groups->key, &zero, 1));
    }
    FED_TRY(add_rows(groups, 1));
  }
  return FED_OK;
}

static int add_arrays(struct fed__row_groups *groups, const struct query *query,
                      struct fed__array *arrays) {
  for (size_t k = 0; k < groups->column_count; k++) {
    FED_TRY(open_array(groups, query, query->columns[k], &arrays[k]));
    FED_TRY(check_array(&arrays[k], &arrays[0]));
  }
  const size_t rows = fed__array_rows(&arrays[0]);
  for (size_t first = 0; first < rows; first += VALUES_AT_ONCE)
    FED_TRY(add_elements(groups, arrays, first,
                         rows - first < VALUES_AT_ONCE ? rows - first : VALUES_AT_ONCE));
  return FED_OK;
}

static int read_arrays(struct fed__row_groups *groups, const struct query *query) {
  struct fed__array arrays[FED__GROUP_COLUMNS_MAX] = {0};
  const int code = add_arrays(groups, query, arrays);
  for (size_t k = 0; k < groups->column_count; k++) fed__array_clear(&arrays[k]);
  return code;
}

/* ---- all formats ---------------------------------------------------------------------------- */

static int read_format(struct fed__row_groups *groups, const struct query *query) {
  const size_t zero = 0;
  FED_TRY(fed_buffer_append(&groups->starts, &zero, sizeof zero));
  switch (query->schema->format) {
  case FED__DATA_CSV:
    return read_csv(groups, query);
  case FED__DATA_JSONL:
    return read_jsonl(groups, query);
  case FED__DATA_IMAGES:
    return read_images(groups, query);
  case FED__DATA_IDX:
  case FED__DATA_NPY:
  case FED__DATA_NPZ:
  case FED__DATA_SAFETENSORS:
    break;
  }
  return read_arrays(groups, query);
}

int fed__row_groups_read(const struct fed_context *context, const char *folder,
                         const struct fed__dataset_schema *schema, const char *const *columns,
                         size_t column_count, struct fed__row_groups *groups) {
  const struct query query = {folder, schema, columns};
  if (column_count < 1 || column_count > FED__GROUP_COLUMNS_MAX)
    return FED_RAISE(FED_E_RANGE, "expected 1 to %d columns to divide by, found %zu",
                     FED__GROUP_COLUMNS_MAX, column_count);
  *groups = (struct fed__row_groups){.context = context, .column_count = column_count};
  fed_buffer_init(&groups->group_of, context, (size_t)UINT32_MAX * sizeof(uint32_t));
  fed_buffer_init(&groups->values, context, (size_t)FED__DATA_BYTES_MAX);
  fed_buffer_init(&groups->starts, context, (size_t)UINT32_MAX * sizeof(size_t));
  fed_buffer_init(&groups->key, context, FED__GROUP_COLUMNS_MAX * FED__JSONL_LINE_BYTES_MAX);
  const int code = read_format(groups, &query);
  if (code != FED_OK) fed__row_groups_clear(groups);
  return code;
}

void fed__row_groups_clear(struct fed__row_groups *groups) {
  if (!groups->context) return;
  fed_buffer_clear(&groups->group_of);
  fed_buffer_clear(&groups->values);
  fed_buffer_clear(&groups->starts);
  fed_buffer_clear(&groups->key);
  fed__free(groups->context, groups->slots);
  *groups = (struct fed__row_groups){0};
}

/* ---- asking --------------------------------------------------------------------------------- */

const uint32_t *fed__row_groups_of(const struct fed__row_groups *groups) {
  return (const uint32_t *)(const void *)groups->group_of.data;
}

const char *fed__row_groups_value(const struct fed__row_groups *groups, uint32_t group, size_t at) {
  const char *value = (const char *)groups->values.data + start_of(groups, group);
  while (at--) value += strlen(value) + 1;
  return value;
}
