/* SPDX-License-Identifier: Apache-2.0
 *
 * choose.c: which table of kernels a trainer uses. oneDNN is the fastest and float32 only; the
 * reference serves float64 and machines without oneDNN.
 */
#include "train/kernels/kernels.h"

#include "base/raise.h"

static int choose_double(enum fed_kernels wanted, const struct fed_kernel_table **table) {
  if (wanted == FED_KERNELS_ONEDNN)
    return FED_RAISE(
        FED_E_UNSUPPORTED,
        "the oneDNN kernels compute in float32 only; use the precision float32, or the "
        "reference kernels for float64");
  *table = &fed__kernels_reference_f64;
  return FED_OK;
}

static int choose_automatically(const struct fed_kernel_table **table) {
  const int code = fed__kernels_onednn(table);
  if (code != FED_E_UNSUPPORTED) return code;
  fed_error_clear();
  *table = &fed__kernels_reference_f32;
  return FED_OK;
}

int fed__kernels_choose(enum fed_kernels wanted, enum fed_precision precision,
                        const struct fed_kernel_table **table) {
  if (precision == FED_PRECISION_F64) return choose_double(wanted, table);
  switch (wanted) {
  case FED_KERNELS_AUTO:
    return choose_automatically(table);
  case FED_KERNELS_ONEDNN:
    return fed__kernels_onednn(table);
  case FED_KERNELS_REFERENCE:
    *table = &fed__kernels_reference_f32;
    return FED_OK;
  }
  return FED_RAISE(FED_E_USAGE, "expected kernels auto, reference or onednn, found number %d",
                   (int)wanted);
}
