/* SPDX-License-Identifier: Apache-2.0
 *
 * test_data_section.c: what a job says about JSON lines, images, vocabularies, augmentation and
 * balancing arrives in the schema; what does not go together is refused, with the line.
 */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "job/job.h"

#include <stdio.h>

#define HEAD                                                                                       \
  "version: 1\nname: x\nmodel: {file: m.onnx}\nrounds: {count: 1, cohort: 2, minimum: 2}\n"
#define SOFT                                                                                       \
  "version: 1\nname: x\nmodel: {file: m.onnx, loss: soft_cross_entropy}\n"                         \
  "rounds: {count: 1, cohort: 2, minimum: 2}\n"
#define NUMBERS                                                                                    \
  "version: 1\nname: x\nmodel: {file: m.onnx, loss: mean_squared_error}\n"                         \
  "rounds: {count: 1, cohort: 2, minimum: 2}\n"
/* Line 5 and so on. */
#define JSONL(inputs, target, more)                                                                \
  "data:\n  name: d\n  format: jsonl\n  inputs: " inputs "\n  target: " target "\n" more
#define IMAGES(shape, target, more)                                                                \
  "data:\n  name: d\n  format: images\n  inputs: {file: ., shape: " shape "}\n  target: " target   \
  "\n" more
#define IDX(more)                                                                                  \
  "data:\n  name: d\n  format: idx\n  inputs: {file: a}\n  target: {file: b, classes: 3}\n" more
#define TEXT "{file: a, array: x, kind: text, shape: [80]}"
#define VOCABULARY "  vocabulary: {characters: abc}\n"

static struct fed_context context;

static struct fed__job accepts(const char *yaml) {
  struct fed__job job;
  if (fed__job_parse(&context, "job.yaml", fed_slice_of_text(yaml), &job) != FED_OK)
    fail_msg("%s: %s", fed_error_last()->message, yaml);
  return job;
}

static void next_tokens(void **state) {
  (void)state;
  struct fed__job job =
      accepts(HEAD JSONL(TEXT, "{kind: next, classes: 5, stride: 40}",
                         "  vocabulary: {characters: \"a\\nü\", lower_case: true}\n"));
  const struct fed__dataset_schema *schema = &job.data.schema;
  assert_int_equal(schema->format, FED__DATA_JSONL);
  assert_int_equal(schema->inputs[0].kind, FED__INPUT_TEXT);
  assert_string_equal(schema->inputs[0].array, "x");
  assert_int_equal(schema->target.kind, FED__TARGET_NEXT);
  assert_string_equal(schema->text.characters, "a\nü");
  assert_int_equal(schema->text.lower_case, 1);
  assert_int_equal(schema->text.stride, 40);
  assert_int_equal(job.train.options.has_ignored_label, 1);
  assert_int_equal(job.train.options.ignored_label, -100);
  fed__job_clear(&job);
  job = accepts(HEAD JSONL("{file: a, array: x, kind: indices, limit: 9, shape: [4]}",
                           "{kind: next, classes: 9}", "train: {ignored_label: -100}\n"));
  assert_int_equal(job.data.schema.inputs[0].limit, 9);
  fed__job_clear(&job);
}

static void words_and_names(void **state) {
  (void)state;
  struct fed__job job =
      accepts(HEAD JSONL(TEXT, "{array: y, names: [spam, ham, eggs]}",
                         "  vocabulary: {words: [buy, now]}\n  resample: balanced\n"));
  const struct fed__dataset_schema *schema = &job.data.schema;
  assert_int_equal(schema->text.word_count, 2);
  assert_string_equal(schema->text.words[1], "now");
  assert_int_equal(schema->target.classes, 3); /* from the names */
  assert_int_equal(schema->target.name_count, 3);
  assert_int_equal(schema->target.probabilities, 0);
  assert_int_equal(schema->resample, FED__RESAMPLE_BALANCED);
  assert_int_equal(job.train.options.has_ignored_label, 0);
  fed__job_clear(&job);
}

static void images_and_augmentation(void **state) {
  (void)state;
  struct fed__job job = accepts(
      SOFT IMAGES("[3, 32, 32]", "{names: [cat, dog]}",
                  "  images: {fit: cover, mean: [0.5, -0.25, 1e-3], std: [1, 2, 0.25]}\n"
                  "  augment: {crop_padding: 4, flip: true, rotate_degrees: 7.5, noise: 0.1, "
                  "mixup: 0.2}\n"));
  const struct fed__dataset_schema *schema = &job.data.schema;
  assert_int_equal(schema->images.fit, FED__IMAGE_COVER);
  assert_int_equal(schema->images.mean_count, 3);
  assert_true(schema->images.mean[1] == -0.25 && schema->images.std[2] == 0.25);
  assert_int_equal(schema->augment.crop_padding, 4);
  assert_int_equal(schema->augment.flip, 1);
  assert_true(schema->augment.rotate_degrees == 7.5 && schema->augment.noise == 0.1);
  assert_true(schema->augment.mixup == 0.2);
  assert_int_equal(schema->target.probabilities, 1);
  struct fed_buffer text;
  fed_buffer_init(&text, &context, 1 << 20);
  assert_int_equal(fed__job_explain(&context, &job, 0, &text), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&text), "[0.5, -0.25, 0.001"));
  fed_buffer_clear(&text);
  fed__job_clear(&job);
}

/* What follows from an explained list reads back: JSON, too. */
static void explained_as_json(void **state) {
  (void)state;
  struct fed__job job =
      accepts(HEAD IMAGES("[1, 8, 8]", "{names: [a, b]}", "  images: {mean: [2]}\n"));
  struct fed_buffer text;
  fed_buffer_init(&text, &context, 1 << 20);
  assert_int_equal(fed__job_explain(&context, &job, 1, &text), FED_OK);
  assert_non_null(strstr(fed_buffer_text(&text), "\"value\": \"[2]\""));
  fed_buffer_clear(&text);
  fed__job_clear(&job);
}

struct refusal {
  const char *yaml;
  int code;
  const char *line, *message;
};

static const struct refusal refusals[] = {
    {HEAD JSONL(TEXT, "{array: y, classes: 2}", ""), FED_E_MISSING, "6",
     "'data.vocabulary' must have either characters or words, for inputs of kind text"},
    {HEAD JSONL(TEXT, "{array: y, classes: 2}", "  vocabulary: {characters: ab, words: [a]}\n"),
     FED_E_MISSING, "10", "'data.vocabulary' must have either characters or words"},
    {HEAD JSONL("{file: a, kind: text, shape: [8]}", "{array: y, classes: 2}", VOCABULARY),
     FED_E_MISSING, "8", "'data.inputs[0].array' is missing"},
    {HEAD JSONL(TEXT, "{classes: 2}", VOCABULARY), FED_E_MISSING, "9",
     "'data.target.array' is missing"},
    {HEAD JSONL("{file: a, array: x, kind: text, shape: [8, 8]}", "{array: y, classes: 2}",
                VOCABULARY),
     FED_E_INPUT, "8", "'data.inputs.shape' of a sequence must be one length, such as [80]"},
    {HEAD JSONL("{file: a, array: x}", "{array: y, classes: 2}", ""), FED_E_MISSING, "8",
     "'data.inputs.shape' is missing: format jsonl needs it"},
    {HEAD JSONL("{file: a, array: x, kind: indices, shape: [8]}", "{array: y, classes: 2}", ""),
     FED_E_MISSING, "8", "'data.inputs.limit' is missing: how many different indices there are"},
    {HEAD JSONL("[{file: a, array: x, shape: [8]}, {file: b, array: y, shape: [8]}]",
                "{array: y, classes: 2}", ""),
     FED_E_INPUT, "8", "format jsonl has all inputs in one file, found 'a' and 'b'"},
    {HEAD JSONL(TEXT, "{array: y, classes: 3, names: [a, b]}", VOCABULARY), FED_E_INPUT, "9",
     "'data.target.names' has 2 entries, but 'data.target.classes' is 3"},
    {HEAD JSONL(TEXT, "{array: y, names: [a, b, a]}", VOCABULARY), FED_E_DUPLICATE, "9",
     "class 'a' is given twice"},
    {HEAD JSONL(TEXT, "{kind: next, classes: 6}", VOCABULARY), FED_E_INPUT, "9",
     "'data.target.classes' must be 5, the tokens with padding and unknown, found 6"},
    {HEAD JSONL(TEXT, "{kind: next, classes: 5}", VOCABULARY "train: {ignored_label: 0}\n"),
     FED_E_INPUT, "11", "'train.ignored_label' must be -100, the label of padding, found 0"},
    {HEAD JSONL("{file: a, array: x, shape: [8]}", "{kind: next, classes: 5}", ""), FED_E_INPUT,
     "9", "'data.target.kind' next needs format jsonl and one input of kind text or indices"},
    {SOFT JSONL(TEXT, "{kind: next, classes: 5}", VOCABULARY), FED_E_INPUT, "9",
     "'data.target.kind' next needs 'model.loss' softmax_cross_entropy"},
    {HEAD IMAGES("[2, 8, 8]", "{names: [a, b]}", ""), FED_E_INPUT, "8",
     "'data.inputs.shape' of images must be [1 or 3, height, width]"},
    {HEAD IMAGES("[3, 8, 8]", "{names: [a, b]}", "  images: {mean: [1]}\n"), FED_E_INPUT, "10",
     "'data.images' must have a mean and a std for each of 3 channels, found 1 and 0"},
    {HEAD IMAGES("[3, 8, 8]", "{names: [a, b]}", "  images: {std: [1, 0, 1]}\n"), FED_E_RANGE, "10",
     "'data.images.std[1]' must be a number above 0, found '0'"},
    {HEAD IMAGES("[3, 8, 8]", "{names: [a, b]}", "  images: {std: 1}\n"), FED_E_TYPE, "10",
     "'data.images.std' must be a list of numbers such as [0.5, 2], found '1'"},
    {HEAD IMAGES("[3, 8, 8]", "{names: [a, b]}", "  images: {std: []}\n"), FED_E_TYPE, "10",
     "'data.images.std' must be a list of numbers"},
    {HEAD IMAGES("[3, 8, 8]", "{classes: 2}", ""), FED_E_MISSING, "9",
     "'data.target.names' is missing: the folders' names, one a class; or a CSV file"},
    {HEAD IDX("  images: {fit: cover}\n"), FED_E_INPUT, "10",
     "'data.images' belongs to format images; leave it out or change 'data.format'"},
    {HEAD IDX("  vocabulary: {characters: a}\n"), FED_E_INPUT, "10",
     "'data.vocabulary' belongs to format jsonl; leave it out or change 'data.format'"},
    {HEAD "data:\n  name: d\n  format: idx\n  inputs: {file: a, kind: text}\n"
          "  target: {file: b, classes: 3}\n",
     FED_E_INPUT, "8", "inputs of kind text need 'data.format' jsonl"},
    {HEAD "data:\n  name: d\n  format: idx\n  inputs: {file: a}\n"
          "  target: {file: b, names: [a, b]}\n",
     FED_E_INPUT, "9", "'data.target.names' belongs to the formats jsonl and images"},
    {HEAD "data:\n  name: d\n  format: csv\n  inputs: {file: a}\n"
          "  target: {classes: 3, shape: [4]}\n  csv: {columns: [{name: y, kind: target}]}\n",
     FED_E_INPUT, "9", "'data.target.shape' of class labels needs a format of arrays"},
    {HEAD "data:\n  name: d\n  format: npz\n  inputs: {file: a, array: x}\n"
          "  target: {file: a, array: y, classes: 3, shape: [4]}\n  augment: {flip: true}\n",
     FED_E_INPUT, "9", "go without 'data.augment', 'data.resample'"},
    {HEAD "data:\n  name: d\n  format: npz\n  inputs: {file: a, array: x}\n"
          "  target: {file: a, array: y, classes: 3, shape: [4]}\n  resample: balanced\n",
     FED_E_INPUT, "9", "go without 'data.augment', 'data.resample'"},
    {HEAD IDX("  augment: {mixup: 0.2}\n"), FED_E_INPUT, "10",
     "'data.augment.mixup' needs a class target and 'model.loss' soft_cross_entropy"},
    {HEAD JSONL(TEXT, "{array: y, classes: 2}", VOCABULARY "  augment: {noise: 1}\n"), FED_E_INPUT,
     "11", "'data.augment' changes numbers, but the first input is of indices"},
    {HEAD JSONL(TEXT, "{kind: next, classes: 5}", VOCABULARY "  resample: balanced\n"), FED_E_INPUT,
     "11", "'data.resample' balanced needs a class target"},
};

static void what_does_not_go_together(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    struct fed__job job;
    char place[32];
    const int code =
        fed__job_parse(&context, "job.yaml", fed_slice_of_text(refusals[i].yaml), &job);
    if (code == FED_OK) fail_msg("accepted: %s", refusals[i].yaml);
    snprintf(place, sizeof place, "job.yaml:%s:", refusals[i].line);
    const char *message = fed_error_last()->message;
    if (code != refusals[i].code || strncmp(message, place, strlen(place)) != 0 ||
        !strstr(message, refusals[i].message))
      fail_msg("expected %s… %s, found %s", place, refusals[i].message, message);
    assert_null(job.name);
  }
}

/* The next fenced example of the page; 0 at the end. */
static int next_example(const char **page, char *yaml, size_t size) {
  const char *first = strstr(*page, "```yaml\n"), *last = first ? strstr(first + 8, "```") : NULL;
  if (!last) return 0;
  const int length = (int)(last - first - 8);
  const char *head = HEAD;
  if (memmem(first + 8, (size_t)length, "mixup", 5)) head = SOFT;
  if (memmem(first + 8, (size_t)length, "kind: number}", 13)) head = NUMBERS;
  const int written = snprintf(yaml, size, "%s%.*s", head, length, first + 8);
  assert_in_range(written, 1, size - 1);
  *page = last + 3;
  return 1;
}

static void the_pages_examples(void **state) {
  (void)state;
  struct fed_buffer page;
  char yaml[4096];
  int count = 0;
  fed_buffer_init(&page, &context, 1 << 20);
  assert_int_equal(fed__file_read(FED_TESTS "/../docs/data.md", &page), FED_OK);
  const char *at = fed_buffer_text(&page);
  for (; next_example(&at, yaml, sizeof yaml); count++) {
    struct fed__job job = accepts(yaml);
    fed__job_clear(&job);
  }
  assert_int_equal(count, 8);
  fed_buffer_clear(&page);
}

int main(void) {
  fed_context_init(&context);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(next_tokens),
      cmocka_unit_test(words_and_names),
      cmocka_unit_test(images_and_augmentation),
      cmocka_unit_test(explained_as_json),
      cmocka_unit_test(what_does_not_go_together),
      cmocka_unit_test(the_pages_examples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
