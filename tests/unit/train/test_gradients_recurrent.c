/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_recurrent.c: gradients of LSTM, GRU and RNN by every input, for both layouts, all
 * directions, sequences of different lengths, left-out inputs and outputs, and all activations,
 * against finite differences.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

/* All outputs in a row, so that each of them has a gradient. */
static void join(struct graph_writer *w, size_t count) {
  static const char *const parts[] = {"y0,all", "y1,all", "y2,all"};
  static const char *const rows[] = {"r0", "r1", "r2"};
  writer_ints(w, "all", INTS(-1));
  for (size_t i = 0; i < count; i++) writer_node(w, "Reshape", parts[i], rows[i]);
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", count == 3 ? "r0,r1,r2" : "r0,r1", "y");
}

static void lstm(struct graph_writer *w, const char *inputs) {
  writer_node(w, "LSTM", inputs, "y0,y1,y2");
  join(w, 3);
}
static void gru(struct graph_writer *w, const char *inputs) {
  writer_node(w, "GRU", inputs, "y0,y1");
  join(w, 2);
}
static void rnn(struct graph_writer *w, const char *inputs) {
  writer_node(w, "RNN", inputs, "y0,y1");
  join(w, 2);
}
static void both_ways(struct graph_writer *w) {
  writer_text_attribute(w, "direction", "bidirectional");
}
static void lengths(struct graph_writer *w) { writer_ints(w, "lengths", INTS(2, 3)); }

static void lstm_plain(struct graph_writer *w) { lstm(w, "a,b,c"); }
static void lstm_bias(struct graph_writer *w) { lstm(w, "a,b,c,d"); }
static void lstm_states(struct graph_writer *w) { lstm(w, "a,b,c,d,,e,f"); }
static void lstm_full(struct graph_writer *w) {
  both_ways(w);
  lengths(w);
  lstm(w, "a,b,c,d,lengths,e,f,g");
}
static void lstm_reverse(struct graph_writer *w) {
  writer_text_attribute(w, "direction", "reverse");
  lengths(w);
  lstm(w, "a,b,c,d,lengths,e,f");
}
static void lstm_batch_first(struct graph_writer *w) {
  writer_int_attribute(w, "layout", 1);
  lstm_full(w);
}
static void lstm_batch_first_forward(struct graph_writer *w) {
  writer_int_attribute(w, "layout", 1);
  lstm_states(w);
}
static void lstm_coupled(struct graph_writer *w) {
  writer_int_attribute(w, "input_forget", 1);
  lstm(w, "a,b,c,d,,e,f,g");
}
/* The limit is low enough for gates and cells to be beyond it. */
static void lstm_clip(struct graph_writer *w) {
  writer_float_attribute(w, "clip", 0.7F);
  lstm_full(w);
}
static void lstm_only_sequence(struct graph_writer *w) { writer_node(w, "LSTM", "a,b,c,d", "y"); }
static void lstm_only_state(struct graph_writer *w) { writer_node(w, "LSTM", "a,b,c,d", ",y"); }
static void lstm_only_cell(struct graph_writer *w) { writer_node(w, "LSTM", "a,b,c,d", ",,y"); }
/* PyTorch's exporter puts the weights together of slices. */
static void lstm_sliced(struct graph_writer *w) {
  writer_ints(w, "zero", INTS(0));
  writer_node(w, "Unsqueeze", "b,zero", "w");
  writer_node(w, "Unsqueeze", "c,zero", "r");
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", "d,e", "bias");
  writer_node(w, "Unsqueeze", "bias,zero", "bias_row");
  lstm(w, "a,w,r,bias_row");
}

static void gru_plain(struct graph_writer *w) { gru(w, "a,b,c"); }
static void gru_bias(struct graph_writer *w) { gru(w, "a,b,c,d"); }
static void gru_full(struct graph_writer *w) {
  both_ways(w);
  lengths(w);
  gru(w, "a,b,c,d,lengths,e");
}
static void linear_first(struct graph_writer *w) {
  writer_int_attribute(w, "linear_before_reset", 1);
}
static void gru_linear_first(struct graph_writer *w) {
  linear_first(w);
  gru_bias(w);
}
static void gru_linear_first_plain(struct graph_writer *w) {
  linear_first(w);
  gru_plain(w);
}
static void gru_linear_first_full(struct graph_writer *w) {
  linear_first(w);
  gru_full(w);
}
static void gru_batch_first(struct graph_writer *w) {
  writer_int_attribute(w, "layout", 1);
  gru_full(w);
}
static void gru_clip(struct graph_writer *w) {
  writer_float_attribute(w, "clip", 0.6F);
  gru_full(w);
}
static void gru_linear_first_clip(struct graph_writer *w) {
  linear_first(w);
  gru_clip(w);
}
static void gru_reverse_state(struct graph_writer *w) {
  writer_text_attribute(w, "direction", "reverse");
  writer_node(w, "GRU", "a,b,c,d,,e", ",y");
}

static void rnn_plain(struct graph_writer *w) { rnn(w, "a,b,c"); }
static void rnn_full(struct graph_writer *w) {
  both_ways(w);
  lengths(w);
  rnn(w, "a,b,c,d,lengths,e");
}
static void rnn_batch_first(struct graph_writer *w) {
  writer_int_attribute(w, "layout", 1);
  rnn_full(w);
}
static void rnn_clip(struct graph_writer *w) {
  writer_float_attribute(w, "clip", 0.8F);
  rnn_full(w);
}

/* Two activations at once, one in each direction. */
static void rnn_of(struct graph_writer *w, const char *forward, const char *backward) {
  const char *names[] = {forward, backward};
  const float alpha[] = {0.6F, 0.3F}, beta[] = {0.4F, 0.7F};
  writer_texts_attribute(w, "activations", 2, names);
  writer_floats_attribute(w, "activation_alpha", 2, alpha);
  writer_floats_attribute(w, "activation_beta", 2, beta);
  rnn_full(w);
}
static void rnn_relu_sigmoid(struct graph_writer *w) { rnn_of(w, "Relu", "Sigmoid"); }
static void rnn_affine_leaky(struct graph_writer *w) { rnn_of(w, "Affine", "LeakyRelu"); }
static void rnn_scaled_hard(struct graph_writer *w) { rnn_of(w, "ScaledTanh", "HardSigmoid"); }
static void rnn_elu_softsign(struct graph_writer *w) { rnn_of(w, "Elu", "Softsign"); }
static void rnn_softplus_threshold(struct graph_writer *w) {
  rnn_of(w, "Softplus", "ThresholdedRelu");
}
static void lstm_activations(struct graph_writer *w) {
  const char *names[] = {"HardSigmoid", "Relu", "Softsign", "Sigmoid", "Elu", "Softplus"};
  writer_texts_attribute(w, "activations", 6, names);
  lstm_full(w);
}
static void gru_activations(struct graph_writer *w) {
  const char *names[] = {"Softsign", "Relu", "HardSigmoid", "Softplus"};
  writer_texts_attribute(w, "activations", 4, names);
  gru_full(w);
}

/* Three steps, two examples, inputs of 2 and states of 3 numbers. */
#define ONE_WAY(rows)                                                                              \
  {3, {3, 2, 2}}, {3, {1, 3 * (rows), 2}}, {3, {1, 3 * (rows), 3}}, {                              \
    2, { 1, 6 * (rows) }                                                                           \
  }
#define TWO_WAYS(rows)                                                                             \
  {3, {3, 2, 2}}, {3, {2, 3 * (rows), 2}}, {3, {2, 3 * (rows), 3}}, {                              \
    2, { 2, 6 * (rows) }                                                                           \
  }
#define BATCH_FIRST(rows)                                                                          \
  {3, {2, 3, 2}}, {3, {2, 3 * (rows), 2}}, {3, {2, 3 * (rows), 3}}, {                              \
    2, { 2, 6 * (rows) }                                                                           \
  }
#define NO_BIAS(rows)                                                                              \
  {3, {3, 2, 2}}, {3, {1, 3 * (rows), 2}}, {                                                       \
    3, { 1, 3 * (rows), 3 }                                                                        \
  }
#define STATE                                                                                      \
  {                                                                                                \
    3, { 1, 2, 3 }                                                                                 \
  }
#define STATES                                                                                     \
  {                                                                                                \
    3, { 2, 2, 3 }                                                                                 \
  }
#define PEEPHOLES(directions)                                                                      \
  {                                                                                                \
    2, { directions, 9 }                                                                           \
  }

static const struct operand_case cases[] = {
    {"LSTM", lstm_plain, {NO_BIAS(4)}},
    {"LSTM, bias", lstm_bias, {ONE_WAY(4)}},
    {"LSTM, states", lstm_states, {ONE_WAY(4), STATE, STATE}},
    {"LSTM, everything", lstm_full, {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)}},
    {"LSTM, only weights", lstm_full, {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)}, "b,c"},
    {"LSTM, only data", lstm_full, {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)}, "a"},
    {"LSTM, only states", lstm_full, {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)}, "d,e,f"},
    {"LSTM, reverse", lstm_reverse, {ONE_WAY(4), STATE, STATE}},
    {"LSTM, layout 1", lstm_batch_first, {BATCH_FIRST(4), STATES, STATES, PEEPHOLES(2)}},
    {"LSTM, layout 1, forward",
     lstm_batch_first_forward,
     {{3, {2, 3, 2}},
      {3, {1, 12, 2}},
      {3, {1, 12, 3}},
      {2, {1, 24}},
      {3, {2, 1, 3}},
      {3, {2, 1, 3}}}},
    {"LSTM, layout 1, frozen data",
     lstm_batch_first,
     {BATCH_FIRST(4), STATES, STATES, PEEPHOLES(2)},
     "b,c,d"},
    {"LSTM, input_forget", lstm_coupled, {ONE_WAY(4), STATE, STATE, PEEPHOLES(1)}},
    {"LSTM, clip", lstm_clip, {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)}},
    {"LSTM, activations",
     lstm_activations,
     {TWO_WAYS(4), STATES, STATES, PEEPHOLES(2)},
     NULL,
     -0.8,
     0.8},
    {"LSTM, only Y", lstm_only_sequence, {ONE_WAY(4)}},
    {"LSTM, only Y_h", lstm_only_state, {ONE_WAY(4)}},
    {"LSTM, only Y_c", lstm_only_cell, {ONE_WAY(4)}},
    {"LSTM, weights from elsewhere",
     lstm_sliced,
     {{3, {3, 2, 2}}, {2, {12, 2}}, {2, {12, 3}}, {1, {12}}, {1, {12}}}},
    {"GRU", gru_plain, {NO_BIAS(3)}},
    {"GRU, bias", gru_bias, {ONE_WAY(3)}},
    {"GRU, everything", gru_full, {TWO_WAYS(3), STATES}},
    {"GRU, layout 1", gru_batch_first, {BATCH_FIRST(3), STATES}},
    {"GRU, clip", gru_clip, {TWO_WAYS(3), STATES}},
    {"GRU, activations", gru_activations, {TWO_WAYS(3), STATES}},
    {"GRU, only Y_h, reverse", gru_reverse_state, {ONE_WAY(3), STATE}},
    {"GRU, linear before reset", gru_linear_first, {ONE_WAY(3)}},
    {"GRU, linear before reset, no bias", gru_linear_first_plain, {NO_BIAS(3)}},
    {"GRU, linear before reset, everything", gru_linear_first_full, {TWO_WAYS(3), STATES}},
    {"GRU, linear before reset, only bias", gru_linear_first_full, {TWO_WAYS(3), STATES}, "d"},
    {"GRU, linear before reset, clip", gru_linear_first_clip, {TWO_WAYS(3), STATES}},
    {"RNN", rnn_plain, {NO_BIAS(1)}},
    {"RNN, everything", rnn_full, {TWO_WAYS(1), STATES}},
    {"RNN, layout 1", rnn_batch_first, {BATCH_FIRST(1), STATES}},
    {"RNN, clip", rnn_clip, {TWO_WAYS(1), STATES}},
    {"RNN, Relu and Sigmoid", rnn_relu_sigmoid, {TWO_WAYS(1), STATES}},
    {"RNN, Affine and LeakyRelu", rnn_affine_leaky, {TWO_WAYS(1), STATES}},
    {"RNN, ScaledTanh and HardSigmoid", rnn_scaled_hard, {TWO_WAYS(1), STATES}},
    {"RNN, Elu and Softsign", rnn_elu_softsign, {TWO_WAYS(1), STATES}},
    {"RNN, Softplus and ThresholdedRelu", rnn_softplus_threshold, {TWO_WAYS(1), STATES}},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
