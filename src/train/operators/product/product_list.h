/* SPDX-License-Identifier: Apache-2.0
 *
 * product_list.h: matrix products and attention.
 */
#ifndef FED_TRAIN_PRODUCT_LIST_H
#define FED_TRAIN_PRODUCT_LIST_H

#define FED__OPERATORS_PRODUCT(X)                                                                  \
  X(attention)                                                                                     \
  X(einsum)                                                                                        \
  X(gemm)                                                                                          \
  X(matmul)                                                                                        \
  X(rotary_embedding)

#endif
