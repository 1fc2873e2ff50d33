/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h: allocation through the context's hook. Every call can fail, raises FED_E_MEMORY
 * itself, and then returns NULL. Freeing NULL is fine.
 */
#ifndef FED_BASE_MEMORY_H
#define FED_BASE_MEMORY_H

#include "fed/buffer.h"

void *fed__alloc(const struct fed_context *context, size_t size);
void *fed__zalloc(const struct fed_context *context, size_t count, size_t size);
void *fed__resize(const struct fed_context *context, void *pointer, size_t count, size_t size);
void fed__free(const struct fed_context *context, const void *pointer);
char *fed__copy_text(const struct fed_context *context, const char *text);
char *fed__copy_slice_text(const struct fed_context *context, struct fed_slice slice);
char *fed__format(const struct fed_context *context, const char *format, ...) FED_PRINTF(2, 3);

/* Give back to the system what was freed and is kept for later, and the pages of code that has run:
 * worth it before a long wait. */
void fed__memory_trim(void);

/* Overwrite a secret; the compiler cannot leave it out. */
void fed__wipe(void *bytes, size_t size);

#endif
