/* SPDX-License-Identifier: Apache-2.0
 *
 * report_page.c: the page: heading, headline numbers, drawings, tables, in that order.
 */
#include "base/plural.h"
#include "base/raise.h"
#include "report/report_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#define MEMBER(name) offsetof(struct fed__report_version, name)

/* ---- heading -------------------------------------------------------------------------------- */

static const char *title_of(const struct fed__report_data *data) {
  const char *id = fed__report_text(data->record, "id", "job");
  return fed__report_text(data->summary, "title", id);
}

static double seconds_of(const struct fed__report_data *data) {
  const double from = fed__report_number(data->record, "created_ms", 1e15);
  const double to = fed__report_number(data->record, "finished_ms", 1e15);
  if (from > 0 && to >= from) return (to - from) / 1000;
  return data->event_count ? (double)(data->last_ms - data->first_ms) / 1000 : NAN;
}

static void put_rounds(const struct fed__report_data *data, struct fed__markup *markup) {
  fed__markup_print(markup, "%llu", (unsigned long long)data->newest);
  if (data->rounds_wanted)
    fed__markup_print(markup, " of %llu", (unsigned long long)data->rounds_wanted);
}

static void put_lead(const struct fed__report_data *data, struct fed__markup *markup) {
  const char *state = fed__report_text(data->record, "state", "");
  struct fed__number_text text;
  const int failed = strcmp(state, "failed") == 0;
  fed__markup_print(markup, "<p class=\"lead%s\">", failed ? " bad" : "");
  fed__markup_print(markup, "%s after ",
                    failed                          ? "Failed"
                    : strcmp(state, "done") == 0    ? "Finished"
                    : strcmp(state, "stopped") == 0 ? "Stopped"
                                                    : "Still running");
  put_rounds(data, markup);
  fed__markup_print(markup, " rounds and %s", fed__duration(seconds_of(data), &text));
  if (failed) {
    fed__markup_print(markup, ": ");
    fed__markup_text(markup, fed__report_text(data->record, "reason", ""));
  }
  fed__markup_print(markup, ".</p>\n");
}

static void put_skipped(const struct fed__report_data *data, struct fed__markup *markup) {
  if (data->skipped_count)
    fed__markup_print(markup,
                      "<p class=\"bad\">%llu line%s of the event log could not be understood and "
                      "%s left out.</p>\n",
                      (unsigned long long)data->skipped_count, fed__plural(data->skipped_count),
                      data->skipped_count == 1 ? "was" : "were");
}

/* ---- headline numbers ----------------------------------------------------------------------- */

static void put_accuracy_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text, worst;
  size_t version;
  const double test = fed__report_newest(data, MEMBER(test_accuracy), &version);
  if (isfinite(test)) {
    fed__tile_open(markup, "accuracy, test set");
    fed__markup_print(markup, "%s", fed__percent(test, &text));
    fed__tile_note(markup);
    fed__markup_print(markup, "of version %zu, by the server", version);
    fed__tile_close(markup);
  }
  const double held_out = fed__report_newest(data, MEMBER(held_out), &version);
  if (!isfinite(held_out)) return;
  fed__tile_open(markup, "accuracy, held-out rows");
  fed__markup_print(markup, "%s", fed__percent(held_out, &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "of version %zu; worst client %s", version,
                    fed__percent(data->versions[version].worst, &worst));
  fed__tile_close(markup);
}

static void put_run_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  double answers = 0;
  for (size_t i = 0; i < data->version_count; i++) answers += data->versions[i].reported;
  fed__tile_open(markup, "rounds");
  put_rounds(data, markup);
  fed__tile_note(markup);
  fed__markup_print(markup, "made a new version");
  fed__tile_close(markup);
  fed__tile_open(markup, "clients");
  fed__markup_print(markup, "%s", fed__count((double)data->client_count, &text));
  fed__tile_note(markup);
  if (data->newest)
    fed__markup_print(markup, "%.1f in a round, on average", answers / (double)data->newest);
  fed__tile_close(markup);
  fed__tile_open(markup, "time");
  fed__markup_print(markup, "%s", fed__duration(seconds_of(data), &text));
  fed__tile_note(markup);
  fed__markup_print(markup, "%s in rounds that counted",
                    fed__duration(fed__report_sum(data, MEMBER(seconds)), &text));
  fed__tile_close(markup);
}

static void put_bytes_tile(const struct fed__report_data *data, struct fed__markup *markup,
                           const char *name, size_t offset) {
  struct fed__number_text text;
  const double sum = fed__report_sum(data, offset);
  fed__tile_open(markup, name);
  fed__markup_print(markup, "%s", fed__bytes(sum, &text));
  fed__tile_note(markup);
  if (data->newest)
    fed__markup_print(markup, "%s a round, on average",
                      fed__bytes(sum / (double)data->newest, &text));
  fed__tile_close(markup);
}

static void put_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__markup_print(markup, "<ul class=\"tiles\">\n");
  put_accuracy_tiles(data, markup);
  put_run_tiles(data, markup);
  put_bytes_tile(data, markup, "received by the server", MEMBER(bytes_up));
  put_bytes_tile(data, markup, "sent by the server", MEMBER(bytes_down));
  fed__tile_open(markup, "incidents");
  fed__markup_print(markup, "%s", fed__count((double)fed__report_trouble_count(data), &text));
  fed__tile_note(markup);
  fed__report_name_trouble(data, markup);
  fed__tile_close(markup);
  fed__markup_print(markup, "</ul>\n");
}

/* ---- the page ------------------------------------------------------------------------------- */

static void put_explanation(struct fed__markup *markup) {
  fed__markup_print(
      markup,
      "<section><h2>How to read this</h2>\n"
      "<p>In each round the server gives the newest version of the model to some clients. Each "
      "trains it on rows that never leave it and sends back how the numbers in the model changed; "
      "the server adds these up and makes the next version. Version 0 is the start.</p>\n"
      "<p>Accuracy is the part of rows whose label the model names rightly. A client measures a "
      "version when it receives it, before training it further, on rows that it keeps out of "
      "training. So the figures of a version come from the clients of the next round; the last "
      "version is measured in a round of its own.</p>\n"
      "<p>A wide band, or clients far apart, means that the model serves some clients worse than "
      "the mean says.</p></section>\n");
}

static void put_page(const struct fed__report_data *data, struct fed__markup *markup) {
  static fed__report_part *const figures[] = {
      fed__report_draw_accuracy, fed__report_draw_loss,      fed__report_draw_clients,
      fed__report_draw_labels,   fed__report_draw_baselines, fed__report_draw_incidents,
      fed__report_draw_seconds,  fed__report_draw_bytes};
  static fed__report_part *const lists[] = {fed__report_list_incidents, fed__report_list_rounds,
                                            fed__report_list_clients, fed__report_list_processes,
                                            fed__report_list_settings};
  fed__page_open(markup, title_of(data));
  put_lead(data, markup);
  put_skipped(data, markup);
  put_tiles(data, markup);
  fed__markup_print(markup, "<div class=\"grid\">\n");
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) figures[i](data, markup);
  fed__markup_print(markup, "</div>\n");
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) lists[i](data, markup);
  put_explanation(markup);
  fed__page_close(markup);
}

int fed__report_write(const struct fed_context *context, const struct fed__report_input *input,
                      struct fed_buffer *html) {
  struct fed__report_data data;
  struct fed__markup markup = {html, FED_OK};
  FED_TRY(fed__report_data_init(&data, context, input));
  put_page(&data, &markup);
  fed__report_data_clear(&data);
  return markup.code;
}
