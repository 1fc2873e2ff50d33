/* SPDX-License-Identifier: Apache-2.0
 *
 * equation.c: reading Einsum's equation, character by character.
 */
#include "train/operators/product/equation.h"
#include "base/raise.h"

/* A term as it is written: letters, and the place of its ellipsis. */
struct written {
  uint32_t letter_count, ellipsis_at;
  int has_ellipsis;
  uint8_t letters[FED_RANK_MAX];
};

static int is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int add_letter(struct written *term, uint8_t letter) {
  if (term->letter_count == FED_RANK_MAX)
    return FED_RAISE(FED_E_UNSUPPORTED, "a term has more than %d letters", FED_RANK_MAX);
  if (memchr(term->letters, letter, term->letter_count))
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "letter '%c' is twice in one term: diagonals are not supported", letter);
  term->letters[term->letter_count++] = letter;
  return FED_OK;
}

static int starts_with(struct fed_slice text, const char *what) {
  const size_t length = strlen(what);
  return text.size >= length && memcmp(text.data, what, length) == 0;
}

static void skip(struct fed_slice *text, size_t count) {
  *text = fed_slice_of(text->data + count, text->size - count);
}

/* Up to a comma, an arrow or the end. */
static int read_term(struct fed_slice *text, struct written *term) {
  *term = (struct written){0};
  while (text->size && text->data[0] != ',' && !starts_with(*text, "->")) {
    const uint8_t c = text->data[0];
    if (starts_with(*text, "...") && !term->has_ellipsis) {
      term->has_ellipsis = 1;
      term->ellipsis_at = term->letter_count;
      skip(text, 3);
      continue;
    }
    if (c != ' ' && !is_letter(c))
      return FED_RAISE(FED_E_SYNTAX, "character '%c' in the equation; expected a letter",
                       c >= ' ' && c < 127 ? c : '?');
    if (c != ' ') FED_TRY(add_letter(term, c));
    skip(text, 1);
  }
  return FED_OK;
}

/* Labels of a term with `dots` dimensions behind its ellipsis. */
static int set_labels(const struct written *written, uint32_t dots, struct fed__term *term) {
  term->rank = 0;
  if (written->letter_count + dots > FED_RANK_MAX)
    return FED_RAISE(FED_E_UNSUPPORTED, "a term has more than %d dimensions", FED_RANK_MAX);
  for (uint32_t i = 0; i <= written->letter_count; i++) {
    if (written->has_ellipsis && i == written->ellipsis_at)
      for (uint32_t j = dots; j > 0; j--) term->labels[term->rank++] = (uint8_t)j;
    if (i < written->letter_count) term->labels[term->rank++] = written->letters[i];
  }
  return FED_OK;
}

static int match_extents(const struct fed_shape *shape, const struct fed__term *term,
                         int64_t *extents) {
  for (uint32_t i = 0; i < term->rank; i++) {
    int64_t *extent = &extents[term->labels[i]];
    const int64_t found = shape->dims[i];
    if (found < 1) return FED_RAISE(FED_E_SHAPE, "an operand is empty");
    if (*extent > 1 && found > 1 && found != *extent)
      return FED_RAISE(FED_E_SHAPE, "a dimension of %lld meets one of %lld under the same label",
                       (long long)*extent, (long long)found);
    if (found > *extent) *extent = found;
  }
  return FED_OK;
}

static int match_operand(const struct written *written, uint32_t number,
                         const struct fed_shape *shape, struct fed__equation *equation) {
  struct fed__term *term = &equation->operands[number];
  char text[128];
  if (written->letter_count > shape->rank ||
      (!written->has_ellipsis && written->letter_count != shape->rank))
    return FED_RAISE(FED_E_SHAPE, "term %u has %u letters, but its operand has shape %s", number,
                     written->letter_count, fed_shape_format(shape, text, sizeof text));
  FED_TRY(set_labels(written, shape->rank - written->letter_count, term));
  return match_extents(shape, term, equation->extents);
}

static uint32_t count_label(const struct fed__equation *equation, uint8_t label) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < equation->operand_count; i++)
    count += memchr(equation->operands[i].labels, label, equation->operands[i].rank) != NULL;
  return count;
}

/* Without an arrow: the ellipsis, then the letters that occur once, sorted. */
static int imply_result(const struct fed__equation *equation, struct written *result) {
  *result = (struct written){.has_ellipsis = 1};
  for (uint32_t i = 'A'; i <= 'z'; i++) {
    const uint8_t c = (uint8_t)i;
    if (is_letter(c) && count_label(equation, c) == 1) FED_TRY(add_letter(result, c));
  }
  return FED_OK;
}

static int check_result(const struct fed__equation *equation) {
  for (uint32_t i = 0; i < equation->result.rank; i++)
    if (!equation->extents[equation->result.labels[i]])
      return FED_RAISE(FED_E_SYNTAX, "the result's letter '%c' is in no operand",
                       equation->result.labels[i]);
  return FED_OK;
}

int fed__equation_read(struct fed_slice text, const struct fed_shape *const *shapes, uint32_t count,
                       struct fed__equation *equation) {
  struct written term;
  uint32_t dots = 0;
  *equation = (struct fed__equation){.operand_count = count};
  if (count > FED__TERMS_MAX)
    return FED_RAISE(FED_E_UNSUPPORTED, "%u operands; supported are one and two", count);
  for (uint32_t i = 0; i < count; i++) {
    FED_TRY(read_term(&text, &term));
    FED_TRY(match_operand(&term, i, shapes[i], equation));
    const int more = text.size && text.data[0] == ',';
    if (more != (i + 1 < count))
      return FED_RAISE(FED_E_SYNTAX, "the equation does not have %u terms, one for each operand",
                       count);
    if (more) skip(&text, 1);
  }
  while (dots < FED_RANK_MAX && equation->extents[dots + 1]) dots++;
  if (text.size) {
    skip(&text, 2);
    FED_TRY(read_term(&text, &term));
    if (text.size) return FED_RAISE(FED_E_SYNTAX, "the equation goes on behind its result");
  } else {
    FED_TRY(imply_result(equation, &term));
  }
  FED_TRY(set_labels(&term, term.has_ellipsis ? dots : 0, &equation->result));
  return check_result(equation);
}
