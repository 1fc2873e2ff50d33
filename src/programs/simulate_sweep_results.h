/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_sweep_results.h: the figures of the runs of a sweep, and their means over seeds.
 */
#ifndef FED_SIMULATE_SWEEP_RESULTS_H
#define FED_SIMULATE_SWEEP_RESULTS_H

#include "programs/simulate_axes.h"

#include <jansson.h>
#include <stdio.h>

/* Of a run. On the test set if there is one, else on what the cohorts hold out. */
enum fed__sweep_figure {
  FED__FIGURE_FINAL_ACCURACY,
  FED__FIGURE_BEST_ACCURACY,
  FED__FIGURE_FINAL_LOSS,
  FED__FIGURE_BEST_LOSS,
  FED__FIGURE_ROUNDS,
  FED__FIGURE_VIRTUAL_S,
  FED__FIGURE_TARGET_ROUNDS, /* until the job's target (stop.metric) was reached */
  FED__FIGURE_TARGET_VIRTUAL_S,
  FED__FIGURE_SECONDS,
  FED__FIGURE_COUNT
};

struct fed__sweep_result {
  char name[FED__COMBINATION_NAME_BYTES], identity[65];
  enum fed__job_metric target;
  double target_value;
  char end[64];                      /* as in summary.json; empty: it is not finished */
  double figures[FED__FIGURE_COUNT]; /* NAN: not measured, or not reached */
};

/* Fill in end and figures from summary.json and metrics.jsonl in `folder`, if they are there and of
 * a run of this identity that was not stopped. FED_E_INPUT for files that cannot be read. */
FED_MUST int fed__sweep_result_read(const char *folder, struct fed__sweep_result *result);

struct fed__sweep_results {
  const struct fed_context *context;
  const char *job;
  const struct fed__axes *axes;
  struct fed__sweep_result *items; /* by combination */
};

/* For people; `out` gets a row for each combination of all but the seed. */
FED_MUST int fed__sweep_print(const struct fed__sweep_results *results, FILE *out);

/* The whole sweep; the runs as CSV; the table as CSV. */
FED_MUST int fed__sweep_json(const struct fed__sweep_results *results, struct fed_buffer *out);
FED_MUST int fed__sweep_runs_csv(const struct fed__sweep_results *results, struct fed_buffer *out);
FED_MUST int fed__sweep_table_csv(const struct fed__sweep_results *results, struct fed_buffer *out);

#endif
