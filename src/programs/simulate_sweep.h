/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_sweep.h: the same job with several values of some settings, one run after the other, and
 * a table of what came out.
 *
 *   DIR/  train.learning_rate=0.1,seed=1/ …  runs.csv  table.csv  sweep.json
 *         report.html
 */
#ifndef FED_SIMULATE_SWEEP_H
#define FED_SIMULATE_SWEEP_H

#include "programs/simulate_axes.h"
#include "simulate/ranks.h"

/* Runs one simulation with settings in place of the job's; `title` as in simulate_output.h. */
struct fed__simulate_runner {
  int (*run)(const struct fed__simulate_runner *self, struct fed__invocation *invocation,
             const struct fed__job_override *overrides, size_t count, const char *title);
  struct fed__ranks *ranks; /* NULL: this process is alone; else all sweep together */
  const char *out;          /* what is asked for as --out */
};

/* Run every combination that is not finished yet, each with its folder as --out; a run that was
 * interrupted goes on. Refuses before the first run what is wrong with any combination. What fails
 * or is stopped ends the sweep; a run with too many failed rounds does not, but FED_E_INPUT comes
 * back in the end. */
FED_MUST int fed__simulate_sweep(struct fed__invocation *invocation, const struct fed__axes *set,
                                 const struct fed__axes *axes,
                                 const struct fed__simulate_runner *runner);

#endif
