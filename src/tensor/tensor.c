/* SPDX-License-Identifier: Apache-2.0
 *
 * tensor.c: element types and shapes.
 */
#include "fed/tensor.h"
#include "base/raise.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
#define FED_DTYPE_ENTRY(name, text, size) {text, size},
    FED_DTYPE_LIST(FED_DTYPE_ENTRY)
#undef FED_DTYPE_ENTRY
};

const char *fed_dtype_name(enum fed_dtype dtype) { return dtypes[dtype].name; }

size_t fed_dtype_size(enum fed_dtype dtype) { return dtypes[dtype].size; }

int fed_dtype_parse(struct fed_slice name, enum fed_dtype *dtype) {
  for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
    if (name.size == strlen(dtypes[i].name) && memcmp(name.data, dtypes[i].name, name.size) == 0) {
      *dtype = (enum fed_dtype)i;
      return FED_OK;
    }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "element type '%.*s' is not one of F32, F64, F16, BF16, I8, "
                   "U8, I16, U16, I32, U32, I64, U64, BOOL",
                   (int)(name.size < 32 ? name.size : 32), (const char *)name.data);
}

int fed_shape_elements(const struct fed_shape *shape, size_t *elements) {
  size_t product = 1;
  if (shape->rank > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "%u dimensions, at most %d are supported", shape->rank,
                     FED_RANK_MAX);
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (shape->dims[i] < 0)
      return FED_RAISE(FED_E_RANGE, "dimension %u is %lld", i, (long long)shape->dims[i]);
    if (__builtin_mul_overflow(product, (size_t)shape->dims[i], &product))
      return FED_RAISE(FED_E_TOO_LARGE, "the product of the dimensions overflows");
  }
  *elements = product;
  return FED_OK;
}

int fed_shape_equal(const struct fed_shape *a, const struct fed_shape *b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

const char *fed_shape_format(const struct fed_shape *shape, char *text, size_t size) {
  size_t at = 0;
  for (uint32_t i = 0; i < shape->rank && at < size; i++)
    at +=
        (size_t)snprintf(text + at, size - at, "%s%lld", i ? ", " : "[", (long long)shape->dims[i]);
  if (at < size) snprintf(text + at, size - at, "%s", shape->rank ? "]" : "[]");
  return text;
}

size_t fed_tensor_elements(const struct fed_tensor *tensor) {
  size_t product = 1;
  for (uint32_t i = 0; i < tensor->shape.rank; i++) product *= (size_t)tensor->shape.dims[i];
  return product;
}

size_t fed_tensor_bytes(const struct fed_tensor *tensor) {
  return fed_tensor_elements(tensor) * fed_dtype_size(tensor->dtype);
}
