/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.h: settings of a struct as a const table: key, type, place in the struct, default,
 * range, unit, meaning. One table reads the YAML file, fills in defaults, prints a job with
 * `--explain`, and makes the tables of the manual, so the four cannot differ.
 *
 * A table ends with a zeroed entry. Sections and lists of maps have tables of their own: a
 * section's offsets are of the same struct, those of a list of maps are of its items.
 */
#ifndef FED_JOB_SETTINGS_H
#define FED_JOB_SETTINGS_H

#include "job/yaml.h"

#include <jansson.h>
#include <locale.h>

enum fed__setting_type {
  FED__SETTING_END,
  /* one value                    the field, and how it is written */
  FED__SETTING_TEXT,      /* char *; NULL where there is no default */
  FED__SETTING_NAME,      /* char *; letters, digits, '-', '_', '.', at most 64 */
  FED__SETTING_CHARACTER, /* char */
  FED__SETTING_FLAG,      /* int; true or false */
  FED__SETTING_WORD,      /* an enum; one of `words` */
  FED__SETTING_COUNT,     /* uint32_t */
  FED__SETTING_COUNT64,   /* uint64_t */
  FED__SETTING_INTEGER,   /* int64_t, may be negative, and an int at more_offset: is it given? */
  FED__SETTING_NUMBER,    /* double */
  FED__SETTING_POWER,     /* double; a power of two: 0.125 or 2^-3 */
  FED__SETTING_DURATION,  /* double, in seconds; 60, 60 s, 5 min, 500 ms, 2 h */
  FED__SETTING_SIZE,      /* uint64_t, in bytes; 1024, 64 KiB, 64 MiB, 2 GiB */
  FED__SETTING_HOURS,     /* two uint32_t in a row; always, 8-18, 20-6 */
  /* several values */
  FED__SETTING_SHAPE,      /* struct fed_shape; [1, 28, 28] */
  FED__SETTING_SPAN,       /* two doubles in a row, and an int at more_offset: is it given? */
  FED__SETTING_TEXTS,      /* char **, NULL-terminated; a size_t at more_offset counts them */
  FED__SETTING_NUMBERS,    /* double *; a size_t at more_offset counts them */
  FED__SETTING_CATEGORIES, /* struct fed__category *, counted at more_offset */
  /* more settings */
  FED__SETTING_SECTION, /* a map of `inner` */
  FED__SETTING_ITEMS,   /* a pointer to items of item_size, counted at more_offset; a list of maps
                           of `inner`, or one such map */
};

struct fed__setting {
  const char *key;
  enum fed__setting_type type;
  int required; /* a section's are required only where the section is there or required itself */
  size_t offset, more_offset, item_size;
  const char *initial;      /* the default, as it would stand in the file; NULL: none */
  double minimum, maximum;  /* of a number, or of how many; maximum 0: none */
  int above, below;         /* not the minimum (maximum) itself */
  const char *const *words; /* of FED__SETTING_WORD: words[i] stands for i; NULL-terminated */
  const struct fed__setting *inner;
  const char *unit, *meaning;
};

extern const struct fed__setting fed__job_settings[], fed__policy_settings[];

/* Fill the zeroed struct at `base` from a tree. On failure `base` is cleared again. */
FED_MUST int fed__settings_read(const struct fed_context *context,
                                const struct fed__setting *settings, const struct fed__yaml *yaml,
                                void *base);
/* Free everything that the settings own, and zero their fields. */
void fed__settings_clear(const struct fed_context *context, const struct fed__setting *settings,
                         void *base);

/* How settings are shown: a table for people, a JSON array, or a table of the manual. */
enum fed__settings_form { FED__SETTINGS_TEXT, FED__SETTINGS_JSON, FED__SETTINGS_MARKDOWN };

/* Append them to `out`; `base` NULL: the defaults. */
FED_MUST int fed__settings_explain(const struct fed_context *context,
                                   const struct fed__setting *settings, const void *base,
                                   enum fed__settings_form form, struct fed_buffer *out);

/* One value: from text into its field, and back. FED_E_TYPE, FED_E_RANGE, FED_E_UNSUPPORTED (not
 * one of the words), without a message; FED_E_MEMORY. */
FED_MUST int fed__setting_parse(const struct fed_context *context,
                                const struct fed__setting *setting, const char *text, void *base);
FED_MUST int fed__setting_print(const struct fed__setting *setting, const void *base,
                                struct fed_buffer *out);

/* "a whole number from 1 to 100": what a value must be, for messages and the manual. */
FED_MUST int fed__setting_expected(const struct fed__setting *setting, struct fed_buffer *out);

/* In between, this thread reads and writes numbers with a point, whatever the process's locale
 * says: the host program may have chosen one with a comma. */
struct fed__number_locale {
  locale_t point, before;
};
FED_MUST int fed__number_locale_begin(struct fed__number_locale *numbers);
void fed__number_locale_end(struct fed__number_locale *numbers);

/* Does the type hold one value, written as one scalar? */
int fed__setting_is_scalar(const struct fed__setting *setting);

#endif
