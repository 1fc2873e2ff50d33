/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer.c: parameters, gradients and optimiser state in one block, the batch's memory, and the
 * plans that run on them. The plan of the full batch size is made at once; a smaller batch's (the
 * remainder of an epoch) when such a batch first comes. It runs in the same memory, and a few of
 * them are kept.
 */
#include "train/trainer.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/gradient.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/training_plan.h"

#include <math.h>

#define PLANS_MAX 4 /* the full batch's and three smaller ones */
#define ALIGNMENT 64

struct fed_trainer {
  const struct fed_context *context;
  const struct fed_model *model;
  struct fed_train_options options;
  const struct fed_kernel_table *kernels;
  const struct fed__loss *loss;
  const struct fed__optimizer *optimizer;

  void *block; /* parameters, gradients, states: `count` numbers each, tensors on 64 bytes */
  size_t block_bytes, count, state_count;
  void *arrays[2 + FED__OPTIMIZER_STATES_MAX];
  size_t trained_count;           /* numbers that the optimiser updates; statistics follow */
  void **parameters, **gradients; /* by parameter */
  void *local_block;              /* statistics that do not travel */
  void **local_params;
  struct fed__step now;

  struct fed_batch batch;
  void *batch_block;
  size_t batch_bytes;

  struct fed__plan *plans[PLANS_MAX]; /* the first is the full batch's */
  struct fed__plan *last_plan;
  size_t next_plan; /* whose place the next new one takes */
  uint64_t step;
};

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

static size_t round_up(size_t size) { return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static size_t real_size(const struct fed_trainer *trainer) {
  return trainer->kernels->precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double);
}

static void *align(void *pointer) { return (void *)round_up((uintptr_t)pointer); }

static int allocate_parameters(struct fed_trainer *trainer) {
  const struct fed_params *params = &trainer->model->params;
  const size_t unit = real_size(trainer);
  size_t array_bytes = 0;
  for (size_t i = 0; i < params->count; i++)
    array_bytes += round_up(fed_tensor_elements(&params->tensors[i]) * unit);
  trainer->count = array_bytes / unit;
  trainer->trained_count = 0;
  for (size_t i = 0; i < trainer->model->trained_count; i++)
    trainer->trained_count += round_up(fed_tensor_elements(&params->tensors[i]) * unit) / unit;
  trainer->state_count = trainer->optimizer->state_count(&trainer->options);
  trainer->block_bytes = (2 + trainer->state_count) * array_bytes;
  trainer->block = fed__zalloc(trainer->context, trainer->block_bytes + ALIGNMENT, 1);
  trainer->parameters = fed__zalloc(trainer->context, params->count, sizeof(void *));
  trainer->gradients = fed__zalloc(trainer->context, params->count, sizeof(void *));
  if (!trainer->block || !trainer->parameters || !trainer->gradients) return FED_E_MEMORY;
  for (size_t i = 0; i < 2 + trainer->state_count; i++)
    trainer->arrays[i] = (char *)align(trainer->block) + i * array_bytes;
  size_t offset = 0;
  for (size_t i = 0; i < params->count; i++) {
    trainer->parameters[i] = (char *)trainer->arrays[0] + offset;
    trainer->gradients[i] = (char *)trainer->arrays[1] + offset;
    offset += round_up(fed_tensor_elements(&params->tensors[i]) * unit);
  }
  return FED_OK;
}

static int allocate_local(struct fed_trainer *trainer) {
  const struct fed_params *local = &trainer->model->local_params;
  const size_t unit = real_size(trainer);
  trainer->local_block =
      fed__zalloc(trainer->context, fed_params_elements(local) + ALIGNMENT, unit);
  trainer->local_params = fed__zalloc(trainer->context, local->count + 1, sizeof(void *));
  if (!trainer->local_block || !trainer->local_params) return FED_E_MEMORY;
  char *at = align(trainer->local_block);
  for (size_t i = 0; i < local->count; i++) {
    trainer->local_params[i] = at;
    at += fed_tensor_elements(&local->tensors[i]) * unit;
  }
  return fed_trainer_set_local_params(trainer, local);
}

static int size_batch_tensor(const struct fed_trainer *trainer, const struct fed_tensor *example,
                             struct fed_tensor *tensor, size_t *bytes) {
  *tensor = *example;
  size_t elements, size;
  if (example->shape.rank == FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "'%s' has too many dimensions", example->name);
  tensor->shape.rank = example->shape.rank + 1;
  tensor->shape.dims[0] = trainer->options.batch_size;
  for (uint32_t i = 0; i < example->shape.rank; i++)
    tensor->shape.dims[i + 1] = example->shape.dims[i];
  FED_TRY(fed_shape_elements(&tensor->shape, &elements));
  if (__builtin_mul_overflow(elements, fed_dtype_size(tensor->dtype), &size) ||
      __builtin_add_overflow(*bytes, round_up(size), bytes) || *bytes > SIZE_MAX / 4)
    return FED_RAISE(FED_E_TOO_LARGE, "a batch of %u does not fit in memory",
                     trainer->options.batch_size);
  return FED_OK;
}

static int allocate_batch(struct fed_trainer *trainer) {
  const struct fed_example_spec *spec = &trainer->model->spec;
  struct fed_tensor target = {.name = "target", .dtype = trainer->loss->target_dtype};
  FED_TRY(trainer->loss->target_shape(&trainer->model->shapes.values[trainer->model->output].shape,
                                      &target.shape));
  for (size_t i = 0; i < spec->input_count; i++)
    FED_TRY(size_batch_tensor(trainer, &spec->inputs[i], &trainer->batch.inputs[i],
                              &trainer->batch_bytes));
  FED_TRY(size_batch_tensor(trainer, &target, &trainer->batch.target, &trainer->batch_bytes));
  trainer->batch_block = fed__zalloc(trainer->context, trainer->batch_bytes + ALIGNMENT, 1);
  if (!trainer->batch_block) return FED_E_MEMORY;
  char *at = align(trainer->batch_block);
  for (size_t i = 0; i < spec->input_count; i++) {
    trainer->batch.inputs[i].data = at;
    at += round_up(fed_tensor_bytes(&trainer->batch.inputs[i]));
  }
  trainer->batch.target.data = at;
  return FED_OK;
}

static int make_plan(struct fed_trainer *trainer, size_t batch_size, struct fed__plan **plan) {
  const struct fed__plan *full = trainer->plans[0];
  const struct fed__plan_setting setting = {
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
  };
  return fed__plan_new(&setting, (int64_t)batch_size, plan);
}

/* The plan for the batch's size, made if it is not there. */
static int find_plan(struct fed_trainer *trainer, struct fed__plan **plan) {
  const size_t wanted = trainer->batch.count;
  if (wanted == 0 || wanted > trainer->options.batch_size)
    return FED_RAISE(FED_E_RANGE, "the batch has %zu examples, expected 1 to %u", wanted,
                     trainer->options.batch_size);
  for (size_t i = 0; i < PLANS_MAX; i++)
    if (trainer->plans[i] && (size_t)trainer->plans[i]->batch_size == wanted) {
      *plan = trainer->last_plan = trainer->plans[i];
      return FED_OK;
    }
  FED_TRY(make_plan(trainer, wanted, plan));
  struct fed__plan **place = &trainer->plans[1 + trainer->next_plan];
  trainer->next_plan = (trainer->next_plan + 1) % (PLANS_MAX - 1);
  fed__plan_free(*place);
  *place = trainer->last_plan = *plan;
  return FED_OK;
}

static int set_up(struct fed_trainer *trainer) {
  const struct fed_train_options *options = &trainer->options;
  if (options->batch_size == 0) return FED_RAISE(FED_E_RANGE, "batch_size is 0");
  FED_TRY(fed__loss_find(options->loss, &trainer->loss));
  FED_TRY(fed__optimizer_find(options, &trainer->optimizer));
  FED_TRY(fed__schedule_check(options));
  FED_TRY(fed__kernels_choose(options->kernels, options->precision, &trainer->kernels));
  FED_TRY(allocate_parameters(trainer));
  FED_TRY(allocate_local(trainer));
  FED_TRY(allocate_batch(trainer));
  trainer->batch.count = options->batch_size;
  FED_TRY(make_plan(trainer, options->batch_size, &trainer->plans[0]));
  trainer->last_plan = trainer->plans[0];
  const struct fed_shape *output = &trainer->plans[0]->output.shape;
  if (output->dims[0] != (int64_t)options->batch_size)
    return FED_RAISE(FED_E_SHAPE, "the model's output for a batch of %u starts with %lld",
                     options->batch_size, (long long)output->dims[0]);
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
  for (size_t i = 0; i < PLANS_MAX; i++) fed__plan_free(trainer->plans[i]);
  fed__free(trainer->context, trainer->batch_block);
  fed__free(trainer->context, trainer->parameters);
  fed__free(trainer->context, trainer->gradients);
  fed__free(trainer->context, trainer->local_params);
  fed__free(trainer->context, trainer->local_block);
  fed__free(trainer->context, trainer->block);
  fed__free(trainer->context, trainer);
}

size_t fed_trainer_bytes(const struct fed_trainer *trainer) {
  size_t bytes = trainer->block_bytes + trainer->batch_bytes;
  for (size_t i = 0; i < PLANS_MAX; i++)
    if (trainer->plans[i]) bytes += trainer->plans[i]->bytes;
  return bytes;
}

const char *fed_trainer_kernels(const struct fed_trainer *trainer) {
  return trainer->kernels->name;
}

/* Between a set of float32 and arrays of the trainer's precision. */
static void put_values(const struct fed_trainer *trainer, const struct fed_params *from,
                       void *const *to) {
  for (size_t i = 0; i < from->count; i++) {
    const float *values = from->tensors[i].data;
    const size_t elements = fed_tensor_elements(&from->tensors[i]);
    if (trainer->kernels->precision == FED_PRECISION_F32)
      memcpy(to[i], values, elements * sizeof *values);
    else
      for (size_t j = 0; j < elements; j++) ((double *)to[i])[j] = (double)values[j];
  }
}

static void get_values(const struct fed_trainer *trainer, void *const *from,
                       struct fed_params *to) {
  for (size_t i = 0; i < to->count; i++) {
    float *values = to->tensors[i].data;
    const size_t elements = fed_tensor_elements(&to->tensors[i]);
    if (trainer->kernels->precision == FED_PRECISION_F32)
      memcpy(values, from[i], elements * sizeof *values);
    else
      for (size_t j = 0; j < elements; j++) values[j] = (float)((double *)from[i])[j];
  }
}

int fed_trainer_reset(struct fed_trainer *trainer, const struct fed_params *params) {
  FED_TRY(fed_params_match(&trainer->model->params, params));
  memset(align(trainer->block), 0, trainer->block_bytes);
  trainer->step = 0;
  put_values(trainer, params, trainer->parameters);
  return FED_OK;
}

int fed_trainer_params(const struct fed_trainer *trainer, struct fed_params *params) {
  FED_TRY(fed_params_match(&trainer->model->params, params));
  get_values(trainer, trainer->parameters, params);
  return FED_OK;
}

int fed_trainer_local_params(const struct fed_trainer *trainer, struct fed_params *params) {
  FED_TRY(fed_params_match(&trainer->model->local_params, params));
  get_values(trainer, trainer->local_params, params);
  return FED_OK;
}

int fed_trainer_set_local_params(struct fed_trainer *trainer, const struct fed_params *params) {
  FED_TRY(fed_params_match(&trainer->model->local_params, params));
  put_values(trainer, params, trainer->local_params);
  return FED_OK;
}

const struct fed_context *fed__trainer_context(const struct fed_trainer *trainer) {
  return trainer->context;
}

struct fed_batch *fed_trainer_batch(struct fed_trainer *trainer) {
  return &trainer->batch;
}

/* Forward and loss; with `learn` also the gradients. Nothing has changed if this fails. */
static int run(struct fed_trainer *trainer, int learn, struct fed_metrics *metrics) {
  struct fed__plan *plan;
  struct fed_metrics found = {0};
  FED_TRY(find_plan(trainer, &plan));
  const struct fed__loss_call call = {
      .shape = &plan->output.shape,
      .output = plan->output.data,
      .target = trainer->batch.target.data,
      .gradient = learn ? plan->output.gradient : NULL,
      .metrics = &found,
  };
  FED_TRY(trainer->loss->check(&call));
  trainer->now = (struct fed__step){learn, trainer->options.seed, trainer->step};
  fed__plan_forward(plan);
  trainer->loss->run[trainer->kernels->precision](&call);
  if (!isfinite(found.loss_sum))
    return FED_RAISE(FED_E_NOT_FINITE, "the loss is not a finite number: look for such numbers in "
                                       "the examples, or lower the learning rate");
  if (learn && plan->output.gradient) fed__plan_backward(plan);
  metrics->example_count += found.example_count;
  metrics->correct_count += found.correct_count;
  metrics->loss_sum += found.loss_sum;
  return FED_OK;
}

static int clip(const struct fed_trainer *trainer, double *scale) {
  *scale = 1;
  if (trainer->options.clip_norm == 0) return FED_OK;
  const double norm =
      fed__gradient_norm(trainer->kernels->precision, trainer->arrays[1], trainer->trained_count);
  if (!isfinite(norm))
    return FED_RAISE(FED_E_NOT_FINITE, "the gradient is not finite: lower the learning rate");
  if (norm > trainer->options.clip_norm) *scale = trainer->options.clip_norm / norm;
  return FED_OK;
}

int fed_train_step(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  struct fed_metrics found = *metrics;
  double scale;
  FED_TRY(run(trainer, 1, &found));
  FED_TRY(clip(trainer, &scale));
  const struct fed__update update = {
      .options = &trainer->options,
      .parameters = trainer->arrays[0],
      .gradients = trainer->arrays[1],
      .states = {trainer->arrays[2], trainer->arrays[3]},
      .count = trainer->trained_count,
      .learning_rate = fed__schedule_rate(&trainer->options, trainer->step),
      .gradient_scale = scale,
      .step = ++trainer->step,
  };
  trainer->optimizer->update[trainer->kernels->precision](&update);
  fed__plan_commit(trainer->last_plan);
  *metrics = found;
  return FED_OK;
}

int fed_evaluate_step(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  return run(trainer, 0, metrics);
}

int fed__gradient_compute(struct fed_trainer *trainer, struct fed_metrics *metrics) {
  return run(trainer, 1, metrics);
}

const void *fed__trainer_gradient(const struct fed_trainer *trainer, size_t parameter) {
  return trainer->gradients[parameter];
}

void *fed__trainer_parameter(const struct fed_trainer *trainer, size_t parameter) {
  return trainer->parameters[parameter];
}

const void *fed__trainer_output(const struct fed_trainer *trainer, struct fed_shape *shape) {
  *shape = trainer->last_plan->output.shape;
  return trainer->last_plan->output.data;
}
