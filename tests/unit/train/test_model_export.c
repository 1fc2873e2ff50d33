/* SPDX-License-Identifier: Apache-2.0
 *
 * test_model_export.c: a model written back is the same graph with other numbers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "fed/train.h"
#include "onnx.pb-c.h"

struct export_state {
  struct fed_context context;
  struct fed_buffer file, exported;
  struct fed_model *model;
};

static int open_model(void **state) {
  static struct export_state opened;
  opened = (struct export_state){0};
  fed_context_init(&opened.context);
  fed_buffer_init(&opened.file, &opened.context, 1 << 20);
  fed_buffer_init(&opened.exported, &opened.context, 1 << 20);
  *state = &opened;
  return fed__file_read(FED_TESTS "/vectors/onnx/cnn/model.onnx", &opened.file) ||
         fed_model_load(&opened.context, fed_buffer_slice(&opened.file), NULL, &opened.model);
}

static int close_model(void **state) {
  struct export_state *opened = *state;
  fed_model_free(opened->model);
  fed_buffer_clear(&opened->file);
  fed_buffer_clear(&opened->exported);
  return 0;
}

static void check_equal(const struct fed_params *expected, const struct fed_params *found) {
  assert_int_equal(fed_params_match(expected, found), FED_OK);
  assert_memory_equal(expected->storage, found->storage, expected->storage_bytes);
}

/* Exports `params` and loads the result, whose parameters must be the same bit for bit. */
static void check_round_trip(struct export_state *opened, const struct fed_params *params) {
  struct fed_model *again;
  opened->exported.size = 0;
  assert_int_equal(fed_model_export(opened->model, params, &opened->exported), FED_OK);
  assert_int_equal(
      fed_model_load(&opened->context, fed_buffer_slice(&opened->exported), NULL, &again), FED_OK);
  check_equal(params, fed_model_params(again));
  fed_model_free(again);
}

static void test_own_parameters(void **state) {
  struct export_state *opened = *state;
  check_round_trip(opened, fed_model_params(opened->model));
}

static void test_other_parameters(void **state) {
  struct export_state *opened = *state;
  struct fed_params params;
  const struct fed_params *own = fed_model_params(opened->model);
  assert_int_equal(fed_params_copy(&params, &opened->context, own), FED_OK);
  float *values = fed_params_floats(&params);
  for (size_t i = 0; i < fed_params_elements(&params); i++) values[i] = (float)i / 7 - 100;
  check_round_trip(opened, &params);
  /* The model itself has not changed. */
  assert_memory_not_equal(own->storage, params.storage, params.storage_bytes);
  check_round_trip(opened, own);
  fed_params_clear(&params);
}

/* The weights in the file are those in the set, compared by protobuf's own reading of the file;
 * names of nodes are kept, and so are the fields that the schema of 2022 does not know. */
static void test_graph_is_kept(void **state) {
  struct export_state *opened = *state;
  const struct fed_params *params = fed_model_params(opened->model);
  assert_int_equal(fed_model_export(opened->model, params, &opened->exported), FED_OK);
  Onnx__ModelProto *before = onnx__model_proto__unpack(NULL, opened->file.size, opened->file.data);
  Onnx__ModelProto *after =
      onnx__model_proto__unpack(NULL, opened->exported.size, opened->exported.data);
  assert_non_null(before);
  assert_non_null(after);
  assert_int_equal(before->graph->n_node, after->graph->n_node);
  size_t unknown = 0;
  for (size_t i = 0; i < before->graph->n_node; i++) {
    const Onnx__NodeProto *a = before->graph->node[i], *b = after->graph->node[i];
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->base.n_unknown_fields, b->base.n_unknown_fields);
    for (unsigned j = 0; j < a->base.n_unknown_fields; j++) {
      assert_int_equal(a->base.unknown_fields[j].len, b->base.unknown_fields[j].len);
      assert_memory_equal(a->base.unknown_fields[j].data, b->base.unknown_fields[j].data,
                          a->base.unknown_fields[j].len);
      unknown++;
    }
  }
  assert_true(unknown > 0); /* PyTorch's metadata_props of nodes */
  assert_int_equal(before->graph->n_initializer, after->graph->n_initializer);
  for (size_t i = 0; i < before->graph->n_initializer; i++) {
    const Onnx__TensorProto *a = before->graph->initializer[i], *b = after->graph->initializer[i];
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->raw_data.len, b->raw_data.len);
    assert_memory_equal(a->raw_data.data, b->raw_data.data, a->raw_data.len);
  }
  onnx__model_proto__free_unpacked(before, NULL);
  onnx__model_proto__free_unpacked(after, NULL);
}

static void test_mismatch_is_refused(void **state) {
  struct export_state *opened = *state;
  const struct fed_params *own = fed_model_params(opened->model);
  struct fed_params params;
  assert_int_equal(fed_params_init(&params, &opened->context, own->tensors, own->count - 1),
                   FED_OK);
  assert_int_equal(fed_model_export(opened->model, &params, &opened->exported), FED_E_MISSING);
  assert_int_equal(opened->exported.size, 0);
  fed_params_clear(&params);
}

static void test_no_room(void **state) {
  struct export_state *opened = *state;
  opened->exported.size_max = 100;
  assert_int_equal(
      fed_model_export(opened->model, fed_model_params(opened->model), &opened->exported),
      FED_E_TOO_LARGE);
  assert_int_equal(opened->exported.size, 0);
}

static void test_describe(void **state) {
  struct export_state *opened = *state;
  assert_int_equal(fed_model_describe(opened->model, &opened->exported), FED_OK);
  const char *text = fed_buffer_text(&opened->exported);
  assert_non_null(strstr(text, "node_conv2d"));
  assert_non_null(strstr(text, "MaxPool"));
  assert_non_null(strstr(text, "[1, 10]"));
  assert_non_null(strstr(text, "3658 parameters in 8 tensors")); /* n_params of spec.json */
}

#define EXPORT_TEST(function) cmocka_unit_test_setup_teardown(function, open_model, close_model)

int main(void) {
  const struct CMUnitTest tests[] = {
      EXPORT_TEST(test_own_parameters), EXPORT_TEST(test_other_parameters),
      EXPORT_TEST(test_graph_is_kept),  EXPORT_TEST(test_mismatch_is_refused),
      EXPORT_TEST(test_no_room),        EXPORT_TEST(test_describe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
