/* SPDX-License-Identifier: Apache-2.0
 *
 * setting_explain.c: settings shown with value, default, unit and meaning. One walk over the
 * table turns each setting into a line; the forms differ only in how a line is written.
 */
#include "base/memory.h"
#include "data/dataset.h"
#include "job/settings.h"

#include <stdlib.h>

#define KEY_PATH_MAX 128

enum column { KEY, VALUE, INITIAL, UNIT, MEANING, COLUMN_COUNT };

/* One setting on its way out. `base` NULL: there is no value, only a default. */
struct line {
  const struct fed__setting *setting;
  const void *base;
  char key[KEY_PATH_MAX];
};

struct walk {
  const struct fed_context *context;
  int (*show)(struct walk *walk, const struct line *line);
  struct fed_buffer *out;
  size_t widths[COLUMN_COUNT];
  struct fed_buffer cell;
  json_t *array;
};

static int walk_settings(struct walk *walk, const struct fed__setting *settings, const char *path,
                         const void *base);

static const char *items_at(const struct fed__setting *setting, const void *base, size_t *count) {
  const char *items;
  memcpy(&items, (const char *)base + setting->offset, sizeof items);
  memcpy(count, (const char *)base + setting->more_offset, sizeof *count);
  return items;
}

static int walk_items(struct walk *walk, const struct line *line) {
  char path[KEY_PATH_MAX + 24];
  size_t count;
  if (!line->base) {
    snprintf(path, sizeof path, "%s[].", line->key);
    return walk_settings(walk, line->setting->inner, path, NULL);
  }
  const char *items = items_at(line->setting, line->base, &count);
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s[%zu].", line->key, i);
    FED_TRY(walk_settings(walk, line->setting->inner, path, items + i * line->setting->item_size));
  }
  return FED_OK;
}

static int walk_settings(struct walk *walk, const struct fed__setting *settings, const char *path,
                         const void *base) {
  for (; settings->key; settings++) {
    struct line line = {settings, base, {0}};
    char inner[KEY_PATH_MAX + 1];
    snprintf(line.key, sizeof line.key, "%s%s", path, settings->key);
    snprintf(inner, sizeof inner, "%s.", line.key);
    FED_TRY(walk->show(walk, &line));
    if (settings->type == FED__SETTING_SECTION)
      FED_TRY(walk_settings(walk, settings->inner, inner, base));
    if (settings->type == FED__SETTING_ITEMS) FED_TRY(walk_items(walk, &line));
  }
  return FED_OK;
}

/* The values of lists, in the notation of the file. */

static int print_shape(const struct line *line, struct fed_buffer *out) {
  const struct fed_shape *shape =
      (const struct fed_shape *)(const void *)((const char *)line->base + line->setting->offset);
  char text[192];
  return shape->rank ? fed_buffer_print(out, "%s", fed_shape_format(shape, text, sizeof text))
                     : FED_OK;
}

static int print_span(const struct line *line, struct fed_buffer *out) {
  int given;
  double ends[2];
  memcpy(&given, (const char *)line->base + line->setting->more_offset, sizeof given);
  memcpy(ends, (const char *)line->base + line->setting->offset, sizeof ends);
  return given ? fed_buffer_print(out, "[%.17g, %.17g]", ends[0], ends[1]) : FED_OK;
}

static int print_texts(const struct line *line, struct fed_buffer *out) {
  size_t count;
  const char *const *texts =
      (const char *const *)(const void *)items_at(line->setting, line->base, &count);
  FED_TRY(fed_buffer_print(out, "["));
  for (size_t i = 0; i < count; i++)
    FED_TRY(fed_buffer_print(out, "%s\"%s\"", i ? ", " : "", texts[i]));
  return fed_buffer_print(out, "]");
}

static int print_numbers(const struct line *line, struct fed_buffer *out) {
  size_t count;
  const double *numbers = (const double *)(const void *)items_at(line->setting, line->base, &count);
  if (count == 0) return FED_OK;
  for (size_t i = 0; i < count; i++)
    FED_TRY(fed_buffer_print(out, "%s%.17g", i ? ", " : "[", numbers[i]));
  return fed_buffer_print(out, "]");
}

/* Texts of one slot stand in a list of their own. */
static int print_categories(const struct line *line, struct fed_buffer *out) {
  size_t count;
  const struct fed__category *all =
      (const struct fed__category *)(const void *)items_at(line->setting, line->base, &count);
  FED_TRY(fed_buffer_print(out, "["));
  for (size_t i = 0; i < count; i++) {
    const int opens = i == 0 || all[i - 1].slot != all[i].slot;
    const int closes = i + 1 == count || all[i + 1].slot != all[i].slot;
    FED_TRY(fed_buffer_print(out, "%s%s\"%s\"%s", i ? ", " : "", opens && !closes ? "[" : "",
                             all[i].text, closes && !opens ? "]" : ""));
  }
  return fed_buffer_print(out, "]");
}

static int print_items(const struct line *line, struct fed_buffer *out) {
  size_t count;
  items_at(line->setting, line->base, &count);
  return fed_buffer_print(out, count == 1 ? "1 entry" : "%zu entries", count);
}

static int print_value(const struct line *line, struct fed_buffer *out) {
  if (!line->base) return FED_OK;
  switch (line->setting->type) {
  case FED__SETTING_SHAPE:
    return print_shape(line, out);
  case FED__SETTING_SPAN:
    return print_span(line, out);
  case FED__SETTING_TEXTS:
    return print_texts(line, out);
  case FED__SETTING_NUMBERS:
    return print_numbers(line, out);
  case FED__SETTING_CATEGORIES:
    return print_categories(line, out);
  case FED__SETTING_ITEMS:
    return print_items(line, out);
  case FED__SETTING_SECTION:
    return FED_OK;
  default:
    return fed__setting_print(line->setting, line->base, out);
  }
}

static int print_initial(const struct fed__setting *setting, struct fed_buffer *out) {
  if (setting->required) return fed_buffer_print(out, "required");
  if (!setting->initial) return FED_OK;
  return fed_buffer_print(out, "%s", *setting->initial ? setting->initial : "\"\"");
}

static int print_cell(const struct line *line, enum column column, struct fed_buffer *out) {
  switch (column) {
  case KEY:
    return fed_buffer_print(out, "%s", line->key);
  case VALUE:
    return print_value(line, out);
  case INITIAL:
    return print_initial(line->setting, out);
  case UNIT:
    return fed_buffer_print(out, "%s", line->setting->unit ? line->setting->unit : "");
  default:
    return fed_buffer_print(out, "%s", line->setting->meaning);
  }
}

/* A table for people: one walk measures the columns, a second one writes them. */

static int measure_line(struct walk *walk, const struct line *line) {
  if (line->setting->type == FED__SETTING_SECTION) return FED_OK;
  for (unsigned column = KEY; column < MEANING; column++) {
    walk->cell.size = 0;
    FED_TRY(print_cell(line, column, &walk->cell));
    if (walk->cell.size > walk->widths[column]) walk->widths[column] = walk->cell.size;
  }
  return FED_OK;
}

static int write_padded(struct walk *walk, const char *text, size_t size, enum column column) {
  FED_TRY(fed_buffer_append(walk->out, text, size));
  if (column == MEANING) return fed_buffer_print(walk->out, "\n");
  return fed_buffer_print(walk->out, "%*s", (int)(walk->widths[column] - size + 2), "");
}

static int write_line(struct walk *walk, const struct line *line) {
  if (line->setting->type == FED__SETTING_SECTION) return FED_OK;
  for (unsigned column = KEY; column < COLUMN_COUNT; column++) {
    if (column == VALUE && !line->base) continue;
    walk->cell.size = 0;
    FED_TRY(print_cell(line, column, &walk->cell));
    FED_TRY(write_padded(walk, (const char *)walk->cell.data, walk->cell.size, column));
  }
  return FED_OK;
}

static int explain_text(struct walk *walk, const struct fed__setting *settings, const void *base) {
  static const char *const titles[] = {"key", "value", "default", "unit", "meaning"};
  for (unsigned column = KEY; column < MEANING; column++)
    walk->widths[column] = strlen(titles[column]);
  walk->show = measure_line;
  FED_TRY(walk_settings(walk, settings, "", base));
  for (unsigned column = KEY; column < COLUMN_COUNT; column++)
    if (column != VALUE || base)
      FED_TRY(write_padded(walk, titles[column], strlen(titles[column]), column));
  walk->show = write_line;
  return walk_settings(walk, settings, "", base);
}

/* The manual's table. */

static int write_marked_line(struct walk *walk, const struct line *line) {
  const struct fed__setting *setting = line->setting;
  walk->cell.size = 0;
  FED_TRY(fed__setting_expected(setting, &walk->cell));
  if (setting->unit && setting->type != FED__SETTING_DURATION && setting->type != FED__SETTING_SIZE)
    FED_TRY(fed_buffer_print(&walk->cell, " (%s)", setting->unit));
  const char *expected = fed_buffer_text(&walk->cell);
  if (!expected) return FED_E_MEMORY;
  const char *initial = setting->required ? "required" : setting->initial ? setting->initial : "";
  const int quoted = !setting->required && setting->initial;
  return fed_buffer_print(walk->out, "| `%s` | %s | %s%s%s | %s |\n", line->key, expected,
                          quoted ? "`" : "", quoted && !*initial ? "\"\"" : initial,
                          quoted ? "`" : "", setting->meaning);
}

static int explain_marked(struct walk *walk, const struct fed__setting *settings) {
  FED_TRY(fed_buffer_print(walk->out, "| key | value | default | meaning |\n"
                                      "| --- | --- | --- | --- |\n"));
  walk->show = write_marked_line;
  return walk_settings(walk, settings, "", NULL);
}

/* JSON: numbers, flags and lists as what they are; the rest in the notation of the file. */

static json_t *json_texts(const struct line *line) {
  size_t count;
  const char *const *texts =
      (const char *const *)(const void *)items_at(line->setting, line->base, &count);
  json_t *array = json_array();
  for (size_t i = 0; i < count && array; i++) {
    if (json_array_append_new(array, json_string(texts[i])) == 0) continue;
    json_decref(array);
    return NULL;
  }
  return array;
}

static json_t *json_shape(const struct line *line) {
  const struct fed_shape *shape =
      (const struct fed_shape *)(const void *)((const char *)line->base + line->setting->offset);
  json_t *array = json_array();
  for (size_t i = 0; i < shape->rank && array; i++) {
    if (json_array_append_new(array, json_integer(shape->dims[i])) == 0) continue;
    json_decref(array);
    return NULL;
  }
  return array;
}

/* JSON's integers end at 2^63 - 1; only a seed is ever larger, and then it is given as text. */
static json_t *json_whole(uint64_t value) {
  if (value <= INT64_MAX) return json_integer((json_int_t)value);
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return json_string(text);
}

static json_t *json_number(const struct line *line) {
  const char *field = (const char *)line->base + line->setting->offset;
  int flag;
  uint32_t narrow;
  uint64_t wide;
  double number;
  int64_t whole;
  switch (line->setting->type) {
  case FED__SETTING_INTEGER:
    memcpy(&flag, (const char *)line->base + line->setting->more_offset, sizeof flag);
    memcpy(&whole, field, sizeof whole);
    return flag ? json_integer(whole) : json_null();
  case FED__SETTING_FLAG:
    memcpy(&flag, field, sizeof flag);
    return json_boolean(flag);
  case FED__SETTING_COUNT:
    memcpy(&narrow, field, sizeof narrow);
    return json_integer(narrow);
  case FED__SETTING_COUNT64:
  case FED__SETTING_SIZE:
    memcpy(&wide, field, sizeof wide);
    return json_whole(wide);
  default:
    memcpy(&number, field, sizeof number);
    return json_real(number);
  }
}

static json_t *json_notation(struct walk *walk, const struct line *line) {
  walk->cell.size = 0;
  if (print_value(line, &walk->cell) != FED_OK) return NULL;
  return walk->cell.size ? json_stringn((const char *)walk->cell.data, walk->cell.size)
                         : json_null();
}

static json_t *json_value(struct walk *walk, const struct line *line) {
  if (!line->base) return json_null();
  switch (line->setting->type) {
  case FED__SETTING_FLAG:
  case FED__SETTING_COUNT:
  case FED__SETTING_COUNT64:
  case FED__SETTING_INTEGER:
  case FED__SETTING_SIZE:
  case FED__SETTING_NUMBER:
  case FED__SETTING_POWER:
  case FED__SETTING_DURATION:
    return json_number(line);
  case FED__SETTING_TEXTS:
    return json_texts(line);
  case FED__SETTING_SHAPE:
    return json_shape(line);
  default:
    return json_notation(walk, line);
  }
}

static int add_object(struct walk *walk, const struct line *line) {
  const struct fed__setting *setting = line->setting;
  if (setting->type == FED__SETTING_SECTION) return FED_OK;
  json_t *object = json_pack("{s:s, s:o, s:s?, s:b, s:s?, s:s}", "key", line->key, "value",
                             json_value(walk, line), "default", setting->initial, "required",
                             setting->required, "unit", setting->unit, "meaning", setting->meaning);
  if (json_array_append_new(walk->array, object) == 0) return FED_OK;
  return FED_RAISE(FED_E_MEMORY, "out of memory: explaining '%s'", line->key);
}

static int dump_array(const struct walk *walk) {
  char *text = json_dumps(walk->array, JSON_INDENT(2));
  if (!text) return FED_RAISE(FED_E_MEMORY, "%s", "out of memory: writing JSON");
  const int code = fed_buffer_print(walk->out, "%s\n", text);
  free(text); /* jansson's */
  return code;
}

static int explain_json(struct walk *walk, const struct fed__setting *settings, const void *base) {
  walk->show = add_object;
  walk->array = json_array();
  int code = walk->array ? walk_settings(walk, settings, "", base)
                         : FED_RAISE(FED_E_MEMORY, "%s", "out of memory: writing JSON");
  if (code == FED_OK) code = dump_array(walk);
  json_decref(walk->array);
  return code;
}

int fed__settings_explain(const struct fed_context *context, const struct fed__setting *settings,
                          const void *base, enum fed__settings_form form, struct fed_buffer *out) {
  struct walk walk = {.context = context, .out = out};
  struct fed__number_locale numbers;
  FED_TRY(fed__number_locale_begin(&numbers));
  fed_buffer_init(&walk.cell, context, FED__YAML_BYTES_MAX);
  const int code = form == FED__SETTINGS_JSON   ? explain_json(&walk, settings, base)
                   : form == FED__SETTINGS_TEXT ? explain_text(&walk, settings, base)
                                                : explain_marked(&walk, settings);
  fed_buffer_clear(&walk.cell);
  fed__number_locale_end(&numbers);
  return code;
}
