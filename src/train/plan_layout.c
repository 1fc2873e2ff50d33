/* SPDX-License-Identifier: Apache-2.0
 *
 * plan_layout.c: each array's life from its first to its last use, places in the arena, and the
 * operations' pointers.
 */
#include "base/memory.h"
#include "train/planner.h"

static uint32_t time_of_loss(const struct fed__planner *planner) {
  return planner->plan->operation_count;
}

static uint32_t region_new(struct fed__planner *planner, size_t bytes, uint32_t from, uint32_t to) {
  planner->regions[planner->region_count] = (struct fed__region){bytes, from, to, 0};
  return planner->region_count++;
}

/* The array must exist at this time, too. */
static void touch(struct fed__planner *planner, uint32_t *region, size_t bytes, uint32_t time) {
  if (*region == FED__NO_REGION) *region = region_new(planner, bytes, time, time);
  struct fed__region *found = &planner->regions[*region];
  if (time < found->from) found->from = time;
  if (time > found->to) found->to = time;
}

static void touch_data(struct fed__planner *planner, int32_t value, int copy, uint32_t time) {
  if (value == FED__NONE || fed__root(planner, value)->data) return;
  touch(planner, &fed__root(planner, value)->data_regions[copy], fed__value_bytes(planner, value),
        time);
}

static void touch_gradient(struct fed__planner *planner, int32_t value, uint32_t time) {
  if (value == FED__NONE || !fed__root(planner, value)->has_gradient ||
      fed__root(planner, value)->gradient)
    return;
  touch(planner, &fed__root(planner, value)->gradient_region, fed__value_bytes(planner, value),
        time);
}

/* Which array of an input a later pass over the operation reads. */
static int copy_of_input(const struct fed__planner *planner, int32_t value) {
  return fed__root(planner, value)->inner ? FED__SECOND : FED__FIRST;
}

/* Which array of an output a second forward writes: the first one only if backward reads it there.
 */
static int copy_of_output(const struct fed__planner *planner, uint32_t operation, uint32_t slot) {
  const struct fed__operation *found = &planner->plan->operations[operation];
  const int32_t value = found->node->outputs[slot];
  if (planner->times[operation].again == FED__NO_TIME) return FED__FIRST;
  if (fed__root(planner, value)->inner) return FED__SECOND;
  return found->runs_backward && fed__bit(found->op->backward_outputs, slot) ? FED__FIRST
                                                                             : FED__SECOND;
}

static void lay_out_forward(struct fed__planner *planner, uint32_t index) {
  const struct fed__node *node = planner->plan->operations[index].node;
  for (uint32_t j = 0; j < node->output_count; j++)
    touch_data(planner, node->outputs[j], FED__FIRST, index);
  for (uint32_t j = 0; j < node->input_count; j++)
    touch_data(planner, node->inputs[j], FED__FIRST, index);
}

static void lay_out_again(struct fed__planner *planner, uint32_t index) {
  const struct fed__node *node = planner->plan->operations[index].node;
  const uint32_t time = planner->times[index].again;
  for (uint32_t j = 0; j < node->output_count; j++)
    if (node->outputs[j] != FED__NONE)
      touch_data(planner, node->outputs[j], copy_of_output(planner, index, j), time);
  for (uint32_t j = 0; j < node->input_count; j++)
    if (node->inputs[j] != FED__NONE)
      touch_data(planner, node->inputs[j], copy_of_input(planner, node->inputs[j]), time);
}

static void lay_out_backward(struct fed__planner *planner, uint32_t index) {
  const struct fed__operation *operation = &planner->plan->operations[index];
  const struct fed__node *node = operation->node;
  const uint32_t time = planner->times[index].backward;
  for (uint32_t j = 0; j < node->output_count; j++)
    if (node->outputs[j] != FED__NONE && fed__bit(operation->op->backward_outputs, j))
      touch_data(planner, node->outputs[j], copy_of_output(planner, index, j), time);
  for (uint32_t j = 0; j < node->input_count; j++)
    if (node->inputs[j] != FED__NONE && fed__bit(operation->op->backward_inputs, j))
      touch_data(planner, node->inputs[j], copy_of_input(planner, node->inputs[j]), time);
}

static void lay_out_data(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    lay_out_forward(planner, i);
    if (planner->times[i].again != FED__NO_TIME) lay_out_again(planner, i);
    if (planner->times[i].backward != FED__NO_TIME) lay_out_backward(planner, i);
  }
  touch_data(planner, plan->model->output, FED__FIRST, planner->time_of_end);
}

/* The first writer of a gradient overwrites it; the others add, or get a temporary array each. */
static void lay_out_gradients(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->model->value_count; i++) planner->places[i].written = 0;
  touch_gradient(planner, plan->model->output, time_of_loss(planner));
  fed__root(planner, plan->model->output)->written = 1;
  for (uint32_t i = plan->operation_count; i-- > 0;) {
    const struct fed__operation *operation = &plan->operations[i];
    const struct fed__node *node = operation->node;
    const uint32_t time = planner->times[i].backward;
    if (!operation->runs_backward) continue;
    for (uint32_t j = 0; j < node->output_count; j++)
      touch_gradient(planner, node->outputs[j], time);
    for (uint32_t j = 0; j < node->input_count; j++) {
      if (!operation->inputs[j].wants_gradient) continue;
      struct fed__place *root = fed__root(planner, node->inputs[j]);
      touch_gradient(planner, node->inputs[j], time);
      if (root->written)
        planner->operand_regions[&operation->inputs[j] - plan->operands] =
            fed__bit(operation->op->adds, j)
                ? FED__ADDS
                : region_new(planner, fed__value_bytes(planner, node->inputs[j]), time, time);
      root->written = 1;
    }
  }
}

/* What an operation saves lives until its backward, or until commit. */
static void lay_out_saved(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  size_t scratch = 0;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    struct fed__times *times = &planner->times[i];
    const int commits = operation->op->commit[operation->kernels->precision] != NULL;
    const int twice = times->again != FED__NO_TIME && !commits;
    const uint32_t last = times->backward != FED__NO_TIME ? times->backward : i;
    if (operation->saved_bytes) {
      times->saved_regions[FED__FIRST] = region_new(planner, operation->saved_bytes, i,
                                                    commits ? planner->time_of_end
                                                    : twice ? i
                                                            : last);
      if (twice)
        times->saved_regions[FED__SECOND] =
            region_new(planner, operation->saved_bytes, times->again,
                       last > times->again ? last : times->again);
    }
    if (operation->scratch_bytes > scratch) scratch = operation->scratch_bytes;
  }
  planner->scratch_region = region_new(planner, scratch, 0, planner->time_of_end);
}

/* `later` begins at the moment in which `earlier` ends, and takes over its memory. */
static void take_over(struct fed__planner *planner, uint32_t earlier, uint32_t *later,
                      uint32_t time) {
  if (earlier == FED__NO_REGION || *later == FED__NO_REGION || earlier == *later) return;
  struct fed__region *from = &planner->regions[earlier], *to = &planner->regions[*later];
  if (from->to != time || to->from != time || from->bytes != to->bytes) return;
  from->to = to->to;
  *to = (struct fed__region){0, time, time, 0};
  *later = earlier;
}

static int reads_twice(const struct fed__planner *planner, const struct fed__operation *operation) {
  for (uint32_t j = 1; j < operation->input_count; j++)
    if (operation->node->inputs[j] != FED__NONE &&
        planner->places[operation->node->inputs[j]].root ==
            planner->places[operation->node->inputs[0]].root)
      return 1;
  return 0;
}

static int can_be_in_place(const struct fed__planner *planner, uint32_t index) {
  const struct fed__operation *operation = &planner->plan->operations[index];
  return operation->op->in_place && operation->node->inputs[0] != FED__NONE &&
         operation->node->outputs[0] != FED__NONE && !reads_twice(planner, operation) &&
         fed_shape_equal(&operation->inputs[0].shape, &operation->outputs[0].shape) &&
         operation->inputs[0].dtype == operation->outputs[0].dtype;
}

static void share_data(struct fed__planner *planner, uint32_t index) {
  const struct fed__node *node = planner->plan->operations[index].node;
  struct fed__place *input = fed__root(planner, node->inputs[0]);
  struct fed__place *output = fed__root(planner, node->outputs[0]);
  if (input->data || output->data) return;
  take_over(planner, input->data_regions[FED__FIRST], &output->data_regions[FED__FIRST], index);
  if (planner->times[index].again != FED__NO_TIME && input->inner && output->inner)
    take_over(planner, input->data_regions[FED__SECOND], &output->data_regions[FED__SECOND],
              planner->times[index].again);
}

static void share_gradient(struct fed__planner *planner, uint32_t index) {
  const struct fed__operation *operation = &planner->plan->operations[index];
  struct fed__place *input = fed__root(planner, operation->node->inputs[0]);
  struct fed__place *output = fed__root(planner, operation->node->outputs[0]);
  if (!operation->inputs[0].wants_gradient || input->gradient || output->gradient ||
      planner->operand_regions[operation->inputs - planner->plan->operands] != FED__NO_REGION)
    return;
  take_over(planner, output->gradient_region, &input->gradient_region,
            planner->times[index].backward);
}

/* Data goes with time, gradients come back against it. */
static void share_in_place(struct fed__planner *planner) {
  const uint32_t count = planner->plan->operation_count;
  for (uint32_t i = 0; i < count; i++)
    if (can_be_in_place(planner, i)) share_data(planner, i);
  for (uint32_t i = count; i-- > 0;)
    if (can_be_in_place(planner, i) && planner->plan->operations[i].runs_backward)
      share_gradient(planner, i);
}

static void forget(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  planner->region_count = 0;
  for (uint32_t i = 0; i < plan->model->value_count; i++) {
    struct fed__place *place = &planner->places[i];
    place->data_regions[0] = place->data_regions[1] = place->gradient_region = FED__NO_REGION;
  }
  for (uint32_t i = 0; i < plan->operation_count; i++)
    planner->times[i].saved_regions[0] = planner->times[i].saved_regions[1] = FED__NO_REGION;
  memset(planner->operand_regions, 0xff, planner->operand_count * sizeof(uint32_t));
}

/* Examples widened to double are there from the beginning to the end. */
static void lay_out_inputs(struct fed__planner *planner) {
  const struct fed_model *model = planner->plan->model;
  for (uint32_t i = 0; i < model->value_count; i++) {
    const int32_t input = model->values[i].input;
    if (input == FED__NONE) continue;
    planner->input_regions[input] = FED__NO_REGION;
    if (planner->places[i].data) continue;
    touch_data(planner, (int32_t)i, FED__FIRST, 0);
    touch_data(planner, (int32_t)i, FED__FIRST, planner->time_of_end);
    planner->input_regions[input] = planner->places[i].data_regions[FED__FIRST];
  }
}

void fed__plan_lay_out(struct fed__planner *planner) {
  forget(planner);
  lay_out_inputs(planner);
  lay_out_data(planner);
  lay_out_gradients(planner);
  lay_out_saved(planner);
  share_in_place(planner);
  planner->plan->arena_bytes =
      fed__arena_assign(planner->regions, planner->region_count, planner->order);
}

int fed__plan_find_bound(struct fed__planner *planner) {
  const size_t times = (size_t)planner->time_of_end + 2;
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

/* ---- pointers ------------------------------------------------------------------------------- */

static void *region_at(const struct fed__planner *planner, uint32_t region) {
  return region == FED__NO_REGION ? NULL
                                  : (char *)planner->plan->arena + planner->regions[region].offset;
}

static void *data_of(const struct fed__planner *planner, int32_t value, int copy) {
  const struct fed__place *root = fed__root(planner, value);
  return root->data ? root->data : region_at(planner, root->data_regions[copy]);
}

static void *gradient_of(const struct fed__planner *planner, int32_t value) {
  const struct fed__place *root = fed__root(planner, value);
  if (!root->has_gradient) return NULL;
  return root->gradient ? root->gradient : region_at(planner, root->gradient_region);
}

static void connect_gradients(struct fed__planner *planner, struct fed__operation *operation) {
  const struct fed__node *node = operation->node;
  const struct fed__operand *first = planner->plan->operations[operation->number].inputs;
  for (uint32_t j = 0; j < node->output_count; j++)
    if (node->outputs[j] != FED__NONE)
      operation->outputs[j].gradient = gradient_of(planner, node->outputs[j]);
  for (uint32_t j = 0; j < node->input_count; j++) {
    struct fed__operand *input = &operation->inputs[j];
    if (node->inputs[j] == FED__NONE || !input->wants_gradient) continue;
    input->gradient = gradient_of(planner, node->inputs[j]);
    const uint32_t temporary = planner->operand_regions[&first[j] - planner->plan->operands];
    input->adds = temporary == FED__ADDS;
    if (temporary == FED__NO_REGION || input->adds) continue;
    input->sum = input->gradient;
    input->gradient = region_at(planner, temporary);
  }
}

static void connect_forward(struct fed__planner *planner, struct fed__operation *operation) {
  const struct fed__node *node = operation->node;
  operation->saved =
      region_at(planner, planner->times[operation->number].saved_regions[FED__FIRST]);
  operation->scratch = region_at(planner, planner->scratch_region);
  for (uint32_t j = 0; j < node->output_count; j++)
    if (node->outputs[j] != FED__NONE)
      operation->outputs[j].data = data_of(planner, node->outputs[j], FED__FIRST);
  for (uint32_t j = 0; j < node->input_count; j++)
    if (node->inputs[j] != FED__NONE)
      operation->inputs[j].data = data_of(planner, node->inputs[j], FED__FIRST);
}

/* The same for what runs after the loss. */
static void connect_again(struct fed__planner *planner, struct fed__operation *operation) {
  const struct fed__node *node = operation->node;
  const uint32_t *saved = planner->times[operation->number].saved_regions;
  operation->saved =
      region_at(planner, saved[FED__SECOND] != FED__NO_REGION ? saved[FED__SECOND] : saved[0]);
  operation->scratch = region_at(planner, planner->scratch_region);
  for (uint32_t j = 0; j < node->output_count; j++)
    if (node->outputs[j] != FED__NONE)
      operation->outputs[j].data =
          data_of(planner, node->outputs[j], copy_of_output(planner, operation->number, j));
  for (uint32_t j = 0; j < node->input_count; j++)
    if (node->inputs[j] != FED__NONE)
      operation->inputs[j].data =
          data_of(planner, node->inputs[j], copy_of_input(planner, node->inputs[j]));
}

void fed__plan_connect(struct fed__planner *planner) {
  struct fed__plan *plan = planner->plan;
  const struct fed__known *output = &plan->shapes.values[plan->model->output];
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    connect_forward(planner, &plan->operations[i]);
    connect_again(planner, &plan->again[i]);
    connect_gradients(planner, &plan->again[i]);
  }
  for (size_t i = 0; i < plan->model->spec.input_count; i++)
    plan->inputs[i] = region_at(planner, planner->input_regions[i]);
  plan->output = (struct fed__operand){
      .shape = output->shape,
      .elements = output->elements,
      .dtype = output->dtype,
      .data = data_of(planner, plan->model->output, FED__FIRST),
      .gradient = gradient_of(planner, plan->model->output),
  };
}
