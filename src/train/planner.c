/* SPDX-License-Identifier: Apache-2.0
 *
 * planner.c: makes a plan. Decides which nodes run and which values need a gradient (those on a
 * path from a parameter to the output), has the operators prepare, and finds the memory. With
 * checkpoints it tries several cuts and takes the one that needs least.
 */
#include "train/planner.h"
#include "base/memory.h"
#include "base/raise.h"

#define ARENA_BYTES_MAX ((size_t)1 << 39)
#define SEGMENTS_MAX 24

static int node_runs(const struct fed__planner *planner, const struct fed__node *node) {
  return !node->op->view && !planner->plan->shapes.values[fed__node_output(node)].content;
}

static void count_work(struct fed__planner *planner) {
  const struct fed_model *model = planner->plan->model;
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (!node_runs(planner, node)) continue;
    planner->plan->operation_count++;
    planner->operand_count += node->input_count + node->output_count;
  }
}

static int allocate(struct fed__planner *planner) {
  const struct fed_context *context = planner->setting->context;
  struct fed__plan *plan = planner->plan;
  const uint32_t values = plan->model->value_count, operations = plan->operation_count;
  const size_t regions = 3 * (size_t)values + planner->operand_count + 2 * (size_t)operations + 1;
  plan->operations = fed__zalloc(context, operations, sizeof *plan->operations);
  plan->again = fed__zalloc(context, operations, sizeof *plan->again);
  plan->schedule = fed__zalloc(context, 2 * (size_t)operations, sizeof *plan->schedule);
  plan->operands = fed__zalloc(context, 2 * (size_t)planner->operand_count, sizeof *plan->operands);
  planner->places = fed__zalloc(context, values, sizeof *planner->places);
  planner->regions = fed__zalloc(context, regions, sizeof *planner->regions);
  planner->order = fed__zalloc(context, regions, sizeof *planner->order);
  planner->operand_regions =
      fed__zalloc(context, planner->operand_count, sizeof *planner->operand_regions);
  planner->operand_values =
      fed__zalloc(context, planner->operand_count, sizeof *planner->operand_values);
  planner->times = fed__zalloc(context, operations, sizeof *planner->times);
  if (plan->operations && plan->again && plan->schedule && plan->operands && planner->places &&
      planner->regions && planner->order && planner->operand_regions && planner->operand_values &&
      planner->times)
    return FED_OK;
  plan->operation_count = 0;
  return FED_E_MEMORY;
}

/* Groups of values that share memory: a view joins its input's group, unless it is constant. */
static void find_roots(struct fed__planner *planner) {
  const struct fed_model *model = planner->plan->model;
  for (uint32_t i = 0; i < model->value_count; i++) planner->places[i].root = (int32_t)i;
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (node->op->view)
      planner->places[node->outputs[0]].root = planner->places[node->inputs[0]].root;
  }
}

/* Float constants in double precision, one after the other; first only the size. */
static size_t place_constants(struct fed__planner *planner, double *at) {
  const struct fed_model *model = planner->plan->model;
  const int wide = planner->plan->kernels->precision == FED_PRECISION_F64;
  size_t total = 0;
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__known *known = &planner->plan->shapes.values[i];
    if (!known->content || planner->places[i].root != (int32_t)i) continue;
    planner->places[i].data = (void *)(uintptr_t)known->content;
    if (!wide || known->dtype != FED_F32) continue;
    if (at) {
      planner->places[i].data = at + total;
      for (size_t j = 0; j < known->elements; j++)
        at[total + j] = (double)((const float *)known->content)[j];
    }
    total += known->elements;
  }
  return total;
}

/* What lies outside the arena: parameters, constants, and the examples. */
static int place_given(struct fed__planner *planner) {
  const struct fed_model *model = planner->plan->model;
  const size_t constants = place_constants(planner, NULL);
  planner->plan->constants = fed__alloc(planner->plan->context, constants * sizeof(double));
  if (!planner->plan->constants) return FED_E_MEMORY;
  planner->plan->bytes += constants * sizeof(double);
  place_constants(planner, planner->plan->constants);
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    struct fed__place *place = &planner->places[i];
    if (value->parameter != FED__NONE) {
      place->data = planner->setting->parameters[value->parameter];
      place->gradient = planner->setting->gradients[value->parameter];
    } else if (value->local != FED__NONE) {
      place->data = planner->setting->local_params[value->local];
    } else if (value->input != FED__NONE) {
      /* Floats are widened into the arena for double precision. */
      if (planner->plan->shapes.values[i].dtype != FED_F32 ||
          planner->plan->kernels->precision != FED_PRECISION_F64)
        place->data = planner->setting->batch->inputs[value->input].data;
    }
  }
  return FED_OK;
}

static void add_operations(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  struct fed__operand *operand = plan->operands;
  struct fed__operation *operation = plan->operations;
  for (uint32_t i = 0; i < plan->model->node_count; i++) {
    const struct fed__node *node = &plan->model->nodes[i];
    if (!node_runs(planner, node)) continue;
    *operation = (struct fed__operation){
        .context = plan->context,
        .model = plan->model,
        .op = node->op,
        .node = node,
        .kernels = plan->kernels,
        .step = planner->setting->step,
        .number = (uint32_t)(operation - plan->operations),
        .inputs = operand,
        .outputs = operand + node->input_count,
        .input_count = node->input_count,
        .output_count = node->output_count,
    };
    for (uint32_t j = 0; j < node->input_count + node->output_count; j++, operand++) {
      const int32_t value =
          j < node->input_count ? node->inputs[j] : node->outputs[j - node->input_count];
      planner->operand_values[operand - plan->operands] = value;
      if (value == FED__NONE) continue;
      const struct fed__known *known = &plan->shapes.values[value];
      *operand = (struct fed__operand){.shape = known->shape,
                                       .elements = known->elements,
                                       .dtype = known->dtype,
                                       .data = fed__root(planner, value)->data};
    }
    operation++;
  }
}

/* Forward: what depends on a parameter. Backward from the output: what matters to it. */
static void find_gradients(struct fed__planner *planner, char *depends) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->model->value_count; i++)
    depends[i] = plan->model->values[i].parameter != FED__NONE &&
                 (size_t)plan->model->values[i].parameter < plan->model->trained_count;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__node *node = plan->operations[i].node;
    int any = 0;
    for (uint32_t j = 0; j < node->input_count; j++)
      any |= node->inputs[j] != FED__NONE && depends[planner->places[node->inputs[j]].root];
    for (uint32_t j = 0; j < node->output_count && node->op->backward[0]; j++)
      if (node->outputs[j] != FED__NONE && plan->shapes.values[node->outputs[j]].dtype == FED_F32)
        depends[node->outputs[j]] = (char)any;
  }
  struct fed__place *output = fed__root(planner, plan->model->output);
  output->has_gradient = depends[output->root];
  for (uint32_t i = plan->operation_count; i-- > 0;) {
    const struct fed__node *node = plan->operations[i].node;
    int runs = 0;
    for (uint32_t j = 0; j < node->output_count && node->op->backward[0]; j++)
      runs |= node->outputs[j] != FED__NONE && fed__root(planner, node->outputs[j])->has_gradient;
    plan->operations[i].runs_backward = runs;
    for (uint32_t j = 0; j < node->input_count && runs; j++) {
      if (node->inputs[j] == FED__NONE) continue;
      struct fed__place *input = fed__root(planner, node->inputs[j]);
      input->has_gradient = depends[input->root];
      plan->operations[i].inputs[j].wants_gradient = input->has_gradient;
    }
  }
}

/* Parameters with one reader, whose operator can update them in backward. */
static int find_updates(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  const struct fed_model *model = plan->model;
  uint32_t *readers = fed__zalloc(plan->context, model->value_count, sizeof *readers);
  plan->updated = fed__zalloc(plan->context, model->params.count + 1, 1);
  if (!readers || !plan->updated) {
    fed__free(plan->context, readers);
    return FED_E_MEMORY;
  }
  for (uint32_t i = 0; i < planner->operand_count; i++)
    if (planner->operand_values[i] != FED__NONE)
      readers[planner->places[planner->operand_values[i]].root]++;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    struct fed__operation *operation = &plan->operations[i];
    for (uint32_t j = 0; j < operation->input_count && j < 32; j++) {
      const int32_t value = operation->node->inputs[j];
      struct fed__operand *input = &operation->inputs[j];
      if (!input->wants_gradient || !(operation->op->updates >> j & 1) ||
          model->values[value].parameter == FED__NONE || readers[value] != 1)
        continue;
      input->may_update = 1;
      plan->updated[model->values[value].parameter] = 1;
    }
  }
  fed__free(plan->context, readers);
  return FED_OK;
}

static int prepare_operations(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  size_t total = 0;
  const size_t unit = _Alignof(max_align_t);
  for (uint32_t i = 0; i < plan->operation_count; i++)
    total += (plan->operations[i].op->state_size + unit - 1) / unit * unit;
  plan->states = fed__zalloc(plan->context, total, 1);
  if (!plan->states) return FED_E_MEMORY;
  plan->bytes += total;
  char *state = plan->states;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    struct fed__operation *operation = &plan->operations[i];
    operation->state = state;
    state += (operation->op->state_size + unit - 1) / unit * unit;
    if (operation->op->prepare && operation->op->prepare(operation) != FED_OK)
      return FED_WRAP("node '%s' (%s)", operation->node->name, operation->op->type);
    if (operation->op->bytes) plan->bytes += operation->op->bytes(operation);
  }
  return FED_OK;
}

/* What runs after the loss: the same operations with operands of their own. */
static void add_again(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  const ptrdiff_t shift = (ptrdiff_t)planner->operand_count;
  memcpy(plan->operands + shift, plan->operands, (size_t)shift * sizeof *plan->operands);
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    plan->again[i] = plan->operations[i];
    plan->again[i].inputs += shift;
    plan->again[i].outputs += shift;
  }
}

/* Without checkpoints, or with the number of segments that needs least memory. */
static void choose_layout(struct fed__planner *planner) {
  uint32_t best = 1;
  fed__plan_set_times(planner, 1);
  fed__plan_lay_out(planner);
  if (!planner->setting->checkpoint) return;
  size_t least = planner->plan->arena_bytes;
  for (uint32_t i = 2; i <= SEGMENTS_MAX && i <= planner->plan->operation_count; i++) {
    fed__plan_set_times(planner, i);
    fed__plan_lay_out(planner);
    if (planner->plan->arena_bytes >= least) continue;
    least = planner->plan->arena_bytes;
    best = i;
  }
  fed__plan_set_times(planner, best);
  fed__plan_lay_out(planner);
}

static int refuse_overflow(const struct fed__planner *planner) {
  size_t sum = 0;
  for (uint32_t i = 0; i < planner->plan->model->value_count; i++)
    if (__builtin_add_overflow(sum, 4 * fed__value_bytes(planner, (int32_t)i), &sum) ||
        sum > ARENA_BYTES_MAX)
      return FED_RAISE(FED_E_TOO_LARGE, "a batch of %lld needs too much memory",
                       (long long)planner->plan->batch_size);
  return FED_OK;
}

/* The shared arena if it is large enough, else an own one. */
static int find_memory(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  const struct fed__plan_setting *setting = planner->setting;
  FED_TRY(fed__plan_find_bound(planner));
  plan->arena = setting->arena;
  if (setting->arena && plan->arena_bytes <= setting->arena_bytes) return FED_OK;
  if (plan->arena_bytes > setting->bytes_max)
    return FED_RAISE(FED_E_TOO_LARGE,
                     "the activations of a batch of %lld need %zu bytes (%zu are alive at one "
                     "time), but %zu are left of the memory that training may take; lower the "
                     "batch size",
                     (long long)plan->batch_size, plan->arena_bytes, plan->activations_bound,
                     setting->bytes_max);
  plan->allocation = fed__alloc(plan->context, plan->arena_bytes + FED__ARENA_ALIGNMENT);
  if (!plan->allocation) return FED_E_MEMORY;
  plan->bytes += plan->arena_bytes;
  plan->arena = (void *)(((uintptr_t)plan->allocation + FED__ARENA_ALIGNMENT - 1) /
                         FED__ARENA_ALIGNMENT * FED__ARENA_ALIGNMENT);
  return FED_OK;
}

static int find_gradients_with_memory(struct fed__planner *planner) {
  char *depends = fed__zalloc(planner->plan->context, planner->plan->model->value_count, 1);
  if (!depends) return FED_E_MEMORY;
  find_gradients(planner, depends);
  fed__free(planner->plan->context, depends);
  return FED_OK;
}

static int make_plan(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  FED_TRY(fed__shapes_infer(plan->model, plan->batch_size, &plan->shapes));
  count_work(planner);
  FED_TRY(allocate(planner));
  find_roots(planner);
  FED_TRY(place_given(planner));
  add_operations(planner);
  FED_TRY(find_gradients_with_memory(planner));
  FED_TRY(find_updates(planner));
  FED_TRY(refuse_overflow(planner));
  FED_TRY(prepare_operations(planner));
  add_again(planner);
  choose_layout(planner);
  FED_TRY(find_memory(planner));
  fed__plan_connect(planner);
  return FED_OK;
}

int fed__plan_new(const struct fed__plan_setting *setting, int64_t batch_size,
                  struct fed__plan **plan) {
  const struct fed_context *context = setting->context;
  struct fed__planner planner = {.setting = setting};
  *plan = NULL;
  planner.plan = fed__zalloc(context, 1, sizeof *planner.plan);
  if (!planner.plan) return FED_E_MEMORY;
  planner.plan->context = context;
  planner.plan->model = setting->model;
  planner.plan->kernels = setting->kernels;
  planner.plan->batch = setting->batch;
  planner.plan->batch_size = batch_size;
  int code = make_plan(&planner);
  fed__free(context, planner.places);
  fed__free(context, planner.regions);
  fed__free(context, planner.order);
  fed__free(context, planner.operand_regions);
  fed__free(context, planner.operand_values);
  fed__free(context, planner.times);
  if (code == FED_OK)
    *plan = planner.plan;
  else
    fed__plan_free(planner.plan);
  return code;
}
