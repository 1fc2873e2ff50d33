/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.h: base64 of RFC 4648, over libsodium (constant time, so fit for secrets).
 */
#ifndef FED_CRYPTO_BASE64_H
#define FED_CRYPTO_BASE64_H

#include "fed/buffer.h"

enum fed__base64 {
  FED__BASE64_STANDARD, /* section 4: + and /, padded with = */
  FED__BASE64_URL,      /* section 5: - and _, without padding */
};

/* Append the text to `out`. FED_E_TOO_LARGE, FED_E_MEMORY. */
FED_MUST int fed__base64_encode(struct fed_slice bytes, enum fed__base64 variant,
                                struct fed_buffer *out);

/* Append the bytes to `out`, which is unchanged on failure. Strict, so that only one text stands
 * for given bytes: FED_E_SYNTAX for white space, the other variant's characters, missing or extra
 * padding, and bits that are left over and not zero. FED_E_TOO_LARGE, FED_E_MEMORY. */
FED_MUST int fed__base64_decode(struct fed_slice text, enum fed__base64 variant,
                                struct fed_buffer *out);

#endif
