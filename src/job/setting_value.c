/* SPDX-License-Identifier: Apache-2.0
 *
 * setting_value.c: single values, from text and to text; one pair of functions a type.
 */
#include "base/memory.h"
#include "job/settings.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_LENGTH_MAX 64

struct unit {
  const char *name;
  double factor;
};

static const struct unit durations[] = {{"", 1},     {"s", 1},    {"ms", 0.001},
                                        {"min", 60}, {"h", 3600}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};

int fed__number_locale_begin(struct fed__number_locale *numbers) {
  numbers->point = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  if (!numbers->point) return FED_RAISE(FED_E_MEMORY, "out of memory: %s", "the C locale");
  numbers->before = uselocale(numbers->point);
  return FED_OK;
}

void fed__number_locale_end(struct fed__number_locale *numbers) {
  uselocale(numbers->before);
  freelocale(numbers->point);
}

int fed__setting_is_scalar(const struct fed__setting *setting) {
  return setting->type <= FED__SETTING_HOURS;
}

static void *field_of(const struct fed__setting *setting, void *base) {
  return (char *)base + setting->offset;
}

static const void *field_in(const struct fed__setting *setting, const void *base) {
  return (const char *)base + setting->offset;
}

static int check_range(const struct fed__setting *setting, double value) {
  if (value < setting->minimum || (setting->above && value == setting->minimum)) return FED_E_RANGE;
  if (setting->maximum == 0) return FED_OK;
  return value > setting->maximum || (setting->below && value == setting->maximum) ? FED_E_RANGE
                                                                                   : FED_OK;
}

/* A decimal number in front of `*rest`; not hexadecimal, "inf" or "nan", as strtod would take. */
static int scan_number(const char *text, double *value, const char **rest) {
  const char *cursor = text + (*text == '-' || *text == '+');
  if (!isdigit((unsigned char)*cursor) && *cursor != '.') return FED_E_TYPE;
  if (cursor[0] == '0' && tolower((unsigned char)cursor[1]) == 'x') return FED_E_TYPE;
  char *end;
  *value = strtod(text, &end);
  *rest = end;
  if (end == text) return FED_E_TYPE;
  return isfinite(*value) ? FED_OK : FED_E_RANGE;
}

static int parse_number(const struct fed__setting *setting, const char *text, void *field) {
  double value;
  const char *rest;
  FED_TRY(scan_number(text, &value, &rest));
  if (*rest) return FED_E_TYPE;
  FED_TRY(check_range(setting, value));
  memcpy(field, &value, sizeof value);
  return FED_OK;
}

static int parse_power(const struct fed__setting *setting, const char *text, void *field) {
  double value;
  const char *rest;
  FED_TRY(scan_number(text, &value, &rest));
  if (value == 2 && *rest == '^') {
    FED_TRY(scan_number(rest + 1, &value, &rest));
    if (value != floor(value)) return FED_E_TYPE;
    value = exp2(value);
  }
  if (*rest) return FED_E_TYPE;
  int exponent;
  if (!isfinite(value) || frexp(value, &exponent) != 0.5) return FED_E_RANGE;
  FED_TRY(check_range(setting, value));
  memcpy(field, &value, sizeof value);
  return FED_OK;
}

static int scan_with_unit(const char *text, const struct unit *units, double *value) {
  const char *rest;
  FED_TRY(scan_number(text, value, &rest));
  rest += strspn(rest, " ");
  while (units->name && strcmp(units->name, rest) != 0) units++;
  *value *= units->factor;
  return units->name ? FED_OK : FED_E_TYPE;
}

static int parse_duration(const struct fed__setting *setting, const char *text, void *field) {
  double value;
  FED_TRY(scan_with_unit(text, durations, &value));
  FED_TRY(check_range(setting, value));
  memcpy(field, &value, sizeof value);
  return FED_OK;
}

static int parse_size(const struct fed__setting *setting, const char *text, void *field) {
  double value;
  FED_TRY(scan_with_unit(text, sizes, &value));
  if (value < 0 || value > 9007199254740992.0 || value != floor(value)) return FED_E_RANGE;
  FED_TRY(check_range(setting, value));
  const uint64_t bytes = (uint64_t)value;
  memcpy(field, &bytes, sizeof bytes);
  return FED_OK;
}

static int scan_whole(const char *text, uint64_t *value) {
  const char *digits = text + (*text == '-');
  if (!*digits || digits[strspn(digits, "0123456789")]) return FED_E_TYPE;
  if (*text == '-') return FED_E_RANGE;
  errno = 0;
  *value = strtoull(text, NULL, 10);
  return errno ? FED_E_RANGE : FED_OK;
}

static int parse_count(const struct fed__setting *setting, const char *text, void *field) {
  uint64_t value;
  FED_TRY(scan_whole(text, &value));
  if (setting->type == FED__SETTING_COUNT && value > UINT32_MAX) return FED_E_RANGE;
  FED_TRY(check_range(setting, (double)value));
  const uint32_t narrow = (uint32_t)value;
  if (setting->type == FED__SETTING_COUNT) {
    memcpy(field, &narrow, sizeof narrow);
  } else {
    memcpy(field, &value, sizeof value);
  }
  return FED_OK;
}

static int parse_integer(const struct fed__setting *setting, const char *text, void *base) {
  const char *digits = text + (*text == '-');
  const int given = 1;
  if (!*digits || digits[strspn(digits, "0123456789")]) return FED_E_TYPE;
  errno = 0;
  const int64_t value = strtoll(text, NULL, 10);
  if (errno) return FED_E_RANGE;
  memcpy(field_of(setting, base), &value, sizeof value);
  memcpy((char *)base + setting->more_offset, &given, sizeof given);
  return FED_OK;
}

static int parse_flag(const char *text, void *field) {
  const int value = strcmp(text, "true") == 0;
  if (!value && strcmp(text, "false") != 0) return FED_E_TYPE;
  memcpy(field, &value, sizeof value);
  return FED_OK;
}

static int parse_word(const struct fed__setting *setting, const char *text, void *field) {
  for (unsigned i = 0; setting->words[i]; i++) {
    if (strcmp(setting->words[i], text) != 0) continue;
    memcpy(field, &i, sizeof i);
    return FED_OK;
  }
  return FED_E_UNSUPPORTED;
}

/* One or two digits and the character behind them; moves `text` past it. */
static int parse_hour(const char **text, char behind, uint32_t *hour) {
  int digits = 0;
  for (*hour = 0; isdigit((unsigned char)**text) && digits < 3; digits++)
    *hour = *hour * 10 + (uint32_t)(*(*text)++ - '0');
  return digits >= 1 && digits <= 2 && *(*text)++ == behind;
}

static int parse_hours(const char *text, void *field) {
  uint32_t hours[2] = {0, 0};
  if (strcmp(text, "always") != 0) {
    if (!parse_hour(&text, '-', &hours[0]) || !parse_hour(&text, '\0', &hours[1]))
      return FED_E_TYPE;
    if (hours[0] > 23 || hours[1] > 24 || hours[0] == hours[1]) return FED_E_RANGE;
  }
  memcpy(field, hours, sizeof hours);
  return FED_OK;
}

static int parse_character(const char *text, void *field) {
  if (!text[0] || text[1]) return FED_E_TYPE;
  memcpy(field, text, 1);
  return FED_OK;
}

static int is_name(const char *text) {
  const size_t length = strlen(text);
  for (const char *c = text; *c; c++)
    if (!(isalnum((unsigned char)*c) || strchr("-_.", *c))) return 0;
  return length >= 1 && length <= NAME_LENGTH_MAX;
}

static int parse_text(const struct fed_context *context, const struct fed__setting *setting,
                      const char *text, void *field) {
  if (setting->type == FED__SETTING_NAME && !is_name(text)) return FED_E_TYPE;
  FED_TRY(check_range(setting, (double)strlen(text)));
  char *copy = fed__copy_text(context, text);
  if (!copy) return FED_E_MEMORY;
  memcpy(field, &copy, sizeof copy);
  return FED_OK;
}

int fed__setting_parse(const struct fed_context *context, const struct fed__setting *setting,
                       const char *text, void *base) {
  void *field = field_of(setting, base);
  switch (setting->type) {
  case FED__SETTING_TEXT:
  case FED__SETTING_NAME:
    return parse_text(context, setting, text, field);
  case FED__SETTING_CHARACTER:
    return parse_character(text, field);
  case FED__SETTING_FLAG:
    return parse_flag(text, field);
  case FED__SETTING_WORD:
    return parse_word(setting, text, field);
  case FED__SETTING_COUNT:
  case FED__SETTING_COUNT64:
    return parse_count(setting, text, field);
  case FED__SETTING_INTEGER:
    return parse_integer(setting, text, base);
  case FED__SETTING_NUMBER:
    return parse_number(setting, text, field);
  case FED__SETTING_POWER:
    return parse_power(setting, text, field);
  case FED__SETTING_DURATION:
    return parse_duration(setting, text, field);
  case FED__SETTING_SIZE:
    return parse_size(setting, text, field);
  case FED__SETTING_HOURS:
    return parse_hours(text, field);
  default:
    return FED_RAISE(FED_E_INTERNAL, "setting '%s' is not a single value", setting->key);
  }
}

/* The shortest decimal that reads back as the same number. */
static int print_number(double value, struct fed_buffer *out) {
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  return fed_buffer_print(out, "%s", text);
}

static int print_double(const struct fed__setting *setting, const void *field,
                        struct fed_buffer *out) {
  double value;
  memcpy(&value, field, sizeof value);
  int exponent;
  if (setting->type == FED__SETTING_POWER && frexp(value, &exponent) == 0.5)
    return fed_buffer_print(out, "2^%d", exponent - 1);
  FED_TRY(print_number(value, out));
  return setting->type == FED__SETTING_DURATION ? fed_buffer_print(out, " s") : FED_OK;
}

static int print_size(uint64_t bytes, struct fed_buffer *out) {
  const struct unit *unit = &sizes[1];
  while (unit[1].name && bytes && bytes % (uint64_t)unit[1].factor == 0) unit++;
  return fed_buffer_print(out, "%llu %s", (unsigned long long)(bytes / (uint64_t)unit->factor),
                          unit->name);
}

static int print_hours(const void *field, struct fed_buffer *out) {
  uint32_t hours[2];
  memcpy(hours, field, sizeof hours);
  return hours[0] == hours[1] ? fed_buffer_print(out, "always")
                              : fed_buffer_print(out, "%u-%u", hours[0], hours[1]);
}

static int print_whole(const struct fed__setting *setting, const void *field,
                       struct fed_buffer *out) {
  uint32_t narrow;
  uint64_t wide;
  if (setting->type == FED__SETTING_COUNT) {
    memcpy(&narrow, field, sizeof narrow);
    wide = narrow;
  } else {
    memcpy(&wide, field, sizeof wide);
  }
  if (setting->type == FED__SETTING_SIZE) return print_size(wide, out);
  return fed_buffer_print(out, "%llu", (unsigned long long)wide);
}

static int print_integer(const struct fed__setting *setting, const void *base,
                         struct fed_buffer *out) {
  int64_t value;
  int given;
  memcpy(&value, field_in(setting, base), sizeof value);
  memcpy(&given, (const char *)base + setting->more_offset, sizeof given);
  return given ? fed_buffer_print(out, "%lld", (long long)value) : FED_OK;
}

static int print_text(const void *field, struct fed_buffer *out) {
  const char *text;
  memcpy(&text, field, sizeof text);
  if (!text) return FED_OK;
  return *text ? fed_buffer_print(out, "%s", text) : fed_buffer_print(out, "\"\"");
}

int fed__setting_print(const struct fed__setting *setting, const void *base,
                       struct fed_buffer *out) {
  const void *field = field_in(setting, base);
  int whole = 0;
  switch (setting->type) {
  case FED__SETTING_TEXT:
  case FED__SETTING_NAME:
    return print_text(field, out);
  case FED__SETTING_CHARACTER:
    return fed_buffer_append(out, field, 1);
  case FED__SETTING_COUNT:
  case FED__SETTING_COUNT64:
  case FED__SETTING_SIZE:
    return print_whole(setting, field, out);
  case FED__SETTING_INTEGER:
    return print_integer(setting, base, out);
  case FED__SETTING_NUMBER:
  case FED__SETTING_POWER:
  case FED__SETTING_DURATION:
    return print_double(setting, field, out);
  case FED__SETTING_HOURS:
    return print_hours(field, out);
  case FED__SETTING_FLAG:
    memcpy(&whole, field, sizeof whole);
    return fed_buffer_print(out, "%s", whole ? "true" : "false");
  case FED__SETTING_WORD:
    memcpy(&whole, field, sizeof whole);
    return fed_buffer_print(out, "%s", setting->words[whole]);
  default:
    return FED_RAISE(FED_E_INTERNAL, "setting '%s' is not a single value", setting->key);
  }
}

static int expect_range(const struct fed__setting *setting, const char *what,
                        struct fed_buffer *out) {
  FED_TRY(fed_buffer_print(out, "%s", what));
  if (setting->minimum == setting->maximum && setting->maximum != 0) {
    FED_TRY(fed_buffer_print(out, " "));
    return print_number(setting->minimum, out);
  }
  if (isfinite(setting->minimum)) {
    FED_TRY(fed_buffer_print(out, setting->above ? " above " : " from "));
    FED_TRY(print_number(setting->minimum, out));
  }
  if (setting->maximum == 0)
    return isfinite(setting->minimum) && !setting->above ? fed_buffer_print(out, " on") : FED_OK;
  FED_TRY(fed_buffer_print(out, setting->below   ? " and below "
                                : setting->above ? " up to "
                                                 : " to "));
  return print_number(setting->maximum, out);
}

static int expect_words(const struct fed__setting *setting, struct fed_buffer *out) {
  if (!setting->words[1]) return fed_buffer_print(out, "%s", setting->words[0]);
  FED_TRY(fed_buffer_print(out, "one of "));
  for (size_t i = 0; setting->words[i]; i++)
    FED_TRY(fed_buffer_print(out, "%s%s", i ? ", " : "", setting->words[i]));
  return FED_OK;
}

int fed__setting_expected(const struct fed__setting *setting, struct fed_buffer *out) {
  switch (setting->type) {
  case FED__SETTING_TEXT:
    return fed_buffer_print(out, setting->minimum ? "text, not empty" : "text");
  case FED__SETTING_NAME:
    return fed_buffer_print(out, "a name of 1 to 64 letters, digits, '-', '_' and '.'");
  case FED__SETTING_CHARACTER:
    return fed_buffer_print(out, "one character");
  case FED__SETTING_FLAG:
    return fed_buffer_print(out, "true or false");
  case FED__SETTING_WORD:
    return expect_words(setting, out);
  case FED__SETTING_COUNT:
  case FED__SETTING_COUNT64:
    return expect_range(setting, "a whole number", out);
  case FED__SETTING_INTEGER:
    return fed_buffer_print(out, "a whole number, which may be negative");
  case FED__SETTING_NUMBER:
    return expect_range(setting, "a number", out);
  case FED__SETTING_POWER:
    return fed_buffer_print(out, "a power of two such as 2^-13 or 0.125, from 2^%d to 2^%d",
                            ilogb(setting->minimum), ilogb(setting->maximum));
  case FED__SETTING_DURATION:
    return fed_buffer_print(out, "a duration such as 500 ms, 60 s or 5 min, %s0 to %.0f h",
                            setting->above ? "above " : "from ", setting->maximum / 3600);
  case FED__SETTING_SIZE:
    return fed_buffer_print(out, "a size such as 512 KiB, 64 MiB or 2 GiB");
  case FED__SETTING_HOURS:
    return fed_buffer_print(out, "'always' or two different hours such as 8-18 or 20-6");
  case FED__SETTING_SHAPE:
    return fed_buffer_print(out, "a list of at most %d whole numbers such as [1, 28, 28]",
                            (int)setting->maximum);
  case FED__SETTING_SPAN:
    return fed_buffer_print(out, "a list of two numbers, the smaller first");
  case FED__SETTING_TEXTS:
    return fed_buffer_print(out, "a list of texts%s", setting->minimum ? ", not empty" : "");
  case FED__SETTING_NUMBERS:
    return fed_buffer_print(out, "a list of numbers such as [0.5, 2]");
  case FED__SETTING_CATEGORIES:
    return fed_buffer_print(out, "a list of texts, or of lists of texts that count as one");
  case FED__SETTING_ITEMS:
    return fed_buffer_print(out, "a list of maps");
  case FED__SETTING_SECTION:
    return fed_buffer_print(out, "a map");
  case FED__SETTING_END:
    break;
  }
  return FED_OK;
}
