/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_elementwise.c: gradients of the operators that treat every element alike, against
 * finite differences: each function on both sides of its joints, each operand of what is
 * broadcast, ties, and what the gradient passes through without a change.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

#define UNARY(name, type)                                                                          \
  static void name(struct graph_writer *w) { writer_node(w, type, "a", "y"); }
#define BINARY(name, type)                                                                         \
  static void name(struct graph_writer *w) { writer_node(w, type, "a,b", "y"); }

UNARY(neg, "Neg")
UNARY(abs_, "Abs")
UNARY(sqrt_, "Sqrt")
UNARY(exp_, "Exp")
UNARY(log_, "Log")
UNARY(reciprocal, "Reciprocal")
UNARY(sin_, "Sin")
UNARY(cos_, "Cos")
UNARY(erf_, "Erf")
UNARY(relu, "Relu")
UNARY(sigmoid, "Sigmoid")
UNARY(tanh_, "Tanh")
UNARY(leaky_relu, "LeakyRelu")
UNARY(hard_sigmoid, "HardSigmoid")
UNARY(hard_swish, "HardSwish")
UNARY(elu, "Elu")
UNARY(selu, "Selu")
UNARY(celu, "Celu")
UNARY(softplus, "Softplus")
UNARY(softsign, "Softsign")
UNARY(thresholded_relu, "ThresholdedRelu")
UNARY(identity_mean, "Mean")
BINARY(add, "Add")
BINARY(sub, "Sub")
BINARY(mul, "Mul")
BINARY(div_, "Div")
BINARY(pow_, "Pow")
BINARY(prelu, "PRelu")
BINARY(max_, "Max")
BINARY(min_, "Min")

static void leaky_relu_steep(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 1.75F);
  leaky_relu(w);
}
static void hard_sigmoid_other(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 0.6F);
  writer_float_attribute(w, "beta", 0.25F);
  hard_sigmoid(w);
}
static void elu_alpha(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 2);
  elu(w);
}
static void selu_other(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 2);
  writer_float_attribute(w, "gamma", 0.75F);
  selu(w);
}
static void celu_alpha(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", 2.5F);
  celu(w);
}
static void thresholded_relu_below(struct graph_writer *w) {
  writer_float_attribute(w, "alpha", -0.5F);
  thresholded_relu(w);
}
static void mish(struct graph_writer *w) {
  w->opset = 18;
  writer_node(w, "Mish", "a", "y");
}
static void gelu(struct graph_writer *w) {
  w->opset = 20;
  writer_node(w, "Gelu", "a", "y");
}
static void gelu_tanh(struct graph_writer *w) {
  writer_text_attribute(w, "approximate", "tanh");
  gelu(w);
}

/* What the step functions give counts as a constant factor. */
static void steps(struct graph_writer *w) {
  writer_node(w, "Floor", "a", "floor");
  writer_node(w, "Ceil", "a", "ceil");
  writer_node(w, "Round", "a", "round");
  writer_node(w, "Sign", "a", "sign");
  writer_node(w, "Sum", "floor,ceil,round,sign", "constant");
  writer_node(w, "Mul", "a,constant", "y");
}

static void power_of(struct graph_writer *w, float exponent) {
  writer_floats(w, "exponent", 0, NULL, &exponent);
  writer_node(w, "Pow", "a,exponent", "y");
}
static void power_1(struct graph_writer *w) { power_of(w, 1); }
static void power_2(struct graph_writer *w) { power_of(w, 2); }
static void power_3(struct graph_writer *w) { power_of(w, 3); }
static void power_4(struct graph_writer *w) { power_of(w, 4); }
static void power_half(struct graph_writer *w) { power_of(w, 0.5F); }
static void power_minus_1(struct graph_writer *w) { power_of(w, -1); }
static void power_minus_half(struct graph_writer *w) { power_of(w, -0.5F); }
/* Exponents that are integers, one for each column; 0 among them. */
static void power_integers(struct graph_writer *w) {
  writer_ints(w, "exponents", INTS(0, 1, 2, 3));
  writer_node(w, "Pow", "a,exponents", "y");
}
static void power_integer(struct graph_writer *w) {
  writer_ints(w, "exponents", INTS(2));
  writer_node(w, "Pow", "a,exponents", "y");
}

static void mod_real(struct graph_writer *w) {
  writer_int_attribute(w, "fmod", 1);
  writer_node(w, "Mod", "a,b", "y");
}
BINARY(mod_floored, "Mod")
/* Of negative numbers. */
static void mod_negative(struct graph_writer *w) {
  writer_node(w, "Neg", "a", "n");
  writer_node(w, "Mod", "n,b", "y");
}
static void mod_real_negative(struct graph_writer *w) {
  writer_node(w, "Neg", "a", "n");
  writer_int_attribute(w, "fmod", 1);
  writer_node(w, "Mod", "n,b", "y");
}

static void max_of_three(struct graph_writer *w) { writer_node(w, "Max", "a,b,c", "y"); }
static void min_of_three(struct graph_writer *w) { writer_node(w, "Min", "a,b,c", "y"); }
/* One value twice: each half counts. A constant that is far away, too. */
static void max_tied(struct graph_writer *w) {
  static const float low = -100;
  writer_floats(w, "low", 0, NULL, &low);
  writer_node(w, "Max", "a,low,a", "y");
}
static void sum_of_three(struct graph_writer *w) {
  writer_node(w, "Sum", "a,b,c", "s");
  writer_node(w, "Tanh", "s", "y");
}
static void mean_of_three(struct graph_writer *w) {
  writer_node(w, "Mean", "a,b,c", "m");
  writer_node(w, "Tanh", "m", "y");
}

static void clip_both(struct graph_writer *w) {
  static const float low = -0.25F, high = 0.75F;
  writer_floats(w, "low", 0, NULL, &low);
  writer_floats(w, "high", 0, NULL, &high);
  writer_node(w, "Clip", "a,low,high", "y");
}
static void clip_above(struct graph_writer *w) {
  static const float high = 0.75F;
  writer_floats(w, "high", 0, NULL, &high);
  writer_node(w, "Clip", "a,,high", "y");
}
static void clip_nothing(struct graph_writer *w) { writer_node(w, "Clip", "a", "y"); }
/* Bounds that train: -b from below, c from above. */
static void clip_by_parameters(struct graph_writer *w) {
  writer_node(w, "Neg", "b", "low");
  writer_node(w, "Clip", "a,low,c", "clipped");
  writer_node(w, "Mul", "clipped,a", "y");
}
/* The upper bound is below the lower one: it alone holds. */
static void clip_crossed(struct graph_writer *w) {
  writer_node(w, "Neg", "b", "high");
  writer_node(w, "Clip", "a,b,high", "clipped");
  writer_node(w, "Mul", "clipped,a", "y");
}

static void where_constant(struct graph_writer *w) {
  static const uint8_t mask[] = {1, 0, 0, 1};
  static const int64_t dims[] = {4};
  writer_tensor(w, "mask", 9, 1, dims, mask, sizeof mask);
  writer_node(w, "Where", "mask,a,b", "y");
}
static void where_column(struct graph_writer *w) {
  static const uint8_t mask[] = {1, 0, 1};
  static const int64_t dims[] = {3, 1};
  writer_tensor(w, "mask", 9, 2, dims, mask, sizeof mask);
  writer_node(w, "Where", "mask,a,b", "chosen");
  writer_node(w, "Tanh", "chosen", "y");
}
/* The condition is computed in the step. */
static void where_computed(struct graph_writer *w) {
  static const float bound = 0.4F;
  writer_floats(w, "bound", 0, NULL, &bound);
  writer_node(w, "Greater", "a,bound", "large");
  writer_node(w, "Less", "a,b", "below");
  writer_node(w, "LessOrEqual", "b,bound", "small");
  writer_node(w, "Or", "large,below", "either");
  writer_node(w, "Not", "small", "big");
  writer_node(w, "And", "either,big", "all");
  writer_node(w, "Mul", "a,b", "product");
  writer_node(w, "Where", "all,product,b", "y");
}
/* A condition as a factor. */
static void cast_condition(struct graph_writer *w) {
  static const float bound = 0.4F;
  writer_floats(w, "bound", 0, NULL, &bound);
  writer_node(w, "GreaterOrEqual", "a,bound", "large");
  writer_int_attribute(w, "to", 1);
  writer_node(w, "Cast", "large", "factor");
  writer_int_attribute(w, "to", 11);
  writer_node(w, "Cast", "a", "same");
  writer_node(w, "Mul", "same,factor", "y");
}
static void cast_like(struct graph_writer *w) {
  writer_node(w, "CastLike", "a,b", "same");
  writer_node(w, "Mul", "same,b", "y");
}

static void dropout(struct graph_writer *w, float ratio, uint8_t training) {
  writer_floats(w, "ratio", 0, NULL, &ratio);
  writer_tensor(w, "training", 9, 0, NULL, &training, 1);
  writer_node(w, "Dropout", "a,ratio,training", "dropped,mask");
  writer_node(w, "Tanh", "dropped", "y");
}
static void dropout_on(struct graph_writer *w) { dropout(w, 0.4F, 1); }
static void dropout_off(struct graph_writer *w) { dropout(w, 0.4F, 0); }
static void dropout_nothing(struct graph_writer *w) { dropout(w, 0, 1); }
static void dropout_default(struct graph_writer *w) { writer_node(w, "Dropout", "a", "y"); }

#define WIDE                                                                                       \
  {                                                                                                \
    {                                                                                              \
      2, { 9, 11 }                                                                                 \
    }                                                                                              \
  } /* enough to fall on both sides of every joint */
#define PAIR                                                                                       \
  {                                                                                                \
    {2, {3, 4}}, {                                                                                 \
      2, { 3, 4 }                                                                                  \
    }                                                                                              \
  }

static const struct operand_case cases[] = {
    {"Neg", neg, WIDE},
    {"Abs", abs_, WIDE},
    {"Sqrt", sqrt_, WIDE, .low = 0.2, .high = 3},
    {"Exp", exp_, WIDE},
    {"Log", log_, WIDE, .low = 0.2, .high = 3},
    {"Reciprocal", reciprocal, WIDE, .low = 0.3, .high = 2},
    {"Sin", sin_, WIDE, .low = -6, .high = 6},
    {"Cos", cos_, WIDE, .low = -6, .high = 6},
    {"Erf", erf_, WIDE},
    {"Relu", relu, WIDE},
    {"Sigmoid", sigmoid, WIDE},
    {"Tanh", tanh_, WIDE},
    {"LeakyRelu", leaky_relu, WIDE},
    {"LeakyRelu, steep", leaky_relu_steep, WIDE},
    {"HardSigmoid", hard_sigmoid, WIDE, .low = -4, .high = 4},
    {"HardSigmoid, other", hard_sigmoid_other, WIDE},
    {"HardSwish", hard_swish, WIDE, .low = -5, .high = 5},
    {"Elu", elu, WIDE},
    {"Elu, alpha", elu_alpha, WIDE},
    {"Selu", selu, WIDE},
    {"Selu, other", selu_other, WIDE},
    {"Celu", celu, WIDE},
    {"Celu, alpha", celu_alpha, WIDE},
    {"Softplus", softplus, WIDE, .low = -5, .high = 5},
    {"Softsign", softsign, WIDE},
    {"ThresholdedRelu", thresholded_relu, WIDE},
    {"ThresholdedRelu, below", thresholded_relu_below, WIDE},
    {"Mish", mish, WIDE, .low = -5, .high = 5},
    {"Gelu", gelu, WIDE, .low = -3, .high = 3},
    {"Gelu, tanh", gelu_tanh, WIDE, .low = -3, .high = 3},
    {"steps", steps, WIDE},

    {"Add", add, PAIR},
    {"Add, one element to a matrix", add, {{2, {1, 1}}, {2, {3, 4}}}, "b"},
    {"Add, outer", add, {{2, {3, 1}}, {2, {1, 4}}}},
    {"Add, more dimensions", add, {{1, {4}}, {3, {2, 3, 4}}}},
    {"Sub", sub, {{3, {2, 3, 4}}, {2, {3, 1}}}},
    {"Sub, from the smaller", sub, {{2, {3, 1}}, {3, {2, 3, 4}}}},
    {"Mul, channels", mul, {{4, {2, 3, 2, 2}}, {3, {3, 1, 1}}}},
    {"Mul, every other dimension", mul, {{5, {2, 1, 2, 1, 2}}, {5, {1, 3, 1, 2, 1}}}},
    {"Mul, rows longer than a tile", mul, {{2, {2, 700}}, {2, {2, 1}}}, .low = 1, .high = 2},
    {"Mul, columns longer than a tile", mul, {{2, {2, 700}}, {1, {700}}}, .low = 1, .high = 2},
    {"Div", div_, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 2},
    {"Div, column", div_, {{2, {3, 4}}, {2, {3, 1}}}, .low = 0.5, .high = 2},
    {"Pow", pow_, PAIR, .low = 0.5, .high = 2},
    {"Pow, exponent row", pow_, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 2},
    {"Pow, lone base", pow_, {{1, {1}}, {1, {4}}}, .low = 0.5, .high = 2},
    {"Pow, 1", power_1, WIDE},
    {"Pow, 2", power_2, WIDE},
    {"Pow, 3", power_3, WIDE},
    {"Pow, 4", power_4, WIDE, .low = -1.5, .high = 1.5},
    {"Pow, 0.5", power_half, WIDE, .low = 0.5, .high = 2},
    {"Pow, -1", power_minus_1, WIDE, .low = 0.5, .high = 2},
    {"Pow, -0.5", power_minus_half, WIDE, .low = 0.5, .high = 2},
    {"Pow, integers", power_integers, {{2, {3, 4}}}},
    {"Pow, one integer", power_integer, {{2, {3, 4}}}},
    {"Mod, fmod", mod_real, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 4},
    {"Mod", mod_floored, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 4},
    {"Mod, negative", mod_negative, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 4},
    {"Mod, fmod, negative", mod_real_negative, {{2, {3, 4}}, {1, {4}}}, .low = 0.5, .high = 4},
    {"Max", max_, PAIR},
    {"Min", min_, {{2, {3, 4}}, {1, {4}}}},
    {"Max of three", max_of_three, {{2, {3, 4}}, {1, {4}}, {2, {3, 1}}}},
    {"Min of three", min_of_three, {{2, {3, 4}}, {1, {4}}, {2, {3, 1}}}},
    {"Max, tied", max_tied, {{2, {3, 4}}}},
    {"Sum of three", sum_of_three, {{2, {3, 4}}, {1, {4}}, {2, {3, 1}}}},
    {"Mean of three", mean_of_three, {{2, {3, 4}}, {1, {4}}, {2, {3, 1}}}},
    {"Mean of one", identity_mean, {{2, {3, 4}}}},
    {"PRelu", prelu, PAIR, .low = -1, .high = 1},
    {"PRelu, channels", prelu, {{4, {2, 3, 2, 2}}, {3, {3, 1, 1}}}},
    {"PRelu, lone slope", prelu, {{2, {3, 4}}, {1, {1}}}},
    {"Clip", clip_both, WIDE},
    {"Clip, above", clip_above, WIDE},
    {"Clip, nothing", clip_nothing, WIDE},
    {"Clip, bounds that train", clip_by_parameters, {{2, {5, 7}}, {1, {1}}, {1, {1}}}},
    {"Clip, crossed bounds", clip_crossed, {{2, {5, 7}}, {1, {1}}}, .low = 0.5, .high = 2},
    {"Where", where_constant, PAIR},
    {"Where, broadcast", where_column, {{1, {4}}, {2, {3, 1}}}},
    {"Where, computed", where_computed, PAIR},
    {"Cast", cast_condition, WIDE},
    {"CastLike", cast_like, PAIR},
    {"Dropout", dropout_on, WIDE, .training = 1},
    {"Dropout, evaluating", dropout_off, WIDE},
    {"Dropout, not asked for", dropout_off, WIDE, .training = 1},
    {"Dropout, ratio 0", dropout_nothing, WIDE, .training = 1},
    {"Dropout, defaults", dropout_default, WIDE, .training = 1},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
