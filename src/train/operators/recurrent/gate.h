/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h: the activations of recurrent layers. Their derivative follows from their value.
 */
#ifndef FED_TRAIN_GATE_H
#define FED_TRAIN_GATE_H

#include "train/operator.h"

#define FED__GATES_MAX 3 /* of one direction */

enum fed__gate_kind {
  FED__GATE_SIGMOID,
  FED__GATE_TANH,
  FED__GATE_RELU,
  FED__GATE_AFFINE,
  FED__GATE_LEAKY_RELU,
  FED__GATE_THRESHOLDED_RELU,
  FED__GATE_SCALED_TANH,
  FED__GATE_HARD_SIGMOID,
  FED__GATE_ELU,
  FED__GATE_SOFTSIGN,
  FED__GATE_SOFTPLUS,
};

struct fed__gate {
  enum fed__gate_kind kind;
  double alpha, beta;
};

/* The attributes activations, activation_alpha and activation_beta; without them, `absent` for
 * every direction. The numbers go, in turn, to the activations that take any. */
FED_MUST int fed__gates_read(const struct fed__node *node, size_t directions, size_t each,
                             const enum fed__gate_kind *absent,
                             struct fed__gate gates[2][FED__GATES_MAX]);

/* y = f(x), and dx = dy * f'(x) in terms of y; all of these arrays may be one. */
#define FED__GATE_DECLARE(precision, real)                                                         \
  void fed__gate_apply_##precision(const struct fed__gate *gate, int64_t count, const real *x,     \
                                   real *y);                                                       \
  void fed__gate_derive_##precision(const struct fed__gate *gate, int64_t count, const real *y,    \
                                    const real *dy, real *dx);
FED__GATE_DECLARE(f32, float)
FED__GATE_DECLARE(f64, double)
#undef FED__GATE_DECLARE

#endif
