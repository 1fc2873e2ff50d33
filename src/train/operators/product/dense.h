/* SPDX-License-Identifier: Apache-2.0
 *
 * dense.h: what Gemm and MatMul share: y = alpha * op(a) * op(b), whose b usually trains.
 */
#ifndef FED_TRAIN_DENSE_H
#define FED_TRAIN_DENSE_H

#include "train/operator.h"

/* a and b are the operation's first two inputs, dense; op transposes if asked. y: [m, n]. */
struct fed__dense {
  int64_t m, n, k;
  int transpose_a, transpose_b;
  double alpha;
};

/* Scratch memory for the backward pass. */
size_t fed__dense_scratch(const struct fed__operation *operation);

/* The gradients of a and b that are wanted; b may be updated instead. */
void fed__dense_backward(const struct fed__operation *operation, const struct fed__dense *dense);

#endif
