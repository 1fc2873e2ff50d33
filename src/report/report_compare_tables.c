/* SPDX-License-Identifier: Apache-2.0
 *
 * report_compare_tables.c: final figures of groups and runs, and what their settings differ in.
 */
#include "base/memory.h"
#include "report/report_compare.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>

#define NUMBER_MAX 1e18
#define RUNS_MAX 500
#define PLUS_MINUS "\xc2\xa0\xc2\xb1\xc2\xa0"

/* ---- figures -------------------------------------------------------------------------------- */

/* How a figure is written, and what its difference from another is: in points of a percent, as it
 * is, or as a ratio. */
enum kind { SHARE, DECIMAL, AMOUNT, TIME, BYTES };

static const struct column {
  const char *head;
  enum kind kind;
  const char *section, *key, *other_key; /* of summary.json; other_key: is added */
} columns[] = {
    {"test set", SHARE, "tested", "accuracy", NULL},
    {"test loss", DECIMAL, "tested", "loss", NULL},
    {"clients\xe2\x80\x99 mean", SHARE, "client_accuracy", "mean", NULL},
    {"worst tenth", SHARE, "client_accuracy", "lowest_tenth", NULL},
    {"clients\xe2\x80\x99 loss", DECIMAL, "client_loss", "mean", NULL},
    {"Jain", DECIMAL, "client_accuracy", "jain", NULL},
    {"rounds", AMOUNT, NULL, "rounds", NULL},
    {"virtual time", TIME, NULL, "virtual_s", NULL},
    {"bytes", BYTES, NULL, "down_bytes", "up_bytes"},
    {"real time", TIME, NULL, "seconds", NULL},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

static double figure(const struct fed__compared_run *run, const struct column *column) {
  const json_t *summary = run->data.summary;
  const json_t *from = column->section ? json_object_get(summary, column->section) : summary;
  const double value = fed__report_signed(from, column->key, NUMBER_MAX);
  return column->other_key ? value + fed__report_number(from, column->other_key, NUMBER_MAX)
                           : value;
}

static int is_known(const struct fed__comparison *comparison, const struct column *column) {
  for (size_t i = 0; i < comparison->run_count; i++)
    if (isfinite(figure(&comparison->runs[i], column))) return 1;
  return 0;
}

static const char *format(enum kind kind, double value, struct fed__number_text *text) {
  switch (kind) {
  case SHARE:
    return fed__percent(value, text);
  case DECIMAL:
    return fed__decimal(value, text);
  case AMOUNT:
    return fed__count(value, text);
  case TIME:
    return fed__duration(value, text);
  default:
    return fed__bytes(value, text);
  }
}

/* As many figures as tell runs apart; times and bytes differ for many reasons. */
static void put_deviation(struct fed__markup *markup, enum kind kind, double deviation) {
  if (kind == SHARE)
    fed__markup_print(markup, PLUS_MINUS "%.1f", deviation * 100);
  else if (kind == DECIMAL || kind == AMOUNT)
    fed__markup_print(markup, PLUS_MINUS "%.2g", deviation);
}

/* Of those figures that any run has. */
static void put_heads(const struct fed__comparison *comparison, struct fed__markup *markup,
                      const char *title, const char *first, const char *second) {
  const char *heads[COLUMN_COUNT + 3] = {first, second};
  size_t count = 2;
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    if (is_known(comparison, &columns[i])) heads[count++] = columns[i].head;
  fed__table_open(markup, title, heads);
}

static void put_name(struct fed__markup *markup, const char *name) {
  fed__markup_print(markup, "<tr><th class=\"x\">");
  fed__markup_text(markup, name);
  fed__markup_print(markup, "</th>");
}

/* ---- groups --------------------------------------------------------------------------------- */

static struct fed__group_figure group_figure(const struct fed__comparison *comparison, size_t group,
                                             const struct column *column, double *values) {
  size_t count = 0;
  for (size_t i = 0; i < comparison->run_count; i++)
    if (comparison->runs[i].group == group) values[count++] = figure(&comparison->runs[i], column);
  return fed__group_figure_of(values, count);
}

static void put_difference(struct fed__markup *markup, enum kind kind, double value, double first) {
  if (!isfinite(value) || !isfinite(first)) return;
  if (kind == SHARE)
    fed__markup_print(markup, "<small>%+.1f points</small>", (value - first) * 100);
  else if (kind == DECIMAL)
    fed__markup_print(markup, "<small>%+.3g</small>", value - first);
  else if (first > 0)
    fed__markup_print(markup, "<small>\xc3\x97 %.3g</small>", value / first);
}

static void list_group(const struct fed__comparison *comparison, size_t index, double *values,
                       struct fed__markup *markup) {
  const struct fed__compared_group *group = &comparison->groups[index];
  struct fed__number_text mean;
  put_name(markup, group->name);
  fed__markup_print(markup, "<td>%zu</td>", group->count);
  for (size_t i = 0; i < COLUMN_COUNT; i++) {
    if (!is_known(comparison, &columns[i])) continue;
    const struct fed__group_figure own = group_figure(comparison, index, &columns[i], values);
    fed__markup_print(markup, "<td>%s", format(columns[i].kind, own.mean, &mean));
    if (own.count > 1) put_deviation(markup, columns[i].kind, own.deviation);
    if (index)
      put_difference(markup, columns[i].kind, own.mean,
                     group_figure(comparison, 0, &columns[i], values).mean);
    fed__markup_print(markup, "</td>");
  }
  fed__markup_print(markup, "</tr>\n");
}

void fed__comparison_list_groups(const struct fed__comparison *comparison,
                                 struct fed__markup *markup) {
  double *values = fed__zalloc(comparison->context, comparison->run_count, sizeof *values);
  if (!values) {
    markup->code = FED_E_MEMORY;
    return;
  }
  put_heads(comparison, markup, "Final figures", "|group", "seeds");
  for (size_t i = 0; i < comparison->group_count; i++) list_group(comparison, i, values, markup);
  fed__table_close(markup);
  fed__markup_print(markup,
                    "<p>Of the last model; in small type the difference from the first line, of "
                    "amounts the ratio. The standard deviation over seeds is divided by one less "
                    "than their number.</p></section>\n");
  fed__free(comparison->context, values);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void list_run(const struct fed__comparison *comparison, const struct fed__compared_run *run,
                     struct fed__markup *markup) {
  struct fed__number_text text;
  put_name(markup, run->name);
  fed__markup_print(markup, "<td>%.0f</td>",
                    fmax(0, fed__report_number(run->data.summary, "seed", NUMBER_MAX)));
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    if (is_known(comparison, &columns[i]))
      fed__markup_print(markup, "<td>%s</td>",
                        format(columns[i].kind, figure(run, &columns[i]), &text));
  fed__markup_print(markup, "</tr>\n");
}

void fed__comparison_list_runs(const struct fed__comparison *comparison,
                               struct fed__markup *markup) {
  if (comparison->run_count == comparison->group_count) return;
  put_heads(comparison, markup, "Runs", "|run", "seed");
  for (size_t i = 0; i < comparison->run_count && i < RUNS_MAX; i++)
    list_run(comparison, &comparison->runs[i], markup);
  fed__table_close(markup);
  if (comparison->run_count > RUNS_MAX)
    fed__markup_print(markup, "<p>%d of %zu are listed.</p>", RUNS_MAX, comparison->run_count);
  fed__markup_print(markup, "</section>\n");
}

/* ---- settings ------------------------------------------------------------------------------- */

static const json_t *setting_of(const struct fed__comparison *comparison, size_t group,
                                const char *key) {
  const json_t *summary = comparison->runs[comparison->groups[group].first].data.summary;
  const json_t *value = json_object_get(json_object_get(summary, "settings"), key);
  return value ? value : json_object_get(summary, key);
}

static int is_same(const json_t *a, const json_t *b) {
  return (!a && !b) || (a && b && json_equal(a, b));
}

static int differs(const struct fed__comparison *comparison, const char *key) {
  const json_t *first = setting_of(comparison, 0, key);
  for (size_t i = 1; i < comparison->group_count; i++)
    if (!is_same(first, setting_of(comparison, i, key))) return 1;
  return 0;
}

static void list_setting(const struct fed__comparison *comparison, const char *key,
                         struct fed__markup *markup) {
  put_name(markup, key);
  for (size_t i = 0; i < comparison->group_count && i < FED__COMPARED_COLOURS; i++) {
    fed__markup_print(markup, "<td>");
    fed__report_put_json(markup, setting_of(comparison, i, key));
    fed__markup_print(markup, "</td>");
  }
  fed__markup_print(markup, "</tr>\n");
}

/* Keys that any group has, each once. */
static json_t *all_keys(const struct fed__comparison *comparison) {
  static const char *const facts[] = {"job", "data", "test"};
  json_t *keys = json_object();
  for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
    json_object_set_new(keys, facts[i], json_null());
  for (size_t i = 0; i < comparison->group_count; i++) {
    const json_t *summary = comparison->runs[comparison->groups[i].first].data.summary;
    json_t *settings = json_object_get(summary, "settings");
    if (settings) json_object_update_missing(keys, settings);
  }
  json_object_del(keys, "seed");
  return keys;
}

void fed__comparison_list_settings(const struct fed__comparison *comparison,
                                   struct fed__markup *markup) {
  static const char *const heads[] = {NULL};
  json_t *keys = all_keys(comparison), *value;
  const char *key;
  int found = 0;
  json_object_foreach(keys, key, value) found |= differs(comparison, key);
  if (found) {
    fed__table_open(markup, "Settings that differ", heads);
    put_name(markup, "");
    for (size_t i = 0; i < comparison->group_count && i < FED__COMPARED_COLOURS; i++) {
      fed__markup_print(markup, "<td>");
      fed__markup_text(markup, comparison->groups[i].name);
      fed__markup_print(markup, "</td>");
    }
    fed__markup_print(markup, "</tr>\n");
    json_object_foreach(keys, key, value) if (differs(comparison, key))
        list_setting(comparison, key, markup);
    fed__table_close(markup);
    fed__markup_print(markup, "</section>\n");
  }
  json_decref(keys);
}
