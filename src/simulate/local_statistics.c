/* SPDX-License-Identifier: Apache-2.0
 *
 * local_statistics.c: copies, by way of a set that the trainer takes.
 */
#include "simulate/local_statistics.h"
#include "base/raise.h"

#include <string.h>

int fed__local_statistics_init(struct fed__local_statistics *statistics,
                               const struct fed_context *context, const struct fed_model *model) {
  *statistics = (struct fed__local_statistics){.initial = fed_model_local_params(model)};
  if (!statistics->initial->count) return FED_OK;
  return fed_params_copy(&statistics->scratch, context, statistics->initial);
}

void fed__local_statistics_clear(struct fed__local_statistics *statistics) {
  fed_params_clear(&statistics->scratch);
}

int fed__local_statistics_put(struct fed__local_statistics *statistics, struct fed_trainer *trainer,
                              const float *values) {
  struct fed_params *scratch = &statistics->scratch;
  if (!scratch->count) return FED_OK;
  if (!values) return fed_trainer_set_local_params(trainer, statistics->initial);
  memcpy(fed_params_floats(scratch), values, fed_params_elements(scratch) * sizeof *values);
  return fed_trainer_set_local_params(trainer, scratch);
}

int fed__local_statistics_keep(struct fed__local_statistics *statistics,
                               const struct fed_trainer *trainer, const struct fed__plan *plan,
                               float *to_keep) {
  struct fed_params *scratch = &statistics->scratch;
  const size_t before = fed__kept_by_rule(plan);
  if (!scratch->count) return FED_OK;
  FED_TRY(fed_trainer_local_params(trainer, scratch));
  const struct fed_params *kept = scratch;
  if (fed_params_check_finite(scratch) != FED_OK) {
    fed_error_clear();
    memset(to_keep, 0, before * sizeof *to_keep);
    kept = statistics->initial;
  }
  memcpy(to_keep + before, fed_params_floats(kept), fed_params_elements(kept) * sizeof *to_keep);
  return FED_OK;
}

int fed__local_statistics_move(struct fed__local_statistics *statistics,
                               const struct fed_trainer *from, struct fed_trainer *to) {
  if (!statistics->scratch.count) return FED_OK;
  FED_TRY(fed_trainer_local_params(from, &statistics->scratch));
  return fed_trainer_set_local_params(to, &statistics->scratch);
}

size_t fed__kept_by_rule(const struct fed__plan *plan) {
  return plan->algorithm->client->kept_name ? plan->parameter_count : 0;
}

size_t fed__kept_in_all(const struct fed__plan *plan, const struct fed_model *model) {
  const struct fed_params *statistics = fed_model_local_params(model);
  return fed__kept_by_rule(plan) + (statistics->count ? fed_params_elements(statistics) : 0);
}

const float *fed__kept_statistics(const struct fed__plan *plan, const float *kept) {
  return kept ? kept + fed__kept_by_rule(plan) : NULL;
}
