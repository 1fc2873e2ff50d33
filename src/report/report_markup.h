/* SPDX-License-Identifier: Apache-2.0
 *
 * report_markup.h: writing HTML that is also XML: text from outside is escaped here and nowhere
 * else, and numbers become text here. After the first failure nothing more is written.
 */
#ifndef FED_REPORT_MARKUP_H
#define FED_REPORT_MARKUP_H

#include "fed/buffer.h"

struct fed__markup {
  struct fed_buffer *out;
  int code; /* FED_OK, or the first failure */
};

/* Markup as it is; text arguments must come from this program. */
void fed__markup_print(struct fed__markup *markup, const char *format, ...) FED_PRINTF(2, 3);

/* Text from outside, at most 240 bytes of it, safe inside elements and quoted attributes.
 * Control characters, and those that turn the direction of writing, become U+FFFD. */
void fed__markup_text(struct fed__markup *markup, const char *text);

/* The same, at most `columns` characters: for where there is little room. */
void fed__markup_short(struct fed__markup *markup, const char *text, size_t columns);

/* Numbers as people read them, the unit after a space that does not break; a dash for NAN.
 * Each returns its argument `text`. */
struct fed__number_text {
  char text[32];
};
const char *fed__percent(double share, struct fed__number_text *text);    /* 87.9 % */
const char *fed__bytes(double bytes, struct fed__number_text *text);      /* 24.1 MB */
const char *fed__duration(double seconds, struct fed__number_text *text); /* 3 min 20 s */
const char *fed__count(double count, struct fed__number_text *text);      /* 12 345 */
const char *fed__decimal(double number, struct fed__number_text *text);   /* 0.412 */
const char *fed__tick(double number, struct fed__number_text *text);      /* 0.5 */

#endif
