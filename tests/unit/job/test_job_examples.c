/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_examples.c: the server's test set has the agents' inputs, all of them, from files of the
 * same or of its own names.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "job/job_examples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fed_context context;
static char folder[64];

/* Bytes as an IDX file of `rows` rows of `width`, or of a list if width is 0. */
static void write_idx(const char *name, uint8_t rows, uint8_t width, uint8_t first) {
  uint8_t bytes[64] = {0, 0, 8, width ? 2 : 1, 0, 0, 0, rows, 0, 0, 0, width};
  const size_t head = width ? 12 : 8, count = (size_t)rows * (width ? width : 1);
  char path[128];
  for (size_t i = 0; i < count; i++) bytes[head + i] = (uint8_t)((first + i) % 2);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(fed__file_write(path, fed_slice_of(bytes, head + count), FED__FILE_SHARED),
                   FED_OK);
}

static int make_folder(void **state) {
  (void)state;
  fed_context_init(&context);
  snprintf(folder, sizeof folder, "/tmp/fed-test-examples-XXXXXX");
  if (!mkdtemp(folder)) return 1;
  write_idx("a.idx", 2, 3, 0);
  write_idx("b.idx", 2, 4, 0);
  write_idx("y.idx", 2, 0, 0);
  write_idx("test-a.idx", 5, 3, 1);
  write_idx("test-y.idx", 5, 0, 1);
  write_idx("b5.idx", 5, 4, 1);
  return 0;
}

static int remove_folder(void **state) {
  static const char *const names[] = {"a.idx",      "b.idx",      "y.idx",
                                      "test-a.idx", "test-y.idx", "b5.idx"};
  char path[128];
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    remove(path);
  }
  return remove(folder);
}

/* What opening the test set of a job gives; `inputs` and `test` are parts of the job file. */
static int open_test_set(const char *inputs, const char *test, struct fed_examples **examples) {
  struct fed__job job;
  char text[1024];
  snprintf(text, sizeof text,
           "version: 1\nname: t\nmodel: {file: m}\nrounds: {count: 1, cohort: 1, minimum: 1}\n"
           "data:\n  name: d\n  format: idx\n  inputs: %s\n"
           "  target: {file: y.idx, classes: 2}\n"
           "evaluate: {test: {folder: %s%s}}\n",
           inputs, folder, test);
  if (fed__job_parse(&context, "job.yaml", fed_slice_of_text(text), &job) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  const int code = fed__job_test_set_open(&job, "/nowhere", examples);
  fed__job_clear(&job);
  return code;
}

static void expect(const char *inputs, const char *test, size_t count, size_t input_count) {
  struct fed_examples *examples;
  if (open_test_set(inputs, test, &examples) != FED_OK) fail_msg("%s", fed_error_last()->message);
  assert_int_equal(examples->count, count);
  assert_int_equal(examples->spec.input_count, input_count);
  fed_examples_free(examples);
}

static void test_inputs(void **state) {
  (void)state;
  expect("{file: a.idx}", "", 2, 1);
  expect("[{name: a, file: a.idx}, {name: b, file: b.idx}]", "", 2, 2);
  expect("{file: a.idx}", ", inputs: test-a.idx, target: test-y.idx", 5, 1);
  /* The file replaces the first input's and the third's, which share one. */
  expect("[{name: a, file: a.idx}, {name: b, file: b5.idx}, {name: c, file: a.idx}]",
         ", inputs: test-a.idx, target: test-y.idx", 5, 3);
}

static void test_other_counts(void **state) {
  struct fed_examples *examples;
  (void)state;
  assert_int_equal(open_test_set("[{name: a, file: a.idx}, {name: b, file: b.idx}]",
                                 ", inputs: test-a.idx, target: test-y.idx", &examples),
                   FED_E_SHAPE);
  assert_non_null(strstr(fed_error_last()->message, "the test set"));
  assert_null(examples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inputs),
      cmocka_unit_test(test_other_counts),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
