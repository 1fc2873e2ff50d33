/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_gemm.h: matrix products for the small batches that federated clients train with (10 to
 * 128 rows), where general libraries reach a fifth of the machine's peak. Written for one
 * instruction set each; which one this processor has is asked at run time.
 */
#ifndef FED_TRAIN_VECTOR_GEMM_H
#define FED_TRAIN_VECTOR_GEMM_H

#include "train/kernels/kernels.h"

struct fed__vector_gemm {
  const char *name; /* "avx512", "avx2" */
  void (*gemm)(const struct fed_gemm *shape, const void *a, const void *b, void *c);
  size_t (*packed_bytes)(const struct fed_gemm *shape);
  void (*pack)(const struct fed_gemm *shape, const void *b, void *packed);
  void (*gemm_packed)(const struct fed_gemm *shape, const void *a, const void *packed, void *c);
};

/* The best for this processor; NULL if there is none. */
const struct fed__vector_gemm *fed__vector_gemm_find(void);

/* The same with operands rounded to bfloat16; NULL if the processor has no instructions for it. */
const struct fed__vector_gemm *fed__vector_gemm_find_bf16(void);

extern const struct fed__vector_gemm fed__vector_gemm_avx512, fed__vector_gemm_avx2,
    fed__vector_gemm_bf16;

#endif
