/* SPDX-License-Identifier: Apache-2.0
 *
 * vocabulary.h: texts as numbers of tokens, by a list of characters or words that the job declares.
 * The same text gives the same tokens at every site.
 */
#ifndef FED_DATA_VOCABULARY_H
#define FED_DATA_VOCABULARY_H

#include "data/dataset.h"

struct fed__token {
  const char *text; /* the schema's */
  size_t size;
  int64_t number;
};

struct fed__vocabulary {
  const struct fed_context *context;
  struct fed__token *tokens; /* sorted by text */
  size_t count;
  int by_words, lower_case;
};

/* The schema's texts must outlive the vocabulary. FED_E_MISSING without tokens, FED_E_INPUT with
 * both kinds, FED_E_DUPLICATE, FED_E_SYNTAX for what is not UTF-8. */
FED_MUST int fed__vocabulary_init(struct fed__vocabulary *vocabulary,
                                  const struct fed_context *context,
                                  const struct fed__text_schema *schema);
void fed__vocabulary_clear(struct fed__vocabulary *vocabulary);

/* Append the numbers of a text's tokens, int64_t each. The text is valid UTF-8; with lower_case it
 * is changed. */
FED_MUST int fed__vocabulary_encode(const struct fed__vocabulary *vocabulary, char *text,
                                    size_t size, struct fed_buffer *numbers);

#endif
