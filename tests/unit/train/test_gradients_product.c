/* SPDX-License-Identifier: Apache-2.0
 *
 * test_gradients_product.c: gradients of Gemm, MatMul, Einsum, Attention and RotaryEmbedding by
 * every operand against finite differences; what is common is in test_operator_gradients.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/train/gradient_harness.h"

static void gemm_number(struct graph_writer *w) {
  writer_ints(w, "zero", INTS(0));
  writer_node(w, "Squeeze", "c,zero", "number");
  writer_float_attribute(w, "beta", 2.5F);
  writer_node(w, "Gemm", "a,b,number", "sum");
  writer_node(w, "Tanh", "sum", "y");
}
static void matmul(struct graph_writer *w) { writer_node(w, "MatMul", "a,b", "y"); }
static void inner_product(struct graph_writer *w) {
  writer_node(w, "MatMul", "a,b", "number");
  writer_node(w, "Mul", "number,c", "y");
}

static void einsum(struct graph_writer *w, const char *equation, const char *inputs) {
  writer_text_attribute(w, "equation", equation);
  writer_node(w, "Einsum", inputs, "y");
}
static void transpose(struct graph_writer *w) { einsum(w, "ijk->kij", "a"); }
static void sum_of_one(struct graph_writer *w) { einsum(w, "ijk->ki", "a"); }
static void ellipsis_of_one(struct graph_writer *w) { einsum(w, "i...j->...ji", "a"); }
static void product(struct graph_writer *w) { einsum(w, "ij,jk", "a,b"); }
static void product_transposed(struct graph_writer *w) { einsum(w, "ij,kj->ki", "a,b"); }
static void both_transposed(struct graph_writer *w) { einsum(w, "ji,kj->ik", "a,b"); }
static void scores(struct graph_writer *w) { einsum(w, "bqhd,bkhd->bhqk", "a,b"); }
static void values(struct graph_writer *w) { einsum(w, "bhqk,bkhd->bqhd", "a,b"); }
static void projection(struct graph_writer *w) { einsum(w, "bsd,dhe->bhse", "a,b"); }
static void outer(struct graph_writer *w) { einsum(w, "i,j->ji", "a,b"); }
static void hadamard(struct graph_writer *w) { einsum(w, "ij,ji->ij", "a,b"); }
static void sums_on_both(struct graph_writer *w) { einsum(w, "ija,kjb->ki", "a,b"); }
static void ellipsis_broadcast(struct graph_writer *w) { einsum(w, "...ij,...jk->...ik", "a,b"); }
static void extent_one(struct graph_writer *w) { einsum(w, "ij,jk->ikj", "a,b"); }
static void bilinear(struct graph_writer *w) { einsum(w, " a b , c a b -> c ", "a,b"); }

static void attention(struct graph_writer *w) {
  w->opset = 23;
  writer_node(w, "Attention", "a,b,c", "y");
}
static void causal(struct graph_writer *w) {
  writer_int_attribute(w, "is_causal", 1);
  attention(w);
}
static void masked(struct graph_writer *w) {
  w->opset = 23;
  writer_node(w, "Attention", "a,b,c,d", "y");
}
static void heads_inside(struct graph_writer *w) {
  writer_int_attribute(w, "q_num_heads", 4);
  writer_int_attribute(w, "kv_num_heads", 2);
  writer_float_attribute(w, "softcap", 1.25F);
  writer_float_attribute(w, "scale", 0.75F);
  masked(w);
}
static void truths(struct graph_writer *w) {
  static const uint8_t mask[] = {1, 1, 0, 0, 1, 1, 0, 0, 0}; /* the last query sees nothing */
  const int64_t dims[] = {3, 3};
  w->opset = 23;
  writer_tensor(w, "mask", 9, 2, dims, mask, sizeof mask);
  writer_node(w, "Attention", "a,b,c,mask", "y");
}
/* With the gradient of the other output. */
static void with_scores(struct graph_writer *w, int64_t when) {
  w->opset = 23;
  writer_ints(w, "all", INTS(-1));
  writer_float_attribute(w, "softcap", 1.25F);
  writer_int_attribute(w, "qk_matmul_output_mode", when);
  writer_node(w, "Attention", "a,b,c,d", "out,,,scores");
  writer_node(w, "Reshape", "out,all", "r0");
  writer_node(w, "Reshape", "scores,all", "r1");
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", "r0,r1", "y");
}
static void scores_raw(struct graph_writer *w) { with_scores(w, 0); }
static void scores_capped(struct graph_writer *w) { with_scores(w, 1); }
static void scores_masked(struct graph_writer *w) { with_scores(w, 2); }
static void scores_final(struct graph_writer *w) { with_scores(w, 3); }
static void only_scores(struct graph_writer *w) {
  w->opset = 23;
  writer_int_attribute(w, "qk_matmul_output_mode", 3);
  writer_node(w, "Attention", "a,b,c", ",,,y");
}

static void past(struct graph_writer *w) {
  w->opset = 23;
  writer_int_attribute(w, "is_causal", 1);
  writer_node(w, "Attention", "a,b,c,,d,e", "y");
}
/* With the gradients of the outputs of present keys and values. */
static void present(struct graph_writer *w) {
  w->opset = 23;
  writer_ints(w, "all", INTS(-1));
  writer_int_attribute(w, "q_num_heads", 4);
  writer_int_attribute(w, "kv_num_heads", 2);
  writer_node(w, "Attention", "a,b,c,,d,e", "out,keys,values");
  writer_node(w, "Tanh", "keys", "bent");
  writer_node(w, "Reshape", "out,all", "r0");
  writer_node(w, "Reshape", "bent,all", "r1");
  writer_node(w, "Reshape", "values,all", "r2");
  writer_int_attribute(w, "axis", 0);
  writer_node(w, "Concat", "r0,r1,r2", "y");
}
static void used_keys(struct graph_writer *w) {
  w->opset = 24;
  writer_ints(w, "used", INTS(3, 2));
  writer_int_attribute(w, "is_causal", 1);
  writer_node(w, "Attention", "a,b,c,d,,,used", "y");
}

/* The caches are constants: rows of cosines and sines of some angles. */
static void rotary(struct graph_writer *w, size_t rank, const int64_t *dims, const char *inputs) {
  float cosines[32], sines[32];
  for (int i = 0; i < 32; i++) cosines[i] = cosf(0.7F * (float)i), sines[i] = sinf(0.7F * (float)i);
  w->opset = 23;
  writer_floats(w, "cosines", rank, dims, cosines);
  writer_floats(w, "sines", rank, dims, sines);
  writer_node(w, "RotaryEmbedding", inputs, "y");
}
static void rotary_halves(struct graph_writer *w) { rotary(w, INTS(2, 3, 2), "a,cosines,sines"); }
static void rotary_interleaved(struct graph_writer *w) {
  writer_int_attribute(w, "interleaved", 1);
  rotary_halves(w);
}
static void rotary_places(struct graph_writer *w) {
  static const int64_t places[] = {0, 4, 2, 1, 1, 3}, dims[] = {2, 3};
  writer_tensor(w, "places", 7, 2, dims, places, sizeof places);
  writer_int_attribute(w, "num_heads", 2);
  writer_int_attribute(w, "rotary_embedding_dim", 4);
  rotary(w, INTS(5, 2), "a,cosines,sines,places");
}

#define FOUR(batch, heads, rows, width)                                                            \
  {                                                                                                \
    4, { batch, heads, rows, width }                                                               \
  }

static const struct operand_case cases[] = {
    {"Gemm, bias without dimensions", gemm_number, {{2, {3, 4}}, {2, {4, 2}}, {1, {1}}}},
    {"MatMul, vectors", inner_product, {{1, {4}}, {1, {4}}, {1, {3}}}},
    {"MatMul, ranks 4 and 3", matmul, {FOUR(2, 3, 2, 4), {3, {3, 4, 2}}}},
    {"MatMul, rank 5, broadcast", matmul, {{5, {2, 1, 2, 2, 3}}, FOUR(3, 1, 3, 2)}},
    {"MatMul, vector and batch", matmul, {{1, {3}}, FOUR(2, 2, 3, 2)}},
    {"Einsum, transpose", transpose, {{3, {2, 3, 4}}}},
    {"Einsum, sum", sum_of_one, {{3, {2, 3, 4}}}},
    {"Einsum, ellipsis", ellipsis_of_one, {FOUR(2, 3, 2, 2)}},
    {"Einsum, product", product, {{2, {2, 3}}, {2, {3, 4}}}},
    {"Einsum, product transposed", product_transposed, {{2, {2, 3}}, {2, {4, 3}}}},
    {"Einsum, both transposed", both_transposed, {{2, {3, 2}}, {2, {4, 3}}}},
    {"Einsum, scores", scores, {FOUR(2, 3, 2, 2), FOUR(2, 4, 2, 2)}},
    {"Einsum, values", values, {FOUR(2, 2, 3, 4), FOUR(2, 4, 2, 2)}},
    {"Einsum, projection", projection, {{3, {2, 3, 4}}, {3, {4, 2, 2}}}},
    {"Einsum, outer", outer, {{1, {3}}, {1, {4}}}},
    {"Einsum, element by element", hadamard, {{2, {3, 2}}, {2, {2, 3}}}},
    {"Einsum, sums on both sides", sums_on_both, {{3, {2, 3, 2}}, {3, {4, 3, 2}}}},
    {"Einsum, broadcast", ellipsis_broadcast, {FOUR(2, 1, 2, 3), {3, {4, 3, 2}}}},
    {"Einsum, extent of one", extent_one, {{2, {3, 1}}, {2, {4, 2}}}},
    {"Einsum, bilinear", bilinear, {{2, {2, 3}}, {3, {4, 2, 3}}}},
    {"Einsum, frozen right", scores, {FOUR(2, 3, 2, 2), FOUR(2, 4, 2, 2)}, "a"},
    {"Einsum, frozen left", scores, {FOUR(2, 3, 2, 2), FOUR(2, 4, 2, 2)}, "b"},
    {"Attention", attention, {FOUR(2, 2, 3, 2), FOUR(2, 2, 4, 2), FOUR(2, 2, 4, 3)}},
    {"Attention, shared keys", causal, {FOUR(2, 4, 3, 2), FOUR(2, 2, 3, 2), FOUR(2, 2, 3, 2)}},
    {"Attention, causal, few keys", causal, {FOUR(1, 1, 4, 2), FOUR(1, 1, 2, 2), FOUR(1, 1, 2, 2)}},
    {"Attention, mask",
     masked,
     {FOUR(2, 2, 3, 2), FOUR(2, 2, 4, 2), FOUR(2, 2, 4, 3), FOUR(1, 2, 3, 4)}},
    {"Attention, mask of keys",
     masked,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {1, {4}}}},
    {"Attention, heads inside",
     heads_inside,
     {{3, {2, 3, 8}}, {3, {2, 4, 4}}, {3, {2, 4, 6}}, FOUR(2, 1, 3, 4)}},
    {"Attention, truths", truths, {FOUR(2, 1, 3, 2), FOUR(2, 1, 3, 2), FOUR(2, 1, 3, 2)}},
    {"Attention, only values",
     attention,
     {FOUR(2, 2, 3, 2), FOUR(2, 2, 4, 2), FOUR(2, 2, 4, 3)},
     "c"},
    {"Attention, only keys",
     attention,
     {FOUR(2, 2, 3, 2), FOUR(2, 2, 4, 2), FOUR(2, 2, 4, 3)},
     "b"},
    {"Attention, scores 0",
     scores_raw,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {2, {3, 4}}}},
    {"Attention, scores 1",
     scores_capped,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {2, {3, 4}}}},
    {"Attention, scores 2",
     scores_masked,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {2, {3, 4}}}},
    {"Attention, scores 3",
     scores_final,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {2, {3, 4}}}},
    {"Attention, only scores",
     only_scores,
     {FOUR(2, 1, 3, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3)},
     "a,b"},
    {"Attention, past",
     past,
     {FOUR(2, 4, 2, 2), FOUR(2, 2, 2, 2), FOUR(2, 2, 2, 3), FOUR(2, 2, 3, 2), FOUR(2, 2, 3, 3)}},
    {"Attention, only the past",
     past,
     {FOUR(2, 2, 2, 2), FOUR(2, 2, 2, 2), FOUR(2, 2, 2, 3), FOUR(2, 2, 3, 2), FOUR(2, 2, 3, 3)},
     "d,e"},
    {"Attention, past and present, heads inside",
     present,
     {{3, {2, 2, 8}}, {3, {2, 2, 4}}, {3, {2, 2, 6}}, FOUR(2, 2, 1, 2), FOUR(2, 2, 1, 3)}},
    {"Attention, used keys",
     used_keys,
     {FOUR(2, 1, 2, 2), FOUR(2, 1, 4, 2), FOUR(2, 1, 4, 3), {2, {2, 3}}}},
    {"RotaryEmbedding", rotary_halves, {FOUR(2, 2, 3, 4)}},
    {"RotaryEmbedding, interleaved", rotary_interleaved, {FOUR(2, 2, 3, 4)}},
    {"RotaryEmbedding, places, a part", rotary_places, {{3, {2, 3, 12}}}},
};

int main(void) { return check_gradients(cases, sizeof cases / sizeof cases[0]); }
