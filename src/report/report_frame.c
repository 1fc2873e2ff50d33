/* SPDX-License-Identifier: Apache-2.0
 *
 * report_frame.c: what all pages have around their parts: head and foot, tiles, figures.
 */
#include "report/report_parts.h"

void fed__page_open(struct fed__markup *markup, const char *title) {
  fed__markup_print(markup,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<title>");
  fed__markup_text(markup, title);
  fed__markup_print(markup, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<main>\n<h1>",
                    fed__report_style, fed__report_curve_style);
  fed__markup_text(markup, title);
  fed__markup_print(markup, "</h1>\n");
}

void fed__page_close(struct fed__markup *markup) {
  fed__markup_print(markup, "</main>\n</body>\n</html>\n");
}

/* ---- tiles ---------------------------------------------------------------------------------- */

void fed__tile_open(struct fed__markup *markup, const char *name) {
  fed__markup_print(markup, "<li><span>%s</span><b>", name);
}

void fed__tile_note(struct fed__markup *markup) { fed__markup_print(markup, "</b><small>"); }

void fed__tile_close(struct fed__markup *markup) { fed__markup_print(markup, "</small></li>\n"); }

/* ---- figures -------------------------------------------------------------------------------- */

void fed__figure_open(struct fed__markup *markup) {
  fed__markup_print(markup, "<figure><figcaption><h3>");
}

void fed__figure_explain(struct fed__markup *markup) { fed__markup_print(markup, "</h3><p>"); }

void fed__figure_body(struct fed__markup *markup) {
  fed__markup_print(markup, "</p></figcaption>\n");
}

void fed__figure_close(struct fed__markup *markup) { fed__markup_print(markup, "</figure>\n"); }
