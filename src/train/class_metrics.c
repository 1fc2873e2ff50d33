/* SPDX-License-Identifier: Apache-2.0
 *
 * class_metrics.c: counting, and one sort for each class.
 */
#include "train/class_metrics.h"
#include "base/memory.h"
#include "base/raise.h"

#include <math.h>
#include <stdlib.h>

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_falling(const void *left, const void *right) {
  const struct fed__ranked *a = left, *b = right;
  return (a->score < b->score) - (a->score > b->score);
}

static size_t count_positives(const struct fed__ranked *ranked, size_t count) {
  size_t positives = 0;
  for (size_t i = 0; i < count; i++) positives += (size_t)ranked[i].is_positive;
  return positives;
}

/* Down the scores, a group of equal ones at a time: each other example of it is below all positives
 * before it, and level with those of its group. Half wins are counted, so all sums are whole. */
void fed__rank_metrics(struct fed__ranked *ranked, size_t count, double *auc,
                       double *average_precision) {
  const size_t positives = count_positives(ranked, count), others = count - positives;
  uint64_t above = 0, half_wins = 0; /* positives so far */
  double precisions = 0;
  *auc = *average_precision = NAN;
  if (!positives || !others) return;
  qsort(ranked, count, sizeof *ranked, compare_falling);
  for (size_t from = 0, to; from < count; from = to) {
    for (to = from + 1; to < count && ranked[to].score == ranked[from].score;) to++;
    const uint64_t level = count_positives(ranked + from, to - from);
    half_wins += (to - from - level) * (2 * above + level);
    above += level;
    precisions += (double)level * ((double)above / (double)to);
  }
  *auc = (double)half_wins / (2 * (double)positives * (double)others);
  *average_precision = precisions / (double)positives;
}

/* ---- counts --------------------------------------------------------------------------------- */

static void count_labels(const struct fed__outcomes *outcomes,
                         struct fed__classification *classification) {
  const size_t labels = outcomes->row_count * outcomes->labels_each;
  for (size_t i = 0; i < labels; i++) {
    const int32_t wanted = outcomes->wanted[i], named = outcomes->named[i];
    if (wanted < 0) continue;
    classification->confusion[(size_t)wanted * outcomes->classes + (size_t)named]++;
    classification->label_count++;
    classification->correct_count += wanted == named;
    classification->each[wanted].wanted_count++;
    classification->each[named].named_count++;
    classification->each[wanted].correct_count += wanted == named;
  }
}

static double share(uint64_t part, uint64_t whole) {
  return whole ? (double)part / (double)whole : NAN;
}

static void find_shares(struct fed__class_metrics *metrics) {
  const uint64_t correct = metrics->correct_count;
  metrics->recall = share(correct, metrics->wanted_count);
  metrics->precision = share(correct, metrics->named_count);
  metrics->f1 = share(2 * correct, metrics->wanted_count + metrics->named_count);
  metrics->auc = metrics->average_precision = NAN;
}

/* ---- one class against all others ----------------------------------------------------------- */

static void rank_class(const struct fed__outcomes *outcomes, uint32_t class,
                       struct fed__ranked *ranked, struct fed__class_metrics *metrics) {
  const size_t labels = outcomes->row_count * outcomes->labels_each;
  const size_t columns = outcomes->classes == 2 ? 1 : outcomes->classes;
  size_t count = 0;
  for (size_t i = 0; i < labels; i++) {
    if (outcomes->wanted[i] < 0) continue;
    const double score = (double)outcomes->scores[i * columns + (columns == 1 ? 0 : class)];
    ranked[count++] = (struct fed__ranked){columns == 1 && class == 0 ? -score : score,
                                           outcomes->wanted[i] == (int32_t) class};
  }
  fed__rank_metrics(ranked, count, &metrics->auc, &metrics->average_precision);
}

static int rank_classes(const struct fed__outcomes *outcomes,
                        struct fed__classification *classification) {
  if (!outcomes->scores || !classification->label_count) return FED_OK;
  struct fed__ranked *ranked =
      fed__zalloc(outcomes->context, (size_t)classification->label_count, sizeof *ranked);
  if (!ranked) return FED_E_MEMORY;
  for (uint32_t c = 0; c < outcomes->classes; c++)
    rank_class(outcomes, c, ranked, &classification->each[c]);
  fed__free(outcomes->context, ranked);
  return FED_OK;
}

/* ---- means ---------------------------------------------------------------------------------- */

static void add(struct fed__class_metrics *sum, const struct fed__class_metrics *metrics) {
  sum->wanted_count += metrics->wanted_count;
  sum->named_count += metrics->named_count;
  sum->correct_count += metrics->correct_count;
  sum->recall += metrics->recall;
  sum->precision += metrics->named_count ? metrics->precision : 0;
  sum->f1 += metrics->f1;
  sum->auc += metrics->auc;
  sum->average_precision += metrics->average_precision;
}

static void find_mean(struct fed__classification *classification) {
  struct fed__class_metrics *mean = &classification->mean;
  double occurring = 0;
  for (uint32_t c = 0; c < classification->classes; c++)
    if (classification->each[c].wanted_count) {
      add(mean, &classification->each[c]);
      occurring++;
    }
  mean->recall /= occurring;
  mean->precision /= occurring;
  mean->f1 /= occurring;
  mean->auc /= occurring;
  mean->average_precision /= occurring;
}

/* ---- all of it ------------------------------------------------------------------------------ */

int fed__classification_of(const struct fed__outcomes *outcomes,
                           struct fed__classification *classification) {
  const size_t classes = outcomes->classes;
  *classification =
      (struct fed__classification){.context = outcomes->context, .classes = outcomes->classes};
  classification->confusion =
      fed__zalloc(outcomes->context, classes * classes, sizeof *classification->confusion);
  classification->each = fed__zalloc(outcomes->context, classes, sizeof *classification->each);
  int code = classification->confusion && classification->each ? FED_OK : FED_E_MEMORY;
  if (code == FED_OK) {
    count_labels(outcomes, classification);
    for (size_t c = 0; c < classes; c++) find_shares(&classification->each[c]);
    code = rank_classes(outcomes, classification);
  }
  if (code == FED_OK)
    find_mean(classification);
  else
    fed__classification_clear(classification);
  return code;
}

void fed__classification_clear(struct fed__classification *classification) {
  fed__free(classification->context, classification->confusion);
  fed__free(classification->context, classification->each);
  *classification = (struct fed__classification){.context = classification->context};
}
