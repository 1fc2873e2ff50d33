/* SPDX-License-Identifier: Apache-2.0
 *
 * op_generate.c: ConstantOfShape, Range and EyeLike: values made from a few numbers. They depend
 * on no example, so they are computed once, before any step.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

#include <math.h>

#define GENERATED_MAX ((size_t)1 << 28) /* elements: 2 GiB of integers */

static int check_size(const struct fed_shape *shape) {
  size_t elements;
  FED_TRY(fed_shape_elements(shape, &elements));
  if (elements > GENERATED_MAX)
    return FED_RAISE(FED_E_TOO_LARGE, "a constant of %zu elements; at most %zu are supported",
                     elements, GENERATED_MAX);
  return FED_OK;
}

/* The one element of the attribute, as the output's first; 0 if it is left out. */
static int infer_fill(const struct fed__inference *inference, const struct fed_shape *shape) {
  static const float zero;
  const Onnx__AttributeProto *attribute = fed__attribute_find(inference->node, "value");
  struct fed_tensor tensor = {.dtype = FED_F32, .data = (void *)(uintptr_t)&zero};
  if (attribute && !attribute->t)
    return FED_RAISE(FED_E_TYPE, "attribute 'value' should be a tensor");
  if (attribute) FED_TRY(fed__onnx_tensor(attribute->t, inference->node->name, &tensor));
  if (fed_tensor_elements(&tensor) != 1)
    return FED_RAISE(FED_E_SHAPE, "attribute 'value' should have one element");
  FED_TRY(fed__infer_constant(inference, 0, &tensor));
  struct fed__known *known = &inference->shapes->values[inference->node->outputs[0]];
  const size_t unit = fed_dtype_size(known->dtype);
  const char *value = known->content;
  FED_TRY(fed__infer_output(inference, 0, known->dtype, shape, NULL));
  char *content = fed__infer_content(inference, known->elements * unit);
  if (!content) return fed_error_last()->code;
  for (size_t i = 0; i < known->elements; i++) memcpy(content + i * unit, value, unit);
  known->content = content;
  return FED_OK;
}

static int infer_constant_of_shape(const struct fed__inference *inference) {
  const int64_t *dims;
  size_t count;
  FED_TRY(fed__infer_integers(inference, 0, &dims, &count));
  if (count > FED_RANK_MAX) return FED_RAISE(FED_E_SHAPE, "%zu dimensions are too many", count);
  struct fed_shape shape = {.rank = (uint32_t)count};
  for (size_t i = 0; i < count; i++) shape.dims[i] = dims[i];
  FED_TRY(check_size(&shape));
  return infer_fill(inference, &shape);
}

/* The number of steps of `delta` that begin before the limit. */
static uint64_t count_steps(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? start >= limit : start <= limit) return 0;
  const uint64_t way =
      delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
  const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
  return (way - 1) / step + 1;
}

static int make_integers(const struct fed__inference *inference, const int64_t *range[3]) {
  const int64_t start = *range[0], delta = *range[2];
  if (delta == 0) return FED_RAISE(FED_E_RANGE, "a range in steps of 0 has no end");
  const uint64_t count = count_steps(start, *range[1], delta);
  const struct fed_shape shape = {1, {count > INT64_MAX ? INT64_MAX : (int64_t)count}};
  FED_TRY(check_size(&shape));
  int64_t *content = fed__infer_content(inference, count * sizeof *content);
  if (!content) return fed_error_last()->code;
  for (uint64_t i = 0; i < count; i++)
    content[i] = (int64_t)((uint64_t)start + i * (uint64_t)delta);
  return fed__infer_output(inference, 0, FED_I64, &shape, content);
}

static int make_reals(const struct fed__inference *inference, const float *range[3]) {
  const double start = (double)*range[0], delta = (double)*range[2];
  const double count = ceil(((double)*range[1] - start) / delta);
  if (!(fabs(count) <= (double)GENERATED_MAX))
    return FED_RAISE(FED_E_RANGE, "a range of %g elements", count);
  const struct fed_shape shape = {1, {count > 0 ? (int64_t)count : 0}};
  float *content = fed__infer_content(inference, (size_t)shape.dims[0] * sizeof *content);
  if (!content) return fed_error_last()->code;
  for (int64_t i = 0; i < shape.dims[0]; i++) content[i] = (float)(start + (double)i * delta);
  return fed__infer_output(inference, 0, FED_F32, &shape, content);
}

static int infer_range(const struct fed__inference *inference) {
  const int64_t *integers[3];
  const float *reals[3];
  const int real = fed__infer_input(inference, 0)->dtype == FED_F32;
  for (uint32_t i = 0; i < 3; i++) {
    size_t count;
    FED_TRY(real ? fed__infer_reals(inference, i, &reals[i], &count)
                 : fed__infer_integers(inference, i, &integers[i], &count));
    if (count != 1) return FED_RAISE(FED_E_SHAPE, "input %u should be one number", i);
  }
  return real ? make_reals(inference, reals) : make_integers(inference, integers);
}

/* The type that attribute dtype asks for, if it does. */
static int read_type(const struct fed__inference *inference, enum fed_dtype *dtype) {
  int64_t type;
  FED_TRY(fed__attribute_int(inference->node, "dtype", 0, &type));
  switch (type) {
  case 0:
    return FED_OK;
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
  case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
  case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
    *dtype = FED_F32;
    return FED_OK;
  case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
    *dtype = FED_BOOL;
    return FED_OK;
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
  case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
  case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
  case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    *dtype = FED_I64;
    return FED_OK;
  default:
    return FED_RAISE(FED_E_UNSUPPORTED, "attribute 'dtype' is %lld, which is no supported type",
                     (long long)type);
  }
}

static void put_one(enum fed_dtype dtype, void *content, int64_t at) {
  if (dtype == FED_F32)
    ((float *)content)[at] = 1;
  else if (dtype == FED_I64)
    ((int64_t *)content)[at] = 1;
  else
    ((uint8_t *)content)[at] = 1;
}

static int infer_eye_like(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  enum fed_dtype dtype = input->dtype;
  int64_t k;
  if (input->shape.rank != 2)
    return FED_RAISE(FED_E_SHAPE, "input 0 should be a matrix, but has %u dimensions",
                     input->shape.rank);
  FED_TRY(check_size(&input->shape));
  FED_TRY(read_type(inference, &dtype));
  FED_TRY(fed__attribute_int(inference->node, "k", 0, &k));
  void *content = fed__infer_content(inference, input->elements * fed_dtype_size(dtype));
  if (!content) return fed_error_last()->code;
  const int64_t rows = input->shape.dims[0], columns = input->shape.dims[1];
  const int reaches = k > -rows && k < columns;
  for (int64_t i = 0; reaches && i < rows; i++)
    if (i + k >= 0 && i + k < columns) put_one(dtype, content, i * columns + i + k);
  return fed__infer_output(inference, 0, dtype, &input->shape, content);
}

#define GENERATOR_ROW(name, onnx_type, inputs)                                                     \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = inputs,                                                                        \
      .inputs_max = inputs,                                                                        \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
  };

GENERATOR_ROW(constant_of_shape, "ConstantOfShape", 1)
GENERATOR_ROW(range, "Range", 3)
GENERATOR_ROW(eye_like, "EyeLike", 1)
