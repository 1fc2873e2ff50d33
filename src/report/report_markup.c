/* SPDX-License-Identifier: Apache-2.0
 *
 * report_markup.c: escaping and numbers.
 */
#include "report/report_markup.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 240
#define NBSP "\xc2\xa0"
#define DASH "\xe2\x80\x93"
#define UNREADABLE "\xef\xbf\xbd" /* U+FFFD */

void fed__markup_print(struct fed__markup *markup, const char *format, ...) {
  va_list arguments, again;
  if (markup->code != FED_OK) return;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int length = vsnprintf(NULL, 0, format, arguments);
  const size_t room = length < 0 ? 0 : (size_t)length + 1;
  markup->code = fed_buffer_reserve(markup->out, room);
  if (markup->code == FED_OK && room) {
    vsnprintf((char *)markup->out->data + markup->out->size, room, format, again);
    markup->out->size += room - 1;
  }
  va_end(again);
  va_end(arguments);
}

/* ---- escaping ------------------------------------------------------------------------------- */

/* Bytes of the character at `text`; broken UTF-8 counts as single bytes. */
static size_t character_size(const unsigned char *text) {
  const size_t size = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
  for (size_t i = 1; i < size; i++)
    if ((text[i] & 0xc0) != 0x80) return 1;
  return size;
}

/* U+202A to U+202E and U+2066 to U+2069 turn the direction; U+FFFE and U+FFFF are not XML. */
static int is_unwanted(const unsigned char *text, size_t size) {
  if (size == 1) return text[0] < 0x20 || text[0] >= 0x7f;
  if (size == 2) return text[0] < 0xc2 || (text[0] == 0xc2 && text[1] < 0xa0);
  if (size == 4) return text[0] > 0xf4;
  return (text[0] == 0xe2 && text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
         (text[0] == 0xe2 && text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9) ||
         (text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe) ||
         (text[0] == 0xed && text[1] >= 0xa0);
}

static const char *entity_of(unsigned char character) {
  switch (character) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  default:
    return NULL;
  }
}

static void put_text(struct fed__markup *markup, const char *text, size_t bytes_max,
                     size_t columns_max) {
  const unsigned char *at = (const unsigned char *)text;
  for (size_t bytes = 0, columns = 0; *at; columns++) {
    const size_t size = character_size(at);
    const char *entity = size == 1 ? entity_of(*at) : NULL;
    bytes += size;
    if (bytes > bytes_max || (columns + 1 == columns_max && at[size])) {
      fed__markup_print(markup, "\xe2\x80\xa6");
      return;
    }
    if (entity)
      fed__markup_print(markup, "%s", entity);
    else if (is_unwanted(at, size))
      fed__markup_print(markup, UNREADABLE);
    else
      fed__markup_print(markup, "%.*s", (int)size, (const char *)at);
    at += size;
  }
}

void fed__markup_text(struct fed__markup *markup, const char *text) {
  put_text(markup, text, TEXT_BYTES_MAX, SIZE_MAX);
}

void fed__markup_short(struct fed__markup *markup, const char *text, size_t columns) {
  put_text(markup, text, TEXT_BYTES_MAX, columns);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static const char *dash(struct fed__number_text *text) {
  snprintf(text->text, sizeof text->text, DASH);
  return text->text;
}

const char *fed__percent(double share, struct fed__number_text *text) {
  if (!isfinite(share)) return dash(text);
  snprintf(text->text, sizeof text->text, "%.1f" NBSP "%%", share * 100);
  return text->text;
}

const char *fed__bytes(double bytes, struct fed__number_text *text) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  if (!isfinite(bytes)) return dash(text);
  for (; bytes >= 999.5 && unit < 5; unit++) bytes /= 1000;
  snprintf(text->text, sizeof text->text,
           unit && bytes < 99.95 ? "%.1f" NBSP "%s" : "%.0f" NBSP "%s", bytes, units[unit]);
  return text->text;
}

const char *fed__duration(double seconds, struct fed__number_text *text) {
  if (!isfinite(seconds)) return dash(text);
  const double whole = floor(seconds + 0.5);
  if (seconds < 59.95)
    snprintf(text->text, sizeof text->text, seconds < 0.95 ? "%.2f" NBSP "s" : "%.1f" NBSP "s",
             seconds);
  else if (whole < 3600)
    snprintf(text->text, sizeof text->text, "%.0f" NBSP "min" NBSP "%02.0f" NBSP "s",
             floor(whole / 60), fmod(whole, 60));
  else
    snprintf(text->text, sizeof text->text, "%.0f" NBSP "h" NBSP "%02.0f" NBSP "min",
             floor(whole / 3600), floor(fmod(whole, 3600) / 60));
  return text->text;
}

/* Thousands apart, by a thin space. */
const char *fed__count(double count, struct fed__number_text *text) {
  char digits[32];
  size_t at = 0;
  if (!isfinite(count) || fabs(count) >= 1e16) return dash(text);
  const int length = snprintf(digits, sizeof digits, "%.0f", count);
  for (int i = 0; i < length && at + 4 < sizeof text->text; i++) {
    if (i && (length - i) % 3 == 0 && digits[i - 1] != '-' && length > 4)
      at += (size_t)snprintf(text->text + at, sizeof text->text - at, "\xe2\x80\xaf");
    text->text[at++] = digits[i];
  }
  text->text[at] = '\0';
  return text->text;
}

const char *fed__decimal(double number, struct fed__number_text *text) {
  if (!isfinite(number)) return dash(text);
  const double size = fabs(number);
  snprintf(text->text, sizeof text->text,
           size >= 1e6 || (size > 0 && size < 0.01) ? "%.2e"
           : size >= 100                            ? "%.0f"
           : size >= 10                             ? "%.1f"
                                                    : "%.3f",
           number);
  return text->text;
}

const char *fed__tick(double number, struct fed__number_text *text) {
  if (!isfinite(number)) return dash(text);
  snprintf(text->text, sizeof text->text, "%.4g", number);
  return text->text;
}
