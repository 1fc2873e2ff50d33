/* SPDX-License-Identifier: Apache-2.0
 *
 * client_memory.h: what clients keep between their rounds: what their rule does (SCAFFOLD,
 * FedDyn), running statistics that stay (local_statistics.h). A vector a client, made when it first
 * takes part. What a round's clients made
 * counts when the round has made a model, and is forgotten when it fails.
 *
 * Costs 8 bytes a client, and a vector for each that has ever taken part. Threads: one at a time.
 */
#ifndef FED_SIMULATE_CLIENT_MEMORY_H
#define FED_SIMULATE_CLIENT_MEMORY_H

#include "fed/context.h"

#include <stddef.h>
#include <stdint.h>

struct fed__client_memory {
  const struct fed_context *context;
  size_t element_count; /* of a vector; 0: nothing is kept */
  uint32_t client_count;
  float **vectors; /* by client; NULL: none yet */
};

/* FED_E_MEMORY. */
FED_MUST int fed__client_memory_init(struct fed__client_memory *memory,
                                     const struct fed_context *context, size_t element_count,
                                     uint32_t client_count);
void fed__client_memory_clear(struct fed__client_memory *memory);

/* NULL: nothing yet. */
const float *fed__client_memory_of(const struct fed__client_memory *memory, uint32_t client);

/* Put the vector (of fed__alloc; the memory's from now on) in the place of the one before. */
void fed__client_memory_put(struct fed__client_memory *memory, uint32_t client, float *vector);

#endif
