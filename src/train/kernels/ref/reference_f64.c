/* SPDX-License-Identifier: Apache-2.0
 *
 * reference_f64.c: the reference kernels in double.
 */
#include "base/wide.h"

#undef FED__WIDE /* the oracle need not be fast */
#define FED__WIDE
#define REAL double
#define TABLE fed__kernels_reference_f64
#define PRECISION FED_PRECISION_F64
#include "train/kernels/ref/reference_kernels.inc"
