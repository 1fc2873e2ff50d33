/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_pool.c: a barrier on both sides of each piece of work; in between, threads take items by
 * an atomic counter.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/noisy_examples.h"
#include "simulate/worker_pool_state.h"

#define ITEMS_PER_TAKE 16 /* at most: to not meet at the counter for each tiny visit */

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

static void take_items(struct fed__pool_worker *worker) {
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
  struct fed__pool_worker *worker = data;
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
static int run_items(struct fed__pool *pool, fed__item_fn *work, size_t count) {
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

int fed__pool_each(struct fed__pool *pool, fed__item_fn *work, size_t count) {
  pool->item_first = 0;
  pool->item_step = 1;
  return run_items(pool, work, count);
}

int fed__pool_share(struct fed__pool *pool, fed__item_fn *work, size_t count) {
  const struct fed__ranks *ranks = pool->setting.ranks;
  pool->item_first = ranks ? ranks->rank : 0;
  pool->item_step = fed__ranks_count(ranks);
  const size_t own = count > pool->item_first
                         ? (count - pool->item_first + pool->item_step - 1) / pool->item_step
                         : 0;
  return run_items(pool, work, own);
}

/* ---- other work ----------------------------------------------------------------------------- */

static int do_other(struct fed__pool_worker *worker, size_t item) {
  struct fed__pool_work *work = worker->pool->other;
  const struct fed__pool_hands hands = {worker->trainer, worker->tester,   worker->examples,
                                        worker->test,    &worker->trained, &worker->statistics,
                                        worker->scratch};
  return work->run(work, &hands, item);
}

int fed__pool_run(struct fed__pool *pool, struct fed__pool_work *work, size_t count) {
  pool->other = work; /* such items are long: nobody takes several */
  const int code = fed__pool_share(pool, do_other, count);
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
static int share_examples(const struct fed__pool_worker *first, struct fed__pool_worker *worker) {
  struct fed__simulation_source *source = worker->pool->setting.source;
  if (!first->examples->share || (first->test && !first->test->share))
    return source->open(source, &worker->examples, &worker->test);
  FED_TRY(first->examples->share(first->examples, &worker->examples));
  return first->test ? first->test->share(first->test, &worker->test) : FED_OK;
}

static int set_up(struct fed__pool_worker *worker, size_t item) {
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
  return worker->test ? fed__pool_prepare_tester(worker) : FED_OK;
}

static void clear_worker(struct fed__pool_worker *worker) {
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
    struct fed__pool_worker *worker = &pool->workers[i];
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
  if (code == FED_OK) code = fed__pool_each(made, set_up, setting->thread_count);
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
  for (size_t i = 0; i < partition->example_count; i++) deviations[i] = 0;
  for (uint32_t c = 0; c < partition->client_count; c++)
    for (size_t i = partition->starts[c]; i < partition->starts[c + 1]; i++)
      deviations[partition->rows[i]] = (float)fed__partition_noise(partition, noise, c);
}

/* Each thread's examples are wrapped once; another partition changes the deviations only. */
static int add_noise(struct fed__pool *pool, const struct fed__partition *partition) {
  const struct fed__pool_setting *setting = &pool->setting;
  const double noise = setting->job->simulate.partition.noise;
  if (noise <= 0) return FED_OK;
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
