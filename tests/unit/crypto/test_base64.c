/* SPDX-License-Identifier: Apache-2.0
 *
 * test_base64.c: RFC 4648's vectors, and everything that strict decoding refuses.
 */
#include "crypto_testing.h"

#include "crypto/base64.h"

static void assert_both_ways(struct fed_slice bytes, enum fed__base64 variant, const char *text) {
  struct fed_buffer encoded = new_buffer(), decoded = new_buffer();
  assert_int_equal(fed__base64_encode(bytes, variant, &encoded), FED_OK);
  assert_string_equal(fed_buffer_text(&encoded), text);
  assert_int_equal(fed__base64_decode(fed_slice_of_text(text), variant, &decoded), FED_OK);
  assert_int_equal(decoded.size, bytes.size);
  if (bytes.size) assert_memory_equal(decoded.data, bytes.data, bytes.size);
  fed_buffer_clear(&encoded);
  fed_buffer_clear(&decoded);
}

static void matches_rfc_4648(void **state) { /* section 10 */
  (void)state;
  static const char *const cases[][3] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_both_ways(fed_slice_of_text(cases[i][0]), FED__BASE64_STANDARD, cases[i][1]);
    assert_both_ways(fed_slice_of_text(cases[i][0]), FED__BASE64_URL, cases[i][2]);
  }
  /* section 9's example bytes, and the two characters in which the variants differ (62, 63) */
  static const uint8_t example[] = {0x14, 0xfb, 0x9c, 0x03, 0xd9, 0x7e}, last[] = {0xfb, 0xff};
  assert_both_ways(fed_slice_of(example, 6), FED__BASE64_STANDARD, "FPucA9l+");
  assert_both_ways(fed_slice_of(last, 2), FED__BASE64_STANDARD, "+/8=");
  assert_both_ways(fed_slice_of(last, 2), FED__BASE64_URL, "-_8");
}

static void refuses_what_is_not_canonical(void **state) {
  (void)state;
  static const char *const standard[] = {
      "Zg",    "Zg=",    "Zg===", "Zm9v=", "Zh==",  "Zm9=",     "Z",     "=",
      "Zm 9v", "Zm9v\n", " Zm9v", "-_8=",  "Zm9v*", "Zg==Zg==", "Zm9vY", "\xc3\xa9Zg="};
  static const char *const url[] = {"Zg==", "Zh",    "Zm9",  "Z",    "+/8",
                                    "Zm 8", "Zm8\n", "Zm8=", "====", "Zm9vY"};
  struct fed_buffer out = new_buffer();
  assert_int_equal(fed_buffer_append(&out, "kept", 4), FED_OK);
  for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++)
    assert_int_equal(fed__base64_decode(fed_slice_of_text(standard[i]), FED__BASE64_STANDARD, &out),
                     FED_E_SYNTAX);
  for (size_t i = 0; i < sizeof url / sizeof url[0]; i++)
    assert_int_equal(fed__base64_decode(fed_slice_of_text(url[i]), FED__BASE64_URL, &out),
                     FED_E_SYNTAX);
  assert_int_equal(fed__base64_decode(fed_slice_of("Zm\0v", 4), FED__BASE64_URL, &out),
                   FED_E_SYNTAX);
  assert_int_equal(out.size, 4);
  assert_int_equal(fed__base64_decode(fed_slice_of_text("Zm9v"), FED__BASE64_URL, &out), FED_OK);
  assert_string_equal(fed_buffer_text(&out), "keptfoo"); /* appended */
  fed_buffer_clear(&out);
}

/* RFC 4648, section 3.3: characters outside the alphabet are refused. */
static void refuses_every_byte_outside_the_alphabet(void **state) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  (void)state;
  struct fed_buffer out = new_buffer();
  for (int variant = 0; variant < 2; variant++)
    for (int byte = 0; byte < 256; byte++) {
      const char *others = variant == FED__BASE64_URL ? "-_" : "+/";
      const uint8_t text[4] = {'Z', (uint8_t)byte, '9', 'v'};
      const int is_known = byte && (strchr(letters, byte) || strchr(others, byte));
      assert_int_equal(fed__base64_decode(fed_slice_of(text, 4), (enum fed__base64)variant, &out),
                       is_known ? FED_OK : FED_E_SYNTAX);
    }
  fed_buffer_clear(&out);
}

static void keeps_to_limits(void **state) {
  (void)state;
  struct fed_buffer out;
  fed_buffer_init(&out, &world.context, 7);
  assert_int_equal(fed__base64_encode(fed_slice_of_text("foobar"), FED__BASE64_URL, &out),
                   FED_E_TOO_LARGE);
  assert_int_equal(fed__base64_encode(fed_slice_of("", SIZE_MAX), FED__BASE64_URL, &out),
                   FED_E_TOO_LARGE);
  assert_int_equal(fed__base64_encode(fed_slice_of_text("fooba"), FED__BASE64_URL, &out), FED_OK);
  assert_int_equal(fed__base64_decode(fed_slice_of_text("Zm9v"), FED__BASE64_URL, &out),
                   FED_E_TOO_LARGE);
  fed_buffer_clear(&out);
  world.allocations_left = 0;
  assert_int_equal(fed__base64_encode(fed_slice_of_text("f"), FED__BASE64_URL, &out), FED_E_MEMORY);
  assert_int_equal(fed__base64_decode(fed_slice_of_text("Zg"), FED__BASE64_URL, &out),
                   FED_E_MEMORY);
  assert_null(out.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(matches_rfc_4648, world_setup),
      cmocka_unit_test_setup(refuses_what_is_not_canonical, world_setup),
      cmocka_unit_test_setup(refuses_every_byte_outside_the_alphabet, world_setup),
      cmocka_unit_test_setup(keeps_to_limits, world_setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
