/* SPDX-License-Identifier: Apache-2.0
 *
 * split.h: divide examples, repeatably from a seed: held-out examples of one data owner, and a
 * demonstration's examples over clients with unequal shares of the classes.
 */
#ifndef FED_DATA_SPLIT_H
#define FED_DATA_SPLIT_H

#include "fed/context.h"

/* Rows in ascending order; the memory is one allocation. */
struct fed__split {
  const struct fed_context *context;
  uint32_t *train;
  size_t train_count;
  uint32_t *held_out;
  size_t held_out_count;
};

/* Hold out round(fraction * count) examples, chosen uniformly; at least one if the fraction is
 * above 0, and never all. The same count, fraction and seed give the same rows.
 * FED_E_RANGE for a fraction outside [0, 1) or more examples than row numbers; FED_E_EMPTY. */
FED_MUST int fed__split_holdout(const struct fed_context *context, size_t count, double fraction,
                                uint64_t seed, struct fed__split *split);
void fed__split_clear(struct fed__split *split);

/* Label-wise Dirichlet (Hsu, Qi, Brown 2019, arXiv:1909.06335; NIID-Bench, Li et al. 2022): the
 * examples of each class go to the clients in proportions drawn from Dirichlet(alpha, …, alpha).
 * Small alpha: each client has few classes; large alpha: all have the same mixture. */
struct fed__split_dirichlet {
  const int64_t *labels; /* in [0, classes) */
  size_t count;
  uint32_t classes;
  uint32_t clients;
  double alpha;
  size_t client_min; /* draw again until each client has at least so many */
  uint64_t seed;
};

/* client_of[i] becomes the client of example i. FED_E_RANGE for a label outside the classes, for
 * settings that cannot be met, and when no draw of many met client_min. */
FED_MUST int fed__split_dirichlet(const struct fed_context *context,
                                  const struct fed__split_dirichlet *options, uint32_t *client_of);

#endif
