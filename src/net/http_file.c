/* SPDX-License-Identifier: Apache-2.0
 *
 * http_file.c: files as answers, whole or the one range of bytes that was asked for (RFC 9110,
 * section 14). Read in pieces of 64 KiB while they are sent: a download costs that much memory.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "net/http_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)64 << 10)

struct file_part {
  const struct fed_context *context;
  int file;
  uint64_t start, size;
};

static ssize_t read_part(void *data, uint64_t position, char *out, size_t size) {
  const struct file_part *part = data;
  const ssize_t got = pread(part->file, out, size, (off_t)(part->start + position));
  return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_part(void *data) {
  struct file_part *part = data;
  close(part->file);
  fed__free(part->context, part);
}

static int open_file(const char *path, int *file, uint64_t *size) {
  struct stat found;
  *file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (*file < 0)
    return FED_RAISE(errno == ENOENT ? FED_E_NOT_FOUND : FED_E_IO, "no such object here");
  if (fstat(*file, &found) == 0 && S_ISREG(found.st_mode)) {
    *size = (uint64_t)found.st_size;
    return FED_OK;
  }
  close(*file);
  return FED_RAISE(FED_E_IO, "%s is not a file", path);
}

/* A number of decimal digits, at the start of the text. */
static const char *read_number(const char *text, uint64_t *number) {
  char *end = NULL;
  if (*text < '0' || *text > '9') return NULL;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return errno == 0 ? end : NULL;
}

enum range { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE };

/* "bytes=0-99", "bytes=100-", "bytes=-50". Anything else, several ranges too, counts as none. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *start, uint64_t *end) {
  uint64_t first = 0, last = UINT64_MAX;
  if (!text || strncasecmp(text, "bytes=", 6) != 0) return RANGE_NONE;
  text += 6;
  const bool is_suffix = *text == '-';
  if (!is_suffix && !(text = read_number(text, &first))) return RANGE_NONE;
  if (*text++ != '-') return RANGE_NONE;
  if (*text && !(text = read_number(text, &last))) return RANGE_NONE;
  if (*text || (is_suffix && last == UINT64_MAX) || first > last) return RANGE_NONE;
  if (is_suffix) {
    first = last < size ? size - last : 0;
    last = last == 0 ? 0 : UINT64_MAX;
    if (last == 0) return RANGE_OUTSIDE;
  }
  if (first >= size) return RANGE_OUTSIDE;
  *start = first;
  *end = last < size - 1 ? last + 1 : size;
  return RANGE_PART;
}

/* The range that the request asks for, if it is still of the same file (If-Range). */
static const char *wanted_range(const struct fed__http_exchange *exchange,
                                const struct fed__http_answer *answer) {
  const char *condition = fed__http_header(exchange, MHD_HTTP_HEADER_IF_RANGE);
  const char *tag = NULL;
  if (answer->status != MHD_HTTP_OK || strcmp(exchange->method, MHD_HTTP_METHOD_GET) != 0)
    return NULL;
  for (size_t i = 0; i < answer->field_count; i++)
    if (strcasecmp(answer->fields[i].name, MHD_HTTP_HEADER_ETAG) == 0)
      tag = answer->fields[i].value;
  if (condition && (!tag || strcmp(condition, tag) != 0)) return NULL;
  return fed__http_header(exchange, MHD_HTTP_HEADER_RANGE);
}

static struct MHD_Response *part_response(const struct fed_context *context, int file,
                                          uint64_t start, uint64_t size) {
  struct file_part *part = fed__alloc(context, sizeof *part);
  struct MHD_Response *response = NULL;
  if (part) {
    *part = (struct file_part){context, file, start, size};
    response = MHD_create_response_from_callback(size, PIECE_BYTES, read_part, part, close_part);
  }
  if (response) return response;
  fed__free(context, part);
  close(file);
  return NULL;
}

static int add_content_range(struct MHD_Response *response, const char *text) {
  if (MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes") == MHD_YES &&
      (!text || MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, text) == MHD_YES))
    return FED_OK;
  return FED_RAISE(FED_E_MEMORY, "out of memory for an answer");
}

int fed__http_file_response(const struct fed__http_exchange *exchange,
                            const struct fed__http_answer *answer, uint32_t *status,
                            struct MHD_Response **response) {
  int file;
  uint64_t size = 0, start = 0, end;
  char text[80];
  FED_TRY(open_file(answer->path, &file, &size));
  end = size;
  const enum range range = parse_range(wanted_range(exchange, answer), size, &start, &end);
  if (range == RANGE_OUTSIDE) {
    *status = MHD_HTTP_RANGE_NOT_SATISFIABLE;
    snprintf(text, sizeof text, "bytes */%" PRIu64, size);
    start = end = 0;
  } else if (range == RANGE_PART) {
    *status = MHD_HTTP_PARTIAL_CONTENT;
    snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, start, end - 1, size);
  }
  *response = part_response(exchange->server->context, file, start, end - start);
  if (!*response) return FED_RAISE(FED_E_MEMORY, "out of memory for an answer");
  return add_content_range(*response, range == RANGE_NONE ? NULL : text);
}
