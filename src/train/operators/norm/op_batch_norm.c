/* SPDX-License-Identifier: Apache-2.0
 *
 * op_batch_norm.c: BatchNormalization (Ioffe & Szegedy 2015), a mean and a variance for each
 * channel. A node that measures takes the batch's in training, and mixes them into the running ones
 * after the step; otherwise, and in evaluation, the running ones normalise. The variance is the
 * biased one in both places, as ONNX says. No gradient goes through the outputs running_mean and
 * running_var.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operator.h"

#include <math.h>

/* Data of [batch, channels, plane]. */
struct batch_norm {
  int64_t batch, channels, plane;
  double epsilon, momentum;
};

enum { X, SCALE, BIAS, MEAN, VARIANCE, INPUTS };

static int read_batch_norm(const struct fed__node *node, const struct fed_shape *x,
                           struct batch_norm *norm) {
  FED_TRY(fed__attribute_float(node, "epsilon", 1e-5, &norm->epsilon));
  FED_TRY(fed__attribute_float(node, "momentum", 0.9, &norm->momentum));
  if (x->rank == 0) return FED_RAISE(FED_E_SHAPE, "the data is a single number");
  norm->batch = x->dims[0];
  norm->channels = x->rank > 1 ? x->dims[1] : 1;
  norm->plane = 1;
  for (uint32_t i = 2; i < x->rank; i++) norm->plane *= x->dims[i];
  return FED_OK;
}

/* What is measured must have a place of its own that outlives the step. */
static int check_state(const struct fed__inference *inference) {
  const struct fed__node *node = inference->node;
  if (!fed__node_measures(inference->model, node) || fed__infer_input(inference, X)->content)
    return FED_OK;
  for (int slot = MEAN; slot <= VARIANCE; slot++) {
    const struct fed__value *value = &inference->model->values[node->inputs[slot]];
    if (value->parameter == FED__NONE && value->local == FED__NONE)
      return FED_RAISE(FED_E_UNSUPPORTED,
                       "the running statistics '%s' should be a float32 initializer, since they "
                       "are measured; freeze them, or export them as one",
                       value->name);
  }
  return FED_OK;
}

static int infer_batch_norm(const struct fed__inference *inference) {
  struct batch_norm norm;
  char text[128];
  const struct fed_shape *x = &fed__infer_input(inference, X)->shape;
  FED_TRY(fed__infer_real(inference, X));
  FED_TRY(read_batch_norm(inference->node, x, &norm));
  const struct fed_shape channels = {1, {norm.channels}};
  for (uint32_t slot = SCALE; slot < INPUTS; slot++) {
    const struct fed__known *known = fed__infer_input(inference, slot);
    if (!known) return FED_RAISE(FED_E_MISSING, "input %u is missing", slot);
    FED_TRY(fed__infer_real(inference, slot));
    if (!fed_shape_equal(&known->shape, &channels))
      return FED_RAISE(FED_E_SHAPE, "input %u has shape %s, expected [%lld]", slot,
                       fed_shape_format(&known->shape, text, sizeof text),
                       (long long)norm.channels);
  }
  if (inference->model->opset < 14 && inference->node->output_count > 1)
    return FED_RAISE(FED_E_UNSUPPORTED, "statistics as outputs are supported from opset 14 on, "
                                        "where the attribute training_mode asks for them");
  FED_TRY(check_state(inference));
  FED_TRY(fed__infer_output(inference, 0, FED_F32, x, NULL));
  FED_TRY(fed__infer_output(inference, 1, FED_F32, &channels, NULL));
  return fed__infer_output(inference, 2, FED_F32, &channels, NULL);
}

/* Kept: mean, variance, and the reciprocal of the deviation. Scratch: two sums by channel. */
static int prepare_batch_norm(struct fed__operation *operation) {
  struct batch_norm *norm = operation->state;
  FED_TRY(read_batch_norm(operation->node, &operation->inputs[X].shape, norm));
  operation->saved_bytes = 3 * (size_t)norm->channels * sizeof(double);
  operation->scratch_bytes = 2 * (size_t)norm->channels * sizeof(double);
  return FED_OK;
}

static int measures(const struct fed__operation *operation) {
  return operation->step->training && fed__node_measures(operation->model, operation->node);
}

static int trains_batch_norm(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == SCALE || slot == BIAS;
}

#define FED__TEMPLATE "train/operators/norm/op_batch_norm.c"
#include "train/typed.h"

const struct fed__operator fed__op_batch_normalization = {
    .type = "BatchNormalization",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = INPUTS,
    .inputs_max = INPUTS,
    .outputs_max = 3,
    .infer = infer_batch_norm,
    .trains = trains_batch_norm,
    .state_inputs = 1 << MEAN | 1 << VARIANCE,
    .state_size = sizeof(struct batch_norm),
    .prepare = prepare_batch_norm,
    .forward = FED__TYPED(batch_norm_forward),
    .backward = FED__TYPED(batch_norm_backward),
    .backward_inputs = 1 << X | 1 << SCALE,
    .commit = FED__TYPED(batch_norm_commit),
};

#else
#include "train/operators/norm/sums.inc"

struct TYPED(statistics) {
  REAL *mean, *variance, *factor; /* factor: 1 / deviation */
};

static struct TYPED(statistics) TYPED(statistics_of)(const struct fed__operation *operation) {
  const struct batch_norm *norm = operation->state;
  REAL *saved = operation->saved;
  return (struct TYPED(statistics)){saved, saved + norm->channels, saved + 2 * norm->channels};
}

/* Sums by channel over the batch, of dy, of (x - centre)^2 and of (x - centre) dy: `row` is the sum
 * over a plane, `element` what it is for a plane of one, where vectors run across the channels. */
#define CHANNEL_SUMS(name, element, row)                                                           \
  static void TYPED(name)(const struct batch_norm *norm, const REAL *restrict x,                   \
                          const REAL *restrict centre, const REAL *restrict dy,                    \
                          REAL *restrict result) {                                                 \
    const int64_t plane = norm->plane, step = norm->channels * plane;                              \
    (void)x, (void)centre, (void)dy;                                                               \
    memset(result, 0, (size_t)norm->channels * sizeof *result);                                    \
    for (int64_t n = 0, at = 0; n < norm->batch; n++, at += step)                                  \
      if (plane == 1)                                                                              \
        for (int64_t c = 0; c < norm->channels; c++) result[c] += (element);                       \
      else                                                                                         \
        for (int64_t c = 0; c < norm->channels; c++) result[c] += (row);                           \
  }

#define DISTANCE (x[at + c] - centre[c])
CHANNEL_SUMS(sum_channels, dy[at + c], TYPED(sum)(dy + at + c * plane, plane))
CHANNEL_SUMS(sum_channel_squares, DISTANCE *DISTANCE,
             TYPED(sum_squares)(x + at + c * plane, centre[c], plane))
CHANNEL_SUMS(sum_channel_products, DISTANCE *dy[at + c],
             TYPED(sum_products)(x + at + c * plane, centre[c], dy + at + c * plane, plane))
#undef DISTANCE
#undef CHANNEL_SUMS

static void TYPED(measure)(const struct batch_norm *norm, const REAL *x,
                           const struct TYPED(statistics) * found) {
  const REAL count = (REAL)(norm->batch * norm->plane);
  TYPED(sum_channels)(norm, NULL, NULL, x, found->mean);
  for (int64_t c = 0; c < norm->channels; c++) found->mean[c] /= count;
  TYPED(sum_channel_squares)(norm, x, found->mean, NULL, found->variance);
  for (int64_t c = 0; c < norm->channels; c++) found->variance[c] /= count;
}

static REAL TYPED(mix)(const struct batch_norm *norm, REAL running, REAL measured) {
  return running * (REAL)norm->momentum + measured * (REAL)(1 - norm->momentum);
}

/* Outputs 1 and 2: what the running statistics become by this. */
static void TYPED(give_statistics)(const struct fed__operation *operation,
                                   const struct TYPED(statistics) * used) {
  const struct batch_norm *norm = operation->state;
  const REAL *measured[2] = {used->mean, used->variance};
  for (uint32_t slot = 1; slot < operation->output_count; slot++) {
    REAL *to = operation->outputs[slot].data;
    const REAL *running = operation->inputs[MEAN + slot - 1].data;
    for (int64_t c = 0; c < norm->channels && to; c++)
      to[c] =
          measures(operation) ? TYPED(mix)(norm, running[c], measured[slot - 1][c]) : running[c];
  }
}

static void TYPED(apply)(const struct batch_norm *norm, const struct TYPED(statistics) * used,
                         const REAL *restrict x, const REAL *restrict scale,
                         const REAL *restrict bias, REAL *restrict y) {
  const REAL *restrict mean = used->mean, *restrict factor = used->factor;
  const int64_t plane = norm->plane, channels = norm->channels;
  for (int64_t n = 0; n < norm->batch; n++, x += channels * plane, y += channels * plane)
    if (plane == 1)
      for (int64_t c = 0; c < channels; c++)
        y[c] = (x[c] - mean[c]) * (factor[c] * scale[c]) + bias[c];
    else
      for (int64_t c = 0; c < channels; c++) {
        const REAL centre = mean[c], slope = factor[c] * scale[c], offset = bias[c];
        for (int64_t i = c * plane; i < (c + 1) * plane; i++)
          y[i] = (x[i] - centre) * slope + offset;
      }
}

FED__WIDE static void TYPED(batch_norm_forward)(const struct fed__operation *operation) {
  const struct batch_norm *norm = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const struct TYPED(statistics) used = TYPED(statistics_of)(operation);
  const REAL *x = inputs[X].data, *scale = inputs[SCALE].data, *bias = inputs[BIAS].data;
  REAL *y = operation->outputs[0].data;
  if (measures(operation)) {
    TYPED(measure)(norm, x, &used);
  } else {
    memcpy(used.mean, inputs[MEAN].data, (size_t)norm->channels * sizeof(REAL));
    memcpy(used.variance, inputs[VARIANCE].data, (size_t)norm->channels * sizeof(REAL));
  }
  for (int64_t c = 0; c < norm->channels; c++)
    used.factor[c] = 1 / REAL_FUNCTION(sqrt)(used.variance[c] + (REAL)norm->epsilon);
  TYPED(give_statistics)(operation, &used);
  if (y) TYPED(apply)(norm, &used, x, scale, bias, y);
}

/* dx = factor scale (dy - shift - (x - mean) tilt); both are 0 for statistics that are given. */
static void TYPED(spread)(const struct fed__operation *operation,
                          const struct TYPED(statistics) * used, const REAL *restrict shift,
                          const REAL *restrict tilt) {
  const struct batch_norm *norm = operation->state;
  const REAL *restrict x = operation->inputs[X].data, *restrict dy = operation->outputs[0].gradient;
  const REAL *restrict scale = operation->inputs[SCALE].data;
  REAL *restrict dx = operation->inputs[X].gradient;
  const REAL *restrict mean = used->mean, *restrict factor = used->factor;
  const int64_t plane = norm->plane, channels = norm->channels;
  for (int64_t n = 0; n < norm->batch; n++, x += channels * plane, dy += channels * plane)
    if (plane == 1)
      for (int64_t c = 0; c < channels; c++)
        *dx++ = factor[c] * scale[c] * (dy[c] - shift[c] - (x[c] - mean[c]) * tilt[c]);
    else
      for (int64_t c = 0; c < channels; c++) {
        const REAL slope = factor[c] * scale[c], centre = mean[c], by = shift[c], lean = tilt[c];
        for (int64_t i = c * plane; i < (c + 1) * plane; i++)
          *dx++ = slope * (dy[i] - by - (x[i] - centre) * lean);
      }
}

/* The gradients by scale and bias, and by statistics that are given, if somebody wants them. */
static void TYPED(give_gradients)(const struct fed__operation *operation,
                                  const struct TYPED(statistics) * used, const REAL *sums,
                                  const REAL *products) {
  const struct batch_norm *norm = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const REAL *scale = inputs[SCALE].data, given = measures(operation) ? 0 : 1;
  REAL *dscale = inputs[SCALE].gradient, *dbias = inputs[BIAS].gradient;
  REAL *dmean = inputs[MEAN].gradient, *dvariance = inputs[VARIANCE].gradient;
  for (int64_t c = 0; c < norm->channels; c++) {
    const REAL factor = used->factor[c], slope = given * factor * scale[c];
    if (dscale) dscale[c] = products[c] * factor;
    if (dbias) dbias[c] = sums[c];
    if (dmean) dmean[c] = -sums[c] * slope;
    if (dvariance) dvariance[c] = -products[c] * slope * factor * factor / 2;
  }
}

FED__WIDE static void TYPED(batch_norm_backward)(const struct fed__operation *operation) {
  const struct batch_norm *norm = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const struct TYPED(statistics) used = TYPED(statistics_of)(operation);
  const REAL *dy = operation->outputs[0].gradient;
  REAL *sums = operation->scratch, *products = sums + norm->channels;
  if (!dy) { /* only the running statistics are looked at */
    for (int slot = 0; slot < INPUTS; slot++)
      if (inputs[slot].gradient)
        memset(inputs[slot].gradient, 0, inputs[slot].elements * sizeof(REAL));
    return;
  }
  TYPED(sum_channels)(norm, NULL, NULL, dy, sums);
  TYPED(sum_channel_products)(norm, inputs[X].data, used.mean, dy, products);
  TYPED(give_gradients)(operation, &used, sums, products);
  if (!inputs[X].gradient) return;
  const REAL share = measures(operation) ? 1 / (REAL)(norm->batch * norm->plane) : 0;
  for (int64_t c = 0; c < norm->channels; c++) {
    sums[c] *= share;
    products[c] *= share * used.factor[c] * used.factor[c];
  }
  TYPED(spread)(operation, &used, sums, products);
}

static void TYPED(batch_norm_commit)(const struct fed__operation *operation) {
  const struct batch_norm *norm = operation->state;
  const struct TYPED(statistics) found = TYPED(statistics_of)(operation);
  REAL *mean = operation->inputs[MEAN].data, *variance = operation->inputs[VARIANCE].data;
  if (!measures(operation)) return;
  for (int64_t c = 0; c < norm->channels; c++) {
    mean[c] = TYPED(mix)(norm, mean[c], found.mean[c]);
    variance[c] = TYPED(mix)(norm, variance[c], found.variance[c]);
  }
}

#endif
