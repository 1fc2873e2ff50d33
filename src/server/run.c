/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c: a job at work: made from its record, stepped by events, its effects carried out.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "job/job_examples.h"
#include "server/server_state.h"

#include <stdlib.h>

struct fed__run *fed__run_find(struct fed__server *server, const char *job) {
  for (size_t i = 0; i < server->run_count; i++)
    if (strcmp(server->runs[i]->record.id, job) == 0) return server->runs[i];
  return NULL;
}

struct fed__round_event fed__run_event(const struct fed__run *run,
                                       enum fed__round_event_type type) {
  const struct fed__round_event event = {.type = type, .now_ms = fed__server_now_ms(run->server)};
  return event;
}

/* ---- effects -------------------------------------------------------------------------------- */

static void note_failure(struct fed__run *run, int code) {
  if (code == FED_OK) return;
  fed__log_failure(run->server->context, FED_LOG_ERROR, "run.record_failed");
  run->broken = 1;
}

static int put_round(struct fed__run *run, enum fed__round_state_kind state, const char *cohort,
                     int durable) {
  struct fed__server *server = run->server;
  const int64_t wall_ms = server->context->clock->wall_ms(server->context->clock);
  struct fed__round_record record = {.round = run->round.round,
                                     .attempt = run->round.attempt,
                                     .state = state,
                                     .parameters = run->record.parameters,
                                     .started_ms = wall_ms,
                                     .finished_ms = state == FED__ROUND_OPEN ? 0 : wall_ms};
  snprintf(record.job, sizeof record.job, "%s", run->record.id);
  FED_TRY(fed__server_write(server, durable));
  return server->store->ops->round_put(server->store, &record, cohort);
}

static char *cohort_names(const struct fed__run *run) {
  json_t *names = json_array();
  for (uint32_t i = 0; i < run->round.cohort_count; i++)
    json_array_append_new(names,
                          json_string(run->server->roster.clients[run->round.cohort[i]]->name));
  char *text = json_dumps(names, JSON_COMPACT);
  json_decref(names);
  return text;
}

void fed__run_forget_answers(struct fed__run *run) {
  run->plan.rule->begin(run->aggregate);
  run->fresh_weight = 0;
  run->train = run->evaluate = (struct fed__metric_sums){0};
}

/* A new one for each attempt at a round; asynchronous tasks outlive rounds, and the table knows
 * which of them are answered. */
static void draw_nonce(struct fed__run *run) {
  const struct fed_context *context = run->server->context;
  if (run->has_nonce && fed__round_is_asynchronous(&run->round)) return;
  note_failure(run, context->entropy->fill(context->entropy, run->nonce, sizeof run->nonce));
  run->has_nonce = 1;
}

static void open_round(struct fed__run *run) {
  const struct fed_context *context = run->server->context;
  char *cohort = cohort_names(run);
  if (!fed__round_is_asynchronous(&run->round)) fed__run_forget_answers(run);
  fed__run_note_bytes(run);
  run->round_started_us = context->clock->monotonic_us(context->clock);
  draw_nonce(run);
  note_failure(run, fed__run_store_vector(run));
  note_failure(run, cohort ? put_round(run, FED__ROUND_OPEN, cohort, 0) : FED_E_MEMORY);
  fed__server_event(run->server, run->record.id, "round.started", "s:I, s:i, s:s, s:i", "round",
                    (json_int_t)run->round.round, "attempt", (int)run->round.attempt, "kind",
                    run->round.kind == FED__ROUND_TRAIN ? "train" : "evaluate", "cohort",
                    (int)run->round.cohort_count);
  free(cohort); /* jansson's */
}

static void fail_round(struct fed__run *run, const char *reason) {
  fed__run_forget_answers(run);
  run->server->rounds_failed++;
  note_failure(run, put_round(run, FED__ROUND_FAILED, NULL, 0));
  fed__drop_uploads(run->server, run);
  fed__server_event(run->server, run->record.id, "round.failed", "s:I, s:i, s:i, s:s", "round",
                    (json_int_t)run->round.round, "attempt", (int)run->round.attempt, "reported",
                    (int)run->round.reported_count, "reason", reason);
}

static void finish_job(struct fed__run *run, const struct fed__round_effect *effect) {
  struct fed__server *server = run->server;
  struct fed__job_record *record = &run->record;
  record->state = effect->end == FED__END_FAILURES  ? FED__JOB_FAILED
                  : effect->end == FED__END_STOPPED ? FED__JOB_STOPPED
                                                    : FED__JOB_DONE;
  record->finished_ms = server->context->clock->wall_ms(server->context->clock);
  snprintf(record->reason, sizeof record->reason, "%s", effect->reason);
  note_failure(run, fed__server_write(server, 1));
  note_failure(run, server->store->ops->job_put(server->store, record));
  fed__server_event(server, record->id, "job.finished", "s:s, s:s, s:I", "state",
                    record->state == FED__JOB_DONE      ? "done"
                    : record->state == FED__JOB_STOPPED ? "stopped"
                                                        : "failed",
                    "reason", effect->reason, "version", (json_int_t)record->version);
}

static void add_metrics(struct fed__metric_sums *sums, const Fed__Metrics *metrics) {
  if (metrics)
    fed__metric_sums_add(sums, &(struct fed_metrics){metrics->example_count, metrics->correct_count,
                                                     metrics->loss_sum});
}

static json_t *metrics_json(const Fed__Metrics *metrics) {
  if (!metrics || !metrics->example_count) return json_null();
  const double count = (double)metrics->example_count;
  return json_pack("{s:I, s:f, s:f}", "examples", (json_int_t)metrics->example_count, "loss",
                   metrics->loss_sum / count, "accuracy", (double)metrics->correct_count / count);
}

static void note_task(struct fed__run *run, uint32_t client, uint64_t example_count) {
  if (!fed__round_is_asynchronous(&run->round)) return;
  run->fresh_weight += fed__plan_stale_weight(&run->job, example_count, 0);
  run->base_version = run->round.tasks[client].round - 1;
}

static void count_answer(struct fed__run *run, uint32_t client) {
  const struct fed__pending_update *pending = run->pending;
  const Fed__UpdateHeader *header = pending->header;
  note_task(run, client, header->example_count);
  if (pending->grid.size) {
    note_failure(run, run->plan.rule->add(run->aggregate, pending->grid, pending->weight));
    note_failure(run, fed__run_note_weight(run, client, pending->weight));
  }
  add_metrics(&run->train, header->train);
  add_metrics(&run->evaluate, header->evaluate);
  run->server->updates_counted++;
  fed__server_event(run->server, run->record.id, "client.reported",
                    "s:I, s:i, s:s, s:I, s:o, s:o, s:f, s:I, s:f, s:I, s:i, s:I, s:o*, s:o*",
                    "round", (json_int_t)run->round.round, "exchange", (int)run->round.exchange,
                    "client", run->server->roster.clients[client]->name, "examples",
                    (json_int_t)header->example_count, "train", metrics_json(header->train),
                    "evaluate", metrics_json(header->evaluate), "train_s", header->train_s,
                    "peak_bytes", (json_int_t)header->peak_bytes, "norm", header->norm, "clamped",
                    (json_int_t)header->clamped_count, "reported", (int)run->round.reported_count,
                    "staleness", (json_int_t)pending->staleness, "duration_s",
                    fed__run_note_report(run, client, header), "weight",
                    pending->grid.size ? json_integer((json_int_t)pending->weight) : NULL);
}

static void carry_out(struct fed__round_driver *self, const struct fed__round *round,
                      const struct fed__round_effect *effect) {
  struct fed__run *run = (struct fed__run *)self;
  (void)round;
  switch (effect->type) {
  case FED__EFFECT_OPEN_ROUND:
    open_round(run);
    break;
  case FED__EFFECT_GIVE_TASK:
    fed__give_task(run, effect->client);
    break;
  case FED__EFFECT_COUNT:
    count_answer(run, effect->client);
    run->verdict = effect->type;
    run->verdict_reason = NULL;
    break;
  case FED__EFFECT_COUNTED_BEFORE:
  case FED__EFFECT_DISMISS:
    run->verdict = effect->type;
    run->verdict_reason = effect->reason;
    break;
  case FED__EFFECT_NEXT_EXCHANGE:
    fed__run_forget_answers(run);
    break;
  case FED__EFFECT_CLOSE_ROUND:
    fed__run_close_round(run);
    break;
  case FED__EFFECT_FAIL_ROUND:
    fail_round(run, effect->reason);
    break;
  case FED__EFFECT_FINISH:
    finish_job(run, effect);
    break;
  }
}

/* Remember why training ended while only the final evaluation is left (see round.h). */
static int record_ending(struct fed__run *run) {
  if (run->round.ending == FED__END_NONE || run->record.state != FED__JOB_RUNNING ||
      run->record.reason[0])
    return FED_OK;
  snprintf(run->record.reason, sizeof run->record.reason, "%s",
           fed__round_end_name(run->round.ending));
  FED_TRY(fed__server_write(run->server, 1));
  return run->server->store->ops->job_put(run->server->store, &run->record);
}

int fed__run_step(struct fed__run *run, const struct fed__round_event *event) {
  if (run->broken) return FED_RAISE(FED_E_BUSY, "job '%s' is being loaded again", run->record.id);
  FED_TRY(fed__round_set_client_count(&run->round, run->server->roster.count));
  FED_TRY(fed__round_step(&run->round, event, &run->driver));
  while (run->model_pending) {
    run->model_pending = 0;
    const struct fed__round_event next = run->model_event;
    FED_TRY(fed__round_step(&run->round, &next, &run->driver));
  }
  return record_ending(run);
}

/* ---- life ----------------------------------------------------------------------------------- */

static enum fed__round_end ending_of(const struct fed__job_record *record) {
  for (int end = FED__END_ROUNDS; end <= FED__END_FAILURES; end++)
    if (strcmp(record->reason, fed__round_end_name((enum fed__round_end)end)) == 0)
      return (enum fed__round_end)end;
  return FED__END_NONE;
}

static int load_objects(struct fed__run *run) {
  struct fed__server *server = run->server;
  struct fed_model_options options;
  struct fed_buffer plan, graph;
  fed_buffer_init(&plan, server->context, FED__JOB_BYTES_MAX);
  fed_buffer_init(&graph, server->context, FED__SUBMISSION_BYTES_MAX);
  int code = server->store->ops->object_get(server->store, &run->record.plan, &plan);
  if (code == FED_OK)
    code = server->store->ops->object_get(server->store, &run->record.graph, &graph);
  if (code == FED_OK)
    code = fed__job_parse(server->context, "job.yaml", fed_buffer_slice(&plan), &run->job);
  fed__job_model_options(&run->job, &options);
  if (code == FED_OK)
    code = fed_model_load(server->context, fed_buffer_slice(&graph), &options, &run->model);
  fed_buffer_clear(&plan);
  fed_buffer_clear(&graph);
  return code;
}

static int open_test_set(struct fed__run *run) {
  return fed__job_test_set_open(&run->job, run->server->data_folder, &run->test_set);
}

/* A restart does not give the job its time again. */
static int64_t age_ms(const struct fed__run *run) {
  struct fed_clock *clock = run->server->context->clock;
  const int64_t age = clock->wall_ms(clock) - run->record.created_ms;
  return age > 0 ? age : 0;
}

static int build(struct fed__run *run) {
  struct fed__server *server = run->server;
  struct fed__round_settings settings;
  FED_TRY(load_objects(run));
  FED_TRY(fed__plan_make(&run->job, fed_params_elements(fed_model_params(run->model)), &run->plan));
  FED_TRY(run->plan.rule->init(server->context, &run->plan.shape, &run->aggregate));
  FED_TRY(fed__run_load_version(run));
  FED_TRY(open_test_set(run));
  fed__round_settings_from_job(&run->job, run->plan.exchange_count, &settings);
  FED_TRY(fed__round_init(&run->round, server->context, &settings, run->record.version,
                          ending_of(&run->record), fed__server_now_ms(server)));
  run->round.job_started_ms -= age_ms(run);
  return fed__round_set_client_count(&run->round, server->roster.count);
}

int fed__run_new(struct fed__server *server, const struct fed__job_record *record,
                 struct fed__run **run) {
  struct fed__run *fresh = fed__zalloc(server->context, 1, sizeof *fresh);
  *run = NULL;
  if (!fresh) return FED_E_MEMORY;
  fresh->driver.effect = carry_out;
  fresh->server = server;
  fresh->record = *record;
  int code = build(fresh);
  if (code != FED_OK) {
    fed__run_free(fresh);
    return code == FED_E_MEMORY ? code : FED_WRAP("job '%s'", record->id);
  }
  *run = fresh;
  return FED_OK;
}

void fed__run_free(struct fed__run *run) {
  if (!run) return;
  fed__run_join_evaluator(run);
  fed_examples_free(run->test_set);
  fed__round_clear(&run->round);
  if (run->aggregate) run->plan.rule->free(run->aggregate);
  fed_params_clear(&run->current);
  fed_params_clear(&run->state);
  fed_model_free(run->model);
  fed__job_clear(&run->job);
  fed__free(run->server->context, run->refused);
  fed__free(run->server->context, run->weights);
  fed__free(run->server->context, run);
}

/* ---- after a restart ------------------------------------------------------------------------ */

static int number_cohort(struct fed__run *run, const char *names_json, uint32_t **cohort,
                         uint32_t *count) {
  json_t *names = json_loads(names_json, 0, NULL);
  const size_t size = json_array_size(names);
  int code = FED_OK;
  *count = 0;
  *cohort = fed__zalloc(run->server->context, size, sizeof **cohort);
  if (!*cohort) code = FED_E_MEMORY;
  for (size_t i = 0; code == FED_OK && i < size; i++) {
    const char *name = json_string_value(json_array_get(names, i));
    if (name) code = fed__roster_number(&run->server->roster, name, &(*cohort)[(*count)++]);
  }
  json_decref(names);
  return code;
}

static int void_attempt(struct fed__run *run, struct fed__round_record *record) {
  struct fed__server *server = run->server;
  record->state = FED__ROUND_VOID;
  record->finished_ms = server->context->clock->wall_ms(server->context->clock);
  FED_TRY(fed__server_write(server, 1));
  FED_TRY(server->store->ops->round_put(server->store, record, NULL));
  fed__server_event(server, run->record.id, "round.void", "s:I, s:i, s:s", "round",
                    (json_int_t)record->round, "attempt", (int)record->attempt, "reason",
                    "the server was interrupted; the round runs again with the same cohort");
  return FED_OK;
}

struct attempt_search {
  uint64_t round;
  uint32_t last;
};

static int match_attempt(void *data, const struct fed__round_record *record) {
  struct attempt_search *search = data;
  if (record->round == search->round && record->attempt > search->last)
    search->last = record->attempt;
  return 0;
}

/* Attempts that failed before the restart keep their records: the next has a number of its own. */
static int resume_gathering(struct fed__run *run) {
  struct fed__store *store = run->server->store;
  struct attempt_search search = {.round = run->round.round};
  FED_TRY(store->ops->round_list(store, run->record.id, match_attempt, &search));
  fed__round_resume_gathering(&run->round, search.last + 1);
  return fed__run_resume_measuring(run);
}

int fed__run_resume(struct fed__run *run) {
  struct fed__server *server = run->server;
  struct fed__round_record record;
  struct fed_buffer names;
  uint32_t *cohort = NULL, count = 0;
  FED_TRY(fed__run_recall_facts(run));
  fed_buffer_init(&names, server->context, 64 << 20);
  int code = server->store->ops->round_find_open(server->store, run->record.id, &record, &names);
  if (code == FED_OK) {
    code = void_attempt(run, &record);
    if (code == FED_OK) code = number_cohort(run, fed_buffer_text(&names), &cohort, &count);
    if (code == FED_OK) code = fed__round_set_client_count(&run->round, server->roster.count);
    if (code == FED_OK)
      code = fed__round_resume(&run->round, record.round, record.attempt + 1, cohort, count,
                               fed__server_now_ms(server), &run->driver);
  } else if (code == FED_E_NOT_FOUND) {
    code = resume_gathering(run);
  }
  fed__free(server->context, cohort);
  fed_buffer_clear(&names);
  return code;
}
