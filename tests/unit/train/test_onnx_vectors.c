/* SPDX-License-Identifier: Apache-2.0
 *
 * test_onnx_vectors.c: models exported by PyTorch train here as they do there: logits, gradients,
 * loss curves, final parameters and statistics against tests/vectors/onnx, within the tolerances
 * stated there, in float64 closer. A new model is one folder and one line in `folders`. What is
 * wrong with such files is said, and a wrong answer is found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "fed/safetensors.h"
#include "train/known_answers.h"

#include <stdio.h>

/* How much closer than float32 a model's float64 answers are met: not at all where attributes or
 * constants come in, which are float32 in the file (a slope of 0.01, a momentum of 0.9, an
 * epsilon), but decimal in PyTorch. */
#define CLOSER 1e-4

static const struct folder {
  const char *name;
  double f64_factor;
} folders[] = {
    {"2nn", CLOSER},        {"autoencoder", CLOSER},  {"cnn", CLOSER},
    {"elu_leaky_mix", 1},   {"gru_sensor", CLOSER},   {"lstm_char", CLOSER},
    {"mobilenet_block", 1}, {"resnet8_gn", CLOSER},   {"tabular_embed", CLOSER},
    {"tiled_cnn", 1},       {"transformer_block", 1},
};

enum { MODEL, DATA, EXPECT, SPEC, FILE_COUNT };

struct vector {
  struct fed_context context;
  struct fed_buffer files[FILE_COUNT];
  struct fed__known_answers *answers;
};

static void read_files(struct vector *vector, const char *folder) {
  static const char *const names[FILE_COUNT] = {"model.onnx", "data.safetensors",
                                                "expect.safetensors", "spec.json"};
  *vector = (struct vector){0};
  fed_context_init(&vector->context);
  for (int i = 0; i < FILE_COUNT; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/vectors/onnx/%s/%s", FED_TESTS, folder, names[i]);
    fed_buffer_init(&vector->files[i], &vector->context, 1 << 26);
    assert_int_equal(fed__file_read(path, &vector->files[i]), FED_OK);
  }
}

static int open_answers(struct vector *vector) {
  const struct fed__known_files files = {
      .model = fed_buffer_slice(&vector->files[MODEL]),
      .data = fed_buffer_slice(&vector->files[DATA]),
      .expect = fed_buffer_slice(&vector->files[EXPECT]),
      .spec = fed_buffer_slice(&vector->files[SPEC]),
  };
  return fed__known_answers_open(&vector->context, &files, &vector->answers);
}

static void close_vector(struct vector *vector) {
  fed__known_answers_free(vector->answers);
  for (int i = 0; i < FILE_COUNT; i++) fed_buffer_clear(&vector->files[i]);
}

static void must_load(struct vector *vector, struct fed_model **model) {
  if (fed_model_load(&vector->context, fed_buffer_slice(&vector->files[MODEL]), NULL, model) !=
      FED_OK)
    fail_msg("%s", fed_error_last()->message);
}

struct counts {
  size_t checks, failures;
  char worst[256];
};

static int count_check(void *data, const struct fed__known_check *check) {
  struct counts *counts = data;
  counts->checks++;
  if (fed__known_check_holds(check)) return FED_OK;
  counts->failures++;
  snprintf(counts->worst, sizeof counts->worst, "%.150s differs by %g, tolerance %g", check->name,
           check->difference, check->tolerance);
  return FED_OK;
}

static void check_folder(const struct folder *tested, enum fed_precision precision,
                         enum fed_kernels kernels) {
  const char *folder = tested->name;
  struct vector vector;
  struct counts counts = {0};
  read_files(&vector, folder);
  if (open_answers(&vector) != FED_OK) fail_msg("%s: %s", folder, fed_error_last()->message);
  const struct fed__known_setting setting = {
      .precision = precision,
      .kernels = kernels,
      .factor = precision == FED_PRECISION_F64 ? tested->f64_factor : 1,
      .report = count_check,
      .data = &counts};
  if (fed__known_answers_check(vector.answers, &setting) != FED_OK)
    fail_msg("%s: %s", folder, fed_error_last()->message);
  if (counts.failures) fail_msg("%s: %zu failed; %s", folder, counts.failures, counts.worst);
  assert_true(counts.checks >= 2 + 2 * 2); /* output, loss; losses and parameters of two runs */
  close_vector(&vector);
}

static void test_reference_f64(void **state) {
  check_folder(*state, FED_PRECISION_F64, FED_KERNELS_REFERENCE);
}

static void test_reference_f32(void **state) {
  check_folder(*state, FED_PRECISION_F32, FED_KERNELS_REFERENCE);
}

/* On a machine without oneDNN this is the reference again. */
static void test_fastest_f32(void **state) {
  check_folder(*state, FED_PRECISION_F32, FED_KERNELS_AUTO);
}

/* Without the list of what trains: the same parameters, and no others. */
static void test_rule(void **state) {
  const struct folder *tested = *state;
  struct vector vector;
  struct fed_model *model;
  read_files(&vector, tested->name);
  assert_int_equal(open_answers(&vector), FED_OK);
  must_load(&vector, &model);
  const struct fed_model *listed = fed__known_answers_model(vector.answers);
  assert_int_equal(fed_params_match(fed_model_params(listed), fed_model_params(model)), FED_OK);
  fed_model_free(model);
  close_vector(&vector);
}

/* ---- the comparison itself ------------------------------------------------------------------ */

/* Put another text of the same length in place of one that occurs in the file. */
static void replace(struct fed_buffer *file, const char *what, const char *with) {
  char *at = memmem(file->data, file->size, what, strlen(what));
  assert_non_null(at);
  assert_int_equal(strlen(what), strlen(with));
  memcpy(at, with, strlen(with));
}

static void check_refused(const char *folder, int file, const char *what, const char *with,
                          int code, const char *part) {
  struct vector vector;
  read_files(&vector, folder);
  replace(&vector.files[file], what, with);
  assert_int_equal(open_answers(&vector), code);
  assert_null(vector.answers);
  if (!strstr(fed_error_last()->message, part)) fail_msg("%s", fed_error_last()->message);
  close_vector(&vector);
}

static void test_wrong_files(void **state) {
  (void)state;
  check_refused("2nn", SPEC, "{", "[", FED_E_SYNTAX, "spec.json:");
  check_refused("2nn", SPEC, "\"steps\"", "\"stops\"", FED_E_MISSING, "'steps' is missing");
  check_refused("2nn", SPEC, "softmax_cross", "softmax_crass", FED_E_UNSUPPORTED,
                "'softmax_crass_entropy'");
  check_refused("2nn", EXPECT, "\"F64\"", "\"F99\"", FED_E_UNSUPPORTED, "expect.safetensors: ");
  check_refused("2nn", SPEC, "\"onnx\": \"fc1.weight\"", "\"onnx\": \"fc9.weight\"", FED_E_MISSING,
                "'fc9.weight' fits no");
  check_refused("tiled_cnn", SPEC, "\"early_steps\": 3", "\"early_steps\": 0", FED_E_RANGE,
                "'early_steps' is 0");
}

/* One wrong number among thousands is found; so is an answer that is no number. */
static void test_finds_differences(void **state) {
  (void)state;
  static const unsigned char nan_bytes[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x7f};
  for (int change = 0; change < 2; change++) {
    struct vector vector;
    struct counts counts = {0};
    read_files(&vector, "2nn");
    uint64_t header;
    memcpy(&header, vector.files[EXPECT].data, sizeof header);
    unsigned char *first = vector.files[EXPECT].data + 8 + header; /* a number of some answer */
    if (change == 0)
      first[6] ^= 1; /* by one part in sixteen of its size */
    else
      memcpy(first, nan_bytes, 8);
    assert_int_equal(open_answers(&vector), FED_OK);
    const struct fed__known_setting setting = {.precision = FED_PRECISION_F32,
                                               .kernels = FED_KERNELS_REFERENCE,
                                               .factor = 1,
                                               .report = count_check,
                                               .data = &counts};
    assert_int_equal(fed__known_answers_check(vector.answers, &setting), FED_OK);
    assert_int_equal(counts.failures, 1);
    close_vector(&vector);
  }
}

/* Parameters between start and end are compared, too. */
static void test_finds_early_differences(void **state) {
  (void)state;
  struct vector vector;
  struct counts counts = {0};
  read_files(&vector, "tiled_cnn");
  replace(&vector.files[SPEC], "\"early_steps\": 3", "\"early_steps\": 4");
  assert_int_equal(open_answers(&vector), FED_OK);
  const struct fed__known_setting setting = {.precision = FED_PRECISION_F32,
                                             .kernels = FED_KERNELS_REFERENCE,
                                             .factor = 1,
                                             .report = count_check,
                                             .data = &counts};
  assert_int_equal(fed__known_answers_check(vector.answers, &setting), FED_OK);
  assert_int_equal(counts.failures,
                   2 * fed_model_trained_count(fed__known_answers_model(vector.answers)));
  if (!strstr(counts.worst, "adam.early.")) fail_msg("%s", counts.worst);
  close_vector(&vector);
}

/* PyTorch's float32 came within 3.4e-7 of its float64 (spec.json: adam.param, f32_vs_f64_maxabs);
 * ten times that is the tolerance. A trace is of what the table asked for trains. */
static void test_traces_rounding(void **state) {
  (void)state;
  enum { STEPS = 50 };
  struct vector vector;
  double by_kernels[2][STEPS];
  const enum fed_kernels kernels[2] = {FED_KERNELS_AUTO, FED_KERNELS_REFERENCE};
  read_files(&vector, "cnn");
  assert_int_equal(open_answers(&vector), FED_OK);
  assert_int_equal(fed__known_answers_steps(vector.answers), STEPS);
  for (int i = 0; i < 2; i++) {
    if (fed__known_answers_trace(vector.answers, "adam", kernels[i], by_kernels[i]) != FED_OK)
      fail_msg("%s", fed_error_last()->message);
    for (size_t step = 0; step < STEPS; step++)
      assert_true(by_kernels[i][step] > 0 && by_kernels[i][step] < 3.4e-6);
  }
  assert_memory_not_equal(by_kernels[0], by_kernels[1], sizeof by_kernels[0]);
  close_vector(&vector);
}

int main(void) {
  int failed = 0;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    void *folder = (void *)(uintptr_t)&folders[i];
    const struct CMUnitTest tests[] = {
        {"reference_f64", test_reference_f64, NULL, NULL, folder},
        {"reference_f32", test_reference_f32, NULL, NULL, folder},
        {"fastest_f32", test_fastest_f32, NULL, NULL, folder},
        {"rule", test_rule, NULL, NULL, folder},
    };
    failed += cmocka_run_group_tests_name(folders[i].name, tests, NULL, NULL);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong_files), cmocka_unit_test(test_finds_differences),
      cmocka_unit_test(test_finds_early_differences), cmocka_unit_test(test_traces_rounding)};
  return failed + cmocka_run_group_tests_name("comparison", tests, NULL, NULL);
}
