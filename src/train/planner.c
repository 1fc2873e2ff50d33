/* SPDX-License-Identifier: Apache-2.0
 *
 * planner.c: makes a plan. Decides which nodes run, which values need a gradient (those on a path
 * from a parameter to the output), when each array lives, and where.
 *
 * Time runs over the operations forward, the loss, then the operations backward. Values that only
 * differ in shape are one group, named by its first value (the root), with one data and one
 * gradient array.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "train/arena.h"
#include "train/training_plan.h"

#define NO_REGION UINT32_MAX
#define ARENA_BYTES_MAX ((size_t)1 << 39)

/* What is decided about a value; the arrays are the root's. */
struct place {
  int32_t root;
  int has_gradient;      /* depends on a parameter, and the output depends on it */
  int written;           /* while backward is laid out: somebody wrote the gradient already */
  void *data, *gradient; /* outside the arena, or NULL */
  uint32_t data_region, gradient_region;
};

struct planner {
  const struct fed__plan_setting *setting;
  struct fed__plan *plan;
  struct place *places;
  struct fed__region *regions;
  uint32_t *operand_regions; /* by operand: its temporary gradient */
  int32_t *operand_values;   /* by operand */
  uint32_t *saved_regions;   /* by operation */
  uint32_t *order;
  uint32_t region_count, operand_count, scratch_region;
  uint32_t input_regions[FED_INPUTS_MAX];
};

static uint32_t time_of_loss(const struct planner *planner) {
  return planner->plan->operation_count;
}
static uint32_t time_of_end(const struct planner *planner) {
  return 2 * planner->plan->operation_count + 1;
}
static uint32_t time_backward(const struct planner *planner, uint32_t operation) {
  return 2 * planner->plan->operation_count - operation;
}

static struct place *root_of(const struct planner *planner, int32_t value) {
  return &planner->places[planner->places[value].root];
}

static size_t bytes_of(const struct planner *planner, const struct fed__known *known) {
  const size_t unit =
      known->dtype == FED_F32 && planner->plan->kernels->precision == FED_PRECISION_F64
          ? sizeof(double)
          : fed_dtype_size(known->dtype);
  return known->elements * unit;
}

static int node_runs(const struct planner *planner, const struct fed__node *node) {
  return node->needed && !node->op->view &&
         !planner->plan->shapes.values[fed__node_output(node)].content;
}

static void count_work(struct planner *planner) {
  const struct fed_model *model = planner->plan->model;
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (!node_runs(planner, node)) continue;
    planner->plan->operation_count++;
    planner->operand_count += node->input_count + node->output_count;
  }
}

static int allocate(struct planner *planner) {
  const struct fed_context *context = planner->setting->context;
  struct fed__plan *plan = planner->plan;
  const uint32_t values = plan->model->value_count, operations = plan->operation_count;
  const size_t regions =
      2 * (size_t)values + planner->operand_count + operations + FED_INPUTS_MAX + 1;
  plan->operations = fed__zalloc(context, operations, sizeof *plan->operations);
  plan->operands = fed__zalloc(context, planner->operand_count, sizeof *plan->operands);
  planner->places = fed__zalloc(context, values, sizeof *planner->places);
  planner->regions = fed__zalloc(context, regions, sizeof *planner->regions);
  planner->order = fed__zalloc(context, regions, sizeof *planner->order);
  planner->operand_regions =
      fed__zalloc(context, planner->operand_count, sizeof *planner->operand_regions);
  planner->operand_values =
      fed__zalloc(context, planner->operand_count, sizeof *planner->operand_values);
  planner->saved_regions = fed__zalloc(context, operations, sizeof *planner->saved_regions);
  if (!plan->operations || !plan->operands || !planner->places || !planner->regions ||
      !planner->order || !planner->operand_regions || !planner->operand_values ||
      !planner->saved_regions) {
    plan->operation_count = 0;
    return FED_E_MEMORY;
  }
  memset(planner->operand_regions, 0xff, planner->operand_count * sizeof(uint32_t));
  memset(planner->saved_regions, 0xff, operations * sizeof(uint32_t));
  return FED_OK;
}

/* Groups of values that share memory: a view joins its input's group, unless it is constant. */
static void find_roots(struct planner *planner) {
  const struct fed_model *model = planner->plan->model;
  for (uint32_t i = 0; i < model->value_count; i++)
    planner->places[i] =
        (struct place){.root = (int32_t)i, .data_region = NO_REGION, .gradient_region = NO_REGION};
  for (uint32_t i = 0; i < model->node_count; i++) {
    const struct fed__node *node = &model->nodes[i];
    if (node->needed && node->op->view)
      planner->places[node->outputs[0]].root = planner->places[node->inputs[0]].root;
  }
}

static uint32_t region_new(struct planner *planner, size_t bytes, uint32_t from, uint32_t to) {
  planner->regions[planner->region_count] = (struct fed__region){bytes, from, to, 0};
  return planner->region_count++;
}

/* Float constants in double precision, one after the other; first only the size. */
static size_t place_constants(struct planner *planner, double *at) {
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
static int place_given(struct planner *planner) {
  const struct fed_model *model = planner->plan->model;
  const size_t constants = place_constants(planner, NULL);
  planner->plan->constants = fed__alloc(planner->plan->context, constants * sizeof(double));
  if (!planner->plan->constants) return FED_E_MEMORY;
  planner->plan->bytes += constants * sizeof(double);
  place_constants(planner, planner->plan->constants);
  for (uint32_t i = 0; i < model->value_count; i++) {
    const struct fed__value *value = &model->values[i];
    struct place *place = &planner->places[i];
    if (value->parameter != FED__NONE) {
      place->data = planner->setting->parameters[value->parameter];
      place->gradient = planner->setting->gradients[value->parameter];
    } else if (value->local != FED__NONE) {
      place->data = planner->setting->local_params[value->local];
    } else if (value->input != FED__NONE) {
      const struct fed__known *known = &planner->plan->shapes.values[i];
      planner->input_regions[value->input] = NO_REGION;
      if (known->dtype == FED_F32 && planner->plan->kernels->precision == FED_PRECISION_F64)
        planner->input_regions[value->input] = place->data_region =
            region_new(planner, bytes_of(planner, known), 0, time_of_end(planner));
      else
        place->data = planner->setting->batch->inputs[value->input].data;
    }
  }
  return FED_OK;
}

static void add_operations(struct planner *planner) {
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
                                       .data = root_of(planner, value)->data};
    }
    operation++;
  }
}

/* Forward: what depends on a parameter. Backward from the output: what matters to it. */
static void find_gradients(struct planner *planner, char *depends) {
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
  struct place *output = root_of(planner, plan->model->output);
  output->has_gradient = depends[output->root];
  for (uint32_t i = plan->operation_count; i-- > 0;) {
    const struct fed__node *node = plan->operations[i].node;
    int runs = 0;
    for (uint32_t j = 0; j < node->output_count && node->op->backward[0]; j++)
      runs |= node->outputs[j] != FED__NONE && root_of(planner, node->outputs[j])->has_gradient;
    plan->operations[i].runs_backward = runs;
    for (uint32_t j = 0; j < node->input_count && runs; j++) {
      if (node->inputs[j] == FED__NONE) continue;
      struct place *input = root_of(planner, node->inputs[j]);
      input->has_gradient = depends[input->root];
      plan->operations[i].inputs[j].wants_gradient = input->has_gradient;
    }
  }
}

/* Parameters with one reader, whose operator can update them in backward. */
static int find_updates(struct planner *planner) {
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

static int prepare_operations(struct planner *planner) {
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

/* The array must exist at this time, too. */
static void touch(struct planner *planner, uint32_t *region, size_t bytes, uint32_t time) {
  if (*region == NO_REGION) *region = region_new(planner, bytes, time, time);
  struct fed__region *found = &planner->regions[*region];
  if (time < found->from) found->from = time;
  if (time > found->to) found->to = time;
}

static void touch_data(struct planner *planner, int32_t value, uint32_t time) {
  if (value == FED__NONE || root_of(planner, value)->data) return;
  touch(planner, &root_of(planner, value)->data_region,
        bytes_of(planner, &planner->plan->shapes.values[value]), time);
}

static void touch_gradient(struct planner *planner, int32_t value, uint32_t time) {
  if (value == FED__NONE || !root_of(planner, value)->has_gradient ||
      root_of(planner, value)->gradient)
    return;
  touch(planner, &root_of(planner, value)->gradient_region,
        bytes_of(planner, &planner->plan->shapes.values[value]), time);
}

static int bit_set(uint32_t bits, uint32_t index) { return index < 32 && (bits >> index & 1); }

static void lay_out_data(struct planner *planner) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    const struct fed__node *node = operation->node;
    for (uint32_t j = 0; j < node->output_count; j++) {
      touch_data(planner, node->outputs[j], i);
      if (operation->runs_backward && bit_set(operation->op->backward_outputs, j))
        touch_data(planner, node->outputs[j], time_backward(planner, i));
    }
    for (uint32_t j = 0; j < node->input_count; j++) {
      touch_data(planner, node->inputs[j], i);
      if (operation->runs_backward && bit_set(operation->op->backward_inputs, j))
        touch_data(planner, node->inputs[j], time_backward(planner, i));
    }
  }
  touch_data(planner, plan->model->output, time_of_end(planner));
}

/* The first writer of a gradient overwrites it; the others get a temporary array each. */
static void lay_out_gradients(struct planner *planner) {
  const struct fed__plan *plan = planner->plan;
  touch_gradient(planner, plan->model->output, time_of_loss(planner));
  root_of(planner, plan->model->output)->written = 1;
  for (uint32_t i = plan->operation_count; i-- > 0;) {
    const struct fed__operation *operation = &plan->operations[i];
    const struct fed__node *node = operation->node;
    const uint32_t time = time_backward(planner, i);
    if (!operation->runs_backward) continue;
    for (uint32_t j = 0; j < node->output_count; j++)
      touch_gradient(planner, node->outputs[j], time);
    for (uint32_t j = 0; j < node->input_count; j++) {
      if (!operation->inputs[j].wants_gradient) continue;
      struct place *root = root_of(planner, node->inputs[j]);
      touch_gradient(planner, node->inputs[j], time);
      if (root->written)
        planner->operand_regions[&operation->inputs[j] - plan->operands] = region_new(
            planner, bytes_of(planner, &plan->shapes.values[node->inputs[j]]), time, time);
      root->written = 1;
    }
  }
}

static void lay_out_saved(struct planner *planner) {
  const struct fed__plan *plan = planner->plan;
  size_t scratch = 0;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    const uint32_t last = operation->op->commit[0]   ? time_of_end(planner)
                          : operation->runs_backward ? time_backward(planner, i)
                                                     : i;
    if (operation->saved_bytes)
      planner->saved_regions[i] = region_new(planner, operation->saved_bytes, i, last);
    if (operation->scratch_bytes > scratch) scratch = operation->scratch_bytes;
  }
  planner->scratch_region = region_new(planner, scratch, 0, time_of_end(planner));
}

/* The most that is alive at one time: no layout can do with less. */
static int find_bound(struct planner *planner) {
  const size_t times = (size_t)time_of_end(planner) + 2;
  size_t alive = 0, most = 0;
  size_t *changes = fed__zalloc(planner->plan->context, times, sizeof *changes);
  if (!changes) return FED_E_MEMORY;
  for (uint32_t i = 0; i < planner->region_count; i++) {
    const struct fed__region *region = &planner->regions[i];
    changes[region->from] += region->bytes;
    changes[region->to + 1] -= region->bytes; /* wraps around, and back in the sum */
  }
  for (size_t time = 0; time < times; time++) {
    alive += changes[time];
    if (alive > most) most = alive;
  }
  fed__free(planner->plan->context, changes);
  planner->plan->activations_bound = most;
  return FED_OK;
}

/* The shared arena if it is large enough, else an own one. */
static int find_memory(struct planner *planner) {
  struct fed__plan *plan = planner->plan;
  const struct fed__plan_setting *setting = planner->setting;
  size_t sum = 0;
  for (uint32_t i = 0; i < planner->region_count; i++)
    if (__builtin_add_overflow(sum, planner->regions[i].bytes, &sum) || sum > ARENA_BYTES_MAX)
      return FED_RAISE(FED_E_TOO_LARGE, "a batch of %lld needs too much memory",
                       (long long)plan->batch_size);
  plan->arena_bytes = fed__arena_assign(planner->regions, planner->region_count, planner->order);
  FED_TRY(find_bound(planner));
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

static void *region_at(const struct planner *planner, uint32_t region) {
  return region == NO_REGION ? NULL
                             : (char *)planner->plan->arena + planner->regions[region].offset;
}

static void *data_of(const struct planner *planner, int32_t value) {
  const struct place *root = root_of(planner, value);
  return root->data ? root->data : region_at(planner, root->data_region);
}

static void *gradient_of(const struct planner *planner, int32_t value) {
  const struct place *root = root_of(planner, value);
  if (!root->has_gradient) return NULL;
  return root->gradient ? root->gradient : region_at(planner, root->gradient_region);
}

static void connect_operation(struct planner *planner, uint32_t index) {
  struct fed__operation *operation = &planner->plan->operations[index];
  const struct fed__node *node = operation->node;
  operation->saved = region_at(planner, planner->saved_regions[index]);
  operation->scratch = region_at(planner, planner->scratch_region);
  for (uint32_t j = 0; j < node->output_count; j++) {
    if (node->outputs[j] == FED__NONE) continue;
    operation->outputs[j].data = data_of(planner, node->outputs[j]);
    operation->outputs[j].gradient = gradient_of(planner, node->outputs[j]);
  }
  for (uint32_t j = 0; j < node->input_count; j++) {
    struct fed__operand *input = &operation->inputs[j];
    if (node->inputs[j] == FED__NONE) continue;
    input->data = data_of(planner, node->inputs[j]);
    if (!input->wants_gradient) continue;
    input->gradient = gradient_of(planner, node->inputs[j]);
    const uint32_t temporary = planner->operand_regions[input - planner->plan->operands];
    if (temporary == NO_REGION) continue;
    input->sum = input->gradient;
    input->gradient = region_at(planner, temporary);
  }
}

static void connect(struct planner *planner) {
  struct fed__plan *plan = planner->plan;
  const struct fed__known *output = &plan->shapes.values[plan->model->output];
  for (uint32_t i = 0; i < plan->operation_count; i++) connect_operation(planner, i);
  for (size_t i = 0; i < plan->model->spec.input_count; i++)
    plan->inputs[i] = region_at(planner, planner->input_regions[i]);
  plan->output = (struct fed__operand){
      .shape = output->shape,
      .elements = output->elements,
      .dtype = output->dtype,
      .data = data_of(planner, plan->model->output),
      .gradient = gradient_of(planner, plan->model->output),
  };
}

static int find_gradients_with_memory(struct planner *planner) {
  char *depends = fed__zalloc(planner->plan->context, planner->plan->model->value_count, 1);
  if (!depends) return FED_E_MEMORY;
  find_gradients(planner, depends);
  fed__free(planner->plan->context, depends);
  return FED_OK;
}

static int make_plan(struct planner *planner) {
  struct fed__plan *plan = planner->plan;
  FED_TRY(fed__shapes_infer(plan->model, plan->batch_size, &plan->shapes));
  count_work(planner);
  FED_TRY(allocate(planner));
  find_roots(planner);
  FED_TRY(place_given(planner));
  add_operations(planner);
  FED_TRY(find_gradients_with_memory(planner));
  FED_TRY(find_updates(planner));
  FED_TRY(prepare_operations(planner));
  lay_out_data(planner);
  lay_out_gradients(planner);
  lay_out_saved(planner);
  FED_TRY(find_memory(planner));
  connect(planner);
  return FED_OK;
}

int fed__plan_new(const struct fed__plan_setting *setting, int64_t batch_size,
                  struct fed__plan **plan) {
  const struct fed_context *context = setting->context;
  struct planner planner = {.setting = setting};
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
  fed__free(context, planner.saved_regions);
  if (code == FED_OK)
    *plan = planner.plan;
  else
    fed__plan_free(planner.plan);
  return code;
}
