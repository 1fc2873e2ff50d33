/* SPDX-License-Identifier: Apache-2.0
 *
 * op_where.c: Where, the elements of one value or of another by a third, all broadcast together.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"

/* The condition is x, the two values are y and z. */
FED__ROW3(choose_integers, int64_t, unsigned char, int64_t, int64_t, x ? y : z)
FED__ROW3(choose_truths, unsigned char, unsigned char, unsigned char, unsigned char, x ? y : z)

static int infer_where(const struct fed__inference *inference) {
  struct fed_shape shape;
  FED_TRY(fed__infer_type(inference, 0, FED__TRUTHS));
  FED_TRY(fed__infer_alike(inference, 1, 3, FED__ANY, &shape));
  FED_TRY(fed__shape_broadcast(&fed__infer_input(inference, 0)->shape, &shape, &shape));
  return fed__infer_output(inference, 0, fed__infer_input(inference, 1)->dtype, &shape, NULL);
}

#define FED__TEMPLATE "train/operators/elementwise/op_where.c"
#include "train/typed.h"

const struct fed__operator fed__op_where = {
    .type = "Where",
    .opset_min = 13,
    .opset_max = FED__ELEMENTWISE_OPSET_MAX,
    .inputs_min = 3,
    .inputs_max = 3,
    .outputs_max = 1,
    .infer = infer_where,
    .forward = FED__TYPED(where_forward),
    .backward = FED__TYPED(where_backward),
    .backward_inputs = 1,
};

#else

FED__ROW3(TYPED(choose), REAL, unsigned char, REAL, REAL, x ? y : z)

static void TYPED(where_forward)(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array out = fed__array_of(operation, output);
  const struct fed__array in[] = {fed__array_of(operation, &operation->inputs[0]),
                                  fed__array_of(operation, &operation->inputs[1]),
                                  fed__array_of(operation, &operation->inputs[2])};
  fed__broadcast(&output->shape, &out, in, 3,
                 output->dtype == FED_I64    ? choose_integers
                 : output->dtype == FED_BOOL ? choose_truths
                                             : TYPED(choose));
}

FED__ROW2(TYPED(where_true), REAL, unsigned char, REAL, x ? y : 0)
FED__ROW2(TYPED(where_false), REAL, unsigned char, REAL, x ? 0 : y)

static void TYPED(where_backward)(const struct fed__operation *operation) {
  const struct fed__operand *output = &operation->outputs[0];
  const struct fed__array in[] = {fed__array_of(operation, &operation->inputs[0]),
                                  fed__gradient_of(operation, output)};
  for (uint32_t i = 1; i <= 2; i++) {
    const struct fed__array out = fed__gradient_of(operation, &operation->inputs[i]);
    if (out.data)
      fed__broadcast(&output->shape, &out, in, 2, i == 1 ? TYPED(where_true) : TYPED(where_false));
  }
}

#endif
