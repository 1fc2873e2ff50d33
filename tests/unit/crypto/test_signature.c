/* SPDX-License-Identifier: Apache-2.0
 *
 * test_signature.c: Ed25519 signatures against RFC 8032, and everything that is almost one.
 */
#include "crypto_testing.h"

#include "crypto/signature.h"

/* RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3, TEST SHA(abc). */
static const struct {
  const char *seed, *public_key, *message, *signature;
} rfc_8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "b"
     "bd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e"
     "0"
     "303dca179c138ac17ad9bef1177331a704"},
};
#define CASE_COUNT (sizeof rfc_8032 / sizeof rfc_8032[0])

struct signed_message {
  struct fed__key key;
  struct fed__public_key public_key;
  uint8_t message[64], signature[64];
  size_t message_size;
};

static struct signed_message read_case(size_t number) {
  struct signed_message read;
  assert_int_equal(bytes_of_hex(rfc_8032[number].seed, read.key.seed), 32);
  assert_int_equal(bytes_of_hex(rfc_8032[number].public_key, read.public_key.bytes), 32);
  assert_int_equal(bytes_of_hex(rfc_8032[number].signature, read.signature), 64);
  read.message_size = bytes_of_hex(rfc_8032[number].message, read.message);
  return read;
}

static int verify(const struct signed_message *given) {
  return fed__signature_verify(&given->public_key,
                               fed_slice_of(given->message, given->message_size),
                               fed_slice_of(given->signature, 64));
}

static void matches_rfc_8032(void **state) {
  (void)state;
  for (size_t i = 0; i < CASE_COUNT; i++) {
    const struct signed_message given = read_case(i);
    const struct fed__signature made =
        fed__signature_make(&given.key, fed_slice_of(given.message, given.message_size));
    assert_memory_equal(made.bytes, given.signature, 64);
    assert_int_equal(verify(&given), FED_OK);
  }
}

static void refuses_every_flipped_bit(void **state) {
  (void)state;
  struct signed_message given = read_case(3);
  struct {
    uint8_t *bytes;
    size_t size;
  } parts[] = {{given.message, 64}, {given.signature, 64}, {given.public_key.bytes, 32}};
  for (size_t part = 0; part < 3; part++)
    for (size_t bit = 0; bit < 8 * parts[part].size; bit++) {
      parts[part].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
      assert_int_equal(verify(&given), FED_E_SIGNATURE);
      parts[part].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
  assert_int_equal(verify(&given), FED_OK);
}

static void refuses_other_lengths(void **state) {
  (void)state;
  const struct signed_message given = read_case(2);
  uint8_t longer[65] = {0};
  memcpy(longer, given.signature, 64);
  for (size_t size = 0; size <= 65; size++)
    assert_int_equal(fed__signature_verify(&given.public_key,
                                           fed_slice_of(given.message, given.message_size),
                                           fed_slice_of(longer, size)),
                     size == 64 ? FED_OK : FED_E_SIGNATURE);
  assert_message("a signature has 64 bytes, found 65");
  for (size_t size = 0; size < given.message_size; size++)
    assert_int_equal(fed__signature_verify(&given.public_key, fed_slice_of(given.message, size),
                                           fed_slice_of(given.signature, 64)),
                     FED_E_SIGNATURE);
}

static void refuses_anothers_signature(void **state) {
  (void)state;
  for (size_t i = 0; i < CASE_COUNT; i++)
    for (size_t k = 0; k < CASE_COUNT; k++) {
      struct signed_message mixed = read_case(i);
      mixed.public_key = read_case(k).public_key;
      assert_int_equal(verify(&mixed), i == k ? FED_OK : FED_E_SIGNATURE);
    }
}

/* Section 5.1.7: S must be below the group's order L = 2^252 +
 * 27742317777372353535851937790883648493, or from a signature others could be made. TEST 1 with S +
 * L and S + 8 L, by Python's integers. */
static void refuses_s_above_the_order(void **state) {
  (void)state;
  static const char *const larger[] = {
      "4c8c7872aa064e049dbb3013fbf29380d25bf5f0595bbe24655141438e7a101b",
      "c75731fd62bcce6c7905f68711c8ac12d35bf5f0595bbe24655141438e7a108b"};
  for (size_t i = 0; i < 2; i++) {
    struct signed_message given = read_case(0);
    assert_int_equal(verify(&given), FED_OK);
    assert_int_equal(bytes_of_hex(larger[i], given.signature + 32), 32);
    assert_int_equal(verify(&given), FED_E_SIGNATURE);
  }
}

/* Under the neutral element as key (y = 1, also written y = p + 1), R = key and S = 0 fulfil the
 * equation of section 5.1.7 for every message; OpenSSL 3.0 accepts the first. */
static void refuses_keys_that_sign_anything(void **state) {
  (void)state;
  static const char *const keys[] = {
      "0100000000000000000000000000000000000000000000000000000000000000",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* y = -1, order 2 */
      "0000000000000000000000000000000000000000000000000000000000000000", /* y = 0, order 4 */
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    struct signed_message given = {.message = "anything", .message_size = 8};
    assert_int_equal(bytes_of_hex(keys[i], given.public_key.bytes), 32);
    given.signature[0] = 1;
    assert_int_equal(verify(&given), FED_E_SIGNATURE);
  }
}

/* TEST 1's key and message with R the neutral element, and S = k a made for it in Python: the
 * equation holds and OpenSSL 3.0 accepts it, but nobody who follows section 5.1.6 makes it. */
static void refuses_r_of_small_order(void **state) {
  (void)state;
  struct signed_message given = read_case(0);
  assert_int_equal(
      bytes_of_hex(
          "0100000000000000000000000000000000000000000000000000000000000000756cf9b1d6f0d7a9"
          "79b9d2af3dc2bc1294ec7cb6daa20eaff534c024fc57920f",
          given.signature),
      64);
  assert_int_equal(verify(&given), FED_E_SIGNATURE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(matches_rfc_8032, world_setup),
      cmocka_unit_test_setup(refuses_every_flipped_bit, world_setup),
      cmocka_unit_test_setup(refuses_other_lengths, world_setup),
      cmocka_unit_test_setup(refuses_anothers_signature, world_setup),
      cmocka_unit_test_setup(refuses_s_above_the_order, world_setup),
      cmocka_unit_test_setup(refuses_keys_that_sign_anything, world_setup),
      cmocka_unit_test_setup(refuses_r_of_small_order, world_setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
