/* SPDX-License-Identifier: Apache-2.0
 *
 * op_nonzero.c: NonZero: the coordinates of the elements that are not zero. How many there are
 * must be known before any step, so the input must not depend on the examples.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/operators/shape/move.h"

static int is_set(const struct fed__known *input, size_t i) {
  if (input->dtype == FED_F32) return ((const float *)input->content)[i] != 0;
  if (input->dtype == FED_I64) return ((const int64_t *)input->content)[i] != 0;
  return ((const uint8_t *)input->content)[i] != 0;
}

static int infer_nonzero(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const struct fed_shape *dims = &input->shape;
  if (!input->content)
    return FED_RAISE(FED_E_UNSUPPORTED, "input 0 depends on the examples, and so would the size "
                                        "of the output");
  int64_t count = 0, column = 0;
  for (size_t i = 0; i < input->elements; i++) count += is_set(input, i);
  const struct fed_shape shape = {2, {dims->rank, count}};
  int64_t *content = fed__infer_content(inference, (size_t)count * dims->rank * sizeof *content);
  if (!content) return fed_error_last()->code;
  for (size_t i = 0; i < input->elements; i++) {
    if (!is_set(input, i)) continue;
    for (uint32_t axis = 0; axis < dims->rank; axis++)
      content[axis * count + column] =
          (int64_t)i / fed__shape_stride(dims, axis) % dims->dims[axis];
    column++;
  }
  return fed__infer_output(inference, 0, FED_I64, &shape, content);
}

const struct fed__operator fed__op_nonzero = {
    .type = "NonZero",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_max = 1,
    .infer = infer_nonzero,
};
