/* SPDX-License-Identifier: Apache-2.0
 *
 * class_metrics.h: how well a classifier tells classes apart: the confusion matrix, recall and
 * precision of each class, and, for each class against all others, the areas under the ROC curve
 * and under precision over recall. The latter two judge the order of the scores, whatever the
 * threshold, and are what to look at where a class is rare.
 *
 *   auc                 the probability that an example of the class has a higher score than one of
 *                       another class, ties counting half (Hanley & McNeil 1982); this is the area
 *                       under the ROC curve by trapezoids, scikit-learn's roc_auc_score
 *   average_precision   the sum over thresholds n, each a distinct score from the highest down, of
 *                       (R_n - R_(n-1)) P_n, without interpolation: scikit-learn's
 *                       average_precision_score (Davis & Goadrich 2006 say why not by trapezoids)
 *
 * O(classes * labels * log(labels)) with scores, O(labels) without.
 */
#ifndef FED_TRAIN_CLASS_METRICS_H
#define FED_TRAIN_CLASS_METRICS_H

#include "train/outcomes.h"

/* NAN: not defined, as a class of which there is no example has no recall. */
struct fed__class_metrics {
  uint64_t wanted_count, named_count, correct_count;
  double recall, precision;
  double f1; /* 2 correct / (wanted + named) */
  double auc, average_precision;
};

struct fed__classification {
  const struct fed_context *context;
  uint32_t classes;
  uint64_t label_count, correct_count;
  uint64_t *confusion; /* [classes, classes]: rows what is right, columns what the model names */
  struct fed__class_metrics *each;
  struct fed__class_metrics mean; /* of the classes that occur, all alike ("macro"); a precision
                                     that is not defined counts 0 there; counts are sums */
};

/* FED_E_MEMORY: nothing to clear. */
FED_MUST int fed__classification_of(const struct fed__outcomes *outcomes,
                                    struct fed__classification *classification);
void fed__classification_clear(struct fed__classification *classification);

/* An example's score, and whether it is of the class. */
struct fed__ranked {
  double score;
  int is_positive;
};

/* Sorts. NAN for both unless there are positives and others. */
void fed__rank_metrics(struct fed__ranked *ranked, size_t count, double *auc,
                       double *average_precision);

#endif
