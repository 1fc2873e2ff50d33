/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h: what convolutions and poolings share: the window's attributes, over one to three
 * spatial dimensions, and the kernel instance that works on it.
 */
#ifndef FED_TRAIN_WINDOW_H
#define FED_TRAIN_WINDOW_H

#include "train/operator.h"

/* Read a node's window over data of shape [N, C, spatial…]. `weights`: their shape, if the window
 * has its extents; NULL: it has those of the attribute kernel_shape. */
FED_MUST int fed__window_read(const struct fed__node *node, const struct fed_shape *data,
                              const struct fed_shape *weights, struct fed_window *window);

/* The same for a transposed convolution, which is the data gradient of a convolution: that one's
 * window. Its outputs have the extents of `data`, and its inputs those of the result. */
FED_MUST int fed__window_read_transposed(const struct fed__node *node, const struct fed_shape *data,
                                         const struct fed_shape *weights,
                                         struct fed_window *window);

/* [N of the data, channels, extents…], with as many dimensions as the data. */
struct fed_shape fed__window_output(const struct fed_shape *data, int64_t channels,
                                    const int64_t extents[FED_SPATIAL]);

/* Input B of X, W, B: one number a channel, if it is there. */
FED_MUST int fed__window_check_bias(const struct fed__inference *inference, int64_t channels);

/* The state of an operation with one kernel instance, and its release and bytes. */
struct fed__window_state {
  struct fed_kernel_instance *instance;
};
void fed__window_release(struct fed__operation *operation);
size_t fed__window_bytes(const struct fed__operation *operation);

/* Weights and bias of X, W, B train. */
int fed__window_trains(uint32_t slot, const struct fed_shape *shape);

/* Work of a convolution: two for each tap of each element of `elements`. */
double fed__window_work(const struct fed__known *elements, const struct fed__known *weights);

#endif
