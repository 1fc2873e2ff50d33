/* SPDX-License-Identifier: Apache-2.0
 *
 * local_round.c: local epochs, then difference, clip, grid.
 */
#include "round/local_round.h"
#include "base/raise.h"

static int train(const struct fed__local_round *local, struct fed__local_result *result) {
  const struct fed__job *job = local->job;
  const struct fed_epochs epochs = {.rows = local->rows,
                                    .row_count = local->row_count,
                                    .row_weights = local->row_weights,
                                    .epochs = job->train.epochs,
                                    .steps_max = job->train.steps_max,
                                    .seed = fed__plan_train_seed(job, local->round, local->client)};
  if (job->train.epochs && local->examples)
    FED_TRY(fed_train_epochs(local->trainer, local->examples, &epochs, &result->metrics));
  return fed_trainer_params(local->trainer, local->trained);
}

int fed__local_round_train(const struct fed__local_round *local, struct fed__local_result *result) {
  const struct fed_params *received = local->received;
  *result = (struct fed__local_result){.example_count = local->examples ? local->row_count : 1};
  if (local->trainer)
    FED_TRY(train(local, result));
  else
    memcpy(local->trained->storage, received->storage, received->storage_bytes);
  struct fed__update update = {.values = fed_params_floats(local->trained),
                               .received = fed_params_floats(received),
                               .element_count = local->plan->shape.element_count,
                               .grid = local->grid};
  const int code = fed__stage_run_client(&local->plan->stages, &update);
  if (code == FED_E_NOT_FINITE) FED_TRY(fed_params_check_finite(local->trained)); /* its name */
  FED_TRY(code);
  result->norm = update.norm;
  result->clamped_count = update.clamped_count;
  return FED_OK;
}
