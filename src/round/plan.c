/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.c: from a job to its stages, its aggregation and its server optimiser.
 *
 * The server optimiser is SGD with heavy-ball momentum (Polyak 1964; "FedAvgM", Hsu et al. 2019),
 * written in the form whose state is the last two model versions: both are stored anyway, so that
 * a restart continues bit for bit without a file of its own.
 */
#include "round/plan.h"
#include "base/raise.h"
#include "base/rng.h"

int fed__plan_make(const struct fed__job *job, size_t element_count, struct fed__plan *plan) {
  const int by_examples = job->aggregate.weights == FED__WEIGHTS_EXAMPLES;
  *plan = (struct fed__plan){
      .stages = {job->update.clip_norm, job->update.grid_bits, job->update.grid_step},
      .rule = fed__aggregate_find(job->aggregate.rule),
      .shape = {.element_count = element_count,
                .grid_bits = job->update.grid_bits,
                .weight_max = by_examples ? job->aggregate.weight_max : 1,
                .clients_max = (uint64_t)(job->rounds.cohort * job->rounds.over_selection) + 1},
      .exchange_count = 1,
  };
  if (!plan->rule)
    return FED_RAISE(FED_E_UNSUPPORTED, "aggregate.rule '%s' is not known; try 'mean'",
                     job->aggregate.rule);
  if (element_count == 0) return FED_RAISE(FED_E_EMPTY, "the model has no trainable parameters");
  FED_TRY(fed__stage_check_chain(&plan->stages, plan->rule->needs));
  return plan->rule->check(&plan->shape);
}

uint64_t fed__plan_weight(const struct fed__job *job, uint64_t example_count) {
  if (job->aggregate.weights == FED__WEIGHTS_UNIFORM) return 1;
  return example_count < job->aggregate.weight_max ? example_count : job->aggregate.weight_max;
}

uint64_t fed__plan_train_seed(const struct fed__job *job, uint64_t round, const char *client) {
  struct fed_rng rng;
  fed__rng_init(&rng, job->seed, "train", round, fed__name_number(client));
  return fed__rng_next(&rng);
}

void fed__plan_server_step(const struct fed__job *job, const float *current, const float *previous,
                           const float *mean, size_t element_count, float *next) {
  const double rate = job->aggregate.server_learning_rate;
  const double momentum = previous ? job->aggregate.server_momentum : 0;
  for (size_t i = 0; i < element_count; i++) {
    const double drift = momentum != 0 ? (double)current[i] - (double)previous[i] : 0;
    next[i] = (float)((double)current[i] + rate * (double)mean[i] + momentum * drift);
  }
}
