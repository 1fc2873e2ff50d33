/* SPDX-License-Identifier: Apache-2.0
 *
 * availability_trace.c: intervals of clients from a CSV file.
 */
#include "base/raise.h"
#include "simulate/client_index.h"
#include "simulate/device_trace.h"
#include "simulate/trace_file.h"

#include <math.h>
#include <stdio.h>

#define SECONDS_MAX 3.2e9 /* a hundred years */

enum column { CLIENT, FROM, TO, COLUMN_COUNT };

static const struct fed__trace_column columns[] = {
    [CLIENT] = {"client", 0, 1}, [FROM] = {"from", SECONDS_MAX, 1}, [TO] = {"to", SECONDS_MAX, 1}};

/* `latest_s` 0: any. */
static int read_times(const struct fed__trace_file *file, double latest_s,
                      struct fed__interval *interval) {
  char expected[64];
  double from_s, to_s;
  FED_TRY(fed__trace_file_number(file, FROM, &from_s));
  FED_TRY(fed__trace_file_number(file, TO, &to_s));
  if (from_s < 0) return fed__trace_file_raise(file, FROM, FED_E_MISSING, "seconds of the run");
  if (to_s <= from_s) {
    snprintf(expected, sizeof expected, "more than %.15g, the column 'from'", from_s);
    return fed__trace_file_raise(file, TO, FED_E_RANGE, expected);
  }
  if (latest_s > 0 && to_s > latest_s) {
    snprintf(expected, sizeof expected, "at most %.15g, after which the intervals repeat",
             latest_s);
    return fed__trace_file_raise(file, TO, FED_E_RANGE, expected);
  }
  interval->from_us = llround(from_s * 1e6);
  interval->to_us = llround(to_s * 1e6);
  return FED_OK;
}

static int read_rows(struct fed__devices *devices, struct fed__trace_file *file,
                     const struct fed__client_index *index) {
  struct fed__interval interval;
  int found;
  for (;;) {
    FED_TRY(fed__trace_file_next(file, &found));
    if (!found) break;
    const char *name = fed__trace_file_text(file, CLIENT);
    if (!name) return fed__trace_file_raise(file, CLIENT, FED_E_MISSING, "a client's name");
    FED_TRY(read_times(file, devices->settings->availability_repeats_s, &interval));
    interval.client = fed__client_index_find(index, name);
    if (interval.client != FED__CLIENT_NONE)
      FED_TRY(fed__intervals_add(devices->context, &devices->availability, &interval));
  }
  if (devices->availability.count == 0)
    return FED_RAISE(FED_E_EMPTY, "'%s' has no interval of any client", file->path);
  fed__intervals_sort(&devices->availability);
  return FED_OK;
}

int fed__availability_trace_read(struct fed__devices *devices,
                                 const struct fed__partition *clients) {
  struct fed__trace_file file;
  struct fed__client_index index = {0};
  devices->availability.repeats_us = llround(devices->settings->availability_repeats_s * 1e6);
  FED_TRY(fed__trace_file_open(devices->context, devices->settings->availability, columns,
                               COLUMN_COUNT, &file));
  int code = fed__client_index_init(&index, clients);
  if (code == FED_OK) code = read_rows(devices, &file, &index);
  fed__client_index_clear(&index);
  fed__trace_file_close(&file);
  return code;
}
