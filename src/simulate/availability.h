/* SPDX-License-Identifier: Apache-2.0
 *
 * availability.h: when a client is there: each day for a stretch, or in intervals from a file.
 *
 * Memory: nothing, or 24 bytes an interval. O(1), or O(log intervals), a question.
 */
#ifndef FED_SIMULATE_AVAILABILITY_H
#define FED_SIMULATE_AVAILABILITY_H

#include "job/job.h"

#define FED__DAY_US ((int64_t)86400 * 1000000)

struct fed__presence {
  int is_there;
  int64_t until_us; /* that long it stays so; INT64_MAX: for ever */
};

/* There from `from_us` of each day on for `length_us`. */
struct fed__presence fed__presence_daily(int64_t from_us, int64_t length_us, int64_t time_us);

struct fed__interval {
  int64_t from_us, to_us;
  uint32_t client;
};

/* Sorted by client and time; a client's do not touch each other. */
struct fed__intervals {
  struct fed__interval *items;
  size_t count, capacity;
  int64_t repeats_us; /* 0: they do not */
};

/* FED_E_MEMORY. Sort them before asking. */
FED_MUST int fed__intervals_add(const struct fed_context *context, struct fed__intervals *intervals,
                                const struct fed__interval *interval);
/* Bring them in order; those of a client that overlap or touch become one. */
void fed__intervals_sort(struct fed__intervals *intervals);
void fed__intervals_clear(const struct fed_context *context, struct fed__intervals *intervals);

/* Of a client without intervals: never there. */
struct fed__presence fed__presence_in(const struct fed__intervals *intervals, uint32_t client,
                                      int64_t time_us);

#endif
