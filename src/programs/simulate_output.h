/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_output.h: what a simulation shows and writes.
 *
 *   DIR/  metrics.jsonl (a line a round)  metrics.csv (the same as a table)
 *         clients.csv  confusion.csv  summary.json  report.html
 *         model.onnx  model.safetensors
 */
#ifndef FED_SIMULATE_OUTPUT_H
#define FED_SIMULATE_OUTPUT_H

#include "programs/command.h"
#include "programs/job_files.h"
#include "simulate/simulation_state.h"

#include <stdio.h>

struct fed__simulate_output {
  struct fed__simulation_observer observer; /* first */
  struct fed__invocation *invocation;
  const struct fed__job_files *files;
  const struct fed__job *job; /* of the files */
  const char *folder;
  const char *title; /* a run among others: on a terminal a line tells this and how far it is, and
                      * that is all */
  FILE *metrics;
  double seconds_before; /* of the run up to its checkpoint */
  int64_t started_us, shown_us;
  int header_printed;
  uint64_t paced_round; /* the first one that was over, and when: of the time left */
  double paced_s;
  uint32_t thread_count;
  uint64_t down_bytes, up_bytes;    /* of all rounds so far */
  uint64_t failed_rounds, clamped;  /* elements that the grid could not hold */
  const char *last_failure;         /* since this process began; NULL: none */
  struct fed__simulated_round last; /* that made a model; its figures the newest there are */
};

/* Make the folder and open its metrics.jsonl, which nobody else may have open (FED_E_BUSY); what is
 * there stays. A mute process only takes part in the measuring. */
FED_MUST int fed__simulate_output_begin(struct fed__simulate_output *output);
FED_MUST int fed__simulate_output_empty(struct fed__simulate_output *output); /* metrics.jsonl */

/* What goes on after an interruption, into a checkpoint or out of it. */
FED_MUST int fed__simulate_output_carry(void *output, struct fed__checkpoint *checkpoint);

double fed__simulate_seconds(const struct fed__simulate_output *output); /* since it began */

/* "12.3 s", "4.5 min", "7.8 h" into `text`. */
const char *fed__format_seconds(double seconds, char text[24]);

/* The models, the tables, summary.json, and the summary on standard output. */
FED_MUST int fed__simulate_output_finish(struct fed__simulate_output *output,
                                         struct fed__simulation *simulation);
void fed__simulate_output_end(struct fed__simulate_output *output);

#endif
