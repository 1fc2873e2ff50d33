/* SPDX-License-Identifier: Apache-2.0
 *
 * op_rnn.c: RNN: state = f(x W' + state R' + Wb + Rb).
 */
#ifndef REAL
#include "base/raise.h"
#include "train/operators/recurrent/recurrent.h"

static const struct fed__recurrent_kind kind = {
    .gates = 1, .states = 1, .activations = 1, .absent = {FED__GATE_TANH}};

static int infer_rnn(const struct fed__inference *inference) {
  return fed__recurrent_infer(inference, &kind);
}

static int prepare_rnn(struct fed__operation *operation) {
  FED_TRY(fed__recurrent_read(operation, &kind));
  fed__recurrent_finish(operation);
  return FED_OK;
}

#define FED__TEMPLATE "train/operators/recurrent/op_rnn.c"
#include "train/typed.h"

const struct fed__operator fed__op_rnn = {
    .type = "RNN",
    .opset_min = 13,
    .opset_max = 28,
    .inputs_min = 3,
    .inputs_max = 6,
    .outputs_max = 2,
    .infer = infer_rnn,
    .trains = fed__recurrent_trains,
    .state_size = sizeof(struct fed__recurrent),
    .prepare = prepare_rnn,
    .forward = FED__TYPED(rnn_forward),
    .backward = FED__TYPED(rnn_backward),
    .backward_inputs = 1 << FED__RECURRENT_X | 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R |
                       1 << FED__RECURRENT_LENGTHS,
    .updates = 1 << FED__RECURRENT_W | 1 << FED__RECURRENT_R,
    .work = fed__recurrent_work,
};

#else

static void TYPED(step)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct fed__recurrent *layer = run->layer;
  const size_t bytes = (size_t)layer->hidden * sizeof *run->hidden;
  const REAL *before = run->hidden + TYPED(fed__state_before)(run, step, 0);
  REAL *gates = run->gates + step * layer->batch * layer->hidden;
  TYPED(fed__recurrent_multiply)(run, 0, before, 1, gates);
  TYPED(fed__recurrent_activate)(run, 0, layer->batch * layer->hidden, gates);
  for (int64_t i = 0; i < layer->batch; i++)
    memcpy(run->hidden + TYPED(fed__state_after)(run, step, i),
           (TYPED(fed__recurrent_active)(run, step, i) ? gates : before) + i * layer->hidden,
           bytes);
}

static void TYPED(step_back)(const struct TYPED(fed__recurrent_run) * run, int64_t step) {
  const struct fed__recurrent *layer = run->layer;
  const int64_t hidden = layer->hidden;
  REAL *gates = run->gates + step * layer->batch * hidden;
  for (int64_t i = 0; i < layer->batch; i++) {
    REAL *own = gates + i * hidden, *gradient = run->dhidden + i * hidden;
    REAL *idle = TYPED(fed__recurrent_active)(run, step, i) ? gradient : own;
    TYPED(fed__recurrent_derive)(run, 0, hidden, gradient, own);
    memset(idle, 0, (size_t)hidden * sizeof *idle);
  }
  TYPED(fed__recurrent_multiply)(run, 0, gates, 1, run->dhidden);
}

static void TYPED(finish_back)(const struct TYPED(fed__recurrent_run) * run) {
  TYPED(fed__recurrent_rows)
  (run, (struct fed__gate_range){0, 1}, run->gates, run->layer->hidden,
   run->hidden + TYPED(fed__state_before)(run, 0, 0));
}

static const struct TYPED(fed__recurrent_cell)
    TYPED(cell) = {TYPED(step), TYPED(step_back), TYPED(finish_back), NULL};

static void TYPED(rnn_forward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_forward)(operation, &TYPED(cell));
}

static void TYPED(rnn_backward)(const struct fed__operation *operation) {
  TYPED(fed__recurrent_backward)(operation, &TYPED(cell));
}

#endif
