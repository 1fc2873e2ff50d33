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
  fed_buffer_init(&result->kept, context, SIZE_MAX);
}

void fed__work_result_clear(struct fed__work_result *result) {
  fed_buffer_clear(&result->grid);
  fed_buffer_clear(&result->kept);
}

void fed__work_result_set(struct fed__work_result *result, const struct fed__work_result *values) {
  const struct fed_buffer grid = result->grid, kept = result->kept;
  *result = *values;
  result->grid = grid;
  result->kept = kept;
  result->grid.size = 0;
  result->kept.size = 0;
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
  FED_TRY(fed__plan_make(job, fed_params_elements(received), plan));
  result->grid.size = 0;
  FED_TRY(fed_buffer_reserve(&result->grid, fed__plan_update_bytes(plan)));
  result->grid_bits = plan->stages.grid_bits;
  result->element_count = plan->shape.element_count;
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
                               .received_count = plan.parameter_count,
                               .element_count = plan.value_count,
                               .grid = result->grid.data};
  FED_TRY(fed__stage_run_client(&plan.stages, &update));
  keep_update(result, update.norm, update.clamped_count);
  return FED_OK;
}

/* What a round works on: the received model with what came along, and what stays here. */
struct turn {
  struct fed__plan plan;
  const struct fed_params *received;
  struct fed_params from_server;
  struct fed_params kept, to_keep; /* statistics, then the rule's vector, if there are such */
  struct fed_params trained;
  float *values;
};

static int train_into(struct fed__work_session *session, const struct fed__work_request *request,
                      struct turn *turn, struct fed__work_result *result) {
  struct fed__local_result found;
  const struct fed__client_rule *rule = turn->plan.algorithm->client;
  const size_t last = turn->kept.count - 1; /* of those, the rule's */
  FED_TRY(make_room(&session->job, turn->received, &turn->plan, result));
  const struct fed__local_round local = {
      .job = &session->job,
      .plan = &turn->plan,
      .trainer = session->trainer,
      .examples = session->data.examples,
      .rows = session->data.split.train,
      .row_count = session->data.split.train_count,
      .row_weights = session->data.row_weights,
      .round = request->round,
      .client = request->client,
      .received = turn->received,
      .from_server = turn->from_server.count ? fed_params_floats(&turn->from_server) : NULL,
      .kept = rule->kept_name ? turn->kept.tensors[last].data : NULL,
      .to_keep = rule->kept_name ? turn->to_keep.tensors[last].data : NULL,
      .trained = &turn->trained,
      .values = turn->values,
      .grid = result->grid.data};
  FED_TRY(fed__local_round_train(&local, &found));
  result->example_count = found.example_count;
  result->train_metrics = found.metrics;
  keep_update(result, found.norm, found.clamped_count);
  return FED_OK;
}

static int evaluate(struct fed__work_session *session, struct fed__work_result *result) {
  if (!session->data.split.held_out_count) return FED_OK;
  return fed_evaluate(session->trainer, session->data.examples, session->data.split.held_out,
                      session->data.split.held_out_count, &result->evaluate_metrics);
}

/* ---- what stays here ------------------------------------------------------------------------ */

/* A set of what this agent keeps for the job: the graph's statistics, a rule's zeros. */
static int make_kept(const struct fed__work_session *session, const struct fed__plan *plan,
                     struct fed_params *kept) {
  const struct fed_params *statistics = fed_model_local_params(session->model);
  const char *name = plan->algorithm->client->kept_name;
  struct fed_tensor *like = fed__zalloc(session->context, statistics->count + 1, sizeof *like);
  if (!like) return FED_E_MEMORY;
  memcpy(like, statistics->tensors, statistics->count * sizeof *like);
  like[statistics->count] = (struct fed_tensor){.name = (char *)(uintptr_t)name,
                                                .dtype = FED_F32,
                                                .shape = {1, {(int64_t)plan->parameter_count}}};
  const int code =
      fed_params_init(kept, session->context, like, statistics->count + (name ? 1 : 0));
  for (size_t i = 0; code == FED_OK && i < statistics->count; i++)
    memcpy(kept->tensors[i].data, statistics->tensors[i].data,
           fed_tensor_bytes(&statistics->tensors[i]));
  fed__free(session->context, like);
  return code;
}

/* What it left in its last round, if that is of this model. */
static int recall(const struct fed__work_session *session, struct fed_slice bytes,
                  struct fed_params *kept) {
  struct fed_params found = {0};
  if (!bytes.size) return FED_OK;
  if (fed_safetensors_decode(bytes, session->context, &found) == FED_OK &&
      fed_params_match(kept, &found) == FED_OK && fed_params_check_finite(&found) == FED_OK)
    memcpy(kept->storage, found.storage, kept->storage_bytes);
  fed_params_clear(&found);
  fed_error_clear(); /* what is of another model is no failure */
  return FED_OK;
}

/* The statistics among what is kept, as a set of their own that borrows. */
static struct fed_params statistics_of(const struct fed__work_session *session,
                                       const struct fed_params *kept) {
  struct fed_params statistics = *kept;
  statistics.count = fed_model_local_params(session->model)->count;
  return statistics;
}

static int put_statistics(struct fed__work_session *session, const struct turn *turn) {
  const struct fed_params statistics = statistics_of(session, &turn->kept);
  if (!session->trainer || !statistics.count) return FED_OK;
  return fed_trainer_set_local_params(session->trainer, &statistics);
}

static int keep(struct fed__work_session *session, struct turn *turn,
                struct fed__work_result *result) {
  struct fed_params statistics = statistics_of(session, &turn->to_keep);
  if (!session->trainer || !turn->to_keep.count) return FED_OK;
  if (statistics.count) FED_TRY(fed_trainer_local_params(session->trainer, &statistics));
  return fed_safetensors_encode(&turn->to_keep, NULL, 0, &result->kept);
}

/* ---- a turn --------------------------------------------------------------------------------- */

static int receive_state(const struct fed__work_session *session, const struct fed__plan *plan,
                         struct fed_slice bytes, struct fed_params *state) {
  struct fed_params wanted;
  if (!plan->algorithm->client->gets_vector) return FED_OK;
  FED_TRY(fed__plan_start_state(session->context, plan, &wanted));
  int code = fed_safetensors_decode(bytes, session->context, state);
  if (code == FED_OK) code = fed_params_match(&wanted, state);
  if (code == FED_OK) code = fed_params_check_finite(state);
  fed_params_clear(&wanted);
  return code;
}

static int prepare_turn(struct fed__work_session *session, const struct fed__work_request *request,
                        struct turn *turn) {
  const struct fed_context *context = session->context;
  const struct fed_params *received = turn->received;
  FED_TRY(fed_params_match(fed_model_params(session->model), received));
  FED_TRY(fed_params_check_finite(received));
  FED_TRY(fed__plan_make(&session->job, fed_params_elements(received), &turn->plan));
  FED_TRY(make_kept(session, &turn->plan, &turn->kept));
  FED_TRY(make_kept(session, &turn->plan, &turn->to_keep));
  FED_TRY(recall(session, request->kept, &turn->kept));
  if (!request->train) return FED_OK;
  FED_TRY(receive_state(session, &turn->plan, request->server_state, &turn->from_server));
  FED_TRY(fed_params_init(&turn->trained, context, received->tensors, received->count));
  if (turn->plan.value_count == turn->plan.parameter_count) return FED_OK;
  turn->values = fed__alloc(context, turn->plan.value_count * sizeof *turn->values);
  return turn->values ? FED_OK : FED_E_MEMORY;
}

static void clear_turn(const struct fed__work_session *session, struct turn *turn) {
  fed_params_clear(&turn->from_server);
  fed_params_clear(&turn->kept);
  fed_params_clear(&turn->to_keep);
  fed_params_clear(&turn->trained);
  fed__free(session->context, turn->values);
}

static int work_on(struct fed__work_session *session, const struct fed__work_request *request,
                   struct turn *turn, struct fed__work_result *result) {
  FED_TRY(prepare_turn(session, request, turn));
  if (session->trainer) FED_TRY(fed_trainer_reset(session->trainer, turn->received));
  FED_TRY(put_statistics(session, turn));
  if (request->evaluate) FED_TRY(evaluate(session, result));
  if (!request->train) return FED_OK;
  FED_TRY(train_into(session, request, turn, result));
  return keep(session, turn, result);
}

static int work_from(struct fed__work_session *session, const struct fed__work_request *request,
                     const struct fed_params *received, struct fed__work_result *result) {
  struct turn turn = {.received = received};
  const int code = work_on(session, request, &turn, result);
  clear_turn(session, &turn);
  return code;
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
