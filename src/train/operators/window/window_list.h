/* SPDX-License-Identifier: Apache-2.0
 *
 * window_list.h: convolution and pooling.
 */
#ifndef FED_TRAIN_WINDOW_LIST_H
#define FED_TRAIN_WINDOW_LIST_H

#define FED__OPERATORS_WINDOW(X)                                                                   \
  X(average_pool)                                                                                  \
  X(conv)                                                                                          \
  X(conv_transpose)                                                                                \
  X(global_average_pool)                                                                           \
  X(global_lp_pool)                                                                                \
  X(global_max_pool)                                                                               \
  X(lp_pool)                                                                                       \
  X(max_pool)

#endif
