/* SPDX-License-Identifier: Apache-2.0
 *
 * metric_sums.h: sums of metrics over the clients of a round, in whole numbers, so that they do not
 * depend on the order of arrival: losses in units of 2^-20, in two parts, because those of models
 * that diverge are enormous before they are no numbers any more. 2^20 clients fit into the sums.
 */
#ifndef FED_ROUND_METRIC_SUMS_H
#define FED_ROUND_METRIC_SUMS_H

#include "fed/train.h"

#include <math.h>

struct fed__metric_sums { /* of 64-bit numbers only: processes add them up one by one */
  uint64_t example_count, correct_count;
  int64_t loss_high, loss_low; /* units: high * 2^40 + low */
};

/* The loss is finite, and counts as 2^62 where it is more. */
static inline void fed__metric_sums_add(struct fed__metric_sums *sums,
                                        const struct fed_metrics *metrics) {
  const double loss = fmin(fmax(metrics->loss_sum, -0x1p62), 0x1p62);
  const double units = floor(loss * 0x1p20 + 0.5), high = floor(units * 0x1p-40);
  sums->example_count += metrics->example_count;
  sums->correct_count += metrics->correct_count;
  sums->loss_high += (int64_t)high;
  sums->loss_low += (int64_t)(units - high * 0x1p40);
}

static inline void fed__metric_sums_merge(struct fed__metric_sums *sums,
                                          const struct fed__metric_sums *other) {
  sums->example_count += other->example_count;
  sums->correct_count += other->correct_count;
  sums->loss_high += other->loss_high;
  sums->loss_low += other->loss_low;
}

/* Means over the examples; there must be some. */
static inline double fed__metric_sums_loss(const struct fed__metric_sums *sums) {
  const double units = (double)sums->loss_high * 0x1p40 + (double)sums->loss_low;
  return units * 0x1p-20 / (double)sums->example_count;
}

static inline double fed__metric_sums_accuracy(const struct fed__metric_sums *sums) {
  return (double)sums->correct_count / (double)sums->example_count;
}

#endif
