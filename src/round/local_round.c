/* SPDX-License-Identifier: Apache-2.0
 *
 * local_round.c: local epochs, then difference, clip, grid.
 */
#include "round/local_round.h"
#include "base/raise.h"
#include "stage/scalar.h"

/* The client's rule at work as a stage, and the number that it sends. */
struct rule_at_work {
  struct fed__update_rule base;
  const struct fed__client_rule *rule;
  const struct fed__client_turn *turn;
  double scalar;
};

static int apply_rule(struct fed__update_rule *self, struct fed__update *update) {
  struct rule_at_work *work = (struct rule_at_work *)self;
  float *second = work->rule->sends_vector ? update->values + update->received_count : NULL;
  return work->rule->end(work->turn, update->values, second, &work->scalar);
}

static int train(const struct fed__local_round *local, const struct fed__client_turn *turn,
                 struct fed_metrics *metrics) {
  const struct fed__client_rule *rule = local->plan->algorithm->client;
  if (local->job->train.epochs && local->examples) {
    if (rule->begin) FED_TRY(rule->begin(turn));
    if (rule->train) return rule->train(turn, metrics);
    FED_TRY(fed_train_epochs(local->trainer, local->examples, turn->epochs, metrics));
  }
  return fed_trainer_params(local->trainer, local->trained);
}

static int fill_trained(const struct fed__local_round *local, const struct fed__client_turn *turn,
                        struct fed_metrics *metrics) {
  const struct fed_params *received = local->received;
  if (local->trainer) return train(local, turn, metrics);
  memcpy(local->trained->storage, received->storage, received->storage_bytes);
  return FED_OK;
}

/* From the trained model to the update on the grid. */
static int run_stages(const struct fed__local_round *local, const struct fed__client_turn *turn,
                      struct fed__update *update) {
  const struct fed__plan *plan = local->plan;
  struct rule_at_work work = {.base = {apply_rule}, .rule = plan->algorithm->client, .turn = turn};
  float *trained = fed_params_floats(local->trained);
  const int several = plan->value_count > plan->parameter_count;
  update->values = several ? local->values : trained;
  if (several) memcpy(local->values, trained, plan->parameter_count * sizeof *trained);
  if (work.rule->end) update->rule = &work.base;
  FED_TRY(fed__stage_run_client(&plan->stages, update));
  if (work.rule->keep) {
    fed__stage_grid_values(&plan->stages, local->grid, plan->value_count, update->values);
    work.rule->keep(turn, update->values, update->values + plan->parameter_count);
  }
  if (!work.rule->sends_scalar) return FED_OK;
  const uint32_t bits = plan->shape.grid_bits;
  return fed__scalar_put(work.scalar, bits, (char *)local->grid + plan->value_count * (bits / 8));
}

int fed__local_round_train(const struct fed__local_round *local, struct fed__local_result *result) {
  const struct fed__job *job = local->job;
  const struct fed__plan *plan = local->plan;
  const struct fed_epochs epochs = {.rows = local->rows,
                                    .row_count = local->row_count,
                                    .row_weights = local->row_weights,
                                    .epochs = job->train.epochs,
                                    .steps_max = job->train.steps_max,
                                    .seed = fed__plan_train_seed(job, local->round, local->client)};
  const struct fed__client_turn turn = {.settings = &plan->client,
                                        .trainer = local->trainer,
                                        .examples = local->examples,
                                        .epochs = &epochs,
                                        .received = local->received,
                                        .from_server = local->from_server,
                                        .kept = local->kept,
                                        .to_keep = local->to_keep,
                                        .work = local->trained};
  struct fed__update update = {.received = fed_params_floats(local->received),
                               .received_count = plan->parameter_count,
                               .element_count = plan->value_count,
                               .grid = local->grid};
  *result = (struct fed__local_result){.example_count = local->examples ? local->row_count : 1};
  FED_TRY(fill_trained(local, &turn, &result->metrics));
  const int code = run_stages(local, &turn, &update);
  if (code == FED_E_NOT_FINITE) FED_TRY(fed_params_check_finite(local->trained)); /* its name */
  FED_TRY(code);
  result->norm = update.norm;
  result->clamped_count = update.clamped_count;
  return FED_OK;
}
