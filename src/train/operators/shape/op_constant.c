/* SPDX-License-Identifier: Apache-2.0
 *
 * op_constant.c: Constant, a tensor, number or list of numbers inside a node. Known beforehand,
 * so that nothing runs.
 */
#include "base/raise.h"
#include "train/operator.h"

#define ATTRIBUTE_TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

/* A list without elements has no memory, and is known all the same. */
static int infer_list(const struct fed__inference *inference, enum fed_dtype dtype, uint32_t rank,
                      size_t count, const void *values) {
  const struct fed_shape shape = {rank, {(int64_t)count}};
  return fed__infer_output(inference, 0, dtype, &shape, count ? values : "");
}

static int infer_attribute(const struct fed__inference *inference,
                           const Onnx__AttributeProto *attribute) {
  struct fed_tensor tensor;
  switch (attribute->type) {
  case ATTRIBUTE_TYPE(TENSOR):
    if (!attribute->t) break;
    FED_TRY(fed__onnx_tensor(attribute->t, inference->node->name, &tensor));
    return fed__infer_constant(inference, 0, &tensor);
  case ATTRIBUTE_TYPE(INT):
    return infer_list(inference, FED_I64, 0, 1, &attribute->i);
  case ATTRIBUTE_TYPE(FLOAT):
    return infer_list(inference, FED_F32, 0, 1, &attribute->f);
  case ATTRIBUTE_TYPE(INTS):
    return infer_list(inference, FED_I64, 1, attribute->n_ints, attribute->ints);
  case ATTRIBUTE_TYPE(FLOATS):
    return infer_list(inference, FED_F32, 1, attribute->n_floats, attribute->floats);
  default:
    break;
  }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "attribute '%s' holds neither numbers nor a tensor of numbers: texts and sparse "
                   "tensors are not supported",
                   attribute->name);
}

static int infer_constant(const struct fed__inference *inference) {
  static const char *const names[] = {"value",        "value_int",    "value_ints",   "value_float",
                                      "value_floats", "value_string", "value_strings"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const Onnx__AttributeProto *attribute = fed__attribute_find(inference->node, names[i]);
    if (attribute) return infer_attribute(inference, attribute);
  }
  return FED_RAISE(FED_E_UNSUPPORTED, "expected an attribute value, value_int, value_ints, "
                                      "value_float or value_floats");
}

const struct fed__operator fed__op_constant = {
    .type = "Constant",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 0,
    .inputs_max = 0,
    .outputs_max = 1,
    .infer = infer_constant,
};
