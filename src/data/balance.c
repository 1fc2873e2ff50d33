/* SPDX-License-Identifier: Apache-2.0
 *
 * balance.c: how likely rows are to be drawn so that all classes come equally often. One site's own
 * business: unlike class weights in the loss, which must be the same at all sites, it does not
 * change what is minimised on an example, only how often a site looks at it.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/dataset.h"

struct labels {
  struct fed_examples *examples;
  uint32_t classes;
  float *probabilities; /* of one example, if that is what the examples give */
};

/* The class of a row; its inputs are left out. */
static int read_label(const struct labels *labels, uint32_t row, int64_t *label) {
  struct fed_batch batch = {.count = 1};
  batch.target.data = labels->probabilities ? (void *)labels->probabilities : label;
  FED_TRY(labels->examples->gather(labels->examples, &row, 1, &batch));
  if (labels->probabilities)
    for (*label = 0; *label + 1 < labels->classes && labels->probabilities[*label] < 0.5f;)
      (*label)++;
  return FED_OK;
}

static int count_classes(const struct labels *labels, const uint32_t *rows, size_t row_count,
                         double *weights, size_t *counts) {
  int64_t label = 0;
  for (size_t i = 0; i < row_count; i++) {
    FED_TRY(read_label(labels, rows[i], &label));
    counts[label]++;
    weights[i] = (double)label; /* for now */
  }
  for (size_t i = 0; i < row_count; i++) weights[i] = 1 / (double)counts[(size_t)weights[i]];
  return FED_OK;
}

int fed__dataset_row_weights(const struct fed_context *context,
                             const struct fed__dataset_schema *schema,
                             struct fed_examples *examples, const uint32_t *rows, size_t row_count,
                             double **weights) {
  const struct fed__target_schema *target = &schema->target;
  struct labels labels = {.examples = examples, .classes = target->classes};
  *weights = NULL;
  if (schema->resample == FED__RESAMPLE_NONE || row_count == 0) return FED_OK;
  if (target->kind != FED__TARGET_CLASS)
    return FED_RAISE(FED_E_INPUT, "only classes can be balanced; the target is a number or a text");
  double *found = fed__zalloc(context, row_count, sizeof *found);
  size_t *counts = fed__zalloc(context, target->classes, sizeof *counts);
  int code = found && counts ? FED_OK : FED_E_MEMORY;
  if (target->probabilities && code == FED_OK) {
    labels.probabilities = fed__zalloc(context, target->classes, sizeof *labels.probabilities);
    if (!labels.probabilities) code = FED_E_MEMORY;
  }
  if (code == FED_OK) code = count_classes(&labels, rows, row_count, found, counts);
  fed__free(context, labels.probabilities);
  fed__free(context, counts);
  if (code != FED_OK) fed__free(context, found);
  if (code == FED_OK) *weights = found;
  return code;
}
