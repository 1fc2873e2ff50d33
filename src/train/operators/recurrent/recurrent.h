/* SPDX-License-Identifier: Apache-2.0
 *
 * recurrent.h: what LSTM, GRU and RNN share. A layer is two or one directions, each for itself: the
 * inputs of all steps times W as one product, then step by step the state times R and the cell's
 * own formulas; in backward the steps in turn, from the last one, and the gradients of W and R as
 * one product each over all steps.
 *
 * Sequences shorter than the longest: an example takes part in step t if t is below its length;
 * otherwise its state stays as it is and the output is 0. Going in reverse, from the last step,
 * that is the initial state up to the sequence's own end.
 */
#ifndef FED_TRAIN_RECURRENT_H
#define FED_TRAIN_RECURRENT_H

#include "train/operators/recurrent/gate.h"

enum {
  FED__RECURRENT_X,
  FED__RECURRENT_W,
  FED__RECURRENT_R,
  FED__RECURRENT_B,
  FED__RECURRENT_LENGTHS,
  FED__RECURRENT_HIDDEN,
  FED__RECURRENT_CELLS,
  FED__RECURRENT_PEEPHOLES
};

/* What distinguishes LSTM, GRU and RNN before anything runs. */
struct fed__recurrent_kind {
  int64_t gates;  /* blocks of W */
  int64_t states; /* that go from step to step: 2 with cells, else 1 */
  int64_t kept;   /* numbers kept for backward, beside gates and states, in blocks */
  size_t activations;
  enum fed__gate_kind absent[FED__GATES_MAX];
  const char *variant; /* an attribute of the kind's own, or NULL */
};

/* Some of the gates, and their rows of R. */
struct fed__gate_range {
  int64_t first, count;
};

struct fed__recurrent {
  int64_t steps, batch, input, hidden, directions, gates, states, kept;
  int64_t batch_first; /* the layout: X is [batch, steps, input] */
  int64_t variant;     /* the kind's own attribute */
  int reversed[2];
  double clip; /* 0: no limit */
  struct fed__gate activations[2][FED__GATES_MAX];
  struct fed__gate_range ranges[2]; /* of R, in a product each */
  size_t range_count;
  int bias_within; /* the last gate's second bias does not add to the first: the cell sees to it */
};

/* Types, shapes, attributes. */
FED_MUST int fed__recurrent_infer(const struct fed__inference *inference,
                                  const struct fed__recurrent_kind *kind);
/* Into operation->state, which begins with a struct fed__recurrent; all of R in one range. */
FED_MUST int fed__recurrent_read(struct fed__operation *operation,
                                 const struct fed__recurrent_kind *kind);
/* Sizes of saved and scratch, once the ranges are final. */
void fed__recurrent_finish(struct fed__operation *operation);

int fed__recurrent_trains(uint32_t slot, const struct fed_shape *shape);
double fed__recurrent_work(const struct fed__inference *inference);

#define FED__TEMPLATE "train/operators/recurrent/recurrent_run.h"
#include "train/typed.h"

#endif
