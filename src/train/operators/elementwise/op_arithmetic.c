/* SPDX-License-Identifier: Apache-2.0
 *
 * op_arithmetic.c: Add, Sub, Mul, Div of two values broadcast together. Neighbouring dimensions
 * that both operands walk in the same way are merged first, so that the inner loop is long.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operator.h"

struct broadcast_state {
  uint32_t rank; /* after merging, at least 1 */
  int64_t dims[FED_RANK_MAX], a_stride[FED_RANK_MAX], b_stride[FED_RANK_MAX];
};

static int infer_broadcast(const struct fed__inference *inference) {
  struct fed_shape shape;
  FED_TRY(fed__infer_real(inference, 0));
  FED_TRY(fed__infer_real(inference, 1));
  FED_TRY(fed__shape_broadcast(&fed__infer_input(inference, 0)->shape,
                               &fed__infer_input(inference, 1)->shape, &shape));
  return fed__infer_output(inference, 0, FED_F32, &shape, NULL);
}

/* Strides along the output's dimensions, 0 where the operand is broadcast. */
static void find_strides(const struct fed_shape *own, const struct fed_shape *output,
                         int64_t *strides) {
  int64_t stride = 1;
  for (uint32_t i = 0; i < output->rank; i++) {
    const int64_t dim = i < own->rank ? own->dims[own->rank - 1 - i] : 1;
    strides[output->rank - 1 - i] = dim == 1 ? 0 : stride;
    stride *= dim;
  }
}

static void add_dimension(struct broadcast_state *state, int64_t dim, int64_t a, int64_t b) {
  const uint32_t last = state->rank - 1;
  if (state->rank && state->a_stride[last] == a * dim && state->b_stride[last] == b * dim) {
    state->dims[last] *= dim;
    state->a_stride[last] = a;
    state->b_stride[last] = b;
    return;
  }
  state->dims[state->rank] = dim;
  state->a_stride[state->rank] = a;
  state->b_stride[state->rank++] = b;
}

static int prepare_broadcast(struct fed__operation *operation) {
  struct broadcast_state *state = operation->state;
  const struct fed_shape *output = &operation->outputs[0].shape;
  int64_t a[FED_RANK_MAX], b[FED_RANK_MAX];
  find_strides(&operation->inputs[0].shape, output, a);
  find_strides(&operation->inputs[1].shape, output, b);
  for (uint32_t i = 0; i < output->rank; i++)
    if (output->dims[i] > 1) add_dimension(state, output->dims[i], a[i], b[i]);
  if (state->rank == 0) add_dimension(state, 1, 0, 0);
  return FED_OK;
}

/* A walk over the outer dimensions: the operands' offsets at the start of each inner loop. */
struct walk {
  int64_t index[FED_RANK_MAX], a, b, rows;
};

static struct walk start_walk(const struct broadcast_state *state) {
  struct walk walk = {.rows = 1};
  for (uint32_t i = 0; i + 1 < state->rank; i++) walk.rows *= state->dims[i];
  return walk;
}

static void next_row(const struct broadcast_state *state, struct walk *walk) {
  for (uint32_t i = state->rank - 1; i-- > 0;) {
    walk->a += state->a_stride[i], walk->b += state->b_stride[i];
    if (++walk->index[i] < state->dims[i]) return;
    walk->a -= state->a_stride[i] * walk->index[i], walk->b -= state->b_stride[i] * walk->index[i];
    walk->index[i] = 0;
  }
}

#define FED__TEMPLATE "train/operators/elementwise/op_arithmetic.c"
#include "train/typed.h"

/* A bias or scale trains; a lone number is a constant of the formula. */
static int trains_many(uint32_t slot, const struct fed_shape *shape) {
  size_t elements;
  (void)slot;
  return !shape || (fed_shape_elements(shape, &elements) == FED_OK && elements > 1);
}

#define ELEMENTWISE_ROW(name, onnx_type, trains_rule, reads)                                       \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = 13,                                                                             \
      .opset_max = 23,                                                                             \
      .inputs_min = 2,                                                                             \
      .inputs_max = 2,                                                                             \
      .outputs_max = 1,                                                                            \
      .infer = infer_broadcast,                                                                    \
      .trains = trains_rule,                                                                       \
      .state_size = sizeof(struct broadcast_state),                                                \
      .prepare = prepare_broadcast,                                                                \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
      .backward_inputs = reads,                                                                    \
  };

ELEMENTWISE_ROW(add, "Add", trains_many, 0)
ELEMENTWISE_ROW(sub, "Sub", NULL, 0)
ELEMENTWISE_ROW(mul, "Mul", trains_many, 1 | 2)
ELEMENTWISE_ROW(div, "Div", NULL, 1 | 2)

#else

/* One operand's gradient: the sum over every output position that the operand reaches. */
#define GRADIENT(name, operand, stride_of, walk_at, reads, slope)                                  \
  static void TYPED(name##_gradient_##operand)(const struct fed__operation *operation) {           \
    const struct broadcast_state *state = operation->state;                                        \
    const int64_t inner = state->dims[state->rank - 1];                                            \
    const int64_t a_stride = state->a_stride[state->rank - 1];                                     \
    const int64_t b_stride = state->b_stride[state->rank - 1];                                     \
    const REAL *dy = operation->outputs[0].gradient;                                               \
    REAL *gradient = operation->inputs[operand].gradient;                                          \
    memset(gradient, 0, operation->inputs[operand].elements * sizeof *gradient);                   \
    struct walk walk = start_walk(state);                                                          \
    for (int64_t row = 0; row < walk.rows; row++, next_row(state, &walk), dy += inner) {           \
      REAL *to = gradient + walk.walk_at;                                                          \
      const REAL *a = (const REAL *)operation->inputs[0].data + walk.a;                            \
      const REAL *b = (const REAL *)operation->inputs[1].data + walk.b;                            \
      for (int64_t i = 0; i < inner; i++) {                                                        \
        const REAL x = (reads) ? a[i * a_stride] : 0, y = (reads) ? b[i * b_stride] : 0;           \
        (void)x, (void)y;                                                                          \
        to[i * stride_of] += dy[i] * (slope);                                                      \
      }                                                                                            \
    }                                                                                              \
  }

/* The value and both partial derivatives in terms of x and y; `reads` is 0 where the derivatives
 * do not look at the operands, whose memory may then be in use for something else. */
#define ELEMENTWISE(name, reads, value, by_x, by_y)                                                \
  static void TYPED(name##_forward)(const struct fed__operation *operation) {                      \
    const struct broadcast_state *state = operation->state;                                        \
    const int64_t inner = state->dims[state->rank - 1];                                            \
    const int64_t a_stride = state->a_stride[state->rank - 1];                                     \
    const int64_t b_stride = state->b_stride[state->rank - 1];                                     \
    REAL *restrict out = operation->outputs[0].data;                                               \
    struct walk walk = start_walk(state);                                                          \
    for (int64_t row = 0; row < walk.rows; row++, next_row(state, &walk), out += inner) {          \
      const REAL *a = (const REAL *)operation->inputs[0].data + walk.a;                            \
      const REAL *b = (const REAL *)operation->inputs[1].data + walk.b;                            \
      for (int64_t i = 0; i < inner; i++) {                                                        \
        const REAL x = a[i * a_stride], y = b[i * b_stride];                                       \
        out[i] = (value);                                                                          \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  GRADIENT(name, 0, a_stride, a, reads, by_x)                                                      \
  GRADIENT(name, 1, b_stride, b, reads, by_y)                                                      \
  static void TYPED(name##_backward)(const struct fed__operation *operation) {                     \
    if (operation->inputs[0].gradient) TYPED(name##_gradient_0)(operation);                        \
    if (operation->inputs[1].gradient) TYPED(name##_gradient_1)(operation);                        \
  }

ELEMENTWISE(add, 0, x + y, (REAL)1, (REAL)1)
ELEMENTWISE(sub, 0, x - y, (REAL)1, (REAL)-1)
ELEMENTWISE(mul, 1, x *y, y, x)
ELEMENTWISE(div, 1, x / y, 1 / y, -x / (y * y))

#undef ELEMENTWISE
#undef GRADIENT
#endif
