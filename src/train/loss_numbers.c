/* SPDX-License-Identifier: Apache-2.0
 *
 * loss_numbers.c: losses whose target is numbers of the output's shape, element by element
 * (binary cross entropy of logits, squared error, Huber's), and the loss that the graph computes
 * itself. PyTorch's formulas; the mean is over all elements. Linear.
 */
#ifndef REAL
#include "base/raise.h"
#include "train/loss.h"

#include <math.h>

static size_t count_elements(const struct fed__loss_call *call) {
  size_t count = 1;
  for (uint32_t i = 0; i < call->shape->rank; i++) count *= (size_t)call->shape->dims[i];
  return count;
}

static int same_shape(const struct fed_train_options *options, const struct fed_shape *output,
                      struct fed_shape *target) {
  (void)options;
  if (output->rank == 0)
    return FED_RAISE(FED_E_SHAPE, "the model gives one number for the whole batch, expected an "
                                  "output [batch, …]; if it is the loss, say so");
  *target = (struct fed_shape){.rank = output->rank - 1};
  for (uint32_t i = 1; i < output->rank; i++) target->dims[i - 1] = output->dims[i];
  return FED_OK;
}

static int64_t last_extent(const struct fed_shape *output) {
  return output->rank > 1 ? output->dims[output->rank - 1] : 1;
}

static int binary_shape(const struct fed_train_options *options, const struct fed_shape *output,
                        struct fed_shape *target) {
  FED_TRY(same_shape(options, output, target));
  return fed__loss_check_weights(options, last_extent(output));
}

static int no_shape(const struct fed_train_options *options, const struct fed_shape *output,
                    struct fed_shape *target) {
  (void)options, (void)output;
  *target = (struct fed_shape){0};
  return FED_OK;
}

static int check_binary(const struct fed__loss_call *call) {
  const float *targets = call->target;
  const size_t count = count_elements(call), each = count / call->batch_count;
  for (size_t i = 0; i < count; i++)
    if (!(targets[i] >= 0 && targets[i] <= 1))
      return FED_RAISE(FED_E_RANGE,
                       "target %g of example %zu in the batch: binary cross entropy needs 0 to 1",
                       (double)targets[i], i / each);
  return FED_OK;
}

#define FED__TEMPLATE "train/loss_numbers.c"
#include "train/typed.h"

#define RUN(function)                                                                              \
  { [FED_PRECISION_F32] = function##_f32, [FED_PRECISION_F64] = function##_f64 }

const struct fed__loss fed__loss_binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .target_dtype = FED_F32,
    .has_weights = 1,
    .target_shape = binary_shape,
    .check = check_binary,
    .run = RUN(binary),
};

const struct fed__loss fed__loss_mean_squared_error = {
    .name = "mean_squared_error",
    .target_dtype = FED_F32,
    .target_shape = same_shape,
    .run = RUN(squared_error),
};

const struct fed__loss fed__loss_huber = {
    .name = "huber",
    .target_dtype = FED_F32,
    .target_shape = same_shape,
    .run = RUN(huber),
};

const struct fed__loss fed__loss_output = {
    .name = "output",
    .target_dtype = FED_F32,
    .target_shape = no_shape,
    .run = RUN(graph_output),
};

#else

/* A positive target weighs as its place in the last dimension says. */
static void TYPED(binary)(const struct fed__loss_call *call) {
  const size_t count = count_elements(call), period = (size_t)last_extent(call->shape);
  const REAL scale = (REAL)(1 / (double)count);
  const double *weights = call->options->class_weights;
  const REAL *output = call->output;
  const float *target = call->target;
  REAL *gradient = call->gradient;
  for (size_t i = 0; i < count; i++) {
    const REAL z = output[i], t = (REAL)target[i];
    const REAL positive = weights ? (REAL)weights[i % period] : 1;
    const REAL weight = 1 + (positive - 1) * t;
    const REAL tail = REAL_FUNCTION(exp)(-REAL_FUNCTION(fabs)(z));
    const REAL against = z > 0 ? tail / (1 + tail) : 1 / (1 + tail); /* sigmoid(-z) */
    const REAL penalty = REAL_FUNCTION(log1p)(tail) + (z < 0 ? -z : 0);
    call->metrics->loss_sum += (double)((1 - t) * z + weight * penalty);
    call->metrics->correct_count += (z > 0) == (t > (REAL)0.5);
    if (gradient) gradient[i] = ((1 - t) - weight * against) * scale;
  }
  call->metrics->example_count += count;
}

static void TYPED(squared_error)(const struct fed__loss_call *call) {
  const size_t count = count_elements(call);
  const REAL scale = (REAL)(2 / (double)count);
  const REAL *output = call->output;
  const float *target = call->target;
  REAL *gradient = call->gradient;
  for (size_t i = 0; i < count; i++) {
    const REAL distance = output[i] - (REAL)target[i];
    call->metrics->loss_sum += (double)distance * (double)distance;
    if (gradient) gradient[i] = distance * scale;
  }
  call->metrics->example_count += count;
}

static void TYPED(huber)(const struct fed__loss_call *call) {
  const size_t count = count_elements(call);
  const double delta = call->options->huber_delta;
  const REAL scale = (REAL)(1 / (double)count), limit = (REAL)delta;
  const REAL *output = call->output;
  const float *target = call->target;
  REAL *gradient = call->gradient;
  for (size_t i = 0; i < count; i++) {
    const REAL distance = output[i] - (REAL)target[i];
    const double size = fabs((double)distance);
    call->metrics->loss_sum += size <= delta ? size * size / 2 : delta * (size - delta / 2);
    if (gradient)
      gradient[i] = (distance < -limit ? -limit : distance > limit ? limit : distance) * scale;
  }
  call->metrics->example_count += count;
}

/* One number for the whole batch counts as each example's. */
static void TYPED(graph_output)(const struct fed__loss_call *call) {
  const size_t count = count_elements(call);
  const int by_example = call->shape->rank > 0 && (size_t)call->shape->dims[0] == call->batch_count;
  const size_t counted = by_example ? count : call->batch_count;
  const REAL *output = call->output;
  REAL *gradient = call->gradient;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)output[i];
    if (gradient) gradient[i] = (REAL)(1 / (double)count);
  }
  call->metrics->loss_sum += sum / (double)count * (double)counted;
  call->metrics->example_count += counted;
}

#endif
