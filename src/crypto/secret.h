/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: what every holder of secrets needs besides fed__wipe of base/memory.h.
 */
#ifndef FED_CRYPTO_SECRET_H
#define FED_CRYPTO_SECRET_H

#include "fed/buffer.h"

/* Make the cryptographic libraries ready. Programs call it once at their start; calling it again,
 * from any thread, does nothing. FED_E_CRYPTO when the system gives libsodium no randomness. */
FED_MUST int fed__crypto_init(void);

/* 1 if equal; the time depends only on `size`. */
FED_MUST int fed__secret_equal(const void *a, const void *b, size_t size);

/* Wipe a buffer's bytes, then fed_buffer_clear. (A buffer that grew may have left copies behind:
 * the encoders of this folder reserve enough first.) */
void fed__secret_buffer_clear(struct fed_buffer *buffer);

#endif
