/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise_list.h: operators that treat every element alike.
 */
#ifndef FED_TRAIN_ELEMENTWISE_LIST_H
#define FED_TRAIN_ELEMENTWISE_LIST_H

#define FED__OPERATORS_ELEMENTWISE(X)                                                              \
  X(abs)                                                                                           \
  X(add)                                                                                           \
  X(ceil)                                                                                          \
  X(celu)                                                                                          \
  X(cos)                                                                                           \
  X(div)                                                                                           \
  X(elu)                                                                                           \
  X(erf)                                                                                           \
  X(exp)                                                                                           \
  X(floor)                                                                                         \
  X(gelu)                                                                                          \
  X(hard_sigmoid)                                                                                  \
  X(hard_swish)                                                                                    \
  X(leaky_relu)                                                                                    \
  X(log)                                                                                           \
  X(mish)                                                                                          \
  X(mul)                                                                                           \
  X(neg)                                                                                           \
  X(reciprocal)                                                                                    \
  X(relu)                                                                                          \
  X(round)                                                                                         \
  X(selu)                                                                                          \
  X(sigmoid)                                                                                       \
  X(sign)                                                                                          \
  X(sin)                                                                                           \
  X(softplus)                                                                                      \
  X(softsign)                                                                                      \
  X(sqrt)                                                                                          \
  X(sub)                                                                                           \
  X(swish)                                                                                         \
  X(tanh)                                                                                          \
  X(thresholded_relu)

#endif
