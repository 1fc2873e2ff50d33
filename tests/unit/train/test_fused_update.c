/* SPDX-License-Identifier: Apache-2.0
 *
 * test_fused_update.c: weights that backward updates itself, piece by piece, against the same steps
 * with the whole gradient first, which is what clipping asks for (here to a limit that nothing
 * reaches). Weights are larger than the pieces, and their extents no multiples of anything.
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

#define STEPS 3
#define BATCH 4
#define NUMBERS_MAX 400000

static float numbers[NUMBERS_MAX];

static void add_weight(struct graph_writer *w, const char *name, uint32_t rank,
                       const int64_t *dims) {
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++) count *= (size_t)dims[i];
  assert_true(count <= NUMBERS_MAX);
  for (size_t i = 0; i < count; i++) numbers[i] = 0.2f * sinf((float)(i + 1) * 1.7f);
  writer_floats(w, name, rank, dims, numbers);
}

#define WEIGHT(w, name, ...)                                                                       \
  add_weight(w, name, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* x: [batch, 9]; what follows is as wide as two or three runs of the weight. */
static void begin_wide(struct graph_writer *w, int64_t width) {
  writer_input(w, "x", 1, (const int64_t[]){9});
  WEIGHT(w, "w0", 9, width);
  writer_node(w, "MatMul", "x,w0", "h0");
  writer_node(w, "Tanh", "h0", "h");
}

static void gemm_as_it_is(struct graph_writer *w) {
  begin_wide(w, 1531);
  WEIGHT(w, "w1", 1531, 131);
  writer_node(w, "Gemm", "h,w1", "y");
}

static void gemm_transposed(struct graph_writer *w) {
  begin_wide(w, 1531);
  WEIGHT(w, "w1", 131, 1531);
  writer_int_attribute(w, "transB", 1);
  writer_float_attribute(w, "alpha", 0.5f);
  writer_node(w, "Gemm", "h,w1", "y");
}

/* Rows longer than a piece. */
static void gemm_long_rows(struct graph_writer *w) {
  begin_wide(w, 9001);
  WEIGHT(w, "w1", 3, 9001);
  writer_int_attribute(w, "transB", 1);
  writer_node(w, "Gemm", "h,w1", "y");
}

static void gemm_left_transposed(struct graph_writer *w) {
  begin_wide(w, 301);
  writer_node(w, "Transpose", "h", "t");
  WEIGHT(w, "w1", 301, 131);
  writer_int_attribute(w, "transA", 1);
  writer_node(w, "Gemm", "t,w1", "y");
}

static void matmul_over_rows(struct graph_writer *w) {
  begin_wide(w, 601);
  WEIGHT(w, "w1", 601, 211);
  writer_node(w, "MatMul", "h,w1", "y");
}

/* A weight for each product of a batch, and one for several of them. */
static void matmul_batched(struct graph_writer *w) {
  begin_wide(w, 30);
  writer_ints(w, "parts", 3, (const int64_t[]){0, 2, 15});
  writer_node(w, "Reshape", "h,parts", "halves");
  writer_ints_attribute(w, "perm", 3, (const int64_t[]){1, 0, 2});
  writer_node(w, "Transpose", "halves", "turned");
  WEIGHT(w, "w1", 2, 15, 70);
  writer_node(w, "MatMul", "turned,w1", "each");
  writer_ints_attribute(w, "perm", 3, (const int64_t[]){1, 0, 2});
  writer_node(w, "Transpose", "each", "back");
  writer_ints(w, "rows", 4, (const int64_t[]){0, 2, 1, 70});
  writer_node(w, "Reshape", "back,rows", "apart");
  WEIGHT(w, "w2", 2, 70, 60);
  writer_node(w, "MatMul", "apart,w2", "z");
  writer_ints(w, "flat", 2, (const int64_t[]){0, -1});
  writer_node(w, "Reshape", "z,flat", "y");
}

/* x, turned to 5 steps of 9 features each, then a layer, then its last states side by side. */
static void recurrent(struct graph_writer *w, const char *type, int64_t gates, int64_t directions) {
  writer_input(w, "x", 1, (const int64_t[]){45});
  writer_ints(w, "parts", 3, (const int64_t[]){0, 5, 9});
  writer_node(w, "Reshape", "x,parts", "each");
  writer_ints_attribute(w, "perm", 3, (const int64_t[]){1, 0, 2});
  writer_node(w, "Transpose", "each", "steps");
  WEIGHT(w, "w1", directions, gates * 67, 9);
  WEIGHT(w, "r1", directions, gates * 67, 67);
  WEIGHT(w, "b1", directions, 2 * gates * 67);
  if (directions == 2) writer_text_attribute(w, "direction", "bidirectional");
  if (gates == 3) writer_int_attribute(w, "linear_before_reset", directions == 2);
  writer_node(w, type, "steps,w1,r1,b1", ",last");
  writer_ints_attribute(w, "perm", 3, (const int64_t[]){1, 0, 2});
  writer_node(w, "Transpose", "last", "turned");
  writer_ints(w, "flat", 2, (const int64_t[]){0, -1});
  writer_node(w, "Reshape", "turned,flat", "y");
}

static void lstm(struct graph_writer *w) { recurrent(w, "LSTM", 4, 1); }
static void lstm_both_ways(struct graph_writer *w) { recurrent(w, "LSTM", 4, 2); }
static void gru(struct graph_writer *w) { recurrent(w, "GRU", 3, 1); }
static void gru_both_ways(struct graph_writer *w) { recurrent(w, "GRU", 3, 2); }
static void rnn_both_ways(struct graph_writer *w) { recurrent(w, "RNN", 1, 2); }

static struct fed_params train(struct graph_writer *w, const struct fed_model *model,
                               const struct fed_train_options *options) {
  struct fed_trainer *trainer;
  struct fed_params trained;
  struct fed_metrics metrics = {0};
  must(fed_trainer_new(&w->context, model, options, &trainer));
  struct fed_batch *batch = fed_trainer_batch(trainer);
  batch->count = BATCH;
  float *x = batch->inputs[0].data;
  for (size_t i = 0; i < fed_tensor_elements(&batch->inputs[0]); i++) x[i] = cosf((float)i);
  for (int64_t i = 0; i < BATCH; i++) ((int64_t *)batch->target.data)[i] = i % 3;
  for (int i = 0; i < STEPS; i++) must(fed_train_step(trainer, &metrics));
  must(fed_params_copy(&trained, &w->context, fed_model_params(model)));
  must(fed_trainer_params(trainer, &trained));
  fed_trainer_free(trainer);
  return trained;
}

static void check_near(const struct fed_params *a, const struct fed_params *b,
                       const struct fed_params *before) {
  for (size_t i = 0; i < a->count; i++) {
    const float *x = a->tensors[i].data, *y = b->tensors[i].data, *old = before->tensors[i].data;
    int moved = 0;
    for (size_t j = 0; j < fed_tensor_elements(&a->tensors[i]); j++) {
      moved |= x[j] != old[j];
      if (!(fabsf(x[j] - y[j]) <= 2e-5f))
        fail_msg("%s at %zu: %g, in one piece %g", a->tensors[i].name, j, (double)x[j],
                 (double)y[j]);
    }
    assert_true(moved);
  }
}

static void check_graph(void (*build)(struct graph_writer *w), struct fed_train_options options) {
  struct graph_writer w;
  struct fed_model *model;
  writer_init(&w);
  build(&w);
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  options.batch_size = BATCH;
  struct fed_params pieces = train(&w, model, &options);
  options.clip_value = 1e30;
  struct fed_params whole = train(&w, model, &options);
  check_near(&pieces, &whole, fed_model_params(model));
  fed_params_clear(&pieces);
  fed_params_clear(&whole);
  fed_model_free(model);
  writer_clear(&w);
}

static void check_optimizers(void (*build)(struct graph_writer *w)) {
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.learning_rate = 0.05;
  for (int i = 0; i < 2; i++) {
    options.kernels = i ? FED_KERNELS_REFERENCE : FED_KERNELS_AUTO;
    options.optimizer = FED_OPTIMIZER_SGD;
    options.weight_decay = 0.01;
    check_graph(build, options);
    options.momentum = 0.9;
    check_graph(build, options);
  }
}

#define GRAPH_TEST(name)                                                                           \
  static void test_##name(void **state) {                                                          \
    (void)state;                                                                                   \
    check_optimizers(name);                                                                        \
  }

GRAPH_TEST(gemm_as_it_is)
GRAPH_TEST(gemm_transposed)
GRAPH_TEST(gemm_long_rows)
GRAPH_TEST(gemm_left_transposed)
GRAPH_TEST(matmul_over_rows)
GRAPH_TEST(matmul_batched)
GRAPH_TEST(lstm)
GRAPH_TEST(lstm_both_ways)
GRAPH_TEST(gru)
GRAPH_TEST(gru_both_ways)
GRAPH_TEST(rnn_both_ways)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gemm_as_it_is),
      cmocka_unit_test(test_gemm_transposed),
      cmocka_unit_test(test_gemm_long_rows),
      cmocka_unit_test(test_gemm_left_transposed),
      cmocka_unit_test(test_matmul_over_rows),
      cmocka_unit_test(test_matmul_batched),
      cmocka_unit_test(test_lstm),
      cmocka_unit_test(test_lstm_both_ways),
      cmocka_unit_test(test_gru),
      cmocka_unit_test(test_gru_both_ways),
      cmocka_unit_test(test_rnn_both_ways),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
