/* SPDX-License-Identifier: Apache-2.0
 *
 * fed/tensor.h: element types, shapes, and named sets of tensors (a model's parameters, an
 * update). A set is laid out in one block, tensor after tensor in the order they were named,
 * without padding when all have one type: for a float32 set, fed_params_floats() sees the whole
 * update as one vector, which is what clipping, quantising and summing work on.
 *
 * Threads: a set belongs to one thread at a time; readers may share it.
 */
#ifndef FED_TENSOR_H
#define FED_TENSOR_H

#include "fed/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, safetensors name, bytes an element) */
/* clang-format off */
#define FED_DTYPE_LIST(X)                                                                          \
  X(F32, "F32", 4) X(F64, "F64", 8) X(F16, "F16", 2) X(BF16, "BF16", 2) X(I8, "I8", 1)             \
  X(U8, "U8", 1) X(I16, "I16", 2) X(U16, "U16", 2) X(I32, "I32", 4) X(U32, "U32", 4)               \
  X(I64, "I64", 8) X(U64, "U64", 8) X(BOOL, "BOOL", 1)
/* clang-format on */

enum fed_dtype {
#define FED_DTYPE_ENUM(name, text, size) FED_##name,
  FED_DTYPE_LIST(FED_DTYPE_ENUM)
#undef FED_DTYPE_ENUM
};

#define FED_RANK_MAX 8

/* Extents, outermost first; rank 0 is a scalar. */
struct fed_shape {
  uint32_t rank;
  int64_t dims[FED_RANK_MAX];
};

/* A view of one tensor; who owns `data` is said where the view is given out. */
struct fed_tensor {
  const char *name;
  enum fed_dtype dtype;
  struct fed_shape shape;
  void *data;
};

/* A named set in one block; tensors[i].data points into `storage`. */
struct fed_params {
  const struct fed_context *context;
  struct fed_tensor *tensors;
  size_t count;
  void *storage; /* 64-byte aligned */
  size_t storage_bytes;
  void *allocation;
};

FED_API const char *fed_dtype_name(enum fed_dtype dtype);
FED_API size_t fed_dtype_size(enum fed_dtype dtype);
FED_API FED_MUST int fed_dtype_parse(struct fed_slice name, enum fed_dtype *dtype);

/* The number of elements; FED_E_RANGE for a negative extent, FED_E_TOO_LARGE on overflow. */
FED_API FED_MUST int fed_shape_elements(const struct fed_shape *shape, size_t *elements);
FED_API int fed_shape_equal(const struct fed_shape *a, const struct fed_shape *b);

/* "[3, 28, 28]" into `text`; always terminated. Returns `text`. */
FED_API const char *fed_shape_format(const struct fed_shape *shape, char *text, size_t size);

/* The elements of a tensor whose shape is known to be valid. */
FED_API size_t fed_tensor_elements(const struct fed_tensor *tensor);
FED_API size_t fed_tensor_bytes(const struct fed_tensor *tensor);

/* Allocate a set with the names, types and shapes of `like` (data is ignored; names are copied),
 * filled with zeros. FED_E_DUPLICATE for a name given twice, FED_E_RANGE, FED_E_TOO_LARGE. */
FED_API FED_MUST int fed_params_init(struct fed_params *params, const struct fed_context *context,
                                     const struct fed_tensor *like, size_t count);
FED_API FED_MUST int fed_params_copy(struct fed_params *params, const struct fed_context *context,
                                     const struct fed_params *from);
FED_API void fed_params_clear(struct fed_params *params);

/* The tensor of that name, or NULL. */
FED_API struct fed_tensor *fed_params_find(const struct fed_params *params, const char *name);

/* FED_OK when both have the same names, types and shapes in the same order; else FED_E_SHAPE,
 * FED_E_TYPE or FED_E_MISSING naming the first difference. */
FED_API FED_MUST int fed_params_match(const struct fed_params *expected,
                                      const struct fed_params *found);

/* All elements of a set whose tensors are all float32, as one vector. */
FED_API float *fed_params_floats(const struct fed_params *params);
FED_API size_t fed_params_elements(const struct fed_params *params);

/* FED_E_NOT_FINITE, naming tensor and index, if any float32 or float64 element is NaN or Inf. */
FED_API FED_MUST int fed_params_check_finite(const struct fed_params *params);

#ifdef __cplusplus
}
#endif
#endif
