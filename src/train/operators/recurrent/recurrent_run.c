/* SPDX-License-Identifier: Apache-2.0
 *
 * recurrent_run.c: the steps of a recurrent layer, forward and backward, for any cell. Products:
 * one for the inputs of all steps, one or two a step for the state, in backward as many again, and
 * three large ones for X, W and R.
 */
#ifndef REAL
#include "base/wide.h"
#include "train/operators/product/parameter_product.h"
#include "train/operators/recurrent/recurrent.h"

#include <math.h>

#define LINE 64 /* bytes: kernels like packed data to begin on a cache line */

static size_t whole_lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

static struct fed_gemm state_product(const struct fed__recurrent *layer, size_t range,
                                     int is_backward) {
  const int64_t part = layer->ranges[range].count * layer->hidden;
  const int64_t width = layer->gates * layer->hidden;
  return (struct fed_gemm){
      .transpose_b = !is_backward,
      .m = layer->batch,
      .n = is_backward ? layer->hidden : part,
      .k = is_backward ? part : layer->hidden,
      .lda = is_backward ? width : layer->hidden,
      .ldb = layer->hidden,
      .ldc = is_backward ? layer->hidden : width,
      .alpha = 1,
  };
}

static size_t packed_bytes(const struct fed__operation *operation, size_t range) {
  const struct fed__recurrent *layer = operation->state;
  const struct fed_gemm forward = state_product(layer, range, 0);
  const struct fed_gemm backward = state_product(layer, range, 1);
  const size_t a = operation->kernels->packed_bytes(&forward);
  const size_t b = operation->kernels->packed_bytes(&backward);
  return whole_lines(a > b ? a : b);
}

/* For pieces of a gradient that is used at once. */
static size_t piece_bytes(const struct fed__operation *operation) {
  const size_t w = fed__parameter_product_scratch(operation, FED__RECURRENT_W);
  const size_t r = fed__parameter_product_scratch(operation, FED__RECURRENT_R);
  return whole_lines(w > r ? w : r);
}

/* What one direction saves, in numbers. */
static int64_t saved_count(const struct fed__recurrent *layer) {
  const int64_t step = layer->batch * layer->hidden;
  return layer->steps * step * (layer->gates * (layer->clip > 0 ? 2 : 1) + layer->kept) +
         (layer->steps + 1) * step * layer->states;
}

static int64_t input_count(const struct fed__recurrent *layer) {
  return layer->steps * layer->batch * layer->input;
}

/* Where the rows of one direction are in an output or a state: [steps, directions, batch, hidden]
 * or [batch, steps, directions, hidden]. */
struct rows {
  int64_t base, step, example;
};

static struct rows output_rows(const struct fed__recurrent *layer, int64_t direction) {
  const int64_t hidden = layer->hidden, directions = layer->directions;
  if (layer->batch_first)
    return (struct rows){direction * hidden, directions * hidden,
                         layer->steps * directions * hidden};
  return (struct rows){direction * layer->batch * hidden, directions * layer->batch * hidden,
                       hidden};
}

static struct rows state_rows(const struct fed__recurrent *layer, int64_t direction) {
  if (layer->batch_first)
    return (struct rows){direction * layer->hidden, 0, layer->directions * layer->hidden};
  return (struct rows){direction * layer->batch * layer->hidden, 0, layer->hidden};
}

static const int64_t *lengths_of(const struct fed__operation *operation) {
  return fed__operand_absent(operation, FED__RECURRENT_LENGTHS)
             ? NULL
             : operation->inputs[FED__RECURRENT_LENGTHS].data;
}

static void *output_data(const struct fed__operation *operation, uint32_t slot) {
  return slot < operation->output_count ? operation->outputs[slot].data : NULL;
}

static const void *output_gradient(const struct fed__operation *operation, uint32_t slot) {
  return slot < operation->output_count ? operation->outputs[slot].gradient : NULL;
}

static void *input_gradient(const struct fed__operation *operation, uint32_t slot) {
  return slot < operation->input_count ? operation->inputs[slot].gradient : NULL;
}

#define FED__TEMPLATE "train/operators/recurrent/recurrent_run.c"
#include "train/typed.h"

#else

void TYPED(fed__recurrent_measure)(struct fed__operation *operation) {
  const struct fed__recurrent *layer = operation->state;
  const int64_t width = layer->gates * layer->hidden;
  int64_t saved = saved_count(layer) * layer->directions;
  int64_t scratch = width + layer->batch * (width + 3 * layer->hidden);
  if (layer->batch_first) saved += input_count(layer), scratch += input_count(layer);
  operation->saved_bytes = (size_t)saved * sizeof(REAL);
  operation->scratch_bytes = piece_bytes(operation) + (size_t)scratch * sizeof(REAL);
  for (size_t i = 0; i < layer->range_count; i++)
    operation->scratch_bytes += packed_bytes(operation, i);
}

/* Behind the directions' own: X by steps, where it comes by examples. */
static REAL *TYPED(saved_input)(const struct fed__operation *operation) {
  const struct fed__recurrent *layer = operation->state;
  return (REAL *)operation->saved + saved_count(layer) * layer->directions;
}

static void TYPED(place_saved)(struct TYPED(fed__recurrent_run) * run) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t step = layer->batch * layer->hidden;
  REAL *at = (REAL *)run->operation->saved + saved_count(layer) * run->direction;
  run->gates = at, at += layer->steps * step * layer->gates;
  run->raw = layer->clip > 0 ? at : NULL;
  if (run->raw) at += layer->steps * step * layer->gates;
  run->hidden = at, at += (layer->steps + 1) * step;
  run->cells = layer->states > 1 ? at : NULL;
  if (run->cells) at += (layer->steps + 1) * step;
  run->kept = at;
}

/* Pieces and packed R first; what is left begins on a cache line, too. */
static REAL *TYPED(place_scratch)(struct TYPED(fed__recurrent_run) * run, int is_backward) {
  const struct fed__recurrent *layer = run->layer;
  const struct fed_kernel_table *kernels = run->operation->kernels;
  const int64_t step = layer->batch * layer->hidden, width = layer->gates * layer->hidden;
  const REAL *r = run->operation->inputs[FED__RECURRENT_R].data;
  char *packed = (char *)run->operation->scratch + piece_bytes(run->operation);
  r += run->direction * width * layer->hidden;
  for (size_t i = 0; i < layer->range_count; i++) {
    run->products[i] = state_product(layer, i, is_backward);
    run->packed[i] = packed;
    kernels->pack(&run->products[i], r + layer->ranges[i].first * layer->hidden * layer->hidden,
                  packed);
    packed += packed_bytes(run->operation, i);
  }
  REAL *at = (REAL *)(void *)packed;
  run->row = at, at += width;
  run->wide = at, at += layer->batch * width;
  run->extra = at, at += step;
  run->dhidden = at, at += step;
  run->dcells = at, at += step;
  return at;
}

static struct TYPED(fed__recurrent_run)
    TYPED(begin)(const struct fed__operation *operation, int64_t direction) {
  const struct fed__recurrent *layer = operation->state;
  struct TYPED(fed__recurrent_run) run = {
      .operation = operation,
      .layer = layer,
      .direction = direction,
      .reversed = layer->reversed[direction],
  };
  TYPED(place_saved)(&run);
  return run;
}

/* [batch, steps, input] to [steps, batch, input], or back with the extents the other way round. */
static void TYPED(swap_outer)(int64_t rows, int64_t columns, int64_t inner, const REAL *from,
                              REAL *to) {
  for (int64_t j = 0; j < columns; j++)
    for (int64_t i = 0; i < rows; i++)
      memcpy(to + (j * rows + i) * inner, from + (i * columns + j) * inner,
             (size_t)inner * sizeof *to);
}

int TYPED(fed__recurrent_active)(const struct TYPED(fed__recurrent_run) * run, int64_t step,
                                 int64_t example) {
  const int64_t *lengths = lengths_of(run->operation);
  return !lengths || step < lengths[example];
}

void TYPED(fed__recurrent_multiply)(const struct TYPED(fed__recurrent_run) * run, size_t range,
                                    const REAL *a, double beta, REAL *c) {
  struct fed_gemm product = run->products[range];
  product.beta = beta;
  run->operation->kernels->gemm_packed(&product, a, run->packed[range], c);
}

static REAL *TYPED(raw_of)(const struct TYPED(fed__recurrent_run) * run, const REAL *gates) {
  return run->raw ? run->raw + (gates - run->gates) : NULL;
}

void TYPED(fed__recurrent_activate)(const struct TYPED(fed__recurrent_run) * run, size_t activation,
                                    int64_t count, REAL *gates) {
  const REAL high = (REAL)run->layer->clip, low = -high;
  REAL *raw = TYPED(raw_of)(run, gates);
  for (int64_t i = 0; raw && i < count; i++) {
    raw[i] = gates[i];
    gates[i] = raw[i] > high ? high : raw[i] < low ? low : raw[i];
  }
  TYPED(fed__gate_apply)
  (&run->layer->activations[run->direction][activation], count, gates, gates);
}

void TYPED(fed__recurrent_derive)(const struct TYPED(fed__recurrent_run) * run, size_t activation,
                                  int64_t count, const REAL *dy, REAL *gates) {
  const REAL high = (REAL)run->layer->clip;
  const REAL *raw = TYPED(raw_of)(run, gates);
  TYPED(fed__gate_derive)
  (&run->layer->activations[run->direction][activation], count, gates, dy, gates);
  for (int64_t i = 0; raw && i < count; i++)
    if (REAL_FUNCTION(fabs)(raw[i]) > high) gates[i] = 0;
}

/* B's halves together; the last gate's second half is inside of a product where the kind says so.
 */
static void TYPED(join_bias)(const struct TYPED(fed__recurrent_run) * run) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t width = layer->gates * layer->hidden;
  const int64_t both = layer->bias_within ? width - layer->hidden : width;
  const REAL *b = run->operation->inputs[FED__RECURRENT_B].data;
  b += 2 * run->direction * width;
  memcpy(run->row, b, (size_t)width * sizeof *b);
  for (int64_t i = 0; i < both; i++) run->row[i] += b[width + i];
}

FED__WIDE static void TYPED(add_row)(int64_t rows, int64_t width, const REAL *row, REAL *to) {
  for (int64_t i = 0; i < rows; i++, to += width)
    FED__EACH for (int64_t j = 0; j < width; j++) to[j] += row[j];
}

/* gates = X * W' for all steps; B comes step by step, when the gates are in the cache. */
static void TYPED(project)(const struct TYPED(fed__recurrent_run) * run, const REAL *x) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t width = layer->gates * layer->hidden;
  const REAL *w = run->operation->inputs[FED__RECURRENT_W].data;
  const struct fed_gemm product = {
      .transpose_b = 1,
      .m = layer->steps * layer->batch,
      .n = width,
      .k = layer->input,
      .lda = layer->input,
      .ldb = layer->input,
      .ldc = width,
      .alpha = 1,
  };
  run->operation->kernels->gemm(&product, x, w + run->direction * width * layer->input, run->gates);
}

static void TYPED(run_step)(const struct TYPED(fed__recurrent_run) * run,
                            const struct TYPED(fed__recurrent_cell) * cell, int64_t step) {
  const int64_t batch = run->layer->batch, width = run->layer->gates * run->layer->hidden;
  if (!fed__operand_absent(run->operation, FED__RECURRENT_B))
    TYPED(add_row)(batch, width, run->row, run->gates + step * batch * width);
  cell->step(run, step);
}

/* A state or its gradient, dense by examples; 0 where nothing is given. */
static void TYPED(load_state)(const struct TYPED(fed__recurrent_run) * run, const REAL *from,
                              REAL *to) {
  const struct fed__recurrent *layer = run->layer;
  const struct rows rows = state_rows(layer, run->direction);
  const size_t bytes = (size_t)layer->hidden * sizeof *to;
  for (int64_t i = 0; i < layer->batch; i++, to += layer->hidden)
    if (from)
      memcpy(to, from + rows.base + i * rows.example, bytes);
    else
      memset(to, 0, bytes);
}

static void TYPED(store_state)(const struct TYPED(fed__recurrent_run) * run, const REAL *from,
                               REAL *to) {
  const struct fed__recurrent *layer = run->layer;
  const struct rows rows = state_rows(layer, run->direction);
  for (int64_t i = 0; to && i < layer->batch; i++, from += layer->hidden)
    memcpy(to + rows.base + i * rows.example, from, (size_t)layer->hidden * sizeof *to);
}

static const REAL *TYPED(initial)(const struct fed__operation *operation, uint32_t slot) {
  return fed__operand_absent(operation, slot) ? NULL : operation->inputs[slot].data;
}

static void TYPED(store_outputs)(const struct TYPED(fed__recurrent_run) * run, REAL *y) {
  const struct fed__recurrent *layer = run->layer;
  const struct rows rows = output_rows(layer, run->direction);
  const size_t bytes = (size_t)layer->hidden * sizeof *y;
  for (int64_t t = 0; y && t < layer->steps; t++)
    for (int64_t i = 0; i < layer->batch; i++) {
      REAL *to = y + rows.base + t * rows.step + i * rows.example;
      if (TYPED(fed__recurrent_active)(run, t, i))
        memcpy(to, run->hidden + TYPED(fed__state_after)(run, t, i), bytes);
      else
        memset(to, 0, bytes);
    }
}

/* A length that is none makes all of its example's states and outputs NaN. */
static void TYPED(spoil_example)(const struct TYPED(fed__recurrent_run) * run, int64_t example) {
  const struct fed__recurrent *layer = run->layer;
  const struct rows outputs = output_rows(layer, run->direction);
  const struct rows states = state_rows(layer, run->direction);
  REAL *y = output_data(run->operation, 0);
  for (int64_t t = 0; y && t < layer->steps; t++)
    for (int64_t j = 0; j < layer->hidden; j++)
      y[outputs.base + t * outputs.step + example * outputs.example + j] = NAN;
  for (uint32_t slot = 1; slot <= (uint32_t)layer->states; slot++) {
    REAL *state = output_data(run->operation, slot);
    for (int64_t j = 0; state && j < layer->hidden; j++)
      state[states.base + example * states.example + j] = NAN;
  }
}

static void TYPED(spoil_wrong_lengths)(const struct TYPED(fed__recurrent_run) * run) {
  const int64_t *lengths = lengths_of(run->operation);
  for (int64_t i = 0; lengths && i < run->layer->batch; i++)
    if (lengths[i] < 0 || lengths[i] > run->layer->steps) TYPED(spoil_example)(run, i);
}

static void TYPED(forward_direction)(struct TYPED(fed__recurrent_run) * run, const REAL *x,
                                     const struct TYPED(fed__recurrent_cell) * cell) {
  const struct fed__operation *operation = run->operation;
  const struct fed__recurrent *layer = run->layer;
  const int64_t last = layer->steps - 1, size = layer->batch * layer->hidden;
  const int64_t start = run->reversed ? layer->steps * size : 0, end = layer->steps * size - start;
  TYPED(place_scratch)(run, 0);
  TYPED(project)(run, x);
  if (!fed__operand_absent(operation, FED__RECURRENT_B)) TYPED(join_bias)(run);
  TYPED(load_state)
  (run, TYPED(initial)(operation, FED__RECURRENT_HIDDEN), run->hidden + start);
  if (run->cells) TYPED(load_state)
  (run, TYPED(initial)(operation, FED__RECURRENT_CELLS), run->cells + start);
  for (int64_t i = 0; i <= last; i++) TYPED(run_step)(run, cell, run->reversed ? last - i : i);
  TYPED(store_outputs)(run, output_data(operation, 0));
  TYPED(store_state)(run, run->hidden + end, output_data(operation, 1));
  if (run->cells) TYPED(store_state)(run, run->cells + end, output_data(operation, 2));
  TYPED(spoil_wrong_lengths)(run);
}

void TYPED(fed__recurrent_forward)(const struct fed__operation *operation,
                                   const struct TYPED(fed__recurrent_cell) * cell) {
  const struct fed__recurrent *layer = operation->state;
  const REAL *x = operation->inputs[FED__RECURRENT_X].data;
  if (layer->batch_first) {
    REAL *by_steps = TYPED(saved_input)(operation);
    TYPED(swap_outer)(layer->batch, layer->steps, layer->input, x, by_steps);
    x = by_steps;
  }
  for (int64_t i = 0; i < layer->directions; i++) {
    struct TYPED(fed__recurrent_run) run = TYPED(begin)(operation, i);
    TYPED(forward_direction)(&run, x, cell);
  }
}

/* dhidden += the gradient of a step's output. */
static void TYPED(add_output_gradient)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct fed__recurrent *layer = run->layer;
  const struct rows rows = output_rows(layer, run->direction);
  const REAL *dy = output_gradient(run->operation, 0);
  for (int64_t i = 0; dy && i < layer->batch; i++) {
    const REAL *from = dy + rows.base + step * rows.step + i * rows.example;
    REAL *to = run->dhidden + i * layer->hidden;
    if (TYPED(fed__recurrent_active)(run, step, i)) TYPED(add_row)(1, layer->hidden, from, to);
  }
}

FED__WIDE static void TYPED(column_sums)(int64_t rows, int64_t columns, int64_t stride,
                                         const REAL *from, REAL *sums) {
  memset(sums, 0, (size_t)columns * sizeof *sums);
  for (int64_t i = 0; i < rows; i++, from += stride)
    FED__EACH for (int64_t j = 0; j < columns; j++) sums[j] += from[j];
}

void TYPED(fed__recurrent_rows)(const struct TYPED(fed__recurrent_run) * run,
                                struct fed__gate_range rows, const REAL *gradient, int64_t width,
                                const REAL *states) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t hidden = layer->hidden, all = layer->gates * hidden, first = rows.first * hidden;
  const struct fed_gemm product = {
      .transpose_a = 1,
      .m = rows.count * hidden,
      .n = hidden,
      .k = layer->steps * layer->batch,
      .lda = width,
      .ldb = hidden,
      .ldc = hidden,
      .alpha = 1,
  };
  REAL *db = input_gradient(run->operation, FED__RECURRENT_B);
  if (input_gradient(run->operation, FED__RECURRENT_R))
    fed__product_for_parameter(run->operation, FED__RECURRENT_R,
                               (run->direction * all + first) * hidden, &product, gradient, states);
  if (!db) return;
  db += 2 * run->direction * all + first;
  if (width == all) /* the gates' own gradient, which W's bias has, too */
    memcpy(db + all, db, (size_t)product.m * sizeof *db);
  else
    TYPED(column_sums)(product.k, product.m, width, gradient, db + all);
}

/* Gradients of X, of W, and of W's bias; the second direction adds to the first's of X. */
static void TYPED(project_back)(const struct TYPED(fed__recurrent_run) * run, const REAL *x,
                                REAL *dx) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t width = layer->gates * layer->hidden, rows = layer->steps * layer->batch;
  const int64_t shift = run->direction * width * layer->input;
  const REAL *w = run->operation->inputs[FED__RECURRENT_W].data;
  REAL *db = input_gradient(run->operation, FED__RECURRENT_B);
  struct fed_gemm product = {.m = rows, .n = layer->input, .k = width, .alpha = 1};
  product.lda = width, product.ldb = layer->input, product.ldc = layer->input;
  product.beta = run->direction > 0;
  if (dx) run->operation->kernels->gemm(&product, run->gates, w + shift, dx);
  product.transpose_a = 1, product.m = width, product.k = rows, product.beta = 0;
  if (input_gradient(run->operation, FED__RECURRENT_W))
    fed__product_for_parameter(run->operation, FED__RECURRENT_W, shift, &product, run->gates, x);
  if (db) TYPED(column_sums)(rows, width, width, run->gates, db + 2 * run->direction * width);
}

static void TYPED(backward_direction)(struct TYPED(fed__recurrent_run) * run, const REAL *x,
                                      REAL *dx, const struct TYPED(fed__recurrent_cell) * cell) {
  const struct fed__operation *operation = run->operation;
  const int64_t last = run->layer->steps - 1;
  if (cell->begin_back) cell->begin_back(run);
  TYPED(load_state)(run, output_gradient(operation, 1), run->dhidden);
  if (run->cells) TYPED(load_state)(run, output_gradient(operation, 2), run->dcells);
  for (int64_t i = 0; i <= last; i++) {
    const int64_t step = run->reversed ? i : last - i;
    TYPED(add_output_gradient)(run, step);
    cell->step_back(run, step);
  }
  TYPED(store_state)(run, run->dhidden, input_gradient(operation, FED__RECURRENT_HIDDEN));
  if (run->cells) TYPED(store_state)
  (run, run->dcells, input_gradient(operation, FED__RECURRENT_CELLS));
  TYPED(project_back)(run, x, dx);
  cell->finish_back(run);
}

void TYPED(fed__recurrent_backward)(const struct fed__operation *operation,
                                    const struct TYPED(fed__recurrent_cell) * cell) {
  const struct fed__recurrent *layer = operation->state;
  const struct fed__operand *input = &operation->inputs[FED__RECURRENT_X];
  const REAL *x = layer->batch_first ? TYPED(saved_input)(operation) : input->data;
  REAL *dx = input->gradient;
  for (int64_t i = 0; i < layer->directions; i++) {
    struct TYPED(fed__recurrent_run) run = TYPED(begin)(operation, i);
    REAL *rest = TYPED(place_scratch)(&run, 1);
    if (layer->batch_first && input->gradient) dx = rest;
    TYPED(backward_direction)(&run, x, dx, cell);
  }
  if (layer->batch_first && input->gradient)
    TYPED(swap_outer)(layer->steps, layer->batch, layer->input, dx, input->gradient);
}

#endif
