/* SPDX-License-Identifier: Apache-2.0
 *
 * data_array.c: loading arrays and converting their elements.
 */
#include "data/data_array.h"
#include "base/memory.h"
#include "base/raise.h"

static void swap_elements(uint8_t *bytes, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++, bytes += size)
    for (size_t low = 0, high = size - 1; low < high; low++, high--) {
      uint8_t byte = bytes[low];
      bytes[low] = bytes[high];
      bytes[high] = byte;
    }
}

static int check_bytes(const struct fed__array *array, const struct fed__source *source,
                       size_t elements) {
  char shape[96];
  fed_shape_format(&array->shape, shape, sizeof shape);
  const size_t size = fed_dtype_size(array->dtype);
  if (elements > FED__DATA_BYTES_MAX / size)
    return FED_RAISE(FED_E_TOO_LARGE, "'%s' declares %s of %s: more than the limit of %llu bytes",
                     array->name, shape, fed_dtype_name(array->dtype),
                     (unsigned long long)FED__DATA_BYTES_MAX);
  if (elements * size > fed__source_bound(source))
    return FED_RAISE(FED_E_TRUNCATED,
                     "'%s' declares %s of %s, %zu bytes, but only %llu can be in the file",
                     array->name, shape, fed_dtype_name(array->dtype), elements * size,
                     (unsigned long long)fed__source_bound(source));
  return FED_OK;
}

int fed__array_load(struct fed__array *array, struct fed__source *source,
                    enum fed__byte_order order) {
  const size_t size = fed_dtype_size(array->dtype);
  size_t elements;
  if (fed_shape_elements(&array->shape, &elements) != FED_OK)
    return FED_WRAP("the shape of '%s'", array->name);
  FED_TRY(check_bytes(array, source, elements));
  array->data = fed__alloc(array->context, elements * size);
  if (!array->data) return FED_E_MEMORY;
  int code = fed__source_exact(source, array->data, elements * size, "elements");
  if (code == FED_OK) code = fed__source_end(source);
  if (code != FED_OK) {
    fed__array_clear(array);
    return code;
  }
  const int host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
  if (size > 1 && (order == FED__BIG_ENDIAN) != host_is_big)
    swap_elements(array->data, elements, size);
  return FED_OK;
}

void fed__array_clear(struct fed__array *array) {
  if (array->data) fed__free(array->context, array->data);
  array->data = NULL;
}

size_t fed__array_rows(const struct fed__array *array) {
  return array->shape.rank ? (size_t)array->shape.dims[0] : 1;
}

size_t fed__array_row_elements(const struct fed__array *array) {
  size_t product = 1;
  for (uint32_t i = 1; i < array->shape.rank; i++) product *= (size_t)array->shape.dims[i];
  return product;
}

int fed__array_is_numeric(const struct fed__array *array) {
  return array->dtype != FED_F16 && array->dtype != FED_BF16;
}

int fed__array_is_integer(const struct fed__array *array) {
  return fed__array_is_numeric(array) && array->dtype != FED_F32 && array->dtype != FED_F64;
}

/* X(dtype, C type): the element types that are converted. */
#define NUMERIC_LIST(X)                                                                            \
  X(F32, float)                                                                                    \
  X(F64, double)                                                                                   \
  X(I8, int8_t)                                                                                    \
  X(U8, uint8_t)                                                                                   \
  X(I16, int16_t)                                                                                  \
  X(U16, uint16_t)                                                                                 \
  X(I32, int32_t) X(U32, uint32_t) X(I64, int64_t) X(U64, uint64_t) X(BOOL, uint8_t)

void fed__array_floats(const struct fed__array *array, size_t first, size_t count, float scale,
                       float offset, float *out) {
  switch (array->dtype) {
#define FLOATS_CASE(name, type)                                                                    \
  case FED_##name: {                                                                               \
    const type *from = (const type *)array->data + first;                                          \
    for (size_t i = 0; i < count; i++) out[i] = (float)from[i] * scale + offset;                   \
    break;                                                                                         \
  }
    NUMERIC_LIST(FLOATS_CASE)
  case FED_F16:
  case FED_BF16:
    break; /* refused before */
  }
}

void fed__array_integers(const struct fed__array *array, size_t first, size_t count, int64_t *out) {
  switch (array->dtype) {
#define INTEGERS_CASE(name, type)                                                                  \
  case FED_##name: {                                                                               \
    const type *from = (const type *)array->data + first;                                          \
    for (size_t i = 0; i < count; i++) out[i] = (int64_t)from[i];                                  \
    break;                                                                                         \
  }
    NUMERIC_LIST(INTEGERS_CASE)
  case FED_F16:
  case FED_BF16:
    break;
  }
}
