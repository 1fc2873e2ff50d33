/* SPDX-License-Identifier: Apache-2.0
 *
 * baselines.c: each model is one item of the pool's work, from its first pass to its last figure,
 * and writes its figures to a place of its own. Memory: a training order, and where there are two
 * classes a score an example, each thread; figures of each model at each measured client.
 */
#include "simulate/baselines.h"
#include "base/memory.h"
#include "base/raise.h"
#include "job/simulate_section.h"
#include "simulate/simulation.h"

#include <math.h>
#include <stdlib.h>

#define CHUNK 640 /* rows of the test set at a time: as the pool measures, to the bit */

enum { CENTRALISED, FEDERATED, FIRST_LOCAL }; /* the items; the longest first */

/* What one item finds: this, and behind it the metrics at each measured client. */
struct outcome {
  struct fed__baseline_figures common;
  struct fed_metrics own;
  struct fed_metrics clients[];
};

struct study {
  struct fed__pool_work work; /* first */
  struct fed__simulation *simulation;
  struct fed__baselines *baselines;
  uint32_t *pooled; /* the rows that all clients train on */
  size_t pooled_count;
  uint32_t *measured; /* clients whose held-out rows are looked at */
  uint32_t measured_count;
  uint32_t *locals; /* clients that train alone */
  uint32_t local_count;
  uint64_t visits; /* of all clients in the whole run, that went into a model */
};

static struct outcome *outcome_at(const struct study *study, size_t item) {
  return (struct outcome *)(void *)((char *)study->work.results + item * study->work.result_bytes);
}

static int wants(const struct study *study, enum fed__baseline which) {
  return (study->baselines->wanted & which) != 0;
}

#define NOBODY UINT32_MAX

/* Running statistics that stay: with the federated model this client's, or nobody's. A model that
 * is trained here begins with nobody's and has its own. */
static int wear(const struct study *study, const struct fed__pool_hands *hands, size_t item,
                uint32_t client) {
  const struct fed__simulation *simulation = study->simulation;
  const float *kept = NULL;
  if (item != FEDERATED && client != NOBODY) return FED_OK;
  if (client != NOBODY) kept = fed__client_memory_of(&simulation->memory, client);
  return fed__local_statistics_put(hands->statistics, hands->trainer,
                                   fed__kept_statistics(&simulation->plan, kept));
}

/* ---- training ------------------------------------------------------------------------------- */

static int train(const struct study *study, const struct fed__pool_hands *hands, const char *name,
                 const uint32_t *rows, size_t count, uint64_t visits) {
  const struct fed__job *job = study->simulation->job;
  double *weights = NULL;
  struct fed_metrics metrics = {0};
  FED_TRY(fed__dataset_row_weights(job->context, &job->data.schema, hands->examples, rows, count,
                                   &weights));
  const struct fed_epochs epochs = {
      .rows = rows,
      .row_count = count,
      .row_weights = weights,
      .epochs = (uint32_t)study->baselines->passes,
      .steps_max = job->train.steps_max * visits,
      .seed = fed__rng_key(job->seed, "baseline", fed__name_number(name), 0)};
  int code = fed_trainer_reset(hands->trainer, fed_model_params(study->simulation->model));
  if (code == FED_OK && epochs.epochs)
    code = fed_train_epochs(hands->trainer, hands->examples, &epochs, &metrics);
  fed__free(job->context, weights);
  return code;
}

static int train_alone(const struct study *study, const struct fed__pool_hands *hands,
                       uint32_t client) {
  const struct fed__partition *partition = &study->simulation->partition;
  const uint32_t all = study->simulation->eligible_count;
  char name[FED__CLIENT_NAME_BYTES];
  const struct fed__client_rows rows = fed__partition_rows(partition, client, hands->scratch);
  return train(study, hands, fed__partition_name(partition, client, name), rows.train,
               rows.train_count, (study->visits + all / 2) / all);
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int test(const struct fed__pool_hands *hands, struct fed__metric_sums *sums) {
  uint32_t rows[CHUNK];
  FED_TRY(fed_trainer_params(hands->trainer, hands->trained));
  FED_TRY(fed_trainer_reset(hands->tester, hands->trained));
  FED_TRY(fed__local_statistics_move(hands->statistics, hands->trainer, hands->tester));
  int code = FED_OK;
  for (size_t first = 0; first < hands->test->count && code == FED_OK; first += CHUNK) {
    const size_t left = hands->test->count - first, count = left < CHUNK ? left : CHUNK;
    struct fed_metrics metrics = {0};
    for (size_t i = 0; i < count; i++) rows[i] = (uint32_t)(first + i);
    code = fed_evaluate(hands->tester, hands->test, rows, count, &metrics);
    fed__metric_sums_add(sums, &metrics);
  }
  FED_TRY(fed__local_statistics_put(hands->statistics, hands->tester, NULL));
  return code;
}

static int evaluate_at(const struct study *study, const struct fed__pool_hands *hands, size_t item,
                       uint32_t client, struct fed_metrics *metrics) {
  const struct fed__client_rows rows =
      fed__partition_rows(&study->simulation->partition, client, hands->scratch);
  if (!rows.held_out_count) return FED_OK;
  FED_TRY(wear(study, hands, item, client));
  return fed_evaluate(hands->trainer, hands->examples, rows.held_out, rows.held_out_count, metrics);
}

static int evaluate_clients(const struct study *study, const struct fed__pool_hands *hands,
                            size_t item, struct outcome *outcome) {
  for (uint32_t i = 0; i < study->measured_count; i++) {
    FED_TRY(evaluate_at(study, hands, item, study->measured[i], &outcome->clients[i]));
    if (!study->baselines->on_test)
      fed__metric_sums_add(&outcome->common.sums, &outcome->clients[i]);
  }
  return FED_OK;
}

static size_t held_out_count(const struct study *study) {
  size_t count = 0;
  for (uint32_t i = 0; i < study->measured_count; i++)
    count += fed__partition_held_out_count(&study->simulation->partition, study->measured[i]);
  return count;
}

static int gather_test(const struct fed__pool_hands *hands, struct fed__outcomes *outcomes) {
  uint32_t rows[CHUNK];
  for (size_t first = 0; first < hands->test->count; first += CHUNK) {
    const size_t left = hands->test->count - first, count = left < CHUNK ? left : CHUNK;
    for (size_t i = 0; i < count; i++) rows[i] = (uint32_t)(first + i);
    FED_TRY(fed__outcomes_gather(outcomes, first, hands->trainer, hands->test, rows, count));
  }
  return FED_OK;
}

static int gather_held_out(const struct study *study, const struct fed__pool_hands *hands,
                           size_t item, struct fed__outcomes *outcomes) {
  size_t first = 0;
  for (uint32_t i = 0; i < study->measured_count; i++) {
    const struct fed__client_rows rows =
        fed__partition_rows(&study->simulation->partition, study->measured[i], hands->scratch);
    FED_TRY(wear(study, hands, item, study->measured[i]));
    FED_TRY(fed__outcomes_gather(outcomes, first, hands->trainer, hands->examples, rows.held_out,
                                 rows.held_out_count));
    first += rows.held_out_count;
  }
  return FED_OK;
}

static int classify(const struct fed__outcomes *outcomes, struct fed__baseline_figures *figures) {
  struct fed__classification found;
  FED_TRY(fed__classification_of(outcomes, &found));
  figures->auc = found.each[1].auc;
  figures->average_precision = found.each[1].average_precision;
  fed__classification_clear(&found);
  return FED_OK;
}

/* The areas under the curves, where one of two classes is what one looks for. */
static int rank(const struct study *study, const struct fed__pool_hands *hands, size_t item,
                struct fed__baseline_figures *figures) {
  const int on_test = study->baselines->on_test;
  const size_t count = on_test ? hands->test->count : held_out_count(study);
  struct fed__outcomes outcomes;
  figures->auc = figures->average_precision = NAN;
  if (!count || fed__trainer_classes(hands->trainer) != 2) return FED_OK;
  FED_TRY(fed__outcomes_init(&outcomes, study->simulation->context, hands->trainer, count));
  int code =
      on_test ? gather_test(hands, &outcomes) : gather_held_out(study, hands, item, &outcomes);
  if (code == FED_OK) code = classify(&outcomes, figures);
  fed__outcomes_clear(&outcomes);
  return code;
}

/* One model alone on a test set is not asked about all other clients. */
static int measure(const struct study *study, const struct fed__pool_hands *hands, size_t item,
                   struct outcome *outcome) {
  const int is_local = item >= FIRST_LOCAL, on_test = study->baselines->on_test;
  if (is_local)
    FED_TRY(evaluate_at(study, hands, item, study->locals[item - FIRST_LOCAL], &outcome->own));
  if (!is_local || !on_test) FED_TRY(evaluate_clients(study, hands, item, outcome));
  if (item == FEDERATED && on_test) FED_TRY(wear(study, hands, item, NOBODY));
  FED_TRY(rank(study, hands, item, &outcome->common));
  return on_test ? test(hands, &outcome->common.sums) : FED_OK;
}

/* ---- one model ------------------------------------------------------------------------------ */

static int make_model(const struct study *study, const struct fed__pool_hands *hands, size_t item) {
  FED_TRY(wear(study, hands, item, NOBODY));
  if (item == FEDERATED) return fed_trainer_reset(hands->trainer, &study->simulation->current);
  if (item == CENTRALISED)
    return train(study, hands, "", study->pooled, study->pooled_count, study->visits);
  return train_alone(study, hands, study->locals[item - FIRST_LOCAL]);
}

static int run_item(struct fed__pool_work *work, const struct fed__pool_hands *hands, size_t item) {
  const struct study *study = (const struct study *)work;
  struct fed__simulation_observer *observer = study->simulation->observer;
  struct outcome *outcome = outcome_at(study, item);
  if (item == CENTRALISED && !wants(study, FED__BASELINE_CENTRALISED)) return FED_OK;
  if (observer && observer->stopping && observer->stopping(observer))
    return FED_RAISE(FED_E_BUSY, "stopped before the baselines were done");
  int code = make_model(study, hands, item);
  if (code == FED_OK) code = measure(study, hands, item, outcome);
  if (code != FED_E_NOT_FINITE) return code;
  memset(outcome, 0, work->result_bytes);
  outcome->common.diverged = 1;
  return FED_OK;
}

/* ---- who and what --------------------------------------------------------------------------- */

static void count_passes(struct study *study) {
  const struct fed__simulation *simulation = study->simulation;
  const uint32_t all = simulation->eligible_count, epochs = simulation->job->train.epochs;
  for (uint32_t c = 0; c < simulation->partition.client_count; c++)
    study->visits += simulation->rounds_trained[c];
  const uint64_t passes = (study->visits * epochs + all / 2) / all;
  study->baselines->passes = passes || !epochs ? passes : 1;
}

/* The eligible clients; of more than `wanted` a sample from the seed, ascending. */
static int compare_clients(const void *a, const void *b) {
  const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static int choose_locals(struct study *study) {
  const struct fed__simulation *simulation = study->simulation;
  const uint32_t all = simulation->partition.client_count;
  struct fed_rng rng;
  uint32_t count = 0;
  study->locals = fed__alloc(simulation->context, all * sizeof *study->locals);
  if (!study->locals) return FED_E_MEMORY;
  for (uint32_t c = 0; c < all; c++)
    if (fed__simulation_is_eligible(simulation, c)) study->locals[count++] = c;
  study->local_count = count < FED__BASELINE_CLIENTS_MAX ? count : FED__BASELINE_CLIENTS_MAX;
  fed__rng_init(&rng, simulation->job->seed, "baseline.clients", 0, 0);
  if (count > study->local_count) fed__rng_sample(&rng, study->locals, count, study->local_count);
  qsort(study->locals, study->local_count, sizeof *study->locals, compare_clients);
  return FED_OK;
}

static int choose_measured(struct study *study) {
  const struct fed__simulation *simulation = study->simulation;
  const uint32_t all = simulation->partition.client_count;
  const uint32_t wanted = all < FED__BASELINE_HELD_OUT_MAX ? all : FED__BASELINE_HELD_OUT_MAX;
  study->measured = fed__alloc(simulation->context, wanted * sizeof *study->measured);
  if (!study->measured) return FED_E_MEMORY;
  for (uint32_t i = 0; i < wanted; i++) {
    const uint32_t client = (uint32_t)((uint64_t)i * all / wanted);
    if (fed__simulation_is_eligible(simulation, client) &&
        fed__partition_held_out_count(&simulation->partition, client))
      study->measured[study->measured_count++] = client;
  }
  return FED_OK;
}

static int pool_rows(struct study *study) {
  const struct fed__simulation *simulation = study->simulation;
  const struct fed__partition *partition = &simulation->partition;
  size_t count = 0;
  for (uint32_t c = 0; c < partition->client_count; c++)
    if (fed__simulation_is_eligible(simulation, c))
      count += fed__partition_train_count(partition, c);
  study->pooled = /* and room for the rows of a client that draws them */
      fed__alloc(simulation->context, (count + partition->drawn_count) * sizeof *study->pooled);
  if (!study->pooled) return FED_E_MEMORY;
  for (uint32_t c = 0; c < partition->client_count; c++) {
    if (!fed__simulation_is_eligible(simulation, c)) continue;
    const struct fed__client_rows rows = fed__partition_rows(partition, c, study->pooled + count);
    memcpy(study->pooled + study->pooled_count, rows.train, rows.train_count * sizeof(uint32_t));
    study->pooled_count += rows.train_count;
  }
  return FED_OK;
}

static int prepare(struct study *study) {
  struct fed__baselines *baselines = study->baselines;
  const int alone = wants(study, FED__BASELINE_LOCAL) || wants(study, FED__BASELINE_BEST);
  baselines->on_test = fed__pool_test_set(study->simulation->pool) != NULL;
  count_passes(study);
  FED_TRY(choose_measured(study));
  if (wants(study, FED__BASELINE_CENTRALISED)) FED_TRY(pool_rows(study));
  if (alone) FED_TRY(choose_locals(study));
  study->work.run = run_item;
  study->work.result_bytes =
      sizeof(struct outcome) + study->measured_count * sizeof(struct fed_metrics);
  study->work.results = fed__zalloc(study->simulation->context, FIRST_LOCAL + study->local_count,
                                    study->work.result_bytes);
  return study->work.results ? FED_OK : FED_E_MEMORY;
}

/* ---- figures -------------------------------------------------------------------------------- */

/* As visits would have found them. */
static int client_figures(const struct study *study, size_t item,
                          struct fed__client_figures *figures) {
  const struct fed_context *context = study->simulation->context;
  const uint32_t count = study->measured_count;
  if (!count || outcome_at(study, item)->common.diverged) return FED_OK;
  struct fed__visit *visits = fed__zalloc(context, count, sizeof *visits);
  if (!visits) return FED_E_MEMORY;
  for (uint32_t i = 0; i < count; i++) visits[i].evaluation = outcome_at(study, item)->clients[i];
  const int code = fed__client_figures_of(context, visits, count, figures);
  fed__free(context, visits);
  return code;
}

static int is_better(const struct fed__metric_sums *a, const struct fed__metric_sums *b) {
  const double left = fed__metric_sums_accuracy(a), right = fed__metric_sums_accuracy(b);
  if (left > right || left < right) return left > right;
  return fed__metric_sums_loss(a) < fed__metric_sums_loss(b);
}

static void find_best(struct fed__baselines *baselines) {
  int found = 0;
  for (uint32_t i = 0; i < baselines->local_count; i++) {
    const struct fed__baseline_figures *common = &baselines->local[i].common;
    if (common->diverged || !common->sums.example_count) continue;
    if (!found++ || is_better(&common->sums, &baselines->local[baselines->best].common.sums))
      baselines->best = i;
  }
}

/* A figure of all that have it, as its spread. */
static void spread(const struct fed__baselines *baselines, double *values,
                   double (*figure)(const struct fed__local_figures *), struct fed__spread *found) {
  size_t count = 0;
  for (uint32_t i = 0; i < baselines->local_count; i++) {
    const double value = figure(&baselines->local[i]);
    if (!baselines->local[i].common.diverged && isfinite(value)) values[count++] = value;
  }
  fed__spread_of(values, count, found);
}

static double common_accuracy(const struct fed__local_figures *local) {
  const struct fed__metric_sums *sums = &local->common.sums;
  return sums->example_count ? fed__metric_sums_accuracy(sums) : NAN;
}

static double common_loss(const struct fed__local_figures *local) {
  const struct fed__metric_sums *sums = &local->common.sums;
  return sums->example_count ? fed__metric_sums_loss(sums) : NAN;
}

static double common_auc(const struct fed__local_figures *local) { return local->common.auc; }

static double common_average_precision(const struct fed__local_figures *local) {
  return local->common.average_precision;
}

static double own_accuracy(const struct fed__local_figures *local) {
  return (double)local->own.correct_count / (double)local->own.example_count;
}

static double own_loss(const struct fed__local_figures *local) {
  return local->own.loss_sum / (double)local->own.example_count;
}

static int take_locals(const struct study *study) {
  struct fed__baselines *baselines = study->baselines;
  double *values = fed__alloc(baselines->context, (study->local_count + 1) * sizeof *values);
  baselines->local =
      fed__zalloc(baselines->context, study->local_count + 1, sizeof *baselines->local);
  if (!values || !baselines->local) {
    fed__free(baselines->context, values);
    return FED_E_MEMORY;
  }
  baselines->local_count = study->local_count;
  for (uint32_t i = 0; i < study->local_count; i++) {
    const struct outcome *outcome = outcome_at(study, FIRST_LOCAL + i);
    baselines->local[i] =
        (struct fed__local_figures){study->locals[i], outcome->common, outcome->own};
    baselines->local_diverged += outcome->common.diverged != 0;
  }
  find_best(baselines);
  spread(baselines, values, common_accuracy, &baselines->local_accuracy);
  spread(baselines, values, common_loss, &baselines->local_loss);
  spread(baselines, values, common_auc, &baselines->local_auc);
  spread(baselines, values, common_average_precision, &baselines->local_average_precision);
  spread(baselines, values, own_accuracy, &baselines->own_accuracy);
  spread(baselines, values, own_loss, &baselines->own_loss);
  fed__free(baselines->context, values);
  return FED_OK;
}

static int run(struct study *study) {
  struct fed__baselines *baselines = study->baselines;
  FED_TRY(prepare(study));
  FED_TRY(fed__pool_run(study->simulation->pool, &study->work, FIRST_LOCAL + study->local_count));
  baselines->federated = outcome_at(study, FEDERATED)->common;
  baselines->centralised = outcome_at(study, CENTRALISED)->common;
  FED_TRY(client_figures(study, FEDERATED, &baselines->federated_clients));
  if (wants(study, FED__BASELINE_CENTRALISED))
    FED_TRY(client_figures(study, CENTRALISED, &baselines->centralised_clients));
  return take_locals(study);
}

int fed__baselines_make(struct fed__simulation *simulation, struct fed__baselines *baselines) {
  const struct fed_context *context = simulation->context;
  struct study study = {.simulation = simulation, .baselines = baselines};
  *baselines =
      (struct fed__baselines){.context = context, .wanted = fed__baselines_wanted(simulation->job)};
  if (!baselines->wanted || !simulation->eligible_count) return FED_OK;
  const int code = run(&study);
  fed__free(context, study.pooled);
  fed__free(context, study.measured);
  fed__free(context, study.locals);
  fed__free(context, study.work.results);
  if (code != FED_OK) fed__baselines_clear(baselines);
  return code;
}

void fed__baselines_clear(struct fed__baselines *baselines) {
  if (!baselines->context) return;
  fed__free(baselines->context, baselines->local);
  *baselines = (struct fed__baselines){0};
}
