/* SPDX-License-Identifier: Apache-2.0
 *
 * setting_read.c: walks a YAML tree and a table of settings side by side and fills the struct.
 * Every refusal names the place, what was expected and what was found.
 */
#include "base/memory.h"
#include "base/nearest.h"
#include "data/dataset.h"
#include "job/settings.h"

#include <math.h>
#include <stdio.h>

#define KEYS_MAX 48
#define KEY_PATH_MAX 128

struct reader {
  const struct fed_context *context;
  const struct fed__yaml *yaml;
};

static int read_section(const struct reader *reader, const struct fed__setting *settings,
                        const struct fed__yaml_node *node, const char *path, void *base);

static void join_path(char path[KEY_PATH_MAX], const char *outer, const char *key) {
  snprintf(path, KEY_PATH_MAX, "%s%s%s", outer, *outer ? "." : "", key);
}

static void index_path(char path[KEY_PATH_MAX], const char *list, size_t number) {
  snprintf(path, KEY_PATH_MAX, "%.100s[%zu]", list, number);
}

static int list_names(const char *const *names, size_t count, struct fed_buffer *out) {
  for (size_t i = 0; i < count; i++)
    FED_TRY(fed_buffer_print(out, "%s%s", i ? ", " : "", names[i]));
  return FED_OK;
}

static int raise_unknown(const struct reader *reader, const struct fed__setting *settings,
                         const struct fed__yaml_node *node, const char *path) {
  const char *names[KEYS_MAX], *key = fed__yaml_key(reader->yaml, node);
  size_t count = 0;
  for (; settings[count].key && count < KEYS_MAX; count++) names[count] = settings[count].key;
  const char *nearest = fed__nearest_name(key, names, count);
  const char *quote = *path ? "'" : "", *where = *path ? path : "the file";
  char quoted[FED__YAML_QUOTE_SIZE];
  fed__yaml_quote(key, quoted);
  if (nearest)
    return FED__YAML_RAISE_KEY(reader->yaml, node, FED_E_INPUT,
                               "unknown key %s in %s%s%s; did you mean '%s'?", quoted, quote, where,
                               quote, nearest);
  struct fed_buffer all;
  fed_buffer_init(&all, reader->context, 4096);
  const char *text = list_names(names, count, &all) == FED_OK ? fed_buffer_text(&all) : NULL;
  const int code = text ? FED__YAML_RAISE_KEY(reader->yaml, node, FED_E_INPUT,
                                              "unknown key %s in %s%s%s; the keys here are %s",
                                              quoted, quote, where, quote, text)
                        : FED_E_MEMORY;
  fed_buffer_clear(&all);
  return code;
}

static int check_keys(const struct reader *reader, const struct fed__setting *settings,
                      const struct fed__yaml_node *map, const char *path) {
  const struct fed__yaml_node *node = fed__yaml_first(reader->yaml, map);
  for (; node; node = fed__yaml_next(reader->yaml, node)) {
    const char *key = fed__yaml_key(reader->yaml, node);
    const struct fed__setting *setting = settings;
    while (setting->key && strcmp(setting->key, key) != 0) setting++;
    if (!setting->key) return raise_unknown(reader, settings, node, path);
    const struct fed__yaml_node *first = fed__yaml_get(reader->yaml, map, key);
    if (first != node)
      return FED__YAML_RAISE_KEY(reader->yaml, node, FED_E_DUPLICATE,
                                 "'%s' is given twice; the first time in line %u", key,
                                 first->key_line);
  }
  return FED_OK;
}

static int raise_with(const struct reader *reader, const struct fed__setting *setting,
                      const struct fed__yaml_node *node, const char *path, int code,
                      const char *expected) {
  char quoted[FED__YAML_QUOTE_SIZE];
  const char *found = fed__yaml_describe(reader->yaml, node, quoted);
  const char *which = node->quoted ? "the quoted text " : "";
  const char *nearest = NULL;
  if (setting->type == FED__SETTING_WORD && node->kind == FED__YAML_SCALAR) {
    size_t count = 0;
    while (setting->words[count]) count++;
    nearest = fed__nearest_name(fed__yaml_text(reader->yaml, node), setting->words, count);
  }
  return FED__YAML_RAISE(reader->yaml, node, code, "'%s' must be %s, found %s%s%s%s%s", path,
                         expected, which, found, nearest ? "; did you mean '" : "",
                         nearest ? nearest : "", nearest ? "'?" : "");
}

static int raise_value(const struct reader *reader, const struct fed__setting *setting,
                       const struct fed__yaml_node *node, const char *path, int code) {
  struct fed_buffer expected;
  fed_buffer_init(&expected, reader->context, 4096);
  const char *text =
      fed__setting_expected(setting, &expected) == FED_OK ? fed_buffer_text(&expected) : NULL;
  code = text ? raise_with(reader, setting, node, path, code, text) : FED_E_MEMORY;
  fed_buffer_clear(&expected);
  return code;
}

static int is_text(const struct fed__setting *setting) {
  return setting->type == FED__SETTING_TEXT || setting->type == FED__SETTING_NAME ||
         setting->type == FED__SETTING_CHARACTER || setting->type == FED__SETTING_WORD ||
         setting->type == FED__SETTING_HOURS;
}

static int read_scalar(const struct reader *reader, const struct fed__setting *setting,
                       const struct fed__yaml_node *node, const char *path, void *base) {
  if (node->kind != FED__YAML_SCALAR || fed__yaml_is_nothing(reader->yaml, node) ||
      (node->quoted && !is_text(setting)))
    return raise_value(reader, setting, node, path, FED_E_TYPE);
  const char *text = fed__yaml_text(reader->yaml, node);
  const int code = fed__setting_parse(reader->context, setting, text, base);
  return code == FED_E_TYPE || code == FED_E_RANGE || code == FED_E_UNSUPPORTED
             ? raise_value(reader, setting, node, path, code)
             : code;
}

static int read_shape(const struct reader *reader, const struct fed__setting *setting,
                      const struct fed__yaml_node *node, const char *path, void *base) {
  struct fed_shape *shape = (struct fed_shape *)(void *)((char *)base + setting->offset);
  const struct fed__setting extent = {
      .key = setting->key, .type = FED__SETTING_COUNT64, .minimum = 1, .maximum = UINT32_MAX};
  if (node->kind != FED__YAML_LIST || node->count > setting->maximum)
    return raise_value(reader, setting, node, path, FED_E_TYPE);
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  for (; item; item = fed__yaml_next(reader->yaml, item)) {
    char item_path[KEY_PATH_MAX];
    index_path(item_path, path, shape->rank);
    FED_TRY(read_scalar(reader, &extent, item, item_path, &shape->dims[shape->rank++]));
  }
  return FED_OK;
}

static int read_span(const struct reader *reader, const struct fed__setting *setting,
                     const struct fed__yaml_node *node, const char *path, void *base) {
  double *ends = (double *)(void *)((char *)base + setting->offset);
  const struct fed__setting end = {
      .key = setting->key, .type = FED__SETTING_NUMBER, .minimum = -INFINITY};
  if (node->kind != FED__YAML_LIST || node->count != 2)
    return raise_value(reader, setting, node, path, FED_E_TYPE);
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  FED_TRY(read_scalar(reader, &end, item, path, &ends[0]));
  FED_TRY(read_scalar(reader, &end, fed__yaml_next(reader->yaml, item), path, &ends[1]));
  if (ends[0] > ends[1]) return raise_value(reader, setting, node, path, FED_E_RANGE);
  memcpy((char *)base + setting->more_offset, &(int){1}, sizeof(int));
  return FED_OK;
}

static const struct fed__setting one_text = {.key = "text", .type = FED__SETTING_TEXT};

/* An array of `count` zeroed items behind the field's pointer, and its count. */
static void *make_items(const struct reader *reader, const struct fed__setting *setting,
                        size_t count, size_t spare, size_t item_size, void *base) {
  void *items = fed__zalloc(reader->context, count + spare, item_size);
  if (!items) return NULL;
  memcpy((char *)base + setting->offset, &items, sizeof items);
  memcpy((char *)base + setting->more_offset, &count, sizeof count);
  return items;
}

static int read_texts(const struct reader *reader, const struct fed__setting *setting,
                      const struct fed__yaml_node *node, const char *path, void *base) {
  if (node->kind != FED__YAML_LIST || node->count < setting->minimum)
    return raise_value(reader, setting, node, path, FED_E_TYPE);
  char **texts = make_items(reader, setting, node->count, 1, sizeof *texts, base);
  if (!texts) return FED_E_MEMORY;
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  for (size_t i = 0; item; i++, item = fed__yaml_next(reader->yaml, item)) {
    char item_path[KEY_PATH_MAX];
    index_path(item_path, path, i);
    FED_TRY(read_scalar(reader, &one_text, item, item_path, &texts[i]));
  }
  return FED_OK;
}

/* The range of the setting is that of each number. */
static int read_numbers(const struct reader *reader, const struct fed__setting *setting,
                        const struct fed__yaml_node *node, const char *path, void *base) {
  struct fed__setting number = *setting;
  number.type = FED__SETTING_NUMBER;
  number.offset = 0;
  if (node->kind != FED__YAML_LIST || node->count == 0)
    return raise_value(reader, setting, node, path, FED_E_TYPE);
  double *numbers = make_items(reader, setting, node->count, 0, sizeof *numbers, base);
  if (!numbers) return FED_E_MEMORY;
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  for (size_t i = 0; item; i++, item = fed__yaml_next(reader->yaml, item)) {
    char item_path[KEY_PATH_MAX];
    index_path(item_path, path, i);
    FED_TRY(read_scalar(reader, &number, item, item_path, &numbers[i]));
  }
  return FED_OK;
}

static size_t count_categories(const struct reader *reader, const struct fed__yaml_node *node) {
  size_t count = 0;
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  for (; item; item = fed__yaml_next(reader->yaml, item))
    count += item->kind == FED__YAML_LIST ? item->count : 1;
  return count;
}

static int read_category(const struct reader *reader, const struct fed__yaml_node *node,
                         const char *path, uint32_t slot, struct fed__category **next) {
  char *text = NULL;
  FED_TRY(read_scalar(reader, &one_text, node, path, &text));
  *(*next)++ = (struct fed__category){text, slot};
  return FED_OK;
}

static int read_categories(const struct reader *reader, const struct fed__setting *setting,
                           const struct fed__yaml_node *node, const char *path, void *base) {
  if (node->kind != FED__YAML_LIST) return raise_value(reader, setting, node, path, FED_E_TYPE);
  struct fed__category *next =
      make_items(reader, setting, count_categories(reader, node), 0, sizeof *next, base);
  if (!next) return FED_E_MEMORY;
  uint32_t slot = 0;
  const struct fed__yaml_node *item = fed__yaml_first(reader->yaml, node);
  for (; item; item = fed__yaml_next(reader->yaml, item), slot++) {
    if (item->kind != FED__YAML_LIST) {
      FED_TRY(read_category(reader, item, path, slot, &next));
      continue;
    }
    const struct fed__yaml_node *same = fed__yaml_first(reader->yaml, item);
    for (; same; same = fed__yaml_next(reader->yaml, same))
      FED_TRY(read_category(reader, same, path, slot, &next));
  }
  return FED_OK;
}

static int read_items(const struct reader *reader, const struct fed__setting *setting,
                      const struct fed__yaml_node *node, const char *path, void *base) {
  const int single = node->kind == FED__YAML_MAP;
  const size_t count = single ? 1 : node->count;
  if (node->kind == FED__YAML_SCALAR) return raise_value(reader, setting, node, path, FED_E_TYPE);
  if (count < setting->minimum || (setting->maximum && count > setting->maximum))
    return FED__YAML_RAISE(reader->yaml, node, FED_E_RANGE,
                           "'%s' must have %.0f to %.0f entries, found %zu", path, setting->minimum,
                           setting->maximum, count);
  char *items = make_items(reader, setting, count, 0, setting->item_size, base);
  if (!items) return FED_E_MEMORY;
  const struct fed__yaml_node *item = single ? node : fed__yaml_first(reader->yaml, node);
  for (size_t i = 0; i < count; i++, item = fed__yaml_next(reader->yaml, item)) {
    char item_path[KEY_PATH_MAX];
    if (single) {
      snprintf(item_path, sizeof item_path, "%s", path);
    } else {
      index_path(item_path, path, i);
    }
    FED_TRY(read_section(reader, setting->inner, item, item_path, items + i * setting->item_size));
  }
  return FED_OK;
}

static int read_given(const struct reader *reader, const struct fed__setting *setting,
                      const struct fed__yaml_node *node, const char *path, void *base) {
  switch (setting->type) {
  case FED__SETTING_SHAPE:
    return read_shape(reader, setting, node, path, base);
  case FED__SETTING_SPAN:
    return read_span(reader, setting, node, path, base);
  case FED__SETTING_TEXTS:
    return read_texts(reader, setting, node, path, base);
  case FED__SETTING_NUMBERS:
    return read_numbers(reader, setting, node, path, base);
  case FED__SETTING_CATEGORIES:
    return read_categories(reader, setting, node, path, base);
  case FED__SETTING_ITEMS:
    return read_items(reader, setting, node, path, base);
  case FED__SETTING_SECTION:
    return read_section(reader, setting->inner, node, path, base);
  default:
    return read_scalar(reader, setting, node, path, base);
  }
}

static int fill_defaults(const struct reader *reader, const struct fed__setting *settings,
                         void *base);

static int fill_default(const struct reader *reader, const struct fed__setting *setting,
                        void *base) {
  if (setting->type == FED__SETTING_SECTION) return fill_defaults(reader, setting->inner, base);
  if (!setting->initial || !fed__setting_is_scalar(setting)) return FED_OK;
  const int code = fed__setting_parse(reader->context, setting, setting->initial, base);
  if (code == FED_OK || code == FED_E_MEMORY) return code;
  return FED_RAISE(FED_E_INTERNAL, "the default '%s' of '%s' is not valid", setting->initial,
                   setting->key);
}

static int fill_defaults(const struct reader *reader, const struct fed__setting *settings,
                         void *base) {
  for (; settings->key; settings++) FED_TRY(fill_default(reader, settings, base));
  return FED_OK;
}

static int read_section(const struct reader *reader, const struct fed__setting *settings,
                        const struct fed__yaml_node *node, const char *path, void *base) {
  char inner_path[KEY_PATH_MAX], quoted[FED__YAML_QUOTE_SIZE];
  if (node->kind != FED__YAML_MAP)
    return FED__YAML_RAISE(reader->yaml, node, FED_E_TYPE, "%s%s%s must be a map, found %s",
                           *path ? "'" : "", *path ? path : "the file", *path ? "'" : "",
                           fed__yaml_describe(reader->yaml, node, quoted));
  FED_TRY(check_keys(reader, settings, node, path));
  for (; settings->key; settings++) {
    const struct fed__yaml_node *child = fed__yaml_get(reader->yaml, node, settings->key);
    join_path(inner_path, path, settings->key);
    if (child) {
      FED_TRY(read_given(reader, settings, child, inner_path, base));
    } else if (settings->required) {
      return FED__YAML_RAISE(reader->yaml, node, FED_E_MISSING, "'%s' is missing: %s", inner_path,
                             settings->meaning);
    } else {
      FED_TRY(fill_default(reader, settings, base));
    }
  }
  return FED_OK;
}

int fed__settings_read(const struct fed_context *context, const struct fed__setting *settings,
                       const struct fed__yaml *yaml, void *base) {
  const struct reader reader = {context, yaml};
  struct fed__number_locale numbers;
  FED_TRY(fed__number_locale_begin(&numbers));
  const int code = read_section(&reader, settings, fed__yaml_root(yaml), "", base);
  fed__number_locale_end(&numbers);
  if (code != FED_OK) fed__settings_clear(context, settings, base);
  return code;
}

static void clear_items(const struct fed_context *context, const struct fed__setting *setting,
                        char *items, size_t count) {
  for (size_t i = 0; i < count && items; i++) {
    if (setting->type == FED__SETTING_TEXTS) {
      fed__free(context, ((char **)(void *)items)[i]);
    } else if (setting->type == FED__SETTING_CATEGORIES) {
      fed__free(context, ((struct fed__category *)(void *)items)[i].text);
    } else if (setting->type == FED__SETTING_ITEMS) {
      fed__settings_clear(context, setting->inner, items + i * setting->item_size);
    }
  }
}

/* Free what the pointer at `field` points to, and forget it. */
static void clear_pointer(const struct fed_context *context, void *field) {
  void *pointer, *nothing = NULL;
  memcpy(&pointer, field, sizeof pointer);
  fed__free(context, pointer);
  memcpy(field, &nothing, sizeof nothing);
}

static void clear_list(const struct fed_context *context, const struct fed__setting *setting,
                       char *base) {
  char *items;
  size_t count;
  memcpy(&items, base + setting->offset, sizeof items);
  memcpy(&count, base + setting->more_offset, sizeof count);
  clear_items(context, setting, items, count);
  clear_pointer(context, base + setting->offset);
  memset(base + setting->more_offset, 0, sizeof count);
}

void fed__settings_clear(const struct fed_context *context, const struct fed__setting *settings,
                         void *base) {
  for (; settings->key; settings++) {
    switch (settings->type) {
    case FED__SETTING_SECTION:
      fed__settings_clear(context, settings->inner, base);
      break;
    case FED__SETTING_TEXTS:
    case FED__SETTING_NUMBERS:
    case FED__SETTING_CATEGORIES:
    case FED__SETTING_ITEMS:
      clear_list(context, settings, base);
      break;
    case FED__SETTING_TEXT:
    case FED__SETTING_NAME:
      clear_pointer(context, (char *)base + settings->offset);
      break;
    default:
      break;
    }
  }
}
