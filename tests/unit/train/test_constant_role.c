/* SPDX-License-Identifier: Apache-2.0
 *
 * test_constant_role.c: what trains by the rule, by the file's list, by patterns; every kind of
 * constant that the rule leaves alone stands beside a parameter that differs in nothing but what it
 * is. (Ten exported models: test_onnx_vectors.c.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define MANY 64

/* x [batch, 4] and a weight w [4, 4] that trains. */
static void begin_graph(struct graph_writer *writer) {
  float w[16];
  for (int i = 0; i < 16; i++) w[i] = (float)i / 8 - 1;
  writer_init(writer);
  writer_input(writer, "x", 1, (const int64_t[]){4});
  writer_floats(writer, "w", 2, (const int64_t[]){4, 4}, w);
}

/* The names of the parameters, with commas between. */
static const char *load_names(struct graph_writer *writer, const struct fed_model_options *options,
                              char *text, size_t size) {
  struct fed_model *model;
  size_t at = 0;
  must(fed_model_load(&writer->context, writer_finish(writer), options, &model));
  const struct fed_params *params = fed_model_params(model);
  text[0] = '\0';
  for (size_t i = 0; i < params->count; i++)
    at += (size_t)snprintf(text + at, size - at, "%s%s", i ? "," : "", params->tensors[i].name);
  fed_model_free(model);
  writer_clear(writer);
  return text;
}

/* Does an operand [rows, columns] of Add or Mul, behind w, train? */
static int trains(const char *type, int64_t rows, int64_t columns, const float *values) {
  struct graph_writer writer;
  char names[256];
  const int64_t dims[] = {1, rows, columns};
  begin_graph(&writer);
  writer_floats(&writer, "c", 3, dims, values);
  writer_ints(&writer, "shape", 3, (const int64_t[]){-1, 1, 4});
  writer_node(&writer, "MatMul", "x,w", "product");
  writer_node(&writer, "Reshape", "product,shape", "rows");
  writer_node(&writer, type, "rows,c", "y");
  writer_output(&writer, "y");
  load_names(&writer, NULL, names, sizeof names);
  if (strcmp(names, "w,c") == 0) return 1;
  assert_string_equal(names, "w");
  return 0;
}

static void test_masks(void **state) {
  (void)state;
  static const float learned[8] = {0, 1, 0, 1, 0, 0.5F, 1, 1};
  assert_false(trains("Mul", 2, 4, (const float[]){1, 0, 0, 0, 1, 1, 0, 0}));
  assert_true(trains("Mul", 2, 4, learned));
  assert_false(trains("Add", 2, 4, (const float[]){0, -INFINITY, 0.5F, 1, 2, 3, 4, 5}));
  assert_false(trains("Add", 2, 4, (const float[]){0, -1e9F, 0.5F, 1, 2, 3, 4, 5}));
  assert_false(trains("Add", 2, 4, (const float[]){0, 1e4F, 0.5F, -1e4F, 2, 3, 4, 5}));
  assert_true(trains("Add", 2, 4, (const float[]){0, 1e4F, 0.5F, -9999, 2, 3, 4, 5}));
  assert_false(trains("Add", 2, 4, (const float[]){0, -100, 0, 0, 0, -100, 0, 0}));
  assert_true(trains("Add", 2, 4, (const float[]){0, -100, 0, 0, 0, -99, 0, 0}));
  /* What fresh biases and scales look like. */
  assert_true(trains("Add", 1, 4, (const float[]){0, 0, 0, 0}));
  assert_true(trains("Mul", 1, 4, (const float[]){1, 1, 1, 1}));
  assert_true(trains("Mul", 1, 1, (const float[]){0.5F}) == 0); /* a factor */
}

/* Vaswani et al. 2017, section 3.5; and rotary tables (Su et al. 2021), where each number is there
 * twice. */
static void test_waves(void **state) {
  (void)state;
  float pairs[MANY], halves[MANY], twice[MANY], noisy[MANY], ones[MANY];
  for (int row = 0; row < MANY / 4; row++)
    for (int i = 0; i < 2; i++) {
      const float angle = (float)row / (i ? 100.0F : 1.0F);
      const int at = 4 * row;
      pairs[at + 2 * i] = halves[at + i] = sinf(angle);
      pairs[at + 2 * i + 1] = halves[at + 2 + i] = cosf(angle);
      twice[at + i] = twice[at + 2 + i] = cosf(angle);
    }
  for (int i = 0; i < MANY; i++) {
    noisy[i] = pairs[i] + (i == 37 ? 0.1F : 0);
    ones[i] = 1;
  }
  assert_false(trains("Add", MANY / 4, 4, pairs));
  assert_false(trains("Add", MANY / 4, 4, halves));
  assert_false(trains("Mul", MANY / 4, 4, twice));
  assert_true(trains("Add", MANY / 4, 4, noisy));
  assert_true(trains("Mul", MANY / 4, 4, ones));
}

/* A table that Gather reads may be one of waves, too. */
static void test_tables(void **state) {
  (void)state;
  float learned[MANY], waves[MANY];
  struct graph_writer writer;
  char names[256];
  for (int i = 0; i < MANY; i++) {
    learned[i] = sinf((float)i * 1.7F) * 0.3F;
    waves[i] = i % 2 ? cosf((float)(i / 2)) : sinf((float)(i / 2));
  }
  writer_init(&writer);
  writer_value(&writer, 11, "x", 7, 0, NULL);
  writer_floats(&writer, "learned", 2, (const int64_t[]){MANY / 4, 4}, learned);
  writer_floats(&writer, "waves", 2, (const int64_t[]){MANY / 4, 4}, waves);
  writer_node(&writer, "Gather", "learned,x", "a");
  writer_node(&writer, "Gather", "waves,x", "b");
  writer_node(&writer, "Add", "a,b", "y");
  writer_output(&writer, "y");
  assert_string_equal(load_names(&writer, NULL, names, sizeof names), "learned");
}

/* Mean and spread of the examples, in front of everything; the same numbers behind a product. */
static void test_preprocessing(void **state) {
  (void)state;
  static const float values[4] = {0.1F, 0.2F, 0.3F, 0.4F};
  struct graph_writer writer;
  char names[256];
  begin_graph(&writer);
  writer_floats(&writer, "shift", 1, (const int64_t[]){4}, values);
  writer_floats(&writer, "scale", 1, (const int64_t[]){4}, values);
  writer_floats(&writer, "bias", 1, (const int64_t[]){4}, values);
  writer_node(&writer, "Add", "x,shift", "shifted");
  writer_node(&writer, "Mul", "scale,shifted", "scaled");
  writer_node(&writer, "MatMul", "scaled,w", "product");
  writer_node(&writer, "Add", "product,bias", "y");
  writer_output(&writer, "y");
  assert_string_equal(load_names(&writer, NULL, names, sizeof names), "w,bias");
}

/* Where nothing else trains they are the model. */
static void test_only_arithmetic(void **state) {
  (void)state;
  static const float values[4] = {0.1F, 0.2F, 0.3F, 0.4F};
  struct graph_writer writer;
  char names[256];
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){4});
  writer_floats(&writer, "scale", 1, (const int64_t[]){4}, values);
  writer_node(&writer, "Mul", "x,scale", "y");
  writer_output(&writer, "y");
  assert_string_equal(load_names(&writer, NULL, names, sizeof names), "scale");
}

/* Frequencies that meet positions only; a product of two weights does train. */
static void test_formula(void **state) {
  (void)state;
  static const float values[4] = {1, 0.1F, 0.01F, 0.001F};
  struct graph_writer writer;
  char names[256];
  begin_graph(&writer);
  writer_floats(&writer, "frequencies", 2, (const int64_t[]){1, 4}, values);
  writer_floats(&writer, "down", 2, (const int64_t[]){4, 1}, values);
  writer_floats(&writer, "up", 2, (const int64_t[]){1, 4}, values);
  writer_ints(&writer, "positions", 1, (const int64_t[]){3});
  writer_int_attribute(&writer, "to", 1);
  writer_node(&writer, "Cast", "positions", "reals");
  writer_node(&writer, "Mul", "reals,frequencies", "angles");
  writer_node(&writer, "Sin", "angles", "waves");
  writer_node(&writer, "MatMul", "down,up", "low");
  writer_node(&writer, "Add", "w,low", "weight");
  writer_node(&writer, "MatMul", "x,weight", "product");
  writer_node(&writer, "Add", "product,waves", "y");
  writer_output(&writer, "y");
  assert_string_equal(load_names(&writer, NULL, names, sizeof names), "w,down,up");
}

/* One number on a product: the bias of a layer with one output, if the weight has one. */
static const char *single_bias(int64_t outputs, int transposed, char *names, size_t size) {
  static const float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  struct graph_writer writer;
  const int64_t plain[2] = {4, outputs}, swapped[2] = {outputs, 4};
  begin_graph(&writer);
  writer_floats(&writer, "last", 2, transposed ? swapped : plain, values);
  writer_floats(&writer, "bias", 1, (const int64_t[]){1}, values);
  writer_floats(&writer, "lone", 0, NULL, values);
  writer_node(&writer, "MatMul", "x,w", "hidden");
  if (transposed) writer_node(&writer, "Transpose", "last", "weight");
  writer_node(&writer, "MatMul", transposed ? "hidden,weight" : "hidden,last", "product");
  writer_node(&writer, "Add", "product,bias", "sum");
  writer_node(&writer, "Add", "product,lone", "other");
  writer_node(&writer, "Add", "sum,other", "y");
  writer_output(&writer, "y");
  return load_names(&writer, NULL, names, size);
}

static void test_single_bias(void **state) {
  (void)state;
  char names[256];
  for (int transposed = 0; transposed < 2; transposed++) {
    assert_string_equal(single_bias(1, transposed, names, sizeof names), "w,last,bias");
    assert_string_equal(single_bias(2, transposed, names, sizeof names), "w,last");
  }
}

/* InstanceNormalization with ones and zeros: behind a Reshape, with another scale after it, a
 * written-out GroupNormalization; by itself, a fresh normalisation that trains. */
static const char *instance_norm(int reshaped, char *names, size_t size) {
  static const float one[2] = {1, 1}, zero[2] = {0, 0};
  struct graph_writer writer;
  begin_graph(&writer);
  writer_floats(&writer, "scale", 1, (const int64_t[]){2}, one);
  writer_floats(&writer, "shift", 1, (const int64_t[]){2}, zero);
  writer_ints(&writer, "shape", 3, (const int64_t[]){-1, 2, 2});
  writer_node(&writer, "MatMul", "x,w", "product");
  writer_node(&writer, "Reshape", "product,shape", "groups");
  writer_node(&writer, "Relu", "groups", "relu");
  writer_node(&writer, "InstanceNormalization",
              reshaped ? "groups,scale,shift" : "relu,scale,shift", "y");
  writer_output(&writer, "y");
  return load_names(&writer, NULL, names, size);
}

static void test_group_norm(void **state) {
  (void)state;
  char names[256];
  assert_string_equal(instance_norm(1, names, sizeof names), "w");
  assert_string_equal(instance_norm(0, names, sizeof names), "w,scale,shift");
}

static void write_chain(struct graph_writer *writer, const char *listed) {
  static const float values[4] = {1, 2, 3, 4};
  begin_graph(writer);
  writer_floats(writer, "head.bias", 1, (const int64_t[]){4}, values);
  writer_floats(writer, "factor", 0, NULL, values);
  writer_floats(writer, "unread", 1, (const int64_t[]){4}, values);
  if (listed) writer_trainable(writer, listed);
  writer_node(writer, "MatMul", "x,w", "product");
  writer_node(writer, "Add", "product,head.bias", "sum");
  writer_node(writer, "Mul", "sum,factor", "y");
  writer_output(writer, "y");
}

static void check_names(const char *listed, const struct fed_model_options *options,
                        const char *expected) {
  struct graph_writer writer;
  char names[256];
  write_chain(&writer, listed);
  assert_string_equal(load_names(&writer, options, names, sizeof names), expected);
}

static void check_refused(const struct fed_model_options *options, const char *part) {
  struct graph_writer writer;
  struct fed_model *model;
  write_chain(&writer, NULL);
  assert_int_equal(fed_model_load(&writer.context, writer_finish(&writer), options, &model),
                   FED_E_MISSING);
  assert_null(model);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
  writer_clear(&writer);
}

#define TRAINABLE(...)                                                                             \
  .trainable = (const char *const[]){__VA_ARGS__},                                                 \
  .trainable_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define FROZEN(...)                                                                                \
  .frozen = (const char *const[]){__VA_ARGS__},                                                    \
  .frozen_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void test_patterns(void **state) {
  (void)state;
  check_names(NULL, NULL, "w,head.bias");
  check_names("factor", NULL, "factor");
  check_names("factor", &(struct fed_model_options){TRAINABLE("head.*")}, "head.bias");
  check_names("factor,w", &(struct fed_model_options){FROZEN("w")}, "factor");
  check_names(NULL, &(struct fed_model_options){TRAINABLE("*")}, "w,head.bias,factor");
  check_names(NULL, &(struct fed_model_options){TRAINABLE("*"), FROZEN("h*s", "fact*")}, "w");
  check_names(NULL, &(struct fed_model_options){FROZEN("w*", "w")}, "head.bias");
  check_refused(&(struct fed_model_options){TRAINABLE("w", "h*b")}, "trainable: 'h*b' fits no");
  check_refused(&(struct fed_model_options){TRAINABLE("unread")}, "trainable: 'unread' fits no");
  check_refused(&(struct fed_model_options){FROZEN("factor")}, "frozen: 'factor' fits no");
}

/* The table says for each initializer why it trains or not, and where ties are. */
static void test_described(void **state) {
  (void)state;
  static const float values[4] = {1, 2, 3, 4};
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_buffer out;
  begin_graph(&writer);
  fed_buffer_init(&out, &writer.context, 1 << 20);
  writer_floats(&writer, "bias", 1, (const int64_t[]){4}, values);
  writer_floats(&writer, "factor", 0, NULL, values);
  writer_node(&writer, "MatMul", "x,w", "first");
  writer_node(&writer, "MatMul", "first,w", "second");
  writer_node(&writer, "Add", "second,bias", "sum");
  writer_node(&writer, "Mul", "sum,factor", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer),
                      &(struct fed_model_options){FROZEN("bias")}, &model));
  must(fed_model_describe(model, &out));
  const char *text = fed_buffer_text(&out);
  assert_non_null(strstr(text, "shared by node_first, node_second: trained as one"));
  assert_non_null(strstr(text, "no     frozen by the options"));
  assert_non_null(strstr(text, "a constant of a formula"));
  /* Two products of 4 by 4 with two operations each, a sum and a factor of 4 elements. */
  assert_non_null(strstr(text, "72 multiplications and additions forward for one example"));
  out.size = 0;
  must(fed_model_describe_json(model, &out));
  assert_non_null(strstr(fed_buffer_text(&out), "\"parameters\": 16"));
  fed_model_free(model);
  fed_buffer_clear(&out);
  writer_clear(&writer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_masks),           cmocka_unit_test(test_waves),
      cmocka_unit_test(test_tables),          cmocka_unit_test(test_preprocessing),
      cmocka_unit_test(test_only_arithmetic), cmocka_unit_test(test_formula),
      cmocka_unit_test(test_single_bias),     cmocka_unit_test(test_group_norm),
      cmocka_unit_test(test_patterns),        cmocka_unit_test(test_described),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
