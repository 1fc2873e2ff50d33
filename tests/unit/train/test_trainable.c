/* SPDX-License-Identifier: Apache-2.0
 *
 * test_trainable.c: patterns in place of the rule: what they choose, what they freeze, that frozen
 * parameters stay as they are while the others train, and patterns that fit nothing.
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

#define WIDTH 3

/* Gemm(w.a, b.a), Add of a constant, Gemm(w.b, b.b): the rule trains all but `shift`. */
static int open_writer(void **state) {
  static struct graph_writer writer;
  float values[WIDTH * WIDTH];
  const int64_t square[2] = {WIDTH, WIDTH}, row[1] = {WIDTH};
  for (size_t i = 0; i < WIDTH * WIDTH; i++) values[i] = sinf((float)i);
  writer_init(&writer);
  writer_input(&writer, "x", 1, row);
  writer_floats(&writer, "w.a", 2, square, values);
  writer_floats(&writer, "b.a", 1, row, values);
  writer_floats(&writer, "shift", 0, NULL, values + 1);
  writer_floats(&writer, "w.b", 2, square, values);
  writer_floats(&writer, "b.b", 1, row, values);
  writer_floats(&writer, "unread", 1, row, values);
  writer_node(&writer, "Gemm", "x,w.a,b.a", "h");
  writer_node(&writer, "Add", "h,shift", "s");
  writer_node(&writer, "Gemm", "s,w.b,b.b", "y");
  writer_output(&writer, "y");
  writer_finish(&writer);
  *state = &writer;
  return 0;
}

static int close_writer(void **state) {
  writer_clear(*state);
  return 0;
}

/* `expected`: the names in order, separated by blanks. */
static void check_trained(struct graph_writer *writer, const struct fed_model_options *options,
                          const char *expected) {
  struct fed_model *model;
  char found[128] = "";
  must(fed_model_load(&writer->context, fed_buffer_slice(&writer->file), options, &model));
  const struct fed_params *params = fed_model_params(model);
  for (size_t i = 0; i < params->count; i++) {
    const size_t length = strlen(found);
    snprintf(found + length, sizeof found - length, "%s%s", i ? " " : "", params->tensors[i].name);
  }
  assert_string_equal(found, expected);
  assert_int_equal(fed_model_trained_count(model), params->count);
  fed_model_free(model);
}

static void test_patterns(void **state) {
  static const char *const weights[] = {"w.*"}, *const two[] = {"b.b", "shift"};
  static const char *const first[] = {"*.a"}, *const all[] = {"*"};
  check_trained(*state, NULL, "w.a b.a w.b b.b");
  check_trained(*state, &(struct fed_model_options){.trainable = weights, .trainable_count = 1},
                "w.a w.b");
  check_trained(*state, &(struct fed_model_options){.trainable = two, .trainable_count = 2},
                "shift b.b");
  check_trained(*state, &(struct fed_model_options){.frozen = first, .frozen_count = 1}, "w.b b.b");
  check_trained(*state,
                &(struct fed_model_options){
                    .trainable = weights, .trainable_count = 1, .frozen = first, .frozen_count = 1},
                "w.b");
  check_trained(*state, &(struct fed_model_options){.frozen = all, .frozen_count = 1}, "");
}

/* As the start of an unrolled recurrence, of which exporters make one number that is expanded. */
static void test_expanded_number_is_a_constant(void **state) {
  (void)state;
  struct graph_writer writer;
  const int64_t square[2] = {WIDTH, WIDTH}, row[1] = {WIDTH};
  const float values[WIDTH * WIDTH] = {0.5f};
  writer_init(&writer);
  writer_input(&writer, "x", 1, row);
  writer_floats(&writer, "w", 2, square, values);
  writer_floats(&writer, "start", 0, NULL, values);
  writer_ints(&writer, "size", 2, square);
  writer_node(&writer, "MatMul", "x,w", "h");
  writer_node(&writer, "Expand", "start,size", "started");
  writer_node(&writer, "MatMul", "h,started", "y");
  writer_output(&writer, "y");
  writer_finish(&writer);
  check_trained(&writer, NULL, "w");
  writer_clear(&writer);
}

static void check_refused(struct graph_writer *writer, const struct fed_model_options *options,
                          const char *part) {
  struct fed_model *model;
  assert_int_equal(
      fed_model_load(&writer->context, fed_buffer_slice(&writer->file), options, &model),
      FED_E_MISSING);
  assert_null(model);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
}

static void test_patterns_that_fit_nothing(void **state) {
  static const char *const unread[] = {"unread"}, *const none[] = {"w.b", "w.c"};
  static const char *const constant[] = {"shift"}, *const weights[] = {"w.*"};
  static const char *const biases[] = {"b.*"};
  check_refused(*state, &(struct fed_model_options){.trainable = unread, .trainable_count = 1},
                "'unread' fits no float initializer");
  check_refused(*state, &(struct fed_model_options){.trainable = none, .trainable_count = 2},
                "'w.c' fits no");
  check_refused(*state, &(struct fed_model_options){.frozen = constant, .frozen_count = 1},
                "'shift' fits no trained parameter");
  check_refused(
      *state,
      &(struct fed_model_options){
          .trainable = weights, .trainable_count = 1, .frozen = biases, .frozen_count = 1},
      "'b.*' fits no trained parameter");
}

/* The gradients of the others are the same, whether a parameter is frozen or not. */
static void test_frozen_stay(void **state) {
  struct graph_writer *writer = *state;
  static const char *const first[] = {"w.a"};
  const struct fed_model_options options = {.frozen = first, .frozen_count = 1};
  struct fed_model *models[2];
  struct fed_params params[2];
  struct fed_buffer exported;
  for (int i = 0; i < 2; i++) {
    struct fed_train_options train;
    struct fed_trainer *trainer;
    struct fed_metrics metrics = {0};
    fed_train_options_init(&train);
    train.batch_size = 1;
    train.kernels = FED_KERNELS_REFERENCE;
    must(fed_model_load(&writer->context, fed_buffer_slice(&writer->file), i ? &options : NULL,
                        &models[i]));
    must(fed_trainer_new(&writer->context, models[i], &train, &trainer));
    struct fed_batch *batch = fed_trainer_batch(trainer);
    for (int j = 0; j < WIDTH; j++) ((float *)batch->inputs[0].data)[j] = (float)(j - 1);
    *(int64_t *)batch->target.data = 1;
    must(fed_train_step(trainer, &metrics));
    must(fed_params_copy(&params[i], &writer->context, fed_model_params(models[i])));
    must(fed_trainer_params(trainer, &params[i]));
    fed_trainer_free(trainer);
  }
  assert_int_equal(params[1].count, 3);
  for (size_t i = 0; i < 3; i++)
    assert_memory_equal(params[1].tensors[i].data, params[0].tensors[i + 1].data,
                        fed_tensor_bytes(&params[1].tensors[i]));
  /* The export has the frozen parameter as it was. */
  struct fed_model *again;
  fed_buffer_init(&exported, &writer->context, 1 << 20);
  must(fed_model_export(models[1], &params[1], &exported));
  must(fed_model_load(&writer->context, fed_buffer_slice(&exported), NULL, &again));
  assert_memory_equal(fed_model_params(again)->tensors[0].data,
                      fed_model_params(models[0])->tensors[0].data, 4 * WIDTH * WIDTH);
  fed_model_free(again);
  fed_buffer_clear(&exported);
  for (int i = 0; i < 2; i++) {
    fed_params_clear(&params[i]);
    fed_model_free(models[i]);
  }
}

#define WRITER_TEST(function) cmocka_unit_test_setup_teardown(function, open_writer, close_writer)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expanded_number_is_a_constant),
      WRITER_TEST(test_patterns),
      WRITER_TEST(test_patterns_that_fit_nothing),
      WRITER_TEST(test_frozen_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
