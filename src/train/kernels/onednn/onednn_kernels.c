/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn_kernels.c: the table of float32 kernels on oneDNN. Pooling is fed's own: oneDNN's keeps
 * its argmax in a format of its own, and copying into its layouts takes longer than pooling.
 */
#include "train/kernels/lane_pool.h"
#include "train/kernels/onednn/onednn_conv.h"
#include "train/kernels/onednn/onednn_library.h"

#include "base/raise.h"

#include <pthread.h>

static const struct fed__onednn *library;
static struct fed_kernel_table filled;
static int load_code;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where nothing is added, oneDNN's portable product (arm64) scales c as if it had no gaps between
 * its rows. That and oneDNN's own failures (no memory for packing) are the reference's. */
static void gemm(const struct fed_gemm *shape, const void *a, const void *b, void *c) {
  if (shape->alpha == 0 || shape->k == 0) {
    fed__kernels_reference_f32.gemm(shape, a, b, c);
    return;
  }
  const int thread_count = fed__onednn_begin(library);
  const dnnl_status_t status = library->sgemm(
      shape->transpose_a ? 'T' : 'N', shape->transpose_b ? 'T' : 'N', shape->m, shape->n, shape->k,
      (float)shape->alpha, a, shape->lda, b, shape->ldb, (float)shape->beta, c, shape->ldc);
  fed__onednn_end(library, thread_count);
  if (status != dnnl_success) fed__kernels_reference_f32.gemm(shape, a, b, c);
}

static void fill_table(void) {
  filled = fed__kernels_reference_f32;
  filled.name = "onednn";
  filled.gemm = gemm;
  filled.conv_new = fed__onednn_conv_new;
  filled.conv_forward = fed__onednn_conv_forward;
  filled.conv_backward = fed__onednn_conv_backward;
  fed__lane_pool_fill(&filled);
  load_code = fed__onednn_load(&library);
}

int fed__kernels_onednn(const struct fed_kernel_table **table) {
  pthread_once(&once, fill_table);
  if (load_code != FED_OK) return fed__onednn_load(&library); /* the message is per thread */
  *table = &filled;
  return FED_OK;
}
