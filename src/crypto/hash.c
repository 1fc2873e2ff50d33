/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.c: SHA-256 over OpenSSL's SHA256_*. OpenSSL marks these as deprecated in favour of EVP;
 * they are used because EVP allocates (so that hashing could fail), cannot live on the stack and
 * takes four times as long for 64 bytes. The same code runs below both. libsodium's
 * crypto_hash_sha256 has the same interface, should they ever go away.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/secret.h"

#include <openssl/sha.h>
#include <sodium.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct fed__sha256), "a stream holds OpenSSL's state");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct fed__sha256), "and aligns it");

static SHA256_CTX *inner(struct fed__sha256 *stream) { return (SHA256_CTX *)stream->state; }

void fed__sha256_init(struct fed__sha256 *stream) { SHA256_Init(inner(stream)); }

void fed__sha256_update(struct fed__sha256 *stream, struct fed_slice bytes) {
  SHA256_Update(inner(stream), bytes.data, bytes.size);
}

struct fed__digest fed__sha256_finish(struct fed__sha256 *stream) {
  struct fed__digest digest;
  SHA256_Final(digest.bytes, inner(stream));
  fed__wipe(stream, sizeof *stream);
  return digest;
}

struct fed__digest fed__sha256_of(struct fed_slice bytes) {
  struct fed__sha256 stream;
  fed__sha256_init(&stream);
  fed__sha256_update(&stream, bytes);
  return fed__sha256_finish(&stream);
}

void fed__digest_encode(const struct fed__digest *digest, char hex[FED__DIGEST_HEX_SIZE]) {
  sodium_bin2hex(hex, FED__DIGEST_HEX_SIZE, digest->bytes, sizeof digest->bytes);
}

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fed__digest_decode(struct fed_slice hex, struct fed__digest *digest) {
  struct fed__digest read;
  if (hex.size != 2 * sizeof read.bytes)
    return FED_RAISE(FED_E_SYNTAX, "a SHA-256 is 64 hexadecimal digits, found %zu characters",
                     hex.size);
  for (size_t i = 0; i < hex.size; i += 2) {
    const int high = hex_digit(hex.data[i]), low = hex_digit(hex.data[i + 1]);
    if (high < 0 || low < 0)
      return FED_RAISE(FED_E_SYNTAX,
                       "a SHA-256 is written with 0-9 and a-f only: see character %zu",
                       high < 0 ? i + 1 : i + 2);
    read.bytes[i / 2] = (uint8_t)(high << 4 | low);
  }
  *digest = read;
  return FED_OK;
}

int fed__digest_equal(const struct fed__digest *a, const struct fed__digest *b) {
  return fed__secret_equal(a->bytes, b->bytes, sizeof a->bytes);
}
