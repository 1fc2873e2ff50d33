/* SPDX-License-Identifier: Apache-2.0
 *
 * report_compare.c: runs to groups, and the page about them.
 */
#include "report/report_compare.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/raise.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>

/* ---- groups --------------------------------------------------------------------------------- */

static int equal_but_seed(const json_t *a, const json_t *b) {
  const json_t *left = json_object_get(a, "settings"), *right = json_object_get(b, "settings");
  json_t *x = json_copy((json_t *)(uintptr_t)left), *y = json_copy((json_t *)(uintptr_t)right);
  json_object_del(x, "seed");
  json_object_del(y, "seed");
  const int equal = x && y && json_equal(x, y);
  json_decref(x);
  json_decref(y);
  return equal;
}

static int same_group(const struct fed__report_data *a, const struct fed__report_data *b) {
  static const char *const facts[] = {"job", "data", "test"};
  for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
    const char *left = fed__report_text(a->summary, facts[i], "");
    if (strcmp(left, fed__report_text(b->summary, facts[i], "")) != 0) return 0;
  }
  return equal_but_seed(a->summary, b->summary);
}

static void find_group(struct fed__comparison *comparison, size_t run) {
  struct fed__compared_run *found = &comparison->runs[run];
  for (found->group = 0; found->group < comparison->group_count; found->group++) {
    struct fed__compared_group *group = &comparison->groups[found->group];
    if (!same_group(&comparison->runs[group->first].data, &found->data)) continue;
    group->count++;
    return;
  }
  comparison->groups[comparison->group_count++] = (struct fed__compared_group){{0}, run, 1};
}

/* ---- names ---------------------------------------------------------------------------------- */

static size_t common_length(const char *a, const char *b, size_t length) {
  size_t i = 0;
  while (i < length && a[i] && a[i] == b[i]) i++;
  return i;
}

/* The folder that all names begin with goes. */
static void shorten_names(struct fed__comparison *comparison) {
  const char *first = comparison->runs[0].name;
  size_t common = strlen(first);
  for (size_t i = 1; i < comparison->run_count; i++)
    common = common_length(first, comparison->runs[i].name, common);
  while (common && first[common - 1] != '/') common--;
  for (size_t i = 0; i < comparison->run_count; i++) comparison->runs[i].name += common;
}

/* What the runs' names begin with, up to where a word ends: "rate=0.1,seed=1" and "rate=0.1,seed=2"
 * are of "rate=0.1". */
static void name_group(const struct fed__comparison *comparison, size_t index) {
  static const char separators[] = "-_/,. ";
  struct fed__compared_group *group = &comparison->groups[index];
  const char *first = comparison->runs[group->first].name;
  size_t common = strlen(first);
  for (size_t i = 0; i < comparison->run_count && group->count > 1; i++)
    if (comparison->runs[i].group == index)
      common = common_length(first, comparison->runs[i].name, common);
  size_t word = common;
  if (first[common])
    while (word && !strchr(separators, first[word])) word--;
  if (word == 0) word = common ? common : strlen(first);
  snprintf(group->name, sizeof group->name, "%.*s", (int)word, first);
}

struct fed__group_figure fed__group_figure_of(const double *values, size_t count) {
  struct fed__group_figure figure = {0, 0, 0};
  double squares = 0;
  for (size_t i = 0; i < count; i++)
    if (isfinite(values[i])) {
      figure.count++;
      figure.mean += values[i];
    }
  figure.mean = figure.count ? figure.mean / (double)figure.count : NAN;
  for (size_t i = 0; i < count; i++)
    if (isfinite(values[i])) squares += (values[i] - figure.mean) * (values[i] - figure.mean);
  if (figure.count > 1) figure.deviation = sqrt(squares / (double)(figure.count - 1));
  return figure;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void clear(struct fed__comparison *comparison) {
  for (size_t i = 0; comparison->runs && i < comparison->run_count; i++)
    fed__report_data_clear(&comparison->runs[i].data);
  fed__free(comparison->context, comparison->runs);
  fed__free(comparison->context, comparison->groups);
}

static int read_runs(struct fed__comparison *comparison, const struct fed__run_input *inputs,
                     size_t count) {
  comparison->runs = fed__zalloc(comparison->context, count, sizeof *comparison->runs);
  comparison->groups = fed__zalloc(comparison->context, count, sizeof *comparison->groups);
  if (!comparison->runs || !comparison->groups) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) {
    struct fed__compared_run *run = &comparison->runs[i];
    run->name = inputs[i].name;
    if (fed__report_data_init_run(&run->data, comparison->context, &inputs[i]) != FED_OK)
      return FED_WRAP("%s", inputs[i].name);
    comparison->run_count++;
    find_group(comparison, i);
  }
  shorten_names(comparison);
  for (size_t i = 0; i < comparison->group_count; i++) name_group(comparison, i);
  return FED_OK;
}

/* ---- the page ------------------------------------------------------------------------------- */

static void put_title(const struct fed__comparison *comparison, char title[64]) {
  const size_t runs = comparison->run_count, groups = comparison->group_count;
  snprintf(title, 64, runs == groups ? "%zu simulations" : "%zu simulations in %zu group%s", runs,
           groups, fed__plural(groups));
}

static void put_lead(const struct fed__comparison *comparison, struct fed__markup *markup) {
  if (comparison->run_count != comparison->group_count)
    fed__markup_print(markup, "<p class=\"lead\">Runs that differ in nothing but the seed are a "
                              "group, shown as mean \xc2\xb1 standard deviation.</p>\n");
}

int fed__comparison_write(const struct fed_context *context, const struct fed__run_input *runs,
                          size_t count, struct fed_buffer *html) {
  struct fed__comparison comparison = {.context = context};
  struct fed__markup markup = {html, FED_OK};
  char title[64];
  if (count < 2) return FED_RAISE(FED_E_USAGE, "a comparison needs two runs, found %zu", count);
  int code = read_runs(&comparison, runs, count);
  if (code == FED_OK) {
    put_title(&comparison, title);
    fed__page_open(&markup, title);
    put_lead(&comparison, &markup);
    fed__comparison_draw(&comparison, &markup);
    fed__comparison_list_groups(&comparison, &markup);
    fed__comparison_list_settings(&comparison, &markup);
    fed__comparison_list_runs(&comparison, &markup);
    fed__page_close(&markup);
    code = markup.code;
  }
  clear(&comparison);
  return code;
}
