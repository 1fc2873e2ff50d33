/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_target.h: what every fuzz target stands on: a context whose memory has a budget and whose
 * clock and entropy always give the same, and the way to say that a property does not hold.
 *
 * A target is one function, fuzz_one. libFuzzer calls it with what it makes up; replay_main.c
 * calls it with the files of the corpus.
 */
#ifndef FED_FUZZ_TARGET_H
#define FED_FUZZ_TARGET_H

#include "fed/buffer.h"

#define fuzz_one LLVMFuzzerTestOneInput /* libFuzzer's name for it */
int fuzz_one(const uint8_t *data, size_t size);

/* Stop with a message: what should hold, and the library's last failure. */
#define HOLDS(property)                                                                            \
  do {                                                                                             \
    if (!(property)) fuzz_broken(__FILE__, __LINE__, #property);                                   \
  } while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *property);

struct fuzz_memory {
  struct fed_context context;
  struct fed_alloc alloc;
  size_t living, budget; /* bytes */
  int exceeded;          /* an allocation was refused because of the budget */
};

/* Valid until fuzz_memory_end, at one address. */
void fuzz_memory_begin(struct fuzz_memory *memory, size_t budget);

/* All memory must have been given back. */
void fuzz_memory_end(const struct fuzz_memory *memory);

/* Do two slices hold the same bytes? */
int fuzz_equal(struct fed_slice a, struct fed_slice b);

/* The bytes of a file below tests/vectors. */
void fuzz_read_vector(const struct fed_context *context, const char *name, struct fed_buffer *out);

#endif
