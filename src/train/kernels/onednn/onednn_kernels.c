/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_kernels.c: the float32 kernels on oneDNN.
 */
#include "train/kernels/instance.h"
#include "train/kernels/onednn/onednn_library.h"

#include "base/raise.h"

#include <pthread.h>

static const struct fed__onednn *library;
static struct fed_kernel_table table_filled;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* oneDNN's own failures (no memory for packing) leave the product to the reference. */
static void gemm(const struct fed_gemm *shape, const void *a, const void *b, void *c) {
  const int thread_count = fed__onednn_begin(library);
  const dnnl_status_t status = library->sgemm(
      shape->transpose_a ? 'T' : 'N', shape->transpose_b ? 'T' : 'N', shape->m, shape->n, shape->k,
      (float)shape->alpha, a, shape->lda, b, shape->ldb, (float)shape->beta, c, shape->ldc);
  fed__onednn_end(library, thread_count);
  if (status != dnnl_success) fed__kernels_reference_f32.gemm(shape, a, b, c);
}

static void fill_table(void) {
  table_filled = fed__kernels_reference_f32;
  table_filled.name = "onednn";
  table_filled.gemm = gemm;
}

int fed__kernels_onednn(const struct fed_kernel_table **table) {
  FED_TRY(fed__onednn_load(&library));
  pthread_once(&once, fill_table);
  *table = &table_filled;
  return FED_OK;
}
