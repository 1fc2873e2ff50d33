/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.h: a trainer as its files see it: parameters, gradients and optimiser state in one
 * block, the batch's memory, and the plans that run on them.
 */
#ifndef FED_TRAIN_TRAINER_H
#define FED_TRAIN_TRAINER_H

#include "train/loss.h"
#include "train/optimizer.h"
#include "train/training_plan.h"

#define FED__PLANS_MAX 4 /* the full batch's and three smaller ones */

struct fed_trainer {
  const struct fed_context *context;
  const struct fed_model *model;
  struct fed_train_options options;
  const struct fed_kernel_table *kernels;
  const struct fed__loss *loss;
  const struct fed__optimizer *optimizer;

  void *block;            /* parameters, gradients, states; each tensor on 64 bytes */
  size_t parameter_bytes; /* all parameters' */
  size_t trained_bytes;   /* of the gradients, and of each of the optimiser's states */
  size_t trained_count;   /* numbers that the optimiser updates; statistics follow */
  size_t state_count;
  void *values;
  void *gradient;
  void *states[FED__OPTIMIZER_STATES_MAX];
  void **parameters, **gradients; /* by parameter; statistics have no gradient */

  void *local_block; /* statistics that do not travel */
  size_t local_bytes;
  void **local_params;

  struct fed_batch batch;
  void *batch_block;
  size_t batch_bytes;

  void *offset; /* of the gradient, like `gradient`; NULL: never set */
  double pull;
  int bends; /* pull and offset count until the next reset */

  struct fed__step now;
  struct fed__plan *plans[FED__PLANS_MAX]; /* the first is the full batch's */
  struct fed__plan *last_plan;
  size_t next_plan; /* whose place the next new one takes */
  uint64_t step;
  uint64_t walk_seed; /* of the last walk through examples: joins in the step's random choices */
};

/* Blocks for everything but the plans, zeroed. FED_E_MEMORY, FED_E_TOO_LARGE, FED_E_SHAPE. */
FED_MUST int fed__trainer_allocate(struct fed_trainer *trainer);
void fed__trainer_release(struct fed_trainer *trainer);

/* Add pull * parameter + offset to the gradient. */
void fed__gradient_bend(const struct fed_trainer *trainer);

/* What is left of options.memory_bytes_max for a plan; SIZE_MAX: no limit. FED_E_TOO_LARGE, with
 * all figures, if nothing is. */
FED_MUST int fed__trainer_budget(const struct fed_trainer *trainer, size_t *bytes);

/* The plan for the batch's size, made if it is not there. FED_E_RANGE, FED_E_MEMORY. */
FED_MUST int fed__trainer_find_plan(struct fed_trainer *trainer, struct fed__plan **plan);

/* Forget the optimiser's state, the number of steps, and how gradients are bent. */
void fed__trainer_forget(struct fed_trainer *trainer);

/* Bytes of a number in the trainer's precision. */
static inline size_t fed__trainer_unit(const struct fed_trainer *trainer) {
  return trainer->kernels->precision == FED_PRECISION_F64 ? sizeof(double) : sizeof(float);
}

#endif
