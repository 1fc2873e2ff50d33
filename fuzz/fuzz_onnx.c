/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_onnx.c: any bytes as a model file. Loading needs memory in proportion to the file. A model
 * that loads can be exported, and what was exported loads with the same parameters, bit for bit.
 * A trainer for it is refused or takes a step; a step that fails leaves the parameters alone.
 */
#include "fuzz_target.h"

#include "fed/train.h"

/* Functions may grow to 64 times the file and a megabyte before values and nodes are made of them.
 */
#define LOADING_BYTES(size) (((size_t)4 << 20) + 1024 * (size))
#define TRAINING_BYTES ((size_t)1 << 20)
#define WORK_MAX 1e8 /* elements times parameters: bounds the time of a step */

static const struct fed_dimension sequence = {"sequence", 3};
static const struct fed_model_options options_of_model = {.dimensions = &sequence,
                                                          .dimension_count = 1};

static struct fed_slice values_of(const struct fed_params *params) {
  return fed_slice_of(params->storage, params->storage_bytes);
}

static void check_export(const struct fed_model *model, size_t size) {
  struct fuzz_memory memory;
  struct fed_buffer file;
  struct fed_model *again = NULL;
  fuzz_memory_begin(&memory, 8 * LOADING_BYTES(size));
  fed_buffer_init(&file, &memory.context, 64 * size + 4096);
  HOLDS(fed_model_export(model, fed_model_params(model), &file) == FED_OK);
  HOLDS(fed_model_load(&memory.context, fed_buffer_slice(&file), &options_of_model, &again) ==
        FED_OK);
  HOLDS(fed_params_match(fed_model_params(model), fed_model_params(again)) == FED_OK);
  HOLDS(fuzz_equal(values_of(fed_model_params(model)), values_of(fed_model_params(again))));
  fed_model_free(again);
  fed_buffer_clear(&file);
  fuzz_memory_end(&memory);
}

static void fill_with_zeros(struct fed_batch *batch, size_t input_count) {
  batch->count = 2;
  for (size_t i = 0; i < input_count; i++)
    memset(batch->inputs[i].data, 0, fed_tensor_bytes(&batch->inputs[i]));
  memset(batch->target.data, 0, fed_tensor_bytes(&batch->target));
}

static void take_step(const struct fed_model *model, struct fed_trainer *trainer,
                      const struct fed_context *context) {
  struct fed_metrics metrics = {0};
  struct fed_params before, after;
  if (fed_params_copy(&before, context, fed_model_params(model)) != FED_OK) return;
  if (fed_params_copy(&after, context, fed_model_params(model)) == FED_OK) {
    fill_with_zeros(fed_trainer_batch(trainer), fed_model_inputs(model)->input_count);
    const int code = fed_train_step(trainer, &metrics);
    HOLDS(fed_trainer_params(trainer, &after) == FED_OK);
    if (code == FED_OK) HOLDS(metrics.example_count >= 2);
    if (code != FED_OK) HOLDS(metrics.example_count == 0);
    if (code != FED_OK) HOLDS(fuzz_equal(values_of(&before), values_of(&after)));
    fed_params_clear(&after);
  }
  fed_params_clear(&before);
}

static void check_training(const struct fed_model *model) {
  struct fed_train_options options;
  struct fed_trainer *trainer = NULL;
  struct fuzz_memory memory;
  fuzz_memory_begin(&memory, TRAINING_BYTES);
  fed_train_options_init(&options);
  options.batch_size = 2;
  options.kernels = FED_KERNELS_REFERENCE;
  if (fed_trainer_new(&memory.context, model, &options, &trainer) == FED_OK &&
      (double)fed_trainer_bytes(trainer) * (double)fed_params_elements(fed_model_params(model)) <
          WORK_MAX)
    take_step(model, trainer, &memory.context);
  fed_trainer_free(trainer);
  fuzz_memory_end(&memory);
}

int fuzz_one(const uint8_t *data, size_t size) {
  struct fuzz_memory memory;
  struct fed_model *model = NULL;
  fuzz_memory_begin(&memory, LOADING_BYTES(size));
  const int code =
      fed_model_load(&memory.context, fed_slice_of(data, size), &options_of_model, &model);
  HOLDS(!memory.exceeded);
  if (code == FED_OK) {
    struct fed_buffer table;
    fed_buffer_init(&table, &memory.context, (size_t)1 << 20);
    HOLDS(fed_model_describe(model, &table) == FED_OK || memory.exceeded);
    fed_buffer_clear(&table);
    check_export(model, size);
    check_training(model);
  }
  fed_model_free(model);
  fuzz_memory_end(&memory);
  return 0;
}
