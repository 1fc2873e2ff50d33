/* SPDX-License-Identifier: Apache-2.0
 *
 * job_check.h: the rules that tie several settings of a job together. Whether sums fit and stages
 * chain is checked in round/, where the stages are.
 */
#ifndef FED_JOB_JOB_CHECK_H
#define FED_JOB_JOB_CHECK_H

#include "job/job.h"
#include "job/yaml.h"

/* FED_E_INPUT, FED_E_RANGE or FED_E_MISSING, with the place in the tree that the job came from. */
FED_MUST int fed__job_check(const struct fed__job *job, const struct fed__yaml *yaml);

#endif
