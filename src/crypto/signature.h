/* SPDX-License-Identifier: Apache-2.0
 *
 * signature.h: Ed25519 signatures (RFC 8032, section 5.1: pure, without context or prehash) with
 * the keys of keys.h. Neither function allocates; signing is deterministic.
 *
 * Verifying is stricter than the RFC demands, so that a signature fits one message and one key:
 * it refuses S that is not below the group's order (section 5.1.7), points that are not in their
 * one canonical form, and keys and R of small order, under which one signature fits any message.
 *
 * What is signed must say what it is for: begin messages with words that no other message begins
 * with. TLS signs with the same keys, and its messages begin with 64 spaces (RFC 8446, 4.4.3).
 */
#ifndef FED_CRYPTO_SIGNATURE_H
#define FED_CRYPTO_SIGNATURE_H

#include "crypto/keys.h"

struct fed__signature {
  uint8_t bytes[64];
};

struct fed__signature fed__signature_make(const struct fed__key *key, struct fed_slice message);

/* FED_E_SIGNATURE when the signature is not that key's over that message, or has not 64 bytes. */
FED_MUST int fed__signature_verify(const struct fed__public_key *key, struct fed_slice message,
                                   struct fed_slice signature);

#endif
