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
};

/* Read and check both; `files` is to be cleared whatever comes back. */
FED_MUST int fed__job_files_read(const struct fed_context *context, const char *file,
                                 struct fed__job_files *files);
/* Print what is hardly meant about the job's model on standard error, unless --quiet. */
FED_MUST int fed__job_files_doubt(const struct fed__invocation *invocation,
                                  const struct fed__job *job, const struct fed_model *model);

/* The job file alone: `graph` stays empty. */
FED_MUST int fed__job_files_read_plan(const struct fed_context *context, const char *file,
                                      struct fed__job_files *files);

void fed__job_files_clear(struct fed__job_files *files);

#endif
