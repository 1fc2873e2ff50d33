/* SPDX-License-Identifier: Apache-2.0
 *
 * failing_alloc.h: an allocator for tests that counts, and that fails from the n-th allocation on.
 */
#ifndef FED_TESTS_FAILING_ALLOC_H
#define FED_TESTS_FAILING_ALLOC_H

#include "fed/context.h"

#include <limits.h>

struct failing_alloc {
  struct fed_alloc alloc;
  struct fed_alloc *system;
  long allowed; /* allocations until the first that fails */
  long made;    /* allocations asked for */
  long living;  /* blocks not freed */
};

static inline void *failing_resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct failing_alloc *failing = (struct failing_alloc *)self;
  if (size && failing->made++ >= failing->allowed) return NULL;
  void *moved = failing->system->resize(failing->system, pointer, size);
  failing->living += (moved && !pointer) - (!size && pointer);
  return moved;
}

/* Fills in both; `context` must not outlive `failing`. */
static inline void failing_alloc_init(struct failing_alloc *failing, struct fed_context *context,
                                      long allowed) {
  fed_context_init(context);
  *failing = (struct failing_alloc){{failing_resize}, context->alloc, allowed, 0, 0};
  context->alloc = &failing->alloc;
}

#endif
