/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluation.h: how good a model is at the clients and for each class, beyond what a round needs to
 * know.
 */
#ifndef FED_SIMULATE_EVALUATION_H
#define FED_SIMULATE_EVALUATION_H

#include "simulate/spread.h"
#include "simulate/worker_pool.h"
#include "train/class_metrics.h"

struct fed__simulation;

/* A model at single clients. A count of 0: not measured. */
struct fed__client_figures {
  uint64_t version; /* of the model: the round that made it; 0: what the job began with */
  struct fed__spread accuracy, loss;
};

/* How well a version tells the test set's classes apart (class_metrics.h; NAN: not defined). Of two
 * classes: of the second, the one that one looks for. Of more: the mean of all that occur, and the
 * lowest recall. */
struct fed__tested_classes {
  uint64_t classes; /* 0: not measured */
  double recall, precision;
  double auc, average_precision; /* of two classes */
  double lowest_recall;          /* of more */
};

/* From visits that evaluated the model; those that diverged or have nothing held out are not in it.
 * FED_E_MEMORY. */
FED_MUST int fed__client_figures_of(const struct fed_context *context,
                                    const struct fed__visit *visits, size_t count,
                                    struct fed__client_figures *figures);

#define FED__CLIENTS_MEASURED_MAX 10000

/* Measure the newest model at so many clients, evenly spaced among those that there are (never more
 * than FED__CLIENTS_MEASURED_MAX); those without enough examples are left out. `visits`: who was
 * measured, ascending, the caller's to free with fed__free; NULL: not wanted. */
FED_MUST int fed__simulation_measure_clients(struct fed__simulation *simulation, uint32_t wanted,
                                             struct fed__client_figures *figures,
                                             struct fed__visit **visits, size_t *visit_count);

/* The newest model on the test set: its sums, and its classes if it tells any apart. */
FED_MUST int fed__simulation_test(struct fed__simulation *simulation, struct fed__metric_sums *sums,
                                  struct fed__tested_classes *classes);

/* What the newest model says of the test set, or of the rows that those clients hold out, class by
 * class. classes 0: there are no classes or no such rows, or its outputs are not finite; then there
 * is nothing to clear. */
FED_MUST int fed__simulation_classify_test(struct fed__simulation *simulation,
                                           struct fed__classification *found);
FED_MUST int fed__simulation_classify_held_out(struct fed__simulation *simulation,
                                               const struct fed__visit *visits, size_t visit_count,
                                               struct fed__classification *found);

#endif
