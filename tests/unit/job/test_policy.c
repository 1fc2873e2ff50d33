/* SPDX-License-Identifier: Apache-2.0
 *
 * test_policy.c: policy files are read as they say, and every refusal of a job has its sentence.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "job/job.h"

#include <stdio.h>

#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"

static struct fed_context context;

static struct fed__policy parse(const char *yaml) {
  struct fed__policy policy;
  if (fed__policy_parse(&context, "policy.yaml", fed_slice_of_text(yaml), &policy) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return policy;
}

static void test_defaults(void **state) {
  (void)state;
  struct fed__policy policy = parse("allow: {jobs: [a]}\ndata: {name: d, folder: /x}\n");
  assert_int_equal(policy.job_count, 1);
  assert_string_equal(policy.jobs[0], "a");
  assert_null(policy.jobs[1]);
  assert_int_equal(policy.dataset_count, 1);
  assert_string_equal(policy.datasets[0].folder, "/x");
  assert_int_equal(policy.plan_count, 0);
  assert_int_equal(policy.signer_count + policy.signer_key_count, 0);
  assert_int_equal(policy.trainer_count, 0);
  assert_int_equal(policy.cohort_min, 2);
  assert_false(policy.share_metrics);
  assert_int_equal(policy.memory_bytes_max, 0);
  assert_int_equal(policy.download_bytes_max, 1 << 30);
  assert_int_equal(policy.hour_from, policy.hour_to);
  fed__policy_clear(&policy);
}

static void test_everything(void **state) {
  (void)state;
  struct fed__policy policy = parse("allow:\n"
                                    "  jobs: [a, 'b-*']\n"
                                    "  plans: [" HASH "]\n"
                                    "  signers: [maria, 'h-*']\n"
                                    "  signer_keys: [" OTHER "]\n"
                                    "data:\n"
                                    "  - {name: d, folder: /x}\n"
                                    "  - {name: e, folder: y z}\n"
                                    "trainers:\n"
                                    "  - {name: t, command: [python3, -u, train.py]}\n"
                                    "demand: {cohort_min: 5, clip_norm_max: 1.5}\n"
                                    "share: {metrics: true, examples_counted_max: 1000}\n"
                                    "limits: {memory: 2 GiB, cpu: 90 s, train: 2 min,\n"
                                    "         download: 64 MiB, upload: 512 KiB, network: 1 MiB}\n"
                                    "schedule: {hours: 20-6}\n");
  assert_int_equal(policy.job_count, 2);
  assert_string_equal(policy.plans[0], HASH);
  assert_int_equal(policy.signer_count, 2);
  assert_string_equal(policy.signers[1], "h-*");
  assert_int_equal(policy.signer_key_count, 1);
  assert_string_equal(policy.signer_keys[0], OTHER);
  assert_int_equal(policy.dataset_count, 2);
  assert_string_equal(policy.datasets[1].folder, "y z");
  assert_int_equal(policy.trainers[0].command_count, 3);
  assert_string_equal(policy.trainers[0].command[2], "train.py");
  assert_null(policy.trainers[0].command[3]);
  assert_true(policy.cohort_min == 5 && policy.clip_norm_max == 1.5);
  assert_true(policy.share_metrics && policy.examples_counted_max == 1000);
  assert_true(policy.memory_bytes_max == 2147483648 && policy.cpu_s_max == 90);
  assert_true(policy.train_s_max == 120 && policy.download_bytes_max == 67108864);
  assert_true(policy.upload_bytes_max == 524288 && policy.network_bytes_per_s_max == 1048576);
  assert_true(policy.hour_from == 20 && policy.hour_to == 6);
  fed__policy_clear(&policy);
}

/* What a test changes of a policy and a job that fit together. */
struct meeting {
  struct fed__policy policy;
  struct fed__job job;
  const char *plan;
  struct fed__identity signer;
  uint32_t hour;
};

/* The job's texts are only looked at. */
static char *text(const char *constant) { return (char *)(uintptr_t)constant; }

static struct meeting meet(const char *policy) {
  struct meeting meeting = {
      .policy = parse(policy), .plan = HASH, .hour = 12, .signer = {.name = "maria"}};
  memset(meeting.signer.key.bytes, 0xab, 32);
  meeting.job = (struct fed__job){.name = text("heart-1"),
                                  .data.name = text("d"),
                                  .train.trainer = text("native"),
                                  .rounds.minimum = 5,
                                  .update.clip_norm = 1};
  return meeting;
}

static void expect_allowed(const struct meeting *meeting) {
  if (fed__policy_allows(&meeting->policy, &meeting->job, meeting->plan, &meeting->signer,
                         meeting->hour) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
}

static void expect_denied(const struct meeting *meeting, const char *message) {
  assert_int_equal(fed__policy_allows(&meeting->policy, &meeting->job, meeting->plan,
                                      &meeting->signer, meeting->hour),
                   FED_E_DENIED);
  assert_string_equal(fed_error_last()->message, message);
}

static const char strict[] = "allow: {jobs: [\"heart-*\"], plans: [" HASH "]}\n"
                             "data: {name: d, folder: /x}\n"
                             "trainers: {name: ext, command: [x]}\n"
                             "demand: {cohort_min: 5, clip_norm_max: 1}\n";

static void test_allowed(void **state) {
  (void)state;
  struct meeting meeting = meet(strict);
  expect_allowed(&meeting);
  meeting.job.train.trainer = text("ext");
  expect_allowed(&meeting);
  meeting.job.data.name = NULL; /* a job without data */
  expect_allowed(&meeting);
  fed__policy_clear(&meeting.policy);
}

static void test_refusals(void **state) {
  (void)state;
  struct meeting good = meet(strict), bad = good;
  bad.job.name = text("liver");
  expect_denied(&bad, "job 'liver' is not among the jobs that this site's policy allows; its owner "
                      "can add it to 'allow.jobs'");
  bad = good;
  bad.plan = OTHER;
  expect_denied(&bad, "job 'heart-1' has the plan " OTHER ", which is not among the plans that "
                      "this site's policy allows");
  bad = good;
  bad.job.data.name = text("e");
  expect_denied(&bad, "job 'heart-1' asks for the data set 'e', which this site's policy does not "
                      "offer");
  bad = good;
  bad.job.train.trainer = text("other");
  expect_denied(&bad, "job 'heart-1' asks for the trainer 'other', which this site's policy does "
                      "not allow");
  bad = good;
  bad.job.rounds.minimum = 2;
  expect_denied(&bad, "job 'heart-1' has a minimum cohort of 2; this site's policy demands at "
                      "least 5");
  bad = good;
  bad.job.update.clip_norm = 0;
  expect_denied(&bad, "job 'heart-1' does not clip updates; this site's policy demands a norm of "
                      "at most 1");
  bad.job.update.clip_norm = 1.25;
  expect_denied(&bad, "job 'heart-1' clips updates to a norm of 1.25; this site's policy demands "
                      "at most 1");
  fed__policy_clear(&good.policy);
}

#define KEY                                                                                        \
  "abababababababababababababababababababababababababababababababab" /* of meet's signer */

static struct meeting meet_signer(const char *allow) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "allow: {jobs: ['*'], %s}\ndata: {name: d, folder: /x}\n", allow);
  return meet(yaml);
}

static void test_signers(void **state) {
  (void)state;
  static const char *const allowing[] = {"signers: [maria]",
                                         "signers: ['m*', bob]",
                                         "signers: []",
                                         "signer_keys: []",
                                         "signer_keys: [" OTHER ", " KEY "]",
                                         "signers: ['*'], signer_keys: [" KEY "]"};
  for (size_t i = 0; i < sizeof allowing / sizeof allowing[0]; i++) {
    struct meeting meeting = meet_signer(allowing[i]);
    expect_allowed(&meeting);
    fed__policy_clear(&meeting.policy);
  }
  struct meeting meeting = meet_signer("signers: [Maria, bob], signer_keys: [" KEY "]");
  expect_denied(&meeting, "job 'heart-1' is signed by 'maria', who is not among the signers that "
                          "this site's policy allows; its owner can add them to 'allow.signers'");
  fed__policy_clear(&meeting.policy);
  meeting = meet_signer("signers: [maria], signer_keys: [" OTHER "]");
  expect_denied(&meeting, "job 'heart-1' is signed by 'maria' with the key " KEY ", which is not "
                          "among the keys that this site's policy allows");
  fed__policy_clear(&meeting.policy);
}

static int allowed_at(const char *hours, uint32_t hour) {
  char yaml[256];
  snprintf(yaml, sizeof yaml,
           "allow: {jobs: ['*']}\ndata: {name: d, folder: /x}\nschedule: {hours: %s}\n", hours);
  struct meeting meeting = meet(yaml);
  const int code =
      fed__policy_allows(&meeting.policy, &meeting.job, meeting.plan, &meeting.signer, hour);
  fed__policy_clear(&meeting.policy);
  assert_true(code == FED_OK || code == FED_E_DENIED);
  return code == FED_OK;
}

static void test_hours(void **state) {
  (void)state;
  for (uint32_t hour = 0; hour < 24; hour++) {
    assert_true(allowed_at("always", hour));
    assert_true(allowed_at("0-24", hour));
    assert_int_equal(allowed_at("8-18", hour), hour >= 8 && hour < 18);
    assert_int_equal(allowed_at("20-6", hour), hour >= 20 || hour < 6);
    assert_int_equal(allowed_at("22-24", hour), hour >= 22);
    assert_int_equal(allowed_at("23-0", hour), hour == 23);
  }
  assert_false(allowed_at("8-18", 18));
  assert_string_equal(fed_error_last()->message,
                      "job 'heart-1' came at 18:00; this site's policy trains only from 8:00 to "
                      "18:00");
}

static int allows_name(const char *pattern, const char *name) {
  char yaml[256];
  snprintf(yaml, sizeof yaml, "allow: {jobs: ['%s']}\ndata: {name: d, folder: /x}\n", pattern);
  struct meeting meeting = meet(yaml);
  meeting.job.name = text(name);
  const int code = fed__policy_allows(&meeting.policy, &meeting.job, HASH, &meeting.signer, 0);
  fed__policy_clear(&meeting.policy);
  return code == FED_OK;
}

static void test_globs(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *name;
    int matches;
  } cases[] = {
      {"*", "anything", 1},  {"a", "a", 1},       {"a", "A", 0},         {"a", "ab", 0},
      {"ab", "a", 0},        {"a*", "a", 1},      {"a*", "abc", 1},      {"*c", "abc", 1},
      {"*c", "abcd", 0},     {"a*c", "ac", 1},    {"a*c", "abcbc", 1},   {"a*c", "abcb", 0},
      {"*b*", "abc", 1},     {"*b*d*", "abc", 0}, {"**", "x", 1},        {"a*b*c", "a-b-b-c", 1},
      {"a*b*c", "a-c-b", 0}, {"?", "x", 0},       {"fed.*", "fedx1", 0}, {"*aab", "aaaaaab", 1},
      {"*", "", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (allows_name(cases[i].pattern, cases[i].name) != cases[i].matches)
      fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

static void test_bad_policies(void **state) {
  (void)state;
#define DATA "data: {name: d, folder: /x}\n"
  static const struct {
    const char *yaml;
    int code;
    const char *message;
  } cases[] = {
      {DATA, FED_E_MISSING, "policy.yaml:1:1: 'allow' is missing: what may run"},
      {"allow: {jobs: [a]}\n", FED_E_MISSING,
       "policy.yaml:1:1: 'data' is missing: what jobs may train on; one map if there is one"},
      {"allow: {jobs: []}\n" DATA, FED_E_TYPE,
       "policy.yaml:1:15: 'allow.jobs' must be a list of texts, not empty, found a list"},
      {"allow: {jobs: [a], plans: [abc]}\n" DATA, FED_E_INPUT,
       "policy.yaml:1:27: 'allow.plans[0]' must be a SHA-256 hash, 64 hex digits in lower case, "
       "found 'abc'"},
      {"allow: {jobs: [a], signer_keys: [" HASH ", 'AB']}\n" DATA, FED_E_INPUT,
       "policy.yaml:1:33: 'allow.signer_keys[1]' must be an Ed25519 public key, 64 hex digits in "
       "lower case, found 'AB'"},
      {"allow: {jobs: [a]}\ndata:\n  - {name: d, folder: /x}\n  - {name: d, folder: /y}\n",
       FED_E_DUPLICATE, "policy.yaml:3:3: the data set 'd' is given twice"},
      {"allow: {jobs: [a]}\n" DATA "trainers: {name: native, command: [x]}\n", FED_E_INPUT,
       "policy.yaml:3:11: 'native' is the built-in trainer; give this one another name"},
      {"allow: {jobs: [a]}\n" DATA "trainers: {name: t, command: []}\n", FED_E_TYPE,
       "policy.yaml:3:30: 'trainers.command' must be a list of texts, not empty, found a list"},
      {"allow: {jobs: [a]}\n" DATA "schedule: {hours: 25-3}\n", FED_E_RANGE,
       "policy.yaml:3:19: 'schedule.hours' must be 'always' or two different hours such as 8-18 "
       "or 20-6, found '25-3'"},
      {"allow: {jobs: [a]}\n" DATA "schedule: {hours: 6-6}\n", FED_E_RANGE,
       "policy.yaml:3:19: 'schedule.hours' must be 'always' or two different hours such as 8-18 "
       "or 20-6, found '6-6'"},
      {"allow: {jobs: [a]}\n" DATA "limits: {memory: 2 GB}\n", FED_E_TYPE,
       "policy.yaml:3:18: 'limits.memory' must be a size such as 512 KiB, 64 MiB or 2 GiB, found "
       "'2 GB'"},
      {"allow: {jobs: [a]}\n" DATA "demand: {cohort: 3}\n", FED_E_INPUT,
       "policy.yaml:3:10: unknown key 'cohort' in 'demand'; the keys here are cohort_min, "
       "clip_norm_max"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__policy policy;
    const int code =
        fed__policy_parse(&context, "policy.yaml", fed_slice_of_text(cases[i].yaml), &policy);
    assert_string_equal(fed_error_last()->message, cases[i].message);
    assert_int_equal(code, cases[i].code);
  }
}

static void test_explain(void **state) {
  (void)state;
  struct fed__policy policy = parse(strict);
  struct fed_buffer out;
  fed_buffer_init(&out, &context, 1 << 20);
  assert_int_equal(fed__policy_explain(&context, &policy, 0, &out), FED_OK);
  const char *table = fed_buffer_text(&out);
  assert_non_null(strstr(table, "\nallow.jobs "));
  assert_non_null(strstr(table, "[\"heart-*\"]"));
  assert_non_null(strstr(table, "\ntrainers[0].command "));
  assert_non_null(strstr(table, "1 GiB"));
  fed_buffer_clear(&out);
  assert_int_equal(fed__policy_explain(&context, NULL, 1, &out), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&out), "\"demand.cohort_min\""));
  fed_buffer_clear(&out);
  fed__policy_clear(&policy);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything),
      cmocka_unit_test(test_allowed),  cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_signers),  cmocka_unit_test(test_hours),
      cmocka_unit_test(test_globs),    cmocka_unit_test(test_bad_policies),
      cmocka_unit_test(test_explain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
