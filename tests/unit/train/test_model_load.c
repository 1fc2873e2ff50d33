/* SPDX-License-Identifier: Apache-2.0
 *
 * test_model_load.c: files that are broken, hostile or beyond what the engine does are refused
 * with a message that helps, and never crash it (run under the sanitizers, too).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "fed/train.h"
#include "unit/train/graph_writer.h"

#define TRUNCATIONS 300
#define FLIPS 600

static void read_model(const char *folder, const struct fed_context *context,
                       struct fed_buffer *file) {
  char path[512];
  snprintf(path, sizeof path, "%s/vectors/onnx/%s/model.onnx", FED_TESTS, folder);
  fed_buffer_init(file, context, 1 << 20);
  must(fed__file_read(path, file));
}

/* A file that still loads must also plan and run, or be refused by then. */
static void use_if_valid(const struct fed_context *context, struct fed_slice file) {
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_train_options options;
  struct fed_metrics metrics = {0};
  if (fed_model_load(context, file, NULL, &model) != FED_OK) {
    assert_null(model);
    assert_true(fed_error_last()->message[0] != '\0');
    return;
  }
  fed_train_options_init(&options);
  options.kernels = FED_KERNELS_REFERENCE;
  options.batch_size = 2;
  if (fed_trainer_new(context, model, &options, &trainer) == FED_OK) {
    int code = fed_train_step(trainer, &metrics);
    assert_true(code == FED_OK || code == FED_E_NOT_FINITE);
    fed_trainer_free(trainer);
  }
  fed_model_free(model);
}

static void test_truncated(void **state) {
  struct fed_context context;
  struct fed_buffer file;
  fed_context_init(&context);
  read_model(*state, &context, &file);
  for (size_t i = 0; i < TRUNCATIONS; i++) {
    const size_t size = file.size * i / TRUNCATIONS;
    /* A copy of just that size, so that reading beyond it is noticed. */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, file.data, size);
    use_if_valid(&context, fed_slice_of(copy, size));
    free(copy);
  }
  fed_buffer_clear(&file);
}

static void test_flipped(void **state) {
  struct fed_context context;
  struct fed_buffer file;
  struct fed_rng rng;
  fed_context_init(&context);
  read_model(*state, &context, &file);
  fed__rng_init(&rng, 1, "flips", 0, 0);
  for (size_t i = 0; i < FLIPS; i++) {
    /* Three of four go into the parts that are not weights: the file's beginning and end. */
    const size_t part = i % 4 ? 2048 : file.size;
    size_t at = (size_t)fed__rng_below(&rng, part);
    if (i % 4 == 3) at = file.size - 1 - at % 512;
    const uint8_t mask = (uint8_t)(1 << fed__rng_below(&rng, 8));
    file.data[at] ^= mask;
    use_if_valid(&context, fed_buffer_slice(&file));
    file.data[at] ^= mask;
  }
  fed_buffer_clear(&file);
}

/* A sound graph, y = Gemm(x, w), up to the point where a test breaks it. */
static void begin_graph(struct graph_writer *writer) {
  static const float w[6] = {1, 2, 3, 4, 5, 6};
  writer_init(writer);
  writer_input(writer, "x", 1, (const int64_t[]){2});
  writer_floats(writer, "w", 2, (const int64_t[]){2, 3}, w);
}

static void end_graph(struct graph_writer *writer) {
  writer_node(writer, "Gemm", "x,w", "y");
  writer_output(writer, "y");
}

static void check_refused(struct graph_writer *writer, int code, const char *part) {
  struct fed_model *model;
  const int found = fed_model_load(&writer->context, writer_finish(writer), NULL, &model);
  if (found != code || !strstr(fed_error_last()->message, part))
    fail_msg("expected %s with \"%s\", found %s: %s", fed_error_name(code), part,
             fed_error_name(found), fed_error_last()->message);
  assert_null(model);
  writer_clear(writer);
}

static void test_sound(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_model *model;
  begin_graph(&writer);
  end_graph(&writer);
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  assert_string_equal(fed_model_params(model)->tensors[0].name, "w");
  assert_int_equal(fed_model_inputs(model)->inputs[0].shape.rank, 1);
  assert_int_equal(fed_model_inputs(model)->target.shape.rank, 0);
  fed_model_free(model);
  writer_clear(&writer);
}

static void test_unsupported_operator(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Hadamard", "x,w", "y");
  check_refused(&writer, FED_E_UNSUPPORTED,
                "node 'node_y': operator Hadamard of opset 17 is not "
                "supported; `fed model operators` lists those that are");
  begin_graph(&writer);
  writer_node(&writer, "Loop", "x,w", "y");
  check_refused(&writer, FED_E_UNSUPPORTED, "export with the loop unrolled");
}

static void test_operator_of_another_opset(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Gelu", "x", "y");
  check_refused(&writer, FED_E_UNSUPPORTED,
                "operator Gelu of opset 17 is not supported, that of opsets 20 to ");
}

static int load_with_opset(uint64_t opset) {
  struct graph_writer writer;
  struct fed_model *model;
  begin_graph(&writer);
  end_graph(&writer);
  writer.opset = opset;
  const int code = fed_model_load(&writer.context, writer_finish(&writer), NULL, &model);
  fed_model_free(model);
  writer_clear(&writer);
  return code;
}

/* Gemm has meant the same since opset 13; an opset that nobody knows may have changed it. */
static void test_opsets(void **state) {
  (void)state;
  for (uint64_t opset = 13; opset <= 23; opset++) assert_int_equal(load_with_opset(opset), FED_OK);
  assert_int_equal(load_with_opset(12), FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message,
                         "node 'node_y': operator Gemm of opset 12 is not supported"));
  assert_non_null(strstr(fed_error_last()->message, "export the model with opset 13"));
  assert_int_equal(load_with_opset(1000), FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "operator Gemm of opset 1000"));
  assert_int_equal(load_with_opset(0), FED_E_UNSUPPORTED);
  assert_non_null(strstr(fed_error_last()->message, "does not say which opset"));
  assert_int_equal(load_with_opset(UINT64_MAX), FED_E_UNSUPPORTED);
}

static void check_domain(const char *domain, const char *type, const char *part) {
  struct graph_writer writer;
  begin_graph(&writer);
  writer.domain = domain;
  writer_node(&writer, type, "x,w", "y");
  writer_output(&writer, "y");
  check_refused(&writer, FED_E_UNSUPPORTED, part);
}

static void test_domains(void **state) {
  (void)state;
  check_domain("com.microsoft", "Gemm", "without optimisation");
  check_domain("ai.onnx.ml", "LinearClassifier", "black_op=");
  check_domain("ai.onnx.ml", "Scaler", "black_op=");
  check_domain("ai.onnx.ml", "TreeEnsembleClassifier", "trees do not train by gradients");
  check_domain("ai.onnx.ml", "SVMRegressor", "support vectors");
  check_domain("ai.onnx.ml", "ArrayFeatureExtractor", "the scores in place of the label");
  check_domain("com.example", "Gemm", "export with ONNX's operators only");
  struct graph_writer writer;
  struct fed_model *model;
  begin_graph(&writer);
  writer.domain = "ai.onnx"; /* another name for no domain */
  end_graph(&writer);
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  fed_model_free(model);
  writer_clear(&writer);
}

static void test_cycle(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Add", "x,later", "sooner");
  writer_node(&writer, "Add", "sooner,x", "later");
  check_refused(&writer, FED_E_MISSING, "reads 'later'");
}

static void test_itself(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Relu", "y", "y");
  check_refused(&writer, FED_E_MISSING, "reads 'y'");
}

static void test_defined_twice(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Relu", "x", "w");
  end_graph(&writer);
  check_refused(&writer, FED_E_DUPLICATE, "'w'");
}

static void test_no_output(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_output(&writer, "nowhere");
  check_refused(&writer, FED_E_MISSING, "'nowhere'");
}

static void test_shapes_do_not_fit(void **state) {
  (void)state;
  struct graph_writer writer;
  static const float more[5] = {0};
  begin_graph(&writer);
  writer_floats(&writer, "c", 1, (const int64_t[]){5}, more);
  writer_node(&writer, "Gemm", "x,w,c", "y");
  writer_output(&writer, "y");
  check_refused(&writer, FED_E_SHAPE, "node 'node_y' (Gemm): shapes [1, 3] and [5]");
}

static void test_batch_written_in(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_ints(&writer, "shape", 2, (const int64_t[]){8, 2});
  writer_node(&writer, "Reshape", "x,shape", "y");
  writer_output(&writer, "y");
  check_refused(&writer, FED_E_SHAPE, "is the batch size written into the model?");
}

static void check_tensor(const int64_t dims[2], unsigned type, size_t bytes, int code,
                         const char *part) {
  struct graph_writer writer;
  static const char zeros[64];
  begin_graph(&writer);
  writer_tensor(&writer, "t", type, 2, dims, zeros, bytes);
  writer_node(&writer, "Gemm", "x,w,t", "y");
  writer_output(&writer, "y");
  check_refused(&writer, code, part);
}

static void test_tensors(void **state) {
  (void)state;
  check_tensor((const int64_t[]){2, 3}, 1, 20, FED_E_SHAPE, "tensor 't' of shape [2, 3]");
  check_tensor((const int64_t[]){2, 3}, 1, 28, FED_E_SHAPE, "needs 6 elements");
  check_tensor((const int64_t[]){-2, 3}, 1, 24, FED_E_RANGE, "tensor 't'");
  check_tensor((const int64_t[]){INT64_C(1) << 62, 4}, 1, 0, FED_E_TOO_LARGE, "tensor 't'");
  check_tensor((const int64_t[]){INT64_C(1) << 61, 8}, 1, 0, FED_E_TOO_LARGE, "tensor 't'");
  check_tensor((const int64_t[]){INT64_C(1) << 62, 1}, 1, 0, FED_E_SHAPE, "tensor 't'");
  check_tensor((const int64_t[]){2, 3}, 10, 24, FED_E_SHAPE, "needs 6 elements of F16");
  check_tensor((const int64_t[]){2, 3}, 8, 12, FED_E_UNSUPPORTED, "ONNX data type 8 (string)");
  check_tensor((const int64_t[]){2, 3}, 17, 5, FED_E_SHAPE, "'t': 6 elements of float8e4m3fn need");
  check_tensor((const int64_t[]){2, 3}, 22, 2, FED_E_SHAPE, "of int4 need 3 bytes");
  check_tensor((const int64_t[]){-2, 3}, 22, 3, FED_E_RANGE, "tensor 't'");
  check_tensor((const int64_t[]){2, 3}, 99, 6, FED_E_UNSUPPORTED, "(unknown)");
}

static void test_external_data(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_buffer tensor;
  begin_graph(&writer);
  fed_buffer_init(&tensor, &writer.context, 1024);
  put_number(&tensor, 1, 4);
  put_number(&tensor, 2, 1);
  put_text(&tensor, 8, "far");
  put_number(&tensor, 14, 1);
  put_part(&writer.graph, 5, &tensor);
  check_refused(&writer, FED_E_UNSUPPORTED, "'far' keeps its data in another file");
}

static void test_sparse(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  put_bytes(&writer.graph, 15, "", 0);
  check_refused(&writer, FED_E_UNSUPPORTED, "sparse");
}

static void test_subgraph(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_buffer attribute;
  begin_graph(&writer);
  fed_buffer_init(&attribute, &writer.context, 1024);
  put_bytes(&attribute, 6, "", 0);
  writer_attribute(&writer, &attribute, "body", 5);
  writer_node(&writer, "Relu", "x", "y");
  check_refused(&writer, FED_E_UNSUPPORTED, "'body' holds a subgraph");
}

static void test_arity(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_node(&writer, "Gemm", "x", "y");
  check_refused(&writer, FED_E_SHAPE, "has 1 inputs, expected 2 to 3");
  begin_graph(&writer);
  writer_node(&writer, "Gemm", ",w", "y");
  check_refused(&writer, FED_E_MISSING, "input 0 is left out");
  begin_graph(&writer);
  writer_node(&writer, "Relu", "x", "y,z");
  check_refused(&writer, FED_E_UNSUPPORTED, "has 2 outputs");
}

static void test_attribute_type(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_float_attribute(&writer, "transB", 1);
  end_graph(&writer);
  check_refused(&writer, FED_E_TYPE, "'transB' should be an integer");
}

/* Convolution attributes that would overflow or divide by zero if they were believed. */
static void check_conv(const char *attribute, int64_t value, size_t count, int code) {
  static const float w[4] = {0};
  const int64_t values[4] = {value, value, value, value};
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 3, (const int64_t[]){1, 4, 4});
  writer_floats(&writer, "w", 4, (const int64_t[]){1, 1, 2, 2}, w);
  if (count)
    writer_ints_attribute(&writer, attribute, count, values);
  else
    writer_int_attribute(&writer, attribute, value);
  writer_node(&writer, "Conv", "x,w", "y");
  writer_output(&writer, "y");
  check_refused(&writer, code, "node 'node_y' (Conv)");
}

static void test_conv_attributes(void **state) {
  (void)state;
  check_conv("strides", 0, 2, FED_E_RANGE);
  check_conv("strides", 1, 1, FED_E_SHAPE);
  check_conv("dilations", 0, 2, FED_E_RANGE);
  check_conv("dilations", INT64_MAX, 2, FED_E_RANGE);
  check_conv("dilations", 9, 2, FED_E_SHAPE);
  check_conv("pads", -1, 4, FED_E_RANGE);
  check_conv("pads", INT64_MAX, 4, FED_E_RANGE);
  check_conv("pads", INT64_C(1) << 31, 4, FED_E_TOO_LARGE);
  check_conv("pads", 1, 3, FED_E_SHAPE);
  check_conv("group", 0, 0, FED_E_SHAPE);
  check_conv("group", 2, 0, FED_E_SHAPE);
  check_conv("group", INT64_MIN, 0, FED_E_SHAPE);
}

static void test_inputs(void **state) {
  (void)state;
  struct graph_writer writer;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){0});
  check_refused(&writer, FED_E_SHAPE, "input 'x': dimension 1 must be a fixed positive number");
  writer_init(&writer);
  writer_value(&writer, 11, "x", 8, 0, NULL);
  check_refused(&writer, FED_E_UNSUPPORTED, "input 'x': ONNX data type 8 (string)");
  writer_init(&writer);
  put_text(&writer.graph, 2, "no inputs");
  check_refused(&writer, FED_E_MISSING, "no inputs");
}

static void test_trainable_names(void **state) {
  (void)state;
  struct graph_writer writer;
  begin_graph(&writer);
  writer_trainable(&writer, "w,v");
  end_graph(&writer);
  check_refused(&writer, FED_E_MISSING, "'v', which is not a float initializer");
  begin_graph(&writer);
  writer_floats(&writer, "unread", 1, (const int64_t[]){1}, &(float){1});
  writer_trainable(&writer, "w,unread");
  end_graph(&writer);
  check_refused(&writer, FED_E_MISSING, "'unread'");
}

/* Numbers in typed fields instead of raw bytes, as some exporters write them. */
static void test_typed_arrays(void **state) {
  (void)state;
  static const float values[6] = {1, -2, 3.5F, 4, 5, 6};
  struct graph_writer writer;
  struct fed_buffer tensor, packed;
  struct fed_model *model, *again;
  writer_init(&writer);
  fed_buffer_init(&tensor, &writer.context, 1024);
  fed_buffer_init(&packed, &writer.context, 1024);
  writer_input(&writer, "x", 2, (const int64_t[]){1, 2});
  put_number(&tensor, 1, 2);
  put_number(&tensor, 1, 3);
  put_number(&tensor, 2, 1);
  put_bytes(&tensor, 4, values, sizeof values);
  put_text(&tensor, 8, "w");
  put_part(&writer.graph, 5, &tensor);
  put_number(&tensor, 1, 2);
  put_number(&tensor, 2, 7);
  put_varint(&packed, UINT64_MAX); /* -1, 2 */
  put_varint(&packed, 2);
  put_part(&tensor, 7, &packed);
  put_text(&tensor, 8, "shape");
  put_part(&writer.graph, 5, &tensor);
  writer_node(&writer, "Reshape", "x,shape", "flat");
  writer_node(&writer, "MatMul", "flat,w", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  assert_memory_equal(fed_params_floats(fed_model_params(model)), values, sizeof values);
  writer.file.size = 0;
  must(fed_model_export(model, fed_model_params(model), &writer.file));
  must(fed_model_load(&writer.context, fed_buffer_slice(&writer.file), NULL, &again));
  assert_memory_equal(fed_params_floats(fed_model_params(again)), values, sizeof values);
  fed_model_free(again);
  fed_model_free(model);
  writer_clear(&writer);
}

/* Without a list: weights and biases train, a lone factor and an unread tensor do not; through a
 * view, a weight still does. */
static void test_trainable_rule(void **state) {
  (void)state;
  static const float values[6] = {1, 2, 3, 4, 5, 6};
  static const char *const expected[] = {"w", "bias", "row"};
  struct graph_writer writer;
  struct fed_model *model;
  begin_graph(&writer);
  writer_floats(&writer, "bias", 1, (const int64_t[]){3}, values);
  writer_floats(&writer, "factor", 1, (const int64_t[]){1}, values);
  writer_floats(&writer, "unread", 1, (const int64_t[]){3}, values);
  writer_floats(&writer, "row", 2, (const int64_t[]){1, 3}, values);
  writer_ints(&writer, "three", 1, (const int64_t[]){3});
  writer_node(&writer, "MatMul", "x,w", "product");
  writer_node(&writer, "Add", "product,bias", "sum");
  writer_node(&writer, "Mul", "sum,factor", "scaled");
  writer_node(&writer, "Reshape", "row,three", "list");
  writer_node(&writer, "Add", "list,scaled", "y");
  writer_node(&writer, "Add", "y,unread", "aside");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  const struct fed_params *params = fed_model_params(model);
  assert_int_equal(params->count, 3);
  for (size_t i = 0; i < 3; i++) assert_string_equal(params->tensors[i].name, expected[i]);
  fed_model_free(model);
  writer_clear(&writer);
}

/* Graphs in attributes in nodes in graphs …: refused before the decoder recurses. */
static void test_deep_nesting(void **state) {
  (void)state;
  struct fed_context context;
  struct fed_buffer inner, outer;
  struct fed_model *model;
  static const unsigned fields[] = {6, 5, 1}; /* attribute.g, node.attribute, graph.node */
  fed_context_init(&context);
  fed_buffer_init(&inner, &context, 1 << 20);
  fed_buffer_init(&outer, &context, 1 << 20);
  for (int i = 0; i < 3 * 1000; i++) {
    put_part(&outer, fields[i % 3], &inner);
    inner = outer;
    fed_buffer_init(&outer, &context, 1 << 20);
  }
  put_part(&outer, 7, &inner);
  assert_int_equal(fed_model_load(&context, fed_buffer_slice(&outer), NULL, &model),
                   FED_E_TOO_LARGE);
  fed_buffer_clear(&outer);
}

/* A few bytes of a file that stand for more than memory should hold, at once or bit by bit. */
static void test_constants_of_any_size(void **state) {
  struct graph_writer writer;
  char name[8];
  (void)state;
  begin_graph(&writer);
  writer_ints(&writer, "one", 1, (const int64_t[]){1});
  writer_ints(&writer, "extents", 2, (const int64_t[]){1 << 15, 1 << 14});
  writer_node(&writer, "ConstantOfShape", "one", "small");
  writer_node(&writer, "Expand", "small,extents", "large");
  writer_node(&writer, "ReduceMean", "large", "mean");
  writer_node(&writer, "Add", "x,mean", "y");
  writer_output(&writer, "y");
  check_refused(&writer, FED_E_TOO_LARGE,
                "node 'node_large' (Expand): what the graph "
                "computes from constants alone would take more than");
  begin_graph(&writer);
  writer_ints(&writer, "extents", 1, (const int64_t[]){65 << 20}); /* 260 MiB */
  for (int i = 0; i < 5; i++) {
    snprintf(name, sizeof name, "part%d", i);
    writer_node(&writer, "ConstantOfShape", "extents", name);
  }
  writer_node(&writer, "Sum", "part0,part1,part2,part3,part4", "sum");
  writer_node(&writer, "ReduceMean", "sum", "mean");
  writer_node(&writer, "Add", "x,mean", "y");
  writer_output(&writer, "y");
  check_refused(&writer, FED_E_TOO_LARGE, "node 'node_part3' (ConstantOfShape)");
}

static void check_bytes(const void *bytes, size_t size, int code) {
  struct fed_context context;
  struct fed_model *model;
  fed_context_init(&context);
  assert_int_equal(fed_model_load(&context, fed_slice_of(bytes, size), NULL, &model), code);
  assert_null(model);
}

static void test_other_bytes(void **state) {
  (void)state;
  check_bytes("", 0, FED_E_EMPTY);
  check_bytes("\x08\x08", 2, FED_E_UNSUPPORTED);    /* no opset */
  check_bytes("\x3a\x00\x3a\x00", 4, FED_E_SYNTAX); /* two graphs */
  check_bytes("\x3a\x05", 2, FED_E_TRUNCATED);      /* a graph of 5 bytes, none there */
  check_bytes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, FED_E_SYNTAX);
  check_bytes("\x89PNG\r\n\x1a\n and so on", 18, FED_E_SYNTAX);
  check_bytes("\x0b", 1, FED_E_SYNTAX); /* a group: long gone from protobuf */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_truncated, (void *)(uintptr_t) "2nn"),
      cmocka_unit_test_prestate(test_truncated, (void *)(uintptr_t) "cnn"),
      cmocka_unit_test_prestate(test_flipped, (void *)(uintptr_t) "2nn"),
      cmocka_unit_test_prestate(test_flipped, (void *)(uintptr_t) "cnn"),
      cmocka_unit_test(test_sound),
      cmocka_unit_test(test_unsupported_operator),
      cmocka_unit_test(test_operator_of_another_opset),
      cmocka_unit_test(test_opsets),
      cmocka_unit_test(test_domains),
      cmocka_unit_test(test_cycle),
      cmocka_unit_test(test_itself),
      cmocka_unit_test(test_defined_twice),
      cmocka_unit_test(test_no_output),
      cmocka_unit_test(test_shapes_do_not_fit),
      cmocka_unit_test(test_batch_written_in),
      cmocka_unit_test(test_tensors),
      cmocka_unit_test(test_external_data),
      cmocka_unit_test(test_sparse),
      cmocka_unit_test(test_subgraph),
      cmocka_unit_test(test_arity),
      cmocka_unit_test(test_attribute_type),
      cmocka_unit_test(test_conv_attributes),
      cmocka_unit_test(test_inputs),
      cmocka_unit_test(test_trainable_names),
      cmocka_unit_test(test_trainable_rule),
      cmocka_unit_test(test_typed_arrays),
      cmocka_unit_test(test_deep_nesting),
      cmocka_unit_test(test_constants_of_any_size),
      cmocka_unit_test(test_other_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
