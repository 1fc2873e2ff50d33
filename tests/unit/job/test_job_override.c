/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_override.c: settings in place of a job file's: they read as if they stood in the file,
 * and what is wrong with them is told with the place where they would stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "job/job.h"
#include "job/settings.h"

#include <string.h>

static struct fed_context context;

static const char plain[] =
    "version: 1\nname: x\nmodel:\n  file: m.onnx\n"
    "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, classes: 3}}\n"
    "rounds: {count: 9, cohort: 2, minimum: 2}\n"
    "train:\n  learning_rate: 0.5\n  batch_size: 8\n";

static int parse(const struct fed__job_override *overrides, size_t count, struct fed__job *job) {
  fed_error_clear();
  return fed__job_parse_with(&context, "job.yaml", fed_slice_of_text(plain), overrides, count, job);
}

/* Every setting of both as text: the same jobs have the same. */
static void assert_same_job(const struct fed__job *found, const char *yaml) {
  struct fed__job wanted;
  struct fed_buffer texts[2];
  for (int i = 0; i < 2; i++) fed_buffer_init(&texts[i], &context, 1 << 20);
  assert_int_equal(fed__job_parse(&context, "job.yaml", fed_slice_of_text(yaml), &wanted), FED_OK);
  assert_int_equal(fed__job_explain(&context, found, 1, &texts[0]), FED_OK);
  assert_int_equal(fed__job_explain(&context, &wanted, 1, &texts[1]), FED_OK);
  assert_string_equal(fed_buffer_text(&texts[0]), fed_buffer_text(&texts[1]));
  for (int i = 0; i < 2; i++) fed_buffer_clear(&texts[i]);
  fed__job_clear(&wanted);
}

static void as_if_it_stood_in_the_file(void **state) {
  (void)state;
  static const struct fed__job_override overrides[] = {
      {"train.learning_rate", "0.25"},                       /* is there */
      {"train.momentum", "0.9"},                             /* its section is */
      {"simulate.partition.alpha", "0.1"},                   /* nothing is */
      {"simulate.partition", "{kind: dirichlet, alpha: 3}"}, /* a whole section */
      {"simulate.partition.alpha", "0.7"},                   /* the last counts */
      {"model.frozen", "[\"a*\", b]"},                       /* a list */
      {"name", "\"y\""},                                     /* in quotes */
      {"seed", "12"},
  };
  struct fed__job job;
  assert_int_equal(parse(overrides, sizeof overrides / sizeof overrides[0], &job), FED_OK);
  assert_true(job.train.options.learning_rate == 0.25 && job.train.options.batch_size == 8);
  assert_same_job(&job,
                  "version: 1\nname: y\nseed: 12\nmodel: {file: m.onnx, frozen: [\"a*\", b]}\n"
                  "data: {name: d, format: idx, inputs: {file: a}, target: {file: b, classes: 3}}\n"
                  "rounds: {count: 9, cohort: 2, minimum: 2}\n"
                  "train: {learning_rate: 0.25, batch_size: 8, momentum: 0.9}\n"
                  "simulate: {partition: {kind: dirichlet, alpha: 0.7}}\n");
  fed__job_clear(&job);
  assert_int_equal(parse(NULL, 0, &job), FED_OK);
  assert_same_job(&job, plain);
  fed__job_clear(&job);
}

static void what_is_refused(void **state) {
  (void)state;
  static const struct {
    struct fed__job_override override;
    int code;
    const char *message;
  } cases[] = {
      {{"train.learning_rat", "1"},
       FED_E_INPUT,
       "there is no setting 'train.learning_rat'; did you mean 'train.learning_rate'?"},
      {{"learning_rate", "1"},
       FED_E_INPUT,
       "there is no setting 'learning_rate'; did you mean 'train.learning_rate'?"},
      {{"partition.alpha", "1"},
       FED_E_INPUT,
       "there is no setting 'partition.alpha'; did you mean 'simulate.partition.alpha'?"},
      {{"zzzzzzzzzz", "1"},
       FED_E_INPUT,
       "there is no setting 'zzzzzzzzzz'; `fed job check --explain` lists all"},
      {{"", "1"}, FED_E_INPUT, "there is no setting ''; `fed job check --explain` lists all"},
      {{"train.learning_rate", "fast"},
       FED_E_TYPE,
       "job.yaml, as changed on the command line: 'train.learning_rate' must be a number above 0 "
       "up to 1000000, found 'fast'"},
      {{"train.momentum", "2"},
       FED_E_RANGE,
       "job.yaml, as changed on the command line: 'train.momentum' must be a number from 0 and "
       "below 1, found '2'"},
      {{"rounds.minimum", "3"},
       FED_E_INPUT,
       "job.yaml, as changed on the command line: 'rounds.minimum' is 3, more than the cohort of 2 "
       "clients; no round could "
       "succeed"},
      {{"train.optimizer", "[a, b"}, FED_E_SYNTAX, NULL}, /* libfyaml's words */
      {{"seed", ""}, FED_E_EMPTY, "seed: the file is empty"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__job job;
    assert_int_equal(parse(&cases[i].override, 1, &job), cases[i].code);
    if (cases[i].message) assert_string_equal(fed_error_last()->message, cases[i].message);
    assert_null(job.name); /* nothing is left to clear */
  }
}

static void memory_may_fail(void **state) {
  (void)state;
  static const struct fed__job_override overrides[] = {{"stop.metric", "loss"},
                                                       {"stop.at_most", "0.5"}};
  int code = FED_E_MEMORY;
  for (long allowed = 0; code == FED_E_MEMORY; allowed++) {
    struct failing_alloc failing;
    struct fed_context narrow;
    struct fed__job job;
    failing_alloc_init(&failing, &narrow, allowed);
    code = fed__job_parse_with(&narrow, "job.yaml", fed_slice_of_text(plain), overrides, 2, &job);
    if (code == FED_OK) {
      assert_true(allowed > 10 && job.stop.at_most == 0.5);
      fed__job_clear(&job);
    }
    assert_int_equal(failing.living, 0);
  }
  assert_int_equal(code, FED_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_if_it_stood_in_the_file),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(memory_may_fail),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
