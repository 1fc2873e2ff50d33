/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer_memory.c: the blocks of a trainer, how large they are, and the limit that its owner set.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/trainer.h"

#define ALIGNMENT 64

static size_t round_up(size_t size) { return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static void *align(void *pointer) { return (void *)round_up((uintptr_t)pointer); }

static size_t tensor_bytes(const struct fed_trainer *trainer, const struct fed_tensor *tensor) {
  return round_up(fed_tensor_elements(tensor) * fed__trainer_unit(trainer));
}

static void measure_parameters(struct fed_trainer *trainer) {
  const struct fed_params *params = &trainer->model->params;
  for (size_t i = 0; i < params->count; i++) {
    const size_t bytes = tensor_bytes(trainer, &params->tensors[i]);
    trainer->parameter_bytes += bytes;
    if (i < trainer->model->trained_count) trainer->trained_bytes += bytes;
  }
  trainer->trained_count = trainer->trained_bytes / fed__trainer_unit(trainer);
  trainer->state_count = trainer->optimizer->state_count(&trainer->options);
}

static int allocate_parameters(struct fed_trainer *trainer) {
  const struct fed_params *params = &trainer->model->params;
  const size_t bytes =
      trainer->parameter_bytes + (1 + trainer->state_count) * trainer->trained_bytes;
  trainer->block = fed__zalloc(trainer->context, bytes + ALIGNMENT, 1);
  trainer->parameters = fed__zalloc(trainer->context, params->count + 1, sizeof(void *));
  trainer->gradients = fed__zalloc(trainer->context, params->count + 1, sizeof(void *));
  if (!trainer->block || !trainer->parameters || !trainer->gradients) return FED_E_MEMORY;
  trainer->values = align(trainer->block);
  trainer->gradient = (char *)trainer->values + trainer->parameter_bytes;
  for (size_t i = 0; i < trainer->state_count; i++)
    trainer->states[i] = (char *)trainer->gradient + (i + 1) * trainer->trained_bytes;
  size_t offset = 0;
  for (size_t i = 0; i < params->count; i++) {
    trainer->parameters[i] = (char *)trainer->values + offset;
    if (i < trainer->model->trained_count)
      trainer->gradients[i] = (char *)trainer->gradient + offset;
    offset += tensor_bytes(trainer, &params->tensors[i]);
  }
  return FED_OK;
}

static int allocate_local(struct fed_trainer *trainer) {
  const struct fed_params *local = &trainer->model->local_params;
  for (size_t i = 0; i < local->count; i++)
    trainer->local_bytes += tensor_bytes(trainer, &local->tensors[i]);
  trainer->local_block = fed__zalloc(trainer->context, trainer->local_bytes + ALIGNMENT, 1);
  trainer->local_params = fed__zalloc(trainer->context, local->count + 1, sizeof(void *));
  if (!trainer->local_block || !trainer->local_params) return FED_E_MEMORY;
  char *at = align(trainer->local_block);
  for (size_t i = 0; i < local->count; i++) {
    trainer->local_params[i] = at;
    at += tensor_bytes(trainer, &local->tensors[i]);
  }
  return FED_OK;
}

static int size_batch_tensor(struct fed_trainer *trainer, const struct fed_tensor *example,
                             struct fed_tensor *tensor) {
  size_t elements, size;
  *tensor = *example;
  if (example->shape.rank == FED_RANK_MAX)
    return FED_RAISE(FED_E_SHAPE, "'%s' has too many dimensions", example->name);
  tensor->shape.rank = example->shape.rank + 1;
  tensor->shape.dims[0] = trainer->options.batch_size;
  for (uint32_t i = 0; i < example->shape.rank; i++)
    tensor->shape.dims[i + 1] = example->shape.dims[i];
  FED_TRY(fed_shape_elements(&tensor->shape, &elements));
  if (__builtin_mul_overflow(elements, fed_dtype_size(tensor->dtype), &size) ||
      __builtin_add_overflow(trainer->batch_bytes, round_up(size), &trainer->batch_bytes) ||
      trainer->batch_bytes > SIZE_MAX / 4)
    return FED_RAISE(FED_E_TOO_LARGE, "a batch of %u does not fit in memory",
                     trainer->options.batch_size);
  return FED_OK;
}

static int size_batch(struct fed_trainer *trainer) {
  const struct fed_example_spec *spec = &trainer->model->spec;
  const struct fed_shape *output = &trainer->model->shapes.values[trainer->model->output].shape;
  struct fed_tensor target = {.name = "target", .dtype = trainer->loss->target_dtype};
  FED_TRY(trainer->loss->target_shape(&trainer->options, output, &target.shape));
  for (size_t i = 0; i < spec->input_count; i++)
    FED_TRY(size_batch_tensor(trainer, &spec->inputs[i], &trainer->batch.inputs[i]));
  return size_batch_tensor(trainer, &target, &trainer->batch.target);
}

static int allocate_batch(struct fed_trainer *trainer) {
  trainer->batch_block = fed__zalloc(trainer->context, trainer->batch_bytes + ALIGNMENT, 1);
  if (!trainer->batch_block) return FED_E_MEMORY;
  char *at = align(trainer->batch_block);
  for (size_t i = 0; i < trainer->model->spec.input_count; i++) {
    trainer->batch.inputs[i].data = at;
    at += round_up(fed_tensor_bytes(&trainer->batch.inputs[i]));
  }
  trainer->batch.target.data = at;
  trainer->batch.count = trainer->options.batch_size;
  return FED_OK;
}

int fed__trainer_allocate(struct fed_trainer *trainer) {
  size_t budget;
  measure_parameters(trainer);
  FED_TRY(size_batch(trainer));
  FED_TRY(fed__trainer_budget(trainer, &budget));
  FED_TRY(allocate_parameters(trainer));
  FED_TRY(allocate_local(trainer));
  return allocate_batch(trainer);
}

void fed__trainer_release(struct fed_trainer *trainer) {
  fed__free(trainer->context, trainer->batch_block);
  fed__free(trainer->context, trainer->parameters);
  fed__free(trainer->context, trainer->gradients);
  fed__free(trainer->context, trainer->local_params);
  fed__free(trainer->context, trainer->local_block);
  fed__free(trainer->context, trainer->block);
  fed__free(trainer->context, trainer->offset);
}

void fed__trainer_forget(struct fed_trainer *trainer) {
  memset(trainer->gradient, 0, (1 + trainer->state_count) * trainer->trained_bytes);
  trainer->step = 0;
  trainer->bends = 0;
}

void fed_trainer_memory(const struct fed_trainer *trainer, struct fed_memory *memory) {
  *memory = (struct fed_memory){
      .parameters = trainer->parameter_bytes + trainer->local_bytes,
      .gradients = (trainer->offset ? 2 : 1) * trainer->trained_bytes,
      .optimizer = trainer->state_count * trainer->trained_bytes,
      .batch = trainer->batch_bytes,
  };
  for (size_t i = 0; i < FED__PLANS_MAX; i++) {
    const struct fed__plan *plan = trainer->plans[i];
    if (!plan) continue;
    const size_t arena = plan->allocation ? plan->arena_bytes : 0;
    memory->activations += arena;
    memory->kernels += plan->bytes - arena;
  }
  if (trainer->plans[0]) memory->activations_bound = trainer->plans[0]->activations_bound;
}

size_t fed_trainer_bytes(const struct fed_trainer *trainer) {
  struct fed_memory memory;
  fed_trainer_memory(trainer, &memory);
  return memory.parameters + memory.gradients + memory.optimizer + memory.batch + memory.kernels +
         memory.activations;
}

int fed__trainer_budget(const struct fed_trainer *trainer, size_t *bytes) {
  const uint64_t most = trainer->options.memory_bytes_max;
  const size_t used = fed_trainer_bytes(trainer);
  struct fed_memory memory;
  *bytes = SIZE_MAX;
  if (!most) return FED_OK;
  *bytes = most > used ? (size_t)(most - used) : 0;
  if (*bytes) return FED_OK;
  fed_trainer_memory(trainer, &memory);
  return FED_RAISE(FED_E_TOO_LARGE,
                   "training may take %llu bytes, but needs %zu without any activations: %zu for "
                   "parameters, %zu for gradients, %zu for the optimiser, %zu for the batch, %zu "
                   "for kernels",
                   (unsigned long long)most, used, memory.parameters, memory.gradients,
                   memory.optimizer, memory.batch, memory.kernels);
}
