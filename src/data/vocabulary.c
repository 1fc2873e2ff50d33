/* SPDX-License-Identifier: Apache-2.0
 *
 * vocabulary.c: cutting texts into characters or words, and finding their numbers by bisection.
 */
#include "data/vocabulary.h"
#include "base/memory.h"
#include "base/raise.h"

#include <stdlib.h>

/* The bytes of the UTF-8 character that begins with this one; 0 for none. */
static size_t character_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The size of the character at the start of a zero-terminated text; 0 if it is none. */
static size_t check_character(const char *text) {
  const size_t size = character_bytes((unsigned char)*text);
  for (size_t i = 1; i < size; i++)
    if (((unsigned char)text[i] & 0xc0) != 0x80) return 0;
  return size;
}

static size_t count_characters(const char *text) {
  size_t count = 0;
  for (; text && *text; text++) count += ((unsigned char)*text & 0xc0) != 0x80;
  return count;
}

size_t fed__text_token_count(const struct fed__text_schema *text) {
  return FED__TOKEN_FIRST +
         (text->characters ? count_characters(text->characters) : text->word_count);
}

static int compare_text(const char *a, size_t a_size, const char *b, size_t b_size) {
  const int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_tokens(const void *a, const void *b) {
  const struct fed__token *left = a, *right = b;
  return compare_text(left->text, left->size, right->text, right->size);
}

static int fill_characters(struct fed__vocabulary *vocabulary, const char *text) {
  for (size_t i = 0; *text; i++) {
    const size_t size = check_character(text);
    if (!size || i == vocabulary->count)
      return FED_RAISE(FED_E_SYNTAX, "the job's vocabulary of characters is not valid UTF-8");
    vocabulary->tokens[i] = (struct fed__token){text, size, (int64_t)i + FED__TOKEN_FIRST};
    text += size;
  }
  return FED_OK;
}

static void fill_words(struct fed__vocabulary *vocabulary, const char *const *words) {
  for (size_t i = 0; i < vocabulary->count; i++)
    vocabulary->tokens[i] =
        (struct fed__token){words[i], strlen(words[i]), (int64_t)i + FED__TOKEN_FIRST};
}

static int sort_tokens(struct fed__vocabulary *vocabulary) {
  struct fed__token *tokens = vocabulary->tokens;
  qsort(tokens, vocabulary->count, sizeof *tokens, compare_tokens);
  for (size_t i = 1; i < vocabulary->count; i++)
    if (compare_tokens(&tokens[i - 1], &tokens[i]) == 0)
      return FED_RAISE(FED_E_DUPLICATE, "the job's vocabulary has '%.*s' twice",
                       (int)tokens[i].size, tokens[i].text);
  return FED_OK;
}

int fed__vocabulary_init(struct fed__vocabulary *vocabulary, const struct fed_context *context,
                         const struct fed__text_schema *schema) {
  *vocabulary = (struct fed__vocabulary){.context = context,
                                         .count = fed__text_token_count(schema) - FED__TOKEN_FIRST,
                                         .by_words = schema->word_count > 0,
                                         .lower_case = schema->lower_case};
  if (schema->characters && schema->word_count)
    return FED_RAISE(FED_E_INPUT, "the job's vocabulary is of characters or of words, not both");
  if (vocabulary->count == 0)
    return FED_RAISE(FED_E_MISSING, "the job declares no vocabulary for its text");
  vocabulary->tokens = fed__zalloc(context, vocabulary->count, sizeof *vocabulary->tokens);
  if (!vocabulary->tokens) return FED_E_MEMORY;
  if (vocabulary->by_words) {
    fill_words(vocabulary, schema->words);
  } else {
    FED_TRY(fill_characters(vocabulary, schema->characters));
  }
  return sort_tokens(vocabulary);
}

void fed__vocabulary_clear(struct fed__vocabulary *vocabulary) {
  if (vocabulary->tokens) fed__free(vocabulary->context, vocabulary->tokens);
  vocabulary->tokens = NULL;
}

static int64_t find(const struct fed__vocabulary *vocabulary, const char *text, size_t size) {
  size_t low = 0, high = vocabulary->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const struct fed__token *token = &vocabulary->tokens[middle];
    const int order = compare_text(text, size, token->text, token->size);
    if (order == 0) return token->number;
    if (order < 0) high = middle;
    if (order > 0) low = middle + 1;
  }
  return FED__TOKEN_UNKNOWN;
}

static int is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int is_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' ||
         (unsigned char)c >= 0x80;
}

/* The size of the token at `text`; 0: it is a blank, which is none. */
static size_t token_size(const struct fed__vocabulary *vocabulary, const char *text, size_t left) {
  size_t size = 0;
  if (!vocabulary->by_words) {
    size = character_bytes((unsigned char)*text);
    return size && size <= left ? size : 1;
  }
  if (is_blank(*text)) return 0;
  while (size < left && is_of_word(text[size])) size++;
  return size ? size : 1;
}

int fed__vocabulary_encode(const struct fed__vocabulary *vocabulary, char *text, size_t size,
                           struct fed_buffer *numbers) {
  for (size_t i = 0; i < size && vocabulary->lower_case; i++)
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (char)(text[i] + 'a' - 'A');
  for (size_t at = 0; at < size;) {
    const size_t bytes = token_size(vocabulary, text + at, size - at);
    if (bytes) {
      const int64_t number = find(vocabulary, text + at, bytes);
      FED_TRY(fed_buffer_append(numbers, &number, sizeof number));
    }
    at += bytes ? bytes : 1;
  }
  return FED_OK;
}
