/* SPDX-License-Identifier: Apache-2.0
 *
 * shape_list.h: operators that move elements, or make shapes and constants.
 */
#ifndef FED_TRAIN_SHAPE_LIST_H
#define FED_TRAIN_SHAPE_LIST_H

#define FED__OPERATORS_SHAPE(X)                                                                    \
  X(constant)                                                                                      \
  X(flatten)                                                                                       \
  X(identity)                                                                                      \
  X(reshape)                                                                                       \
  X(squeeze)                                                                                       \
  X(unsqueeze)

#endif
