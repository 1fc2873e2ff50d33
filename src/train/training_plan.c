/* SPDX-License-Identifier: Apache-2.0
 *
 * training_plan.c: running a plan, and freeing it. How one is made: planner.c.
 */
#include "train/training_plan.h"
#include "base/memory.h"

static void widen(const float *from, double *to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = (double)from[i];
}

static void widen_inputs(const struct fed__plan *plan) {
  for (size_t i = 0; i < plan->model->spec.input_count; i++) {
    const size_t elements =
        (size_t)plan->batch_size * fed_tensor_elements(&plan->model->spec.inputs[i]);
    if (plan->inputs[i]) widen(plan->batch->inputs[i].data, plan->inputs[i], elements);
  }
}

void fed__plan_forward(const struct fed__plan *plan) {
  widen_inputs(plan);
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    operation->op->forward[plan->kernels->precision](operation);
  }
}

static void add_f32(const float *restrict from, float *restrict to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_f64(const double *restrict from, double *restrict to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] += from[i];
}

/* A value with several readers: the later ones' contributions are added to the first's. */
static void add_contributions(const struct fed__operation *operation) {
  for (uint32_t i = 0; i < operation->input_count; i++) {
    const struct fed__operand *input = &operation->inputs[i];
    if (!input->sum) continue;
    if (operation->kernels->precision == FED_PRECISION_F32)
      add_f32(input->gradient, input->sum, input->elements);
    else
      add_f64(input->gradient, input->sum, input->elements);
  }
}

void fed__plan_backward(const struct fed__plan *plan) {
  for (uint32_t i = 0; i < plan->schedule_count; i++) {
    const struct fed__operation *operation = &plan->again[plan->schedule[i].operation];
    const enum fed_precision precision = plan->kernels->precision;
    if (plan->schedule[i].again) {
      operation->op->forward[precision](operation);
    } else {
      operation->op->backward[precision](operation);
      add_contributions(operation);
    }
  }
}

void fed__plan_commit(const struct fed__plan *plan) {
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    const struct fed__operation *operation = &plan->operations[i];
    if (operation->op->commit[plan->kernels->precision])
      operation->op->commit[plan->kernels->precision](operation);
  }
}

void fed__plan_free(struct fed__plan *plan) {
  if (!plan) return;
  const struct fed_context *context = plan->context;
  for (uint32_t i = 0; i < plan->operation_count; i++) {
    struct fed__operation *operation = &plan->operations[i];
    if (operation->state && operation->op->release) operation->op->release(operation);
  }
  fed__shapes_clear(&plan->shapes);
  fed__free(context, plan->operations);
  fed__free(context, plan->again);
  fed__free(context, plan->schedule);
  fed__free(context, plan->operands);
  fed__free(context, plan->states);
  fed__free(context, plan->constants);
  fed__free(context, plan->updated);
  fed__free(context, plan->allocation);
  fed__free(context, plan);
}
