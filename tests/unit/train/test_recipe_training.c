/* SPDX-License-Identifier: Apache-2.0
 *
 * test_recipe_training.c: every recipe, in a small size, loads, trains and comes back from its
 * file. What it must compute is checked against PyTorch and onnxruntime by tests/peers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fed/train.h"

#include <math.h>

#define BATCH 4
#define STEPS 5

static struct fed_context context;

static const struct fed_recipe_options small[] = {
    {.recipe = "logreg", .input = {1, {7}}, .classes = 3},
    {.recipe = "mlp", .input = {1, {7}}, .classes = 3},
    {.recipe = "2nn", .input = {3, {1, 5, 5}}, .classes = 3},
    {.recipe = "cnn", .input = {3, {1, 8, 8}}, .classes = 3},
    {.recipe = "lenet", .input = {3, {1, 16, 14}}, .classes = 3},
    {.recipe = "resnet8", .input = {3, {3, 8, 8}}, .classes = 3},
    {.recipe = "resnet18",
     .input = {3, {3, 8, 8}},
     .classes = 3,
     .hidden = {8, 2},
     .hidden_count = 2},
    {.recipe = "mobilenet-small",
     .input = {3, {3, 16, 16}},
     .classes = 3,
     .hidden = {30, 4},
     .hidden_count = 2},
    {.recipe = "autoencoder", .input = {3, {1, 8, 12}}},
    {.recipe = "autoencoder", .input = {1, {9}}},
    {.recipe = "tabular",
     .input = {1, {3}},
     .classes = 3,
     .categories = {5, 2},
     .category_count = 2},
    {.recipe = "gru-sensor",
     .input = {2, {6, 3}},
     .classes = 3,
     .hidden = {8, 2},
     .hidden_count = 2},
    {.recipe = "lstm-char", .input = {1, {6}}, .classes = 11},
    {.recipe = "lstm-word",
     .input = {1, {6}},
     .classes = 11,
     .hidden = {6, 8, 6},
     .hidden_count = 3},
    {.recipe = "transformer-small",
     .input = {1, {6}},
     .classes = 11,
     .hidden = {16, 2, 2, 24},
     .hidden_count = 4},
};
#define SMALL_COUNT (sizeof small / sizeof *small)

static void must(const char *recipe, int code) {
  if (code != FED_OK) fail_msg("%s: %s", recipe, fed_error_last()->message);
}

static void write_recipe(const struct fed_recipe_options *options, struct fed_buffer *onnx) {
  fed_buffer_init(onnx, &context, 64 << 20);
  must(options->recipe, fed_recipe_write(&context, options, onnx));
}

static struct fed_model *load(const char *recipe, const struct fed_buffer *onnx) {
  struct fed_model *model;
  must(recipe, fed_model_load(&context, fed_buffer_slice(onnx), NULL, &model));
  return model;
}

static void fill(const struct fed_tensor *tensor, uint64_t below, struct fed_rng *rng) {
  for (size_t i = 0; i < fed_tensor_elements(tensor); i++)
    if (tensor->dtype == FED_I64)
      ((int64_t *)tensor->data)[i] = (int64_t)fed__rng_below(rng, below);
    else
      ((float *)tensor->data)[i] = (float)fed__rng_unit(rng);
}

/* Integers are below what the recipe was told; of two categories the smaller one counts. */
static void fill_batch(const struct fed_recipe_options *options, struct fed_batch *batch,
                       size_t input_count) {
  struct fed_rng rng;
  fed__rng_init(&rng, 1, "examples", 0, 0);
  batch->count = BATCH;
  for (size_t i = 0; i < input_count; i++)
    fill(&batch->inputs[i], options->category_count ? 2 : options->classes, &rng);
  fill(&batch->target, options->classes, &rng);
}

static struct fed_trainer *new_trainer(const struct fed_recipe_options *recipe,
                                       const struct fed_model *model) {
  struct fed_train_options options;
  struct fed_trainer *trainer;
  fed_train_options_init(&options);
  if (!recipe->classes) options.loss = FED_LOSS_MEAN_SQUARED_ERROR;
  options.learning_rate = 1e-3;
  options.batch_size = BATCH;
  must(recipe->recipe, fed_trainer_new(&context, model, &options, &trainer));
  return trainer;
}

static double step(const char *recipe, struct fed_trainer *trainer) {
  struct fed_metrics metrics = {0};
  must(recipe, fed_train_step(trainer, &metrics));
  return metrics.loss_sum / (double)metrics.example_count;
}

/* On a batch that stays the same, small steps along the gradient lower the loss each time. */
static void steps_lower_the_loss(void **state) {
  (void)state;
  for (size_t i = 0; i < SMALL_COUNT; i++) {
    struct fed_buffer onnx;
    write_recipe(&small[i], &onnx);
    struct fed_model *model = load(small[i].recipe, &onnx);
    struct fed_trainer *trainer = new_trainer(&small[i], model);
    fill_batch(&small[i], fed_trainer_batch(trainer), fed_model_inputs(model)->input_count);
    double before = step(small[i].recipe, trainer);
    for (int s = 1; s < STEPS; s++) {
      const double after = step(small[i].recipe, trainer);
      if (!(after < before)) fail_msg("%s: %g, then %g", small[i].recipe, before, after);
      before = after;
    }
    fed_trainer_free(trainer);
    fed_model_free(model);
    fed_buffer_clear(&onnx);
  }
}

/* The first loss of a softmax over n classes that knows nothing is log n. */
static void models_of_text_begin_near_ignorance(void **state) {
  (void)state;
  for (size_t i = 0; i < SMALL_COUNT; i++) {
    if (strncmp(small[i].recipe, "lstm", 4) != 0) continue;
    struct fed_buffer onnx;
    write_recipe(&small[i], &onnx);
    struct fed_model *model = load(small[i].recipe, &onnx);
    struct fed_trainer *trainer = new_trainer(&small[i], model);
    fill_batch(&small[i], fed_trainer_batch(trainer), 1);
    assert_true(fabs(step(small[i].recipe, trainer) - log(11)) < 0.3);
    fed_trainer_free(trainer);
    fed_model_free(model);
    fed_buffer_clear(&onnx);
  }
}

/* What trains is what the recipe counts, and exporting the start values gives the file again. */
static void parameters_train_and_come_back(void **state) {
  (void)state;
  for (size_t i = 0; i < SMALL_COUNT; i++) {
    struct fed_buffer onnx, again;
    struct fed_recipe_cost cost;
    write_recipe(&small[i], &onnx);
    struct fed_model *model = load(small[i].recipe, &onnx);
    must(small[i].recipe, fed_recipe_measure(&context, &small[i], &cost));
    assert_int_equal(fed_params_elements(fed_model_params(model)), cost.parameters);
    assert_int_equal(fed_model_trained_count(model), fed_model_params(model)->count);
    fed_buffer_init(&again, &context, 64 << 20);
    must(small[i].recipe, fed_model_export(model, fed_model_params(model), &again));
    assert_int_equal(again.size, onnx.size);
    assert_memory_equal(again.data, onnx.data, onnx.size);
    fed_buffer_clear(&again);
    fed_model_free(model);
    fed_buffer_clear(&onnx);
  }
}

static int set_up(void **state) {
  (void)state;
  fed_context_init(&context);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_lower_the_loss),
      cmocka_unit_test(models_of_text_begin_near_ignorance),
      cmocka_unit_test(parameters_train_and_come_back),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
