/* SPDX-License-Identifier: Apache-2.0
 *
 * data_source.c: opening files below the data owner's folder and unpacking them as a stream.
 */
#include "data/data_source.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 << 10)
#define DEFLATE_RATIO_MAX 1032 /* zlib's own figure for the best that deflate can do */

static int refuse_name(const char *name, const char *why) {
  return FED_RAISE(FED_E_DENIED,
                   "the file name '%.200s' %s: expected a name below the data owner's folder", name,
                   why);
}

static int check_name(const char *name) {
  if (!name || !*name) return FED_RAISE(FED_E_MISSING, "expected the name of a data file");
  if (*name == '/') return refuse_name(name, "is absolute");
  for (const char *part = name; part; part = strchr(part, '/')) {
    part += *part == '/';
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
      return refuse_name(name, "contains '..'");
  }
  return FED_OK;
}

/* The real path must lie below the real path of the folder, or be it. */
int fed__source_resolve(const char *folder, const char *name, char *real) {
  char root[PATH_MAX], path[FED__PATH_MAX];
  FED_TRY(check_name(name));
  if (!realpath(folder, root))
    return FED_RAISE(FED_E_NOT_FOUND, "cannot find the data folder '%s': %s", folder,
                     strerror(errno));
  FED_TRY(fed__path_join(path, sizeof path, root, name));
  if (!realpath(path, real))
    return FED_RAISE(errno == EACCES ? FED_E_PERMISSION : FED_E_NOT_FOUND,
                     "cannot find '%s' in the data folder '%s': %s", name, folder, strerror(errno));
  size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
  if (strncmp(real, root, length) != 0 || (real[length] != '/' && real[length] != '\0'))
    return refuse_name(name, "leads out of the folder over a link");
  return FED_OK;
}

/* Not blocking, so that a pipe in the folder cannot hold up the caller. */
static int open_plain(const char *path, const char *name, struct fed__source *source) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return FED_RAISE(errno == EACCES ? FED_E_PERMISSION : FED_E_IO, "cannot open '%s': %s", name,
                     strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return FED_RAISE(FED_E_INPUT, "'%s' is not a plain file", name);
  }
  source->fd = fd;
  source->end = (uint64_t)info.st_size;
  return FED_OK;
}

static void *zlib_alloc(void *opaque, unsigned count, unsigned size) {
  return fed__resize(opaque, NULL, count, size);
}

static void zlib_free(void *opaque, void *pointer) { fed__free(opaque, pointer); }

static int start_inflating(struct fed__source *source, enum fed__source_coding coding) {
  source->chunk = fed__alloc(source->context, CHUNK_BYTES);
  if (!source->chunk) return FED_E_MEMORY;
  source->stream = (z_stream){
      .zalloc = zlib_alloc, .zfree = zlib_free, .opaque = (void *)(uintptr_t)source->context};
  int window = coding == FED__SOURCE_GZIP ? 16 + MAX_WBITS : -MAX_WBITS;
  if (inflateInit2(&source->stream, window) != Z_OK)
    return FED_RAISE(FED_E_MEMORY, "out of memory for unpacking '%s'", source->name);
  source->coding = coding;
  return FED_OK;
}

static int ends_with_gz(const char *name) {
  size_t length = strlen(name);
  return length > 3 && strcmp(name + length - 3, ".gz") == 0;
}

static int open_named(const char *folder, const char *name, struct fed__source *source) {
  char path[PATH_MAX];
  FED_TRY(fed__source_resolve(folder, name, path));
  snprintf(source->name, sizeof source->name, "%s", name);
  FED_TRY(open_plain(path, name, source));
  return ends_with_gz(name) ? start_inflating(source, FED__SOURCE_GZIP) : FED_OK;
}

int fed__source_open(const struct fed_context *context, const char *folder, const char *name,
                     struct fed__source *source) {
  *source = (struct fed__source){.context = context, .fd = -1};
  int code = open_named(folder, name, source);
  if (code == FED_E_NOT_FOUND && !ends_with_gz(name)) {
    char packed[FED__PATH_MAX];
    if (snprintf(packed, sizeof packed, "%s.gz", name) < (int)sizeof packed) {
      struct fed_error plain = *fed_error_last();
      code = open_named(folder, packed, source);
      if (code == FED_E_NOT_FOUND) code = FED_RAISE(code, "%s (nor with .gz)", plain.message);
    }
  }
  if (code != FED_OK) fed__source_close(source);
  return code;
}

int fed__source_narrow(struct fed__source *source, const struct fed__source_part *part) {
  FED_REQUIRE(source->coding == FED__SOURCE_PLAIN);
  source->at = part->offset;
  source->end = part->offset + part->size;
  source->crc_expected = &part->crc;
  return part->coding == FED__SOURCE_PLAIN ? FED_OK : start_inflating(source, part->coding);
}

/* Up to `size` bytes of the file itself. */
static int read_file(struct fed__source *source, void *bytes, size_t size, size_t *got) {
  uint64_t left = source->end - source->at;
  if (size > left) size = (size_t)left;
  *got = 0;
  while (*got < size) {
    ssize_t count = pread(source->fd, (uint8_t *)bytes + *got, size - *got, (off_t)source->at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return FED_RAISE(FED_E_IO, "cannot read '%s': %s", source->name, strerror(errno));
    if (count == 0)
      return FED_RAISE(FED_E_TRUNCATED, "'%s' became shorter while it was read", source->name);
    *got += (size_t)count;
    source->at += (size_t)count;
  }
  return FED_OK;
}

static int inflate_step(struct fed__source *source) {
  z_stream *stream = &source->stream;
  if (stream->avail_in == 0) {
    size_t got;
    FED_TRY(read_file(source, source->chunk, CHUNK_BYTES, &got));
    stream->next_in = source->chunk;
    stream->avail_in = (unsigned)got;
  }
  int status = inflate(stream, Z_NO_FLUSH);
  int more = stream->avail_in > 0 || source->at < source->end;
  if (status == Z_STREAM_END) {
    source->finished = source->coding == FED__SOURCE_DEFLATE || !more;
    if (!source->finished) status = inflateReset(stream); /* gzip: another member follows */
  } else if (status == Z_BUF_ERROR && !more) {
    return FED_RAISE(FED_E_TRUNCATED, "'%s' ends within its compressed data", source->name);
  }
  if (status == Z_MEM_ERROR) return FED_E_MEMORY;
  if (status < 0 || status == Z_NEED_DICT)
    return FED_RAISE(FED_E_CORRUPT, "'%s' cannot be unpacked: %s", source->name,
                     stream->msg ? stream->msg : "invalid compressed data");
  return FED_OK;
}

static int read_packed(struct fed__source *source, void *bytes, size_t size, size_t *got) {
  z_stream *stream = &source->stream;
  *got = 0;
  while (*got < size && !source->finished) {
    size_t room = size - *got < ((size_t)1 << 30) ? size - *got : (size_t)1 << 30;
    stream->next_out = (uint8_t *)bytes + *got;
    stream->avail_out = (unsigned)room;
    FED_TRY(inflate_step(source));
    *got += room - stream->avail_out;
  }
  return FED_OK;
}

int fed__source_read(struct fed__source *source, void *bytes, size_t size, size_t *got) {
  int packed = source->coding != FED__SOURCE_PLAIN;
  FED_TRY((packed ? read_packed : read_file)(source, bytes, size, got));
  if (source->crc_expected) source->crc = (uint32_t)crc32_z(source->crc, bytes, *got);
  return FED_OK;
}

int fed__source_exact(struct fed__source *source, void *bytes, size_t size, const char *what) {
  size_t got;
  FED_TRY(fed__source_read(source, bytes, size, &got));
  if (got == size) return FED_OK;
  return FED_RAISE(FED_E_TRUNCATED, "'%s' ends too early: expected %zu bytes of %s, found %zu",
                   source->name, size, what, got);
}

int fed__source_peek(struct fed__source *source, uint64_t offset, void *bytes, size_t size) {
  FED_REQUIRE(source->coding == FED__SOURCE_PLAIN);
  if (offset > source->end || size > source->end - offset)
    return FED_RAISE(FED_E_TRUNCATED, "'%s' ends too early: expected %zu bytes at %llu",
                     source->name, size, (unsigned long long)offset);
  struct fed__source view = *source;
  size_t got;
  view.at = offset;
  return read_file(&view, bytes, size, &got);
}

int fed__source_end(struct fed__source *source) {
  uint8_t extra;
  size_t got;
  FED_TRY(fed__source_read(source, &extra, 1, &got));
  if (got || source->stream.avail_in || source->at < source->end)
    return FED_RAISE(FED_E_INPUT, "'%s' goes on after the data that its header declares",
                     source->name);
  if (source->crc_expected && source->crc != *source->crc_expected)
    return FED_RAISE(FED_E_CORRUPT, "'%s': expected the CRC-32 %08x, found %08x", source->name,
                     *source->crc_expected, source->crc);
  return FED_OK;
}

uint64_t fed__source_bound(const struct fed__source *source) {
  uint64_t left = source->end - source->at;
  if (source->coding == FED__SOURCE_PLAIN) return left;
  return (left + source->stream.avail_in) * DEFLATE_RATIO_MAX + CHUNK_BYTES;
}

void fed__source_close(struct fed__source *source) {
  if (source->stream.state) inflateEnd(&source->stream);
  if (source->chunk) fed__free(source->context, source->chunk);
  if (source->fd >= 0) close(source->fd);
  source->stream.state = NULL;
  source->chunk = NULL;
  source->fd = -1;
}
