/* SPDX-License-Identifier: Apache-2.0
 *
 * test_npy.c: arrays that numpy and the safetensors package wrote, and hostile variations.
 */
#include "data_files.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct fed__dataset_schema npy_schema(const struct fed__input_schema *input,
                                             const char *target) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_NPY,
      .inputs = input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = target, .classes = 3}};
}

static struct fed__dataset_schema named_schema(enum fed__data_format format,
                                               const struct fed__input_schema *input) {
  return (struct fed__dataset_schema){
      .format = format,
      .inputs = input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .array = "y", .classes = 3}};
}

/* Two rows of three numbers: what numpy.load prints of x_f4.npy. */
static void all_kinds_of_floats(void **state) {
  (void)state;
  static const char *const files[] = {"x_f4.npy", "x_f8.npy", "x_big_f4.npy", "version2.npy"};
  const float expected[] = {0.5f, -1.25f, 3.0e38f, 1e-3f, 7, -0.1f};
  for (size_t i = 0; i < COUNT(files); i++) {
    struct fed__input_schema input = {.file = files[i]};
    struct fed__dataset_schema schema = npy_schema(&input, files[i]);
    schema.target.kind = FED__TARGET_NUMBER;
    struct fed_examples *examples = opens(VECTORS, &schema);
    assert_int_equal(examples->count, 2);
    assert_int_equal(examples->spec.target.shape.rank, 1);
    assert_int_equal(examples->spec.target.shape.dims[0], 3);
    const uint32_t rows[] = {0, 1};
    float values[6], targets[6];
    gathers(examples, rows, 2, values, targets);
    assert_memory_equal(values, expected, sizeof expected);
    assert_memory_equal(targets, expected, sizeof expected);
    fed_examples_free(examples);
  }
}

static void all_kinds_of_integers(void **state) {
  (void)state;
  static const char *const files[] = {"n_i1.npy", "n_i2.npy", "n_i4.npy", "n_i8.npy",
                                      "n_big_i2.npy"};
  const float expected[] = {-2, 100, 0, 1, 127, -128};
  for (size_t i = 0; i < COUNT(files); i++) {
    struct fed__input_schema input = {.file = files[i]};
    struct fed__dataset_schema schema = npy_schema(&input, "labels_i8.npy");
    struct fed_examples *examples = opens(VECTORS, &schema);
    const uint32_t rows[] = {0, 1, 2};
    float values[6];
    int64_t labels[3];
    gathers(examples, rows, 3, values, labels);
    assert_memory_equal(values, expected, sizeof expected);
    assert_true(labels[0] == 2 && labels[1] == 0 && labels[2] == 1);
    fed_examples_free(examples);
  }
}

static void bytes_are_pixels_and_booleans_labels(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "n_u1.npy", .shape = {.rank = 3, .dims = {1, 2, 2}}};
  struct fed__dataset_schema schema = npy_schema(&input, "n_b1.npy");
  struct fed_examples *examples = opens(VECTORS, &schema);
  assert_int_equal(examples->spec.inputs[0].shape.rank, 3);
  const uint32_t row = 2;
  float values[4];
  int64_t label;
  gathers(examples, &row, 1, values, &label);
  assert_float_equal(values[3], 220 / 255.f, 1e-7);
  assert_int_equal(label, 1);
  fed_examples_free(examples);
}

static void what_is_not_supported(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "fortran.npy"};
  struct fed__dataset_schema schema = npy_schema(&input, "labels_i8.npy");
  refuses(VECTORS, &schema, FED_E_UNSUPPORTED, "save it with numpy.ascontiguousarray");
  input.file = "complex.npy";
  refuses(VECTORS, &schema, FED_E_UNSUPPORTED, "elements of 'complex.npy' are '<c16'");
  input.file = "scalar.npy";
  refuses(VECTORS, &schema, FED_E_SHAPE, "found a single value");
  input.file = "n_i2.npy";
  schema.target.file = "x_f4.npy";
  refuses(VECTORS, &schema, FED_E_SHAPE, "'x_f4.npy': expected 3 rows like the first input");
}

static void write_npy(const char *header, size_t data_size) {
  static uint8_t bytes[20000];
  const size_t size = strlen(header);
  memcpy(bytes, "\x93NUMPY\1\0", 8);
  bytes[8] = (uint8_t)size;
  bytes[9] = (uint8_t)(size >> 8);
  memcpy(bytes + 10, header, size);
  memset(bytes + 10 + size, 0, data_size);
  write_scratch("h.npy", bytes, 10 + size + data_size);
}

static void headers_in_other_orders(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }   \n",
      "{'shape': (2,), 'fortran_order': False, 'descr': '|u1'}\n",
      "{\"shape\":(2 , 1 ),\"descr\":\"<u1\",\"fortran_order\":False}\n",
  };
  struct fed__input_schema input = {.file = "h.npy"};
  struct fed__dataset_schema schema = npy_schema(&input, "h.npy");
  for (size_t i = 0; i < COUNT(headers); i++) {
    write_npy(headers[i], 2);
    struct fed_examples *examples = opens(scratch, &schema);
    assert_int_equal(examples->count, 2);
    fed_examples_free(examples);
  }
}

static void hostile_headers(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int code;
  } cases[] = {
      {"", FED_E_SYNTAX},
      {"{}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), } x\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2), }\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,,), }\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2,), }\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'more': 1}\n", FED_E_SYNTAX},
      {"{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2,)}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}\n", FED_E_SYNTAX},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999999999,)}\n", FED_E_SYNTAX},
      {"{'descr': '', 'fortran_order': False, 'shape': (2,)}\n", FED_E_UNSUPPORTED},
      {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}\n", FED_E_UNSUPPORTED},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}\n", FED_E_UNSUPPORTED},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999999999, 9999)}\n",
       FED_E_TOO_LARGE},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999,)}\n",
       FED_E_TRUNCATED},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}\n", FED_E_TRUNCATED},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}\n", FED_E_INPUT},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 2)}\n", FED_E_INPUT},
  };
  struct fed__input_schema input = {.file = "h.npy"};
  struct fed__dataset_schema schema = npy_schema(&input, "h.npy");
  for (size_t i = 0; i < COUNT(cases); i++) {
    write_npy(cases[i].header, 2);
    refuses(scratch, &schema, cases[i].code, "h.npy");
  }
  write_npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 2)}\n", 0);
  refuses(scratch, &schema, FED_E_EMPTY, "expected at least one example");
  write_scratch("h.npy", "\x93NUMPY\4\0\0\0\0\0", 12);
  refuses(scratch, &schema, FED_E_UNSUPPORTED, "has NPY version 4");
  write_scratch("h.npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12);
  refuses(scratch, &schema, FED_E_TOO_LARGE, "expected at most 10000");
  write_scratch("h.npy", "PK\3\4----", 8);
  refuses(scratch, &schema, FED_E_SYNTAX, "is no NPY file");
}

/* What numpy.load prints of deflated.npz. */
static void archives_stored_and_deflated(void **state) {
  (void)state;
  static const char *const files[] = {"stored.npz", "deflated.npz"};
  for (size_t i = 0; i < COUNT(files); i++) {
    struct fed__input_schema input = {.file = files[i], .array = "x", .scale = 1};
    struct fed__dataset_schema schema = named_schema(FED__DATA_NPZ, &input);
    struct fed_examples *examples = opens(VECTORS, &schema);
    const uint32_t rows[] = {0, 2};
    const float expected[] = {0, 20, 40, 60, 160, 180, 200, 220};
    float values[8];
    int64_t labels[2];
    gathers(examples, rows, 2, values, labels);
    assert_memory_equal(values, expected, sizeof expected);
    assert_true(labels[0] == 2 && labels[1] == 1);
    fed_examples_free(examples);
    input.array = "w";
    refuses(VECTORS, &schema, FED_E_MISSING, "expected an array 'w'");
    input.array = NULL;
    refuses(VECTORS, &schema, FED_E_MISSING, "expected the name of an array");
  }
}

/* An archive with one byte changed, counted from the start or, if negative, from the end. */
static void refuses_changed(const char *vector, long at, uint8_t value, int code,
                            const char *message) {
  struct fed__input_schema input = {.file = "c.npz", .array = "x"};
  struct fed__dataset_schema schema = named_schema(FED__DATA_NPZ, &input);
  struct fed_buffer bytes = read_vector(vector);
  bytes.data[at < 0 ? (size_t)((long)bytes.size + at) : (size_t)at] = value;
  write_scratch("c.npz", bytes.data, bytes.size);
  refuses(scratch, &schema, code, message);
  fed_buffer_clear(&bytes);
}

/* Two directory entries of 46 + 5 bytes ("x.npy", "y.npy") stand before the 22 of the end. */
static void hostile_archives(void **state) {
  (void)state;
  const char *stored = "stored.npz";
  const long first = -22 - 2 * 51, second = -22 - 51;
  refuses_changed(stored, 55 + 128 + 3, 99, FED_E_CORRUPT, "expected the CRC-32");
  refuses_changed(stored, second + 46, 'x', FED_E_DUPLICATE, "has two arrays 'x'");
  refuses_changed(stored, first + 8, 1, FED_E_UNSUPPORTED, "encrypted");
  refuses_changed(stored, first + 10, 12, FED_E_UNSUPPORTED, "expected stored or deflated");
  refuses_changed(stored, first + 10, 8, FED_E_SYNTAX, "does not agree with its directory");
  refuses_changed(stored, first + 42, 1, FED_E_SYNTAX, "does not agree with its directory");
  refuses_changed(stored, first + 45, 0xff, FED_E_TRUNCATED, "ends too early");
  refuses_changed(stored, first + 21, 0xff, FED_E_TRUNCATED, "reaches into its directory");
  refuses_changed(stored, first, 'Q', FED_E_SYNTAX, "an entry of its directory is damaged");
  refuses_changed(stored, second + 29, 0xff, FED_E_SYNTAX, "its directory ends within an entry");
  refuses_changed(stored, -10, 7, FED_E_SYNTAX, "not where its end record says");
  refuses_changed(stored, -1, 1, FED_E_TRUNCATED, "expected the end record");
  refuses_changed(stored, -18, 1, FED_E_UNSUPPORTED, "one of several parts");
  struct fed_buffer deflated = read_vector("deflated.npz"); /* one byte more than its stream */
  const long size_at = (long)deflated.size - 22 - 3 * 51 + 20;
  refuses_changed("deflated.npz", size_at, (uint8_t)(deflated.data[size_at] + 1), FED_E_INPUT,
                  "goes on after the data");
  fed_buffer_clear(&deflated);
}

static void cut_files(void **state) {
  (void)state;
  struct fed_buffer labels = read_vector("labels_i8.npy");
  write_scratch("labels_i8.npy", labels.data, labels.size);
  fed_buffer_clear(&labels);
  struct fed__input_schema input = {.file = "n_i2.npy", .array = "x"};
  struct fed__dataset_schema schema = npy_schema(&input, "labels_i8.npy");
  refuses_every_prefix("n_i2.npy", "n_i2.npy", &schema);
  schema = named_schema(FED__DATA_NPZ, &input);
  input.file = "cut.npz";
  refuses_every_prefix("stored.npz", "cut.npz", &schema);
  refuses_every_prefix("deflated.npz", "cut.npz", &schema);
  schema = named_schema(FED__DATA_SAFETENSORS, &input);
  input.file = "cut.safetensors";
  refuses_every_prefix("arrays.safetensors", "cut.safetensors", &schema);
}

/* Whatever single byte is changed: no crash, and what is accepted has the declared labels. */
static void changed_bytes(void **state) {
  (void)state;
  static const struct {
    const char *vector;
    enum fed__data_format format;
  } cases[] = {{"deflated.npz", FED__DATA_NPZ},
               {"stored.npz", FED__DATA_NPZ},
               {"arrays.safetensors", FED__DATA_SAFETENSORS}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct fed__input_schema input = {.file = "changed", .array = "x"};
    struct fed__dataset_schema schema = named_schema(cases[i].format, &input);
    struct fed_buffer bytes = read_vector(cases[i].vector);
    for (size_t at = 0; at < bytes.size; at++) {
      struct fed_examples *examples = NULL;
      const uint8_t kept = bytes.data[at];
      bytes.data[at] ^= (uint8_t)(1 + at % 255);
      write_scratch("changed", bytes.data, bytes.size);
      bytes.data[at] = kept;
      int code = fed__dataset_open(&context, scratch, &schema, &examples);
      assert_int_equal(fed_error_class(code), code == FED_OK ? FED_CLASS_OK : FED_CLASS_INPUT);
      fed_examples_free(examples);
    }
    fed_buffer_clear(&bytes);
  }
}

static void arrays_of_a_safetensors_file(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "arrays.safetensors", .array = "x"};
  struct fed__dataset_schema schema = named_schema(FED__DATA_SAFETENSORS, &input);
  struct fed_examples *examples = opens(VECTORS, &schema);
  const uint32_t rows[] = {1, 0};
  const float expected[] = {1e-3f, 7, -0.1f, 0.5f, -1.25f, 3.0e38f};
  float values[6];
  int64_t labels[2];
  gathers(examples, rows, 2, values, labels);
  assert_memory_equal(values, expected, sizeof expected);
  assert_true(labels[0] == 0 && labels[1] == 2);
  fed_examples_free(examples);
  schema.target.array = "w";
  refuses(VECTORS, &schema, FED_E_MISSING,
          "'arrays.safetensors': safetensors: expected a tensor 'w'");
  schema.target.array = "x";
  refuses(VECTORS, &schema, FED_E_SHAPE, "expected one class label a row, found 3");
}

/* Larger than what is read at once. */
static void a_large_safetensors_file(void **state) {
  (void)state;
  static const char header[] =
      "{\"x\":{\"dtype\":\"U8\",\"shape\":[1100000],\"data_offsets\":[0,1100000]},"
      "\"y\":{\"dtype\":\"U8\",\"shape\":[1100000],\"data_offsets\":[1100000,2200000]}}";
  const size_t size = sizeof header - 1, total = 8 + size + 2200000;
  uint8_t *bytes = calloc(total, 1);
  assert_non_null(bytes);
  bytes[0] = (uint8_t)size;
  memcpy(bytes + 8, header, size);
  bytes[8 + size + 1099999] = 255;
  bytes[total - 1] = 2;
  write_scratch("large.safetensors", bytes, total);
  free(bytes);
  struct fed__input_schema input = {.file = "large.safetensors", .array = "x"};
  struct fed__dataset_schema schema = named_schema(FED__DATA_SAFETENSORS, &input);
  struct fed_examples *examples = opens(scratch, &schema);
  const uint32_t row = 1099999;
  float value;
  int64_t label;
  gathers(examples, &row, 1, &value, &label);
  assert_true(value == 1 && label == 2);
  fed_examples_free(examples);
}

static void words_for_formats(void **state) {
  (void)state;
  enum fed__data_format format;
  assert_int_equal(fed__data_format_parse("npz", &format), FED_OK);
  assert_int_equal(format, FED__DATA_NPZ);
  assert_int_equal(fed__data_format_parse("csv", &format), FED_OK);
  assert_int_equal(format, FED__DATA_CSV);
  assert_int_equal(fed__data_format_parse("parquet", &format), FED_E_INPUT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_kinds_of_floats),
      cmocka_unit_test(all_kinds_of_integers),
      cmocka_unit_test(bytes_are_pixels_and_booleans_labels),
      cmocka_unit_test(what_is_not_supported),
      cmocka_unit_test(headers_in_other_orders),
      cmocka_unit_test(hostile_headers),
      cmocka_unit_test(archives_stored_and_deflated),
      cmocka_unit_test(hostile_archives),
      cmocka_unit_test(cut_files),
      cmocka_unit_test(changed_bytes),
      cmocka_unit_test(arrays_of_a_safetensors_file),
      cmocka_unit_test(a_large_safetensors_file),
      cmocka_unit_test(words_for_formats),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
