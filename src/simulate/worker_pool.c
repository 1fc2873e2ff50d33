/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_pool.c: a barrier on both sides of each piece of work; in between, threads take items by
 * an atomic counter.
 */
#include "simulate/worker_pool.h"
#include "base/memory.h"
#include "base/raise.h"
#include "data/noisy_examples.h"
#include "simulate/drift.h"

#include <pthread.h>
#include <stdatomic.h>

#define TEST_BATCH 64      /* as at the server, so that figures agree to the bit */
#define TEST_ITEM_ROWS 640 /* whole batches */
#define ITEMS_PER_TAKE 16  /* at most: to not meet at the counter for each tiny visit */

struct worker {
  struct fed__pool *pool;
  pthread_t thread;
  int started;
  struct fed_examples *examples, *test;
  struct fed_trainer *trainer, *tester;
  struct fed_params trained;
  struct fed__local_statistics statistics;
  float *values; /* of an update with two vectors */
  void *grid;
  uint32_t *scratch; /* of drawn rows */
  struct fed__aggregate *aggregate;
  struct fed__visit_sums sums;
  struct fed__metric_sums tested;
  uint32_t test_rows[TEST_ITEM_ROWS];
};

struct fed__pool {
  struct fed__pool_setting setting;
  const struct fed__partition *partition;
  float *deviations; /* of each row's noise; NULL: there is none */
  struct worker *workers;
  size_t grid_bytes;
  size_t kept_elements; /* that a client keeps */
  pthread_mutex_t lock;
  pthread_cond_t begins, ends;
  uint64_t generation; /* of the work that is or was done last */
  uint32_t busy_count; /* threads that have not finished it */
  int quitting;
  int (*work)(struct worker *worker, size_t item);
  const struct fed__visits *visits;
  const struct fed_params *tested_params;
  struct fed__outcomes *tested_outcomes; /* NULL: not wanted */
  const struct fed__questions *questions;
  struct fed__pool_work *other; /* fed__pool_run's */
  size_t item_count, items_per_take;
  size_t item_first, item_step; /* the items of this process: every so many-th */
  atomic_size_t next_item;
  int code; /* the first failure, and its text */
  struct fed_error error;
};

/* ---- threads -------------------------------------------------------------------------------- */

static void note_failure(struct fed__pool *pool, int code) {
  if (code == FED_OK) return;
  pthread_mutex_lock(&pool->lock);
  if (pool->code == FED_OK) {
    pool->code = code;
    pool->error = *fed_error_last();
  }
  pthread_mutex_unlock(&pool->lock);
  atomic_store(&pool->next_item, pool->item_count); /* nobody takes more */
}

static void take_items(struct worker *worker) {
  struct fed__pool *pool = worker->pool;
  int code = FED_OK;
  for (;;) {
    const size_t first = atomic_fetch_add(&pool->next_item, pool->items_per_take);
    size_t end = first + pool->items_per_take;
    if (first >= pool->item_count) break;
    if (end > pool->item_count) end = pool->item_count;
    for (size_t item = first; item < end && code == FED_OK; item++)
      code = pool->work(worker, pool->item_first + item * pool->item_step);
    if (code != FED_OK) break;
  }
  note_failure(pool, code);
}

static void *run_thread(void *data) {
  struct worker *worker = data;
  struct fed__pool *pool = worker->pool;
  uint64_t seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (pool->generation == seen && !pool->quitting)
      pthread_cond_wait(&pool->begins, &pool->lock);
    if (pool->quitting) break;
    seen = pool->generation;
    pthread_mutex_unlock(&pool->lock);
    take_items(worker);
    pthread_mutex_lock(&pool->lock);
    if (--pool->busy_count == 0) pthread_cond_signal(&pool->ends);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static int report_failure(const struct fed__pool *pool) {
  if (pool->code == FED_OK) return FED_OK;
  return fed__raise(pool->error.file, pool->error.line, pool->code, "%s", pool->error.message);
}

/* All workers take part; the caller is the first. */
static int run_items(struct fed__pool *pool, int (*work)(struct worker *, size_t), size_t count) {
  const uint32_t threads = pool->setting.thread_count;
  const size_t share = pool->other ? 1 : count / ((size_t)threads * 8);
  pool->work = work;
  pool->item_count = count;
  pool->items_per_take = share < 1 ? 1 : share < ITEMS_PER_TAKE ? share : ITEMS_PER_TAKE;
  pool->code = FED_OK;
  atomic_store(&pool->next_item, 0);
  pthread_mutex_lock(&pool->lock);
  pool->generation++;
  pool->busy_count = threads - 1;
  pthread_cond_broadcast(&pool->begins);
  pthread_mutex_unlock(&pool->lock);
  take_items(&pool->workers[0]);
  pthread_mutex_lock(&pool->lock);
  while (pool->busy_count) pthread_cond_wait(&pool->ends, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
  return report_failure(pool);
}

static int run_work(struct fed__pool *pool, int (*work)(struct worker *, size_t), size_t count) {
  pool->item_first = 0;
  pool->item_step = 1;
  return run_items(pool, work, count);
}

/* The same, of the items that are this process's. */
static int share_work(struct fed__pool *pool, int (*work)(struct worker *, size_t), size_t count) {
  const struct fed__ranks *ranks = pool->setting.ranks;
  pool->item_first = ranks ? ranks->rank : 0;
  pool->item_step = fed__ranks_count(ranks);
  const size_t own = count > pool->item_first
                         ? (count - pool->item_first + pool->item_step - 1) / pool->item_step
                         : 0;
  return run_items(pool, work, own);
}

/* ---- visits --------------------------------------------------------------------------------- */

static const struct fed_params *begins_with(const struct fed__pool *pool,
                                            const struct fed__visit *visit) {
  return visit->base ? visit->base : pool->visits->params;
}

/* The update has left, so its memory is free for the trained model. */
static int measure_distance(struct worker *worker, struct fed__visit *visit) {
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

static int train(struct worker *worker, const struct fed__client_rows *rows,
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

static int visit_client(struct worker *worker, size_t item) {
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
    const struct worker *worker = &pool->workers[i];
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
  FED_TRY(fed__ranks_agree(pool->setting.ranks, share_work(pool, visit_client, visits->count)));
  FED_TRY(gather_sums(pool, rule, visits->train ? aggregate : NULL, sums));
  return pool->setting.ranks ? exchange(pool, visits->train ? aggregate : NULL, sums) : FED_OK;
}

/* ---- the test set --------------------------------------------------------------------------- */

static int prepare_tester(struct worker *worker) {
  struct fed_train_options options = worker->pool->setting.job->train.options;
  options.batch_size = TEST_BATCH;
  return fed_trainer_new(worker->pool->setting.context, worker->pool->setting.model, &options,
                         &worker->tester);
}

static int test_rows(struct worker *worker, size_t item) {
  struct fed_metrics metrics = {0};
  const size_t first = item * TEST_ITEM_ROWS, left = worker->test->count - first;
  const size_t count = left < TEST_ITEM_ROWS ? left : TEST_ITEM_ROWS;
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
  const struct worker *first = &pool->workers[0];
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
  const int code = share_work(pool, test_rows, (rows + TEST_ITEM_ROWS - 1) / TEST_ITEM_ROWS);
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
  const size_t first = item * TEST_ITEM_ROWS, left = questions->row_count - first;
  return (struct fed__asked_part){first, left < TEST_ITEM_ROWS ? left : TEST_ITEM_ROWS, NULL};
}

static int predict_part(struct worker *worker, size_t item) {
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
  const int code =
      run_work(pool, predict_part,
               asked.parts ? asked.part_count : (rows + TEST_ITEM_ROWS - 1) / TEST_ITEM_ROWS);
  if (code != FED_OK) fed__outcomes_clear(outcomes);
  pool->questions = NULL;
  return code;
}

/* ---- other work ----------------------------------------------------------------------------- */

static int do_other(struct worker *worker, size_t item) {
  struct fed__pool_work *work = worker->pool->other;
  const struct fed__pool_hands hands = {worker->trainer, worker->tester,   worker->examples,
                                        worker->test,    &worker->trained, &worker->statistics,
                                        worker->scratch};
  return work->run(work, &hands, item);
}

int fed__pool_run(struct fed__pool *pool, struct fed__pool_work *work, size_t count) {
  pool->other = work; /* such items are long: nobody takes several */
  const int code = share_work(pool, do_other, count);
  pool->other = NULL;
  FED_TRY(fed__ranks_agree(pool->setting.ranks, code));
  if (pool->setting.ranks)
    fed__ranks_merge(pool->setting.ranks, work->results, count * work->result_bytes);
  return FED_OK;
}

uint32_t fed__pool_classes(const struct fed__pool *pool) {
  return fed__trainer_classes(pool->workers[0].trainer);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The first worker's examples for another one, as far as they can be shared. */
static int share_examples(const struct worker *first, struct worker *worker) {
  struct fed__simulation_source *source = worker->pool->setting.source;
  if (!first->examples->share || (first->test && !first->test->share))
    return source->open(source, &worker->examples, &worker->test);
  FED_TRY(first->examples->share(first->examples, &worker->examples));
  return first->test ? first->test->share(first->test, &worker->test) : FED_OK;
}

static int set_up(struct worker *worker, size_t item) {
  const struct fed__pool *pool = worker->pool;
  const struct fed__pool_setting *setting = &pool->setting;
  const struct fed_params *like = fed_model_params(setting->model);
  worker = &worker->pool->workers[item]; /* whoever does it */
  if (item) FED_TRY(share_examples(&pool->workers[0], worker));
  FED_TRY(fed_trainer_new(setting->context, setting->model, &setting->job->train.options,
                          &worker->trainer));
  FED_TRY(fed_params_copy(&worker->trained, setting->context, like));
  FED_TRY(fed__local_statistics_init(&worker->statistics, setting->context, setting->model));
  FED_TRY(setting->plan->rule->init(setting->context, &setting->plan->shape, &worker->aggregate));
  worker->grid = fed__alloc(setting->context, pool->grid_bytes);
  if (!worker->grid) return FED_E_MEMORY;
  if (setting->plan->value_count > setting->plan->parameter_count) {
    worker->values = fed__alloc(setting->context, setting->plan->value_count * sizeof(float));
    if (!worker->values) return FED_E_MEMORY;
  }
  return worker->test ? prepare_tester(worker) : FED_OK;
}

static void clear_worker(struct worker *worker) {
  const struct fed__pool_setting *setting = &worker->pool->setting;
  fed_trainer_free(worker->trainer);
  fed_trainer_free(worker->tester);
  fed_examples_free(worker->examples);
  fed_examples_free(worker->test);
  fed_params_clear(&worker->trained);
  fed__local_statistics_clear(&worker->statistics);
  setting->plan->rule->free(worker->aggregate);
  fed__free(setting->context, worker->values);
  fed__free(setting->context, worker->grid);
  fed__free(setting->context, worker->scratch);
}

static int start_threads(struct fed__pool *pool) {
  for (uint32_t i = 1; i < pool->setting.thread_count; i++) {
    struct worker *worker = &pool->workers[i];
    if (pthread_create(&worker->thread, NULL, run_thread, worker) != 0)
      return FED_RAISE(FED_E_LIMIT, "cannot start thread %u of %u", i + 1,
                       pool->setting.thread_count);
    worker->started = 1;
  }
  return FED_OK;
}

int fed__pool_new(const struct fed__pool_setting *setting, struct fed__pool **pool) {
  struct fed__pool *made = fed__zalloc(setting->context, 1, sizeof *made);
  if (!made) return FED_E_MEMORY;
  made->setting = *setting;
  made->grid_bytes = fed__plan_update_bytes(setting->plan);
  made->kept_elements = fed__kept_in_all(setting->plan, setting->model);
  pthread_mutex_init(&made->lock, NULL);
  pthread_cond_init(&made->begins, NULL);
  pthread_cond_init(&made->ends, NULL);
  made->workers = fed__zalloc(setting->context, setting->thread_count, sizeof *made->workers);
  int code = made->workers ? setting->source->open(setting->source, &made->workers[0].examples,
                                                   &made->workers[0].test)
                           : FED_E_MEMORY;
  for (uint32_t i = 0; i < setting->thread_count && made->workers; i++)
    made->workers[i].pool = made;
  if (code == FED_OK) code = start_threads(made);
  if (code == FED_OK) code = run_work(made, set_up, setting->thread_count);
  if (code == FED_OK)
    *pool = made;
  else
    fed__pool_free(made);
  return code;
}

void fed__pool_free(struct fed__pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->quitting = 1;
  pthread_cond_broadcast(&pool->begins);
  pthread_mutex_unlock(&pool->lock);
  for (uint32_t i = pool->workers ? pool->setting.thread_count : 0; i-- > 0;) {
    if (pool->workers[i].started) pthread_join(pool->workers[i].thread, NULL);
    clear_worker(&pool->workers[i]); /* the first, whose data the others share, last */
  }
  pthread_cond_destroy(&pool->begins);
  pthread_cond_destroy(&pool->ends);
  pthread_mutex_destroy(&pool->lock);
  fed__free(pool->setting.context, pool->deviations);
  fed__free(pool->setting.context, pool->workers);
  fed__free(pool->setting.context, pool);
}

struct fed_examples *fed__pool_examples(const struct fed__pool *pool) {
  return pool->workers[0].examples;
}

struct fed_examples *fed__pool_test_set(const struct fed__pool *pool) {
  return pool->workers[0].test;
}

size_t fed__pool_training_bytes(const struct fed__pool *pool) {
  return fed_trainer_bytes(pool->workers[0].trainer);
}

static void fill_deviations(const struct fed__partition *partition, double noise,
                            float *deviations) {
  const uint32_t clients = partition->client_count;
  for (size_t i = 0; i < partition->example_count; i++) deviations[i] = 0;
  for (uint32_t c = 1; c < clients; c++)
    for (size_t i = partition->starts[c]; i < partition->starts[c + 1]; i++)
      deviations[partition->rows[i]] = (float)(noise * c / (clients - 1));
}

/* Each thread's examples are wrapped once; another partition changes the deviations only. */
static int add_noise(struct fed__pool *pool, const struct fed__partition *partition) {
  const struct fed__pool_setting *setting = &pool->setting;
  const double noise = setting->job->simulate.partition.noise;
  if (noise <= 0) return FED_OK;
  if (!partition->rows)
    return FED_RAISE(FED_E_INPUT, "simulate.partition.noise: the partition 'drawn' lets clients "
                                  "share examples, so that these cannot have one client's noise");
  const int is_first = !pool->deviations;
  if (is_first)
    pool->deviations =
        fed__alloc(setting->context, partition->example_count * sizeof *pool->deviations);
  if (!pool->deviations) return FED_E_MEMORY;
  fill_deviations(partition, noise, pool->deviations);
  for (uint32_t i = 0; i < setting->thread_count && is_first; i++)
    FED_TRY(fed__noisy_examples_new(setting->context, pool->workers[i].examples, pool->deviations,
                                    setting->job->seed, &pool->workers[i].examples));
  return FED_OK;
}

int fed__pool_set_partition(struct fed__pool *pool, const struct fed__partition *partition) {
  pool->partition = partition;
  FED_TRY(add_noise(pool, partition));
  for (uint32_t i = 0; i < pool->setting.thread_count && partition->drawn_count; i++) {
    uint32_t *scratch = fed__resize(pool->setting.context, pool->workers[i].scratch,
                                    partition->drawn_count, sizeof *scratch);
    if (!scratch) return FED_E_MEMORY;
    pool->workers[i].scratch = scratch;
  }
  return FED_OK;
}
