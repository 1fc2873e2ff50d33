/* SPDX-License-Identifier: Apache-2.0
 *
 * outcomes.c: outputs to classes and scores. The named class is the one that fed_evaluate compares
 * with the label, so that both count the same correct ones.
 *
 * A score is the logarithm of the odds, not the probability: it orders the examples alike, and does
 * not run into 0 and 1, where examples would become equal.
 */
#include "train/outcomes.h"
#include "base/memory.h"
#include "base/raise.h"
#include "train/epochs.h"
#include "train/gradient.h"
#include "train/trainer.h"

#include <math.h>

/* Where the classes are in an output: [outer, classes, inner] for one example. */
struct class_axis {
  size_t outer, classes, inner;
};

static struct class_axis find_axis(const struct fed_train_options *options,
                                   const struct fed_shape *output) {
  const uint32_t axis = (options->class_axis ? options->class_axis : 1) - 1;
  struct class_axis found = {1, (size_t)output->dims[axis], 1};
  for (uint32_t i = 0; i < axis; i++) found.outer *= (size_t)output->dims[i];
  for (uint32_t i = axis + 1; i < output->rank; i++) found.inner *= (size_t)output->dims[i];
  return found;
}

static size_t elements_of(const struct fed_shape *shape) {
  size_t count = 1;
  for (uint32_t i = 0; i < shape->rank; i++) count *= (size_t)shape->dims[i];
  return count;
}

uint32_t fed__trainer_classes(const struct fed_trainer *trainer) {
  struct fed_shape output;
  fed_trainer_output(trainer, &output);
  switch (trainer->options.loss) {
  case FED_LOSS_SOFTMAX_CROSS_ENTROPY:
  case FED_LOSS_SOFT_CROSS_ENTROPY: {
    const size_t classes = find_axis(&trainer->options, &output).classes;
    return classes >= 2 && classes <= FED__CLASSES_MAX ? (uint32_t)classes : 0;
  }
  case FED_LOSS_BINARY_CROSS_ENTROPY:
    return output.rank == 0 || output.dims[output.rank - 1] == 1 ? 2 : 0;
  default:
    return 0;
  }
}

/* ---- life ----------------------------------------------------------------------------------- */

static size_t columns_of(const struct fed__outcomes *outcomes) {
  return outcomes->classes == 2 ? 1 : outcomes->classes;
}

static int allocate(struct fed__outcomes *outcomes) {
  const size_t labels = outcomes->row_count * outcomes->labels_each;
  outcomes->wanted = fed__alloc(outcomes->context, labels * sizeof *outcomes->wanted);
  outcomes->named = fed__zalloc(outcomes->context, labels, sizeof *outcomes->named);
  if (!outcomes->wanted || !outcomes->named) return FED_E_MEMORY;
  for (size_t i = 0; i < labels; i++) outcomes->wanted[i] = -1;
  if (labels > FED__SCORES_MAX / columns_of(outcomes)) return FED_OK;
  outcomes->scores =
      fed__zalloc(outcomes->context, labels * columns_of(outcomes), sizeof *outcomes->scores);
  return outcomes->scores ? FED_OK : FED_E_MEMORY;
}

int fed__outcomes_init(struct fed__outcomes *outcomes, const struct fed_context *context,
                       const struct fed_trainer *trainer, size_t row_count) {
  const int is_binary = trainer->options.loss == FED_LOSS_BINARY_CROSS_ENTROPY;
  struct fed_shape output;
  fed_trainer_output(trainer, &output);
  *outcomes = (struct fed__outcomes){
      .context = context, .row_count = row_count, .classes = fed__trainer_classes(trainer)};
  if (!outcomes->classes)
    return FED_RAISE(FED_E_UNSUPPORTED, "the model does not tell classes apart one by one");
  outcomes->labels_each = elements_of(&output) / (is_binary ? 1 : outcomes->classes);
  const int code = allocate(outcomes);
  if (code != FED_OK) fed__outcomes_clear(outcomes);
  return code;
}

void fed__outcomes_clear(struct fed__outcomes *outcomes) {
  fed__free(outcomes->context, outcomes->wanted);
  fed__free(outcomes->context, outcomes->named);
  fed__free(outcomes->context, outcomes->scores);
  *outcomes = (struct fed__outcomes){.context = outcomes->context};
}

void fed__outcomes_drop_scores(struct fed__outcomes *outcomes) {
  fed__free(outcomes->context, outcomes->scores);
  outcomes->scores = NULL;
}

/* ---- one label ------------------------------------------------------------------------------ */

static size_t largest(const float *z, size_t count, size_t step) {
  size_t best = 0;
  for (size_t c = 1; c < count; c++)
    if (z[c * step] > z[best * step]) best = c;
  return best;
}

/* log(p / (1 - p)) of class c is z_c minus the log of the sum of the others' exponentials. For the
 * likeliest class that sum is made without it; for the others it is the whole minus the own, of
 * which little cancels. */
static void score_classes(const float *z, size_t count, size_t step, size_t best, float *scores) {
  const double top = (double)z[best * step];
  double second = -HUGE_VAL, others = 0, below = 0;
  for (size_t c = 0; c < count; c++)
    if (c != best) second = fmax(second, (double)z[c * step]);
  for (size_t c = 0; c < count; c++) {
    if (c == best || second == -HUGE_VAL) continue;
    others += exp((double)z[c * step] - second);
    below += exp((double)z[c * step] - top);
  }
  for (size_t c = 0; c < count; c++) {
    const double own = (double)z[c * step];
    scores[c] = (float)(c == best ? top - (second + log(others))
                                  : own - top - log(1 + below - exp(own - top)));
  }
}

static void take_classes(struct fed__outcomes *outcomes, size_t label, const float *z,
                         size_t step) {
  const size_t count = outcomes->classes, best = largest(z, count, step);
  outcomes->named[label] = (int32_t)best;
  if (!outcomes->scores) return;
  if (count == 2)
    outcomes->scores[label] = z[step] - z[0];
  else
    score_classes(z, count, step, best, outcomes->scores + label * count);
}

static void take_binary(struct fed__outcomes *outcomes, size_t label, float z) {
  outcomes->named[label] = z > 0;
  if (outcomes->scores) outcomes->scores[label] = z;
}

/* ---- batches -------------------------------------------------------------------------------- */

static int32_t wanted_class(const struct fed_trainer *trainer, const struct class_axis *axis,
                            size_t label, size_t at) {
  const struct fed_train_options *options = &trainer->options;
  const void *target = trainer->batch.target.data;
  const int64_t *labels = target;
  if (options->loss == FED_LOSS_SOFT_CROSS_ENTROPY)
    return (int32_t)largest((const float *)target + at, axis->classes, axis->inner);
  if (options->has_ignored_label && labels[label] == options->ignored_label) return -1;
  return labels[label] >= 0 && (uint64_t)labels[label] < axis->classes ? (int32_t)labels[label]
                                                                       : -1;
}

static void take_batch(struct fed__outcomes *outcomes, size_t first, struct fed_trainer *trainer,
                       const struct fed_shape *output, const float *outputs) {
  const size_t labels = trainer->batch.count * outcomes->labels_each;
  const float *binary = trainer->batch.target.data;
  if (trainer->options.loss == FED_LOSS_BINARY_CROSS_ENTROPY) {
    for (size_t i = 0; i < labels; i++) {
      outcomes->wanted[first + i] = binary[i] > 0.5f;
      take_binary(outcomes, first + i, outputs[i]);
    }
    return;
  }
  const struct class_axis axis = find_axis(&trainer->options, output);
  for (size_t i = 0; i < labels; i++) {
    const size_t at = i / axis.inner * axis.classes * axis.inner + i % axis.inner;
    outcomes->wanted[first + i] = wanted_class(trainer, &axis, i, at);
    take_classes(outcomes, first + i, outputs + at, axis.inner);
  }
}

static int check_comparable(const float *outputs, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (isnan(outputs[i]) || outputs[i] == HUGE_VALF)
      return FED_RAISE(FED_E_NOT_FINITE, "the model's output is not a number that can be compared");
  return FED_OK;
}

/* What a step that evaluates has left as outputs, as float32. */
static void copy_outputs(const struct fed_trainer *trainer, size_t count, float *outputs) {
  struct fed_shape shape;
  const void *found = fed__trainer_output(trainer, &shape);
  const double *wide = found;
  if (trainer->kernels->precision == FED_PRECISION_F64)
    for (size_t i = 0; i < count; i++) outputs[i] = (float)wide[i];
  else
    memcpy(outputs, found, count * sizeof *outputs);
}

/* The batch's outputs, and its metrics if they are wanted. */
static int ask(struct fed_trainer *trainer, size_t count, float *outputs,
               struct fed_metrics *metrics) {
  if (!metrics) return fed_predict_step(trainer, outputs);
  FED_TRY(fed_evaluate_step(trainer, metrics));
  copy_outputs(trainer, count, outputs);
  return FED_OK;
}

/* Rows, where what is said of them goes, and how well it fits (NULL: not asked). */
struct gathering {
  struct fed__outcomes *outcomes;
  size_t first;
  struct fed_trainer *trainer;
  struct fed_examples *examples;
  const uint32_t *rows;
  size_t count;
  struct fed_metrics *metrics;
};

static int gather_batches(const struct gathering *gathering, float *outputs) {
  struct fed__outcomes *outcomes = gathering->outcomes;
  struct fed_trainer *trainer = gathering->trainer;
  struct fed_batch *batch = &trainer->batch;
  struct fed_shape output;
  fed_trainer_output(trainer, &output);
  for (size_t at = 0; at < gathering->count; at += batch->count) {
    const size_t left = gathering->count - at;
    batch->count = left < trainer->options.batch_size ? left : trainer->options.batch_size;
    const size_t elements = batch->count * elements_of(&output);
    FED_TRY(gathering->examples->gather(gathering->examples, gathering->rows + at, batch->count,
                                        batch));
    FED_TRY(ask(trainer, elements, outputs, gathering->metrics));
    FED_TRY(check_comparable(outputs, elements));
    take_batch(outcomes, (gathering->first + at) * outcomes->labels_each, trainer, &output,
               outputs);
  }
  return FED_OK;
}

static int gather(const struct gathering *gathering) {
  const struct fed_context *context = gathering->outcomes->context;
  struct fed_trainer *trainer = gathering->trainer;
  struct fed_shape output;
  FED_REQUIRE(gathering->first + gathering->count <= gathering->outcomes->row_count);
  FED_TRY(fed__examples_check(gathering->examples, &trainer->batch, gathering->count));
  fed_trainer_output(trainer, &output);
  float *outputs =
      fed__alloc(context, trainer->options.batch_size * elements_of(&output) * sizeof *outputs);
  if (!outputs) return FED_E_MEMORY;
  const int code = gather_batches(gathering, outputs);
  fed__free(context, outputs);
  return code;
}

int fed__outcomes_gather(struct fed__outcomes *outcomes, size_t first, struct fed_trainer *trainer,
                         struct fed_examples *examples, const uint32_t *rows, size_t row_count) {
  return gather(&(struct gathering){outcomes, first, trainer, examples, rows, row_count, NULL});
}

int fed__outcomes_evaluate(struct fed__outcomes *outcomes, size_t first,
                           struct fed_trainer *trainer, struct fed_examples *examples,
                           const uint32_t *rows, size_t row_count, struct fed_metrics *metrics) {
  return gather(&(struct gathering){outcomes, first, trainer, examples, rows, row_count, metrics});
}
