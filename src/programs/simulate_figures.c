/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_figures.c: figures to JSON. What is not known is null.
 */
#include "programs/simulate_figures.h"
#include "base/memory.h"
#include "base/raise.h"

#include <math.h>
#include <stdio.h>

/* ---- measuring ------------------------------------------------------------------------------ */

int fed__final_figures_init(struct fed__final_figures *figures,
                            struct fed__simulation *simulation) {
  *figures = (struct fed__final_figures){.context = simulation->context,
                                         .test = {.context = simulation->context},
                                         .held_out = {.context = simulation->context}};
  int code =
      fed__simulation_measure_clients(simulation, FED__CLIENTS_MEASURED_MAX, &figures->clients,
                                      &figures->visits, &figures->visit_count);
  if (code == FED_OK) code = fed__simulation_classify_test(simulation, &figures->test);
  if (code == FED_OK)
    code = fed__simulation_classify_held_out(simulation, figures->visits, figures->visit_count,
                                             &figures->held_out);
  if (code == FED_OK && simulation->end != FED__END_STOPPED)
    code = fed__baselines_make(simulation, &figures->baselines);
  if (code != FED_OK) fed__final_figures_clear(figures);
  return code;
}

void fed__final_figures_clear(struct fed__final_figures *figures) {
  fed__free(figures->context, figures->visits);
  fed__classification_clear(&figures->test);
  fed__classification_clear(&figures->held_out);
  fed__baselines_clear(&figures->baselines);
  *figures = (struct fed__final_figures){.context = figures->context};
}

int fed__has_accuracy(const struct fed__job *job) {
  const enum fed_loss loss = job->train.options.loss;
  return loss != FED_LOSS_MEAN_SQUARED_ERROR && loss != FED_LOSS_HUBER && loss != FED_LOSS_OUTPUT;
}

/* ---- rounds --------------------------------------------------------------------------------- */

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *fed__sums_json(const struct fed__job *job, const struct fed__metric_sums *sums) {
  if (!sums->example_count) return json_null();
  json_t *json = json_pack("{s:I, s:o}", "examples", (json_int_t)sums->example_count, "loss",
                           number(fed__metric_sums_loss(sums)));
  if (json && fed__has_accuracy(job))
    json_object_set_new(json, "accuracy", number(fed__metric_sums_accuracy(sums)));
  return json;
}

/* The test set, and of its classes what belongs to two, or to more. */
static json_t *tested_json(const struct fed__job *job, const struct fed__simulated_round *round) {
  const struct fed__tested_classes *classes = &round->tested_classes;
  json_t *json = fed__sums_json(job, &round->tested);
  if (!json_is_object(json) || !classes->classes) return json;
  json_object_set_new(json, "recall", number(classes->recall));
  json_object_set_new(json, "precision", number(classes->precision));
  if (classes->classes == 2) {
    json_object_set_new(json, "auc", number(classes->auc));
    json_object_set_new(json, "average_precision", number(classes->average_precision));
  } else {
    json_object_set_new(json, "lowest_recall", number(classes->lowest_recall));
  }
  return json;
}

json_t *fed__spread_json(const struct fed__spread *spread) {
  if (!spread->count) return json_null();
  return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "clients",
                   (json_int_t)spread->count, "mean", number(spread->mean), "deviation",
                   number(spread->deviation), "lowest", number(spread->lowest), "p5",
                   number(spread->p5), "p25", number(spread->p25), "median", number(spread->median),
                   "p75", number(spread->p75), "p95", number(spread->p95), "highest",
                   number(spread->highest), "lowest_tenth", number(spread->lowest_tenth),
                   "highest_tenth", number(spread->highest_tenth), "jain", number(spread->jain));
}

static json_t *clients_json(const struct fed__job *job, const struct fed__client_figures *clients) {
  if (!clients->loss.count) return json_null();
  return json_pack("{s:I, s:o, s:o}", "version", (json_int_t)clients->version, "accuracy",
                   fed__has_accuracy(job) ? fed__spread_json(&clients->accuracy) : json_null(),
                   "loss", fed__spread_json(&clients->loss));
}

static json_t *drift_json(const struct fed__drift *drift) {
  if (!drift->count) return json_null();
  return json_pack("{s:I, s:o, s:o, s:o, s:o}", "clients", (json_int_t)drift->count, "mean",
                   number(drift->mean), "largest", number(drift->largest), "step",
                   number(drift->step), "agreement", number(drift->agreement));
}

json_t *fed__trouble_json(const uint64_t trouble[FED__TROUBLE_COUNT]) {
  json_t *json = json_object();
  for (int i = 0; i < FED__TROUBLE_COUNT; i++)
    if (trouble[i])
      json_object_set_new(json, fed__trouble_name((enum fed__trouble)i),
                          json_integer((json_int_t)trouble[i]));
  if (json_object_size(json)) return json;
  json_decref(json);
  return NULL;
}

json_t *fed__round_json(const struct fed__job *job, const struct fed__simulated_round *round) {
  json_t *json = json_pack(
      "{s:I, s:i, s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:f, s:o*}",
      "round", (json_int_t)round->round, "attempt", (int)round->attempt, "kind",
      round->kind == FED__ROUND_TRAIN ? "train" : "evaluate", "cohort", (int)round->cohort,
      "reported", (int)round->reported, "diverged", (int)round->diverged, "trained",
      fed__sums_json(job, &round->trained), "evaluated", fed__sums_json(job, &round->evaluated),
      "tested", tested_json(job, round), "clients", clients_json(job, &round->clients), "drift",
      drift_json(&round->drift), "clamped", (json_int_t)round->clamped_count, "down_bytes",
      (json_int_t)round->down_bytes, "up_bytes", (json_int_t)round->up_bytes, "virtual_s",
      round->virtual_s, "seconds", round->real_s, "trouble", fed__trouble_json(round->trouble));
  if (json && round->failure) json_object_set_new(json, "failure", json_string(round->failure));
  return json;
}

/* ---- clients -------------------------------------------------------------------------------- */

static json_t *client_json(const struct fed__simulation *simulation,
                           const struct fed__visit *visit) {
  const struct fed__partition *partition = &simulation->partition;
  const struct fed_metrics *found = &visit->evaluation;
  const double count = (double)found->example_count;
  char name[FED__CLIENT_NAME_BYTES];
  json_t *json = json_pack(
      "{s:s, s:I, s:I, s:I, s:o}", "client", fed__partition_name(partition, visit->client, name),
      "train_examples", (json_int_t)fed__partition_train_count(partition, visit->client),
      "held_out_examples", (json_int_t)fed__partition_held_out_count(partition, visit->client),
      "rounds", (json_int_t)simulation->rounds_trained[visit->client], "loss",
      number(visit->diverged ? NAN : found->loss_sum / count));
  if (json && fed__has_accuracy(simulation->job))
    json_object_set_new(json, "accuracy",
                        number(visit->diverged ? NAN : (double)found->correct_count / count));
  return json;
}

/* Who was measured and, of the others, as many as the measured were chosen from. */
static json_t *client_list(const struct fed__simulation *simulation,
                           const struct fed__final_figures *figures) {
  const uint32_t all = simulation->partition.client_count;
  const uint32_t shown = all < FED__CLIENTS_MEASURED_MAX ? all : FED__CLIENTS_MEASURED_MAX;
  const struct fed__visit *next = figures->visits, *end = next + figures->visit_count;
  json_t *list = json_array();
  for (uint32_t i = 0; i < shown; i++) {
    const struct fed__visit unmeasured = {.client = (uint32_t)((uint64_t)i * all / shown)};
    const int measured = next < end && next->client == unmeasured.client;
    json_array_append_new(list, client_json(simulation, measured ? next++ : &unmeasured));
  }
  return list;
}

json_t *fed__details_json(const struct fed__simulation *simulation,
                          const struct fed__final_figures *figures) {
  return json_pack("{s:o, s:o, s:o}", "clients", client_list(simulation, figures), "test",
                   fed__matrix_json(&figures->test), "held_out",
                   fed__matrix_json(&figures->held_out));
}

/* ---- settings ------------------------------------------------------------------------------- */

json_t *fed__settings_json(const struct fed__job *job) {
  struct fed_buffer text;
  const json_t *line;
  json_t *settings = json_object(), *lines = NULL;
  size_t index;
  fed_buffer_init(&text, job->context, (size_t)16 << 20);
  if (fed__job_explain(job->context, job, 1, &text) == FED_OK)
    lines = json_loadb((const char *)text.data, text.size, 0, NULL);
  json_array_foreach(lines, index, line) {
    json_t *value = json_object_get(line, "value");
    if (!json_is_null(value))
      json_object_set(settings, json_string_value(json_object_get(line, "key")), value);
  }
  json_decref(lines);
  fed_buffer_clear(&text);
  return settings;
}
