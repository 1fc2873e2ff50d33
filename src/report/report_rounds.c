/* SPDX-License-Identifier: Apache-2.0
 *
 * report_rounds.c: drawings over the rounds: accuracy, loss, seconds, bytes.
 */
#include "base/plural.h"
#include "report/report_parts.h"
#include "report/report_series.h"

#include <math.h>

#define BARS_MAX 80

/* ---- axes ----------------------------------------------------------------------------------- */

static const char *bytes_either_way(double bytes, struct fed__number_text *text) {
  return fed__bytes(fabs(bytes), text);
}

static struct fed__plot new_plot(struct fed__markup *markup, struct fed__axis x,
                                 struct fed__axis y) {
  const struct fed__plot plot = {
      .markup = markup, .left = 66, .top = 26, .height = 236, .x = x, .y = y};
  return plot;
}

/* ---- accuracy ------------------------------------------------------------------------------- */

/* "12 rounds", or "3 min 20 s". */
static void put_moment(const struct fed__report_data *data, struct fed__markup *markup,
                       const struct fed__abscissa *x, size_t version) {
  struct fed__number_text text;
  if (x->offset == SIZE_MAX)
    fed__markup_print(markup, "%zu round%s", version, fed__plural(version));
  else
    fed__markup_print(markup, "%s", fed__duration(data->versions[version].virtual_s, &text));
}

static void title_accuracy(const struct fed__report_data *data, struct fed__markup *markup,
                           const struct fed__abscissa *x) {
  struct fed__number_text last_text, best_text;
  size_t version, best_version = 0;
  double last = fed__report_newest(data, FED__VERSION(test_accuracy), &version), best = 0;
  const int on_server = isfinite(last);
  const size_t offset = on_server ? FED__VERSION(test_accuracy) : FED__VERSION(held_out);
  if (!on_server) last = fed__report_newest(data, offset, &version);
  for (size_t i = 0; i < data->version_count; i++)
    if (fed__version_member(&data->versions[i], offset) > best) {
      best = fed__version_member(&data->versions[i], offset);
      best_version = i;
    }
  const char *what = on_server ? "Test" : "Held-out";
  if (best > last + 0.01) {
    fed__markup_print(markup, "%s accuracy peaked at %s after ", what,
                      fed__percent(best, &best_text));
    if (x->offset == SIZE_MAX)
      fed__markup_print(markup, "round %zu", best_version);
    else
      put_moment(data, markup, x, best_version);
    fed__markup_print(markup, " and ended at %s", fed__percent(last, &last_text));
  } else {
    fed__markup_print(markup, "%s accuracy reached %s after ", what,
                      fed__percent(last, &last_text));
    put_moment(data, markup, x, version);
  }
}

static void draw_band(const struct fed__report_data *data, struct fed__plot *plot,
                      const struct fed__abscissa *x) {
  struct fed__series worst, best;
  const int ready = fed__series_init(&worst, data, plot->markup, x, FED__VERSION(worst));
  if (fed__series_init(&best, data, plot->markup, x, FED__VERSION(best)) && ready)
    fed__plot_band(plot, "b", worst.points, best.points, worst.count);
  fed__series_clear(&worst);
  fed__series_clear(&best);
}

static void draw_accuracies(const struct fed__report_data *data, struct fed__markup *markup,
                            const struct fed__abscissa *x, struct fed__series *test,
                            struct fed__series *held_out) {
  struct fed__line_label labels[FED__LINE_LABELS_MAX];
  double low = 1, high = 0;
  size_t label_count = 0;
  fed__series_widen(test, &low, &high);
  fed__series_widen(held_out, &low, &high);
  for (size_t i = 0; i < data->version_count; i++) {
    low = fmin(low, data->versions[i].worst);
    high = fmax(high, data->versions[i].best);
  }
  struct fed__plot plot =
      new_plot(markup, fed__abscissa_axis(x, data, 0), fed__axis_fit(low, high, 6, 0.001));
  fed__plot_open(&plot, 86, 44, "accuracy over rounds");
  fed__plot_y_axis(&plot, fed__tick_share, "accuracy");
  fed__plot_x_axis(&plot, x->tick, x->title);
  draw_band(data, &plot, x);
  label_count = fed__series_label(held_out, "held out", "b", labels, label_count);
  label_count = fed__series_label(test, "test set", "a", labels, label_count);
  fed__plot_line(&plot, "b", held_out->points, held_out->count);
  fed__plot_line(&plot, "a", test->points, test->count);
  fed__plot_labels(&plot, labels, label_count);
  fed__plot_close(&plot);
}

static void draw_accuracy(const struct fed__report_data *data, struct fed__markup *markup,
                          const struct fed__abscissa *x) {
  struct fed__series test, held_out;
  const int ready = fed__series_init(&test, data, markup, x, FED__VERSION(test_accuracy));
  if (fed__series_init(&held_out, data, markup, x, FED__VERSION(held_out)) && ready &&
      test.count + held_out.count) {
    fed__figure_open(markup);
    title_accuracy(data, markup, x);
    fed__figure_explain(markup);
    if (test.count) fed__markup_print(markup, "Test set: rows that the server holds. ");
    if (held_out.count)
      fed__markup_print(markup, "Held out: rows that clients keep out of training, those of the "
                                "round's cohort together; the band runs from the worst client that "
                                "was measured to the best.");
    fed__figure_body(markup);
    draw_accuracies(data, markup, x, &test, &held_out);
    fed__figure_close(markup);
  }
  fed__series_clear(&test);
  fed__series_clear(&held_out);
}

void fed__report_draw_accuracy(const struct fed__report_data *data, struct fed__markup *markup) {
  draw_accuracy(data, markup, &fed__over_rounds);
}

/* Where a clock made up the time, and it passed. */
static int has_virtual_time(const struct fed__report_data *data, struct fed__abscissa *x) {
  size_t version;
  const double last_s = fed__report_newest(data, FED__VERSION(virtual_s), &version);
  *x = fed__over_time(last_s);
  return last_s > 0;
}

void fed__report_draw_accuracy_in_time(const struct fed__report_data *data,
                                       struct fed__markup *markup) {
  struct fed__abscissa x;
  if (has_virtual_time(data, &x)) draw_accuracy(data, markup, &x);
}

/* ---- loss ----------------------------------------------------------------------------------- */

static void title_loss(struct fed__markup *markup, const struct fed__series *train,
                       const struct fed__series *test) {
  const struct fed__series *shown = train->count ? train : test;
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
                        const struct fed__abscissa *x, struct fed__series *series) {
  static const char *const names[] = {"training", "held out", "test set"};
  static const char *const colours[] = {"c", "b", "a"};
  struct fed__line_label labels[FED__LINE_LABELS_MAX];
  double low = 0, high = 0;
  size_t label_count = 0;
  for (size_t i = 0; i < 3; i++) fed__series_widen(&series[i], &low, &high);
  struct fed__plot plot =
      new_plot(markup, fed__abscissa_axis(x, data, 0), fed__axis_fit(low, high, 6, 1e-9));
  fed__plot_open(&plot, 86, 44, "loss over rounds");
  fed__plot_y_axis(&plot, fed__tick, "loss");
  fed__plot_x_axis(&plot, x->tick, x->title);
  for (size_t i = 0; i < 3; i++) {
    label_count = fed__series_label(&series[i], names[i], colours[i], labels, label_count);
    fed__plot_line(&plot, colours[i], series[i].points, series[i].count);
  }
  fed__plot_labels(&plot, labels, label_count);
  fed__plot_close(&plot);
}

static void draw_loss(const struct fed__report_data *data, struct fed__markup *markup,
                      const struct fed__abscissa *x) {
  static const size_t offsets[] = {FED__VERSION(train_loss), FED__VERSION(held_out_loss),
                                   FED__VERSION(test_loss)};
  struct fed__series series[3];
  int ready = 1;
  for (size_t i = 0; i < 3; i++) ready &= fed__series_init(&series[i], data, markup, x, offsets[i]);
  if (ready && series[0].count + series[2].count) {
    fed__figure_open(markup);
    title_loss(markup, &series[0], &series[2]);
    fed__figure_explain(markup);
    fed__markup_print(markup, "Lower is better. Training: mean over the rows while the clients "
                              "train on them in that round.");
    fed__figure_body(markup);
    draw_losses(data, markup, x, series);
    fed__figure_close(markup);
  }
  for (size_t i = 0; i < 3; i++) fed__series_clear(&series[i]);
}

void fed__report_draw_loss(const struct fed__report_data *data, struct fed__markup *markup) {
  draw_loss(data, markup, &fed__over_rounds);
}

void fed__report_draw_loss_in_time(const struct fed__report_data *data,
                                   struct fed__markup *markup) {
  struct fed__abscissa x;
  if (has_virtual_time(data, &x)) draw_loss(data, markup, &x);
}

/* ---- seconds -------------------------------------------------------------------------------- */

static void draw_amounts(struct fed__plot *plot, const char *colour, struct fed__series *series) {
  if (series->data->version_count <= BARS_MAX)
    fed__plot_bars(plot, colour, series->points, series->count);
  else
    fed__plot_line(plot, colour, series->points, series->count);
}

void fed__report_draw_seconds(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__series seconds;
  struct fed__number_text text;
  double low = 0, high = 0;
  if (fed__series_init(&seconds, data, markup, &fed__over_rounds, FED__VERSION(seconds)) &&
      seconds.count) {
    fed__series_widen(&seconds, &low, &high);
    fed__figure_open(markup);
    fed__markup_print(markup, "Half of the rounds took less than %s",
                      fed__duration(fed__series_median(&seconds), &text));
    fed__figure_explain(markup);
    fed__markup_print(markup, "From the first invitation to the new version; the longest took %s.",
                      fed__duration(high, &text));
    fed__figure_body(markup);
    struct fed__plot plot = new_plot(markup, fed__abscissa_axis(&fed__over_rounds, data, 0.6),
                                     fed__axis_fit(low, high, 5, 1e-3));
    fed__plot_open(&plot, 20, 44, "seconds of each round");
    fed__plot_y_axis(&plot, fed__tick, "seconds");
    fed__plot_x_axis(&plot, fed__over_rounds.tick, fed__over_rounds.title);
    draw_amounts(&plot, "a", &seconds);
    fed__plot_close(&plot);
    fed__figure_close(markup);
  }
  fed__series_clear(&seconds);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static double round_up_bytes(double high) { return high > 0 ? high : 1; }

static void draw_transfers(const struct fed__report_data *data, struct fed__markup *markup,
                           struct fed__series *up, struct fed__series *down) {
  double low = 0, high = 0;
  fed__series_widen(up, &low, &high);
  for (size_t i = 0; i < down->count; i++) down->points[i].y = -down->points[i].y;
  fed__series_widen(down, &low, &high);
  struct fed__plot plot = new_plot(markup, fed__abscissa_axis(&fed__over_rounds, data, 0.6),
                                   fed__axis_fit(low, round_up_bytes(high), 6, 1));
  fed__plot_open(&plot, 20, 44, "bytes of each round");
  fed__plot_y_axis(&plot, bytes_either_way, "received by the server");
  fed__plot_x_axis(&plot, fed__over_rounds.tick, fed__over_rounds.title);
  draw_amounts(&plot, "a", up);
  draw_amounts(&plot, "b", down);
  fed__markup_print(markup, "<text x=\"2\" y=\"%.1f\">sent by the server</text>\n",
                    plot.top + plot.height + 36);
  fed__plot_close(&plot);
}

void fed__report_draw_bytes(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__series up, down;
  struct fed__number_text up_text, down_text;
  const int ready = fed__series_init(&up, data, markup, &fed__over_rounds, FED__VERSION(bytes_up));
  if (fed__series_init(&down, data, markup, &fed__over_rounds, FED__VERSION(bytes_down)) && ready &&
      up.count + down.count) {
    fed__figure_open(markup);
    fed__markup_print(markup, "A round moved about %s to the server and %s from it",
                      fed__bytes(fed__series_median(&up), &up_text),
                      fed__bytes(fed__series_median(&down), &down_text));
    fed__figure_explain(markup);
    fed__markup_print(markup, "The medians, of all clients together. Bytes %s.",
                      data->is_simulated ? "of models and updates, without headers"
                                         : "as the server's network connections saw them");
    fed__figure_body(markup);
    draw_transfers(data, markup, &up, &down);
    fed__figure_close(markup);
  }
  fed__series_clear(&up);
  fed__series_clear(&down);
}
