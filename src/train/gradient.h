/* SPDX-License-Identifier: Apache-2.0
 *
 * gradient.h: a trainer's gradients without a step, for tests and for what works on gradients
 * (per-client statistics). Arrays are of the trainer's precision and belong to the trainer.
 */
#ifndef FED_TRAIN_GRADIENT_H
#define FED_TRAIN_GRADIENT_H

#include "fed/train.h"

/* Forward and backward on the batch, no update. Adds to `metrics`. */
FED_MUST int fed__gradient_compute(struct fed_trainer *trainer, struct fed_metrics *metrics);

/* By index in fed_model_params; the gradient is that of the last fed__gradient_compute, NULL of
 * statistics. Parameters may be written to. */
const void *fed__trainer_gradient(const struct fed_trainer *trainer, size_t parameter);
void *fed__trainer_parameter(const struct fed_trainer *trainer, size_t parameter);

/* The graph's output of the last step and its shape. */
const void *fed__trainer_output(const struct fed_trainer *trainer, struct fed_shape *shape);

#endif
