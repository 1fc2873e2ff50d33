/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_figures.h: what a simulation measured, as JSON. Functions that make JSON give NULL when
 * out of memory; JSON is the caller's.
 */
#ifndef FED_SIMULATE_FIGURES_H
#define FED_SIMULATE_FIGURES_H

#include "programs/class_figures.h"
#include "simulate/baselines.h"
#include "simulate/simulation.h"

/* The last model, measured when the run is over. */
struct fed__final_figures {
  const struct fed_context *context;
  struct fed__client_figures clients;
  struct fed__visit *visits; /* at whom */
  size_t visit_count;
  struct fed__classification test, held_out; /* classes 0: not measured */
  struct fed__baselines baselines;
};
FED_MUST int fed__final_figures_init(struct fed__final_figures *figures,
                                     struct fed__simulation *simulation);
void fed__final_figures_clear(struct fed__final_figures *figures);

/* Do its metrics count what is correct? */
int fed__has_accuracy(const struct fed__job *job);

/* null where nothing was measured. */
json_t *fed__sums_json(const struct fed__job *job, const struct fed__metric_sums *sums);
json_t *fed__spread_json(const struct fed__spread *spread);

/* What went wrong, by name; NULL: nothing. */
json_t *fed__trouble_json(const uint64_t trouble[FED__TROUBLE_COUNT]);

/* A line of metrics.jsonl. */
json_t *fed__round_json(const struct fed__job *job, const struct fed__simulated_round *round);

/* What the report shows and summary.json does not hold: matrices, and the clients one by one. */
json_t *fed__details_json(const struct fed__simulation *simulation,
                          const struct fed__final_figures *figures);

/* The job's settings as one object, from "train.epochs" to its value. */
json_t *fed__settings_json(const struct fed__job *job);

#endif
