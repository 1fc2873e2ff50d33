/* SPDX-License-Identifier: Apache-2.0
 *
 * full_gradient.c: the gradient over many examples, batch by batch, as one: what FedSGD sends. The
 * sum is kept in float32 like the gradients themselves.
 */
#include "base/raise.h"
#include "train/epochs.h"
#include "train/gradient.h"
#include "train/trainer.h"

static void add_gradient(const struct fed_trainer *trainer, double part, struct fed_params *sum) {
  const int is_wide = trainer->kernels->precision == FED_PRECISION_F64;
  for (size_t i = 0; i < trainer->model->trained_count; i++) {
    const void *gradient = fed__trainer_gradient(trainer, i);
    float *to = sum->tensors[i].data;
    const size_t count = fed_tensor_elements(&sum->tensors[i]);
    for (size_t k = 0; k < count; k++)
      to[k] += (float)(part * (is_wide ? ((const double *)gradient)[k]
                                       : (double)((const float *)gradient)[k]));
  }
}

/* One pass, as in training, but for the step. */
static int walk_once(struct fed__walk *walk, struct fed_params *gradient,
                     struct fed_metrics *metrics) {
  const struct fed_batch *batch = fed_trainer_batch(walk->trainer);
  while (!fed__walk_is_over(walk)) {
    FED_TRY(fed__walk_gather(walk));
    FED_TRY(fed__gradient_compute(walk->trainer, metrics));
    add_gradient(walk->trainer, (double)batch->count / (double)walk->count, gradient);
    fed__walk_move_on(walk);
  }
  return FED_OK;
}

int fed_train_gradient(struct fed_trainer *trainer, struct fed_examples *examples,
                       const struct fed_epochs *rows, struct fed_params *gradient,
                       struct fed_metrics *metrics) {
  struct fed_epochs pass = *rows;
  struct fed__walk walk;
  pass.epochs = 1;
  pass.steps_max = 0;
  FED_TRY(fed_params_match(&trainer->model->params, gradient));
  memset(gradient->storage, 0, gradient->storage_bytes);
  FED_TRY(fed__walk_begin(&walk, trainer, examples, &pass));
  const int code = walk_once(&walk, gradient, metrics);
  fed__walk_end(&walk);
  return code;
}
