/* SPDX-License-Identifier: Apache-2.0
 *
 * report_series.c: members of versions to points.
 */
#include "report/report_series.h"
#include "base/memory.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- members -------------------------------------------------------------------------------- */

double fed__version_member(const struct fed__report_version *version, size_t offset) {
  double value;
  memcpy(&value, (const char *)version + offset, sizeof value);
  return value;
}

double fed__report_newest(const struct fed__report_data *data, size_t offset, size_t *version) {
  for (size_t i = data->version_count; i-- > 0;) {
    const double value = fed__version_member(&data->versions[i], offset);
    if (isfinite(value)) {
      *version = i;
      return value;
    }
  }
  *version = 0;
  return NAN;
}

double fed__report_sum(const struct fed__report_data *data, size_t offset) {
  double sum = 0;
  for (size_t i = 0; i < data->version_count; i++) {
    const double value = fed__version_member(&data->versions[i], offset);
    if (isfinite(value)) sum += value;
  }
  return sum;
}

/* ---- the x axis ----------------------------------------------------------------------------- */

const char *fed__tick_count(double value, struct fed__number_text *text) {
  return fed__count(value, text);
}

const char *fed__tick_share(double share, struct fed__number_text *text) {
  snprintf(text->text, sizeof text->text, "%.3g\xc2\xa0%%", share * 100);
  return text->text;
}

const struct fed__abscissa fed__over_rounds = {SIZE_MAX, 1, "round", fed__tick_count};

struct fed__abscissa fed__over_time(double last_s) {
  struct fed__abscissa x = {FED__VERSION(virtual_s), 1, "virtual time, seconds", fed__tick};
  if (last_s > 3 * 3600) {
    x.unit = 3600;
    x.title = "virtual time, hours";
  } else if (last_s > 600) {
    x.unit = 60;
    x.title = "virtual time, minutes";
  }
  return x;
}

struct fed__abscissa fed__over_bytes(double last) {
  static const char *const titles[] = {"bytes both ways", "kB both ways", "MB both ways",
                                       "GB both ways", "TB both ways"};
  struct fed__abscissa x = {FED__VERSION(bytes_so_far), 1, titles[0], fed__tick};
  for (size_t i = 1; i < sizeof titles / sizeof titles[0] && last / x.unit > 2000; i++) {
    x.unit *= 1000;
    x.title = titles[i];
  }
  return x;
}

double fed__abscissa_place(const struct fed__abscissa *x, const struct fed__report_data *data,
                           size_t version) {
  if (version >= data->version_count) return NAN;
  if (x->offset == SIZE_MAX) return (double)version;
  return fed__version_member(&data->versions[version], x->offset) / x->unit;
}

double fed__abscissa_last(const struct fed__abscissa *x, const struct fed__report_data *data) {
  for (size_t i = data->version_count; i-- > 0;)
    if (isfinite(fed__abscissa_place(x, data, i))) return fed__abscissa_place(x, data, i);
  return 0;
}

struct fed__axis fed__abscissa_axis_to(const struct fed__abscissa *x, double last, double more) {
  const int whole = x->offset == SIZE_MAX;
  if (!(last > 0)) last = 1;
  struct fed__axis axis = fed__axis_fit(0, last, whole ? 9 : 7, whole ? 1 : last * 1e-3);
  axis.high = last + more;
  return axis;
}

struct fed__axis fed__abscissa_axis(const struct fed__abscissa *x,
                                    const struct fed__report_data *data, double more) {
  return fed__abscissa_axis_to(x, fed__abscissa_last(x, data), more);
}

/* ---- series --------------------------------------------------------------------------------- */

int fed__series_init(struct fed__series *series, const struct fed__report_data *data,
                     struct fed__markup *markup, const struct fed__abscissa *x, size_t offset) {
  *series = (struct fed__series){.data = data};
  if (markup->code != FED_OK) return 0;
  series->points = fed__zalloc(data->context, data->version_count, sizeof *series->points);
  if (!series->points) markup->code = FED_E_MEMORY;
  for (size_t i = 0; series->points && i < data->version_count; i++) {
    const struct fed__point point = {fed__abscissa_place(x, data, i),
                                     fed__version_member(&data->versions[i], offset)};
    if (isfinite(point.x) && isfinite(point.y)) series->points[series->count++] = point;
  }
  return series->points != NULL;
}

void fed__series_clear(struct fed__series *series) {
  fed__free(series->data->context, series->points);
}

void fed__series_widen(const struct fed__series *series, double *low, double *high) {
  for (size_t i = 0; i < series->count; i++) {
    *low = fmin(*low, series->points[i].y);
    *high = fmax(*high, series->points[i].y);
  }
}

static int compare_numbers(const void *left, const void *right) {
  const double *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

double fed__series_median(const struct fed__series *series) {
  double *values = fed__zalloc(series->data->context, series->count, sizeof *values), middle;
  if (!values || !series->count) {
    fed__free(series->data->context, values);
    return NAN;
  }
  for (size_t i = 0; i < series->count; i++) values[i] = series->points[i].y;
  qsort(values, series->count, sizeof *values, compare_numbers);
  middle = (values[(series->count - 1) / 2] + values[series->count / 2]) / 2;
  fed__free(series->data->context, values);
  return middle;
}

size_t fed__series_label(const struct fed__series *series, const char *text, const char *colour,
                         struct fed__line_label *labels, size_t count) {
  if (!series->count) return count;
  labels[count] = (struct fed__line_label){text, colour, series->points[series->count - 1].y};
  return count + 1;
}
