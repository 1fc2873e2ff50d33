/* SPDX-License-Identifier: Apache-2.0
 *
 * run_weights.c: what all clients weigh, those included that are in no cohort: SCAFFOLD and FedDyn
 * keep sums over all of them. Who has not sent an update yet is taken to weigh as much as the
 * others on average. Weights are in memory; after a restart they come back from the job's events
 * (run_facts.c).
 */
#include "base/memory.h"
#include "base/raise.h"
#include "server/server_state.h"

static int make_room(struct fed__run *run, uint32_t count) {
  if (count <= run->weight_slots) return FED_OK;
  uint64_t *weights = fed__resize(run->server->context, run->weights, count, sizeof *weights);
  if (!weights) return FED_E_MEMORY;
  for (uint32_t i = run->weight_slots; i < count; i++) weights[i] = 0;
  run->weights = weights;
  run->weight_slots = count;
  return FED_OK;
}

int fed__run_note_weight(struct fed__run *run, uint32_t client, uint64_t weight) {
  if (!run->plan.algorithm->server->counts_all) return FED_OK;
  FED_TRY(make_room(run, run->server->roster.count));
  run->weights[client] = weight;
  return FED_OK;
}

static int count_agent(void *data, const struct fed__client_record *record) {
  if (record->role == FED__ROLE_AGENT && record->state == FED__CLIENT_ACTIVE) ++*(uint64_t *)data;
  return 0;
}

int fed__run_weigh_all(struct fed__run *run) {
  struct fed__store *store = run->server->store;
  uint64_t enrolled = 0, known = 0;
  double weight = 0;
  if (!run->plan.algorithm->server->counts_all) return FED_OK;
  FED_TRY(store->ops->client_list(store, count_agent, &enrolled));
  for (uint32_t i = 0; i < run->weight_slots; i++) {
    weight += (double)run->weights[i];
    known += run->weights[i] != 0;
  }
  run->weight_of_all = fed__plan_weight_of_all(&run->job, weight, known, enrolled);
  return FED_OK;
}
