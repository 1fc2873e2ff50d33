/* SPDX-License-Identifier: Apache-2.0
 *
 * report_parts.h: the parts of the page, each written whole or, where the data has nothing for
 * it, not at all. A part's heading says what it shows, with the numbers.
 */
#ifndef FED_REPORT_PARTS_H
#define FED_REPORT_PARTS_H

#include "report/report_data.h"
#include "report/report_plot.h"

typedef void fed__report_part(const struct fed__report_data *data, struct fed__markup *markup);

/* report_rounds.c: over the rounds. */
fed__report_part fed__report_draw_accuracy, fed__report_draw_loss, fed__report_draw_seconds,
    fed__report_draw_bytes;

/* The same over virtual time, where there is one. */
fed__report_part fed__report_draw_accuracy_in_time, fed__report_draw_loss_in_time;

/* report_run_figures.c: what only simulations know. */
fed__report_part fed__report_draw_spread, fed__report_draw_drift, fed__report_draw_histogram,
    fed__report_draw_confusion;

/* report_run_tables.c */
fed__report_part fed__report_list_classes, fed__report_list_run_clients,
    fed__report_list_run_trouble, fed__report_list_run_settings;

/* report_clients.c: clients beside each other. */
fed__report_part fed__report_draw_clients, fed__report_draw_labels, fed__report_draw_baselines;

/* report_incidents.c: what went wrong, and when. */
fed__report_part fed__report_draw_incidents, fed__report_list_incidents;

/* report_tables.c: the numbers. */
fed__report_part fed__report_list_rounds, fed__report_list_clients, fed__report_list_processes,
    fed__report_list_settings;

/* A setting's value, of a list only how long it is (report_run_tables.c). */
void fed__report_put_json(struct fed__markup *markup, const json_t *value);

extern const char *const fed__report_style, *const fed__report_curve_style; /* CSS */

/* A page around what the caller writes. */
void fed__page_open(struct fed__markup *markup, const char *title);
void fed__page_close(struct fed__markup *markup);

/* A tile: its name and number, then a note, all by the caller; in <ul class="tiles">. */
void fed__tile_open(struct fed__markup *markup, const char *name);
void fed__tile_note(struct fed__markup *markup);
void fed__tile_close(struct fed__markup *markup);

/* A figure: its heading, a line that explains, the drawing. */
void fed__figure_open(struct fed__markup *markup);
void fed__figure_explain(struct fed__markup *markup);
void fed__figure_body(struct fed__markup *markup);
void fed__figure_close(struct fed__markup *markup);

/* A section with a table: its title, its column heads up to NULL, rows by the caller; after the
 * table, what the caller says below it and the end of the section. A head that begins with
 * FED__TABLE_TEXT is over text, the others over numbers. */
#define FED__TABLE_TEXT "|"
void fed__table_open(struct fed__markup *markup, const char *title, const char *const *heads);
void fed__table_close(struct fed__markup *markup);

/* ---- numbers that several parts want -------------------------------------------------------- */

/* The newest version with this member known, and the member; NAN if there is none. `offset` is
 * that of a double in struct fed__report_version. */
double fed__report_newest(const struct fed__report_data *data, size_t offset, size_t *version);

/* The sum of a member over committed rounds. */
double fed__report_sum(const struct fed__report_data *data, size_t offset);

int fed__report_clients_have_accuracy(const struct fed__report_data *data);

/* Clients with a measured accuracy, or loss where there are no accuracies, best first: indices into
 * data->clients, to be freed with fed__free; NULL without one, or when out of memory (then
 * markup->code says so). */
size_t *fed__report_ranking(const struct fed__report_data *data, struct fed__markup *markup,
                            size_t *count);

double fed__report_mean_accuracy(const struct fed__report_data *data);

uint64_t fed__report_trouble_count(const struct fed__report_data *data);

/* "1 round failed, 2 clients failed"; "none". */
void fed__report_name_trouble(const struct fed__report_data *data, struct fed__markup *markup);

#endif
