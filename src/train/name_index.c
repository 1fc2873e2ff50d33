/* SPDX-License-Identifier: Apache-2.0
 *
 * name_index.c: names to numbers.
 */
#include "train/name_index.h"
#include "base/memory.h"
#include "base/rng.h"

#include <string.h>

struct fed__name_slot {
  const char *name; /* NULL: empty */
  int32_t number;
};

int fed__name_index_init(struct fed__name_index *index, const struct fed_context *context,
                         size_t count) {
  *index = (struct fed__name_index){.context = context, .mask = 1};
  while (index->mask < 2 * count) index->mask = 2 * index->mask + 1;
  index->slots = fed__zalloc(context, index->mask + 1, sizeof *index->slots);
  return index->slots ? FED_OK : FED_E_MEMORY;
}

void fed__name_index_clear(struct fed__name_index *index) {
  fed__free(index->context, index->slots);
  *index = (struct fed__name_index){0};
}

static struct fed__name_slot *find_slot(const struct fed__name_index *index, const char *name) {
  size_t at = (size_t)fed__name_number(name) & index->mask;
  while (index->slots[at].name && strcmp(index->slots[at].name, name) != 0)
    at = (at + 1) & index->mask;
  return &index->slots[at];
}

int32_t fed__name_index_find(const struct fed__name_index *index, const char *name) {
  const struct fed__name_slot *slot = find_slot(index, name);
  return slot->name ? slot->number : FED__NONE;
}

void fed__name_index_add(struct fed__name_index *index, const char *name, int32_t number) {
  *find_slot(index, name) = (struct fed__name_slot){name, number};
}
