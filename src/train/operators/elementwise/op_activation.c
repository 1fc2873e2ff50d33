/* SPDX-License-Identifier: Apache-2.0
 *
 * op_activation.c: activations whose derivative follows from their own output, so that the input
 * need not be kept: Relu, LeakyRelu, HardSigmoid, Sigmoid, Tanh, Elu, Selu, Celu, Softplus. A NaN
 * stays one, so that a broken run is noticed: hence x <= 0, not x > 0.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"
#include "train/operators/elementwise/transcendental.h"

/* With a negative alpha the output would not tell on which side the input was. */
static int read_slope(const struct fed__node *node, const char *name, double absent,
                      double *value) {
  FED_TRY(fed__attribute_float(node, name, absent, value));
  if (!(*value >= 0))
    return FED_RAISE(FED_E_UNSUPPORTED, "attribute '%s' is %g; supported are numbers from 0 on",
                     name, *value);
  return FED_OK;
}

static int read_leaky_relu(const struct fed__node *node, struct fed__coefficients *formula) {
  return read_slope(node, "alpha", 0.01, &formula->alpha);
}

static int read_hard_sigmoid(const struct fed__node *node, struct fed__coefficients *formula) {
  FED_TRY(fed__attribute_float(node, "alpha", (double)0.2F, &formula->alpha));
  return fed__attribute_float(node, "beta", 0.5, &formula->beta);
}

/* beta x, or alpha (exp(x) - 1). */
static int read_elu(const struct fed__node *node, struct fed__coefficients *formula) {
  formula->beta = 1;
  return read_slope(node, "alpha", 1, &formula->alpha);
}

static int read_selu(const struct fed__node *node, struct fed__coefficients *formula) {
  FED_TRY(read_slope(node, "alpha", 1.67326319217681884765625, &formula->alpha));
  FED_TRY(read_slope(node, "gamma", 1.05070102214813232421875, &formula->beta));
  formula->alpha *= formula->beta;
  return FED_OK;
}

static int read_celu(const struct fed__node *node, struct fed__coefficients *formula) {
  FED_TRY(read_slope(node, "alpha", 1, &formula->alpha));
  if (formula->alpha == 0)
    return FED_RAISE(FED_E_RANGE, "attribute 'alpha' is 0: x is divided by it");
  return FED_OK;
}

FED__UNARY_FORMULA(leaky_relu)
FED__UNARY_FORMULA(hard_sigmoid)
FED__UNARY_FORMULA(elu)
FED__UNARY_FORMULA(selu)
FED__UNARY_FORMULA(celu)
FED__UNARY_INTEGERS(relu, x <= 0 ? 0 : x)

#define FED__TEMPLATE "train/operators/elementwise/op_activation.c"
#include "train/typed.h"

FED__UNARY_ROW(relu, "Relu", 13, fed__infer_same_number, NULL, .backward_outputs = 1)
FED__UNARY_ROW(leaky_relu, "LeakyRelu", 13, infer_leaky_relu, prepare_leaky_relu,
               .backward_outputs = 1)
FED__UNARY_ROW(hard_sigmoid, "HardSigmoid", 13, infer_hard_sigmoid, prepare_hard_sigmoid,
               .backward_outputs = 1)
FED__UNARY_ROW(sigmoid, "Sigmoid", 13, fed__infer_same_real, NULL, .backward_outputs = 1)
FED__UNARY_ROW(tanh, "Tanh", 13, fed__infer_same_real, NULL, .backward_outputs = 1)
FED__UNARY_ROW(elu, "Elu", 13, infer_elu, prepare_elu, .backward_outputs = 1)
FED__UNARY_ROW(selu, "Selu", 13, infer_selu, prepare_selu, .backward_outputs = 1)
FED__UNARY_ROW(celu, "Celu", 13, infer_celu, prepare_celu, .backward_outputs = 1)
FED__UNARY_ROW(softplus, "Softplus", 13, fed__infer_same_real, NULL, .backward_outputs = 1)

#else

FED__UNARY_FORWARD(relu_reals, x <= 0 ? 0 : x)
FED__UNARY_NUMBERS(relu)
FED__UNARY_BACKWARD(relu, y, outputs[0], y > 0 ? (REAL)1 : 0)

FED__UNARY_BY_OUTPUT(leaky_relu, x > 0 ? x : alpha * x, y > 0 ? 1 : alpha)

static inline REAL TYPED(limit)(REAL x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
FED__UNARY_BY_OUTPUT(hard_sigmoid, TYPED(limit)(alpha *x + beta), y > 0 && y < 1 ? alpha : 0)

FED__UNARY_BY_OUTPUT(sigmoid, TYPED(fed__sigmoid)(x), y *(1 - y))
FED__UNARY_BY_OUTPUT(tanh, TYPED(fed__tanh)(x), 1 - y * y)

static inline REAL TYPED(elu)(REAL x, REAL alpha, REAL beta) {
  const REAL right = beta * x, left = alpha * TYPED(fed__expm1)(x);
  return x > 0 ? right : left;
}
FED__UNARY_BY_OUTPUT(elu, TYPED(elu)(x, alpha, beta), y > 0 ? beta : y + alpha)
FED__UNARY_BY_OUTPUT(selu, TYPED(elu)(x, alpha, beta), y > 0 ? beta : y + alpha)

static inline REAL TYPED(celu)(REAL x, REAL alpha) {
  const REAL left = alpha * TYPED(fed__expm1)(x / alpha);
  return x > 0 ? x : left;
}
FED__UNARY_BY_OUTPUT(celu, TYPED(celu)(x, alpha), y > 0 ? 1 : y / alpha + 1)

static inline REAL TYPED(softplus)(REAL x) {
  const REAL rest = TYPED(fed__log1p)(TYPED(fed__exp)(-REAL_FUNCTION(fabs)(x)));
  return (x > 0 ? x : 0) + rest;
}
/* Its derivative is the logistic function: 1 - exp(-y). */
FED__UNARY_BY_OUTPUT(softplus, TYPED(softplus)(x), -TYPED(fed__expm1)(-y))

#endif
