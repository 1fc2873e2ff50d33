/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_summary.h: a whole simulation in one JSON object and in a few lines for people.
 */
#ifndef FED_SIMULATE_SUMMARY_H
#define FED_SIMULATE_SUMMARY_H

#include "programs/simulate_figures.h"
#include "programs/simulate_output.h"

/* `*summary` is the caller's. FED_E_MEMORY. */
FED_MUST int fed__summary_make(const struct fed__simulate_output *output,
                               const struct fed__simulation *simulation,
                               const struct fed__final_figures *figures, json_t **summary);

void fed__summary_print(const struct fed__simulate_output *output,
                        const struct fed__simulation *simulation,
                        const struct fed__final_figures *figures);

#endif
