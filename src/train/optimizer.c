/* SPDX-License-Identifier: Apache-2.0
 *
 * optimizer.c: SGD (with momentum, Nesterov's too), Adam, AdamW, Adagrad and RMSprop, with
 * PyTorch's formulas. One pass over parameter, gradient and state; scalars are computed in double.
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

static size_t adagrad_states(const struct fed_train_options *options) {
  (void)options;
  return 1;
}

static size_t rmsprop_states(const struct fed_train_options *options) {
  return options->momentum != 0 ? 2 : 1;
}

#define FED__TEMPLATE "train/optimizer.c"
#include "train/typed.h"

void fed__gradient_clamp(enum fed_precision precision, void *gradients, size_t count,
                         double limit) {
  if (precision == FED_PRECISION_F32)
    clamp_f32(gradients, count, limit);
  else
    clamp_f64(gradients, count, limit);
}

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

/* Which options an optimiser looks at. */
enum { MOMENTUM = 1, NESTEROV = 2, BETAS = 4, EPSILON = 8, RHO = 16 };

static const struct {
  struct fed__optimizer row;
  unsigned uses;
} optimizers[] = {
    [FED_OPTIMIZER_SGD] = {{"sgd", sgd_states, {sgd_f32, sgd_f64}}, MOMENTUM | NESTEROV},
    [FED_OPTIMIZER_ADAM] = {{"adam", adam_states, {adam_f32, adam_f64}}, BETAS | EPSILON},
    [FED_OPTIMIZER_ADAMW] = {{"adamw", adam_states, {adam_f32, adam_f64}}, BETAS | EPSILON},
    [FED_OPTIMIZER_ADAGRAD] = {{"adagrad", adagrad_states, {adagrad_f32, adagrad_f64}}, EPSILON},
    [FED_OPTIMIZER_RMSPROP] = {{"rmsprop", rmsprop_states, {rmsprop_f32, rmsprop_f64}},
                               MOMENTUM | EPSILON | RHO},
};

static int check_range(const char *name, double value, double low, double high) {
  if (value >= low && value < high) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "%s is %g, expected %g or more and less than %g", name, value, low,
                   high);
}

static int check_all(const struct fed_train_options *options) {
  FED_TRY(check_range("learning_rate", options->learning_rate, 0, HUGE_VAL));
  FED_TRY(check_range("momentum", options->momentum, 0, 1));
  FED_TRY(check_range("weight_decay", options->weight_decay, 0, HUGE_VAL));
  FED_TRY(check_range("clip_value", options->clip_value, 0, HUGE_VAL));
  return check_range("clip_norm", options->clip_norm, 0, HUGE_VAL);
}

static int check_own(const struct fed_train_options *options, const char *name, unsigned uses) {
  if (options->momentum != 0 && !(uses & MOMENTUM))
    return FED_RAISE(FED_E_RANGE, "%s has no momentum; leave it out", name);
  if (options->nesterov && (!(uses & NESTEROV) || options->momentum == 0))
    return FED_RAISE(FED_E_RANGE, "nesterov needs sgd and a momentum above 0");
  if (uses & BETAS) FED_TRY(check_range("beta1", options->beta1, 0, 1));
  if (uses & BETAS) FED_TRY(check_range("beta2", options->beta2, 0, 1));
  if (uses & RHO) FED_TRY(check_range("rho", options->rho, 0, 1));
  return uses & EPSILON ? check_range("epsilon", options->epsilon, 0, HUGE_VAL) : FED_OK;
}

int fed__optimizer_find(const struct fed_train_options *options,
                        const struct fed__optimizer **found) {
  if ((size_t)options->optimizer >= sizeof optimizers / sizeof optimizers[0])
    return FED_RAISE(FED_E_USAGE, "optimiser %d does not exist", (int)options->optimizer);
  *found = &optimizers[options->optimizer].row;
  FED_TRY(check_all(options));
  return check_own(options, (*found)->name, optimizers[options->optimizer].uses);
}

#else

static double TYPED(square_sum)(const REAL *values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
  return sum;
}

static void TYPED(clamp)(REAL *values, size_t count, double limit) {
  const REAL most = (REAL)limit;
  for (size_t i = 0; i < count; i++)
    values[i] = values[i] < -most ? -most : values[i] > most ? most : values[i];
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

/* AdamW takes the decay off the parameter, Adam adds it to the gradient. */
static void TYPED(adam)(const struct fed__update *update) {
  const struct fed_train_options *options = update->options;
  REAL *restrict p = update->parameters;
  const REAL *restrict gradient = update->gradients;
  REAL *restrict mean = update->states[0], *restrict square = update->states[1];
  const int decoupled = options->optimizer == FED_OPTIMIZER_ADAMW;
  const double t = (double)update->step;
  const REAL scale = (REAL)update->gradient_scale;
  const REAL decay = (REAL)(decoupled ? 0 : options->weight_decay);
  const REAL keep = (REAL)(decoupled ? 1 - update->learning_rate * options->weight_decay : 1);
  const REAL beta1 = (REAL)options->beta1, rest1 = (REAL)(1 - options->beta1);
  const REAL beta2 = (REAL)options->beta2, rest2 = (REAL)(1 - options->beta2);
  const REAL rate = (REAL)(update->learning_rate / (1 - pow(options->beta1, t)));
  const REAL correction = (REAL)(1 / sqrt(1 - pow(options->beta2, t)));
  const REAL epsilon = (REAL)options->epsilon;
  for (size_t i = 0; i < update->count; i++) {
    const REAL g = scale * gradient[i] + decay * p[i];
    mean[i] = beta1 * mean[i] + rest1 * g;
    square[i] = beta2 * square[i] + rest2 * (g * g);
    p[i] = keep * p[i] - rate * mean[i] / (REAL_FUNCTION(sqrt)(square[i]) * correction + epsilon);
  }
}

static void TYPED(adagrad)(const struct fed__update *update) {
  REAL *restrict p = update->parameters;
  const REAL *restrict gradient = update->gradients;
  REAL *restrict sum = update->states[0];
  const REAL rate = (REAL)update->learning_rate, scale = (REAL)update->gradient_scale;
  const REAL decay = (REAL)update->options->weight_decay;
  const REAL epsilon = (REAL)update->options->epsilon;
  for (size_t i = 0; i < update->count; i++) {
    const REAL g = scale * gradient[i] + decay * p[i];
    sum[i] += g * g;
    p[i] -= rate * g / (REAL_FUNCTION(sqrt)(sum[i]) + epsilon);
  }
}

static void TYPED(rmsprop)(const struct fed__update *update) {
  REAL *restrict p = update->parameters;
  const REAL *restrict gradient = update->gradients;
  REAL *restrict square = update->states[0], *restrict buffer = update->states[1];
  const struct fed_train_options *options = update->options;
  const REAL rate = (REAL)update->learning_rate, scale = (REAL)update->gradient_scale;
  const REAL decay = (REAL)options->weight_decay, momentum = (REAL)options->momentum;
  const REAL rho = (REAL)options->rho, rest = (REAL)(1 - options->rho);
  const REAL epsilon = (REAL)options->epsilon;
  for (size_t i = 0; i < update->count; i++) {
    const REAL g = scale * gradient[i] + decay * p[i];
    square[i] = rho * square[i] + rest * (g * g);
    REAL move = g / (REAL_FUNCTION(sqrt)(square[i]) + epsilon);
    if (buffer) move = buffer[i] = momentum * buffer[i] + move;
    p[i] -= rate * move;
  }
}

#endif
