/* SPDX-License-Identifier: Apache-2.0
 *
 * epochs.h: going through examples step by step, for who wants to do something between two steps
 * (fed train: write a line, make a checkpoint). fed_train_epochs is such a walk from end to end.
 */
#ifndef FED_TRAIN_EPOCHS_H
#define FED_TRAIN_EPOCHS_H

#include "fed/train.h"

/* Are the examples what the batch takes, and are there any rows, not too many? FED_E_SHAPE,
 * FED_E_EMPTY, FED_E_TOO_LARGE. */
FED_MUST int fed__examples_check(const struct fed_examples *examples, const struct fed_batch *batch,
                                 size_t row_count);

/* The order of the rows follows from the seed and the epoch's number alone. */
struct fed__walk {
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  const struct fed_epochs *epochs;
  uint32_t *order;
  double *sums; /* of the rows' weights, cumulated; NULL without weights */
  size_t count, batch_size;
  uint32_t epoch; /* 0, 1 …; epochs->epochs: at the end */
  size_t at;      /* rows of this epoch that are done */
  uint64_t steps; /* done since the walk began */
  int in_pass;
};

/* `epochs` must outlive the walk; a walk that begins must end. FED_E_SHAPE if the examples are not
 * what the trainer takes, FED_E_EMPTY, FED_E_RANGE for weights, FED_E_MEMORY: nothing to end. */
FED_MUST int fed__walk_begin(struct fed__walk *walk, struct fed_trainer *trainer,
                             struct fed_examples *examples, const struct fed_epochs *epochs);
void fed__walk_end(struct fed__walk *walk);

uint64_t fed__walk_steps_per_epoch(const struct fed__walk *walk);

int fed__walk_is_over(const struct fed__walk *walk);

/* The next training step; moves on to the next epoch behind the last batch of one. */
FED_MUST int fed__walk_step(struct fed__walk *walk, struct fed_metrics *metrics);

/* Its two halves, for who does something else with the batch: put the next examples into the
 * trainer's batch; count them as done. */
FED_MUST int fed__walk_gather(struct fed__walk *walk);
void fed__walk_move_on(struct fed__walk *walk);

/* Stand where so many steps would have led: nothing trains, but examples that draw random numbers
 * as they are read are read. */
FED_MUST int fed__walk_skip(struct fed__walk *walk, uint64_t steps);

#endif
