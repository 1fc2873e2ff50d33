/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_read.h: one array of a safetensors file.
 */
#ifndef FED_DATA_SAFETENSORS_READ_H
#define FED_DATA_SAFETENSORS_READ_H

#include "data/data_array.h"

/* The tensor of that name: FED_E_MISSING, the errors of fed_safetensors_decode; FED_E_UNSUPPORTED
 * for a packed file. */
FED_MUST int fed__safetensors_read(const struct fed__array_place *place, struct fed__array *array);

#endif
