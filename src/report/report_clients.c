/* SPDX-License-Identifier: Apache-2.0
 *
 * report_clients.c: clients beside each other: accuracy, labels; and the baselines.
 */
#include "base/memory.h"
#include "report/report_parts.h"
#include "report/report_series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 40  /* clients with a row each */
#define DOTS_MAX 400 /* clients with a dot each */
#define ROW 22.0     /* height */
#define NAME_COLUMNS 15
#define NAMED_ROWS_MAX 24 /* of the heat map; with more, rows are thin */
#define THIN_ROWS_MAX 120
#define THIN_HEIGHT 260.0

/* ---- ranking -------------------------------------------------------------------------------- */

struct rank {
  double score;
  size_t index;
};

int fed__report_clients_have_accuracy(const struct fed__report_data *data) {
  size_t i = 0;
  while (i < data->client_count && !isfinite(data->clients[i].accuracy)) i++;
  return i < data->client_count;
}

static int compare_ranks(const void *left, const void *right) {
  const struct rank *a = left, *b = right;
  if (a->score != b->score) return a->score < b->score ? 1 : -1;
  return (a->index > b->index) - (a->index < b->index);
}

size_t *fed__report_ranking(const struct fed__report_data *data, struct fed__markup *markup,
                            size_t *count) {
  struct rank *ranks = fed__zalloc(data->context, data->client_count, sizeof *ranks);
  size_t *order = fed__zalloc(data->context, data->client_count, sizeof *order);
  const int by_accuracy = fed__report_clients_have_accuracy(data);
  *count = 0;
  for (size_t i = 0; ranks && i < data->client_count; i++) {
    const struct fed__report_client *client = &data->clients[i];
    const double score = by_accuracy ? client->accuracy : -client->loss;
    if (isfinite(score)) ranks[(*count)++] = (struct rank){score, i};
  }
  if (ranks) qsort(ranks, *count, sizeof *ranks, compare_ranks);
  for (size_t i = 0; ranks && order && i < *count; i++) order[i] = ranks[i].index;
  if (!ranks || !order) markup->code = FED_E_MEMORY;
  fed__free(data->context, ranks);
  if (markup->code == FED_OK && *count) return order;
  fed__free(data->context, order);
  return NULL;
}

double fed__report_mean_accuracy(const struct fed__report_data *data) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < data->client_count; i++)
    if (isfinite(data->clients[i].accuracy)) {
      sum += data->clients[i].accuracy;
      count++;
    }
  return count > 0 ? sum / count : NAN;
}

/* ---- rows of dots --------------------------------------------------------------------------- */

static struct fed__plot rows_plot(struct fed__markup *markup, size_t rows, double low,
                                  double high) {
  const struct fed__plot plot = {.markup = markup,
                                 .left = 132,
                                 .top = 26,
                                 .height = (double)rows * ROW,
                                 .x = fed__axis_fit(low, high, 5, 0.001)};
  return plot;
}

static double row_y(const struct fed__plot *plot, size_t row) {
  return plot->top + ((double)row + 0.5) * ROW;
}

static void draw_row_name(const struct fed__plot *plot, size_t row, const char *name,
                          size_t columns) {
  fed__markup_print(
      plot->markup,
      "<path class=\"rule\" d=\"M%.1f %.1fh%.1f\"/><text class=\"end\" x=\"%.1f\" y=\"%.1f\">",
      plot->left, row_y(plot, row), plot->width, plot->left - 10, row_y(plot, row) + 4);
  fed__markup_short(plot->markup, name, columns);
  fed__markup_print(plot->markup, "</text>");
}

static void draw_dot(const struct fed__plot *plot, size_t row, double value, const char *class) {
  fed__markup_print(plot->markup, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", class,
                    fed__plot_x(plot, value), row_y(plot, row));
}

static void draw_mean(const struct fed__plot *plot, double mean) {
  struct fed__number_text text;
  const double x = fed__plot_x(plot, mean);
  fed__markup_print(plot->markup,
                    "<path class=\"mean\" d=\"M%.1f %.1fv%.1f\"/><text class=\"middle\" x=\"%.1f\" "
                    "y=\"%.1f\">mean %s</text>\n",
                    x, plot->top - 4, plot->height + 4, x, plot->top - 10,
                    fed__percent(mean, &text));
}

/* ---- accuracy of each client ---------------------------------------------------------------- */

static void draw_client_row(const struct fed__plot *plot, size_t row,
                            const struct fed__report_client *client, int stands_out) {
  struct fed__number_text accuracy, examples;
  draw_row_name(plot, row, client->name, NAME_COLUMNS);
  draw_dot(plot, row, client->accuracy, "dot b");
  fed__markup_print(plot->markup, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>",
                    stands_out ? "name b" : "ink", plot->left + plot->width + 10,
                    row_y(plot, row) + 4, fed__percent(client->accuracy, &accuracy));
  fed__markup_print(plot->markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                    FED__PLOT_WIDTH - 4, row_y(plot, row) + 4,
                    fed__count(client->examples, &examples));
}

static void draw_client_rows(const struct fed__report_data *data, struct fed__markup *markup,
                             const size_t *order, size_t count) {
  struct fed__plot plot = rows_plot(markup, count, data->clients[order[count - 1]].accuracy,
                                    data->clients[order[0]].accuracy);
  fed__plot_open(&plot, 124, 44, "accuracy of each client");
  fed__markup_print(markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">trains on</text>",
                    FED__PLOT_WIDTH - 4, plot.top - 10);
  for (size_t i = 0; i < count; i++)
    draw_client_row(&plot, i, &data->clients[order[i]], i == 0 || i + 1 == count);
  draw_mean(&plot, fed__report_mean_accuracy(data));
  fed__plot_x_axis(&plot, fed__tick_share, "accuracy on the client's held-out rows");
  fed__plot_close(&plot);
}

/* Many clients: a dot each from best to worst, or for a regular choice of them. */
static void draw_client_curve(const struct fed__report_data *data, struct fed__markup *markup,
                              const size_t *order, size_t count) {
  const size_t stride = (count + DOTS_MAX - 1) / DOTS_MAX;
  const double low = data->clients[order[count - 1]].accuracy;
  struct fed__plot plot = {.markup = markup,
                           .left = 58,
                           .top = 26,
                           .height = 236,
                           .x = fed__axis_fit(0, (double)count, 8, 1),
                           .y = fed__axis_fit(low, data->clients[order[0]].accuracy, 6, 0.001)};
  plot.x.high = (double)count;
  fed__plot_open(&plot, 20, 44, "accuracy of the clients, best first");
  fed__plot_y_axis(&plot, fed__tick_share, "accuracy on the client's held-out rows");
  fed__plot_x_axis(&plot, fed__count, "clients, best first");
  for (size_t i = 0; i < count; i += stride) {
    const struct fed__report_client *client = &data->clients[order[i]];
    fed__markup_print(markup, "<circle class=\"dot b\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>",
                      fed__plot_x(&plot, (double)i + 0.5), fed__plot_y(&plot, client->accuracy));
  }
  fed__plot_close(&plot);
}

static void title_clients(struct fed__markup *markup, const struct fed__report_client *worst,
                          const struct fed__report_client *best) {
  struct fed__number_text text;
  if (worst == best) {
    fed__markup_short(markup, best->name, 40);
    fed__markup_print(markup, " reaches %s", fed__percent(best->accuracy, &text));
    return;
  }
  fed__markup_print(markup, "Clients range from %s (", fed__percent(worst->accuracy, &text));
  fed__markup_short(markup, worst->name, 40);
  fed__markup_print(markup, ") to %s (", fed__percent(best->accuracy, &text));
  fed__markup_short(markup, best->name, 40);
  fed__markup_print(markup, ")");
}

void fed__report_draw_clients(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  size_t count;
  if (!fed__report_clients_have_accuracy(data)) return;
  size_t *order = fed__report_ranking(data, markup, &count);
  if (!order) return;
  fed__figure_open(markup);
  title_clients(markup, &data->clients[order[count - 1]], &data->clients[order[0]]);
  fed__figure_explain(markup);
  fed__markup_print(markup,
                    "The newest version that each client measured, on rows that it did not "
                    "train on; their mean is %s.",
                    fed__percent(fed__report_mean_accuracy(data), &text));
  fed__figure_body(markup);
  (count <= ROWS_MAX ? draw_client_rows : draw_client_curve)(data, markup, order, count);
  fed__figure_close(markup);
  fed__free(data->context, order);
}

/* ---- labels --------------------------------------------------------------------------------- */

static double sum_of(const double *counts, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += counts[i];
  return sum;
}

static double largest_share(const double *counts, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, counts[i]);
  const double sum = sum_of(counts, count);
  return sum > 0 ? largest / sum : 0;
}

struct skew {
  size_t clients;  /* with labels */
  double own, all; /* the commonest label's share: mean of clients', and of all rows together */
};

static struct skew measure_skew(const struct fed__report_data *data) {
  double total[FED__REPORT_LABELS_MAX] = {0};
  struct skew skew = {0};
  for (size_t i = 0; i < data->client_count; i++) {
    const double *labels = data->clients[i].labels;
    if (!labels) continue;
    skew.clients++;
    skew.own += largest_share(labels, data->label_count);
    for (size_t j = 0; j < data->label_count; j++) total[j] += labels[j];
  }
  if (skew.clients) skew.own /= (double)skew.clients;
  skew.all = largest_share(total, data->label_count);
  return skew;
}

static void name_label_row(const struct fed__plot *plot, const struct fed__report_client *client,
                           double examples, double y) {
  struct fed__number_text text;
  fed__markup_print(plot->markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">", plot->left - 10, y);
  fed__markup_short(plot->markup, client->name, NAME_COLUMNS);
  fed__markup_print(plot->markup, "</text><text class=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                    FED__PLOT_WIDTH - 4, y, fed__count(examples, &text));
}

/* With many clients the lines are thin and without words: the pattern is what one can see. */
static void draw_label_rows(const struct fed__report_data *data, struct fed__markup *markup,
                            size_t clients) {
  const int named = clients <= NAMED_ROWS_MAX;
  const size_t stride = (clients + THIN_ROWS_MAX - 1) / THIN_ROWS_MAX;
  const size_t rows = (clients + stride - 1) / stride;
  const double height = named ? ROW : THIN_HEIGHT / (double)rows;
  struct fed__plot plot = {
      .markup = markup, .left = 132, .top = 26, .height = (double)rows * height};
  size_t seen = 0, row = 0;
  fed__plot_open(&plot, 64, 44, "share of each label at each client");
  fed__markup_print(markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>",
                    named ? FED__PLOT_WIDTH - 4 : plot.left - 10,
                    named ? plot.top - 10 : plot.top + plot.height / 2,
                    named ? "rows" : "a line a client");
  for (size_t i = 0; i < data->client_count; i++) {
    const struct fed__report_client *client = &data->clients[i];
    if (!client->labels || seen++ % stride) continue;
    const double y = plot.top + (double)row++ * height;
    fed__plot_cells(&plot, client->labels, data->label_count, y, height);
    if (named)
      name_label_row(&plot, client, sum_of(client->labels, data->label_count), y + ROW / 2 + 4);
  }
  fed__plot_columns(&plot, data->label_count, "label");
  fed__plot_close(&plot);
}

void fed__report_draw_labels(const struct fed__report_data *data, struct fed__markup *markup) {
  const struct skew skew = measure_skew(data);
  struct fed__number_text own, all;
  if (!skew.clients) return;
  fed__percent(skew.own, &own);
  fed__percent(skew.all, &all);
  fed__figure_open(markup);
  if (skew.own > 1.4 * skew.all)
    fed__markup_print(markup,
                      "Clients hold different data: a client's commonest label makes up %s "
                      "of its rows",
                      own.text);
  else
    fed__markup_print(markup,
                      "Clients hold similar data: a client's commonest label makes up %s "
                      "of its rows",
                      own.text);
  fed__figure_explain(markup);
  fed__markup_print(markup,
                    "On average; over all rows together the commonest label makes up %s. "
                    "Darker or brighter: a larger part of the client's rows, in percent.",
                    all.text);
  if (skew.clients > THIN_ROWS_MAX)
    fed__markup_print(markup, " Some of the %zu clients are shown.", skew.clients);
  fed__figure_body(markup);
  draw_label_rows(data, markup, skew.clients);
  fed__figure_close(markup);
}

/* ---- baselines ------------------------------------------------------------------------------ */

/* Accuracies where there are any, else losses. */
static int baselines_in_percent(const struct fed__report_data *data) {
  size_t i = 0;
  while (i < data->baseline_count && !isfinite(data->baselines[i].accuracy)) i++;
  return i < data->baseline_count;
}

static double figure_of(const struct fed__report_data *data,
                        const struct fed__report_baseline *baseline) {
  return baselines_in_percent(data) ? baseline->accuracy : baseline->loss;
}

/* The first baseline with both words in its name. */
static double baseline_called(const struct fed__report_data *data, const char *word,
                              const char *second) {
  for (size_t i = 0; i < data->baseline_count; i++)
    if (strstr(data->baselines[i].name, word) && strstr(data->baselines[i].name, second))
      return figure_of(data, &data->baselines[i]);
  return NAN;
}

static void print_difference(struct fed__markup *markup, double points, const char *what) {
  const double rounded = floor(fabs(points) * 1000 + 0.5) / 10;
  if (rounded < 0.05)
    fed__markup_print(markup, "level with %s", what);
  else
    fed__markup_print(markup, "%.1f points %s %s", rounded, points > 0 ? "above" : "below", what);
}

static void print_loss(struct fed__markup *markup, const char *what, double loss) {
  struct fed__number_text text;
  if (isfinite(loss)) fed__markup_print(markup, "%s %s", what, fed__decimal(loss, &text));
}

static void title_baselines(const struct fed__report_data *data, struct fed__markup *markup) {
  const double federated = baseline_called(data, "federated", "");
  const double alone = baseline_called(data, "local", "mean");
  const double pooled = baseline_called(data, "centralised", "");
  if (!isfinite(federated) || (!isfinite(alone) && !isfinite(pooled))) {
    fed__markup_print(markup, "%s beside other ways to train",
                      baselines_in_percent(data) ? "Accuracy" : "Loss");
    return;
  }
  if (!baselines_in_percent(data)) {
    print_loss(markup, "Loss: federated", federated);
    print_loss(markup, ", alone", alone);
    print_loss(markup, ", pooled", pooled);
    return;
  }
  fed__markup_print(markup, "Federated: ");
  if (isfinite(alone)) print_difference(markup, federated - alone, "training alone");
  if (isfinite(alone) && isfinite(pooled)) fed__markup_print(markup, ", ");
  if (isfinite(pooled)) print_difference(markup, federated - pooled, "pooling the data");
}

static void draw_baseline(const struct fed__plot *plot, size_t row, const char *name, double value,
                          int in_percent) {
  struct fed__number_text text;
  const int own = strcmp(name, "federated") == 0;
  draw_row_name(plot, row, name, 32);
  draw_dot(plot, row, value, own ? "dot b" : "dot");
  fed__markup_print(plot->markup, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                    own ? "name b" : "ink", plot->left + plot->width + 10, row_y(plot, row) + 4,
                    in_percent ? fed__percent(value, &text) : fed__decimal(value, &text));
}

/* Where the simulation says it: the rows that all of them were measured on. */
static const char *measured_on(const struct fed__report_data *data) {
  if (!data->is_simulated) return "";
  return fed__report_text(data->summary, "test", NULL) ||
                 json_is_object(json_object_get(data->summary, "tested"))
             ? ", measured on the test set"
             : ", measured on the rows that clients hold out";
}

void fed__report_draw_baselines(const struct fed__report_data *data, struct fed__markup *markup) {
  const int in_percent = baselines_in_percent(data);
  double low = HUGE_VAL, high = -HUGE_VAL;
  if (!data->baseline_count) return;
  for (size_t i = 0; i < data->baseline_count; i++) {
    low = fmin(low, figure_of(data, &data->baselines[i]));
    high = fmax(high, figure_of(data, &data->baselines[i]));
  }
  fed__figure_open(markup);
  title_baselines(data, markup);
  fed__figure_explain(markup);
  fed__markup_print(markup, "%s of the same model, trained in different ways%s.",
                    in_percent ? "Accuracy" : "Loss", measured_on(data));
  fed__figure_body(markup);
  struct fed__plot plot = rows_plot(markup, data->baseline_count, low, high);
  plot.left = 216;
  fed__plot_open(&plot, 72, 44,
                 in_percent ? "accuracy of the ways to train" : "loss of the ways to train");
  for (size_t i = 0; i < data->baseline_count; i++)
    draw_baseline(&plot, i, data->baselines[i].name, figure_of(data, &data->baselines[i]),
                  in_percent);
  fed__plot_x_axis(&plot, in_percent ? fed__tick_share : fed__tick,
                   in_percent ? "accuracy" : "loss");
  fed__plot_close(&plot);
  fed__figure_close(markup);
}
