/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_tables.h: the same figures as tables for spreadsheets (RFC 4180): a line of heads, a
 * cell left empty where nothing is known.
 */
#ifndef FED_SIMULATE_TABLES_H
#define FED_SIMULATE_TABLES_H

#include "programs/simulate_figures.h"

/* metrics.csv: a row for each line of metrics.jsonl, "tested.accuracy" and so on as heads.
 * FED_E_MEMORY, as the others. */
FED_MUST int fed__metrics_csv_encode(struct fed_slice lines, struct fed_buffer *out);

/* clients.csv and confusion.csv (its rows are of what is right, its columns of what the model
 * names), from fed__details_json. */
FED_MUST int fed__clients_csv_encode(const json_t *details, struct fed_buffer *out);
FED_MUST int fed__confusion_csv_encode(const struct fed__job *job, const json_t *details,
                                       struct fed_buffer *out);

#endif
