/* SPDX-License-Identifier: Apache-2.0
 *
 * test_token.c: enrolment tokens there and back, and every way in which one can be damaged.
 */
#include "crypto_testing.h"

#include "crypto/base64.h"
#include "crypto/secret.h"
#include "crypto/token.h"

static const char url[] = "https://fed.example.org:8443";
static struct fed_buffer ca, text;
static struct fed__token token;

static int decode(const char *given) {
  struct fed__token found = {.url = "unchanged"};
  const int code = fed__token_decode(&world.context, fed_slice_of_text(given), &found);
  if (code == FED_OK) {
    assert_memory_equal(&found, &token, sizeof token);
  } else {
    assert_string_equal(found.url, "unchanged");
    assert_null(strstr(fed_error_last()->message, "AQAc")); /* the message repeats no token */
  }
  return code;
}

/* --- tokens built by hand from the description in token.h, so that each field can be wrong --- */

struct parts {
  int version;
  struct fed_slice url, certificate;
  long url_size, certificate_size; /* said to be; negative: the truth */
  size_t secret_size, extra;
  int wrong_sum;
};

static void put_sized(struct fed_buffer *out, struct fed_slice part, long said) {
  const size_t size = said < 0 ? part.size : (size_t)said;
  const uint8_t bytes[2] = {(uint8_t)(size / 256), (uint8_t)(size % 256)};
  assert_int_equal(fed_buffer_append(out, bytes, 2), FED_OK);
  assert_int_equal(fed_buffer_append(out, part.data, part.size), FED_OK);
}

static struct parts good_parts(struct fed_slice der) {
  return (struct parts){.version = 1,
                        .url = fed_slice_of_text(url),
                        .certificate = der,
                        .url_size = -1,
                        .certificate_size = -1,
                        .secret_size = 32};
}

static void build(const struct parts *parts, struct fed_buffer *out) {
  struct fed_buffer binary = new_buffer();
  const uint8_t version = (uint8_t)parts->version, zeros[40] = {0};
  uint8_t secret[32];
  for (int i = 0; i < 32; i++) secret[i] = (uint8_t)i;
  assert_int_equal(fed_buffer_append(&binary, &version, 1), FED_OK);
  put_sized(&binary, parts->url, parts->url_size);
  put_sized(&binary, parts->certificate, parts->certificate_size);
  assert_int_equal(fed_buffer_append(&binary, secret, parts->secret_size), FED_OK);
  struct fed__digest sum = fed__sha256_of(fed_buffer_slice(&binary));
  sum.bytes[3] ^= (uint8_t)parts->wrong_sum;
  assert_int_equal(fed_buffer_append(&binary, sum.bytes, 4), FED_OK);
  assert_int_equal(fed_buffer_append(&binary, zeros, parts->extra), FED_OK);
  fed_buffer_init(out, &world.context, 1 << 20);
  assert_int_equal(fed_buffer_print(out, "fedtoken1."), FED_OK);
  assert_int_equal(fed__base64_encode(fed_buffer_slice(&binary), FED__BASE64_URL, out), FED_OK);
  fed_buffer_clear(&binary);
}

static void assert_refused(const struct parts *parts, const char *message) {
  struct fed_buffer built;
  build(parts, &built);
  assert_int_equal(decode(fed_buffer_text(&built)), FED_E_TOKEN);
  assert_message(message);
  fed_buffer_clear(&built);
}

static struct fed_slice der(void) {
  return fed_slice_of(token.ca_certificate, token.ca_certificate_size);
}

static void has_the_form_that_is_described(void **state) {
  (void)state;
  struct fed_buffer built;
  const struct parts parts = good_parts(der());
  build(&parts, &built);
  assert_string_equal(fed_buffer_text(&text), fed_buffer_text(&built));
  assert_int_equal(decode(fed_buffer_text(&built)), FED_OK);
  assert_string_equal(token.url, url);
  for (int i = 0; i < 32; i++) assert_int_equal(token.secret[i], i);
  fed_buffer_clear(&built);
}

static void tolerates_white_space_around(void **state) {
  (void)state;
  struct fed_buffer padded = new_buffer();
  assert_int_equal(fed_buffer_print(&padded, " \t\r\n%s \r\n\n", fed_buffer_text(&text)), FED_OK);
  assert_int_equal(decode(fed_buffer_text(&padded)), FED_OK);
  fed_buffer_clear(&padded);
}

static void refuses_every_cut(void **state) {
  (void)state;
  struct fed__token found;
  for (size_t cut = 0; cut < text.size; cut++)
    assert_int_equal(fed__token_decode(&world.context, fed_slice_of(text.data, cut), &found),
                     FED_E_TOKEN);
  fed__token_clear(&found);
  text.data[text.size - 9] = '\0';
  assert_int_equal(decode((char *)text.data), FED_E_TOKEN);
  assert_message("cut short");
  assert_message("copy the whole token again, as one line");
}

static void refuses_every_changed_character(void **state) {
  (void)state;
  assert_non_null(fed_buffer_text(&text));
  for (size_t i = 0; i < text.size; i++) {
    const uint8_t kept = text.data[i];
    for (const char *other = "A_z+= \n"; *other; other++) {
      text.data[i] = (uint8_t)*other;
      const int at_edge = (i == 0 || i + 1 == text.size);
      if (text.data[i] != kept && !at_edge)
        assert_int_equal(decode((char *)text.data), FED_E_TOKEN);
    }
    text.data[i] = kept;
  }
}

static void says_what_is_wrong_with_the_text(void **state) {
  (void)state;
  struct fed_buffer changed = new_buffer();
  assert_int_equal(decode(""), FED_E_TOKEN);
  assert_message("empty");
  assert_int_equal(decode(" \n"), FED_E_TOKEN);
  assert_message("empty");
  assert_int_equal(decode("fedtoken2.AAAA"), FED_E_TOKEN);
  assert_message("starts with 'fedtoken1.'");
  assert_int_equal(decode("fedtoken"), FED_E_TOKEN);
  assert_message("starts with 'fedtoken1.'");
  assert_int_equal(decode("fedtoken1."), FED_E_TOKEN);
  assert_message("cut short");
  assert_int_equal(decode("fedtoken1.AQ AB"), FED_E_TOKEN);
  assert_message("white space after character 12");
  assert_int_equal(decode("fedtoken1.AQ=="), FED_E_TOKEN);
  assert_message("characters that none has");
  assert_int_equal(fed_buffer_print(&changed, "fedtoken1."), FED_OK);
  while (changed.size < 4097) assert_int_equal(fed_buffer_append(&changed, "A", 1), FED_OK);
  assert_int_equal(decode(fed_buffer_text(&changed)), FED_E_TOKEN);
  assert_message("at most 4096 characters, found 4097");
  fed_buffer_clear(&changed);
}

static void refuses_wrong_fields(void **state) {
  (void)state;
  const struct parts good = good_parts(der());
  struct parts bad = good;
  bad.version = 2;
  assert_refused(&bad, "version 2");
  bad = good, bad.wrong_sum = 1;
  assert_refused(&bad, "a character of the enrolment token is wrong");
  bad = good, bad.extra = 1;
  assert_refused(&bad, "1 bytes too many");
  bad = good, bad.secret_size = 16;
  assert_refused(&bad, "cut short");
  bad = good, bad.url_size = 513;
  assert_refused(&bad, "at most 512");
  bad = good, bad.certificate_size = 2049;
  assert_refused(&bad, "at most 2048");
  bad = good, bad.certificate_size = 2048;
  assert_refused(&bad, "cut short");
}

static void refuses_wrong_contents(void **state) {
  (void)state;
  static const char *const urls[][2] = {
      {"http://fed.example.org", "does not start with https://"},
      {"", "does not start with https://"},
      {"HTTPS://fed.example.org", "does not start with https://"},
      {"https://", "names no host"},
      {"https:///path", "names no host"},
      {"https://a b", "no URL has"},
      {"https://a\nb", "no URL has"},
      {"https://\xc3\xa9", "no URL has"},
  };
  struct parts bad = good_parts(der());
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    struct fed__token made;
    bad.url = fed_slice_of_text(urls[i][0]);
    assert_refused(&bad, urls[i][1]);
    assert_int_equal(fed__token_create(&world.context, urls[i][0], fed_buffer_slice(&ca), &made),
                     FED_E_INPUT);
    assert_message(urls[i][1]);
  }
  bad.url = fed_slice_of("https://a\0b", 11);
  assert_refused(&bad, "no URL has");
  bad = good_parts(fed_slice_of(NULL, 0));
  assert_refused(&bad, "holds no authority's certificate");
  bad = good_parts(fed_slice_of(token.ca_certificate, token.ca_certificate_size - 1));
  assert_refused(&bad, "holds no authority's certificate");
  bad = good_parts(fed_buffer_slice(&ca)); /* PEM: a second text for the same token */
  assert_refused(&bad, "holds no authority's certificate");
}

static void bounds_the_url(void **state) {
  (void)state;
  char longest[514];
  struct fed__token made;
  memset(longest, 'a', sizeof longest);
  memcpy(longest, "https://", 8);
  longest[513] = '\0';
  assert_int_equal(fed__token_create(&world.context, longest, fed_buffer_slice(&ca), &made),
                   FED_E_INPUT);
  assert_message("longer than 512");
  longest[512] = '\0';
  assert_int_equal(fed__token_create(&world.context, longest, fed_buffer_slice(&ca), &made),
                   FED_OK);
  assert_string_equal(made.url, longest);
  /* the largest parts that are allowed still make a text that is allowed */
  assert_true(strlen("fedtoken1.") + (1 + 2 + 512 + 2 + 2048 + 32 + 4 + 2) / 3 * 4 <= 4096);
}

static void refuses_to_be_made_of_nothing(void **state) {
  (void)state;
  struct fed__token made;
  assert_int_equal(fed__token_create(&world.context, url, fed_slice_of_text("no"), &made),
                   FED_E_CERTIFICATE);
  world.entropy_fails = 1;
  assert_int_equal(fed__token_create(&world.context, url, fed_buffer_slice(&ca), &made), FED_E_IO);
}

static void hashes_with_its_purpose(void **state) {
  (void)state;
  /* Python: sha256(b"fed enrolment token secret v1\0" + bytes(range(32))) */
  static const char expected[] = "d8a9234051fa1d53de30e6078e93136cf566f7eafc3f8bd533fff895f7c5cd67";
  char hex[FED__DIGEST_HEX_SIZE];
  const struct fed__digest hash = fed__token_secret_hash(token.secret);
  fed__digest_encode(&hash, hex);
  assert_string_equal(hex, expected);
}

static void survives_a_lack_of_memory(void **state) {
  (void)state;
  struct fed__token made;
  struct fed_buffer out = new_buffer();
  int code = FED_E_MEMORY, failures = 0;
  for (long allowed = 0; code != FED_OK; allowed++, failures++) {
    assert_int_equal(code, FED_E_MEMORY);
    fed_buffer_clear(&out);
    world.allocations_left = allowed;
    code = fed__token_create(&world.context, url, fed_buffer_slice(&ca), &made);
    if (code == FED_OK) code = fed__token_encode(&token, &out);
    if (code == FED_OK) code = fed__token_decode(&world.context, fed_buffer_slice(&out), &made);
  }
  assert_true(failures > 4);
  world.allocations_left = -1;
  fed__secret_buffer_clear(&out);
}

static int setup(void **state) {
  world_setup(state);
  ca = read_vector("ca.pem");
  text = new_buffer();
  if (fed__token_create(&world.context, url, fed_buffer_slice(&ca), &token) != FED_OK) return 1;
  return fed__token_encode(&token, &text);
}

static int teardown(void **state) {
  (void)state;
  fed_buffer_clear(&ca);
  fed__secret_buffer_clear(&text);
  fed__token_clear(&token);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(has_the_form_that_is_described),
      TEST(tolerates_white_space_around),
      TEST(refuses_every_cut),
      TEST(refuses_every_changed_character),
      TEST(says_what_is_wrong_with_the_text),
      TEST(refuses_wrong_fields),
      TEST(refuses_wrong_contents),
      TEST(bounds_the_url),
      TEST(refuses_to_be_made_of_nothing),
      TEST(hashes_with_its_purpose),
      TEST(survives_a_lack_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
