/* SPDX-License-Identifier: Apache-2.0
 *
 * avx2.h: what kernels for vectors are written in, for AVX2 and FMA: 16 registers of 8 numbers.
 * Included by one file for each kind of kernel, before the kernel's text.
 */
#ifndef FED_TRAIN_AVX2_H
#define FED_TRAIN_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define VECTOR __m256
#define MASK __m256i
#define LANES 8
#define UNROLL _Pragma("GCC unroll 8")
#define ZERO _mm256_setzero_ps()
#define SPLAT(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define LOAD_SOME(p, mask) _mm256_maskload_ps(p, mask)
#define STORE_SOME(p, mask, v) _mm256_maskstore_ps(p, mask, v)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define MASK_OF(count) mask_of(count)
#define SUM_EACH(vectors) sum_each(vectors)
#define TRANSPOSE(vectors) transpose(vectors)

static inline MASK mask_of(int64_t count) {
  const int wanted = count >= 8 ? 8 : count <= 0 ? 0 : (int)count;
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(wanted), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Element i of the result is the sum of vector i's elements. */
static inline __attribute__((always_inline)) VECTOR sum_each(const VECTOR *v) {
  const VECTOR a = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
  const VECTOR b = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

/* By squares of 1, 2 and 4 numbers. */
static inline __attribute__((always_inline)) void transpose(VECTOR *v) {
  VECTOR t[8];
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
  _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++)
      _Pragma("GCC unroll 2") for (int j = 0; j < 2; j++) {
    v[4 * i + 2 * j] = _mm256_shuffle_ps(t[4 * i + j], t[4 * i + 2 + j], 0x44);
    v[4 * i + 2 * j + 1] = _mm256_shuffle_ps(t[4 * i + j], t[4 * i + 2 + j], 0xee);
  }
  _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) {
    t[j] = _mm256_permute2f128_ps(v[j], v[4 + j], 0x20);
    t[4 + j] = _mm256_permute2f128_ps(v[j], v[4 + j], 0x31);
  }
  _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) v[i] = t[i];
}

#endif
