/* SPDX-License-Identifier: Apache-2.0
 *
 * test_keys.c: Ed25519 keys against RFC 8032 and RFC 8410, and keys that must be refused.
 */
#include "crypto_testing.h"

#include "crypto/keys.h"
#include "crypto/secret.h"

/* RFC 8410, section 10.3 and 10.1: a private key and its public key. */
static const char rfc_8410_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc_8410_public[] =
    "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

static void assert_public(const struct fed__key *key, const char *expected_hex) {
  struct fed__public_key found;
  uint8_t expected[32];
  assert_int_equal(bytes_of_hex(expected_hex, expected), 32);
  assert_int_equal(fed__key_public(key, &found), FED_OK);
  assert_memory_equal(found.bytes, expected, 32);
  char hex[FED__PUBLIC_KEY_HEX_SIZE];
  fed__public_key_encode(&found, hex);
  assert_string_equal(hex, expected_hex);
}

static void matches_rfc_8032(void **state) { /* section 7.1, TEST 1, TEST 2, TEST 3 */
  (void)state;
  static const char *const cases[][2] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__key key;
    assert_int_equal(bytes_of_hex(cases[i][0], key.seed), 32);
    assert_public(&key, cases[i][1]);
  }
}

static void matches_rfc_8410(void **state) {
  (void)state;
  struct fed__key key;
  struct fed_buffer pem = new_buffer();
  assert_int_equal(fed__key_decode(fed_slice_of_text(rfc_8410_key), &key), FED_OK);
  assert_public(&key, rfc_8410_public);
  assert_int_equal(fed__key_encode(&key, &pem), FED_OK);
  assert_string_equal(fed_buffer_text(&pem), rfc_8410_key);
  fed__secret_buffer_clear(&pem);
  assert_null(pem.data);
}

static void comes_from_the_entropy(void **state) {
  (void)state;
  struct fed__key key, zero = {{0}};
  world.next_byte = 5;
  assert_int_equal(fed__key_generate(&world.context, &key), FED_OK);
  for (int i = 0; i < 32; i++) assert_int_equal(key.seed[i], 5 + i);
  fed__key_clear(&key);
  assert_memory_equal(&key, &zero, sizeof key);
  world.entropy_fails = 1;
  assert_int_equal(fed__key_generate(&world.context, &key), FED_E_IO);
}

static void refuses_other_keys(void **state) {
  (void)state;
  struct fed__key key = {{7}}, before = key;
  struct fed_buffer encrypted = read_vector("encrypted-key.pem");
  struct fed_buffer x25519 = read_vector("x25519-key.pem");
  struct fed_buffer certificate = read_vector("ca.pem");
  assert_int_equal(fed__key_decode(fed_buffer_slice(&encrypted), &key), FED_E_SYNTAX);
  assert_message("encrypted");
  assert_int_equal(fed__key_decode(fed_buffer_slice(&x25519), &key), FED_E_UNSUPPORTED);
  assert_message("expected an Ed25519 private key, found X25519");
  assert_int_equal(fed__key_decode(fed_buffer_slice(&certificate), &key), FED_E_SYNTAX);
  assert_int_equal(fed__key_decode(fed_slice_of(NULL, 0), &key), FED_E_SYNTAX);
  assert_int_equal(fed__key_decode(fed_slice_of_text("hunter2"), &key), FED_E_SYNTAX);
  assert_message("expected a private key in PEM");
  assert_null(strstr(fed_error_last()->message, "hunter2"));
  assert_int_equal(fed__key_decode(fed_slice_of(rfc_8410_key, SIZE_MAX), &key), FED_E_SYNTAX);
  assert_memory_equal(&key, &before, sizeof key);
  fed_buffer_clear(&encrypted);
  fed_buffer_clear(&x25519);
  fed_buffer_clear(&certificate);
}

static void refuses_a_key_cut_short(void **state) {
  (void)state;
  struct fed__key key = {{7}}, before = key;
  const size_t size = sizeof rfc_8410_key - 1;
  for (size_t cut = 0; cut + 1 < size; cut++) /* the last newline may be missing */
    assert_int_equal(fed__key_decode(fed_slice_of(rfc_8410_key, cut), &key), FED_E_SYNTAX);
  assert_memory_equal(&key, &before, sizeof key);
}

static void survives_a_lack_of_memory(void **state) {
  (void)state;
  struct fed__key key = {{7}};
  struct fed_buffer pem = new_buffer();
  world.allocations_left = 0;
  assert_int_equal(fed__key_encode(&key, &pem), FED_E_MEMORY);
  assert_null(pem.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(matches_rfc_8032, world_setup),
      cmocka_unit_test_setup(matches_rfc_8410, world_setup),
      cmocka_unit_test_setup(comes_from_the_entropy, world_setup),
      cmocka_unit_test_setup(refuses_other_keys, world_setup),
      cmocka_unit_test_setup(refuses_a_key_cut_short, world_setup),
      cmocka_unit_test_setup(survives_a_lack_of_memory, world_setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
