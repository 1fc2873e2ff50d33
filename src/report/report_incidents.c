/* SPDX-License-Identifier: Apache-2.0
 *
 * report_incidents.c: what went wrong, on a line of time, and in words.
 */
#include "base/log.h"
#include "base/plural.h"
#include "report/report_parts.h"

#include <math.h>
#include <stdio.h>

#define LISTED_MAX 60
#define ROW 26.0
#define MARKS_MAX 400

static const struct {
  const char *one, *several, *row;
} names[FED__TROUBLE_KINDS] = {
    [FED__TROUBLE_INTERRUPTED] = {"interruption of the server", "interruptions of the server",
                                  "server interrupted"},
    [FED__TROUBLE_ROUND] = {"round failed", "rounds failed", "round failed"},
    [FED__TROUBLE_CLIENT] = {"client failure", "client failures", "client failed"},
    [FED__TROUBLE_REFUSED] = {"refusal", "refusals", "client refused"},
};

uint64_t fed__report_trouble_count(const struct fed__report_data *data) {
  uint64_t count = 0;
  for (size_t kind = 0; kind < FED__TROUBLE_KINDS; kind++) count += data->trouble[kind];
  return count;
}

void fed__report_name_trouble(const struct fed__report_data *data, struct fed__markup *markup) {
  const char *between = "";
  for (size_t kind = 0; kind < FED__TROUBLE_KINDS; kind++) {
    if (!data->trouble[kind]) continue;
    fed__markup_print(markup, "%s%llu %s", between, (unsigned long long)data->trouble[kind],
                      data->trouble[kind] == 1 ? names[kind].one : names[kind].several);
    between = ", ";
  }
  if (!*between) fed__markup_print(markup, "none");
}

/* ---- the line of time ----------------------------------------------------------------------- */

static double seconds_since(const struct fed__report_data *data, int64_t time_ms) {
  return (double)(time_ms - data->first_ms) / 1000;
}

static void draw_row(const struct fed__plot *plot, size_t row, const char *name) {
  const double y = plot->top + ((double)row + 0.5) * ROW;
  fed__markup_print(plot->markup,
                    "<path class=\"rule\" d=\"M%.1f %.1fh%.1f\"/><text class=\"end\" x=\"%.1f\" "
                    "y=\"%.1f\">%s</text>\n",
                    plot->left, y, plot->width, plot->left - 10, y + 4, name);
}

static void draw_rounds_made(const struct fed__report_data *data, const struct fed__plot *plot) {
  const double y = plot->top + ROW / 2;
  const size_t stride = data->version_count / MARKS_MAX + 1;
  fed__markup_print(plot->markup, "<path class=\"line a\" d=\"");
  for (size_t i = 0; i < data->version_count; i += stride)
    if (data->versions[i].committed)
      fed__markup_print(plot->markup, "M%.1f %.1fv10",
                        fed__plot_x(plot, seconds_since(data, data->versions[i].committed_ms)),
                        y - 5);
  fed__markup_print(plot->markup, "\"/>\n");
}

static void draw_incidents(const struct fed__report_data *data, const struct fed__plot *plot,
                           enum fed__report_trouble kind, size_t row) {
  const size_t stride = data->incident_count / MARKS_MAX + 1;
  const double y = plot->top + ((double)row + 0.5) * ROW;
  for (size_t i = 0; i < data->incident_count; i += stride)
    if (data->incidents[i].kind == kind)
      fed__markup_print(plot->markup, "<circle class=\"dot w\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>",
                        fed__plot_x(plot, seconds_since(data, data->incidents[i].time_ms)), y);
}

static void draw_time(const struct fed__report_data *data, struct fed__markup *markup) {
  const double end = seconds_since(data, data->last_ms);
  const double unit = end < 300 ? 1 : end < 3 * 3600 ? 60 : 3600;
  const char *title = end < 300        ? "seconds after the start"
                      : end < 3 * 3600 ? "minutes after the start"
                                       : "hours after the start";
  size_t rows = 1, row = 1;
  for (size_t kind = 0; kind < FED__TROUBLE_KINDS; kind++) rows += data->trouble[kind] > 0;
  struct fed__plot plot = {.markup = markup, .left = 140, .top = 12, .height = (double)rows * ROW};
  plot.x = fed__axis_fit(0, end > 0 ? end : 1, 7, 1e-3);
  fed__plot_open(&plot, 16, 44, "incidents over time");
  draw_row(&plot, 0, "version made");
  draw_rounds_made(data, &plot);
  for (size_t kind = 0; kind < FED__TROUBLE_KINDS; kind++) {
    if (!data->trouble[kind]) continue;
    draw_row(&plot, row, names[kind].row);
    draw_incidents(data, &plot, (enum fed__report_trouble)kind, row++);
  }
  plot.x = fed__axis_fit(0, (end > 0 ? end : 1) / unit, 7, 1e-3);
  fed__plot_x_axis(&plot, fed__tick, title);
  fed__plot_close(&plot);
}

/* ---- in words ------------------------------------------------------------------------------- */

static void list_incident(const struct fed__report_data *data, struct fed__markup *markup,
                          const struct fed__report_incident *incident) {
  struct fed__number_text text;
  char time[32];
  fed__format_time(incident->time_ms, time);
  fed__markup_print(markup, "<tr><th title=\"%s\">%s</th><td>", time,
                    fed__duration(seconds_since(data, incident->time_ms), &text));
  if (incident->round) fed__markup_print(markup, "%llu", (unsigned long long)incident->round);
  fed__markup_print(markup, "</td><td class=\"x\">%s", names[incident->kind].row);
  if (incident->client) {
    fed__markup_print(markup, ": ");
    fed__markup_text(markup, incident->client);
  }
  fed__markup_print(markup, "</td><td class=\"x\">");
  fed__markup_text(markup, incident->text);
  fed__markup_print(markup, "</td></tr>\n");
}

void fed__report_draw_incidents(const struct fed__report_data *data, struct fed__markup *markup) {
  const uint64_t count = fed__report_trouble_count(data);
  if (!count) return;
  fed__figure_open(markup);
  fed__markup_print(markup, "%llu incident%s: ", (unsigned long long)count, fed__plural(count));
  fed__report_name_trouble(data, markup);
  fed__figure_explain(markup);
  fed__markup_print(markup,
                    "A round that failed or was interrupted runs again; a client that failed "
                    "does not count in that round. The list is below.");
  if (data->incident_count < count)
    fed__markup_print(markup, " The first %zu are drawn.", data->incident_count);
  fed__figure_body(markup);
  draw_time(data, markup);
  fed__figure_close(markup);
}

void fed__report_list_incidents(const struct fed__report_data *data, struct fed__markup *markup) {
  static const char *const heads[] = {"after", "round", FED__TABLE_TEXT "what",
                                      FED__TABLE_TEXT "reason", NULL};
  const uint64_t count = fed__report_trouble_count(data);
  if (!count) return;
  fed__table_open(markup, "Incidents", heads);
  for (size_t i = 0; i < data->incident_count && i < LISTED_MAX; i++)
    list_incident(data, markup, &data->incidents[i]);
  fed__table_close(markup);
  if (count > LISTED_MAX)
    fed__markup_print(markup,
                      "<p>The first %d of %llu are listed; fed job watch --json has all.</p>",
                      LISTED_MAX, (unsigned long long)count);
  fed__markup_print(markup, "</section>\n");
}
