/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_groups.c: a client for each group of rows that have the same values: who is large
 * enough, in which order, and under which name.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/partition_rows.h"

#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX 1000000
#define NAME_MAX_BYTES (FED__CLIENT_NAME_BYTES - 1)

/* A group that may become a client. */
struct entry {
  const struct fed__row_groups *groups;
  uint32_t group;
  size_t size; /* examples */
  char name[FED__CLIENT_NAME_BYTES];
};

/* ---- order ---------------------------------------------------------------------------------- */

static int is_whole(const char *text) { return text[strspn(text, "0123456789")] == '\0'; }

/* Whole numbers by their size, anything else byte by byte. */
static int compare_values(const char *a, const char *b) {
  if (is_whole(a) && is_whole(b)) {
    const char *left = a + strspn(a, "0"), *right = b + strspn(b, "0");
    if (strlen(left) != strlen(right)) return strlen(left) < strlen(right) ? -1 : 1;
    const int order = strcmp(left, right);
    if (order) return order;
  }
  return strcmp(a, b);
}

static int compare_entries(const void *a, const void *b) {
  const struct entry *left = a, *right = b;
  int order = 0;
  for (size_t k = 0; k < left->groups->column_count && order == 0; k++)
    order = compare_values(fed__row_groups_value(left->groups, left->group, k),
                           fed__row_groups_value(right->groups, right->group, k));
  return order;
}

/* ---- names ---------------------------------------------------------------------------------- */

static int is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/* Its values with a point between two; a run of other characters is one '_'. */
static void make_name(struct entry *entry) {
  size_t size = 0;
  for (size_t k = 0; k < entry->groups->column_count; k++) {
    const char *value = fed__row_groups_value(entry->groups, entry->group, k);
    if (k && size < NAME_MAX_BYTES) entry->name[size++] = '.';
    for (; *value && size < NAME_MAX_BYTES; value++) {
      const int hides = !is_plain(*value) && size && entry->name[size - 1] == '_';
      if (!hides) entry->name[size++] = is_plain(*value) ? *value : '_';
    }
  }
  entry->name[size] = '\0';
}

static void add_number(struct entry *entry, size_t number) {
  char suffix[24];
  const int size = snprintf(suffix, sizeof suffix, "-%zu", number);
  size_t at = strlen(entry->name);
  if (at > NAME_MAX_BYTES - (size_t)size) at = NAME_MAX_BYTES - (size_t)size;
  memcpy(entry->name + at, suffix, (size_t)size + 1);
}

static int compare_names(const void *a, const void *b) {
  const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;
  const int order = strcmp(left->name, right->name);
  return order ? order : (left > right) - (left < right); /* then in the order of the values */
}

/* Of equal names all but the first get a number. Is there nothing left to do? */
static int number_equals(struct entry **sorted, size_t count) {
  int all_differ = 1;
  qsort(sorted, count, sizeof *sorted, compare_names);
  for (size_t first = 0, i = 1; i < count; i++) {
    if (strcmp(sorted[i]->name, sorted[first]->name) != 0) {
      first = i;
      continue;
    }
    all_differ = 0;
    add_number(sorted[i], i - first + 1);
  }
  return all_differ;
}

/* A name with its number may be another's: hence again, until all differ. */
static int make_names(const struct fed_context *context, struct entry *entries, size_t count) {
  struct entry **sorted = fed__alloc(context, count * sizeof *sorted);
  if (!sorted) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) {
    make_name(&entries[i]);
    sorted[i] = &entries[i];
  }
  int all_differ = 0;
  for (size_t turn = 0; turn < count && !all_differ; turn++)
    all_differ = number_equals(sorted, count);
  fed__free(context, sorted);
  FED_REQUIRE(all_differ);
  return FED_OK;
}

/* ---- the partition -------------------------------------------------------------------------- */

static void count_sizes(const struct fed__row_groups *groups, struct entry *entries) {
  const uint32_t *group_of = fed__row_groups_of(groups);
  for (uint32_t g = 0; g < groups->count; g++) {
    entries[g].groups = groups;
    entries[g].group = g;
  }
  for (size_t i = 0; i < groups->example_count; i++) entries[group_of[i]].size++;
}

/* Those that are large enough come to the front, sorted. */
static int choose(const struct fed__partition_settings *settings, struct entry *entries,
                  size_t *count) {
  const char *column = settings->columns[0];
  const char *more = settings->column_count > 1 ? " and other columns" : "";
  size_t kept = 0, largest = 0;
  for (size_t i = 0; i < *count; i++) {
    if (entries[i].size > largest) largest = entries[i].size;
    if (entries[i].size >= settings->minimum) entries[kept++] = entries[i];
  }
  if (kept == 0)
    return FED_RAISE(FED_E_RANGE,
                     "the partition by '%.100s'%s: no client has the minimum of %u examples, the "
                     "largest of %zu has %zu",
                     column, more, settings->minimum, *count, largest);
  if (kept > CLIENTS_MAX)
    return FED_RAISE(FED_E_RANGE,
                     "the partition by '%.100s'%s makes %zu clients, more than %d: is it a number "
                     "that is another one in each row?",
                     column, more, kept, CLIENTS_MAX);
  *count = kept;
  qsort(entries, kept, sizeof *entries, compare_entries);
  return FED_OK;
}

static int fill(struct fed__partition *partition, const struct fed__row_groups *groups,
                const struct entry *entries, uint32_t *client_of_group, uint32_t *client_of) {
  for (uint32_t g = 0; g < groups->count; g++) client_of_group[g] = FED__PARTITION_NOBODY;
  for (uint32_t c = 0; c < partition->client_count; c++) {
    client_of_group[entries[c].group] = c;
    memcpy(partition->names[c], entries[c].name, sizeof entries[c].name);
  }
  for (size_t i = 0; i < groups->example_count; i++)
    client_of[i] = client_of_group[fed__row_groups_of(groups)[i]];
  return fed__partition_collect(partition, client_of);
}

static int make(struct fed__partition *partition, const struct fed__row_groups *groups,
                const struct entry *entries) {
  const struct fed_context *context = partition->context;
  uint32_t *client_of_group = fed__alloc(context, groups->count * sizeof *client_of_group);
  uint32_t *client_of = fed__alloc(context, groups->example_count * sizeof *client_of);
  int code = FED_E_MEMORY;
  partition->names = fed__zalloc(context, partition->client_count, sizeof *partition->names);
  if (client_of_group && client_of && partition->names)
    code = fill(partition, groups, entries, client_of_group, client_of);
  fed__free(context, client_of_group);
  fed__free(context, client_of);
  return code;
}

int fed__partition_of_groups(const struct fed_context *context,
                             const struct fed__partition_settings *settings,
                             const struct fed__row_groups *groups,
                             struct fed__partition *partition) {
  size_t count = groups->count;
  if (count < 2)
    return FED_RAISE(FED_E_RANGE,
                     "the partition by '%.100s': all %zu examples have the same value%s%.100s",
                     settings->columns[0], groups->example_count, count ? ": " : "",
                     count ? fed__row_groups_value(groups, 0, 0) : "");
  struct entry *entries = fed__zalloc(context, count, sizeof *entries);
  if (!entries) return FED_E_MEMORY;
  count_sizes(groups, entries);
  int code = choose(settings, entries, &count);
  if (code == FED_OK) code = make_names(context, entries, count);
  *partition = (struct fed__partition){
      .context = context, .client_count = (uint32_t)count, .example_count = groups->example_count};
  if (code == FED_OK) code = make(partition, groups, entries);
  fed__free(context, entries);
  if (code != FED_OK) fed__partition_clear(partition);
  return code;
}
