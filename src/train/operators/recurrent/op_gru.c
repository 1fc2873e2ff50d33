/* SPDX-License-Identifier: Apache-2.0
 *
 * op_gru.c: GRU with gates z, r and the candidate h in this order; state = (1 - z) * h + z * state.
 * By linear_before_reset:
 *   0: h = g(x Wh' + (r * state) Rh' + Rb + Wb): a second product in every step; kept: r * state
 *   1: h = g(x Wh' + r * (state Rh' + Rb) + Wb): kept: what r is multiplied with; in backward its
 *      gradient, which then is another one than that of h
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operators/recurrent/recurrent.h"

static const struct fed__recurrent_kind kind = {
    .gates = 3,
    .states = 1,
    .kept = 1,
    .activations = 2,
    .absent = {FED__GATE_SIGMOID, FED__GATE_TANH},
    .variant = "linear_before_reset",
};

static const struct fed__gate_range gates_zr = {0, 2}, gate_h = {2, 1};

static int infer_gru(const struct fed__inference *inference) {
  return fed__recurrent_infer(inference, &kind);
}

static int prepare_gru(struct fed__operation *operation) {
  struct fed__recurrent *layer = operation->state;
  FED_TRY(fed__recurrent_read(operation, &kind));
  if (layer->variant) {
    layer->bias_within = 1;
  } else {
    layer->ranges[0] = gates_zr;
    layer->ranges[1] = gate_h;
    layer->range_count = 2;
  }
  fed__recurrent_finish(operation);
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/recurrent/op_gru.c"
#include "train/typed.h"

const struct fed__operator fed__op_gru = {
    .type = "GRU",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 6,
    .outputs_max = 2,
    .infer = infer_gru,
    .trains = fed__recurrent_trains,
    .state_size = sizeof(struct fed__recurrent),
    .prepare = prepare_gru,
    .forward = FED__TYPED(gru_forward),
    .backward = FED__TYPED(gru_backward),
    .backward_inputs = 1 << FED__RECURRENT_X | 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R |
                       1 << FED__RECURRENT_LENGTHS,
    .updates = 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R,
    .work = fed__recurrent_work,
};

#else

/* One example in one step. */
struct TYPED(unit) {
  int64_t hidden;
  REAL *z, *r, *h; /* the gates */
  REAL *kept;
  const REAL *old; /* the state before */
  REAL *state;     /* and after */
};

static struct TYPED(unit)
    TYPED(unit_at)(const struct TYPED(fed__recurrent_run) * run, int64_t step, int64_t example) {
  const int64_t hidden = run->layer->hidden, row = step * run->layer->batch + example;
  REAL *gates = run->gates + row * 3 * hidden;
  return (struct TYPED(unit)){
      .hidden = hidden,
      .z = gates,
      .r = gates + hidden,
      .h = gates + 2 * hidden,
      .kept = run->kept + row * hidden,
      .old = run->hidden + TYPED(fed__state_before)(run, step, example),
      .state = run->hidden + TYPED(fed__state_after)(run, step, example),
  };
}

FED__WIDE static void TYPED(add)(int64_t count, const REAL *from, REAL *to) {
  FED__EACH for (int64_t j = 0; j < count; j++) to[j] += from[j];
}

FED__WIDE static void TYPED(multiply)(int64_t count, const REAL *a, const REAL *b, REAL *c) {
  FED__EACH for (int64_t j = 0; j < count; j++) c[j] = a[j] * b[j];
}

FED__WIDE static void TYPED(add_product)(int64_t count, const REAL *a, const REAL *b, REAL *sum) {
  FED__EACH for (int64_t j = 0; j < count; j++) sum[j] += a[j] * b[j];
}

FED__WIDE static void TYPED(mix)(const struct TYPED(unit) * unit) {
  const REAL *z = unit->z, *h = unit->h, *old = unit->old;
  REAL *state = unit->state;
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) state[j] = (1 - z[j]) * h[j] + z[j] * old[j];
}

/* The last steps, once the gates z and r and what h gets are there. An example that does not take
 * part keeps its state. */
static void TYPED(finish_unit)(const struct TYPED(fed__recurrent_run) * run,
                               const struct TYPED(unit) * unit, int active) {
  const size_t bytes = (size_t)unit->hidden * sizeof *unit->state;
  if (active) {
    TYPED(fed__recurrent_activate)(run, 1, unit->hidden, unit->h);
    TYPED(mix)(unit);
  } else {
    memset(unit->kept, 0, bytes);
    memcpy(unit->state, unit->old, bytes);
  }
}

static void TYPED(step_reset_first)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct TYPED(unit) first = TYPED(unit_at)(run, step, 0);
  TYPED(fed__recurrent_multiply)(run, 0, first.old, 1, first.z);
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    TYPED(fed__recurrent_activate)(run, 0, 2 * unit.hidden, unit.z);
    TYPED(multiply)(unit.hidden, unit.r, unit.old, unit.kept);
  }
  TYPED(fed__recurrent_multiply)(run, 1, first.kept, 1, first.h);
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    TYPED(finish_unit)(run, &unit, TYPED(fed__recurrent_active)(run, step, i));
  }
}

/* Rb of the candidate, or NULL. */
static const REAL *TYPED(bias_within)(const struct TYPED(fed__recurrent_run) * run) {
  if (fed__operand_absent(run->operation, FED__RECURRENT_B)) return NULL;
  return (const REAL *)run->operation->inputs[FED__RECURRENT_B].data +
         (6 * run->direction + 5) * run->layer->hidden;
}

static void TYPED(step_linear_first)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const int64_t hidden = run->layer->hidden;
  const REAL *bias = TYPED(bias_within)(run);
  TYPED(fed__recurrent_multiply)
  (run, 0, run->hidden + TYPED(fed__state_before)(run, step, 0), 0, run->wide);
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    const REAL *product = run->wide + i * 3 * hidden;
    TYPED(add)(2 * hidden, product, unit.z);
    TYPED(fed__recurrent_activate)(run, 0, 2 * hidden, unit.z);
    memcpy(unit.kept, product + 2 * hidden, (size_t)hidden * sizeof *product);
    if (bias) TYPED(add)(hidden, bias, unit.kept);
    TYPED(add_product)(hidden, unit.r, unit.kept, unit.h);
    TYPED(finish_unit)(run, &unit, TYPED(fed__recurrent_active)(run, step, i));
  }
}

/* The gradient of h's input in place of h, that of z into the row; dstate becomes z's part of the
 * state before. */
FED__WIDE static void TYPED(split_mix)(const struct TYPED(unit) * unit, REAL *row, REAL *dstate) {
  const REAL *z = unit->z, *h = unit->h, *old = unit->old;
  REAL *dz = row, *dh = row + 2 * unit->hidden;
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) {
    dz[j] = dstate[j] * (old[j] - h[j]);
    dh[j] = dstate[j] * (1 - z[j]);
    dstate[j] *= z[j];
  }
}

static void TYPED(unmix)(const struct TYPED(fed__recurrent_run) * run,
                         const struct TYPED(unit) * unit, REAL *dstate) {
  REAL *row = run->row;
  TYPED(split_mix)(unit, row, dstate);
  TYPED(fed__recurrent_derive)(run, 0, unit->hidden, row, unit->z);
  TYPED(fed__recurrent_derive)(run, 1, unit->hidden, row + 2 * unit->hidden, unit->h);
}

static void TYPED(idle_back)(const struct TYPED(unit) * unit) {
  memset(unit->z, 0, 3 * (size_t)unit->hidden * sizeof *unit->z);
}

static void TYPED(step_back_reset_first)(const struct TYPED(fed__recurrent_run) * run,
                                         int64_t step) {
  const int64_t hidden = run->layer->hidden;
  const struct TYPED(unit) first = TYPED(unit_at)(run, step, 0);
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    if (TYPED(fed__recurrent_active)(run, step, i))
      TYPED(unmix)(run, &unit, run->dhidden + i * hidden);
    else
      TYPED(idle_back)(&unit);
  }
  TYPED(fed__recurrent_multiply)(run, 1, first.h, 0, run->extra); /* d(r * state) */
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    const REAL *reset = run->extra + i * hidden;
    TYPED(add_product)(hidden, reset, unit.r, run->dhidden + i * hidden);
    TYPED(multiply)(hidden, reset, unit.old, run->row);
    TYPED(fed__recurrent_derive)(run, 0, hidden, run->row, unit.r);
  }
  TYPED(fed__recurrent_multiply)(run, 0, first.z, 1, run->dhidden);
}

static void TYPED(step_back_linear_first)(const struct TYPED(fed__recurrent_run) * run,
                                          int64_t step) {
  const int64_t hidden = run->layer->hidden;
  for (int64_t i = 0; i < run->layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    REAL *product = run->wide + i * 3 * hidden;
    if (TYPED(fed__recurrent_active)(run, step, i)) {
      TYPED(unmix)(run, &unit, run->dhidden + i * hidden);
      TYPED(multiply)(hidden, unit.h, unit.kept, run->row);
      TYPED(multiply)(hidden, unit.h, unit.r, unit.kept);
      TYPED(fed__recurrent_derive)(run, 0, hidden, run->row, unit.r);
    } else {
      TYPED(idle_back)(&unit);
    }
    memcpy(product, unit.z, 2 * (size_t)hidden * sizeof *product);
    memcpy(product + 2 * hidden, unit.kept, (size_t)hidden * sizeof *product);
  }
  TYPED(fed__recurrent_multiply)(run, 0, run->wide, 1, run->dhidden);
}

static void TYPED(finish_back)(const struct TYPED(fed__recurrent_run) * run) {
  const int64_t hidden = run->layer->hidden, width = 3 * hidden;
  const REAL *states = run->hidden + TYPED(fed__state_before)(run, 0, 0);
  TYPED(fed__recurrent_rows)(run, gates_zr, run->gates, width, states);
  if (run->layer->variant)
    TYPED(fed__recurrent_rows)(run, gate_h, run->kept, hidden, states);
  else
    TYPED(fed__recurrent_rows)(run, gate_h, run->gates + 2 * hidden, width, run->kept);
}

static const struct TYPED(fed__recurrent_cell) TYPED(cells)[] = {
    {TYPED(step_reset_first), TYPED(step_back_reset_first), TYPED(finish_back), NULL},
    {TYPED(step_linear_first), TYPED(step_back_linear_first), TYPED(finish_back), NULL},
};

static const struct TYPED(fed__recurrent_cell) *
    TYPED(cell_of)(const struct fed__operation *operation) {
  const struct fed__recurrent *layer = operation->state;
  return &TYPED(cells)[layer->variant != 0];
}

static void TYPED(gru_forward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_forward)(operation, TYPED(cell_of)(operation));
}

static void TYPED(gru_backward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_backward)(operation, TYPED(cell_of)(operation));
}

#endif
