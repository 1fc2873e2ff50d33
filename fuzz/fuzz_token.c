/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_token.c: any bytes as an enrolment token, and as the content of one (with the checksum that
 * belongs to it, which no mutation would find). A text that decodes is what encoding writes.
 */
#include "fuzz_target.h"

#include "crypto/base64.h"
#include "crypto/secret.h"
#include "crypto/token.h"

static struct fed_slice trim(struct fed_slice text) {
  while (text.size && strchr(" \t\r\n\v\f", text.data[0]) && text.data[0])
    text = fed_slice_of(text.data + 1, text.size - 1);
  while (text.size && strchr(" \t\r\n\v\f", text.data[text.size - 1]) && text.data[text.size - 1])
    text.size--;
  return text;
}

static void check_text(const struct fed_context *context, struct fed_slice text) {
  struct fed__token token;
  struct fed_buffer again;
  if (fed__token_decode(context, text, &token) != FED_OK) return;
  fed_buffer_init(&again, context, FED__TOKEN_TEXT_MAX);
  HOLDS(strlen(token.url) > 0 && token.ca_certificate_size <= sizeof token.ca_certificate);
  HOLDS(fed__token_encode(&token, &again) == FED_OK);
  HOLDS(fuzz_equal(trim(text), fed_buffer_slice(&again)));
  fed__secret_buffer_clear(&again);
  fed__token_clear(&token);
}

static void check_content(const struct fed_context *context, struct fed_slice content) {
  const struct fed__digest check = fed__sha256_of(content);
  struct fed_buffer binary, text;
  fed_buffer_init(&binary, context, SIZE_MAX);
  fed_buffer_init(&text, context, SIZE_MAX);
  HOLDS(fed_buffer_append(&binary, content.data, content.size) == FED_OK);
  HOLDS(fed_buffer_append(&binary, check.bytes, 4) == FED_OK);
  HOLDS(fed_buffer_print(&text, "fedtoken1.") == FED_OK);
  HOLDS(fed__base64_encode(fed_buffer_slice(&binary), FED__BASE64_URL, &text) == FED_OK);
  check_text(context, fed_buffer_slice(&text));
  fed_buffer_clear(&text);
  fed_buffer_clear(&binary);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  HOLDS(fed__crypto_init() == FED_OK);
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 64 * size);
  check_text(&memory.context, fed_slice_of(data, size));
  check_content(&memory.context, fed_slice_of(data, size));
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
