/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_conv.h: the convolution entries of the oneDNN table; the meaning of the arguments is that
 * of struct fed_kernel_table.
 */
#ifndef FED_TRAIN_ONEDNN_CONV_H
#define FED_TRAIN_ONEDNN_CONV_H

#include "train/kernels/kernels.h"

FED_MUST int fed__onednn_conv_new(const struct fed_context *context, const struct fed_conv *shape,
                                  struct fed_kernel_instance **instance);
/* By Winograd's tiles where they pay. */
FED_MUST int fed__onednn_conv_new_tiled(const struct fed_context *context,
                                        const struct fed_conv *shape,
                                        struct fed_kernel_instance **instance);
/* Operands are rounded to bfloat16 where oneDNN can work with that. */
FED_MUST int fed__onednn_conv_new_bf16(const struct fed_context *context,
                                       const struct fed_conv *shape,
                                       struct fed_kernel_instance **instance);
void fed__onednn_conv_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                              const void *bias, void *y);
void fed__onednn_conv_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                               const void *dy, void *dx, void *dw, void *dbias);

#endif
