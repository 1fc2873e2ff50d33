/* SPDX-License-Identifier: Apache-2.0
 *
 * selection_section.h: the section `rounds.selection` of a job file: who takes part in a round.
 */
#ifndef FED_JOB_SELECTION_SECTION_H
#define FED_JOB_SELECTION_SECTION_H

#include "job/job.h"
#include "job/settings.h"

#define FED__SELECTION_GROUPS_MAX 64

extern const struct fed__setting fed__selection_section[];

/* FED_E_INPUT or FED_E_MISSING with the place in the tree for settings that do not go with the
 * rule, or for a rule that does not go with the rest of the job. */
FED_MUST int fed__selection_section_check(const struct fed__job *job, const struct fed__yaml *yaml);

#endif
