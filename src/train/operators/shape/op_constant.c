/* SPDX-License-Identifier: Apache-2.0
 *
 * op_constant.c: Constant, a tensor, number or list of numbers inside a node. Known beforehand,
 * so that nothing runs.
 */
#include "base/raise.h"
#include "train/operator.h"

static int infer_list(const struct fed__inference *inference, enum fed_dtype dtype, uint32_t rank,
                      size_t count, const void *values) {
  const struct fed_shape shape = {rank, {(int64_t)count}};
  return fed__infer_output(inference, 0, dtype, &shape, values);
}

static int infer_constant(const struct fed__inference *inference) {
  const Onnx__AttributeProto *attribute;
  const struct fed__node *node = inference->node;
  struct fed_tensor tensor;
  if ((attribute = fed__attribute_find(node, "value")) && attribute->t) {
    FED_TRY(fed__onnx_tensor(attribute->t, node->name, &tensor));
    return fed__infer_constant(inference, 0, &tensor);
  }
  if ((attribute = fed__attribute_find(node, "value_int")))
    return infer_list(inference, FED_I64, 0, 0, &attribute->i);
  if ((attribute = fed__attribute_find(node, "value_float")))
    return infer_list(inference, FED_F32, 0, 0, &attribute->f);
  if ((attribute = fed__attribute_find(node, "value_ints")))
    return infer_list(inference, FED_I64, 1, attribute->n_ints, attribute->ints);
  if ((attribute = fed__attribute_find(node, "value_floats")))
    return infer_list(inference, FED_F32, 1, attribute->n_floats, attribute->floats);
  return FED_RAISE(FED_E_UNSUPPORTED, "expected an attribute value, value_int, value_ints, "
                                      "value_float or value_floats");
}

const struct fed__operator fed__op_constant = {
    .type = "Constant",
    .opset_min = 13,
    .opset_max = 23,
    .inputs_min = 0,
    .inputs_max = 0,
    .outputs_max = 1,
    .infer = infer_constant,
};
