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

int fed__dataset_labels(const struct fed_context *context, const struct fed__dataset_schema *schema,
                        struct fed_examples *examples, const uint32_t *rows, size_t row_count,
                        int64_t *found) {
  const struct fed__target_schema *target = &schema->target;
  struct labels labels = {.examples = examples, .classes = target->classes};
  int code = FED_OK;
  if (target->kind != FED__TARGET_CLASS)
    return FED_RAISE(FED_E_INPUT, "expected a target of kind class: it is a number or a text");
  if (fed_tensor_elements(&examples->spec.target) != 1 && !target->probabilities)
    return FED_RAISE(FED_E_INPUT, "expected one class an example: here each place has its own");
  if (target->probabilities) {
    labels.probabilities = fed__zalloc(context, target->classes, sizeof *labels.probabilities);
    if (!labels.probabilities) return FED_E_MEMORY;
  }
  for (size_t i = 0; i < row_count && code == FED_OK; i++)
    code = read_label(&labels, rows ? rows[i] : (uint32_t)i, &found[i]);
  fed__free(context, labels.probabilities);
  return code;
}

static void weigh(const int64_t *labels, size_t row_count, size_t *counts, double *weights) {
  for (size_t i = 0; i < row_count; i++) counts[labels[i]]++;
  for (size_t i = 0; i < row_count; i++) weights[i] = 1 / (double)counts[labels[i]];
}

int fed__dataset_row_weights(const struct fed_context *context,
                             const struct fed__dataset_schema *schema,
                             struct fed_examples *examples, const uint32_t *rows, size_t row_count,
                             double **weights) {
  *weights = NULL;
  if (schema->resample == FED__RESAMPLE_NONE || row_count == 0) return FED_OK;
  double *found = fed__zalloc(context, row_count, sizeof *found);
  int64_t *labels = fed__zalloc(context, row_count, sizeof *labels);
  size_t *counts = fed__zalloc(context, (size_t)schema->target.classes + 1, sizeof *counts);
  int code = found && labels && counts ? FED_OK : FED_E_MEMORY;
  if (code == FED_OK)
    code = fed__dataset_labels(context, schema, examples, rows, row_count, labels);
  if (code == FED_OK) weigh(labels, row_count, counts, found);
  fed__free(context, counts);
  fed__free(context, labels);
  if (code != FED_OK) fed__free(context, found);
  if (code == FED_OK) *weights = found;
  return code;
}
