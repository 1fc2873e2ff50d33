/* SPDX-License-Identifier: Apache-2.0
 *
 * op_lstm.c: LSTM with gates i, o, f and the candidate c in this order, from x W' + state R' + B:
 * cell = f * cell + i * c, state = o * h(cell). Peepholes add cell * P to i and f, and the new cell
 * to o; with coupled gates f is 1 - i. Kept beside gates and states: h(cell).
 * The attribute clip limits what the gates get, not what h gets, as onnxruntime does it.
 */
#ifndef REAL
#include "base/raise.h"
#include "base/wide.h"
#include "train/operators/elementwise/transcendental.h"
#include "train/operators/recurrent/recurrent.h"

static const struct fed__recurrent_kind kind = {
    .gates = 4,
    .states = 2,
    .kept = 1,
    .activations = 3,
    .absent = {FED__GATE_SIGMOID, FED__GATE_TANH, FED__GATE_TANH},
    .variant = "input_forget",
};

static int infer_lstm(const struct fed__inference *inference) {
  return fed__recurrent_infer(inference, &kind);
}

static int prepare_lstm(struct fed__operation *operation) {
  FED_TRY(fed__recurrent_read(operation, &kind));
  fed__recurrent_finish(operation);
  return FED_OK;
}

/* As nearly all are: then a unit's formulas are one loop. */
static int is_plain(const struct fed__operation *operation, int64_t direction) {
  const struct fed__recurrent *layer = operation->state;
  const struct fed__gate *activations = layer->activations[direction];
  return layer->variant == 0 && layer->clip == 0 &&
         fed__operand_absent(operation, FED__RECURRENT_PEEPHOLES) &&
         activations[0].kind == FED__GATE_SIGMOID && activations[1].kind == FED__GATE_TANH &&
         activations[2].kind == FED__GATE_TANH;
}

#define FED__TEMPLATE "train/operators/recurrent/op_lstm.c"
#include "train/typed.h"

const struct fed__operator fed__op_lstm = {
    .type = "LSTM",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 8,
    .outputs_max = 3,
    .infer = infer_lstm,
    .trains = fed__recurrent_trains,
    .state_size = sizeof(struct fed__recurrent),
    .prepare = prepare_lstm,
    .forward = FED__TYPED(lstm_forward),
    .backward = FED__TYPED(lstm_backward),
    .backward_inputs = 1 << FED__RECURRENT_X | 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R |
                       1 << FED__RECURRENT_LENGTHS | 1 << FED__RECURRENT_PEEPHOLES,
    .updates = 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R,
    .work = fed__recurrent_work,
};

#else

/* One example in one step. */
struct TYPED(unit) {
  int64_t hidden;
  REAL *i, *o, *f, *c;  /* the gates */
  const REAL *p;        /* weights of the cell in i, o and f, or NULL */
  const REAL *old_cell; /* before the step */
  REAL *cell;           /* after */
  REAL *squashed;       /* h(cell) */
};

static struct TYPED(unit)
    TYPED(unit_at)(const struct TYPED(fed__recurrent_run) * run, int64_t step, int64_t example) {
  const struct fed__operation *operation = run->operation;
  const int64_t hidden = run->layer->hidden, row = step * run->layer->batch + example;
  REAL *gates = run->gates + row * 4 * hidden;
  struct TYPED(unit) unit = {
      .hidden = hidden,
      .i = gates,
      .o = gates + hidden,
      .f = gates + 2 * hidden,
      .c = gates + 3 * hidden,
      .old_cell = run->cells + TYPED(fed__state_before)(run, step, example),
      .cell = run->cells + TYPED(fed__state_after)(run, step, example),
      .squashed = run->kept + row * hidden,
  };
  if (!fed__operand_absent(operation, FED__RECURRENT_PEEPHOLES))
    unit.p = (const REAL *)operation->inputs[FED__RECURRENT_PEEPHOLES].data +
             3 * run->direction * hidden;
  return unit;
}

/* sum += a * b */
FED__WIDE static void TYPED(add_product)(int64_t count, const REAL *a, const REAL *b, REAL *sum) {
  FED__EACH for (int64_t j = 0; j < count; j++) sum[j] += a[j] * b[j];
}

FED__WIDE static void TYPED(new_cell)(const struct TYPED(unit) * unit) {
  const REAL *i = unit->i, *f = unit->f, *c = unit->c, *old = unit->old_cell;
  REAL *cell = unit->cell;
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) cell[j] = f[j] * old[j] + i[j] * c[j];
}

static void TYPED(couple)(const struct TYPED(unit) * unit) {
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) unit->f[j] = 1 - unit->i[j];
}

FED__WIDE static void TYPED(multiply)(int64_t count, const REAL *a, const REAL *b, REAL *c) {
  FED__EACH for (int64_t j = 0; j < count; j++) c[j] = a[j] * b[j];
}

/* The gates i, o and f in one go where o does not wait for the cell. */
static void TYPED(run_unit)(const struct TYPED(fed__recurrent_run) * run,
                            const struct TYPED(unit) * unit, REAL *state) {
  const int64_t hidden = unit->hidden;
  if (unit->p) {
    TYPED(add_product)(hidden, unit->p, unit->old_cell, unit->i);
    TYPED(add_product)(hidden, unit->p + 2 * hidden, unit->old_cell, unit->f);
    TYPED(fed__recurrent_activate)(run, 0, hidden, unit->i);
    TYPED(fed__recurrent_activate)(run, 0, hidden, unit->f);
  } else {
    TYPED(fed__recurrent_activate)(run, 0, 3 * hidden, unit->i);
  }
  if (run->layer->variant) TYPED(couple)(unit);
  TYPED(fed__recurrent_activate)(run, 1, hidden, unit->c);
  TYPED(new_cell)(unit);
  if (unit->p) {
    TYPED(add_product)(hidden, unit->p + hidden, unit->cell, unit->o);
    TYPED(fed__recurrent_activate)(run, 0, hidden, unit->o);
  }
  TYPED(fed__gate_apply)
  (&run->layer->activations[run->direction][2], hidden, unit->cell, unit->squashed);
  TYPED(multiply)(hidden, unit->o, unit->squashed, state);
}

/* The same, in the same order of operations. */
FED__WIDE static void TYPED(run_plain_unit)(const struct TYPED(unit) * unit, REAL *state) {
  REAL *i = unit->i, *o = unit->o, *f = unit->f, *c = unit->c;
  REAL *cell = unit->cell, *squashed = unit->squashed;
  const REAL *old = unit->old_cell;
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) {
    i[j] = TYPED(fed__sigmoid)(i[j]);
    o[j] = TYPED(fed__sigmoid)(o[j]);
    f[j] = TYPED(fed__sigmoid)(f[j]);
    c[j] = TYPED(fed__tanh)(c[j]);
    cell[j] = f[j] * old[j] + i[j] * c[j];
    squashed[j] = TYPED(fed__tanh)(cell[j]);
    state[j] = o[j] * squashed[j];
  }
}

static void TYPED(step)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct fed__recurrent *layer = run->layer;
  const int plain = is_plain(run->operation, run->direction);
  const size_t bytes = (size_t)layer->hidden * sizeof *run->hidden;
  const REAL *before = run->hidden + TYPED(fed__state_before)(run, step, 0);
  TYPED(fed__recurrent_multiply)
  (run, 0, before, 1, run->gates + step * layer->batch * 4 * layer->hidden);
  for (int64_t i = 0; i < layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    REAL *state = run->hidden + TYPED(fed__state_after)(run, step, i);
    if (TYPED(fed__recurrent_active)(run, step, i)) {
      if (plain)
        TYPED(run_plain_unit)(&unit, state);
      else
        TYPED(run_unit)(run, &unit, state);
    } else {
      memcpy(state, before + i * layer->hidden, bytes);
      memcpy(unit.cell, unit.old_cell, bytes);
    }
  }
}

/* dcell += dstate * o * h'(cell); the row's first gate serves as memory. */
static void TYPED(unsquash)(const struct TYPED(fed__recurrent_run) * run,
                            const struct TYPED(unit) * unit, const REAL *dstate, REAL *dcell) {
  REAL *slope = run->row;
  TYPED(multiply)(unit->hidden, dstate, unit->o, slope);
  TYPED(fed__gate_derive)
  (&run->layer->activations[run->direction][2], unit->hidden, unit->squashed, slope, slope);
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) dcell[j] += slope[j];
}

/* The gradients of i, f and c into the row; dcell becomes that of the cell before. */
FED__WIDE static void TYPED(split_cell)(const struct TYPED(unit) * unit, int coupled, REAL *row,
                                        REAL *dcell) {
  const REAL *i = unit->i, *f = unit->f, *c = unit->c, *old = unit->old_cell;
  const int64_t hidden = unit->hidden;
  REAL *di = row, *df = row + 2 * hidden, *dc = row + 3 * hidden;
  FED__EACH for (int64_t j = 0; j < hidden; j++) {
    di[j] = dcell[j] * c[j];
    df[j] = dcell[j] * old[j];
    dc[j] = dcell[j] * i[j];
    dcell[j] *= f[j];
  }
  for (int64_t j = 0; coupled && j < hidden; j++) di[j] -= df[j], df[j] = 0;
}

/* With peepholes: what a gate's gradient means for the cell that it looked at, and for P. */
static void TYPED(peep_back)(const struct TYPED(fed__recurrent_run) * run, int64_t gate,
                             const REAL *gradient, const REAL *cell, REAL *dcell) {
  const int64_t hidden = run->layer->hidden, at = (3 * run->direction + gate) * hidden;
  const struct fed__operand *input = &run->operation->inputs[FED__RECURRENT_PEEPHOLES];
  TYPED(add_product)(hidden, gradient, (const REAL *)input->data + at, dcell);
  if (input->gradient) TYPED(add_product)(hidden, gradient, cell, (REAL *)input->gradient + at);
}

static void TYPED(run_unit_back)(const struct TYPED(fed__recurrent_run) * run,
                                 const struct TYPED(unit) * unit, const REAL *dstate, REAL *dcell) {
  const int64_t hidden = unit->hidden;
  REAL *row = run->row;
  TYPED(unsquash)(run, unit, dstate, dcell);
  TYPED(multiply)(hidden, dstate, unit->squashed, row + hidden);
  TYPED(fed__recurrent_derive)(run, 0, hidden, row + hidden, unit->o);
  if (unit->p) TYPED(peep_back)(run, 1, unit->o, unit->cell, dcell);
  TYPED(split_cell)(unit, run->layer->variant != 0, row, dcell);
  TYPED(fed__recurrent_derive)(run, 0, hidden, row, unit->i);
  TYPED(fed__recurrent_derive)(run, 0, hidden, row + 2 * hidden, unit->f);
  TYPED(fed__recurrent_derive)(run, 1, hidden, row + 3 * hidden, unit->c);
  if (!unit->p) return;
  TYPED(peep_back)(run, 0, unit->i, unit->old_cell, dcell);
  TYPED(peep_back)(run, 2, unit->f, unit->old_cell, dcell);
}

FED__WIDE static void TYPED(run_plain_unit_back)(const struct TYPED(unit) * unit,
                                                 const REAL *dstate, REAL *dcell) {
  REAL *i = unit->i, *o = unit->o, *f = unit->f, *c = unit->c;
  const REAL *old = unit->old_cell, *squashed = unit->squashed;
  FED__EACH for (int64_t j = 0; j < unit->hidden; j++) {
    const REAL in = i[j], out = o[j], forget = f[j], candidate = c[j];
    const REAL change = dcell[j] + dstate[j] * out * (1 - squashed[j] * squashed[j]);
    o[j] = dstate[j] * squashed[j] * (out * (1 - out));
    i[j] = change * candidate * (in * (1 - in));
    f[j] = change * old[j] * (forget * (1 - forget));
    c[j] = change * in * (1 - candidate * candidate);
    dcell[j] = change * forget;
  }
}

/* P's gradient is collected over the steps. */
static void TYPED(clear_peepholes)(const struct TYPED(fed__recurrent_run) * run) {
  const int64_t count = 3 * run->layer->hidden;
  if (fed__operand_absent(run->operation, FED__RECURRENT_PEEPHOLES)) return;
  REAL *gradient = run->operation->inputs[FED__RECURRENT_PEEPHOLES].gradient;
  if (gradient) memset(gradient + run->direction * count, 0, (size_t)count * sizeof *gradient);
}

static void TYPED(step_back)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t hidden = layer->hidden;
  const int plain = is_plain(run->operation, run->direction);
  for (int64_t i = 0; i < layer->batch; i++) {
    const struct TYPED(unit) unit = TYPED(unit_at)(run, step, i);
    REAL *dstate = run->dhidden + i * hidden;
    if (TYPED(fed__recurrent_active)(run, step, i)) {
      if (plain)
        TYPED(run_plain_unit_back)(&unit, dstate, run->dcells + i * hidden);
      else
        TYPED(run_unit_back)(run, &unit, dstate, run->dcells + i * hidden);
      memset(dstate, 0, (size_t)hidden * sizeof *dstate);
    } else {
      memset(unit.i, 0, 4 * (size_t)hidden * sizeof *unit.i);
    }
  }
  TYPED(fed__recurrent_multiply)
  (run, 0, run->gates + step * layer->batch * 4 * hidden, 1, run->dhidden);
}

static void TYPED(finish_back)(const struct TYPED(fed__recurrent_run) * run) {
  TYPED(fed__recurrent_rows)
  (run, (struct fed__gate_range){0, 4}, run->gates, 4 * run->layer->hidden,
   run->hidden + TYPED(fed__state_before)(run, 0, 0));
}

static const struct TYPED(fed__recurrent_cell)
    TYPED(cell) = {TYPED(step), TYPED(step_back), TYPED(finish_back), TYPED(clear_peepholes)};

static void TYPED(lstm_forward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_forward)(operation, &TYPED(cell));
}

static void TYPED(lstm_backward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_backward)(operation, &TYPED(cell));
}

#endif
