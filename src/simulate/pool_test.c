/* SPDX-License-Identifier: Apache-2.0
 *
 * pool_test.c: a model on the test set, and what it says of rows.
 */
#include "base/raise.h"
#include "simulate/worker_pool_state.h"

#define TEST_BATCH 64 /* as at the server, so that figures agree to the bit */

int fed__pool_prepare_tester(struct fed__pool_worker *worker) {
  struct fed_train_options options = worker->pool->setting.job->train.options;
  options.batch_size = TEST_BATCH;
  return fed_trainer_new(worker->pool->setting.context, worker->pool->setting.model, &options,
                         &worker->tester);
}

static int test_rows(struct fed__pool_worker *worker, size_t item) {
  struct fed_metrics metrics = {0};
  const size_t first = item * FED__TEST_ITEM_ROWS, left = worker->test->count - first;
  const size_t count = left < FED__TEST_ITEM_ROWS ? left : FED__TEST_ITEM_ROWS;
  for (size_t i = 0; i < count; i++) worker->test_rows[i] = (uint32_t)(first + i);
  FED_TRY(fed_trainer_reset(worker->tester, worker->pool->tested_params));
  struct fed__outcomes *outcomes = worker->pool->tested_outcomes;
  FED_TRY(outcomes
              ? fed__outcomes_evaluate(outcomes, first, worker->tester, worker->test,
                                       worker->test_rows, count, &metrics)
              : fed_evaluate(worker->tester, worker->test, worker->test_rows, count, &metrics));
  fed__metric_sums_add(&worker->tested, &metrics);
  return FED_OK;
}

/* Outputs that are not finite are a finding: in no process, or in all. */
static int agree_on_finite(struct fed__ranks *ranks, int code) {
  int64_t not_finite = code == FED_E_NOT_FINITE;
  if (!ranks) return code;
  FED_TRY(fed__ranks_agree(ranks, not_finite ? FED_OK : code));
  ranks->sum(ranks, &not_finite, 1);
  return not_finite ? FED_RAISE(FED_E_NOT_FINITE, "the outputs on the test set are not finite")
                    : FED_OK;
}

int fed__pool_test_outcomes(struct fed__pool *pool, struct fed__outcomes *outcomes) {
  const struct fed__pool_worker *first = &pool->workers[0];
  return fed__outcomes_init(outcomes, pool->setting.context, first->tester, first->test->count);
}

int fed__pool_test(struct fed__pool *pool, const struct fed_params *params,
                   struct fed__metric_sums *sums, struct fed__outcomes *outcomes) {
  *sums = (struct fed__metric_sums){0};
  FED_REQUIRE(fed__pool_test_set(pool));
  for (uint32_t i = 0; i < pool->setting.thread_count; i++)
    pool->workers[i].tested = (struct fed__metric_sums){0};
  pool->tested_params = params;
  pool->tested_outcomes = outcomes;
  const size_t rows = pool->workers[0].test->count;
  const int code =
      fed__pool_share(pool, test_rows, (rows + FED__TEST_ITEM_ROWS - 1) / FED__TEST_ITEM_ROWS);
  FED_TRY(agree_on_finite(pool->setting.ranks, code));
  for (uint32_t i = 0; i < pool->setting.thread_count; i++)
    fed__metric_sums_merge(sums, &pool->workers[i].tested);
  struct fed__ranks *ranks = pool->setting.ranks;
  if (ranks) ranks->sum(ranks, (int64_t *)(void *)sums, sizeof *sums / sizeof(int64_t));
  if (ranks && outcomes) fed__ranks_merge_outcomes(ranks, outcomes);
  return FED_OK;
}

/* Of one client's statistics, or of the file's: then the rows are cut into equal pieces. */
static struct fed__asked_part part_of(const struct fed__questions *questions, size_t item) {
  if (questions->parts) return questions->parts[item];
  const size_t first = item * FED__TEST_ITEM_ROWS, left = questions->row_count - first;
  return (struct fed__asked_part){first, left < FED__TEST_ITEM_ROWS ? left : FED__TEST_ITEM_ROWS,
                                  NULL};
}

static int predict_part(struct fed__pool_worker *worker, size_t item) {
  const struct fed__questions *questions = worker->pool->questions;
  const struct fed__asked_part part = part_of(questions, item);
  FED_TRY(fed_trainer_reset(worker->trainer, questions->params));
  FED_TRY(fed__local_statistics_put(&worker->statistics, worker->trainer,
                                    fed__kept_statistics(worker->pool->setting.plan, part.kept)));
  return fed__outcomes_gather(questions->outcomes, part.first, worker->trainer,
                              questions->of_test ? worker->test : worker->examples,
                              questions->rows + part.first, part.count);
}

int fed__pool_predict(struct fed__pool *pool, const struct fed__questions *questions,
                      struct fed__outcomes *outcomes) {
  const size_t rows = questions->row_count;
  FED_TRY(fed__outcomes_init(outcomes, pool->setting.context, pool->workers[0].trainer, rows));
  struct fed__questions asked = *questions;
  asked.outcomes = outcomes;
  pool->questions = &asked;
  const int code = fed__pool_each(
      pool, predict_part,
      asked.parts ? asked.part_count : (rows + FED__TEST_ITEM_ROWS - 1) / FED__TEST_ITEM_ROWS);
  if (code != FED_OK) fed__outcomes_clear(outcomes);
  pool->questions = NULL;
  return code;
}
