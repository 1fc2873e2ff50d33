/* SPDX-License-Identifier: Apache-2.0
 *
 * op_trilu.c: Trilu: the upper or lower triangle of matrices, zero elsewhere. Linear in the
 * elements.
 */
#include "base/raise.h"
#include "train/operators/shape/move.h"

struct trilu_state {
  int upper;
  int64_t k; /* the diagonal, clamped to the matrix */
};

static int infer_trilu(const struct fed__inference *inference) {
  const struct fed__known *input = fed__infer_input(inference, 0);
  const int64_t *k;
  size_t count;
  if (input->shape.rank < 2)
    return FED_RAISE(FED_E_SHAPE, "input 0 should be matrices, but has %u dimensions",
                     input->shape.rank);
  if (fed__infer_input(inference, 1)) {
    FED_TRY(fed__infer_integers(inference, 1, &k, &count));
    if (count != 1) return FED_RAISE(FED_E_SHAPE, "input 1 should be one number");
  }
  return fed__infer_output(inference, 0, input->dtype, &input->shape, NULL);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static int prepare_trilu(struct fed__operation *operation) {
  struct trilu_state *state = operation->state;
  const struct fed_shape *shape = &operation->inputs[0].shape;
  int64_t upper;
  FED_TRY(fed__attribute_int(operation->node, "upper", 1, &upper));
  state->upper = upper != 0;
  if (!fed__operand_absent(operation, 1))
    state->k = clamp(*(const int64_t *)operation->inputs[1].data, -shape->dims[shape->rank - 2],
                     shape->dims[shape->rank - 1]);
  return FED_OK;
}

static void keep_triangle(const struct fed__operation *operation, const char *from, char *to) {
  const struct trilu_state *state = operation->state;
  const struct fed__operand *input = &operation->inputs[0];
  const int64_t unit = (int64_t)fed__operand_unit(operation, input);
  const int64_t height = input->shape.dims[input->shape.rank - 2];
  const int64_t width = input->shape.dims[input->shape.rank - 1];
  if (input->elements == 0) return;
  const int64_t rows = (int64_t)input->elements / width;
  for (int64_t i = 0; i < rows; i++, from += width * unit, to += width * unit) {
    /* Columns [first, end) stay: from the diagonal on, or up to and with it. */
    const int64_t diagonal = i % height + state->k;
    const int64_t first = state->upper ? clamp(diagonal, 0, width) : 0;
    const int64_t end = state->upper ? width : clamp(diagonal + 1, 0, width);
    memset(to, 0, (size_t)(first * unit));
    memcpy(to + first * unit, from + first * unit, (size_t)((end - first) * unit));
    memset(to + end * unit, 0, (size_t)((width - end) * unit));
  }
}

static void trilu_forward(const struct fed__operation *operation) {
  keep_triangle(operation, operation->inputs[0].data, operation->outputs[0].data);
}

static void trilu_backward(const struct fed__operation *operation) {
  keep_triangle(operation, operation->outputs[0].gradient, operation->inputs[0].gradient);
}

const struct fed__operator fed__op_trilu = {
    .type = "Trilu",
    .opset_min = 14,
    .opset_max = 28,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_max = 1,
    .infer = infer_trilu,
    .state_size = sizeof(struct trilu_state),
    .prepare = prepare_trilu,
    .forward = FED__UNTYPED(trilu_forward),
    .backward = FED__UNTYPED(trilu_backward),
};
