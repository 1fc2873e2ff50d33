/* SPDX-License-Identifier: Apache-2.0
 *
 * image_index.c: a CSV file that says which image has which target.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/csv.h"
#include "data/image_list.h"

struct index {
  struct fed__image_list *list;
  const struct fed__dataset_schema *schema;
  struct fed__text_reader text;
  struct fed__csv_reader reader;
  struct fed__csv_schema csv;
  struct fed__csv_place place;
  struct fed__column_schema column; /* of the labels */
  struct fed__category *names;      /* of the classes */
  size_t file_at, label_at;         /* which fields of a record */
};

static int find_column(const struct index *index, const char *name, size_t *at) {
  for (*at = 0; *at < index->reader.field_count; (*at)++)
    if (strcmp(fed__csv_field(&index->reader, *at), name) == 0) return FED_OK;
  return FED_RAISE(FED_E_MISSING, "%s line %llu: expected a column '%s' in the header",
                   index->place.file, (unsigned long long)index->reader.record, name);
}

static int read_header(struct index *index) {
  int found;
  FED_TRY(fed__csv_next(&index->reader, &found));
  if (!found) return FED_RAISE(FED_E_EMPTY, "%s: expected a header", index->place.file);
  FED_TRY(find_column(index, "file", &index->file_at));
  return find_column(index, index->column.name, &index->label_at);
}

static int add_record(struct index *index, size_t field_count) {
  struct fed__image_entry entry = {.label = 0};
  if (index->reader.field_count != field_count)
    return FED_RAISE(FED_E_SHAPE, "%s line %llu: expected %zu fields as in the header, found %zu",
                     index->place.file, (unsigned long long)index->reader.record, field_count,
                     index->reader.field_count);
  const char *label = fed__csv_field(&index->reader, index->label_at);
  index->place.line = index->reader.record;
  if (index->schema->target.kind == FED__TARGET_CLASS)
    FED_TRY(fed__csv_label(&index->place, label, &entry.label));
  else
    FED_TRY(fed__csv_number(&index->place, label, &entry.number));
  return fed__image_list_add(index->list, index->schema->inputs[0].file,
                             fed__csv_field(&index->reader, index->file_at), entry);
}

static int read_records(struct index *index) {
  int found = 1;
  FED_TRY(read_header(index));
  for (const size_t field_count = index->reader.field_count;;) {
    FED_TRY(fed__csv_next(&index->reader, &found));
    if (!found) return FED_OK;
    FED_TRY(add_record(index, field_count));
  }
}

static int make_column(struct index *index, const struct fed_context *context) {
  const struct fed__target_schema *target = &index->schema->target;
  index->column = (struct fed__column_schema){.name = target->array ? target->array : "label",
                                              .kind = FED__COLUMN_TARGET};
  if (target->kind != FED__TARGET_CLASS) return FED_OK;
  if (target->classes == 0 || target->name_count > target->classes)
    return FED_RAISE(FED_E_RANGE, "the job declares %u classes and %zu names for '%s'",
                     target->classes, target->name_count, target->file);
  index->place.classes = target->classes;
  index->names = fed__zalloc(context, target->name_count, sizeof *index->names);
  if (!index->names && target->name_count) return FED_E_MEMORY;
  for (size_t i = 0; i < target->name_count; i++)
    index->names[i] = (struct fed__category){target->names[i], (uint32_t)i};
  index->column.categories = index->names;
  index->column.category_count = target->name_count;
  return FED_OK;
}

static int read_index(struct index *index, struct fed__source *source) {
  index->place = (struct fed__csv_place){.csv = &index->csv,
                                         .column = &index->column,
                                         .file = source->name,
                                         .locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
  if (!index->place.locale) return FED_RAISE(FED_E_MEMORY, "out of memory for the C locale");
  FED_TRY(make_column(index, source->context));
  FED_TRY(fed__text_reader_init(&index->text, source));
  FED_TRY(fed__csv_reader_init(&index->reader, &index->text, ','));
  return read_records(index);
}

int fed__image_list_index(struct fed__image_list *list, const struct fed_context *context,
                          const char *folder, const struct fed__dataset_schema *schema) {
  struct fed__source source;
  struct index index = {.list = list, .schema = schema};
  FED_TRY(fed__source_open(context, folder, schema->target.file, &source));
  const int code = read_index(&index, &source);
  if (index.place.locale) freelocale(index.place.locale);
  fed__csv_reader_clear(&index.reader);
  fed__text_reader_clear(&index.text);
  fed__free(context, index.names);
  fed__source_close(&source);
  return code;
}
