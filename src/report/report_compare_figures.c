/* SPDX-License-Identifier: Apache-2.0
 *
 * report_compare_figures.c: one curve a group, over rounds, virtual time and bytes.
 *
 * A group's point is the mean over its runs of a version's figure and of where it stands on the x
 * axis, so that runs that take unequal time are averaged round by round. A curve ends where the
 * first of its runs does: what is left would be the mean of others.
 */
#include "base/memory.h"
#include "report/report_compare.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>

struct curve {
  struct fed__point *mean, *low, *high; /* low and high: a standard deviation away */
  size_t count;
};

struct drawing {
  const struct fed__comparison *comparison;
  struct fed__markup *markup;
  const struct fed__abscissa *x;
  size_t offset;  /* FED__VERSION(…) of what is drawn */
  int in_percent; /* it is a share; else it is drawn from 0 */
  struct curve curves[FED__COMPARED_COLOURS];
  size_t count;
};

/* ---- curves --------------------------------------------------------------------------------- */

static size_t longest(const struct fed__comparison *comparison, size_t group) {
  size_t count = 0;
  for (size_t i = 0; i < comparison->run_count; i++)
    if (comparison->runs[i].group == group && comparison->runs[i].data.version_count > count)
      count = comparison->runs[i].data.version_count;
  return count;
}

/* A version of each run of the group; NAN where a run does not have it. */
static void gather(const struct drawing *drawing, size_t group, size_t version, double *x,
                   double *y) {
  const struct fed__comparison *comparison = drawing->comparison;
  size_t count = 0;
  for (size_t i = 0; i < comparison->run_count; i++) {
    const struct fed__report_data *data = &comparison->runs[i].data;
    if (comparison->runs[i].group != group) continue;
    x[count] = fed__abscissa_place(drawing->x, data, version);
    y[count] = version < data->version_count && isfinite(x[count])
                   ? fed__version_member(&data->versions[version], drawing->offset)
                   : NAN;
    if (!isfinite(y[count])) x[count] = NAN;
    count++;
  }
}

/* How many of the group's runs have the figure at all. */
static size_t runs_with_figure(const struct drawing *drawing, size_t group, double *values) {
  const size_t runs = drawing->comparison->groups[group].count;
  size_t most = 0;
  for (size_t version = 0; version < longest(drawing->comparison, group); version++) {
    gather(drawing, group, version, values, values + runs);
    const size_t count = fed__group_figure_of(values + runs, runs).count;
    most = count > most ? count : most;
  }
  return most;
}

static void fill(const struct drawing *drawing, size_t group, struct curve *curve, double *values) {
  const size_t runs = drawing->comparison->groups[group].count;
  const size_t all = runs_with_figure(drawing, group, values);
  for (size_t version = 0; version < longest(drawing->comparison, group); version++) {
    gather(drawing, group, version, values, values + runs);
    const struct fed__group_figure x = fed__group_figure_of(values, runs);
    const struct fed__group_figure y = fed__group_figure_of(values + runs, runs);
    if (!all || y.count < all) continue;
    curve->mean[curve->count] = (struct fed__point){x.mean, y.mean};
    const double high = y.mean + y.deviation, low = y.mean - y.deviation;
    curve->low[curve->count] = (struct fed__point){x.mean, y.mean < 0 ? low : fmax(0, low)};
    curve->high[curve->count++] =
        (struct fed__point){x.mean, drawing->in_percent ? fmin(1, high) : high};
  }
}

static void make_curve(const struct drawing *drawing, size_t group, struct curve *curve) {
  const struct fed__comparison *comparison = drawing->comparison;
  const size_t versions = longest(comparison, group);
  struct fed__point *points = fed__zalloc(comparison->context, 3 * versions, sizeof *points);
  double *values =
      fed__zalloc(comparison->context, 2 * comparison->groups[group].count, sizeof *values);
  *curve = (struct curve){points, points + versions, points + 2 * versions, 0};
  if (points && values)
    fill(drawing, group, curve, values);
  else
    drawing->markup->code = FED_E_MEMORY;
  fed__free(comparison->context, values);
  if (points) return;
  *curve = (struct curve){0};
}

static void begin(struct drawing *drawing) {
  const size_t groups = drawing->comparison->group_count;
  drawing->count = groups < FED__COMPARED_COLOURS ? groups : FED__COMPARED_COLOURS;
  for (size_t i = 0; i < drawing->count; i++) make_curve(drawing, i, &drawing->curves[i]);
}

static void end(const struct drawing *drawing) {
  for (size_t i = 0; i < drawing->count; i++)
    fed__free(drawing->comparison->context, drawing->curves[i].mean);
}

static int is_empty(const struct drawing *drawing) {
  for (size_t i = 0; i < drawing->count; i++)
    if (drawing->curves[i].count) return 0;
  return 1;
}

/* ---- one figure ----------------------------------------------------------------------------- */

struct extent {
  double right, low, high;
};

static struct extent measure(const struct drawing *drawing) {
  struct extent extent = {0, HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < drawing->count; i++)
    for (size_t k = 0; k < drawing->curves[i].count; k++) {
      extent.right = fmax(extent.right, drawing->curves[i].mean[k].x);
      extent.low = fmin(extent.low, drawing->curves[i].low[k].y);
      extent.high = fmax(extent.high, drawing->curves[i].high[k].y);
    }
  return extent;
}

static void draw_curves(const struct drawing *drawing, struct fed__plot *plot) {
  char colour[24];
  for (size_t i = 0; i < drawing->count; i++) {
    const struct curve *curve = &drawing->curves[i];
    snprintf(colour, sizeof colour, "s%zu", i);
    if (drawing->comparison->groups[i].count > 1)
      fed__plot_band(plot, colour, curve->low, curve->high, curve->count);
  }
  for (size_t i = 0; i < drawing->count; i++) {
    snprintf(colour, sizeof colour, "s%zu", i);
    fed__plot_line(plot, colour, drawing->curves[i].mean, drawing->curves[i].count);
  }
}

static void put_legend(const struct drawing *drawing) {
  const struct fed__comparison *comparison = drawing->comparison;
  fed__markup_print(drawing->markup, "<ul class=\"legend\">\n");
  for (size_t i = 0; i < drawing->count; i++) {
    const struct fed__compared_group *group = &comparison->groups[i];
    if (!drawing->curves[i].count) continue;
    fed__markup_print(drawing->markup,
                      "<li><svg viewBox=\"0 0 28 10\"><path class=\"line s%zu\" d=\"M1 5h26\"/>"
                      "</svg>",
                      i);
    fed__markup_text(drawing->markup, group->name);
    if (group->count > 1) fed__markup_print(drawing->markup, " (%zu seeds)", group->count);
    fed__markup_print(drawing->markup, "</li>\n");
  }
  fed__markup_print(drawing->markup, "</ul>\n");
}

static int has_seeds(const struct fed__comparison *comparison) {
  size_t i = 0;
  while (i < comparison->group_count && comparison->groups[i].count < 2) i++;
  return i < comparison->group_count;
}

static void draw_figure(struct drawing *drawing, const char *title, const char *name) {
  struct fed__markup *markup = drawing->markup;
  const int in_percent = drawing->in_percent;
  begin(drawing);
  if (!is_empty(drawing) && markup->code == FED_OK) {
    const struct extent extent = measure(drawing);
    fed__figure_open(markup);
    fed__markup_print(markup, "%s", title);
    fed__figure_explain(markup);
    if (has_seeds(drawing->comparison))
      fed__markup_print(markup, "Means over a group's runs, give or take a standard deviation; a "
                                "curve ends where the first of its runs does.");
    fed__figure_body(markup);
    struct fed__plot plot = {
        .markup = markup,
        .left = 66,
        .top = 26,
        .height = 236,
        .x = fed__abscissa_axis_to(drawing->x, extent.right, 0),
        .y = in_percent ? fed__axis_fit(extent.low, extent.high, 6, 0.001)
                        : fed__axis_fit(fmin(extent.low, 0), fmax(extent.high, 0), 6, 1e-9)};
    fed__plot_open(&plot, 20, 44, title);
    fed__plot_y_axis(&plot, in_percent ? fed__tick_share : fed__tick, name);
    fed__plot_x_axis(&plot, drawing->x->tick, drawing->x->title);
    draw_curves(drawing, &plot);
    fed__plot_close(&plot);
    put_legend(drawing);
    fed__figure_close(markup);
  }
  end(drawing);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static double largest(const struct fed__comparison *comparison, size_t offset) {
  double most = 0;
  for (size_t i = 0; i < comparison->run_count; i++) {
    size_t version;
    most = fmax(most, fed__report_newest(&comparison->runs[i].data, offset, &version));
  }
  return most;
}

static int any_has(const struct fed__comparison *comparison, size_t offset) {
  size_t version;
  for (size_t i = 0; i < comparison->run_count; i++)
    if (isfinite(fed__report_newest(&comparison->runs[i].data, offset, &version))) return 1;
  return 0;
}

static void draw_over_all(const struct fed__comparison *comparison, struct fed__markup *markup,
                          size_t offset, const char *what, int in_percent) {
  const double last_s = largest(comparison, FED__VERSION(virtual_s));
  const struct fed__abscissa xs[] = {
      fed__over_rounds, fed__over_time(last_s),
      fed__over_bytes(largest(comparison, FED__VERSION(bytes_so_far)))};
  static const char *const names[] = {"rounds", "virtual time", "bytes"};
  char title[96];
  for (size_t i = 0; i < 3; i++) {
    struct drawing drawing = {.comparison = comparison,
                              .markup = markup,
                              .x = &xs[i],
                              .offset = offset,
                              .in_percent = in_percent};
    if (i == 1 && !(last_s > 0)) continue;
    snprintf(title, sizeof title, "%s over %s", what, names[i]);
    draw_figure(&drawing, title, in_percent ? "accuracy" : "loss");
  }
}

static void draw_by_rounds(const struct fed__comparison *comparison, struct fed__markup *markup,
                           size_t offset, const char *title, const char *name, int in_percent) {
  struct drawing drawing = {.comparison = comparison,
                            .markup = markup,
                            .x = &fed__over_rounds,
                            .offset = offset,
                            .in_percent = in_percent};
  draw_figure(&drawing, title, name);
}

void fed__comparison_draw(const struct fed__comparison *comparison, struct fed__markup *markup) {
  const int tested = any_has(comparison, FED__VERSION(test_loss));
  const size_t accuracy = tested ? FED__VERSION(test_accuracy) : FED__VERSION(held_out);
  const size_t loss = tested ? FED__VERSION(test_loss) : FED__VERSION(held_out_loss);
  fed__markup_print(markup, "<div class=\"grid\">\n");
  if (any_has(comparison, accuracy)) {
    draw_over_all(comparison, markup, accuracy, tested ? "Test accuracy" : "Held-out accuracy", 1);
    draw_by_rounds(comparison, markup, loss, tested ? "Test loss" : "Held-out loss", "loss", 0);
  } else {
    draw_over_all(comparison, markup, loss, tested ? "Test loss" : "Held-out loss", 0);
  }
  draw_by_rounds(comparison, markup, FED__VERSION(worst), "Accuracy of the worst client measured",
                 "accuracy", 1);
  draw_by_rounds(comparison, markup, FED__VERSION(drift), "Client drift, mean of the cohort",
                 "L2 distance", 0);
  fed__markup_print(markup, "</div>\n");
  if (comparison->group_count > FED__COMPARED_COLOURS)
    fed__markup_print(markup, "<p>The first %d of %zu groups are drawn.</p>\n",
                      FED__COMPARED_COLOURS, comparison->group_count);
}
