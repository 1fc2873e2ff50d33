/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.c: a trainer's life and its steps. The plan of the full batch size is made at once; a
 * smaller batch's (the remainder of an epoch) when such a batch first comes. It runs in the same
 * memory, and a few of them are kept.
 */
#include "train/trainer.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/gradient.h"
#include "train/schedule.h"

#include <math.h>

void fed_train_options_init(struct fed_train_options *options) {
  *options = (struct fed_train_options){
      .loss = FED_LOSS_SOFTMAX_CROSS_ENTROPY,
      .optimizer = FED_OPTIMIZER_SGD,
      .schedule = FED_SCHEDULE_CONSTANT,
      .precision = FED_PRECISION_F32,
      .kernels = FED_KERNELS_AUTO,
      .batch_size = 32,
      .learning_rate = 0.1,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8,
      .schedule_factor = 1,
      .rho = 0.99,
      .huber_delta = 1,
  };
}

/* ---- plans ---------------------------------------------------------------------------------- */

static int make_plan(struct fed_trainer *trainer, size_t batch_size, struct fed__plan **plan) {
  const struct fed__plan *full = trainer->plans[0];
  struct fed__plan_setting setting = {
      .context = trainer->context,
      .model = trainer->model,
      .kernels = trainer->kernels,
      .parameters = trainer->parameters,
      .gradients = trainer->gradients,
      .local_params = trainer->local_params,
      .step = &trainer->now,
      .batch = &trainer->batch,
      .arena = full ? full->arena : NULL,
      .arena_bytes = full ? full->arena_bytes : 0,
      .checkpoint = trainer->options.checkpoint,
  };
  FED_TRY(fed__trainer_budget(trainer, &setting.bytes_max));
  return fed__plan_new(&setting, (int64_t)batch_size, plan);
}

int fed__trainer_find_plan(struct fed_trainer *trainer, struct fed__plan **plan) {
  const size_t wanted = trainer->batch.count;
  if (wanted == 0 || wanted > trainer->options.batch_size)
    return FED_RAISE(FED_E_RANGE, "the batch has %zu examples, expected 1 to %u", wanted,
                     trainer->options.batch_size);
  for (size_t i = 0; i < FED__PLANS_MAX; i++)
    if (trainer->plans[i] && (size_t)trainer->plans[i]->batch_size == wanted) {
      *plan = trainer->last_plan = trainer->plans[i];
      return FED_OK;
    }
  struct fed__plan **place = &trainer->plans[1 + trainer->next_plan];
  trainer->next_plan = (trainer->next_plan + 1) % (FED__PLANS_MAX - 1);
  if (trainer->last_plan == *place) trainer->last_plan = trainer->plans[0];
  fed__plan_free(*place);
  *place = NULL;
  FED_TRY(make_plan(trainer, wanted, plan));
  *place = trainer->last_plan = *plan;
  return FED_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int check_output(const struct fed_trainer *trainer) {
  const struct fed_shape *output = &trainer->plans[0]->output.shape;
  char text[128];
  if (trainer->options.loss == FED_LOSS_OUTPUT ||
      (output->rank > 0 && output->dims[0] == (int64_t)trainer->options.batch_size))
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "the model's output for a batch of %u is %s",
                   trainer->options.batch_size, fed_shape_format(output, text, sizeof text));
}

static int set_up(struct fed_trainer *trainer) {
  const struct fed_train_options *options = &trainer->options;
  if (options->batch_size == 0) return FED_RAISE(FED_E_RANGE, "batch_size is 0");
  FED_TRY(fed__loss_find(options, &trainer->loss));
  FED_TRY(fed__optimizer_find(options, &trainer->optimizer));
  FED_TRY(fed__schedule_check(options));
  FED_TRY(fed__kernels_choose(options->kernels, options->precision, &trainer->kernels));
  FED_TRY(fed__trainer_allocate(trainer));
  FED_TRY(make_plan(trainer, options->batch_size, &trainer->plans[0]));
  trainer->last_plan = trainer->plans[0];
  FED_TRY(check_output(trainer));
  FED_TRY(fed_trainer_set_local_params(trainer, &trainer->model->local_params));
  return fed_trainer_reset(trainer, &trainer->model->params);
}

int fed_trainer_new(const struct fed_context *context, const struct fed_model *model,
                    const struct fed_train_options *options, struct fed_trainer **trainer) {
  *trainer = NULL;
  struct fed_trainer *made = fed__zalloc(context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->context = context;
  made->model = model;
  made->options = *options;
  int code = set_up(made);
  if (code == FED_OK)
    *trainer = made;
  else
    fed_trainer_free(made);
  return code;
}

void fed_trainer_free(struct fed_trainer *trainer) {
  if (!trainer) return;
  for (size_t i = 0; i < FED__PLANS_MAX; i++) fed__plan_free(trainer->plans[i]);
  fed__trainer_release(trainer);
  fed__free(trainer->context, trainer);
}

const char *fed_trainer_kernels(const struct fed_trainer *trainer) {
  return trainer->kernels->name;
}

struct fed_batch *fed_trainer_batch(struct fed_trainer *trainer) {
  return &trainer->batch;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Forward and loss. */
static int run_forward(struct fed_trainer *trainer, struct fed__plan *plan, int learn,
                       struct fed_metrics *found) {
  const struct fed__loss_call call = {
      .options = &trainer->options,
      .shape = &plan->output.shape,
      .batch_count = trainer->batch.count,
      .output = plan->output.data,
      .target = trainer->batch.target.data,
      .gradient = learn ? plan->output.gradient : NULL,
      .metrics = found,
  };
  if (trainer->loss->check) FED_TRY(trainer->loss->check(&call));
  fed__plan_forward(plan);
  trainer->loss->run[trainer->kernels->precision](&call);
  if (isfinite(found->loss_sum)) return FED_OK;
  return FED_RAISE(FED_E_NOT_FINITE, "the loss is not a finite number: look for such numbers in "
                                     "the examples, or lower the learning rate");
}

/* With `learn` also backward, to the gradients; with `update` on to the parameters that the plan
 * says. Nothing has changed if this fails. */
static int run(struct fed_trainer *trainer, int learn, const struct fed__update *update,
               struct fed_metrics *metrics) {
  struct fed__plan *plan;
  struct fed_metrics found = {0};
  FED_TRY(fed__trainer_find_plan(trainer, &plan));
  trainer->now =
      (struct fed__step){learn, trainer->options.seed ^ trainer->walk_seed, trainer->step, update};
  FED_TRY(run_forward(trainer, plan, learn, &found));
  if (learn && plan->output.gradient) fed__plan_backward(plan);
  metrics->example_count += found.example_count;
  metrics->correct_count += found.correct_count;
  metrics->loss_sum += found.loss_sum;
  return FED_OK;
}

static int clips(const struct fed_trainer *trainer) {
  return trainer->options.clip_value > 0 || trainer->options.clip_norm > 0;
}

/* First each element, then the whole gradient's norm. */
static int clip(const struct fed_trainer *trainer, double *scale) {
  const enum fed_precision precision = trainer->kernels->precision;
  if (trainer->options.clip_value > 0)
    fed__gradient_clamp(precision, trainer->gradient, trainer->trained_count,
                        trainer->options.clip_value);
  if (trainer->options.clip_norm == 0) return FED_OK;
  const double norm = fed__gradient_norm(precision, trainer->gradient, trainer->trained_count);
  if (!isfinite(norm))
    return FED_RAISE(FED_E_NOT_FINITE, "the gradient is not finite: lower the learning rate");
  if (norm > trainer->options.clip_norm) *scale = trainer->options.clip_norm / norm;
  return FED_OK;
}

/* What backward has not updated itself. */
static void update_rest(struct fed_trainer *trainer, const struct fed__update *update) {
  const enum fed_precision precision = trainer->kernels->precision;
  for (size_t i = 0; i < trainer->model->trained_count; i++) {
    if (trainer->last_plan->updated[i]) continue;
    const size_t bytes = (size_t)((char *)trainer->parameters[i] - (char *)trainer->values);
    struct fed__update piece = *update;
    fed__update_shift(&piece, precision, bytes / fed__trainer_unit(trainer));
    piece.count = fed_tensor_elements(&trainer->model->params.tensors[i]);
    trainer->optimizer->update[precision](&piece);
  }
}

/* The whole gradient has to be there before it can be changed. */
static int needs_gradient(const struct fed_trainer *trainer) {
  return clips(trainer) || trainer->bends;
}

static int change_gradient(const struct fed_trainer *trainer, double *scale) {
  if (trainer->bends) fed__gradient_bend(trainer);
  return clips(trainer) ? clip(trainer, scale) : FED_OK;
}

int fed_train_step(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  struct fed_metrics found = *metrics;
  struct fed__update update = {
      .optimizer = trainer->optimizer,
      .options = &trainer->options,
      .parameters = trainer->values,
      .gradients = trainer->gradient,
      .states = {trainer->states[0], trainer->states[1]},
      .count = trainer->trained_count,
      .learning_rate = fed__schedule_rate(&trainer->options, trainer->step),
      .gradient_scale = 1,
      .step = trainer->step + 1,
  };
  if (needs_gradient(trainer)) {
    FED_TRY(run(trainer, 1, NULL, &found));
    FED_TRY(change_gradient(trainer, &update.gradient_scale));
    trainer->optimizer->update[trainer->kernels->precision](&update);
  } else {
    FED_TRY(run(trainer, 1, &update, &found));
    update_rest(trainer, &update);
  }
  trainer->step++;
  fed__plan_commit(trainer->last_plan);
  *metrics = found;
  return FED_OK;
}

int fed_evaluate_step(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  return run(trainer, 0, NULL, metrics);
}

uint64_t fed_trainer_steps(const struct fed_trainer *trainer, double *reach) {
  const struct fed_train_options *options = &trainer->options;
  const double momentum = options->optimizer == FED_OPTIMIZER_SGD ? options->momentum : 0;
  double velocity = 0;
  *reach = 0;
  for (uint64_t step = 0; step < trainer->step; step++) {
    velocity = momentum * velocity + 1;
    *reach += fed__schedule_rate(options, step) *
              (options->nesterov ? 1 + momentum * velocity : velocity);
  }
  return trainer->step;
}

int fed__gradient_compute(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  return run(trainer, 1, NULL, metrics);
}
