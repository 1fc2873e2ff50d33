/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_tensor.c: a checked view of a tensor inside an ONNX message. Nothing is copied: raw bytes
 * and typed arrays of the decoded message both lie in memory as C arrays of the element type.
 */
#include "base/raise.h"
#include "train/graph.h"

/* How ONNX stores a type: its number, ours, and the typed array that may hold it. */
static const struct storage {
  int32_t onnx;
  enum fed_dtype dtype;
  size_t typed_count, typed_data; /* offsets in Onnx__TensorProto; 0: only raw bytes */
} storages[] = {
#define TYPED_ARRAY(field)                                                                         \
  offsetof(Onnx__TensorProto, n_##field), offsetof(Onnx__TensorProto, field)
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, FED_F32, TYPED_ARRAY(float_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, FED_F64, TYPED_ARRAY(double_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, FED_I32, TYPED_ARRAY(int32_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, FED_I64, TYPED_ARRAY(int64_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, FED_BOOL, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, FED_U8, 0, 0},
};

static const struct storage *find_storage(int32_t onnx_type) {
  for (size_t i = 0; i < sizeof storages / sizeof storages[0]; i++)
    if (storages[i].onnx == onnx_type) return &storages[i];
  return NULL;
}

static int read_shape(const Onnx__TensorProto *message, const char *name, struct fed_shape *shape) {
  if (message->n_dims > FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "tensor '%s' has %zu dimensions, at most %d are supported", name,
                     message->n_dims, FED_RANK_MAX);
  shape->rank = (uint32_t)message->n_dims;
  for (uint32_t i = 0; i < shape->rank; i++) shape->dims[i] = message->dims[i];
  return FED_OK;
}

static int refuse_foreign(const Onnx__TensorProto *message, const char *name) {
  if (message->n_external_data ||
      (message->has_data_location &&
       message->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT))
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "tensor '%s' keeps its data in another file: save the model as one file",
                     name);
  if (message->segment)
    return FED_RAISE(FED_E_UNSUPPORTED, "tensor '%s' is stored in segments", name);
  return FED_OK;
}

/* The raw bytes, or the typed array; their number of bytes in `size`. */
static const void *find_data(const Onnx__TensorProto *message, const struct storage *storage,
                             size_t *size) {
  const char *base = (const char *)message;
  const size_t typed =
      storage->typed_data ? *(const size_t *)(const void *)(base + storage->typed_count) : 0;
  if (message->has_raw_data || typed == 0) {
    *size = message->raw_data.len;
    return message->raw_data.data;
  }
  *size = typed * fed_dtype_size(storage->dtype);
  return *(const void *const *)(const void *)(base + storage->typed_data);
}

int fed__onnx_tensor(const Onnx__TensorProto *message, const char *name,
                     struct fed_tensor *tensor) {
  size_t elements, size, wanted;
  char shape[128];
  const struct storage *storage = find_storage(message->data_type);
  FED_TRY(refuse_foreign(message, name));
  if (!storage)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "tensor '%s' has ONNX data type %d; supported are float32, float64, int32, "
                     "int64, uint8 and bool: convert the model to float32",
                     name, (int)message->data_type);
  *tensor = (struct fed_tensor){.name = name, .dtype = storage->dtype};
  FED_TRY(read_shape(message, name, &tensor->shape));
  if (fed_shape_elements(&tensor->shape, &elements) != FED_OK) return FED_WRAP("tensor '%s'", name);
  const void *data = find_data(message, storage, &size);
  if (__builtin_mul_overflow(elements, fed_dtype_size(storage->dtype), &wanted) || size != wanted)
    return FED_RAISE(FED_E_SHAPE,
                     "tensor '%s' of shape %s needs %zu elements of %s, but has %zu "
                     "bytes",
                     name, fed_shape_format(&tensor->shape, shape, sizeof shape), elements,
                     fed_dtype_name(storage->dtype), size);
  tensor->data = (void *)(uintptr_t)data;
  return FED_OK;
}
