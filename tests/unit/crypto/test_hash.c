/* SPDX-License-Identifier: Apache-2.0
 *
 * test_hash.c: SHA-256 against NIST's examples, and against libsodium for every way of cutting.
 */
#include "crypto_testing.h"

#include "crypto/hash.h"
#include "crypto/secret.h"

#include <sodium.h>

static void assert_digest(struct fed__digest digest, const char *expected) {
  char hex[FED__DIGEST_HEX_SIZE];
  fed__digest_encode(&digest, hex);
  assert_string_equal(hex, expected);
}

/* FIPS 180-4 examples (csrc.nist.gov, SHA256.pdf) and CAVP SHA256ShortMsg.rsp. */
static void matches_nist(void **state) {
  (void)state;
  static const struct {
    const char *message_hex, *digest;
  } cases[] = {
      {"616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c6a6b6c6d6b6c6d6e6c6"
       "d"
       "6e6f6d6e6f706e6f7071",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"d3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
      {"11af", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"},
      {"b4190e", "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"},
      {"74ba2521", "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"},
      {"5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8a650547208251f6d4237e661c7b"
       "f"
       "4c77f335390394c37fa1a9f9be836ac28509",
       "42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t message[128];
    const size_t size = bytes_of_hex(cases[i].message_hex, message);
    assert_digest(fed__sha256_of(fed_slice_of(message, size)), cases[i].digest);
  }
  assert_digest(fed__sha256_of(fed_slice_of(NULL, 0)), cases[2].digest);
}

static void hashes_a_million_a(void **state) {
  (void)state;
  uint8_t block[1000];
  struct fed__sha256 stream;
  memset(block, 'a', sizeof block);
  fed__sha256_init(&stream);
  for (int i = 0; i < 1000; i++) fed__sha256_update(&stream, fed_slice_of(block, sizeof block));
  assert_digest(fed__sha256_finish(&stream),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void streams_cut_anywhere(void **state) {
  (void)state;
  uint8_t message[200];
  for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 7 + 1);
  for (size_t cut = 0; cut <= sizeof message; cut++) {
    struct fed__sha256 stream, fork;
    struct fed__digest expected, found;
    fed__sha256_init(&stream);
    fed__sha256_update(&stream, fed_slice_of(message, cut));
    fork = stream;
    fed__sha256_update(&stream, fed_slice_of(message + cut, sizeof message - cut));
    crypto_hash_sha256(expected.bytes, message, sizeof message);
    found = fed__sha256_finish(&stream);
    assert_true(fed__digest_equal(&found, &expected));
    crypto_hash_sha256(expected.bytes, message, cut);
    found = fed__sha256_finish(&fork);
    assert_true(fed__digest_equal(&found, &expected));
  }
}

static void reads_only_64_lower_case_digits(void **state) {
  (void)state;
  char hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  struct fed__digest digest = {{0}}, before;
  assert_int_equal(fed__digest_decode(fed_slice_of_text(hex), &digest), FED_OK);
  assert_digest(digest, hex);
  assert_int_equal(digest.bytes[0], 0xba);
  assert_int_equal(digest.bytes[31], 0xad);
  before = digest;
  assert_int_equal(fed__digest_decode(fed_slice_of(hex, 63), &digest), FED_E_SYNTAX);
  assert_int_equal(fed__digest_decode(fed_slice_of(hex, 65), &digest), FED_E_SYNTAX);
  assert_int_equal(fed__digest_decode(fed_slice_of(hex, 0), &digest), FED_E_SYNTAX);
  for (size_t i = 0; i < 64; i++) {
    const char kept = hex[i];
    for (const char *bad = "Ag/:`G \n"; *bad; bad++) {
      hex[i] = *bad;
      assert_int_equal(fed__digest_decode(fed_slice_of_text(hex), &digest), FED_E_SYNTAX);
    }
    hex[i] = '\0';
    assert_int_equal(fed__digest_decode(fed_slice_of(hex, 64), &digest), FED_E_SYNTAX);
    hex[i] = kept;
  }
  assert_true(fed__digest_equal(&digest, &before));
}

static void sees_every_difference(void **state) {
  (void)state;
  struct fed__digest a = fed__sha256_of(fed_slice_of_text("abc")), b = a;
  assert_true(fed__digest_equal(&a, &b));
  for (int bit = 0; bit < 256; bit++) {
    b.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_false(fed__digest_equal(&a, &b));
    assert_false(fed__secret_equal(&a, &b, sizeof a));
    b = a;
  }
}

int main(void) {
  if (fed__crypto_init() != FED_OK || fed__crypto_init() != FED_OK) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matches_nist),          cmocka_unit_test(hashes_a_million_a),
      cmocka_unit_test(streams_cut_anywhere),  cmocka_unit_test(reads_only_64_lower_case_digits),
      cmocka_unit_test(sees_every_difference),
  };
  return cmocka_run_group_tests(tests, world_setup, NULL);
}
