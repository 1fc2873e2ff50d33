/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_sorted.c: the examples sorted by a number of theirs and cut into pieces of equal size:
 * a client has the young, another the old.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "job/settings.h"
#include "simulate/partition_rows.h"

#include <math.h>
#include <stdlib.h>

/* A value of the column; and an example with it. */
struct sortable {
  double number;
  uint32_t row;
};

static int compare(const void *a, const void *b) {
  const struct sortable *left = a, *right = b;
  const int order = (left->number > right->number) - (left->number < right->number);
  return order ? order : (left->row > right->row) - (left->row < right->row);
}

static int read_number(const char *column, const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  if (end != text && *end == '\0' && isfinite(*number) && !strpbrk(text, "xX")) return FED_OK;
  return FED_RAISE(FED_E_TYPE,
                   "the partition by '%.100s': expected numbers to sort by, found '%.60s'", column,
                   text);
}

static int read_numbers(const struct fed__row_groups *groups, const char *column, double *numbers) {
  struct fed__number_locale locale;
  int code = FED_OK;
  FED_TRY(fed__number_locale_begin(&locale));
  for (uint32_t g = 0; g < groups->count && code == FED_OK; g++)
    code = read_number(column, fed__row_groups_value(groups, g, 0), &numbers[g]);
  fed__number_locale_end(&locale);
  return code;
}

static int cut(struct fed__partition *partition, const struct sortable *sorted,
               uint32_t *client_of) {
  const size_t count = partition->example_count, clients = partition->client_count;
  for (size_t c = 0; c < clients; c++)
    for (size_t i = c * count / clients; i < (c + 1) * count / clients; i++)
      client_of[sorted[i].row] = (uint32_t)c;
  return fed__partition_collect(partition, client_of);
}

static int make(struct fed__partition *partition, const struct fed__row_groups *groups,
                const char *column) {
  const size_t count = partition->example_count;
  double *numbers = fed__alloc(partition->context, groups->count * sizeof *numbers);
  struct sortable *sorted = fed__alloc(partition->context, count * sizeof *sorted);
  uint32_t *client_of = fed__alloc(partition->context, count * sizeof *client_of);
  int code = numbers && sorted && client_of ? read_numbers(groups, column, numbers) : FED_E_MEMORY;
  if (code == FED_OK) {
    for (size_t i = 0; i < count; i++)
      sorted[i] = (struct sortable){numbers[fed__row_groups_of(groups)[i]], (uint32_t)i};
    qsort(sorted, count, sizeof *sorted, compare);
    code = cut(partition, sorted, client_of);
  }
  fed__free(partition->context, numbers);
  fed__free(partition->context, sorted);
  fed__free(partition->context, client_of);
  return code;
}

int fed__partition_of_sorted(const struct fed_context *context, const char *column,
                             const struct fed__row_groups *groups, uint32_t client_count,
                             struct fed__partition *partition) {
  *partition = (struct fed__partition){
      .context = context, .client_count = client_count, .example_count = groups->example_count};
  if (groups->example_count < client_count)
    return FED_RAISE(FED_E_RANGE, "%zu examples are not enough for %u clients",
                     groups->example_count, client_count);
  const int code = make(partition, groups, column);
  if (code != FED_OK) fed__partition_clear(partition);
  return code;
}
