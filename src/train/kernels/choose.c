/* SPDX-License-Identifier: Apache-2.0
 *
 * choose.c: which table of kernels a trainer uses. For float32 the best of each kind: fed's own
 * matrix products and convolutions of few channels, oneDNN's other convolutions, and the reference
 * for what is left. The reference alone serves float64.
 */
#include "train/kernels/kernels.h"

#include "base/raise.h"
#include "train/kernels/lane_pool.h"
#include "train/kernels/onednn/onednn_conv.h"
#include "train/kernels/vector/lane_conv.h"
#include "train/kernels/vector/vector_gemm.h"

#include <pthread.h>
#include <stdio.h>

static int choose_double(enum fed_kernels wanted, const struct fed_kernel_table **table) {
  if (wanted == FED_KERNELS_ONEDNN)
    return FED_RAISE(
        FED_E_UNSUPPORTED,
        "the oneDNN kernels compute in float32 only; use the precision float32, or the "
        "reference kernels for float64");
  *table = &fed__kernels_reference_f64;
  return FED_OK;
}

/* The best table of each precision, made once. */
struct best {
  struct fed_kernel_table table;
  int (*conv_new_else)(const struct fed_context *context, const struct fed_conv *shape,
                       struct fed_kernel_instance **instance);
  char name[32];
};
static struct best best_f32, best_direct, best_bf16;
static int best_code; /* of loading oneDNN, which may be missing but not broken */
static pthread_once_t best_once = PTHREAD_ONCE_INIT;

static void fill_products(struct best *best, const struct fed_kernel_table *base,
                          const struct fed__vector_gemm *vector) {
  best->table = *base;
  fed__lane_pool_fill(&best->table);
  if (!vector) return;
  best->table.gemm = vector->gemm;
  best->table.packed_bytes = vector->packed_bytes;
  best->table.pack = vector->pack;
  best->table.gemm_packed = vector->gemm_packed;
  snprintf(best->name, sizeof best->name, "%s+%s", vector->name, base->name);
  best->table.name = best->name;
}

/* Convolutions: images side by side where that pays, else what the rest of the table has. */
static int new_conv(const struct best *best, const struct fed_context *context,
                    const struct fed_conv *shape, struct fed_kernel_instance **instance) {
  const struct fed__lane_conv *code = fed__lane_conv_find();
  if (code && fed__lane_conv_pays(shape, code))
    return fed__lane_conv_new(context, shape, code, instance);
  return best->conv_new_else(context, shape, instance);
}

static int new_conv_f32(const struct fed_context *context, const struct fed_conv *shape,
                        struct fed_kernel_instance **instance) {
  return new_conv(&best_f32, context, shape, instance);
}

static int new_conv_direct(const struct fed_context *context, const struct fed_conv *shape,
                           struct fed_kernel_instance **instance) {
  return new_conv(&best_direct, context, shape, instance);
}

/* An instance without state of oneDNN's is the reference's, and oneDNN's entries know it. */
static void conv_forward(struct fed_kernel_instance *instance, const void *x, const void *w,
                         const void *bias, void *y) {
  if (fed__lane_conv_made(instance))
    fed__lane_conv_forward(instance, x, w, bias, y);
  else
    fed__onednn_conv_forward(instance, x, w, bias, y);
}

static void conv_backward(struct fed_kernel_instance *instance, const void *x, const void *w,
                          const void *dy, void *dx, void *dw, void *dbias) {
  if (fed__lane_conv_made(instance))
    fed__lane_conv_backward(instance, x, w, dy, dx, dw, dbias);
  else
    fed__onednn_conv_backward(instance, x, w, dy, dx, dw, dbias);
}

static void fill_convolutions(struct best *best, __typeof__(best->conv_new_else) conv_new) {
  best->conv_new_else = best->table.conv_new;
  best->table.conv_new = conv_new;
  best->table.conv_forward = conv_forward;
  best->table.conv_backward = conv_backward;
}

static void fill_best(void) {
  const struct fed_kernel_table *base = &fed__kernels_reference_f32;
  const int code = fed__kernels_onednn(&base);
  best_code = code == FED_E_UNSUPPORTED ? FED_OK : code;
  fed_error_clear();
  fill_products(&best_f32, base, fed__vector_gemm_find());
  fill_products(&best_direct, base, fed__vector_gemm_find());
  fill_products(&best_bf16, base, fed__vector_gemm_find_bf16());
  if (code == FED_OK) best_f32.table.conv_new = fed__onednn_conv_new_tiled;
  if (code == FED_OK) best_bf16.table.conv_new = fed__onednn_conv_new_bf16;
  fill_convolutions(&best_f32, new_conv_f32);
  fill_convolutions(&best_direct, new_conv_direct);
}

static int choose_automatically(const struct best *best, const struct fed_kernel_table **table) {
  pthread_once(&best_once, fill_best);
  if (best_code != FED_OK) return fed__kernels_onednn(table); /* the message is per thread */
  *table = &best->table;
  return FED_OK;
}

static int choose_bf16(enum fed_kernels wanted, const struct fed_kernel_table **table) {
  if (wanted != FED_KERNELS_AUTO && wanted != FED_KERNELS_DIRECT)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "bfloat16 is for the kernels that are chosen automatically");
  if (!fed__vector_gemm_find_bf16())
    return FED_RAISE(FED_E_UNSUPPORTED, "this processor has no instructions for bfloat16 "
                                        "(AVX512-BF16): use the precision f32");
  return choose_automatically(&best_bf16, table);
}

int fed__kernels_choose(enum fed_kernels wanted, enum fed_precision precision,
                        const struct fed_kernel_table **table) {
  if (precision == FED_PRECISION_F64) return choose_double(wanted, table);
  if (precision == FED_PRECISION_BF16) return choose_bf16(wanted, table);
  switch (wanted) {
  case FED_KERNELS_AUTO:
    return choose_automatically(&best_f32, table);
  case FED_KERNELS_DIRECT:
    return choose_automatically(&best_direct, table);
  case FED_KERNELS_ONEDNN:
    return fed__kernels_onednn(table);
  case FED_KERNELS_REFERENCE:
    *table = &fed__kernels_reference_f32;
    return FED_OK;
  }
  return FED_RAISE(FED_E_USAGE,
                   "expected kernels auto, reference, onednn or direct, found number %d",
                   (int)wanted);
}
