/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/buffer.h: the two buffer types. A slice looks at bytes that somebody else owns; a buffer
 * owns its bytes, grows, and refuses to grow beyond its maximum. Lengths always travel with
 * pointers.
 *
 * Threads: a buffer belongs to one thread at a time.
 */
#ifndef FED_BUFFER_H
#define FED_BUFFER_H

#include "fed/context.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes owned by somebody else, valid as long as the owner keeps them. */
struct fed_slice {
  const uint8_t *data;
  size_t size;
};

/* A growing array of bytes. `size_max` bounds it: input from a peer can never make it larger. */
struct fed_buffer {
  const struct fed_context *context;
  uint8_t *data;
  size_t size;
  size_t capacity;
  size_t size_max;
};

static inline struct fed_slice fed_slice_of(const void *data, size_t size) {
  struct fed_slice slice = {(const uint8_t *)data, size};
  return slice;
}

static inline struct fed_slice fed_slice_of_text(const char *text) {
  return fed_slice_of(text, strlen(text));
}

/* An empty buffer; allocates nothing yet. */
FED_API void fed_buffer_init(struct fed_buffer *buffer, const struct fed_context *context,
                             size_t size_max);

/* Free the bytes; the buffer can be used again. Accepts a zeroed buffer. */
FED_API void fed_buffer_clear(struct fed_buffer *buffer);

/* Append bytes. FED_E_TOO_LARGE beyond size_max, FED_E_MEMORY; then nothing has changed. */
FED_API FED_MUST int fed_buffer_append(struct fed_buffer *buffer, const void *data, size_t size);

/* Append formatted text, without a terminating zero. */
FED_API FED_MUST int fed_buffer_print(struct fed_buffer *buffer, const char *format, ...)
    FED_PRINTF(2, 3);

/* Make room for `size` more bytes without changing `size`, so that they can be written at
 * data + size. */
FED_API FED_MUST int fed_buffer_reserve(struct fed_buffer *buffer, size_t size);

/* Put a zero byte behind the content (not counted in `size`) and return it as text;
 * NULL when out of memory. */
FED_API const char *fed_buffer_text(struct fed_buffer *buffer);

static inline struct fed_slice fed_buffer_slice(const struct fed_buffer *buffer) {
  return fed_slice_of(buffer->data, buffer->size);
}

#ifdef __cplusplus
}
#endif
#endif
