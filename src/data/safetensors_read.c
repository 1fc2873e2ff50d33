/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_read.c: read one array of a safetensors file. Memory: the header (at most 16 MiB)
 * while it is read; then the array, or none of it (data_array.h).
 */
#include "data/safetensors_read.h"
#include "base/memory.h"
#include "base/raise.h"
#include "tensor/safetensors_place.h"

#include <stdio.h>

static int locate(struct fed__source *source, const char *name, struct fed_tensor *tensor,
                  uint64_t *offset) {
  uint8_t first[8];
  size_t size;
  FED_TRY(fed__source_peek(source, 0, first, sizeof first));
  FED_TRY(fed__safetensors_start_bytes(first, source->end, &size));
  uint8_t *start = fed__alloc(source->context, size);
  if (!start) return FED_E_MEMORY;
  int code = fed__source_peek(source, 0, start, size);
  if (code == FED_OK)
    code = fed__safetensors_locate(source->context, fed_slice_of(start, size), source->end, name,
                                   tensor, offset);
  fed__free(source->context, start);
  return code;
}

static int read_tensor(struct fed__source *source, const struct fed__array_place *place,
                       struct fed__array *array) {
  struct fed_tensor tensor;
  uint64_t offset;
  if (source->coding != FED__SOURCE_PLAIN)
    return FED_RAISE(FED_E_UNSUPPORTED, "'%s': safetensors files are read unpacked only",
                     source->name);
  if (locate(source, place->array, &tensor, &offset) != FED_OK)
    return FED_WRAP("reading '%s'", source->name);
  array->dtype = tensor.dtype;
  array->shape = tensor.shape;
  source->at = offset;
  source->end = offset + fed_tensor_bytes(&tensor);
  return fed__array_load(array, source, FED__LITTLE_ENDIAN, place->memory_max);
}

int fed__safetensors_read(const struct fed__array_place *place, struct fed__array *array) {
  struct fed__source source;
  if (!place->array || !*place->array)
    return FED_RAISE(FED_E_MISSING, "expected the name of an array in the file '%s'",
                     place->file ? place->file : "");
  FED_TRY(fed__source_open(place->context, place->folder, place->file, &source));
  *array = (struct fed__array){.context = place->context};
  snprintf(array->name, sizeof array->name, "%.100s: %.100s", source.name, place->array);
  int code = read_tensor(&source, place, array);
  fed__source_close(&source);
  return code;
}
