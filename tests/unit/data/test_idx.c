/* SPDX-License-Identifier: Apache-2.0
 *
 * test_idx.c: IDX files written by Python's struct and gzip, and hostile ones.
 */
#include "data_files.h"

#include <sys/stat.h>
#include <unistd.h>

static struct fed__input_schema image_input = {
    .name = "image", .file = "images.idx", .shape = {.rank = 3, .dims = {1, 2, 2}}};

static struct fed__dataset_schema images_schema(void) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_IDX,
      .inputs = &image_input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = "labels.idx", .classes = 3}};
}

static void images_are_scaled_and_labels_kept(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed_examples *examples = opens(VECTORS, &schema);
  assert_int_equal(examples->count, 3);
  assert_int_equal(examples->spec.input_count, 1);
  assert_string_equal(examples->spec.inputs[0].name, "image");
  assert_int_equal(examples->spec.inputs[0].dtype, FED_F32);
  assert_true(fed_shape_equal(&examples->spec.inputs[0].shape, &image_input.shape));
  assert_int_equal(examples->spec.target.dtype, FED_I64);
  assert_int_equal(examples->spec.target.shape.rank, 0);
  const uint32_t rows[] = {1, 0, 1};
  float pixels[12];
  int64_t labels[3];
  gathers(examples, rows, 3, pixels, labels);
  const float expected[] = {0.8f, 1, 1 / 255.f, 2 / 255.f, 0, 0.2f, 0.4f, 0.6f};
  for (int i = 0; i < 12; i++) assert_float_equal(pixels[i], expected[i % 8], 1e-7);
  assert_int_equal(labels[0], 0);
  assert_int_equal(labels[1], 2);
  assert_int_equal(labels[2], 0);
  fed_examples_free(examples);
}

static void scale_and_offset_are_the_jobs(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema input = image_input;
  input.scale = 2;
  input.offset = -1;
  input.shape.rank = 0; /* as in the file */
  schema.inputs = &input;
  struct fed_examples *examples = opens(VECTORS, &schema);
  assert_int_equal(examples->spec.inputs[0].shape.rank, 2);
  const uint32_t row = 0;
  float pixels[4];
  int64_t label;
  gathers(examples, &row, 1, pixels, &label);
  assert_float_equal(pixels[0], -1, 0);
  assert_float_equal(pixels[3], 305, 0);
  fed_examples_free(examples);
}

static void packed_file_is_found_by_its_plain_name(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema input = image_input;
  input.file = "packed.idx";
  schema.inputs = &input;
  struct fed_examples *examples = opens(VECTORS, &schema);
  const uint32_t row = 2;
  float pixels[4];
  int64_t label;
  gathers(examples, &row, 1, pixels, &label);
  for (int i = 0; i < 4; i++) assert_float_equal(pixels[i], (float)(3 + i) / 255, 1e-7);
  assert_int_equal(label, 1);
  fed_examples_free(examples);
}

static void all_element_types(void **state) {
  (void)state;
  static const struct {
    const char *file;
    float values[3];
  } cases[] = {{"i8.idx", {-128, 0, 127}},
               {"i16.idx", {-32768, 258, 32767}},
               {"i32.idx", {-2147483648.f, 16909060.f, 2147483647.f}},
               {"f32.idx", {-1.5f, 0.15625f, 3.0e38f}},
               {"f64.idx", {-1.5f, 0.1f, 1.0e-3f}}};
  struct fed__dataset_schema schema = images_schema();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fed__input_schema input = {.file = cases[i].file};
    schema.inputs = &input;
    struct fed_examples *examples = opens(VECTORS, &schema);
    const uint32_t rows[] = {0, 1, 2};
    float values[3];
    int64_t labels[3];
    gathers(examples, rows, 3, values, labels);
    for (int k = 0; k < 3; k++) assert_true(values[k] == cases[i].values[k]);
    fed_examples_free(examples);
  }
}

static void a_number_target_keeps_its_value(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  schema.target = (struct fed__target_schema){.kind = FED__TARGET_NUMBER, .file = "f64.idx"};
  struct fed_examples *examples = opens(VECTORS, &schema);
  assert_int_equal(examples->spec.target.dtype, FED_F32);
  assert_int_equal(examples->spec.target.shape.rank, 0);
  const uint32_t row = 1;
  float pixels[4], target;
  gathers(examples, &row, 1, pixels, &target);
  assert_true(target == 0.1f);
  fed_examples_free(examples);
}

static void a_row_that_does_not_exist(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed_examples *examples = opens(VECTORS, &schema);
  const uint32_t row = 3;
  float pixels[4];
  int64_t label;
  struct fed_batch batch = {.count = 1};
  batch.inputs[0].data = pixels;
  batch.target.data = &label;
  assert_int_equal(examples->gather(examples, &row, 1, &batch), FED_E_RANGE);
  fed_examples_free(examples);
}

/* Two rows of three places, int16; -100 is no class. */
static void a_label_for_each_place(void **state) {
  (void)state;
  static const uint8_t places[] = {0, 0, 11, 2, 0, 0, 0, 2, 0,    0,    0, 3,
                                   0, 0, 0,  1, 0, 2, 0, 2, 0xff, 0x9c, 0, 0};
  static const uint8_t images[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9};
  static const int64_t expected[] = {2, -100, 0, 0, 1, 2};
  const struct fed__input_schema input = {.file = "two.idx"};
  struct fed__dataset_schema schema = images_schema();
  write_scratch("two.idx", images, sizeof images);
  write_scratch("places.idx", places, sizeof places);
  schema.inputs = &input;
  schema.target.file = "places.idx";
  schema.target.shape = (struct fed_shape){.rank = 1, .dims = {3}};
  struct fed_examples *examples = opens(scratch, &schema);
  assert_true(fed_shape_equal(&examples->spec.target.shape, &schema.target.shape));
  float values[2];
  int64_t labels[6];
  gathers(examples, (const uint32_t[]){1, 0}, 2, values, labels);
  assert_memory_equal(labels, expected, sizeof expected);
  int64_t found[2]; /* what wants one class an example */
  assert_int_equal(fed__dataset_labels(&context, &schema, examples, NULL, 2, found), FED_E_INPUT);
  fed_examples_free(examples);
  schema.target.classes = 2;
  refuses(scratch, &schema, FED_E_RANGE, "row 0: expected a class from 0 to 1, found 2");
  schema.target.shape.dims[0] = 2;
  refuses(scratch, &schema, FED_E_SHAPE, "expected examples of shape [2], found [3]");
}

static void what_does_not_fit_the_schema(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema input = image_input;
  schema.inputs = &input;
  schema.target.classes = 2;
  refuses(VECTORS, &schema, FED_E_RANGE,
          "'labels.idx' row 0: expected a class from 0 to 1, found 2");
  schema.target.classes = 0;
  refuses(VECTORS, &schema, FED_E_RANGE, "no classes");
  schema = images_schema();
  schema.target.file = "f32.idx";
  refuses(VECTORS, &schema, FED_E_TYPE, "expected integers as class labels, found F32");
  schema.target.file = "images.idx";
  refuses(VECTORS, &schema, FED_E_SHAPE, "expected one class label a row, found 4");
  schema = images_schema();
  schema.inputs = &input;
  input.shape = (struct fed_shape){.rank = 1, .dims = {5}};
  refuses(VECTORS, &schema, FED_E_SHAPE,
          "'images.idx': expected examples of shape [5], found [2, 2]");
  input.shape.rank = 0;
  input.scale = 1e30;
  refuses(VECTORS, &schema, FED_E_RANGE, "scale");
  schema.input_count = 0;
  refuses(VECTORS, &schema, FED_E_RANGE, "expected 1 to 8 inputs");
}

static void hostile_headers(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
#define HEADER(text) write_scratch("images.idx", text, sizeof text - 1)
  write_scratch("labels.idx", "\0\0\x08\x01\0\0\0\x01\x00", 9);
  HEADER("\x01\0\x08\x01\0\0\0\x01\x05");
  refuses(scratch, &schema, FED_E_SYNTAX, "'images.idx' is no IDX file");
  HEADER("\0\0\x0a\x01\0\0\0\x01\x05");
  refuses(scratch, &schema, FED_E_SYNTAX, "found 00 00 0a 01");
  HEADER("\0\0\x08\x00\x05");
  refuses(scratch, &schema, FED_E_SHAPE, "expected 1 to 8 dimensions, found 0");
  HEADER("\0\0\x08\x09\0\0\0\x01");
  refuses(scratch, &schema, FED_E_SHAPE, "found 9");
  HEADER("\0\0\x0e\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
  refuses(scratch, &schema, FED_E_TOO_LARGE, "overflows");
  HEADER("\0\0\x08\x02\xff\xff\xff\xff\x00\x00\xff\xff");
  refuses(scratch, &schema, FED_E_TRUNCATED,
          "281470681677825 elements of 1 bytes, but only 0 bytes");
  HEADER("\0\0\x08\x01\x40\x00\x00\x00\x05");
  refuses(scratch, &schema, FED_E_TRUNCATED,
          "1073741824 elements of 1 bytes, but only 1 bytes can be in the file");
  HEADER("\0\0\x08\x01\0\0\0\x01\x05\x06");
  refuses(scratch, &schema, FED_E_INPUT, "goes on after the data");
  HEADER("\0\0\x08\x01\0\0\0\0");
  refuses(scratch, &schema, FED_E_EMPTY, "expected at least one example");
  HEADER("\0\0\x08\x02\0\0\0\x01\0\0\0\0");
  refuses(scratch, &schema, FED_E_SHAPE, "found [0]");
  HEADER("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01\x05\x06");
  struct fed__input_schema any = {.file = "images.idx"};
  schema.inputs = &any;
  refuses(scratch, &schema, FED_E_SHAPE, "'labels.idx': expected 2 rows like the first input");
  HEADER("\0\0\x08\x02\0\0\0\x01\0\0\0\0");
  refuses(scratch, &schema, FED_E_SHAPE, "found [0]");
  HEADER("\0\0\x0d\x01\0\0\0\x01\x7f\xc0\0\0");
  refuses(scratch, &schema, FED_E_NOT_FINITE, "'images.idx' row 0, element 0");
#undef HEADER
}

static void cut_files(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed_buffer labels = read_vector("labels.idx");
  write_scratch("labels.idx", labels.data, labels.size);
  fed_buffer_clear(&labels);
  refuses_every_prefix("images.idx", "images.idx", &schema);
  struct fed__input_schema packed = {.file = "packed.idx.gz"};
  schema.inputs = &packed;
  refuses_every_prefix("packed.idx.gz", "packed.idx.gz", &schema);
}

static void damaged_gzip(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema packed = {.file = "packed.idx.gz"};
  schema.inputs = &packed;
  struct fed_buffer bytes = read_vector("packed.idx.gz");
  bytes.data[bytes.size - 8] ^= 1; /* the CRC-32 of the last member */
  write_scratch("packed.idx.gz", bytes.data, bytes.size);
  refuses(scratch, &schema, FED_E_CORRUPT, "incorrect data check");
  fed_buffer_clear(&bytes);
}

static void names_stay_below_the_folder(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema input = image_input;
  schema.inputs = &input;
  char inner[FED__PATH_MAX], link[FED__PATH_MAX];
  assert_int_equal(fed__path_join(inner, sizeof inner, scratch, "inner"), FED_OK);
  assert_int_equal(fed__folder_make(inner), FED_OK);
  write_scratch("secret.idx", "\0\0\x08\x01\0\0\0\x01\x05", 9);
  static const char *const refused[] = {"/etc/passwd", "../secret.idx", "..", "a/../../secret.idx"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    input.file = refused[i];
    refuses(inner, &schema, FED_E_DENIED, refused[i]);
  }
  assert_int_equal(fed__path_join(link, sizeof link, inner, "escape.idx"), FED_OK);
  assert_int_equal(symlink("../secret.idx", link), 0);
  input.file = "escape.idx";
  refuses(inner, &schema, FED_E_DENIED, "leads out of the folder over a link");
  char sibling[FED__PATH_MAX]; /* whose name starts like the folder's */
  assert_int_equal(fed__path_join(sibling, sizeof sibling, scratch, "inner-not"), FED_OK);
  assert_int_equal(fed__folder_make(sibling), FED_OK);
  write_scratch("inner-not/secret.idx", "\0\0\x08\x01\0\0\0\x01\x05", 9);
  assert_int_equal(fed__path_join(link, sizeof link, inner, "beside.idx"), FED_OK);
  assert_int_equal(symlink("../inner-not/secret.idx", link), 0);
  input.file = "beside.idx";
  refuses(inner, &schema, FED_E_DENIED, "leads out of the folder over a link");
  input.file = "";
  refuses(inner, &schema, FED_E_MISSING, "name of a data file");
  input.file = "absent.idx";
  refuses(inner, &schema, FED_E_NOT_FOUND, "nor with .gz");
  refuses("/nonexistent-folder", &schema, FED_E_NOT_FOUND, "data folder");
}

static void only_plain_files_and_inner_links(void **state) {
  (void)state;
  struct fed__dataset_schema schema = images_schema();
  struct fed__input_schema input = {.file = "pipe.idx"};
  schema.inputs = &input;
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "pipe.idx"), FED_OK);
  assert_int_equal(mkfifo(path, 0600), 0);
  refuses(scratch, &schema, FED_E_INPUT, "'pipe.idx' is not a plain file");
  write_scratch("real.idx", "\0\0\x08\x01\0\0\0\x01\x33", 9);
  write_scratch("label.idx", "\0\0\x08\x01\0\0\0\x01\x02", 9);
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "alias.idx"), FED_OK);
  assert_int_equal(symlink("real.idx", path), 0);
  input.file = "alias.idx";
  schema.target.file = "label.idx";
  struct fed_examples *examples = opens(scratch, &schema);
  const uint32_t row = 0;
  float pixel;
  int64_t label;
  gathers(examples, &row, 1, &pixel, &label);
  assert_float_equal(pixel, 0.2f, 1e-7);
  assert_int_equal(label, 2);
  fed_examples_free(examples);
}

static void written_rows_are_what_python_wrote(void **state) {
  (void)state;
  struct fed__array array = {0};
  struct fed_buffer expected = read_vector("images.idx"), found;
  char path[FED__PATH_MAX];
  fed_buffer_init(&found, &context, 1000);
  const struct fed__array_place place = {&context, VECTORS, "images.idx", NULL, UINT64_MAX};
  assert_int_equal(fed__idx_read(&place, &array), FED_OK);
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "written.idx"), FED_OK);
  const uint32_t all[] = {0, 1, 2};
  assert_int_equal(fed__idx_write(path, &array, all, 3), FED_OK);
  assert_int_equal(fed__file_read(path, &found), FED_OK);
  assert_int_equal(found.size, expected.size);
  assert_memory_equal(found.data, expected.data, found.size);
  found.size = 0;
  const uint32_t last = 2;
  assert_int_equal(fed__idx_write(path, &array, &last, 1), FED_OK);
  assert_int_equal(fed__file_read(path, &found), FED_OK);
  assert_int_equal(found.size, 20);
  assert_memory_equal(found.data, "\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02\x03\x04\x05\x06", 20);
  const uint32_t beyond = 3;
  assert_int_equal(fed__idx_write(path, &array, &beyond, 1), FED_E_RANGE);
  fed_buffer_clear(&expected);
  fed_buffer_clear(&found);
  fed__array_clear(&array);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_are_scaled_and_labels_kept),
      cmocka_unit_test(scale_and_offset_are_the_jobs),
      cmocka_unit_test(packed_file_is_found_by_its_plain_name),
      cmocka_unit_test(all_element_types),
      cmocka_unit_test(a_number_target_keeps_its_value),
      cmocka_unit_test(a_row_that_does_not_exist),
      cmocka_unit_test(a_label_for_each_place),
      cmocka_unit_test(what_does_not_fit_the_schema),
      cmocka_unit_test(hostile_headers),
      cmocka_unit_test(cut_files),
      cmocka_unit_test(damaged_gzip),
      cmocka_unit_test(names_stay_below_the_folder),
      cmocka_unit_test(only_plain_files_and_inner_links),
      cmocka_unit_test(written_rows_are_what_python_wrote),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
