/* SPDX-License-Identifier: Apache-2.0
 *
 * delivery.c: clients between two steps of the table.
 */
#include "simulate/delivery.h"
#include "base/memory.h"
#include "base/raise.h"
#include "simulate/simulation.h"

#define NEVER INT64_MAX

void fed__delivery_note(struct fed__simulation *simulation, enum fed__trouble trouble) {
  simulation->open.trouble[trouble]++;
  simulation->trouble[trouble]++;
}

static struct fed__presence presence(const struct fed__simulation *simulation, uint32_t client,
                                     int64_t time_us) {
  return fed__device_presence(&simulation->devices, client, time_us);
}

/* ---- the table ------------------------------------------------------------------------------ */

int fed__delivery_step(struct fed__simulation *simulation, const struct fed__round_event *event) {
  FED_TRY(fed__round_step(&simulation->round, event, &simulation->driver));
  return simulation->code;
}

struct fed__round_event fed__delivery_event(const struct fed__simulation *simulation,
                                            enum fed__round_event_type type) {
  return (struct fed__round_event){.type = type, .now_ms = simulation->now_us / 1000};
}

static int step_client(struct fed__simulation *simulation, enum fed__round_event_type type,
                       uint32_t client) {
  struct fed__round_event event = fed__delivery_event(simulation, type);
  event.client = client;
  return fed__delivery_step(simulation, &event);
}

/* ---- the queue ------------------------------------------------------------------------------ */

static int put(struct fed__simulation *simulation, enum fed__queued_type type, uint32_t client,
               int64_t time_us) {
  const struct fed__queued_event event = {.time_us = time_us, .type = type, .client = client};
  return time_us == NEVER ? FED_OK : fed__event_queue_put(&simulation->queue, &event);
}

/* What the client, which was there at `planned_us`, does itself, if it does not leave before.
 * `*kept` 0: it does. */
static int put_own(struct fed__simulation *simulation, const struct fed__queued_event *event,
                   int64_t planned_us, int *kept) {
  const struct fed__presence there = presence(simulation, event->client, planned_us);
  *kept = there.is_there && event->time_us < there.until_us;
  return *kept ? fed__event_queue_put(&simulation->queue, event) : FED_OK;
}

static int ask_later(struct fed__simulation *simulation, uint32_t client, int64_t planned_us,
                     int64_t time_us) {
  const struct fed__queued_event event = {
      .time_us = time_us, .type = FED__QUEUED_ASKS, .client = client};
  int kept;
  return put_own(simulation, &event, planned_us, &kept);
}

/* ---- messages ------------------------------------------------------------------------------- */

static int64_t to_us(double seconds) { return (int64_t)(seconds * 1e6); }

static int is_lost(struct fed__simulation *simulation) {
  if (!fed__fault_strikes(&simulation->faults, FED__FAULT_LOST)) return 0;
  fed__delivery_note(simulation, FED__TROUBLE_LOST);
  return 1;
}

static int64_t resend_us(const struct fed__simulation *simulation) {
  return to_us(simulation->job->simulate.faults.resend_s);
}

static int64_t drawn_delay_us(struct fed__simulation *simulation, enum fed__fault fault) {
  const double longest_s = simulation->job->simulate.faults.delay_s;
  return to_us(fed__fault_part(&simulation->faults, fault) * longest_s);
}

/* By how much a message takes longer than the device's latency and bandwidth say. */
static int64_t delay_us(struct fed__simulation *simulation) {
  if (!fed__fault_strikes(&simulation->faults, FED__FAULT_DELAYED)) return 0;
  fed__delivery_note(simulation, FED__TROUBLE_DELAYED);
  return drawn_delay_us(simulation, FED__FAULT_DELAYED);
}

int fed__delivery_check_in(struct fed__simulation *simulation, uint32_t client,
                           int64_t planned_us) {
  const struct fed__presence there = presence(simulation, client, planned_us);
  if (!there.is_there || there.until_us <= simulation->now_us) return FED_OK;
  if (is_lost(simulation))
    return ask_later(simulation, client, planned_us, simulation->now_us + resend_us(simulation));
  return step_client(simulation, FED__EVENT_CHECK_IN, client);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static int comes(struct fed__simulation *simulation, uint32_t client, int64_t planned_us) {
  FED_TRY(put(simulation, FED__QUEUED_LEAVES, client,
              presence(simulation, client, planned_us).until_us));
  return fed__delivery_check_in(simulation, client, planned_us);
}

static int leaves(struct fed__simulation *simulation, uint32_t client, int64_t planned_us) {
  FED_TRY(put(simulation, FED__QUEUED_COMES, client,
              presence(simulation, client, planned_us).until_us));
  return step_client(simulation, FED__EVENT_LEFT, client);
}

int fed__delivery_begin(struct fed__simulation *simulation) {
  for (uint32_t client = 0; client < simulation->partition.client_count; client++) {
    if (!fed__simulation_is_eligible(simulation, client)) continue;
    const struct fed__presence there = presence(simulation, client, 0);
    FED_TRY(put(simulation, there.is_there ? FED__QUEUED_LEAVES : FED__QUEUED_COMES, client,
                there.until_us));
    if (there.is_there) FED_TRY(step_client(simulation, FED__EVENT_CHECK_IN, client));
  }
  return FED_OK;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static int evaluates_only(const struct fed__simulation *simulation) {
  return simulation->round.kind == FED__ROUND_EVALUATE;
}

static uint64_t task_bytes(const struct fed__simulation *simulation) {
  const struct fed__plan *plan = &simulation->plan;
  const int gets_vector = !evaluates_only(simulation) && plan->algorithm->client->gets_vector;
  return (gets_vector ? 2 : 1) * plan->parameter_count * sizeof(float);
}

static uint64_t answer_bytes(const struct fed__simulation *simulation, int is_empty) {
  return is_empty ? 0 : fed__plan_update_bytes(&simulation->plan);
}

static int64_t work_us(const struct fed__simulation *simulation, const struct fed__device *device,
                       uint32_t client) {
  const struct fed__job *job = simulation->job;
  const struct fed__partition *partition = &simulation->partition;
  const int only = evaluates_only(simulation);
  uint64_t trained = fed__partition_train_count(partition, client) * (uint64_t)job->train.epochs;
  const uint64_t most = job->train.steps_max * job->train.options.batch_size;
  if (most && trained > most) trained = most;
  return fed__device_work_us(device, only ? 0 : trained,
                             fed__plan_evaluates(job, simulation->round.round, only)
                                 ? fed__partition_held_out_count(partition, client)
                                 : 0);
}

/* From the task to the answer's arrival, if nothing comes in between. */
static int64_t task_us(struct fed__simulation *simulation, const struct fed__device *device,
                       uint32_t client) {
  const uint64_t up_bytes = answer_bytes(simulation, evaluates_only(simulation));
  return fed__device_down_us(device, task_bytes(simulation)) + delay_us(simulation) +
         work_us(simulation, device, client) + fed__device_up_us(device, up_bytes) +
         delay_us(simulation);
}

/* The answer never comes, and the client is back when the server has given it up. */
static int drop_out(struct fed__simulation *simulation, uint32_t client) {
  fed__delivery_note(simulation, FED__TROUBLE_DROPPED_OUT);
  return ask_later(simulation, client, simulation->now_us,
                   (simulation->round.deadline_ms + 1) * 1000);
}

/* Somewhere on the way; the work is lost, and the task is given again if the round is still open
 * when the client is back. */
static int crash_client(struct fed__simulation *simulation, uint32_t client, int64_t whole_us) {
  const double part = fed__fault_part(&simulation->faults, FED__FAULT_CLIENT_CRASH);
  const int64_t restart_us = to_us(simulation->job->simulate.faults.client_restart_s);
  fed__delivery_note(simulation, FED__TROUBLE_CLIENT_CRASH);
  return ask_later(simulation, client, simulation->now_us,
                   simulation->now_us + (int64_t)(part * (double)whole_us) + restart_us);
}

static int work(struct fed__simulation *simulation, const struct fed__device *device,
                uint32_t client) {
  const struct fed__round *round = &simulation->round;
  const int64_t whole_us = task_us(simulation, device, client);
  int kept;
  if (fed__fault_strikes(&simulation->faults, FED__FAULT_CLIENT_CRASH))
    return crash_client(simulation, client, whole_us);
  const struct fed__queued_event answer = {.time_us = simulation->now_us + whole_us,
                                           .type = FED__QUEUED_ANSWERS,
                                           .empty = (uint8_t)evaluates_only(simulation),
                                           .client = client,
                                           .round = round->round,
                                           .attempt = fed__round_task_attempt(round, client),
                                           .exchange = round->exchange};
  FED_TRY(put_own(simulation, &answer, simulation->now_us, &kept));
  if (!kept) fed__delivery_note(simulation, FED__TROUBLE_WENT_AWAY);
  return FED_OK;
}

int fed__delivery_give_task(struct fed__simulation *simulation, uint32_t client) {
  const struct fed__round *round = &simulation->round;
  const struct fed__device device = fed__device_of(&simulation->devices, client);
  simulation->open.down_bytes += task_bytes(simulation);
  if (is_lost(simulation))
    return ask_later(simulation, client, simulation->now_us,
                     simulation->now_us + resend_us(simulation));
  if (fed__device_drops_out(&simulation->devices, &device, client, round->round,
                            fed__round_task_attempt(round, client)))
    return drop_out(simulation, client);
  return work(simulation, &device, client);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Another one that comes soon enough goes first, if nothing else happens before it: nor does the
 * client leave. `*passed`: it does, and the answer is back in the queue behind it. The client waits
 * that long. */
static int let_pass(struct fed__simulation *simulation, const struct fed__queued_event *answer,
                    int *passed) {
  const struct fed__event_queue *queue = &simulation->queue;
  struct fed__queued_event later = *answer;
  *passed = 0;
  if (answer->copy || answer->passed || queue->count == 0) return FED_OK;
  if (queue->items[0].type != FED__QUEUED_ANSWERS ||
      queue->items[0].time_us - answer->time_us > to_us(simulation->job->simulate.faults.delay_s) ||
      !fed__fault_strikes(&simulation->faults, FED__FAULT_REORDERED))
    return FED_OK;
  *passed = 1;
  later.passed = 1;
  later.time_us = queue->items[0].time_us;
  fed__delivery_note(simulation, FED__TROUBLE_REORDERED);
  return fed__event_queue_put(&simulation->queue, &later);
}

static int send_again(struct fed__simulation *simulation, const struct fed__queued_event *answer,
                      int *kept) {
  const struct fed__device device = fed__device_of(&simulation->devices, answer->client);
  struct fed__queued_event again = *answer;
  again.time_us = simulation->now_us + resend_us(simulation) +
                  fed__device_up_us(&device, answer_bytes(simulation, answer->empty));
  again.passed = 0;
  return put_own(simulation, &again, answer->time_us, kept);
}

static int arrive(struct fed__simulation *simulation, const struct fed__queued_event *answer) {
  struct fed__round_event event = fed__delivery_event(simulation, FED__EVENT_REPORTED);
  event.client = answer->client;
  event.round = answer->round;
  event.attempt = answer->attempt;
  event.exchange = answer->exchange;
  return fed__delivery_step(simulation, &event);
}

static int arrives_again(struct fed__simulation *simulation,
                         const struct fed__queued_event *answer) {
  struct fed__queued_event again = *answer;
  again.copy = 1;
  again.time_us = simulation->now_us + drawn_delay_us(simulation, FED__FAULT_DUPLICATED);
  return fed__event_queue_put(&simulation->queue, &again);
}

/* Who has answered and knows it asks for more at once. Both the answer and the word that it has
 * arrived may be lost: the client cannot tell, and sends it again. */
static int answers(struct fed__simulation *simulation, const struct fed__queued_event *answer) {
  int passed, kept;
  FED_TRY(let_pass(simulation, answer, &passed));
  if (passed) return FED_OK;
  simulation->open.up_bytes += answer_bytes(simulation, answer->empty);
  if (answer->copy) return arrive(simulation, answer);
  if (is_lost(simulation)) {
    FED_TRY(send_again(simulation, answer, &kept));
    if (!kept) fed__delivery_note(simulation, FED__TROUBLE_WENT_AWAY);
    return FED_OK;
  }
  if (fed__fault_strikes(&simulation->faults, FED__FAULT_DUPLICATED))
    FED_TRY(arrives_again(simulation, answer));
  FED_TRY(arrive(simulation, answer));
  if (is_lost(simulation)) return send_again(simulation, answer, &kept);
  return fed__delivery_check_in(simulation, answer->client, answer->time_us);
}

/* What was to happen while the server was down happens when it is back. */
int fed__delivery_next(struct fed__simulation *simulation) {
  const struct fed__queued_event event = fed__event_queue_take(&simulation->queue);
  if (event.time_us > simulation->now_us) simulation->now_us = event.time_us;
  switch ((enum fed__queued_type)event.type) {
  case FED__QUEUED_COMES:
    return comes(simulation, event.client, event.time_us);
  case FED__QUEUED_LEAVES:
    return leaves(simulation, event.client, event.time_us);
  case FED__QUEUED_ASKS:
    return fed__delivery_check_in(simulation, event.client, event.time_us);
  case FED__QUEUED_ANSWERS:
    return answers(simulation, &event);
  }
  return FED_OK;
}
