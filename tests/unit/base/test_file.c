/* SPDX-License-Identifier: Apache-2.0
 *
 * test_file.c: whole files and folders: contents, modes, replacing, failures that leave what was
 * there, and limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fed_context context;
static char folder[64];

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/fed-file-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return fed__folder_remove(folder);
}

static const char *path_of(const char *name) {
  static char path[256];
  assert_int_equal(fed__path_join(path, sizeof path, folder, name), FED_OK);
  return path;
}

static void assert_content(const char *path, const char *expected) {
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, &context, 1 << 20);
  assert_int_equal(fed__file_read(path, &bytes), FED_OK);
  assert_string_equal(fed_buffer_text(&bytes), expected);
  fed_buffer_clear(&bytes);
}

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static int entry_count(void) {
  int count = 0;
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  while (readdir(entries)) count++;
  closedir(entries);
  return count - 2; /* "." and ".." */
}

static unsigned mode_of(const char *path) {
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  return info.st_mode & 0777;
}

static void a_file_is_written_and_replaced(void **state) {
  (void)state;
  const char *path = path_of("a");
  assert_int_equal(fed__file_write(path, fed_slice_of_text("old"), FED__FILE_PRIVATE), FED_OK);
  assert_int_equal(mode_of(path), 0600);
  assert_content(path, "old");
  assert_int_equal(fed__file_write(path, fed_slice_of_text("newer"), FED__FILE_PRIVATE), FED_OK);
  assert_content(path, "newer");
  assert_int_equal(fed__file_write_quick(path, fed_slice_of(NULL, 0), FED__FILE_SHARED), FED_OK);
  assert_content(path, "");
  assert_int_equal(mode_of(path), 0644);
  assert_int_equal(entry_count(), 1);
}

/* A limit on file size stands in for a full disk. */
static void a_failed_write_leaves_the_old_content(void **state) {
  (void)state;
  static uint8_t large[100000];
  struct rlimit before, small = {1000, 0};
  const char *path = path_of("a");
  assert_int_equal(fed__file_write(path, fed_slice_of_text("old"), FED__FILE_PRIVATE), FED_OK);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const int code = fed__file_write(path, fed_slice_of(large, sizeof large), FED__FILE_PRIVATE);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(code, FED_E_IO);
  assert_message_has(path);
  assert_content(path, "old");
  assert_int_equal(entry_count(), 1); /* no temporary file is left */
}

static void a_file_that_cannot_be_made_is_an_error(void **state) {
  (void)state;
  assert_int_equal(fed__file_write(path_of("no/such/folder"), fed_slice_of_text("x"), 0600),
                   FED_E_NOT_FOUND);
  assert_message_has("no/such/folder");
  assert_int_equal(fed__folder_make(path_of("taken")), FED_OK);
  assert_int_equal(fed__file_write(path_of("taken"), fed_slice_of_text("x"), 0600), FED_E_IO);
  assert_int_equal(entry_count(), 1);
}

static void reading_is_bounded_and_names_the_path(void **state) {
  (void)state;
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, &context, 5);
  assert_int_equal(fed__file_write(path_of("six"), fed_slice_of_text("123456"), 0600), FED_OK);
  assert_int_equal(fed__file_write(path_of("four"), fed_slice_of_text("1234"), 0600), FED_OK);
  assert_int_equal(fed_buffer_append(&bytes, "x", 1), FED_OK);
  assert_int_equal(fed__file_read(path_of("six"), &bytes), FED_E_TOO_LARGE);
  assert_message_has("six");
  assert_int_equal(fed__file_read(path_of("none"), &bytes), FED_E_NOT_FOUND);
  assert_message_has("none");
  assert_int_equal(fed__file_read(folder, &bytes), FED_E_INPUT);
  assert_string_equal(fed_buffer_text(&bytes), "x");
  assert_int_equal(fed__file_read(path_of("four"), &bytes), FED_OK); /* just fits */
  assert_string_equal(fed_buffer_text(&bytes), "x1234");
  assert_int_equal(fed__file_read(path_of("four"), &bytes), FED_E_TOO_LARGE);
  fed_buffer_clear(&bytes);
}

/* Files of /proc say that their size is 0. */
static void files_of_unknown_size_are_read_and_bounded(void **state) {
  (void)state;
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, &context, 1 << 20);
  assert_int_equal(fed__file_read("/proc/self/status", &bytes), FED_OK);
  assert_true(bytes.size > 100);
  assert_memory_equal(bytes.data, "Name:\t", 6);
  fed_buffer_clear(&bytes);
  fed_buffer_init(&bytes, &context, 100);
  assert_int_equal(fed__file_read("/proc/self/status", &bytes), FED_E_TOO_LARGE);
  assert_int_equal(fed__file_read("/dev/zero", &bytes), FED_E_TOO_LARGE);
  assert_int_equal(bytes.size, 0);
  fed_buffer_clear(&bytes);
}

static void folders_are_made_private_with_their_parents(void **state) {
  (void)state;
  const char *path = path_of("a/b/c");
  assert_int_equal(fed__folder_make(path), FED_OK);
  assert_int_equal(fed__folder_make(path), FED_OK);
  assert_int_equal(fed__folder_make(path_of("a/b/c/")), FED_OK);
  assert_int_equal(mode_of(path_of("a/b")), 0700);
  assert_int_equal(fed__folder_sync(path_of("a/b")), FED_OK);
  assert_int_equal(fed__folder_sync(path_of("a/none")), FED_E_NOT_FOUND);
  assert_int_equal(fed__file_write(path_of("a/file"), fed_slice_of_text("x"), 0600), FED_OK);
  assert_int_equal(fed__folder_make(path_of("a/file")), FED_E_EXISTS);
  assert_int_not_equal(fed__folder_make(path_of("a/file/below")), FED_OK);
  assert_int_equal(fed__folder_make(""), FED_E_NOT_FOUND);
}

static void removing_a_folder_does_not_follow_links(void **state) {
  (void)state;
  char outside[256];
  snprintf(outside, sizeof outside, "%s", path_of("outside"));
  assert_int_equal(fed__folder_make(path_of("inside/deep")), FED_OK);
  assert_int_equal(fed__file_write(outside, fed_slice_of_text("x"), 0600), FED_OK);
  assert_int_equal(symlink(outside, path_of("inside/deep/link")), 0);
  assert_int_equal(symlink(folder, path_of("inside/up")), 0);
  assert_int_equal(fed__folder_remove(path_of("inside")), FED_OK);
  assert_false(fed__file_exists(path_of("inside")));
  assert_true(fed__file_exists(outside));
  assert_int_equal(fed__folder_remove(path_of("inside")), FED_OK);
}

static void paths_that_do_not_fit_are_refused(void **state) {
  (void)state;
  char out[8], name[FED__PATH_MAX + 10];
  assert_int_equal(fed__path_join(out, sizeof out, "abc", "def"), FED_OK);
  assert_string_equal(out, "abc/def");
  assert_int_equal(fed__path_join(out, sizeof out, "abc", "defg"), FED_E_TOO_LARGE);
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(fed__folder_make(name), FED_E_TOO_LARGE);
  assert_int_equal(fed__file_write(name, fed_slice_of_text("x"), 0600), FED_E_TOO_LARGE);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
  const struct CMUnitTest tests[] = {
      TEST(a_file_is_written_and_replaced),
      TEST(a_failed_write_leaves_the_old_content),
      TEST(a_file_that_cannot_be_made_is_an_error),
      TEST(reading_is_bounded_and_names_the_path),
      TEST(files_of_unknown_size_are_read_and_bounded),
      TEST(folders_are_made_private_with_their_parents),
      TEST(removing_a_folder_does_not_follow_links),
      TEST(paths_that_do_not_fit_are_refused),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
