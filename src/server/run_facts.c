/* SPDX-License-Identifier: Apache-2.0
 *
 * run_facts.c: what a job's rule of selection may know about clients (round/selection/selection.h):
 * examples from check-ins and reports, losses from reports, groups from names.
 *
 * Facts are in memory. After a restart those of reports come back from the job's events: who
 * trained when, with which loss, and how long it took. Who was there without being chosen, or was
 * chosen without an answer, is forgotten: such clients count as new. The interrupted round itself
 * keeps its cohort (run.c). What clients weigh (run_weights.c) comes back with them. Cost of that:
 * one reading of the job's events, only for rules that keep facts and algorithms that count all
 * clients.
 */
#include "base/log.h"
#include "base/raise.h"
#include "server/server_state.h"

#include <string.h>

#define EVENTS_AT_ONCE 10000

/* ---- as they come --------------------------------------------------------------------------- */

static uint64_t examples_of(const struct fed__roster_client *member, const char *dataset) {
  for (size_t i = 0; dataset && i < member->dataset_count; i++)
    if (strcmp(member->datasets[i].name, dataset) == 0) return member->datasets[i].example_count;
  return 0;
}

int fed__run_note_client(struct fed__run *run, uint32_t client) {
  const struct fed__roster_client *member = run->server->roster.clients[client];
  FED_TRY(fed__round_set_client_count(&run->round, run->server->roster.count));
  struct fed__client_facts *facts = fed__round_facts(&run->round, client);
  if (!facts) return FED_OK;
  const uint64_t examples = examples_of(member, run->job.data.name);
  if (examples) facts->example_count = examples;
  facts->group = fed__selection_group(&run->job.rounds.selection, member->name);
  return FED_OK;
}

json_t *fed__run_note_report(struct fed__run *run, uint32_t client,
                             const Fed__UpdateHeader *header) {
  struct fed__client_facts *facts = fed__round_facts(&run->round, client);
  if (!facts || run->round.kind != FED__ROUND_TRAIN) return NULL;
  const Fed__Metrics *found = header->train;
  if (found && found->example_count) facts->loss = found->loss_sum / (double)found->example_count;
  facts->example_count = header->example_count;
  return json_real((double)facts->duration_ms * 1e-3);
}

/* ---- after a restart ------------------------------------------------------------------------ */

struct recall {
  struct fed__run *run;
  uint64_t last; /* number of the last event seen */
  uint32_t count;
  int code;
};

/* The open round runs again: its weights are not known yet. */
static int recall_weight(struct fed__run *run, uint32_t client, const json_t *body) {
  const uint64_t round = (uint64_t)json_integer_value(json_object_get(body, "round"));
  const json_t *weight = json_object_get(body, "weight");
  if (!weight || round > run->record.version) return FED_OK;
  return fed__run_note_weight(run, client, (uint64_t)json_integer_value(weight));
}

static int recall_facts(struct fed__run *run, uint32_t client, const json_t *body) {
  const json_t *loss = json_object_get(json_object_get(body, "train"), "loss");
  FED_TRY(fed__run_note_client(run, client));
  struct fed__client_facts *facts = fed__round_facts(&run->round, client);
  FED_REQUIRE(facts);
  if (loss) facts->loss = json_number_value(loss);
  facts->example_count = (uint64_t)json_integer_value(json_object_get(body, "examples"));
  facts->duration_ms = (int64_t)(json_number_value(json_object_get(body, "duration_s")) * 1e3);
  facts->reported_round = (uint64_t)json_integer_value(json_object_get(body, "round"));
  facts->chosen_round = facts->reported_round;
  facts->chosen_count++;
  facts->reported_count++;
  return FED_OK;
}

/* A client's report of training as run.c recorded it; those of evaluations have neither. */
static int recall_report(struct fed__run *run, const json_t *body) {
  const char *name = json_string_value(json_object_get(body, "client"));
  const int has_facts = json_object_get(body, "duration_s") != NULL;
  uint32_t client;
  if (!name || (!has_facts && !json_object_get(body, "weight"))) return FED_OK;
  FED_TRY(fed__roster_number(&run->server->roster, name, &client));
  FED_TRY(recall_weight(run, client, body));
  return has_facts ? recall_facts(run, client, body) : FED_OK;
}

static int recall_event(void *data, uint64_t number, int64_t time_ms, const char *job,
                        const char *type, const char *body_json) {
  struct recall *recall = data;
  (void)time_ms, (void)job;
  recall->last = number;
  recall->count++;
  if (strcmp(type, "client.reported") != 0) return 0;
  json_t *body = json_loads(body_json, 0, NULL);
  recall->code = recall_report(recall->run, body);
  json_decref(body);
  return recall->code != FED_OK;
}

int fed__run_recall_facts(struct fed__run *run) {
  struct fed__store *store = run->server->store;
  struct recall recall = {.run = run};
  if (!run->round.selection.rule->keeps_facts && !run->plan.algorithm->server->counts_all)
    return FED_OK;
  do {
    recall.count = 0;
    FED_TRY(store->ops->event_list(store, run->record.id, recall.last, EVENTS_AT_ONCE, recall_event,
                                   &recall));
    FED_TRY(recall.code);
  } while (recall.count == EVENTS_AT_ONCE);
  return FED_OK;
}
