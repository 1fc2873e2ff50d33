/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.c: from a job to its stages, its aggregation and its server optimiser.
 *
 * The server optimiser is SGD with heavy-ball momentum (Polyak 1964; "FedAvgM", Hsu et al. 2019),
 * written in the form whose state is the last two model versions: both are stored anyway, so that
 * a restart continues bit for bit without a file of its own.
 */
#include "round/plan.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "round/selection/selection.h"

int fed__plan_make(const struct fed__job *job, size_t element_count, struct fed__plan *plan) {
  const int by_examples = job->aggregate.weights == FED__WEIGHTS_EXAMPLES;
  *plan = (struct fed__plan){
      .stages = {job->update.clip_norm, job->update.grid_bits, job->update.grid_step},
      .rule = fed__aggregate_find(job->aggregate.rule),
      .shape = {.element_count = element_count,
                .grid_bits = job->update.grid_bits,
                .weight_max = by_examples ? job->aggregate.weight_max : 1,
                .clients_max = fed__selection_clients_max(job)},
      .exchange_count = 1,
  };
  if (!plan->rule)
    return FED_RAISE(FED_E_UNSUPPORTED, "aggregate.rule '%s' is not known; try 'mean'",
                     job->aggregate.rule);
  if (element_count == 0) return FED_RAISE(FED_E_EMPTY, "the model has no trainable parameters");
  FED_TRY(fed__stage_check_chain(&plan->stages, plan->rule->needs));
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
    return FED_RAISE(FED_E_TYPE, "input %zu: the model takes %s, the job's data has %s", index,
                     gives_numbers ? "indices" : "numbers", gives_numbers ? "numbers" : "indices");
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

uint64_t fed__plan_train_seed(const struct fed__job *job, uint64_t round, const char *client) {
  struct fed_rng rng;
  fed__rng_init(&rng, job->seed, "train", round, fed__name_number(client));
  return fed__rng_next(&rng);
}

void fed__plan_server_step(const struct fed__job *job, const float *current, const float *previous,
                           const float *mean, size_t element_count, float *next) {
  const double rate = job->aggregate.server_learning_rate;
  const double momentum = job->aggregate.server_momentum;
  for (size_t i = 0; i < element_count; i++) {
    const double drift = previous ? (double)current[i] - (double)previous[i] : 0;
    next[i] = (float)((double)current[i] + rate * (double)mean[i] + momentum * drift);
  }
}

int fed__plan_next_model(const struct fed__job *job, const struct fed__plan *plan,
                         struct fed__aggregate *aggregate, const struct fed_params *current,
                         const struct fed_params *previous, struct fed_params *next) {
  const size_t count = plan->shape.element_count;
  const int64_t *sum;
  uint64_t weight_sum;
  FED_TRY(plan->rule->finish(aggregate, &sum, &weight_sum));
  float *mean = fed__alloc(current->context, count * sizeof *mean);
  if (!mean) return FED_E_MEMORY;
  int code = fed__stage_run_server(&plan->stages, sum, weight_sum, count, mean);
  if (code == FED_OK)
    code = fed_params_init(next, current->context, current->tensors, current->count);
  if (code == FED_OK)
    fed__plan_server_step(job, fed_params_floats(current),
                          previous ? fed_params_floats(previous) : NULL, mean, count,
                          fed_params_floats(next));
  fed__free(current->context, mean);
  return code;
}

int fed__plan_evaluates(const struct fed__job *job, uint64_t round, int final_evaluation) {
  return job->evaluate.federated && job->evaluate.every &&
         (final_evaluation || (round - 1) % job->evaluate.every == 0);
}
