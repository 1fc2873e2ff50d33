/* SPDX-License-Identifier: Apache-2.0
 *
 * op_gate.c: activations whose derivative needs their input: Gelu, Swish, Mish, HardSwish (x times
 * a gate made from x), ThresholdedRelu, Softsign.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/elementwise/elementwise.h"
#include "train/operators/elementwise/transcendental.h"

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_PI 2.50662827463100050242  /* sqrt(2 pi) */
#define TANH_SLOPE 0.79788456080286535588 /* sqrt(2 / pi) */
#define TANH_CUBIC 0.044715

static int is_text(struct fed_slice slice, const char *text) {
  return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

/* alpha: 1 for the approximation with tanh. */
static int read_gelu(const struct fed__node *node, struct fed__coefficients *formula) {
  struct fed_slice form;
  FED_TRY(fed__attribute_text(node, "approximate", "none", &form));
  formula->alpha = is_text(form, "tanh");
  if (formula->alpha || is_text(form, "none")) return FED_OK;
  return FED_RAISE(FED_E_INPUT, "attribute 'approximate' is '%.*s', expected none or tanh",
                   (int)(form.size < 40 ? form.size : 40), (const char *)form.data);
}

static int read_alpha(const struct fed__node *node, struct fed__coefficients *formula) {
  return fed__attribute_float(node, "alpha", 1, &formula->alpha);
}
#define read_swish read_alpha
#define read_thresholded_relu read_alpha

FED__UNARY_FORMULA(gelu)
FED__UNARY_FORMULA(swish)
FED__UNARY_FORMULA(thresholded_relu)

#define FED__TEMPLATE "train/operators/elementwise/op_gate.c"
#include "train/typed.h"

FED__UNARY_ROW(gelu, "Gelu", 20, infer_gelu, prepare_gelu, .backward_inputs = 1)
FED__UNARY_ROW(swish, "Swish", 24, infer_swish, prepare_swish, .backward_inputs = 1)
FED__UNARY_ROW(mish, "Mish", 18, fed__infer_same_real, NULL, .backward_inputs = 1)
FED__UNARY_ROW(hard_swish, "HardSwish", 14, fed__infer_same_real, NULL, .backward_inputs = 1)
FED__UNARY_ROW(thresholded_relu, "ThresholdedRelu", 13, infer_thresholded_relu,
               prepare_thresholded_relu, .backward_inputs = 1)
FED__UNARY_ROW(softsign, "Softsign", 13, fed__infer_same_real, NULL, .backward_inputs = 1)

#else

/* x Phi(x), Phi being the normal distribution function. */
static inline REAL TYPED(normal_below)(REAL x) {
  return (REAL)0.5 * (1 + TYPED(fed__erf)(x * (REAL)SQRT_HALF));
}
static inline REAL TYPED(gelu_slope)(REAL x) {
  const REAL density = TYPED(fed__exp)((REAL)-0.5 * x * x) * (REAL)(1 / SQRT_2_PI);
  return TYPED(normal_below)(x) + x * density;
}
FED__UNARY_BY_INPUT(gelu_exact, x *TYPED(normal_below)(x), TYPED(gelu_slope)(x))

static inline REAL TYPED(gelu_tanh)(REAL x) {
  return TYPED(fed__tanh)((REAL)TANH_SLOPE * x * (1 + (REAL)TANH_CUBIC * x * x));
}
static inline REAL TYPED(gelu_tanh_slope)(REAL x) {
  const REAL t = TYPED(gelu_tanh)(x);
  const REAL inner = (REAL)TANH_SLOPE * (1 + (REAL)(3 * TANH_CUBIC) * x * x);
  return (REAL)0.5 * (1 + t + x * (1 - t * t) * inner);
}
FED__UNARY_BY_INPUT(gelu_tanh, (REAL)0.5 * x * (1 + TYPED(gelu_tanh)(x)), TYPED(gelu_tanh_slope)(x))

/* Named calls: the address of a function that is compiled for several widths ends up in the debug
 * entries of a section that may be dropped, which GNU ld 2.40 cannot do. */
static void TYPED(gelu_forward)(const struct fed__operation *operation) {
  const struct fed__coefficients *formula = operation->state;
  if (formula->alpha)
    TYPED(gelu_tanh_forward)(operation);
  else
    TYPED(gelu_exact_forward)(operation);
}
static void TYPED(gelu_backward)(const struct fed__operation *operation) {
  const struct fed__coefficients *formula = operation->state;
  if (formula->alpha)
    TYPED(gelu_tanh_backward)(operation);
  else
    TYPED(gelu_exact_backward)(operation);
}

static inline REAL TYPED(swish_slope)(REAL x, REAL alpha) {
  const REAL gate = TYPED(fed__sigmoid)(alpha * x);
  return gate * (1 + alpha * x * (1 - gate));
}
FED__UNARY_BY_INPUT(swish, x *TYPED(fed__sigmoid)(alpha *x), TYPED(swish_slope)(x, alpha))

/* With e = exp(x) and n = e (e + 2), tanh(log(1 + e)) is n / (n + 2); beyond x = 20 that is 1. */
static inline REAL TYPED(mish_power)(REAL x) { return TYPED(fed__exp)(x > 20 ? 20 : x); }
static inline REAL TYPED(mish_gate)(REAL x) {
  const REAL e = TYPED(mish_power)(x), n = e * (e + 2);
  return n / (n + 2);
}
static inline REAL TYPED(mish_slope)(REAL x) {
  const REAL e = TYPED(mish_power)(x), n = e * (e + 2), inverse = 1 / (n + 2);
  return n * inverse + 4 * x * e * (1 + e) * inverse * inverse;
}
FED__UNARY_BY_INPUT(mish, x *TYPED(mish_gate)(x), TYPED(mish_slope)(x))

static inline REAL TYPED(hard_gate)(REAL x) {
  const REAL gate = x / 6 + (REAL)0.5;
  return gate < 0 ? 0 : gate > 1 ? 1 : gate;
}
static inline REAL TYPED(hard_slope)(REAL x) {
  const REAL middle = x / 3 + (REAL)0.5;
  return x <= -3 ? 0 : x < 3 ? middle : 1;
}
FED__UNARY_BY_INPUT(hard_swish, x *TYPED(hard_gate)(x), TYPED(hard_slope)(x))

FED__UNARY_BY_INPUT(thresholded_relu, x <= alpha ? 0 : x, x > alpha ? (REAL)1 : 0)

static inline REAL TYPED(softsign_slope)(REAL x) {
  const REAL below = 1 / (1 + REAL_FUNCTION(fabs)(x));
  return below * below;
}
FED__UNARY_BY_INPUT(softsign, x / (1 + REAL_FUNCTION(fabs)(x)), TYPED(softsign_slope)(x))

#endif
