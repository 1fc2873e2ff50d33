/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluation.c: clients one by one, and classes one by one.
 */
#include "simulate/evaluation.h"
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/simulation.h"

#include <math.h>

/* ---- clients -------------------------------------------------------------------------------- */

int fed__client_figures_of(const struct fed_context *context, const struct fed__visit *visits,
                           size_t count, struct fed__client_figures *figures) {
  size_t measured = 0;
  if (count == 0) return FED_OK;
  double *values = fed__zalloc(context, 2 * count, sizeof *values);
  if (!values) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) {
    const struct fed_metrics *found = &visits[i].evaluation;
    if (visits[i].diverged || !found->example_count) continue;
    values[measured] = (double)found->correct_count / (double)found->example_count;
    values[count + measured++] = found->loss_sum / (double)found->example_count;
  }
  fed__spread_of(values, measured, &figures->accuracy);
  fed__spread_of(values + count, measured, &figures->loss);
  fed__free(context, values);
  return FED_OK;
}

static int visit_some(struct fed__simulation *simulation, uint32_t wanted,
                      struct fed__visit *visits, size_t *count) {
  const uint32_t all = simulation->partition.client_count;
  struct fed__visit_sums sums;
  *count = 0;
  for (uint32_t i = 0; i < wanted; i++) {
    const uint32_t client = (uint32_t)((uint64_t)i * all / wanted);
    if (!fed__simulation_has_examples(simulation, client)) continue;
    visits[*count].kept = fed__client_memory_of(&simulation->memory, client);
    visits[(*count)++].client = client;
  }
  const struct fed__visits work = {
      .params = &simulation->current, .evaluate = 1, .visits = visits, .count = *count};
  return fed__pool_visit(simulation->pool, &work, NULL, &sums);
}

int fed__simulation_measure_clients(struct fed__simulation *simulation, uint32_t wanted,
                                    struct fed__client_figures *figures, struct fed__visit **visits,
                                    size_t *visit_count) {
  const struct fed_context *context = simulation->context;
  const uint32_t all = simulation->partition.client_count;
  if (visits) *visits = NULL;
  if (visit_count) *visit_count = 0;
  *figures = (struct fed__client_figures){.version = simulation->version};
  if (simulation->job->data.holdout == 0 || wanted == 0) return FED_OK;
  if (wanted > FED__CLIENTS_MEASURED_MAX) wanted = FED__CLIENTS_MEASURED_MAX;
  if (wanted > all) wanted = all;
  struct fed__visit *made = fed__zalloc(context, wanted, sizeof *made);
  size_t count;
  if (!made) return FED_E_MEMORY;
  int code = visit_some(simulation, wanted, made, &count);
  if (code == FED_OK) code = fed__client_figures_of(context, made, count, figures);
  if (code == FED_OK && visits && visit_count) {
    *visits = made;
    *visit_count = count;
    return FED_OK;
  }
  fed__free(context, made);
  return code;
}

/* ---- classes -------------------------------------------------------------------------------- */

static int classify(struct fed__simulation *simulation, const struct fed__questions *questions,
                    struct fed__classification *found) {
  struct fed__outcomes outcomes;
  int code = fed__pool_predict(simulation->pool, questions, &outcomes);
  if (code == FED_E_NOT_FINITE) return FED_OK;
  FED_TRY(code);
  code = fed__classification_of(&outcomes, found);
  fed__outcomes_clear(&outcomes);
  return code;
}

static void note_classes(const struct fed__classification *found,
                         struct fed__tested_classes *classes) {
  const int are_two = found->classes == 2;
  const struct fed__class_metrics *shown = are_two ? &found->each[1] : &found->mean;
  classes->classes = found->classes;
  classes->recall = shown->recall;
  classes->precision = shown->precision;
  classes->auc = are_two ? shown->auc : NAN;
  classes->average_precision = are_two ? shown->average_precision : NAN;
  classes->lowest_recall = INFINITY;
  for (uint32_t c = 0; c < found->classes; c++) /* NAN is less than nothing */
    if (found->each[c].recall < classes->lowest_recall)
      classes->lowest_recall = found->each[c].recall;
}

static int test_classes(struct fed__simulation *simulation, struct fed__outcomes *outcomes,
                        struct fed__metric_sums *sums, struct fed__tested_classes *classes) {
  struct fed__classification found;
  if (outcomes->classes > 2) fed__outcomes_drop_scores(outcomes);
  FED_TRY(fed__pool_test(simulation->pool, &simulation->current, sums, outcomes));
  FED_TRY(fed__classification_of(outcomes, &found));
  note_classes(&found, classes);
  fed__classification_clear(&found);
  return FED_OK;
}

int fed__simulation_test(struct fed__simulation *simulation, struct fed__metric_sums *sums,
                         struct fed__tested_classes *classes) {
  struct fed__outcomes outcomes;
  *classes = (struct fed__tested_classes){0};
  if (!fed__pool_classes(simulation->pool))
    return fed__pool_test(simulation->pool, &simulation->current, sums, NULL);
  FED_TRY(fed__pool_test_outcomes(simulation->pool, &outcomes));
  const int code = test_classes(simulation, &outcomes, sums, classes);
  fed__outcomes_clear(&outcomes);
  return code;
}

int fed__simulation_classify_test(struct fed__simulation *simulation,
                                  struct fed__classification *found) {
  const struct fed_examples *test = fed__pool_test_set(simulation->pool);
  const size_t count = test ? test->count : 0;
  *found = (struct fed__classification){.context = simulation->context};
  if (!count || !fed__pool_classes(simulation->pool)) return FED_OK;
  uint32_t *rows = fed__alloc(simulation->context, count * sizeof *rows);
  if (!rows) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) rows[i] = (uint32_t)i;
  const struct fed__questions questions = {
      .params = &simulation->current, .of_test = 1, .rows = rows, .row_count = count};
  const int code = classify(simulation, &questions, found);
  fed__free(simulation->context, rows);
  return code;
}

/* `drawn`: room for a client's rows where they are drawn anew. */
static void list_held_out(const struct fed__simulation *simulation, const struct fed__visit *visits,
                          size_t visit_count, uint32_t *drawn, uint32_t *rows,
                          struct fed__asked_part *parts) {
  const struct fed__partition *partition = &simulation->partition;
  size_t count = 0;
  for (size_t i = 0; i < visit_count; i++) {
    const uint32_t client = visits[i].client;
    const struct fed__client_rows own = fed__partition_rows(partition, client, drawn);
    parts[i] = (struct fed__asked_part){count, own.held_out_count,
                                        fed__client_memory_of(&simulation->memory, client)};
    for (size_t k = 0; k < own.held_out_count; k++) rows[count++] = own.held_out[k];
  }
}

static int classify_listed(struct fed__simulation *simulation, const struct fed__visit *visits,
                           size_t visit_count, size_t count, struct fed__classification *found) {
  const struct fed_context *context = simulation->context;
  const size_t room = count + simulation->partition.drawn_count;
  const int have_statistics = fed_model_local_params(simulation->model)->count > 0;
  uint32_t *rows = fed__alloc(context, room * sizeof *rows);
  struct fed__asked_part *parts = fed__alloc(context, visit_count * sizeof *parts);
  int code = rows && parts ? FED_OK : FED_E_MEMORY;
  if (code == FED_OK) {
    list_held_out(simulation, visits, visit_count, rows + count, rows, parts);
    const struct fed__questions questions = {.params = &simulation->current,
                                             .rows = rows,
                                             .row_count = count,
                                             .parts = have_statistics ? parts : NULL,
                                             .part_count = visit_count};
    code = classify(simulation, &questions, found);
  }
  fed__free(context, rows);
  fed__free(context, parts);
  return code;
}

int fed__simulation_classify_held_out(struct fed__simulation *simulation,
                                      const struct fed__visit *visits, size_t visit_count,
                                      struct fed__classification *found) {
  size_t count = 0;
  *found = (struct fed__classification){.context = simulation->context};
  for (size_t i = 0; i < visit_count; i++)
    count += fed__partition_held_out_count(&simulation->partition, visits[i].client);
  if (!count || !fed__pool_classes(simulation->pool)) return FED_OK;
  return classify_listed(simulation, visits, visit_count, count, found);
}
