/* SPDX-License-Identifier: Apache-2.0
 *
 * test_crypto_memory.c: the whole enrolment again and again, with the n-th allocation failing:
 * first those made through the context, then those that OpenSSL makes for itself.
 */
#include "crypto_testing.h"

#include "crypto/certificate.h"
#include "crypto/secret.h"

#include <openssl/crypto.h>

static long openssl_allocations_left = -1; /* negative: no limit */

static int may_allocate(void) {
  if (openssl_allocations_left > 0) openssl_allocations_left--;
  return openssl_allocations_left != 0;
}

static void *allocate(size_t size, const char *file, int line) {
  (void)file, (void)line;
  return may_allocate() ? malloc(size) : NULL;
}

static void *resize(void *pointer, size_t size, const char *file, int line) {
  (void)file, (void)line;
  return may_allocate() ? realloc(pointer, size) : NULL;
}

static void release(void *pointer, const char *file, int line) {
  (void)file, (void)line;
  free(pointer);
}

/* Everything that happens between a new federation and the first verified client. */
static int enrol(void) {
  struct fed__ca ca = {0}, loaded = {0};
  struct fed__key key = {{3}};
  struct fed__public_key public_key;
  struct fed__identity identity;
  struct fed_buffer request = new_buffer(), client = new_buffer(), server = new_buffer();
  struct fed_buffer ca_key = new_buffer(), text = new_buffer();
  static const char *const names[] = {"localhost", "127.0.0.1"};
  const struct fed__grant grant = {
      "site-a", FED__ROLE_AGENT, {{1}}, IN_2030_MS, IN_2030_MS + DAY_MS};
  int code;
  FED_TRY_GOTO(code, done, fed__ca_create(&world.context, "Test", 30, &ca));
  FED_TRY_GOTO(code, done, fed__key_encode(&ca.key, &ca_key));
  FED_TRY_GOTO(code, done,
               fed__ca_load(&world.context, fed_buffer_slice(&ca_key),
                            fed_buffer_slice(&ca.certificate), &loaded));
  FED_TRY_GOTO(code, done, fed__request_create(&key, "site-a", &request));
  FED_TRY_GOTO(code, done,
               fed__certificate_issue_client(&loaded, fed_buffer_slice(&request), &grant, &client));
  FED_TRY_GOTO(code, done, fed__key_public(&key, &public_key));
  FED_TRY_GOTO(code, done,
               fed__certificate_issue_server(&loaded, &public_key, names, 2, grant.not_before_ms,
                                             grant.not_after_ms, &server));
  FED_TRY_GOTO(code, done, fed__certificate_describe(fed_buffer_slice(&server), &text));
  FED_TRY_GOTO(code, done,
               fed__certificate_verify(fed_buffer_slice(&ca.certificate), fed_buffer_slice(&client),
                                       IN_2030_MS, &identity));
done:
  fed__ca_clear(&ca);
  fed__ca_clear(&loaded);
  fed_buffer_clear(&request);
  fed_buffer_clear(&client);
  fed_buffer_clear(&server);
  fed_buffer_clear(&text);
  fed__secret_buffer_clear(&ca_key);
  return code;
}

static void survives_our_failures(void **state) {
  (void)state;
  int code = FED_E_MEMORY, failures = -1;
  for (long allowed = 0; code != FED_OK; allowed++, failures++) {
    assert_int_equal(code, FED_E_MEMORY);
    world.allocations_left = allowed;
    code = enrol();
  }
  assert_true(failures >= 7); /* one buffer each, at least */
}

/* OpenSSL does not always say that it lacked memory: then the code is another one, but the call
 * fails cleanly, or it succeeds because OpenSSL could do without. */
static void survives_failures_inside_openssl(void **state) {
  (void)state;
  int failures = 0, memory_failures = 0;
  assert_int_equal(enrol(), FED_OK);       /* lets OpenSSL load what it loads once */
  for (long allowed = 1;; allowed += 13) { /* of many thousands; each one was tried once */
    openssl_allocations_left = allowed;
    const int code = enrol();
    const int used_up = openssl_allocations_left == 0;
    openssl_allocations_left = -1;
    failures += code != FED_OK;
    memory_failures += code == FED_E_MEMORY;
    if (!used_up) break;
  }
  assert_true(failures > 50);
  assert_true(memory_failures > failures / 2);
  assert_int_equal(enrol(), FED_OK);
}

static void lets_nobody_in_for_want_of_memory(void **state) {
  (void)state;
  static const char *const strangers[] = {"client-of-other-ca.der", "server.der", "expired.der",
                                          "authority-leaf.der", "two-names.der"};
  struct fed_buffer ca = read_vector("ca.pem");
  for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
    struct fed_buffer peer = read_vector(strangers[i]);
    struct fed__identity identity;
    for (int used_up = 1, allowed = 1; used_up; allowed++) {
      openssl_allocations_left = allowed;
      const int code = fed__certificate_verify(fed_buffer_slice(&ca), fed_buffer_slice(&peer),
                                               IN_2030_MS, &identity);
      used_up = openssl_allocations_left == 0;
      openssl_allocations_left = -1;
      assert_int_not_equal(code, FED_OK);
    }
    fed_buffer_clear(&peer);
  }
  fed_buffer_clear(&ca);
}

int main(void) {
  if (CRYPTO_set_mem_functions(allocate, resize, release) != 1) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(survives_our_failures, world_setup),
      cmocka_unit_test_setup(survives_failures_inside_openssl, world_setup),
      cmocka_unit_test_setup(lets_nobody_in_for_want_of_memory, world_setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
