/* SPDX-License-Identifier: Apache-2.0
 *
 * data_section.h: the section `data` of a job file: what examples look like and how they are read.
 */
#ifndef FED_JOB_DATA_SECTION_H
#define FED_JOB_DATA_SECTION_H

#include "job/job.h"
#include "job/settings.h"

extern const struct fed__setting fed__data_settings[];

/* What follows from settings that are there: the number of classes from their names; from the loss,
 * whether classes are given as probabilities; that padding behind a sequence does not count. */
void fed__data_section_settle(struct fed__job *job);

/* The rules that tie its settings together, and to the loss. FED_E_INPUT, FED_E_MISSING,
 * FED_E_DUPLICATE with the place in the tree. */
FED_MUST int fed__data_section_check(const struct fed__job *job, const struct fed__yaml *yaml);

#endif
