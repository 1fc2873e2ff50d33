/* SPDX-License-Identifier: Apache-2.0
 *
 * text_reader.h: the bytes of a text file one after the other, with the place in the file, so that
 * reading can go on from there later. Memory: 64 KiB. A UTF-8 byte order mark is passed over.
 */
#ifndef FED_DATA_TEXT_READER_H
#define FED_DATA_TEXT_READER_H

#include "base/raise.h"
#include "data/data_source.h"

#define FED__TEXT_END (-1) /* in place of a byte, at the end of the file */

struct fed__text_reader {
  struct fed__source *source;
  uint8_t *chunk;
  size_t at, size;    /* in the chunk */
  size_t chunk_bytes; /* to read at once */
  uint64_t line;      /* of the next byte, from 1; who reads counts */
};

/* The source must outlive the reader. Clear the reader also after a failure. */
FED_MUST int fed__text_reader_init(struct fed__text_reader *reader, struct fed__source *source);
void fed__text_reader_clear(struct fed__text_reader *reader);

/* Read the next chunk; at the end `size` is 0. */
FED_MUST int fed__text_fill(struct fed__text_reader *reader);

static inline int fed__text_next(struct fed__text_reader *reader, int *byte) {
  if (reader->at == reader->size) FED_TRY(fed__text_fill(reader));
  *byte = reader->at < reader->size ? reader->chunk[reader->at++] : FED__TEXT_END;
  return FED_OK;
}

/* Where in a plain file the next byte is; and going on there. */
uint64_t fed__text_offset(const struct fed__text_reader *reader);
void fed__text_seek(struct fed__text_reader *reader, uint64_t offset, uint64_t line);

/* From now on single records are wanted rather than the whole file: read less at once. */
void fed__text_expect_jumps(struct fed__text_reader *reader);

#endif
