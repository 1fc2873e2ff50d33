/* SPDX-License-Identifier: Apache-2.0
 *
 * token.c: the enrolment token.
 */
#include "crypto/token.h"
#include "base/memory.h"
#include "base/raise.h"
#include "crypto/base64.h"
#include "crypto/certificate.h"
#include "crypto/secret.h"

#include <string.h>

#define BINARY_MAX (FED__TOKEN_TEXT_MAX / 4 * 3)
#define CHECK_SIZE 4

static const char prefix[] = "fedtoken1.";
static const char scheme[] = "https://";
static const char copy_again[] = "copy the whole token again, as one line";

static const char *find_url_fault(struct fed_slice url) {
  const size_t scheme_size = sizeof scheme - 1;
  if (url.size > FED__TOKEN_URL_MAX) return "is longer than 512 characters";
  if (url.size < scheme_size || memcmp(url.data, scheme, scheme_size) != 0)
    return "does not start with https://";
  if (url.size == scheme_size || strchr("/:?#@", url.data[scheme_size])) return "names no host";
  for (size_t i = 0; i < url.size; i++)
    if (url.data[i] <= ' ' || url.data[i] > '~') return "holds characters that no URL has";
  return NULL;
}

int fed__token_create(const struct fed_context *context, const char *url,
                      struct fed_slice ca_certificate, struct fed__token *token) {
  struct fed_buffer der;
  const char *fault = find_url_fault(fed_slice_of_text(url));
  if (fault)
    return FED_RAISE(FED_E_INPUT, "the server's URL '%.*s' %s", FED__TOKEN_URL_MAX, url, fault);
  *token = (struct fed__token){0};
  fed_buffer_init(&der, context, sizeof token->ca_certificate);
  int code = fed__certificate_encode_der(ca_certificate, &der);
  if (code == FED_OK)
    code = context->entropy->fill(context->entropy, token->secret, sizeof token->secret);
  if (code == FED_OK) {
    memcpy(token->url, url, strlen(url) + 1);
    memcpy(token->ca_certificate, der.data, der.size);
    token->ca_certificate_size = der.size;
  }
  fed_buffer_clear(&der);
  return code;
}

void fed__token_clear(struct fed__token *token) { fed__wipe(token, sizeof *token); }

struct fed__digest fed__token_secret_hash(const uint8_t secret[32]) {
  static const char purpose[] = "fed enrolment token secret v1"; /* hashed with its zero byte */
  struct fed__sha256 stream;
  fed__sha256_init(&stream);
  fed__sha256_update(&stream, fed_slice_of(purpose, sizeof purpose));
  fed__sha256_update(&stream, fed_slice_of(secret, 32));
  return fed__sha256_finish(&stream);
}

/* --- encode --- */

static int append_sized(struct fed_buffer *out, struct fed_slice part) {
  const uint8_t size[2] = {(uint8_t)(part.size >> 8), (uint8_t)part.size};
  FED_TRY(fed_buffer_append(out, size, sizeof size));
  return fed_buffer_append(out, part.data, part.size);
}

static int encode_binary(const struct fed__token *token, struct fed_buffer *out) {
  const uint8_t version = 1;
  FED_TRY(fed_buffer_reserve(out, BINARY_MAX)); /* so that growing leaves no copy of the secret */
  FED_TRY(fed_buffer_append(out, &version, 1));
  FED_TRY(append_sized(out, fed_slice_of_text(token->url)));
  FED_TRY(append_sized(out, fed_slice_of(token->ca_certificate, token->ca_certificate_size)));
  FED_TRY(fed_buffer_append(out, token->secret, sizeof token->secret));
  const struct fed__digest check = fed__sha256_of(fed_buffer_slice(out));
  return fed_buffer_append(out, check.bytes, CHECK_SIZE);
}

int fed__token_encode(const struct fed__token *token, struct fed_buffer *text) {
  struct fed_buffer binary;
  int code;
  fed_buffer_init(&binary, text->context, BINARY_MAX);
  FED_TRY_GOTO(code, done, encode_binary(token, &binary));
  FED_TRY_GOTO(code, done, fed_buffer_reserve(text, sizeof prefix + binary.size / 3 * 4 + 3));
  FED_TRY_GOTO(code, done, fed_buffer_append(text, prefix, sizeof prefix - 1));
  code = fed__base64_encode(fed_buffer_slice(&binary), FED__BASE64_URL, text);
done:
  fed__secret_buffer_clear(&binary);
  return code;
}

/* --- decode --- */

static int is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static struct fed_slice trim(struct fed_slice text) {
  while (text.size && is_space(text.data[0])) text.data++, text.size--;
  while (text.size && is_space(text.data[text.size - 1])) text.size--;
  return text;
}

static int check_text(struct fed_slice text) {
  const size_t prefix_size = sizeof prefix - 1;
  if (text.size == 0) return FED_RAISE(FED_E_TOKEN, "the enrolment token is empty");
  if (text.size < prefix_size || memcmp(text.data, prefix, prefix_size) != 0)
    return FED_RAISE(FED_E_TOKEN,
                     "an enrolment token starts with '%s'; this text does not: %s, or update this "
                     "program if the token is of a newer kind",
                     prefix, copy_again);
  if (text.size > FED__TOKEN_TEXT_MAX)
    return FED_RAISE(FED_E_TOKEN, "an enrolment token has at most %d characters, found %zu; %s",
                     FED__TOKEN_TEXT_MAX, text.size, copy_again);
  for (size_t i = 0; i < text.size; i++)
    if (is_space(text.data[i]))
      return FED_RAISE(FED_E_TOKEN,
                       "the enrolment token is broken by white space after character "
                       "%zu; %s",
                       i, copy_again);
  return FED_OK;
}

/* Take `size` bytes from the front of `rest`. */
static int take(struct fed_slice *rest, size_t size, struct fed_slice *part) {
  if (rest->size < size)
    return FED_RAISE(FED_E_TOKEN, "the enrolment token is cut short; %s", copy_again);
  *part = fed_slice_of(rest->data, size);
  rest->data += size;
  rest->size -= size;
  return FED_OK;
}

static int take_sized(struct fed_slice *rest, size_t size_max, struct fed_slice *part) {
  struct fed_slice size = {0};
  FED_TRY(take(rest, 2, &size));
  const size_t count = (size_t)size.data[0] << 8 | size.data[1];
  if (count > size_max)
    return FED_RAISE(FED_E_TOKEN,
                     "a part of the enrolment token has %zu bytes, at most %zu are "
                     "allowed; %s",
                     count, size_max, copy_again);
  return take(rest, count, part);
}

static int check_sum(struct fed_slice body, struct fed_slice check) {
  const struct fed__digest expected = fed__sha256_of(body);
  if (fed__secret_equal(expected.bytes, check.data, CHECK_SIZE)) return FED_OK;
  return FED_RAISE(FED_E_TOKEN, "a character of the enrolment token is wrong; %s", copy_again);
}

static int check_certificate(const struct fed_context *context, struct fed_slice certificate) {
  struct fed_buffer der;
  fed_buffer_init(&der, context, FED__TOKEN_CERTIFICATE_MAX);
  const int code = fed__certificate_encode_der(certificate, &der);
  const int same = code == FED_OK && der.size == certificate.size &&
                   memcmp(der.data, certificate.data, der.size) == 0;
  fed_buffer_clear(&der);
  if (same || code == FED_E_MEMORY) return code;
  return FED_RAISE(FED_E_TOKEN, "the enrolment token holds no authority's certificate (DER); ask "
                                "the operator for a new one");
}

static int decode_binary(const struct fed_context *context, struct fed_slice binary,
                         struct fed__token *token) {
  struct fed_slice rest = binary, version = {0}, url = {0}, certificate = {0}, secret = {0},
                   check = {0};
  FED_TRY(take(&rest, 1, &version));
  if (version.data[0] != 1)
    return FED_RAISE(FED_E_TOKEN,
                     "the enrolment token has version %d, this program reads version "
                     "1; update this program",
                     version.data[0]);
  FED_TRY(take_sized(&rest, FED__TOKEN_URL_MAX, &url));
  FED_TRY(take_sized(&rest, FED__TOKEN_CERTIFICATE_MAX, &certificate));
  FED_TRY(take(&rest, sizeof token->secret, &secret));
  FED_TRY(take(&rest, CHECK_SIZE, &check));
  if (rest.size)
    return FED_RAISE(FED_E_TOKEN, "the enrolment token has %zu bytes too many; %s", rest.size,
                     copy_again);
  FED_TRY(check_sum(fed_slice_of(binary.data, binary.size - CHECK_SIZE), check));
  const char *fault = find_url_fault(url);
  if (fault)
    return FED_RAISE(FED_E_TOKEN,
                     "the server's URL in the enrolment token %s; ask the operator "
                     "for a new one",
                     fault);
  FED_TRY(check_certificate(context, certificate));
  *token = (struct fed__token){.ca_certificate_size = certificate.size};
  memcpy(token->url, url.data, url.size);
  memcpy(token->ca_certificate, certificate.data, certificate.size);
  memcpy(token->secret, secret.data, secret.size);
  return FED_OK;
}

int fed__token_decode(const struct fed_context *context, struct fed_slice text,
                      struct fed__token *token) {
  struct fed_buffer binary;
  struct fed_slice rest = trim(text);
  FED_TRY(check_text(rest));
  rest.data += sizeof prefix - 1;
  rest.size -= sizeof prefix - 1;
  fed_buffer_init(&binary, context, BINARY_MAX);
  int code = fed__base64_decode(rest, FED__BASE64_URL, &binary);
  if (code == FED_E_SYNTAX)
    code = FED_RAISE(FED_E_TOKEN,
                     "the enrolment token is cut short or holds characters that none has "
                     "(A-Z a-z 0-9 - _); %s",
                     copy_again);
  if (code == FED_OK) code = decode_binary(context, fed_buffer_slice(&binary), token);
  fed__secret_buffer_clear(&binary);
  return code;
}
