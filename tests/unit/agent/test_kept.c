/* SPDX-License-Identifier: Apache-2.0
 *
 * test_kept.c: what is kept for a job comes back, to its owner only; a round that is run again
 * begins with what was kept before it; and no name leads out of the folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/kept.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct fed_context context;
static char folder[64];

static int make_folder(void **state) {
  (void)state;
  fed_context_init(&context);
  snprintf(folder, sizeof folder, "/tmp/fed-test-kept-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return fed__folder_remove(folder);
}

static void check_kept(const char *job, uint64_t round, const char *expected) {
  struct fed_buffer found;
  fed_buffer_init(&found, &context, 1 << 16);
  assert_int_equal(fed__kept_read(folder, job, round, &found), FED_OK);
  assert_int_equal(found.size, strlen(expected));
  if (found.size) assert_memory_equal(found.data, expected, found.size);
  fed_buffer_clear(&found);
}

static void keep(const char *job, uint64_t round, const char *text) {
  assert_int_equal(fed__kept_write(folder, job, round, fed_slice_of_text(text)), FED_OK);
}

static void test_comes_back(void **state) {
  (void)state;
  char path[128];
  struct stat status;
  check_kept("job-1", 1, "");
  keep("job-1", 1, "one");
  keep("a.b_2", 7, "other");
  check_kept("job-1", 1, ""); /* the first round again */
  check_kept("job-1", 2, "one");
  keep("job-1", 4, "four");
  check_kept("job-1", 5, "four");
  check_kept("job-1", 4, "one"); /* round 4 again */
  keep("job-1", 4, "four again");
  check_kept("job-1", 9, "four again");
  check_kept("a.b_2", 8, "other");
  snprintf(path, sizeof path, "%s/kept/job-1/4.safetensors", folder);
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_is_forgotten(void **state) {
  (void)state;
  keep("job", 1, "one");
  keep("job", 2, "two");
  assert_int_equal(fed__kept_forget(folder, "job", 2), FED_OK);
  assert_int_equal(fed__kept_forget(folder, "job", 2), FED_OK);
  check_kept("job", 3, "one");
  assert_int_equal(fed__kept_forget(folder, "other", 1), FED_OK);
  assert_int_equal(fed__kept_forget(folder, "../job", 1), FED_E_PROTOCOL);
}

static void test_two_rounds_are_there(void **state) {
  (void)state;
  char path[128], text[16];
  for (uint64_t round = 1; round <= 20; round++) {
    snprintf(text, sizeof text, "%d", (int)round);
    keep("job", round, text);
  }
  check_kept("job", 21, "20");
  check_kept("job", 20, "19");
  check_kept("job", 19, "");
  snprintf(path, sizeof path, "%s/kept/job/18.safetensors", folder);
  assert_false(fed__file_exists(path));
}

static void test_names(void **state) {
  (void)state;
  static const char *const bad[] = {"", "..", ".hidden", "../x", "a/b", "a b", "a\nb"};
  struct fed_buffer found;
  fed_buffer_init(&found, &context, 1 << 16);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(fed__kept_read(folder, bad[i], 2, &found), FED_E_PROTOCOL);
    assert_int_equal(fed__kept_write(folder, bad[i], 1, fed_slice_of_text("x")), FED_E_PROTOCOL);
  }
  assert_int_equal(found.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_comes_back, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_two_rounds_are_there, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_is_forgotten, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(test_names, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
