/* SPDX-License-Identifier: Apache-2.0
 *
 * norm_list.h: normalisation, softmax and reductions.
 */
#ifndef FED_TRAIN_NORM_LIST_H
#define FED_TRAIN_NORM_LIST_H

#define FED__OPERATORS_NORM(X)                                                                     \
  X(batch_normalization)                                                                           \
  X(group_normalization)                                                                           \
  X(hardmax)                                                                                       \
  X(instance_normalization)                                                                        \
  X(layer_normalization)                                                                           \
  X(log_softmax)                                                                                   \
  X(lp_normalization)                                                                              \
  X(lrn)                                                                                           \
  X(reduce_l1)                                                                                     \
  X(reduce_l2)                                                                                     \
  X(reduce_log_sum)                                                                                \
  X(reduce_log_sum_exp)                                                                            \
  X(reduce_max)                                                                                    \
  X(reduce_mean)                                                                                   \
  X(reduce_min)                                                                                    \
  X(reduce_prod)                                                                                   \
  X(reduce_sum)                                                                                    \
  X(reduce_sum_square)                                                                             \
  X(rms_normalization)                                                                             \
  X(softmax)

#endif
