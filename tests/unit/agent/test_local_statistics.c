/* SPDX-License-Identifier: Apache-2.0
 *
 * test_local_statistics.c: what is kept for a job comes back, to its owner only, and no name leads
 * out of the folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/local_statistics.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct fed_context context;
static char folder[64];

static int make_folder(void **state) {
  (void)state;
  fed_context_init(&context);
  snprintf(folder, sizeof folder, "/tmp/fed-test-statistics-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return fed__folder_remove(folder);
}

static void check_kept(const char *job, const char *expected) {
  struct fed_buffer found;
  fed_buffer_init(&found, &context, 1 << 16);
  assert_int_equal(fed__local_statistics_read(folder, job, &found), FED_OK);
  assert_int_equal(found.size, strlen(expected));
  if (found.size) assert_memory_equal(found.data, expected, found.size);
  fed_buffer_clear(&found);
}

static void test_comes_back(void **state) {
  (void)state;
  char path[128];
  struct stat status;
  check_kept("job-1", "");
  assert_int_equal(fed__local_statistics_write(folder, "job-1", fed_slice_of_text("one")), FED_OK);
  assert_int_equal(fed__local_statistics_write(folder, "a.b_2", fed_slice_of_text("other")), 0);
  check_kept("job-1", "one");
  assert_int_equal(fed__local_statistics_write(folder, "job-1", fed_slice_of_text("two")), FED_OK);
  check_kept("job-1", "two");
  check_kept("a.b_2", "other");
  snprintf(path, sizeof path, "%s/statistics/job-1.safetensors", folder);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_names(void **state) {
  (void)state;
  static const char *const bad[] = {"", "..", ".hidden", "../x", "a/b", "a b", "a\nb"};
  struct fed_buffer found;
  fed_buffer_init(&found, &context, 1 << 16);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(fed__local_statistics_read(folder, bad[i], &found), FED_E_PROTOCOL);
    assert_int_equal(fed__local_statistics_write(folder, bad[i], fed_slice_of_text("x")),
                     FED_E_PROTOCOL);
  }
  assert_int_equal(found.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_comes_back, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_names, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
