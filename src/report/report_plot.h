/* SPDX-License-Identifier: Apache-2.0
 *
 * report_plot.h: drawing in SVG: axes with ticks that people would have chosen, lines, bands,
 * bars, dots, and labels beside what they name. Colours come from the page's style by class:
 * `a` the server's test set, `b` the clients' held-out rows, `c` training, `w` trouble.
 */
#ifndef FED_REPORT_PLOT_H
#define FED_REPORT_PLOT_H

#include "report/report_markup.h"

#define FED__PLOT_WIDTH 560.0 /* of a whole drawing, in its own units */

/* Values from low to high, a tick every step from low; it need not end at a tick. */
struct fed__axis {
  double low, high, step;
};

/* The narrowest axis with ticks at 1, 2 or 5 times a power of ten that covers low to high; about
 * `ticks` of them, never closer than `step_min`. */
struct fed__axis fed__axis_fit(double low, double high, int ticks, double step_min);

struct fed__plot {
  struct fed__markup *markup;
  double left, top, width, height; /* of the area within the axes */
  struct fed__axis x, y;
};

double fed__plot_x(const struct fed__plot *plot, double value);
double fed__plot_y(const struct fed__plot *plot, double value);

/* `bottom` and `right` are the margins; `name` says in words what is drawn. */
void fed__plot_open(struct fed__plot *plot, double right, double bottom, const char *name);
void fed__plot_close(struct fed__plot *plot);

typedef const char *fed__tick_text(double value,
                                   struct fed__number_text *text); /* fed__percent &c. */
void fed__plot_x_axis(struct fed__plot *plot, fed__tick_text *tick, const char *title);
void fed__plot_y_axis(struct fed__plot *plot, fed__tick_text *tick, const char *title);

struct fed__point {
  double x, y;
};

/* A long line is thinned to a few hundred points that keep its peaks and troughs; `points` is
 * overwritten. */
void fed__plot_line(struct fed__plot *plot, const char *colour, struct fed__point *points,
                    size_t count);

/* The area between low and high, two arrays over the same x. */
void fed__plot_band(struct fed__plot *plot, const char *colour, const struct fed__point *low,
                    const struct fed__point *high, size_t count);

/* Bars from zero. */
void fed__plot_bars(struct fed__plot *plot, const char *colour, const struct fed__point *points,
                    size_t count);

/* Bars from zero that touch, over equal parts of the whole x axis. */
void fed__plot_histogram(struct fed__plot *plot, const char *colour, const struct fed__point *bins,
                         size_t count);

/* A row of a heat map: a cell for each count, the darker the larger its part of the row, with the
 * part in percent where there is room for it; and the columns' numbers from 0 below all rows. */
void fed__plot_cells(struct fed__plot *plot, const double *counts, size_t count, double y,
                     double height);
void fed__plot_columns(struct fed__plot *plot, size_t count, const char *title);

/* Names at the right end of lines, moved apart where they would touch. */
struct fed__line_label {
  const char *text, *colour;
  double y; /* value at the line's end; becomes the position */
};
#define FED__LINE_LABELS_MAX 8
void fed__plot_labels(struct fed__plot *plot, struct fed__line_label *labels, size_t count);

#endif
