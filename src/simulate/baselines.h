/* SPDX-License-Identifier: Apache-2.0
 *
 * baselines.h: what a federation is measured against: the same model, optimiser and number of
 * passes, on all clients' training rows in one place (the best that federating can hope for), and
 * on each client's rows alone (what a client has without federating).
 *
 * A pass is one through the rows that train. The number is that of the federation: how often, on
 * average over the clients that take part, a client's training went into a model, times the epochs.
 * Training begins with the job's first model, takes the job's optimiser and never returns to a
 * common model; update clipping, the grid and the server's optimiser have no part in it.
 *
 * Of more than FED__BASELINE_CLIENTS_MAX clients as many train alone, drawn from the seed. All
 * models are measured on the same examples: the test set if there is one, else the rows that
 * clients hold out (of at most FED__BASELINE_HELD_OUT_MAX clients, evenly spaced). Any number of
 * threads or processes gives the same bits.
 */
#ifndef FED_SIMULATE_BASELINES_H
#define FED_SIMULATE_BASELINES_H

#include "simulate/evaluation.h"

#define FED__BASELINE_CLIENTS_MAX 100
#define FED__BASELINE_HELD_OUT_MAX 1000

/* A model on the common examples. */
struct fed__baseline_figures {
  int diverged;                  /* its training left the finite numbers; the rest is not set */
  struct fed__metric_sums sums;  /* example_count 0: there was nothing to measure it on */
  double auc, average_precision; /* of the second of two classes; else NAN */
};

/* A model of one client, on the common examples and on its own held-out rows. */
struct fed__local_figures {
  uint32_t client;
  struct fed__baseline_figures common;
  struct fed_metrics own;
};

struct fed__baselines {
  const struct fed_context *context;
  unsigned wanted; /* bits of enum fed__baseline; 0: there are none */
  int on_test;     /* the common examples are the test set's */
  uint64_t passes;
  struct fed__baseline_figures federated, centralised;
  struct fed__client_figures federated_clients, centralised_clients; /* on their held-out rows */
  struct fed__local_figures *local;                                  /* by client, ascending */
  uint32_t local_count;
  uint32_t local_diverged;
  struct fed__spread local_accuracy, local_loss; /* of those that did not diverge, on the common
                                                    examples */
  struct fed__spread local_auc, local_average_precision; /* count 0: not measured */
  struct fed__spread own_accuracy, own_loss; /* each on the rows that its client holds out */
  uint32_t best; /* in `local`: the highest accuracy, of several or where there is none the lowest
                    loss. Chosen by the very figures that it is judged by, hence a bound */
};

/* Train and measure what the job wants (simulate.baselines), after a simulation has run. FED_E_BUSY
 * when the observer wants to stop meanwhile; FED_E_MEMORY. Nothing to clear after a failure. */
FED_MUST int fed__baselines_make(struct fed__simulation *simulation,
                                 struct fed__baselines *baselines);
void fed__baselines_clear(struct fed__baselines *baselines);

#endif
