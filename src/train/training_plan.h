/* SPDX-License-Identifier: Apache-2.0
 *
 * training_plan.h: a model made ready to run for one batch size and precision: a list of operations
 * and one block of memory in which every value and gradient has its place. Running it neither
 * allocates nor fails.
 */
#ifndef FED_TRAIN_PLAN_H
#define FED_TRAIN_PLAN_H

#include "train/operator.h"

/* What the plans of one trainer share. */
struct fed__plan_setting {
  const struct fed_context *context;
  const struct fed_model *model;
  const struct fed_kernel_table *kernels;
  void *const *parameters; /* by parameter, of the table's precision */
  void *const *gradients;
  void *const *local_params;
  const struct fed__step *step;  /* the trainer's, which changes from step to step */
  const struct fed_batch *batch; /* where the examples will be */
  void *arena;                   /* memory that plans may take turns in; NULL: none yet */
  size_t arena_bytes;
  int checkpoint;   /* compute activations again in backward, where that saves memory */
  size_t bytes_max; /* FED_E_TOO_LARGE, before allocating, if a plan's arena needs more */
};

/* A step of backward: an operation's backward, or its forward once more. */
struct fed__scheduled {
  uint32_t operation;
  int again;
};

struct fed__plan {
  const struct fed_context *context;
  const struct fed_model *model;
  const struct fed_kernel_table *kernels;
  int64_t batch_size;
  struct fed__shapes shapes;
  struct fed__operation *operations; /* in forward order */
  struct fed__operation *again;      /* the same with the operands that they have after the loss */
  uint32_t operation_count;
  struct fed__scheduled *schedule; /* of what runs after the loss, on `again` */
  uint32_t schedule_count;
  struct fed__operand *operands;
  char *states;
  void *constants;                /* float constants as double, in double precision */
  double *inputs[FED_INPUTS_MAX]; /* the examples as double, in double precision; else NULL */
  const struct fed_batch *batch;
  struct fed__operand output; /* data: the graph's output; gradient: where the loss writes, NULL
                                 if nothing trains */
  void *arena;
  size_t arena_bytes;
  void *allocation;         /* the arena's, if it is this plan's own */
  size_t activations_bound; /* the most bytes in the arena that are alive at one time */
  char *updated;            /* by parameter: backward updates it itself when the step says so */
  size_t bytes;             /* all that this plan allocated for running */
};

FED_MUST int fed__plan_new(const struct fed__plan_setting *setting, int64_t batch_size,
                           struct fed__plan **plan);
void fed__plan_free(struct fed__plan *plan);

void fed__plan_forward(const struct fed__plan *plan);
/* From output.gradient to the parameters' gradients; with an update in the step also that of all
 * parameters. */
void fed__plan_backward(const struct fed__plan *plan);
/* After a training step that succeeded: statistics take the batch's in. */
void fed__plan_commit(const struct fed__plan *plan);

#endif
