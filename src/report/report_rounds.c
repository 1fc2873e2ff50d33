/* SPDX-License-Identifier: Apache-2.0
 *
 * report_rounds.c: drawings over the rounds: accuracy, loss, seconds, bytes.
 */
#include "base/memory.h"
#include "report/report_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define BARS_MAX 80
#define MEMBER(name) offsetof(struct fed__report_version, name)

static double member(const struct fed__report_version *version, size_t offset) {
  double value;
  memcpy(&value, (const char *)version + offset, sizeof value);
  return value;
}

double fed__report_newest(const struct fed__report_data *data, size_t offset, size_t *version) {
  for (size_t i = data->version_count; i-- > 0;) {
    const double value = member(&data->versions[i], offset);
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
    const double value = member(&data->versions[i], offset);
    if (isfinite(value)) sum += value;
  }
  return sum;
}

/* ---- series --------------------------------------------------------------------------------- */

struct series {
  const struct fed__report_data *data;
  struct fed__point *points;
  size_t count;
};

static int series_init(struct series *series, const struct fed__report_data *data,
                       struct fed__markup *markup, size_t offset) {
  *series = (struct series){.data = data};
  if (markup->code != FED_OK) return 0;
  series->points = fed__zalloc(data->context, data->version_count, sizeof *series->points);
  if (!series->points) markup->code = FED_E_MEMORY;
  for (size_t i = 0; series->points && i < data->version_count; i++) {
    const double value = member(&data->versions[i], offset);
    if (isfinite(value)) series->points[series->count++] = (struct fed__point){(double)i, value};
  }
  return series->points != NULL;
}

static void series_clear(struct series *series) {
  fed__free(series->data->context, series->points);
}

static void widen(const struct series *series, double *low, double *high) {
  for (size_t i = 0; i < series->count; i++) {
    *low = fmin(*low, series->points[i].y);
    *high = fmax(*high, series->points[i].y);
  }
}

/* The last point of each series of some length becomes a label. */
static size_t add_label(const struct series *series, const char *text, const char *colour,
                        struct fed__line_label *labels, size_t count) {
  if (!series->count) return count;
  labels[count] = (struct fed__line_label){text, colour, series->points[series->count - 1].y};
  return count + 1;
}

static int compare_numbers(const void *left, const void *right) {
  const double *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

static double median(const struct series *series) {
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

/* ---- axes ----------------------------------------------------------------------------------- */

static const char *whole(double value, struct fed__number_text *text) {
  return fed__count(value, text);
}

static const char *whole_percent(double share, struct fed__number_text *text) {
  snprintf(text->text, sizeof text->text, "%.3g\xc2\xa0%%", share * 100);
  return text->text;
}

static const char *bytes_either_way(double bytes, struct fed__number_text *text) {
  return fed__bytes(fabs(bytes), text);
}

/* Rounds from 0 to the newest; half a round more on both sides for bars. */
static struct fed__axis rounds_axis(const struct fed__report_data *data, double more) {
  const double last = data->version_count > 1 ? (double)data->version_count - 1 : 1;
  struct fed__axis axis = fed__axis_fit(0, last, 9, 1);
  axis.high = last + more;
  return axis;
}

static struct fed__plot new_plot(struct fed__markup *markup, struct fed__axis x,
                                 struct fed__axis y) {
  const struct fed__plot plot = {
      .markup = markup, .left = 66, .top = 26, .height = 236, .x = x, .y = y};
  return plot;
}

/* ---- accuracy ------------------------------------------------------------------------------- */

static void title_accuracy(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text last_text, best_text;
  size_t version, best_version = 0;
  double last = fed__report_newest(data, MEMBER(test_accuracy), &version), best = 0;
  const int on_server = isfinite(last);
  const size_t offset = on_server ? MEMBER(test_accuracy) : MEMBER(held_out);
  if (!on_server) last = fed__report_newest(data, offset, &version);
  for (size_t i = 0; i < data->version_count; i++)
    if (member(&data->versions[i], offset) > best) {
      best = member(&data->versions[i], offset);
      best_version = i;
    }
  const char *what = on_server ? "Test" : "Held-out";
  if (best > last + 0.01)
    fed__markup_print(markup, "%s accuracy peaked at %s after round %zu and ended at %s", what,
                      fed__percent(best, &best_text), best_version, fed__percent(last, &last_text));
  else
    fed__markup_print(markup, "%s accuracy reached %s after %zu round%s", what,
                      fed__percent(last, &last_text), version, version == 1 ? "" : "s");
}

static void draw_band(const struct fed__report_data *data, struct fed__plot *plot) {
  struct series worst, best;
  const int ready = series_init(&worst, data, plot->markup, MEMBER(worst));
  if (series_init(&best, data, plot->markup, MEMBER(best)) && ready)
    fed__plot_band(plot, "b", worst.points, best.points, worst.count);
  series_clear(&worst);
  series_clear(&best);
}

static void draw_accuracies(const struct fed__report_data *data, struct fed__markup *markup,
                            struct series *test, struct series *held_out) {
  struct fed__line_label labels[FED__LINE_LABELS_MAX];
  double low = 1, high = 0;
  size_t label_count = 0;
  widen(test, &low, &high);
  widen(held_out, &low, &high);
  for (size_t i = 0; i < data->version_count; i++) {
    low = fmin(low, data->versions[i].worst);
    high = fmax(high, data->versions[i].best);
  }
  struct fed__plot plot =
      new_plot(markup, rounds_axis(data, 0), fed__axis_fit(low, high, 6, 0.001));
  fed__plot_open(&plot, 86, 44, "accuracy over rounds");
  fed__plot_y_axis(&plot, whole_percent, "accuracy");
  fed__plot_x_axis(&plot, whole, "round");
  draw_band(data, &plot);
  label_count = add_label(held_out, "held out", "b", labels, label_count);
  label_count = add_label(test, "test set", "a", labels, label_count);
  fed__plot_line(&plot, "b", held_out->points, held_out->count);
  fed__plot_line(&plot, "a", test->points, test->count);
  fed__plot_labels(&plot, labels, label_count);
  fed__plot_close(&plot);
}

void fed__report_draw_accuracy(const struct fed__report_data *data, struct fed__markup *markup) {
  struct series test, held_out;
  const int ready = series_init(&test, data, markup, MEMBER(test_accuracy));
  if (series_init(&held_out, data, markup, MEMBER(held_out)) && ready &&
      test.count + held_out.count) {
    fed__figure_open(markup);
    title_accuracy(data, markup);
    fed__figure_explain(markup);
    if (test.count) fed__markup_print(markup, "Test set: rows that the server holds. ");
    if (held_out.count)
      fed__markup_print(markup, "Held out: rows that each client keeps out of training, all "
                                "clients together; the band runs from the worst client to the "
                                "best.");
    fed__figure_body(markup);
    draw_accuracies(data, markup, &test, &held_out);
    fed__figure_close(markup);
  }
  series_clear(&test);
  series_clear(&held_out);
}

/* ---- loss ----------------------------------------------------------------------------------- */

static void title_loss(struct fed__markup *markup, const struct series *train,
                       const struct series *test) {
  const struct series *shown = train->count ? train : test;
  struct fed__number_text first_text, last_text;
  const double first = shown->points[0].y, last = shown->points[shown->count - 1].y;
  const char *what = train->count ? "Training" : "Test";
  fed__decimal(first, &first_text);
  fed__decimal(last, &last_text);
  if (shown->count == 1 || fabs(last - first) < 0.005 * fabs(first))
    fed__markup_print(markup, "%s loss %s %s", what, shown->count == 1 ? "is" : "stayed at",
                      last_text.text);
  else
    fed__markup_print(markup, "%s loss %s from %s to %s", what, last < first ? "fell" : "rose",
                      first_text.text, last_text.text);
}

static void draw_losses(const struct fed__report_data *data, struct fed__markup *markup,
                        struct series *series) {
  static const char *const names[] = {"training", "held out", "test set"};
  static const char *const colours[] = {"c", "b", "a"};
  struct fed__line_label labels[FED__LINE_LABELS_MAX];
  double low = 0, high = 0;
  size_t label_count = 0;
  for (size_t i = 0; i < 3; i++) widen(&series[i], &low, &high);
  struct fed__plot plot = new_plot(markup, rounds_axis(data, 0), fed__axis_fit(low, high, 6, 1e-9));
  fed__plot_open(&plot, 86, 44, "loss over rounds");
  fed__plot_y_axis(&plot, fed__tick, "loss");
  fed__plot_x_axis(&plot, whole, "round");
  for (size_t i = 0; i < 3; i++) {
    label_count = add_label(&series[i], names[i], colours[i], labels, label_count);
    fed__plot_line(&plot, colours[i], series[i].points, series[i].count);
  }
  fed__plot_labels(&plot, labels, label_count);
  fed__plot_close(&plot);
}

void fed__report_draw_loss(const struct fed__report_data *data, struct fed__markup *markup) {
  static const size_t offsets[] = {MEMBER(train_loss), MEMBER(held_out_loss), MEMBER(test_loss)};
  struct series series[3];
  int ready = 1;
  for (size_t i = 0; i < 3; i++) ready &= series_init(&series[i], data, markup, offsets[i]);
  if (ready && series[0].count + series[2].count) {
    fed__figure_open(markup);
    title_loss(markup, &series[0], &series[2]);
    fed__figure_explain(markup);
    fed__markup_print(markup, "Lower is better. Training: mean over the rows while the clients "
                              "train on them in that round.");
    fed__figure_body(markup);
    draw_losses(data, markup, series);
    fed__figure_close(markup);
  }
  for (size_t i = 0; i < 3; i++) series_clear(&series[i]);
}

/* ---- seconds -------------------------------------------------------------------------------- */

static void draw_amounts(struct fed__plot *plot, const char *colour, struct series *series) {
  if (series->data->version_count <= BARS_MAX)
    fed__plot_bars(plot, colour, series->points, series->count);
  else
    fed__plot_line(plot, colour, series->points, series->count);
}

void fed__report_draw_seconds(const struct fed__report_data *data, struct fed__markup *markup) {
  struct series seconds;
  struct fed__number_text text;
  double low = 0, high = 0;
  if (series_init(&seconds, data, markup, MEMBER(seconds)) && seconds.count) {
    widen(&seconds, &low, &high);
    fed__figure_open(markup);
    fed__markup_print(markup, "Half of the rounds took less than %s",
                      fed__duration(median(&seconds), &text));
    fed__figure_explain(markup);
    fed__markup_print(markup, "From the first invitation to the new version; the longest took %s.",
                      fed__duration(high, &text));
    fed__figure_body(markup);
    struct fed__plot plot =
        new_plot(markup, rounds_axis(data, 0.6), fed__axis_fit(low, high, 5, 1e-3));
    fed__plot_open(&plot, 20, 44, "seconds of each round");
    fed__plot_y_axis(&plot, fed__tick, "seconds");
    fed__plot_x_axis(&plot, whole, "round");
    draw_amounts(&plot, "a", &seconds);
    fed__plot_close(&plot);
    fed__figure_close(markup);
  }
  series_clear(&seconds);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static double round_up_bytes(double high) { return high > 0 ? high : 1; }

static void draw_transfers(const struct fed__report_data *data, struct fed__markup *markup,
                           struct series *up, struct series *down) {
  double low = 0, high = 0;
  widen(up, &low, &high);
  for (size_t i = 0; i < down->count; i++) down->points[i].y = -down->points[i].y;
  widen(down, &low, &high);
  struct fed__plot plot =
      new_plot(markup, rounds_axis(data, 0.6), fed__axis_fit(low, round_up_bytes(high), 6, 1));
  fed__plot_open(&plot, 20, 44, "bytes of each round");
  fed__plot_y_axis(&plot, bytes_either_way, "received by the server");
  fed__plot_x_axis(&plot, whole, "round");
  draw_amounts(&plot, "a", up);
  draw_amounts(&plot, "b", down);
  fed__markup_print(markup, "<text x=\"2\" y=\"%.1f\">sent by the server</text>\n",
                    plot.top + plot.height + 36);
  fed__plot_close(&plot);
}

void fed__report_draw_bytes(const struct fed__report_data *data, struct fed__markup *markup) {
  struct series up, down;
  struct fed__number_text up_text, down_text;
  const int ready = series_init(&up, data, markup, MEMBER(bytes_up));
  if (series_init(&down, data, markup, MEMBER(bytes_down)) && ready && up.count + down.count) {
    fed__figure_open(markup);
    fed__markup_print(markup, "A round moved about %s to the server and %s from it",
                      fed__bytes(median(&up), &up_text), fed__bytes(median(&down), &down_text));
    fed__figure_explain(markup);
    fed__markup_print(markup, "The medians. Bytes as the server's network connections saw them, "
                              "of all clients together.");
    fed__figure_body(markup);
    draw_transfers(data, markup, &up, &down);
    fed__figure_close(markup);
  }
  series_clear(&up);
  series_clear(&down);
}
