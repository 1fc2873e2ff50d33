/* SPDX-License-Identifier: Apache-2.0
 *
 * outcomes.h: what a classifier says of examples beside what is right: for each label the class
 * that is right, the class that the model names, and how sure it is of each class. Confusion
 * matrices and curves over thresholds come from these (class_metrics.h).
 *
 * 8 bytes a label, and 4 for each class's score (with two classes: of the second alone) as long as
 * these are below FED__SCORES_MAX; else there are no scores. Threads: different ones may fill
 * different rows at the same time, each with a trainer of its own.
 */
#ifndef FED_TRAIN_OUTCOMES_H
#define FED_TRAIN_OUTCOMES_H

#include "fed/train.h"

#define FED__SCORES_MAX ((size_t)1 << 26)
#define FED__CLASSES_MAX 1024

struct fed__outcomes {
  const struct fed_context *context;
  size_t row_count, labels_each; /* examples, and labels of an example: more than 1 where the
                                    output has positions */
  uint32_t classes;
  int32_t *wanted, *named; /* by label; wanted -1: it does not count */
  float *scores;           /* by label and class the logarithm of the odds p / (1 - p) that the
                              model gives the class; of two classes only the second's. NULL: none */
};

/* How many classes the model tells apart: 2 to FED__CLASSES_MAX; 0 where labels cannot be said to
 * be right or wrong one by one (losses of numbers, several binary outputs), or there are too many
 * classes for a matrix. */
uint32_t fed__trainer_classes(const struct fed_trainer *trainer);

/* Room for so many examples, in which no label counts yet. FED_E_UNSUPPORTED for 0 classes,
 * FED_E_MEMORY. */
FED_MUST int fed__outcomes_init(struct fed__outcomes *outcomes, const struct fed_context *context,
                                const struct fed_trainer *trainer, size_t row_count);
void fed__outcomes_clear(struct fed__outcomes *outcomes);

/* For those who only want to know what is named right. */
void fed__outcomes_drop_scores(struct fed__outcomes *outcomes);

/* Ask the model about examples; what it says of rows[i] goes to the row `first` + i of the
 * outcomes. FED_E_NOT_FINITE when it says nothing that can be compared; the errors of
 * fed_predict. */
FED_MUST int fed__outcomes_gather(struct fed__outcomes *outcomes, size_t first,
                                  struct fed_trainer *trainer, struct fed_examples *examples,
                                  const uint32_t *rows, size_t row_count);

/* The same, and fed_evaluate in one. */
FED_MUST int fed__outcomes_evaluate(struct fed__outcomes *outcomes, size_t first,
                                    struct fed_trainer *trainer, struct fed_examples *examples,
                                    const uint32_t *rows, size_t row_count,
                                    struct fed_metrics *metrics);

#endif
