/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h: what a loss is to the trainer: a row of functions over the graph's output and the
 * target.
 */
#ifndef FED_TRAIN_LOSS_H
#define FED_TRAIN_LOSS_H

#include "fed/train.h"

struct fed__loss_call {
  const struct fed_train_options *options;
  const struct fed_shape *shape; /* of the output, with the batch */
  size_t batch_count;            /* examples in the batch */
  const void *output;            /* of the trainer's precision */
  const void *target;            /* of the loss's target type */
  void *gradient;                /* d(mean loss) / d(output); NULL: not wanted */
  struct fed_metrics *metrics;   /* added to: loss_sum / example_count is the mean */
};

struct fed__loss {
  const char *name;
  enum fed_dtype target_dtype;
  int has_weights, has_ignored, has_smoothing; /* which options it knows */
  /* The target's shape without the batch; FED_E_SHAPE if the output does not fit the loss,
   * FED_E_RANGE if the options do not fit the output. */
  FED_MUST int (*target_shape)(const struct fed_train_options *options,
                               const struct fed_shape *output, struct fed_shape *target);
  /* Is the target usable? Called before anything changes. NULL: always. */
  FED_MUST int (*check)(const struct fed__loss_call *call);
  void (*run[2])(const struct fed__loss_call *call); /* by precision */
};

/* The loss that the options name. FED_E_USAGE for a number that is no loss, FED_E_RANGE for
 * options that it does not know or cannot work with. */
FED_MUST int fed__loss_find(const struct fed_train_options *options,
                            const struct fed__loss **found);

/* For losses: the options must have no class weights, or `count` of them. */
FED_MUST int fed__loss_check_weights(const struct fed_train_options *options, int64_t count);

extern const struct fed__loss fed__loss_softmax_cross_entropy, fed__loss_soft_cross_entropy,
    fed__loss_binary_cross_entropy, fed__loss_mean_squared_error, fed__loss_huber, fed__loss_output;

#endif
