/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_norm.c: gradients of normalisations and softmax. The loss does not see what shifts
 * all logits alike, hence the Tanh behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

static void seen(struct graph_writer *w) { writer_node(w, "Tanh", "normal", "y"); }

static void softmax(struct graph_writer *w) { writer_node(w, "Softmax", "a", "y"); }
static void softmax_middle(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 1);
  softmax(w);
}
static void softmax_first(struct graph_writer *w) {
  writer_int_attribute(w, "axis", -2);
  softmax(w);
}
static void log_softmax(struct graph_writer *w) {
  writer_node(w, "LogSoftmax", "a", "normal");
  seen(w);
}
static void log_softmax_middle(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 1);
  log_softmax(w);
}
/* In place: the input is needed by nobody else. */
static void softmax_chain(struct graph_writer *w) {
  writer_node(w, "Tanh", "a", "t");
  writer_node(w, "Softmax", "t", "s");
  writer_node(w, "LogSoftmax", "s", "y");
}

static void layer(struct graph_writer *w) {
  writer_node(w, "LayerNormalization", "a,b,c", "normal");
  seen(w);
}
static void layer_two_axes(struct graph_writer *w) {
  writer_int_attribute(w, "axis", 1);
  writer_float_attribute(w, "epsilon", 0.25F);
  layer(w);
}
static void layer_bare(struct graph_writer *w) {
  writer_node(w, "LayerNormalization", "a,b", "normal");
  seen(w);
}
/* All three outputs. */
static void layer_moments(struct graph_writer *w) {
  writer_node(w, "LayerNormalization", "a,b,c", "normal,mean,factor");
  writer_node(w, "Add", "normal,mean", "sum");
  writer_node(w, "Mul", "sum,factor", "product");
  writer_node(w, "Tanh", "product", "y");
}
static void layer_only_moments(struct graph_writer *w) {
  writer_node(w, "LayerNormalization", "a,b", "normal,mean,factor");
  writer_node(w, "Mul", "mean,factor", "y");
}
static void rms(struct graph_writer *w) {
  w->opset = 23;
  writer_node(w, "RMSNormalization", "a,b", "normal");
  seen(w);
}
static void rms_two_axes(struct graph_writer *w) {
  writer_int_attribute(w, "axis", -2);
  rms(w);
}
static void instance(struct graph_writer *w) {
  writer_node(w, "InstanceNormalization", "a,b,c", "normal");
  seen(w);
}
static void group(struct graph_writer *w) {
  writer_int_attribute(w, "num_groups", 2);
  writer_node(w, "GroupNormalization", "a,b,c", "normal");
  seen(w);
}
static void group_old(struct graph_writer *w) {
  w->opset = 18;
  group(w);
}
static void group_new(struct graph_writer *w) {
  w->opset = 21;
  group(w);
}

static void batch(struct graph_writer *w) {
  writer_float_attribute(w, "epsilon", 0.125F);
  writer_node(w, "BatchNormalization", "a,b,c,d,e", "normal");
  seen(w);
}
static void batch_training(struct graph_writer *w) {
  writer_int_attribute(w, "training_mode", 1);
  writer_float_attribute(w, "epsilon", 0.125F);
  writer_node(w, "BatchNormalization", "a,b,c,d,e", "normal,mean,variance");
  seen(w);
}

static void lp(struct graph_writer *w) { writer_node(w, "LpNormalization", "a", "y"); }
static void lp_one(struct graph_writer *w) {
  writer_int_attribute(w, "p", 1);
  writer_int_attribute(w, "axis", 1);
  lp(w);
}
static void lrn(struct graph_writer *w) {
  writer_int_attribute(w, "size", 3);
  writer_float_attribute(w, "alpha", 0.5F);
  writer_node(w, "LRN", "a", "y");
}
static void lrn_even(struct graph_writer *w) {
  writer_int_attribute(w, "size", 4);
  writer_float_attribute(w, "alpha", 0.5F);
  writer_float_attribute(w, "beta", 1.5F);
  writer_float_attribute(w, "bias", 2);
  writer_node(w, "LRN", "a", "y");
}

#define CHANNELS                                                                                   \
  {1, {3}}, {1, {3}}, {1, {3}}, {                                                                  \
    1, { 3 }                                                                                       \
  }

static const struct operand_case cases[] = {
    {"Softmax", softmax, {{2, {3, 5}}}},
    {"Softmax, long rows", softmax, {{3, {2, 2, 37}}}},
    {"Softmax, axis between", softmax_middle, {{3, {2, 5, 3}}}},
    {"Softmax, many columns", softmax_first, {{2, {3, 70}}}},
    {"LogSoftmax", log_softmax, {{2, {3, 21}}}},
    {"LogSoftmax, axis between", log_softmax_middle, {{4, {2, 4, 3, 2}}}},
    {"Softmax, in place", softmax_chain, {{2, {3, 5}}}},
    {"LayerNormalization", layer, {{3, {2, 3, 6}}, {1, {6}}, {1, {6}}}},
    {"LayerNormalization, long rows", layer, {{2, {4, 35}}, {1, {35}}, {1, {35}}}},
    {"LayerNormalization, two axes", layer_two_axes, {{3, {4, 3, 5}}, {2, {3, 5}}, {3, {1, 3, 5}}}},
    {"LayerNormalization, no bias", layer_bare, {{2, {3, 4}}, {1, {4}}}},
    {"LayerNormalization, frozen scale", layer, {{2, {3, 4}}, {1, {4}}, {1, {4}}}, "a,c"},
    {"LayerNormalization, only scale", layer, {{2, {3, 4}}, {1, {4}}, {1, {4}}}, "b"},
    {"LayerNormalization, moments", layer_moments, {{2, {3, 4}}, {1, {4}}, {1, {4}}}},
    {"LayerNormalization, only moments", layer_only_moments, {{2, {3, 4}}, {1, {4}}}, "a"},
    {"RMSNormalization", rms, {{3, {2, 3, 6}}, {1, {6}}}},
    {"RMSNormalization, two axes", rms_two_axes, {{3, {2, 3, 6}}, {2, {3, 6}}}},
    {"InstanceNormalization", instance, {{4, {2, 3, 4, 5}}, {1, {3}}, {1, {3}}}},
    {"InstanceNormalization, one dimension", instance, {{3, {2, 3, 7}}, {1, {3}}, {1, {3}}}},
    {"GroupNormalization 18", group_old, {{4, {2, 6, 3, 2}}, {1, {2}}, {1, {2}}}},
    {"GroupNormalization 21", group_new, {{4, {2, 6, 3, 2}}, {1, {6}}, {1, {6}}}},
    {"GroupNormalization, no plane", group_new, {{2, {3, 6}}, {1, {6}}, {1, {6}}}},
    {"BatchNormalization, given", batch, {{4, {2, 3, 2, 3}}, CHANNELS}, NULL, 0.5, 2},
    {"BatchNormalization, given, no plane", batch, {{2, {5, 3}}, CHANNELS}, NULL, 0.5, 2},
    {"BatchNormalization, given, frozen", batch, {{3, {2, 3, 5}}, CHANNELS}, "a", 0.5, 2},
    {"BatchNormalization, measured",
     batch_training,
     {{4, {2, 3, 4, 5}}, CHANNELS},
     "a,b,c",
     0,
     0,
     1},
    {"BatchNormalization, measured, no plane",
     batch_training,
     {{2, {7, 3}}, CHANNELS},
     "a,b,c",
     0,
     0,
     1},
    {"BatchNormalization, measured, frozen",
     batch_training,
     {{3, {4, 3, 2}}, CHANNELS},
     "a",
     0,
     0,
     1},
    {"LpNormalization", lp, {{3, {2, 3, 4}}}},
    {"LpNormalization, p = 1", lp_one, {{3, {2, 3, 4}}}},
    {"LRN", lrn, {{4, {2, 5, 2, 3}}}},
    {"LRN, even size", lrn_even, {{3, {2, 6, 3}}}},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
