/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_pool.h: threads that do the clients' work, each with one trainer and one aggregate for all
 * the clients that it visits. They share the data where its reader allows it. Results are whole
 * numbers that are added up, or written to a place of their own, so nothing depends on which thread
 * did what: any number of threads gives the same bits.
 *
 * A visit allocates nothing but the order of the client's rows. Threads: the caller is the first
 * worker; only it may call.
 */
#ifndef FED_SIMULATE_WORKER_POOL_H
#define FED_SIMULATE_WORKER_POOL_H

#include "round/local_round.h"
#include "round/metric_sums.h"
#include "simulate/local_statistics.h"
#include "simulate/partition.h"
#include "simulate/ranks.h"
#include "train/outcomes.h"

/* Opens the data, for the first thread, and for each other one from several threads at once where
 * it cannot be shared (fed_examples.share). `test` NULL: there is no test set. Both are the pool's
 * to free. */
struct fed__simulation_source {
  FED_MUST int (*open)(struct fed__simulation_source *self, struct fed_examples **training,
                       struct fed_examples **test);
};

struct fed__pool_setting {
  const struct fed_context *context;
  const struct fed__job *job;
  const struct fed__plan *plan;
  const struct fed_model *model;
  struct fed__simulation_source *source;
  uint32_t thread_count;    /* from 1 */
  struct fed__ranks *ranks; /* among which visits are dealt out; NULL: this process is alone */
};

struct fed__pool;

/* Opens the data and starts the threads; they wait for work. */
FED_MUST int fed__pool_new(const struct fed__pool_setting *setting, struct fed__pool **pool);
void fed__pool_free(struct fed__pool *pool);

/* The data as the first thread has it, to make the partition from. */
struct fed_examples *fed__pool_examples(const struct fed__pool *pool);
struct fed_examples *fed__pool_test_set(const struct fed__pool *pool); /* NULL: there is none */

/* The memory that training takes: fed_trainer_bytes. */
size_t fed__pool_training_bytes(const struct fed__pool *pool);

/* The partition must outlive the pool; needed before the first visit. Where the job says so, the
 * clients' examples get their noise: FED_E_INPUT if they are no numbers. */
FED_MUST int fed__pool_set_partition(struct fed__pool *pool,
                                     const struct fed__partition *partition);

struct fed__visit {
  uint32_t client;
  int diverged; /* its training left the finite numbers: it is in no sum */
  struct fed_metrics evaluation, training;
  double distance; /* from the model that it received to the one that it trained, if asked for */
  uint64_t number; /* of its training: fed__plan_training_number */
  uint64_t base_version, staleness;
  const struct fed_params *base; /* the model that it begins with; NULL: that of all */
  const float *kept;             /* what it kept (fed__kept_in_all); NULL: nothing yet */
  float *to_keep; /* and keeps if the round succeeds: filled in when it keeps anything, the
                     caller's to free (fed__free) */
};

/* Clients to visit: each begins with `params`, or its own base; evaluates them on its held-out
 * rows, trains, or both in this order. */
struct fed__visits {
  const struct fed_params *params;
  const float *from_server; /* the vector that goes with them, if the rule gets one */
  int train, evaluate, measure_distance;
  struct fed__visit *visits; /* `client` is set; the rest is filled in */
  size_t count;
};

struct fed__visit_sums {
  struct fed__metric_sums trained, evaluated;
  uint64_t diverged_count, clamped_count;
  uint64_t fresh_weight; /* as in plan.h */
};

/* Visit them all. Updates are folded into `aggregate` (of the plan's rule, begun); `sums` is set.
 * A client that diverges is marked; any other failure ends the work and is passed on. */
FED_MUST int fed__pool_visit(struct fed__pool *pool, const struct fed__visits *visits,
                             struct fed__aggregate *aggregate, struct fed__visit_sums *sums);

/* Measure a model on the test set. `outcomes`: what it says of each of its rows
 * (fed__pool_test_outcomes); NULL: not wanted. FED_E_NOT_FINITE. */
FED_MUST int fed__pool_test(struct fed__pool *pool, const struct fed_params *params,
                            struct fed__metric_sums *sums, struct fed__outcomes *outcomes);

/* Room for them, the caller's to clear. FED_E_UNSUPPORTED for a model that tells no classes
 * apart. */
FED_MUST int fed__pool_test_outcomes(struct fed__pool *pool, struct fed__outcomes *outcomes);

/* A model and rows that it is asked about, of the test set or of the training data. Where parts of
 * the rows are different clients' (parts not NULL), each is asked with what its client kept. */
struct fed__asked_part {
  size_t first, count;
  const float *kept;
};

struct fed__questions {
  const struct fed_params *params;
  int of_test;
  const uint32_t *rows;
  size_t row_count;
  const struct fed__asked_part *parts;
  size_t part_count;
  struct fed__outcomes *outcomes; /* the pool's */
};

/* The outcomes, in the order of the rows, are the caller's to clear. FED_E_UNSUPPORTED for a model
 * that tells no classes apart, FED_E_NOT_FINITE: nothing to clear. */
FED_MUST int fed__pool_predict(struct fed__pool *pool, const struct fed__questions *questions,
                               struct fed__outcomes *outcomes);

/* What one thread has to work with. */
struct fed__pool_hands {
  struct fed_trainer *trainer, *tester; /* of the job's batches; of the test set's (NULL: none) */
  struct fed_examples *examples, *test;
  struct fed_params *trained;               /* like the model's: free to use */
  struct fed__local_statistics *statistics; /* the tester's are the file's, and must be again */
  uint32_t *scratch;                        /* for fed__partition_rows */
};

/* Other work, in items that do not depend on each other. Each writes to its own place in `results`,
 * which holds zeros until then: bytes that mean the same in every process. */
struct fed__pool_work {
  FED_MUST int (*run)(struct fed__pool_work *self, const struct fed__pool_hands *hands,
                      size_t item);
  void *results;
  size_t result_bytes; /* of one item */
};

/* Do them all, dealt out one by one over threads and processes; each process has all results. A
 * failure ends the work and is passed on. */
FED_MUST int fed__pool_run(struct fed__pool *pool, struct fed__pool_work *work, size_t count);

/* As fed__trainer_classes. */
uint32_t fed__pool_classes(const struct fed__pool *pool);

#endif
