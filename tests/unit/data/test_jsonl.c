/* SPDX-License-Identifier: Apache-2.0
 *
 * test_jsonl.c: texts as tokens, windows of long texts, numbers and classes in JSON lines, against
 * make_jsonl.py and by hand; every refusal with its message.
 */
#include "data_files.h"

#include "data/vocabulary.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LINES(text) write_scratch("lines.jsonl", text, sizeof(text) - 1)

static const char characters[] = "abcdefghijklmnopqrstuvwxyz ,.!\nüß";
static const char *const words[] = {"the", "cat", "sat", ",", "don't", "größe", "."};
static const char *const names[] = {"no", "yes"};

static struct fed__dataset_schema text_schema(const struct fed__input_schema *input) {
  return (struct fed__dataset_schema){
      .format = FED__DATA_JSONL,
      .inputs = input,
      .input_count = 1,
      .target = {.kind = FED__TARGET_CLASS, .array = "y", .classes = 2},
      .text = {.characters = characters, .lower_case = 1},
  };
}

static struct fed__input_schema text_input(int64_t length) {
  return (struct fed__input_schema){
      .file = "lines.jsonl", .array = "x", .kind = FED__INPUT_TEXT, .shape = {1, {length}}};
}

static int gather(struct fed_examples *examples, uint32_t row, void *input, void *target) {
  struct fed_batch batch = {.count = 1};
  batch.inputs[0].data = input;
  batch.target.data = target;
  return examples->gather(examples, &row, 1, &batch);
}

static void expect_tokens(const struct fed__dataset_schema *schema, const int64_t *expected,
                          size_t length) {
  int64_t tokens[16], label;
  struct fed_examples *examples = opens(scratch, schema);
  assert_int_equal(examples->count, 1);
  assert_int_equal(examples->spec.inputs[0].dtype, FED_I64);
  assert_int_equal(gather(examples, 0, tokens, &label), FED_OK);
  for (size_t i = 0; i < length; i++) assert_int_equal(tokens[i], expected[i]);
  fed_examples_free(examples);
}

static void tokens_are_those_of_python(void **state) {
  (void)state;
  static const int64_t of_characters[] = {1, 3, 6, 19, 29, 28, 34, 31, 32, 2, 0, 0};
  static const int64_t of_words[] = {2, 3, 4, 5, 6, 7, 8, 7, 1, 1, 0, 0};
  struct fed__input_schema input = text_input(12);
  struct fed__dataset_schema schema = text_schema(&input);
  LINES("{\"x\": \"Über, ß!\\nA\", \"y\": 1}\n");
  expect_tokens(&schema, of_characters, 12);
  LINES("{\"x\": [\"Über, ß!\", \"A\"], \"y\": 1}\n"); /* joined by a line feed */
  expect_tokens(&schema, of_characters, 12);
  input.shape.dims[0] = 3; /* cut */
  expect_tokens(&schema, of_characters, 3);
  input.shape.dims[0] = 12;
  LINES("{\"x\": \"The cat sat, DON'T Größe. größe? x\", \"y\": 0}");
  schema.text =
      (struct fed__text_schema){.words = words, .word_count = COUNT(words), .lower_case = 1};
  expect_tokens(&schema, of_words, 12);
  assert_int_equal(fed__text_token_count(&schema.text), 9);
  schema.text = (struct fed__text_schema){.characters = characters};
  assert_int_equal(fed__text_token_count(&schema.text), 35);
}

struct window {
  int64_t inputs[4], targets[4];
};

static void expect_windows(int64_t length, uint32_t stride, uint64_t memory_max,
                           const struct window *expected, size_t count) {
  struct fed__input_schema input = text_input(length);
  struct fed__dataset_schema schema = text_schema(&input);
  schema.target = (struct fed__target_schema){.kind = FED__TARGET_NEXT, .classes = 35};
  schema.text.stride = stride;
  schema.memory_bytes_max = memory_max;
  struct fed_examples *examples = opens(scratch, &schema);
  assert_int_equal(examples->count, count);
  assert_int_equal(examples->spec.target.shape.rank, 1);
  assert_int_equal(examples->spec.target.shape.dims[0], length);
  for (size_t i = count; i-- > 0;) { /* backwards, so that a file is gone back in */
    int64_t inputs[4], targets[4];
    assert_int_equal(gather(examples, (uint32_t)i, inputs, targets), FED_OK);
    assert_memory_equal(inputs, expected[i].inputs, (size_t)length * 8);
    assert_memory_equal(targets, expected[i].targets, (size_t)length * 8);
  }
  fed_examples_free(examples);
}

static void windows_of_long_texts(void **state) {
  (void)state;
  static const struct window four[] = {{{2, 3, 4, 5}, {3, 4, 5, 6}},
                                       {{6, 7, 8, 9}, {7, 8, 9, 10}},
                                       {{10, 11, 0, 0}, {11, -100, -100, -100}},
                                       {{27, 26, 0, 0}, {26, -100, -100, -100}}};
  static const struct window three[] = {{{2, 3, 4, 5}, {3, 4, 5, 6}},
                                        {{5, 6, 7, 8}, {6, 7, 8, 9}},
                                        {{8, 9, 10, 11}, {9, 10, 11, -100}},
                                        {{27, 26, 0, 0}, {26, -100, -100, -100}}};
  static const struct window gaps[] = {
      {{2, 3, 4}, {3, 4, 5}}, {{7, 8, 9}, {8, 9, 10}}, {{27, 26, 0}, {26, -100, -100}}};
  /* Texts of one token and of none have no next one. */
  LINES("{\"x\": \"abcdefghij\"}\n{\"x\": \"a\"}\n{\"x\": \"\"}\n{\"x\": \"zy\"}\n");
  for (uint64_t memory = 0; memory < 2; memory++) {
    expect_windows(4, 0, memory, four, 4);
    expect_windows(4, 3, memory, three, 4);
    expect_windows(3, 5, memory, gaps, 3);
  }
}

static void numbers_indices_and_several_inputs(void **state) {
  (void)state;
  struct fed__input_schema inputs[] = {
      {.file = "lines.jsonl", .array = "v", .shape = {2, {2, 2}}, .scale = 2, .offset = 1},
      {.file = "lines.jsonl",
       .array = "i",
       .kind = FED__INPUT_INDICES,
       .limit = 10,
       .shape = {1, {3}}},
      {.file = "lines.jsonl", .array = "s", .shape = {1, {1}}, .name = "single"}};
  struct fed__dataset_schema schema = text_schema(inputs);
  schema.input_count = 3;
  schema.target.names = names;
  schema.target.name_count = 2;
  LINES("\xef\xbb\xbf{\"v\": [[1, 2.5], [-3, 4e0]], \"i\": 7, \"s\": 5, \"y\": \"yes\", \"z\": "
        "null}\r\n"
        "\n  \r\n"
        "{\"y\": \"no\", \"s\": [-1], \"i\": [1, 2, 3, 9], \"v\": [0, 1, 2, 3]}");
  for (uint64_t memory = 0; memory < 2; memory++) {
    float values[8], single[2];
    int64_t indices[6], labels[2];
    const uint32_t rows[] = {1, 0};
    schema.memory_bytes_max = memory;
    struct fed_examples *examples = opens(scratch, &schema);
    assert_int_equal(examples->count, 2);
    assert_string_equal(examples->spec.inputs[2].name, "single");
    struct fed_batch batch = {.count = 2};
    batch.inputs[0].data = values;
    batch.inputs[1].data = indices;
    batch.inputs[2].data = single;
    batch.target.data = labels;
    assert_int_equal(examples->gather(examples, rows, 2, &batch), FED_OK);
    static const float wanted[] = {1, 3, 5, 7, 3, 6, -5, 9};
    static const int64_t wanted_indices[] = {1, 2, 3, 7, 0, 0};
    assert_memory_equal(values, wanted, sizeof wanted);
    assert_memory_equal(indices, wanted_indices, sizeof wanted_indices);
    assert_true(single[0] == -1 && single[1] == 5);
    assert_true(labels[0] == 0 && labels[1] == 1);
    fed_examples_free(examples);
  }
  schema.target =
      (struct fed__target_schema){.kind = FED__TARGET_NUMBER, .array = "v", .shape = {1, {4}}};
  schema.inputs = &inputs[2];
  schema.input_count = 1;
  float single, target[4];
  struct fed_examples *examples = opens(scratch, &schema);
  assert_int_equal(gather(examples, 0, &single, target), FED_OK);
  assert_true(target[0] == 1 && target[1] == 2.5f && target[2] == -3 && target[3] == 4);
  fed_examples_free(examples);
}

static void lines_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *line;
    int code;
    const char *message;
  } cases[] = {
      {"{\"x\": \"a\"", FED_E_SYNTAX, "lines.jsonl line 3, column "},
      {"{\"x\": \"a\", \"y\": 1} {}", FED_E_SYNTAX, "line 3, column "},
      {"[1]", FED_E_TYPE, "lines.jsonl line 3: expected an object, found a list"},
      {"{\"x\": \"a\", \"x\": \"b\", \"y\": 1}", FED_E_DUPLICATE, "line 3"},
      {"{\"x\": \"\xff\", \"y\": 1}", FED_E_SYNTAX, "line 3"},
      {"{\"x\": \"a\\u0000\", \"y\": 1}", FED_E_SYNTAX, "line 3"},
      {"{\"y\": 1}", FED_E_MISSING,
       "lines.jsonl line 3, field 'x': expected a text, or a list of texts, found no such field"},
      {"{\"x\": 3, \"y\": 1}", FED_E_TYPE,
       "field 'x': expected a text, or a list of texts, found a "
       "whole number"},
      {"{\"x\": [\"a\", null], \"y\": 1}", FED_E_TYPE, "found null"},
      {"{\"x\": \"a\"}", FED_E_MISSING,
       "line 3, field 'y': expected a class, a whole number, found no such field"},
      {"{\"x\": \"a\", \"y\": 2}", FED_E_RANGE, "field 'y': expected a class from 0 to 1, found 2"},
      {"{\"x\": \"a\", \"y\": -1}", FED_E_RANGE, "found -1"},
      {"{\"x\": \"a\", \"y\": 1.0}", FED_E_TYPE, "found a number"},
      {"{\"x\": \"a\", \"y\": true}", FED_E_TYPE, "found true"},
      {"{\"x\": \"a\", \"y\": {}}", FED_E_TYPE, "found an object"},
  };
  struct fed__input_schema input = text_input(4);
  struct fed__dataset_schema schema = text_schema(&input);
  for (size_t i = 0; i < COUNT(cases); i++)
    for (uint64_t memory = 0; memory < 2; memory++) {
      char text[256];
      schema.memory_bytes_max = memory;
      const int size =
          snprintf(text, sizeof text, "{\"x\": \"ab\", \"y\": 0}\n\n%s\n", cases[i].line);
      write_scratch("lines.jsonl", text, (size_t)size);
      refuses(scratch, &schema, cases[i].code, cases[i].message);
    }
  schema.target.names = names;
  schema.target.name_count = 2;
  LINES("{\"x\": \"a\", \"y\": \"maybe\"}\n");
  refuses(scratch, &schema, FED_E_RANGE,
          "expected one of the 2 classes that the job names, found "
          "'maybe'");
  LINES("{\"x\": \"a\", \"y\": 1}\n");
  refuses(scratch, &schema, FED_E_TYPE, "expected the name of a class, found a whole number");
  LINES("\n\n");
  refuses(scratch, &schema, FED_E_EMPTY, "at least one example");
  LINES("");
  refuses(scratch, &schema, FED_E_EMPTY, "at least one example");
  schema.target = (struct fed__target_schema){.kind = FED__TARGET_NEXT, .classes = 35};
  LINES("{\"x\": \"a\"}\n");
  refuses(scratch, &schema, FED_E_EMPTY, "at least one example");
}

static void numbers_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *line;
    int code;
    const char *message;
  } cases[] = {
      {"{\"v\": [1], \"i\": 0, \"y\": 1}", FED_E_SHAPE,
       "lines.jsonl line 1, field 'v': expected 2 numbers, found 1"},
      {"{\"v\": [1, [2, 3]], \"i\": 0, \"y\": 1}", FED_E_SHAPE, "found 3"},
      {"{\"v\": [1, \"2\"], \"i\": 0, \"y\": 1}", FED_E_TYPE,
       "expected a number, or numbers in lists, found a text"},
      {"{\"v\": [1, null], \"i\": 0, \"y\": 1}", FED_E_TYPE, "found null"},
      {"{\"v\": [1, 1e39], \"i\": 0, \"y\": 1}", FED_E_NOT_FINITE,
       "expected a finite float32 number, found 1e+39"},
      {"{\"v\": [1, 1e999], \"i\": 0, \"y\": 1}", FED_E_SYNTAX, "line 1"},
      {"{\"v\": [1, 2], \"i\": 10, \"y\": 1}", FED_E_RANGE,
       "field 'i': expected indices from 0 to 9, found 10"},
      {"{\"v\": [1, 2], \"i\": [0, -1], \"y\": 1}", FED_E_RANGE, "found -1"},
      {"{\"v\": [1, 2], \"i\": [0, 1.5], \"y\": 1}", FED_E_TYPE,
       "expected a whole number, or a list of whole numbers, found a number"},
      {"{\"v\": [1, 2], \"i\": [[0]], \"y\": 1}", FED_E_TYPE, "found a list"},
  };
  const struct fed__input_schema inputs[] = {
      {.file = "lines.jsonl", .array = "v", .shape = {1, {2}}},
      {.file = "lines.jsonl",
       .array = "i",
       .kind = FED__INPUT_INDICES,
       .limit = 10,
       .shape = {1, {3}}}};
  struct fed__dataset_schema schema = text_schema(inputs);
  schema.input_count = 2;
  for (size_t i = 0; i < COUNT(cases); i++) {
    write_scratch("lines.jsonl", cases[i].line, strlen(cases[i].line));
    refuses(scratch, &schema, cases[i].code, cases[i].message);
  }
}

static void schemas_that_are_refused(void **state) {
  (void)state;
  struct fed__input_schema input = text_input(4);
  struct fed__dataset_schema good = text_schema(&input), schema = good;
  LINES("{\"x\": \"ab\", \"y\": 0}\n");
  schema.text.characters = NULL;
  refuses(scratch, &schema, FED_E_MISSING, "no vocabulary");
  schema = good;
  schema.text.words = words;
  schema.text.word_count = 2;
  refuses(scratch, &schema, FED_E_INPUT, "of characters or of words, not both");
  schema = good;
  schema.text.characters = "aba";
  refuses(scratch, &schema, FED_E_DUPLICATE, "'a' twice");
  schema.text.characters = "a\xff";
  refuses(scratch, &schema, FED_E_SYNTAX, "not valid UTF-8");
  schema.text.characters = "a\xc3";
  refuses(scratch, &schema, FED_E_SYNTAX, "not valid UTF-8");
  schema = good;
  input.array = NULL;
  refuses(scratch, &schema, FED_E_MISSING, "the name of a field for each input");
  input = text_input(4);
  input.shape.rank = 2;
  refuses(scratch, &schema, FED_E_SHAPE, "expected a shape of one length");
  input = text_input(1 << 30);
  refuses(scratch, &schema, FED_E_SHAPE, "expected 1 to 8388608 values");
  input = text_input(4);
  input.kind = FED__INPUT_INDICES;
  refuses(scratch, &schema, FED_E_MISSING, "no limit for the indices 'x'");
  input = text_input(4);
  input.kind = FED__INPUT_NUMBERS;
  input.shape.rank = 0;
  refuses(scratch, &schema, FED_E_MISSING, "no shape for the input 'x'");
  input = text_input(4);
  schema.target.array = NULL;
  refuses(scratch, &schema, FED_E_MISSING, "the name of a field for the target");
  schema = good;
  schema.target.classes = 0;
  refuses(scratch, &schema, FED_E_RANGE, "no classes for the target 'y'");
  schema = good;
  schema.target.file = "other.jsonl";
  refuses(scratch, &schema, FED_E_INPUT, "is one file, the job has 'lines.jsonl' and 'other");
  schema = good;
  schema.target.kind = FED__TARGET_NEXT;
  input.kind = FED__INPUT_NUMBERS;
  refuses(scratch, &schema, FED_E_INPUT, "one input of text or indices only");
}

static void a_line_that_is_too_long(void **state) {
  (void)state;
  struct fed__input_schema input = text_input(4);
  struct fed__dataset_schema schema = text_schema(&input);
  const size_t size = ((size_t)8 << 20) + 2;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, ' ', size);
  text[0] = '\n';
  write_scratch("lines.jsonl", text, size);
  refuses(scratch, &schema, FED_E_TOO_LARGE, "lines.jsonl line 2: more than 8 MiB");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_are_those_of_python),
      cmocka_unit_test(windows_of_long_texts),
      cmocka_unit_test(numbers_indices_and_several_inputs),
      cmocka_unit_test(lines_that_are_refused),
      cmocka_unit_test(numbers_that_are_refused),
      cmocka_unit_test(schemas_that_are_refused),
      cmocka_unit_test(a_line_that_is_too_long),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
