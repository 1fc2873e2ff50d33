/* SPDX-License-Identifier: Apache-2.0
 *
 * test_job_docs.c: the manuals' tables are the tables that the reader uses, and what the manuals
 * show can be read. With FED_WRITE_DOCS=1 in the environment the tables are written instead.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "job/job.h"
#include "job/settings.h"

#include <stdlib.h>

static struct fed_context context;

static const char *begin = "<!-- settings: begin";
static const char *end = "<!-- settings: end";

static char *read_text(const char *path) {
  struct fed_buffer file;
  fed_buffer_init(&file, &context, 1 << 20);
  assert_int_equal(fed__file_read(path, &file), FED_OK);
  char *text = fed__copy_slice_text(&context, fed_buffer_slice(&file));
  fed_buffer_clear(&file);
  assert_non_null(text);
  return text;
}

static void check_table(const char *path, const struct fed__setting *settings) {
  char *page = read_text(path);
  const char *first = strstr(page, begin), *last = strstr(page, end);
  assert_non_null(first);
  assert_non_null(last);
  first = strchr(first, '\n') + 1;
  struct fed_buffer wanted;
  fed_buffer_init(&wanted, &context, 1 << 20);
  assert_int_equal(fed_buffer_append(&wanted, page, (size_t)(first - page)), FED_OK);
  assert_int_equal(fed_buffer_print(&wanted, "\n"), FED_OK);
  assert_int_equal(fed__settings_explain(&context, settings, NULL, FED__SETTINGS_MARKDOWN, &wanted),
                   FED_OK);
  assert_int_equal(fed_buffer_print(&wanted, "\n%s", last), FED_OK);
  if (getenv("FED_WRITE_DOCS")) {
    assert_int_equal(fed__file_write(path, fed_buffer_slice(&wanted), FED__FILE_SHARED), FED_OK);
  } else {
    assert_string_equal(page, fed_buffer_text(&wanted));
  }
  fed_buffer_clear(&wanted);
  fed__free(&context, page);
}

static void test_tables(void **state) {
  (void)state;
  check_table(FED_TESTS "/../docs/job-file.md", fed__job_settings);
  check_table(FED_TESTS "/../docs/policy.md", fed__policy_settings);
}

/* The first fenced example of a page. */
static struct fed_slice find_example(const char *page) {
  const char *first = strstr(page, "```yaml\n");
  assert_non_null(first);
  first += 8;
  return fed_slice_of(first, (size_t)(strstr(first, "```") - first));
}

static void test_job_example(void **state) {
  (void)state;
  char *page = read_text(FED_TESTS "/../docs/job-file.md");
  struct fed__job job;
  if (fed__job_parse(&context, "example", find_example(page), &job) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  assert_string_equal(job.name, "fashion-cnn");
  fed__job_clear(&job);
  fed__free(&context, page);
}

static void test_policy_example(void **state) {
  (void)state;
  char *page = read_text(FED_TESTS "/../docs/policy.md");
  struct fed__policy policy;
  if (fed__policy_parse(&context, "example", find_example(page), &policy) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  assert_int_equal(policy.hour_from, 20);
  assert_int_equal(policy.hour_to, 6);
  fed__policy_clear(&policy);
  fed__free(&context, page);
}

static void check_example_job(const char *path) {
  char *text = read_text(path);
  struct fed__job job;
  if (fed__job_parse(&context, path, fed_slice_of_text(text), &job) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  fed__job_clear(&job);
  fed__free(&context, text);
}

static void check_example_policy(const char *path) {
  char *text = read_text(path);
  struct fed__policy policy;
  if (fed__policy_parse(&context, path, fed_slice_of_text(text), &policy) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  fed__policy_clear(&policy);
  fed__free(&context, text);
}

static void test_examples(void **state) {
  (void)state;
  check_example_job(FED_TESTS "/../examples/fashion/job.yaml");
  check_example_job(FED_TESTS "/../examples/heart/job.yaml");
  check_example_policy(FED_TESTS "/../examples/fashion/policy.yaml");
  check_example_policy(FED_TESTS "/../examples/heart/policy.yaml");
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_job_example),
      cmocka_unit_test(test_policy_example),
      cmocka_unit_test(test_examples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
