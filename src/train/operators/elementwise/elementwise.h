/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.h: what the operators of this family share: which types go in and what comes out, and
 * the loops of functions of one variable. Functions of several: broadcast.h.
 */
#ifndef FED_TRAIN_ELEMENTWISE_H
#define FED_TRAIN_ELEMENTWISE_H

#include "train/operators/elementwise/broadcast.h"

/* The newest opset of which is known that these operators mean the same (onnx 1.23). */
#define FED__ELEMENTWISE_OPSET_MAX 28

#define FED__REALS (1U << FED_F32)
#define FED__INTEGERS (1U << FED_I64)
#define FED__TRUTHS (1U << FED_BOOL)
#define FED__NUMBERS (FED__REALS | FED__INTEGERS)
#define FED__ANY (FED__NUMBERS | FED__TRUTHS)

/* FED_E_TYPE unless the input is of one of these types; left out is fine. */
FED_MUST int fed__infer_type(const struct fed__inference *inference, uint32_t slot, unsigned types);
/* Inputs `first` to `end` - 1, at least one, of one of these types, the same for all; they are
 * broadcast together. */
FED_MUST int fed__infer_alike(const struct fed__inference *inference, uint32_t first, uint32_t end,
                              unsigned types, struct fed_shape *shape);

/* One output of input 0's shape and type … */
FED_MUST int fed__infer_same_real(const struct fed__inference *inference);
FED_MUST int fed__infer_same_number(const struct fed__inference *inference);
/* … or of all inputs' broadcast shape, and their type, or truth values. */
FED_MUST int fed__infer_broadcast_real(const struct fed__inference *inference);
FED_MUST int fed__infer_broadcast_number(const struct fed__inference *inference);
FED_MUST int fed__infer_broadcast_truth(const struct fed__inference *inference, unsigned types);

/* The numbers in a formula, from the attributes. */
struct fed__coefficients {
  double alpha, beta;
};

/* Functions of one variable: the value in terms of x, alpha and beta; the derivative, which is
 * multiplied by dy, in terms of x (BY_INPUT) or y (BY_OUTPUT), alpha and beta. */
#define FED__UNARY_FORWARD(name, value)                                                            \
  FED__WIDE static void TYPED(name##_forward)(const struct fed__operation *operation) {            \
    const struct fed__coefficients *formula = operation->state;                                    \
    const REAL alpha = (REAL)formula->alpha, beta = (REAL)formula->beta;                           \
    const size_t count = operation->outputs[0].elements;                                           \
    const REAL *in = operation->inputs[0].data;                                                    \
    REAL *out = operation->outputs[0].data;                                                        \
    (void)alpha, (void)beta;                                                                       \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const REAL x = in[i];                                                                        \
      out[i] = (value);                                                                            \
    }                                                                                              \
  }

#define FED__UNARY_BACKWARD(name, variable, operand, derivative)                                   \
  FED__WIDE static void TYPED(name##_backward)(const struct fed__operation *operation) {           \
    const struct fed__coefficients *formula = operation->state;                                    \
    const REAL alpha = (REAL)formula->alpha, beta = (REAL)formula->beta;                           \
    const size_t count = operation->outputs[0].elements;                                           \
    const REAL *at = operation->operand.data, *from = operation->outputs[0].gradient;              \
    REAL *to = operation->inputs[0].gradient;                                                      \
    (void)alpha, (void)beta;                                                                       \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const REAL variable = at[i], dy = from[i];                                                   \
      (void)variable;                                                                              \
      to[i] = dy * (derivative);                                                                   \
    }                                                                                              \
  }

#define FED__UNARY_BY_INPUT(name, value, derivative)                                               \
  FED__UNARY_FORWARD(name, value)                                                                  \
  FED__UNARY_BACKWARD(name, x, inputs[0], derivative)

#define FED__UNARY_BY_OUTPUT(name, value, derivative)                                              \
  FED__UNARY_FORWARD(name, value)                                                                  \
  FED__UNARY_BACKWARD(name, y, outputs[0], derivative)

/* The same for integers, in terms of x; for nodes that compute shapes. */
#define FED__UNARY_INTEGERS(name, value)                                                           \
  static void name##_integers(const struct fed__operation *operation) {                            \
    const size_t count = operation->outputs[0].elements;                                           \
    const int64_t *in = operation->inputs[0].data;                                                 \
    int64_t *out = operation->outputs[0].data;                                                     \
    FED__EACH for (size_t i = 0; i < count; i++) {                                                 \
      const int64_t x = in[i];                                                                     \
      out[i] = (value);                                                                            \
    }                                                                                              \
  }
/* name_forward from name_integers and name_reals_forward. */
#define FED__UNARY_NUMBERS(name)                                                                   \
  static void TYPED(name##_forward)(const struct fed__operation *operation) {                      \
    if (operation->inputs[0].dtype == FED_I64)                                                     \
      name##_integers(operation);                                                                  \
    else                                                                                           \
      TYPED(name##_reals_forward)(operation);                                                      \
  }

/* infer_name and prepare_name for a formula whose numbers read_name takes from the attributes. */
#define FED__UNARY_FORMULA(name)                                                                   \
  static int infer_##name(const struct fed__inference *inference) {                                \
    struct fed__coefficients formula;                                                              \
    FED_TRY(read_##name(inference->node, &formula));                                               \
    return fed__infer_same_real(inference);                                                        \
  }                                                                                                \
  static int prepare_##name(struct fed__operation *operation) {                                    \
    return read_##name(operation->node, operation->state);                                         \
  }

/* A row; `reads` says what backward needs: .backward_inputs = 1 or .backward_outputs = 1. */
#define FED__UNARY_ROW(name, onnx_type, opset, infer_function, prepare_function, reads)            \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = opset,                                                                          \
      .opset_max = FED__ELEMENTWISE_OPSET_MAX,                                                     \
      .inputs_min = 1,                                                                             \
      .inputs_max = 1,                                                                             \
      .outputs_max = 1,                                                                            \
      .in_place = 1,                                                                               \
      .infer = infer_function,                                                                     \
      .state_size = sizeof(struct fed__coefficients),                                              \
      .prepare = prepare_function,                                                                 \
      .forward = FED__TYPED(name##_forward),                                                       \
      .backward = FED__TYPED(name##_backward),                                                     \
      reads,                                                                                       \
  };

#endif
