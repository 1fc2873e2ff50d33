/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_summary.h: how unlike the clients of a partition are: how many examples each has, of
 * how many classes, and how far its mixture of classes is from that of all clients together.
 *
 * The distance is the total variation of the two distributions, half the sum over the classes of
 * |n_k / n - N_k / N|: the least part of the client's examples that would have to be of another
 * class. 0: the same mixture; 1: nothing in common.
 */
#ifndef FED_SIMULATE_PARTITION_SUMMARY_H
#define FED_SIMULATE_PARTITION_SUMMARY_H

#include "simulate/partition.h"
#include "simulate/spread.h"

struct fed__client_summary {
  size_t size;      /* examples, those held out among them */
  uint32_t classes; /* that it has examples of */
  double distance;
};

struct fed__partition_summary {
  const struct fed_context *context;
  const struct fed__partition *partition;
  const int64_t *labels; /* by example; NULL: the target is no class */
  uint32_t classes;      /* 0 then */
  size_t divided_count;  /* the sizes' sum */
  uint64_t *totals;      /* by class: of the clients' examples */
  struct fed__client_summary *clients;
  struct fed__spread sizes;                   /* over all clients */
  struct fed__spread class_counts, distances; /* over those that have examples */
  /* internal */
  uint32_t *scratch;
};

/* Labels and partition are borrowed. FED_E_MEMORY; nothing to clear then. */
FED_MUST int fed__partition_summary_init(const struct fed__partition *partition,
                                         const int64_t *labels, uint32_t classes,
                                         struct fed__partition_summary *summary);
void fed__partition_summary_clear(struct fed__partition_summary *summary);

/* How many examples of each class a client has: counts[0..classes). */
void fed__partition_summary_counts(const struct fed__partition_summary *summary, uint32_t client,
                                   uint64_t *counts);

#endif
