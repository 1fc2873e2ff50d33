/* SPDX-License-Identifier: Apache-2.0
 *
 * name_index.h: names to numbers while a graph is built: open addressing, at most half full, so
 * that finding and adding take constant time. Names are borrowed.
 */
#ifndef FED_TRAIN_NAME_INDEX_H
#define FED_TRAIN_NAME_INDEX_H

#include "fed/context.h"

#define FED__NONE (-1)

struct fed__name_index {
  const struct fed_context *context;
  struct fed__name_slot *slots;
  size_t mask;
};

/* Room for `count` names; clear it whatever comes back. */
FED_MUST int fed__name_index_init(struct fed__name_index *index, const struct fed_context *context,
                                  size_t count);
void fed__name_index_clear(struct fed__name_index *index);

/* The name's number; FED__NONE for one that was not added. */
int32_t fed__name_index_find(const struct fed__name_index *index, const char *name);

/* Give a name its number, in place of the one it may have. */
void fed__name_index_add(struct fed__name_index *index, const char *name, int32_t number);

#endif
