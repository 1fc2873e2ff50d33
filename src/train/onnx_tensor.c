/* SPDX-License-Identifier: Apache-2.0
 *
 * onnx_tensor.c: a checked view of a tensor inside an ONNX message. Nothing is copied: raw bytes
 * and typed arrays of the decoded message both lie in memory as C arrays of the element type.
 * (Small types that ONNX keeps in wide integers were unpacked before: flat_graph.c; those below 16
 * bits are decoded here, into memory of the model.)
 */
#include "base/raise.h"
#include "train/graph.h"
#include "train/narrow_type.h"

/* How ONNX stores a type: its number, ours, and the typed array that may hold it as it is. */
static const struct storage {
  int32_t onnx;
  enum fed_dtype dtype;
  size_t typed_count, typed_data; /* offsets in Onnx__TensorProto; 0: only raw bytes */
} storages[] = {
#define TYPED_ARRAY(field)                                                                         \
  offsetof(Onnx__TensorProto, n_##field), offsetof(Onnx__TensorProto, field)
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, FED_F32, TYPED_ARRAY(float_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, FED_F64, TYPED_ARRAY(double_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, FED_F16, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, FED_BF16, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, FED_I64, TYPED_ARRAY(int64_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, FED_I32, TYPED_ARRAY(int32_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, FED_I16, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, FED_I8, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, FED_U64, TYPED_ARRAY(uint64_data)},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, FED_U32, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, FED_U16, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, FED_U8, 0, 0},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, FED_BOOL, 0, 0},
};

static const struct storage *find_storage(int32_t onnx_type) {
  for (size_t i = 0; i < sizeof storages / sizeof storages[0]; i++)
    if (storages[i].onnx == onnx_type) return &storages[i];
  return NULL;
}

/* ONNX's name of a type, where it is worth one in a message. */
static const char *name_of_type(int32_t onnx_type) {
  static const char *const names[] = {
      [0] = "undefined", [8] = "string", [14] = "complex64", [15] = "complex128"};
  const size_t count = sizeof names / sizeof names[0];
  const struct fed__narrow_type *narrow = fed__narrow_type_find(onnx_type);
  if (narrow) return narrow->name;
  return onnx_type >= 0 && (size_t)onnx_type < count && names[onnx_type] ? names[onnx_type]
                                                                         : "unknown";
}

size_t fed__onnx_unit(int32_t onnx_type) {
  const struct storage *storage = find_storage(onnx_type);
  return storage ? fed_dtype_size(storage->dtype) : 0;
}

int fed__onnx_dtype(int32_t onnx_type, enum fed_dtype *dtype) {
  const struct storage *storage = find_storage(onnx_type);
  if (!storage)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "ONNX data type %d (%s) is not supported: convert the model to float32",
                     (int)onnx_type, name_of_type(onnx_type));
  *dtype = storage->dtype;
  return FED_OK;
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
                     "tensor '%s' keeps its data in another file: save the model as one file "
                     "(Python: onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\"))",
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

int fed__initializer_is_narrow(const struct fed_model *model, size_t at) {
  const Onnx__GraphProto *graph = model->message->graph;
  if (at >= graph->n_initializer) return 0; /* an adapter's */
  const struct fed__narrow_type *type = fed__narrow_type_find(graph->initializer[at]->data_type);
  return type && type->bits < 16;
}

/* The packed bytes, which lie in integers of their own if they are not raw. */
static const uint8_t *gather_bytes(struct fed_model *model, const Onnx__TensorProto *message,
                                   size_t *size) {
  *size = message->n_int32_data ? message->n_int32_data : message->raw_data.len;
  if (!message->n_int32_data) return message->raw_data.data;
  uint8_t *bytes = fed__model_alloc(model, *size, 1);
  for (size_t i = 0; bytes && i < *size; i++) bytes[i] = (uint8_t)message->int32_data[i];
  return bytes;
}

static int decode_narrow(struct fed_model *model, const struct fed__narrow_type *type,
                         const Onnx__TensorProto **tensor) {
  const Onnx__TensorProto *packed = *tensor;
  const char *name = packed->name ? packed->name : "";
  struct fed_shape shape;
  size_t count, size;
  FED_TRY(refuse_foreign(packed, name));
  FED_TRY(read_shape(packed, name, &shape));
  FED_TRY(fed_shape_elements(&shape, &count));
  const uint8_t *bytes = gather_bytes(model, packed, &size);
  if (size != fed__narrow_bytes(type, count))
    return FED_RAISE(FED_E_SHAPE, "%zu elements of %s need %zu bytes, but there are %zu", count,
                     type->name, fed__narrow_bytes(type, count), size);
  const size_t unit = type->is_real ? sizeof(float) : 1;
  Onnx__TensorProto *plain = fed__model_alloc(model, 1, sizeof *plain);
  void *content = fed__model_alloc(model, count, unit);
  if (!plain || !content || (size && !bytes)) return FED_E_MEMORY;
  fed__narrow_decode(type, bytes, count, content);
  *plain = *packed;
  plain->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  if (!type->is_real)
    plain->data_type = type->is_signed ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                                       : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
  plain->has_raw_data = 1;
  plain->raw_data = (ProtobufCBinaryData){count * unit, content};
  plain->n_int32_data = 0;
  *tensor = plain;
  return FED_OK;
}

int fed__onnx_decode_narrow(struct fed_model *model, const struct fed__narrow_type *type,
                            const Onnx__TensorProto **tensor) {
  const char *name = (*tensor)->name ? (*tensor)->name : "";
  const int code = decode_narrow(model, type, tensor);
  return code == FED_OK ? code : FED_WRAP("tensor '%.200s'", name);
}

int fed__onnx_tensor(const Onnx__TensorProto *message, const char *name,
                     struct fed_tensor *tensor) {
  size_t elements, size, wanted;
  char shape[128];
  FED_TRY(refuse_foreign(message, name));
  *tensor = (struct fed_tensor){.name = name};
  if (fed__onnx_dtype(message->data_type, &tensor->dtype) != FED_OK)
    return FED_WRAP("tensor '%s'", name);
  FED_TRY(read_shape(message, name, &tensor->shape));
  if (fed_shape_elements(&tensor->shape, &elements) != FED_OK) return FED_WRAP("tensor '%s'", name);
  const void *data = find_data(message, find_storage(message->data_type), &size);
  if (__builtin_mul_overflow(elements, fed_dtype_size(tensor->dtype), &wanted) || size != wanted)
    return FED_RAISE(FED_E_SHAPE,
                     "tensor '%s' of shape %s needs %zu elements of %s, but has %zu "
                     "bytes",
                     name, fed_shape_format(&tensor->shape, shape, sizeof shape), elements,
                     fed_dtype_name(tensor->dtype), size);
  tensor->data = (void *)(uintptr_t)data;
  return FED_OK;
}
