/* SPDX-License-Identifier: Apache-2.0
 *
 * halving_pool.h: the max pooling that nearly every image model uses, windows of 2 × 2 side by
 * side, four to eight times as fast as the general loop. Same results, ties and NaN included.
 */
#ifndef FED_TRAIN_HALVING_POOL_H
#define FED_TRAIN_HALVING_POOL_H

#include "train/kernels/kernels.h"

/* Whether the pooling is of this kind. */
int fed__halving_pool_fits(const struct fed_pool *pool);

/* As max_pool_forward of struct fed_kernel_table. */
void fed__halving_pool_forward(const struct fed_pool *pool, const float *x, float *y,
                               int32_t *argmax);

/* As max_pool_backward, in one pass: argmax is what forward found. */
void fed__halving_pool_backward(const struct fed_pool *pool, const float *dy, const int32_t *argmax,
                                float *dx);

#endif
