/* SPDX-License-Identifier: Apache-2.0
 *
 * vector_gemm_avx512.c: matrix products with AVX-512.
 */
#if defined(__x86_64__) && defined(__AVX512F__)
#include "train/kernels/vector/avx512.h"

#define ROWS 14
#define DOT_ROWS 5
#define DOT_COLUMNS 5
#define NAME fed__vector_gemm_avx512
#define NAME_TEXT "avx512"
#define ROW_CASES                                                                                  \
  ROW_CASE(1)                                                                                      \
  ROW_CASE(2)                                                                                      \
  ROW_CASE(3)                                                                                      \
  ROW_CASE(4)                                                                                      \
  ROW_CASE(5)                                                                                      \
  ROW_CASE(6)                                                                                      \
  ROW_CASE(7)                                                                                      \
  ROW_CASE(8) ROW_CASE(9) ROW_CASE(10) ROW_CASE(11) ROW_CASE(12) ROW_CASE(13) ROW_CASE(14)
#define DOT_CASES DOT_CASE(1) DOT_CASE(2) DOT_CASE(3) DOT_CASE(4) DOT_CASE(5)

#include "train/kernels/vector/vector_gemm.inc"
#else
typedef int fed__vector_gemm_avx512_is_not_for_this_processor;
#endif
