/* SPDX-License-Identifier: Apache-2.0
 *
 * test_class_metrics.c: areas under curves against fractions found by hand, ties among them, and
 * against their definitions pair by pair and threshold by threshold; a confusion matrix by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "failing_alloc.h"
#include "train/class_metrics.h"

#include <math.h>
#include <string.h>

#define DRAWN 200

/* ---- ranks ---------------------------------------------------------------------------------- */

static void assert_areas(const struct fed__ranked *given, size_t count, double auc,
                         double average_precision) {
  struct fed__ranked ranked[8];
  double found[2];
  memcpy(ranked, given, count * sizeof *ranked);
  fed__rank_metrics(ranked, count, &found[0], &found[1]);
  assert_float_equal(found[0], auc, 1e-15);
  assert_float_equal(found[1], average_precision, 1e-15);
}

/* The first is the example of scikit-learn's pages on roc_auc_score and average_precision_score
 * (0.75, and 0.83); the others count pairs, ties half, and precision at each distinct score. */
static void areas_are_those_found_by_hand(void **state) {
  (void)state;
  const struct fed__ranked documented[] = {{0.1, 0}, {0.4, 0}, {0.35, 1}, {0.8, 1}};
  assert_areas(documented, 4, 3. / 4, 5. / 6);
  /* Of the pairs (2.5 + 1.5) / 6 are right; at 0.8 and at 0.5 half of those above are positive. */
  const struct fed__ranked tied[] = {{0.8, 1}, {0.8, 0}, {0.5, 1}, {0.5, 0}, {0.2, 0}};
  assert_areas(tied, 5, 2. / 3, 1. / 2);
  /* One group of three above one of three: pairs 0.5 * 2 + 1 * 1 + 0 … = (2 * (1 + 2) / 2 …). */
  const struct fed__ranked groups[] = {{2, 1}, {2, 1}, {2, 0}, {1, 1}, {1, 0}, {1, 0}};
  assert_areas(groups, 6, 6. / 9, 2. / 3 * 2. / 3 + 1. / 3 * 3. / 6);
  const struct fed__ranked level[] = {{0, 1}, {0, 0}, {0, 0}, {0, 0}};
  assert_areas(level, 4, 1. / 2, 1. / 4);
  const struct fed__ranked perfect[] = {{3, 1}, {2, 1}, {1, 0}};
  assert_areas(perfect, 3, 1, 1);
  const struct fed__ranked reversed[] = {{3, 0}, {2, 0}, {1, 1}};
  assert_areas(reversed, 3, 0, 1. / 3);
}

static void nothing_to_compare_has_no_area(void **state) {
  (void)state;
  struct fed__ranked ranked[] = {{1, 1}, {2, 1}};
  double auc, average_precision;
  fed__rank_metrics(ranked, 2, &auc, &average_precision);
  assert_true(isnan(auc) && isnan(average_precision));
  ranked[0].is_positive = ranked[1].is_positive = 0;
  fed__rank_metrics(ranked, 2, &auc, &average_precision);
  assert_true(isnan(auc) && isnan(average_precision));
  fed__rank_metrics(ranked, 0, &auc, &average_precision);
  assert_true(isnan(auc));
}

static double auc_by_pairs(const struct fed__ranked *ranked) {
  double wins = 0, pairs = 0;
  for (int i = 0; i < DRAWN; i++)
    for (int j = 0; j < DRAWN; j++) {
      if (!ranked[i].is_positive || ranked[j].is_positive) continue;
      pairs++;
      wins += ranked[i].score > ranked[j].score ? 1 : ranked[i].score == ranked[j].score ? 0.5 : 0;
    }
  return wins / pairs;
}

/* Recall and precision of "score >= threshold", for each score that occurs, from the highest. */
static double average_precision_by_thresholds(const struct fed__ranked *ranked) {
  double sum = 0, recall_before = 0, positives = 0;
  for (int i = 0; i < DRAWN; i++) positives += ranked[i].is_positive;
  for (int threshold = 20; threshold >= 0; threshold--) {
    double right = 0, named = 0;
    for (int i = 0; i < DRAWN; i++)
      if (ranked[i].score >= threshold) {
        named++;
        right += ranked[i].is_positive;
      }
    if (named == 0) continue;
    sum += (right / positives - recall_before) * right / named;
    recall_before = right / positives;
  }
  return sum;
}

static void areas_are_what_their_definitions_say(void **state) {
  (void)state;
  struct fed_rng rng;
  for (uint64_t draw = 0; draw < 20; draw++) {
    struct fed__ranked ranked[DRAWN];
    double auc, average_precision;
    fed__rng_init(&rng, 5, "ranks", draw, 0);
    for (int i = 0; i < DRAWN; i++) {
      ranked[i].score = (double)fed__rng_below(&rng, 21);
      ranked[i].is_positive = fed__rng_below(&rng, 30) < (uint64_t)ranked[i].score + 1;
    }
    const double pairs = auc_by_pairs(ranked);
    const double thresholds = average_precision_by_thresholds(ranked);
    fed__rank_metrics(ranked, DRAWN, &auc, &average_precision);
    assert_float_equal(auc, pairs, 1e-13);
    assert_float_equal(average_precision, thresholds, 1e-13);
  }
}

/* ---- classes -------------------------------------------------------------------------------- */

/* Three classes, of which the last never occurs and is named once; one label does not count. */
static void classes_are_counted_by_hand(void **state) {
  (void)state;
  struct fed_context context;
  fed_context_init(&context);
  int32_t wanted[] = {0, 0, 0, 0, 1, 1, -1, 1}, named[] = {0, 0, 1, 2, 1, 0, 1, 1};
  const struct fed__outcomes outcomes = {.context = &context,
                                         .row_count = 4,
                                         .labels_each = 2,
                                         .classes = 3,
                                         .wanted = wanted,
                                         .named = named};
  struct fed__classification found;
  assert_int_equal(fed__classification_of(&outcomes, &found), FED_OK);
  const uint64_t confusion[] = {2, 1, 1, 1, 2, 0, 0, 0, 0};
  assert_memory_equal(found.confusion, confusion, sizeof confusion);
  assert_int_equal(found.label_count, 7);
  assert_int_equal(found.correct_count, 4);
  assert_true(found.each[0].recall == 2. / 4 && found.each[0].precision == 2. / 3);
  assert_true(found.each[0].f1 == 4. / 7);
  assert_true(found.each[1].recall == 2. / 3 && found.each[1].precision == 2. / 3);
  assert_true(isnan(found.each[2].recall) && found.each[2].precision == 0);
  assert_true(isnan(found.each[0].auc));
  assert_float_equal(found.mean.recall, (2. / 4 + 2. / 3) / 2, 1e-15);
  assert_float_equal(found.mean.f1, (4. / 7 + 2. / 3) / 2, 1e-15);
  fed__classification_clear(&found);
}

/* The documented example again: of two classes the scores are the second's; the first's order is
 * the reverse, where the other class comes first and third of four: 1/2 * 1 + 1/2 * 2/3. */
static void two_classes_share_a_column(void **state) {
  (void)state;
  struct fed_context context;
  fed_context_init(&context);
  int32_t wanted[] = {0, 0, 1, 1}, named[] = {0, 1, 0, 1};
  float scores[] = {-2, -0.5f, -1, 3};
  const struct fed__outcomes outcomes = {&context, 4, 1, 2, wanted, named, scores};
  struct fed__classification found;
  assert_int_equal(fed__classification_of(&outcomes, &found), FED_OK);
  assert_float_equal(found.each[1].auc, 3. / 4, 1e-15);
  assert_float_equal(found.each[0].auc, 3. / 4, 1e-15);
  assert_float_equal(found.each[1].average_precision, 5. / 6, 1e-15);
  assert_float_equal(found.each[0].average_precision, 5. / 6, 1e-15);
  assert_float_equal(found.mean.auc, 3. / 4, 1e-15);
  fed__classification_clear(&found);
}

static void memory_may_fail(void **state) {
  (void)state;
  int32_t wanted[] = {0, 1}, named[] = {0, 1};
  float scores[] = {-1, 1};
  for (long allowed = 0;; allowed++) {
    struct failing_alloc failing;
    struct fed_context context;
    failing_alloc_init(&failing, &context, allowed);
    const struct fed__outcomes outcomes = {&context, 2, 1, 2, wanted, named, scores};
    struct fed__classification found;
    const int code = fed__classification_of(&outcomes, &found);
    if (code == FED_OK) fed__classification_clear(&found);
    assert_int_equal(failing.living, 0);
    if (code == FED_OK) break;
    assert_int_equal(code, FED_E_MEMORY);
    assert_true(allowed < 10);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(areas_are_those_found_by_hand),
      cmocka_unit_test(nothing_to_compare_has_no_area),
      cmocka_unit_test(areas_are_what_their_definitions_say),
      cmocka_unit_test(classes_are_counted_by_hand),
      cmocka_unit_test(two_classes_share_a_column),
      cmocka_unit_test(memory_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
