/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_place.h: one tensor of a safetensors file, found without reading the others.
 */
#ifndef FED_TENSOR_SAFETENSORS_PLACE_H
#define FED_TENSOR_SAFETENSORS_PLACE_H

#include "fed/safetensors.h"

/* How many bytes of a file there are in front of the data, from its first 8: FED_E_TOO_LARGE for a
 * header over 16 MiB, FED_E_TRUNCATED for one that the file is too short for. */
FED_MUST int fed__safetensors_start_bytes(const uint8_t first[8], uint64_t file_size,
                                          size_t *bytes);

/* Type and shape of the tensor `name`, and where in the file its data begins; `start` is everything
 * in front of the data. FED_E_MISSING, and the errors of fed_safetensors_decode. */
FED_MUST int fed__safetensors_locate(const struct fed_context *context, struct fed_slice start,
                                     uint64_t file_size, const char *name,
                                     struct fed_tensor *tensor, uint64_t *offset);

#endif
