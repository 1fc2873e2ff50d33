/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h: the sliding window that convolutions and poolings share: kernel, strides, dilations
 * and padding over one or two spatial dimensions (one is taken as height 1).
 */
#ifndef FED_TRAIN_WINDOW_H
#define FED_TRAIN_WINDOW_H

#include "train/graph.h"

/* Index 0 is the height, 1 the width. */
struct fed__window {
  int64_t batch, channels;
  int64_t in[2], out[2], kernel[2], stride[2], dilation[2], pad_before[2], pad_after[2];
};

/* Read a node's window over data of shape [N, C, (H,) W]. `kernel`: the extents that the weights
 * have, or NULL to take the attribute kernel_shape. */
FED_MUST int fed__window_read(const struct fed__node *node, const struct fed_shape *data,
                              const int64_t *kernel, struct fed__window *window);

/* The output's shape for so many channels, with as many dimensions as the data. */
struct fed_shape fed__window_output(const struct fed__window *window, const struct fed_shape *data,
                                    int64_t channels);

#endif
