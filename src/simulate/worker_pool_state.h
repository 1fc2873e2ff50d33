/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_pool_state.h: what the pool's parts share: threads and their life (worker_pool.c), visits
 * to clients (pool_visit.c), models asked about rows (pool_test.c).
 */
#ifndef FED_SIMULATE_WORKER_POOL_STATE_H
#define FED_SIMULATE_WORKER_POOL_STATE_H

#include "simulate/worker_pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define FED__TEST_ITEM_ROWS 640 /* whole batches */

/* Its thread alone uses what is in it. */
struct fed__pool_worker {
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
  uint32_t test_rows[FED__TEST_ITEM_ROWS];
};

/* Work on one item. */
typedef int fed__item_fn(struct fed__pool_worker *worker, size_t item);

struct fed__pool {
  struct fed__pool_setting setting;
  const struct fed__partition *partition;
  float *deviations; /* of each row's noise; NULL: there is none */
  struct fed__pool_worker *workers;
  size_t grid_bytes;
  size_t kept_elements; /* that a client keeps */
  pthread_mutex_t lock;
  pthread_cond_t begins, ends;
  uint64_t generation; /* of the work that is or was done last */
  uint32_t busy_count; /* threads that have not finished it */
  int quitting;
  fed__item_fn *work;
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

/* Work on items that do not depend on each other; all workers take part, the caller is the first.
 * The first failure ends it and is passed on. */
FED_MUST int fed__pool_each(struct fed__pool *pool, fed__item_fn *work, size_t count);

/* The same, of the items that are this process's. */
FED_MUST int fed__pool_share(struct fed__pool *pool, fed__item_fn *work, size_t count);

/* The trainer that measures on the test set. */
FED_MUST int fed__pool_prepare_tester(struct fed__pool_worker *worker);

#endif
