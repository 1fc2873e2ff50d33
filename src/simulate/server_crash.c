/* SPDX-License-Identifier: Apache-2.0
 *
 * server_crash.c: a server that starts as a real one does (server/run.c), and when it has to.
 */
#include "simulate/server_crash.h"
#include "base/raise.h"
#include "simulate/simulation.h"

static int64_t to_us(double seconds) { return (int64_t)(seconds * 1e6); }

/* What a server finds in its events: who trained when, with which loss. Who was there or was chosen
 * without an answer is forgotten, as in server/run_facts.c. */
static void recall_facts(struct fed__round *round, struct fed__round *before) {
  for (uint32_t client = 0; client < before->client_count; client++) {
    const struct fed__client_facts *known = fed__round_facts(before, client);
    if (!known) return;
    struct fed__client_facts *facts = fed__round_facts(round, client);
    facts->group = known->group;
    facts->example_count = known->example_count;
    if (!known->reported_round) continue;
    facts->loss = known->loss;
    facts->duration_ms = known->duration_ms;
    facts->chosen_round = facts->reported_round = known->reported_round;
    facts->chosen_count = facts->reported_count = known->reported_count;
  }
}

/* Nobody is at work in asynchronous training any more. Later tasks have other numbers, so that
 * answers to these are known for what they are. */
static void forget_tasks(struct fed__round *round, const struct fed__round *before) {
  for (uint32_t client = 0; round->tasks && client < round->client_count; client++)
    round->tasks[client] = (struct fed__open_task){.round = before->tasks[client].round,
                                                   .number = before->tasks[client].number};
}

/* As the store has it: the versions, why training is over, and the time that the job has run. */
static int read_store(struct fed__simulation *simulation, struct fed__round *before) {
  struct fed__round *round = &simulation->round;
  const enum fed__round_end ending =
      before->kind == FED__ROUND_EVALUATE ? before->ending : FED__END_NONE;
  FED_TRY(fed__round_init(round, simulation->context, &before->settings, simulation->version,
                          ending, simulation->now_us / 1000));
  round->job_started_ms = before->job_started_ms;
  FED_TRY(fed__round_set_client_count(round, before->client_count));
  recall_facts(round, before);
  forget_tasks(round, before);
  return FED_OK;
}

/* Whoever waited for an answer checks in anew. */
static int reconnect(struct fed__simulation *simulation, const struct fed__round *before,
                     int64_t crashed_us) {
  for (uint32_t client = 0; client < before->client_count; client++)
    if (before->waiting[client]) FED_TRY(fed__delivery_check_in(simulation, client, crashed_us));
  return FED_OK;
}

static int step(struct fed__simulation *simulation, enum fed__round_event_type type) {
  const struct fed__round_event event = fed__delivery_event(simulation, type);
  return fed__delivery_step(simulation, &event);
}

/* A server that only gathered has no record of the attempt that it was to open. */
static uint32_t next_attempt(const struct fed__round *before) {
  return before->attempt + (before->phase != FED__PHASE_GATHERING);
}

static int resume_attempt(struct fed__simulation *simulation, const struct fed__round *before,
                          int64_t crashed_us) {
  FED_TRY(fed__round_resume(&simulation->round, before->round, next_attempt(before), before->cohort,
                            before->cohort_count, simulation->now_us / 1000, &simulation->driver));
  FED_TRY(simulation->code);
  return reconnect(simulation, before, crashed_us);
}

/* All who waited are back when the next round's cohort is drawn, as at the beginning of a run: a
 * table that closes a round only notes who is there. */
static int gather_anew(struct fed__simulation *simulation, const struct fed__round *before,
                       int64_t crashed_us) {
  simulation->round.phase = FED__PHASE_CLOSING;
  FED_TRY(reconnect(simulation, before, crashed_us));
  simulation->round.phase = FED__PHASE_GATHERING;
  fed__round_resume_gathering(&simulation->round, next_attempt(before));
  return step(simulation, FED__EVENT_TIME);
}

/* The driver sends MODEL. */
static int resume_closing(struct fed__simulation *simulation, const struct fed__round *before,
                          int64_t crashed_us) {
  fed__round_resume_closing(&simulation->round, simulation->version);
  return reconnect(simulation, before, crashed_us);
}

/* Asynchronous training goes on from the last version as if it had just been made. */
static int make_version_anew(struct fed__simulation *simulation, const struct fed__round *before,
                             int64_t crashed_us) {
  FED_TRY(resume_closing(simulation, before, crashed_us));
  FED_TRY(step(simulation, FED__EVENT_MODEL));
  if (fed__round_is_asynchronous(&simulation->round)) /* still: the time may be over */
    simulation->round.attempt = simulation->open.attempt = next_attempt(before);
  return FED_OK;
}

static int restart(struct fed__simulation *simulation, struct fed__round *before,
                   int64_t crashed_us) {
  FED_TRY(read_store(simulation, before));
  if (before->phase == FED__PHASE_CLOSING) return resume_closing(simulation, before, crashed_us);
  if (fed__round_is_asynchronous(before)) return make_version_anew(simulation, before, crashed_us);
  if (before->phase == FED__PHASE_EXCHANGE) return resume_attempt(simulation, before, crashed_us);
  return gather_anew(simulation, before, crashed_us);
}

int fed__server_crash(struct fed__simulation *simulation) {
  struct fed__round before = simulation->round;
  const int64_t crashed_us = simulation->now_us;
  fed__delivery_note(simulation, FED__TROUBLE_SERVER_CRASH);
  simulation->now_us += to_us(simulation->job->simulate.faults.server_restart_s);
  simulation->crash_after = UINT32_MAX;
  simulation->watched = FED__PHASE_COUNT;
  const int code = restart(simulation, &before, crashed_us);
  fed__round_clear(&before);
  return code;
}

/* ---- when ----------------------------------------------------------------------------------- */

/* With so many clients that wait a round opens, at the latest. */
static uint32_t clients_wanted(const struct fed__simulation *simulation) {
  const struct fed__round_settings *settings = &simulation->round.settings;
  uint32_t wanted = settings->invited;
  if (fed__round_is_asynchronous(&simulation->round))
    wanted = settings->minimum;
  else if (settings->selection.pool > wanted)
    wanted = settings->selection.pool;
  return wanted < simulation->eligible_count ? wanted : simulation->eligible_count;
}

static uint32_t drawn_waiting(struct fed__simulation *simulation) {
  const uint32_t waiting = simulation->round.waiting_count, wanted = clients_wanted(simulation);
  const double part = fed__fault_part(&simulation->faults, FED__FAULT_SERVER_CRASH_WAITING);
  return waiting + (wanted > waiting ? (uint32_t)(part * (double)(wanted - waiting)) : 0);
}

static int64_t drawn_us(struct fed__simulation *simulation) {
  const int64_t wait_us = simulation->round.retry_at_ms * 1000 - simulation->now_us;
  const double part = fed__fault_part(&simulation->faults, FED__FAULT_SERVER_CRASH_WAITING);
  return simulation->now_us + (int64_t)(part * (double)wait_us);
}

void fed__server_watch(struct fed__simulation *simulation) {
  const enum fed__round_phase phase = simulation->round.phase;
  if (phase == simulation->watched) return;
  simulation->watched = phase;
  simulation->crash_us = INT64_MAX;
  if (phase != FED__PHASE_GATHERING && phase != FED__PHASE_FAILED) return;
  simulation->crash_after = UINT32_MAX;
  if (!fed__fault_strikes(&simulation->faults, FED__FAULT_SERVER_CRASH_WAITING)) return;
  if (phase == FED__PHASE_GATHERING)
    simulation->crash_after = drawn_waiting(simulation);
  else
    simulation->crash_us = drawn_us(simulation);
}

int fed__server_is_to_crash(const struct fed__simulation *simulation) {
  const struct fed__round *round = &simulation->round;
  switch (round->phase) {
  case FED__PHASE_GATHERING:
    return round->waiting_count >= simulation->crash_after;
  case FED__PHASE_EXCHANGE:
    return round->reported_count >= simulation->crash_after;
  default:
    return simulation->now_us >= simulation->crash_us;
  }
}
