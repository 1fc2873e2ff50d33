/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonl_read.c: the lines of a JSONL file as examples: fields as numbers, or as sequences of tokens
 * that are cut or padded to a length; or one long sequence as windows whose target is the next
 * token. Memory: a line, its JSON tree, and its tokens.
 */
#include "base/memory.h"
#include "base/nearest.h"
#include "data/dataset_examples.h"
#include "data/jsonl.h"

#include <string.h>

#define TOKEN_BYTES sizeof(int64_t)
#define NAMES_MAX 64 /* of fields, to find the one that was meant */

/* One input, and its value in the object read last. */
struct field {
  struct fed__input_schema schema;
  size_t elements;          /* of one example: numbers, or the length of a sequence */
  float *numbers;           /* FED__INPUT_NUMBERS */
  struct fed_buffer tokens; /* the others; int64_t each, as many as there are */
};

struct lines {
  struct fed__records records;
  struct fed__dataset_schema schema;
  struct fed__vocabulary vocabulary;
  struct field fields[FED_INPUTS_MAX];
  struct fed_buffer line, string;
  uint64_t number; /* of the line, from 1 */
  int64_t label;   /* the target: this, */
  float *numbers;  /* or these */
  size_t number_count;
};

/* ---- reading -------------------------------------------------------------------------------- */

static int append_piece(struct lines *lines, size_t size) {
  struct fed__text_reader *text = &lines->records.text;
  if (lines->line.size + size > FED__JSONL_LINE_BYTES_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "%s line %llu: more than 8 MiB", lines->records.source.name,
                     (unsigned long long)lines->number);
  FED_TRY(fed_buffer_append(&lines->line, text->chunk + text->at, size));
  text->at += size;
  return FED_OK;
}

/* A line without its line feed into lines->line; `*found` 0 at the end. */
static int read_line(struct lines *lines, int *found) {
  struct fed__text_reader *text = &lines->records.text;
  const uint8_t *end = NULL;
  lines->line.size = 0;
  lines->number = text->line;
  for (*found = 0; !end; *found = 1) {
    if (text->at == text->size) FED_TRY(fed__text_fill(text));
    if (text->size == 0) return FED_OK;
    const uint8_t *start = text->chunk + text->at;
    end = memchr(start, '\n', text->size - text->at);
    FED_TRY(append_piece(lines, end ? (size_t)(end - start) : text->size - text->at));
  }
  text->at++;
  text->line++;
  return FED_OK;
}

static int is_blank(const struct fed_buffer *line) {
  for (size_t i = 0; i < line->size; i++)
    if (line->data[i] != ' ' && line->data[i] != '\t' && line->data[i] != '\r') return 0;
  return 1;
}

static int parse_line(const struct lines *lines, json_t **object) {
  json_error_t error;
  const char *file = lines->records.source.name;
  *object =
      json_loadb((const char *)lines->line.data, lines->line.size, JSON_REJECT_DUPLICATES, &error);
  if (json_is_object(*object)) return FED_OK;
  if (*object)
    return FED_RAISE(FED_E_TYPE, "%s line %llu: expected an object, found %s", file,
                     (unsigned long long)lines->number, fed__json_describe(*object));
  if (json_error_code(&error) == json_error_out_of_memory)
    return FED_RAISE(FED_E_MEMORY, "out of memory for line %llu of '%s'",
                     (unsigned long long)lines->number, file);
  const int is_twice = json_error_code(&error) == json_error_duplicate_key;
  return FED_RAISE(is_twice ? FED_E_DUPLICATE : FED_E_SYNTAX, "%s line %llu, column %d: %s", file,
                   (unsigned long long)lines->number, error.column, error.text);
}

static int use_field(struct lines *lines, struct field *field,
                     const struct fed__json_place *place) {
  field->tokens.size = 0;
  switch (field->schema.kind) {
  case FED__INPUT_NUMBERS:
    return fed__json_numbers(place, field->schema.scale != 0 ? field->schema.scale : 1,
                             field->schema.offset, field->elements, field->numbers);
  case FED__INPUT_INDICES:
    return fed__json_indices(place, field->schema.limit, &field->tokens);
  case FED__INPUT_TEXT:
    break;
  }
  lines->string.size = 0;
  FED_TRY(fed__json_text(place, &lines->string));
  return fed__vocabulary_encode(&lines->vocabulary, (char *)lines->string.data, lines->string.size,
                                &field->tokens);
}

static int use_target(struct lines *lines, const struct fed__json_place *place) {
  const struct fed__target_schema *target = &lines->schema.target;
  if (target->kind == FED__TARGET_CLASS) return fed__json_label(place, target, &lines->label);
  if (target->kind == FED__TARGET_NEXT) return FED_OK;
  return fed__json_numbers(place, 1, 0, lines->number_count, lines->numbers);
}

static int raise_no_field(const struct fed__json_place *place, json_t *object) {
  const char *names[NAMES_MAX], *name;
  size_t count = 0;
  json_t *value;
  json_object_foreach(object, name, value) {
    if (count < NAMES_MAX) names[count++] = name;
  }
  const char *nearest = fed__nearest_name(place->field, names, count);
  return FED_RAISE(FED_E_MISSING, "%s line %llu: there is no field '%.100s'%s%.100s%s", place->file,
                   (unsigned long long)place->line, place->field, nearest ? "; did you mean '" : "",
                   nearest ? nearest : "", nearest ? "'?" : "");
}

static int use_keys(const struct lines *lines, json_t *object) {
  const struct fed__records *records = &lines->records;
  struct fed__json_place place = {.file = records->source.name, .line = lines->number};
  for (size_t i = 0; i < records->key_count; i++) {
    place.field = records->key_names[i];
    place.value = json_object_get(object, place.field);
    if (!place.value) return raise_no_field(&place, object);
    FED_TRY(fed__json_key(&place, records->key));
  }
  return FED_OK;
}

static int use_object(struct lines *lines, json_t *object) {
  struct fed__json_place place = {.file = lines->records.source.name, .line = lines->number};
  if (lines->records.key) FED_TRY(use_keys(lines, object));
  for (size_t i = 0; i < lines->records.spec.input_count; i++) {
    place.field = lines->fields[i].schema.array;
    place.value = json_object_get(object, place.field);
    FED_TRY(use_field(lines, &lines->fields[i], &place));
  }
  if (lines->schema.target.kind == FED__TARGET_NEXT) return FED_OK;
  place.field = lines->schema.target.array;
  place.value = json_object_get(object, place.field);
  return use_target(lines, &place);
}

static size_t stride(const struct lines *lines) {
  const uint32_t declared = lines->schema.text.stride;
  return declared ? declared : lines->fields[0].elements;
}

/* A window for every place that has a token behind it. */
static size_t window_count(const struct lines *lines) {
  const size_t tokens = lines->fields[0].tokens.size / TOKEN_BYTES;
  return tokens < 2 ? 0 : (tokens - 2) / stride(lines) + 1;
}

static int next(struct fed__records *records, size_t *count, int *found) {
  struct lines *lines = (struct lines *)records;
  json_t *object = NULL;
  do FED_TRY(read_line(lines, found));
  while (*found && is_blank(&lines->line));
  if (!*found) return FED_OK;
  int code = parse_line(lines, &object);
  if (code == FED_OK) code = use_object(lines, object);
  json_decref(object);
  *count = lines->schema.target.kind == FED__TARGET_NEXT ? window_count(lines) : 1;
  return code;
}

/* ---- giving --------------------------------------------------------------------------------- */

/* `length` tokens from `first` on, and padding behind the last. */
static void copy_tokens(const struct fed_buffer *tokens, size_t first, size_t length,
                        int64_t padding, int64_t *out) {
  const size_t count = tokens->size / TOKEN_BYTES;
  size_t kept = first < count ? count - first : 0;
  if (kept > length) kept = length;
  if (kept) memcpy(out, tokens->data + first * TOKEN_BYTES, kept * TOKEN_BYTES);
  for (size_t i = kept; i < length; i++) out[i] = padding;
}

static void get(const struct fed__records *records, size_t at,
                const struct fed__record_slots *slots) {
  const struct lines *lines = (const struct lines *)records;
  const struct fed__target_schema *target = &lines->schema.target;
  const size_t first = target->kind == FED__TARGET_NEXT ? at * stride(lines) : 0;
  for (size_t i = 0; i < records->spec.input_count; i++) {
    const struct field *field = &lines->fields[i];
    if (!slots->inputs[i]) continue;
    if (field->numbers)
      memcpy(slots->inputs[i], field->numbers, field->elements * sizeof(float));
    else
      copy_tokens(&field->tokens, first, field->elements, FED__TOKEN_PADDING, slots->inputs[i]);
  }
  if (!slots->target) return;
  if (target->kind == FED__TARGET_NEXT)
    copy_tokens(&lines->fields[0].tokens, first + 1, lines->fields[0].elements, FED__IGNORED_LABEL,
                slots->target);
  if (target->kind == FED__TARGET_CLASS) memcpy(slots->target, &lines->label, sizeof lines->label);
  if (target->kind == FED__TARGET_NUMBER)
    memcpy(slots->target, lines->numbers, lines->number_count * sizeof(float));
}

static void free_lines(struct fed__records *records) {
  struct lines *lines = (struct lines *)records;
  const struct fed_context *context = records->context;
  for (size_t i = 0; i < FED_INPUTS_MAX; i++) {
    fed__free(context, lines->fields[i].numbers);
    fed_buffer_clear(&lines->fields[i].tokens);
    fed__free(context, records->spec.inputs[i].name);
  }
  fed_buffer_clear(&lines->line);
  fed_buffer_clear(&lines->string);
  fed__vocabulary_clear(&lines->vocabulary);
  fed__text_reader_clear(&records->text);
  fed__source_close(&records->source);
  fed__free(context, lines->numbers);
  fed__free(context, lines);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int check_input(const struct fed__input_schema *input) {
  const int is_sequence = input->kind != FED__INPUT_NUMBERS;
  if (!input->array || !*input->array)
    return FED_RAISE(FED_E_MISSING, "expected the name of a field for each input of '%s'",
                     input->file);
  FED_TRY(fed__dataset_check_scale(input->array, input));
  if (!is_sequence && input->shape.rank == 0)
    return FED_RAISE(FED_E_MISSING, "the job declares no shape for the input '%s'", input->array);
  if (is_sequence && input->shape.rank != 1)
    return FED_RAISE(FED_E_SHAPE,
                     "the input '%s' is a sequence: expected a shape of one length, such as [80]",
                     input->array);
  if (input->kind == FED__INPUT_INDICES && input->limit == 0)
    return FED_RAISE(FED_E_MISSING, "the job declares no limit for the indices '%s'", input->array);
  return FED_OK;
}

static int open_field(struct lines *lines, const struct fed__input_schema *input, size_t at) {
  const struct fed_context *context = lines->records.context;
  struct field *field = &lines->fields[at];
  struct fed_tensor *spec = &lines->records.spec.inputs[at];
  FED_TRY(check_input(input));
  field->schema = *input;
  spec->shape = input->shape;
  spec->dtype = input->kind == FED__INPUT_NUMBERS ? FED_F32 : FED_I64;
  FED_TRY(fed_shape_elements(&spec->shape, &field->elements));
  if (field->elements == 0 || field->elements > FED__JSONL_LINE_BYTES_MAX)
    return FED_RAISE(FED_E_SHAPE, "the input '%s': expected 1 to %zu values, the job declares %zu",
                     input->array, FED__JSONL_LINE_BYTES_MAX, field->elements);
  fed_buffer_init(&field->tokens, context, FED__JSONL_LINE_BYTES_MAX * TOKEN_BYTES);
  if (input->kind == FED__INPUT_NUMBERS) {
    field->numbers = fed__zalloc(context, field->elements, sizeof(float));
    if (!field->numbers) return FED_E_MEMORY;
  }
  if (input->kind == FED__INPUT_TEXT && !lines->vocabulary.tokens)
    FED_TRY(fed__vocabulary_init(&lines->vocabulary, context, &lines->schema.text));
  if (input->name && !(spec->name = fed__copy_text(context, input->name))) return FED_E_MEMORY;
  return FED_OK;
}

/* All fields are of the same objects. */
static int check_file(const struct fed__dataset_schema *schema, const char *file) {
  if (!file || (schema->inputs[0].file && strcmp(file, schema->inputs[0].file) == 0)) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "a jsonl dataset is one file, the job has '%.100s' and '%.100s'",
                   schema->inputs[0].file, file);
}

static int check_target(const struct fed__dataset_schema *schema) {
  const struct fed__target_schema *target = &schema->target;
  FED_TRY(check_file(schema, target->file));
  for (size_t i = 0; i < schema->input_count; i++)
    FED_TRY(check_file(schema, schema->inputs[i].file));
  if (target->kind != FED__TARGET_NEXT && (!target->array || !*target->array))
    return FED_RAISE(FED_E_MISSING, "expected the name of a field for the target of '%s'",
                     schema->inputs[0].file);
  if (target->kind == FED__TARGET_CLASS && target->classes == 0)
    return FED_RAISE(FED_E_RANGE, "the job declares no classes for the target '%s'", target->array);
  if (target->kind == FED__TARGET_CLASS && target->name_count > target->classes)
    return FED_RAISE(FED_E_RANGE, "the target '%s' has more names than classes", target->array);
  if (target->kind == FED__TARGET_NEXT &&
      (schema->input_count != 1 || schema->inputs[0].kind == FED__INPUT_NUMBERS))
    return FED_RAISE(FED_E_INPUT,
                     "the next token is the target of one input of text or indices only");
  return FED_OK;
}

static int open_target(struct lines *lines) {
  const struct fed__target_schema *target = &lines->schema.target;
  struct fed_tensor *spec = &lines->records.spec.target;
  spec->dtype = target->kind == FED__TARGET_NUMBER ? FED_F32 : FED_I64;
  if (target->kind == FED__TARGET_NEXT) spec->shape = lines->records.spec.inputs[0].shape;
  if (target->kind != FED__TARGET_NUMBER) return FED_OK;
  spec->shape = target->shape;
  FED_TRY(fed_shape_elements(&spec->shape, &lines->number_count));
  if (lines->number_count > FED__JSONL_LINE_BYTES_MAX)
    return FED_RAISE(FED_E_SHAPE, "the target '%s' has too many numbers", target->array);
  lines->numbers = fed__zalloc(lines->records.context, lines->number_count, sizeof(float));
  return lines->numbers ? FED_OK : FED_E_MEMORY;
}

static int open_lines(struct lines *lines, const struct fed__input_schema *inputs) {
  struct fed__records *records = &lines->records;
  FED_TRY(check_target(&lines->schema));
  for (size_t i = 0; i < lines->schema.input_count; i++) {
    records->spec.input_count++;
    FED_TRY(open_field(lines, &inputs[i], i));
  }
  FED_TRY(open_target(lines));
  return fed__text_reader_init(&records->text, &records->source);
}

int fed__jsonl_open(const struct fed_context *context, const char *folder,
                    const struct fed__dataset_schema *schema, struct fed__records **records) {
  struct lines *lines = fed__zalloc(context, 1, sizeof *lines);
  if (!lines) return FED_E_MEMORY;
  lines->records = (struct fed__records){
      .next = next, .get = get, .free = free_lines, .context = context, .source = {.fd = -1}};
  lines->schema = *schema;
  fed_buffer_init(&lines->line, context, FED__JSONL_LINE_BYTES_MAX);
  fed_buffer_init(&lines->string, context, FED__JSONL_LINE_BYTES_MAX);
  int code = fed__source_open(context, folder, schema->inputs[0].file, &lines->records.source);
  if (code == FED_OK) code = open_lines(lines, schema->inputs);
  lines->schema.inputs = NULL; /* each field has its own */
  if (code == FED_OK) {
    *records = &lines->records;
  } else {
    free_lines(&lines->records);
  }
  return code;
}
