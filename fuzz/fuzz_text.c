/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_text.c: any bytes for the small readers of text. base64 and hexadecimal: only what encoding
 * writes decodes, and every encoding decodes to what it was. UTF-8: judged as jansson does. The
 * parts of a path, joined again, are the path. Words and names are accepted or refused.
 */
#include "fuzz_target.h"

#include "base/log.h"
#include "base/memory.h"
#include "crypto/base64.h"
#include "crypto/certificate.h"
#include "crypto/secret.h"
#include "data/dataset.h"
#include "server/server_state.h"
#include "wire/wire.h"

static void check_base64(const struct fed_context *context, struct fed_slice text,
                         enum fed__base64 variant) {
  struct fed_buffer bytes, again;
  fed_buffer_init(&bytes, context, SIZE_MAX);
  fed_buffer_init(&again, context, SIZE_MAX);
  if (fed__base64_decode(text, variant, &bytes) == FED_OK) {
    HOLDS(fed__base64_encode(fed_buffer_slice(&bytes), variant, &again) == FED_OK);
    HOLDS(fuzz_equal(text, fed_buffer_slice(&again)));
  } else {
    HOLDS(bytes.size == 0);
  }
  fed_buffer_clear(&bytes);
  fed_buffer_clear(&again);
  HOLDS(fed__base64_encode(text, variant, &again) == FED_OK);
  HOLDS(fed__base64_decode(fed_buffer_slice(&again), variant, &bytes) == FED_OK);
  HOLDS(fuzz_equal(text, fed_buffer_slice(&bytes)));
  fed_buffer_clear(&bytes);
  fed_buffer_clear(&again);
}

static void check_hex(struct fed_slice text) {
  struct fed__digest digest;
  char hex[FED__DIGEST_HEX_SIZE];
  if (fed__digest_decode(text, &digest) != FED_OK) return;
  fed__digest_encode(&digest, hex);
  HOLDS(fuzz_equal(text, fed_slice_of_text(hex)));
}

static void check_utf8(const char *text) {
  json_t *string = json_string(text);
  HOLDS(fed__wire_is_utf8(text) == (string != NULL));
  json_decref(string);
}

/* Part by part, until the path ends or a part is empty. */
static void check_path(const char *path) {
  char part[64];
  const char *at = path;
  for (int index = 0; *at == '/'; index++) {
    const size_t length = strcspn(at + 1, "/");
    const char *found = fed__path_part(path, index, part, sizeof part);
    HOLDS((found != NULL) == (length > 0 && length < sizeof part));
    HOLDS(!found || (strlen(part) == length && memcmp(part, at + 1, length) == 0));
    at += 1 + length;
    if (index > 16) return;
  }
}

static void check_words(const char *word) {
  enum fed__data_format format;
  enum fed_log_level level;
  enum fed_dtype dtype;
  enum fed__role role;
  if (fed__role_parse(word, &role) == FED_OK) HOLDS(strcmp(fed__role_name(role), word) == 0);
  if (fed_dtype_parse(fed_slice_of_text(word), &dtype) == FED_OK)
    HOLDS(strcmp(fed_dtype_name(dtype), word) == 0);
  HOLDS(fed__data_format_parse(word, &format) == FED_OK || fed_error_last()->message[0]);
  HOLDS(fed__log_level_parse(word, &level) == FED_OK || fed_error_last()->message[0]);
  if (fed__name_check(word) == FED_OK) {
    HOLDS(strlen(word) <= FED__NAME_MAX && fed__wire_is_utf8(word));
    HOLDS(!strpbrk(word, "/\\ %'\"") && word[0] != '.');
  }
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  HOLDS(fed__crypto_init() == FED_OK);
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 64 * size);
  const struct fed_slice bytes = fed_slice_of(data, size);
  check_base64(&memory.context, bytes, FED__BASE64_STANDARD);
  check_base64(&memory.context, bytes, FED__BASE64_URL);
  check_hex(bytes);
  char *text = fed__copy_slice_text(&memory.context, bytes);
  HOLDS(text);
  check_utf8(text);
  check_path(text);
  check_words(text);
  fed__free(&memory.context, text);
  HOLDS(!memory.exceeded);
  fuzz_memory_end(&memory);
  return 0;
}
