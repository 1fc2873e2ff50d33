/* SPDX-License-Identifier: Apache-2.0
 *
 * report_run_figures.c: drawings of what only a simulation knows: how a version serves single
 * clients, how far they drift, and which classes are taken for which.
 */
#include "base/memory.h"
#include "report/report_parts.h"
#include "report/report_series.h"

#include <math.h>
#include <stdlib.h>

#define BARS_MIN 41 /* fewer clients have a row each, in report_clients.c */
#define BINS 20
#define ROW 22.0
#define NAME_COLUMNS 12
#define CLASSES_MAX 128
#define NAMED_CLASSES_MAX 24
#define MATRIX_HEIGHT 300.0

static struct fed__plot new_plot(struct fed__markup *markup, struct fed__axis x,
                                 struct fed__axis y) {
  const struct fed__plot plot = {
      .markup = markup, .left = 66, .top = 26, .height = 236, .x = x, .y = y};
  return plot;
}

/* ---- spread over the clients ---------------------------------------------------------------- */

static int has_accuracy(const struct fed__report_data *data) {
  size_t version;
  return isfinite(fed__report_newest(data, FED__VERSION(worst), &version));
}

static const char *number(const struct fed__report_data *data, double value,
                          struct fed__number_text *text) {
  return has_accuracy(data) ? fed__percent(value, text) : fed__decimal(value, text);
}

/* p5, p25, median, p75, p95 */
static void draw_percentiles(struct fed__markup *markup, struct fed__series series[5],
                             int in_percent) {
  struct fed__line_label labels[5];
  double low = HUGE_VAL, high = -HUGE_VAL;
  static const char *const names[] = {"5th", "25th", "median", "75th", "95th"};
  for (size_t i = 0; i < 5; i++) fed__series_widen(&series[i], &low, &high);
  struct fed__plot plot =
      new_plot(markup, fed__abscissa_axis(&fed__over_rounds, series[0].data, 0),
               in_percent ? fed__axis_fit(low, high, 6, 0.001)
                          : fed__axis_fit(fmin(low, 0), fmax(high, 0), 6, 1e-9));
  fed__plot_open(&plot, 86, 44, "percentiles of the clients over rounds");
  fed__plot_y_axis(&plot, in_percent ? fed__tick_share : fed__tick,
                   in_percent ? "accuracy at single clients" : "loss at single clients");
  fed__plot_x_axis(&plot, fed__over_rounds.tick, fed__over_rounds.title);
  fed__plot_band(&plot, "b", series[0].points, series[4].points, series[0].count);
  fed__plot_band(&plot, "b", series[1].points, series[3].points, series[0].count);
  fed__plot_line(&plot, "b", series[2].points, series[2].count);
  size_t count = 0;
  for (size_t i = 0; i < 5; i++)
    count = fed__series_label(&series[i], names[i], i == 2 ? "b" : "", labels, count);
  fed__plot_labels(&plot, labels, count);
  fed__plot_close(&plot);
}

static void title_spread(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text low, high;
  size_t version;
  fed__report_newest(data, FED__VERSION(median), &version);
  number(data, data->versions[version].p25, &low);
  number(data, data->versions[version].p75, &high);
  const double measured = data->versions[version].spread_clients;
  if (measured < (double)data->client_count)
    fed__markup_print(markup, "Half of the %.0f clients measured last are between %s and %s",
                      measured, low.text, high.text);
  else
    fed__markup_print(markup, "Half of the clients are between %s and %s", low.text, high.text);
}

void fed__report_draw_spread(const struct fed__report_data *data, struct fed__markup *markup) {
  static const size_t offsets[] = {FED__VERSION(p5), FED__VERSION(p25), FED__VERSION(median),
                                   FED__VERSION(p75), FED__VERSION(p95)};
  struct fed__series series[5];
  int ready = 1;
  for (size_t i = 0; i < 5; i++)
    ready &= fed__series_init(&series[i], data, markup, &fed__over_rounds, offsets[i]);
  if (ready && series[2].count) {
    fed__figure_open(markup);
    title_spread(data, markup);
    fed__figure_explain(markup);
    fed__markup_print(markup, "Each version at single clients, on rows that they hold out: the "
                              "bands run from the 5th to the 95th percentile of the clients and "
                              "from the 25th to the 75th.");
    fed__figure_body(markup);
    draw_percentiles(markup, series, has_accuracy(data));
    fed__figure_close(markup);
  }
  for (size_t i = 0; i < 5; i++) fed__series_clear(&series[i]);
}

/* ---- drift ---------------------------------------------------------------------------------- */

static void draw_lengths(struct fed__markup *markup, struct fed__series *mean,
                         struct fed__series *largest) {
  struct fed__line_label labels[2];
  double low = 0, high = 0;
  size_t count = 0;
  fed__series_widen(mean, &low, &high);
  fed__series_widen(largest, &low, &high);
  struct fed__plot plot = new_plot(markup, fed__abscissa_axis(&fed__over_rounds, mean->data, 0),
                                   fed__axis_fit(low, high, 6, 1e-9));
  fed__plot_open(&plot, 86, 44, "distance of the clients' models over rounds");
  fed__plot_y_axis(&plot, fed__tick, "L2 distance");
  fed__plot_x_axis(&plot, fed__over_rounds.tick, fed__over_rounds.title);
  count = fed__series_label(largest, "largest", "c", labels, count);
  count = fed__series_label(mean, "mean", "a", labels, count);
  fed__plot_line(&plot, "c", largest->points, largest->count);
  fed__plot_line(&plot, "a", mean->points, mean->count);
  fed__plot_labels(&plot, labels, count);
  fed__plot_close(&plot);
}

static void draw_agreement(const struct fed__report_data *data, struct fed__markup *markup,
                           struct fed__series *agreement) {
  struct fed__number_text text;
  double low = 0, high = 0;
  fed__series_widen(agreement, &low, &high);
  fed__figure_open(markup);
  fed__markup_print(markup, "Of the clients' steps, %s is left in the model's own",
                    fed__percent(fed__series_median(agreement), &text));
  fed__figure_explain(markup);
  fed__markup_print(markup, "The median. The length of the model's step in a round over the mean "
                            "length of the clients' own: 1 if all move alike, 0 if they cancel. A "
                            "server's learning rate and momentum are in it.");
  fed__figure_body(markup);
  struct fed__plot plot = new_plot(markup, fed__abscissa_axis(&fed__over_rounds, data, 0),
                                   fed__axis_fit(low, high, 6, 1e-9));
  fed__plot_open(&plot, 20, 44, "agreement of the clients over rounds");
  fed__plot_y_axis(&plot, fed__tick, "model's step over mean step");
  fed__plot_x_axis(&plot, fed__over_rounds.tick, fed__over_rounds.title);
  fed__plot_line(&plot, "a", agreement->points, agreement->count);
  fed__plot_close(&plot);
  fed__figure_close(markup);
}

void fed__report_draw_drift(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__series mean, largest, agreement;
  struct fed__number_text text;
  int ready = fed__series_init(&mean, data, markup, &fed__over_rounds, FED__VERSION(drift));
  ready &= fed__series_init(&largest, data, markup, &fed__over_rounds, FED__VERSION(drift_largest));
  ready &= fed__series_init(&agreement, data, markup, &fed__over_rounds, FED__VERSION(agreement));
  if (ready && mean.count) {
    fed__figure_open(markup);
    fed__markup_print(markup, "Clients move %s away from the model that they receive",
                      fed__decimal(fed__series_median(&mean), &text));
    fed__figure_explain(markup);
    fed__markup_print(markup, "The median of the means. Client drift: the L2 distance from the "
                              "received parameters to those after a client's local training.");
    fed__figure_body(markup);
    draw_lengths(markup, &mean, &largest);
    fed__figure_close(markup);
    draw_agreement(data, markup, &agreement);
  }
  fed__series_clear(&mean);
  fed__series_clear(&largest);
  fed__series_clear(&agreement);
}

/* ---- many clients --------------------------------------------------------------------------- */

static double figure_of(const struct fed__report_client *client, int in_percent) {
  return in_percent ? client->accuracy : client->loss;
}

static size_t count_bins(const struct fed__report_data *data, int in_percent,
                         struct fed__axis *axis, struct fed__point bins[BINS]) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  size_t count = 0;
  for (size_t i = 0; i < data->client_count; i++) {
    const double value = figure_of(&data->clients[i], in_percent);
    if (!isfinite(value)) continue;
    low = fmin(low, value);
    high = fmax(high, value);
    count++;
  }
  if (count < BARS_MIN) return 0;
  *axis = fed__axis_fit(low, high, 7, in_percent ? 0.001 : 1e-9);
  const double width = (axis->high - axis->low) / BINS;
  for (size_t i = 0; i < BINS; i++)
    bins[i] = (struct fed__point){axis->low + ((double)i + 0.5) * width, 0};
  for (size_t i = 0; i < data->client_count; i++) {
    const double value = figure_of(&data->clients[i], in_percent);
    if (isfinite(value)) bins[(size_t)fmin((value - axis->low) / width, BINS - 1)].y++;
  }
  return count;
}

void fed__report_draw_histogram(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__point bins[BINS];
  struct fed__axis axis;
  double high = 0;
  const int in_percent = has_accuracy(data);
  const size_t count = count_bins(data, in_percent, &axis, bins);
  if (!count) return;
  for (size_t i = 0; i < BINS; i++) high = fmax(high, bins[i].y);
  fed__figure_open(markup);
  fed__markup_print(markup, "How many clients the last model serves how well");
  fed__figure_explain(markup);
  fed__markup_print(markup, "%s of %zu clients, on rows that they hold out.",
                    in_percent ? "Accuracy" : "Loss", count);
  fed__figure_body(markup);
  struct fed__plot plot = new_plot(markup, axis, fed__axis_fit(0, high, 6, 1));
  fed__plot_open(&plot, 20, 44, "histogram of the clients");
  fed__plot_y_axis(&plot, fed__tick_count, "clients");
  fed__plot_histogram(&plot, "b", bins, BINS);
  fed__plot_x_axis(&plot, in_percent ? fed__tick_share : fed__tick,
                   in_percent ? "accuracy" : "loss");
  fed__plot_close(&plot);
  fed__figure_close(markup);
}

/* ---- the confusion matrix ------------------------------------------------------------------- */

struct matrix {
  const json_t *rows, *classes; /* classes: what summary.json says of each */
  size_t count;
  const char *what; /* rows it counts */
};

/* Every row has a count for every class. */
static int is_square(const struct matrix *matrix) {
  size_t i, k;
  const json_t *row, *count;
  json_array_foreach(matrix->rows, i, row) {
    if (json_array_size(row) != matrix->count) return 0;
    json_array_foreach(row, k, count) if (!json_is_number(count) ||
                                          !(json_number_value(count) >= 0)) return 0;
  }
  return 1;
}

static const char *class_name(const struct matrix *matrix, size_t class) {
  return fed__report_text(json_array_get(matrix->classes, class), "class", "?");
}

static double read_row(const struct matrix *matrix, size_t class, double *counts) {
  const json_t *row = json_array_get(matrix->rows, class);
  double sum = 0;
  for (size_t k = 0; k < matrix->count; k++)
    sum += counts[k] = json_number_value(json_array_get(row, k));
  return sum;
}

static void title_matrix(const struct matrix *matrix, struct fed__markup *markup) {
  double counts[CLASSES_MAX], lowest = HUGE_VAL;
  size_t worst = 0;
  struct fed__number_text text;
  for (size_t i = 0; i < matrix->count; i++) {
    const double sum = read_row(matrix, i, counts);
    if (sum > 0 && counts[i] / sum < lowest) {
      lowest = counts[i] / sum;
      worst = i;
    }
  }
  fed__markup_print(markup, "Class ");
  fed__markup_short(markup, class_name(matrix, worst), 24);
  fed__markup_print(markup, " is found least often: %s of its rows", fed__percent(lowest, &text));
}

static void draw_matrix(const struct matrix *matrix, struct fed__markup *markup) {
  const int named = matrix->count <= NAMED_CLASSES_MAX;
  const double height = named ? ROW : MATRIX_HEIGHT / (double)matrix->count;
  struct fed__plot plot = {
      .markup = markup, .left = 116, .top = 26, .height = (double)matrix->count * height};
  double counts[CLASSES_MAX];
  struct fed__number_text text;
  fed__plot_open(&plot, 64, 44, "which classes are taken for which");
  fed__markup_print(markup, "<text x=\"2\" y=\"%.1f\">what is right</text>", plot.top - 10);
  if (named)
    fed__markup_print(markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">rows</text>",
                      FED__PLOT_WIDTH - 4, plot.top - 10);
  else
    fed__markup_print(markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">a line a class</text>",
                      plot.left - 10, plot.top + plot.height / 2);
  for (size_t i = 0; i < matrix->count; i++) {
    const double y = plot.top + (double)i * height, sum = read_row(matrix, i, counts);
    fed__plot_cells(&plot, counts, matrix->count, y, height);
    if (!named) continue;
    fed__markup_print(markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">", plot.left - 10,
                      y + ROW / 2 + 4);
    fed__markup_short(markup, class_name(matrix, i), NAME_COLUMNS);
    fed__markup_print(markup, "</text><text class=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                      FED__PLOT_WIDTH - 4, y + ROW / 2 + 4, fed__count(sum, &text));
  }
  fed__plot_columns(&plot, matrix->count, "what the model names, by number from the top");
  fed__plot_close(&plot);
}

static void draw_confusion(const struct fed__report_data *data, struct fed__markup *markup,
                           const char *rows, const char *classes, const char *what) {
  const json_t *list = json_object_get(data->details, rows);
  const struct matrix matrix = {list,
                                json_object_get(json_object_get(data->summary, classes), "classes"),
                                json_array_size(list), what};
  if (matrix.count < 2 || matrix.count > CLASSES_MAX || !is_square(&matrix)) return;
  fed__figure_open(markup);
  title_matrix(&matrix, markup);
  fed__figure_explain(markup);
  fed__markup_print(markup,
                    "The last model on %s: a line for each class, in percent of its rows what the "
                    "model takes them for. Darker or brighter: more of them.",
                    what);
  fed__figure_body(markup);
  draw_matrix(&matrix, markup);
  fed__figure_close(markup);
}

void fed__report_draw_confusion(const struct fed__report_data *data, struct fed__markup *markup) {
  draw_confusion(data, markup, "test", "test_classes", "the test set");
  draw_confusion(data, markup, "held_out", "held_out_classes", "the clients' held-out rows");
}
