/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_baselines.h: a simulation's baselines as JSON and as a table.
 */
#ifndef FED_SIMULATE_BASELINES_OUTPUT_H
#define FED_SIMULATE_BASELINES_OUTPUT_H

#include "programs/simulate_figures.h"

/* A list, the federation first, each {"name", "accuracy", "loss" …}; NULL: there are none, or out
 * of memory. */
json_t *fed__baselines_json(const struct fed__simulation *simulation,
                            const struct fed__baselines *baselines);

void fed__baselines_print(const struct fed__simulation *simulation,
                          const struct fed__baselines *baselines);

#endif
