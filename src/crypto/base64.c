/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.c: base64 over libsodium.
 */
#include "crypto/base64.h"
#include "base/raise.h"

#include <sodium.h>

static int sodium_variant(enum fed__base64 variant) {
  return variant == FED__BASE64_URL ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
                                    : sodium_base64_VARIANT_ORIGINAL;
}

int fed__base64_encode(struct fed_slice bytes, enum fed__base64 variant, struct fed_buffer *out) {
  if (bytes.size > SIZE_MAX / 2)
    return FED_RAISE(FED_E_TOO_LARGE, "%zu bytes are too many for base64", bytes.size);
  const int kind = sodium_variant(variant);
  const size_t size = sodium_base64_encoded_len(bytes.size, kind) - 1;
  FED_TRY(fed_buffer_reserve(out, size)); /* a buffer keeps one byte more, here for the zero */
  sodium_bin2base64((char *)out->data + out->size, size + 1, bytes.data, bytes.size, kind);
  out->size += size;
  return FED_OK;
}

/* libsodium takes some bytes above 0x7f for letters. In constant time, as the rest. */
static int is_ascii(struct fed_slice text) {
  uint8_t all = 0;
  for (size_t i = 0; i < text.size; i++) all |= text.data[i];
  return all < 0x80;
}

int fed__base64_decode(struct fed_slice text, enum fed__base64 variant, struct fed_buffer *out) {
  const size_t size_max = text.size / 4 * 3 + text.size % 4;
  size_t size = 0;
  FED_TRY(fed_buffer_reserve(out, size_max));
  if (!is_ascii(text) ||
      sodium_base642bin(out->data + out->size, size_max, (const char *)text.data, text.size, NULL,
                        &size, NULL, sodium_variant(variant)) != 0)
    return FED_RAISE(FED_E_SYNTAX, "%zu characters are not well-formed %s", text.size,
                     variant == FED__BASE64_URL ? "base64url without padding" : "base64");
  out->size += size;
  return FED_OK;
}
