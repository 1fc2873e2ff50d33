/* SPDX-License-Identifier: Apache-2.0
 *
 * reference_f32.c: the reference kernels in float.
 */
#define REAL float
#define TABLE fed__kernels_reference_f32
#define PRECISION FED_PRECISION_F32
#include "train/kernels/ref/reference_kernels.inc"
