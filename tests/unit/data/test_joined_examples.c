/* SPDX-License-Identifier: Apache-2.0
 *
 * test_joined_examples.c: parts as one: which rows come, what begins and ends with it, and
 * refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "data/joined_examples.h"
#include "failing_alloc.h"

static struct fed_context context;
static float points[6][2] = {{0, 0}, {1, 10}, {2, 20}, {3, 30}, {4, 40}, {5, 50}};
static int64_t labels[6] = {0, 1, 0, 1, 1, 0};

/* Rows from..from+count of the arrays above. */
static struct fed_examples *part(const struct fed_context *with, int64_t from, int64_t count) {
  const struct fed_tensor x = {"x", FED_F32, {2, {count, 2}}, points[from]};
  const struct fed_tensor y = {"y", FED_I64, {1, {count}}, labels + from};
  struct fed_examples *examples;
  assert_int_equal(fed_examples_of_arrays(with, &x, 1, &y, &examples), FED_OK);
  return examples;
}

static void rows_go_through_the_parts(void **state) {
  (void)state;
  struct fed_examples *parts[] = {part(&context, 0, 1), part(&context, 1, 3), part(&context, 4, 2)};
  static const size_t sizes[] = {1, 3, 2};
  static const uint32_t last = 6, rows[] = {5, 0, 3, 1, 4, 2, 0};
  struct fed_examples *joined;
  float x[7][2];
  int64_t y[7], found[6];
  struct fed_batch batch = {.inputs = {{.data = x}}, .target = {.data = y}};
  assert_int_equal(fed__joined_examples_new(&context, parts, 3, &joined), FED_OK);
  assert_int_equal(joined->count, 6);
  assert_int_equal(joined->spec.inputs[0].shape.dims[0], 2);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(fed__joined_examples_part_count(joined, i), sizes[i]);
  assert_int_equal(joined->gather(joined, rows, 7, &batch), FED_OK);
  for (int i = 0; i < 7; i++) {
    assert_memory_equal(x[i], points[rows[i]], sizeof x[i]);
    assert_int_equal(y[i], labels[rows[i]]);
  }
  assert_int_equal(joined->gather(joined, &last, 1, &batch), FED_E_RANGE);
  const struct fed__dataset_schema schema = {.target = {.kind = FED__TARGET_CLASS, .classes = 2}};
  assert_int_equal(fed__dataset_labels(&context, &schema, joined, NULL, 6, found), FED_OK);
  assert_memory_equal(found, labels, sizeof found);
  fed_examples_free(joined);
}

static uint64_t begun, ended;
static void note_begin(struct fed_examples *self, uint64_t seed) {
  (void)self;
  begun += seed;
}
static void note_end(struct fed_examples *self) {
  (void)self;
  ended++;
}

static void passes_reach_the_parts(void **state) {
  (void)state;
  struct fed_examples *parts[] = {part(&context, 0, 1), part(&context, 1, 3)}, *joined;
  assert_int_equal(fed__joined_examples_new(&context, parts, 2, &joined), FED_OK);
  assert_null(joined->begin_pass);
  fed_examples_free(joined);
  struct fed_examples *others[] = {part(&context, 0, 1), part(&context, 1, 3)};
  others[1]->begin_pass = note_begin;
  others[1]->end_pass = note_end;
  assert_int_equal(fed__joined_examples_new(&context, others, 2, &joined), FED_OK);
  joined->begin_pass(joined, 7);
  joined->end_pass(joined);
  assert_true(begun == 7 && ended == 1);
  fed_examples_free(joined);
}

static int cannot_share(struct fed_examples *self, struct fed_examples **other) {
  (void)self, (void)other;
  return FED_E_MEMORY;
}

static void what_is_shared_has_the_same_rows(void **state) {
  (void)state;
  struct fed_examples *parts[] = {part(&context, 0, 1), part(&context, 1, 3)}, *joined, *other,
                      *third;
  static const uint32_t rows[] = {3, 0, 2};
  float x[3][2];
  int64_t y[3];
  struct fed_batch batch = {.inputs = {{.data = x}}, .target = {.data = y}};
  assert_int_equal(fed__joined_examples_new(&context, parts, 2, &joined), FED_OK);
  assert_int_equal(joined->share(joined, &other), FED_OK);
  assert_int_equal(other->share(other, &third), FED_OK);
  assert_int_equal(third->count, 4);
  assert_int_equal(third->gather(third, rows, 3, &batch), FED_OK);
  for (int i = 0; i < 3; i++) {
    assert_memory_equal(x[i], points[rows[i]], sizeof x[i]);
    assert_int_equal(y[i], labels[rows[i]]);
  }
  fed_examples_free(third);
  fed_examples_free(other);
  parts[1]->share = cannot_share;
  assert_int_equal(joined->share(joined, &other), FED_E_MEMORY);
  fed_examples_free(joined);
  struct fed_examples *others[] = {part(&context, 0, 1), part(&context, 1, 3)};
  others[1]->share = NULL;
  assert_int_equal(fed__joined_examples_new(&context, others, 2, &joined), FED_OK);
  assert_null(joined->share);
  fed_examples_free(joined);
}

static void what_cannot_be_joined_is_refused(void **state) {
  (void)state;
  struct fed_examples *joined, *parts[] = {part(&context, 0, 1), NULL};
  const struct fed_tensor x = {"x", FED_F32, {2, {4, 1}}, points};
  const struct fed_tensor y = {"y", FED_I64, {1, {4}}, labels};
  assert_int_equal(fed_examples_of_arrays(&context, &x, 1, &y, &parts[1]), FED_OK);
  assert_int_equal(fed__joined_examples_new(&context, parts, 2, &joined), FED_E_SHAPE);
  assert_int_equal(fed__joined_examples_new(&context, parts, 0, &joined), FED_E_EMPTY);
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  for (long allowed = 2;; allowed++) {
    struct failing_alloc memory;
    struct fed_context failing;
    failing_alloc_init(&memory, &failing, allowed);
    struct fed_examples *joined = NULL, *other,
                        *parts[] = {part(&failing, 0, 1), part(&failing, 1, 3)};
    int code = fed__joined_examples_new(&failing, parts, 2, &joined);
    const int is_joined = code == FED_OK;
    if (is_joined) code = joined->share(joined, &other);
    if (code == FED_OK) fed_examples_free(other);
    if (is_joined) fed_examples_free(joined);
    assert_int_equal(memory.living, 0);
    if (code == FED_OK) break;
    assert_int_equal(code, FED_E_MEMORY);
  }
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_go_through_the_parts),
      cmocka_unit_test(passes_reach_the_parts),
      cmocka_unit_test(what_is_shared_has_the_same_rows),
      cmocka_unit_test(what_cannot_be_joined_is_refused),
      cmocka_unit_test(running_out_of_memory_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
