/* SPDX-License-Identifier: Apache-2.0
 *
 * test_csv.c: hospital records against what pandas makes of them, RFC 4180 by the letter, and
 * every refusal with its message.
 */
#include "data_files.h"

#include <locale.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const markers[] = {"?"};

/* heart.csv as make_heart.py reads it. */
static const struct fed__category chest_pain[] = {{"1.0", 0}, {"2.0", 1}, {"3.0", 2}, {"4.0", 3}};
static const struct fed__category thal[] = {{"3.0", 0}, {"6.0", 1}, {"7.0", 2}};
static const struct fed__category disease[] = {{"0", 0}, {"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}};
static const struct fed__column_schema heart_columns[] = {
    {.name = "age", .kind = FED__COLUMN_NUMBER, .mean = 54.4, .std = 9.05},
    {.name = "sex"},
    {.name = "cp", .kind = FED__COLUMN_CATEGORY, .categories = chest_pain, .category_count = 4},
    {.name = "trestbps"},
    {.name = "chol",
     .kind = FED__COLUMN_NUMBER,
     .missing = FED__MISSING_VALUE,
     .has_range = 1,
     .min = 100,
     .max = 600,
     .mean = 246.7,
     .std = 51.8},
    {.name = "fbs"},
    {.name = "restecg"},
    {.name = "thalach"},
    {.name = "exang"},
    {.name = "oldpeak"},
    {.name = "slope"},
    {.name = "ca",
     .kind = FED__COLUMN_NUMBER,
     .missing = FED__MISSING_MEAN,
     .mean = 0.67,
     .std = 0.94},
    {.name = "thal",
     .kind = FED__COLUMN_CATEGORY,
     .missing = FED__MISSING_VALUE,
     .missing_value = 3,
     .categories = thal,
     .category_count = 3,
     .has_other = 1},
    {.name = "num", .kind = FED__COLUMN_TARGET, .categories = disease, .category_count = 5},
};
static const struct fed__input_schema heart_input = {.name = "patient", .file = "heart.csv"};

static struct fed__dataset_schema heart_schema(void) {
  return (struct fed__dataset_schema){.format = FED__DATA_CSV,
                                      .inputs = &heart_input,
                                      .input_count = 1,
                                      .target = {.kind = FED__TARGET_CLASS, .classes = 2},
                                      .csv = {.missing_markers = markers,
                                              .missing_marker_count = 1,
                                              .columns = heart_columns,
                                              .column_count = COUNT(heart_columns)}};
}

/* What make_heart.py printed. */
static const float heart_rows[20][11] = {
    {0.950276243f, 1, 0, 0, 0, -0.264478764f, -0.712765957f, 0, 1, 0, 0},
    {1.39226519f, 0, 0, 0, 1, 0.758687259f, 2.4787234f, 1, 0, 0, 0},
    {1.39226519f, 0, 0, 0, 1, -0.341698842f, 1.41489362f, 0, 0, 1, 0},
    {-1.92265193f, 0, 0, 1, 0, 0.0637065637f, -0.712765957f, 1, 0, 0, 0},
    {-1.48066298f, 0, 1, 0, 0, -0.824324324f, -0.712765957f, 1, 0, 0, 0},
    {0.17679558f, 0, 1, 0, 0, -0.206563707f, -0.712765957f, 1, 0, 0, 0},
    {0.839779006f, 0, 0, 0, 1, 0.411196911f, 1.41489362f, 1, 0, 0, 0},
    {0.287292818f, 0, 0, 0, 1, 2.07142857f, -0.712765957f, 1, 0, 0, 0},
    {0.950276243f, 0, 0, 0, 1, 0.140926641f, 0.35106383f, 0, 0, 1, 0},
    {-0.154696133f, 0, 0, 0, 1, -0.843629344f, -0.712765957f, 0, 0, 1, 0},
    {0.287292818f, 0, 0, 0, 1, -1.05598456f, -0.712765957f, 0, 1, 0, 0},
    {0.17679558f, 0, 1, 0, 0, 0.913127413f, -0.712765957f, 1, 0, 0, 0},
    {0.17679558f, 0, 0, 1, 0, 0.17953668f, 0.35106383f, 0, 1, 0, 0},
    {-1.14917127f, 0, 1, 0, 0, 0.314671815f, -0.712765957f, 0, 0, 1, 0},
    {-0.154696133f, 0, 0, 1, 0, -0.592664093f, -0.712765957f, 0, 0, 0, 1},
    {-0.26519337f, 0, 0, 1, 0, -0.457528958f, 0, 1, 0, 0, 0},
    {-1.25966851f, 0, 0, 0, 1, 0.00579150579f, 0, 0, 0, 1, 0},
    {-0.26519337f, 0, 0, 0, 1, -0.824324324f, -0.712765957f, 0, 0, 0, 1},
    {0.397790055f, 0, 1, 0, 0, -0.515444015f, 0, 0, 0, 1, 0},
    {-1.8121547f, 0, 0, 1, 0, -1.38416988f, 0, 1, 0, 0, 0},
};
static const int64_t heart_labels[20] = {0, 1, 1, 0, 0, 0, 1, 0, 1, 1,
                                         0, 0, 1, 0, 0, 0, 1, 1, 0, 0};

static void heart_is_what_pandas_makes_of_it(void **state) {
  (void)state;
  struct fed__dataset_schema schema = heart_schema();
  struct fed_examples *examples = opens(VECTORS, &schema);
  assert_int_equal(examples->count, 20);
  assert_int_equal(examples->spec.inputs[0].shape.rank, 1);
  assert_int_equal(examples->spec.inputs[0].shape.dims[0], 11);
  assert_string_equal(examples->spec.inputs[0].name, "patient");
  for (uint32_t row = 0; row < 20; row++) {
    float values[11];
    int64_t label;
    gathers(examples, &row, 1, values, &label);
    for (int i = 0; i < 11; i++)
      if (!(fabs((double)values[i] - (double)heart_rows[row][i]) <= 1e-6))
        fail_msg("row %u, value %d: expected %g, found %g", row, i, (double)heart_rows[row][i],
                 (double)values[i]);
    assert_int_equal(label, heart_labels[row]);
  }
  fed_examples_free(examples);
}

/* A small table with a header: two numbers and a number as target. */
static const struct fed__column_schema small_columns[] = {
    {.name = "b", .kind = FED__COLUMN_NUMBER},
    {.name = "a", .kind = FED__COLUMN_NUMBER},
    {.name = "y", .kind = FED__COLUMN_TARGET},
};
static const struct fed__input_schema small_input = {.file = "small.csv"};

static struct fed__dataset_schema small_schema(void) {
  return (struct fed__dataset_schema){.format = FED__DATA_CSV,
                                      .inputs = &small_input,
                                      .input_count = 1,
                                      .target = {.kind = FED__TARGET_NUMBER},
                                      .csv = {.has_header = 1,
                                              .missing_markers = markers,
                                              .missing_marker_count = 1,
                                              .columns = small_columns,
                                              .column_count = 3}};
}

static void write_small(const char *text) { write_scratch("small.csv", text, strlen(text)); }

/* Every text must give the rows b, a, y: (2, 1, 3) and (-50, 0.25, 6). */
static void same_table_in_many_spellings(void **state) {
  (void)state;
  static const char *const texts[] = {
      "a,b,y\n1,2,3\n0.25,-50,6\n",
      "a,b,y\r\n1,2,3\r\n0.25,-50,6\r\n",
      "a,b,y\n1,2,3\n0.25,-50,6",
      "\xef\xbb\xbf"
      "a,b,y\n1,2,3\n0.25,-50,6\n",
      "y,extra,a,b\n3,x,1,2\n6,y,0.25,-50\n",
      "\"a\",\"b\",\"y\"\n\"1\",\"2\",\"3\"\n\"0.25\",\"-50\",\"6\"\n",
      "\n\na,b,y\n\n1,2,3\n  \n0.25,-50,6\n\n",
      " a , b , y \n +1., 2.0 ,3e0\n.25, -5E+1 , 60e-1\n",
      "a,\"no\"\"te,\n\",b,y\n1,\"multi\nline, \"\"quoted\"\"\",2,3\n0.25,,-50,6\n",
  };
  struct fed__dataset_schema schema = small_schema();
  for (size_t i = 0; i < COUNT(texts); i++) {
    write_small(texts[i]);
    struct fed_examples *examples = opens(scratch, &schema);
    assert_int_equal(examples->count, 2);
    assert_int_equal(examples->spec.target.dtype, FED_F32);
    const uint32_t rows[] = {0, 1};
    float values[4], targets[2];
    gathers(examples, rows, 2, values, targets);
    const float expected[] = {2, 1, -50, 0.25f};
    assert_memory_equal(values, expected, sizeof expected);
    assert_true(targets[0] == 3 && targets[1] == 6);
    fed_examples_free(examples);
  }
}

static void another_delimiter_and_a_locale_with_commas(void **state) {
  (void)state;
  struct fed__dataset_schema schema = small_schema();
  schema.csv.delimiter = '\t';
  if (!setlocale(LC_ALL, "de_DE.UTF-8")) setlocale(LC_ALL, "C.UTF-8");
  write_small("a\tb\ty\n1.5\t2\t3\n");
  struct fed_examples *examples = opens(scratch, &schema);
  setlocale(LC_ALL, "C");
  const uint32_t row = 0;
  float values[2], target;
  gathers(examples, &row, 1, values, &target);
  assert_true(values[1] == 1.5f);
  fed_examples_free(examples);
  schema.csv.delimiter = '"';
  refuses(scratch, &schema, FED_E_INPUT, "delimiter");
}

struct refusal {
  const char *text;
  int code;
  const char *message;
};

static void what_is_no_csv(void **state) {
  (void)state;
  static const struct refusal cases[] = {
      {"", FED_E_EMPTY, "small.csv: expected a header, found nothing"},
      {"a,b,y\n", FED_E_EMPTY, "'small.csv': expected at least one example"},
      {"a,b,y\n1,2\n", FED_E_SHAPE,
       "small.csv line 2: expected 3 fields as in the header, found 2"},
      {"a,b,y\n1,2,3,4\n", FED_E_SHAPE, "found 4"},
      {"a,b\n1,2\n", FED_E_MISSING, "small.csv line 1: expected a column 'y' in the header"},
      {"a,b,y,a\n1,2,3,4\n", FED_E_DUPLICATE, "the column 'a' is there twice"},
      {"a,b,y\n1,2\"x,3\n", FED_E_SYNTAX, "small.csv line 2: a quote within a field"},
      {"a,b,y\n1,\"2\"x,3\n", FED_E_SYNTAX, "expected a delimiter behind a closing quote"},
      {"a,b,y\n1,\"2,3\n", FED_E_TRUNCATED, "small.csv line 3: the file ends within quotes"},
      {"a,b,y\n1,2,3\r4,5,6\n", FED_E_SYNTAX,
       "small.csv line 2: expected a line feed behind a carriage return"},
      {"a,b,y\n1,abc,3\n", FED_E_TYPE,
       "small.csv line 2, column 'b': expected a number, found 'abc'"},
      {"a,b,y\n\n\"\n\",2,3\n", FED_E_TYPE, "line 3, column 'a': expected a number, found '.'"},
      {"a,b,y\n1,,3\n", FED_E_TYPE, "column 'b': expected a number, found ''"},
      {"a,b,y\n1,?,3\n", FED_E_MISSING, "column 'b': expected a number, found '?' (missing)"},
      {"a,b,y\n1,2,?\n", FED_E_MISSING, "column 'y'"},
      {"a,b,y\n1,nan,3\n", FED_E_TYPE, "found 'nan'"},
      {"a,b,y\n1,-inf,3\n", FED_E_TYPE, "found '-inf'"},
      {"a,b,y\n1,0x10,3\n", FED_E_TYPE, "found '0x10'"},
      {"a,b,y\n1,1 2,3\n", FED_E_TYPE, "found '1 2'"},
      {"a,b,y\n1,1e,3\n", FED_E_TYPE, "found '1e'"},
      {"a,b,y\n1,.,3\n", FED_E_TYPE, "found '.'"},
      {"a,b,y\n1,--2,3\n", FED_E_TYPE, "found '--2'"},
      {"a,b,y\n1,1e999,3\n", FED_E_NOT_FINITE, "found '1e999'"},
      {"a,b,y\n1,1e39,3\n", FED_E_NOT_FINITE, "found '1e39'"},
  };
  struct fed__dataset_schema schema = small_schema();
  for (size_t i = 0; i < COUNT(cases); i++) {
    write_small(cases[i].text);
    refuses(scratch, &schema, cases[i].code, cases[i].message);
  }
  write_scratch("small.csv", "a,b,y\n1,\0,3\n", 12);
  refuses(scratch, &schema, FED_E_SYNTAX, "found a zero byte");
}

static void very_long_records(void **state) {
  (void)state;
  struct fed__dataset_schema schema = small_schema();
  const size_t size = ((size_t)1 << 20) + 100;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, 'x', size);
  text[0] = '"';
  write_scratch("small.csv", text, size);
  refuses(scratch, &schema, FED_E_TOO_LARGE, "small.csv line 1: a record of more than 1 MiB");
  memset(text, ',', size);
  write_scratch("small.csv", text, size);
  refuses(scratch, &schema, FED_E_TOO_LARGE, "more than 16384 fields");
  free(text);
}

/* heart.csv's first line with one field replaced. */
static void refuses_heart(const char *line, int code, const char *message) {
  struct fed__dataset_schema schema = heart_schema();
  write_scratch("heart.csv", line, strlen(line));
  refuses(scratch, &schema, code, message);
}

static void what_does_not_fit_the_columns(void **state) {
  (void)state;
  refuses_heart("63,1,1.0,145,abc,1,2,150,0,2.3,3,0,6.0,0\n", FED_E_TYPE,
                "heart.csv line 1, column 'chol': expected a number between 100 and 600 or missing "
                "('?'), found 'abc'");
  refuses_heart("63,1,1.0,145,99.9,1,2,150,0,2.3,3,0,6.0,0\n", FED_E_RANGE,
                "expected a number between 100 and 600 or missing ('?'), found '99.9'");
  refuses_heart("63,1,5.0,145,233,1,2,150,0,2.3,3,0,6.0,0\n", FED_E_RANGE,
                "column 'cp': expected one of '1.0', '2.0', '3.0', '4.0', found '5.0'");
  refuses_heart("63,1,?,145,233,1,2,150,0,2.3,3,0,6.0,0\n", FED_E_MISSING,
                "column 'cp': expected one of '1.0', '2.0', '3.0', '4.0', found '?' (missing)");
  refuses_heart("63,1,1.0,145,233,1,2,150,0,2.3,3,0,6.0,5\n", FED_E_RANGE,
                "column 'num': expected one of '0', '1', '2', '3', '4', found '5'");
  refuses_heart("63,1,1.0,145,233,1,2,150,0,2.3,3,0,6.0\n", FED_E_SHAPE,
                "heart.csv line 1: expected 14 fields, found 13");
}

static void an_unknown_category_goes_to_its_slot(void **state) {
  (void)state;
  struct fed__dataset_schema schema = heart_schema();
  const char *line = "63,1,1.0,145,233,1,2,150,0,2.3,3,0,unheard,0\n";
  write_scratch("heart.csv", line, strlen(line));
  struct fed_examples *examples = opens(scratch, &schema);
  const uint32_t row = 0;
  float values[11];
  int64_t label;
  gathers(examples, &row, 1, values, &label);
  assert_true(values[7] == 0 && values[8] == 0 && values[9] == 0 && values[10] == 1);
  fed_examples_free(examples);
}

static void class_labels_are_integers(void **state) {
  (void)state;
  struct fed__dataset_schema schema = small_schema();
  schema.target = (struct fed__target_schema){.kind = FED__TARGET_CLASS, .classes = 3};
  write_small("a,b,y\n0,0,2\n0,0,1.0\n");
  struct fed_examples *examples = opens(scratch, &schema);
  const uint32_t rows[] = {0, 1};
  float values[4];
  int64_t labels[2];
  gathers(examples, rows, 2, values, labels);
  assert_int_equal(labels[0], 2);
  assert_int_equal(labels[1], 1);
  fed_examples_free(examples);
  write_small("a,b,y\n0,0,3\n");
  refuses(scratch, &schema, FED_E_RANGE, "column 'y': expected a class from 0 to 2, found '3'");
  write_small("a,b,y\n0,0,-1\n");
  refuses(scratch, &schema, FED_E_RANGE, "found '-1'");
  write_small("a,b,y\n0,0,0.5\n");
  refuses(scratch, &schema, FED_E_TYPE, "expected a class from 0 to 2, found '0.5'");
}

static void refuses_column(struct fed__column_schema column, const char *message) {
  struct fed__dataset_schema schema = small_schema();
  struct fed__column_schema columns[3];
  memcpy(columns, small_columns, sizeof columns);
  columns[column.kind == FED__COLUMN_TARGET ? 2 : 0] = column;
  schema.csv.columns = columns;
  refuses(scratch, &schema, FED_E_INPUT, message);
}

static void what_a_job_may_not_declare(void **state) {
  (void)state;
  write_small("a,b,y\n1,2,3\n");
  refuses_column((struct fed__column_schema){.name = "b", .kind = FED__COLUMN_NUMBER, .std = -1},
                 "column 'b' needs a finite mean");
  refuses_column(
      (struct fed__column_schema){
          .name = "b", .kind = FED__COLUMN_NUMBER, .has_range = 1, .min = 2, .max = 1},
      "minimum is above its maximum");
  refuses_column((struct fed__column_schema){.name = "b", .kind = FED__COLUMN_CATEGORY},
                 "lists no values");
  refuses_column(
      (struct fed__column_schema){
          .name = "b", .kind = FED__COLUMN_NUMBER, .categories = thal, .category_count = 3},
      "is a number but lists categories");
  struct fed__column_schema category = {.name = "b",
                                        .kind = FED__COLUMN_CATEGORY,
                                        .categories = thal,
                                        .category_count = 3,
                                        .missing = FED__MISSING_MEAN};
  refuses_column(category, "there is no mean");
  category.missing = FED__MISSING_VALUE;
  category.missing_value = 3;
  refuses_column(category, "a slot stand in for missing ones that it does not have");
  refuses_column((struct fed__column_schema){.name = "y",
                                             .kind = FED__COLUMN_TARGET,
                                             .missing = FED__MISSING_VALUE},
                 "nothing can stand in");
  refuses_column(
      (struct fed__column_schema){
          .name = "y", .kind = FED__COLUMN_TARGET, .categories = thal, .category_count = 3},
      "the target is a number");
  struct fed__dataset_schema schema = small_schema();
  schema.csv.column_count = 2;
  refuses(scratch, &schema, FED_E_INPUT, "expected one target column in the job, found 0");
  schema = heart_schema();
  schema.target.classes = 1;
  refuses(VECTORS, &schema, FED_E_INPUT, "more categories than the target has classes");
  schema.target.classes = 0;
  refuses(VECTORS, &schema, FED_E_INPUT, "declares no classes");
  struct fed__input_schema input = heart_input;
  input.shape = (struct fed_shape){.rank = 1, .dims = {12}};
  schema = heart_schema();
  schema.inputs = &input;
  refuses(VECTORS, &schema, FED_E_SHAPE, "expected examples of shape [12], found [11]");
}

/* A cut CSV may still be one, of fewer rows; what matters is that nothing breaks. */
static void cut_files(void **state) {
  (void)state;
  struct fed__dataset_schema schema = heart_schema();
  struct fed_buffer bytes = read_vector("heart.csv");
  for (size_t size = 0; size < bytes.size; size++) {
    struct fed_examples *examples = NULL;
    write_scratch("heart.csv", bytes.data, size);
    int code = fed__dataset_open(&context, scratch, &schema, &examples);
    if (code == FED_OK) {
      size_t lines = 1;
      for (size_t i = 0; i + 1 < size; i++) lines += bytes.data[i] == '\n';
      assert_int_equal(examples->count, lines);
    } else {
      assert_int_equal(fed_error_class(code), FED_CLASS_INPUT);
    }
    fed_examples_free(examples);
  }
  fed_buffer_clear(&bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heart_is_what_pandas_makes_of_it),
      cmocka_unit_test(same_table_in_many_spellings),
      cmocka_unit_test(another_delimiter_and_a_locale_with_commas),
      cmocka_unit_test(what_is_no_csv),
      cmocka_unit_test(very_long_records),
      cmocka_unit_test(what_does_not_fit_the_columns),
      cmocka_unit_test(an_unknown_category_goes_to_its_slot),
      cmocka_unit_test(class_labels_are_integers),
      cmocka_unit_test(what_a_job_may_not_declare),
      cmocka_unit_test(cut_files),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
