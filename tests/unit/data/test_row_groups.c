/* SPDX-License-Identifier: Apache-2.0
 *
 * test_row_groups.c: which rows have the same value in a column: of tables, JSON lines, arrays and
 * an index of images, counted by hand; and what is refused, with the name that was meant.
 */
#include "failing_alloc.h"

#include "data/row_groups.h"

#include "data_files.h"

static const struct fed__column_schema columns[] = {
    {.name = "age", .kind = FED__COLUMN_NUMBER},
    {.name = "ill", .kind = FED__COLUMN_TARGET},
};
static const struct fed__input_schema csv_input = {.file = "t.csv"};

static struct fed__dataset_schema csv_schema(void) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_CSV,
      .inputs = &csv_input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .classes = 2},
      .csv = {.has_header = 1, .columns = columns, .column_count = 2}};
}

static void write_text(const char *name, const char *text) {
  write_scratch(name, text, strlen(text));
}

static struct fed__row_groups reads(const struct fed__dataset_schema *schema,
                                    const char *const *names, size_t count) {
  struct fed__row_groups groups;
  if (fed__row_groups_read(&context, scratch, schema, names, count, &groups) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return groups;
}

/* Each row's values in the first column, joined by blanks. */
static void finds(const struct fed__row_groups *groups, uint32_t count, const char *expected) {
  char text[256] = "";
  assert_int_equal(groups->count, count);
  for (size_t i = 0; i < groups->example_count; i++) {
    const uint32_t group = fed__row_groups_of(groups)[i];
    assert_true(group < count);
    const size_t size = strlen(text);
    snprintf(text + size, sizeof text - size, "%s%s", i ? " " : "",
             fed__row_groups_value(groups, group, 0));
  }
  assert_string_equal(text, expected);
}

static void refuses_groups(const struct fed__dataset_schema *schema, const char *column, int code,
                           const char *message) {
  struct fed__row_groups groups;
  fed_error_clear();
  const int found = fed__row_groups_read(&context, scratch, schema, &column, 1, &groups);
  if (found != code || !strstr(fed_error_last()->message, message))
    fail_msg("expected %s with '%s', found %s: %s", fed_error_name(code), message,
             fed_error_name(found), fed_error_last()->message);
}

static void a_column_that_is_no_input(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = csv_schema();
  const char *hospital = "hospital", *both[] = {"hospital", "ill"};
  write_text("t.csv", "age,hospital,ill\n5,Zurich,0\n6,\"Long, Beach\",1\n\n7, Zurich ,1\n8,x,0\n");
  struct fed__row_groups groups = reads(&schema, &hospital, 1);
  finds(&groups, 3, "Zurich Long, Beach Zurich x");
  assert_int_equal(fed__row_groups_of(&groups)[0], 0); /* in the order of appearance */
  assert_int_equal(fed__row_groups_of(&groups)[3], 2);
  fed__row_groups_clear(&groups);
  groups = reads(&schema, both, 2);
  assert_int_equal(groups.count, 4); /* Zurich 0, Long Beach 1, Zurich 1, x 0 */
  assert_string_equal(fed__row_groups_value(&groups, 2, 0), "Zurich");
  assert_string_equal(fed__row_groups_value(&groups, 2, 1), "1");
  fed__row_groups_clear(&groups);
}

static void a_table_without_a_header(void **state) {
  (void)state;
  struct fed__dataset_schema schema = csv_schema();
  const char *age = "age";
  schema.csv.has_header = 0;
  schema.csv.delimiter = '\t';
  write_text("t.csv", "61\t0\n50\t1\n61\t1\n");
  struct fed__row_groups groups = reads(&schema, &age, 1);
  finds(&groups, 2, "61 50 61");
  fed__row_groups_clear(&groups);
  refuses_groups(&schema, "hospital", FED_E_MISSING, "no column 'hospital'");
}

static void columns_that_are_not_there(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = csv_schema();
  write_text("t.csv", "age,hospital,ill\n5,a,0\n6,,1\n");
  refuses_groups(&schema, "hopsital", FED_E_MISSING, "did you mean 'hospital'?");
  refuses_groups(&schema, "bank", FED_E_MISSING, "it has 3 others, the first being 'age'");
  refuses_groups(&schema, "hospital", FED_E_MISSING,
                 "t.csv line 3: the column 'hospital' is empty");
  write_text("t.csv", "age,hospital,ill\n5,a\n");
  refuses_groups(&schema, "hospital", FED_E_SHAPE, "line 2: expected 3 fields, found 2");
}

/* More values than the hash table begins with, and than fit into a first guess of anything. */
static void many_values(void **state) {
  (void)state;
  static char text[400000];
  size_t size = (size_t)snprintf(text, sizeof text, "age,ill,who\n");
  const struct fed__dataset_schema schema = csv_schema();
  const char *who = "who";
  for (int i = 0; i < 20000; i++)
    size += (size_t)snprintf(text + size, sizeof text - size, "1,0,p%d\n", i * 7 % 5000);
  write_scratch("t.csv", text, size);
  struct fed__row_groups groups = reads(&schema, &who, 1);
  assert_int_equal(groups.count, 5000);
  assert_int_equal(groups.example_count, 20000);
  for (int i = 0; i < 20000; i++) { /* 7 and 5000 have no common factor: row i is as row i - 5000 */
    char name[16];
    const uint32_t group = fed__row_groups_of(&groups)[i];
    assert_int_equal(group, i % 5000);
    snprintf(name, sizeof name, "p%d", i * 7 % 5000);
    assert_string_equal(fed__row_groups_value(&groups, group, 0), name);
  }
  fed__row_groups_clear(&groups);
}

static const struct fed__input_schema text_input = {
    .file = "t.jsonl", .array = "says", .kind = FED__INPUT_TEXT, .shape = {1, {4}}};

static struct fed__dataset_schema jsonl_schema(enum fed__target_kind kind) {
  return (struct fed__dataset_schema){.format = FED__DATA_JSONL,
                                      .inputs = &text_input,
                                      .input_count = 1,
                                      .target = {.kind = kind, .classes = 5, .array = "label"},
                                      .text = {.characters = "abc"}};
}

static void fields_of_json_lines(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = jsonl_schema(FED__TARGET_CLASS);
  const char *names[] = {"who", "new"};
  write_text("t.jsonl", "{\"says\": \"a\", \"label\": 0, \"who\": \"Ann\", \"new\": true}\n"
                        "{\"says\": \"b\", \"label\": 1, \"who\": 12, \"new\": false}\n"
                        "{\"says\": \"c\", \"label\": 2, \"who\": \"Ann\", \"new\": false}\n");
  struct fed__row_groups groups = reads(&schema, names, 1);
  finds(&groups, 2, "Ann 12 Ann");
  fed__row_groups_clear(&groups);
  groups = reads(&schema, names, 2);
  assert_int_equal(groups.count, 3);
  assert_string_equal(fed__row_groups_value(&groups, 2, 1), "false");
  fed__row_groups_clear(&groups);
  refuses_groups(&schema, "woh", FED_E_MISSING, "line 1: there is no field 'woh'; did you mean");
  write_text("t.jsonl", "{\"says\": \"a\", \"label\": 0, \"who\": 1.5}\n");
  refuses_groups(&schema, "who", FED_E_TYPE, "field 'who': expected a text");
  write_text("t.jsonl", "{\"says\": \"a\", \"label\": 0, \"who\": \"\"}\n");
  refuses_groups(&schema, "who", FED_E_TYPE, "not empty");
  write_text("t.jsonl", "{\"says\": \"a\", \"label\": 0, \"who\": null}\n");
  refuses_groups(&schema, "who", FED_E_TYPE, "found null");
}

/* Windows of 4 characters, one behind the other: 9 characters make 2, 10 make 3; one character has
 * none behind it, so that "Bob" is nobody. */
static void all_windows_of_a_text_are_its_speaker_s(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = jsonl_schema(FED__TARGET_NEXT);
  const char *who = "who";
  write_text("t.jsonl", "{\"says\": [\"abcab\", \"abc\"], \"who\": \"Ann\"}\n"
                        "{\"says\": \"a\", \"who\": \"Bob\"}\n"
                        "{\"says\": \"abcabcabca\", \"who\": \"Eve\"}\n"
                        "{\"says\": \"ab\", \"who\": \"Ann\"}\n");
  struct fed__row_groups groups = reads(&schema, &who, 1);
  finds(&groups, 2, "Ann Ann Eve Eve Eve Ann");
  fed__row_groups_clear(&groups);
}

static void an_array_of_integers(void **state) {
  (void)state;
  const struct fed__input_schema input = {.file = "x.idx"};
  const struct fed__dataset_schema schema = {.format = FED__DATA_IDX,
                                             .inputs = &input,
                                             .input_count = 1,
                                             .target = {.classes = 2, .file = "y.idx"}};
  static const uint8_t writers[] = {0, 0, 8, 1, 0, 0, 0, 5, 7, 200, 7, 0, 200};
  static const uint8_t pairs[] = {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 200};
  static const uint8_t reals[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0};
  const char *names[] = {"writers.idx", "labels.idx"};
  write_scratch("writers.idx", writers, sizeof writers);
  struct fed__row_groups groups = reads(&schema, names, 1);
  finds(&groups, 3, "7 200 7 0 200");
  fed__row_groups_clear(&groups);
  write_scratch("labels.idx", reals, sizeof reals);
  refuses_groups(&schema, "labels.idx", FED_E_TYPE, "expected integers");
  write_scratch("labels.idx", pairs, sizeof pairs);
  refuses_groups(&schema, "labels.idx", FED_E_SHAPE, "one integer an example, found 2");
  refuses_groups(&schema, "nothing.idx", FED_E_NOT_FOUND, "nothing.idx");
  refuses_groups(&schema, "../x", FED_E_DENIED, "..");
  static const uint8_t shorter[] = {0, 0, 8, 1, 0, 0, 0, 1, 7};
  write_scratch("labels.idx", shorter, sizeof shorter);
  assert_int_equal(fed__row_groups_read(&context, scratch, &schema, names, 2, &groups),
                   FED_E_SHAPE);
}

static void an_index_of_images(void **state) {
  (void)state;
  const struct fed__input_schema input = {.file = "."};
  struct fed__dataset_schema schema = {.format = FED__DATA_IMAGES,
                                       .inputs = &input,
                                       .input_count = 1,
                                       .target = {.classes = 2, .file = "labels.csv"}};
  const char *patient = "patient";
  write_text("labels.csv", "file,patient,label\na.png,p1,0\nb.png,p2,1\nc.png,p1,1\n");
  struct fed__row_groups groups = reads(&schema, &patient, 1);
  finds(&groups, 2, "p1 p2 p1");
  fed__row_groups_clear(&groups);
  schema.target.file = NULL;
  refuses_groups(&schema, "patient", FED_E_UNSUPPORTED, "index file");
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  const struct fed__dataset_schema schema = csv_schema();
  const char *who = "who";
  write_text("t.csv", "age,ill,who\n5,0,a\n6,1,b\n");
  struct failing_alloc failing;
  struct fed_context counted;
  int code = FED_E_MEMORY;
  for (long n = 0; code != FED_OK; n++) {
    struct fed__row_groups groups;
    failing_alloc_init(&failing, &counted, n);
    code = fed__row_groups_read(&counted, scratch, &schema, &who, 1, &groups);
    assert_true(n < 1000);
    if (code == FED_OK)
      fed__row_groups_clear(&groups);
    else
      assert_int_equal(code, FED_E_MEMORY);
    assert_int_equal(failing.living, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_column_that_is_no_input),
      cmocka_unit_test(a_table_without_a_header),
      cmocka_unit_test(columns_that_are_not_there),
      cmocka_unit_test(many_values),
      cmocka_unit_test(fields_of_json_lines),
      cmocka_unit_test(all_windows_of_a_text_are_its_speaker_s),
      cmocka_unit_test(an_array_of_integers),
      cmocka_unit_test(an_index_of_images),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
