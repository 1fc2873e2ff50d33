/* SPDX-License-Identifier: Apache-2.0
 *
 * test_predict.c: outputs by row against products by hand; classes and odds from outputs that are
 * the inputs themselves, so that what must come out can be written down.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "train/class_metrics.h"
#include "unit/train/graph_writer.h"

#include <math.h>

#define ROWS 5

/* Examples in two arrays. */
struct arrays {
  struct fed_examples base;
  const struct fed_tensor *inputs, *target;
};

static void copy_row(const struct fed_tensor *from, uint32_t row, struct fed_tensor *to, size_t i) {
  const size_t bytes = fed_tensor_bytes(from) / ROWS;
  memcpy((char *)to->data + i * bytes, (const char *)from->data + row * bytes, bytes);
}

static int gather_rows(struct fed_examples *self, const uint32_t *rows, size_t count,
                       struct fed_batch *batch) {
  const struct arrays *arrays = (const struct arrays *)self;
  for (size_t i = 0; i < count; i++) {
    if (rows[i] >= ROWS) return FED_E_RANGE;
    copy_row(arrays->inputs, rows[i], &batch->inputs[0], i);
    copy_row(arrays->target, rows[i], &batch->target, i);
  }
  return FED_OK;
}

static struct fed_tensor one_of(const struct fed_tensor *array) {
  struct fed_tensor one = {array->name, array->dtype, {array->shape.rank - 1, {0}}, NULL};
  for (uint32_t i = 0; i < one.shape.rank; i++) one.shape.dims[i] = array->shape.dims[i + 1];
  return one;
}

/* y = x W, or with positions y = x + 0. */
struct predicted {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  struct arrays arrays;
};

static void open_gemm(struct predicted *opened, int64_t inputs, int64_t outputs,
                      const float *weights) {
  writer_init(&opened->writer);
  writer_input(&opened->writer, "x", 1, &inputs);
  writer_floats(&opened->writer, "w", 2, (const int64_t[]){inputs, outputs}, weights);
  writer_node(&opened->writer, "MatMul", "x,w", "y");
  writer_output(&opened->writer, "y");
  must(fed_model_load(&opened->writer.context, writer_finish(&opened->writer), NULL,
                      &opened->model));
}

static void open_positions(struct predicted *opened) {
  const float zeros[3] = {0};
  writer_init(&opened->writer);
  writer_input(&opened->writer, "x", 2, (const int64_t[]){3, 2});
  writer_floats(&opened->writer, "b", 2, (const int64_t[]){3, 1}, zeros);
  writer_node(&opened->writer, "Add", "x,b", "y");
  writer_output(&opened->writer, "y");
  must(fed_model_load(&opened->writer.context, writer_finish(&opened->writer), NULL,
                      &opened->model));
}

static void open_trainer(struct predicted *opened, const struct fed_train_options *options,
                         const struct fed_tensor *inputs, const struct fed_tensor *target) {
  must(fed_trainer_new(&opened->writer.context, opened->model, options, &opened->trainer));
  opened->arrays = (struct arrays){
      {.gather = gather_rows, .count = ROWS, .spec = {1, {one_of(inputs)}, one_of(target)}},
      inputs,
      target};
  opened->examples = &opened->arrays.base;
}

static void close_all(struct predicted *opened) {
  fed_trainer_free(opened->trainer);
  fed_model_free(opened->model);
  writer_clear(&opened->writer);
}

static struct fed_train_options options_of(enum fed_loss loss) {
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.loss = loss;
  options.batch_size = 2;
  options.kernels = FED_KERNELS_REFERENCE;
  return options;
}

/* ---- outputs -------------------------------------------------------------------------------- */

static float table[ROWS * 2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static int64_t labels[ROWS] = {0, 1, 2, 0, 1};
static const float weights[6] = {1, 0, -1, 0.5f, 2, 3};
static const struct fed_tensor table_inputs = {"x", FED_F32, {2, {ROWS, 2}}, table};
static const struct fed_tensor table_labels = {"t", FED_I64, {1, {ROWS}}, labels};

static void outputs_are_products(void **state) {
  (void)state;
  for (int wide = 0; wide < 2; wide++) {
    struct predicted opened;
    struct fed_train_options options = options_of(FED_LOSS_SOFTMAX_CROSS_ENTROPY);
    struct fed_shape shape;
    float outputs[ROWS * 3];
    const uint32_t rows[] = {4, 0, 2};
    if (wide) options.precision = FED_PRECISION_F64;
    open_gemm(&opened, 2, 3, weights);
    open_trainer(&opened, &options, &table_inputs, &table_labels);
    fed_trainer_output(opened.trainer, &shape);
    assert_int_equal(shape.rank, 1);
    assert_int_equal(shape.dims[0], 3);
    must(fed_predict(opened.trainer, opened.examples, rows, 3, outputs));
    const float expected[] = {14, 20, 21, 2, 4, 5, 8, 12, 13};
    for (int i = 0; i < 9; i++) assert_true(outputs[i] == expected[i]);
    must(fed_predict(opened.trainer, opened.examples, NULL, 0, outputs));
    for (int i = 0; i < ROWS; i++)
      assert_true(outputs[3 * i] == table[2 * i] + table[2 * i + 1] / 2);
    close_all(&opened);
  }
}

static void what_cannot_be_predicted_is_refused(void **state) {
  (void)state;
  struct predicted opened;
  const struct fed_train_options options = options_of(FED_LOSS_SOFTMAX_CROSS_ENTROPY);
  float outputs[ROWS * 3];
  const uint32_t rows[] = {0, ROWS};
  open_gemm(&opened, 2, 3, weights);
  open_trainer(&opened, &options, &table_inputs, &table_labels);
  assert_int_equal(fed_predict(opened.trainer, opened.examples, rows, 2, outputs), FED_E_RANGE);
  assert_int_equal(fed_predict(opened.trainer, opened.examples, rows, 0, outputs), FED_E_EMPTY);
  fed_trainer_batch(opened.trainer)->count = 3;
  assert_int_equal(fed_predict_step(opened.trainer, outputs), FED_E_RANGE);
  fed_trainer_free(opened.trainer);
  const struct fed_train_options output = options_of(FED_LOSS_OUTPUT);
  must(fed_trainer_new(&opened.writer.context, opened.model, &output, &opened.trainer));
  fed_trainer_batch(opened.trainer)->count = 1;
  assert_int_equal(fed_predict_step(opened.trainer, outputs), FED_E_UNSUPPORTED);
  assert_int_equal(fed__trainer_classes(opened.trainer), 0);
  close_all(&opened);
}

/* ---- classes -------------------------------------------------------------------------------- */

static const float unit3[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
static float logits[ROWS * 3] = {1, 2, 3, 0.5f, 0.5f, -1, 1000, 0, -1000, -3, -3, -3, 2, -90, 1};
static int64_t wanted[ROWS] = {2, 1, 0, -100, 2};
static const struct fed_tensor logit_inputs = {"x", FED_F32, {2, {ROWS, 3}}, logits};
static const struct fed_tensor wanted_labels = {"t", FED_I64, {1, {ROWS}}, wanted};

static double odds_by_hand(const float *z, int class) {
  double others = 0;
  for (int c = 0; c < 3; c++)
    if (c != class) others += exp((double)z[c]);
  return (double)z[class] - log(others);
}

static void gather(struct predicted *opened, const struct fed_train_options *options,
                   const struct fed_tensor *inputs, const struct fed_tensor *target,
                   struct fed__outcomes *outcomes) {
  const uint32_t rows[] = {0, 1, 2, 3, 4};
  open_trainer(opened, options, inputs, target);
  must(fed__outcomes_init(outcomes, &opened->writer.context, opened->trainer, ROWS));
  must(fed__outcomes_gather(outcomes, 3, opened->trainer, opened->examples, rows + 3, 2));
  must(fed__outcomes_gather(outcomes, 0, opened->trainer, opened->examples, rows, 3));
}

/* Row 2 is beyond what exp holds: its odds are e^1000 to 1 and 1 to e^1000. */
static void odds_follow_from_logits(void **state) {
  (void)state;
  struct predicted opened;
  struct fed_train_options options = options_of(FED_LOSS_SOFTMAX_CROSS_ENTROPY);
  struct fed__outcomes outcomes;
  struct fed_metrics metrics = {0};
  struct fed__classification found;
  options.has_ignored_label = 1;
  options.ignored_label = -100;
  open_gemm(&opened, 3, 3, unit3);
  gather(&opened, &options, &logit_inputs, &wanted_labels, &outcomes);
  const int32_t right[] = {2, 1, 0, -1, 2}, named[] = {2, 0, 0, 0, 0};
  assert_memory_equal(outcomes.wanted, right, sizeof right);
  assert_memory_equal(outcomes.named, named, sizeof named);
  for (int i = 0; i < ROWS; i++)
    for (int c = 0; c < 3; c++)
      if (i != 2)
        assert_float_equal(outcomes.scores[3 * i + c], odds_by_hand(logits + 3 * i, c), 1e-5);
  assert_float_equal(outcomes.scores[6], 1000, 1e-3);
  assert_float_equal(outcomes.scores[7], -1000, 1e-3);
  assert_float_equal(outcomes.scores[8], -2000, 1e-3);
  must(fed_evaluate(opened.trainer, opened.examples, NULL, 0, &metrics));
  must(fed__classification_of(&outcomes, &found));
  assert_int_equal(found.correct_count, metrics.correct_count);
  assert_int_equal(found.label_count, metrics.example_count);
  fed__classification_clear(&found);
  fed__outcomes_clear(&outcomes);
  close_all(&opened);
}

/* Classes along the first of two axes: the label of position p of row i is that of (i, p). */
static void positions_are_labels_of_their_own(void **state) {
  (void)state;
  float values[ROWS * 6];
  int64_t targets[ROWS * 2];
  struct predicted opened;
  const struct fed_train_options options = options_of(FED_LOSS_SOFTMAX_CROSS_ENTROPY);
  struct fed__outcomes outcomes;
  for (int i = 0; i < ROWS * 2; i++) {
    const int row = i / 2, position = i % 2, top = i % 3;
    for (int c = 0; c < 3; c++) values[row * 6 + c * 2 + position] = c == top ? 4.f : 0.f;
    targets[i] = i % 2;
  }
  const struct fed_tensor inputs = {"x", FED_F32, {3, {ROWS, 3, 2}}, values};
  const struct fed_tensor target = {"t", FED_I64, {2, {ROWS, 2}}, targets};
  open_positions(&opened);
  gather(&opened, &options, &inputs, &target, &outcomes);
  assert_int_equal(outcomes.labels_each, 2);
  for (int i = 0; i < ROWS * 2; i++) {
    assert_int_equal(outcomes.wanted[i], i % 2);
    assert_int_equal(outcomes.named[i], i % 3);
    assert_float_equal(outcomes.scores[3 * i + i % 3], 4 - log(2), 1e-6);
  }
  fed__outcomes_clear(&outcomes);
  close_all(&opened);
}

static void one_logit_tells_two_classes_apart(void **state) {
  (void)state;
  const float half[2] = {1, -1};
  float targets[ROWS] = {0, 1, 0.75f, 0.25f, 1};
  float points[ROWS * 2] = {1, 2, 5, 1, 0, 0, 0, 3, 1, 9};
  const struct fed_tensor inputs = {"x", FED_F32, {2, {ROWS, 2}}, points};
  const struct fed_tensor target = {"t", FED_F32, {1, {ROWS}}, targets};
  const struct fed_train_options options = options_of(FED_LOSS_BINARY_CROSS_ENTROPY);
  struct predicted opened;
  struct fed__outcomes outcomes;
  open_gemm(&opened, 2, 1, half);
  gather(&opened, &options, &inputs, &target, &outcomes);
  const int32_t right[] = {0, 1, 1, 0, 1}, named[] = {0, 1, 0, 0, 0};
  const float scores[] = {-1, 4, 0, -3, -8};
  assert_int_equal(outcomes.classes, 2);
  assert_memory_equal(outcomes.wanted, right, sizeof right);
  assert_memory_equal(outcomes.named, named, sizeof named);
  for (int i = 0; i < ROWS; i++) assert_true(outcomes.scores[i] == scores[i]);
  fed__outcomes_clear(&outcomes);
  close_all(&opened);
}

static void probabilities_mean_the_likeliest_class(void **state) {
  (void)state;
  float targets[ROWS * 3] = {0.2f, 0.5f, 0.3f, 1, 0, 0, 0, 0, 1, 0.4f, 0.3f, 0.3f, 0, 1, 0};
  const struct fed_tensor target = {"t", FED_F32, {2, {ROWS, 3}}, targets};
  const struct fed_train_options options = options_of(FED_LOSS_SOFT_CROSS_ENTROPY);
  struct predicted opened;
  struct fed__outcomes outcomes;
  open_gemm(&opened, 3, 3, unit3);
  gather(&opened, &options, &logit_inputs, &target, &outcomes);
  const int32_t right[] = {1, 0, 2, 0, 1};
  assert_memory_equal(outcomes.wanted, right, sizeof right);
  fed__outcomes_clear(&outcomes);
  close_all(&opened);
}

static void numbers_have_no_classes(void **state) {
  (void)state;
  const struct fed_train_options options = options_of(FED_LOSS_MEAN_SQUARED_ERROR);
  struct predicted opened;
  struct fed__outcomes outcomes;
  const struct fed_tensor target = {"t", FED_F32, {2, {ROWS, 3}}, logits};
  open_gemm(&opened, 3, 3, unit3);
  open_trainer(&opened, &options, &logit_inputs, &target);
  assert_int_equal(fed__trainer_classes(opened.trainer), 0);
  assert_int_equal(fed__outcomes_init(&outcomes, &opened.writer.context, opened.trainer, ROWS),
                   FED_E_UNSUPPORTED);
  close_all(&opened);
}

static void outputs_that_are_no_numbers_are_refused(void **state) {
  (void)state;
  struct predicted opened;
  float broken[ROWS * 3] = {0};
  const uint32_t rows[] = {0, 1};
  const struct fed_tensor inputs = {"x", FED_F32, {2, {ROWS, 3}}, broken};
  const struct fed_train_options options = options_of(FED_LOSS_SOFTMAX_CROSS_ENTROPY);
  struct fed__outcomes outcomes;
  broken[4] = NAN;
  open_gemm(&opened, 3, 3, unit3);
  open_trainer(&opened, &options, &inputs, &wanted_labels);
  must(fed__outcomes_init(&outcomes, &opened.writer.context, opened.trainer, ROWS));
  assert_int_equal(fed__outcomes_gather(&outcomes, 0, opened.trainer, opened.examples, rows, 2),
                   FED_E_NOT_FINITE);
  fed__outcomes_clear(&outcomes);
  close_all(&opened);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outputs_are_products),
      cmocka_unit_test(what_cannot_be_predicted_is_refused),
      cmocka_unit_test(odds_follow_from_logits),
      cmocka_unit_test(positions_are_labels_of_their_own),
      cmocka_unit_test(one_logit_tells_two_classes_apart),
      cmocka_unit_test(probabilities_mean_the_likeliest_class),
      cmocka_unit_test(numbers_have_no_classes),
      cmocka_unit_test(outputs_that_are_no_numbers_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
