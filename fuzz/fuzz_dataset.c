/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_dataset.c: any bytes as a data owner's file, in the format FUZZ_DATASET (one program each):
 * as inputs beside good labels, and as labels beside good inputs; or, where one file holds all, as
 * that file; or as an image that an index names. A plain file needs memory in proportion to its
 * size. What opens gives, in every row, finite numbers and labels among the classes, and refuses
 * the row behind the last.
 */
#include "fuzz_target.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROWS_MAX 256 /* that are looked at */
#define CLASSES 3
#define LIMIT 6 /* of indices: four characters, padding and the unknown */

/* ---- the folder ----------------------------------------------------------------------------- */

static char folder[64]; /* in memory where the system has such a place */

static int make_temporary(const char *place) {
  snprintf(folder, sizeof folder, "%s/fed-fuzz-XXXXXX", place);
  return mkdtemp(folder) != NULL;
}

static void remove_folder(void) { HOLDS(fed__folder_remove(folder) == FED_OK); }

static void write_file(const char *name, struct fed_slice bytes) {
  char path[FED__PATH_MAX];
  HOLDS(fed__path_join(path, sizeof path, folder, name) == FED_OK);
  FILE *file = fopen(path, "wb");
  HOLDS(file && fwrite(bytes.data, 1, bytes.size, file) == bytes.size && fclose(file) == 0);
}

/* Three inputs and three labels to stand beside the fuzzed file. */
static void make_folder(void) {
  static const char *const good[][3] = {{"idx", "data/images.idx", "data/labels.idx"},
                                        {"npy", "data/n_i2.npy", "data/labels_i8.npy"}};
  struct fuzz_memory memory;
  struct fed_buffer bytes;
  HOLDS((make_temporary("/dev/shm") || make_temporary("/tmp")) && atexit(remove_folder) == 0);
  write_file("index.csv", fed_slice_of_text("file,label\nfuzzed,a\n"));
  fuzz_memory_begin(&memory, 1 << 20);
  for (size_t i = 0; i < COUNT(good); i++)
    for (size_t j = 1; j < 3 && strcmp(good[i][0], FUZZ_DATASET) == 0; j++) {
      fuzz_read_vector(&memory.context, good[i][j], &bytes);
      write_file(j == 1 ? "inputs" : "labels", fed_buffer_slice(&bytes));
      fed_buffer_clear(&bytes);
    }
  fuzz_memory_end(&memory);
}

/* ---- the property --------------------------------------------------------------------------- */

static void check_floats(const struct fed_tensor *tensor, size_t count) {
  const float *values = tensor->data;
  HOLDS(tensor->dtype == FED_F32);
  for (size_t i = 0; i < count; i++) HOLDS(isfinite(values[i]));
}

static void check_values(const struct fed_tensor *tensor, size_t count) {
  const int64_t *values = tensor->data;
  if (tensor->dtype == FED_F32) {
    check_floats(tensor, count);
    return;
  }
  for (size_t i = 0; i < count; i++)
    HOLDS((values[i] >= 0 && values[i] < LIMIT) || values[i] == FED__IGNORED_LABEL);
}

static void check_row(struct fed_examples *examples, uint32_t row, struct fed_batch *batch,
                      const size_t elements[2]) {
  HOLDS(examples->gather(examples, &row, 1, batch) == FED_OK);
  check_values(&batch->inputs[0], elements[0]);
  check_values(&batch->target, elements[1]);
  if (batch->target.dtype == FED_I64 && batch->target.shape.rank == 1)
    HOLDS(*(const int64_t *)batch->target.data >= 0 &&
          *(const int64_t *)batch->target.data < CLASSES);
}

/* `shape` with a leading dimension of 1, and memory for it; 0 when there is none. */
static int make_room(const struct fed_context *context, const struct fed_tensor *spec,
                     struct fed_tensor *tensor, size_t *elements) {
  *tensor = *spec;
  HOLDS(fed_shape_elements(&spec->shape, elements) == FED_OK);
  HOLDS(spec->shape.rank < FED_RANK_MAX);
  for (uint32_t i = 0; i < spec->shape.rank; i++) tensor->shape.dims[i + 1] = spec->shape.dims[i];
  tensor->shape.dims[0] = 1;
  tensor->shape.rank++;
  tensor->data = fed__alloc(context, *elements ? *elements * fed_dtype_size(spec->dtype) : 1);
  return tensor->data != NULL;
}

static void check_examples(const struct fed_context *context, struct fed_examples *examples) {
  struct fed_batch batch = {.count = 1};
  size_t elements[2];
  HOLDS(examples->count > 0 && examples->spec.input_count == 1);
  const size_t looked_at = examples->count < ROWS_MAX ? examples->count : ROWS_MAX;
  const uint32_t behind = (uint32_t)examples->count;
  if (make_room(context, &examples->spec.inputs[0], &batch.inputs[0], &elements[0]) &&
      make_room(context, &examples->spec.target, &batch.target, &elements[1])) {
    for (uint32_t row = 0; row < looked_at; row++) check_row(examples, row, &batch, elements);
    HOLDS(examples->gather(examples, &behind, 1, &batch) == FED_E_RANGE);
  }
  fed__free(context, batch.target.data);
  fed__free(context, batch.inputs[0].data);
}

/* A packed file may hold much more than its size: there, memory is only limited. */
static void check_open(const struct fed__dataset_schema *schema, size_t size, int is_packed) {
  struct fuzz_memory memory;
  struct fed_examples *examples = NULL;
  fuzz_memory_begin(&memory, ((size_t)8 << 20) + (is_packed ? 0 : 256 * size));
  if (fed__dataset_open(&memory.context, folder, schema, &examples) == FED_OK) {
    HOLDS(examples);
    check_examples(&memory.context, examples);
    fed_examples_free(examples);
  }
  HOLDS(is_packed || !memory.exceeded);
  fuzz_memory_end(&memory);
}

/* ---- the schemas ---------------------------------------------------------------------------- */

static void check_arrays(enum fed__data_format format, const char *input, const char *target,
                         size_t size, int is_packed) {
  const struct fed__input_schema inputs[] = {{.file = input, .array = "x"}};
  struct fed__dataset_schema schema = {
      .format = format,
      .inputs = inputs,
      .input_count = 1,
      .target = {FED__TARGET_CLASS, target, .array = "y", .classes = CLASSES}};
  check_open(&schema, size, is_packed);
  schema.target.kind = FED__TARGET_NUMBER;
  check_open(&schema, size, is_packed);
}

/* One column of each kind. */
static void check_table(const char *file, size_t size, int is_packed) {
  static const char *const markers[] = {"?", ""};
  static const struct fed__category words[] = {{"a", 0}, {"b", 1}, {"1.0", 1}};
  static const struct fed__category classes[] = {{"0", 0}, {"1", 1}, {"no", 2}};
  static const struct fed__column_schema columns[] = {
      {.name = "plain", .kind = FED__COLUMN_NUMBER},
      {.name = "ignored", .kind = FED__COLUMN_IGNORE},
      {.name = "scaled",
       .kind = FED__COLUMN_NUMBER,
       .missing = FED__MISSING_MEAN,
       .mean = 5,
       .std = 0.5,
       .has_range = 1,
       .min = -100,
       .max = 100},
      {.name = "word",
       .kind = FED__COLUMN_CATEGORY,
       .categories = words,
       .category_count = 3,
       .has_other = 1,
       .missing = FED__MISSING_VALUE,
       .missing_value = 2},
      {.name = "class", .kind = FED__COLUMN_TARGET, .categories = classes, .category_count = 3}};
  const struct fed__input_schema inputs[] = {{.file = file}};
  struct fed__dataset_schema schema = {.format = FED__DATA_CSV,
                                       .inputs = inputs,
                                       .input_count = 1,
                                       .target = {FED__TARGET_CLASS, .classes = CLASSES},
                                       .csv = {.missing_markers = markers,
                                               .missing_marker_count = COUNT(markers),
                                               .columns = columns,
                                               .column_count = COUNT(columns)}};
  check_open(&schema, size, is_packed);
  schema.csv.has_header = 1;
  check_open(&schema, size, is_packed);
}

/* Fields of numbers, of a text, and a text by windows. */
static void check_lines(const char *file, size_t size, int is_packed) {
  static const char *const names[] = {"no", "yes", "maybe"};
  struct fed__input_schema input = {.file = file, .array = "x", .shape = {1, {4}}};
  struct fed__dataset_schema schema = {
      .format = FED__DATA_JSONL,
      .inputs = &input,
      .input_count = 1,
      .target = {FED__TARGET_CLASS, .array = "y", .classes = CLASSES},
      .text = {.characters = "abc ", .stride = 3}};
  check_open(&schema, size, is_packed);
  input.kind = FED__INPUT_INDICES;
  input.limit = LIMIT;
  schema.target.names = names;
  schema.target.name_count = CLASSES;
  check_open(&schema, size, is_packed);
  input.kind = FED__INPUT_TEXT;
  schema.target.kind = FED__TARGET_NEXT;
  check_open(&schema, size, is_packed);
  schema.memory_bytes_max = 1; /* by an index of the file */
  check_open(&schema, size, is_packed);
}

static void check_image(size_t size) {
  static const char *const names[] = {"a", "b", "c"};
  struct fed__input_schema input = {.file = ".", .shape = {3, {3, 5, 7}}};
  struct fed__dataset_schema schema = {.format = FED__DATA_IMAGES,
                                       .inputs = &input,
                                       .input_count = 1,
                                       .target = {FED__TARGET_CLASS, "index.csv",
                                                  .classes = CLASSES, .names = names,
                                                  .name_count = 3}};
  check_open(&schema, size, 1);
  input.shape.dims[0] = 1;
  schema.images.fit = FED__IMAGE_COVER;
  check_open(&schema, size, 1);
}

int fuzz_one(const uint8_t *data, size_t size) {
  static int is_ready;
  enum fed__data_format format;
  if (!is_ready) make_folder();
  is_ready = 1;
  HOLDS(fed__data_format_parse(FUZZ_DATASET, &format) == FED_OK);
  const int is_gzip = size > 2 && data[0] == 0x1f && data[1] == 0x8b;
  const char *file = is_gzip ? "fuzzed.gz" : "fuzzed";
  write_file(file, fed_slice_of(data, size));
  if (format == FED__DATA_CSV) {
    check_table(file, size, is_gzip);
  } else if (format == FED__DATA_JSONL) {
    check_lines(file, size, is_gzip);
  } else if (format == FED__DATA_IMAGES) {
    check_image(size);
  } else if (format == FED__DATA_IDX || format == FED__DATA_NPY) {
    check_arrays(format, file, "labels", size, is_gzip);
    check_arrays(format, "inputs", file, size, is_gzip);
  } else {
    check_arrays(format, file, NULL, size, is_gzip || format == FED__DATA_NPZ);
  }
  return 0;
}
