/* SPDX-License-Identifier: Apache-2.0
 *
 * test_yaml.c: quotes in YAML texts (YAML 1.2.2, section 7.3): what they stand for, and the one
 * form that is refused because libfyaml leaks over it, which the leak sanitizer watches here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "job/yaml.h"

static int read_text(const struct fed_context *context, const char *text, struct fed__yaml *yaml) {
  return fed__yaml_read(context, "t.yaml", fed_slice_of_text(text), yaml);
}

static void reads_quoted_texts(void **state) {
  static const char *const cases[][2] = {
      {"'it''s'", "it's"},    {"''", ""},           {"''''", "'"},       {"'''x'''", "'x'"},
      {"'a''b''c'", "a'b'c"}, {"\"''''\"", "''''"}, {"x''''y", "x''''y"}};
  struct fed_context context;
  (void)state;
  fed_context_init(&context);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__yaml yaml;
    assert_int_equal(read_text(&context, cases[i][0], &yaml), FED_OK);
    assert_string_equal(fed__yaml_text(&yaml, fed__yaml_root(&yaml)), cases[i][1]);
    fed__yaml_clear(&yaml);
  }
}

static void refuses_quotes_that_leak(void **state) {
  static const char *const cases[] = {"'x''''y'", "''''''", "''''''''''''", "a: ['''''']",
                                      "'x''''x''''x''''x''''x''''x''''x''''x''''x': y"};
  struct fed_context context;
  (void)state;
  fed_context_init(&context);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__yaml yaml;
    assert_int_equal(read_text(&context, cases[i], &yaml), FED_E_UNSUPPORTED);
    assert_non_null(strstr(fed_error_last()->message, "t.yaml:1:"));
    assert_non_null(strstr(fed_error_last()->message, "double quotes"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_quoted_texts),
      cmocka_unit_test(refuses_quotes_that_leak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
