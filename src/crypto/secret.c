/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.c: start of libsodium, comparison in constant time, wiped buffers.
 */
#include "crypto/secret.h"
#include "base/memory.h"
#include "base/raise.h"

#include <sodium.h>

int fed__crypto_init(void) {
  if (sodium_init() >= 0) return FED_OK; /* takes its own lock; 1 when it was ready already */
  return FED_RAISE(FED_E_CRYPTO, "libsodium could not start: the system gives no randomness");
}

int fed__secret_equal(const void *a, const void *b, size_t size) {
  return sodium_memcmp(a, b, size) == 0;
}

void fed__secret_buffer_clear(struct fed_buffer *buffer) {
  if (buffer->data) fed__wipe(buffer->data, buffer->capacity);
  fed_buffer_clear(buffer);
}
