/* SPDX-License-Identifier: Apache-2.0
 *
 * test_data_memory.c: every allocation that a reader or a split makes fails once; each time
 * FED_E_MEMORY comes back and everything is freed again.
 */
#include "data_files.h"

#include "data/split.h"

struct failing_alloc {
  struct fed_alloc alloc;
  struct fed_alloc *system;
  long until_failure;
  long living;
};

static void *resize(struct fed_alloc *self, void *pointer, size_t size) {
  struct failing_alloc *failing = (struct failing_alloc *)self;
  if (size && failing->until_failure-- <= 0) return NULL;
  failing->living += (size && !pointer) - (!size && pointer);
  return failing->system->resize(failing->system, pointer, size);
}

static const struct fed__column_schema columns[] = {
    {.name = "a", .kind = FED__COLUMN_NUMBER},
    {.name = "y", .kind = FED__COLUMN_TARGET},
};

static const char *const names[] = {"cat", "dog", "bird"};

static const struct fed__input_schema inputs[] = {
    [FED__DATA_IDX] = {.name = "x", .file = "packed.idx", .shape = {3, {1, 2, 2}}},
    [FED__DATA_CSV] = {.name = "x", .file = "table.csv"},
    [FED__DATA_NPY] = {.name = "x", .file = "n_i2.npy"},
    [FED__DATA_NPZ] = {.name = "x", .file = "stored.npz", .array = "x"},
    [FED__DATA_SAFETENSORS] = {.name = "x", .file = "arrays.safetensors", .array = "x"},
    [FED__DATA_JSONL] = {.name = "x",
                         .file = "lines.jsonl",
                         .array = "x",
                         .kind = FED__INPUT_TEXT,
                         .shape = {1, {4}}},
    [FED__DATA_IMAGES] = {.name = "x", .file = "images", .shape = {3, {3, 4, 5}}},
};

static struct fed__dataset_schema schema_of(enum fed__data_format format) {
  static const char *const targets[FED__DATA_IMAGES + 1] = {
      [FED__DATA_IDX] = "labels.idx", [FED__DATA_NPY] = "labels_i8.npy"};
  struct fed__dataset_schema schema = {
      .format = format,
      .inputs = &inputs[format],
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = targets[format], .array = "y", .classes = 3},
      .csv = {.has_header = 1, .columns = columns, .column_count = 2},
      .text = {.characters = "abc"}};
  if (format == FED__DATA_IMAGES) {
    schema.target.names = names;
    schema.target.name_count = 3;
  }
  return schema;
}

/* Open with the n-th allocation failing, for every n, and gather in the end. */
static void opens_or_fails(const char *folder, const struct fed__dataset_schema *schema) {
  struct failing_alloc failing = {.alloc = {resize}, .system = context.alloc};
  struct fed_context limited = context;
  limited.alloc = &failing.alloc;
  for (long allowed = 0;; allowed++) {
    struct fed_examples *examples = NULL;
    failing.until_failure = allowed;
    int code = fed__dataset_open(&limited, folder, schema, &examples);
    fed_examples_free(examples);
    assert_int_equal(failing.living, 0);
    if (code == FED_OK) break;
    assert_int_equal(code, FED_E_MEMORY);
    assert_true(allowed < 1000);
  }
}

static void readers(void **state) {
  (void)state;
  write_scratch("table.csv", "a,y\n1,2\n3,0\n", 12);
  static const char line[] = "{\"x\": \"ab\", \"y\": 1}\n";
  write_scratch("lines.jsonl", line, sizeof line - 1);
  for (int format = FED__DATA_IDX; format <= FED__DATA_IMAGES; format++)
    for (uint64_t memory = 0; memory < 2; memory++) { /* in memory; as little as can be */
      struct fed__dataset_schema schema = schema_of((enum fed__data_format)format);
      const int is_own = format == FED__DATA_CSV || format == FED__DATA_JSONL;
      schema.memory_bytes_max = memory;
      opens_or_fails(is_own ? scratch : VECTORS, &schema);
    }
}

static void wrappers(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_of(FED__DATA_IDX);
  schema.target.probabilities = 1;
  schema.augment = (struct fed__augment_schema){.flip = 1, .mixup = 1};
  opens_or_fails(VECTORS, &schema);
  schema = schema_of(FED__DATA_IMAGES);
  schema.target.file = "index.csv";
  schema.target.array = NULL;
  struct fed__input_schema input = inputs[FED__DATA_IMAGES];
  input.file = ".";
  schema.inputs = &input;
  struct fed_buffer png = read_vector("images/cat/rgb.png");
  write_scratch("a.png", png.data, png.size);
  write_scratch("index.csv", "file,label\na.png,dog\n", 21);
  fed_buffer_clear(&png);
  opens_or_fails(scratch, &schema);
}

static void balance(void **state) {
  (void)state;
  struct fed__dataset_schema schema = schema_of(FED__DATA_IDX);
  struct failing_alloc failing = {.alloc = {resize}, .system = context.alloc};
  struct fed_context limited = context;
  const uint32_t rows[] = {0, 1, 2};
  double *weights;
  limited.alloc = &failing.alloc;
  schema.target.probabilities = 1;
  schema.resample = FED__RESAMPLE_BALANCED;
  struct fed_examples *examples = opens(VECTORS, &schema);
  for (long allowed = 0; allowed < 3; allowed++) {
    failing.until_failure = allowed;
    assert_int_equal(fed__dataset_row_weights(&limited, &schema, examples, rows, 3, &weights),
                     FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
  }
  fed_examples_free(examples);
}

static void splits(void **state) {
  (void)state;
  const int64_t labels[] = {0, 1, 0, 1};
  const struct fed__split_dirichlet options = {
      .labels = labels, .count = 4, .classes = 2, .clients = 2, .alpha = 1};
  struct failing_alloc failing = {.alloc = {resize}, .system = context.alloc};
  struct fed_context limited = context;
  struct fed__split split;
  uint32_t client_of[4];
  limited.alloc = &failing.alloc;
  assert_int_equal(fed__split_holdout(&limited, 4, 0.5, 1, &split), FED_E_MEMORY);
  for (long allowed = 0; allowed < 5; allowed++) {
    failing.until_failure = allowed;
    assert_int_equal(fed__split_dirichlet(&limited, &options, client_of), FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
  }
  failing.until_failure = 5;
  assert_int_equal(fed__split_dirichlet(&limited, &options, client_of), FED_OK);
  assert_int_equal(failing.living, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(readers), cmocka_unit_test(wrappers),
                                     cmocka_unit_test(balance), cmocka_unit_test(splits)};
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
