/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/safetensors.h: read and write the safetensors format (8 bytes of header size, a JSON
 * header, raw little-endian data; https://github.com/huggingface/safetensors).
 *
 * Reading refuses what a hostile file may try: a header over 16 MiB or beyond the end, names
 * given twice, offsets that overlap, leave gaps, leave the file or disagree with shape and type.
 */
#ifndef FED_SAFETENSORS_H
#define FED_SAFETENSORS_H

#include "fed/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A piece of text in the header's "__metadata__". */
struct fed_safetensors_note {
  const char *key;
  const char *value;
};

/* Append the file's bytes for `params` to `out`. Same parameters and notes, same bytes.
 * FED_E_INPUT for a name or note that is not UTF-8 and for a tensor named "__metadata__",
 * FED_E_TOO_LARGE, FED_E_MEMORY; then `out` is unchanged. */
FED_API FED_MUST int fed_safetensors_encode(const struct fed_params *params,
                                            const struct fed_safetensors_note *notes,
                                            size_t note_count, struct fed_buffer *out);

/* Copy a file's tensors into a new set, ordered as their data lies in the file. FED_E_TRUNCATED,
 * FED_E_SYNTAX, FED_E_DUPLICATE, FED_E_RANGE, FED_E_SHAPE, FED_E_TOO_LARGE, FED_E_UNSUPPORTED;
 * then `params` is empty. */
FED_API FED_MUST int fed_safetensors_decode(struct fed_slice file,
                                            const struct fed_context *context,
                                            struct fed_params *params);

#ifdef __cplusplus
}
#endif
#endif
