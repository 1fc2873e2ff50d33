/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_settings.c: the settings of a simulation, their rules, and a partition in one word.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/row_groups.h"
#include "job/simulate_section.h"

#include <stdio.h>

#define AT(field) .offset = offsetof(struct fed__job, simulate.field)
#define CLIENTS_MAX 1000000

static const char *const kinds[] = {[FED__PARTITION_IID] = "iid",
                                    [FED__PARTITION_DIRICHLET] = "dirichlet",
                                    [FED__PARTITION_SHARDS] = "shards",
                                    [FED__PARTITION_LABELS] = "labels",
                                    [FED__PARTITION_POWER_LAW] = "power_law",
                                    [FED__PARTITION_LOG_NORMAL] = "log_normal",
                                    [FED__PARTITION_DRAWN] = "drawn",
                                    [FED__PARTITION_FEATURE] = "feature",
                                    [FED__PARTITION_SORTED] = "sorted",
                                    [FED__PARTITION_COLUMN] = "column",
                                    [FED__PARTITION_FOLDERS] = "folders",
                                    [FED__PARTITION_FILE] = "file",
                                    NULL};

/* The setting that belongs to a kind alone; NULL: it has none. */
static const char *const own_keys[] = {[FED__PARTITION_IID] = NULL,
                                       [FED__PARTITION_DIRICHLET] = "alpha",
                                       [FED__PARTITION_SHARDS] = "shards",
                                       [FED__PARTITION_LABELS] = "labels",
                                       [FED__PARTITION_POWER_LAW] = "exponent",
                                       [FED__PARTITION_LOG_NORMAL] = "sigma",
                                       [FED__PARTITION_DRAWN] = "examples",
                                       [FED__PARTITION_FEATURE] = "noise",
                                       [FED__PARTITION_SORTED] = "columns",
                                       [FED__PARTITION_COLUMN] = "columns",
                                       [FED__PARTITION_FOLDERS] = NULL,
                                       [FED__PARTITION_FILE] = "file"};

static const struct fed__setting partition[] = {
    {"kind", FED__SETTING_WORD, AT(partition.kind), .initial = "iid", .words = kinds,
     .meaning = "how the examples are divided"},
    {"alpha", FED__SETTING_NUMBER, AT(partition.alpha), .initial = "0.5", .above = 1,
     .maximum = 1e6, .meaning = "dirichlet: small, and each client has few classes"},
    {"shards", FED__SETTING_COUNT, AT(partition.shards), .initial = "2", .minimum = 1,
     .maximum = 100000,
     .meaning = "shards: of a client; the examples, sorted by class, are cut into clients times "
                "shards pieces"},
    {"labels", FED__SETTING_COUNT, AT(partition.labels), .initial = "2", .minimum = 1,
     .maximum = 100000, .meaning = "labels: classes of a client"},
    {"exponent", FED__SETTING_NUMBER, AT(partition.exponent), .initial = "1", .maximum = 100,
     .meaning = "power_law: the n-th largest client has a share as n^-exponent"},
    {"sigma", FED__SETTING_NUMBER, AT(partition.sigma), .initial = "1", .maximum = 10,
     .meaning = "log_normal: standard deviation of the logarithm of a client's share"},
    {"examples", FED__SETTING_COUNT, AT(partition.examples), .initial = "32", .minimum = 1,
     .maximum = 1000000000,
     .meaning = "drawn: each client draws as many of all, so that clients share examples"},
    {"minimum", FED__SETTING_COUNT, AT(partition.minimum), .initial = "1", .maximum = 1000000000,
     .unit = "examples",
     .meaning =
         "dirichlet: draw again until each client has so many; column: values with fewer are "
         "left out"},
    {"noise", FED__SETTING_NUMBER, AT(partition.noise), .initial = "0", .maximum = 1e6,
     .meaning =
         "feature, and whatever else divides but drawn: the numbers of the i-th of n clients "
         "(from 0) get Gaussian noise of the deviation noise * i / (n - 1)"},
    {"columns", FED__SETTING_TEXTS, AT(partition.columns),
     .more_offset = offsetof(struct fed__job, simulate.partition.column_count), .minimum = 1,
     .maximum = FED__GROUP_COLUMNS_MAX,
     .meaning = "column: of the data, not only of the model's inputs; each value is a client, of "
                "several columns each combination; sorted: the one with the numbers to sort by"},
    {"file", FED__SETTING_TEXT, AT(partition.file), .minimum = 1,
     .meaning = "file: a partition that was saved, relative to the working folder"},
    {NULL}};

static const char *const evaluated[] = {[FED__EVALUATED_COHORT] = "cohort",
                                        [FED__EVALUATED_SAMPLE] = "sample",
                                        [FED__EVALUATED_ALL] = "all",
                                        NULL};

static const struct fed__setting evaluate[] = {
    {"clients", FED__SETTING_WORD, AT(evaluate.clients), .initial = "cohort", .words = evaluated,
     .meaning =
         "at whom a version is measured: cohort, as in a deployment, by those who receive it "
         "for the next round; or the new version at a sample, or at all (at most 10000)"},
    {"sample", FED__SETTING_COUNT, AT(evaluate.sample), .initial = "100", .minimum = 1,
     .maximum = CLIENTS_MAX, .unit = "clients", .meaning = "sample: so many, evenly spaced"},
    {NULL}};

const struct fed__setting fed__simulate_settings[] = {
    {"clients", FED__SETTING_COUNT, AT(clients), .initial = "100", .minimum = 1,
     .maximum = CLIENTS_MAX, .unit = "clients", .meaning = "that there are"},
    {"partition", FED__SETTING_SECTION, .inner = partition,
     .meaning = "how one data set is divided among them"},
    {"device", FED__SETTING_SECTION, .inner = fed__simulate_device_settings,
     .meaning = "how fast and how reliable they are, on the virtual clock"},
    {"faults", FED__SETTING_SECTION, .inner = fed__simulate_fault_settings,
     .meaning = "what goes wrong between them and the server"},
    {"evaluate", FED__SETTING_SECTION, .inner = evaluate,
     .meaning =
         "what is known of single clients after each evaluation; at the end all are measured"},
    {"baselines", FED__SETTING_TEXTS, AT(baselines),
     .more_offset = offsetof(struct fed__job, simulate.baseline_count),
     .meaning =
         "what is trained besides, to compare with: centralised, local, best (single client)"},
    {NULL}};

const char *fed__partition_kind_name(enum fed__partition_kind kind) { return kinds[kind]; }

static int wants_columns(const struct fed__partition_settings *settings) {
  return settings->kind == FED__PARTITION_COLUMN || settings->kind == FED__PARTITION_SORTED;
}

static int has_too_many_columns(const struct fed__partition_settings *settings) {
  return settings->kind == FED__PARTITION_SORTED && settings->column_count > 1;
}

#define BASELINE_WORDS "centralised, local or best"

/* Its bit; 0: there is none of this name. */
static unsigned find_baseline(const char *word) {
  static const char *const words[] = {"centralised", "local", "best"};
  for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcmp(words[i], word) == 0) return 1u << i;
  return 0;
}

int fed__simulate_section_check(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed__partition_settings *settings = &job->simulate.partition;
  if (settings->kind == FED__PARTITION_FILE && !settings->file)
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.partition"), FED_E_MISSING,
                           "'%s' is missing: the saved partition's path",
                           "simulate.partition.file");
  if (wants_columns(settings) && !settings->column_count)
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.partition"), FED_E_MISSING,
                           "'%s' is missing: the columns by which to divide",
                           "simulate.partition.columns");
  if (has_too_many_columns(settings))
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.partition.columns"), FED_E_INPUT,
                           "'%s': the partition 'sorted' sorts by one column",
                           "simulate.partition.columns");
  if (settings->kind == FED__PARTITION_FEATURE && settings->noise <= 0)
    return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.partition"), FED_E_MISSING,
                           "'%s' is missing: the deviation of the last client's noise",
                           "simulate.partition.noise");
  for (size_t i = 0; i < job->simulate.baseline_count; i++)
    if (!find_baseline(job->simulate.baselines[i]))
      return FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, "simulate.baselines"), FED_E_UNSUPPORTED,
                             "'%s': expected %s, found '%s'", "simulate.baselines", BASELINE_WORDS,
                             job->simulate.baselines[i]);
  return fed__simulate_world_check(job, yaml);
}

static const struct fed__setting *find_setting(const char *key) {
  const struct fed__setting *setting = partition;
  while (setting->key && strcmp(setting->key, key) != 0) setting++;
  return setting;
}

static int raise_value(const struct fed__job *job, const struct fed__setting *setting,
                       const char *found) {
  struct fed_buffer expected;
  fed_buffer_init(&expected, job->context, 4096);
  const char *text =
      fed__setting_expected(setting, &expected) == FED_OK ? fed_buffer_text(&expected) : NULL;
  const int code = FED_RAISE(FED_E_USAGE, "partition, %s: expected %s, found '%s'", setting->key,
                             text ? text : "another value", found);
  fed_buffer_clear(&expected);
  return code;
}

static void free_texts(const struct fed_context *context, char **texts, size_t count) {
  for (size_t i = 0; texts && i < count; i++) fed__free(context, texts[i]);
  fed__free(context, texts);
}

static size_t count_items(const char *text) {
  size_t count = 1;
  for (; *text; text++) count += *text == ',';
  return count;
}

static int copy_items(const struct fed_context *context, const char *text, char **items,
                      size_t count) {
  for (size_t i = 0; i < count; i++) {
    const size_t size = strcspn(text, ",");
    if (size == 0) return FED_E_USAGE;
    items[i] = fed__copy_slice_text(context, fed_slice_of(text, size));
    if (!items[i]) return FED_E_MEMORY;
    text += size + 1;
  }
  return FED_OK;
}

/* "play,role" in place of a list. FED_E_USAGE, without a message, for an empty item. */
static int replace_texts(const struct fed_context *context, const char *text, char ***list,
                         size_t *list_count) {
  const size_t count = count_items(text);
  char **items = fed__zalloc(context, count + 1, sizeof *items);
  const int code = items ? copy_items(context, text, items, count) : FED_E_MEMORY;
  if (code != FED_OK) {
    free_texts(context, items, count);
    return code;
  }
  free_texts(context, *list, *list_count);
  *list = items;
  *list_count = count;
  return FED_OK;
}

static int set_columns(struct fed__job *job, const char *text) {
  struct fed__partition_settings *settings = &job->simulate.partition;
  const int code =
      count_items(text) > FED__GROUP_COLUMNS_MAX
          ? FED_E_USAGE
          : replace_texts(job->context, text, &settings->columns, &settings->column_count);
  if (code != FED_E_USAGE) return code;
  return FED_RAISE(code,
                   "partition, columns: expected 1 to %d names with commas between them, found "
                   "'%s'",
                   FED__GROUP_COLUMNS_MAX, text);
}

static int set_value(struct fed__job *job, const struct fed__setting *setting, const char *text) {
  char **file = &job->simulate.partition.file;
  char *before = *file;
  if (setting->type == FED__SETTING_TEXTS) return set_columns(job, text);
  if (setting->type == FED__SETTING_TEXT) *file = NULL;
  const int code = fed__setting_parse(job->context, setting, text, job);
  if (setting->type == FED__SETTING_TEXT && code == FED_OK) fed__free(job->context, before);
  if (setting->type == FED__SETTING_TEXT && code != FED_OK) *file = before;
  return code == FED_OK || code == FED_E_MEMORY ? code : raise_value(job, setting, text);
}

int fed__partition_choose(struct fed__job *job, const char *text) {
  struct fed__partition_settings *settings = &job->simulate.partition;
  const char *colon = strchr(text, ':');
  char kind[32];
  snprintf(kind, sizeof kind, "%.*s", (int)(colon ? colon - text : 31), text);
  FED_TRY(set_value(job, find_setting("kind"), kind));
  const char *own = own_keys[settings->kind];
  if (colon && !own)
    return FED_RAISE(FED_E_USAGE, "partition '%s' has no setting of its own: leave out '%s'", kind,
                     colon);
  if (colon) FED_TRY(set_value(job, find_setting(own), colon + 1));
  if (settings->kind == FED__PARTITION_FILE && !settings->file)
    return FED_RAISE(FED_E_USAGE, "partition 'file' needs the file: file:PATH");
  if (wants_columns(settings) && !settings->column_count)
    return FED_RAISE(FED_E_USAGE, "partition '%s' needs the column: %s:NAME", kind, kind);
  if (has_too_many_columns(settings))
    return FED_RAISE(FED_E_USAGE, "partition 'sorted' sorts by one column: sorted:NAME");
  if (settings->kind == FED__PARTITION_FEATURE && settings->noise <= 0)
    return FED_RAISE(FED_E_USAGE, "partition 'feature' needs a deviation above 0: feature:0.1");
  return FED_OK;
}

int fed__partition_print(const struct fed__job *job, struct fed_buffer *out) {
  const struct fed__partition_settings *settings = &job->simulate.partition;
  const char *own = own_keys[settings->kind];
  FED_TRY(fed_buffer_print(out, "%s%s", kinds[settings->kind], own ? ":" : ""));
  if (!wants_columns(settings))
    return own ? fed__setting_print(find_setting(own), job, out) : FED_OK;
  for (size_t i = 0; i < settings->column_count; i++)
    FED_TRY(fed_buffer_print(out, "%s%s", i ? "," : "", settings->columns[i]));
  return FED_OK;
}

unsigned fed__baselines_wanted(const struct fed__job *job) {
  unsigned wanted = 0;
  for (size_t i = 0; i < job->simulate.baseline_count; i++)
    wanted |= find_baseline(job->simulate.baselines[i]);
  return wanted;
}

int fed__baselines_choose(struct fed__job *job, const char *text) {
  size_t *count = &job->simulate.baseline_count;
  int code = replace_texts(job->context, text, &job->simulate.baselines, count);
  for (size_t i = 0; i < *count && code == FED_OK; i++)
    if (!find_baseline(job->simulate.baselines[i])) code = FED_E_USAGE;
  if (code != FED_E_USAGE) return code;
  return FED_RAISE(code, "baselines: expected %s, with commas between them, found '%s'",
                   BASELINE_WORDS, text);
}
