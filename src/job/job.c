/* SPDX-License-Identifier: Apache-2.0
 *
 * job.c: a job file from its bytes to a checked struct, and back to text. The work is done by the
 * table of settings; this file ties the pieces together.
 */
#include "job/job.h"
#include "job/data_section.h"
#include "job/job_check.h"
#include "job/job_override.h"
#include "job/settings.h"

static int read_job(const struct fed__yaml *yaml, struct fed__job *job) {
  FED_TRY(fed__settings_read(job->context, fed__job_settings, yaml, job));
  fed__data_section_settle(job);
  const int code = fed__job_check(job, yaml);
  if (code != FED_OK) fed__job_clear(job);
  return code;
}

int fed__job_parse_with(const struct fed_context *context, const char *name, struct fed_slice yaml,
                        const struct fed__job_override *overrides, size_t override_count,
                        struct fed__job *job) {
  *job = (struct fed__job){.context = context};
  struct fed__yaml tree;
  FED_TRY(fed__yaml_read(context, name, yaml, &tree));
  int code = fed__job_override(context, overrides, override_count, &tree);
  if (code == FED_OK) code = read_job(&tree, job);
  fed__yaml_clear(&tree);
  return code;
}

int fed__job_parse(const struct fed_context *context, const char *name, struct fed_slice yaml,
                   struct fed__job *job) {
  return fed__job_parse_with(context, name, yaml, NULL, 0, job);
}

void fed__job_clear(struct fed__job *job) {
  if (job->context) fed__settings_clear(job->context, fed__job_settings, job);
}

void fed__job_model_options(const struct fed__job *job, struct fed_model_options *options) {
  *options = (struct fed_model_options){
      .trainable = (const char *const *)job->model.trainable,
      .trainable_count = job->model.trainable_count,
      .frozen = (const char *const *)job->model.frozen,
      .frozen_count = job->model.frozen_count,
      .output = job->model.output,
      .dimensions = job->model.dimensions,
      .dimension_count = job->model.dimension_count,
      .statistics = job->model.statistics,
      .adapted = (const char *const *)job->model.adapted,
      .adapted_count = job->model.adapted_count,
      .adapter_rank = job->model.adapter_rank,
      .adapter_alpha = job->model.adapter_alpha,
      .adapter_seed = job->seed,
  };
}

int fed__job_explain(const struct fed_context *context, const struct fed__job *job, int json,
                     struct fed_buffer *out) {
  return fed__settings_explain(context, fed__job_settings, job,
                               json ? FED__SETTINGS_JSON : FED__SETTINGS_TEXT, out);
}
