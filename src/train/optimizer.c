/* SPDX-License-Identifier: Apache-2.0
 *
 * optimizer.c: SGD (with momentum, Nesterov's too) and Adam, with PyTorch's formulas. One pass
 * over parameter, gradient and state; scalars are computed in double.
 */
#ifndef REAL
#include "train/optimizer.h"
#include "base/raise.h"

#include <math.h>

static size_t sgd_states(const struct fed_train_options *options) { return options->momentum != 0; }

static size_t adam_states(const struct fed_train_options *options) {
  (void)options;
  return 2;
}

#define FED__TEMPLATE "train/optimizer.c"
#include "train/typed.h"

double fed__gradient_norm(enum fed_precision precision, const void *gradients, size_t count) {
  return sqrt(precision == FED_PRECISION_F32 ? square_sum_f32(gradients, count)
                                             : square_sum_f64(gradients, count));
}

void fed__update_shift(struct fed__update *update, enum fed_precision precision, size_t first) {
  const size_t bytes = first * (precision == FED_PRECISION_F32 ? sizeof(float) : sizeof(double));
  update->parameters = (char *)update->parameters + bytes;
  update->gradients = (const char *)update->gradients + bytes;
  for (size_t i = 0; i < FED__OPTIMIZER_STATES_MAX && update->states[i]; i++)
    update->states[i] = (char *)update->states[i] + bytes;
}

static const struct fed__optimizer optimizers[] = {
    [FED_OPTIMIZER_SGD] = {"SGD", sgd_states, {sgd_f32, sgd_f64}},
    [FED_OPTIMIZER_ADAM] = {"Adam", adam_states, {adam_f32, adam_f64}},
};

static int check_range(const char *name, double value, double low, double high) {
  if (value >= low && value < high) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "%s is %g, expected %g or more and less than %g", name, value, low,
                   high);
}

int fed__optimizer_find(const struct fed_train_options *options,
                        const struct fed__optimizer **found) {
  if ((size_t)options->optimizer >= sizeof optimizers / sizeof optimizers[0])
    return FED_RAISE(FED_E_USAGE, "optimiser %d does not exist", (int)options->optimizer);
  FED_TRY(check_range("learning_rate", options->learning_rate, 0, HUGE_VAL));
  FED_TRY(check_range("momentum", options->momentum, 0, 1));
  FED_TRY(check_range("weight_decay", options->weight_decay, 0, HUGE_VAL));
  FED_TRY(check_range("clip_norm", options->clip_norm, 0, HUGE_VAL));
  if (options->nesterov && options->momentum == 0)
    return FED_RAISE(FED_E_RANGE, "nesterov needs a momentum above 0");
  if (options->optimizer == FED_OPTIMIZER_ADAM) {
    FED_TRY(check_range("beta1", options->beta1, 0, 1));
    FED_TRY(check_range("beta2", options->beta2, 0, 1));
    FED_TRY(check_range("epsilon", options->epsilon, 0, HUGE_VAL));
  }
  *found = &optimizers[options->optimizer];
  return FED_OK;
}

#else

static double TYPED(square_sum)(const REAL *values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
  return sum;
}

static void TYPED(sgd)(const struct fed__update *update) {
  REAL *restrict p = update->parameters;
  const REAL *restrict gradient = update->gradients;
  REAL *restrict buffer = update->states[0];
  const REAL rate = (REAL)update->learning_rate, scale = (REAL)update->gradient_scale;
  const REAL decay = (REAL)update->options->weight_decay;
  const REAL momentum = (REAL)update->options->momentum;
  if (!buffer)
    for (size_t i = 0; i < update->count; i++) p[i] -= rate * (scale * gradient[i] + decay * p[i]);
  else if (!update->options->nesterov)
    for (size_t i = 0; i < update->count; i++) {
      buffer[i] = momentum * buffer[i] + (scale * gradient[i] + decay * p[i]);
      p[i] -= rate * buffer[i];
    }
  else
    for (size_t i = 0; i < update->count; i++) {
      const REAL g = scale * gradient[i] + decay * p[i];
      buffer[i] = momentum * buffer[i] + g;
      p[i] -= rate * (g + momentum * buffer[i]);
    }
}

static void TYPED(adam)(const struct fed__update *update) {
  const struct fed_train_options *options = update->options;
  REAL *restrict p = update->parameters;
  const REAL *restrict gradient = update->gradients;
  REAL *restrict mean = update->states[0], *restrict square = update->states[1];
  const double t = (double)update->step;
  const REAL scale = (REAL)update->gradient_scale, decay = (REAL)options->weight_decay;
  const REAL beta1 = (REAL)options->beta1, rest1 = (REAL)(1 - options->beta1);
  const REAL beta2 = (REAL)options->beta2, rest2 = (REAL)(1 - options->beta2);
  const REAL rate = (REAL)(update->learning_rate / (1 - pow(options->beta1, t)));
  const REAL correction = (REAL)(1 / sqrt(1 - pow(options->beta2, t)));
  const REAL epsilon = (REAL)options->epsilon;
  for (size_t i = 0; i < update->count; i++) {
    const REAL g = scale * gradient[i] + decay * p[i];
    mean[i] = beta1 * mean[i] + rest1 * g;
    square[i] = beta2 * square[i] + rest2 * (g * g);
    p[i] -= rate * mean[i] / (REAL_FUNCTION(sqrt)(square[i]) * correction + epsilon);
  }
}

#endif
