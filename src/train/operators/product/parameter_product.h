/* SPDX-License-Identifier: Apache-2.0
 *
 * parameter_product.h: the gradient of a weight matrix as one product, with the optimiser's update
 * in the same pass where the plan allows it.
 */
#ifndef FED_TRAIN_PARAMETER_PRODUCT_H
#define FED_TRAIN_PARAMETER_PRODUCT_H

#include "train/fused_update.h"

/* The scratch memory that the pass wants, for a weight in this input. */
size_t fed__parameter_product_scratch(const struct fed__operation *operation, uint32_t slot);

/* The product (its beta is 0, its ldc the parameter's row length) is the gradient of a block of the
 * input that begins at number `first`; it goes into the gradient or, piece by piece, into the
 * parameter. Nothing may read this block of the parameter afterwards. */
void fed__product_for_parameter(const struct fed__operation *operation, uint32_t slot,
                                int64_t first, const struct fed_gemm *product, const void *a,
                                const void *b);

#endif
