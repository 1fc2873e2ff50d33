/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c: softmax cross entropy over [N, classes] or [N, classes, positions…]: the mean over all
 * labels for the gradient, the sum for the metrics; every label counts as one example. Linear in
 * the output; two exponentials an element at most.
 */
#ifndef REAL
#include "train/loss.h"
#include "base/raise.h"

#include <math.h>

/* The output as [outer, classes, inner]. */
struct class_view {
  size_t outer, classes, inner;
};

static struct class_view view_classes(const struct fed_shape *shape) {
  struct class_view view = {(size_t)shape->dims[0], (size_t)shape->dims[1], 1};
  for (uint32_t i = 2; i < shape->rank; i++) view.inner *= (size_t)shape->dims[i];
  return view;
}

static int cross_entropy_target(const struct fed_shape *output, struct fed_shape *target) {
  char text[128];
  if (output->rank < 2)
    return FED_RAISE(FED_E_SHAPE,
                     "cross entropy needs an output [batch, classes, …], but the "
                     "model gives %s",
                     fed_shape_format(output, text, sizeof text));
  *target = (struct fed_shape){.rank = output->rank - 2};
  for (uint32_t i = 0; i < target->rank; i++) target->dims[i] = output->dims[i + 2];
  return FED_OK;
}

static int cross_entropy_check(const struct fed__loss_call *call) {
  const struct class_view view = view_classes(call->shape);
  const int64_t *labels = call->target;
  for (size_t i = 0; i < view.outer * view.inner; i++)
    if (labels[i] < 0 || (uint64_t)labels[i] >= view.classes)
      return FED_RAISE(FED_E_RANGE,
                       "label %lld of example %zu in the batch: the model has classes "
                       "0 to %zu",
                       (long long)labels[i], i / view.inner, view.classes - 1);
  return FED_OK;
}

#define FED__TEMPLATE "train/loss.c"
#include "train/typed.h"

static const struct fed__loss losses[] = {
    [FED_LOSS_SOFTMAX_CROSS_ENTROPY] =
        {
            .name = "softmax cross entropy",
            .target_dtype = FED_I64,
            .target_shape = cross_entropy_target,
            .check = cross_entropy_check,
            .run =
                {[FED_PRECISION_F32] = cross_entropy_f32, [FED_PRECISION_F64] = cross_entropy_f64},
        },
};

int fed__loss_find(enum fed_loss loss, const struct fed__loss **found) {
  if ((size_t)loss >= sizeof losses / sizeof losses[0])
    return FED_RAISE(FED_E_USAGE, "loss %d does not exist", (int)loss);
  *found = &losses[loss];
  return FED_OK;
}

#else

/* One position: its classes are `step` elements apart. Returns the loss. */
static double TYPED(position_loss)(const REAL *z, size_t step, size_t classes, size_t label,
                                   REAL scale, REAL *gradient, int *correct) {
  size_t best = 0;
  REAL sum = 0;
  for (size_t c = 1; c < classes; c++)
    if (z[c * step] > z[best * step]) best = c;
  const REAL top = z[best * step];
  for (size_t c = 0; c < classes; c++) sum += REAL_FUNCTION(exp)(z[c * step] - top);
  if (gradient) {
    for (size_t c = 0; c < classes; c++)
      gradient[c * step] = REAL_FUNCTION(exp)(z[c * step] - top) / sum * scale;
    gradient[label * step] -= scale;
  }
  *correct = best == label;
  return log((double)sum) + (double)top - (double)z[label * step];
}

static void TYPED(cross_entropy)(const struct fed__loss_call *call) {
  const struct class_view view = view_classes(call->shape);
  const size_t positions = view.outer * view.inner;
  const REAL scale = (REAL)(1.0 / (double)positions);
  const int64_t *labels = call->target;
  for (size_t i = 0; i < positions; i++) {
    const size_t at = i / view.inner * view.classes * view.inner + i % view.inner;
    REAL *gradient = call->gradient ? (REAL *)call->gradient + at : NULL;
    int correct;
    call->metrics->loss_sum +=
        TYPED(position_loss)((const REAL *)call->output + at, view.inner, view.classes,
                             (size_t)labels[i], scale, gradient, &correct);
    call->metrics->correct_count += (uint64_t)correct;
  }
  call->metrics->example_count += positions;
}

#endif
