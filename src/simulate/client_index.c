/* SPDX-License-Identifier: Apache-2.0
 *
 * client_index.c: open addressing, linear probing.
 */
#include "simulate/client_index.h"
#include "base/memory.h"
#include "base/rng.h"

#include <string.h>

/* FNV-1a's low bits alone are not spread well. */
static size_t slot_of(const struct fed__client_index *index, const char *name) {
  return (size_t)fed__rng_at(fed__name_number(name), 0) & (index->slot_count - 1);
}

/* The slot that has the name, or the free one where it belongs. */
static size_t find_slot(const struct fed__client_index *index, const char *name) {
  size_t slot = slot_of(index, name);
  char other[FED__CLIENT_NAME_BYTES];
  while (index->slots[slot] != FED__CLIENT_NONE &&
         strcmp(fed__partition_name(index->clients, index->slots[slot], other), name) != 0)
    slot = (slot + 1) & (index->slot_count - 1);
  return slot;
}

int fed__client_index_init(struct fed__client_index *index, const struct fed__partition *clients) {
  char name[FED__CLIENT_NAME_BYTES];
  size_t slots = 2;
  while (slots < 2 * (size_t)clients->client_count) slots *= 2;
  *index = (struct fed__client_index){
      .clients = clients,
      .slots = fed__alloc(clients->context, slots * sizeof *index->slots),
      .slot_count = slots};
  if (!index->slots) return FED_E_MEMORY;
  memset(index->slots, 0xff, slots * sizeof *index->slots);
  for (uint32_t client = 0; client < clients->client_count; client++)
    index->slots[find_slot(index, fed__partition_name(clients, client, name))] = client;
  return FED_OK;
}

void fed__client_index_clear(struct fed__client_index *index) {
  if (index->clients) fed__free(index->clients->context, index->slots);
  *index = (struct fed__client_index){0};
}

uint32_t fed__client_index_find(const struct fed__client_index *index, const char *name) {
  return index->slots[find_slot(index, name)];
}
