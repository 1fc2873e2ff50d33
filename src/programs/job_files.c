/* SPDX-License-Identifier: Apache-2.0
 *
 * job_files.c: reading what a job consists of.
 */
#include "programs/job_files.h"
#include "base/file.h"
#include "base/raise.h"
#include "wire/wire.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>

static int graph_path(const char *job_file, const char *model_file, char *path, size_t size) {
  char copy[FED__PATH_MAX];
  if (model_file[0] == '/') {
    snprintf(path, size, "%s", model_file);
    return FED_OK;
  }
  snprintf(copy, sizeof copy, "%s", job_file);
  return fed__path_join(path, size, dirname(copy), model_file);
}

int fed__job_files_read_plan(const struct fed_context *context, const char *file,
                             const struct fed__job_override *overrides, size_t override_count,
                             struct fed__job_files *files) {
  *files = (struct fed__job_files){.overrides = overrides, .override_count = override_count};
  fed_buffer_init(&files->plan, context, FED__JOB_BYTES_MAX);
  fed_buffer_init(&files->graph, context, FED__SUBMISSION_BYTES_MAX);
  FED_TRY(fed__file_read(file, &files->plan));
  return fed__job_parse_with(context, file, fed_buffer_slice(&files->plan), overrides,
                             override_count, &files->job);
}

int fed__job_files_read_with(const struct fed_context *context, const char *file,
                             const struct fed__job_override *overrides, size_t override_count,
                             struct fed__job_files *files) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__job_files_read_plan(context, file, overrides, override_count, files));
  FED_TRY(graph_path(file, files->job.model.file, path, sizeof path));
  const int code = fed__file_read(path, &files->graph);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_NOT_FOUND,
                     "'%s' names the model '%s', which is not there; `fed model "
                     "new` writes one",
                     file, path);
  return code;
}

int fed__job_files_read(const struct fed_context *context, const char *file,
                        struct fed__job_files *files) {
  return fed__job_files_read_with(context, file, NULL, 0, files);
}

int fed__job_files_doubt(const struct fed__invocation *invocation, const struct fed__job *job,
                         const struct fed_model *model) {
  struct fed_buffer doubts;
  if (invocation->quiet || strcmp(job->train.trainer, "native") != 0) return FED_OK;
  fed_buffer_init(&doubts, invocation->context, FED__JOB_BYTES_MAX);
  const int code = fed_model_doubts(model, &job->train.options, &doubts);
  if (code == FED_OK && doubts.size)
    fprintf(stderr, "%s: note: %.*s", invocation->program->name, (int)doubts.size,
            (const char *)doubts.data);
  fed_buffer_clear(&doubts);
  return code;
}

void fed__job_files_clear(struct fed__job_files *files) {
  fed_buffer_clear(&files->plan);
  fed_buffer_clear(&files->graph);
  fed__job_clear(&files->job);
}
