/* SPDX-License-Identifier: Apache-2.0
 *
 * test_product_values.c: what Einsum, Attention and RotaryEmbedding give, and which graphs products
 * refuse. Sums of integers and quarter turns are worked out by hand; the numbers of Attention are
 * those of onnxruntime 1.31 for the same operands, small multiples of 1/16 made by a rule
 * (put_values). ONNX's own examples are in tests/conformance.
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
#define FLOATS(...)                                                                                \
  COUNT(float, __VA_ARGS__), (const float[]) { __VA_ARGS__ }
#define SHAPE(...) (&(const struct fed_shape){COUNT(int64_t, __VA_ARGS__), {__VA_ARGS__}})

#define TOLERANCE 2e-6F

static void begin(struct graph_writer *w) {
  writer_init(w);
  w->opset = 23;
}

static void put(struct graph_writer *w, const char *name, const struct fed_shape *shape,
                size_t count, const float *values) {
  writer_tensor(w, name, 1, shape->rank, shape->dims, values, count * sizeof *values);
}

/* An operand from its number: multiples of 1/16 between -20/16 and 20/16. */
static void put_values(struct graph_writer *w, const char *name, int64_t number,
                       const struct fed_shape *shape) {
  float values[128];
  size_t count;
  must(fed_shape_elements(shape, &count));
  assert_true(count <= 128);
  for (size_t i = 0; i < count; i++)
    values[i] = (float)(((int64_t)i * 37 + number * 101 + 11) % 41 - 20) / 16;
  put(w, name, shape, count, values);
}

/* The graph's output "y"; clears the writer. */
static void expect(struct graph_writer *w, const struct fed_shape *shape, size_t count,
                   const float *expected) {
  struct fed_params found;
  writer_output(w, "y");
  must(fed__graph_evaluate(&w->context, writer_finish(w), NULL, 0, &found));
  const float *values = found.tensors[0].data;
  assert_true(fed_shape_equal(&found.tensors[0].shape, shape));
  assert_int_equal(fed_tensor_elements(&found.tensors[0]), count);
  for (size_t i = 0; i < count; i++)
    if (!(fabsf(values[i] - expected[i]) <= TOLERANCE))
      fail_msg("element %zu: expected %g, found %g", i, (double)expected[i], (double)values[i]);
  fed_params_clear(&found);
  writer_clear(w);
}

/* a is [[1, 2], [3, 4]], b is [[5, 6, 7], [8, 9, 10]], c is [2]. */
static void einsum(struct graph_writer *w, const char *equation, const char *inputs) {
  begin(w);
  put(w, "a", SHAPE(2, 2), FLOATS(1, 2, 3, 4));
  put(w, "b", SHAPE(2, 3), FLOATS(5, 6, 7, 8, 9, 10));
  put(w, "c", SHAPE(1), FLOATS(2));
  writer_text_attribute(w, "equation", equation);
  writer_node(w, "Einsum", inputs, "y");
}

static void test_einsum(void **state) {
  struct graph_writer w;
  static const struct fed_shape scalar;
  (void)state;
  einsum(&w, "ij->ji", "b");
  expect(&w, SHAPE(3, 2), FLOATS(5, 8, 6, 9, 7, 10));
  einsum(&w, "ba", "b"); /* without an arrow, letters are sorted */
  expect(&w, SHAPE(3, 2), FLOATS(5, 8, 6, 9, 7, 10));
  einsum(&w, "Ba", "b"); /* capitals first */
  expect(&w, SHAPE(2, 3), FLOATS(5, 6, 7, 8, 9, 10));
  einsum(&w, "ij->j", "b");
  expect(&w, SHAPE(3), FLOATS(13, 15, 17));
  einsum(&w, "...->", "b");
  expect(&w, &scalar, FLOATS(45));
  einsum(&w, "ij,jk", "a,b");
  expect(&w, SHAPE(2, 3), FLOATS(21, 24, 27, 47, 54, 61));
  einsum(&w, " j i , j k -> k i ", "a,b");
  expect(&w, SHAPE(3, 2), FLOATS(29, 42, 33, 48, 37, 54));
  einsum(&w, "ij,ij->", "a,a");
  expect(&w, &scalar, FLOATS(30));
  einsum(&w, "ij,kl->j", "a,b"); /* (4, 6) * 45 */
  expect(&w, SHAPE(2), FLOATS(180, 270));
  einsum(&w, "i...,...->...i", "a,c"); /* c is repeated */
  expect(&w, SHAPE(2, 2), FLOATS(2, 6, 4, 8));
}

/* onnxruntime 1.31. */
static void test_attention(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put_values(&w, "a", 1, SHAPE(1, 2, 2, 4));
  put_values(&w, "b", 2, SHAPE(1, 2, 3, 4));
  put_values(&w, "c", 3, SHAPE(1, 2, 3, 2));
  writer_node(&w, "Attention", "a,b,c", "y");
  expect(&w, SHAPE(1, 2, 2, 2),
         FLOATS(-0.1167048F, -0.3667049F, -0.1893591F, -0.4393591F, -0.00241296F, 0.9056954F,
                0.3467451F, 0.7128135F));
}

static void test_attention_grouped(void **state) {
  struct graph_writer w;
  (void)state;
  begin(&w);
  put_values(&w, "a", 1, SHAPE(2, 3, 8));
  put_values(&w, "b", 2, SHAPE(2, 3, 4));
  put_values(&w, "c", 3, SHAPE(2, 3, 2));
  put_values(&w, "d", 4, SHAPE(3, 3));
  writer_int_attribute(&w, "q_num_heads", 4);
  writer_int_attribute(&w, "kv_num_heads", 2);
  writer_int_attribute(&w, "is_causal", 1);
  writer_float_attribute(&w, "softcap", 1.25F);
  writer_float_attribute(&w, "scale", 0.75F);
  writer_node(&w, "Attention", "a,b,c,d", "y");
  expect(&w, SHAPE(2, 3, 4),
         FLOATS(0.4375F, 0.4375F, 0.1875F, 0.1875F, 0.01861512F, 0.07628624F, -0.06427112F,
                -0.03821193F, 0.1496481F, -0.06583948F, -0.2053844F, -0.25215F, -1.0625F, -1.0625F,
                1.25F, 1.25F, 0.003151596F, -0.1049463F, 0.9011792F, 1.025494F, 0.1736347F,
                0.1226759F, 0.81832F, 0.7534344F));
}

static void put_truths(struct graph_writer *w, const uint8_t truths[6]) {
  put_values(w, "a", 1, SHAPE(1, 1, 2, 4));
  put_values(w, "b", 2, SHAPE(1, 1, 3, 4));
  put_values(w, "c", 3, SHAPE(1, 1, 3, 2));
  writer_tensor(w, "mask", 9, 2, (const int64_t[]){2, 3}, truths, 6);
}

static void test_attention_truths(void **state) {
  static const uint8_t some[] = {1, 0, 0, 0, 1, 1}, no_first[] = {0, 0, 0, 0, 1, 1};
  struct graph_writer w;
  (void)state;
  begin(&w);
  put_truths(&w, some);
  writer_node(&w, "Attention", "a,b,c,mask", "y");
  expect(&w, SHAPE(1, 1, 2, 2), FLOATS(0.4375F, 0.1875F, -0.4712872F, -0.7212872F));
  begin(&w); /* a query that sees nothing: zeros, as ONNX 1.23 says */
  put_truths(&w, no_first);
  writer_node(&w, "Attention", "a,b,c,mask", "y");
  expect(&w, SHAPE(1, 1, 2, 2), FLOATS(0, 0, -0.4712872F, -0.7212872F));
}

/* ONNX 1.23's reference implementation. `outputs` names one of them y. */
static void attend_to_past(struct graph_writer *w, const char *outputs) {
  begin(w);
  put_values(w, "a", 1, SHAPE(2, 2, 8));
  put_values(w, "b", 2, SHAPE(2, 2, 4));
  put_values(w, "c", 3, SHAPE(2, 2, 2));
  put_values(w, "d", 4, SHAPE(2, 2, 2, 2));
  put_values(w, "e", 5, SHAPE(2, 2, 2, 1));
  writer_int_attribute(w, "q_num_heads", 4);
  writer_int_attribute(w, "kv_num_heads", 2);
  writer_int_attribute(w, "is_causal", 1);
  writer_node(w, "Attention", "a,b,c,,d,e", outputs);
}

static void test_attention_past(void **state) {
  struct graph_writer w;
  (void)state;
  attend_to_past(&w, "y");
  expect(&w, SHAPE(2, 2, 4),
         FLOATS(0.11637F, 0.2291667F, -0.2019463F, -0.1883034F, -0.0009602807F, 0.04464533F,
                -0.2415887F, -0.2315506F, -0.8410881F, -0.7000411F, -0.3937656F, -0.3268381F,
                -0.8414897F, -0.861078F, 0.03332452F, 0.07741576F));
  attend_to_past(&w, "out,y");
  expect(&w, SHAPE(2, 2, 4, 2),
         FLOATS(-0.9375F, -1.1875F, 1.125F, 0.875F, -0.75F, -1, 0.8125F, 0.5625F, 0.625F, 0.375F,
                0.125F, -0.125F, -1.25F, 1.0625F, 0.3125F, 0.0625F, -0.375F, -0.625F, -0.875F,
                -1.125F, -0.1875F, -0.4375F, -1.1875F, 1.125F, 1.1875F, 0.9375F, 0.6875F, 0.4375F,
                -0.6875F, -0.9375F, 0.875F, 0.625F));
  attend_to_past(&w, "out,,y");
  expect(&w, SHAPE(2, 2, 4, 1),
         FLOATS(0.25F, 0, 0.4375F, -0.0625F, -0.25F, -0.5F, 0.1875F, -0.3125F, -0.75F, -1, -0.5625F,
                -1.0625F, -1.25F, 1.0625F, -0.8125F, 1.25F));
}

static void put_few_keys(struct graph_writer *w) {
  begin(w);
  put_values(w, "a", 1, SHAPE(2, 1, 2, 4));
  put_values(w, "b", 2, SHAPE(2, 1, 4, 4));
  put_values(w, "c", 3, SHAPE(2, 1, 4, 2));
  put_values(w, "d", 4, SHAPE(2, 3));
}

/* Of four keys an example uses three, the other two; the mask has three. */
static void test_attention_used_keys(void **state) {
  struct graph_writer w;
  (void)state;
  put_few_keys(&w);
  writer_ints(&w, "used", 2, (const int64_t[]){3, 2});
  writer_int_attribute(&w, "is_causal", 1);
  writer_node(&w, "Attention", "a,b,c,d,,,used", "y");
  expect(
      &w, SHAPE(2, 1, 2, 2),
      FLOATS(0.1043602F, -0.1456398F, -0.08370831F, -0.3337083F, 1, 0.75F, 0.8223363F, 0.5723363F));
  put_few_keys(&w);
  writer_int_attribute(&w, "left_window_size", 0);
  writer_int_attribute(&w, "right_window_size", 1);
  writer_node(&w, "Attention", "a,b,c", "y");
  expect(&w, SHAPE(2, 1, 2, 2),
         FLOATS(0.0778082F, -0.1721918F, -0.4712873F, -0.7212873F, 0.8717703F, 0.6217703F,
                0.2331798F, -0.01682024F));
}

/* Numbers that no file should have: nothing is read outside, and all keys or none are seen. */
static void test_attention_hostile_counts(void **state) {
  struct graph_writer w;
  (void)state;
  put_few_keys(&w);
  writer_ints(&w, "used", 2, (const int64_t[]){INT64_MIN, INT64_MIN});
  writer_int_attribute(&w, "left_window_size", INT64_MAX);
  writer_node(&w, "Attention", "a,b,c,,,,used", "y");
  expect(&w, SHAPE(2, 1, 2, 2), FLOATS(0, 0, 0, 0, 0, 0, 0, 0));
}

/* Quarter turns: (x, y) becomes (-y, x) at place 1 and (-x, -y) at place 2. */
static void put_turns(struct graph_writer *w) {
  put(w, "cosines", SHAPE(3, 1), FLOATS(1, 0, -1));
  put(w, "sines", SHAPE(3, 1), FLOATS(0, 1, 0));
}

static void test_rotary(void **state) {
  static const int64_t places[] = {1, 0, 2}, dims[] = {1, 3};
  struct graph_writer w;
  (void)state;
  begin(&w);
  put_turns(&w);
  put(&w, "a", SHAPE(1, 1, 3, 3), FLOATS(1, 2, 9, 3, 4, 8, 5, 6, 7));
  writer_tensor(&w, "places", 7, 2, dims, places, sizeof places);
  writer_int_attribute(&w, "rotary_embedding_dim", 2);
  writer_node(&w, "RotaryEmbedding", "a,cosines,sines,places", "y");
  expect(&w, SHAPE(1, 1, 3, 3), FLOATS(-2, 1, 9, 3, 4, 8, -5, -6, 7));
}

/* Places that come with the examples: one that the caches do not have makes its token NaN, so that
 * training stops, and no other. */
static void test_places_of_examples(void **state) {
  struct graph_writer w;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_train_options options;
  struct fed_shape shape;
  struct fed_metrics metrics = {0};
  (void)state;
  begin(&w);
  put_turns(&w);
  writer_input(&w, "x", 3, (const int64_t[]){1, 4, 2});
  writer_value(&w, 11, "places", 7, 1, (const int64_t[]){4});
  writer_node(&w, "RotaryEmbedding", "x,cosines,sines,places", "turned");
  writer_int_attribute(&w, "axis", 1);
  writer_node(&w, "Flatten", "turned", "y");
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  fed_train_options_init(&options);
  options.batch_size = 1;
  options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&w.context, model, &options, &trainer));
  const struct fed_tensor *inputs = fed_trainer_batch(trainer)->inputs;
  const int64_t places[] = {1, 3, -1, 2};
  memcpy(inputs[1].data, places, sizeof places);
  for (int i = 0; i < 8; i++) ((float *)inputs[0].data)[i] = 0.25F;
  assert_int_equal(fed_evaluate_step(trainer, &metrics), FED_E_NOT_FINITE);
  const float *y = fed__trainer_output(trainer, &shape);
  for (int i = 0; i < 8; i++) assert_int_equal(!isnan(y[i]), i / 2 == 0 || i / 2 == 3);
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&w);
}

/* Operands: a is [2, 3], b [3, 4], e [2, 0], q [1, 2, 3, 4], k [1, 3, 3, 4], r [1, 3, 8], t [1, 2,
 * 4], cosines and sines [3, 1], places [1, 3] with a 7, truth [2, 3]. */
struct refusal {
  const char *type, *inputs;
  int code;
  const char *message, *equation;
  void (*write)(struct graph_writer *w);
};

static void three_heads(struct graph_writer *w) {
  writer_int_attribute(w, "q_num_heads", 3);
  writer_int_attribute(w, "kv_num_heads", 2);
  writer_int_attribute(w, "num_heads", 3);
}
static void mode_of_4(struct graph_writer *w) {
  writer_int_attribute(w, "qk_matmul_output_mode", 4);
}
static void negative_cap(struct graph_writer *w) { writer_float_attribute(w, "softcap", -1); }
static void odd_rotation(struct graph_writer *w) {
  writer_int_attribute(w, "rotary_embedding_dim", 3);
}
static void two_rotated(struct graph_writer *w) {
  writer_int_attribute(w, "rotary_embedding_dim", 2);
}

static const struct refusal refusals[] = {
    {"Gemm", "b,a", FED_E_SHAPE, "cannot be multiplied", NULL, NULL},
    {"Gemm", "a,q", FED_E_SHAPE, "cannot be multiplied", NULL, NULL},
    {"Gemm", "a,b,a", FED_E_SHAPE, "cannot be broadcast", NULL, NULL},
    {"Gemm", "a,b,t", FED_E_SHAPE, "does not fit the product", NULL, NULL},
    {"MatMul", "b,a", FED_E_SHAPE, "cannot be multiplied", NULL, NULL},
    {"MatMul", "truth,b", FED_E_TYPE, "should be float32, but is BOOL", NULL, NULL},
    {"Einsum", "a", FED_E_UNSUPPORTED, "diagonals are not supported", "ii", NULL},
    {"Einsum", "a", FED_E_UNSUPPORTED, "diagonals are not supported", "ij->jj", NULL},
    {"Einsum", "a,b", FED_E_SHAPE, "a dimension of 2 meets one of 4", "ij,ki", NULL},
    {"Einsum", "a,b", FED_E_SYNTAX, "does not have 2 terms", "ij", NULL},
    {"Einsum", "a", FED_E_SYNTAX, "does not have 1 terms", "ij,jk", NULL},
    {"Einsum", "a,b,b", FED_E_UNSUPPORTED, "3 operands; supported are one and two", "ij,jk,jk",
     NULL},
    {"Einsum", "a", FED_E_SHAPE, "term 0 has 3 letters, but its operand has shape [2, 3]", "ijk",
     NULL},
    {"Einsum", "a", FED_E_SYNTAX, "letter 'k' is in no operand", "ij->k", NULL},
    {"Einsum", "a", FED_E_SYNTAX, "goes on behind its result", "ij->i,j", NULL},
    {"Einsum", "a", FED_E_SYNTAX, "character '.'", "i..", NULL},
    {"Einsum", "a", FED_E_SYNTAX, "character '1'", "i1", NULL},
    {"Einsum", "a", FED_E_SYNTAX, "character '-'", "ij-", NULL},
    {"Einsum", "a", FED_E_SHAPE, "term 0 has 0 letters", "", NULL},
    {"Einsum", "e", FED_E_SHAPE, "an operand is empty", "ij", NULL},
    {"Einsum", "q,q", FED_E_UNSUPPORTED, "more than 8 letters", "abcdefghi,j", NULL},
    {"Einsum", "truth", FED_E_TYPE, "should be float32", "ij", NULL},
    {"Attention", "a,q,q", FED_E_SHAPE, "[2, 3]; expected 3 or 4 dimensions", NULL, NULL},
    {"Attention", "q,k,k", FED_E_SHAPE, "do not fit", NULL, NULL},
    {"Attention", "q,q,k", FED_E_SHAPE, "do not fit", NULL, NULL},
    {"Attention", "r,r,r", FED_E_SHAPE, "q_num_heads is 0", NULL, NULL},
    {"Attention", "r,r,r", FED_E_SHAPE, "q_num_heads is 3", NULL, three_heads},
    {"Attention", "q,q,q,b", FED_E_SHAPE, "attn_mask has shape [3, 4]", NULL, NULL},
    {"Attention", "q,q,q,places", FED_E_TYPE, "should be float32", NULL, NULL},
    {"Attention", "q,q,q,,q", FED_E_MISSING, "past_value need each other", NULL, NULL},
    {"Attention", "q,q,q,,k,k", FED_E_SHAPE, "past_key has shape [1, 3, 3, 4]", NULL, NULL},
    {"Attention", "q,q,q,,q,s", FED_E_SHAPE, "past_key has 3 places, past_value 1", NULL, NULL},
    {"Attention", "q,q,q,,q,q,one", FED_E_SHAPE, "that past_key would shift", NULL, NULL},
    {"Attention", "q,q,q,,,,places", FED_E_SHAPE, "an int64 for each of 1", NULL, NULL},
    {"Attention", "q,q,q", FED_E_RANGE, "'qk_matmul_output_mode' is 4", NULL, mode_of_4},
    {"Attention", "q,q,q", FED_E_RANGE, "'softcap' is -1", NULL, negative_cap},
    {"RotaryEmbedding", "a,cosines,sines", FED_E_SHAPE, "X has shape [2, 3]", NULL, NULL},
    {"RotaryEmbedding", "r,cosines,sines", FED_E_SHAPE, "num_heads is 3", NULL, three_heads},
    {"RotaryEmbedding", "q,cosines,sines", FED_E_RANGE, "3 of 4", NULL, odd_rotation},
    {"RotaryEmbedding", "q,cosines,sines", FED_E_SHAPE, "[batch, sequence, 2]", NULL, NULL},
    {"RotaryEmbedding", "q,cosines,b,places", FED_E_SHAPE, "[places, 2]", NULL, NULL},
    {"RotaryEmbedding", "q,cosines,sines,a", FED_E_SHAPE, "position_ids", NULL, two_rotated},
    {"RotaryEmbedding", "q,cosines,sines,places", FED_E_RANGE, "position_ids has 7", NULL,
     two_rotated},
};

static void put_operands(struct graph_writer *w) {
  static const int64_t places[] = {0, 7, 2}, one_row[] = {1, 3}, table[] = {2, 3}, empty[] = {2, 0};
  static const uint8_t truths[6] = {0};
  put_values(w, "a", 1, SHAPE(2, 3));
  put_values(w, "b", 2, SHAPE(3, 4));
  put_values(w, "q", 3, SHAPE(1, 2, 3, 4));
  put_values(w, "k", 4, SHAPE(1, 3, 3, 4));
  put_values(w, "r", 5, SHAPE(1, 3, 8));
  put_values(w, "s", 7, SHAPE(1, 2, 1, 4));
  writer_ints(w, "one", 1, (const int64_t[]){1});
  put_values(w, "t", 6, SHAPE(1, 2, 4));
  put_turns(w);
  writer_tensor(w, "e", 1, 2, empty, NULL, 0);
  writer_tensor(w, "places", 7, 2, one_row, places, sizeof places);
  writer_tensor(w, "truth", 9, 2, table, truths, sizeof truths);
}

static void check_refusal(void **state) {
  const struct refusal *test = *state;
  struct graph_writer w;
  struct fed_params found;
  begin(&w);
  put_operands(&w);
  if (test->equation) writer_text_attribute(&w, "equation", test->equation);
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
      cmocka_unit_test(test_einsum),
      cmocka_unit_test(test_attention),
      cmocka_unit_test(test_attention_grouped),
      cmocka_unit_test(test_attention_truths),
      cmocka_unit_test(test_attention_past),
      cmocka_unit_test(test_attention_used_keys),
      cmocka_unit_test(test_attention_hostile_counts),
      cmocka_unit_test(test_rotary),
      cmocka_unit_test(test_places_of_examples),
  };
  struct CMUnitTest refused[REFUSALS];
  for (size_t i = 0; i < REFUSALS; i++)
    refused[i] = (struct CMUnitTest){refusals[i].message, check_refusal, NULL, NULL,
                                     (void *)(uintptr_t)&refusals[i]};
  return cmocka_run_group_tests(tests, NULL, NULL) +
         cmocka_run_group_tests_name("refusals", refused, NULL, NULL);
}
