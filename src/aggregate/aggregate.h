/* SPDX-License-Identifier: Apache-2.0
 *
 * aggregate.h: rules that turn a cohort's updates into one. A rule folds each update in as it
 * arrives, declares what it needs of the updates, and says how many bytes it holds.
 *
 * The mean holds one 64-bit sum an element whatever the number of clients; sums are integers, so
 * the result is the same, bit for bit, for any order of arrival and any number of threads.
 */
#ifndef FED_AGGREGATE_H
#define FED_AGGREGATE_H

#include "fed/tensor.h"

struct fed__aggregate_shape {
  size_t element_count;
  uint32_t grid_bits;   /* of the updates: 8, 16 or 32 */
  uint64_t weight_max;  /* of one update */
  uint64_t clients_max; /* that can be folded in between two begins */
};

struct fed__aggregate; /* opaque */

struct fed__aggregate_ops {
  const char *name;
  unsigned needs; /* enum fed__update_trait, as numbers of stage.h */
  int gives_sum;  /* secure aggregation can carry this rule */
  /* FED_E_RANGE when a sum of such updates might not fit its integers. */
  FED_MUST int (*check)(const struct fed__aggregate_shape *shape);
  size_t (*bytes)(const struct fed__aggregate_shape *shape); /* of memory that it will hold */
  FED_MUST int (*init)(const struct fed_context *context, const struct fed__aggregate_shape *shape,
                       struct fed__aggregate **aggregate);
  void (*free)(struct fed__aggregate *aggregate);
  void (*begin)(struct fed__aggregate *aggregate); /* forget everything folded in */
  /* `grid`: exactly element_count integers. FED_E_SHAPE, FED_E_RANGE (weight), FED_E_LIMIT
   * (clients_max). All or nothing. */
  FED_MUST int (*add)(struct fed__aggregate *aggregate, struct fed_slice grid, uint64_t weight);
  /* Fold in all that was folded into `other`, of the same shape, as if it had come here.
   * FED_E_LIMIT (clients_max); then nothing has changed. */
  FED_MUST int (*merge)(struct fed__aggregate *aggregate, const struct fed__aggregate *other);
  /* All that was folded in, as whole numbers: those of several processes, added up modulo 2^64, are
   * what one process would hold. */
  int64_t *(*words)(struct fed__aggregate *aggregate, size_t *count);
  /* The sum over updates of weight * grid, and the sum of weights. Owned by the aggregate.
   * FED_E_EMPTY when nothing was added. */
  FED_MUST int (*finish)(struct fed__aggregate *aggregate, const int64_t **sum,
                         uint64_t *weight_sum);
};

extern const struct fed__aggregate_ops fed__aggregate_mean;

/* All rules, NULL-terminated. */
extern const struct fed__aggregate_ops *const fed__aggregate_table[];

/* The rule of that name, or NULL. */
const struct fed__aggregate_ops *fed__aggregate_find(const char *name);

/* sum[i] += weight * grid[i]: the inner loop, here so that the benchmark can measure it. `grid`
 * may have any alignment; grid_bits is 8, 16 or 32; nothing may overflow. */
void fed__fold(int64_t *sum, const void *grid, uint32_t grid_bits, size_t count, int64_t weight);

#endif
