/* SPDX-License-Identifier: Apache-2.0
 *
 * loss_classes.c: cross entropy of classes, after a softmax along one axis of the output: with a
 * label for each position, or with probabilities. The formulas and the mean are PyTorch's: labels
 * divide by the sum of their classes' weights, probabilities by the number of positions. Linear in
 * the output; two exponentials an element at most.
 *
 * Both are one sum over classes, mass[c] * (log(sum of exp z) - z[c]), where a label's mass is its
 * weight at one class (smoothed: a little at every class).
 */
#ifndef REAL
#include "base/raise.h"
#include "train/loss.h"

#include <math.h>

/* The output as [outer, classes, inner], and what the target wants of it. */
struct class_view {
  size_t outer, classes, inner;
  const int64_t *labels;      /* [outer, inner], or NULL: */
  const float *probabilities; /* as the output */
  const double *weights;
  double smoothing;
  int has_ignored;
  int64_t ignored;
};

static uint32_t axis_of(const struct fed_train_options *options) {
  return options->class_axis ? options->class_axis : 1;
}

static struct class_view view_classes(const struct fed__loss_call *call) {
  const struct fed_train_options *options = call->options;
  const uint32_t axis = axis_of(options);
  struct class_view view = {.outer = 1,
                            .classes = (size_t)call->shape->dims[axis],
                            .inner = 1,
                            .weights = options->class_weights,
                            .smoothing = options->label_smoothing,
                            .has_ignored = options->has_ignored_label,
                            .ignored = options->ignored_label};
  for (uint32_t i = 0; i < axis; i++) view.outer *= (size_t)call->shape->dims[i];
  for (uint32_t i = axis + 1; i < call->shape->rank; i++)
    view.inner *= (size_t)call->shape->dims[i];
  if (options->loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY)
    view.labels = call->target;
  else
    view.probabilities = call->target;
  return view;
}

static int check_output(const struct fed_train_options *options, const struct fed_shape *output) {
  char text[128];
  const uint32_t axis = axis_of(options);
  if (axis >= output->rank)
    return FED_RAISE(FED_E_SHAPE,
                     "cross entropy needs an output [batch, …] with the classes along axis %u, but "
                     "the model gives %s",
                     axis, fed_shape_format(output, text, sizeof text));
  return fed__loss_check_weights(options, output->dims[axis]);
}

static int label_shape(const struct fed_train_options *options, const struct fed_shape *output,
                       struct fed_shape *target) {
  FED_TRY(check_output(options, output));
  *target = (struct fed_shape){0};
  for (uint32_t i = 1; i < output->rank; i++)
    if (i != axis_of(options)) target->dims[target->rank++] = output->dims[i];
  return FED_OK;
}

static int probability_shape(const struct fed_train_options *options,
                             const struct fed_shape *output, struct fed_shape *target) {
  FED_TRY(check_output(options, output));
  *target = (struct fed_shape){.rank = output->rank - 1};
  for (uint32_t i = 1; i < output->rank; i++) target->dims[i - 1] = output->dims[i];
  return FED_OK;
}

static int is_ignored(const struct class_view *view, int64_t label) {
  return view->has_ignored && label == view->ignored;
}

static int check_labels(const struct fed__loss_call *call) {
  const struct class_view view = view_classes(call);
  const size_t positions = view.outer * view.inner, each = positions / call->batch_count;
  for (size_t i = 0; i < positions; i++)
    if (!is_ignored(&view, view.labels[i]) &&
        (view.labels[i] < 0 || (uint64_t)view.labels[i] >= view.classes))
      return FED_RAISE(FED_E_RANGE,
                       "label %lld of example %zu in the batch: the model has classes 0 to %zu",
                       (long long)view.labels[i], i / each, view.classes - 1);
  return FED_OK;
}

static int check_probabilities(const struct fed__loss_call *call) {
  const struct class_view view = view_classes(call);
  const size_t count = view.outer * view.classes * view.inner, each = count / call->batch_count;
  const float *probabilities = call->target;
  for (size_t i = 0; i < count; i++)
    if (!(probabilities[i] >= 0 && probabilities[i] <= 1))
      return FED_RAISE(FED_E_RANGE, "target %g of example %zu in the batch is no probability",
                       (double)probabilities[i], i / each);
  return FED_OK;
}

/* How many labels count, and what the sum of their losses is divided by. */
static size_t count_labels(const struct class_view *view, double *divisor) {
  const size_t positions = view->outer * view->inner;
  size_t count = 0;
  double weights = 0;
  for (size_t i = 0; i < positions && view->labels; i++) {
    if (is_ignored(view, view->labels[i])) continue;
    count++;
    weights += view->weights ? view->weights[view->labels[i]] : 1;
  }
  *divisor = view->labels ? weights : (double)positions;
  return view->labels ? count : positions;
}

/* What class c of a position weighs; `at` is the position's first class in the output. */
static inline double mass_of(const struct class_view *view, size_t position, size_t at, size_t c) {
  double mass = view->labels ? (double)(view->labels[position] == (int64_t)c)
                             : (double)view->probabilities[at + c * view->inner];
  if (view->smoothing > 0)
    mass = (1 - view->smoothing) * mass + view->smoothing / (double)view->classes;
  return view->weights ? mass * view->weights[c] : mass;
}

/* The class that the target wants most. */
static size_t wanted_class(const struct class_view *view, size_t position, size_t at) {
  if (view->labels) return (size_t)view->labels[position];
  size_t best = 0;
  for (size_t c = 1; c < view->classes; c++)
    if (view->probabilities[at + c * view->inner] > view->probabilities[at + best * view->inner])
      best = c;
  return best;
}

#define FED__TEMPLATE "train/loss_classes.c"
#include "train/typed.h"

const struct fed__loss fed__loss_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .target_dtype = FED_I64,
    .has_weights = 1,
    .has_ignored = 1,
    .has_smoothing = 1,
    .target_shape = label_shape,
    .check = check_labels,
    .run = {[FED_PRECISION_F32] = cross_entropy_f32, [FED_PRECISION_F64] = cross_entropy_f64},
};

const struct fed__loss fed__loss_soft_cross_entropy = {
    .name = "soft_cross_entropy",
    .target_dtype = FED_F32,
    .has_weights = 1,
    .has_smoothing = 1,
    .target_shape = probability_shape,
    .check = check_probabilities,
    .run = {[FED_PRECISION_F32] = cross_entropy_f32, [FED_PRECISION_F64] = cross_entropy_f64},
};

#else

/* One position: its classes begin at `at`, inner elements apart. Returns the loss. */
static double TYPED(position_loss)(const struct class_view *view, const REAL *output,
                                   size_t position, size_t at, double scale, REAL *gradient,
                                   int *correct) {
  const REAL *z = output + at;
  const size_t step = view->inner, classes = view->classes;
  size_t best = 0;
  REAL sum = 0;
  for (size_t c = 1; c < classes; c++)
    if (z[c * step] > z[best * step]) best = c;
  const REAL top = z[best * step];
  for (size_t c = 0; c < classes; c++) sum += REAL_FUNCTION(exp)(z[c * step] - top);
  const double log_sum = log((double)sum) + (double)top;
  double loss = 0, total = 0;
  for (size_t c = 0; c < classes; c++) {
    const double mass = mass_of(view, position, at, c);
    total += mass;
    if (mass != 0) loss += mass * (log_sum - (double)z[c * step]); /* z may be -infinity */
  }
  for (size_t c = 0; c < classes && gradient; c++)
    gradient[at + c * step] = REAL_FUNCTION(exp)(z[c * step] - top) / sum * (REAL)(total * scale) -
                              (REAL)(mass_of(view, position, at, c) * scale);
  *correct = best == wanted_class(view, position, at);
  return loss;
}

static void TYPED(clear_position)(const struct class_view *view, size_t at, REAL *gradient) {
  for (size_t c = 0; c < view->classes && gradient; c++) gradient[at + c * view->inner] = 0;
}

static void TYPED(cross_entropy)(const struct fed__loss_call *call) {
  const struct class_view view = view_classes(call);
  double divisor, loss = 0;
  const size_t count = count_labels(&view, &divisor);
  const double scale = divisor > 0 ? 1 / divisor : 0;
  for (size_t i = 0; i < view.outer * view.inner; i++) {
    const size_t at = i / view.inner * view.classes * view.inner + i % view.inner;
    int correct = 0;
    if (view.labels && is_ignored(&view, view.labels[i]))
      TYPED(clear_position)(&view, at, call->gradient);
    else
      loss += TYPED(position_loss)(&view, call->output, i, at, scale, call->gradient, &correct);
    call->metrics->correct_count += (uint64_t)correct;
  }
  call->metrics->loss_sum += view.weights ? loss * scale * (double)count : loss;
  call->metrics->example_count += count;
}

#endif
