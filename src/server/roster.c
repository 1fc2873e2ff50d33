/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.c: client names to numbers, by open addressing in a table at most half full.
 */
#include "server/roster.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"

#include <stdio.h>

void fed__roster_init(struct fed__roster *roster, const struct fed_context *context) {
  *roster = (struct fed__roster){.context = context};
}

void fed__roster_clear(struct fed__roster *roster) {
  if (!roster->context) return;
  for (uint32_t i = 0; i < roster->count; i++) fed__free(roster->context, roster->clients[i]);
  fed__free(roster->context, roster->clients);
  fed__free(roster->context, roster->slots);
  *roster = (struct fed__roster){0};
}

static uint32_t *find_slot(const struct fed__roster *roster, const char *name) {
  uint32_t at = (uint32_t)fed__name_number(name) & (roster->slot_count - 1);
  while (roster->slots[at] && strcmp(roster->clients[roster->slots[at] - 1]->name, name) != 0)
    at = (at + 1) & (roster->slot_count - 1);
  return &roster->slots[at];
}

static int grow(struct fed__roster *roster) {
  const uint32_t capacity = roster->capacity ? roster->capacity * 2 : 64;
  struct fed__roster_client **clients =
      fed__resize(roster->context, roster->clients, capacity, sizeof(void *));
  if (!clients) return FED_E_MEMORY;
  roster->clients = clients;
  uint32_t *slots = fed__zalloc(roster->context, capacity * 2, sizeof *slots);
  if (!slots) return FED_E_MEMORY;
  fed__free(roster->context, roster->slots);
  roster->slots = slots;
  roster->slot_count = capacity * 2;
  roster->capacity = capacity;
  for (uint32_t i = 0; i < roster->count; i++) *find_slot(roster, clients[i]->name) = i + 1;
  return FED_OK;
}

int fed__roster_number(struct fed__roster *roster, const char *name, uint32_t *number) {
  if (roster->count == roster->capacity) FED_TRY(grow(roster));
  uint32_t *slot = find_slot(roster, name);
  if (!*slot) {
    struct fed__roster_client *client = fed__zalloc(roster->context, 1, sizeof *client);
    if (!client) return FED_E_MEMORY;
    snprintf(client->name, sizeof client->name, "%s", name);
    roster->clients[roster->count++] = client;
    *slot = roster->count;
  }
  *number = *slot - 1;
  return FED_OK;
}

int fed__roster_has(const struct fed__roster_client *client, const char *dataset,
                    uint64_t examples_min) {
  if (!dataset) return 1;
  for (size_t i = 0; i < client->dataset_count; i++) {
    const struct fed__roster_dataset *entry = &client->datasets[i];
    if (strcmp(entry->name, dataset) == 0)
      return entry->example_count == 0 || entry->example_count >= examples_min;
  }
  return 0;
}
