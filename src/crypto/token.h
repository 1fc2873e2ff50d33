/* SPDX-License-Identifier: Apache-2.0
 *
 * token.h: the enrolment token: one line of text that an operator hands to a site. It tells the
 * agent where the server is and which authority to trust, and carries a secret that is good for
 * one enrolment. Whoever holds it can enrol: treat it like a password.
 *
 * Text: "fedtoken1." and base64url of
 *   version 1 (1 byte), size and URL, size and authority's certificate (DER), secret (32 bytes),
 *   first 4 bytes of the SHA-256 of all that, which finds slips of copy and paste;
 * sizes are 2 bytes, big-endian. The same token always has the same text.
 *
 * The server keeps fed__token_secret_hash only, so that its database enrols nobody.
 */
#ifndef FED_CRYPTO_TOKEN_H
#define FED_CRYPTO_TOKEN_H

#include "crypto/hash.h"

#define FED__TOKEN_TEXT_MAX 4096
#define FED__TOKEN_URL_MAX 512
#define FED__TOKEN_CERTIFICATE_MAX 2048

struct fed__token {
  char url[FED__TOKEN_URL_MAX + 1];
  uint8_t ca_certificate[FED__TOKEN_CERTIFICATE_MAX]; /* DER */
  size_t ca_certificate_size;
  uint8_t secret[32];
};

/* A new token with a secret from the context's entropy. The certificate is PEM or DER.
 * FED_E_INPUT for a URL that is not https://host…, FED_E_CERTIFICATE, FED_E_TOO_LARGE. */
FED_MUST int fed__token_create(const struct fed_context *context, const char *url,
                               struct fed_slice ca_certificate, struct fed__token *token);

/* Wipe the token. */
void fed__token_clear(struct fed__token *token);

/* Append the text, without a newline. Free `text` with fed__secret_buffer_clear. */
FED_MUST int fed__token_encode(const struct fed__token *token, struct fed_buffer *text);

/* Read a token; white space around it does no harm. FED_E_TOKEN, with what to do about it, for
 * everything that fed__token_encode would not have written. `token` is unchanged on failure. */
FED_MUST int fed__token_decode(const struct fed_context *context, struct fed_slice text,
                               struct fed__token *token);

/* What the server stores and looks up: SHA-256 of "fed enrolment token secret v1", a zero byte,
 * and the secret; so it can never equal a hash made for another purpose. */
struct fed__digest fed__token_secret_hash(const uint8_t secret[32]);

#endif
