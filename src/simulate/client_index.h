/* SPDX-License-Identifier: Apache-2.0
 *
 * client_index.h: from a client's name to its number. A hash table: 8 to 16 bytes a client.
 */
#ifndef FED_SIMULATE_CLIENT_INDEX_H
#define FED_SIMULATE_CLIENT_INDEX_H

#include "simulate/partition.h"

#define FED__CLIENT_NONE UINT32_MAX

struct fed__client_index {
  const struct fed__partition *clients;
  uint32_t *slots;
  size_t slot_count; /* a power of two, at least twice the clients */
};

/* The partition must outlive the index. */
FED_MUST int fed__client_index_init(struct fed__client_index *index,
                                    const struct fed__partition *clients);
void fed__client_index_clear(struct fed__client_index *index);

/* FED__CLIENT_NONE: nobody is called so. */
uint32_t fed__client_index_find(const struct fed__client_index *index, const char *name);

#endif
