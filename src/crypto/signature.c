/* SPDX-License-Identifier: Apache-2.0
 *
 * signature.c: Ed25519 signatures over libsodium, whose verification is the strict one; OpenSSL's
 * takes keys of small order.
 */
#include "crypto/signature.h"
#include "base/memory.h"
#include "base/raise.h"

#include <sodium.h>

_Static_assert(sizeof(struct fed__key) == crypto_sign_SEEDBYTES, "a key is libsodium's seed");
_Static_assert(sizeof(struct fed__public_key) == crypto_sign_PUBLICKEYBYTES, "the same bytes");
_Static_assert(sizeof(struct fed__signature) == crypto_sign_BYTES, "the same bytes");

struct fed__signature fed__signature_make(const struct fed__key *key, struct fed_slice message) {
  struct fed__signature signature;
  uint8_t public_bytes[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair(public_bytes, secret, key->seed);
  crypto_sign_detached(signature.bytes, NULL, message.data, message.size, secret);
  fed__wipe(secret, sizeof secret);
  return signature;
}

int fed__signature_verify(const struct fed__public_key *key, struct fed_slice message,
                          struct fed_slice signature) {
  if (signature.size != crypto_sign_BYTES)
    return FED_RAISE(FED_E_SIGNATURE, "a signature has %u bytes, found %zu", crypto_sign_BYTES,
                     signature.size);
  if (crypto_sign_verify_detached(signature.data, message.data, message.size, key->bytes) == 0)
    return FED_OK;
  return FED_RAISE(FED_E_SIGNATURE, "the signature is not that key's over these bytes");
}
