/* SPDX-License-Identifier: Apache-2.0
 *
 * test_error.c: the list of errors, and the last failure of each thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/raise.h"

#include <pthread.h>
#include <string.h>

static void codes_are_stable(void **state) {
  (void)state;
  /* Numbers that programs outside may have stored: class * 256 + number. */
  assert_int_equal(FED_OK, 0);
  assert_int_equal(FED_E_USAGE, 2 * 256);
  assert_int_equal(FED_E_CORRUPT, 3 * 256 + 11);
  assert_int_equal(FED_E_OFFSET, 4 * 256 + 5);
  assert_int_equal(FED_E_TOKEN, 5 * 256 + 4);
  assert_int_equal(FED_E_NOT_FOUND, 6 * 256 + 1);
  assert_int_equal(FED_E_BUSY, 7 * 256);
  assert_int_equal(FED_E_DISK, 8 * 256 + 2);
  assert_int_equal(FED_E_ROLE, 9 * 256 + 1);
  assert_int_equal(FED_E_INTERNAL, 10 * 256);
}

static void every_code_has_its_class_name_and_text(void **state) {
  (void)state;
  static const int codes[] = {
#define CODE(name, class_, number, text) FED_E_##name,
      FED_ERROR_LIST(CODE)
#undef CODE
  };
  const size_t count = sizeof codes / sizeof codes[0];
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(fed_error_class(codes[i]), codes[i] / 256);
    assert_string_not_equal(fed_error_name(codes[i]), "UNKNOWN");
    assert_true(strlen(fed_error_text(codes[i])) > 3);
    for (size_t k = 0; k < i; k++) {
      assert_int_not_equal(codes[i], codes[k]);
      assert_string_not_equal(fed_error_text(codes[i]), fed_error_text(codes[k]));
    }
  }
  assert_string_equal(fed_error_name(FED_E_SHAPE), "SHAPE");
  assert_string_equal(fed_error_text(FED_E_SHAPE), "wrong shape");
  assert_int_equal(fed_error_class(FED_OK), FED_CLASS_OK);
}

static void numbers_not_in_the_list_are_unknown(void **state) {
  (void)state;
  static const int wrong[] = {1, -1, 2 * 256 + 1, 3 * 256 + 200, 11 * 256, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    assert_int_equal(fed_error_class(wrong[i]), FED_CLASS_INTERNAL);
    assert_string_equal(fed_error_name(wrong[i]), "UNKNOWN");
    assert_string_equal(fed_error_text(wrong[i]), "unknown error");
  }
}

static void the_last_failure_is_kept_with_its_place(void **state) {
  (void)state;
  const int line = __LINE__ + 1;
  assert_int_equal(FED_RAISE(FED_E_RANGE, "expected %d, found %s", 3, "4"), FED_E_RANGE);
  const struct fed_error *error = fed_error_last();
  assert_int_equal(error->code, FED_E_RANGE);
  assert_int_equal(error->line, line);
  assert_non_null(strstr(error->file, "test_error.c"));
  assert_string_equal(error->message, "expected 3, found 4");
  assert_int_equal(FED_WRAP("reading '%s'", "x"), FED_E_RANGE);
  assert_string_equal(error->message, "reading 'x': expected 3, found 4");
  assert_int_equal(error->line, line);
  fed_error_clear();
  assert_int_equal(error->code, FED_OK);
  assert_string_equal(error->message, "");
}

static void a_message_can_be_made_of_the_last_one(void **state) {
  (void)state;
  FED_RAISE(FED_E_IO, "inner");
  FED_RAISE(FED_E_STORE, "outer (%s)", fed_error_last()->message);
  assert_string_equal(fed_error_last()->message, "outer (inner)");
  FED_WRAP("again %s", fed_error_last()->message);
  assert_string_equal(fed_error_last()->message, "again outer (inner): outer (inner)");
}

static void long_messages_are_cut_and_terminated(void **state) {
  (void)state;
  char text[3000];
  const size_t room = sizeof fed_error_last()->message - 1;
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  FED_RAISE(FED_E_INPUT, "%s", text);
  assert_int_equal(strlen(fed_error_last()->message), room);
  FED_WRAP("short");
  assert_int_equal(strlen(fed_error_last()->message), room);
  assert_memory_equal(fed_error_last()->message, "short: aaa", 10);
  for (size_t length = room - 4; length <= room + 1; length++) {
    FED_RAISE(FED_E_INPUT, "inner");
    FED_WRAP("%.*s", (int)length, text);
    assert_true(strlen(fed_error_last()->message) <= room);
    assert_true(strlen(fed_error_last()->message) >= (length < room ? length : room));
  }
}

static void *raise_elsewhere(void *data) {
  *(int *)data = fed_error_last()->code;
  FED_RAISE(FED_E_BUSY, "elsewhere");
  return NULL;
}

static void threads_do_not_see_each_others_failures(void **state) {
  (void)state;
  pthread_t thread;
  int seen = -1;
  FED_RAISE(FED_E_IO, "here");
  assert_int_equal(pthread_create(&thread, NULL, raise_elsewhere, &seen), 0);
  pthread_join(thread, NULL);
  assert_int_equal(seen, FED_OK);
  assert_int_equal(fed_error_last()->code, FED_E_IO);
  assert_string_equal(fed_error_last()->message, "here");
}

static int require_less(int a, int b) {
  FED_REQUIRE(a < b);
  return FED_OK;
}

static int try_twice(int first, int second, int *reached) {
  int code;
  FED_TRY(first);
  *reached = 1;
  FED_TRY_GOTO(code, done, second);
  *reached = 2;
done:
  return code;
}

static void failures_leave_the_function(void **state) {
  (void)state;
  int reached = 0;
  assert_int_equal(try_twice(FED_E_IO, FED_OK, &reached), FED_E_IO);
  assert_int_equal(reached, 0);
  assert_int_equal(try_twice(FED_OK, FED_E_DISK, &reached), FED_E_DISK);
  assert_int_equal(reached, 1);
  assert_int_equal(try_twice(FED_OK, FED_OK, &reached), FED_OK);
  assert_int_equal(reached, 2);
  assert_int_equal(require_less(1, 2), FED_OK);
  assert_int_equal(require_less(2, 1), FED_E_INTERNAL);
  assert_non_null(strstr(fed_error_last()->message, "a < b"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_are_stable),
      cmocka_unit_test(every_code_has_its_class_name_and_text),
      cmocka_unit_test(numbers_not_in_the_list_are_unknown),
      cmocka_unit_test(the_last_failure_is_kept_with_its_place),
      cmocka_unit_test(a_message_can_be_made_of_the_last_one),
      cmocka_unit_test(long_messages_are_cut_and_terminated),
      cmocka_unit_test(threads_do_not_see_each_others_failures),
      cmocka_unit_test(failures_leave_the_function),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
