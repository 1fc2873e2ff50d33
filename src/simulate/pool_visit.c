/* SPDX-License-Identifier: Apache-2.0
 *
 * pool_visit.c: a client evaluates and trains; what processes learn from each other about it.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/drift.h"
#include "simulate/worker_pool_state.h"

static const struct fed_params *begins_with(const struct fed__pool *pool,
                                            const struct fed__visit *visit) {
  return visit->base ? visit->base : pool->visits->params;
}

/* The update has left, so its memory is free for the trained model. */
static int measure_distance(struct fed__pool_worker *worker, struct fed__visit *visit) {
  FED_TRY(fed_trainer_params(worker->trainer, &worker->trained));
  visit->distance = fed__params_distance(&worker->trained, begins_with(worker->pool, visit));
  return FED_OK;
}

static int make_room_to_keep(const struct fed__pool *pool, struct fed__visit *visit) {
  visit->to_keep = NULL;
  if (!pool->kept_elements) return FED_OK;
  visit->to_keep = fed__alloc(pool->setting.context, pool->kept_elements * sizeof *visit->to_keep);
  return visit->to_keep ? FED_OK : FED_E_MEMORY;
}

static int train(struct fed__pool_worker *worker, const struct fed__client_rows *rows,
                 struct fed__visit *visit) {
  struct fed__pool *pool = worker->pool;
  const struct fed__pool_setting *setting = &pool->setting;
  const struct fed__visits *visits = pool->visits;
  char name[FED__CLIENT_NAME_BYTES];
  const int rule_keeps = fed__kept_by_rule(setting->plan) > 0;
  double *row_weights = NULL;
  struct fed__local_result result;
  FED_TRY(make_room_to_keep(pool, visit));
  FED_TRY(fed__dataset_row_weights(setting->context, &setting->job->data.schema, worker->examples,
                                   rows->train, rows->train_count, &row_weights));
  const struct fed__local_round local = {
      .job = setting->job,
      .plan = setting->plan,
      .trainer = worker->trainer,
      .examples = worker->examples,
      .rows = rows->train,
      .row_count = rows->train_count,
      .row_weights = row_weights,
      .round = visit->number,
      .client = fed__partition_name(pool->partition, visit->client, name),
      .received = begins_with(pool, visit),
      .from_server = visits->from_server,
      .kept = rule_keeps ? visit->kept : NULL,
      .to_keep = rule_keeps ? visit->to_keep : NULL,
      .trained = &worker->trained,
      .values = worker->values,
      .grid = worker->grid,
  };
  const int code = fed__local_round_train(&local, &result);
  fed__free(setting->context, row_weights);
  FED_TRY(code);
  FED_TRY(fed__local_statistics_keep(&worker->statistics, worker->trainer, setting->plan,
                                     visit->to_keep));
  visit->training = result.metrics;
  if (visits->measure_distance) FED_TRY(measure_distance(worker, visit));
  fed__metric_sums_add(&worker->sums.trained, &result.metrics);
  worker->sums.clamped_count += result.clamped_count;
  worker->sums.fresh_weight += fed__plan_stale_weight(setting->job, result.example_count, 0);
  return setting->plan->rule->add(
      worker->aggregate, fed_slice_of(worker->grid, pool->grid_bytes),
      fed__plan_stale_weight(setting->job, result.example_count, visit->staleness));
}

static int visit_client(struct fed__pool_worker *worker, size_t item) {
  const struct fed__pool *pool = worker->pool;
  const struct fed__visits *visits = pool->visits;
  struct fed__visit *visit = &visits->visits[item];
  const struct fed__client_rows rows =
      fed__partition_rows(pool->partition, visit->client, worker->scratch);
  int code = fed_trainer_reset(worker->trainer, begins_with(pool, visit));
  visit->diverged = 0;
  visit->evaluation = visit->training = (struct fed_metrics){0};
  visit->distance = 0;
  if (code == FED_OK)
    code = fed__local_statistics_put(&worker->statistics, worker->trainer,
                                     fed__kept_statistics(pool->setting.plan, visit->kept));
  if (code == FED_OK && visits->evaluate && rows.held_out_count)
    code = fed_evaluate(worker->trainer, worker->examples, rows.held_out, rows.held_out_count,
                        &visit->evaluation);
  if (code == FED_OK && visits->train) code = train(worker, &rows, visit);
  visit->diverged = code == FED_E_NOT_FINITE;
  worker->sums.diverged_count += visit->diverged;
  if (!visit->diverged && code == FED_OK)
    fed__metric_sums_add(&worker->sums.evaluated, &visit->evaluation);
  return visit->diverged ? FED_OK : code;
}

static int gather_sums(struct fed__pool *pool, const struct fed__aggregate_ops *rule,
                       struct fed__aggregate *aggregate, struct fed__visit_sums *sums) {
  *sums = (struct fed__visit_sums){0};
  for (uint32_t i = 0; i < pool->setting.thread_count; i++) {
    const struct fed__pool_worker *worker = &pool->workers[i];
    fed__metric_sums_merge(&sums->trained, &worker->sums.trained);
    fed__metric_sums_merge(&sums->evaluated, &worker->sums.evaluated);
    sums->diverged_count += worker->sums.diverged_count;
    sums->clamped_count += worker->sums.clamped_count;
    sums->fresh_weight += worker->sums.fresh_weight;
    if (aggregate) FED_TRY(rule->merge(aggregate, worker->aggregate));
  }
  return FED_OK;
}

static int is_own(const struct fed__ranks *ranks, size_t visit) {
  return visit % ranks->count == ranks->rank;
}

static int has_vector(const struct fed__pool *pool, const struct fed__visit *visit) {
  return pool->visits->train && pool->kept_elements && !visit->diverged;
}

static int make_room_for_vectors(struct fed__pool *pool) {
  const struct fed__visits *visits = pool->visits;
  for (size_t i = 0; i < visits->count; i++) {
    struct fed__visit *visit = &visits->visits[i];
    if (is_own(pool->setting.ranks, i) || !has_vector(pool, visit)) continue;
    visit->to_keep =
        fed__zalloc(pool->setting.context, pool->kept_elements, sizeof *visit->to_keep);
    if (!visit->to_keep) return FED_E_MEMORY;
  }
  return FED_OK;
}

/* What the clients keep, so that any process may visit them the next time. */
static int exchange_vectors(struct fed__pool *pool) {
  const struct fed__visits *visits = pool->visits;
  FED_TRY(fed__ranks_agree(pool->setting.ranks, make_room_for_vectors(pool)));
  for (size_t i = 0; i < visits->count; i++)
    if (has_vector(pool, &visits->visits[i]))
      fed__ranks_merge(pool->setting.ranks, visits->visits[i].to_keep,
                       pool->kept_elements * sizeof(float));
  return FED_OK;
}

/* What a process has not done itself it learns from the others; pointers are its own. */
static int exchange_visits(struct fed__pool *pool) {
  struct fed__ranks *ranks = pool->setting.ranks;
  const struct fed__visits *visits = pool->visits;
  struct fed__visit *found = fed__zalloc(pool->setting.context, visits->count, sizeof *found);
  FED_TRY(fed__ranks_agree(ranks, found ? FED_OK : FED_E_MEMORY));
  for (size_t i = ranks->rank; i < visits->count; i += ranks->count) {
    found[i] = visits->visits[i];
    found[i].kept = found[i].to_keep = NULL;
    found[i].base = NULL;
  }
  fed__ranks_merge(ranks, found, visits->count * sizeof *found);
  for (size_t i = 0; i < visits->count; i++) {
    found[i].kept = visits->visits[i].kept;
    found[i].base = visits->visits[i].base;
    found[i].to_keep = is_own(ranks, i) ? visits->visits[i].to_keep : NULL;
    visits->visits[i] = found[i];
  }
  fed__free(pool->setting.context, found);
  return exchange_vectors(pool);
}

static int exchange(struct fed__pool *pool, struct fed__aggregate *aggregate,
                    struct fed__visit_sums *sums) {
  struct fed__ranks *ranks = pool->setting.ranks;
  size_t count;
  _Static_assert(sizeof *sums % sizeof(int64_t) == 0, "sums are whole numbers of 64 bits");
  ranks->sum(ranks, (int64_t *)(void *)sums, sizeof *sums / sizeof(int64_t));
  if (aggregate) {
    int64_t *words = pool->setting.plan->rule->words(aggregate, &count);
    ranks->sum(ranks, words, count);
  }
  return exchange_visits(pool);
}

int fed__pool_visit(struct fed__pool *pool, const struct fed__visits *visits,
                    struct fed__aggregate *aggregate, struct fed__visit_sums *sums) {
  const struct fed__aggregate_ops *rule = pool->setting.plan->rule;
  FED_REQUIRE(pool->partition);
  for (uint32_t i = 0; i < pool->setting.thread_count; i++) {
    pool->workers[i].sums = (struct fed__visit_sums){0};
    if (visits->train) rule->begin(pool->workers[i].aggregate);
  }
  pool->visits = visits;
  FED_TRY(
      fed__ranks_agree(pool->setting.ranks, fed__pool_share(pool, visit_client, visits->count)));
  FED_TRY(gather_sums(pool, rule, visits->train ? aggregate : NULL, sums));
  return pool->setting.ranks ? exchange(pool, visits->train ? aggregate : NULL, sums) : FED_OK;
}
