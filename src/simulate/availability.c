/* SPDX-License-Identifier: Apache-2.0
 *
 * availability.c: stretches of days, and intervals by binary search.
 */
#include "simulate/availability.h"
#include "base/memory.h"

#include <stdlib.h>

#define CAPACITY_MIN 256

/* ---- every day ------------------------------------------------------------------------------ */

struct fed__presence fed__presence_daily(int64_t from_us, int64_t length_us, int64_t time_us) {
  if (length_us >= FED__DAY_US) return (struct fed__presence){1, INT64_MAX};
  if (length_us <= 0) return (struct fed__presence){0, INT64_MAX};
  int64_t since_us = (time_us - from_us) % FED__DAY_US;
  if (since_us < 0) since_us += FED__DAY_US;
  if (since_us < length_us) return (struct fed__presence){1, time_us + length_us - since_us};
  return (struct fed__presence){0, time_us + FED__DAY_US - since_us};
}

/* ---- intervals ------------------------------------------------------------------------------ */

int fed__intervals_add(const struct fed_context *context, struct fed__intervals *intervals,
                       const struct fed__interval *interval) {
  if (intervals->count == intervals->capacity) {
    const size_t capacity = intervals->capacity ? 2 * intervals->capacity : CAPACITY_MIN;
    struct fed__interval *moved = fed__resize(context, intervals->items, capacity, sizeof *moved);
    if (!moved) return FED_E_MEMORY;
    intervals->items = moved;
    intervals->capacity = capacity;
  }
  intervals->items[intervals->count++] = *interval;
  return FED_OK;
}

void fed__intervals_clear(const struct fed_context *context, struct fed__intervals *intervals) {
  if (context) fed__free(context, intervals->items);
  *intervals = (struct fed__intervals){0};
}

static int compare(const void *a_, const void *b_) {
  const struct fed__interval *a = a_, *b = b_;
  if (a->client != b->client) return a->client < b->client ? -1 : 1;
  return (a->from_us > b->from_us) - (a->from_us < b->from_us);
}

void fed__intervals_sort(struct fed__intervals *intervals) {
  struct fed__interval *items = intervals->items;
  size_t kept = 0;
  if (!items) return;
  qsort(items, intervals->count, sizeof *items, compare);
  for (size_t i = 0; i < intervals->count; i++) {
    struct fed__interval *last = kept ? &items[kept - 1] : NULL;
    if (!last || last->client != items[i].client || last->to_us < items[i].from_us)
      items[kept++] = items[i];
    else if (last->to_us < items[i].to_us)
      last->to_us = items[i].to_us;
  }
  intervals->count = kept;
}

/* The first of the client's that ends after this time, or that of a later client. */
static size_t find(const struct fed__intervals *intervals, uint32_t client, int64_t time_us) {
  size_t low = 0, high = intervals->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const struct fed__interval *item = &intervals->items[middle];
    if (item->client < client || (item->client == client && item->to_us <= time_us))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static const struct fed__interval *next_of(const struct fed__intervals *intervals, uint32_t client,
                                           int64_t time_us) {
  const size_t at = find(intervals, client, time_us);
  return at < intervals->count && intervals->items[at].client == client ? &intervals->items[at]
                                                                        : NULL;
}

/* An interval that lasts to the end of the period goes on in the first of the next one. */
static int64_t end_of(const struct fed__intervals *intervals, const struct fed__interval *item,
                      int64_t period_us) {
  const int64_t repeats_us = intervals->repeats_us;
  const struct fed__interval *first = next_of(intervals, item->client, 0);
  if (!repeats_us || item->to_us < repeats_us || first->from_us > 0) return period_us + item->to_us;
  return first == item ? INT64_MAX : period_us + repeats_us + first->to_us;
}

struct fed__presence fed__presence_in(const struct fed__intervals *intervals, uint32_t client,
                                      int64_t time_us) {
  const int64_t repeats_us = intervals->repeats_us;
  int64_t period_us = repeats_us ? time_us / repeats_us * repeats_us : 0; /* where it began */
  const struct fed__interval *item = next_of(intervals, client, time_us - period_us);
  if (!item && repeats_us) {
    period_us += repeats_us;
    item = next_of(intervals, client, 0);
  }
  if (!item) return (struct fed__presence){0, INT64_MAX};
  if (time_us < period_us + item->from_us)
    return (struct fed__presence){0, period_us + item->from_us};
  return (struct fed__presence){1, end_of(intervals, item, period_us)};
}
