/* SPDX-License-Identifier: Apache-2.0
 *
 * report_series.h: one figure of all versions as points to draw, over the rounds or over something
 * else that grows with them.
 */
#ifndef FED_REPORT_SERIES_H
#define FED_REPORT_SERIES_H

#include "report/report_data.h"
#include "report/report_plot.h"

#include <stddef.h>

/* A double in struct fed__report_version. */
#define FED__VERSION(name) offsetof(struct fed__report_version, name)

/* What goes along the x axis. */
struct fed__abscissa {
  size_t offset;     /* FED__VERSION(…); SIZE_MAX: the version's number */
  double unit;       /* points are divided by it */
  const char *title; /* of the axis */
  fed__tick_text *tick;
};

extern const struct fed__abscissa fed__over_rounds;

/* Virtual time in seconds, minutes or hours, and bytes since the start in B to TB, as fits so many
 * of them. */
struct fed__abscissa fed__over_time(double last_s);
struct fed__abscissa fed__over_bytes(double last);

/* From 0 to the last version, or a little `more`. */
struct fed__axis fed__abscissa_axis(const struct fed__abscissa *x,
                                    const struct fed__report_data *data, double more);

struct fed__axis fed__abscissa_axis_to(const struct fed__abscissa *x, double last, double more);

/* Where a version stands; NAN: not known. */
double fed__abscissa_place(const struct fed__abscissa *x, const struct fed__report_data *data,
                           size_t version);

/* The last version's place. */
double fed__abscissa_last(const struct fed__abscissa *x, const struct fed__report_data *data);

/* The member of a version; NAN: not known. */
double fed__version_member(const struct fed__report_version *version, size_t offset);

struct fed__series {
  const struct fed__report_data *data;
  struct fed__point *points; /* where the figure is known */
  size_t count;
};

/* Returns whether there is memory for it; markup->code says so, too. Clear it in any case. */
int fed__series_init(struct fed__series *series, const struct fed__report_data *data,
                     struct fed__markup *markup, const struct fed__abscissa *x, size_t offset);
void fed__series_clear(struct fed__series *series);

/* Take its figures into low and high. */
void fed__series_widen(const struct fed__series *series, double *low, double *high);

/* NAN of none. */
double fed__series_median(const struct fed__series *series);

/* Add a label at its end, if it has one; returns the number of labels. */
size_t fed__series_label(const struct fed__series *series, const char *text, const char *colour,
                         struct fed__line_label *labels, size_t count);

/* Ticks. */
fed__tick_text fed__tick_share, fed__tick_count;

#endif
