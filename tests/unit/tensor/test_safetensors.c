/* SPDX-License-Identifier: Apache-2.0
 *
 * test_safetensors.c: files of the safetensors package, round trips, hostile files, truncation at
 * every byte, and every allocation failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "fed/safetensors.h"
#include "vector_files.h"

#include <stdio.h>
#include <stdlib.h>

static struct fed_context context;

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

static struct fed_params decode_vector(const char *name) {
  struct fed_buffer file = read_vector(&context, name);
  struct fed_params params;
  if (fed_safetensors_decode(fed_buffer_slice(&file), &context, &params) != FED_OK)
    fail_msg("%s: %s", name, fed_error_last()->message);
  fed_buffer_clear(&file);
  return params;
}

static const struct fed_tensor *find(const struct fed_params *params, const char *name,
                                     enum fed_dtype dtype, uint32_t rank) {
  const struct fed_tensor *tensor = fed_params_find(params, name);
  assert_non_null(tensor);
  assert_int_equal(tensor->dtype, dtype);
  assert_int_equal(tensor->shape.rank, rank);
  return tensor;
}

/* --- files of the Python package --- */

static void plain_file_of_the_package(void **state) {
  (void)state;
  struct fed_params params = decode_vector("safetensors/plain.safetensors");
  static const float w[] = {-1, -0.5f, 0, 0.5f, 1, 1.5f}, b[] = {-0.0f, 1e-45f, 3.4e38f};
  assert_int_equal(params.count, 2);
  const struct fed_tensor *tensor = find(&params, "w", FED_F32, 2);
  assert_true(tensor->shape.dims[0] == 2 && tensor->shape.dims[1] == 3);
  assert_memory_equal(tensor->data, w, sizeof w);
  assert_memory_equal(find(&params, "b", FED_F32, 1)->data, b, sizeof b);
  fed_params_clear(&params);
}

static void notes_of_the_package_are_skipped(void **state) {
  (void)state;
  struct fed_params params = decode_vector("safetensors/notes.safetensors");
  static const float w[] = {1, 2};
  assert_int_equal(params.count, 1);
  assert_memory_equal(find(&params, "w", FED_F32, 1)->data, w, sizeof w);
  fed_params_clear(&params);
}

static void types_of_the_package(void **state) {
  (void)state;
  static const double f64[] = {0, 1, 100};
  static const float f32[] = {0, 1, 100};
  static const uint16_t f16[] = {0x0000, 0x3c00, 0x5640}; /* IEEE 754 binary16 */
  static const uint8_t u8[] = {0, 1, 100}, boolean[] = {0, 1, 1};
  static const uint16_t u16[] = {0, 1, 100};
  static const uint32_t u32[] = {0, 1, 100};
  static const uint64_t u64[] = {0, 1, 100};
  static const struct {
    const char *name;
    enum fed_dtype dtype;
    const void *bytes;
    size_t size;
  } types[] = {
      {"f64", FED_F64, f64, 24}, {"f32", FED_F32, f32, 12}, {"f16", FED_F16, f16, 6},
      {"i8", FED_I8, u8, 3},     {"u8", FED_U8, u8, 3},     {"i16", FED_I16, u16, 6},
      {"u16", FED_U16, u16, 6},  {"i32", FED_I32, u32, 12}, {"u32", FED_U32, u32, 12},
      {"i64", FED_I64, u64, 24}, {"u64", FED_U64, u64, 24}, {"bool", FED_BOOL, boolean, 3}};
  struct fed_params params = decode_vector("safetensors/types.safetensors");
  assert_int_equal(params.count, sizeof types / sizeof types[0]);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    const struct fed_tensor *tensor = find(&params, types[i].name, types[i].dtype, 1);
    assert_int_equal(fed_tensor_bytes(tensor), types[i].size);
    assert_memory_equal(tensor->data, types[i].bytes, types[i].size);
  }
  fed_params_clear(&params);
}

static void shapes_and_names_of_the_package(void **state) {
  (void)state;
  struct fed_params params = decode_vector("safetensors/shapes.safetensors");
  assert_int_equal(params.count, 4);
  assert_int_equal(*(const int32_t *)find(&params, "scalar", FED_I32, 0)->data, 7);
  assert_int_equal(fed_tensor_elements(find(&params, "empty", FED_F32, 2)), 0);
  const struct fed_tensor *cube = find(&params, "cube", FED_I16, 3);
  for (int i = 0; i < 24; i++) assert_int_equal(((const int16_t *)cube->data)[i], i);
  assert_true(*(const float *)find(&params, "\xc3\xa9/name.with\"quote", FED_F32, 1)->data == 4);
  fed_params_clear(&params);
  params = decode_vector("safetensors/nothing.safetensors");
  assert_int_equal(params.count, 0);
  fed_params_clear(&params);
}

/* --- round trips --- */

static void files_come_back_and_are_the_same_every_time(void **state) {
  (void)state;
  static const char *const names[] = {"plain", "notes", "types", "shapes", "nothing"};
  static const struct fed_safetensors_note notes[] = {{"round", "3"}, {"text", "\"\n\xc3\xa9"}};
  for (size_t i = 0; i < 5; i++) {
    char path[64];
    struct fed_buffer first, second;
    struct fed_params again;
    snprintf(path, sizeof path, "safetensors/%s.safetensors", names[i]);
    struct fed_params params = decode_vector(path);
    fed_buffer_init(&first, &context, 1 << 20);
    fed_buffer_init(&second, &context, 1 << 20);
    assert_int_equal(fed_safetensors_encode(&params, notes, i % 3, &first), FED_OK);
    assert_int_equal(fed_safetensors_decode(fed_buffer_slice(&first), &context, &again), FED_OK);
    assert_int_equal(fed_params_match(&params, &again), FED_OK);
    for (size_t k = 0; k < params.count; k++)
      assert_memory_equal(again.tensors[k].data, params.tensors[k].data,
                          fed_tensor_bytes(&params.tensors[k]));
    assert_int_equal(fed_safetensors_encode(&again, notes, i % 3, &second), FED_OK);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    fed_params_clear(&params);
    fed_params_clear(&again);
    fed_buffer_clear(&first);
    fed_buffer_clear(&second);
  }
}

/* The bytes that the format's description asks for. */
static void the_written_file_is_as_described(void **state) {
  (void)state;
  static const struct fed_tensor like[] = {{"w", FED_U8, {1, {3}}, NULL}};
  static const struct fed_safetensors_note note = {"k", "v"};
  static const char header[] =
      "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"U8\",\"shape\":[3],"
      "\"data_offsets\":[0,3]}}";
  struct fed_params params;
  struct fed_buffer out;
  fed_buffer_init(&out, &context, 1000);
  assert_int_equal(fed_params_init(&params, &context, like, 1), FED_OK);
  memcpy(params.storage, "abc", 3);
  assert_int_equal(fed_safetensors_encode(&params, &note, 1, &out), FED_OK);
  const size_t padded = (sizeof header - 1 + 7) / 8 * 8;
  assert_int_equal(out.size, 8 + padded + 3);
  assert_int_equal(out.data[0], padded);
  for (int i = 1; i < 8; i++) assert_int_equal(out.data[i], 0);
  assert_memory_equal(out.data + 8, header, sizeof header - 1);
  for (size_t i = 8 + sizeof header - 1; i < 8 + padded; i++) assert_int_equal(out.data[i], ' ');
  assert_memory_equal(out.data + 8 + padded, "abc", 3);
  fed_params_clear(&params);
  fed_buffer_clear(&out);
}

static void what_cannot_be_written_leaves_the_buffer_alone(void **state) {
  (void)state;
  static const struct fed_tensor reserved[] = {{"__metadata__", FED_U8, {1, {3}}, NULL}};
  static const struct fed_tensor latin1[] = {{"a", FED_U8, {0}, NULL}, {"\xe9", FED_U8, {0}, NULL}};
  static const struct fed_tensor good[] = {{"w", FED_F32, {1, {100}}, NULL}};
  static const struct fed_safetensors_note bad_note = {"key", "\xff"};
  struct fed_params params;
  struct fed_buffer out;
  fed_buffer_init(&out, &context, 300);
  assert_int_equal(fed_buffer_append(&out, "kept", 4), FED_OK);
  assert_int_equal(fed_params_init(&params, &context, reserved, 1), FED_OK);
  assert_int_equal(fed_safetensors_encode(&params, NULL, 0, &out), FED_E_INPUT);
  fed_params_clear(&params);
  assert_int_equal(fed_params_init(&params, &context, latin1, 2), FED_OK);
  assert_int_equal(fed_safetensors_encode(&params, NULL, 0, &out), FED_E_INPUT);
  fed_params_clear(&params);
  assert_int_equal(fed_params_init(&params, &context, good, 1), FED_OK);
  assert_int_equal(fed_safetensors_encode(&params, &bad_note, 1, &out), FED_E_INPUT);
  assert_int_equal(fed_safetensors_encode(&params, NULL, 0, &out), FED_E_TOO_LARGE);
  assert_string_equal(fed_buffer_text(&out), "kept");
  fed_params_clear(&params);
  fed_buffer_clear(&out);
}

/* --- hostile files --- */

static int decode(const char *header, size_t data_size) {
  struct fed_buffer file;
  struct fed_params params;
  const size_t size = strlen(header);
  uint8_t prefix[8] = {(uint8_t)size, (uint8_t)(size >> 8)};
  fed_buffer_init(&file, &context, 1 << 20);
  assert_int_equal(fed_buffer_append(&file, prefix, 8), FED_OK);
  assert_int_equal(fed_buffer_append(&file, header, size), FED_OK);
  assert_int_equal(fed_buffer_reserve(&file, data_size), FED_OK);
  memset(file.data + file.size, 1, data_size);
  file.size += data_size;
  /* In a block of just its size, so that a sanitizer sees a read beyond. */
  uint8_t *exact = malloc(file.size);
  assert_non_null(exact);
  memcpy(exact, file.data, file.size);
  const int code = fed_safetensors_decode(fed_slice_of(exact, file.size), &context, &params);
  free(exact);
  fed_buffer_clear(&file);
  if (code != FED_OK) assert_true(params.tensors == NULL && params.count == 0);
  if (code != FED_OK) assert_message_has("safetensors");
  fed_params_clear(&params);
  return code;
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const char *header;
  size_t data_size;
  int code;
} headers[] = {
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "}", 4, FED_OK}, /* the good one */
    /* layout */
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[4]", "[2,6]") "}", 6,
     FED_E_RANGE}, /* overlap */
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[4]", "[0,4]") "}", 4,
     FED_E_RANGE}, /* the same bytes */
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[4]", "[5,9]") "}", 9,
     FED_E_RANGE},                                               /* a gap */
    {"{" TENSOR("a", "U8", "[4]", "[1,5]") "}", 5, FED_E_RANGE}, /* a gap at the start */
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "}", 5, FED_E_RANGE}, /* bytes left over */
    {"{}", 1, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "}", 3, FED_E_RANGE}, /* beyond the end */
    {"{" TENSOR("a", "U8", "[4]", "[4,0]") "}", 4, FED_E_RANGE}, /* backwards */
    {"{" TENSOR("a", "U8", "[4]", "[-4,0]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[0,4,4]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[0]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[0.0,4.0]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "{\"0\":4}") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[9223372036854775803,9223372036854775807]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4]", "[0,18446744073709551620]") "}", 4, FED_E_SYNTAX},
    /* shape and type */
    {"{" TENSOR("a", "U8", "[3]", "[0,4]") "}", 4, FED_E_SHAPE},
    {"{" TENSOR("a", "F32", "[4]", "[0,4]") "}", 4, FED_E_SHAPE},
    {"{" TENSOR("a", "U8", "[]", "[0,4]") "}", 4, FED_E_SHAPE},
    {"{" TENSOR("a", "U8", "[-4]", "[0,4]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[-2,-2]", "[0,4]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[4.0]", "[0,4]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "[\"4\"]", "[0,4]") "}", 4, FED_E_RANGE},
    {"{" TENSOR("a", "U8", "4", "[0,4]") "}", 4, FED_E_SHAPE},
    {"{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") "}", 4, FED_E_SHAPE},
    {"{" TENSOR("a", "U8", "[4294967296,4294967296]", "[0,0]") "}", 0, FED_E_TOO_LARGE},
    {"{" TENSOR("a", "F32", "[4611686018427387905]", "[0,4]") "}", 4, FED_E_SHAPE}, /* 2^62+1 */
    {"{" TENSOR("a", "F31", "[4]", "[0,4]") "}", 4, FED_E_UNSUPPORTED},
    {"{\"a\":{\"dtype\":4,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, FED_E_SYNTAX},
    {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, FED_E_SYNTAX},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4],\"x\":1}}", 4, FED_E_SHAPE},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"x\":1}}", 4, FED_E_RANGE},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}}", 4, FED_E_SYNTAX},
    {"{\"a\":7}", 0, FED_E_SYNTAX},
    /* names */
    {"{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("a", "U8", "[4]", "[4,8]") "}", 8,
     FED_E_DUPLICATE},
    {"{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("\\u0061", "U8", "[2]", "[2,4]") "}", 4,
     FED_E_DUPLICATE},
    {"{" TENSOR("a\\u0000b", "U8", "[4]", "[0,4]") "}", 4, FED_E_SYNTAX},
    {"{" TENSOR("\xff", "U8", "[4]", "[0,4]") "}", 4, FED_E_SYNTAX},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, FED_E_DUPLICATE},
    {"{\"__metadata__\":{\"a\":1}}", 0, FED_E_SYNTAX},
    {"{\"__metadata__\":[]}", 0, FED_E_SYNTAX},
    /* JSON */
    {"", 0, FED_E_SYNTAX},
    {"[]", 0, FED_E_SYNTAX},
    {" {}", 0, FED_E_SYNTAX},
    {"{}x", 0, FED_E_SYNTAX},
    {"{", 0, FED_E_SYNTAX},
    {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, FED_E_SYNTAX},
};

static void hostile_headers_are_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    const int code = decode(headers[i].header, headers[i].data_size);
    if (code != headers[i].code)
      fail_msg("%s: expected %s, got %s (%s)", headers[i].header, fed_error_name(headers[i].code),
               fed_error_name(code), fed_error_last()->message);
  }
}

static void sizes_of_the_header_are_checked(void **state) {
  (void)state;
  static const struct {
    uint8_t bytes[12];
    size_t size;
    int code;
  } cases[] = {{{0}, 0, FED_E_TRUNCATED},
               {{2, 0, 0, 0, 0, 0, 0}, 7, FED_E_TRUNCATED},
               {{2, 0, 0, 0, 0, 0, 0, 0, '{'}, 9, FED_E_TRUNCATED},
               {{255, 255, 255, 255, 255, 255, 255, 255, '{', '}'}, 10, FED_E_TOO_LARGE},
               {{248, 255, 255, 255, 255, 255, 255, 255, '{', '}'}, 10, FED_E_TOO_LARGE},
               {{1, 0, 0, 1, 0, 0, 0, 0, '{', '}'}, 10, FED_E_TOO_LARGE}, /* 16 MiB + 1 */
               {{0, 0, 0, 1, 0, 0, 0, 0, '{', '}'}, 10, FED_E_TRUNCATED},
               {{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, 10, FED_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed_params params;
    assert_int_equal(
        fed_safetensors_decode(fed_slice_of(cases[i].bytes, cases[i].size), &context, &params),
        cases[i].code);
    fed_params_clear(&params);
  }
}

static void too_many_tensors_are_refused(void **state) {
  (void)state;
  struct fed_buffer header;
  struct fed_params params;
  uint8_t prefix[8] = {0};
  fed_buffer_init(&header, &context, 1 << 24);
  assert_int_equal(fed_buffer_append(&header, prefix, 8), FED_OK);
  for (int i = 0; i <= 10000; i++)
    assert_int_equal(fed_buffer_print(&header, "%c\"%d\":0", i ? ',' : '{', i), FED_OK);
  assert_int_equal(fed_buffer_append(&header, "}", 1), FED_OK);
  for (int k = 0; k < 8; k++) header.data[k] = (uint8_t)((uint64_t)(header.size - 8) >> (8 * k));
  assert_int_equal(fed_safetensors_decode(fed_buffer_slice(&header), &context, &params),
                   FED_E_SYNTAX);
  assert_message_has("at most 10000");
  fed_buffer_clear(&header);
}

/* Every prefix of a file is refused, read in a block of just its size. */
static void files_cut_anywhere_are_refused(void **state) {
  (void)state;
  static const char *const names[] = {"safetensors/types.safetensors",
                                      "safetensors/shapes.safetensors"};
  for (size_t n = 0; n < 2; n++) {
    struct fed_buffer file = read_vector(&context, names[n]);
    for (size_t size = 0; size < file.size; size++) {
      struct fed_params params;
      uint8_t *exact = malloc(size ? size : 1);
      assert_non_null(exact);
      memcpy(exact, file.data, size);
      const int code = fed_safetensors_decode(fed_slice_of(exact, size), &context, &params);
      assert_true(code == FED_E_TRUNCATED || code == FED_E_RANGE);
      fed_params_clear(&params);
      free(exact);
    }
    fed_buffer_clear(&file);
  }
}

/* Any single changed byte of the header is refused or gives a set whose layout is consistent. */
static void changed_bytes_never_break_the_layout(void **state) {
  (void)state;
  struct fed_buffer file = read_vector(&context, "safetensors/shapes.safetensors");
  const size_t header_end = 8 + file.data[0] + 256u * file.data[1];
  static const uint8_t changes[] = {'0', '9', '-', '"', ',', ']', '}', 0, 0xff, ' '};
  for (size_t at = 0; at < header_end; at++)
    for (size_t c = 0; c < sizeof changes; c++) {
      struct fed_params params;
      const uint8_t kept = file.data[at];
      file.data[at] = changes[c];
      if (fed_safetensors_decode(fed_buffer_slice(&file), &context, &params) == FED_OK) {
        size_t bytes = 0;
        for (size_t i = 0; i < params.count; i++) bytes += fed_tensor_bytes(&params.tensors[i]);
        assert_int_equal(bytes, file.size - header_end);
      }
      fed_params_clear(&params);
      file.data[at] = kept;
    }
  fed_buffer_clear(&file);
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  struct fed_buffer file = read_vector(&context, "safetensors/shapes.safetensors");
  int code = FED_E_MEMORY;
  long allowed = 0;
  for (; code != FED_OK; allowed++) {
    struct failing_alloc failing;
    struct fed_context limited;
    struct fed_params params;
    failing_alloc_init(&failing, &limited, allowed);
    code = fed_safetensors_decode(fed_buffer_slice(&file), &limited, &params);
    assert_true(code == FED_OK || code == FED_E_MEMORY);
    fed_params_clear(&params);
    assert_int_equal(failing.living, 0);
  }
  assert_int_equal(allowed, 1 + 8); /* entries, their copy, the table, four names, the block */
  fed_buffer_clear(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_file_of_the_package),
      cmocka_unit_test(notes_of_the_package_are_skipped),
      cmocka_unit_test(types_of_the_package),
      cmocka_unit_test(shapes_and_names_of_the_package),
      cmocka_unit_test(files_come_back_and_are_the_same_every_time),
      cmocka_unit_test(the_written_file_is_as_described),
      cmocka_unit_test(what_cannot_be_written_leaves_the_buffer_alone),
      cmocka_unit_test(hostile_headers_are_refused),
      cmocka_unit_test(sizes_of_the_header_are_checked),
      cmocka_unit_test(too_many_tensors_are_refused),
      cmocka_unit_test(files_cut_anywhere_are_refused),
      cmocka_unit_test(changed_bytes_never_break_the_layout),
      cmocka_unit_test(running_out_of_memory_leaves_nothing),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
