/* SPDX-License-Identifier: Apache-2.0
 *
 * test_threads.c: trainers in threads of their own, at the same time and on one model, compute bit
 * for bit what each computes alone, and each thread sees its own errors. The threads come first, so
 * that they also race for what the library makes once; ThreadSanitizer watches under the preset
 * tsan.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fed/train.h"
#include "unit/train/graph_writer.h"

#include <pthread.h>

#define THREADS 4
#define ROWS 10
#define BATCH 4 /* and a last batch of 2, which has a plan of its own */
#define CLASSES 3

/* ThreadSanitizer cannot see the atomic operations inside of oneDNN, which is not compiled for it,
 * and so takes what oneDNN makes once for a race. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "race:libdnnl.so"; }
#endif

struct setting {
  enum fed_optimizer optimizer;
  enum fed_precision precision;
  enum fed_kernels kernels;
  int checkpoint;
};

static const struct setting settings[THREADS] = {
    {FED_OPTIMIZER_SGD, FED_PRECISION_F32, FED_KERNELS_AUTO, 0},
    {FED_OPTIMIZER_SGD, FED_PRECISION_F32, FED_KERNELS_AUTO, 1},
    {FED_OPTIMIZER_ADAM, FED_PRECISION_F32, FED_KERNELS_REFERENCE, 0},
    {FED_OPTIMIZER_ADAGRAD, FED_PRECISION_F64, FED_KERNELS_AUTO, 0},
};

/* What a thread does with the shared model and examples, and what comes of it. */
struct work {
  const struct fed_context *context;
  const struct fed_model *model;
  struct fed_examples *examples;
  const struct setting *setting;
  int64_t wrong_label; /* of this thread only */
  int code;
  struct fed_metrics learned, found;
  struct fed_buffer exported, described;
  struct fed_error first_failure, refusal;
};

/* ---- examples -------------------------------------------------------------------------------- */

static void fill(const struct fed_tensor *like, uint32_t row, size_t at, uint64_t below, void *to) {
  const size_t elements = fed_tensor_elements(like);
  struct fed_rng rng;
  fed__rng_init(&rng, 7, "examples", row, below);
  for (size_t i = at * elements; i < (at + 1) * elements; i++)
    if (like->dtype == FED_I64)
      ((int64_t *)to)[i] = (int64_t)fed__rng_below(&rng, below);
    else
      ((float *)to)[i] = (float)fed__rng_normal(&rng);
}

static int gather_rows(struct fed_examples *self, const uint32_t *rows, size_t count,
                       struct fed_batch *batch) {
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < self->spec.input_count; k++)
      fill(&self->spec.inputs[k], rows[i], i, 2, batch->inputs[k].data);
    fill(&self->spec.target, rows[i], i, CLASSES, batch->target.data);
  }
  return FED_OK;
}

/* ---- one thread's work ----------------------------------------------------------------------- */

static int new_trainer(const struct work *work, struct fed_trainer **trainer) {
  struct fed_train_options options;
  fed_train_options_init(&options);
  options.batch_size = BATCH;
  options.learning_rate = 0.01;
  options.seed = (uint64_t)work->wrong_label;
  options.optimizer = work->setting->optimizer;
  options.precision = work->setting->precision;
  options.kernels = work->setting->kernels;
  options.checkpoint = work->setting->checkpoint;
  return fed_trainer_new(work->context, work->model, &options, trainer);
}

static int export_model(struct work *work, const struct fed_trainer *trainer) {
  struct fed_params params;
  int code = fed_params_copy(&params, work->context, fed_model_params(work->model));
  if (code != FED_OK) return code;
  code = fed_trainer_params(trainer, &params);
  if (code == FED_OK) code = fed_model_export(work->model, &params, &work->exported);
  fed_params_clear(&params);
  return code;
}

/* A step that is refused for this thread's own reason. */
static void be_refused(struct work *work, struct fed_trainer *trainer) {
  struct fed_batch *batch = fed_trainer_batch(trainer);
  struct fed_metrics metrics = {0};
  ((int64_t *)batch->target.data)[0] = work->wrong_label;
  if (fed_train_step(trainer, &metrics) != FED_OK) work->refusal = *fed_error_last();
}

static int do_work(struct work *work) {
  const struct fed_epochs epochs = {.epochs = 3, .seed = (uint64_t)work->wrong_label};
  struct fed_trainer *trainer;
  int code = new_trainer(work, &trainer);
  if (code != FED_OK) return code;
  code = fed_train_epochs(trainer, work->examples, &epochs, &work->learned);
  if (code == FED_OK) code = fed_evaluate(trainer, work->examples, NULL, 0, &work->found);
  if (code == FED_OK) code = export_model(work, trainer);
  if (code == FED_OK) code = fed_model_describe(work->model, &work->described);
  if (code == FED_OK) be_refused(work, trainer);
  fed_trainer_free(trainer);
  return code;
}

static void *run(void *given) {
  struct work *work = given;
  work->code = do_work(work);
  if (work->code != FED_OK) work->first_failure = *fed_error_last();
  return NULL;
}

static void begin(struct work *work, const struct graph_writer *writer,
                  const struct fed_model *model, struct fed_examples *examples, size_t i) {
  *work = (struct work){.context = &writer->context,
                        .model = model,
                        .examples = examples,
                        .setting = &settings[i],
                        .wrong_label = 100 + (int64_t)i};
  fed_buffer_init(&work->exported, &writer->context, 1 << 24);
  fed_buffer_init(&work->described, &writer->context, 1 << 20);
}

static void clear(struct work *work) {
  fed_buffer_clear(&work->exported);
  fed_buffer_clear(&work->described);
}

/* ---- together and alone ---------------------------------------------------------------------- */

static void check_bytes(const struct fed_buffer *a, const struct fed_buffer *b) {
  assert_int_equal(a->size, b->size);
  assert_memory_equal(a->data, b->data, a->size);
}

static void check_metrics(const struct fed_metrics *a, const struct fed_metrics *b) {
  assert_int_equal(a->example_count, b->example_count);
  assert_int_equal(a->correct_count, b->correct_count);
  assert_memory_equal(&a->loss_sum, &b->loss_sum, sizeof a->loss_sum);
}

static void check_same(const struct work *together, const struct work *alone) {
  char label[32];
  if (together->code != FED_OK) fail_msg("%s", together->first_failure.message);
  if (alone->code != FED_OK) fail_msg("%s", alone->first_failure.message);
  check_bytes(&together->exported, &alone->exported);
  check_bytes(&together->described, &alone->described);
  check_metrics(&together->learned, &alone->learned);
  check_metrics(&together->found, &alone->found);
  snprintf(label, sizeof label, "label %d ", (int)together->wrong_label);
  assert_int_equal(together->refusal.code, FED_E_RANGE);
  if (!strstr(together->refusal.message, label)) fail_msg("%s", together->refusal.message);
}

static void check_model(struct graph_writer *writer) {
  struct fed_model *model;
  struct work together[THREADS], alone[THREADS];
  pthread_t threads[THREADS];
  must(fed_model_load(&writer->context, fed_buffer_slice(&writer->file), NULL, &model));
  struct fed_examples examples = {
      .gather = gather_rows, .count = ROWS, .spec = *fed_model_inputs(model)};
  for (size_t i = 0; i < THREADS; i++) {
    begin(&together[i], writer, model, &examples, i);
    begin(&alone[i], writer, model, &examples, i);
  }
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, run, &together[i]), 0);
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i < THREADS; i++) run(&alone[i]);
  for (size_t i = 0; i < THREADS; i++) check_same(&together[i], &alone[i]);
  assert_memory_not_equal(alone[0].exported.data, alone[1].exported.data, alone[0].exported.size);
  for (size_t i = 0; i < THREADS; i++) {
    clear(&together[i]);
    clear(&alone[i]);
  }
  fed_model_free(model);
}

static void test_recipes(void **state) {
  (void)state;
  static const struct fed_recipe_options recipes[] = {
      {.recipe = "cnn", .input = {3, {1, 8, 8}}, .classes = CLASSES},
      {.recipe = "resnet8", .input = {3, {3, 8, 8}}, .classes = CLASSES},
      {.recipe = "gru-sensor", .input = {2, {6, 3}}, .classes = CLASSES},
      {.recipe = "tabular",
       .input = {1, {3}},
       .classes = CLASSES,
       .categories = {5, 2},
       .category_count = 2},
      {.recipe = "transformer-small",
       .input = {1, {6}},
       .classes = CLASSES,
       .hidden = {16, 2, 2, 24},
       .hidden_count = 4},
  };
  for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
    struct graph_writer writer;
    writer_init(&writer);
    must(fed_recipe_write(&writer.context, &recipes[i], &writer.file));
    check_model(&writer);
    writer_clear(&writer);
  }
}

/* Each trainer draws its own masks. */
static void test_dropout(void **state) {
  (void)state;
  static const uint8_t yes = 1;
  float values[64];
  struct graph_writer writer;
  for (size_t i = 0; i < 64; i++) values[i] = (float)(i * 37 % 64) / 32 - 1;
  writer_init(&writer);
  writer_input(&writer, "x", 1, (const int64_t[]){8});
  writer_floats(&writer, "w1", 2, (const int64_t[]){8, 8}, values);
  writer_floats(&writer, "w2", 2, (const int64_t[]){8, CLASSES}, values + 8);
  writer_floats(&writer, "ratio", 0, NULL, (const float[]){0.5f});
  writer_tensor(&writer, "mode", 9, 0, NULL, &yes, 1);
  writer_node(&writer, "MatMul", "x,w1", "h");
  writer_node(&writer, "Dropout", "h,ratio,mode", "d");
  writer_node(&writer, "Gemm", "d,w2", "y");
  writer_output(&writer, "y");
  writer_finish(&writer);
  check_model(&writer);
  writer_clear(&writer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_recipes),
      cmocka_unit_test(test_dropout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
