/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recurrent_values.c: what LSTM, GRU and RNN give, and which graphs they refuse. The expected
 * numbers are those of onnxruntime 1.31 for the same operands, which are small multiples of 1/16
 * made by a rule (put_values). Models of PyTorch are in test_onnx_vectors.c, ONNX's own examples in
 * tests/conformance.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/gradient.h"
#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define COUNT(type, ...) (sizeof((const type[]){__VA_ARGS__}) / sizeof(type))
#define INTS(...)                                                                                  \
  COUNT(int64_t, __VA_ARGS__), (const int64_t[]) { __VA_ARGS__ }
#define FLOATS(...)                                                                                \
  COUNT(float, __VA_ARGS__), (const float[]) { __VA_ARGS__ }

#define TOLERANCE 2e-6F

enum { STEPS = 3, BATCH = 2, INPUT = 2, HIDDEN = 2 };

/* An operand from its number: multiples of 1/16 between -20/16 and 20/16. */
static void put_values(struct graph_writer *w, const char *name, int64_t number, size_t rank,
                       const int64_t *dims) {
  float values[128];
  int64_t count = 1;
  for (size_t i = 0; i < rank; i++) count *= dims[i];
  assert_true(count <= 128);
  for (int64_t i = 0; i < count; i++)
    values[i] = (float)((i * 37 + number * 101 + 11) % 41 - 20) / 16;
  writer_floats(w, name, rank, dims, values);
}

struct layer {
  const char *type, *inputs, *outputs;
  int64_t gates, directions, layout;
};

static void put_operands(struct graph_writer *w, const struct layer *layer) {
  const int64_t d = layer->directions, rows = layer->gates * HIDDEN, swapped = layer->layout;
  const int64_t x[] = {swapped ? BATCH : STEPS, swapped ? STEPS : BATCH, INPUT};
  const int64_t state[] = {swapped ? BATCH : d, swapped ? d : BATCH, HIDDEN};
  put_values(w, "x", 1, 3, x);
  put_values(w, "w", 2, 3, (const int64_t[]){d, rows, INPUT});
  put_values(w, "r", 3, 3, (const int64_t[]){d, rows, HIDDEN});
  put_values(w, "b", 4, 2, (const int64_t[]){d, 2 * rows});
  put_values(w, "h", 5, 3, state);
  put_values(w, "c", 6, 3, state);
  put_values(w, "p", 7, 2, (const int64_t[]){d, 3 * HIDDEN});
  writer_int_attribute(w, "layout", layer->layout);
  if (d == 2) writer_text_attribute(w, "direction", "bidirectional");
}

/* All outputs of the layer, one after the other, against the expected numbers. Attributes of its
 * own and "lengths" have been written. */
static void check(struct graph_writer *w, const struct layer *layer, size_t count,
                  const float *expected) {
  struct fed_params found;
  put_operands(w, layer);
  writer_node(w, layer->type, layer->inputs, layer->outputs);
  writer_output(w, "y");
  writer_output(w, "yh");
  if (layer->gates == 4) writer_output(w, "yc");
  must(fed__graph_evaluate(&w->context, writer_finish(w), NULL, 0, &found));
  size_t at = 0;
  for (size_t i = 0; i < found.count; i++) {
    const float *values = found.tensors[i].data;
    for (size_t j = 0; j < fed_tensor_elements(&found.tensors[i]) && at < count; j++, at++)
      if (!(fabsf(values[j] - expected[at]) <= TOLERANCE))
        fail_msg("output %zu, element %zu: expected %g, found %g", i, j, (double)expected[at],
                 (double)values[j]);
  }
  assert_int_equal(at, count);
  fed_params_clear(&found);
  writer_clear(w);
}

static void test_lstm(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  check(&w, &(struct layer){"LSTM", "x,w,r,b", "y,yh,yc", 4, 1, 0},
        FLOATS(0.0342639F, 0.03927255F, 0.05927617F, 0.01605052F, 0.09270798F, 0.008972838F,
               0.09672315F, -0.02484054F, 0.1738804F, 0.04983791F, 0.2757817F, 0.01725288F,
               0.1738804F, 0.04983791F, 0.2757817F, 0.01725288F, 0.2091974F, 0.09556698F,
               0.3944393F, 0.03714791F));
}

static void test_lstm_all(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_ints(&w, "lengths", INTS(2, 3));
  check(&w, &(struct layer){"LSTM", "x,w,r,b,lengths,h,c,p", "y,yh,yc", 4, 2, 0},
        FLOATS(-0.5992574F, 0.1467004F, 0.3646828F, 0.1263714F, -0.04919371F, -0.08630995F,
               0.3631124F, 0.08730019F, -0.3539679F, 0.1731513F, 0.1030123F, 0.08385237F,
               -0.215476F, 0.0177434F, 0.3162175F, 0.1554345F, 0, 0, 0.3886157F, 0.1107675F, 0, 0,
               -0.02954042F, -0.07931833F, -0.3539679F, 0.1731513F, 0.3886157F, 0.1107675F,
               -0.04919371F, -0.08630995F, 0.3631124F, 0.08730019F, -0.7871669F, 0.3278206F,
               0.6868949F, 0.2488644F, -0.1869114F, -0.3219127F, 0.6380826F, 0.2803127F));
}

static void test_lstm_layout(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_ints(&w, "lengths", INTS(3, 1));
  check(&w, &(struct layer){"LSTM", "x,w,r,b,lengths,h,c", "y,yh,yc", 4, 2, 1},
        FLOATS(-0.5021071F, 0.2958974F, 0.1855227F, -0.07777892F, -0.3403649F, 0.3972346F,
               0.2274469F, 0.0431778F, -0.1516981F, 0.3105893F, 0.1115502F, 0.1083552F, 0.3062404F,
               0.04264648F, 0.1752622F, 0.09847517F, 0, 0, 0, 0, 0, 0, 0, 0, -0.1516981F,
               0.3105893F, 0.1855227F, -0.07777892F, 0.3062404F, 0.04264648F, 0.1752622F,
               0.09847517F, -0.4372658F, 0.5603643F, 0.6003506F, -0.2589929F, 0.6509464F,
               0.1656332F, 0.2381407F, 0.4508853F));
}

static void test_lstm_clip(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_float_attribute(&w, "clip", 0.75F);
  writer_int_attribute(&w, "input_forget", 1);
  writer_text_attribute(&w, "direction", "reverse");
  check(&w, &(struct layer){"LSTM", "x,w,r,b,,h,c", "y,yh,yc", 4, 1, 0},
        FLOATS(-0.01905427F, 0.3131219F, 0.265587F, 0.09780507F, -0.08490016F, 0.3013228F,
               0.1701861F, 0.07910538F, -0.3775523F, 0.3664974F, 0.4555338F, 0.2395756F,
               -0.01905427F, 0.3131219F, 0.265587F, 0.09780507F, -0.02806224F, 0.5704246F,
               0.5504375F, 0.2341043F));
}

static void test_gru(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_ints(&w, "lengths", INTS(1, 3));
  check(&w, &(struct layer){"GRU", "x,w,r,b,lengths,h", "y,yh", 3, 2, 0},
        FLOATS(-0.2214005F, -0.7556255F, -0.4571809F, -0.6655887F, -0.4237369F, -0.854168F,
               0.3843899F, 0.5388671F, 0, 0, -0.3139114F, 0.3125683F, 0, 0, 0.04648003F, 0.5397018F,
               0, 0, -0.5335872F, -0.7561389F, 0, 0, -0.5794581F, 0.9292985F, -0.2214005F,
               -0.7556255F, -0.5335872F, -0.7561389F, -0.4237369F, -0.854168F, 0.3843899F,
               0.5388671F));
}

static void test_gru_linear(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_ints(&w, "lengths", INTS(1, 3));
  writer_int_attribute(&w, "linear_before_reset", 1);
  check(&w, &(struct layer){"GRU", "x,w,r,b,lengths,h", "y,yh", 3, 2, 0},
        FLOATS(-0.07913271F, -0.6291812F, -0.4210987F, -0.2975267F, -0.5395581F, -0.9282591F,
               0.1731628F, 0.06034686F, 0, 0, -0.1174304F, 0.6188569F, 0, 0, -0.1053591F, 0.109F, 0,
               0, -0.09690642F, -0.6748289F, 0, 0, -0.7822461F, 0.7509086F, -0.07913271F,
               -0.6291812F, -0.09690642F, -0.6748289F, -0.5395581F, -0.9282591F, 0.1731628F,
               0.06034686F));
}

static void test_gru_nobias(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_int_attribute(&w, "linear_before_reset", 1);
  check(&w, &(struct layer){"GRU", "x,w,r", "y,yh", 3, 1, 0},
        FLOATS(-0.1916388F, -0.3884939F, 0.01537587F, 0.01786189F, -0.08858043F, 0.1446694F,
               0.09603149F, 0.4987661F, -0.4857686F, -0.5347649F, -0.001827525F, -0.2276063F,
               -0.4857686F, -0.5347649F, -0.001827525F, -0.2276063F));
}

static void test_rnn(void **state) {
  struct graph_writer w;
  (void)state;
  writer_init(&w);
  writer_ints(&w, "lengths", INTS(2, 3));
  writer_texts_attribute(&w, "activations", 2, (const char *const[]){"Relu", "HardSigmoid"});
  writer_floats_attribute(&w, "activation_alpha", FLOATS(0.25F));
  writer_floats_attribute(&w, "activation_beta", FLOATS(0.375F));
  check(&w, &(struct layer){"RNN", "x,w,r,b,lengths,h", "y,yh", 1, 2, 0},
        FLOATS(0, 0, 0.015625F, 0, 0.5848389F, 0.3934937F, 0.4744685F, 0.5927649F, 1.09375F, 0,
               1.975586F, 0, 0.7070312F, 0.2851562F, 0, 0.4718475F, 0, 0, 0.09869385F, 0, 0, 0,
               0.7236328F, 1, 1.09375F, 0, 0.09869385F, 0, 0.5848389F, 0.3934937F, 0.4744685F,
               0.5927649F));
}

/* Lengths that come with the examples: an impossible one makes its example NaN, so that training
 * stops, and no other. */
static void test_lengths_of_examples(void **state) {
  static const int64_t steps_first[] = {1, 0, 2};
  struct graph_writer w;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_train_options options;
  struct fed_shape shape;
  (void)state;
  writer_init(&w);
  writer_value(&w, 11, "x", 1, 2, (const int64_t[]){STEPS, INPUT});
  writer_value(&w, 11, "lengths", 7, 0, NULL);
  put_values(&w, "w", 2, 3, (const int64_t[]){1, 4 * HIDDEN, INPUT});
  put_values(&w, "r", 3, 3, (const int64_t[]){1, 4 * HIDDEN, HIDDEN});
  writer_ints_attribute(&w, "perm", 3, steps_first);
  writer_node(&w, "Transpose", "x", "xt");
  writer_node(&w, "LSTM", "xt,w,r,,lengths", ",yh");
  writer_ints(&w, "zero", INTS(0));
  writer_node(&w, "Squeeze", "yh,zero", "y");
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  fed_train_options_init(&options);
  options.batch_size = 4;
  options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&w.context, model, &options, &trainer));
  const struct fed_tensor *inputs = fed_trainer_batch(trainer)->inputs;
  const int64_t lengths[] = {3, -1, 1, INT64_MAX};
  memcpy(inputs[1].data, lengths, sizeof lengths);
  for (int i = 0; i < 4 * STEPS * INPUT; i++) ((float *)inputs[0].data)[i] = 0.25F;
  struct fed_metrics metrics = {0};
  assert_int_equal(fed_evaluate_step(trainer, &metrics), FED_E_NOT_FINITE);
  const float *y = fed__trainer_output(trainer, &shape);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < HIDDEN; j++) assert_int_equal(!isnan(y[i * HIDDEN + j]), i == 0 || i == 2);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&w);
}

/* Without layout, x is [3, 2, 2]; operands that fit are x, w, r, b, h, c and p of one direction. */
struct refusal {
  const char *type, *inputs;
  int code;
  const char *message;
  void (*write)(struct graph_writer *w);
};

static void hidden_of_3(struct graph_writer *w) { writer_int_attribute(w, "hidden_size", 3); }
static void layout_of_2(struct graph_writer *w) { writer_int_attribute(w, "layout", 2); }
static void negative_clip(struct graph_writer *w) { writer_float_attribute(w, "clip", -1); }
static void sideways(struct graph_writer *w) { writer_text_attribute(w, "direction", "sideways"); }
static void one_activation(struct graph_writer *w) {
  writer_texts_attribute(w, "activations", 1, (const char *const[]){"Tanh"});
}
static void unknown_activation(struct graph_writer *w) {
  writer_texts_attribute(w, "activations", 2, (const char *const[]){"Sigmoid", "Gelu"});
}
static void bare_affine(struct graph_writer *w) {
  writer_texts_attribute(w, "activations", 2, (const char *const[]){"Sigmoid", "Affine"});
}
static void steep_leak(struct graph_writer *w) {
  writer_texts_attribute(w, "activations", 2, (const char *const[]){"Sigmoid", "LeakyRelu"});
  writer_floats_attribute(w, "activation_alpha", FLOATS(-0.5F));
}
static void flat_tanh(struct graph_writer *w) {
  writer_texts_attribute(w, "activations", 2, (const char *const[]){"Sigmoid", "ScaledTanh"});
  writer_floats_attribute(w, "activation_alpha", FLOATS(0));
  writer_floats_attribute(w, "activation_beta", FLOATS(1));
}

static const struct refusal refusals[] = {
    {"LSTM", "x,w,r,b,long", FED_E_RANGE, "sequence_lens has 4; expected 0 to 3", NULL},
    {"LSTM", "x,w,r,b,negative", FED_E_RANGE, "sequence_lens has -1", NULL},
    {"LSTM", "x,w,r,b,three", FED_E_SHAPE, "sequence_lens has shape [3]; expected [2]", NULL},
    {"LSTM", "x,w,r,b,h", FED_E_TYPE, "sequence_lens should be integers", NULL},
    {"LSTM", "x,w,r,h", FED_E_SHAPE, "B has shape [1, 2, 2]; expected [1, 16]", NULL},
    {"LSTM", "x,r3,r", FED_E_SHAPE, "W has shape", NULL},
    {"LSTM", "x,w,b", FED_E_SHAPE, "R has shape [1, 16]", NULL},
    {"LSTM", "b,w,r", FED_E_SHAPE, "X has shape [1, 16]; expected [steps, batch, input]", NULL},
    {"LSTM", "x,w,r,b,,x", FED_E_SHAPE, "initial_h has shape", NULL},
    {"LSTM", "x,w,r,b,,h,x", FED_E_SHAPE, "initial_c has shape", NULL},
    {"LSTM", "x,w,r,b,,h,c,b", FED_E_SHAPE, "P has shape [1, 16]; expected [1, 6]", NULL},
    {"LSTM", "x,w,negative", FED_E_SHAPE, "R has shape", NULL},
    {"LSTM", "x,w,r", FED_E_SHAPE, "R has shape [1, 8, 2]; expected", hidden_of_3},
    {"LSTM", "x,w,r", FED_E_UNSUPPORTED, "'layout' is 2", layout_of_2},
    {"LSTM", "x,w,r", FED_E_RANGE, "'clip' is -1", negative_clip},
    {"LSTM", "x,w,r", FED_E_UNSUPPORTED, "'sideways'; supported are forward", sideways},
    {"LSTM", "x,w,r", FED_E_SHAPE, "'activations' should be a list of 3", one_activation},
    {"GRU", "x,w,r", FED_E_SHAPE, "W has shape [1, 8, 2]; expected [1, 6, 2]", NULL},
    {"GRU", "x,w,r", FED_E_UNSUPPORTED, "activation 'Gelu'; supported are", unknown_activation},
    {"GRU", "x,w,r", FED_E_MISSING, "Affine has no default numbers", bare_affine},
    {"GRU", "x,w,r", FED_E_UNSUPPORTED, "LeakyRelu with alpha -0.5", steep_leak},
    {"GRU", "x,w,r", FED_E_UNSUPPORTED, "ScaledTanh with alpha 0", flat_tanh},
};

static void check_refusal(void **state) {
  const struct refusal *test = *state;
  static const struct layer layer = {.gates = 4, .directions = 1};
  struct graph_writer w;
  struct fed_params found;
  writer_init(&w);
  writer_ints(&w, "long", INTS(4, 1));
  writer_ints(&w, "negative", INTS(3, -1));
  writer_ints(&w, "three", INTS(1, 1, 1));
  put_values(&w, "r3", 3, 3, (const int64_t[]){1, 4 * HIDDEN, 3});
  put_operands(&w, &layer);
  fed_buffer_clear(&w.attributes); /* the layout */
  if (test->write) test->write(&w);
  writer_node(&w, test->type, test->inputs, "y");
  writer_output(&w, "y");
  const int code = fed__graph_evaluate(&w.context, writer_finish(&w), NULL, 0, &found);
  if (code == FED_OK) fed_params_clear(&found);
  if (code != test->code || !strstr(fed_error_last()->message, test->message))
    fail_msg("expected \"%s\", found code %d, \"%s\"", test->message, code,
             code == FED_OK ? "" : fed_error_last()->message);
  writer_clear(&w);
}

int main(void) {
  enum { REFUSALS = sizeof refusals / sizeof refusals[0] };
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lstm),
      cmocka_unit_test(test_lstm_all),
      cmocka_unit_test(test_lstm_layout),
      cmocka_unit_test(test_lstm_clip),
      cmocka_unit_test(test_gru),
      cmocka_unit_test(test_gru_linear),
      cmocka_unit_test(test_gru_nobias),
      cmocka_unit_test(test_rnn),
      cmocka_unit_test(test_lengths_of_examples),
  };
  struct CMUnitTest refused[REFUSALS];
  for (size_t i = 0; i < REFUSALS; i++)
    refused[i] = (struct CMUnitTest){refusals[i].message, check_refusal, NULL, NULL,
                                     (void *)(uintptr_t)&refusals[i]};
  return cmocka_run_group_tests(tests, NULL, NULL) +
         cmocka_run_group_tests_name("refusals", refused, NULL, NULL);
}
