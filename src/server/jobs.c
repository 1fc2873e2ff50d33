/* SPDX-License-Identifier: Apache-2.0
 *
 * jobs.c: what operators do: submit a job, look at jobs and agents, stop a job.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "round/approval.h"
#include "server/server_state.h"

#include <stdio.h>

/* ---- submitting ----------------------------------------------------------------------------- */

/* Whoever submits signs: a job of one operator is not submitted by another. */
static int check_approval(struct fed__server *server, const struct fed__identity *submitter,
                          const Fed__JobSubmission *submission, struct fed__job_record *record) {
  const struct fed__approved_job job = {fed__sha256_of(fed__wire_slice(submission->plan)),
                                        fed__sha256_of(fed__wire_slice(submission->graph))};
  struct fed__identity signer;
  FED_TRY(fed__approval_verify(
      server->context, fed_buffer_slice(&server->ca_der), fed__wire_slice(submission->approval),
      server->context->clock->wall_ms(server->context->clock), &job, &signer));
  if (!fed__digest_equal(&signer.fingerprint, &submitter->fingerprint))
    return FED_RAISE(FED_E_SIGNATURE,
                     "the job is signed with another certificate (of '%s') than '%s' submits it "
                     "with",
                     signer.name, submitter->name);
  snprintf(record->signer, sizeof record->signer, "%s", signer.name);
  return FED_OK;
}

/* Everything that can be known to fail is refused now, before any agent hears of it. */
static int check_submission(struct fed__server *server, const Fed__JobSubmission *submission,
                            struct fed__job *job) {
  struct fed_model_options options;
  struct fed_model *model = NULL;
  struct fed__plan plan;
  FED_TRY(fed__job_parse(server->context, "job.yaml", fed__wire_slice(submission->plan), job));
  fed__job_model_options(job, &options);
  int code = fed_model_load(server->context, fed__wire_slice(submission->graph), &options, &model);
  if (code == FED_OK)
    code = fed__plan_make(job, fed_params_elements(fed_model_params(model)), &plan);
  if (code == FED_OK) code = fed__plan_check_training(server->context, job, model);
  fed_model_free(model);
  return code;
}

static int count_named(void *data, const struct fed__job_record *record) {
  (void)record;
  ++*(uint64_t *)data;
  return 0;
}

/* "fashion-cnn" becomes "fashion-cnn-1": the number makes it unique and tells the order. */
static int name_job(struct fed__server *server, const struct fed__job *job,
                    struct fed__job_record *record) {
  uint64_t count = 0;
  FED_TRY(server->store->ops->job_list(server->store, count_named, &count));
  snprintf(record->name, sizeof record->name, "%s", job->name);
  snprintf(record->id, sizeof record->id, "%.48s-%llu", job->name, (unsigned long long)count + 1);
  return FED_OK;
}

static int put_objects(struct fed__server *server, const Fed__JobSubmission *submission,
                       struct fed__job_record *record) {
  const struct fed__store_ops *ops = server->store->ops;
  FED_TRY(ops->object_put(server->store, fed__wire_slice(submission->plan), &record->plan));
  FED_TRY(ops->object_put(server->store, fed__wire_slice(submission->graph), &record->graph));
  return ops->object_put(server->store, fed__wire_slice(submission->approval), &record->approval);
}

static int grow_runs(struct fed__server *server) {
  struct fed__run **moved =
      fed__resize(server->context, server->runs, server->run_count + 1, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  server->runs = moved;
  return FED_OK;
}

static void drop_finished_runs(struct fed__server *server) {
  size_t kept = 0;
  for (size_t i = 0; i < server->run_count; i++) {
    struct fed__run *run = server->runs[i];
    if (run->round.phase == FED__PHASE_FINISHED && !run->evaluating)
      fed__run_free(run);
    else
      server->runs[kept++] = run;
  }
  server->run_count = kept;
}

static int start_job(struct fed__server *server, const Fed__JobSubmission *submission,
                     const struct fed__job *job, struct fed__job_record *record) {
  struct fed__run *run = NULL;
  char plan[FED__DIGEST_HEX_SIZE];
  FED_TRY(put_objects(server, submission, record));
  FED_TRY(fed__server_write(server, 1));
  FED_TRY(name_job(server, job, record));
  record->created_ms = server->context->clock->wall_ms(server->context->clock);
  drop_finished_runs(server);
  FED_TRY(grow_runs(server));
  FED_TRY(fed__run_new(server, record, &run));
  int code = fed__run_store_start(run);
  if (code != FED_OK) {
    fed__run_free(run);
    return code;
  }
  *record = run->record;
  server->runs[server->run_count++] = run;
  fed__digest_encode(&record->plan, plan);
  fed__server_event(server, record->id, "job.created", "s:s, s:s, s:s, s:i, s:i, s:I, s:s", "name",
                    record->name, "signer", record->signer, "plan", plan, "rounds",
                    (int)job->rounds.count, "cohort", (int)job->rounds.cohort, "parameters",
                    (json_int_t)run->plan.shape.element_count, "precision",
                    fed__job_precision_name(job->train.options.precision));
  return FED_OK;
}

static int submit(struct fed__server *server, const struct fed__identity *submitter,
                  const Fed__JobSubmission *submission, struct fed__job_record *record) {
  struct fed__job job = {0};
  FED_TRY(fed__wire_check_protocol(submission->protocol));
  FED_TRY(check_approval(server, submitter, submission, record));
  int code = check_submission(server, submission, &job);
  if (code == FED_OK) code = start_job(server, submission, &job, record);
  fed__job_clear(&job);
  return code;
}

void fed__handle_submit(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed__job_record record = {0};
  ProtobufCMessage *submission = NULL;
  int code = fed__wire_decode(server->context, &fed__job_submission__descriptor,
                              fed__http_body(exchange), &submission);
  if (code == FED_OK)
    code = submit(server, fed__http_identity(exchange), (Fed__JobSubmission *)submission, &record);
  fed__wire_free(server->context, submission);
  if (code != FED_OK) {
    fed__server_undo(server);
    fed__http_answer_failure(exchange, 0);
    return;
  }
  Fed__JobAccepted reply = FED__JOB_ACCEPTED__INIT;
  reply.job = record.id;
  fed__answer_message(exchange, server->context, &reply.base);
  fed__offer_parked(server);
}

/* ---- looking -------------------------------------------------------------------------------- */

static const char *state_name(enum fed__job_state state) {
  static const char *const names[] = {"running", "done", "stopped", "failed"};
  return names[state];
}

static json_t *record_json(const struct fed__job_record *record) {
  char plan[FED__DIGEST_HEX_SIZE], graph[FED__DIGEST_HEX_SIZE], approval[FED__DIGEST_HEX_SIZE];
  char parameters[FED__DIGEST_HEX_SIZE];
  fed__digest_encode(&record->plan, plan);
  fed__digest_encode(&record->graph, graph);
  fed__digest_encode(&record->approval, approval);
  fed__digest_encode(&record->parameters, parameters);
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "id", record->id,
                   "name", record->name, "signer", record->signer, "state",
                   state_name(record->state), "reason", record->reason, "version",
                   (json_int_t)record->version, "plan", plan, "graph", graph, "approval", approval,
                   "parameters", parameters, "created_ms", (json_int_t)record->created_ms,
                   "finished_ms", (json_int_t)record->finished_ms);
}

static int append_job(void *data, const struct fed__job_record *record) {
  return json_array_append_new(data, record_json(record)) != 0;
}

void fed__handle_jobs(struct fed__server *server, struct fed__http_exchange *exchange) {
  json_t *jobs = json_array();
  if (server->store->ops->job_list(server->store, append_job, jobs) == FED_OK) {
    fed__answer_json(exchange, 200, jobs);
    return;
  }
  json_decref(jobs);
  fed__http_answer_failure(exchange, 0);
}

static json_t *progress_json(const struct fed__run *run) {
  const struct fed__round *round = &run->round;
  return json_pack("{s:s, s:I, s:i, s:i, s:i, s:i, s:i, s:i}", "phase",
                   fed__round_phase_name(round->phase), "round", (json_int_t)round->round,
                   "attempt", (int)round->attempt, "rounds", (int)round->settings.rounds, "cohort",
                   (int)round->cohort_count, "reported", (int)round->reported_count, "lost",
                   (int)round->lost_count, "waiting", (int)round->waiting_count);
}

static int find_job(struct fed__server *server, const struct fed__http_exchange *exchange,
                    struct fed__job_record *record) {
  char id[FED__NAME_MAX + 1];
  if (!fed__path_part(fed__http_path(exchange), 2, id, sizeof id))
    return FED_RAISE(FED_E_USAGE, "expected /v1/jobs/{job}");
  const int code = server->store->ops->job_find(server->store, id, record);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_NOT_FOUND, "there is no job '%s'; `fed job list` shows those there are",
                     id);
  return code;
}

void fed__handle_job(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed__job_record record;
  if (find_job(server, exchange, &record) != FED_OK) {
    fed__http_answer_failure(exchange, 0);
    return;
  }
  json_t *json = record_json(&record);
  const struct fed__run *run = fed__run_find(server, record.id);
  if (run) json_object_set_new(json, "progress", progress_json(run));
  fed__answer_json(exchange, 200, json);
}

static int append_agent(void *data, const struct fed__client_record *record) {
  if (record->role != FED__ROLE_AGENT) return 0;
  json_t *agent =
      json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "name", record->name, "state",
                record->state == FED__CLIENT_ACTIVE ? "active" : "revoked", "serial",
                record->serial, "enrolled_ms", (json_int_t)record->enrolled_ms, "last_seen_ms",
                (json_int_t)record->last_seen_ms, "expires_ms", (json_int_t)record->expires_ms);
  return json_array_append_new(data, agent) != 0;
}

/* Adds what only memory knows: is it waiting right now, and what data does it say it has. */
static void add_presence(struct fed__server *server, json_t *agents) {
  size_t index;
  json_t *agent;
  json_array_foreach(agents, index, agent) {
    uint32_t number;
    const char *name = json_string_value(json_object_get(agent, "name"));
    if (fed__roster_number(&server->roster, name, &number) != FED_OK) continue;
    const struct fed__roster_client *client = server->roster.clients[number];
    json_t *datasets = json_object();
    for (size_t i = 0; i < client->dataset_count; i++)
      json_object_set_new(datasets, client->datasets[i].name,
                          json_integer((json_int_t)client->datasets[i].example_count));
    json_object_set_new(agent, "waiting", json_boolean(client->parked != NULL));
    json_object_set_new(agent, "datasets", datasets);
  }
}

void fed__handle_agents(struct fed__server *server, struct fed__http_exchange *exchange) {
  json_t *agents = json_array();
  if (server->store->ops->client_list(server->store, append_agent, agents) != FED_OK) {
    json_decref(agents);
    fed__http_answer_failure(exchange, 0);
    return;
  }
  add_presence(server, agents);
  fed__answer_json(exchange, 200, agents);
}

/* ---- stopping ------------------------------------------------------------------------------- */

void fed__handle_stop(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed__job_record record;
  int code = find_job(server, exchange, &record);
  struct fed__run *run = code == FED_OK ? fed__run_find(server, record.id) : NULL;
  if (code == FED_OK && (!run || run->round.phase == FED__PHASE_FINISHED))
    code = FED_RAISE(FED_E_ORDER, "job '%s' is not running; it is %s", record.id,
                     state_name(record.state));
  if (code == FED_OK) {
    const struct fed__round_event event = fed__run_event(run, FED__EVENT_STOP);
    code = fed__run_step(run, &event);
  }
  if (code == FED_OK)
    fed__answer_json(exchange, 200, record_json(&run->record));
  else
    fed__http_answer_failure(exchange, 0);
}
