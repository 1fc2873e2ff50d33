/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h: a job told on one page: HTML with its style and drawings inside, without a script,
 * a link or a request, made from what the server recorded. Nothing is measured here; the same
 * input gives the same page.
 */
#ifndef FED_REPORT_H
#define FED_REPORT_H

#include "fed/buffer.h"

/* What a page is made from. All of it is text that others wrote: what cannot be understood is
 * left out, counted, and said on the page. */
struct fed__report_input {
  struct fed_slice record;  /* JSON: GET /v1/jobs/{id} */
  struct fed_slice events;  /* one JSON object a line, in their order: GET /v1/jobs/{id}/events */
  struct fed_slice summary; /* JSON: what `fed demo` knows beyond the events; may be empty */
};

/* Append the page to `html`. Memory and time are linear in the events; the page stays below half
 * a megabyte whatever their number. FED_E_INPUT if the record or the summary is not JSON. */
FED_MUST int fed__report_write(const struct fed_context *context,
                               const struct fed__report_input *input, struct fed_buffer *html);

/* A simulation: files of its folder (docs/simulate.md). */
struct fed__run_input {
  const char *name;         /* what the page calls it */
  struct fed_slice metrics; /* metrics.jsonl */
  struct fed_slice summary; /* JSON: summary.json */
  struct fed_slice details; /* JSON: {"clients": [rows of clients.csv as objects], "test": matrix,
                               "held_out": matrix}, matrices as lists of rows; may be empty */
};

/* A page about one of them. As above. */
FED_MUST int fed__run_report_write(const struct fed_context *context,
                                   const struct fed__run_input *run, struct fed_buffer *html);

/* A page about several of them; `details` are not needed. Runs that differ in nothing but the seed
 * are shown together. FED_E_USAGE for fewer than two. */
FED_MUST int fed__comparison_write(const struct fed_context *context,
                                   const struct fed__run_input *runs, size_t count,
                                   struct fed_buffer *html);

#endif
