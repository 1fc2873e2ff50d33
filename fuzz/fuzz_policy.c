/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_policy.c: any bytes as an agent's policy. Reading it twice gives the same explanation or the
 * same message, the JSON form is JSON, and a job is allowed or denied, without a third answer.
 */
#include "fuzz_target.h"

#include "job/job.h"

#include <jansson.h>

static void explain(const struct fed_context *context, struct fed_slice yaml,
                    struct fed_buffer *out) {
  struct fed__policy policy;
  fed_buffer_init(out, context, SIZE_MAX);
  if (fed__policy_parse(context, "policy.yaml", yaml, &policy) == FED_OK) {
    HOLDS(fed__policy_explain(context, &policy, 0, out) == FED_OK);
    fed__policy_clear(&policy);
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

static void check_json(const struct fed_context *context, const struct fed__policy *policy) {
  struct fed_buffer text;
  fed_buffer_init(&text, context, SIZE_MAX);
  HOLDS(fed__policy_explain(context, policy, 1, &text) == FED_OK);
  json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
  HOLDS(json_is_array(json));
  json_decref(json);
  fed_buffer_clear(&text);
}

static void check_answers(const struct fed__policy *policy, const struct fed__job *job) {
  static const char plan[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  static const struct fed__identity signer = {.name = "maria", .role = FED__ROLE_OPERATOR};
  for (uint32_t hour = 0; hour < 24; hour++) {
    const int code = fed__policy_allows(policy, job, plan, &signer, hour);
    HOLDS(code == FED_OK || code == FED_E_DENIED);
  }
}

int fuzz_one(const uint8_t *data, size_t size) {
  static const char job_yaml[] =
      "version: 1\nname: heart-disease\nmodel: {file: m.onnx}\n"
      "data: {name: heart, format: npz, inputs: {file: d.npz, array: x},"
      " target: {array: y, classes: 2}}\n"
      "rounds: {cohort: 4, minimum: 3, count: 2}\nupdate: {clip_norm: 4}\n";
  const struct fed_slice yaml = fed_slice_of(data, size);
  struct fuzz_memory memory;
  struct fed__policy policy;
  struct fed__job job;
  fuzz_memory_begin(&memory, ((size_t)4 << 20) + 512 * size);
  HOLDS(fed__job_parse(&memory.context, "job.yaml", fed_slice_of_text(job_yaml), &job) == FED_OK);
  if (fed__policy_parse(&memory.context, "policy.yaml", yaml, &policy) == FED_OK) {
    check_json(&memory.context, &policy);
    check_answers(&policy, &job);
    fed__policy_clear(&policy);
  }
  fed__job_clear(&job);
  check_same_twice(&memory.context, yaml);
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
