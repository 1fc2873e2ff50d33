/* SPDX-License-Identifier: Apache-2.0
 *
 * test_buffer.c: buffers up to and beyond their maximum, text copies, and every allocation failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "failing_alloc.h"

static struct failing_alloc memory;
static struct fed_context context;

static int check_leaks(void **state) {
  (void)state;
  memory.allowed = LONG_MAX;
  return memory.living == 0 ? 0 : -1;
}

static void bytes_are_appended_in_order(void **state) {
  (void)state;
  struct fed_buffer buffer;
  uint8_t expected[10000];
  fed_buffer_init(&buffer, &context, sizeof expected);
  for (size_t i = 0; i < sizeof expected; i++) expected[i] = (uint8_t)(i * 7);
  for (size_t at = 0, step = 0; at < sizeof expected; at += step, step = (step + 1) % 301) {
    if (step > sizeof expected - at) step = sizeof expected - at;
    assert_int_equal(fed_buffer_append(&buffer, expected + at, step), FED_OK);
  }
  assert_int_equal(buffer.size, sizeof expected);
  assert_memory_equal(buffer.data, expected, sizeof expected);
  assert_int_equal(fed_buffer_append(&buffer, "x", 1), FED_E_TOO_LARGE);
  assert_int_equal(fed_buffer_append(&buffer, NULL, 0), FED_OK);
  assert_int_equal(buffer.size, sizeof expected);
  fed_buffer_clear(&buffer);
}

static void the_maximum_is_kept(void **state) {
  (void)state;
  struct fed_buffer buffer;
  fed_buffer_init(&buffer, &context, 10);
  assert_int_equal(fed_buffer_append(&buffer, "0123456789a", 11), FED_E_TOO_LARGE);
  assert_int_equal(buffer.size, 0);
  assert_int_equal(fed_buffer_append(&buffer, "01234567", 8), FED_OK);
  assert_int_equal(fed_buffer_append(&buffer, "abc", 3), FED_E_TOO_LARGE);
  assert_int_equal(fed_buffer_print(&buffer, "%d", 123), FED_E_TOO_LARGE);
  assert_int_equal(fed_buffer_reserve(&buffer, SIZE_MAX), FED_E_TOO_LARGE);
  assert_int_equal(fed_buffer_print(&buffer, "%d", 12), FED_OK);
  assert_string_equal(fed_buffer_text(&buffer), "0123456712");
  fed_buffer_clear(&buffer);
  fed_buffer_init(&buffer, &context, 0);
  assert_int_equal(fed_buffer_append(&buffer, "x", 1), FED_E_TOO_LARGE);
  assert_string_equal(fed_buffer_text(&buffer), "");
  fed_buffer_clear(&buffer);
}

static void sizes_near_the_end_of_the_address_space_fail(void **state) {
  (void)state;
  struct fed_buffer buffer;
  fed_buffer_init(&buffer, &context, SIZE_MAX);
  assert_int_equal(fed_buffer_reserve(&buffer, SIZE_MAX), FED_E_MEMORY);
  assert_int_equal(fed_buffer_append(&buffer, "ab", 2), FED_OK);
  assert_int_equal(fed_buffer_reserve(&buffer, SIZE_MAX - 2), FED_E_MEMORY);
  assert_int_equal(fed_buffer_reserve(&buffer, SIZE_MAX - 3), FED_E_MEMORY);
  assert_string_equal(fed_buffer_text(&buffer), "ab");
  fed_buffer_clear(&buffer);
  assert_null(fed__zalloc(&context, SIZE_MAX / 2, 3));
  assert_int_equal(fed_error_last()->code, FED_E_MEMORY);
}

static void a_failed_allocation_changes_nothing(void **state) {
  (void)state;
  struct fed_buffer buffer;
  char text[200];
  memset(text, 'x', sizeof text);
  fed_buffer_init(&buffer, &context, 1000);
  assert_int_equal(fed_buffer_append(&buffer, "kept", 4), FED_OK);
  memory.allowed = 0;
  assert_int_equal(fed_buffer_append(&buffer, text, sizeof text), FED_E_MEMORY);
  assert_int_equal(fed_buffer_print(&buffer, "%.200s", text), FED_E_MEMORY);
  assert_int_equal(buffer.size, 4);
  assert_null(fed__copy_text(&context, "x"));
  assert_null(fed__format(&context, "%d", 1));
  assert_null(fed__alloc(&context, 1));
  assert_int_equal(fed_error_last()->code, FED_E_MEMORY);
  memory.allowed = LONG_MAX;
  assert_string_equal(fed_buffer_text(&buffer), "kept");
  fed_buffer_clear(&buffer);
  assert_int_equal(fed_buffer_append(&buffer, "again", 5), FED_OK);
  assert_string_equal(fed_buffer_text(&buffer), "again");
  fed_buffer_clear(&buffer);
}

static void text_of_a_full_buffer_may_run_out_of_memory(void **state) {
  (void)state;
  struct fed_buffer buffer;
  fed_buffer_init(&buffer, &context, 8);
  memory.allowed = 0;
  assert_null(fed_buffer_text(&buffer));
  memory.allowed = LONG_MAX;
  fed_buffer_clear(&buffer);
  buffer = (struct fed_buffer){0};
  fed_buffer_clear(&buffer);
}

static void copies_are_whole(void **state) {
  (void)state;
  char *text = fed__copy_text(&context, "abc"), *part = NULL, *formatted = NULL, *empty = NULL;
  part = fed__copy_slice_text(&context, fed_slice_of("abcdef", 3));
  empty = fed__copy_slice_text(&context, fed_slice_of(NULL, 0));
  formatted = fed__format(&context, "%s-%05d", text, 42);
  assert_string_equal(text, "abc");
  assert_string_equal(part, "abc");
  assert_string_equal(empty, "");
  assert_string_equal(formatted, "abc-00042");
  const uint8_t *zeros = fed__zalloc(&context, 3, 5);
  for (int i = 0; i < 15; i++) assert_int_equal(zeros[i], 0);
  fed__free(&context, zeros);
  fed__free(&context, text);
  fed__free(&context, part);
  fed__free(&context, empty);
  fed__free(&context, formatted);
  fed__free(&context, NULL);
}

static void a_secret_is_wiped(void **state) {
  (void)state;
  uint8_t secret[] = {1, 2, 3, 4};
  fed__wipe(secret, 3);
  assert_true(secret[0] == 0 && secret[1] == 0 && secret[2] == 0 && secret[3] == 4);
}

int main(void) {
#define TEST(function) cmocka_unit_test_teardown(function, check_leaks)
  const struct CMUnitTest tests[] = {
      TEST(bytes_are_appended_in_order),
      TEST(the_maximum_is_kept),
      TEST(sizes_near_the_end_of_the_address_space_fail),
      TEST(a_failed_allocation_changes_nothing),
      TEST(text_of_a_full_buffer_may_run_out_of_memory),
      TEST(copies_are_whole),
      TEST(a_secret_is_wiped),
  };
  failing_alloc_init(&memory, &context, LONG_MAX);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
