/* SPDX-License-Identifier: Apache-2.0
 *
 * client_memory.c: an array of vectors.
 */
#include "simulate/client_memory.h"
#include "base/memory.h"

int fed__client_memory_init(struct fed__client_memory *memory, const struct fed_context *context,
                            size_t element_count, uint32_t client_count) {
  *memory = (struct fed__client_memory){
      .context = context, .element_count = element_count, .client_count = client_count};
  if (!element_count) return FED_OK;
  memory->vectors = fed__zalloc(context, client_count, sizeof *memory->vectors);
  return memory->vectors ? FED_OK : FED_E_MEMORY;
}

void fed__client_memory_clear(struct fed__client_memory *memory) {
  for (uint32_t i = 0; memory->vectors && i < memory->client_count; i++)
    fed__free(memory->context, memory->vectors[i]);
  if (memory->context) fed__free(memory->context, memory->vectors);
  *memory = (struct fed__client_memory){0};
}

const float *fed__client_memory_of(const struct fed__client_memory *memory, uint32_t client) {
  return memory->vectors ? memory->vectors[client] : NULL;
}

void fed__client_memory_put(struct fed__client_memory *memory, uint32_t client, float *vector) {
  fed__free(memory->context, memory->vectors[client]);
  memory->vectors[client] = vector;
}
