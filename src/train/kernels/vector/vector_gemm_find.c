/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_gemm_find.c: which matrix products this processor can run.
 */
#include "train/kernels/vector/vector_gemm.h"

const struct fed__vector_gemm *fed__vector_gemm_find(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return &fed__vector_gemm_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &fed__vector_gemm_avx2;
#endif
  return NULL;
}

const struct fed__vector_gemm *fed__vector_gemm_find_bf16(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return &fed__vector_gemm_bf16;
#endif
  return NULL;
}
