/* SPDX-License-Identifier: Apache-2.0
 *
 * epochs.c: going through a source of examples, batch by batch, for training and evaluation. The
 * order of an epoch follows from the seed and the epoch's number alone.
 */
#include "train/epochs.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "train/trainer.h"

#include <math.h>

/* ---- do the examples fit? ------------------------------------------------------------------- */

static struct fed_shape without_batch(const struct fed_shape *shape) {
  struct fed_shape example = {.rank = shape->rank - 1};
  for (uint32_t i = 0; i < example.rank; i++) example.dims[i] = shape->dims[i + 1];
  return example;
}

static struct fed_shape without_ones(const struct fed_shape *shape) {
  struct fed_shape squeezed = {0};
  for (uint32_t i = 0; i < shape->rank; i++)
    if (shape->dims[i] != 1) squeezed.dims[squeezed.rank++] = shape->dims[i];
  return squeezed;
}

static int raise_difference(const char *what, const struct fed_tensor *given,
                            const struct fed_tensor *batch) {
  char want[128], got[128];
  const struct fed_shape shape = without_batch(&batch->shape);
  return FED_RAISE(FED_E_SHAPE, "the model needs %s %s %s for one example, the examples have %s %s",
                   what, fed_dtype_name(batch->dtype), fed_shape_format(&shape, want, sizeof want),
                   fed_dtype_name(given->dtype), fed_shape_format(&given->shape, got, sizeof got));
}

static int check_input(const struct fed_tensor *given, const struct fed_tensor *batch) {
  const struct fed_shape shape = without_batch(&batch->shape);
  if (given->dtype == batch->dtype && fed_shape_equal(&given->shape, &shape)) return FED_OK;
  return raise_difference("inputs", given, batch);
}

/* One number and a list of one number are the same target. */
static int check_target(const struct fed_tensor *given, const struct fed_tensor *batch) {
  const struct fed_shape wanted = without_batch(&batch->shape);
  const struct fed_shape shape = without_ones(&wanted), found = without_ones(&given->shape);
  if (given->dtype == batch->dtype && fed_shape_equal(&found, &shape)) return FED_OK;
  return raise_difference("a target", given, batch);
}

static int check_count(size_t count) {
  if (count == 0) return FED_RAISE(FED_E_EMPTY, "there are no examples");
  if (count > UINT32_MAX) return FED_RAISE(FED_E_TOO_LARGE, "%zu examples", count);
  return FED_OK;
}

int fed__examples_check(const struct fed_examples *examples, const struct fed_batch *batch,
                        size_t row_count) {
  size_t inputs = 0;
  while (inputs < FED_INPUTS_MAX && batch->inputs[inputs].data) inputs++;
  if (examples->spec.input_count != inputs)
    return FED_RAISE(FED_E_SHAPE, "the model has %zu inputs, the examples have %zu", inputs,
                     examples->spec.input_count);
  for (size_t i = 0; i < inputs; i++)
    FED_TRY(check_input(&examples->spec.inputs[i], &batch->inputs[i]));
  FED_TRY(check_target(&examples->spec.target, &batch->target));
  return check_count(row_count);
}

/* ---- the order of an epoch ------------------------------------------------------------------ */

static int sum_weights(struct fed__walk *walk) {
  const double *weights = walk->epochs->row_weights;
  double sum = 0;
  if (!weights) return FED_OK;
  walk->sums = fed__alloc(walk->trainer->context, walk->count * sizeof *walk->sums);
  if (!walk->sums) return FED_E_MEMORY;
  for (size_t i = 0; i < walk->count; i++) {
    if (!(weights[i] >= 0 && weights[i] < HUGE_VAL))
      return FED_RAISE(FED_E_RANGE, "the weight of row %zu is %g, expected 0 or more", i,
                       weights[i]);
    walk->sums[i] = sum += weights[i];
  }
  if (sum > 0 && sum < HUGE_VAL) return FED_OK;
  return FED_RAISE(FED_E_RANGE, "the rows' weights add up to %g, expected more than 0", sum);
}

/* The first row whose cumulated weight is above `point`. */
static size_t find_row(const struct fed__walk *walk, double point) {
  size_t low = 0, high = walk->count - 1;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (walk->sums[middle] > point)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static uint32_t row_at(const uint32_t *rows, size_t position) {
  return rows ? rows[position] : (uint32_t)position;
}

static void draw_order(struct fed__walk *walk) {
  const uint32_t *rows = walk->epochs->rows;
  struct fed_rng rng;
  fed__rng_init(&rng, walk->epochs->seed, "train.order", walk->epoch, 0);
  for (size_t i = 0; i < walk->count; i++) {
    const double total = walk->sums ? walk->sums[walk->count - 1] : 0;
    walk->order[i] = row_at(rows, walk->sums ? find_row(walk, fed__rng_unit(&rng) * total) : i);
  }
  if (!walk->sums) fed__rng_shuffle(&rng, walk->order, walk->count);
}

/* ---- training ------------------------------------------------------------------------------- */

static int prepare_walk(struct fed__walk *walk) {
  const struct fed_batch *batch = fed_trainer_batch(walk->trainer);
  FED_TRY(fed__examples_check(walk->examples, batch, walk->count));
  walk->batch_size = (size_t)batch->target.shape.dims[0];
  FED_TRY(sum_weights(walk));
  walk->order = fed__alloc(walk->trainer->context, walk->count * sizeof *walk->order);
  return walk->order ? FED_OK : FED_E_MEMORY;
}

int fed__walk_begin(struct fed__walk *walk, struct fed_trainer *trainer,
                    struct fed_examples *examples, const struct fed_epochs *epochs) {
  *walk = (struct fed__walk){.trainer = trainer,
                             .examples = examples,
                             .epochs = epochs,
                             .count = epochs->rows ? epochs->row_count : examples->count};
  trainer->walk_seed = epochs->seed;
  const int code = prepare_walk(walk);
  if (code != FED_OK) fed__walk_end(walk);
  return code;
}

static void end_pass(struct fed__walk *walk) {
  if (walk->in_pass && walk->examples->end_pass) walk->examples->end_pass(walk->examples);
  walk->in_pass = 0;
}

void fed__walk_end(struct fed__walk *walk) {
  end_pass(walk);
  fed__free(walk->trainer->context, walk->order);
  fed__free(walk->trainer->context, walk->sums);
}

uint64_t fed__walk_steps_per_epoch(const struct fed__walk *walk) {
  return (walk->count + walk->batch_size - 1) / walk->batch_size;
}

int fed__walk_is_over(const struct fed__walk *walk) {
  return walk->epoch >= walk->epochs->epochs ||
         (walk->epochs->steps_max && walk->steps >= walk->epochs->steps_max);
}

static void begin_pass(struct fed__walk *walk) {
  struct fed_rng rng;
  if (walk->in_pass) return;
  draw_order(walk);
  fed__rng_init(&rng, walk->epochs->seed, "train.pass", walk->epoch, 0);
  if (walk->examples->begin_pass) walk->examples->begin_pass(walk->examples, fed__rng_next(&rng));
  walk->in_pass = 1;
}

int fed__walk_gather(struct fed__walk *walk) {
  struct fed_batch *batch = fed_trainer_batch(walk->trainer);
  const size_t left = walk->count - walk->at;
  begin_pass(walk);
  batch->count = left < walk->batch_size ? left : walk->batch_size;
  return walk->examples->gather(walk->examples, walk->order + walk->at, batch->count, batch);
}

void fed__walk_move_on(struct fed__walk *walk) {
  const size_t left = walk->count - walk->at;
  walk->at += left < walk->batch_size ? left : walk->batch_size;
  walk->steps++;
  if (walk->at < walk->count) return;
  end_pass(walk);
  walk->at = 0;
  walk->epoch++;
}

int fed__walk_step(struct fed__walk *walk, struct fed_metrics *metrics) {
  FED_TRY(fed__walk_gather(walk));
  FED_TRY(fed_train_step(walk->trainer, metrics));
  fed__walk_move_on(walk);
  return FED_OK;
}

int fed__walk_skip(struct fed__walk *walk, uint64_t steps) {
  const uint64_t each = fed__walk_steps_per_epoch(walk);
  end_pass(walk);
  walk->epoch = (uint32_t)(steps / each);
  walk->at = 0;
  walk->steps = steps - steps % each;
  for (; walk->steps < steps; fed__walk_move_on(walk))
    if (walk->examples->begin_pass)
      FED_TRY(fed__walk_gather(walk));
    else
      begin_pass(walk);
  return FED_OK;
}

int fed_train_epochs(struct fed_trainer *trainer, struct fed_examples *examples,
                     const struct fed_epochs *epochs, struct fed_metrics *metrics) {
  struct fed__walk walk;
  int code = FED_OK;
  FED_TRY(fed__walk_begin(&walk, trainer, examples, epochs));
  while (code == FED_OK && !fed__walk_is_over(&walk)) code = fed__walk_step(&walk, metrics);
  fed__walk_end(&walk);
  return code;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static int evaluate_rows(struct fed_trainer *trainer, struct fed_examples *examples,
                         const uint32_t *rows, size_t count, struct fed_metrics *metrics) {
  struct fed_batch *batch = fed_trainer_batch(trainer);
  const size_t batch_size = (size_t)batch->target.shape.dims[0];
  for (size_t at = 0; at < count; at += batch->count) {
    batch->count = count - at < batch_size ? count - at : batch_size;
    FED_TRY(examples->gather(examples, rows + at, batch->count, batch));
    FED_TRY(fed_evaluate_step(trainer, metrics));
  }
  return FED_OK;
}

int fed_evaluate(struct fed_trainer *trainer, struct fed_examples *examples, const uint32_t *rows,
                 size_t row_count, struct fed_metrics *metrics) {
  const size_t count = rows ? row_count : examples->count;
  FED_TRY(fed__examples_check(examples, fed_trainer_batch(trainer), count));
  if (rows) return evaluate_rows(trainer, examples, rows, count, metrics);
  uint32_t *all = fed__alloc(trainer->context, count * sizeof *all);
  if (!all) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) all[i] = (uint32_t)i;
  const int code = evaluate_rows(trainer, examples, all, count, metrics);
  fed__free(trainer->context, all);
  return code;
}
