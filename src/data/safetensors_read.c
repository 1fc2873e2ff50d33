/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors_read.c: read one array of a safetensors file. Memory: twice the file while it is
 * read, the array afterwards.
 */
#include "data/safetensors_read.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"

#include <stdio.h>

#define READ_BYTES ((size_t)1 << 20)

static int read_all(struct fed__source *source, struct fed_buffer *bytes) {
  size_t got;
  do {
    FED_TRY(fed_buffer_reserve(bytes, READ_BYTES));
    FED_TRY(fed__source_read(source, bytes->data + bytes->size, READ_BYTES, &got));
    bytes->size += got;
  } while (got == READ_BYTES);
  return fed__source_end(source);
}

static int read_params(struct fed__source *source, struct fed_params *params) {
  struct fed_buffer bytes;
  fed_buffer_init(&bytes, source->context, FED__DATA_BYTES_MAX);
  int code = read_all(source, &bytes);
  if (code == FED_OK)
    code = fed_safetensors_decode(fed_buffer_slice(&bytes), source->context, params);
  fed_buffer_clear(&bytes);
  return code == FED_OK ? code : FED_WRAP("reading '%s'", source->name);
}

static int copy_tensor(const struct fed_params *params, const char *array_name,
                       struct fed__array *array) {
  const struct fed_tensor *tensor = fed_params_find(params, array_name);
  if (!tensor)
    return FED_RAISE(FED_E_MISSING, "'%s': expected an array of that name, found none",
                     array->name);
  array->dtype = tensor->dtype;
  array->shape = tensor->shape;
  array->data = fed__alloc(array->context, fed_tensor_bytes(tensor));
  if (!array->data) return FED_E_MEMORY;
  memcpy(array->data, tensor->data, fed_tensor_bytes(tensor));
  return FED_OK;
}

int fed__safetensors_read(const struct fed_context *context, const char *folder, const char *name,
                          const char *array_name, struct fed__array *array) {
  struct fed__source source;
  struct fed_params params = {.context = context};
  if (!array_name || !*array_name)
    return FED_RAISE(FED_E_MISSING, "expected the name of an array in the file '%s'",
                     name ? name : "");
  FED_TRY(fed__source_open(context, folder, name, &source));
  *array = (struct fed__array){.context = context};
  snprintf(array->name, sizeof array->name, "%.100s: %.100s", source.name, array_name);
  int code = read_params(&source, &params);
  if (code == FED_OK) {
    code = copy_tensor(&params, array_name, array);
    fed_params_clear(&params);
  }
  fed__source_close(&source);
  return code;
}
