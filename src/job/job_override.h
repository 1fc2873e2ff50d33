/* SPDX-License-Identifier: Apache-2.0
 *
 * job_override.h: settings in place of those that a job file has, inside of reading it (job.h).
 */
#ifndef FED_JOB_JOB_OVERRIDE_H
#define FED_JOB_JOB_OVERRIDE_H

#include "job/job.h"
#include "job/yaml.h"

/* Put them into the tree of a job file, in order. FED_E_INPUT for a name that no setting has, with
 * the nearest one; the errors of fed__yaml_read for a value. */
FED_MUST int fed__job_override(const struct fed_context *context,
                               const struct fed__job_override *overrides, size_t count,
                               struct fed__yaml *tree);

#endif
