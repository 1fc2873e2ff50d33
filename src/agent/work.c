/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c: training and evaluating for one round, with the engine of this library.
 */
#include "agent/work.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"
#include "job/job_examples.h"
#include "round/local_round.h"

struct fed__work_session {
  const struct fed_context *context;
  struct fed_buffer plan, graph; /* what is open, to see whether it is asked for again */
  char *data_folder;
  struct fed__job job;
  struct fed_model *model;
  struct fed__job_examples data;
  struct fed_trainer *trainer;
};

void fed__work_result_init(struct fed__work_result *result, const struct fed_context *context) {
  *result = (struct fed__work_result){0};
  fed_buffer_init(&result->grid, context, SIZE_MAX);
  fed_buffer_init(&result->statistics, context, SIZE_MAX);
}

void fed__work_result_clear(struct fed__work_result *result) {
  fed_buffer_clear(&result->grid);
  fed_buffer_clear(&result->statistics);
}

void fed__work_result_set(struct fed__work_result *result, const struct fed__work_result *values) {
  const struct fed_buffer grid = result->grid, statistics = result->statistics;
  *result = *values;
  result->grid = grid;
  result->statistics = statistics;
  result->grid.size = 0;
  result->statistics.size = 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void close_job(struct fed__work_session *session) {
  fed_trainer_free(session->trainer);
  fed__job_examples_close(&session->data);
  fed_model_free(session->model);
  fed__job_clear(&session->job);
  fed__free(session->context, session->data_folder);
  fed_buffer_clear(&session->plan);
  fed_buffer_clear(&session->graph);
  session->trainer = NULL;
  session->model = NULL;
  session->data_folder = NULL;
}

/* The smaller of the job's limit and the owner's: refused with the figures before anything is
 * allocated, not by the system in the middle of a step. */
static int new_trainer(struct fed__work_session *session, uint64_t owners_limit) {
  struct fed_train_options options = session->job.train.options;
  if (owners_limit && (!options.memory_bytes_max || options.memory_bytes_max > owners_limit))
    options.memory_bytes_max = owners_limit;
  return fed_trainer_new(session->context, session->model, &options, &session->trainer);
}

static int open_parts(struct fed__work_session *session, const struct fed__work_request *request) {
  const struct fed_context *context = session->context;
  struct fed_model_options model_options;
  FED_TRY(fed_buffer_append(&session->plan, request->plan.data, request->plan.size));
  FED_TRY(fed_buffer_append(&session->graph, request->graph.data, request->graph.size));
  session->data_folder = fed__copy_text(context, request->data_folder);
  if (!session->data_folder) return FED_E_MEMORY;
  FED_TRY(fed__job_parse(context, "job.yaml", request->plan, &session->job));
  fed__job_model_options(&session->job, &model_options);
  FED_TRY(fed_model_load(context, request->graph, &model_options, &session->model));
  if (!session->job.data.name) return FED_OK; /* a job that only moves parameters */
  FED_TRY(
      fed__job_examples_open(&session->job, request->data_folder, request->client, &session->data));
  return new_trainer(session, request->memory_bytes_max);
}

static int is_open(const struct fed__work_session *session,
                   const struct fed__work_request *request) {
  return session->model && session->plan.size == request->plan.size &&
         session->graph.size == request->graph.size &&
         memcmp(session->plan.data, request->plan.data, request->plan.size) == 0 &&
         memcmp(session->graph.data, request->graph.data, request->graph.size) == 0 &&
         strcmp(session->data_folder, request->data_folder) == 0;
}

static int open_job(struct fed__work_session *session, const struct fed__work_request *request) {
  if (is_open(session, request)) return FED_OK;
  close_job(session);
  int code = open_parts(session, request);
  if (code != FED_OK) close_job(session);
  return code;
}

/* ---- working -------------------------------------------------------------------------------- */

/* The plan of an update from these parameters, and room for it. */
static int make_room(const struct fed__job *job, const struct fed_params *received,
                     struct fed__plan *plan, struct fed__work_result *result) {
  const size_t count = fed_params_elements(received);
  FED_TRY(fed__plan_make(job, count, plan));
  const size_t bytes = fed__stage_grid_bytes(&plan->stages, count);
  result->grid.size = 0;
  FED_TRY(fed_buffer_reserve(&result->grid, bytes));
  result->grid_bits = plan->stages.grid_bits;
  result->element_count = count;
  return FED_OK;
}

static void keep_update(struct fed__work_result *result, double norm, uint64_t clamped_count) {
  result->grid.size = result->element_count * (result->grid_bits / 8);
  result->norm = norm;
  result->clamped_count = clamped_count;
}

int fed__work_finish(const struct fed__job *job, const struct fed_params *received,
                     struct fed_params *trained, struct fed__work_result *result) {
  struct fed__plan plan;
  FED_TRY(make_room(job, received, &plan, result));
  struct fed__update update = {.values = fed_params_floats(trained),
                               .received = fed_params_floats(received),
                               .element_count = result->element_count,
                               .grid = result->grid.data};
  FED_TRY(fed__stage_run_client(&plan.stages, &update));
  keep_update(result, update.norm, update.clamped_count);
  return FED_OK;
}

static int train_into(struct fed__work_session *session, const struct fed__work_request *request,
                      const struct fed_params *received, struct fed_params *trained,
                      struct fed__work_result *result) {
  struct fed__plan plan;
  struct fed__local_result found;
  FED_TRY(make_room(&session->job, received, &plan, result));
  const struct fed__local_round local = {.job = &session->job,
                                         .plan = &plan,
                                         .trainer = session->trainer,
                                         .examples = session->data.examples,
                                         .rows = session->data.split.train,
                                         .row_count = session->data.split.train_count,
                                         .row_weights = session->data.row_weights,
                                         .round = request->round,
                                         .client = request->client,
                                         .received = received,
                                         .trained = trained,
                                         .grid = result->grid.data};
  FED_TRY(fed__local_round_train(&local, &found));
  result->example_count = found.example_count;
  result->train_metrics = found.metrics;
  keep_update(result, found.norm, found.clamped_count);
  return FED_OK;
}

static int train(struct fed__work_session *session, const struct fed__work_request *request,
                 const struct fed_params *received, struct fed__work_result *result) {
  struct fed_params trained = {0};
  FED_TRY(fed_params_init(&trained, session->context, received->tensors, received->count));
  const int code = train_into(session, request, received, &trained, result);
  fed_params_clear(&trained);
  return code;
}

static int evaluate(struct fed__work_session *session, struct fed__work_result *result) {
  if (!session->data.split.held_out_count) return FED_OK;
  return fed_evaluate(session->trainer, session->data.examples, session->data.split.held_out,
                      session->data.split.held_out_count, &result->evaluate_metrics);
}

/* The statistics that stay are this agent's own, from its last round. */
static int begin_with_statistics(struct fed__work_session *session, struct fed_slice kept) {
  const struct fed_params *wanted = fed_model_local_params(session->model);
  struct fed_params found = {0};
  if (!session->trainer || !wanted->count) return FED_OK;
  if (kept.size && fed_safetensors_decode(kept, session->context, &found) == FED_OK &&
      fed_params_match(wanted, &found) == FED_OK && fed_params_check_finite(&found) == FED_OK)
    wanted = &found;
  fed_error_clear(); /* those of another model are no failure */
  const int code = fed_trainer_set_local_params(session->trainer, wanted);
  fed_params_clear(&found);
  return code;
}

static int end_with_statistics(struct fed__work_session *session, struct fed__work_result *result) {
  const struct fed_params *like = fed_model_local_params(session->model);
  struct fed_params found;
  if (!session->trainer || !like->count) return FED_OK;
  FED_TRY(fed_params_copy(&found, session->context, like));
  int code = fed_trainer_local_params(session->trainer, &found);
  if (code == FED_OK) code = fed_safetensors_encode(&found, NULL, 0, &result->statistics);
  fed_params_clear(&found);
  return code;
}

static int work_from(struct fed__work_session *session, const struct fed__work_request *request,
                     const struct fed_params *received, struct fed__work_result *result) {
  FED_TRY(fed_params_match(fed_model_params(session->model), received));
  FED_TRY(fed_params_check_finite(received));
  if (session->trainer) FED_TRY(fed_trainer_reset(session->trainer, received));
  FED_TRY(begin_with_statistics(session, request->statistics));
  if (request->evaluate) FED_TRY(evaluate(session, result));
  if (!request->train) return FED_OK;
  FED_TRY(train(session, request, received, result));
  return end_with_statistics(session, result);
}

int fed__work_do(struct fed__work_session *session, const struct fed__work_request *request,
                 struct fed__work_result *result) {
  const struct fed_context *context = session->context;
  const int64_t started_us = context->clock->monotonic_us(context->clock);
  struct fed_params received = {0};
  fed__work_result_set(result, &(struct fed__work_result){0});
  FED_TRY(open_job(session, request));
  FED_TRY(fed_safetensors_decode(request->parameters, context, &received));
  int code = work_from(session, request, &received, result);
  fed_params_clear(&received);
  result->train_s = (double)(context->clock->monotonic_us(context->clock) - started_us) * 1e-6;
  return code;
}

int fed__work_session_new(const struct fed_context *context, struct fed__work_session **session) {
  *session = fed__zalloc(context, 1, sizeof **session);
  if (!*session) return FED_E_MEMORY;
  (*session)->context = context;
  fed_buffer_init(&(*session)->plan, context, SIZE_MAX);
  fed_buffer_init(&(*session)->graph, context, SIZE_MAX);
  return FED_OK;
}

void fed__work_session_free(struct fed__work_session *session) {
  if (!session) return;
  close_job(session);
  fed__free(session->context, session);
}
