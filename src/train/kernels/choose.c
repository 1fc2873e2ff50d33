/* SPDX-License-Identifier: Apache-2.0
 *
 * choose.c: which table of kernels a trainer uses. For float32 the best of each kind: fed's own
 * matrix products, oneDNN's convolutions, and the reference for what is left. The reference alone
 * serves float64.
 */
#include "train/kernels/kernels.h"

#include "base/raise.h"
#include "train/kernels/lane_pool.h"
#include "train/kernels/onednn/onednn_conv.h"
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

static void fill_best(void) {
  const struct fed_kernel_table *base = &fed__kernels_reference_f32;
  const int code = fed__kernels_onednn(&base);
  best_code = code == FED_E_UNSUPPORTED ? FED_OK : code;
  fed_error_clear();
  fill_products(&best_f32, base, fed__vector_gemm_find());
  fill_products(&best_direct, base, fed__vector_gemm_find());
  fill_products(&best_bf16, base, fed__vector_gemm_find_bf16());
  if (code != FED_OK) return;
  best_f32.table.conv_new = fed__onednn_conv_new_tiled;
  best_bf16.table.conv_new = fed__onednn_conv_new_bf16;
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
