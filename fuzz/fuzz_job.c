/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_job.c: any bytes as a job file. Reading it twice gives the same explanation or the same
 * message, and the JSON form is JSON. A job that was read can be turned into a plan and into the
 * settings of rounds, or is refused; its numbers are in the ranges that rounds are built for.
 */
#include "fuzz_target.h"

#include "round/plan.h"
#include "round/round.h"

#include <jansson.h>

static void explain(const struct fed_context *context, struct fed_slice yaml,
                    struct fed_buffer *out) {
  struct fed__job job;
  fed_buffer_init(out, context, SIZE_MAX);
  if (fed__job_parse(context, "job.yaml", yaml, &job) == FED_OK) {
    HOLDS(fed__job_explain(context, &job, 0, out) == FED_OK);
    fed__job_clear(&job);
  } else {
    HOLDS(fed_buffer_print(out, "%s", fed_error_last()->message) == FED_OK);
  }
}

static void check_same_twice(const struct fed_context *context, struct fed_slice yaml) {
  struct fed_buffer first, second;
  explain(context, yaml, &first);
  explain(context, yaml, &second);
  HOLDS(fuzz_equal(fed_buffer_slice(&first), fed_buffer_slice(&second)));
  fed_buffer_clear(&second);
  fed_buffer_clear(&first);
}

static void check_json(const struct fed_context *context, const struct fed__job *job) {
  struct fed_buffer text;
  fed_buffer_init(&text, context, SIZE_MAX);
  HOLDS(fed__job_explain(context, job, 1, &text) == FED_OK);
  json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
  HOLDS(json_is_array(json));
  json_decref(json);
  fed_buffer_clear(&text);
}

static void check_rounds(const struct fed__job *job) {
  struct fed__round_settings s;
  struct fed__plan plan;
  if (fed__plan_make(job, 1000, &plan) != FED_OK) return;
  HOLDS(plan.rule && plan.exchange_count >= 1);
  fed__round_settings_from_job(job, plan.exchange_count, &s);
  HOLDS(s.rounds >= 1 && s.minimum >= 1 && s.minimum <= s.cohort && s.cohort <= s.invited);
  HOLDS(s.failures_max >= 1 && s.gather_ms >= 0 && s.deadline_ms > 0);
  HOLDS(s.back_off_ms >= 0 && s.back_off_max_ms >= 0 && s.time_max_ms >= 0);
}

int fuzz_one(const uint8_t *data, size_t size) {
  const struct fed_slice yaml = fed_slice_of(data, size);
  struct fuzz_memory memory;
  struct fed__job job;
  fuzz_memory_begin(&memory, ((size_t)4 << 20) + 512 * size);
  if (fed__job_parse(&memory.context, "job.yaml", yaml, &job) == FED_OK) {
    check_json(&memory.context, &job);
    check_rounds(&job);
    fed__job_clear(&job);
  }
  check_same_twice(&memory.context, yaml);
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
