/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_conv.h: convolution with the images of a batch side by side, one a lane: a vector holds the
 * same pixel of 16 (AVX2: 8) images, so no channel count and no width of a plane is a bad one. For
 * the small networks that federated clients train, whose 1 to 16 channels leave most of a vector
 * of channels empty.
 */
#ifndef FED_TRAIN_LANE_CONV_H
#define FED_TRAIN_LANE_CONV_H

#include "train/kernels/kernels.h"

/* Planes of vectors, in a frame of zeros that makes up for the padding. */
struct fed__framed_planes {
  float *at;                 /* the first vector of the first plane's frame */
  int64_t row, plane;        /* vectors from one row, one plane to the next */
  int64_t above, left;       /* the frame's width there */
  int64_t count, high, wide; /* planes, rows and columns inside it */
};

/* A convolution's memory for one group of images; the frames stay zero. */
struct fed__lane_room {
  void *allocation;
  struct fed__framed_planes x, dy;
  float *out;     /* y or dx, without a frame */
  float *weights; /* in the order in which they are used */
  float *sums;    /* of dw, a vector each */
};

/* For one instruction set. */
struct fed__lane_conv {
  const char *name;
  int64_t lanes;
  void (*forward)(const struct fed_conv *conv, const struct fed__lane_room *room, const float *x,
                  const float *w, const float *bias, float *y);
  void (*backward)(const struct fed_conv *conv, const struct fed__lane_room *room, const float *x,
                   const float *w, const float *dy, float *dx, float *dw, float *dbias);
};

/* The best for this processor; NULL if there is none. */
const struct fed__lane_conv *fed__lane_conv_find(void);

/* Can it be done at all? Without groups, strides and dilation, in one dimension or two, if no
 * padding is as wide as the kernel. */
int fed__lane_conv_fits(const struct fed_conv *shape);

/* Is it faster than what looks for its parallelism in the channels? On a Zen 5 core: two to five
 * times on 1 to 6 and 6 to 16 channels; bench_kernels prints both. */
int fed__lane_conv_pays(const struct fed_conv *shape, const struct fed__lane_conv *code);

/* The entries of a table of kernels; forward and backward are for instances of fed__lane_conv_new
 * only, which is for shapes that fit. */
FED_MUST int fed__lane_conv_new(const struct fed_context *context, const struct fed_conv *shape,
                                const struct fed__lane_conv *code,
                                struct fed_kernel_instance **instance);
int fed__lane_conv_made(const struct fed_kernel_instance *instance);
void fed__lane_conv_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                            const void *bias, void *y);
void fed__lane_conv_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                             const void *dy, void *dx, void *dw, void *dbias);

extern const struct fed__lane_conv fed__lane_conv_avx512, fed__lane_conv_avx2;

#endif
