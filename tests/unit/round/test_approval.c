/* SPDX-License-Identifier: Apache-2.0
 *
 * test_approval.c: an operator's signature under a job against one made with openssl and protoc
 * (vectors/approval), and against everybody who would like to have signed it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/signature.h"
#include "failing_alloc.h"
#include "round/approval.h"
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

#define IN_2030_MS INT64_C(1893456000000)
#define IN_2200_MS INT64_C(7258118400000)
#define DAY_MS INT64_C(86400000)

static struct fed_context context;
static struct fed_buffer ca, certificate, key_pem, approval;
static struct fed__key key;
static struct fed__approved_job job;

/* --- the vector --- */

static struct fed_buffer read_vector(const char *name) {
  struct fed_buffer buffer;
  assert_int_equal(fed__file_read_in(&context, FED_TESTS "/vectors/approval", name, &buffer),
                   FED_OK);
  return buffer;
}

static struct fed__digest hash_vector(const char *name) {
  struct fed_buffer bytes = read_vector(name);
  const struct fed__digest digest = fed__sha256_of(fed_buffer_slice(&bytes));
  fed_buffer_clear(&bytes);
  return digest;
}

static int read_vectors(void **state) {
  (void)state;
  fed_context_init(&context);
  ca = read_vector("ca.pem");
  certificate = read_vector("operator.pem");
  key_pem = read_vector("operator.key");
  approval = read_vector("approval");
  job = (struct fed__approved_job){hash_vector("plan"), hash_vector("graph")};
  assert_int_equal(fed__key_decode(fed_buffer_slice(&key_pem), &key), FED_OK);
  return 0;
}

static int clear_vectors(void **state) {
  (void)state;
  fed_buffer_clear(&ca);
  fed_buffer_clear(&certificate);
  fed_buffer_clear(&key_pem);
  fed_buffer_clear(&approval);
  return 0;
}

static int verify_at(struct fed_slice bytes, int64_t wall_ms,
                     const struct fed__approved_job *wanted) {
  struct fed__identity signer = {.name = "unchanged"};
  const int code =
      fed__approval_verify(&context, fed_buffer_slice(&ca), bytes, wall_ms, wanted, &signer);
  assert_string_equal(signer.name, code == FED_OK ? "Maria.L" : "unchanged");
  return code;
}

static void assert_message(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("expected '%s' in '%s'", part, fed_error_last()->message);
}

static void is_what_openssl_makes(void **state) {
  (void)state;
  struct fed_buffer made;
  fed_buffer_init(&made, &context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__approval_make(&context, fed_buffer_slice(&ca),
                                      fed_buffer_slice(&certificate), &key, &job, &made),
                   FED_OK);
  assert_int_equal(made.size, approval.size);
  assert_memory_equal(made.data, approval.data, made.size);
  fed_buffer_clear(&made);
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &job), FED_OK);
}

/* --- another job --- */

static void is_for_one_job_only(void **state) {
  (void)state;
  struct fed__approved_job other = job;
  other.plan.bytes[31] ^= 1;
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &other), FED_E_SIGNATURE);
  other = job;
  other.graph.bytes[0] ^= 0x80;
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &other), FED_E_SIGNATURE);
  other = (struct fed__approved_job){job.graph, job.plan}; /* exchanged */
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &other), FED_E_SIGNATURE);
  assert_message("not that of the operator 'Maria.L' for this job file and model");
}

static void ends_with_the_certificate(void **state) {
  (void)state;
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2200_MS, &job), FED_E_EXPIRED);
  assert_message("submitted again by an operator whose certificate is valid");
  assert_int_equal(verify_at(fed_buffer_slice(&approval), 0, &job), FED_E_EXPIRED);
}

/* --- altered --- */

static void refuses_every_cut(void **state) {
  (void)state;
  for (size_t size = 0; size < approval.size; size++)
    assert_int_not_equal(verify_at(fed_slice_of(approval.data, size), IN_2030_MS, &job), FED_OK);
}

static void refuses_every_flipped_bit(void **state) {
  (void)state;
  for (size_t bit = 0; bit < approval.size * 8; bit++) {
    approval.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &job), FED_OK);
    approval.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_int_equal(verify_at(fed_buffer_slice(&approval), IN_2030_MS, &job), FED_OK);
}

/* --- other signers, in a federation made here --- */

static struct fed_buffer issue(const struct fed__ca *issuer, const struct fed__key *of,
                               const char *name, enum fed__role role, int64_t not_after_ms) {
  const int64_t now_ms = context.clock->wall_ms(context.clock);
  const struct fed__grant grant = {name, role, {{1}}, now_ms - DAY_MS / 48, not_after_ms};
  struct fed_buffer request, pem;
  fed_buffer_init(&request, &context, 1 << 16);
  fed_buffer_init(&pem, &context, 1 << 16);
  assert_int_equal(fed__request_create(of, name, &request), FED_OK);
  assert_int_equal(fed__certificate_issue_client(issuer, fed_buffer_slice(&request), &grant, &pem),
                   FED_OK);
  fed_buffer_clear(&request);
  return pem;
}

/* `of` signs, with `pem` for a certificate and `signed_for` as authority; `judge` decides. */
static int judge_signature(const struct fed__ca *judge, const struct fed__ca *signed_for,
                           const struct fed_buffer *pem, const struct fed__key *of) {
  const int64_t now_ms = context.clock->wall_ms(context.clock);
  struct fed__identity signer;
  struct fed_buffer made;
  fed_buffer_init(&made, &context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__approval_make(&context, fed_buffer_slice(&signed_for->certificate),
                                      fed_buffer_slice(pem), of, &job, &made),
                   FED_OK);
  const int code = fed__approval_verify(&context, fed_buffer_slice(&judge->certificate),
                                        fed_buffer_slice(&made), now_ms, &job, &signer);
  fed_buffer_clear(&made);
  return code;
}

static void refuses_who_may_not_sign(void **state) {
  (void)state;
  const int64_t day_ms = context.clock->wall_ms(context.clock) + DAY_MS;
  struct fed__ca ours, theirs;
  struct fed__key other_key;
  assert_int_equal(fed__ca_create(&context, "Test", 30, &ours), FED_OK);
  assert_int_equal(fed__ca_create(&context, "Test", 30, &theirs), FED_OK); /* the same name */
  assert_int_equal(fed__key_generate(&context, &other_key), FED_OK);
  struct fed_buffer good = issue(&ours, &key, "maria", FED__ROLE_OPERATOR, day_ms);
  struct fed_buffer agent = issue(&ours, &key, "maria", FED__ROLE_AGENT, day_ms);
  struct fed_buffer foreign = issue(&theirs, &key, "maria", FED__ROLE_OPERATOR, day_ms);
  assert_int_equal(judge_signature(&ours, &ours, &good, &key), FED_OK);
  assert_int_equal(judge_signature(&ours, &ours, &good, &other_key), FED_E_SIGNATURE);
  assert_int_equal(judge_signature(&ours, &ours, &agent, &key), FED_E_ROLE);
  assert_message("jobs are signed by operators; this one is signed by the agent 'maria'");
  assert_int_equal(judge_signature(&ours, &ours, &foreign, &key), FED_E_CERTIFICATE);
  assert_int_equal(judge_signature(&ours, &theirs, &foreign, &key), FED_E_CERTIFICATE);
  assert_message("the certificate that the job is signed with: expected a certificate signed by");
  /* Self-made: the authority's own certificate, and the federation's own key in it. */
  assert_int_equal(judge_signature(&ours, &ours, &theirs.certificate, &theirs.key),
                   FED_E_CERTIFICATE);
  assert_int_equal(judge_signature(&ours, &ours, &ours.certificate, &ours.key), FED_E_CERTIFICATE);
  fed_buffer_clear(&good);
  fed_buffer_clear(&agent);
  fed_buffer_clear(&foreign);
  fed__ca_clear(&ours);
  fed__ca_clear(&theirs);
}

/* One key, two certificates for it, two authorities' certificates for the authority's key: the
 * signature is for those that were signed and no others. */
static void is_for_one_certificate_of_one_federation(void **state) {
  (void)state;
  const int64_t day_ms = context.clock->wall_ms(context.clock) + DAY_MS;
  struct fed__ca ours;
  assert_int_equal(fed__ca_create(&context, "Test", 30, &ours), FED_OK);
  struct fed_buffer maria = issue(&ours, &key, "maria", FED__ROLE_OPERATOR, day_ms), made;
  struct fed_buffer admin = issue(&ours, &key, "admin", FED__ROLE_OPERATOR, day_ms), der, mixed;
  fed_buffer_init(&made, &context, FED__APPROVAL_BYTES_MAX);
  fed_buffer_init(&der, &context, FED__APPROVAL_BYTES_MAX);
  fed_buffer_init(&mixed, &context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(fed__approval_make(&context, fed_buffer_slice(&ours.certificate),
                                      fed_buffer_slice(&maria), &key, &job, &made),
                   FED_OK);
  assert_int_equal(fed__certificate_encode_der(fed_buffer_slice(&admin), &der), FED_OK);
  ProtobufCMessage *message;
  assert_int_equal(
      fed__wire_decode(&context, &fed__approval__descriptor, fed_buffer_slice(&made), &message),
      FED_OK);
  Fed__Approval exchanged = *(Fed__Approval *)message;
  exchanged.certificate = (ProtobufCBinaryData){der.size, der.data};
  assert_int_equal(fed__wire_encode(&exchanged.base, &mixed), FED_OK);
  struct fed__identity signer;
  const int64_t now_ms = context.clock->wall_ms(context.clock);
  assert_int_equal(fed__approval_verify(&context, fed_buffer_slice(&ours.certificate),
                                        fed_buffer_slice(&mixed), now_ms, &job, &signer),
                   FED_E_SIGNATURE);
  /* The vector's signer signs for the vector's authority: not for ours, though the key is ours. */
  assert_int_equal(judge_signature(&ours, &(struct fed__ca){.certificate = ca}, &maria, &key),
                   FED_E_SIGNATURE);
  fed__wire_free(&context, message);
  fed_buffer_clear(&maria);
  fed_buffer_clear(&admin);
  fed_buffer_clear(&made);
  fed_buffer_clear(&der);
  fed_buffer_clear(&mixed);
  fed__ca_clear(&ours);
}

/* TLS 1.3 signs with the same key: what a handshake signs (RFC 8446, 4.4.3) is no approval. */
static void is_not_a_signature_of_tls(void **state) {
  (void)state;
  uint8_t content[64 + 33 + 1 + 32];
  memset(content, ' ', 64);
  memcpy(content + 64, "TLS 1.3, client CertificateVerify", 34);
  memcpy(content + 98, job.plan.bytes, 32);
  ProtobufCMessage *message;
  struct fed_buffer mixed;
  fed_buffer_init(&mixed, &context, FED__APPROVAL_BYTES_MAX);
  assert_int_equal(
      fed__wire_decode(&context, &fed__approval__descriptor, fed_buffer_slice(&approval), &message),
      FED_OK);
  struct fed__signature signature =
      fed__signature_make(&key, fed_slice_of(content, sizeof content));
  Fed__Approval exchanged = *(Fed__Approval *)message;
  exchanged.signature = (ProtobufCBinaryData){64, signature.bytes};
  assert_int_equal(fed__wire_encode(&exchanged.base, &mixed), FED_OK);
  assert_int_equal(verify_at(fed_buffer_slice(&mixed), IN_2030_MS, &job), FED_E_SIGNATURE);
  fed__wire_free(&context, message);
  fed_buffer_clear(&mixed);
}

/* --- memory --- */

static int make_and_verify(const struct fed_context *limited) {
  struct fed__identity signer;
  struct fed_buffer made;
  fed_buffer_init(&made, limited, FED__APPROVAL_BYTES_MAX);
  int code = fed__approval_make(limited, fed_buffer_slice(&ca), fed_buffer_slice(&certificate),
                                &key, &job, &made);
  if (code == FED_OK)
    code = fed__approval_verify(limited, fed_buffer_slice(&ca), fed_buffer_slice(&made), IN_2030_MS,
                                &job, &signer);
  fed_buffer_clear(&made);
  return code;
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  struct failing_alloc failing;
  struct fed_context limited;
  int code = FED_E_MEMORY;
  long allowed = 0;
  for (; code != FED_OK; allowed++) {
    assert_int_equal(code, FED_E_MEMORY);
    failing_alloc_init(&failing, &limited, allowed);
    code = make_and_verify(&limited);
    assert_int_equal(failing.living, 0);
  }
  assert_true(allowed > 4);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, read_vectors, clear_vectors)
  const struct CMUnitTest tests[] = {
      TEST(is_what_openssl_makes),
      TEST(is_for_one_job_only),
      TEST(ends_with_the_certificate),
      TEST(refuses_every_cut),
      TEST(refuses_every_flipped_bit),
      TEST(refuses_who_may_not_sign),
      TEST(is_for_one_certificate_of_one_federation),
      TEST(is_not_a_signature_of_tls),
      TEST(running_out_of_memory_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
