/* SPDX-License-Identifier: Apache-2.0
 *
 * test_stream.c: data that may not be kept in memory gives the same bits and the same refusals as
 * data that is, in any order; and a file that changes while it is in use is noticed.
 */
#include "data_files.h"

#include <unistd.h>

#define ROWS_MAX 64
#define VALUES_MAX 64

static const struct fed__column_schema columns[] = {
    {.name = "a", .kind = FED__COLUMN_NUMBER},
    {.name = "b", .kind = FED__COLUMN_NUMBER},
    {.name = "y", .kind = FED__COLUMN_TARGET},
};

/* Quotes, blank lines, both line ends: records do not lie at regular distances. */
static const char table[] = "a,b,y\r\n1,2,0\n\n\"3\",4e2,1\r\n5, 6,2\n\n\n-7.25,\"8\",0\n9,10,1\n"
                            "11,12,2\n13,14,0\n15,16,1\n17,18,2\n19,20,0\n21,22,1";

static struct fed__dataset_schema
schema_of(enum fed__data_format format, const struct fed__input_schema *input, const char *target) {
  return (struct fed__dataset_schema){
      .format = format,
      .inputs = input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = target, .array = "y", .classes = 3},
      .csv = {.has_header = 1, .columns = columns, .column_count = 3},
  };
}

/* Forwards, backwards, and back and forth. */
static void fill_order(uint32_t *order, size_t count, int way) {
  for (size_t i = 0; i < count; i++)
    order[i] = (uint32_t)(way == 0 ? i : way == 1 ? count - 1 - i : (i * 7 + 3) % count);
}

static void gives_the_same(const char *folder, struct fed__dataset_schema schema) {
  struct fed_examples *kept = opens(folder, &schema);
  schema.memory_bytes_max = 1;
  struct fed_examples *streamed = opens(folder, &schema);
  assert_int_equal(kept->count, streamed->count);
  assert_true(kept->count <= ROWS_MAX);
  const size_t values = fed_tensor_elements(&kept->spec.inputs[0]);
  assert_true(values <= VALUES_MAX);
  for (int way = 0; way < 3; way++) {
    static float expected[ROWS_MAX * VALUES_MAX], found[ROWS_MAX * VALUES_MAX];
    int64_t labels[ROWS_MAX], found_labels[ROWS_MAX];
    uint32_t order[ROWS_MAX];
    fill_order(order, kept->count, way);
    gathers(kept, order, kept->count, expected, labels);
    gathers(streamed, order, kept->count, found, found_labels);
    assert_memory_equal(found, expected, kept->count * values * sizeof found[0]);
    assert_memory_equal(found_labels, labels, kept->count * sizeof labels[0]);
  }
  fed_examples_free(kept);
  fed_examples_free(streamed);
}

static void all_formats_give_the_same(void **state) {
  (void)state;
  static const struct {
    enum fed__data_format format;
    const char *file, *target;
  } cases[] = {
      {FED__DATA_IDX, "images.idx", "labels.idx"},
      {FED__DATA_IDX, "i16.idx", "labels.idx"},
      {FED__DATA_IDX, "f64.idx", "labels.idx"},
      {FED__DATA_IDX, "packed.idx", "labels.idx"},
      {FED__DATA_NPY, "n_i2.npy", "labels_i8.npy"},
      {FED__DATA_NPY, "n_big_i2.npy", "labels_i8.npy"},
      {FED__DATA_NPZ, "stored.npz", NULL},
      {FED__DATA_NPZ, "deflated.npz", NULL},
      {FED__DATA_SAFETENSORS, "arrays.safetensors", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct fed__input_schema input = {.file = cases[i].file, .array = "x"};
    gives_the_same(VECTORS, schema_of(cases[i].format, &input, cases[i].target));
  }
  const struct fed__input_schema input = {.file = "table.csv"};
  write_scratch("table.csv", table, sizeof table - 1);
  gives_the_same(scratch, schema_of(FED__DATA_CSV, &input, NULL));
}

/* A vector with one byte changed, as inputs or labels. */
static void write_changed(const char *vector, const char *name, size_t at, uint8_t value) {
  struct fed_buffer bytes = read_vector(vector);
  bytes.data[at] = value;
  write_scratch(name, bytes.data, bytes.size);
  fed_buffer_clear(&bytes);
}

static void the_same_refusals(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "images.idx"};
  struct fed__dataset_schema schema = schema_of(FED__DATA_IDX, &input, "labels.idx");
  schema.memory_bytes_max = 1;
  write_changed("images.idx", "images.idx", 0, 0);
  write_changed("labels.idx", "labels.idx", 8 + 1, 3);
  refuses(scratch, &schema, FED_E_RANGE,
          "'labels.idx' row 1: expected a class from 0 to 2, found 3");
  write_changed("labels.idx", "labels.idx", 0, 0);
  static const uint8_t nan[] = {0, 0, 0x0d, 1, 0, 0, 0,    3,    0, 0,
                                0, 0, 0,    0, 0, 0, 0x7f, 0xc0, 0, 0};
  write_scratch("images.idx", nan, sizeof nan);
  refuses(scratch, &schema, FED_E_NOT_FINITE, "'images.idx' row 2, element 0");
  input = (struct fed__input_schema){.file = "changed.npz", .array = "x"};
  schema = schema_of(FED__DATA_NPZ, &input, NULL);
  schema.memory_bytes_max = 1;
  write_changed("stored.npz", "changed.npz", 55 + 128 + 3, 99);
  refuses(scratch, &schema, FED_E_CORRUPT, "expected the CRC-32");
  input = (struct fed__input_schema){.file = "bad.csv"};
  schema = schema_of(FED__DATA_CSV, &input, NULL);
  schema.memory_bytes_max = 1;
  write_scratch("bad.csv", "a,b,y\n1,2,0\n\n3,x,1\n", 20);
  refuses(scratch, &schema, FED_E_TYPE, "bad.csv line 4, column 'b': expected a number, found 'x'");
}

static int gather_row(struct fed_examples *examples, uint32_t row) {
  float values[VALUES_MAX];
  int64_t label;
  struct fed_batch batch = {.count = 1};
  batch.inputs[0].data = values;
  batch.target.data = &label;
  return examples->gather(examples, &row, 1, &batch);
}

static void truncate_scratch(const char *name, off_t size) {
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, name), FED_OK);
  assert_int_equal(truncate(path, size), 0);
}

static void a_file_that_becomes_shorter(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "short.idx"};
  struct fed__dataset_schema schema = schema_of(FED__DATA_IDX, &input, "labels.idx");
  schema.memory_bytes_max = 1;
  write_changed("images.idx", "short.idx", 0, 0);
  write_changed("labels.idx", "labels.idx", 0, 0);
  struct fed_examples *examples = opens(scratch, &schema);
  truncate_scratch("short.idx", 16 + 4);
  assert_int_equal(gather_row(examples, 0), FED_OK);
  assert_int_equal(gather_row(examples, 2), FED_E_TRUNCATED);
  assert_non_null(strstr(fed_error_last()->message, "'short.idx' became shorter"));
  assert_int_equal(gather_row(examples, 0), FED_OK);
  fed_examples_free(examples);
}

static void a_table_that_changes(void **state) {
  (void)state;
  struct fed__input_schema input = {.file = "table.csv"};
  struct fed__dataset_schema schema = schema_of(FED__DATA_CSV, &input, NULL);
  schema.memory_bytes_max = 1;
  write_scratch("table.csv", table, sizeof table - 1);
  struct fed_examples *examples = opens(scratch, &schema);
  char path[FED__PATH_MAX];
  assert_int_equal(fed__path_join(path, sizeof path, scratch, "table.csv"), FED_OK);
  FILE *file = fopen(path, "r+");
  assert_true(file && fseek(file, -1, SEEK_END) == 0 && fputc('9', file) == '9');
  assert_int_equal(fclose(file), 0);
  assert_int_equal(gather_row(examples, 10), FED_E_RANGE);
  assert_non_null(strstr(fed_error_last()->message, "'table.csv' changed while in use"));
  assert_non_null(strstr(fed_error_last()->message, "line 15, column 'y'"));
  assert_int_equal(gather_row(examples, 9), FED_OK);
  truncate_scratch("table.csv", sizeof table - 1 - 7);
  assert_int_equal(gather_row(examples, 0), FED_E_TRUNCATED);
  fed_examples_free(examples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_formats_give_the_same),
      cmocka_unit_test(the_same_refusals),
      cmocka_unit_test(a_file_that_becomes_shorter),
      cmocka_unit_test(a_table_that_changes),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
