/* SPDX-License-Identifier: Apache-2.0
 *
 * epochs.c: going through a source of examples, batch by batch, for training and evaluation. The
 * order of an epoch follows from the seed and the epoch's number alone.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "train/trainer.h"

struct pass {
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  uint32_t *order;
  size_t count, batch_size;
  uint64_t steps_left;
  int (*step)(struct fed_trainer *trainer, struct fed_metrics *metrics);
  struct fed_metrics *metrics;
};

static int check_tensor(const char *what, const struct fed_tensor *given,
                        const struct fed_tensor *batch) {
  char want[128], got[128];
  struct fed_shape shape = {.rank = batch->shape.rank - 1};
  for (uint32_t i = 0; i < shape.rank; i++) shape.dims[i] = batch->shape.dims[i + 1];
  if (given->dtype != batch->dtype || !fed_shape_equal(&given->shape, &shape))
    return FED_RAISE(
        FED_E_SHAPE, "the model needs %s %s %s for one example, the examples have %s %s", what,
        fed_dtype_name(batch->dtype), fed_shape_format(&shape, want, sizeof want),
        fed_dtype_name(given->dtype), fed_shape_format(&given->shape, got, sizeof got));
  return FED_OK;
}

static int check_examples(const struct fed_examples *examples, const struct fed_batch *batch) {
  size_t inputs = 0;
  while (inputs < FED_INPUTS_MAX && batch->inputs[inputs].data) inputs++;
  if (examples->spec.input_count != inputs)
    return FED_RAISE(FED_E_SHAPE, "the model has %zu inputs, the examples have %zu", inputs,
                     examples->spec.input_count);
  for (size_t i = 0; i < inputs; i++)
    FED_TRY(check_tensor("inputs", &examples->spec.inputs[i], &batch->inputs[i]));
  return check_tensor("a target", &examples->spec.target, &batch->target);
}

static int begin_pass(struct pass *pass, const uint32_t *rows, size_t row_count) {
  const struct fed_batch *batch = fed_trainer_batch(pass->trainer);
  FED_TRY(check_examples(pass->examples, batch));
  pass->count = rows ? row_count : pass->examples->count;
  pass->batch_size = (size_t)batch->target.shape.dims[0];
  if (pass->count == 0) return FED_RAISE(FED_E_EMPTY, "there are no examples");
  if (pass->count > UINT32_MAX) return FED_RAISE(FED_E_TOO_LARGE, "%zu examples", pass->count);
  return FED_OK;
}

static int run_pass(struct pass *pass) {
  struct fed_batch *batch = fed_trainer_batch(pass->trainer);
  for (size_t at = 0; at < pass->count && pass->steps_left; at += batch->count) {
    const size_t left = pass->count - at;
    batch->count = left < pass->batch_size ? left : pass->batch_size;
    FED_TRY(pass->examples->gather(pass->examples, pass->order + at, batch->count, batch));
    FED_TRY(pass->step(pass->trainer, pass->metrics));
    pass->steps_left--;
  }
  return FED_OK;
}

static void fill_order(struct pass *pass, const uint32_t *rows) {
  for (size_t i = 0; i < pass->count; i++) pass->order[i] = rows ? rows[i] : (uint32_t)i;
}

int fed_train_epochs(struct fed_trainer *trainer, struct fed_examples *examples,
                     const struct fed_epochs *epochs, struct fed_metrics *metrics) {
  struct pass pass = {
      .trainer = trainer,
      .examples = examples,
      .steps_left = epochs->steps_max ? epochs->steps_max : UINT64_MAX,
      .step = fed_train_step,
      .metrics = metrics,
  };
  FED_TRY(begin_pass(&pass, epochs->rows, epochs->row_count));
  const struct fed_context *context = fed__trainer_context(trainer);
  pass.order = fed__alloc(context, pass.count * sizeof *pass.order);
  int code = pass.order ? FED_OK : FED_E_MEMORY;
  for (uint32_t epoch = 0; code == FED_OK && epoch < epochs->epochs; epoch++) {
    struct fed_rng rng;
    fed__rng_init(&rng, epochs->seed, "train.order", epoch, 0);
    fill_order(&pass, epochs->rows);
    fed__rng_shuffle(&rng, pass.order, pass.count);
    code = run_pass(&pass);
  }
  fed__free(context, pass.order);
  return code;
}

int fed_evaluate(struct fed_trainer *trainer, struct fed_examples *examples, const uint32_t *rows,
                 size_t row_count, struct fed_metrics *metrics) {
  struct pass pass = {
      .trainer = trainer,
      .examples = examples,
      .steps_left = UINT64_MAX,
      .step = fed_evaluate_step,
      .metrics = metrics,
  };
  FED_TRY(begin_pass(&pass, rows, row_count));
  const struct fed_context *context = fed__trainer_context(trainer);
  pass.order = fed__alloc(context, pass.count * sizeof *pass.order);
  if (!pass.order) return FED_E_MEMORY;
  fill_order(&pass, rows);
  int code = run_pass(&pass);
  fed__free(context, pass.order);
  return code;
}
