/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.c: types and shapes of operators that treat every element alike.
 */
#include "train/operators/elementwise/elementwise.h"
#include "base/raise.h"

static const char *name_types(unsigned types) {
  switch (types) {
  case FED__REALS:
    return "float32";
  case FED__TRUTHS:
    return "bool";
  case FED__NUMBERS:
    return "float32 or int64";
  default:
    return "float32, int64 or bool";
  }
}

int fed__infer_type(const struct fed__inference *inference, uint32_t slot, unsigned types) {
  const struct fed__known *input = fed__infer_input(inference, slot);
  if (input && !(types >> input->dtype & 1))
    return FED_RAISE(FED_E_TYPE, "input %u should be %s, but is %s", slot, name_types(types),
                     fed_dtype_name(input->dtype));
  return FED_OK;
}

int fed__infer_alike(const struct fed__inference *inference, uint32_t first, uint32_t end,
                     unsigned types, struct fed_shape *shape) {
  const struct fed__known *one = fed__infer_input(inference, first);
  if (!one) return FED_RAISE(FED_E_MISSING, "input %u is left out", first);
  *shape = one->shape;
  FED_TRY(fed__infer_type(inference, first, types));
  for (uint32_t i = first + 1; i < end; i++) {
    const struct fed__known *input = fed__infer_input(inference, i);
    if (!input) return FED_RAISE(FED_E_MISSING, "input %u is left out", i);
    if (input->dtype != one->dtype)
      return FED_RAISE(FED_E_TYPE, "inputs %u and %u should be of one type, but are %s and %s",
                       first, i, fed_dtype_name(one->dtype), fed_dtype_name(input->dtype));
    FED_TRY(fed__shape_broadcast(shape, &input->shape, shape));
  }
  return FED_OK;
}

static int infer_same(const struct fed__inference *inference, unsigned types) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  FED_TRY(fed__infer_type(inference, 0, types));
  return fed__infer_output(inference, 0, input->dtype, &input->shape, NULL);
}

int fed__infer_same_real(const struct fed__inference *inference) {
  return infer_same(inference, FED__REALS);
}

int fed__infer_same_number(const struct fed__inference *inference) {
  return infer_same(inference, FED__NUMBERS);
}

static int infer_broadcast(const struct fed__inference *inference, unsigned types) {
  struct fed_shape shape;
  FED_TRY(fed__infer_alike(inference, 0, inference->node->input_count, types, &shape));
  return fed__infer_output(inference, 0, fed__infer_input(inference, 0)->dtype, &shape, NULL);
}

int fed__infer_broadcast_real(const struct fed__inference *inference) {
  return infer_broadcast(inference, FED__REALS);
}

int fed__infer_broadcast_number(const struct fed__inference *inference) {
  return infer_broadcast(inference, FED__NUMBERS);
}

int fed__infer_broadcast_truth(const struct fed__inference *inference, unsigned types) {
  struct fed_shape shape;
  FED_TRY(fed__infer_alike(inference, 0, inference->node->input_count, types, &shape));
  return fed__infer_output(inference, 0, FED_BOOL, &shape, NULL);
}
