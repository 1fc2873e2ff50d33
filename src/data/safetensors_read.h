/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_read.h: one array of a safetensors file.
 */
#ifndef FED_DATA_SAFETENSORS_READ_H
#define FED_DATA_SAFETENSORS_READ_H

#include "data/data_array.h"

/* The tensor of that name: FED_E_MISSING, and the errors of fed_safetensors_decode. */
FED_MUST int fed__safetensors_read(const struct fed_context *context, const char *folder,
                                   const char *name, const char *array_name,
                                   struct fed__array *array);

#endif
