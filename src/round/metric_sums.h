/* SPDX-License-Identifier: Apache-2.0
 *
 * metric_sums.h: sums of metrics over the clients of a round, in whole numbers, so that they do not
 * depend on the order of arrival: losses in units of 2^-20.
 */
#ifndef FED_ROUND_METRIC_SUMS_H
#define FED_ROUND_METRIC_SUMS_H

#include "fed/train.h"

struct fed__metric_sums {
  uint64_t example_count, correct_count;
  int64_t loss_units;
};

static inline void fed__metric_sums_add(struct fed__metric_sums *sums,
                                        const struct fed_metrics *metrics) {
  sums->example_count += metrics->example_count;
  sums->correct_count += metrics->correct_count;
  sums->loss_units += (int64_t)(metrics->loss_sum * 0x1p20 + 0.5);
}

static inline void fed__metric_sums_merge(struct fed__metric_sums *sums,
                                          const struct fed__metric_sums *other) {
  sums->example_count += other->example_count;
  sums->correct_count += other->correct_count;
  sums->loss_units += other->loss_units;
}

/* Means over the examples; there must be some. */
static inline double fed__metric_sums_loss(const struct fed__metric_sums *sums) {
  return (double)sums->loss_units * 0x1p-20 / (double)sums->example_count;
}

static inline double fed__metric_sums_accuracy(const struct fed__metric_sums *sums) {
  return (double)sums->correct_count / (double)sums->example_count;
}

#endif
