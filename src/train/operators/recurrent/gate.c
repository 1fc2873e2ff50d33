/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c: activations of recurrent layers: one vector loop for each.
 */
#ifndef REAL
#include "train/operators/recurrent/gate.h"
#include "base/raise.h"
#include "base/wide.h"
#include "train/operators/elementwise/transcendental.h"

struct gate_row {
  const char *name;
  int takes_alpha, takes_beta;
  double alpha, beta; /* where the attributes say nothing; NaN: they must say it */
};

static const struct gate_row rows[] = {
    [FED__GATE_SIGMOID] = {"Sigmoid", 0, 0, 0, 0},
    [FED__GATE_TANH] = {"Tanh", 0, 0, 0, 0},
    [FED__GATE_RELU] = {"Relu", 0, 0, 0, 0},
    [FED__GATE_AFFINE] = {"Affine", 1, 1, NAN, NAN},
    [FED__GATE_LEAKY_RELU] = {"LeakyRelu", 1, 0, 0.01, 0},
    [FED__GATE_THRESHOLDED_RELU] = {"ThresholdedRelu", 1, 0, 1, 0},
    [FED__GATE_SCALED_TANH] = {"ScaledTanh", 1, 1, NAN, NAN},
    [FED__GATE_HARD_SIGMOID] = {"HardSigmoid", 1, 1, (double)0.2F, 0.5},
    [FED__GATE_ELU] = {"Elu", 1, 0, 1, 0},
    [FED__GATE_SOFTSIGN] = {"Softsign", 0, 0, 0, 0},
    [FED__GATE_SOFTPLUS] = {"Softplus", 0, 0, 0, 0},
};

#define NAMES_MAX (2 * FED__GATES_MAX)

struct gate_numbers {
  float alpha[NAMES_MAX], beta[NAMES_MAX];
  size_t alpha_count, beta_count, alpha_used, beta_used;
};

static int find_gate(const ProtobufCBinaryData *name, struct fed__gate *gate) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strlen(rows[i].name) != name->len || memcmp(rows[i].name, name->data, name->len) != 0)
      continue;
    gate->kind = (enum fed__gate_kind)i;
    return FED_OK;
  }
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "activation '%.*s'; supported are Sigmoid, Tanh, Relu, Affine, LeakyRelu, "
                   "ThresholdedRelu, ScaledTanh, HardSigmoid, Elu, Softsign and Softplus",
                   (int)(name->len < 100 ? name->len : 100), (const char *)name->data);
}

/* The value must tell on which side of a bend it is, and what was multiplied. */
static int check_gate(const struct fed__gate *gate) {
  if (isnan(gate->alpha) || isnan(gate->beta))
    return FED_RAISE(FED_E_MISSING,
                     "activation %s has no default numbers: add the attributes activation_alpha "
                     "and activation_beta",
                     rows[gate->kind].name);
  const int bends = gate->kind == FED__GATE_LEAKY_RELU || gate->kind == FED__GATE_ELU;
  if (bends && !(gate->alpha >= 0))
    return FED_RAISE(FED_E_UNSUPPORTED, "activation %s with alpha %g; supported is 0 or more",
                     rows[gate->kind].name, gate->alpha);
  if (gate->kind == FED__GATE_SCALED_TANH && !(gate->alpha != 0))
    return FED_RAISE(FED_E_UNSUPPORTED, "activation ScaledTanh with alpha 0 is no function of x");
  return FED_OK;
}

static int set_numbers(struct gate_numbers *numbers, struct fed__gate *gate) {
  const struct gate_row *row = &rows[gate->kind];
  gate->alpha = row->alpha;
  gate->beta = row->beta;
  if (row->takes_alpha && numbers->alpha_used < numbers->alpha_count)
    gate->alpha = (double)numbers->alpha[numbers->alpha_used++];
  if (row->takes_beta && numbers->beta_used < numbers->beta_count)
    gate->beta = (double)numbers->beta[numbers->beta_used++];
  return check_gate(gate);
}

int fed__gates_read(const struct fed__node *node, size_t directions, size_t each,
                    const enum fed__gate_kind *absent, struct fed__gate gates[2][FED__GATES_MAX]) {
  struct gate_numbers numbers = {0};
  const Onnx__AttributeProto *names = fed__attribute_find(node, "activations");
  if (names && (names->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS ||
                names->n_strings != directions * each))
    return FED_RAISE(FED_E_SHAPE, "attribute 'activations' should be a list of %zu names",
                     directions * each);
  FED_TRY(fed__attribute_floats(node, "activation_alpha", numbers.alpha, NAMES_MAX,
                                &numbers.alpha_count));
  FED_TRY(
      fed__attribute_floats(node, "activation_beta", numbers.beta, NAMES_MAX, &numbers.beta_count));
  for (size_t i = 0; i < directions * each; i++) {
    struct fed__gate *gate = &gates[i / each][i % each];
    gate->kind = absent[i % each];
    if (names) FED_TRY(find_gate(&names->strings[i], gate));
    FED_TRY(set_numbers(&numbers, gate));
  }
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/recurrent/gate.c"
#include "train/typed.h"

#else

#define GATE_FUNCTION(name, value, derivative)                                                     \
  FED__WIDE static void TYPED(name##_apply)(REAL alpha, REAL beta, int64_t count, const REAL *in,  \
                                            REAL *out) {                                           \
    (void)alpha, (void)beta;                                                                       \
    FED__EACH for (int64_t i = 0; i < count; i++) {                                                \
      const REAL x = in[i];                                                                        \
      out[i] = (value);                                                                            \
    }                                                                                              \
  }                                                                                                \
  FED__WIDE static void TYPED(name##_derive)(REAL alpha, REAL beta, int64_t count, const REAL *in, \
                                             const REAL *from, REAL *to) {                         \
    (void)alpha, (void)beta;                                                                       \
    FED__EACH for (int64_t i = 0; i < count; i++) {                                                \
      const REAL y = in[i];                                                                        \
      (void)y;                                                                                     \
      to[i] = from[i] * (derivative);                                                              \
    }                                                                                              \
  }

static inline REAL TYPED(between)(REAL x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static inline REAL TYPED(elu)(REAL x, REAL alpha) {
  const REAL left = alpha * TYPED(fed__expm1)(x);
  return x > 0 ? x : left;
}
static inline REAL TYPED(softplus)(REAL x) {
  const REAL rest = TYPED(fed__log1p)(TYPED(fed__exp)(-REAL_FUNCTION(fabs)(x)));
  return (x > 0 ? x : 0) + rest;
}
static inline REAL TYPED(squared)(REAL x) { return x * x; }

GATE_FUNCTION(sigmoid, TYPED(fed__sigmoid)(x), y *(1 - y))
GATE_FUNCTION(tanh, TYPED(fed__tanh)(x), 1 - y * y)
GATE_FUNCTION(relu, x <= 0 ? 0 : x, y > 0 ? (REAL)1 : 0)
GATE_FUNCTION(affine, alpha *x + beta, alpha)
GATE_FUNCTION(leaky_relu, x > 0 ? x : alpha * x, y > 0 ? 1 : alpha)
GATE_FUNCTION(thresholded_relu, x <= alpha ? 0 : x, y != 0 ? (REAL)1 : 0)
GATE_FUNCTION(scaled_tanh, alpha *TYPED(fed__tanh)(beta *x), beta *(alpha - y * y / alpha))
GATE_FUNCTION(hard_sigmoid, TYPED(between)(alpha *x + beta), y > 0 && y < 1 ? alpha : 0)
GATE_FUNCTION(elu, TYPED(elu)(x, alpha), y > 0 ? 1 : y + alpha)
GATE_FUNCTION(softsign, x / (1 + REAL_FUNCTION(fabs)(x)),
              TYPED(squared)(1 - REAL_FUNCTION(fabs)(y)))
GATE_FUNCTION(softplus, TYPED(softplus)(x), -TYPED(fed__expm1)(-y))
#undef GATE_FUNCTION

static const struct {
  void (*apply)(REAL, REAL, int64_t, const REAL *, REAL *);
  void (*derive)(REAL, REAL, int64_t, const REAL *, const REAL *, REAL *);
} TYPED(functions)[] = {
    [FED__GATE_SIGMOID] = {TYPED(sigmoid_apply), TYPED(sigmoid_derive)},
    [FED__GATE_TANH] = {TYPED(tanh_apply), TYPED(tanh_derive)},
    [FED__GATE_RELU] = {TYPED(relu_apply), TYPED(relu_derive)},
    [FED__GATE_AFFINE] = {TYPED(affine_apply), TYPED(affine_derive)},
    [FED__GATE_LEAKY_RELU] = {TYPED(leaky_relu_apply), TYPED(leaky_relu_derive)},
    [FED__GATE_THRESHOLDED_RELU] = {TYPED(thresholded_relu_apply), TYPED(thresholded_relu_derive)},
    [FED__GATE_SCALED_TANH] = {TYPED(scaled_tanh_apply), TYPED(scaled_tanh_derive)},
    [FED__GATE_HARD_SIGMOID] = {TYPED(hard_sigmoid_apply), TYPED(hard_sigmoid_derive)},
    [FED__GATE_ELU] = {TYPED(elu_apply), TYPED(elu_derive)},
    [FED__GATE_SOFTSIGN] = {TYPED(softsign_apply), TYPED(softsign_derive)},
    [FED__GATE_SOFTPLUS] = {TYPED(softplus_apply), TYPED(softplus_derive)},
};

void TYPED(fed__gate_apply)(const struct fed__gate *gate, int64_t count, const REAL *x, REAL *y) {
  TYPED(functions)[gate->kind].apply((REAL)gate->alpha, (REAL)gate->beta, count, x, y);
}

void TYPED(fed__gate_derive)(const struct fed__gate *gate, int64_t count, const REAL *y,
                             const REAL *dy, REAL *dx) {
  TYPED(functions)[gate->kind].derive((REAL)gate->alpha, (REAL)gate->beta, count, y, dy, dx);
}

#endif
