/* SPDX-License-Identifier: Apache-2.0
 *
 * test_images.c: folders and indices of images, against what Pillow makes of the same files;
 * damaged and hostile ones; images that stay on disk.
 */
#include "data_files.h"
#include "vectors/data/expected_images.h"

#include "data/image.h"

#include <unistd.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FOLDER VECTORS "/images"

static const char *const names[] = {"cat", "dog"};

static struct fed__dataset_schema images_schema(const struct fed__input_schema *input) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_IMAGES,
      .inputs = input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .classes = 2, .names = names, .name_count = 2}};
}

static struct fed__input_schema shaped(const char *folder, int64_t channels, int64_t height,
                                       int64_t width) {
  return (struct fed__input_schema){
      .file = folder, .scale = 1, .shape = {3, {channels, height, width}}};
}

/* The same image as Pillow's rows of pixels and as channels of floats. JPEG decoders may round
 * differently by one. */
static void same_image(const char *file, const float *found, const uint8_t *wanted, size_t channels,
                       size_t pixels) {
  const float tolerance = strstr(file, ".jp") ? 1 : 0;
  for (size_t c = 0; c < channels; c++)
    for (size_t i = 0; i < pixels; i++) {
      const float want = wanted[i * channels + c], have = found[c * pixels + i];
      if (!(have >= want - tolerance && have <= want + tolerance))
        fail_msg("%s, channel %zu, pixel %zu: expected %g, found %g", file, c, i, (double)want,
                 (double)have);
    }
}

static void check_all(struct fed__dataset_schema *schema, size_t which) {
  static float values[COUNT(expected)][20 * 30];
  int64_t labels[COUNT(expected)];
  uint32_t rows[COUNT(expected)];
  struct fed_examples *examples = opens(VECTORS, schema);
  assert_int_equal(examples->count, COUNT(expected));
  const size_t elements = fed_tensor_elements(&examples->spec.inputs[0]);
  for (uint32_t i = 0; i < COUNT(expected); i++) rows[i] = i;
  float *packed = calloc(COUNT(expected), elements * sizeof(float));
  assert_non_null(packed);
  gathers(examples, rows, COUNT(expected), packed, labels);
  for (size_t i = 0; i < COUNT(expected); i++) {
    memcpy(values[i], packed + i * elements, elements * sizeof(float));
    const uint8_t *parts[] = {expected[i].rgb, expected[i].grey, expected[i].cover};
    const size_t channels = which == 1 ? 1 : 3;
    same_image(expected[i].file, values[i], parts[which], channels, elements / channels);
    assert_int_equal(labels[i], strncmp(expected[i].file, "dog", 3) == 0);
  }
  free(packed);
  fed_examples_free(examples);
}

static void images_are_what_pillow_makes_of_them(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("images", 3, 4, 5);
  struct fed__dataset_schema schema = images_schema(&input);
  for (uint64_t memory = 0; memory < 2; memory++) { /* in memory; on disk */
    schema.memory_bytes_max = memory;
    schema.images.fit = FED__IMAGE_STRETCH;
    input = shaped("images", 3, 4, 5);
    check_all(&schema, 0);
    input = shaped("images", 1, 30, 20);
    check_all(&schema, 1);
    input = shaped("images", 3, 7, 7);
    schema.images.fit = FED__IMAGE_COVER;
    check_all(&schema, 2);
  }
}

static void channels_are_normalised(void **state) {
  (void)state;
  const double mean[] = {0.5, 0, 0.25}, std[] = {0.5, 2, 1};
  struct fed__input_schema input = shaped(".", 3, 2, 1);
  struct fed__dataset_schema schema = images_schema(&input);
  float raw[6], values[6];
  int64_t label;
  const uint32_t last = (uint32_t)COUNT(expected) - 1; /* dog/tiny.PNG, 1 x 2 */
  struct fed_examples *examples = opens(FOLDER, &schema);
  gathers(examples, &last, 1, raw, &label);
  fed_examples_free(examples);
  input.scale = 0; /* 1/255 */
  schema.images =
      (struct fed__images_schema){.mean = mean, .mean_count = 3, .std = std, .std_count = 3};
  examples = opens(FOLDER, &schema);
  gathers(examples, &last, 1, values, &label);
  for (int i = 0; i < 6; i++)
    assert_float_equal(values[i], ((double)raw[i] / 255 - mean[i / 2]) / std[i / 2], 1e-6);
  fed_examples_free(examples);
  schema.images.mean_count = 1;
  refuses(FOLDER, &schema, FED_E_SHAPE, "a mean and a standard deviation for each of 3 channels");
  schema.images = (struct fed__images_schema){.std = (const double[]){1, 0, 1}, .std_count = 3};
  refuses(FOLDER, &schema, FED_E_NOT_FINITE, "channel 1 with mean 0 and standard deviation 0");
}

static void an_index_names_files_and_labels(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("images", 1, 1, 1);
  struct fed__dataset_schema schema = images_schema(&input);
  const uint32_t rows[] = {0, 1, 2};
  float values[3], numbers[3];
  int64_t labels[3];
  schema.target.file = "index.csv";
  char link[FED__PATH_MAX];
  assert_int_equal(fed__path_join(link, sizeof link, scratch, "images"), FED_OK);
  assert_int_equal(fed__folder_make(link), FED_OK);
  struct fed_buffer bytes = read_vector("images/cat/rgb.png");
  write_scratch("images/a.png", bytes.data, bytes.size);
  write_scratch("images/no extension", bytes.data, bytes.size);
  fed_buffer_clear(&bytes);
#define INDEX(text) write_scratch("index.csv", text, sizeof text - 1)
  INDEX("age,label,file\n3,dog,a.png\n4,cat,no extension\n5,dog,a.png\n");
  struct fed_examples *examples = opens(scratch, &schema);
  assert_int_equal(examples->count, 3);
  gathers(examples, rows, 3, values, labels);
  assert_true(labels[0] == 1 && labels[1] == 0 && labels[2] == 1);
  assert_true(values[0] == values[1] && values[0] == values[2]);
  fed_examples_free(examples);
  INDEX("file,label\na.png,bird\n");
  refuses(scratch, &schema, FED_E_RANGE,
          "index.csv line 2, column 'label': expected one of 'cat', 'dog', found 'bird'");
  INDEX("file,class\na.png,cat\n");
  refuses(scratch, &schema, FED_E_MISSING, "index.csv line 1: expected a column 'label'");
  INDEX("file,label\na.png\n");
  refuses(scratch, &schema, FED_E_SHAPE, "index.csv line 2: expected 2 fields");
  INDEX("file,label\n../index.csv,cat\n");
  refuses(scratch, &schema, FED_E_DENIED, "contains '..'");
  INDEX("file,label\nb.png,cat\n");
  refuses(scratch, &schema, FED_E_NOT_FOUND, "images/b.png");
  INDEX("file,label\n");
  refuses(scratch, &schema, FED_E_EMPTY, "at least one example");
  INDEX("");
  refuses(scratch, &schema, FED_E_EMPTY, "index.csv: expected a header");
  INDEX("file,age\na.png,1.5\n");
  schema.target =
      (struct fed__target_schema){.kind = FED__TARGET_NUMBER, .file = "index.csv", .array = "age"};
  examples = opens(scratch, &schema);
  gathers(examples, rows, 1, values, numbers);
  assert_true(numbers[0] == 1.5f);
  assert_int_equal(examples->spec.target.dtype, FED_F32);
  fed_examples_free(examples);
#undef INDEX
}

static void folders_that_are_no_classes(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("images", 3, 4, 5);
  struct fed__dataset_schema schema = images_schema(&input);
  static const char *const others[] = {"cat", "bird"};
  schema.target.names = others;
  refuses(VECTORS, &schema, FED_E_RANGE, "'images/dog': expected folders with the names");
  schema.target.name_count = 0;
  refuses(VECTORS, &schema, FED_E_MISSING, "names of their classes");
  static const char *const more[] = {"cat", "dog", "wolf"};
  schema.target = (struct fed__target_schema){
      .kind = FED__TARGET_CLASS, .classes = 3, .names = more, .name_count = 3};
  fed_examples_free(opens(VECTORS, &schema)); /* this site has no wolf */
  input.file = "images/cat";
  refuses(VECTORS, &schema, FED_E_EMPTY, "'images/cat': expected at least one example");
  input.file = "../data/images";
  refuses(VECTORS, &schema, FED_E_DENIED, "contains '..'");
  input.file = "absent";
  refuses(VECTORS, &schema, FED_E_NOT_FOUND, "absent");
}

static void shapes_that_no_image_has(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("images", 2, 4, 5);
  struct fed__dataset_schema schema = images_schema(&input);
  refuses(VECTORS, &schema, FED_E_SHAPE, "[channels, height, width]");
  input = shaped("images", 3, 40000, 5);
  refuses(VECTORS, &schema, FED_E_SHAPE, "sides up to");
  input = shaped("images", 3, 4, 5);
  input.shape.rank = 2;
  refuses(VECTORS, &schema, FED_E_SHAPE, "[channels, height, width]");
  input = shaped("images", 3, 4, 5);
  input.kind = FED__INPUT_INDICES;
  refuses(VECTORS, &schema, FED_E_INPUT, "has one input, of numbers");
  input.kind = FED__INPUT_NUMBERS;
  schema.target.kind = FED__TARGET_NEXT;
  refuses(VECTORS, &schema, FED_E_INPUT, "a class or one number");
}

/* ---- hostile files -------------------------------------------------------------------------- */

static int decode(struct fed_slice file, struct fed__image *image) {
  return fed__image_decode(&context, "x", file, 3, image);
}

/* However a file is cut or changed: an image of a sensible size, or a failure about the input. */
static void cut_and_changed(const char *vector) {
  struct fed_buffer bytes = read_vector(vector);
  struct fed__image image;
  for (size_t size = 0; size < bytes.size; size++) {
    const int code = decode(fed_slice_of(bytes.data, size), &image);
    if (code == FED_OK && size + 12 < bytes.size) /* all but the end mark is needed */
      fail_msg("'%s' cut to %zu bytes was accepted", vector, size);
    if (code == FED_OK) fed__image_clear(&image);
    if (code != FED_OK) assert_int_equal(fed_error_class(code), FED_CLASS_INPUT);
  }
  for (size_t at = 0; at < bytes.size; at++) {
    const uint8_t kept = bytes.data[at];
    bytes.data[at] ^= (uint8_t)(1 + at % 255);
    const int code = decode(fed_buffer_slice(&bytes), &image);
    bytes.data[at] = kept;
    if (code == FED_OK) fed__image_clear(&image);
    if (code != FED_OK) assert_int_equal(fed_error_class(code), FED_CLASS_INPUT);
  }
  fed_buffer_clear(&bytes);
}

static void damaged_files(void **state) {
  (void)state;
  cut_and_changed("images/cat/rgb.png");
  cut_and_changed("images/cat/rgba.png");
  cut_and_changed("images/dog/palette.png");
  cut_and_changed("images/dog/grey.jpg");
  cut_and_changed("images/dog/progressive.jpeg");
}

/* Nothing is written to the standard error by the libraries. */
static void damaged_files_are_named_quietly(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("pictures", 3, 4, 5);
  struct fed__dataset_schema schema = images_schema(&input);
  struct fed_buffer jpeg = read_vector("images/dog/grey.jpg");
  struct fed_buffer png = read_vector("images/cat/rgb.png");
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "pictures/cat"), FED_OK);
  assert_int_equal(fed__folder_make(path), FED_OK);
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "stderr"), FED_OK);
  fflush(stderr);
  const int kept = dup(2);
  FILE *file = fopen(path, "wb");
  assert_true(kept >= 0 && file && dup2(fileno(file), 2) == 2);
  write_scratch("pictures/cat/a.jpg", jpeg.data, jpeg.size / 2);
  refuses(scratch, &schema, FED_E_CORRUPT,
          "'pictures/cat/a.jpg' is a damaged JPEG file: Premature");
  png.data[png.size / 2] ^= 1;
  write_scratch("pictures/cat/a.jpg", png.data, png.size); /* the content counts, not the name */
  refuses(scratch, &schema, FED_E_CORRUPT, "'pictures/cat/a.jpg' is a damaged PNG file: ");
  write_scratch("pictures/cat/a.jpg", "GIF89a", 6);
  refuses(scratch, &schema, FED_E_SYNTAX, "'pictures/cat/a.jpg' is neither a PNG nor a JPEG file");
  write_scratch("pictures/cat/a.jpg", "", 0);
  refuses(scratch, &schema, FED_E_SYNTAX, "'pictures/cat/a.jpg' is neither");
  fflush(stderr);
  assert_true(dup2(kept, 2) == 2 && close(kept) == 0 && fclose(file) == 0);
  struct fed_buffer found;
  fed_buffer_init(&found, &context, 1 << 16);
  assert_int_equal(fed__file_read(path, &found), FED_OK);
  assert_int_equal(found.size, 0);
  fed_buffer_clear(&found);
  fed_buffer_clear(&jpeg);
  fed_buffer_clear(&png);
}

static void put_crc(uint8_t *chunk, size_t size) {
  const uint32_t crc = (uint32_t)crc32(0, chunk + 4, (unsigned)(size - 8));
  for (size_t i = 0; i < 4; i++) chunk[size - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
}

/* Headers that declare huge images: refused before there is memory for one. */
static void huge_images(void **state) {
  (void)state;
  uint8_t png[8 + 25 + 12] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x7f\xff\0\0\x7f\xff\x08\x02";
  struct fed__image image;
  memcpy(png + 8 + 25 + 4, "IDAT", 4);
  put_crc(png + 8, 25);
  put_crc(png + 8 + 25, 12);
  assert_int_equal(decode(fed_slice_of(png, sizeof png), &image), FED_E_TOO_LARGE);
  assert_non_null(strstr(fed_error_last()->message, "32767 x 32767 pixels"));
  png[8 + 8 + 1] = 1; /* 98303 wide */
  put_crc(png + 8, 25);
  assert_int_equal(decode(fed_slice_of(png, sizeof png), &image), FED_E_CORRUPT);
  struct fed_buffer jpeg = read_vector("images/dog/grey.jpg");
  uint8_t *size = NULL;
  for (size_t i = 0; i + 9 < jpeg.size && !size; i++)
    if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0) size = jpeg.data + i + 5;
  assert_non_null(size);
  size[0] = size[2] = 0x7f;
  size[1] = size[3] = 0xff;
  assert_int_equal(decode(fed_buffer_slice(&jpeg), &image), FED_E_TOO_LARGE);
  assert_non_null(strstr(fed_error_last()->message, "32767 x 32767 pixels"));
  fed_buffer_clear(&jpeg);
}

static void a_file_that_is_damaged_later(void **state) {
  (void)state;
  struct fed__input_schema input = shaped("later", 3, 4, 5);
  struct fed__dataset_schema schema = images_schema(&input);
  struct fed_buffer png = read_vector("images/cat/rgb.png");
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "later/dog"), FED_OK);
  assert_int_equal(fed__folder_make(path), FED_OK);
  write_scratch("later/dog/a.png", png.data, png.size);
  schema.memory_bytes_max = 1;
  struct fed_examples *examples = opens(scratch, &schema);
  write_scratch("later/dog/a.png", png.data, png.size / 2);
  float values[60];
  int64_t label = -1;
  const uint32_t row = 0;
  struct fed_batch batch = {.count = 1};
  batch.target.data = &label;
  assert_int_equal(examples->gather(examples, &row, 1, &batch), FED_OK); /* the label alone */
  assert_int_equal(label, 1);
  batch.inputs[0].data = values;
  assert_int_equal(examples->gather(examples, &row, 1, &batch), FED_E_CORRUPT);
  assert_non_null(strstr(fed_error_last()->message, "'later/dog/a.png'"));
  fed_examples_free(examples);
  fed_buffer_clear(&png);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_are_what_pillow_makes_of_them),
      cmocka_unit_test(channels_are_normalised),
      cmocka_unit_test(an_index_names_files_and_labels),
      cmocka_unit_test(folders_that_are_no_classes),
      cmocka_unit_test(shapes_that_no_image_has),
      cmocka_unit_test(damaged_files),
      cmocka_unit_test(damaged_files_are_named_quietly),
      cmocka_unit_test(huge_images),
      cmocka_unit_test(a_file_that_is_damaged_later),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
