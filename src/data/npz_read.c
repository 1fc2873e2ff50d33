/* SPDX-License-Identifier: Apache-2.0
 *
 * npz_read.c: find one array in an NPZ file, a zip archive (PKWARE's APPNOTE.TXT, 4.3), and read
 * it. What the central directory at the end says counts, and must agree with the member's own
 * header about where the data is.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/npy.h"

#include <stdio.h>
#include <string.h>

#define END_BYTES 22      /* the end record without its comment */
#define COMMENT_MAX 65535 /* of the archive */
#define ENTRY_BYTES 46    /* an entry of the directory without its name */
#define LOCAL_BYTES 30    /* a member's own header without its name */
#define DIRECTORY_MAX ((uint32_t)16 << 20)
#define STORED 0
#define DEFLATED 8
#define ENCRYPTED 1 /* flag */

struct directory {
  uint8_t *bytes;
  uint32_t size;
  uint32_t offset; /* in the file: no member reaches beyond it */
};

struct member {
  int found;
  uint32_t flags, method, crc, packed_size, local_offset;
};

static uint32_t read_u16(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t read_u32(const uint8_t *bytes) {
  return read_u16(bytes) | read_u16(bytes + 2) << 16;
}

static int refuse(const struct fed__source *source, int code, const char *what) {
  return FED_RAISE(code, "'%s' is no NPZ file that can be read: %s", source->name, what);
}

/* The end record is the last thing in the file, but for a comment whose size it states. */
static int find_end(struct fed__source *source, uint8_t end[END_BYTES], uint64_t *offset) {
  if (source->end < END_BYTES)
    return refuse(source, FED_E_TRUNCATED, "expected the end of a zip archive");
  for (uint32_t comment = 0; comment <= COMMENT_MAX; comment++) {
    if (source->end < END_BYTES + (uint64_t)comment) break;
    *offset = source->end - END_BYTES - comment;
    FED_TRY(fed__source_peek(source, *offset, end, END_BYTES));
    if (memcmp(end, "PK\5\6", 4) == 0 && read_u16(end + 20) == comment) return FED_OK;
  }
  return refuse(source, FED_E_TRUNCATED, "expected the end record of a zip archive");
}

static int read_directory(struct fed__source *source, struct directory *directory) {
  uint8_t end[END_BYTES];
  uint64_t end_offset = 0;
  FED_TRY(find_end(source, end, &end_offset));
  directory->size = read_u32(end + 12);
  directory->offset = read_u32(end + 16);
  if (directory->offset == UINT32_MAX || read_u16(end + 10) == UINT16_MAX)
    return refuse(source, FED_E_UNSUPPORTED, "it is a zip64 archive, too large for this reader");
  if (read_u32(end + 4) != 0)
    return refuse(source, FED_E_UNSUPPORTED, "it is one of several parts");
  if (directory->size > DIRECTORY_MAX)
    return refuse(source, FED_E_TOO_LARGE, "its directory is larger than 16 MiB");
  if ((uint64_t)directory->offset + directory->size != end_offset)
    return refuse(source, FED_E_SYNTAX, "its directory is not where its end record says");
  directory->bytes = fed__alloc(source->context, directory->size);
  if (!directory->bytes) return FED_E_MEMORY;
  return fed__source_peek(source, directory->offset, directory->bytes, directory->size);
}

static int is_named(const uint8_t *name, uint32_t size, const char *array_name) {
  const size_t length = strlen(array_name);
  return size == length + 4 && memcmp(name, array_name, length) == 0 &&
         memcmp(name + length, ".npy", 4) == 0;
}

static int find_member(const struct fed__source *source, const struct directory *directory,
                       const char *array_name, struct member *member) {
  for (uint32_t at = 0; at < directory->size;) {
    const uint8_t *entry = directory->bytes + at;
    const uint32_t left = directory->size - at;
    if (left < ENTRY_BYTES || memcmp(entry, "PK\1\2", 4) != 0)
      return refuse(source, FED_E_SYNTAX, "an entry of its directory is damaged");
    const uint32_t name_size = read_u16(entry + 28);
    const uint32_t size = ENTRY_BYTES + name_size + read_u16(entry + 30) + read_u16(entry + 32);
    if (size > left) return refuse(source, FED_E_SYNTAX, "its directory ends within an entry");
    if (is_named(entry + ENTRY_BYTES, name_size, array_name)) {
      if (member->found++)
        return FED_RAISE(FED_E_DUPLICATE, "'%s' has two arrays '%s'", source->name, array_name);
      member->flags = read_u16(entry + 8);
      member->method = read_u16(entry + 10);
      member->crc = read_u32(entry + 16);
      member->packed_size = read_u32(entry + 20);
      member->local_offset = read_u32(entry + 42);
    }
    at += size;
  }
  if (!member->found)
    return FED_RAISE(FED_E_MISSING, "'%s': expected an array '%s', found none of that name",
                     source->name, array_name);
  return FED_OK;
}

static int locate_data(struct fed__source *source, const struct directory *directory,
                       const char *array_name, const struct member *member,
                       struct fed__source_part *part) {
  uint8_t local[LOCAL_BYTES + 256];
  const size_t name_size = strlen(array_name) + 4;
  if (member->flags & ENCRYPTED) return refuse(source, FED_E_UNSUPPORTED, "it is encrypted");
  if (member->method != STORED && member->method != DEFLATED)
    return refuse(source, FED_E_UNSUPPORTED, "expected stored or deflated members");
  FED_TRY(fed__source_peek(source, member->local_offset, local, LOCAL_BYTES + name_size));
  if (memcmp(local, "PK\3\4", 4) != 0 || read_u16(local + 8) != member->method ||
      !is_named(local + LOCAL_BYTES, read_u16(local + 26), array_name))
    return refuse(source, FED_E_SYNTAX, "a member's header does not agree with its directory");
  part->offset = (uint64_t)member->local_offset + LOCAL_BYTES + name_size + read_u16(local + 28);
  part->size = member->packed_size;
  part->coding = member->method == STORED ? FED__SOURCE_PLAIN : FED__SOURCE_DEFLATE;
  part->crc = member->crc;
  if (part->offset + part->size > directory->offset)
    return refuse(source, FED_E_TRUNCATED, "a member reaches into its directory");
  return FED_OK;
}

static int read_member(struct fed__source *source, struct directory *directory,
                       const struct fed__array_place *place, struct fed__array *array) {
  struct member member = {.found = 0};
  struct fed__source_part part;
  FED_TRY(read_directory(source, directory));
  FED_TRY(find_member(source, directory, place->array, &member));
  FED_TRY(locate_data(source, directory, place->array, &member, &part));
  FED_TRY(fed__source_narrow(source, &part));
  return fed__npy_load(source, array, place->memory_max);
}

int fed__npz_read(const struct fed__array_place *place, struct fed__array *array) {
  struct fed__source source;
  struct directory directory = {.bytes = NULL};
  if (!place->array || !*place->array || strlen(place->array) > 200)
    return FED_RAISE(FED_E_MISSING, "expected the name of an array in the file '%s'",
                     place->file ? place->file : "");
  FED_TRY(fed__source_open(place->context, place->folder, place->file, &source));
  *array = (struct fed__array){.context = place->context};
  snprintf(array->name, sizeof array->name, "%.100s: %.100s", source.name, place->array);
  int code = source.coding == FED__SOURCE_PLAIN
                 ? read_member(&source, &directory, place, array)
                 : refuse(&source, FED_E_UNSUPPORTED, "an archive is not packed again with gzip");
  fed__free(place->context, directory.bytes);
  fed__source_close(&source);
  return code;
}
