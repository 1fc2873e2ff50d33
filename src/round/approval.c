/* SPDX-License-Identifier: Apache-2.0
 *
 * approval.c: signing a job and checking who signed it.
 */
#include "round/approval.h"
#include "base/raise.h"
#include "crypto/signature.h"
#include "wire/wire.h"

/* The signed bytes: what they are for, then four hashes. Fixed sizes, so that no two different
 * approvals have the same bytes. */
struct signed_bytes {
  char purpose[20]; /* with its zero */
  struct fed__digest authority, signer, plan, graph;
};
_Static_assert(sizeof(struct signed_bytes) == 20 + 4 * 32, "without padding");

static int fingerprint(const struct fed_context *context, struct fed_slice certificate,
                       struct fed__digest *digest) {
  struct fed_buffer der;
  fed_buffer_init(&der, context, FED__MESSAGE_BYTES_MAX);
  const int code = fed__certificate_encode_der(certificate, &der);
  if (code == FED_OK) *digest = fed__sha256_of(fed_buffer_slice(&der));
  fed_buffer_clear(&der);
  return code;
}

static struct signed_bytes gather(const struct fed__digest *authority,
                                  const struct fed__digest *signer,
                                  const struct fed__approved_job *job) {
  return (struct signed_bytes){"fed job approval v1", *authority, *signer, job->plan, job->graph};
}

static int encode(const struct fed_buffer *certificate, struct fed__signature *signature,
                  struct fed_buffer *out) {
  Fed__Approval approval = FED__APPROVAL__INIT;
  approval.certificate = (ProtobufCBinaryData){certificate->size, certificate->data};
  approval.signature = (ProtobufCBinaryData){sizeof signature->bytes, signature->bytes};
  return fed__wire_encode(&approval.base, out);
}

int fed__approval_make(const struct fed_context *context, struct fed_slice ca,
                       struct fed_slice certificate, const struct fed__key *key,
                       const struct fed__approved_job *job, struct fed_buffer *out) {
  struct fed__digest authority;
  struct fed_buffer der;
  FED_TRY(fingerprint(context, ca, &authority));
  fed_buffer_init(&der, context, FED__MESSAGE_BYTES_MAX);
  int code = fed__certificate_encode_der(certificate, &der);
  if (code == FED_OK) {
    const struct fed__digest signer = fed__sha256_of(fed_buffer_slice(&der));
    const struct signed_bytes bytes = gather(&authority, &signer, job);
    struct fed__signature signature = fed__signature_make(key, fed_slice_of(&bytes, sizeof bytes));
    code = encode(&der, &signature, out);
  }
  fed_buffer_clear(&der);
  return code;
}

static int check_signer(struct fed_slice ca, struct fed_slice certificate, int64_t wall_ms,
                        struct fed__identity *signer) {
  const int code = fed__certificate_verify(ca, certificate, wall_ms, signer);
  if (code == FED_E_EXPIRED)
    return FED_WRAP("the job must be submitted again by an operator whose certificate is valid");
  if (code != FED_OK) return FED_WRAP("the certificate that the job is signed with");
  if (signer->role == FED__ROLE_OPERATOR) return FED_OK;
  return FED_RAISE(FED_E_ROLE, "jobs are signed by operators; this one is signed by the %s '%s'",
                   fed__role_name(signer->role), signer->name);
}

static int verify(const struct fed_context *context, struct fed_slice ca,
                  const Fed__Approval *approval, int64_t wall_ms,
                  const struct fed__approved_job *job, struct fed__identity *signer) {
  struct fed__identity found;
  struct fed__digest authority;
  FED_TRY(check_signer(ca, fed__wire_slice(approval->certificate), wall_ms, &found));
  FED_TRY(fingerprint(context, ca, &authority));
  const struct signed_bytes bytes = gather(&authority, &found.fingerprint, job);
  if (fed__signature_verify(&found.key, fed_slice_of(&bytes, sizeof bytes),
                            fed__wire_slice(approval->signature)) != FED_OK)
    return FED_RAISE(FED_E_SIGNATURE,
                     "the signature is not that of the operator '%s' for this job file and model "
                     "in this federation",
                     found.name);
  *signer = found;
  return FED_OK;
}

int fed__approval_verify(const struct fed_context *context, struct fed_slice ca,
                         struct fed_slice approval, int64_t wall_ms,
                         const struct fed__approved_job *job, struct fed__identity *signer) {
  ProtobufCMessage *message;
  FED_TRY(fed__wire_decode(context, &fed__approval__descriptor, approval, &message));
  const int code = verify(context, ca, (Fed__Approval *)message, wall_ms, job, signer);
  fed__wire_free(context, message);
  return code;
}
