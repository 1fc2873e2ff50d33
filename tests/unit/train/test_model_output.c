/* SPDX-License-Identifier: Apache-2.0
 *
 * test_model_output.c: a value of the graph chosen as the output, what then does not matter any
 * more, and what is said of graphs that are hardly meant.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "unit/train/graph_writer.h"

/* What a converter of classifiers writes: scores, probabilities, and the label first. */
static void write_classifier(struct graph_writer *w, const char *end) {
  writer_init(w);
  writer_input(w, "x", 1, (const int64_t[]){2});
  writer_floats(w, "w", 2, (const int64_t[]){2, 3}, (const float[]){1, 2, 3, 4, 5, 6});
  writer_tensor(w, "names", 8, 1, (const int64_t[]){3}, "abc", 3); /* text */
  writer_node(w, "MatMul", "x,w", "scores");
  writer_node(w, end, "scores", "probabilities");
  writer_node(w, "Lookup", "names,probabilities", "label");
  writer_output(w, "label");
}

static int load(struct graph_writer *w, const char *output, struct fed_model **model) {
  const struct fed_model_options options = {.output = output};
  return fed_model_load(&w->context, writer_finish(w), &options, model);
}

static void expect_refusal(const char *output, int code, const char *message) {
  struct graph_writer w;
  struct fed_model *model;
  write_classifier(&w, "Softmax");
  const int found = load(&w, output, &model);
  if (found != code || !strstr(fed_error_last()->message, message))
    fail_msg("expected \"%s\", found %d: %s", message, found, fed_error_last()->message);
  writer_clear(&w);
}

static void test_refused(void **state) {
  (void)state;
  expect_refusal(NULL, FED_E_UNSUPPORTED, "'names': ONNX data type 8 (string)");
  expect_refusal("label", FED_E_UNSUPPORTED, "'names': ONNX data type 8 (string)");
  expect_refusal("logits", FED_E_MISSING, "no node of the graph computes 'logits'");
}

static void expect_text(const struct fed_model *model, int json, const char *part) {
  struct fed_context context;
  struct fed_buffer text;
  fed_context_init(&context);
  fed_buffer_init(&text, &context, 1 << 20);
  must(json ? fed_model_describe_json(model, &text) : fed_model_describe(model, &text));
  must(fed_buffer_append(&text, "", 1));
  if (!strstr((const char *)text.data, part)) fail_msg("'%s' is not in %s", part, text.data);
  fed_buffer_clear(&text);
}

static void test_chosen(void **state) {
  struct graph_writer w;
  struct fed_model *model;
  struct fed_buffer written;
  (void)state;
  write_classifier(&w, "Softmax");
  must(load(&w, "scores", &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  expect_text(model, 0, "2 more nodes do not lead to the output and never run");
  expect_text(model, 1, "\"doubts\": []");
  /* The file comes back whole. */
  fed_buffer_init(&written, &w.context, 1 << 20);
  must(fed_model_export(model, fed_model_params(model), &written));
  fed_model_free(model);
  assert_int_equal(fed_model_load(&w.context, fed_buffer_slice(&written), NULL, &model),
                   FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "'names'"));
  fed_buffer_clear(&written);
  writer_clear(&w);
}

/* What is said of the graph's end for a loss; below 0: for any. "" is nothing. */
static void expect_doubt(const char *end, const char *output, int loss, const char *expected) {
  struct graph_writer w;
  struct fed_model *model;
  struct fed_buffer text;
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.loss = (enum fed_loss)loss;
  write_classifier(&w, end);
  must(load(&w, output, &model));
  fed_buffer_init(&text, &w.context, 4096);
  must(fed_model_doubts(model, loss < 0 ? NULL : &options, &text));
  must(fed_buffer_append(&text, "", 1));
  if (!*expected) assert_string_equal((const char *)text.data, "");
  if (!strstr((const char *)text.data, expected)) fail_msg("%s: %s", end, text.data);
  fed_buffer_clear(&text);
  fed_model_free(model);
  writer_clear(&w);
}

static void test_end(void **state) {
  (void)state;
  expect_doubt("Softmax", "probabilities", FED_LOSS_SOFTMAX_CROSS_ENTROPY,
               "ends in Softmax (node 'node_probabilities'), which the loss softmax_cross_entropy "
               "applies by itself");
  expect_doubt("Softmax", "probabilities", FED_LOSS_SOFT_CROSS_ENTROPY, "model.output: \"scores\"");
  expect_doubt("Sigmoid", "probabilities", FED_LOSS_BINARY_CROSS_ENTROPY, "ends in Sigmoid");
  expect_doubt("Softmax", "probabilities", -1, "which the cross entropy losses apply");
  expect_doubt("Softmax", "probabilities", FED_LOSS_MEAN_SQUARED_ERROR, "");
  expect_doubt("Softmax", "scores", FED_LOSS_SOFTMAX_CROSS_ENTROPY, "");
  /* The loss of the logarithms is the same. */
  expect_doubt("LogSoftmax", "probabilities", FED_LOSS_SOFTMAX_CROSS_ENTROPY, "");
  expect_doubt("Tanh", "probabilities", FED_LOSS_SOFTMAX_CROSS_ENTROPY, "");
}

static void test_end_moved(void **state) {
  struct graph_writer w;
  struct fed_model *model;
  (void)state;
  writer_init(&w);
  writer_input(&w, "x", 1, (const int64_t[]){4});
  writer_floats(&w, "w", 2, (const int64_t[]){4, 4}, (const float[16]){1, 2, 3, 4});
  writer_ints(&w, "shape", 3, (const int64_t[]){-1, 2, 2});
  writer_node(&w, "MatMul", "x,w", "h");
  writer_node(&w, "Sigmoid", "h", "p");
  writer_node(&w, "Reshape", "p,shape", "r");
  writer_node(&w, "Identity", "r", "y");
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  expect_text(model, 0, "ends in Sigmoid (node 'node_p')");
  expect_text(model, 1, "model.output: \\\"h\\\"");
  fed_model_free(model);
  writer_clear(&w);
}

static void expect_single(float bias, const char *part) {
  struct graph_writer w;
  struct fed_model *model;
  writer_init(&w);
  writer_input(&w, "x", 1, (const int64_t[]){2});
  writer_floats(&w, "w", 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4});
  writer_floats(&w, "bias", 1, (const int64_t[]){1}, &bias);
  writer_node(&w, "MatMul", "x,w", "h");
  writer_node(&w, "Add", "h,bias", "y");
  writer_output(&w, "y");
  must(fed_model_load(&w.context, writer_finish(&w), NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  expect_text(model, 0, "one number, as constants are; if it is a bias, list it");
  expect_text(model, 1, part);
  fed_model_free(model);
  writer_clear(&w);
}

static void test_single_number(void **state) {
  (void)state;
  expect_single(0, "'bias' is one number and does not train");
  expect_single(-0.3F, "'bias' is one number and does not train");
  expect_single(1e-5F, "\"doubts\": []"); /* an epsilon */
  expect_single(1, "\"doubts\": []");
}

/* A weight in float8: read, but constant, since training's result could not be written back. */
static void test_narrow_weight(void **state) {
  struct graph_writer w;
  struct fed_model *model;
  struct fed_buffer written;
  static const char *const adapted[] = {"w8"};
  const struct fed_model_options adapters = {
      .adapted = adapted, .adapted_count = 1, .adapter_rank = 1};
  (void)state;
  writer_init(&w);
  writer_input(&w, "x", 1, (const int64_t[]){2});
  writer_tensor(&w, "w8", 17, 2, (const int64_t[]){2, 2}, "\x38\xb8\x40\x30", 4);
  writer_floats(&w, "w", 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4});
  writer_node(&w, "MatMul", "x,w8", "h");
  writer_node(&w, "MatMul", "h,w", "y");
  writer_output(&w, "y");
  const struct fed_slice file = writer_finish(&w);
  must(fed_model_load(&w.context, file, NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  assert_string_equal(fed_model_params(model)->tensors[0].name, "w");
  expect_text(model, 0, "of a type below 16 bits");
  fed_buffer_init(&written, &w.context, 1 << 20);
  must(fed_model_export(model, fed_model_params(model), &written));
  fed_model_free(model);
  assert_non_null(memmem(written.data, written.size, "\x4a\x04\x38\xb8\x40\x30", 6)); /* raw_data */
  must(fed_model_load(&w.context, fed_buffer_slice(&written), NULL, &model));
  fed_buffer_clear(&written);
  fed_model_free(model);
  assert_int_equal(fed_model_load(&w.context, file, &adapters, &model), FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "of a type below 16 bits"));
  writer_clear(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),       cmocka_unit_test(test_chosen),
      cmocka_unit_test(test_end),           cmocka_unit_test(test_end_moved),
      cmocka_unit_test(test_single_number), cmocka_unit_test(test_narrow_weight),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
