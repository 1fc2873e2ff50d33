/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_target.c: the allocator with a budget, and the end of a target whose property is broken.
 */
#include "fuzz_target.h"

#include "base/file.h"
#include "base/rng.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void fuzz_broken(const char *file, int line, const char *property) {
  fprintf(stderr, "%s:%d: does not hold: %s\n  last failure: %s\n", file, line, property,
          fed_error_last()->message);
  abort();
}

static void *resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct fuzz_memory *memory =
      (struct fuzz_memory *)((char *)self - offsetof(struct fuzz_memory, alloc));
  const size_t before = malloc_usable_size(pointer);
  HOLDS(memory->living >= before);
  if (size > memory->budget - (memory->living - before)) {
    memory->exceeded = 1;
    return NULL;
  }
  if (!size) {
    free(pointer);
    memory->living -= before;
    return NULL;
  }
  void *moved = realloc(pointer, size);
  HOLDS(moved);
  memory->living += malloc_usable_size(moved) - before;
  if (memory->living > memory->budget) memory->budget = memory->living; /* malloc rounds up */
  return moved;
}

static int64_t still_ms(struct fed_clock *self) {
  (void)self;
  return 1795000000000; /* 2026-11-18 */
}

static int64_t still_us(struct fed_clock *self) {
  (void)self;
  return 1000000;
}

static int fill(struct fed_entropy *self, void *bytes, size_t size) {
  struct fed_rng rng;
  (void)self;
  fed__rng_init(&rng, 1, "fuzz", 0, 0);
  for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)fed__rng_next(&rng);
  return FED_OK;
}

void fuzz_memory_begin(struct fuzz_memory *memory, size_t budget) {
  static struct fed_clock clock = {still_ms, still_us};
  static struct fed_entropy entropy = {fill};
  *memory = (struct fuzz_memory){.alloc = {resize}, .budget = budget};
  memory->context = (struct fed_context){&memory->alloc, &clock, &entropy, NULL};
  fed_error_clear();
}

void fuzz_memory_end(const struct fuzz_memory *memory) { HOLDS(memory->living == 0); }

int fuzz_equal(struct fed_slice a, struct fed_slice b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void fuzz_read_vector(const struct fed_context *context, const char *name, struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  fed_buffer_init(out, context, 1 << 20);
  HOLDS(fed__path_join(path, sizeof path, FED_TESTS "/vectors", name) == FED_OK);
  HOLDS(fed__file_read(path, out) == FED_OK);
}
