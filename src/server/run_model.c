/* SPDX-License-Identifier: Apache-2.0
 *
 * run_model.c: what happens when a round closes: the sum becomes the mean update, the server's
 * optimiser makes the next version, the version is stored and recorded, and, where the server
 * has a test set, measured on a thread of its own.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "fed/safetensors.h"
#include "server/server_state.h"

#include <math.h>
#include <stdio.h>

static double seconds_of_round(const struct fed__run *run) {
  const struct fed_context *context = run->server->context;
  return (double)(context->clock->monotonic_us(context->clock) - run->round_started_us) * 1e-6;
}

void fed__run_note_bytes(struct fed__run *run) {
  struct fed__http_counters now = {0};
  if (run->server->http) fed__http_server_counters(run->server->http, &now);
  run->bytes_in_before = now.bytes_in;
  run->bytes_out_before = now.bytes_out;
}

static json_t *sums_json(const struct fed__metric_sums *sums) {
  if (!sums->example_count) return json_null();
  return json_pack("{s:I, s:f, s:f}", "examples", (json_int_t)sums->example_count, "loss",
                   fed__metric_sums_loss(sums), "accuracy", fed__metric_sums_accuracy(sums));
}

static void record_close(struct fed__run *run, const char *type, const char *parameters) {
  struct fed__http_counters now = {0};
  if (run->server->http) fed__http_server_counters(run->server->http, &now);
  /* The upload that closes the round is not over yet, so the counters do not have it. */
  if (run->pending) now.bytes_in += run->pending->bytes;
  fed__server_event(
      run->server, run->record.id, type, "s:I, s:i, s:i, s:i, s:o, s:o, s:f, s:I, s:I, s:s?",
      "round", (json_int_t)run->round.round, "attempt", (int)run->round.attempt, "cohort",
      (int)run->round.cohort_count, "reported", (int)run->round.reported_count, "train",
      sums_json(&run->train), "evaluate", sums_json(&run->evaluate), "seconds",
      seconds_of_round(run), "bytes_up", (json_int_t)(now.bytes_in - run->bytes_in_before),
      "bytes_down", (json_int_t)(now.bytes_out - run->bytes_out_before), "parameters", parameters);
}

/* ---- the new version ------------------------------------------------------------------------ */

static int store_set(struct fed__run *run, const struct fed_params *next,
                     struct fed__digest *hash) {
  struct fed__server *server = run->server;
  struct fed_buffer file;
  fed_buffer_init(&file, server->context, SIZE_MAX);
  int code = fed_params_check_finite(next);
  if (code == FED_OK) code = fed_safetensors_encode(next, NULL, 0, &file);
  if (code == FED_OK)
    code = server->store->ops->object_put(server->store, fed_buffer_slice(&file), hash);
  fed_buffer_clear(&file);
  return code;
}

int fed__run_store_vector(struct fed__run *run) {
  struct fed_params vector;
  if (!run->plan.algorithm->client->gets_vector || run->round.kind != FED__ROUND_TRAIN)
    return FED_OK;
  FED_TRY(fed__run_weigh_all(run));
  FED_TRY(fed_params_copy(&vector, run->server->context, &run->state));
  fed__plan_vector_down(&run->state, run->weight_of_all, fed_params_floats(&vector));
  const int code = store_set(run, &vector, &run->vector_down);
  fed_params_clear(&vector);
  return code;
}

/* The model, and what the algorithm keeps beside it. */
static int store_version(struct fed__run *run, const struct fed_params *next,
                         const struct fed_params *next_state, struct fed__digest *hash,
                         struct fed__digest *state_hash) {
  FED_TRY(store_set(run, next, hash));
  *state_hash = (struct fed__digest){{0}};
  return next_state->count ? store_set(run, next_state, state_hash) : FED_OK;
}

static int record_version(struct fed__run *run, const struct fed__digest *hash,
                          const struct fed__digest *state_hash) {
  struct fed__server *server = run->server;
  char hex[FED__DIGEST_HEX_SIZE];
  const int64_t wall_ms = server->context->clock->wall_ms(server->context->clock);
  struct fed__round_record round = {.round = run->round.round,
                                    .attempt = run->round.attempt,
                                    .state = FED__ROUND_COMMITTED,
                                    .parameters = *hash,
                                    .finished_ms = wall_ms};
  round.started_ms = wall_ms - (int64_t)(seconds_of_round(run) * 1000);
  snprintf(round.job, sizeof round.job, "%s", run->record.id);
  run->record.parameters = *hash;
  run->record.server_state = *state_hash;
  run->record.version = run->round.round;
  FED_TRY(fed__server_write(server, 1));
  FED_TRY(server->store->ops->round_put(server->store, &round, NULL));
  FED_TRY(server->store->ops->job_put(server->store, &run->record));
  fed__digest_encode(hash, hex);
  record_close(run, "round.committed", hex);
  return FED_OK;
}

static int load_set(struct fed__run *run, const struct fed__digest *hash,
                    const struct fed_params *like, struct fed_params *params) {
  struct fed__server *server = run->server;
  struct fed_buffer file;
  fed_buffer_init(&file, server->context, SIZE_MAX);
  int code = server->store->ops->object_get(server->store, hash, &file);
  if (code == FED_OK)
    code = fed_safetensors_decode(fed_buffer_slice(&file), server->context, params);
  fed_buffer_clear(&file);
  return code == FED_OK ? fed_params_match(like, params) : code;
}

struct version_search {
  uint64_t round;
  struct fed__digest hash;
  int found;
};

static int match_round(void *data, const struct fed__round_record *record) {
  struct version_search *search = data;
  if (record->round == search->round && record->state == FED__ROUND_COMMITTED) {
    search->hash = record->parameters;
    search->found = 1;
  }
  return 0;
}

/* Version 0 is what the ONNX file holds. */
static int load_past(struct fed__run *run, uint64_t version, struct fed_params *params) {
  struct fed__server *server = run->server;
  const struct fed_params *start = fed_model_params(run->model);
  struct version_search search = {.round = version};
  if (version == 0) return fed_params_copy(params, server->context, start);
  FED_TRY(server->store->ops->round_list(server->store, run->record.id, match_round, &search));
  if (!search.found)
    return FED_RAISE(FED_E_STORE, "version %llu of job '%s' is not in the store",
                     (unsigned long long)version, run->record.id);
  return load_set(run, &search.hash, start, params);
}

static int make_version_from(struct fed__run *run, const struct fed_params *base) {
  struct fed__plan_version version = {.model = &run->current,
                                      .state = &run->state,
                                      .base = base,
                                      .fresh_weight = run->fresh_weight};
  struct fed_params next, next_state;
  struct fed__digest hash, state_hash;
  FED_TRY(fed__run_weigh_all(run)); /* now those of this round are known, too */
  version.weight_of_all = run->weight_of_all;
  FED_TRY(fed__plan_next_model(&run->plan, run->aggregate, &version, &next, &next_state));
  int code = store_version(run, &next, &next_state, &hash, &state_hash);
  if (code == FED_OK) code = record_version(run, &hash, &state_hash);
  if (code != FED_OK) {
    fed_params_clear(&next);
    fed_params_clear(&next_state);
    return code;
  }
  fed_params_clear(&run->current);
  fed_params_clear(&run->state);
  run->current = next;
  run->state = next_state;
  run->server->rounds_committed++;
  return FED_OK;
}

/* The model that the last client which counted began with, if the algorithm asks for it. */
static int make_version(struct fed__run *run) {
  struct fed_params base;
  if (!run->plan.algorithm->server->needs_base || run->base_version == run->record.version)
    return make_version_from(run, &run->current);
  FED_TRY(load_past(run, run->base_version, &base));
  const int code = make_version_from(run, &base);
  fed_params_clear(&base);
  return code;
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* The newest version on the test set: in the job's precision, but in float32 instead of bfloat16,
 * which not every server has; where it has, in bfloat16, too. */
struct measured {
  struct fed_metrics metrics, reduced;
};

static int measure_in(struct fed__run *run, enum fed_precision precision,
                      struct fed_metrics *metrics) {
  struct fed_train_options options = run->job.train.options;
  struct fed_trainer *trainer = NULL;
  options.batch_size = 64;
  options.precision = precision;
  FED_TRY(fed_trainer_new(run->server->context, run->model, &options, &trainer));
  int code = fed_trainer_reset(trainer, &run->current);
  if (code == FED_OK) code = fed_evaluate(trainer, run->test_set, NULL, 0, metrics);
  if (code == FED_OK && !isfinite(metrics->loss_sum))
    code = FED_RAISE(FED_E_NOT_FINITE, "the model's loss on the test set is not a number");
  fed_trainer_free(trainer);
  return code;
}

static int measure(struct fed__run *run, struct measured *measured) {
  const enum fed_precision precision = run->job.train.options.precision;
  if (precision != FED_PRECISION_BF16) return measure_in(run, precision, &measured->metrics);
  FED_TRY(measure_in(run, FED_PRECISION_F32, &measured->metrics));
  const int code = measure_in(run, FED_PRECISION_BF16, &measured->reduced);
  if (code != FED_E_UNSUPPORTED) return code;
  fed_error_clear();
  measured->reduced = (struct fed_metrics){0};
  return FED_OK;
}

static void note_reduced(struct fed__run *run, const struct fed_metrics *reduced) {
  if (!reduced->example_count) return;
  const double count = (double)reduced->example_count;
  fed__server_event(run->server, run->record.id, "model.evaluated_reduced",
                    "s:I, s:s, s:I, s:f, s:f", "version", (json_int_t)run->record.version,
                    "precision", "bf16", "examples", (json_int_t)reduced->example_count, "loss",
                    reduced->loss_sum / count, "accuracy", (double)reduced->correct_count / count);
}

static void step_after_measuring(struct fed__run *run, int code, const struct measured *measured) {
  const struct fed_metrics *metrics = &measured->metrics;
  struct fed__round_event event = fed__run_event(run, FED__EVENT_MODEL);
  if (code == FED_OK && metrics->example_count) {
    const double count = (double)metrics->example_count;
    event.measured = 1;
    event.accuracy = (double)metrics->correct_count / count;
    event.loss = metrics->loss_sum / count;
    fed__server_event(run->server, run->record.id, "model.evaluated", "s:I, s:I, s:f, s:f",
                      "version", (json_int_t)run->record.version, "examples",
                      (json_int_t)metrics->example_count, "loss", event.loss, "accuracy",
                      event.accuracy);
    note_reduced(run, &measured->reduced);
  }
  if (fed__run_step(run, &event) != FED_OK)
    fed__log_failure(run->server->context, FED_LOG_ERROR, "round.step_failed");
}

/* `current` does not change while the round is closing, so the thread may read it unlocked. */
static void *run_evaluator(void *data) {
  struct fed__run *run = data;
  struct measured measured = {{0}, {0}};
  const int code = measure(run, &measured);
  if (code != FED_OK)
    fed__log_failure(run->server->context, FED_LOG_ERROR, "model.evaluation_failed");
  fed__server_lock(run->server);
  run->evaluating = 0;
  if (!run->broken) step_after_measuring(run, code, &measured);
  if (fed__server_unlock(run->server) != FED_OK)
    fed__log_failure(run->server->context, FED_LOG_ERROR, "store.failed");
  return NULL;
}

void fed__run_join_evaluator(struct fed__run *run) {
  if (!run->evaluator_started) return;
  pthread_join(run->evaluator, NULL);
  run->evaluator_started = 0;
}

static int start_evaluator(struct fed__run *run) {
  fed__run_join_evaluator(run);
  run->evaluating = 1;
  if (pthread_create(&run->evaluator, NULL, run_evaluator, run) != 0) {
    run->evaluating = 0;
    return FED_RAISE(FED_E_LIMIT, "cannot start a thread to evaluate the model");
  }
  run->evaluator_started = 1;
  return FED_OK;
}

/* ---- closing -------------------------------------------------------------------------------- */

static int wants_measuring(const struct fed__run *run) {
  return run->test_set && (run->record.version % run->job.evaluate.every == 0 ||
                           run->record.version == run->job.rounds.count);
}

/* The mean over the cohort's held-out rows of the model that they received: good enough to stop
 * by where the server has no test set of its own. */
static void measured_by_clients(const struct fed__run *run, struct fed__round_event *event) {
  if (run->test_set || !run->evaluate.example_count) return;
  event->measured = 1;
  event->accuracy = fed__metric_sums_accuracy(&run->evaluate);
  event->loss = fed__metric_sums_loss(&run->evaluate);
}

static void close_evaluation(struct fed__run *run) {
  struct fed__server *server = run->server;
  struct fed__round_record round = {.round = run->round.round,
                                    .attempt = run->round.attempt,
                                    .state = FED__ROUND_COMMITTED,
                                    .parameters = run->record.parameters};
  snprintf(round.job, sizeof round.job, "%s", run->record.id);
  if (fed__server_write(server, 1) != FED_OK ||
      server->store->ops->round_put(server->store, &round, NULL) != FED_OK)
    run->broken = 1;
  record_close(run, "model.evaluated_by_clients", NULL);
}

int fed__run_resume_measuring(struct fed__run *run) {
  if (!run->record.version || run->round.ending != FED__END_NONE || !wants_measuring(run))
    return FED_OK;
  fed__round_resume_closing(&run->round, run->record.version);
  return start_evaluator(run);
}

/* Asynchronous answers that come in from now on are for the next version. */
static void begin_next_buffer(struct fed__run *run) {
  if (fed__round_is_asynchronous(&run->round)) fed__run_forget_answers(run);
}

static void close_training(struct fed__run *run) {
  int code = make_version(run);
  if (code == FED_OK && wants_measuring(run)) {
    code = start_evaluator(run);
    if (code == FED_OK) run->model_pending = 0;
    return;
  }
  measured_by_clients(run, &run->model_event);
  if (code == FED_OK) return;
  fed__log_failure(run->server->context, FED_LOG_ERROR, "model.failed");
  run->model_event.type = FED__EVENT_MODEL_FAILED;
}

void fed__run_close_round(struct fed__run *run) {
  run->model_event = fed__run_event(run, FED__EVENT_MODEL);
  run->model_pending = 1;
  if (!fed__round_is_asynchronous(&run->round)) fed__drop_uploads(run->server, run);
  if (run->round.kind == FED__ROUND_EVALUATE) {
    close_evaluation(run);
    return;
  }
  close_training(run);
  begin_next_buffer(run);
}

/* ---- after a restart ------------------------------------------------------------------------ */

/* An algorithm's state begins anew for a job of an earlier fed, which did not store it. */
static int load_state(struct fed__run *run) {
  static const struct fed__digest none;
  struct fed_params start;
  FED_TRY(fed__plan_start_state(run->server->context, &run->plan, &start));
  if (!start.count || fed__digest_equal(&run->record.server_state, &none)) {
    run->state = start;
    return FED_OK;
  }
  const int code = load_set(run, &run->record.server_state, &start, &run->state);
  fed_params_clear(&start);
  return code;
}

int fed__run_store_start(struct fed__run *run) {
  struct fed__server *server = run->server;
  struct fed__job_record *record = &run->record;
  FED_TRY(
      store_version(run, &run->current, &run->state, &record->parameters, &record->server_state));
  return server->store->ops->job_put(server->store, record);
}

int fed__run_load_version(struct fed__run *run) {
  const struct fed_params *start = fed_model_params(run->model);
  FED_TRY(load_state(run));
  if (run->record.version == 0) return fed_params_copy(&run->current, run->server->context, start);
  return load_set(run, &run->record.parameters, start, &run->current);
}
