/* SPDX-License-Identifier: Apache-2.0
 *
 * job_files.h: a job file and the ONNX file that it names, relative to it.
 */
#ifndef FED_JOB_FILES_H
#define FED_JOB_FILES_H

#include "fed/train.h"
#include "job/job.h"
#include "programs/command.h"

struct fed__job_files {
  struct fed_buffer plan, graph;
  struct fed__job job;
  const struct fed__job_override *overrides; /* the caller's */
  size_t override_count;
};

/* Read and check both; `files` is to be cleared whatever comes back. */
FED_MUST int fed__job_files_read(const struct fed_context *context, const char *file,
                                 struct fed__job_files *files);
/* The same with settings in place of those in the job file; they must outlive `files`. */
FED_MUST int fed__job_files_read_with(const struct fed_context *context, const char *file,
                                      const struct fed__job_override *overrides,
                                      size_t override_count, struct fed__job_files *files);

/* Print what is hardly meant about the job's model on standard error, unless --quiet. */
FED_MUST int fed__job_files_doubt(const struct fed__invocation *invocation,
                                  const struct fed__job *job, const struct fed_model *model);

/* The job file alone: `graph` stays empty. */
FED_MUST int fed__job_files_read_plan(const struct fed_context *context, const char *file,
                                      const struct fed__job_override *overrides,
                                      size_t override_count, struct fed__job_files *files);

void fed__job_files_clear(struct fed__job_files *files);

#endif
