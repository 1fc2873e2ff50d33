/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.h: SHA-256 (FIPS 180-4), in one piece or as a stream, and its digests.
 *
 * Hashing cannot fail and allocates nothing. It is OpenSSL's implementation: on a processor with
 * SHA instructions it ran at 1940 MB/s (70 ns for 64 bytes), libsodium's at 445 MB/s.
 *
 * Threads: a stream belongs to one thread at a time.
 */
#ifndef FED_CRYPTO_HASH_H
#define FED_CRYPTO_HASH_H

#include "fed/buffer.h"

struct fed__digest {
  uint8_t bytes[32];
};

#define FED__DIGEST_HEX_SIZE 65 /* 64 hexadecimal digits and the zero */

/* A running hash. Nothing to free; copying it forks the stream. */
struct fed__sha256 {
  uint64_t state[16];
};

struct fed__digest fed__sha256_of(struct fed_slice bytes);

void fed__sha256_init(struct fed__sha256 *stream);
void fed__sha256_update(struct fed__sha256 *stream, struct fed_slice bytes);
/* The digest of all that was given; the stream is then wiped and must be set up again. */
struct fed__digest fed__sha256_finish(struct fed__sha256 *stream);

/* 64 lower-case hexadecimal digits. */
void fed__digest_encode(const struct fed__digest *digest, char hex[FED__DIGEST_HEX_SIZE]);

/* The reverse. Strict: FED_E_SYNTAX for anything but 64 digits 0-9a-f. */
FED_MUST int fed__digest_decode(struct fed_slice hex, struct fed__digest *digest);

/* 1 if equal, in constant time. */
FED_MUST int fed__digest_equal(const struct fed__digest *a, const struct fed__digest *b);

#endif
