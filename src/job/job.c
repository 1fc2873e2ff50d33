/* SPDX-License-Identifier: Apache-2.0
 *
 * job.c: a job file from its bytes to a checked struct, and back to text. The work is done by the
 * table of settings; this file ties the pieces together.
 */
#include "job/job.h"
#include "job/job_check.h"
#include "job/settings.h"

static int read_job(const struct fed__yaml *yaml, struct fed__job *job) {
  FED_TRY(fed__settings_read(job->context, fed__job_settings, yaml, job));
  job->train.options.loss = job->model.loss;
  const int code = fed__job_check(job, yaml);
  if (code != FED_OK) fed__job_clear(job);
  return code;
}

int fed__job_parse(const struct fed_context *context, const char *name, struct fed_slice yaml,
                   struct fed__job *job) {
  *job = (struct fed__job){.context = context};
  struct fed__yaml tree;
  FED_TRY(fed__yaml_read(context, name, yaml, &tree));
  const int code = read_job(&tree, job);
  fed__yaml_clear(&tree);
  return code;
}

void fed__job_clear(struct fed__job *job) {
  if (job->context) fed__settings_clear(job->context, fed__job_settings, job);
}

int fed__job_explain(const struct fed_context *context, const struct fed__job *job, int json,
                     struct fed_buffer *out) {
  return fed__settings_explain(context, fed__job_settings, job,
                               json ? FED__SETTINGS_JSON : FED__SETTINGS_TEXT, out);
}
