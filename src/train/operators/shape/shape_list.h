/* SPDX-License-Identifier: Apache-2.0
 *
 * shape_list.h: operators that move elements, or make shapes and constants.
 */
#ifndef FED_TRAIN_SHAPE_LIST_H
#define FED_TRAIN_SHAPE_LIST_H

#define FED__OPERATORS_SHAPE(X)                                                                    \
  X(arg_max)                                                                                       \
  X(arg_min)                                                                                       \
  X(compress)                                                                                      \
  X(concat)                                                                                        \
  X(constant)                                                                                      \
  X(constant_of_shape)                                                                             \
  X(cumsum)                                                                                        \
  X(depth_to_space)                                                                                \
  X(expand)                                                                                        \
  X(eye_like)                                                                                      \
  X(flatten)                                                                                       \
  X(gather)                                                                                        \
  X(gather_elements)                                                                               \
  X(gather_nd)                                                                                     \
  X(identity)                                                                                      \
  X(nonzero)                                                                                       \
  X(one_hot)                                                                                       \
  X(pad)                                                                                           \
  X(range)                                                                                         \
  X(reshape)                                                                                       \
  X(resize)                                                                                        \
  X(scatter_elements)                                                                              \
  X(scatter_nd)                                                                                    \
  X(shape)                                                                                         \
  X(size)                                                                                          \
  X(slice)                                                                                         \
  X(space_to_depth)                                                                                \
  X(split)                                                                                         \
  X(squeeze)                                                                                       \
  X(tile)                                                                                          \
  X(top_k)                                                                                         \
  X(transpose)                                                                                     \
  X(trilu)                                                                                         \
  X(unsqueeze)

#endif
