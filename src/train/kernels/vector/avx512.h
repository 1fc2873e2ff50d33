/* SPDX-License-Identifier: Apache-2.0
 *
 * avx512.h: what kernels for vectors are written in, for AVX-512: 32 registers of 16 numbers.
 * Included by one file for each kind of kernel, before the kernel's text.
 */
#ifndef FED_TRAIN_AVX512_H
#define FED_TRAIN_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define VECTOR __m512
#define MASK __mmask16
#define LANES 16
#define UNROLL _Pragma("GCC unroll 16")
#define ZERO _mm512_setzero_ps()
#define SPLAT(x) _mm512_set1_ps(x)
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define LOAD_SOME(p, mask) _mm512_maskz_loadu_ps(mask, p)
#define STORE_SOME(p, mask, v) _mm512_mask_storeu_ps(p, mask, v)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define MASK_OF(count) mask_of(count)
#define SUM_EACH(vectors) sum_each(vectors)
#define TRANSPOSE(vectors) transpose(vectors)

static inline MASK mask_of(int64_t count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : (MASK)((1u << count) - 1);
}

/* Element i of the result is the sum of vector i's elements: sixteen vectors are halved together
 * four times. */
static inline __attribute__((always_inline)) VECTOR sum_each(const VECTOR *v) {
  VECTOR pairs[8], fours[4], eights[2];
  _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) pairs[i] = _mm512_add_ps(
      _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
    const __m512d low = _mm512_castps_pd(pairs[2 * i]), high = _mm512_castps_pd(pairs[2 * i + 1]);
    fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                             _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  }
  _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) eights[i] =
      _mm512_add_ps(_mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0x88),
                    _mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0xdd));
  return _mm512_add_ps(_mm512_shuffle_f32x4(eights[0], eights[1], 0x88),
                       _mm512_shuffle_f32x4(eights[0], eights[1], 0xdd));
}

/* By squares of 1, 2, 4 and 8 numbers. */
static inline __attribute__((always_inline)) void transpose(VECTOR *v) {
  VECTOR t[16];
  _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
      _Pragma("GCC unroll 2") for (int j = 0; j < 2; j++) {
    const __m512d low = _mm512_castps_pd(t[4 * i + j]), high = _mm512_castps_pd(t[4 * i + 2 + j]);
    v[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
    v[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
  }
  _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++)
      _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++) {
    t[8 * i + j] = _mm512_shuffle_f32x4(v[8 * i + j], v[8 * i + 4 + j], 0x88);
    t[8 * i + 4 + j] = _mm512_shuffle_f32x4(v[8 * i + j], v[8 * i + 4 + j], 0xdd);
  }
  _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) {
    v[j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0x88);
    v[8 + j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0xdd);
  }
}

#endif
