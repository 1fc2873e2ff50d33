/* SPDX-License-Identifier: Apache-2.0
 *
 * partition_page.h: an HTML page with drawings of how a data set is divided among clients. One
 * file, nothing fetched from elsewhere.
 */
#ifndef FED_REPORT_PARTITION_PAGE_H
#define FED_REPORT_PARTITION_PAGE_H

#include "fed/buffer.h"

#define FED__PARTITION_PAGE_ROWS 40 /* clients in the drawing of classes */

struct fed__partition_row {
  const char *name;
  double examples, distance;
  const uint64_t *counts; /* by class */
};

struct fed__partition_page {
  const char *title, *partition; /* the job's name; how it divides: "dirichlet:0.5" */
  size_t client_count;
  double example_count, divided_count; /* of the data; of the clients together */
  size_t classes;                      /* 0: the target is no class */
  double mean_distance, worst_distance;
  const struct fed__partition_row *rows; /* some clients, at most FED__PARTITION_PAGE_ROWS */
  size_t row_count;
  const uint64_t *totals;  /* by class, of all clients */
  const double *sizes;     /* by client, ascending */
  const double *distances; /* ascending; `distance_count` of them */
  size_t distance_count;
  double noise; /* deviation of the last client's; those before have less, in equal steps */
};

/* Append the page. FED_E_MEMORY, FED_E_TOO_LARGE. */
FED_MUST int fed__partition_page_write(const struct fed_context *context,
                                       const struct fed__partition_page *page,
                                       struct fed_buffer *html);

#endif
