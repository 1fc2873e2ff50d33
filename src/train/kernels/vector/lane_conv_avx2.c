/* SPDX-License-Identifier: Apache-2.0
 *
 * lane_conv_avx2.c: convolution with images side by side, with AVX2 and FMA.
 */
#if defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)
#include "train/kernels/vector/avx2.h"

#define ROWS 4
#define COLUMNS 3
#define NAME fed__lane_conv_avx2
#define NAME_TEXT "avx2"
#define ROW_CASES ROW_CASE(1) ROW_CASE(2) ROW_CASE(3) ROW_CASE(4)

#include "train/kernels/vector/lane_conv.inc"
#else
typedef int fed__lane_conv_avx2_is_not_for_this_processor;
#endif
