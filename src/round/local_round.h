/* SPDX-License-Identifier: Apache-2.0
 *
 * local_round.h: one client's part of a round: from the received model and its own rows to the
 * update that leaves. What an agent does with a task is what the simulator does for each client.
 */
#ifndef FED_ROUND_LOCAL_ROUND_H
#define FED_ROUND_LOCAL_ROUND_H

#include "round/plan.h"

struct fed__local_round {
  const struct fed__job *job;
  const struct fed__plan *plan;
  struct fed_trainer *trainer;   /* NULL: the job only moves parameters; holds the received ones */
  struct fed_examples *examples; /* NULL as well */
  const uint32_t *rows;
  size_t row_count;
  const double *row_weights; /* NULL: all alike */
  uint64_t round;
  const char *client; /* its name: the order of its examples follows from it */
  const struct fed_params *received;
  const float *from_server;   /* the server's vector, for rules that get one */
  const float *kept;          /* what the client's rule kept last time; NULL: nothing yet */
  float *to_keep;             /* and keeps now: a vector like the model; NULL if it keeps none */
  struct fed_params *trained; /* like `received`: the memory to work in */
  float *values;              /* plan.value_count, if the update has two vectors; else NULL */
  void *grid;                 /* gets the update: fed__plan_update_bytes */
};

struct fed__local_result {
  uint64_t example_count; /* that the update stands for */
  struct fed_metrics metrics;
  double norm;
  uint64_t clamped_count;
};

/* Train, and run the client's stages. Allocates nothing but the order of the rows. FED_E_NOT_FINITE
 * when training diverged; the errors of fed_train_epochs. */
FED_MUST int fed__local_round_train(const struct fed__local_round *local,
                                    struct fed__local_result *result);

#endif
