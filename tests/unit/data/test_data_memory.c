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

static const struct fed__input_schema inputs[] = {
    {.name = "x", .file = "packed.idx"},
    {.name = "x", .file = "table.csv"},
    {.name = "x", .file = "n_i2.npy"},
    {.name = "x", .file = "deflated.npz", .array = "x"},
    {.name = "x", .file = "arrays.safetensors", .array = "x"},
};

static struct fed__dataset_schema schema_of(enum fed__data_format format) {
  static const char *const targets[] = {"labels.idx", NULL, "labels_i8.npy", NULL, NULL};
  return (struct fed__dataset_schema){
      .format = format,
      .inputs = &inputs[format],
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .file = targets[format], .array = "y", .classes = 3},
      .csv = {.has_header = 1, .columns = columns, .column_count = 2}};
}

static void readers(void **state) {
  (void)state;
  write_scratch("table.csv", "a,y\n1,2\n3,0\n", 12);
  for (int format = FED__DATA_IDX; format <= FED__DATA_SAFETENSORS; format++) {
    const struct fed__dataset_schema schema = schema_of((enum fed__data_format)format);
    const char *folder = format == FED__DATA_CSV ? scratch : VECTORS;
    struct failing_alloc failing = {.alloc = {resize}, .system = context.alloc};
    struct fed_context limited = context;
    limited.alloc = &failing.alloc;
    for (long allowed = 0;; allowed++) {
      struct fed_examples *examples = NULL;
      failing.until_failure = allowed;
      int code = fed__dataset_open(&limited, folder, &schema, &examples);
      fed_examples_free(examples);
      assert_int_equal(failing.living, 0);
      if (code == FED_OK) break;
      assert_int_equal(code, FED_E_MEMORY);
      assert_true(allowed < 100);
    }
  }
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(readers), cmocka_unit_test(splits)};
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
