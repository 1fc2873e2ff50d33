/* SPDX-License-Identifier: Apache-2.0
 *
 * test_functions.c: a model's own functions, put in place of their calls: what they compute
 * (against closed forms), what of them travels through training and export, and what hostile ones
 * come to.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "onnx.pb-c.h"
#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#define FLOAT_TYPE 1 /* AttributeProto.FLOAT */

static void call(struct graph_writer *writer, const char *type, const char *inputs,
                 const char *outputs) {
  writer->domain = "local";
  writer_node(writer, type, inputs, outputs);
  writer->domain = NULL;
}

static void call_in_body(struct graph_writer *writer, const char *type, const char *inputs,
                         const char *outputs) {
  writer->domain = "local";
  writer_body(writer, type, inputs, outputs);
  writer->domain = NULL;
}

/* leaky(x; slope = 0.25) and twice(x; first): leaky with slope `first`, then leaky with its own. */
static void write_leaky(struct graph_writer *writer) {
  writer_reference(writer, "alpha", "slope", FLOAT_TYPE);
  writer_body(writer, "LeakyRelu", "x", "y");
  writer_float_attribute(writer, "slope", 0.25F);
  writer_function(writer, "leaky", "x", "y", "");
  writer_reference(writer, "slope", "first", FLOAT_TYPE);
  call_in_body(writer, "leaky", "x", "y");
  call_in_body(writer, "leaky", "y", "z");
  writer_function(writer, "twice", "x", "z", "first");
}

static void check_values(struct graph_writer *writer, const float *x, size_t count,
                         const float *expected) {
  struct fed_params outputs;
  float values[16];
  memcpy(values, x, count * sizeof *x);
  const struct fed_tensor input = {"x", FED_F32, {2, {1, (int64_t)count}}, values};
  must(fed__graph_evaluate(&writer->context, writer_finish(writer), &input, 1, &outputs));
  assert_int_equal(outputs.count, 1);
  assert_memory_equal(outputs.tensors[0].data, expected, count * sizeof *expected);
  fed_params_clear(&outputs);
  writer_clear(writer);
}

/* Calls in calls, an attribute passed on, a default, the operator's own default (0.01) for an
 * attribute that nobody gives, the same function several times. */
static void test_nested_calls(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  write_leaky(&writer);
  writer_float_attribute(&writer, "first", 0.5F);
  call(&writer, "twice", "x", "a"); /* 0.5 * 0.25 below zero */
  writer_float_attribute(&writer, "first", 2.0F);
  call(&writer, "twice", "a", "y"); /* 2 * 0.25 */
  writer_output(&writer, "y");
  check_values(&writer, (const float[]){-16, 3}, 2, (const float[]){-1, 3});

  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  write_leaky(&writer);
  writer_reference(&writer, "alpha", "nobody", FLOAT_TYPE);
  writer_body(&writer, "LeakyRelu", "x", "y");
  writer_function(&writer, "plain", "x", "y", "nobody");
  call(&writer, "plain", "x", "y");
  writer_output(&writer, "y");
  check_values(&writer, (const float[]){-16, 3}, 2, (const float[]){-16 * 0.01F, 3});
}

/* Inputs that are left out stay left out; outputs may be inputs, and may be left out. */
static void test_optional(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){3});
  writer_floats(&writer, "one", 0, NULL, &(float){1});
  writer_body(&writer, "Clip", "x,low,high", "clipped");
  writer_body(&writer, "Neg", "clipped", "negative");
  writer_function(&writer, "clip", "x,low,high", "x,clipped,negative", "");
  call(&writer, "clip", "x,one", "same,above");           /* no upper bound */
  call(&writer, "clip", "above,,one", ",,all_minus_one"); /* no lower one */
  writer_node(&writer, "Add", "same,all_minus_one", "y");
  writer_output(&writer, "y");
  check_values(&writer, (const float[]){-5, 0.5F, 7}, 3, (const float[]){-6, -0.5F, 6});
}

/* Weights are a function's inputs; the exported file calls the function with the new ones. */
static void test_trained_and_exported(void **state) {
  (void)state;
  static const float weights[4] = {1, 2, 3, 4}, bias[2] = {5, 6};
  struct graph_writer writer;
  struct fed_model *model, *again;
  struct fed_params params;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  writer_floats(&writer, "w", 2, (const int64_t[]){2, 2}, weights);
  writer_floats(&writer, "b", 1, (const int64_t[]){2}, bias);
  writer_body(&writer, "MatMul", "x,weight", "product");
  writer_body(&writer, "Add", "product,bias", "y");
  writer_function(&writer, "linear", "x,weight,bias", "y", "");
  call(&writer, "linear", "x,w,b", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 2);
  must(fed_params_copy(&params, &writer.context, fed_model_params(model)));
  for (size_t i = 0; i < 6; i++) fed_params_floats(&params)[i] += 0.5F;
  writer.file.size = 0;
  must(fed_model_export(model, &params, &writer.file));
  must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), NULL, &again));
  assert_memory_equal(fed_params_floats(fed_model_params(again)), fed_params_floats(&params),
                      6 * sizeof(float));
  Onnx__ModelProto *file = onnx__model_proto__unpack(NULL, writer.file.size, writer.file.data);
  assert_int_equal(file->n_functions, 1);
  assert_int_equal(file->functions[0]->n_node, 2);
  assert_int_equal(file->graph->n_node, 1);
  assert_string_equal(file->graph->node[0]->op_type, "linear");
  onnx__model_proto__free_unpacked(file, NULL);
  fed_params_clear(&params);
  fed_model_free(again);
  fed_model_free(model);
  writer_clear(&writer);
}

static void begin(struct graph_writer *writer) {
  writer_init(writer);
  writer_input(writer, "x", 1, (const int64_t[]){2});
}

static void check_refused(struct graph_writer *writer, const char *type, int code,
                          const char *part) {
  struct fed_model *model;
  call(writer, type, "x", "y");
  writer_output(writer, "y");
  const int found = fed_model_load(&writer->context, writer_finish(writer), NULL, &model);
  if (found != code || !strstr(fed_error_last()->message, part))
    fail_msg("expected %s with \"%s\", found %s: %s", fed_error_name(code), part,
             fed_error_name(found), fed_error_last()->message);
  assert_null(model);
  writer_clear(writer);
}

static void test_recursion(void **state) {
  (void)state;
  struct graph_writer writer;
  begin(&writer);
  call_in_body(&writer, "second", "x", "y");
  writer_function(&writer, "first", "x", "y", "");
  call_in_body(&writer, "first", "x", "y");
  writer_function(&writer, "second", "x", "y", "");
  check_refused(&writer, "first", FED_E_UNSUPPORTED,
                "node 'node_y': function 'first' calls itself");
}

/* Each function calls the one before it so many times: 8 to the power of `levels`. */
static void write_levels(struct graph_writer *writer, int levels, int empty) {
  char name[32], below[32], inputs[32], outputs[32];
  if (!empty) writer_body(writer, "Relu", "x", "y");
  writer_function(writer, "level0", "x", empty ? "x" : "y", "");
  for (int level = 1; level <= levels; level++) {
    snprintf(name, sizeof name, "level%d", level);
    snprintf(below, sizeof below, "level%d", level - 1);
    for (int i = 0; i < 8; i++) {
      snprintf(inputs, sizeof inputs, i ? "x%d" : "x", i);
      snprintf(outputs, sizeof outputs, "x%d", i + 1);
      call_in_body(writer, below, inputs, outputs);
    }
    writer_function(writer, name, "x", "x8", "");
  }
}

static void test_blow_up(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_model *model;
  begin(&writer); /* 64 nodes are fine */
  write_levels(&writer, 2, 0);
  call(&writer, "level2", "x", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  fed_model_free(model);
  writer_clear(&writer);
  for (int empty = 0; empty < 2; empty++) {
    begin(&writer);
    write_levels(&writer, 12, empty);
    check_refused(&writer, "level12", FED_E_TOO_LARGE, "function");
  }
  begin(&writer);
  char name[32] = "f0", below[32];
  writer_body(&writer, "Relu", "x", "y");
  writer_function(&writer, name, "x", "y", "");
  for (int level = 1; level <= 40; level++) {
    snprintf(below, sizeof below, "f%d", level - 1);
    snprintf(name, sizeof name, "f%d", level);
    call_in_body(&writer, below, "x", "y");
    writer_function(&writer, name, "x", "y", "");
  }
  check_refused(&writer, "f40", FED_E_UNSUPPORTED, "more than 32 deep");
}

static void test_broken_functions(void **state) {
  (void)state;
  struct graph_writer writer;
  begin(&writer);
  writer_body(&writer, "Add", "x,w", "y"); /* the graph's names are not the function's */
  writer_floats(&writer, "w", 1, (const int64_t[]){2}, (const float[]){1, 2});
  writer_function(&writer, "outside", "x", "y", "");
  check_refused(&writer, "outside", FED_E_MISSING, "which no input, initializer or earlier node");
  begin(&writer);
  writer_body(&writer, "Relu", "x", "other");
  writer_function(&writer, "silent", "x", "y", "");
  check_refused(&writer, "silent", FED_E_MISSING, "nothing computes the graph's output 'y'");
  begin(&writer);
  writer_body(&writer, "Relu", "", "y");
  writer_function(&writer, "narrow", "", "y", "");
  check_refused(&writer, "narrow", FED_E_SHAPE, "with 1 inputs and 1 outputs; it has 0 and 1");
  begin(&writer);
  writer.opset = 18;
  writer_body(&writer, "Relu", "x", "y");
  writer_function(&writer, "newer", "x", "y", "");
  writer.opset = 17;
  check_refused(&writer, "newer", FED_E_UNSUPPORTED, "written for opset 18, the model for 17");
  begin(&writer);
  check_refused(&writer, "nowhere", FED_E_UNSUPPORTED, "operator nowhere of domain local");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nested_calls),
      cmocka_unit_test(test_optional),
      cmocka_unit_test(test_trained_and_exported),
      cmocka_unit_test(test_recursion),
      cmocka_unit_test(test_blow_up),
      cmocka_unit_test(test_broken_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
