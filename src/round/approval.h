/* SPDX-License-Identifier: Apache-2.0
 *
 * approval.h: an operator's signature under a job: the operator's program makes it, the server
 * and every agent check it, each for itself. An agent so learns from the operator, not from the
 * server, which job it is asked to do. docs/protocol.md says which bytes are signed, and why.
 *
 * Threads: none of this keeps state.
 */
#ifndef FED_ROUND_APPROVAL_H
#define FED_ROUND_APPROVAL_H

#include "crypto/certificate.h"

/* What is signed: the hashes of the two files that make a job. */
struct fed__approved_job {
  struct fed__digest plan, graph;
};

/* Append the Approval, encoded. The authority's certificate and the signer's own may be PEM or
 * DER; the key must be the certificate's (not checked here: the signature would not verify). */
FED_MUST int fed__approval_make(const struct fed_context *context, struct fed_slice ca,
                                struct fed_slice certificate, const struct fed__key *key,
                                const struct fed__approved_job *job, struct fed_buffer *out);

/* Who signed this job? FED_E_SYNTAX, FED_E_RANGE: no Approval; FED_E_CERTIFICATE, FED_E_EXPIRED:
 * see fed__certificate_verify; FED_E_ROLE: an agent signed; FED_E_SIGNATURE: not for this job, or
 * altered. `signer` is unchanged on failure. Messages quote nothing but the approval, the
 * authority and the time. */
FED_MUST int fed__approval_verify(const struct fed_context *context, struct fed_slice ca,
                                  struct fed_slice approval, int64_t wall_ms,
                                  const struct fed__approved_job *job,
                                  struct fed__identity *signer);

#endif
