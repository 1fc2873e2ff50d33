/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h: what a loss is to the trainer: a row of functions over the graph's output and the
 * target.
 */
#ifndef FED_TRAIN_LOSS_H
#define FED_TRAIN_LOSS_H

#include "fed/train.h"

struct fed__loss_call {
  const struct fed_shape *shape; /* of the output, with the batch */
  const void *output;            /* of the trainer's precision */
  const void *target;            /* of the loss's target type */
  void *gradient;                /* d(mean loss) / d(output); NULL: not wanted */
  struct fed_metrics *metrics;   /* added to */
};

struct fed__loss {
  const char *name;
  enum fed_dtype target_dtype;
  /* The target's shape without the batch; FED_E_SHAPE if the output does not fit. */
  FED_MUST int (*target_shape)(const struct fed_shape *output, struct fed_shape *target);
  /* Is the target usable? Called before anything changes. */
  FED_MUST int (*check)(const struct fed__loss_call *call);
  void (*run[2])(const struct fed__loss_call *call); /* by precision */
};

/* FED_E_USAGE for a number that is no loss. */
FED_MUST int fed__loss_find(enum fed_loss loss, const struct fed__loss **found);

#endif
