/* SPDX-License-Identifier: Apache-2.0
 *
 * kernels.h: the heavy arithmetic of the operators, behind one table chosen at run time. The
 * reference table is plain C for every type and is the oracle of the others; a faster table may
 * leave entries NULL, and those are then taken from the reference.
 *
 * All arrays are dense, row-major, and of the table's precision (float, or double for the
 * reference table's double twin): hence `void`. Image data is N, C, spatial… Results of one
 * table are the same from call to call and do not depend on the number of threads.
 *
 * An instance holds what a kernel wants to keep between calls with the same shapes (compiled
 * code, scratch memory): one is made per operator and batch size when the plan is built, so that
 * a step allocates nothing.
 */
#ifndef FED_TRAIN_KERNELS_H
#define FED_TRAIN_KERNELS_H

#include "fed/train.h"

/* c[m, n] = alpha * op(a) * op(b) + beta * c; op transposes if asked. lda, ldb, ldc: row strides.
 */
struct fed_gemm {
  int transpose_a, transpose_b;
  int64_t m, n, k, lda, ldb, ldc;
  double alpha, beta;
};

#define FED_SPATIAL 3

/* A window that slides over depth, height and width. What has fewer dimensions lacks the first
 * ones: they are of extent 1 with kernel, stride and dilation 1. Padding is a matter of position
 * alone: there are no elements behind it. */
struct fed_window {
  int64_t in[FED_SPATIAL], out[FED_SPATIAL], kernel[FED_SPATIAL];
  int64_t stride[FED_SPATIAL], dilation[FED_SPATIAL];
  int64_t pad_before[FED_SPATIAL], pad_after[FED_SPATIAL];
};

/* Convolution, grouped and dilated. Weights: [out, in / groups, kernel…]. */
struct fed_conv {
  int64_t batch, in_channels, out_channels, groups;
  struct fed_window window;
  int has_bias;
  int rounds; /* operands to bfloat16; the reference does not */
  int tiles;  /* may go by Winograd's tiles; the reference does not */
};

/* What average_pool divides a window's sum by. */
enum fed_pool_divisor {
  FED_POOL_UNDIVIDED, /* nothing; also for max_pool */
  FED_POOL_BY_PIXELS,
  FED_POOL_BY_PIXELS_AND_PADDING,
};

/* Pooling, each channel for itself. */
struct fed_pool {
  int64_t batch, channels;
  struct fed_window window;
  enum fed_pool_divisor divisor;
};

struct fed_kernel_instance; /* opaque; freed with the table's instance_free */

struct fed_kernel_table {
  const char *name;
  enum fed_precision precision;

  void (*gemm)(const struct fed_gemm *shape, const void *a, const void *b, void *c);
  /* The same with b laid out beforehand, in packed_bytes of memory, for a b that serves many
   * products. The shape's alpha and beta count in gemm_packed only. */
  size_t (*packed_bytes)(const struct fed_gemm *shape);
  void (*pack)(const struct fed_gemm *shape, const void *b, void *packed);
  void (*gemm_packed)(const struct fed_gemm *shape, const void *a, const void *packed, void *c);

  FED_MUST int (*conv_new)(const struct fed_context *context, const struct fed_conv *shape,
                           struct fed_kernel_instance **instance);
  void (*conv_forward)(struct fed_kernel_instance *instance, const void *x, const void *w,
                       const void *bias, void *y);
  /* dx, dw and dbias are overwritten; NULL: nobody needs it. */
  void (*conv_backward)(struct fed_kernel_instance *instance, const void *x, const void *w,
                        const void *dy, void *dx, void *dw, void *dbias);

  FED_MUST int (*pool_new)(const struct fed_context *context, const struct fed_pool *shape,
                           struct fed_kernel_instance **instance);
  /* argmax: for each output the index in the input's plane (depth * height * width); the first of
   * equal maxima, as PyTorch does. */
  void (*max_pool_forward)(struct fed_kernel_instance *instance, const void *x, void *y,
                           int32_t *argmax);
  void (*max_pool_backward)(struct fed_kernel_instance *instance, const void *dy,
                            const int32_t *argmax, void *dx);
  void (*average_pool_forward)(struct fed_kernel_instance *instance, const void *x, void *y);
  void (*average_pool_backward)(struct fed_kernel_instance *instance, const void *dy, void *dx);

  void (*instance_free)(struct fed_kernel_instance *instance);
  size_t (*instance_bytes)(const struct fed_kernel_instance *instance);
};

/* The table for a precision. FED_KERNELS_AUTO: fed's own matrix products and convolutions of few
 * channels if the processor has AVX2 or AVX-512, oneDNN for the rest if it is there, the reference
 * for what is left; asking for oneDNN by name fails with FED_E_UNSUPPORTED, saying which package to
 * install, if its library cannot be loaded. The library is loaded on first use, never before, so
 * that an idle agent does not map it. */
FED_MUST int fed__kernels_choose(enum fed_kernels wanted, enum fed_precision precision,
                                 const struct fed_kernel_table **table);

extern const struct fed_kernel_table fed__kernels_reference_f32;
extern const struct fed_kernel_table fed__kernels_reference_f64;
/* Loads libdnnl.so.2 and fills in the table; FED_E_UNSUPPORTED. Threads: safe. */
FED_MUST int fed__kernels_onednn(const struct fed_kernel_table **table);

#endif
