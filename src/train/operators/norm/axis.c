/* SPDX-License-Identifier: Apache-2.0
 *
 * axis.c: a shape seen from one axis.
 */
#include "train/operators/norm/axis.h"
#include "base/raise.h"

int fed__axis_read(const struct fed__node *node, const struct fed_shape *shape,
                   struct fed__axis *axis) {
  int64_t given;
  uint32_t at = 0;
  FED_TRY(fed__attribute_int(node, "axis", -1, &given));
  FED_TRY(fed__axis_normalise(given, shape->rank ? shape->rank : 1, &at));
  uint64_t products[3] = {1, 1, 1}; /* of an empty value they may wrap around */
  for (uint32_t i = 0; i < shape->rank; i++)
    products[i < at ? 0 : i == at ? 1 : 2] *= (uint64_t)shape->dims[i];
  *axis = (struct fed__axis){(int64_t)products[0], (int64_t)products[1], (int64_t)products[2]};
  return FED_OK;
}

int fed__axis_infer(const struct fed__inference *inference) {
  struct fed__axis axis;
  const struct fed_shape *shape = &fed__infer_input(inference, 0)->shape;
  FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(fed__axis_read(inference->node, shape, &axis));
  return fed__infer_output(inference, 0, FED_F32, shape, NULL);
}

int fed__axis_prepare(struct fed__operation *operation) {
  return fed__axis_read(operation->node, &operation->inputs[0].shape, operation->state);
}
