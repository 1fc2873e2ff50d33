/* SPDX-License-Identifier: Apache-2.0
 *
 * test_model_inputs.c: dimensions with names, types of inputs, and every form in which ONNX stores
 * a tensor; what is written back has the file's own types.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "fed/train.h"
#include "onnx.pb-c.h"
#include "train/gradient.h"
#include "train/graph_evaluate.h"
#include "unit/train/graph_writer.h"

#include <math.h>

/* ---- dimensions ----------------------------------------------------------------------------- */

/* y = x times a number for each of 2 channels, over any length. */
static void write_symbolic(struct graph_writer *writer, const char *dims) {
  writer_init(writer);
  writer_symbolic(writer, "x", 1, dims);
  writer_floats(writer, "w", 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4});
  writer_node(writer, "MatMul", "x,w", "y");
  writer_output(writer, "y");
}

static void check_dims(const char *dims, const struct fed_dimension *dimensions, size_t count,
                       int code, const char *part) {
  struct graph_writer writer;
  struct fed_model *model;
  const struct fed_model_options options = {.dimensions = dimensions, .dimension_count = count};
  write_symbolic(&writer, dims);
  const int found = fed_model_load(&writer.context, writer_finish(&writer), &options, &model);
  if (found != code || (code != FED_OK && !strstr(fed_error_last()->message, part)))
    fail_msg("%s: expected %s with \"%s\", found %s: %s", dims, fed_error_name(code), part,
             fed_error_name(found), fed_error_last()->message);
  if (code == FED_OK) {
    char shape[64];
    assert_string_equal(
        fed_shape_format(&fed_model_inputs(model)->inputs[0].shape, shape, sizeof shape), part);
  }
  fed_model_free(model);
  writer_clear(&writer);
}

static void test_dimensions(void **state) {
  (void)state;
  static const struct fed_dimension length[] = {{"other", 3}, {"length", 7}},
                                    none[] = {{"length", 0}};
  check_dims("batch,length,2", length, 2, FED_OK, "[7, 2]");
  check_dims("n,length,2", length, 2, FED_OK, "[7, 2]");
  check_dims("?,length,2", length, 2, FED_OK, "[7, 2]");
  check_dims("16,length,2", length, 2, FED_OK, "[7, 2]");
  check_dims("batch,length,2", length, 1, FED_E_MISSING,
             "input 'x': dimension 1 ('length') has no extent; say it: `fed model show --dimension "
             "length=80`, in a job model.dimensions");
  check_dims("batch,length,2", none, 1, FED_E_RANGE, "'length'");
  check_dims("batch,?,2", length, 2, FED_E_SHAPE, "have a name");
  check_dims("length,batch,2", length, 2, FED_E_UNSUPPORTED,
             "dimension 1 ('batch') seems to be the batch");
  check_dims("10,batch_size,2", length, 2, FED_E_UNSUPPORTED, "the first is a fixed number");
  check_dims("n,n,2", length, 2, FED_E_UNSUPPORTED, "batch_first");
  check_dims("", length, 2, FED_E_SHAPE, "needs a shape with the batch as first dimension");
}

static void test_dimension_in_description(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_buffer out;
  const struct fed_dimension length = {"length", 7};
  const struct fed_model_options options = {.dimensions = &length, .dimension_count = 1};
  write_symbolic(&writer, "batch,length,2");
  must(fed_model_load(&writer.context, writer_finish(&writer), &options, &model));
  fed_buffer_init(&out, &writer.context, 1 << 16);
  must(fed_model_describe(model, &out));
  assert_non_null(strstr(fed_buffer_text(&out), "[batch, length=7, 2]"));
  fed_buffer_clear(&out);
  fed_model_free(model);
  writer_clear(&writer);
}

/* ---- types of inputs ------------------------------------------------------------------------ */

static void check_input(unsigned onnx_type, enum fed_dtype expected) {
  struct graph_writer writer;
  struct fed_model *model;
  writer_init(&writer);
  writer_value(&writer, 11, "x", onnx_type, 1, (const int64_t[]){2});
  writer_floats(&writer, "w", 2, (const int64_t[]){2, 2}, (const float[]){1, 2, 3, 4});
  writer_int_attribute(&writer, "to", 1);
  writer_node(&writer, "Cast", "x", "real");
  writer_node(&writer, "MatMul", "real,w", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  assert_int_equal(fed_model_inputs(model)->input_count, 1);
  assert_string_equal(fed_model_inputs(model)->inputs[0].name, "x");
  assert_int_equal(fed_model_inputs(model)->inputs[0].dtype, expected);
  fed_model_free(model);
  writer_clear(&writer);
}

static void test_input_types(void **state) {
  (void)state;
  static const unsigned reals[] = {1, 10, 11, 16};
  static const unsigned integers[] = {2, 3, 4, 5, 6, 7, 9, 12, 13};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) check_input(reals[i], FED_F32);
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) check_input(integers[i], FED_I64);
}

/* Truth values come as integers: anything but 0 is true. */
static void test_truth_input(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_train_options options;
  struct fed_metrics metrics = {0};
  struct fed_shape shape;
  writer_init(&writer);
  writer_value(&writer, 11, "chosen", 9, 1, (const int64_t[]){3});
  writer_floats(&writer, "a", 1, (const int64_t[]){3}, (const float[]){1, 2, 3});
  writer_floats(&writer, "b", 1, (const int64_t[]){3}, (const float[]){-1, -2, -3});
  writer_node(&writer, "Where", "chosen,a,b", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  fed_train_options_init(&options);
  options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  options.batch_size = 1;
  must(fed_trainer_new(&writer.context, model, &options, &trainer));
  memcpy(fed_trainer_batch(trainer)->inputs[0].data, (const int64_t[]){1, 0, 5},
         3 * sizeof(int64_t));
  must(fed_evaluate_step(trainer, &metrics));
  assert_memory_equal(fed__trainer_output(trainer, &shape), ((const float[]){1, -2, 3}),
                      3 * sizeof(float));
  fed_trainer_free(trainer);
  fed_model_free(model);
  writer_clear(&writer);
}

/* ---- storage -------------------------------------------------------------------------------- */

/* A tensor of two elements in a typed field: 5 int32_data, 7 int64_data, 11 uint64_data as varints,
 * 4 float_data, 10 double_data as they are in memory. */
static void write_typed(struct graph_writer *writer, unsigned onnx_type, unsigned field,
                        const uint64_t varints[2], const void *fixed, size_t bytes) {
  struct fed_buffer tensor, packed;
  fed_buffer_init(&tensor, &writer->context, 1024);
  fed_buffer_init(&packed, &writer->context, 1024);
  put_number(&tensor, 1, 2);
  put_number(&tensor, 2, onnx_type);
  for (int i = 0; i < 2 && varints; i++) put_varint(&packed, varints[i]);
  if (varints)
    put_part(&tensor, field, &packed);
  else
    put_bytes(&tensor, field, fixed, bytes);
  put_text(&tensor, 8, "t");
  put_part(&writer->graph, 5, &tensor);
}

static void check_typed(unsigned onnx_type, unsigned field, const uint64_t varints[2],
                        const void *fixed, size_t bytes, float first, float second) {
  struct graph_writer writer;
  struct fed_params outputs;
  writer_init(&writer);
  write_typed(&writer, onnx_type, field, varints, fixed, bytes);
  writer_int_attribute(&writer, "to", 1);
  writer_node(&writer, "Cast", "t", "y");
  writer_output(&writer, "y");
  must(fed__graph_evaluate(&writer.context, writer_finish(&writer), NULL, 0, &outputs));
  const float *found = outputs.tensors[0].data;
  if (found[0] != first || found[1] != second)
    fail_msg("type %u in field %u: %g %g", onnx_type, field, (double)found[0], (double)found[1]);
  fed_params_clear(&outputs);
  writer_clear(&writer);
}

#define VARINTS(a, b) (const uint64_t[]){(uint64_t)(a), (uint64_t)(b)}, NULL, 0
#define RAW(type, a, b) NULL, (const type[]){a, b}, 2 * sizeof(type)

/* float16 0x3c00 is 1, 0xc500 is -5, 0x0001 is 2^-24, 0x7bff is 65504 (IEEE 754); bfloat16 0x3f80
 * is 1, 0xc0a0 is -5. */
static void test_storage(void **state) {
  (void)state;
  enum { RAW_DATA = 9, FLOATS = 4, INT32S = 5, INT64S = 7, DOUBLES = 10, UINT64S = 11 };
  check_typed(1, FLOATS, RAW(float, 1.5F, -2), 1.5F, -2);
  check_typed(1, RAW_DATA, RAW(float, 1.5F, -2), 1.5F, -2);
  check_typed(2, INT32S, VARINTS(200, 1), 200, 1);
  check_typed(2, RAW_DATA, RAW(uint8_t, 200, 1), 200, 1);
  check_typed(3, INT32S, VARINTS(-100, 1), -100, 1);
  check_typed(3, RAW_DATA, RAW(int8_t, -100, 1), -100, 1);
  check_typed(4, INT32S, VARINTS(60000, 1), 60000, 1);
  check_typed(4, RAW_DATA, RAW(uint16_t, 60000, 1), 60000, 1);
  check_typed(5, INT32S, VARINTS(-30000, 1), -30000, 1);
  check_typed(5, RAW_DATA, RAW(int16_t, -30000, 1), -30000, 1);
  check_typed(6, INT32S, VARINTS(-100000, 1), -100000, 1);
  check_typed(6, RAW_DATA, RAW(int32_t, -100000, 1), -100000, 1);
  check_typed(7, INT64S, VARINTS(-3, 1), -3, 1);
  check_typed(7, RAW_DATA, RAW(int64_t, -3, 1), -3, 1);
  check_typed(9, INT32S, VARINTS(1, 0), 1, 0);
  check_typed(9, RAW_DATA, RAW(uint8_t, 1, 0), 1, 0);
  check_typed(10, INT32S, VARINTS(0x3c00, 0xc500), 1, -5);
  check_typed(10, RAW_DATA, RAW(uint16_t, 0x0001, 0x7bff), 0x1p-24F, 65504);
  check_typed(11, DOUBLES, RAW(double, 1.5, -2), 1.5F, -2);
  check_typed(11, RAW_DATA, RAW(double, 1.5, -2), 1.5F, -2);
  check_typed(12, UINT64S, VARINTS(4000000000, 1), 4e9F, 1);
  check_typed(12, RAW_DATA, RAW(uint32_t, 4000000000, 1), 4e9F, 1);
  check_typed(13, UINT64S, VARINTS(7, 1), 7, 1);
  check_typed(13, RAW_DATA, RAW(uint64_t, 7, 1), 7, 1);
  check_typed(16, INT32S, VARINTS(0x3f80, 0xc0a0), 1, -5);
  check_typed(16, RAW_DATA, RAW(uint16_t, 0x3f80, 0xc0a0), 1, -5);
}

#define BYTE(a) NULL, (const uint8_t[]){a}, 1

/* The formats as onnx.ai/onnx/technical has them: float8e4m3fn 0x38 is 1, 0xfe is -448; float8e5m2
 * 0x3c is 1, 0xfc is minus infinity; of the "uz" types 0x80 would be the NaN; float4e2m1 7 is 6, 10
 * is -1. The first of several elements is in the lowest bits. */
static void test_narrow_storage(void **state) {
  (void)state;
  enum { RAW_DATA = 9, INT32S = 5 };
  check_typed(17, RAW_DATA, RAW(uint8_t, 0x38, 0xfe), 1, -448);
  check_typed(17, INT32S, VARINTS(0x38, 0x01), 1, 0x1p-9F);
  check_typed(18, RAW_DATA, RAW(uint8_t, 0x40, 0xff), 1, -240);
  check_typed(19, RAW_DATA, RAW(uint8_t, 0x3c, 0xfc), 1, -INFINITY);
  check_typed(20, RAW_DATA, RAW(uint8_t, 0x40, 0xff), 1, -57344);
  check_typed(23, RAW_DATA, BYTE(0xa7), 6, -1);
  check_typed(24, RAW_DATA, RAW(uint8_t, 127, 130), 1, 8);
  check_typed(21, RAW_DATA, BYTE(0xf0), 0, 15);
  check_typed(22, RAW_DATA, BYTE(0x78), -8, 7);
  check_typed(25, RAW_DATA, BYTE(0x0b), 3, 2);
  check_typed(26, RAW_DATA, BYTE(0x0b), -1, -2);
}

/* The same in a node's attribute: truth values as onnx.helper.make_tensor stores them. */
static void test_storage_in_constant(void **state) {
  (void)state;
  struct graph_writer writer;
  struct fed_buffer attribute, tensor, packed;
  struct fed_params outputs;
  writer_init(&writer);
  fed_buffer_init(&attribute, &writer.context, 1024);
  fed_buffer_init(&tensor, &writer.context, 1024);
  fed_buffer_init(&packed, &writer.context, 1024);
  put_number(&tensor, 1, 2);
  put_number(&tensor, 2, 9);
  put_varint(&packed, 0);
  put_varint(&packed, 1);
  put_part(&tensor, 5, &packed);
  put_part(&attribute, 5, &tensor);
  writer_attribute(&writer, &attribute, "value", 4);
  writer_node(&writer, "Constant", "", "y");
  writer_output(&writer, "y");
  must(fed__graph_evaluate(&writer.context, writer_finish(&writer), NULL, 0, &outputs));
  assert_int_equal(outputs.tensors[0].dtype, FED_BOOL);
  assert_memory_equal(outputs.tensors[0].data, "\0\1", 2);
  fed_params_clear(&outputs);
  writer_clear(&writer);
}

/* Weights of other real types train as float32 and are written back in their own, to the nearest:
 * between 2048 and 4096 float16 counts in twos, ties to the even one; bfloat16 has 8 bits. */
static void check_written(unsigned onnx_type, const void *raw, size_t bytes, const float values[2],
                          const void *expected) {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_params params;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){2});
  writer_tensor(&writer, "w", onnx_type, 2, (const int64_t[]){2, 1}, raw, bytes);
  writer_node(&writer, "MatMul", "x,w", "y");
  writer_output(&writer, "y");
  must(fed_model_load(&writer.context, writer_finish(&writer), NULL, &model));
  assert_int_equal(fed_model_params(model)->count, 1);
  assert_int_equal(fed_model_params(model)->tensors[0].dtype, FED_F32);
  assert_memory_equal(fed_params_floats(fed_model_params(model)), ((const float[]){1, -5}), 8);
  must(fed_params_copy(&params, &writer.context, fed_model_params(model)));
  memcpy(params.storage, values, 2 * sizeof *values);
  writer.file.size = 0;
  must(fed_model_export(model, &params, &writer.file));
  Onnx__ModelProto *file = onnx__model_proto__unpack(NULL, writer.file.size, writer.file.data);
  const Onnx__TensorProto *tensor = file->graph->initializer[0];
  assert_int_equal(tensor->data_type, onnx_type);
  assert_int_equal(tensor->raw_data.len, bytes);
  assert_memory_equal(tensor->raw_data.data, expected, bytes);
  onnx__model_proto__free_unpacked(file, NULL);
  fed_params_clear(&params);
  fed_model_free(model);
  writer_clear(&writer);
}

static void test_written_types(void **state) {
  (void)state;
  static const uint16_t half[2] = {0x3c00, 0xc500}, bfloat[2] = {0x3f80, 0xc0a0};
  static const double wide[2] = {1, -5};
  check_written(10, half, 4, (const float[]){2049, -2051},
                (const uint16_t[]){0x6800, 0xe802}); /* 2048, -2052 */
  check_written(10, half, 4, (const float[]){1e6F, 0x1.8p-24F},
                (const uint16_t[]){0x7c00, 0x0002}); /* infinity; 2 * 2^-24 */
  check_written(16, bfloat, 4, (const float[]){257, -259},
                (const uint16_t[]){0x4380, 0xc382}); /* 256, -260 */
  check_written(11, wide, 16, (const float[]){0.5F, 3}, (const double[]){0.5, 3});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dimensions),
      cmocka_unit_test(test_dimension_in_description),
      cmocka_unit_test(test_input_types),
      cmocka_unit_test(test_truth_input),
      cmocka_unit_test(test_storage),
      cmocka_unit_test(test_narrow_storage),
      cmocka_unit_test(test_storage_in_constant),
      cmocka_unit_test(test_written_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
