/* SPDX-License-Identifier: Apache-2.0
 *
 * test_simulate_section.c: the section `simulate` as a file has it, a partition in one word, and
 * what is refused, with the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/simulate_section.h"

#include <stdio.h>

static struct fed_context context;

static int parse(const char *section, struct fed__job *job) {
  char text[1024];
  snprintf(text, sizeof text,
           "version: 1\nname: x\nmodel: {file: m.onnx}\ntrain: {epochs: 0}\n"
           "evaluate: {every: 0}\nrounds: {count: 1, cohort: 1, minimum: 1}\n%s",
           section);
  fed_error_clear();
  return fed__job_parse(&context, "job.yaml", fed_slice_of_text(text), job);
}

static void defaults_and_values(void **state) {
  (void)state;
  struct fed__job job;
  assert_int_equal(parse("", &job), FED_OK);
  assert_int_equal(job.simulate.clients, 100);
  assert_int_equal(job.simulate.partition.kind, FED__PARTITION_IID);
  assert_true(job.simulate.device.speed == 0 && job.simulate.device.drop_out == 0);
  fed__job_clear(&job);
  assert_int_equal(parse("simulate:\n  clients: 1000000\n"
                         "  partition: {kind: file, file: parts.safetensors}\n"
                         "  device: {speed: 20, latency: 50 ms, bandwidth_up: 1 MiB,\n"
                         "           trace: devices.csv, availability: there.csv}\n"
                         "  faults: {lost: 0.1, server_restart: 2 min}\n",
                         &job),
                   FED_OK);
  assert_int_equal(job.simulate.clients, 1000000);
  assert_string_equal(job.simulate.partition.file, "parts.safetensors");
  assert_true(job.simulate.device.latency_s == 0.05);
  assert_true(job.simulate.device.bandwidth_up == 1 << 20);
  assert_true(job.simulate.device.bandwidth_down == 0 && job.simulate.device.available == 1);
  assert_true(job.simulate.device.available_within_s == 86400);
  assert_string_equal(job.simulate.device.trace, "devices.csv");
  assert_string_equal(job.simulate.device.availability, "there.csv");
  assert_true(job.simulate.faults.lost == 0.1 && job.simulate.faults.server_restart_s == 120);
  assert_true(job.simulate.faults.resend_s == 10 && job.simulate.faults.server_crash == 0);
  fed__job_clear(&job);
}

static void refuses(const char *section, int code, const char *message) {
  struct fed__job job;
  assert_int_equal(parse(section, &job), code);
  if (!strstr(fed_error_last()->message, message))
    fail_msg("'%s' is not in: %s", message, fed_error_last()->message);
}

static void sections_that_are_refused(void **state) {
  (void)state;
  refuses("simulate: {clients: 0}\n", FED_E_RANGE, "job.yaml:7:");
  refuses("simulate: {clients: 1000001}\n", FED_E_RANGE, "job.yaml:7:");
  refuses("simulate: {device: {drop_out: 1}}\n", FED_E_RANGE, "drop_out");
  refuses("simulate: {partition: {alpha: 0}}\n", FED_E_RANGE, "alpha");
  refuses("simulate: {partition: {kind: shard}}\n", FED_E_UNSUPPORTED, "shards");
  refuses("simulate:\n  partition: {kind: file}\n", FED_E_MISSING, "job.yaml:8:");
  refuses("simulate:\n  partition: {kind: column}\n", FED_E_MISSING, "simulate.partition.columns");
  refuses("simulate: {partition: {columns: []}}\n", FED_E_TYPE, "columns");
  refuses("simulate: {device: {bandwith_up: 1 KiB}}\n", FED_E_INPUT, "did you mean 'bandwidth_up'");
  refuses("simulate: {device: {available: 0}}\n", FED_E_RANGE, "above 0");
  refuses("simulate:\n  device: {speed_spread: 0.5}\n", FED_E_INPUT,
          "'simulate.device.speed_spread' spreads 'simulate.device.speed', which is 0");
  refuses("simulate:\n  device: {bandwidth_spread: 0.5}\n", FED_E_INPUT,
          "spreads 'simulate.device.bandwidth_up', which is 0");
  refuses("simulate:\n  device: {availability_repeats: 5 min}\n", FED_E_INPUT,
          "repeats 'simulate.device.availability', which is missing");
  refuses("simulate:\n  device: {distribution: uniform,\n    speed: 5, speed_spread: 1}\n",
          FED_E_RANGE, "job.yaml:9:29: 'simulate.device.speed_spread'");
  refuses("simulate: {device: {distribution: uniform, latency_spread: 2}}\n", FED_E_RANGE,
          "below 1, found 2");
  refuses("simulate: {device: {availability: a.csv, available: 0.5}}\n", FED_E_INPUT,
          "leave one out");
  refuses("simulate: {faults: {server_crash: 1}}\n", FED_E_RANGE, "server_crash");
  refuses("simulate: {faults: {lost: 0.1, resend: 0}}\n", FED_E_RANGE, "resend");
  refuses("simulate: {faults: {reorder: 0.1}}\n", FED_E_INPUT, "did you mean 'reordered'");
  refuses("simulate: {partition: {kind: sorted}}\n", FED_E_MISSING, "simulate.partition.columns");
  refuses("simulate: {partition: {kind: sorted, columns: [a, b]}}\n", FED_E_INPUT, "one column");
  refuses("simulate: {partition: {kind: feature}}\n", FED_E_MISSING, "simulate.partition.noise");
  refuses("simulate: {baselines: [local, centralized]}\n", FED_E_UNSUPPORTED,
          "expected centralised, local or best, found 'centralized'");
  refuses("simulate: {partitions: iid}\n", FED_E_INPUT, "did you mean 'partition'");
}

static void prints(const struct fed__job *job, const char *expected) {
  struct fed_buffer text;
  fed_buffer_init(&text, &context, 256);
  assert_int_equal(fed__partition_print(job, &text), FED_OK);
  assert_string_equal(fed_buffer_text(&text), expected);
  fed_buffer_clear(&text);
}

static void a_partition_in_one_word(void **state) {
  (void)state;
  struct fed__job job;
  const struct fed__partition_settings *settings = &job.simulate.partition;
  assert_int_equal(parse("simulate: {partition: {kind: file, file: a}}\n", &job), FED_OK);
  assert_int_equal(fed__partition_choose(&job, "file"), FED_OK); /* the job's */
  assert_string_equal(settings->file, "a");
  assert_int_equal(fed__partition_choose(&job, "file:b:c"), FED_OK);
  assert_string_equal(settings->file, "b:c");
  prints(&job, "file:b:c");
  assert_int_equal(fed__partition_choose(&job, "iid"), FED_OK);
  prints(&job, "iid");
  assert_int_equal(settings->kind, FED__PARTITION_IID);
  assert_int_equal(fed__partition_choose(&job, "dirichlet:0.25"), FED_OK);
  assert_true(settings->kind == FED__PARTITION_DIRICHLET && settings->alpha == 0.25);
  prints(&job, "dirichlet:0.25");
  assert_int_equal(fed__partition_choose(&job, "shards"), FED_OK);
  assert_true(settings->kind == FED__PARTITION_SHARDS && settings->shards == 2);
  assert_int_equal(fed__partition_choose(&job, "power_law:1.5"), FED_OK);
  assert_true(settings->kind == FED__PARTITION_POWER_LAW && settings->exponent == 1.5);
  assert_int_equal(fed__partition_choose(&job, "drawn:7"), FED_OK);
  assert_int_equal(settings->examples, 7);
  assert_int_equal(fed__partition_choose(&job, "column"), FED_E_USAGE); /* the job has none */
  assert_int_equal(fed__partition_choose(&job, "column:play,the role"), FED_OK);
  assert_int_equal(settings->kind, FED__PARTITION_COLUMN);
  assert_int_equal(settings->column_count, 2);
  prints(&job, "column:play,the role");
  assert_string_equal(settings->columns[0], "play");
  assert_string_equal(settings->columns[1], "the role");
  assert_null(settings->columns[2]);
  assert_int_equal(fed__partition_choose(&job, "column"), FED_OK);
  assert_int_equal(fed__partition_choose(&job, "sorted"), FED_E_USAGE); /* the job has two */
  assert_int_equal(fed__partition_choose(&job, "sorted:age"), FED_OK);
  prints(&job, "sorted:age");
  assert_int_equal(fed__partition_choose(&job, "column:play,the role"), FED_OK);
  assert_int_equal(fed__partition_choose(&job, "feature"), FED_E_USAGE);
  assert_int_equal(fed__partition_choose(&job, "feature:0.1"), FED_OK);
  assert_true(settings->kind == FED__PARTITION_FEATURE && settings->noise == 0.1);
  static const char *const wrong[] = {
      "",          "feature:0",   "feature:-1",
      "column:",   "column:a,,b", "column:1,2,3,4,5,6,7,8,9",
      "iids",      "iid:1",       "labels:0",
      "labels:x",  "labels:",     "dirichlet:-1",
      "folders:x", "file:",       "a-kind-with-a-name-that-is-longer-than-any"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (fed__partition_choose(&job, wrong[i]) != FED_E_USAGE) fail_msg("accepted: %s", wrong[i]);
  assert_string_equal(settings->file, "b:c"); /* is still its own */
  assert_string_equal(settings->columns[1], "the role");
  fed__job_clear(&job);
}

static void baselines_in_one_word(void **state) {
  (void)state;
  struct fed__job job;
  assert_int_equal(parse("simulate: {baselines: [best]}\n", &job), FED_OK);
  assert_int_equal(fed__baselines_wanted(&job), FED__BASELINE_BEST);
  assert_int_equal(fed__baselines_choose(&job, "local,centralised"), FED_OK);
  assert_int_equal(fed__baselines_wanted(&job), FED__BASELINE_LOCAL | FED__BASELINE_CENTRALISED);
  assert_int_equal(fed__baselines_choose(&job, "local,"), FED_E_USAGE);
  assert_int_equal(fed__baselines_choose(&job, ""), FED_E_USAGE);
  assert_int_equal(fed__baselines_choose(&job, "all"), FED_E_USAGE);
  fed__job_clear(&job);
  assert_int_equal(parse("", &job), FED_OK);
  assert_int_equal(fed__baselines_wanted(&job), 0);
  fed__job_clear(&job);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_and_values),
      cmocka_unit_test(sections_that_are_refused),
      cmocka_unit_test(a_partition_in_one_word),
      cmocka_unit_test(baselines_in_one_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
