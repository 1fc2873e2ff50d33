/* SPDX-License-Identifier: Apache-2.0
 *
 * test_partition_groups.c: clients by a column's values: who has which rows, in which order, under
 * which name, all written down by hand; values with too few examples; what cannot be divided.
 */
#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "simulate/partition.h"

#include <stdio.h>
#include <stdlib.h>

static struct fed_context context;
static char folder[] = "/tmp/fed-groups-XXXXXX";

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  return fed__folder_remove(folder);
}

/* The table has the columns `a` and `b`. */
static struct fed__row_groups groups_of(const char *rows, const char *const *columns,
                                        size_t count) {
  static const struct fed__column_schema inputs[] = {{.name = "b", .kind = FED__COLUMN_TARGET}};
  static const struct fed__input_schema input = {.file = "t.csv"};
  const struct fed__dataset_schema schema = {
      .format = FED__DATA_CSV,
      .inputs = &input,
      .input_count = 1,
      .csv = {.has_header = 1, .columns = inputs, .column_count = 1}};
  char path[FED__PATH_MAX], text[4096];
  struct fed__row_groups groups;
  snprintf(text, sizeof text, "a,b\n%s", rows);
  assert_int_equal(fed__path_join(path, sizeof path, folder, "t.csv"), FED_OK);
  assert_int_equal(fed__file_write_quick(path, fed_slice_of_text(text), FED__FILE_SHARED), FED_OK);
  if (fed__row_groups_read(&context, folder, &schema, columns, count, &groups) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return groups;
}

static const char *const both[] = {"a", "b"};

static struct fed__partition_settings settings_of(size_t columns, uint32_t minimum) {
  return (struct fed__partition_settings){.kind = FED__PARTITION_COLUMN,
                                          .columns = (char **)(uintptr_t)both,
                                          .column_count = columns,
                                          .minimum = minimum};
}

static struct fed__partition divide(const char *rows, size_t columns, uint32_t minimum) {
  const struct fed__partition_settings settings = settings_of(columns, minimum);
  struct fed__row_groups groups = groups_of(rows, both, columns);
  struct fed__partition partition;
  if (fed__partition_of_groups(&context, &settings, &groups, &partition) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  fed__row_groups_clear(&groups);
  return partition;
}

static void client_is(const struct fed__partition *partition, uint32_t client, const char *name,
                      size_t count, const uint32_t *rows) {
  char text[FED__CLIENT_NAME_BYTES];
  assert_string_equal(fed__partition_name(partition, client, text), name);
  assert_int_equal(fed__partition_train_count(partition, client), count);
  assert_memory_equal(fed__partition_rows(partition, client, NULL).train, rows,
                      count * sizeof *rows);
}

static void each_value_is_a_client(void **state) {
  (void)state;
  struct fed__partition partition = divide("M,0\nL,0\nL,0\nH,0\nM,0\nL,0\n", 1, 1);
  assert_int_equal(partition.client_count, 3);
  assert_int_equal(partition.example_count, 6);
  client_is(&partition, 0, "H", 1, (const uint32_t[]){3});
  client_is(&partition, 1, "L", 3, (const uint32_t[]){1, 2, 5});
  client_is(&partition, 2, "M", 2, (const uint32_t[]){0, 4});
  fed__partition_clear(&partition);
}

static void numbers_go_by_their_size(void **state) {
  (void)state;
  struct fed__partition partition = divide("10,0\n9,0\n009,0\n100,0\n", 1, 1);
  client_is(&partition, 0, "009", 1, (const uint32_t[]){2});
  client_is(&partition, 1, "9", 1, (const uint32_t[]){1});
  client_is(&partition, 2, "10", 1, (const uint32_t[]){0});
  client_is(&partition, 3, "100", 1, (const uint32_t[]){3});
  fed__partition_clear(&partition);
}

static void several_columns_make_one_client_of_each_combination(void **state) {
  (void)state;
  struct fed__partition partition =
      divide("hamlet,HORATIO\nhamlet,ALL\nmacbeth,ALL\nhamlet,ALL\n", 2, 1);
  assert_int_equal(partition.client_count, 3);
  client_is(&partition, 0, "hamlet.ALL", 2, (const uint32_t[]){1, 3});
  client_is(&partition, 1, "hamlet.HORATIO", 1, (const uint32_t[]){0});
  client_is(&partition, 2, "macbeth.ALL", 1, (const uint32_t[]){2});
  fed__partition_clear(&partition);
}

/* "a b", "a/b" and "a_b" look alike in a name, and "a_b-2" is there already; two long values differ
 * in their last letters only. */
static void names_are_plain_and_differ(void **state) {
  (void)state;
  char rows[512], wide[61];
  memset(wide, 'x', 60);
  wide[60] = 0;
  snprintf(rows, sizeof rows,
           "a b,0\na/b,0\na_b,0\na_b-2,0\nZ\xc3\xbcrich,0\n%s12345,0\n%s12346,0\n", wide, wide);
  struct fed__partition partition = divide(rows, 1, 1);
  assert_int_equal(partition.client_count, 7);
  client_is(&partition, 0, "Z_rich", 1, (const uint32_t[]){4});
  client_is(&partition, 1, "a_b", 1, (const uint32_t[]){0});
  client_is(&partition, 2, "a_b-2", 1, (const uint32_t[]){1});
  client_is(&partition, 3, "a_b-3", 1, (const uint32_t[]){2});
  client_is(&partition, 4, "a_b-2-2", 1, (const uint32_t[]){3});
  char first[FED__CLIENT_NAME_BYTES], second[FED__CLIENT_NAME_BYTES];
  snprintf(first, sizeof first, "%s1234", wide);
  snprintf(second, sizeof second, "%s12-2", wide);
  client_is(&partition, 5, first, 1, (const uint32_t[]){5});
  client_is(&partition, 6, second, 1, (const uint32_t[]){6});
  fed__partition_clear(&partition);
}

static void values_with_few_examples_are_left_out(void **state) {
  (void)state;
  struct fed__partition partition = divide("A,0\nB,0\nA,0\nC,0\nC,0\nA,0\n", 1, 2);
  assert_int_equal(partition.client_count, 2);
  assert_int_equal(partition.example_count, 6);
  client_is(&partition, 0, "A", 3, (const uint32_t[]){0, 2, 5});
  client_is(&partition, 1, "C", 2, (const uint32_t[]){3, 4});
  fed__partition_clear(&partition);
}

static void refuses(const char *rows, uint32_t minimum, const char *message) {
  const struct fed__partition_settings settings = settings_of(1, minimum);
  struct fed__row_groups groups = groups_of(rows, both, 1);
  struct fed__partition partition;
  fed_error_clear();
  assert_int_equal(fed__partition_of_groups(&context, &settings, &groups, &partition), FED_E_RANGE);
  if (!strstr(fed_error_last()->message, message))
    fail_msg("'%s' is not in: %s", message, fed_error_last()->message);
  fed__row_groups_clear(&groups);
}

static void what_cannot_be_divided(void **state) {
  (void)state;
  refuses("A,0\nA,1\n", 1, "'a': all 2 examples have the same value: A");
  refuses("", 1, "all 0 examples have the same value");
  refuses("A,0\nB,0\nA,0\n", 3, "no client has the minimum of 3 examples, the largest of 2 has 2");
}

/* Sorted: -1e2 (5), 2 (1), 2.0 (3), 9 (2), 10 (0), 11 (4), 1e3 (6); seven of three make 2, 2, 3. */
static void sorted_by_a_number(void **state) {
  (void)state;
  struct fed__row_groups groups =
      groups_of("10,0\n2,0\n9,0\n2.0,0\n11,0\n-1e2,0\n1e3,0\n", both, 1);
  struct fed__partition partition;
  assert_int_equal(fed__partition_of_sorted(&context, "a", &groups, 3, &partition), FED_OK);
  client_is(&partition, 0, "client-0000", 2, (const uint32_t[]){1, 5});
  client_is(&partition, 1, "client-0001", 2, (const uint32_t[]){2, 3});
  client_is(&partition, 2, "client-0002", 3, (const uint32_t[]){0, 4, 6});
  fed__partition_clear(&partition);
  assert_int_equal(fed__partition_of_sorted(&context, "a", &groups, 8, &partition), FED_E_RANGE);
  fed__row_groups_clear(&groups);
  static const char *const wrong[] = {"1,0\nold,0\n", "1,0\nnan,0\n", "1,0\n0x2,0\n",
                                      "1,0\n3 4,0\n", "1,0\n1e999,0\n"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    groups = groups_of(wrong[i], both, 1);
    assert_int_equal(fed__partition_of_sorted(&context, "a", &groups, 2, &partition), FED_E_TYPE);
    assert_non_null(strstr(fed_error_last()->message, "'a': expected numbers to sort by, found"));
    fed__row_groups_clear(&groups);
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const struct fed__partition_settings settings = settings_of(1, 1);
  struct fed__row_groups groups = groups_of("A,0\nB,0\nA b,0\nA/b,0\n", both, 1);
  int code = FED_E_MEMORY;
  for (long allowed = 0; code != FED_OK; allowed++) {
    struct failing_alloc memory;
    struct fed_context failing;
    struct fed__partition partition;
    failing_alloc_init(&memory, &failing, allowed);
    code = fed__partition_of_groups(&failing, &settings, &groups, &partition);
    assert_true(allowed < 100);
    if (code == FED_OK)
      fed__partition_clear(&partition);
    else
      assert_int_equal(code, FED_E_MEMORY);
    assert_int_equal(memory.living, 0);
  }
  fed__row_groups_clear(&groups);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_value_is_a_client),
      cmocka_unit_test(numbers_go_by_their_size),
      cmocka_unit_test(several_columns_make_one_client_of_each_combination),
      cmocka_unit_test(names_are_plain_and_differ),
      cmocka_unit_test(values_with_few_examples_are_left_out),
      cmocka_unit_test(what_cannot_be_divided),
      cmocka_unit_test(sorted_by_a_number),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
