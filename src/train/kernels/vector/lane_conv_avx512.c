/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_conv_avx512.c: convolution with images side by side, with AVX-512.
 */
#if defined(__x86_64__) && defined(__AVX512F__)
#include "train/kernels/vector/avx512.h"

#define ROWS 6
#define COLUMNS 4
#define NAME fed__lane_conv_avx512
#define NAME_TEXT "avx512"
#define ROW_CASES ROW_CASE(1) ROW_CASE(2) ROW_CASE(3) ROW_CASE(4) ROW_CASE(5) ROW_CASE(6)

#include "train/kernels/vector/lane_conv.inc"
#else
typedef int fed__lane_conv_avx512_is_not_for_this_processor;
#endif
