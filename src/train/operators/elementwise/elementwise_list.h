/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise_list.h: operators that treat every element alike.
 */
#ifndef FED_TRAIN_ELEMENTWISE_LIST_H
#define FED_TRAIN_ELEMENTWISE_LIST_H

#define FED__OPERATORS_ELEMENTWISE(X)                                                              \
  X(abs)                                                                                           \
  X(add)                                                                                           \
  X(and)                                                                                           \
  X(cast)                                                                                          \
  X(cast_like)                                                                                     \
  X(ceil)                                                                                          \
  X(celu)                                                                                          \
  X(clip)                                                                                          \
  X(cos)                                                                                           \
  X(div)                                                                                           \
  X(dropout)                                                                                       \
  X(elu)                                                                                           \
  X(equal)                                                                                         \
  X(erf)                                                                                           \
  X(exp)                                                                                           \
  X(floor)                                                                                         \
  X(gelu)                                                                                          \
  X(greater)                                                                                       \
  X(greater_or_equal)                                                                              \
  X(hard_sigmoid)                                                                                  \
  X(hard_swish)                                                                                    \
  X(is_inf)                                                                                        \
  X(is_nan)                                                                                        \
  X(leaky_relu)                                                                                    \
  X(less)                                                                                          \
  X(less_or_equal)                                                                                 \
  X(log)                                                                                           \
  X(max)                                                                                           \
  X(mean)                                                                                          \
  X(min)                                                                                           \
  X(mish)                                                                                          \
  X(mod)                                                                                           \
  X(mul)                                                                                           \
  X(neg)                                                                                           \
  X(not )                                                                                          \
  X(or)                                                                                            \
  X(pow)                                                                                           \
  X(prelu)                                                                                         \
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
  X(sum)                                                                                           \
  X(swish)                                                                                         \
  X(tanh)                                                                                          \
  X(thresholded_relu)                                                                              \
  X(where)                                                                                         \
  X(xor)

#endif
