/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_page.c: the page of a partition: headline numbers, clients by classes, and over all
 * clients their sizes and their distances from the common mixture.
 */
#include "report/partition_page.h"
#include "base/memory.h"
#include "report/report_parts.h"

#include <math.h>

#define ROW 20.0 /* the height of a client */
#define NAME_COLUMNS 18
#define NUMBERED_WIDTH 30.0 /* from which on a cell has room for its number */

/* ---- heading -------------------------------------------------------------------------------- */

static void put_head(const struct fed__partition_page *page, struct fed__markup *markup) {
  fed__markup_print(markup,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<title>");
  fed__markup_text(markup, page->title);
  fed__markup_print(markup,
                    ": partition</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>",
                    fed__report_style);
  fed__markup_text(markup, page->title);
  fed__markup_print(markup, "</h1>\n<p class=\"lead\">Divided by ");
  fed__markup_text(markup, page->partition);
  fed__markup_print(markup, ".</p>\n");
}

static void put_tile(struct fed__markup *markup, const char *name, const char *value,
                     const char *note) {
  fed__markup_print(markup, "<li><span>%s</span><b>%s</b><small>%s</small></li>\n", name, value,
                    note);
}

static void put_tiles(const struct fed__partition_page *page, struct fed__markup *markup) {
  struct fed__number_text text;
  fed__markup_print(markup, "<ul class=\"tiles\">\n");
  put_tile(markup, "clients", fed__count((double)page->client_count, &text), "");
  put_tile(markup, "examples", fed__count(page->divided_count, &text), "of all clients together");
  put_tile(markup, "in the data", fed__count(page->example_count, &text), "examples");
  if (page->distance_count) {
    put_tile(markup, "distance, mean", fed__percent(page->mean_distance, &text),
             "of a client from the common mixture of classes");
  }
  fed__markup_print(markup, "</ul>\n");
}

/* ---- clients by classes --------------------------------------------------------------------- */

static void draw_cells(const struct fed__partition_page *page, const struct fed__plot *plot,
                       const uint64_t *counts, double examples, double y) {
  const double width = plot->width / (double)page->classes, gap = width > 4 ? 1 : 0;
  for (size_t k = 0; k < page->classes; k++) {
    const double share = examples > 0 ? (double)counts[k] / examples : 0;
    const double x = plot->left + (double)k * width;
    if (share <= 0) continue;
    fed__markup_print(plot->markup,
                      "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" "
                      "fill-opacity=\"%.2f\"><title>class %zu: %llu</title></rect>",
                      x, y, width - gap, ROW - 1, sqrt(share), k, (unsigned long long)counts[k]);
    if (share >= 0.005 && width >= NUMBERED_WIDTH)
      fed__markup_print(plot->markup, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%.0f</text>",
                        sqrt(share) > 0.6 ? "middle inverse" : "middle ink", x + width / 2,
                        y + ROW / 2 + 4, share * 100);
  }
}

static void draw_row(const struct fed__partition_page *page, const struct fed__plot *plot,
                     const struct fed__partition_row *row, double y) {
  struct fed__number_text text;
  fed__markup_print(plot->markup, "<text class=\"end\" x=\"%.1f\" y=\"%.1f\">", plot->left - 10,
                    y + ROW / 2 + 4);
  fed__markup_short(plot->markup, row->name, NAME_COLUMNS);
  fed__markup_print(plot->markup, "</text><text class=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                    FED__PLOT_WIDTH - 4, y + ROW / 2 + 4, fed__count(row->examples, &text));
  draw_cells(page, plot, row->counts, row->examples, y);
}

static void draw_class_numbers(const struct fed__partition_page *page,
                               const struct fed__plot *plot) {
  const double width = plot->width / (double)page->classes;
  const size_t stride = (size_t)ceil(26 / width);
  for (size_t k = 0; k < page->classes; k += stride)
    fed__markup_print(plot->markup, "<text class=\"middle\" x=\"%.1f\" y=\"%.1f\">%zu</text>",
                      plot->left + ((double)k + 0.5) * width, plot->top + plot->height + 18, k);
  fed__markup_print(plot->markup, "<text class=\"middle\" x=\"%.1f\" y=\"%.1f\">class</text>\n",
                    plot->left + plot->width / 2, plot->top + plot->height + 36);
}

/* All clients together come last, apart from the others. */
static void draw_classes(const struct fed__partition_page *page, struct fed__markup *markup) {
  const double rows = (double)page->row_count + 1.5;
  struct fed__plot plot = {markup, 140, 8, 0, rows * ROW, {0, 1, 1}, {0, 1, 1}};
  const struct fed__partition_row all = {"all together", page->divided_count, 0, page->totals};
  if (!page->classes) return;
  fed__figure_open(markup);
  fed__markup_print(markup, "Which client has which classes");
  fed__figure_explain(markup);
  fed__markup_print(markup, "Darker or brighter: a larger part of the client's examples, in "
                            "percent; at the right how many it has.");
  if (page->row_count < page->client_count)
    fed__markup_print(markup, " %zu of the %zu clients, evenly spaced.", page->row_count,
                      page->client_count);
  fed__figure_body(markup);
  fed__plot_open(&plot, 70, 44, "each client's mixture of classes");
  for (size_t i = 0; i < page->row_count; i++)
    draw_row(page, &plot, &page->rows[i], plot.top + (double)i * ROW);
  draw_row(page, &plot, &all, plot.top + ((double)page->row_count + 0.5) * ROW);
  draw_class_numbers(page, &plot);
  fed__plot_close(&plot);
  fed__figure_close(markup);
}

/* ---- all clients in their order ------------------------------------------------------------- */

static void draw_sorted(const struct fed_context *context, struct fed__markup *markup,
                        const double *values, size_t count, fed__tick_text *tick,
                        const char *title) {
  struct fed__plot plot = {markup, 64, 30, 0, 200, {0, 1, 1}, {0, 1, 1}};
  struct fed__point *points = fed__alloc(context, count * sizeof *points);
  if (!points) {
    markup->code = FED_E_MEMORY;
    return;
  }
  for (size_t i = 0; i < count; i++) points[i] = (struct fed__point){(double)i + 1, values[i]};
  plot.x = fed__axis_fit(0, (double)count, 6, 1);
  plot.y = fed__axis_fit(0, values[count - 1], 5, 1e-9);
  fed__plot_open(&plot, 24, 44, title);
  fed__plot_y_axis(&plot, tick, title);
  fed__plot_x_axis(&plot, fed__count, "clients, in this order");
  fed__plot_line(&plot, "a", points, count);
  fed__plot_close(&plot);
  fed__free(context, points);
}

static void draw_sizes(const struct fed_context *context, const struct fed__partition_page *page,
                       struct fed__markup *markup) {
  struct fed__number_text low, high;
  fed__figure_open(markup);
  fed__markup_print(markup, "A client has from %s to %s examples", fed__count(page->sizes[0], &low),
                    fed__count(page->sizes[page->client_count - 1], &high));
  fed__figure_explain(markup);
  fed__markup_print(markup, "Over all clients, those with few examples first.");
  fed__figure_body(markup);
  draw_sorted(context, markup, page->sizes, page->client_count, fed__count, "examples");
  fed__figure_close(markup);
}

static void draw_distances(const struct fed_context *context,
                           const struct fed__partition_page *page, struct fed__markup *markup) {
  struct fed__number_text mean, worst;
  if (!page->distance_count) return;
  fed__figure_open(markup);
  fed__markup_print(markup,
                    "A client's mixture of classes is %s from the common one on average, "
                    "%s at most",
                    fed__percent(page->mean_distance, &mean),
                    fed__percent(page->worst_distance, &worst));
  fed__figure_explain(markup);
  fed__markup_print(markup, "Total variation: the least part of a client's examples that would "
                            "have to be of another class. 0 is the same mixture, 100 %% none of "
                            "the same classes.");
  fed__figure_body(markup);
  draw_sorted(context, markup, page->distances, page->distance_count, fed__percent, "distance");
  fed__figure_close(markup);
}

static void draw_noise(const struct fed__partition_page *page, struct fed__markup *markup) {
  struct fed__point points[] = {{1, 0}, {(double)page->client_count, page->noise}};
  struct fed__plot plot = {markup, 64, 30, 0, 200, {0, 1, 1}, {0, 1, 1}};
  struct fed__number_text text;
  if (page->noise <= 0) return;
  fed__figure_open(markup);
  fed__markup_print(markup, "Clients' numbers get noise with deviations up to %s",
                    fed__tick(page->noise, &text));
  fed__figure_explain(markup);
  fed__markup_print(markup, "Gaussian, and added to each number as the model sees it: none for the "
                            "first client, most for the last.");
  fed__figure_body(markup);
  plot.x = fed__axis_fit(0, (double)page->client_count, 6, 1);
  plot.y = fed__axis_fit(0, page->noise, 5, 1e-9);
  fed__plot_open(&plot, 24, 44, "noise");
  fed__plot_y_axis(&plot, fed__tick, "standard deviation");
  fed__plot_x_axis(&plot, fed__count, "clients, in the order of their numbers");
  fed__plot_line(&plot, "a", points, 2);
  fed__plot_close(&plot);
  fed__figure_close(markup);
}

int fed__partition_page_write(const struct fed_context *context,
                              const struct fed__partition_page *page, struct fed_buffer *html) {
  struct fed__markup markup = {html, FED_OK};
  put_head(page, &markup);
  put_tiles(page, &markup);
  fed__markup_print(&markup, "<div class=\"grid\">\n");
  draw_classes(page, &markup);
  fed__markup_print(&markup, "<div style=\"display:grid;gap:20px;align-content:start\">\n");
  draw_sizes(context, page, &markup);
  draw_distances(context, page, &markup);
  draw_noise(page, &markup);
  fed__markup_print(&markup, "</div>\n</div>\n</main>\n</body>\n</html>\n");
  return markup.code;
}
