/* SPDX-License-Identifier: Apache-2.0
 *
 * check_in.c: agents that come for work. One that finds none waits in its request (a long poll)
 * until a round wants it or its patience ends; then it is told when to come again.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "server/server_state.h"

#include <stdio.h>

/* ---- answers -------------------------------------------------------------------------------- */

static double draw(struct fed__server *server) {
  uint64_t bits = 0;
  if (server->context->entropy->fill(server->context->entropy, &bits, sizeof bits) != FED_OK)
    bits = 0;
  return (double)(bits >> 11) * 0x1p-53;
}

static void answer_come_back(struct fed__server *server, struct fed__http_exchange *exchange) {
  Fed__CheckInReply reply = FED__CHECK_IN_REPLY__INIT;
  reply.come_back_ms =
      fed__pace_come_back_ms(server->roster.count, 0, server->run_count > 0, draw(server));
  fed__answer_message(exchange, server->context, &reply.base);
}

static void fill_task(struct fed__run *run, uint32_t client, Fed__Task *task) {
  const struct fed__round *round = &run->round;
  const int64_t left_ms = round->deadline_ms - fed__server_now_ms(run->server);
  task->job = run->record.id;
  task->round = round->round;
  task->attempt = fed__round_task_attempt(round, client);
  task->exchange = round->exchange;
  task->kind = round->kind == FED__ROUND_TRAIN ? FED__TASK_KIND__TRAIN : FED__TASK_KIND__EVALUATE;
  task->plan = (ProtobufCBinaryData){FED__HASH_BYTES, run->record.plan.bytes};
  task->graph = (ProtobufCBinaryData){FED__HASH_BYTES, run->record.graph.bytes};
  task->parameters = (ProtobufCBinaryData){FED__HASH_BYTES, run->record.parameters.bytes};
  task->approval = (ProtobufCBinaryData){FED__HASH_BYTES, run->record.approval.bytes};
  if (round->kind == FED__ROUND_TRAIN && run->plan.algorithm->client->gets_vector)
    task->server_state = (ProtobufCBinaryData){FED__HASH_BYTES, run->vector_down.bytes};
  task->nonce = (ProtobufCBinaryData){FED__NONCE_BYTES, run->nonce};
  task->cohort = round->cohort_count;
  task->deadline_ms = left_ms > 0 ? (uint32_t)left_ms : 0;
  task->evaluate = fed__plan_evaluates(&run->job, round->round, round->kind == FED__ROUND_EVALUATE);
}

/* Revocation takes effect on the next request, and also on one that is waiting. */
static int is_revoked(struct fed__server *server, struct fed__roster_client *member) {
  struct fed__client_record record;
  if (server->store->ops->client_find(server->store, member->name, &record) != FED_OK ||
      record.state != FED__CLIENT_REVOKED)
    return 0;
  FED_RAISE(FED_E_REVOKED, "the certificate of '%s' was revoked", member->name);
  fed__http_answer_failure(member->parked, 0);
  member->parked = NULL;
  member->is_out = 1;
  return 1;
}

/* An effect of the state table: the client may not be waiting any more; it gets its task when it
 * checks in again. */
void fed__give_task(struct fed__run *run, uint32_t client) {
  struct fed__roster_client *member = run->server->roster.clients[client];
  if (!member->parked || is_revoked(run->server, member)) return;
  Fed__CheckInReply reply = FED__CHECK_IN_REPLY__INIT;
  Fed__Task task = FED__TASK__INIT;
  fill_task(run, client, &task);
  reply.task = &task;
  struct fed__http_exchange *exchange = member->parked;
  member->parked = NULL;
  fed__answer_message(exchange, run->server->context, &reply.base);
}

/* ---- who may work on what ------------------------------------------------------------------- */

int fed__run_is_eligible(const struct fed__run *run, uint32_t client) {
  const struct fed__roster_client *member = run->server->roster.clients[client];
  if (client < run->refused_count && run->refused[client]) return 0;
  return fed__roster_has(member, run->job.data.name, run->job.data.examples_min);
}

static int mark_refused(struct fed__run *run, uint32_t client) {
  const struct fed_context *context = run->server->context;
  if (client >= run->refused_count) {
    const uint32_t count = run->server->roster.count;
    uint8_t *moved = fed__resize(context, run->refused, count, 1);
    if (!moved) return FED_E_MEMORY;
    memset(moved + run->refused_count, 0, count - run->refused_count);
    run->refused = moved;
    run->refused_count = count;
  }
  run->refused[client] = 1;
  return FED_OK;
}

static struct fed__round_event client_event(const struct fed__run *run,
                                            enum fed__round_event_type type, uint32_t client) {
  struct fed__round_event event = fed__run_event(run, type);
  event.client = client;
  if (client < run->round.client_count) fed__round_address(&run->round, &event);
  return event;
}

static void step_or_log(struct fed__run *run, const struct fed__round_event *event) {
  if (fed__run_step(run, event) != FED_OK)
    fed__log_failure(run->server->context, FED_LOG_ERROR, "round.step_failed");
}

static void note_refusal(struct fed__server *server, uint32_t client, const Fed__Refusal *refusal) {
  struct fed__run *run = fed__run_find(server, refusal->job);
  if (!run || (client < run->refused_count && run->refused[client])) return;
  if (mark_refused(run, client) != FED_OK) return;
  fed__server_event(server, run->record.id, "client.refused", "s:s, s:s, s:s", "client",
                    server->roster.clients[client]->name, "code",
                    fed_error_name((int)refusal->code), "reason", refusal->reason);
  const struct fed__round_event lost = client_event(run, FED__EVENT_LOST, client);
  step_or_log(run, &lost);
}

/* Those who were put out while they waited are lost to the rounds that had counted on them. */
void fed__lose_revoked(struct fed__server *server) {
  for (uint32_t client = 0; client < server->roster.count; client++) {
    if (!server->roster.clients[client]->is_out) continue;
    server->roster.clients[client]->is_out = 0;
    for (size_t i = 0; i < server->run_count; i++) {
      const struct fed__round_event event = client_event(server->runs[i], FED__EVENT_LOST, client);
      if (!server->runs[i]->broken && client < server->runs[i]->round.client_count)
        step_or_log(server->runs[i], &event);
    }
  }
}

/* ---- parking -------------------------------------------------------------------------------- */

static void leave_runs(struct fed__server *server, uint32_t client) {
  for (size_t i = 0; i < server->run_count; i++) {
    struct fed__run *run = server->runs[i];
    if (run->broken || client >= run->round.client_count || !run->round.waiting[client]) continue;
    const struct fed__round_event event = client_event(run, FED__EVENT_LEFT, client);
    step_or_log(run, &event);
  }
}

static void park(struct fed__server *server, uint32_t client, struct fed__http_exchange *exchange,
                 uint32_t wait_ms) {
  struct fed__roster_client *member = server->roster.clients[client];
  if (member->parked) answer_come_back(server, member->parked); /* an older life of the agent */
  member->parked = exchange;
  member->parked_until_ms =
      fed__server_now_ms(server) + (wait_ms < FED__POLL_MS_MAX ? wait_ms : FED__POLL_MS_MAX);
  fed__http_set_data(exchange, member);
}

/* The connection of a waiting agent is gone. */
void fed__unpark(struct fed__server *server, struct fed__http_exchange *exchange) {
  struct fed__roster_client *member = fed__http_data(exchange);
  uint32_t client;
  if (!member || member->parked != exchange) return;
  member->parked = NULL;
  if (fed__roster_number(&server->roster, member->name, &client) == FED_OK)
    leave_runs(server, client);
}

/* Once a second also those whose connection is dead: a round must not count on them. */
void fed__expire_polls(struct fed__server *server, int64_t now_ms) {
  const int sweep = now_ms - server->swept_ms >= 1000;
  if (sweep) server->swept_ms = now_ms;
  for (uint32_t client = 0; client < server->roster.count; client++) {
    struct fed__roster_client *member = server->roster.clients[client];
    if (!member->parked) continue;
    if (now_ms < member->parked_until_ms && !(sweep && fed__http_is_abandoned(member->parked)))
      continue;
    struct fed__http_exchange *exchange = member->parked;
    member->parked = NULL;
    leave_runs(server, client);
    answer_come_back(server, exchange);
  }
}

/* ---- the request ---------------------------------------------------------------------------- */

static void note_datasets(struct fed__roster_client *member, const Fed__CheckIn *hello) {
  member->dataset_count = 0;
  for (size_t i = 0; i < hello->n_datasets && i < FED__ROSTER_DATASETS_MAX; i++) {
    struct fed__roster_dataset *dataset = &member->datasets[member->dataset_count++];
    snprintf(dataset->name, sizeof dataset->name, "%s", hello->datasets[i]->name);
    dataset->example_count = hello->datasets[i]->example_count;
  }
}

static void note_seen(struct fed__server *server, struct fed__roster_client *member) {
  const int64_t now_ms = server->context->clock->wall_ms(server->context->clock);
  struct fed__client_record record;
  if (now_ms - member->last_seen_ms < 60000) return;
  member->last_seen_ms = now_ms;
  if (server->store->ops->client_find(server->store, member->name, &record) != FED_OK) return;
  record.last_seen_ms = now_ms;
  if (fed__server_write(server, 0) != FED_OK ||
      server->store->ops->client_put(server->store, &record) != FED_OK)
    fed__log_failure(server->context, FED_LOG_WARNING, "client.not_recorded");
}

static void offer_work(struct fed__server *server, uint32_t client) {
  struct fed__roster_client *member = server->roster.clients[client];
  for (size_t i = 0; i < server->run_count && member->parked; i++) {
    struct fed__run *run = server->runs[i];
    if (run->broken || !fed__run_is_eligible(run, client)) continue;
    if (fed__run_note_client(run, client) != FED_OK)
      fed__log_failure(server->context, FED_LOG_ERROR, "client.not_noted");
    const struct fed__round_event event = client_event(run, FED__EVENT_CHECK_IN, client);
    step_or_log(run, &event);
  }
  if (!member->parked) leave_runs(server, client); /* one task at a time */
}

void fed__offer_parked(struct fed__server *server) {
  for (uint32_t client = 0; client < server->roster.count; client++)
    if (server->roster.clients[client]->parked) offer_work(server, client);
}

static int check_in(struct fed__server *server, struct fed__http_exchange *exchange,
                    const Fed__CheckIn *hello) {
  uint32_t client;
  FED_TRY(fed__wire_check_protocol(hello->protocol));
  FED_TRY(fed__roster_number(&server->roster, fed__http_identity(exchange)->name, &client));
  struct fed__roster_client *member = server->roster.clients[client];
  note_datasets(member, hello);
  note_seen(server, member);
  for (size_t i = 0; i < hello->n_refusals; i++) note_refusal(server, client, hello->refusals[i]);
  park(server, client, exchange, hello->wait_ms);
  offer_work(server, client);
  return FED_OK;
}

void fed__handle_check_in(struct fed__server *server, struct fed__http_exchange *exchange) {
  ProtobufCMessage *hello = NULL;
  int code = fed__wire_decode(server->context, &fed__check_in__descriptor, fed__http_body(exchange),
                              &hello);
  if (code == FED_OK) code = check_in(server, exchange, (Fed__CheckIn *)hello);
  if (code != FED_OK) fed__http_answer_failure(exchange, 0);
  fed__wire_free(server->context, hello);
}

/* ---- a task that a client could not do ------------------------------------------------------ */

static int lose(struct fed__server *server, struct fed__http_exchange *exchange,
                const Fed__TaskFailure *failure) {
  uint32_t client;
  struct fed__run *run = fed__run_find(server, failure->job);
  if (!run) return FED_RAISE(FED_E_STALE, "job '%s' is not running", failure->job);
  FED_TRY(fed__roster_number(&server->roster, fed__http_identity(exchange)->name, &client));
  FED_TRY(fed__round_set_client_count(&run->round, server->roster.count));
  fed__server_event(server, run->record.id, "client.failed", "s:I, s:s, s:s, s:s", "round",
                    (json_int_t)failure->round, "client", server->roster.clients[client]->name,
                    "code", fed_error_name((int)failure->code), "message", failure->message);
  struct fed__round_event event = client_event(run, FED__EVENT_LOST, client);
  event.round = failure->round;
  event.attempt = failure->attempt;
  event.exchange = failure->exchange;
  return fed__run_step(run, &event);
}

void fed__handle_task_failure(struct fed__server *server, struct fed__http_exchange *exchange) {
  ProtobufCMessage *failure = NULL;
  int code = fed__wire_decode(server->context, &fed__task_failure__descriptor,
                              fed__http_body(exchange), &failure);
  if (code == FED_OK) code = lose(server, exchange, (Fed__TaskFailure *)failure);
  if (code == FED_OK)
    fed__http_answer(exchange, &(struct fed__http_answer){.status = 204});
  else
    fed__http_answer_failure(exchange, 0);
  fed__wire_free(server->context, failure);
}
