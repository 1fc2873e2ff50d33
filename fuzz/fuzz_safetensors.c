/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_safetensors.c: any bytes as a safetensors file. Decoding needs memory in proportion to the
 * file. What decodes can be encoded, decodes to the same tensors, and encodes to the same bytes.
 */
#include "fuzz_target.h"

#include "fed/safetensors.h"

static void check_round_trip(const struct fed_params *params, const struct fed_context *context) {
  struct fed_buffer first, second;
  struct fed_params again;
  fed_buffer_init(&first, context, SIZE_MAX);
  fed_buffer_init(&second, context, SIZE_MAX);
  HOLDS(fed_safetensors_encode(params, NULL, 0, &first) == FED_OK);
  HOLDS(fed_safetensors_decode(fed_buffer_slice(&first), context, &again) == FED_OK);
  HOLDS(fed_params_match(params, &again) == FED_OK);
  HOLDS(fuzz_equal(fed_slice_of(params->storage, params->storage_bytes),
                   fed_slice_of(again.storage, again.storage_bytes)));
  HOLDS(fed_safetensors_encode(&again, NULL, 0, &second) == FED_OK);
  HOLDS(fuzz_equal(fed_buffer_slice(&first), fed_buffer_slice(&second)));
  fed_params_clear(&again);
  fed_buffer_clear(&second);
  fed_buffer_clear(&first);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  struct fed_params params;
  fuzz_memory_begin(&memory, ((size_t)1 << 20) + 512 * size);
  const int code = fed_safetensors_decode(fed_slice_of(data, size), &memory.context, &params);
  HOLDS(!memory.exceeded);
  if (code == FED_OK) check_round_trip(&params, &memory.context);
  fed_params_clear(&params);
  fuzz_memory_end(&memory);
  return 0;
}
