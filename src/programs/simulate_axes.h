/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_axes.h: settings from the command line, KEY=VALUE or KEY=VALUES, as axes of a grid: each
 * combination takes one value of each axis.
 */
#ifndef FED_SIMULATE_AXES_H
#define FED_SIMULATE_AXES_H

#include "job/job.h"
#include "programs/command.h"

#define FED__COMBINATIONS_MAX 100000
#define FED__COMBINATION_NAME_BYTES 200

struct fed__axis {
  char *key, **values;
  size_t count;
};

struct fed__axes {
  const struct fed_context *context;
  struct fed__axis *items;
  size_t count;
};

/* All that --set says: axes of one value each. All that --sweep says: values between commas that
 * are in no brackets, and ranges: 1..5 are whole numbers, 0.1..0.5:0.2 steps. FED_E_USAGE. The axes
 * are to be cleared whatever comes back. */
FED_MUST int fed__axes_of_set(const struct fed__invocation *invocation, struct fed__axes *axes);
FED_MUST int fed__axes_of_sweep(const struct fed__invocation *invocation, struct fed__axes *axes);
void fed__axes_clear(struct fed__axes *axes);

/* FED_E_USAGE for a key that an option of the command line (--seed, --clients, --partition) sets,
 * too, or that both have. */
FED_MUST int fed__axes_check(const struct fed__invocation *invocation, const struct fed__axes *set,
                             const struct fed__axes *sweep);

size_t fed__axes_combinations(const struct fed__axes *axes);

/* The values of a combination, one an axis; the last axis turns fastest. They are the axes'. */
void fed__axes_pick(const struct fed__axes *axes, size_t combination,
                    struct fed__job_override *overrides);

/* With --test the job has a test set, which some of its settings ask for: one override more. Which
 * it is comes later (fed__simulate_data_init), since a path need not be YAML. Returns how many
 * there are.
 */
size_t fed__axes_add_test(const struct fed__invocation *invocation,
                          struct fed__job_override *overrides, size_t count);

/* "train.learning_rate=0.1,seed=3", fit to be a folder's name. */
void fed__combination_name(const struct fed__job_override *overrides, size_t count,
                           char name[FED__COMBINATION_NAME_BYTES]);

#endif
