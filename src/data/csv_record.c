/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_record.c: cut a CSV file into records and fields. Memory: one record.
 */
#include "base/raise.h"
#include "data/csv.h"

#include <string.h>

#define END_OF_FILE FED__TEXT_END

enum state {
  FIELD_START,
  PLAIN,
  QUOTED,
  QUOTE_SEEN,      /* a quote within quotes: the end of the field, or half of "" */
  CARRIAGE_RETURN, /* must be followed by a line feed */
  RECORD_END,
};

int fed__csv_reader_init(struct fed__csv_reader *reader, struct fed__text_reader *text,
                         char delimiter) {
  const struct fed__source *source = text->source;
  *reader = (struct fed__csv_reader){.text = text, .delimiter = delimiter ? delimiter : ','};
  fed_buffer_init(&reader->fields, source->context, FED__CSV_RECORD_BYTES_MAX);
  fed_buffer_init(&reader->starts, source->context, FED__CSV_FIELDS_MAX * sizeof(size_t));
  if (reader->delimiter != '"' && reader->delimiter != '\n' && reader->delimiter != '\r')
    return FED_OK;
  return FED_RAISE(FED_E_INPUT, "a quote or a line end cannot be the delimiter of '%s'",
                   source->name);
}

void fed__csv_reader_clear(struct fed__csv_reader *reader) {
  fed_buffer_clear(&reader->fields);
  fed_buffer_clear(&reader->starts);
}

const char *fed__csv_field(const struct fed__csv_reader *reader, size_t at) {
  size_t start;
  memcpy(&start, reader->starts.data + at * sizeof start, sizeof start);
  return (const char *)reader->fields.data + start;
}

static int refuse(const struct fed__csv_reader *reader, int code, const char *what) {
  return FED_RAISE(code, "%s line %llu: %s", reader->text->source->name,
                   (unsigned long long)reader->text->line, what);
}

static int add_byte(struct fed__csv_reader *reader, int byte) {
  const uint8_t value = (uint8_t)byte;
  if (byte == 0) return refuse(reader, FED_E_SYNTAX, "expected text, found a zero byte");
  if (reader->fields.size + 2 > FED__CSV_RECORD_BYTES_MAX)
    return refuse(reader, FED_E_TOO_LARGE, "a record of more than 1 MiB: is a quote not closed?");
  return fed_buffer_append(&reader->fields, &value, 1);
}

/* The bytes up to the next one that may mean something, at once: most of a file is such bytes. */
static int add_span(struct fed__csv_reader *reader, size_t *bytes) {
  struct fed__text_reader *text = reader->text;
  const uint8_t *start = text->chunk + text->at, *end = text->chunk + text->size, *at = start;
  while (at<end && * at> ' ' && *at != '"' && *at != (uint8_t)reader->delimiter) at++;
  const size_t size = (size_t)(at - start);
  if (size == 0 || reader->fields.size + size + 2 > FED__CSV_RECORD_BYTES_MAX) return FED_OK;
  text->at += size;
  *bytes += size;
  return fed_buffer_append(&reader->fields, start, size);
}

static int begin_field(struct fed__csv_reader *reader) {
  const size_t start = reader->fields.size;
  if (reader->field_count == FED__CSV_FIELDS_MAX)
    return refuse(reader, FED_E_TOO_LARGE, "more than 16384 fields");
  reader->field_count++;
  return fed_buffer_append(&reader->starts, &start, sizeof start);
}

/* Blanks around a field count only within quotes. */
static void trim_field(struct fed__csv_reader *reader) {
  size_t start;
  uint8_t *at = reader->starts.data + (reader->field_count - 1) * sizeof start;
  memcpy(&start, at, sizeof start);
  while (start < reader->fields.size && reader->fields.data[start] == ' ') start++;
  while (reader->fields.size > start && reader->fields.data[reader->fields.size - 1] == ' ')
    reader->fields.size--;
  memcpy(at, &start, sizeof start);
}

/* The field has ended with this byte: what comes next? */
static int end_field(struct fed__csv_reader *reader, int byte, enum state *state) {
  const char zero = '\0';
  FED_TRY(fed_buffer_append(&reader->fields, &zero, 1));
  if (byte == (unsigned char)reader->delimiter) {
    *state = FIELD_START;
    return begin_field(reader);
  }
  *state = byte == '\r' ? CARRIAGE_RETURN : RECORD_END;
  return FED_OK;
}

static int ends_field(const struct fed__csv_reader *reader, int byte) {
  return byte == (unsigned char)reader->delimiter || byte == '\n' || byte == '\r' ||
         byte == END_OF_FILE;
}

static int step(struct fed__csv_reader *reader, int byte, enum state *state) {
  switch (*state) {
  case FIELD_START:
    *state = byte == '"' ? QUOTED : PLAIN;
    return byte == '"' ? FED_OK : step(reader, byte, state);
  case PLAIN:
    if (ends_field(reader, byte)) {
      trim_field(reader);
      return end_field(reader, byte, state);
    }
    if (byte == '"')
      return refuse(reader, FED_E_SYNTAX,
                    "a quote within a field: expected the whole field in quotes, and \"\" for a "
                    "quote in it");
    return add_byte(reader, byte);
  case QUOTED:
    if (byte == END_OF_FILE) return refuse(reader, FED_E_TRUNCATED, "the file ends within quotes");
    if (byte != '"') return add_byte(reader, byte);
    *state = QUOTE_SEEN;
    return FED_OK;
  case QUOTE_SEEN:
    if (ends_field(reader, byte)) return end_field(reader, byte, state);
    *state = QUOTED;
    if (byte == '"') return add_byte(reader, byte);
    return refuse(reader, FED_E_SYNTAX, "expected a delimiter behind a closing quote");
  case CARRIAGE_RETURN:
    *state = RECORD_END;
    if (byte == '\n') return FED_OK;
    return refuse(reader, FED_E_SYNTAX, "expected a line feed behind a carriage return");
  case RECORD_END:
    break;
  }
  return FED_RAISE(FED_E_INTERNAL, "a byte after the end of a record");
}

static int read_record(struct fed__csv_reader *reader, int *blank, int *end) {
  enum state state = FIELD_START;
  size_t bytes = 0;
  int byte;
  reader->fields.size = reader->starts.size = reader->field_count = 0;
  reader->record = reader->text->line;
  FED_TRY(begin_field(reader));
  do {
    if (state == PLAIN || state == QUOTED) FED_TRY(add_span(reader, &bytes));
    FED_TRY(fed__text_next(reader->text, &byte));
    FED_TRY(step(reader, byte, &state));
    bytes += byte != '\r' && byte != '\n' && byte != END_OF_FILE && byte != ' ';
    reader->text->line += byte == '\n';
  } while (state != RECORD_END);
  *blank = bytes == 0;
  *end = byte == END_OF_FILE;
  return FED_OK;
}

int fed__csv_next(struct fed__csv_reader *reader, int *found) {
  int blank, end;
  do FED_TRY(read_record(reader, &blank, &end));
  while (blank && !end);
  *found = !blank;
  return FED_OK;
}
