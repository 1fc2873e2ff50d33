/* SPDX-License-Identifier: Apache-2.0
 *
 * report_compare.h: several simulations beside each other. Runs whose settings and data are equal
 * but for the seed are one group, drawn and listed as mean and standard deviation.
 */
#ifndef FED_REPORT_COMPARE_H
#define FED_REPORT_COMPARE_H

#include "report/report_series.h"

#define FED__COMPARED_COLOURS                                                                      \
  8 /* classes s0 … of the style; groups beyond are listed, not drawn                            \
     */
#define FED__GROUP_NAME_BYTES 100

struct fed__compared_run {
  const char *name; /* without the folder that all have in common */
  struct fed__report_data data;
  size_t group;
};

struct fed__compared_group {
  char name[FED__GROUP_NAME_BYTES]; /* what its runs' names begin with */
  size_t first, count;              /* its first run; how many */
};

struct fed__comparison {
  const struct fed_context *context;
  struct fed__compared_run *runs;
  struct fed__compared_group *groups;
  size_t run_count, group_count;
};

/* Over the runs of a group in which a figure is known; the deviation is divided by one less than
 * their number, 0 for one. */
struct fed__group_figure {
  size_t count;
  double mean, deviation;
};
struct fed__group_figure fed__group_figure_of(const double *values, size_t count);

typedef void fed__comparison_part(const struct fed__comparison *comparison,
                                  struct fed__markup *markup);

/* report_compare_figures.c */
fed__comparison_part fed__comparison_draw;

/* report_compare_tables.c: groups with their differences from the first, runs, and the settings
 * that are not the same everywhere. */
fed__comparison_part fed__comparison_list_groups, fed__comparison_list_runs,
    fed__comparison_list_settings;

#endif
