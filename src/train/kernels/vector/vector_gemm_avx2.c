/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_gemm_avx2.c: matrix products with AVX2 and FMA.
 */
#if defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)
#include "train/kernels/vector/avx2.h"

#define ROWS 6
#define DOT_ROWS 4
#define DOT_COLUMNS 2
#define NAME fed__vector_gemm_avx2
#define NAME_TEXT "avx2"
#define ROW_CASES ROW_CASE(1) ROW_CASE(2) ROW_CASE(3) ROW_CASE(4) ROW_CASE(5) ROW_CASE(6)
#define DOT_CASES DOT_CASE(1) DOT_CASE(2) DOT_CASE(3) DOT_CASE(4)

#include "train/kernels/vector/vector_gemm.inc"
#else
typedef int fed__vector_gemm_avx2_is_not_for_this_processor;
#endif
