/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate_verify.c: who is let in, judged by certificates that the openssl command line
 * made (tests/vectors/crypto).
 */
#include "crypto_testing.h"

#include "crypto/certificate.h"

static struct fed_buffer ca;

static int verify_file(const char *name, int64_t wall_ms, struct fed__identity *identity) {
  struct fed_buffer peer = read_vector(name);
  const int code =
      fed__certificate_verify(fed_buffer_slice(&ca), fed_buffer_slice(&peer), wall_ms, identity);
  fed_buffer_clear(&peer);
  return code;
}

static void names_the_client(void **state) {
  (void)state;
  struct fed__identity identity;
  char fingerprint[FED__DIGEST_HEX_SIZE];
  assert_int_equal(verify_file("client.der", IN_2030_MS, &identity), FED_OK);
  assert_string_equal(identity.name, "site-a");
  assert_int_equal(identity.role, FED__ROLE_AGENT);
  assert_true(identity.not_after_ms == INT64_C(2082758400000)); /* 2036-01-01T00:00:00Z */
  /* openssl x509 -inform der -in client.der -noout -serial -fingerprint -sha256 */
  assert_string_equal(identity.serial, "77028afcd8962eaf82abfa1c6708139b6bbea6ca");
  fed__digest_encode(&identity.fingerprint, fingerprint);
  assert_string_equal(fingerprint,
                      "7b8e087c323067fb0da3b0f9ea5f0404bdec354c1a1877e5137aefc92c1d0f27");
  assert_int_equal(verify_file("operator.der", IN_2030_MS, &identity), FED_OK);
  assert_string_equal(identity.name, "Maria.L");
  assert_int_equal(identity.role, FED__ROLE_OPERATOR);
  /* openssl x509 -inform der -in operator.der -noout -pubkey | openssl pkey -pubin -outform der |
   * tail -c 32 | xxd -p -c 32 */
  uint8_t key[32];
  assert_int_equal(
      bytes_of_hex("5922d1d575c399d4a08ca420d33162466f7f0c180e625c0ba035e046552a544b", key), 32);
  assert_memory_equal(identity.key.bytes, key, 32);
}

static void refuses_other_kinds_of_keys(void **state) {
  (void)state;
  struct fed_buffer p256_ca = read_vector("p256-ca.pem"), peer = read_vector("p256.der");
  struct fed__identity identity;
  assert_int_equal(fed__certificate_verify(fed_buffer_slice(&p256_ca), fed_buffer_slice(&peer),
                                           IN_2030_MS, &identity),
                   FED_E_CERTIFICATE);
  assert_message("expected a certificate for an Ed25519 key, found EC");
  fed_buffer_clear(&p256_ca);
  fed_buffer_clear(&peer);
}

static void reads_both_kinds_of_time(void **state) {
  (void)state;
  struct fed__identity identity;
  assert_int_equal(verify_file("ends-with-2049.der", IN_2030_MS, &identity), FED_OK);
  assert_true(identity.not_after_ms == INT64_C(2524607999000)); /* date -ud 2049-12-31T23:59:59 */
  assert_int_equal(verify_file("ends-in-2050.der", IN_2030_MS, &identity), FED_OK);
  assert_true(identity.not_after_ms == INT64_C(2524608000000));
}

static void names_the_federation(void **state) {
  (void)state;
  char name[FED__NAME_MAX + 1] = "unchanged";
  assert_int_equal(fed__certificate_federation(fed_buffer_slice(&ca), name), FED_OK);
  assert_string_equal(name, "Test federation");
  assert_int_equal(fed__certificate_federation(fed_slice_of_text("x"), name), FED_E_CERTIFICATE);
}

static void refuses_strangers(void **state) {
  (void)state;
  static const struct {
    const char *file;
    int code;
    const char *message;
  } cases[] = {
      {"client-of-other-ca.der", FED_E_CERTIFICATE,
       "expected a certificate signed by the authority"},
      {"tampered.der", FED_E_CERTIFICATE, "expected a certificate signed by the authority"},
      {"expired.der", FED_E_EXPIRED,
       "from 2020-01-01T00:00:00.000Z to 2021-01-01T00:00:00.000Z and expired at "
       "2030-01-01T00:00:00.000Z"},
      {"server.der", FED_E_CERTIFICATE, "clientAuth), found a server's (serverAuth)"},
      {"authority-leaf.der", FED_E_CERTIFICATE, "found an authority's (CA:TRUE)"},
      {"ca.pem", FED_E_CERTIFICATE, "found an authority's (CA:TRUE)"},
      {"other-ca.pem", FED_E_CERTIFICATE, "expected a certificate signed by the authority"},
      {"no-constraints.der", FED_E_CERTIFICATE, "found no basic constraints"},
      {"no-extended-usage.der", FED_E_CERTIFICATE, "found no extended key usage"},
      {"may-not-sign.der", FED_E_CERTIFICATE, "digitalSignature"},
      {"no-role.der", FED_E_CERTIFICATE, "has no OU"},
      {"unknown-role.der", FED_E_CERTIFICATE,
       "expected the role agent or operator in the certificate, found 'admin'"},
      {"two-names.der", FED_E_CERTIFICATE, "more than one CN"},
      {"bad-name.der", FED_E_CERTIFICATE, "found 'site a'"},
      {"request.der", FED_E_CERTIFICATE, "not well-formed"},
      {"README.md", FED_E_CERTIFICATE, "neither PEM nor DER"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__identity identity = {.name = "unchanged"};
    const int code = verify_file(cases[i].file, IN_2030_MS, &identity);
    if (code != cases[i].code)
      fail_msg("%s: expected %s, found %s", cases[i].file, fed_error_name(cases[i].code),
               fed_error_name(code));
    assert_message(cases[i].message);
    assert_string_equal(identity.name, "unchanged");
  }
}

static void judges_by_the_given_clock(void **state) {
  (void)state;
  struct fed__identity identity;
  const int64_t end_ms = INT64_C(2082758400000); /* of client.der */
  assert_int_equal(verify_file("client.der", end_ms, &identity), FED_OK);
  assert_int_equal(verify_file("client.der", end_ms + 1, &identity), FED_E_EXPIRED);
  assert_int_equal(verify_file("client.der", 0, &identity), FED_E_EXPIRED);
  assert_message("not yet valid");
  assert_message("compare the clocks");
  assert_int_equal(verify_file("client.der", INT64_MIN, &identity), FED_E_EXPIRED);
  assert_int_equal(verify_file("client.der", INT64_MAX, &identity), FED_E_EXPIRED);
}

static void refuses_every_cut_and_every_addition(void **state) {
  (void)state;
  struct fed_buffer peer = read_vector("client.der");
  struct fed__identity identity;
  for (size_t cut = 0; cut < peer.size; cut++) {
    uint8_t *exact = malloc(cut + 1); /* so that the sanitizer sees a read beyond the cut */
    assert_non_null(exact);
    memcpy(exact, peer.data, cut);
    assert_int_equal(fed__certificate_verify(fed_buffer_slice(&ca), fed_slice_of(exact, cut),
                                             IN_2030_MS, &identity),
                     FED_E_CERTIFICATE);
    free(exact);
  }
  assert_int_equal(fed_buffer_append(&peer, "", 1), FED_OK);
  assert_int_equal(fed__certificate_verify(fed_buffer_slice(&ca), fed_buffer_slice(&peer),
                                           IN_2030_MS, &identity),
                   FED_E_CERTIFICATE);
  assert_message("1 bytes that do not belong to it");
  fed_buffer_clear(&peer);
}

static void refuses_every_flipped_bit(void **state) {
  (void)state;
  struct fed_buffer peer = read_vector("client.der");
  struct fed__identity identity;
  for (size_t bit = 0; bit < 8 * peer.size; bit++) {
    peer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    const int code = fed__certificate_verify(fed_buffer_slice(&ca), fed_buffer_slice(&peer),
                                             IN_2030_MS, &identity);
    if (code != FED_E_CERTIFICATE) fail_msg("bit %zu: %s", bit, fed_error_name(code));
    peer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  fed_buffer_clear(&peer);
}

static void needs_a_good_authority(void **state) {
  (void)state;
  struct fed_buffer peer = read_vector("client.der");
  struct fed__identity identity;
  assert_int_equal(fed__certificate_verify(fed_slice_of(ca.data, ca.size / 2),
                                           fed_buffer_slice(&peer), IN_2030_MS, &identity),
                   FED_E_CERTIFICATE);
  assert_message("the authority's own certificate");
  assert_int_equal(fed__certificate_verify(fed_buffer_slice(&peer), fed_buffer_slice(&peer),
                                           IN_2030_MS, &identity),
                   FED_E_CERTIFICATE); /* nobody vouches for himself */
  struct fed_buffer expired = read_vector("expired-ca.pem");
  assert_int_equal(fed__certificate_verify(fed_buffer_slice(&expired), fed_buffer_slice(&peer),
                                           IN_2030_MS - 2 * 365 * DAY_MS, &identity),
                   FED_OK);
  assert_int_equal(fed__certificate_verify(fed_buffer_slice(&expired), fed_buffer_slice(&peer),
                                           IN_2030_MS, &identity),
                   FED_E_EXPIRED);
  assert_message("the authority's certificate is valid from 2020-01-01");
  fed_buffer_clear(&expired);
  fed_buffer_clear(&peer);
}

static void describes_for_people(void **state) {
  (void)state;
  struct fed_buffer peer = read_vector("client.der"), server = read_vector("server.der");
  struct fed_buffer text = new_buffer();
  assert_int_equal(fed__certificate_describe(fed_buffer_slice(&peer), &text), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&text), "/O=Test federation/OU=agent/CN=site-a\n"));
  assert_non_null(strstr(fed_buffer_text(&text), "use          TLS client\n"));
  assert_non_null(
      strstr(fed_buffer_text(&text), "serial       77028afcd8962eaf82abfa1c6708139b6bbea6ca\n"));
  assert_non_null(strstr(fed_buffer_text(&text), "valid from   2026-01-01T00:00:00.000Z\n"));
  assert_non_null(strstr(fed_buffer_text(&text), "valid until  2036-01-01T00:00:00.000Z\n"));
  text.size = 0;
  assert_int_equal(fed__certificate_describe(fed_buffer_slice(&ca), &text), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&text), "certificate authority\n"));
  text.size = 0;
  assert_int_equal(fed__certificate_describe(fed_buffer_slice(&server), &text), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&text), "TLS server\n"));
  assert_int_equal(fed__certificate_describe(fed_slice_of(peer.data, 100), &text),
                   FED_E_CERTIFICATE);
  fed_buffer_clear(&peer);
  fed_buffer_clear(&server);
  fed_buffer_clear(&text);
}

static void converts_without_loss(void **state) {
  (void)state;
  struct fed_buffer peer = read_vector("client.der"), pem = new_buffer(), der = new_buffer();
  assert_int_equal(fed__certificate_encode_pem(fed_buffer_slice(&peer), &pem), FED_OK);
  assert_int_equal(fed__certificate_encode_der(fed_buffer_slice(&pem), &der), FED_OK);
  assert_int_equal(der.size, peer.size);
  assert_memory_equal(der.data, peer.data, der.size);
  pem.size = 0;
  assert_int_equal(fed__certificate_encode_pem(fed_buffer_slice(&ca), &pem), FED_OK);
  assert_string_equal(fed_buffer_text(&pem), fed_buffer_text(&ca)); /* as openssl writes it */
  assert_int_equal(fed__certificate_encode_der(fed_slice_of(NULL, 0), &der), FED_E_CERTIFICATE);
  fed_buffer_clear(&peer);
  fed_buffer_clear(&pem);
  fed_buffer_clear(&der);
}

static int setup(void **state) {
  world_setup(state);
  ca = read_vector("ca.pem");
  return 0;
}

static int teardown(void **state) {
  (void)state;
  fed_buffer_clear(&ca);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(names_the_client),
      TEST(reads_both_kinds_of_time),
      TEST(refuses_other_kinds_of_keys),
      TEST(names_the_federation),
      TEST(refuses_strangers),
      TEST(judges_by_the_given_clock),
      TEST(refuses_every_cut_and_every_addition),
      TEST(refuses_every_flipped_bit),
      TEST(needs_a_good_authority),
      TEST(describes_for_people),
      TEST(converts_without_loss),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
