/* SPDX-License-Identifier: Apache-2.0
 *
 * text_reader.c: chunks of a text file.
 */
#include "data/text_reader.h"
#include "base/memory.h"

#include <fcntl.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)
#define JUMP_BYTES ((size_t)4 << 10) /* a page of the system's cache */

int fed__text_reader_init(struct fed__text_reader *reader, struct fed__source *source) {
  *reader = (struct fed__text_reader){.source = source, .chunk_bytes = CHUNK_BYTES, .line = 1};
  reader->chunk = fed__alloc(source->context, CHUNK_BYTES);
  if (!reader->chunk) return FED_E_MEMORY;
  FED_TRY(fed__text_fill(reader));
  if (reader->size >= 3 && memcmp(reader->chunk, "\xef\xbb\xbf", 3) == 0) reader->at = 3;
  return FED_OK;
}

void fed__text_reader_clear(struct fed__text_reader *reader) {
  if (reader->chunk) fed__free(reader->source->context, reader->chunk);
  reader->chunk = NULL;
}

int fed__text_fill(struct fed__text_reader *reader) {
  reader->at = reader->size = 0;
  return fed__source_read(reader->source, reader->chunk, reader->chunk_bytes, &reader->size);
}

uint64_t fed__text_offset(const struct fed__text_reader *reader) {
  return reader->source->at - (reader->size - reader->at);
}

void fed__text_seek(struct fed__text_reader *reader, uint64_t offset, uint64_t line) {
  reader->source->at = offset;
  reader->at = reader->size = 0;
  reader->line = line;
}

void fed__text_expect_jumps(struct fed__text_reader *reader) {
  reader->chunk_bytes = JUMP_BYTES;
  posix_fadvise(reader->source->fd, 0, 0, POSIX_FADV_RANDOM); /* advice: it may fail */
}
