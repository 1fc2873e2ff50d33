/* SPDX-License-Identifier: Apache-2.0
 *
 * predict.c: what the graph says about examples, without a loss.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/epochs.h"
#include "train/trainer.h"

void fed_trainer_output(const struct fed_trainer *trainer, struct fed_shape *shape) {
  const struct fed_shape *output = &trainer->plans[0]->output.shape;
  *shape = (struct fed_shape){.rank = output->rank ? output->rank - 1 : 0};
  for (uint32_t i = 0; i < shape->rank; i++) shape->dims[i] = output->dims[i + 1];
}

static void copy_output(const struct fed__plan *plan, float *outputs) {
  const double *wide = plan->output.data;
  if (plan->kernels->precision == FED_PRECISION_F64)
    for (size_t i = 0; i < plan->output.elements; i++) outputs[i] = (float)wide[i];
  else
    memcpy(outputs, plan->output.data, plan->output.elements * sizeof *outputs);
}

int fed_predict_step(struct fed_trainer *trainer, float *outputs) {
  struct fed__plan *plan;
  if (trainer->options.loss == FED_LOSS_OUTPUT)
    return FED_RAISE(FED_E_UNSUPPORTED,
                     "the model's output is its loss, so it says nothing of single examples");
  FED_TRY(fed__trainer_find_plan(trainer, &plan));
  trainer->now =
      (struct fed__step){0, trainer->options.seed ^ trainer->walk_seed, trainer->step, NULL};
  fed__plan_forward(plan);
  copy_output(plan, outputs);
  return FED_OK;
}

static int predict_rows(struct fed_trainer *trainer, struct fed_examples *examples,
                        const uint32_t *rows, size_t count, float *outputs) {
  struct fed_batch *batch = fed_trainer_batch(trainer);
  const size_t batch_size = trainer->options.batch_size;
  const size_t each = trainer->plans[0]->output.elements / batch_size;
  for (size_t at = 0; at < count; at += batch->count) {
    batch->count = count - at < batch_size ? count - at : batch_size;
    FED_TRY(examples->gather(examples, rows + at, batch->count, batch));
    FED_TRY(fed_predict_step(trainer, outputs + at * each));
  }
  return FED_OK;
}

int fed_predict(struct fed_trainer *trainer, struct fed_examples *examples, const uint32_t *rows,
                size_t row_count, float *outputs) {
  const size_t count = rows ? row_count : examples->count;
  FED_TRY(fed__examples_check(examples, fed_trainer_batch(trainer), count));
  if (rows) return predict_rows(trainer, examples, rows, count, outputs);
  uint32_t *all = fed__alloc(trainer->context, count * sizeof *all);
  if (!all) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) all[i] = (uint32_t)i;
  const int code = predict_rows(trainer, examples, all, count, outputs);
  fed__free(trainer->context, all);
  return code;
}
