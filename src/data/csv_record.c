/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_record.c: cut a CSV file into records and fields. Memory: one record and 64 KiB.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/csv.h"

#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)
#define END_OF_FILE (-1)

enum state {
  FIELD_START,
  PLAIN,
  QUOTED,
  QUOTE_SEEN,      /* a quote within quotes: the end of the field, or half of "" */
  CARRIAGE_RETURN, /* must be followed by a line feed */
  RECORD_END,
};

int fed__csv_reader_init(struct fed__csv_reader *reader, struct fed__source *source,
                         char delimiter) {
  *reader = (struct fed__csv_reader){
      .source = source, .delimiter = delimiter ? delimiter : ',', .line = 1};
  fed_buffer_init(&reader->text, source->context, FED__CSV_RECORD_BYTES_MAX);
  fed_buffer_init(&reader->starts, source->context, FED__CSV_FIELDS_MAX * sizeof(size_t));
  if (reader->delimiter == '"' || reader->delimiter == '\n' || reader->delimiter == '\r')
    return FED_RAISE(FED_E_INPUT, "a quote or a line end cannot be the delimiter of '%s'",
                     source->name);
  reader->chunk = fed__alloc(source->context, CHUNK_BYTES);
  if (!reader->chunk) return FED_E_MEMORY;
  FED_TRY(fed__source_read(source, reader->chunk, CHUNK_BYTES, &reader->chunk_size));
  if (reader->chunk_size >= 3 && memcmp(reader->chunk, "\xef\xbb\xbf", 3) == 0)
    reader->chunk_at = 3; /* the byte order mark */
  return FED_OK;
}

void fed__csv_reader_clear(struct fed__csv_reader *reader) {
  if (reader->chunk) fed__free(reader->source->context, reader->chunk);
  fed_buffer_clear(&reader->text);
  fed_buffer_clear(&reader->starts);
  reader->chunk = NULL;
}

const char *fed__csv_field(const struct fed__csv_reader *reader, size_t at) {
  size_t start;
  memcpy(&start, reader->starts.data + at * sizeof start, sizeof start);
  return (const char *)reader->text.data + start;
}

static int next_byte(struct fed__csv_reader *reader, int *byte) {
  if (reader->chunk_at == reader->chunk_size) {
    FED_TRY(fed__source_read(reader->source, reader->chunk, CHUNK_BYTES, &reader->chunk_size));
    reader->chunk_at = 0;
  }
  *byte = reader->chunk_at < reader->chunk_size ? reader->chunk[reader->chunk_at++] : END_OF_FILE;
  return FED_OK;
}

static int refuse(const struct fed__csv_reader *reader, int code, const char *what) {
  return FED_RAISE(code, "%s line %llu: %s", reader->source->name, (unsigned long long)reader->line,
                   what);
}

static int add_byte(struct fed__csv_reader *reader, int byte) {
  const uint8_t value = (uint8_t)byte;
  if (byte == 0) return refuse(reader, FED_E_SYNTAX, "expected text, found a zero byte");
  if (reader->text.size + 2 > FED__CSV_RECORD_BYTES_MAX)
    return refuse(reader, FED_E_TOO_LARGE, "a record of more than 1 MiB: is a quote not closed?");
  return fed_buffer_append(&reader->text, &value, 1);
}

static int begin_field(struct fed__csv_reader *reader) {
  const size_t start = reader->text.size;
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
  while (start < reader->text.size && reader->text.data[start] == ' ') start++;
  while (reader->text.size > start && reader->text.data[reader->text.size - 1] == ' ')
    reader->text.size--;
  memcpy(at, &start, sizeof start);
}

/* The field has ended with this byte: what comes next? */
static int end_field(struct fed__csv_reader *reader, int byte, enum state *state) {
  const char zero = '\0';
  FED_TRY(fed_buffer_append(&reader->text, &zero, 1));
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
  reader->text.size = reader->starts.size = reader->field_count = 0;
  reader->record = reader->line;
  FED_TRY(begin_field(reader));
  do {
    FED_TRY(next_byte(reader, &byte));
    FED_TRY(step(reader, byte, &state));
    bytes += byte != '\r' && byte != '\n' && byte != END_OF_FILE && byte != ' ';
    reader->line += byte == '\n';
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
