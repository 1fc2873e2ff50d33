/* SPDX-License-Identifier: Apache-2.0
 *
 * report_run_page.c: the page about one simulation. Most of its parts are those of a job's page.
 */
#include "base/plural.h"
#include "base/raise.h"
#include "report/report_parts.h"
#include "report/report_series.h"

#include <math.h>

#define NUMBER_MAX 1e18

static double summed(const struct fed__report_data *data, const char *key) {
  return fed__report_number(data->summary, key, NUMBER_MAX);
}

static void put_lead(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text clients;
  fed__markup_print(markup, "<p class=\"lead\">Simulation: ");
  fed__markup_text(markup, fed__report_text(data->summary, "end", "not finished"));
  fed__markup_print(markup, " after %llu round%s; %s client%s, data divided by ",
                    (unsigned long long)data->newest, fed__plural(data->newest),
                    fed__count(summed(data, "clients"), &clients),
                    fed__plural((uint64_t)summed(data, "clients")));
  fed__markup_text(markup, fed__report_text(data->summary, "partition", "?"));
  fed__markup_print(markup, ".</p>\n");
  if (data->skipped_count)
    fed__markup_print(markup,
                      "<p class=\"bad\">%llu line%s of metrics.jsonl could not be understood and "
                      "%s left out.</p>\n",
                      (unsigned long long)data->skipped_count, fed__plural(data->skipped_count),
                      data->skipped_count == 1 ? "was" : "were");
}

/* ---- tiles ---------------------------------------------------------------------------------- */

static void put_figures_tile(const struct fed__report_data *data, struct fed__markup *markup,
                             const char *key, const char *name) {
  const json_t *figures = json_object_get(data->summary, key);
  const double accuracy = fed__report_number(figures, "accuracy", 1);
  const double loss = fed__report_signed(figures, "loss", NUMBER_MAX);
  struct fed__number_text text;
  if (!isfinite(loss)) return;
  fed__markup_print(markup, "<li><span>%s, %s</span><b>%s",
                    isfinite(accuracy) ? "accuracy" : "loss", name,
                    isfinite(accuracy) ? fed__percent(accuracy, &text) : fed__decimal(loss, &text));
  fed__tile_note(markup);
  if (isfinite(accuracy)) fed__markup_print(markup, "loss %s, ", fed__decimal(loss, &text));
  fed__markup_print(markup, "%s rows",
                    fed__count(fed__report_number(figures, "examples", NUMBER_MAX), &text));
  fed__tile_close(markup);
}

static void put_clients_tile(const struct fed__report_data *data, struct fed__markup *markup) {
  const json_t *accuracy = json_object_get(data->summary, "client_accuracy");
  const int in_percent = json_is_object(accuracy);
  const json_t *spread = in_percent ? accuracy : json_object_get(data->summary, "client_loss");
  const char *worst = in_percent ? "lowest_tenth" : "highest_tenth";
  struct fed__number_text mean, tenth, jain;
  const double value = fed__report_number(spread, "mean", NUMBER_MAX);
  const double tail = fed__report_number(spread, worst, NUMBER_MAX);
  if (!isfinite(value)) return;
  fed__tile_open(markup,
                 in_percent ? "accuracy, mean of the clients" : "loss, mean of the clients");
  fed__markup_print(markup, "%s",
                    in_percent ? fed__percent(value, &mean) : fed__decimal(value, &mean));
  fed__tile_note(markup);
  fed__markup_print(markup, "worst tenth %s; Jain\xe2\x80\x99s index %s",
                    in_percent ? fed__percent(tail, &tenth) : fed__decimal(tail, &tenth),
                    fed__decimal(fed__report_number(spread, "jain", 1), &jain));
  fed__tile_close(markup);
}

/* Of two classes the second, which is the one that one looks for; else the mean of all. */
static const json_t *headline_class(const json_t *found) {
  const json_t *classes = json_object_get(found, "classes");
  return json_array_size(classes) == 2 ? json_array_get(classes, 1)
                                       : json_object_get(found, "mean");
}

static void put_classes_tile(const struct fed__report_data *data, struct fed__markup *markup) {
  const json_t *test = json_object_get(data->summary, "test_classes");
  const int tested = json_is_object(test);
  const json_t *class =
      headline_class(tested ? test : json_object_get(data->summary, "held_out_classes"));
  const double precision = fed__report_number(class, "average_precision", 1);
  struct fed__number_text text;
  if (!isfinite(precision)) return;
  fed__markup_print(markup, "<li><span>average precision, ");
  if (fed__report_text(class, "class", NULL)) {
    fed__markup_print(markup, "class ");
    fed__markup_short(markup, fed__report_text(class, "class", ""), 20);
  } else {
    fed__markup_print(markup, "mean of the classes");
  }
  fed__markup_print(markup, "</span><b>%s", fed__decimal(precision, &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "AUC %s; %s", fed__decimal(fed__report_number(class, "auc", 1), &text),
                    tested ? "test set" : "held-out rows");
  fed__tile_close(markup);
}

static void put_rounds_tile(const struct fed__report_data *data, struct fed__markup *markup) {
  double answers = 0;
  for (size_t i = 0; i < data->version_count; i++) answers += data->versions[i].reported;
  fed__tile_open(markup, "rounds");
  fed__markup_print(markup, "%llu", (unsigned long long)data->newest);
  fed__tile_note(markup);
  if (data->newest)
    fed__markup_print(markup, "%.1f clients in each, on average; ", answers / (double)data->newest);
  fed__markup_print(markup, "%llu attempt%s failed",
                    (unsigned long long)data->trouble[FED__TROUBLE_ROUND],
                    fed__plural(data->trouble[FED__TROUBLE_ROUND]));
  fed__tile_close(markup);
}

static void put_time_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__tile_open(markup, "virtual time");
  fed__markup_print(markup, "%s", fed__duration(summed(data, "virtual_s"), &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "as the devices\xe2\x80\x99 settings make it");
  fed__tile_close(markup);
  fed__tile_open(markup, "real time");
  fed__markup_print(markup, "%s", fed__duration(summed(data, "seconds"), &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "%s visits of clients", fed__count(summed(data, "visits"), &text));
  fed__tile_close(markup);
}

static void put_bytes_tile(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text, up, down;
  const double sent = summed(data, "down_bytes"), received = summed(data, "up_bytes");
  fed__tile_open(markup, "moved both ways");
  fed__markup_print(markup, "%s", fed__bytes(sent + received, &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "%s to the clients, %s from them", fed__bytes(sent, &down),
                    fed__bytes(received, &up));
  fed__tile_close(markup);
}

static void put_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  fed__markup_print(markup, "<ul class=\"tiles\">\n");
  put_figures_tile(data, markup, "tested", "test set");
  put_clients_tile(data, markup);
  put_figures_tile(data, markup, "evaluated", "last cohort");
  put_classes_tile(data, markup);
  put_rounds_tile(data, markup);
  put_time_tiles(data, markup);
  put_bytes_tile(data, markup);
  fed__markup_print(markup, "</ul>\n");
}

/* ---- the page ------------------------------------------------------------------------------- */

static void put_page(const struct fed__report_data *data, const char *name,
                     struct fed__markup *markup) {
  static fed__report_part *const figures[] = {
      fed__report_draw_accuracy,     fed__report_draw_loss,      fed__report_draw_accuracy_in_time,
      fed__report_draw_loss_in_time, fed__report_draw_spread,    fed__report_draw_clients,
      fed__report_draw_histogram,    fed__report_draw_baselines, fed__report_draw_confusion,
      fed__report_draw_drift,        fed__report_draw_bytes};
  static fed__report_part *const lists[] = {fed__report_list_classes, fed__report_list_run_clients,
                                            fed__report_list_rounds, fed__report_list_run_trouble,
                                            fed__report_list_run_settings};
  fed__page_open(markup, name);
  put_lead(data, markup);
  put_tiles(data, markup);
  fed__markup_print(markup, "<div class=\"grid\">\n");
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) figures[i](data, markup);
  fed__markup_print(markup, "</div>\n");
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) lists[i](data, markup);
  fed__page_close(markup);
}

int fed__run_report_write(const struct fed_context *context, const struct fed__run_input *run,
                          struct fed_buffer *html) {
  struct fed__report_data data;
  struct fed__markup markup = {html, FED_OK};
  FED_TRY(fed__report_data_init_run(&data, context, run));
  put_page(&data, run->name, &markup);
  fed__report_data_clear(&data);
  return markup.code;
}
