/* SPDX-License-Identifier: Apache-2.0
 *
 * data_source.h: the bytes of one file of the data owner, as a stream; gzip and zip members are
 * unpacked on the way. Memory: 64 KiB and zlib's window, whatever the size of the file.
 *
 * The file's name comes from a job, which somebody else wrote, so it may only name a plain file
 * below the data owner's folder.
 */
#ifndef FED_DATA_DATA_SOURCE_H
#define FED_DATA_DATA_SOURCE_H

#include "fed/context.h"

#include <zlib.h>

#define FED__DATA_BYTES_MAX ((uint64_t)4 << 30) /* the most that one array may take in memory */

enum fed__source_coding { FED__SOURCE_PLAIN, FED__SOURCE_GZIP, FED__SOURCE_DEFLATE };

struct fed__source {
  const struct fed_context *context;
  char name[256]; /* for messages */
  int fd;
  uint64_t at, end; /* the part of the file that is still to be read */
  enum fed__source_coding coding;
  int finished; /* a packed stream has ended */
  z_stream stream;
  uint8_t *chunk;
  uint32_t crc;                 /* of a zip member's bytes so far */
  const uint32_t *crc_expected; /* of a zip member; else NULL */
};

/* Part of a file: a member of a zip. */
struct fed__source_part {
  uint64_t offset, size;
  enum fed__source_coding coding;
  uint32_t crc;
};

/* Open folder/name, or folder/name.gz if there is only that. FED_E_DENIED for a name that is
 * absolute, contains ".." or leads out of the folder over a link; FED_E_NOT_FOUND; FED_E_INPUT
 * for what is no plain file. */
FED_MUST int fed__source_open(const struct fed_context *context, const char *folder,
                              const char *name, struct fed__source *source);

/* The real path of folder/name, a file or a folder; `real` has PATH_MAX bytes. The same refusals.
 */
FED_MUST int fed__source_resolve(const char *folder, const char *name, char *real);

/* From now on read only this part, whose CRC-32 is checked at its end; `part` must stay. */
FED_MUST int fed__source_narrow(struct fed__source *source, const struct fed__source_part *part);

/* Read up to `size` bytes; fewer only at the end. FED_E_CORRUPT, FED_E_TRUNCATED, FED_E_IO. */
FED_MUST int fed__source_read(struct fed__source *source, void *bytes, size_t size, size_t *got);

/* Read exactly `size` bytes; `what` they are goes into the message of FED_E_TRUNCATED. */
FED_MUST int fed__source_exact(struct fed__source *source, void *bytes, size_t size,
                               const char *what);

/* Read `size` bytes at a place in a plain file, without moving on. */
FED_MUST int fed__source_peek(struct fed__source *source, uint64_t offset, void *bytes,
                              size_t size);

/* Succeeds at the end of the data only: FED_E_INPUT if more follows, FED_E_CORRUPT. */
FED_MUST int fed__source_end(struct fed__source *source);

/* No more than this many bytes can still come, so a header that declares more lies. */
uint64_t fed__source_bound(const struct fed__source *source);

void fed__source_close(struct fed__source *source);

#endif
