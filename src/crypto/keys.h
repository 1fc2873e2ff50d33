/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.h: an Ed25519 private key (RFC 8032), as TLS, certificates and requests use it.
 *
 * The key is its 32-byte seed: a plain value without anything to free, that fed__key_clear wipes.
 * It is never logged and never part of a message. TLS 1.3 with Ed25519 certificates on both sides
 * works between GnuTLS 3.7 (our server) and OpenSSL 3.0 (curl).
 */
#ifndef FED_CRYPTO_KEYS_H
#define FED_CRYPTO_KEYS_H

#include "fed/buffer.h"

struct fed__key {
  uint8_t seed[32];
};

struct fed__public_key {
  uint8_t bytes[32];
};

/* A new key from the context's entropy. */
FED_MUST int fed__key_generate(const struct fed_context *context, struct fed__key *key);

/* Wipe the key. */
void fed__key_clear(struct fed__key *key);

FED_MUST int fed__key_public(const struct fed__key *key, struct fed__public_key *public_key);

#define FED__PUBLIC_KEY_HEX_SIZE 65 /* 64 hexadecimal digits and the zero */

/* 64 lower-case hexadecimal digits, as RFC 8032 writes public keys. */
void fed__public_key_encode(const struct fed__public_key *key, char hex[FED__PUBLIC_KEY_HEX_SIZE]);

/* Append PKCS#8 in PEM, not encrypted: for a private file. Free `pem` with
 * fed__secret_buffer_clear. */
FED_MUST int fed__key_encode(const struct fed__key *key, struct fed_buffer *pem);

/* Read PEM as fed__key_encode and `openssl genpkey -algorithm ed25519` write it. FED_E_SYNTAX when
 * it is not a private key or is encrypted, FED_E_UNSUPPORTED for another kind of key. The message
 * never holds any of the input. `key` is unchanged on failure. */
FED_MUST int fed__key_decode(struct fed_slice pem, struct fed__key *key);

#endif
