/* SPDX-License-Identifier: Apache-2.0
 *
 * op_row_norm.c: LayerNormalization, RMSNormalization, GroupNormalization and
 * InstanceNormalization: the data are rows, each normalised by its own mean and variance (RMS: by
 * its mean square), then scaled and shifted. Mean and variance take a pass each, so that a large
 * mean does not drown the variance; backward keeps only them and reads the data again.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operator.h"

#include <math.h>

/* A row is `spans` of `span` elements, each with one scale and one bias; those of row r's span s
 * are number r * spans + s, modulo `parameters`. Scale and bias element by element are spans of 1.
 */
struct row_norm {
  int64_t rows, spans, span, parameters;
  double epsilon;
  int centred; /* 0: RMS */
};

/* Of an empty value it may wrap around; nothing is computed then. */
static int64_t product(const struct fed_shape *shape, uint32_t from, uint32_t to) {
  uint64_t result = 1;
  for (uint32_t i = from; i < to; i++) result *= (uint64_t)shape->dims[i];
  return (int64_t)result;
}

static int check_parameters(const struct fed__inference *inference, int64_t count) {
  char text[128];
  for (uint32_t slot = 1; slot < 3; slot++) {
    const struct fed__known *known = fed__infer_input(inference, slot);
    if (known && (known->shape.rank != 1 || known->shape.dims[0] != count))
      return FED_RAISE(FED_E_SHAPE, "input %u has shape %s, expected [%lld]", slot,
                       fed_shape_format(&known->shape, text, sizeof text), (long long)count);
  }
  return FED_OK;
}

static int infer_same(const struct fed__inference *inference) {
  for (uint32_t slot = 0; slot < 3; slot++) FED_TRY(fed__infer_real(inference, slot));
  return fed__infer_output(inference, 0, FED_F32, &fed__infer_input(inference, 0)->shape, NULL);
}

static int refuse_rank(const struct fed_shape *x) {
  char text[128];
  return FED_RAISE(FED_E_SHAPE, "data of shape %s, expected [N, C] and perhaps more dimensions",
                   fed_shape_format(x, text, sizeof text));
}

/* ---- over the last dimensions ---- */

static int read_layer(const struct fed__node *node, const struct fed_shape *x, uint32_t *axis,
                      struct row_norm *norm) {
  int64_t given;
  FED_TRY(fed__attribute_int(node, "axis", -1, &given));
  FED_TRY(fed__axis_normalise(given, x->rank, axis));
  FED_TRY(fed__attribute_float(node, "epsilon", 1e-5, &norm->epsilon));
  norm->rows = product(x, 0, *axis);
  norm->spans = norm->parameters = product(x, *axis, x->rank);
  norm->span = 1;
  return FED_OK;
}

/* Scale and bias may have ones in front, and must have what is normalised behind. */
static int fits_the_end(const struct fed_shape *x, uint32_t axis, const struct fed_shape *own) {
  const uint32_t normalised = x->rank - axis;
  if (own->rank > x->rank) return 0;
  for (uint32_t i = 0; i < own->rank; i++) {
    const int64_t wanted = i < normalised ? x->dims[x->rank - 1 - i] : 1;
    if (own->dims[own->rank - 1 - i] != wanted) return 0;
  }
  return own->rank >= normalised || product(x, axis, x->rank - own->rank) == 1;
}

static int infer_layer(const struct fed__inference *inference) {
  struct row_norm norm;
  uint32_t axis;
  char own[128], data[128];
  const struct fed_shape *x = &fed__infer_input(inference, 0)->shape;
  FED_TRY(infer_same(inference));
  FED_TRY(read_layer(inference->node, x, &axis, &norm));
  for (uint32_t slot = 1; slot < 3; slot++) {
    const struct fed__known *known = fed__infer_input(inference, slot);
    if (known && !fits_the_end(x, axis, &known->shape))
      return FED_RAISE(FED_E_SHAPE,
                       "input %u has shape %s, expected that of data %s from axis %u on", slot,
                       fed_shape_format(&known->shape, own, sizeof own),
                       fed_shape_format(x, data, sizeof data), axis);
  }
  struct fed_shape moments = *x;
  for (uint32_t i = axis; i < x->rank; i++) moments.dims[i] = 1;
  FED_TRY(fed__infer_output(inference, 1, FED_F32, &moments, NULL));
  return fed__infer_output(inference, 2, FED_F32, &moments, NULL);
}

/* Means and reciprocals of deviations are kept. Scratch: a row of weighted gradients, and one of
 * zeros for the gradient of a result that nobody uses, where only its moments are. */
static void reserve(struct fed__operation *operation, const struct row_norm *norm) {
  operation->saved_bytes = 2 * (size_t)norm->rows * sizeof(double);
  if (norm->span == 1) operation->scratch_bytes = 2 * (size_t)norm->spans * sizeof(double);
}

static int prepare_layer(struct fed__operation *operation) {
  struct row_norm *norm = operation->state;
  uint32_t axis;
  FED_TRY(read_layer(operation->node, &operation->inputs[0].shape, &axis, norm));
  norm->centred = 1;
  reserve(operation, norm);
  return FED_OK;
}

static int prepare_rms(struct fed__operation *operation) {
  FED_TRY(prepare_layer(operation));
  ((struct row_norm *)operation->state)->centred = 0;
  return FED_OK;
}

/* ---- over channels and what is behind them ---- */

static int read_channels(const struct fed__node *node, const struct fed_shape *x, int64_t groups,
                         struct row_norm *norm) {
  FED_TRY(fed__attribute_float(node, "epsilon", 1e-5, &norm->epsilon));
  if (x->rank < 2) return refuse_rank(x);
  if (groups < 1 || x->dims[1] % groups)
    return FED_RAISE(FED_E_SHAPE, "%lld channels cannot be %lld groups", (long long)x->dims[1],
                     (long long)groups);
  norm->centred = 1;
  norm->rows = x->dims[0] * groups;
  norm->spans = x->dims[1] / groups;
  norm->span = product(x, 2, x->rank);
  norm->parameters = x->dims[1];
  return FED_OK;
}

static int read_instance(const struct fed__node *node, const struct fed_shape *x,
                         struct row_norm *norm) {
  return read_channels(node, x, x->rank > 1 ? x->dims[1] : 1, norm);
}

static int infer_instance(const struct fed__inference *inference) {
  struct row_norm norm;
  FED_TRY(infer_same(inference));
  FED_TRY(read_instance(inference->node, &fed__infer_input(inference, 0)->shape, &norm));
  return check_parameters(inference, norm.parameters);
}

static int prepare_instance(struct fed__operation *operation) {
  FED_TRY(read_instance(operation->node, &operation->inputs[0].shape, operation->state));
  reserve(operation, operation->state);
  return FED_OK;
}

/* Before opset 21 scale and bias were one number a group. */
static int read_group(const struct fed__node *node, int64_t opset, const struct fed_shape *x,
                      struct row_norm *norm) {
  int64_t groups;
  FED_TRY(fed__attribute_int(node, "num_groups", 0, &groups));
  FED_TRY(read_channels(node, x, groups, norm));
  if (opset >= 21) return FED_OK;
  norm->span *= norm->spans;
  norm->spans = 1;
  norm->parameters = groups;
  return FED_OK;
}

static int infer_group(const struct fed__inference *inference) {
  struct row_norm norm;
  FED_TRY(infer_same(inference));
  FED_TRY(read_group(inference->node, inference->model->opset,
                     &fed__infer_input(inference, 0)->shape, &norm));
  return check_parameters(inference, norm.parameters);
}

static int prepare_group(struct fed__operation *operation) {
  FED_TRY(read_group(operation->node, operation->model->opset, &operation->inputs[0].shape,
                     operation->state));
  reserve(operation, operation->state);
  return FED_OK;
}

static int trains_row_norm(uint32_t slot, const struct fed_shape *shape) {
  (void)shape;
  return slot == 1 || slot == 2;
}

#define FED__TEMPLATE "train/operators/norm/op_row_norm.c"
#include "train/typed.h"

#define ROW_NORM_ROW(name, onnx_type, first_opset, inputs_least, inputs_most, outputs_most,        \
                     infer_rule, prepare_rule)                                                     \
  const struct fed__operator fed__op_##name = {                                                    \
      .type = onnx_type,                                                                           \
      .opset_min = first_opset,                                                                    \
      .opset_max = 28,                                                                             \
      .inputs_min = inputs_least,                                                                  \
      .inputs_max = inputs_most,                                                                   \
      .outputs_max = outputs_most,                                                                 \
      .infer = infer_rule,                                                                         \
      .trains = trains_row_norm,                                                                   \
      .state_size = sizeof(struct row_norm),                                                       \
      .prepare = prepare_rule,                                                                     \
      .forward = FED__TYPED(row_norm_forward),                                                     \
      .backward = FED__TYPED(row_norm_backward),                                                   \
      .backward_inputs = 1 | 2,                                                                    \
  };

ROW_NORM_ROW(layer_normalization, "LayerNormalization", 17, 2, 3, 3, infer_layer, prepare_layer)
ROW_NORM_ROW(rms_normalization, "RMSNormalization", 23, 2, 2, 1, infer_layer, prepare_rms)
ROW_NORM_ROW(instance_normalization, "InstanceNormalization", 13, 3, 3, 1, infer_instance,
             prepare_instance)
ROW_NORM_ROW(group_normalization, "GroupNormalization", 18, 3, 3, 1, infer_group, prepare_group)

#else
#include "train/operators/norm/sums.inc"

static int64_t TYPED(first_parameter)(const struct row_norm *norm, int64_t row) {
  return row * norm->spans % norm->parameters;
}

static void TYPED(scale_row)(const struct row_norm *norm, const REAL *restrict x, REAL mean,
                             REAL factor, const REAL *restrict scale, const REAL *restrict bias,
                             REAL *restrict y) {
  if (norm->span == 1)
    for (int64_t i = 0; i < norm->spans; i++)
      y[i] = (x[i] - mean) * factor * scale[i] + (bias ? bias[i] : 0);
  else
    for (int64_t s = 0; s < norm->spans; s++, x += norm->span, y += norm->span) {
      const REAL slope = factor * scale[s], offset = bias ? bias[s] : 0;
      for (int64_t i = 0; i < norm->span; i++) y[i] = (x[i] - mean) * slope + offset;
    }
}

/* Copy the moments to the outputs that ask for them. */
static void TYPED(give_moments)(const struct fed__operation *operation, const REAL *moments,
                                int64_t rows) {
  for (uint32_t slot = 1; slot < operation->output_count; slot++) {
    REAL *to = operation->outputs[slot].data;
    for (int64_t row = 0; row < rows && to; row++) to[row] = moments[2 * row + slot - 1];
  }
}

FED__WIDE static void TYPED(row_norm_forward)(const struct fed__operation *operation) {
  const struct row_norm *norm = operation->state;
  const int64_t size = norm->spans * norm->span;
  const REAL *x = operation->inputs[0].data, *scale = operation->inputs[1].data;
  const REAL *bias = fed__operand_absent(operation, 2) ? NULL : operation->inputs[2].data;
  REAL *y = operation->outputs[0].data, *moments = operation->saved;
  if (operation->inputs[0].elements == 0) return;
  for (int64_t row = 0; row < norm->rows; row++, x += size, moments += 2) {
    const int64_t at = TYPED(first_parameter)(norm, row);
    const REAL mean = norm->centred ? TYPED(sum)(x, size) / (REAL)size : 0;
    const REAL variance = TYPED(sum_squares)(x, mean, size) / (REAL)size;
    moments[0] = mean;
    moments[1] = 1 / REAL_FUNCTION(sqrt)(variance + (REAL)norm->epsilon);
    if (!y) continue;
    TYPED(scale_row)(norm, x, mean, moments[1], scale + at, bias ? bias + at : NULL, y);
    y += size;
  }
  TYPED(give_moments)(operation, operation->saved, norm->rows);
}

/* One row on its way back. */
struct TYPED(row) {
  const REAL *x, *dy, *scale;
  REAL *dscale, *dbias; /* NULL: nobody needs them */
  REAL mean, factor;
  REAL slope, lean; /* the sums of g and of g times the normalised x, where g = dy scale */
};

/* Spans of 1: `weighted` is room for g. */
static void TYPED(sum_elements)(struct TYPED(row) * row, int64_t size, REAL *restrict weighted) {
  const REAL *restrict x = row->x, *restrict dy = row->dy, *restrict scale = row->scale;
  REAL *restrict dscale = row->dscale, *restrict dbias = row->dbias;
  const REAL mean = row->mean, factor = row->factor;
  for (int64_t i = 0; i < size && dscale; i++) dscale[i] += dy[i] * ((x[i] - mean) * factor);
  for (int64_t i = 0; i < size && dbias; i++) dbias[i] += dy[i];
  for (int64_t i = 0; i < size; i++) weighted[i] = dy[i] * scale[i];
  row->slope = TYPED(sum)(weighted, size);
  row->lean = TYPED(sum_products)(x, mean, weighted, size) * factor;
}

static void TYPED(sum_spans)(struct TYPED(row) * row, const struct row_norm *norm) {
  row->slope = row->lean = 0;
  for (int64_t s = 0; s < norm->spans; s++) {
    const REAL *dy = row->dy + s * norm->span, *x = row->x + s * norm->span;
    const REAL total = TYPED(sum)(dy, norm->span);
    const REAL product = TYPED(sum_products)(x, row->mean, dy, norm->span) * row->factor;
    if (row->dbias) row->dbias[s] += total;
    if (row->dscale) row->dscale[s] += product;
    row->slope += total * row->scale[s];
    row->lean += product * row->scale[s];
  }
}

/* dx = factor (g - mean of g - normalised x * mean of g normalised x); RMS: without the second. */
static void TYPED(spread_row)(const struct TYPED(row) * row, const struct row_norm *norm,
                              REAL *restrict dx) {
  const int64_t size = norm->spans * norm->span;
  const REAL mean = row->mean, factor = row->factor;
  const REAL shift = norm->centred ? row->slope / (REAL)size : 0;
  const REAL tilt = row->lean / (REAL)size * factor;
  const REAL *restrict x = row->x, *restrict dy = row->dy, *restrict scale = row->scale;
  if (norm->span == 1)
    for (int64_t i = 0; i < size; i++)
      dx[i] = factor * (dy[i] * scale[i] - shift - (x[i] - mean) * tilt);
  else
    for (int64_t s = 0; s < norm->spans; s++, x += norm->span, dy += norm->span, dx += norm->span)
      for (int64_t i = 0; i < norm->span; i++)
        dx[i] = factor * (dy[i] * scale[s] - shift - (x[i] - mean) * tilt);
}

/* What comes back through the outputs mean and 1 / deviation. */
static void TYPED(add_moment_gradients)(struct TYPED(row) * row,
                                        const struct fed__operation *operation, int64_t index) {
  const REAL *means = operation->output_count > 1 ? operation->outputs[1].gradient : NULL;
  const REAL *factors = operation->output_count > 2 ? operation->outputs[2].gradient : NULL;
  if (means) row->slope -= means[index] / row->factor;
  if (factors) row->lean += factors[index] * row->factor;
}

static void *TYPED(cleared)(const struct fed__operand *operand) {
  if (operand->gradient) memset(operand->gradient, 0, operand->elements * sizeof(REAL));
  return operand->gradient;
}

FED__WIDE static void TYPED(row_norm_backward)(const struct fed__operation *operation) {
  const struct row_norm *norm = operation->state;
  const struct fed__operand *inputs = operation->inputs;
  const int64_t size = norm->spans * norm->span;
  const REAL *moments = operation->saved, *dy = operation->outputs[0].gradient;
  REAL *weighted = operation->scratch, *zeros = weighted + size;
  REAL *dscale = TYPED(cleared)(&inputs[1]), *dx = inputs[0].gradient;
  REAL *dbias = fed__operand_absent(operation, 2) ? NULL : TYPED(cleared)(&inputs[2]);
  if (!dy) memset(zeros, 0, (size_t)size * sizeof *zeros);
  for (int64_t i = 0; i < norm->rows; i++) {
    const int64_t at = TYPED(first_parameter)(norm, i);
    struct TYPED(row) row = {.x = (const REAL *)inputs[0].data + i * size,
                             .dy = dy ? dy + i * size : zeros,
                             .scale = (const REAL *)inputs[1].data + at,
                             .dscale = dscale ? dscale + at : NULL,
                             .dbias = dbias ? dbias + at : NULL,
                             .mean = moments[2 * i],
                             .factor = moments[2 * i + 1]};
    if (norm->span == 1)
      TYPED(sum_elements)(&row, size, weighted);
    else
      TYPED(sum_spans)(&row, norm);
    TYPED(add_moment_gradients)(&row, operation, i);
    if (dx) TYPED(spread_row)(&row, norm, dx + i * size);
  }
}

#endif
