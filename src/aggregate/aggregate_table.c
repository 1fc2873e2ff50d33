/* SPDX-License-Identifier: Apache-2.0
 *
 * aggregate_table.c: the list of all aggregation rules.
 */
#include "aggregate/aggregate.h"

const struct fed__aggregate_ops *const fed__aggregate_table[] = {&fed__aggregate_mean, NULL};

const struct fed__aggregate_ops *fed__aggregate_find(const char *name) {
  for (size_t i = 0; fed__aggregate_table[i]; i++)
    if (strcmp(fed__aggregate_table[i]->name, name) == 0) return fed__aggregate_table[i];
  return NULL;
}
