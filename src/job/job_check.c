/* SPDX-License-Identifier: Apache-2.0
 *
 * job_check.c: the rules that tie several settings of a job together, one small function a rule;
 * a message names both settings and what to change.
 */
#include "job/job_check.h"
#include "job/data_section.h"
#include "job/selection_section.h"
#include "job/simulate_section.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <stdio.h>

#define RAISE_AT(yaml, path, code, ...)                                                            \
  FED__YAML_RAISE(yaml, fed__yaml_nearest(yaml, path), code, __VA_ARGS__)

static int has_data(const struct fed__job *job) { return job->data.name != NULL; }

static int evaluates_federated(const struct fed__job *job) {
  return job->evaluate.every > 0 && job->evaluate.federated;
}

static int evaluates_test(const struct fed__job *job) {
  return job->evaluate.every > 0 && job->evaluate.test_folder;
}

static int check_rounds(const struct fed__job *job, const struct fed__yaml *yaml) {
  if (job->rounds.minimum > job->rounds.cohort)
    return RAISE_AT(yaml, "rounds.minimum", FED_E_INPUT,
                    "'rounds.minimum' is %u, more than the cohort of %u clients; no round could "
                    "succeed",
                    job->rounds.minimum, job->rounds.cohort);
  if (job->rounds.cohort * job->rounds.over_selection > FED__CLIENTS_MAX)
    return RAISE_AT(yaml, "rounds.over_selection", FED_E_RANGE,
                    "'rounds.cohort' times 'rounds.over_selection' is %.0f; at most %d clients "
                    "can be invited to a round",
                    job->rounds.cohort * job->rounds.over_selection, FED__CLIENTS_MAX);
  if (job->rounds.back_off_s > job->rounds.back_off_max_s)
    return RAISE_AT(yaml, "rounds.back_off", FED_E_INPUT,
                    "'rounds.back_off' is %g s, longer than 'rounds.back_off_max' of %g s",
                    job->rounds.back_off_s, job->rounds.back_off_max_s);
  return FED_OK;
}

static int check_update(const struct fed__job *job, const struct fed__yaml *yaml) {
  const uint32_t bits = job->update.grid_bits;
  if (bits == 8 || bits == 16 || bits == 32) return FED_OK;
  return RAISE_AT(yaml, "update.grid_bits", FED_E_RANGE,
                  "'update.grid_bits' must be 8, 16 or 32, found %u", bits);
}

/* The engine's own rules, which options go together; external trainers have theirs. */
static int check_engine(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed_train_options *options = &job->train.options;
  const struct fed__optimizer *optimizer;
  const struct fed__loss *loss;
  char message[1024];
  if (strcmp(job->train.trainer, "native") != 0) return FED_OK;
  int code = fed__loss_find(options, &loss);
  if (code == FED_OK) code = fed__optimizer_find(options, &optimizer);
  if (code == FED_OK) code = fed__schedule_check(options);
  if (code == FED_OK) return FED_OK;
  snprintf(message, sizeof message, "%.1000s", fed_error_last()->message);
  return RAISE_AT(yaml, "train", FED_E_INPUT, "'train': %s", message);
}

static int check_train(const struct fed__job *job, const struct fed__yaml *yaml) {
  const struct fed_train_options *options = &job->train.options;
  if (job->train.epochs == 0) return FED_OK;
  if (!has_data(job))
    return RAISE_AT(yaml, "data", FED_E_MISSING,
                    "'data' is missing: what to train on, since 'train.epochs' is %u",
                    job->train.epochs);
  if (options->nesterov && options->momentum == 0)
    return RAISE_AT(yaml, "train.nesterov", FED_E_INPUT, "'%s' needs 'train.momentum' above 0",
                    "train.nesterov");
  if (options->schedule == FED_SCHEDULE_STEP && options->schedule_every == 0)
    return RAISE_AT(yaml, "train.schedule", FED_E_MISSING,
                    "'train.schedule' step needs '%s', the steps between two changes",
                    "train.schedule_every");
  if ((options->schedule == FED_SCHEDULE_LINEAR || options->schedule == FED_SCHEDULE_COSINE) &&
      options->schedule_steps == 0)
    return RAISE_AT(yaml, "train.schedule", FED_E_MISSING,
                    "'train.schedule' needs '%s', the steps that it spans", "train.schedule_steps");
  return check_engine(job, yaml);
}

static int check_model(const struct fed__job *job, const struct fed__yaml *yaml) {
  if (job->model.adapted_count && job->model.trainable_count)
    return RAISE_AT(yaml, "model.adapters", FED_E_INPUT,
                    "'model.adapters' freezes all other parameters, so leave out '%s'",
                    "model.trainable");
  for (size_t i = 0; i < job->model.dimension_count; i++)
    for (size_t j = 0; j < i; j++)
      if (!strcmp(job->model.dimensions[i].name, job->model.dimensions[j].name))
        return RAISE_AT(yaml, "model.dimensions", FED_E_DUPLICATE, "dimension '%s' is given twice",
                        job->model.dimensions[i].name);
  return FED_OK;
}

static int check_evaluate(const struct fed__job *job, const struct fed__yaml *yaml) {
  if ((evaluates_federated(job) || evaluates_test(job)) && !has_data(job))
    return RAISE_AT(yaml, "evaluate", FED_E_MISSING,
                    "'%s' is missing: it says what examples look like; to evaluate nothing, set "
                    "'evaluate.every' to 0",
                    "data");
  if (evaluates_federated(job) && job->data.holdout == 0)
    return RAISE_AT(yaml, "data.holdout", FED_E_INPUT,
                    "'data.holdout' is 0, which leaves nothing for '%s'; raise it or set "
                    "'evaluate.federated' to false",
                    "evaluate.federated");
  return FED_OK;
}

static int check_stop(const struct fed__job *job, const struct fed__yaml *yaml) {
  if (job->stop.metric == FED__METRIC_NONE) {
    if (job->stop.at_least == 0 && job->stop.at_most == 0) return FED_OK;
    return RAISE_AT(yaml, "stop", FED_E_MISSING,
                    "'%s' is missing: accuracy for 'at_least', loss for 'at_most'", "stop.metric");
  }
  if (!evaluates_federated(job) && !evaluates_test(job))
    return RAISE_AT(yaml, "stop.metric", FED_E_INPUT,
                    "'%s' needs an evaluation, but 'evaluate' asks for none", "stop.metric");
  const int by_accuracy = job->stop.metric == FED__METRIC_ACCURACY;
  const double wanted = by_accuracy ? job->stop.at_least : job->stop.at_most;
  const double other = by_accuracy ? job->stop.at_most : job->stop.at_least;
  if (wanted > 0 && other == 0) return FED_OK;
  return RAISE_AT(yaml, "stop.metric", FED_E_INPUT, "'stop.metric' %s goes with '%s' above 0 only",
                  by_accuracy ? "accuracy" : "loss", by_accuracy ? "at_least" : "at_most");
}

int fed__job_check(const struct fed__job *job, const struct fed__yaml *yaml) {
  FED_TRY(check_rounds(job, yaml));
  FED_TRY(fed__selection_section_check(job, yaml));
  FED_TRY(check_update(job, yaml));
  FED_TRY(check_model(job, yaml));
  FED_TRY(check_train(job, yaml));
  FED_TRY(fed__data_section_check(job, yaml));
  FED_TRY(check_evaluate(job, yaml));
  FED_TRY(fed__simulate_section_check(job, yaml));
  return check_stop(job, yaml);
}
