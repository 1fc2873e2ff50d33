/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: the allocation hook, growing buffers, and text copies made with it.
 */
#include "base/memory.h"
#include "base/raise.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *fed__alloc(const struct fed_context *context, size_t size) {
  void *pointer = context->alloc->resize(context->alloc, NULL, size ? size : 1);
  if (!pointer) FED_RAISE(FED_E_MEMORY, "out of memory: could not get %zu bytes", size);
  return pointer;
}

void *fed__zalloc(const struct fed_context *context, size_t count, size_t size) {
  void *pointer = fed__resize(context, NULL, count, size);
  if (pointer) memset(pointer, 0, count * size);
  return pointer;
}

void *fed__resize(const struct fed_context *context, void *pointer, size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) {
    FED_RAISE(FED_E_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
    return NULL;
  }
  void *moved = context->alloc->resize(context->alloc, pointer, total ? total : 1);
  if (!moved) FED_RAISE(FED_E_MEMORY, "out of memory: could not get %zu bytes", total);
  return moved;
}

void fed__free(const struct fed_context *context, const void *pointer) {
  if (pointer) context->alloc->resize(context->alloc, (void *)(uintptr_t)pointer, 0);
}

char *fed__copy_slice_text(const struct fed_context *context, struct fed_slice slice) {
  char *copy = fed__alloc(context, slice.size + 1);
  if (!copy) return NULL;
  if (slice.size) memcpy(copy, slice.data, slice.size);
  copy[slice.size] = '\0';
  return copy;
}

char *fed__copy_text(const struct fed_context *context, const char *text) {
  return fed__copy_slice_text(context, fed_slice_of_text(text));
}

char *fed__format(const struct fed_context *context, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  char *text = length < 0 ? NULL : fed__alloc(context, (size_t)length + 1);
  if (text) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return text;
}

void fed__wipe(void *bytes, size_t size) {
  volatile uint8_t *cursor = bytes;
  while (size--) *cursor++ = 0;
}

void fed_buffer_init(struct fed_buffer *buffer, const struct fed_context *context,
                     size_t size_max) {
  *buffer = (struct fed_buffer){.context = context, .size_max = size_max};
}

void fed_buffer_clear(struct fed_buffer *buffer) {
  if (buffer->data) fed__free(buffer->context, buffer->data);
  buffer->data = NULL;
  buffer->size = buffer->capacity = 0;
}

static int grow_capacity(struct fed_buffer *buffer, size_t needed) {
  size_t capacity = buffer->capacity + buffer->capacity / 2;
  if (capacity < 64) capacity = 64;
  if (capacity > buffer->size_max) capacity = buffer->size_max;
  if (capacity < needed) capacity = needed;
  uint8_t *moved = fed__resize(buffer->context, buffer->data, capacity, 1);
  if (!moved) return FED_E_MEMORY;
  buffer->data = moved;
  buffer->capacity = capacity;
  return FED_OK;
}

int fed_buffer_reserve(struct fed_buffer *buffer, size_t size) {
  if (size > buffer->size_max - buffer->size)
    return FED_RAISE(FED_E_TOO_LARGE, "at most %zu bytes fit here, %zu more came on top of %zu",
                     buffer->size_max, size, buffer->size);
  if (size > SIZE_MAX / 2 - buffer->size)
    return FED_RAISE(FED_E_MEMORY, "out of memory: could not get %zu bytes", size);
  const size_t needed = buffer->size + size + 1; /* and a zero behind it for fed_buffer_text */
  return needed <= buffer->capacity ? FED_OK : grow_capacity(buffer, needed);
}

int fed_buffer_append(struct fed_buffer *buffer, const void *data, size_t size) {
  FED_TRY(fed_buffer_reserve(buffer, size));
  if (size) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
  return FED_OK;
}

int fed_buffer_print(struct fed_buffer *buffer, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  int code = length < 0 ? FED_RAISE(FED_E_INTERNAL, "bad format: %s", format)
                        : fed_buffer_reserve(buffer, (size_t)length);
  if (code == FED_OK) {
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
    buffer->size += (size_t)length;
  }
  va_end(again);
  return code;
}

const char *fed_buffer_text(struct fed_buffer *buffer) {
  if (buffer->size + 1 > buffer->capacity && grow_capacity(buffer, buffer->size + 1) != FED_OK)
    return NULL;
  buffer->data[buffer->size] = '\0';
  return (const char *)buffer->data;
}
