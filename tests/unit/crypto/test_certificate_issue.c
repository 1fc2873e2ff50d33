/* SPDX-License-Identifier: Apache-2.0
 *
 * test_certificate_issue.c: the authority: what it signs, what it refuses to sign, and what the
 * openssl command line thinks of its certificates.
 */
#include "crypto_testing.h"

#include "crypto/certificate.h"

#include <unistd.h>

static struct fed__ca ca;

static const struct fed__grant good_grant = {
    .name = "site-a",
    .role = FED__ROLE_AGENT,
    .serial = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255}},
    .not_before_ms = IN_2030_MS,
    .not_after_ms = IN_2030_MS + 30 * DAY_MS,
};

static struct fed_slice ca_pem(void) { return fed_buffer_slice(&ca.certificate); }

static int issue_for_file(const char *request_file, const struct fed__grant *grant) {
  struct fed_buffer request = read_vector(request_file), pem = new_buffer();
  const int code = fed__certificate_issue_client(&ca, fed_buffer_slice(&request), grant, &pem);
  assert_int_equal(pem.size > 0, code == FED_OK);
  fed_buffer_clear(&request);
  fed_buffer_clear(&pem);
  return code;
}

static void grants_what_it_decides(void **state) {
  (void)state;
  struct fed_buffer request = read_vector("request.der"), pem = new_buffer();
  struct fed__identity identity;
  assert_int_equal(
      fed__certificate_issue_client(&ca, fed_buffer_slice(&request), &good_grant, &pem), FED_OK);
  assert_int_equal(fed__certificate_verify(ca_pem(), fed_buffer_slice(&pem), IN_2030_MS, &identity),
                   FED_OK);
  assert_string_equal(identity.name, "site-a"); /* not "root" */
  assert_int_equal(identity.role, FED__ROLE_AGENT);
  assert_string_equal(identity.serial, "000102030405060708090a0b0c0d0eff");
  assert_true(identity.not_after_ms == good_grant.not_after_ms);
  fed_buffer_clear(&request);
  fed_buffer_clear(&pem);
}

static void answers_our_own_request(void **state) {
  (void)state;
  struct fed__key key;
  struct fed__serial serial;
  struct fed__identity identity;
  struct fed__grant grant = good_grant;
  struct fed_buffer request = new_buffer(), pem = new_buffer();
  char hex[FED__SERIAL_HEX_SIZE];
  world.next_byte = 0xf0; /* the leading bit is set: the number must stay positive */
  assert_int_equal(fed__serial_generate(&world.context, &serial), FED_OK);
  fed__serial_encode(&serial, hex);
  assert_string_equal(hex, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  grant.serial = serial;
  grant.role = FED__ROLE_OPERATOR;
  assert_int_equal(fed__key_generate(&world.context, &key), FED_OK);
  assert_int_equal(fed__request_create(&key, "any-name", &request), FED_OK);
  assert_int_equal(fed__certificate_issue_client(&ca, fed_buffer_slice(&request), &grant, &pem),
                   FED_OK);
  assert_int_equal(fed__certificate_verify(ca_pem(), fed_buffer_slice(&pem), IN_2030_MS, &identity),
                   FED_OK);
  assert_string_equal(identity.serial, hex);
  assert_int_equal(identity.role, FED__ROLE_OPERATOR);
  fed_buffer_clear(&request);
  fed_buffer_clear(&pem);
}

static void refuses_bad_requests(void **state) {
  (void)state;
  assert_int_equal(issue_for_file("request.der", &good_grant), FED_OK);
  assert_int_equal(issue_for_file("tampered-request.der", &good_grant), FED_E_SIGNATURE);
  assert_int_equal(issue_for_file("rsa-request.pem", &good_grant), FED_E_UNSUPPORTED);
  assert_message("Ed25519 key, found RSA");
  assert_int_equal(issue_for_file("client.der", &good_grant), FED_E_SYNTAX);
  assert_int_equal(issue_for_file("README.md", &good_grant), FED_E_SYNTAX);
  struct fed_buffer request = read_vector("request.der"), pem = new_buffer();
  for (size_t cut = 0; cut < request.size; cut++)
    assert_int_equal(
        fed__certificate_issue_client(&ca, fed_slice_of(request.data, cut), &good_grant, &pem),
        FED_E_SYNTAX);
  assert_int_equal(fed_buffer_append(&request, "x", 1), FED_OK);
  assert_int_equal(
      fed__certificate_issue_client(&ca, fed_buffer_slice(&request), &good_grant, &pem),
      FED_E_SYNTAX);
  fed_buffer_clear(&request);
}

static void refuses_bad_grants(void **state) {
  (void)state;
  static const char *const names[] = {
      "",
      "-a",
      ".",
      "a b",
      "a/b",
      "a\n",
      "\xc3\xa9",
      "a,CN=root",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 65 */};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct fed__grant grant = good_grant;
    struct fed__key key = {{1}};
    struct fed_buffer pem = new_buffer();
    grant.name = names[i];
    assert_int_equal(issue_for_file("request.der", &grant), FED_E_INPUT);
    assert_int_equal(fed__request_create(&key, names[i], &pem), FED_E_INPUT);
  }
  assert_int_equal(fed__name_check(names[8] + 1), FED_OK); /* 64 */
  const int64_t ca_end_ms = IN_2030_MS + 365 * DAY_MS;
  const int64_t validities[][2] = {
      {IN_2030_MS, IN_2030_MS},
      {IN_2030_MS, IN_2030_MS - 1},
      {-1, IN_2030_MS},
      {INT64_MIN, INT64_MAX},
      {IN_2030_MS, ca_end_ms + 1000},
      {IN_2030_MS, INT64_C(253402300800000)},
  };
  for (size_t i = 0; i < sizeof validities / sizeof validities[0]; i++) {
    struct fed__grant grant = good_grant;
    grant.not_before_ms = validities[i][0];
    grant.not_after_ms = validities[i][1];
    assert_int_equal(issue_for_file("request.der", &grant), FED_E_RANGE);
  }
  struct fed__grant longest = good_grant;
  longest.not_after_ms = ca_end_ms;
  assert_int_equal(issue_for_file("request.der", &longest), FED_OK);
}

static void refuses_bad_authorities(void **state) {
  (void)state;
  struct fed__ca other = {0};
  struct fed_buffer key = new_buffer(), foreign = read_vector("ca.pem");
  struct fed_buffer leaf = new_buffer();
  struct fed__public_key own_key;
  static const char *const names[] = {"127.0.0.1"};
  assert_int_equal(fed__ca_create(&world.context, "", 1, &other), FED_E_INPUT);
  assert_int_equal(fed__ca_create(&world.context, "two\nlines", 1, &other), FED_E_INPUT);
  assert_int_equal(fed__ca_create(&world.context, "f", 0, &other), FED_E_RANGE);
  assert_int_equal(fed__ca_create(&world.context, "f", 36501, &other), FED_E_RANGE);
  world.entropy_fails = 1;
  assert_int_equal(fed__ca_create(&world.context, "f", 1, &other), FED_E_IO);
  world.entropy_fails = 0;
  world.allocations_left = 0;
  assert_int_equal(fed__ca_create(&world.context, "f", 1, &other), FED_E_MEMORY);
  world.allocations_left = -1;
  assert_int_equal(fed__key_encode(&ca.key, &key), FED_OK);
  assert_int_equal(fed__ca_load(&world.context, fed_buffer_slice(&key), ca_pem(), &other), FED_OK);
  assert_memory_equal(&other.key, &ca.key, sizeof ca.key);
  fed__ca_clear(&other);
  fed__ca_clear(&other); /* twice does no harm */
  assert_int_equal(
      fed__ca_load(&world.context, fed_buffer_slice(&key), fed_buffer_slice(&foreign), &other),
      FED_E_CERTIFICATE);
  assert_message("belongs to another key");
  assert_int_equal(fed__ca_load(&world.context, ca_pem(), ca_pem(), &other), FED_E_SYNTAX);
  assert_int_equal(fed__key_public(&ca.key, &own_key), FED_OK);
  assert_int_equal(fed__certificate_issue_server(&ca, &own_key, names, 1, IN_2030_MS,
                                                 IN_2030_MS + DAY_MS, &leaf),
                   FED_OK);
  assert_int_equal(
      fed__ca_load(&world.context, fed_buffer_slice(&key), fed_buffer_slice(&leaf), &other),
      FED_E_CERTIFICATE);
  assert_message("expected the certificate of an authority");
  fed_buffer_clear(&key);
  fed_buffer_clear(&foreign);
  fed_buffer_clear(&leaf);
}

static void refuses_bad_server_names(void **state) {
  (void)state;
  static const char *const bad[] = {"",     "-a.org",     ".a.org",       "a b",    "a,DNS:b",
                                    "a/b",  "*",          "*.",           "a*.org", "https://a.org",
                                    "a:80", "1.2.3.4:80", "\xc3\xa9.org", "*.*.org"};
  struct fed__public_key key;
  struct fed_buffer pem = new_buffer();
  assert_int_equal(fed__key_public(&ca.key, &key), FED_OK);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const char *const names[] = {"good.org", bad[i]};
    assert_int_equal(
        fed__certificate_issue_server(&ca, &key, names, 2, IN_2030_MS, IN_2030_MS + DAY_MS, &pem),
        FED_E_INPUT);
    assert_message("neither a DNS name nor an IP address");
  }
  assert_int_equal(
      fed__certificate_issue_server(&ca, &key, bad, 0, IN_2030_MS, IN_2030_MS + DAY_MS, &pem),
      FED_E_INPUT);
  assert_int_equal(pem.size, 0);
}

static void knows_its_roles(void **state) {
  (void)state;
  enum fed__role role;
  assert_int_equal(fed__role_parse("operator", &role), FED_OK);
  assert_int_equal(role, FED__ROLE_OPERATOR);
  assert_int_equal(fed__role_parse("agent", &role), FED_OK);
  assert_string_equal(fed__role_name(role), "agent");
  assert_int_equal(fed__role_parse("Agent", &role), FED_E_INPUT);
  assert_int_equal(fed__role_parse("server", &role), FED_E_INPUT);
}

/* --- the openssl command line's opinion --- */

static char folder[] = "/tmp/fed-test-certificates-XXXXXX";

static void write_file(const char *name, struct fed_slice bytes) {
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, folder, name), FED_OK);
  assert_int_equal(fed__file_write_quick(path, bytes, FED__FILE_PRIVATE), FED_OK);
}

/* The command's exit status, and what it said. */
static int run_openssl(const char *arguments, char *said, size_t size) {
  char command[512];
  snprintf(command, sizeof command, "cd %s && openssl %s 2>&1", folder, arguments);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  said[fread(said, 1, size - 1, pipe)] = '\0';
  return pclose(pipe);
}

static void assert_openssl(const char *arguments, const char *const *expected) {
  char said[8192];
  if (run_openssl(arguments, said, sizeof said) != 0) fail_msg("openssl %s: %s", arguments, said);
  for (; *expected; expected++)
    if (!strstr(said, *expected))
      fail_msg("openssl %s: expected '%s' in: %s", arguments, *expected, said);
}

static void write_certificates(void) {
  static const char *const names[] = {"localhost", "*.example.org", "192.0.2.7", "2001:db8::1"};
  struct fed_buffer request = read_vector("request.der"), client = new_buffer();
  struct fed_buffer server = new_buffer(), own_request = new_buffer();
  struct fed__key key = {{9}};
  struct fed__public_key public_key;
  assert_int_equal(fed__key_public(&key, &public_key), FED_OK);
  assert_int_equal(
      fed__certificate_issue_client(&ca, fed_buffer_slice(&request), &good_grant, &client), FED_OK);
  assert_int_equal(fed__certificate_issue_server(&ca, &public_key, names, 4, IN_2030_MS,
                                                 IN_2030_MS + DAY_MS, &server),
                   FED_OK);
  assert_int_equal(fed__request_create(&key, "site-z", &own_request), FED_OK);
  write_file("ca.pem", ca_pem());
  write_file("client.pem", fed_buffer_slice(&client));
  write_file("server.pem", fed_buffer_slice(&server));
  write_file("request.pem", fed_buffer_slice(&own_request));
  fed_buffer_clear(&request);
  fed_buffer_clear(&client);
  fed_buffer_clear(&server);
  fed_buffer_clear(&own_request);
}

static void convinces_openssl(void **state) {
  (void)state;
  if (system("openssl version > /dev/null 2>&1") != 0) skip();
  assert_non_null(mkdtemp(folder));
  write_certificates();
#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define VERIFY "verify -x509_strict -check_ss_sig -attime 1893456100 -CAfile ca.pem "
  assert_openssl(VERIFY "-purpose sslclient client.pem", SAYS("client.pem: OK"));
  assert_openssl(VERIFY "-purpose sslserver -verify_hostname a.example.org server.pem", SAYS("OK"));
  assert_openssl(VERIFY "-purpose sslserver -verify_ip 2001:db8::1 server.pem", SAYS("OK"));
  assert_openssl(VERIFY "ca.pem", SAYS("OK"));
  char said[8192];
  assert_int_not_equal(run_openssl(VERIFY "-purpose sslserver client.pem", said, sizeof said), 0);
  assert_int_not_equal(run_openssl(VERIFY "-purpose sslclient server.pem", said, sizeof said), 0);
  assert_openssl("x509 -in ca.pem -noout -text",
                 SAYS("Subject: O = Test, CN = Test", "Basic Constraints: critical",
                      "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign",
                      "Not Before: Dec 31 23:00:00 2029 GMT",
                      "Not After : Jan  1 00:00:00 2031 GMT"));
  assert_openssl("x509 -in client.pem -noout -text",
                 SAYS("Subject: O = Test, OU = agent, CN = site-a", "Basic Constraints: critical",
                      "CA:FALSE", "TLS Web Client Authentication",
                      "Not Before: Jan  1 00:00:00 2030 GMT",
                      "Not After : Jan 31 00:00:00 2030 GMT"));
  assert_openssl("x509 -in server.pem -noout -text",
                 SAYS("DNS:localhost, DNS:*.example.org, IP Address:192.0.2.7, IP "
                      "Address:2001:DB8:0:0:0:0:0:1",
                      "TLS Web Server Authentication"));
  assert_openssl("req -in request.pem -noout -verify -subject", SAYS("OK", "CN = site-z"));
  assert_int_equal(fed__folder_remove(folder), FED_OK);
}

static int setup(void **state) {
  world_setup(state);
  return fed__ca_create(&world.context, "Test", 365, &ca);
}

static int teardown(void **state) {
  (void)state;
  fed__ca_clear(&ca);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(grants_what_it_decides), TEST(answers_our_own_request), TEST(refuses_bad_requests),
      TEST(refuses_bad_grants),     TEST(refuses_bad_authorities), TEST(refuses_bad_server_names),
      TEST(knows_its_roles),        TEST(convinces_openssl),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
