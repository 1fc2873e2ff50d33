/* SPDX-License-Identifier: Apache-2.0
 *
 * plan_times.c: the order of a training step. Forward runs the operations in their order, then
 * comes the loss, then backward in reverse; with checkpoints each segment but the last first
 * computes again what its backward reads (Chen et al. 2016, arXiv:1604.06174).
 */
#include "train/planner.h"

/* Segments of about equal output bytes. */
static void cut_segments(struct fed__planner *planner, uint32_t segment_count) {
  const struct fed__plan *plan = planner->plan;
  size_t total = 0, passed = 0;
  for (uint32_t i = 0; i < plan->operation_count; i++)
    total += fed__value_bytes(planner, fed__node_output(plan->operations[i].node));
  planner->segment_count = segment_count;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    planner->times[i].segment =
        total ? (uint32_t)((double)passed / (double)total * segment_count) : 0;
    if (planner->times[i].segment >= segment_count) planner->times[i].segment = segment_count - 1;
    passed += fed__value_bytes(planner, fed__node_output(plan->operations[i].node));
  }
}

/* Values of a segment that nobody outside of it reads. */
static void find_inner(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->model->value_count; i++)
    planner->places[i].inner = planner->places[i].wanted = 0;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__node *node = plan->operations[i].node;
    for (uint32_t j = 0; j < node->output_count; j++)
      if (node->outputs[j] != FED__NONE && planner->times[i].segment + 1 < planner->segment_count)
        fed__root(planner, node->outputs[j])->inner = 1 + (int)planner->times[i].segment;
  }
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__node *node = plan->operations[i].node;
    for (uint32_t j = 0; j < node->input_count; j++)
      if (node->inputs[j] != FED__NONE &&
          fed__root(planner, node->inputs[j])->inner != 1 + (int)planner->times[i].segment)
        fed__root(planner, node->inputs[j])->inner = 0;
  }
  fed__root(planner, plan->model->output)->inner = 0;
}

static void want(const struct fed__planner *planner, int32_t value) {
  if (value != FED__NONE && fed__root(planner, value)->inner) fed__root(planner, value)->wanted = 1;
}

static void want_for_backward(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    const struct fed__node *node = operation->node;
    if (!operation->runs_backward) continue;
    for (uint32_t j = 0; j < node->input_count; j++)
      if (fed__bit(operation->op->backward_inputs, j)) want(planner, node->inputs[j]);
    for (uint32_t j = 0; j < node->output_count; j++)
      if (fed__bit(operation->op->backward_outputs, j)) want(planner, node->outputs[j]);
  }
}

/* From the last to the first, so that what is wanted for something wanted is known in time. What
 * commit reads stays saved, and is not computed for its own sake. */
static int runs_again(const struct fed__planner *planner, uint32_t index) {
  const struct fed__operation *operation = &planner->plan->operations[index];
  const struct fed__node *node = operation->node;
  if (planner->times[index].segment + 1 >= planner->segment_count) return 0;
  int needed = operation->runs_backward && operation->saved_bytes &&
               !operation->op->commit[operation->kernels->precision];
  for (uint32_t j = 0; j < node->output_count; j++)
    needed |= node->outputs[j] != FED__NONE && fed__root(planner, node->outputs[j])->wanted;
  return needed;
}

static void find_again(struct fed__planner *planner) {
  const struct fed__plan *plan = planner->plan;
  want_for_backward(planner);
  for (uint32_t i = plan->operation_count; i-- > 0;) {
    const struct fed__node *node = plan->operations[i].node;
    planner->times[i].again = runs_again(planner, i) ? 0 : FED__NO_TIME;
    for (uint32_t j = 0; j < node->input_count && planner->times[i].again != FED__NO_TIME; j++)
      want(planner, node->inputs[j]);
  }
}

static void schedule(struct fed__planner *planner, uint32_t operation, int again) {
  struct fed__plan *plan = planner->plan;
  uint32_t *time = again ? &planner->times[operation].again : &planner->times[operation].backward;
  *time = plan->operation_count + 1 + plan->schedule_count;
  plan->schedule[plan->schedule_count++] = (struct fed__scheduled){operation, again};
}

void fed__plan_set_times(struct fed__planner *planner, uint32_t segment_count) {
  struct fed__plan *plan = planner->plan;
  cut_segments(planner, segment_count);
  find_inner(planner);
  find_again(planner);
  plan->schedule_count = 0;
  for (uint32_t to = plan->operation_count; to > 0;) {
    uint32_t from = to;
    while (from > 0 && planner->times[from - 1].segment == planner->times[to - 1].segment) from--;
    for (uint32_t i = from; i < to; i++)
      if (planner->times[i].again != FED__NO_TIME) schedule(planner, i, 1);
    for (uint32_t i = to; i-- > from;) {
      planner->times[i].backward = FED__NO_TIME;
      if (plan->operations[i].runs_backward) schedule(planner, i, 0);
    }
    to = from;
  }
  planner->time_of_end = plan->operation_count + 1 + plan->schedule_count;
}
