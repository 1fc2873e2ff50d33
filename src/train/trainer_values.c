/* SPDX-License-Identifier: Apache-2.0
 *
 * trainer_values.c: a trainer's numbers, in and out: parameters, statistics that stay, and what
 * lets a training go on where it was.
 *
 * The state of a float32 trainer is the optimiser's alone. A float64 one's parameters lose bits on
 * their way through float32 sets, so its state has them, too: "value.<name>", "local.<name>".
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/gradient.h"
#include "train/trainer.h"

#include <stdio.h>

static int is_wide(const struct fed_trainer *trainer) {
  return trainer->kernels->precision == FED_PRECISION_F64;
}

/* Between a set of float32 and arrays of the trainer's precision. */
static void put_values(const struct fed_trainer *trainer, const struct fed_params *from,
                       void *const *to) {
  for (size_t i = 0; i < from->count; i++) {
    const float *values = from->tensors[i].data;
    const size_t elements = fed_tensor_elements(&from->tensors[i]);
    if (!is_wide(trainer))
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
    if (!is_wide(trainer))
      memcpy(values, from[i], elements * sizeof *values);
    else
      for (size_t j = 0; j < elements; j++) values[j] = (float)((double *)from[i])[j];
  }
}

int fed_trainer_reset(struct fed_trainer *trainer, const struct fed_params *params) {
  FED_TRY(fed_params_match(&trainer->model->params, params));
  fed__trainer_forget(trainer);
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

/* ---- the state ------------------------------------------------------------------------------ */

/* The state's tensors, one after the other: a view of the trainer's memory under its name. */
struct state_walk {
  const struct fed_trainer *trainer;
  size_t index;
  char name[512];
  struct fed_tensor tensor;
};

static void view(struct state_walk *walk, const char *kind, size_t number,
                 const struct fed_tensor *like, void *data) {
  const enum fed_dtype dtype = is_wide(walk->trainer) ? FED_F64 : FED_F32;
  if (number)
    snprintf(walk->name, sizeof walk->name, "%s%zu.%s", kind, number - 1, like->name);
  else
    snprintf(walk->name, sizeof walk->name, "%s.%s", kind, like->name);
  walk->tensor = (struct fed_tensor){walk->name, dtype, like->shape, data};
}

/* 0 at the end. */
static int next_tensor(struct state_walk *walk) {
  const struct fed_trainer *trainer = walk->trainer;
  const struct fed_params *params = &trainer->model->params, *local = &trainer->model->local_params;
  const size_t trained = trainer->model->trained_count;
  size_t at = walk->index++;
  if (at < trainer->state_count * trained) {
    const size_t state = at / trained, parameter = at % trained;
    const size_t offset =
        (size_t)((char *)trainer->parameters[parameter] - (char *)trainer->values);
    view(walk, "state", state + 1, &params->tensors[parameter],
         (char *)trainer->states[state] + offset);
    return 1;
  }
  at -= trainer->state_count * trained;
  if (!is_wide(trainer)) return 0;
  if (at < params->count) {
    view(walk, "value", 0, &params->tensors[at], trainer->parameters[at]);
    return 1;
  }
  at -= params->count;
  if (at >= local->count) return 0;
  view(walk, "local", 0, &local->tensors[at], trainer->local_params[at]);
  return 1;
}

static void free_names(const struct fed_trainer *trainer, struct fed_tensor *like, size_t count) {
  for (size_t i = 0; i < count; i++) fed__free(trainer->context, like[i].name);
  fed__free(trainer->context, like);
}

/* An empty set of the state's names, types and shapes. */
static int make_state(const struct fed_trainer *trainer, struct fed_params *state) {
  struct state_walk walk = {.trainer = trainer};
  const size_t count_max = trainer->state_count * trainer->model->trained_count +
                           trainer->model->params.count + trainer->model->local_params.count;
  struct fed_tensor *like = fed__zalloc(trainer->context, count_max + 1, sizeof *like);
  if (!like) return FED_E_MEMORY;
  size_t count = 0;
  int code = FED_OK;
  while (code == FED_OK && next_tensor(&walk)) {
    like[count] = walk.tensor;
    like[count].name = fed__copy_text(trainer->context, walk.name);
    if (!like[count++].name) code = FED_E_MEMORY;
  }
  if (code == FED_OK) code = fed_params_init(state, trainer->context, like, count);
  free_names(trainer, like, count);
  return code;
}

int fed_trainer_state(const struct fed_trainer *trainer, struct fed_params *state, uint64_t *step) {
  struct state_walk walk = {.trainer = trainer};
  *step = trainer->step;
  *state = (struct fed_params){0};
  FED_TRY(make_state(trainer, state));
  for (size_t i = 0; next_tensor(&walk); i++)
    memcpy(state->tensors[i].data, walk.tensor.data, fed_tensor_bytes(&walk.tensor));
  return FED_OK;
}

int fed_trainer_restore(struct fed_trainer *trainer, const struct fed_params *state,
                        uint64_t step) {
  struct state_walk walk = {.trainer = trainer};
  struct fed_params expected = {0};
  FED_TRY(make_state(trainer, &expected));
  const int code = fed_params_match(&expected, state);
  fed_params_clear(&expected);
  if (code != FED_OK) return FED_WRAP("the state is not of this training");
  for (size_t i = 0; next_tensor(&walk); i++)
    memcpy(walk.tensor.data, state->tensors[i].data, fed_tensor_bytes(&walk.tensor));
  trainer->step = step;
  return FED_OK;
}

/* ---- views of single tensors (gradient.h) --------------------------------------------------- */

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
