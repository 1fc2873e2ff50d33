/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pattern.c: what a pattern matches and what not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/pattern.h"

static void test_patterns(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *text;
    int matches;
  } cases[] = {
      {"", "", 1},          {"", "a", 0},          {"*", "", 1},         {"*", "anything", 1},
      {"a", "a", 1},        {"a", "ab", 0},        {"a*", "a", 1},       {"a*", "abc", 1},
      {"a*", "ba", 0},      {"*c", "abc", 1},      {"*c", "cb", 0},      {"a*c", "ac", 1},
      {"a*c", "abcbc", 1},  {"a*c", "abcb", 0},    {"*b*", "abc", 1},    {"*b*", "ac", 0},
      {"a**b", "axb", 1},   {"*ab*ab", "abab", 1}, {"*ab*ab", "aab", 0}, {"a.b", "axb", 0},
      {"*aab", "aaaab", 1}, {"?", "a", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (fed__pattern_matches(cases[i].pattern, cases[i].text) != cases[i].matches)
      fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
