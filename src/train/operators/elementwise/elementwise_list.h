/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise_list.h: operators that treat every element alike.
 */
#ifndef FED_TRAIN_ELEMENTWISE_LIST_H
#define FED_TRAIN_ELEMENTWISE_LIST_H

#define FED__OPERATORS_ELEMENTWISE(X)                                                              \
  X(add)                                                                                           \
  X(div)                                                                                           \
  X(mul)                                                                                           \
  X(relu)                                                                                          \
  X(sigmoid)                                                                                       \
  X(sub)                                                                                           \
  X(tanh)

#endif
