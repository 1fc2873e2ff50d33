/* SPDX-License-Identifier: Apache-2.0
 *
 * optimizer.h: what an optimiser is to the trainer: how many arrays of state it keeps beside the
 * parameters, and one pass that updates them.
 */
#ifndef FED_TRAIN_OPTIMIZER_H
#define FED_TRAIN_OPTIMIZER_H

#include "fed/train.h"

#define FED__OPTIMIZER_STATES_MAX 2

struct fed__update {
  const struct fed__optimizer *optimizer;
  const struct fed_train_options *options;
  void *parameters;
  const void *gradients;
  void *states[FED__OPTIMIZER_STATES_MAX]; /* zero before the first step */
  size_t count;
  double learning_rate;
  double gradient_scale; /* from clip_norm; 1: none */
  uint64_t step;         /* from 1 */
};

struct fed__optimizer {
  const char *name;
  size_t (*state_count)(const struct fed_train_options *options);
  void (*update[2])(const struct fed__update *update); /* by precision */
};

/* The update from `first` on: moves parameters, gradients and states. */
void fed__update_shift(struct fed__update *update, enum fed_precision precision, size_t first);

/* FED_E_USAGE for a number that is no optimiser, FED_E_RANGE for options it cannot work with. */
FED_MUST int fed__optimizer_find(const struct fed_train_options *options,
                                 const struct fed__optimizer **found);

/* Bring each element into [-limit, limit]; what is not a number stays so. */
void fed__gradient_clamp(enum fed_precision precision, void *gradients, size_t count, double limit);

/* The L2 norm of a gradient, summed in double. */
double fed__gradient_norm(enum fed_precision precision, const void *gradients, size_t count);

#endif
