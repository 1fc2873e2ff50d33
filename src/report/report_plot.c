/* SPDX-License-Identifier: Apache-2.0
 *
 * report_plot.c: drawing in SVG.
 */
#include "report/report_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define THIN_POINTS 300 /* a line has at most about this many points */
#define DOTS_MAX 60     /* with more points, a line has no dots */
#define LABEL_GAP 16.0
#define THIN_CELL 22.0 /* lower cells have no words and no gaps */

/* ---- axes ----------------------------------------------------------------------------------- */

static double nice_step(double raw) {
  const double power = pow(10, floor(log10(raw)));
  const double part = raw / power;
  return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

struct fed__axis fed__axis_fit(double low, double high, int ticks, double step_min) {
  if (!(high - low > step_min * 1e-9)) high = low + fmax(step_min, fabs(low) * 0.1 + 1e-6);
  const double step = fmax(nice_step((high - low) / ticks), step_min);
  const struct fed__axis axis = {floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step,
                                 step};
  return axis;
}

double fed__plot_x(const struct fed__plot *plot, double value) {
  return plot->left + (value - plot->x.low) / (plot->x.high - plot->x.low) * plot->width;
}

double fed__plot_y(const struct fed__plot *plot, double value) {
  return plot->top + (plot->y.high - value) / (plot->y.high - plot->y.low) * plot->height;
}

void fed__plot_open(struct fed__plot *plot, double right, double bottom, const char *name) {
  plot->width = FED__PLOT_WIDTH - plot->left - right;
  fed__markup_print(plot->markup,
                    "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
                    FED__PLOT_WIDTH, plot->top + plot->height + bottom, name);
}

void fed__plot_close(struct fed__plot *plot) { fed__markup_print(plot->markup, "</svg>\n"); }

static int tick_count(const struct fed__axis *axis) {
  return (int)((axis->high - axis->low) / axis->step + 1.5);
}

/* About half of a label's width, of characters 7 wide. */
static double half_width(const char *text) {
  size_t columns = 0;
  for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
  return 3.5 * (double)columns;
}

void fed__plot_x_axis(struct fed__plot *plot, fed__tick_text *tick, const char *title) {
  struct fed__number_text text;
  const double bottom = plot->top + plot->height;
  fed__markup_print(plot->markup, "<g class=\"middle\">");
  for (int i = 0; i < tick_count(&plot->x); i++) {
    const double value = plot->x.low + i * plot->x.step;
    if (value > plot->x.high * (1 + 1e-9)) break;
    const char *label = tick(value, &text);
    const double x = fmin(fed__plot_x(plot, value), FED__PLOT_WIDTH - half_width(label));
    fed__markup_print(plot->markup, "<text x=\"%.1f\" y=\"%.1f\">%s</text>", x, bottom + 18, label);
  }
  fed__markup_print(plot->markup, "<text x=\"%.1f\" y=\"%.1f\">%s</text></g>\n",
                    plot->left + plot->width / 2, bottom + 36, title);
}

void fed__plot_y_axis(struct fed__plot *plot, fed__tick_text *tick, const char *title) {
  struct fed__number_text text;
  for (int i = 0; i < tick_count(&plot->y); i++) {
    const double value = plot->y.low + i * plot->y.step;
    const double y = fed__plot_y(plot, value);
    fed__markup_print(plot->markup,
                      "<path class=\"%s\" d=\"M%.1f %.1fh%.1f\"/><text class=\"end\" x=\"%.1f\" "
                      "y=\"%.1f\">%s</text>",
                      fabs(value) < plot->y.step * 1e-6 ? "zero" : "rule", plot->left, y,
                      plot->width, plot->left - 8, y + 4,
                      tick(fabs(value) < plot->y.step * 1e-6 ? 0 : value, &text));
  }
  fed__markup_print(plot->markup, "<text x=\"2\" y=\"%.1f\">%s</text>\n", plot->top - 12, title);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static size_t group_size(size_t count, size_t groups) { return (count + groups - 1) / groups; }

/* Of every group of points only the lowest and the highest stay, in their order. */
static size_t thin(struct fed__point *points, size_t count) {
  const size_t size = group_size(count, THIN_POINTS / 2);
  size_t kept = 1; /* the first, for where the line starts */
  if (count <= THIN_POINTS) return count;
  const struct fed__point last = points[count - 1];
  for (size_t from = 1; from + 1 < count; from += size) {
    size_t low = from, high = from;
    for (size_t i = from; i < from + size && i + 1 < count; i++) {
      if (points[i].y < points[low].y) low = i;
      if (points[i].y > points[high].y) high = i;
    }
    const struct fed__point first = points[low < high ? low : high];
    const struct fed__point second = points[low < high ? high : low];
    points[kept++] = first;
    if (low != high) points[kept++] = second;
  }
  points[kept++] = last;
  return kept;
}

void fed__plot_line(struct fed__plot *plot, const char *colour, struct fed__point *points,
                    size_t count) {
  if (!count) return;
  count = thin(points, count);
  fed__markup_print(plot->markup, "<path class=\"line %s\" d=\"", colour);
  for (size_t i = 0; i < count; i++)
    fed__markup_print(plot->markup, "%c%.1f %.1f", i ? 'L' : 'M', fed__plot_x(plot, points[i].x),
                      fed__plot_y(plot, points[i].y));
  fed__markup_print(plot->markup, "\"/>\n");
  for (size_t i = 0; i < count && count <= DOTS_MAX; i++)
    fed__markup_print(plot->markup, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>",
                      colour, fed__plot_x(plot, points[i].x), fed__plot_y(plot, points[i].y));
}

static double extreme(const struct fed__point *points, size_t count, int want_high) {
  double found = points[0].y;
  for (size_t i = 1; i < count; i++)
    found = want_high ? fmax(found, points[i].y) : fmin(found, points[i].y);
  return found;
}

void fed__plot_band(struct fed__plot *plot, const char *colour, const struct fed__point *low,
                    const struct fed__point *high, size_t count) {
  const size_t size = group_size(count, THIN_POINTS);
  const size_t groups = count ? group_size(count, size) : 0;
  if (count < 2) return;
  fed__markup_print(plot->markup, "<path class=\"band %s\" d=\"", colour);
  for (size_t side = 0; side < 2; side++)
    for (size_t i = 0; i < groups; i++) {
      const size_t from = (side ? groups - 1 - i : i) * size;
      const size_t length = count - from < size ? count - from : size;
      fed__markup_print(plot->markup, "%c%.1f %.1f", side || i ? 'L' : 'M',
                        fed__plot_x(plot, low[from].x),
                        fed__plot_y(plot, extreme((side ? low : high) + from, length, !side)));
    }
  fed__markup_print(plot->markup, "Z\"/>\n");
}

static void draw_bar(struct fed__plot *plot, const char *colour, double x, double y, double width) {
  const double zero = fed__plot_y(plot, 0), top = fed__plot_y(plot, y);
  fed__markup_print(plot->markup,
                    "<rect class=\"bar %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                    colour, x - width / 2, fmin(top, zero), width, fabs(top - zero));
}

void fed__plot_bars(struct fed__plot *plot, const char *colour, const struct fed__point *points,
                    size_t count) {
  const double slot = plot->width / (plot->x.high - plot->x.low);
  const double width = fmin(slot * 0.72, 40);
  for (size_t i = 0; i < count; i++)
    draw_bar(plot, colour, fed__plot_x(plot, points[i].x), points[i].y, width);
  fed__markup_print(plot->markup, "\n");
}

void fed__plot_histogram(struct fed__plot *plot, const char *colour, const struct fed__point *bins,
                         size_t count) {
  const double width = plot->width / (double)count - 1;
  for (size_t i = 0; i < count; i++)
    if (bins[i].y != 0) draw_bar(plot, colour, fed__plot_x(plot, bins[i].x), bins[i].y, width);
  fed__markup_print(plot->markup, "\n");
}

/* ---- heat maps ------------------------------------------------------------------------------ */

static void draw_cell(struct fed__plot *plot, double x, double y, double width, double height,
                      double share) {
  const double gap = height < THIN_CELL ? 0 : 1;
  fed__markup_print(plot->markup,
                    "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                    "fill-opacity=\"%.2f\"/>",
                    x, y, width - gap, height - gap, sqrt(share));
  if (share >= 0.005 && width >= 30 && gap > 0)
    fed__markup_print(plot->markup, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%.0f</text>",
                      sqrt(share) > 0.6 ? "middle inverse" : "middle ink", x + width / 2,
                      y + height / 2 + 4, share * 100);
}

void fed__plot_cells(struct fed__plot *plot, const double *counts, size_t count, double y,
                     double height) {
  const double width = plot->width / (double)count;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += counts[i];
  for (size_t i = 0; i < count && sum > 0; i++)
    if (counts[i] > 0)
      draw_cell(plot, plot->left + (double)i * width, y, width, height, counts[i] / sum);
}

void fed__plot_columns(struct fed__plot *plot, size_t count, const char *title) {
  const double width = plot->width / (double)count;
  const size_t stride = (size_t)ceil(22 / width);
  for (size_t i = 0; i < count; i += stride)
    fed__markup_print(plot->markup, "<text class=\"middle\" x=\"%.1f\" y=\"%.1f\">%zu</text>",
                      plot->left + ((double)i + 0.5) * width, plot->top + plot->height + 18, i);
  fed__markup_print(plot->markup, "<text class=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                    plot->left + plot->width / 2, plot->top + plot->height + 36, title);
}

/* ---- labels --------------------------------------------------------------------------------- */

static int compare_labels(const void *left, const void *right) {
  const struct fed__line_label *a = left, *b = right;
  return (a->y > b->y) - (a->y < b->y);
}

void fed__plot_labels(struct fed__plot *plot, struct fed__line_label *labels, size_t count) {
  const double right = plot->left + plot->width;
  for (size_t i = 0; i < count; i++) labels[i].y = fed__plot_y(plot, labels[i].y);
  qsort(labels, count, sizeof *labels, compare_labels);
  for (size_t i = 1; i < count; i++) labels[i].y = fmax(labels[i].y, labels[i - 1].y + LABEL_GAP);
  for (size_t i = count; i-- > 0;) {
    const double lowest = plot->top + plot->height - (double)(count - 1 - i) * LABEL_GAP;
    labels[i].y = fmin(labels[i].y, lowest);
    fed__markup_print(plot->markup, "<text class=\"name %s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                      labels[i].colour, right + 8, labels[i].y + 4, labels[i].text);
  }
}
