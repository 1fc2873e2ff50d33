/* SPDX-License-Identifier: Apache-2.0
 *
 * simulation_state.c: the models, the table's state, the queue, and the numbers of the open round.
 * What follows from the job, the data and the seed (plan, partition, devices) is not in it. Who
 * adds state to the simulation adds a line to fed__simulation_carry.
 */
#include "simulate/simulation_state.h"
#include "base/memory.h"
#include "base/raise.h"

#include <stdio.h>

/* The simulation's own numbers. */
struct numbers {
  int64_t now_us, progress_us, crash_us;
  uint64_t version, visits_done, visit_count, visits_max, queue_count, queue_next_number;
  uint64_t training_bytes, trouble[FED__TROUBLE_COUNT], faults_drawn[FED__FAULT_COUNT];
  uint32_t eligible_count, small_memory_count, crash_after, watched;
};

static int resize_visits(struct fed__simulation *simulation, const struct numbers *numbers) {
  FED_REQUIRE(numbers->visit_count <= numbers->visits_max);
  struct fed__visit *visits = fed__zalloc(simulation->context, numbers->visits_max, sizeof *visits);
  if (!visits) return FED_E_MEMORY;
  fed__free(simulation->context, simulation->visits);
  simulation->visits = visits;
  simulation->visits_max = numbers->visits_max;
  simulation->visit_count = numbers->visit_count;
  return FED_OK;
}

static int carry_numbers(struct fed__simulation *simulation, struct fed__checkpoint *checkpoint) {
  struct numbers numbers = {.now_us = simulation->now_us,
                            .progress_us = simulation->progress_us,
                            .version = simulation->version,
                            .visits_done = simulation->visits_done,
                            .visit_count = simulation->visit_count,
                            .visits_max = simulation->visits_max,
                            .queue_count = simulation->queue.count,
                            .queue_next_number = simulation->queue.next_number,
                            .training_bytes = simulation->training_bytes,
                            .eligible_count = simulation->eligible_count,
                            .small_memory_count = simulation->small_memory_count,
                            .crash_after = simulation->crash_after,
                            .crash_us = simulation->crash_us,
                            .watched = simulation->watched};
  memcpy(numbers.trouble, simulation->trouble, sizeof numbers.trouble);
  memcpy(numbers.faults_drawn, simulation->faults.drawn, sizeof numbers.faults_drawn);
  FED_TRY(fed__checkpoint_bytes(checkpoint, "simulation", &numbers, sizeof numbers));
  if (!checkpoint->is_reading) return FED_OK;
  simulation->now_us = numbers.now_us;
  simulation->progress_us = numbers.progress_us;
  simulation->version = numbers.version;
  simulation->visits_done = numbers.visits_done;
  simulation->queue.next_number = numbers.queue_next_number;
  simulation->eligible_count = numbers.eligible_count;
  simulation->small_memory_count = numbers.small_memory_count;
  simulation->training_bytes = numbers.training_bytes;
  simulation->crash_after = numbers.crash_after;
  simulation->crash_us = numbers.crash_us;
  simulation->watched = numbers.watched;
  memcpy(simulation->trouble, numbers.trouble, sizeof numbers.trouble);
  memcpy(simulation->faults.drawn, numbers.faults_drawn, sizeof numbers.faults_drawn);
  FED_TRY(resize_visits(simulation, &numbers));
  return fed__event_queue_resize(&simulation->queue, numbers.queue_count);
}

static int carry_models(struct fed__simulation *simulation, struct fed__checkpoint *checkpoint) {
  FED_TRY(fed__checkpoint_params(checkpoint, "model.", &simulation->current));
  return fed__checkpoint_params(checkpoint, "server.", &simulation->state);
}

/* A client's vector by its number; while reading, those that the flags say were there. */
static int carry_vector(struct fed__client_memory *memory, uint32_t client, int is_there,
                        struct fed__checkpoint *checkpoint) {
  char name[48];
  if (!is_there) return FED_OK;
  if (checkpoint->is_reading) {
    float *vector = fed__alloc(memory->context, memory->element_count * sizeof *vector);
    if (!vector) return FED_E_MEMORY;
    fed__client_memory_put(memory, client, vector);
  }
  snprintf(name, sizeof name, "client.%u", client);
  return fed__checkpoint_array(checkpoint, name, FED_F32, memory->vectors[client],
                               memory->element_count);
}

static int carry_memory(struct fed__client_memory *memory, struct fed__checkpoint *checkpoint) {
  if (!memory->vectors) return FED_OK;
  uint8_t *there = fed__zalloc(memory->context, memory->client_count, 1);
  if (!there) return FED_E_MEMORY;
  for (uint32_t i = 0; i < memory->client_count; i++) there[i] = memory->vectors[i] != NULL;
  int code = fed__checkpoint_bytes(checkpoint, "clients", there, memory->client_count);
  for (uint32_t i = 0; i < memory->client_count && code == FED_OK; i++)
    code = carry_vector(memory, i, there[i], checkpoint);
  fed__free(memory->context, there);
  return code;
}

/* The versions that tasks at work began with; while reading, as many as there can be. */
static int carry_past(struct fed__simulation *simulation, struct fed__checkpoint *checkpoint) {
  struct fed__past_models *past = &simulation->past;
  char prefix[48];
  for (uint64_t back = 1; back <= past->count && back <= simulation->version; back++) {
    const uint64_t version = simulation->version - back;
    if (checkpoint->is_reading) {
      struct fed_params params;
      FED_TRY(fed_params_copy(&params, simulation->context, &simulation->current));
      fed__past_models_put(past, version, &params);
    }
    snprintf(prefix, sizeof prefix, "past.%llu.", (unsigned long long)version);
    FED_TRY(
        fed__checkpoint_params(checkpoint, prefix, &past->models[version % past->count].params));
  }
  return FED_OK;
}

static int carry_facts(struct fed__selection *selection, struct fed__checkpoint *checkpoint) {
  if (!selection->facts) return FED_OK;
  return fed__checkpoint_bytes(checkpoint, "round.facts", selection->facts,
                               selection->client_count * sizeof *selection->facts);
}

/* The table's state as it lies in memory, but for what it points to. */
static int carry_table(struct fed__round *round, struct fed__checkpoint *checkpoint) {
  struct fed__round state = *round;
  FED_TRY(fed__checkpoint_bytes(checkpoint, "round", &state, sizeof state));
  state.context = round->context;
  state.settings = round->settings;
  state.client_count = round->client_count;
  state.waiting = round->waiting;
  state.waiting_tree = round->waiting_tree;
  state.member = round->member;
  state.cohort = round->cohort;
  state.selection = round->selection;
  state.tasks = round->tasks;
  *round = state;
  const size_t clients = round->client_count;
  FED_TRY(fed__checkpoint_bytes(checkpoint, "round.waiting", round->waiting, clients));
  fed__round_count_waiting(round);
  FED_TRY(fed__checkpoint_bytes(checkpoint, "round.member", round->member, clients));
  FED_TRY(carry_facts(&round->selection, checkpoint));
  if (round->tasks)
    FED_TRY(fed__checkpoint_bytes(checkpoint, "round.tasks", round->tasks,
                                  clients * sizeof *round->tasks));
  return fed__checkpoint_array(checkpoint, "round.cohort", FED_U32, round->cohort, clients);
}

static int carry_open_round(struct fed__simulation *simulation,
                            struct fed__checkpoint *checkpoint) {
  simulation->open.failure = NULL; /* there is none before a round is over */
  FED_TRY(
      fed__checkpoint_bytes(checkpoint, "round.open", &simulation->open, sizeof simulation->open));
  FED_TRY(fed__checkpoint_bytes(checkpoint, "round.visits", simulation->visits,
                                simulation->visit_count * sizeof *simulation->visits));
  for (size_t i = 0; i < simulation->visit_count; i++) /* what another process had nobody has */
    simulation->visits[i].kept = simulation->visits[i].to_keep = NULL;
  return FED_OK;
}

int fed__simulation_carry(struct fed__simulation *simulation, struct fed__checkpoint *checkpoint) {
  struct fed__event_queue *queue = &simulation->queue;
  FED_REQUIRE(simulation->partition.client_count && !simulation->closing);
  FED_TRY(carry_numbers(simulation, checkpoint));
  FED_TRY(carry_models(simulation, checkpoint));
  FED_TRY(carry_memory(&simulation->memory, checkpoint));
  FED_TRY(carry_past(simulation, checkpoint));
  FED_TRY(carry_table(&simulation->round, checkpoint));
  FED_TRY(carry_open_round(simulation, checkpoint));
  FED_TRY(fed__checkpoint_array(checkpoint, "rounds_trained", FED_U32, simulation->rounds_trained,
                                simulation->partition.client_count));
  FED_TRY(fed__checkpoint_bytes(checkpoint, "queue", queue->items,
                                queue->count * sizeof *queue->items));
  simulation->is_resumed |= checkpoint->is_reading;
  return FED_OK;
}
