/* SPDX-License-Identifier: Apache-2.0
 *
 * op_shape.c: Shape and Size: known as soon as the batch size is, so that nothing runs.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operator.h"

/* An end of the range, clamped to the dimensions that there are. */
static int read_end(const struct fed__node *node, const char *name, int64_t absent, int64_t rank,
                    int64_t *value) {
  FED_TRY(fed__attribute_int(node, name, absent, value));
  if (*value < 0) *value += rank;
  *value = *value < 0 ? 0 : *value > rank ? rank : *value;
  return FED_OK;
}

static int infer_shape(const struct fed__inference *inference) {
  const struct fed_shape *input = &fed__infer_input(inference, 0)->shape;
  int64_t start, end;
  FED_TRY(read_end(inference->node, "start", 0, input->rank, &start));
  FED_TRY(read_end(inference->node, "end", input->rank, input->rank, &end));
  const struct fed_shape shape = {1, {end > start ? end - start : 0}};
  int64_t *content = fed__infer_content(inference, FED_RANK_MAX * sizeof *content);
  if (!content) return fed_error_last()->code;
  for (int64_t i = 0; i < shape.dims[0]; i++) content[i] = input->dims[start + i];
  return fed__infer_output(inference, 0, FED_I64, &shape, content);
}

static int infer_size(const struct fed__inference *inference) {
  static const struct fed_shape scalar;
  int64_t *content = fed__infer_content(inference, sizeof *content);
  if (!content) return fed_error_last()->code;
  *content = (int64_t)fed__infer_input(inference, 0)->elements;
  return fed__infer_output(inference, 0, FED_I64, &scalar, content);
}

#define SHAPE_ROW(name, onnx_type)                                                                 \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 28,                                                                             \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_##name,                                                                       \
  };

SHAPE_ROW(shape, "Shape")
SHAPE_ROW(size, "Size")
