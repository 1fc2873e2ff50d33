/* SPDX-License-Identifier: Apache-2.0
 *
 * fused_update.h: the optimiser's update inside of backward. A weight's gradient is as large as the
 * weight; written to memory and read again by the optimiser, it costs more than the arithmetic at
 * small batches. So backward may hand each piece of a gradient over while it is in the cache, or
 * have a matrix product write into the parameter directly.
 */
#ifndef FED_TRAIN_FUSED_UPDATE_H
#define FED_TRAIN_FUSED_UPDATE_H

#include "train/operator.h"

/* Does backward update this input's parameter now, instead of leaving a gradient? */
int fed__updates(const struct fed__operation *operation, uint32_t slot);

/* Is the update p = keep * p + factor * gradient, and nothing else (plain SGD)? */
int fed__update_is_linear(const struct fed__operation *operation, double *factor, double *keep);

/* Update `count` of the parameter's numbers from the `first` on with their gradient. */
void fed__update_piece(const struct fed__operation *operation, uint32_t slot, size_t first,
                       size_t count, const void *gradient);

#endif
