/* SPDX-License-Identifier: Apache-2.0
 *
 * report_page.c: the page: heading, headline numbers, drawings, tables, in that order.
 */
#include "base/raise.h"
#include "report/report_parts.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#define MEMBER(name) offsetof(struct fed__report_version, name)

/* ---- figures -------------------------------------------------------------------------------- */

void fed__figure_open(struct fed__markup *markup) {
  fed__markup_print(markup, "<figure><figcaption><h3>");
}

void fed__figure_explain(struct fed__markup *markup) { fed__markup_print(markup, "</h3><p>"); }

void fed__figure_body(struct fed__markup *markup) {
  fed__markup_print(markup, "</p></figcaption>\n");
}

void fed__figure_close(struct fed__markup *markup) { fed__markup_print(markup, "</figure>\n"); }

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
                      (unsigned long long)data->skipped_count, data->skipped_count == 1 ? "" : "s",
                      data->skipped_count == 1 ? "was" : "were");
}

/* ---- headline numbers ----------------------------------------------------------------------- */

static void open_tile(struct fed__markup *markup, const char *name) {
  fed__markup_print(markup, "<li><span>%s</span><b>", name);
}

static void note_tile(struct fed__markup *markup) { fed__markup_print(markup, "</b><small>"); }

static void close_tile(struct fed__markup *markup) { fed__markup_print(markup, "</small></li>\n"); }

static void put_accuracy_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text, worst;
  size_t version;
  const double test = fed__report_newest(data, MEMBER(test_accuracy), &version);
  if (isfinite(test)) {
    open_tile(markup, "accuracy, test set");
    fed__markup_print(markup, "%s", fed__percent(test, &text));
    note_tile(markup);
    fed__markup_print(markup, "of version %zu, by the server", version);
    close_tile(markup);
  }
  const double held_out = fed__report_newest(data, MEMBER(held_out), &version);
  if (!isfinite(held_out)) return;
  open_tile(markup, "accuracy, held-out rows");
  fed__markup_print(markup, "%s", fed__percent(held_out, &text));
  note_tile(markup);
  fed__markup_print(markup, "of version %zu; worst client %s", version,
                    fed__percent(data->versions[version].worst, &worst));
  close_tile(markup);
}

static void put_run_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  double answers = 0;
  for (size_t i = 0; i < data->version_count; i++) answers += data->versions[i].reported;
  open_tile(markup, "rounds");
  put_rounds(data, markup);
  note_tile(markup);
  fed__markup_print(markup, "made a new version");
  close_tile(markup);
  open_tile(markup, "clients");
  fed__markup_print(markup, "%s", fed__count((double)data->client_count, &text));
  note_tile(markup);
  if (data->newest)
    fed__markup_print(markup, "%.1f in a round, on average", answers / (double)data->newest);
  close_tile(markup);
  open_tile(markup, "time");
  fed__markup_print(markup, "%s", fed__duration(seconds_of(data), &text));
  note_tile(markup);
  fed__markup_print(markup, "%s in rounds that counted",
                    fed__duration(fed__report_sum(data, MEMBER(seconds)), &text));
  close_tile(markup);
}

static void put_bytes_tile(const struct fed__report_data *data, struct fed__markup *markup,
                           const char *name, size_t offset) {
  struct fed__number_text text;
  const double sum = fed__report_sum(data, offset);
  open_tile(markup, name);
  fed__markup_print(markup, "%s", fed__bytes(sum, &text));
  note_tile(markup);
  if (data->newest)
    fed__markup_print(markup, "%s a round, on average",
                      fed__bytes(sum / (double)data->newest, &text));
  close_tile(markup);
}

static void put_tiles(const struct fed__report_data *data, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__markup_print(markup, "<ul class=\"tiles\">\n");
  put_accuracy_tiles(data, markup);
  put_run_tiles(data, markup);
  put_bytes_tile(data, markup, "received by the server", MEMBER(bytes_up));
  put_bytes_tile(data, markup, "sent by the server", MEMBER(bytes_down));
  open_tile(markup, "incidents");
  fed__markup_print(markup, "%s", fed__count((double)fed__report_trouble_count(data), &text));
  note_tile(markup);
  fed__report_name_trouble(data, markup);
  close_tile(markup);
  fed__markup_print(markup, "</ul>\n");
}

/* ---- the page ------------------------------------------------------------------------------- */

static void put_head(const struct fed__report_data *data, struct fed__markup *markup) {
  fed__markup_print(markup,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<title>");
  fed__markup_text(markup, title_of(data));
  fed__markup_print(markup, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>",
                    fed__report_style);
  fed__markup_text(markup, title_of(data));
  fed__markup_print(markup, "</h1>\n");
}

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
  put_head(data, markup);
  put_lead(data, markup);
  put_skipped(data, markup);
  put_tiles(data, markup);
  fed__markup_print(markup, "<div class=\"grid\">\n");
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) figures[i](data, markup);
  fed__markup_print(markup, "</div>\n");
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) lists[i](data, markup);
  put_explanation(markup);
  fed__markup_print(markup, "</main>\n</body>\n</html>\n");
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
