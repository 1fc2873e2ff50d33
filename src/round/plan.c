/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.c: from a job to its stages, its algorithm and its aggregation.
 */
#include "round/plan.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "round/selection/selection.h"
#include "stage/scalar.h"

#include <math.h>

#define STALE_WEIGHT_ONE 256 /* of an update that is not stale */

static size_t elements_of_update(const struct fed__plan *plan) {
  const int scalar = plan->algorithm->client->sends_scalar;
  return plan->value_count + (scalar ? fed__scalar_digits(plan->shape.grid_bits) : 0);
}

static void choose_algorithm(const struct fed__job *job, size_t element_count,
                             struct fed__plan *plan) {
  plan->algorithm = fed__algorithm_of(job);
  plan->parameter_count = element_count;
  plan->value_count = element_count * (plan->algorithm->client->sends_vector ? 2 : 1);
  fed__algorithm_settings(job, &plan->client, &plan->server);
}

int fed__plan_make(const struct fed__job *job, size_t element_count, struct fed__plan *plan) {
  const int by_examples = job->aggregate.weights == FED__WEIGHTS_EXAMPLES;
  *plan = (struct fed__plan){
      .stages = {job->update.clip_norm, job->update.grid_bits, job->update.grid_step},
      .rule = fed__aggregate_find(job->aggregate.rule),
      .shape = {.grid_bits = job->update.grid_bits,
                .weight_max = by_examples ? job->aggregate.weight_max : 1,
                .clients_max = fed__selection_clients_max(job)},
      .exchange_count = 1,
  };
  if (fed__job_buffer(job)) {
    plan->shape.weight_max *= STALE_WEIGHT_ONE;
    plan->shape.clients_max = fed__job_buffer(job);
  }
  if (!plan->rule)
    return FED_RAISE(FED_E_UNSUPPORTED, "aggregate.rule '%s' is not known; try 'mean'",
                     job->aggregate.rule);
  if (element_count == 0) return FED_RAISE(FED_E_EMPTY, "the model has no trainable parameters");
  FED_TRY(fed__stage_check_chain(&plan->stages, plan->rule->needs));
  FED_TRY(fed__algorithm_check(job));
  choose_algorithm(job, element_count, plan);
  plan->shape.element_count = elements_of_update(plan);
  return plan->rule->check(&plan->shape);
}

/* What one example's input looks like as the job declares it; rank 0: as in the files. */
static struct fed_shape declared_shape(const struct fed__dataset_schema *schema, size_t index) {
  struct fed_shape shape = schema->inputs[index].shape;
  if (schema->format == FED__DATA_CSV && shape.rank == 0)
    shape = (struct fed_shape){1, {(int64_t)fed__csv_width(&schema->csv)}};
  return shape;
}

static int check_input(const struct fed__dataset_schema *schema, size_t index,
                       const struct fed_tensor *input) {
  const struct fed_shape declared = declared_shape(schema, index), *wanted = &input->shape;
  const int gives_numbers = schema->inputs[index].kind == FED__INPUT_NUMBERS;
  size_t wanted_elements, declared_elements;
  char want[128], got[128];
  if (gives_numbers != (input->dtype == FED_F32))
    return FED_RAISE(FED_E_TYPE, "input %zu ('%.100s'): the model takes %s, the job's data has %s",
                     index, input->name, gives_numbers ? "indices of a table" : "numbers",
                     gives_numbers
                         ? "numbers: say 'kind: indices' and their 'limit' in data.inputs, "
                           "or 'kind: text'"
                         : "indices: say 'kind: numbers' in data.inputs");
  if (declared.rank == 0) return FED_OK;
  FED_TRY(fed_shape_elements(wanted, &wanted_elements));
  FED_TRY(fed_shape_elements(&declared, &declared_elements));
  if (schema->format == FED__DATA_CSV ? wanted_elements == declared_elements
                                      : fed_shape_equal(&declared, wanted))
    return FED_OK;
  return FED_RAISE(FED_E_SHAPE, "input %zu: the model takes %s, the job's data has %s", index,
                   fed_shape_format(wanted, want, sizeof want),
                   fed_shape_format(&declared, got, sizeof got));
}

static int check_inputs(const struct fed__job *job, const struct fed_model *model) {
  const struct fed_example_spec *spec = fed_model_inputs(model);
  const struct fed__dataset_schema *schema = &job->data.schema;
  if (!job->data.name) return FED_OK;
  if (schema->input_count != spec->input_count)
    return FED_RAISE(FED_E_SHAPE, "the model takes %zu inputs, the job's data has %zu",
                     spec->input_count, schema->input_count);
  for (size_t i = 0; i < spec->input_count; i++) FED_TRY(check_input(schema, i, &spec->inputs[i]));
  return FED_OK;
}

/* Zeros as inputs, the highest class as label everywhere. */
static int try_example(struct fed_trainer *trainer, const struct fed_example_spec *spec,
                       const struct fed__target_schema *target) {
  struct fed_batch *batch = fed_trainer_batch(trainer);
  struct fed_metrics metrics = {0};
  batch->count = 1;
  for (size_t i = 0; i < spec->input_count; i++)
    memset(batch->inputs[i].data, 0, fed_tensor_bytes(&spec->inputs[i]));
  if (target->probabilities && batch->target.shape.rank == 2 &&
      batch->target.shape.dims[1] != (int64_t)target->classes)
    return FED_RAISE(FED_E_SHAPE,
                     "data.target.classes is %u, but the model's output tells %lld classes apart",
                     target->classes, (long long)batch->target.shape.dims[1]);
  if (target->kind == FED__TARGET_NUMBER || batch->target.dtype != FED_I64) return FED_OK;
  int64_t *labels = batch->target.data;
  for (size_t i = fed_tensor_elements(&batch->target); i-- > 0;)
    labels[i] = (int64_t)target->classes - 1;
  const int code = fed_evaluate_step(trainer, &metrics);
  if (code == FED_E_RANGE)
    return FED_RAISE(FED_E_RANGE,
                     "data.target.classes is %u, but the model's output tells fewer "
                     "classes apart",
                     target->classes);
  return code == FED_E_NOT_FINITE ? FED_OK : code; /* zeros may be no input for it */
}

int fed__plan_check_training(const struct fed_context *context, const struct fed__job *job,
                             const struct fed_model *model) {
  struct fed_train_options options = job->train.options;
  struct fed_trainer *trainer = NULL;
  FED_TRY(check_inputs(job, model));
  options.batch_size = 1;
  options.kernels = FED_KERNELS_REFERENCE;
  if (options.precision == FED_PRECISION_BF16) options.precision = FED_PRECISION_F32;
  FED_TRY(fed_trainer_new(context, model, &options, &trainer));
  const int code = job->data.name
                       ? try_example(trainer, fed_model_inputs(model), &job->data.schema.target)
                       : FED_OK;
  fed_trainer_free(trainer);
  return code;
}

uint64_t fed__plan_weight(const struct fed__job *job, uint64_t example_count) {
  if (job->aggregate.weights == FED__WEIGHTS_UNIFORM) return 1;
  return example_count < job->aggregate.weight_max ? example_count : job->aggregate.weight_max;
}

double fed__plan_weight_of_all(const struct fed__job *job, double known_weight, uint64_t known,
                               uint64_t clients) {
  const uint64_t said = job->aggregate.population ? job->aggregate.population : clients;
  const uint64_t all = said > known ? said : known;
  if (known) return known_weight * ((double)all / (double)known);
  return all ? (double)all : 1;
}

uint64_t fed__plan_stale_weight(const struct fed__job *job, uint64_t example_count,
                                uint64_t staleness) {
  const uint64_t weight = fed__plan_weight(job, example_count);
  if (!fed__job_buffer(job)) return weight;
  return weight * (uint64_t)llrint(STALE_WEIGHT_ONE / sqrt(1 + (double)staleness));
}

uint64_t fed__plan_training_number(const struct fed__job *job, uint64_t round, uint32_t attempt) {
  return fed__job_buffer(job) && attempt > 1 ? round + ((uint64_t)(attempt - 1) << 40) : round;
}

uint64_t fed__plan_train_seed(const struct fed__job *job, uint64_t round, const char *client) {
  struct fed_rng rng;
  fed__rng_init(&rng, job->seed, "train", round, fed__name_number(client));
  return fed__rng_next(&rng);
}

/* ---- the next version ----------------------------------------------------------------------- */

static size_t state_count(const struct fed__plan *plan, const char *const **names) {
  const struct fed__server_rule *rule = plan->algorithm->server;
  size_t count = 0;
  *names = rule->states ? rule->states(&plan->server) : NULL;
  while (*names && (*names)[count]) count++;
  return count;
}

static void point_to(const struct fed_params *state, float *vectors[FED__SERVER_STATES_MAX]) {
  for (size_t i = 0; i < state->count; i++) vectors[i] = state->tensors[i].data;
}

int fed__plan_start_state(const struct fed_context *context, const struct fed__plan *plan,
                          struct fed_params *state) {
  struct fed_tensor like[FED__SERVER_STATES_MAX];
  float *vectors[FED__SERVER_STATES_MAX] = {NULL};
  const char *const *names;
  const size_t count = state_count(plan, &names);
  for (size_t i = 0; i < count; i++)
    like[i] = (struct fed_tensor){.name = (char *)(uintptr_t)names[i],
                                  .dtype = FED_F32,
                                  .shape = {1, {(int64_t)plan->parameter_count}}};
  *state = (struct fed_params){0};
  FED_TRY(fed_params_init(state, context, like, count));
  point_to(state, vectors);
  if (plan->algorithm->server->start)
    plan->algorithm->server->start(&plan->server, plan->parameter_count, vectors);
  return FED_OK;
}

void fed__plan_vector_down(const struct fed_params *state, double weight_of_all, float *vector) {
  const float *sum = state->tensors[0].data;
  const size_t count = fed_tensor_elements(&state->tensors[0]);
  for (size_t i = 0; i < count; i++) vector[i] = (float)((double)sum[i] / weight_of_all);
}

/* `mean`: the update's values. */
static void take_turn(const struct fed__plan *plan, const struct fed__plan_version *version,
                      const float *mean, double scalar, uint64_t weight_sum,
                      struct fed_params *next, struct fed_params *next_state) {
  const size_t count = plan->parameter_count;
  float *state[FED__SERVER_STATES_MAX] = {NULL};
  struct fed__server_turn turn = {
      .settings = &plan->server,
      .count = count,
      .current = fed_params_floats(version->model),
      .mean = mean,
      .second_mean = plan->value_count > count ? mean + count : NULL,
      .scalar_mean = scalar,
      .weight_sum = (double)weight_sum,
      .weight_of_all = version->weight_of_all,
      .discount = version->fresh_weight ? (double)weight_sum / (double)version->fresh_weight : 1,
      .base = version->base ? fed_params_floats(version->base) : NULL,
      .next = fed_params_floats(next)};
  point_to(version->state, state);
  for (size_t i = 0; i < FED__SERVER_STATES_MAX; i++) turn.state[i] = state[i];
  point_to(next_state, turn.next_state);
  plan->algorithm->server->step(&turn);
}

static int make_next(const struct fed__plan *plan, struct fed__aggregate *aggregate,
                     const struct fed__plan_version *version, float *mean, struct fed_params *next,
                     struct fed_params *next_state) {
  const int64_t *sum;
  uint64_t weight_sum;
  double scalar = 0;
  FED_TRY(plan->rule->finish(aggregate, &sum, &weight_sum));
  FED_TRY(fed__stage_run_server(&plan->stages, sum, weight_sum, plan->value_count, mean));
  if (plan->algorithm->client->sends_scalar)
    scalar = fed__scalar_mean(sum + plan->value_count, plan->shape.grid_bits, weight_sum);
  take_turn(plan, version, mean, scalar, weight_sum, next, next_state);
  return FED_OK;
}

static int copy_sets(const struct fed__plan_version *version, struct fed_params *next,
                     struct fed_params *next_state) {
  const struct fed_params *model = version->model, *state = version->state;
  *next_state = (struct fed_params){0};
  FED_TRY(fed_params_init(next, model->context, model->tensors, model->count));
  const int code = fed_params_init(next_state, model->context, state->tensors, state->count);
  if (code != FED_OK) fed_params_clear(next);
  return code;
}

int fed__plan_next_model(const struct fed__plan *plan, struct fed__aggregate *aggregate,
                         const struct fed__plan_version *version, struct fed_params *next,
                         struct fed_params *next_state) {
  const struct fed_context *context = version->model->context;
  float *mean = fed__alloc(context, plan->value_count * sizeof *mean);
  if (!mean) return FED_E_MEMORY;
  int code = copy_sets(version, next, next_state);
  if (code == FED_OK) {
    code = make_next(plan, aggregate, version, mean, next, next_state);
    if (code != FED_OK) {
      fed_params_clear(next);
      fed_params_clear(next_state);
    }
  }
  fed__free(context, mean);
  return code;
}

size_t fed__plan_update_bytes(const struct fed__plan *plan) {
  return fed__stage_grid_bytes(&plan->stages, plan->shape.element_count);
}

int fed__plan_evaluates(const struct fed__job *job, uint64_t round, int final_evaluation) {
  return job->evaluate.federated && job->evaluate.every &&
         (final_evaluation || (round - 1) % job->evaluate.every == 0);
}
