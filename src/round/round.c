/* SPDX-License-Identifier: Apache-2.0
 *
 * round.c: the server's table of states. Each cell of the table is a small function; an empty
 * cell is an event that the state does not expect.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "round/round_parts.h"

#include <math.h>

#define ROUNDING 1e-6 /* 100 * 1.1 is a little over 110, but means 110 */

void fed__round_emit(struct fed__round *round, struct fed__round_driver *driver,
                     enum fed__round_effect_type type, uint32_t client, const char *reason) {
  const struct fed__round_effect effect = {type, client, round->ending, reason};
  driver->effect(driver, round, &effect);
}

void fed__round_finish(struct fed__round *round, struct fed__round_driver *driver,
                       enum fed__round_end end) {
  round->phase = FED__PHASE_FINISHED;
  round->ending = end;
  fed__round_emit(round, driver, FED__EFFECT_FINISH, 0, fed__round_end_name(end));
}

/* ---- gathering ------------------------------------------------------------------------------ */

static void give_task(struct fed__round *round, struct fed__round_driver *driver, uint32_t client,
                      int64_t now_ms) {
  fed__round_set_waiting(round, client, 0);
  round->member[client] = FED__MEMBER_WORKING;
  fed__selection_note_given(&round->selection, client, now_ms);
  fed__round_emit(round, driver, FED__EFFECT_GIVE_TASK, client, NULL);
}

static void give_tasks_to_waiting(struct fed__round *round, struct fed__round_driver *driver,
                                  int64_t now_ms) {
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    const uint32_t client = round->cohort[i];
    if (round->member[client] == FED__MEMBER_INVITED && round->waiting[client])
      give_task(round, driver, client, now_ms);
  }
}

/* Begin an exchange with the members marked INVITED. */
static void begin_exchange(struct fed__round *round, struct fed__round_driver *driver,
                           int64_t now_ms) {
  round->phase = FED__PHASE_EXCHANGE;
  round->reported_count = 0;
  round->deadline_ms = now_ms + round->settings.deadline_ms;
  give_tasks_to_waiting(round, driver, now_ms);
}

static int64_t back_off_ms(const struct fed__round *round) {
  const double wait =
      (double)round->settings.back_off_ms * ldexp(1, (int)round->failures_in_row - 1);
  return wait < (double)round->settings.back_off_max_ms ? (int64_t)wait
                                                        : round->settings.back_off_max_ms;
}

/* How long those take who have not answered is known in part. */
static void note_overdue(struct fed__round *round, int64_t now_ms) {
  for (uint32_t i = 0; i < round->cohort_count; i++)
    if (round->member[round->cohort[i]] == FED__MEMBER_WORKING)
      fed__selection_note_overdue(&round->selection, round->cohort[i], now_ms);
}

static void fail_round(struct fed__round *round, struct fed__round_driver *driver, int64_t now_ms,
                       const char *reason) {
  if (round->phase == FED__PHASE_EXCHANGE) note_overdue(round, now_ms);
  round->failures_in_row++;
  round->phase = FED__PHASE_FAILED;
  round->retry_at_ms = now_ms + back_off_ms(round);
  fed__round_emit(round, driver, FED__EFFECT_FAIL_ROUND, 0, reason);
  if (round->failures_in_row < round->settings.failures_max) return;
  /* Only the training can fail a job: without its last evaluation the model is as good. */
  fed__round_finish(round, driver,
                    round->kind == FED__ROUND_TRAIN ? FED__END_FAILURES : round->ending);
}

static void draw_cohort(struct fed__round *round, uint32_t wanted) {
  uint32_t count = 0;
  for (uint32_t client = 0; client < round->client_count; client++)
    if (round->waiting[client]) round->cohort[count++] = client;
  round->cohort_count = fed__selection_draw(&round->selection, round->settings.seed, round->round,
                                            round->attempt, round->cohort, count, wanted);
}

static void open_round(struct fed__round *round, struct fed__round_driver *driver, int64_t now_ms) {
  round->exchange = 0;
  round->lost_count = 0;
  round->reported_count = 0;
  memset(round->member, FED__MEMBER_NONE, round->client_count);
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    round->member[round->cohort[i]] = FED__MEMBER_INVITED;
    fed__selection_note_chosen(&round->selection, round->cohort[i], round->round);
  }
  fed__round_emit(round, driver, FED__EFFECT_OPEN_ROUND, 0, NULL);
  if (round->cohort_count < round->settings.minimum)
    fail_round(round, driver, now_ms, "fewer clients than the minimum were drawn");
  else
    begin_exchange(round, driver, now_ms);
}

/* Open a round if enough clients wait: as many as are drawn from, or at least the minimum when the
 * time to gather is over. */
static void open_round_if_possible(struct fed__round *round, struct fed__round_driver *driver,
                                   int64_t now_ms) {
  const uint32_t wanted = round->settings.invited, pool = round->settings.selection.pool;
  const int patience_over = now_ms - round->gather_since_ms >= round->settings.gather_ms;
  if (round->waiting_count >= (pool > wanted ? pool : wanted) ||
      (patience_over && round->waiting_count >= round->settings.minimum)) {
    draw_cohort(round, wanted);
    open_round(round, driver, now_ms);
  }
}

static void gather(struct fed__round *round, struct fed__round_driver *driver, int64_t now_ms) {
  round->phase = FED__PHASE_GATHERING;
  round->gather_since_ms = now_ms;
  open_round_if_possible(round, driver, now_ms);
}

int fed__round_note_waiting(struct fed__round *round, const struct fed__round_event *event,
                            struct fed__round_driver *driver) {
  (void)driver;
  fed__round_set_waiting(round, event->client, 1);
  return FED_OK;
}

int fed__round_note_left(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  (void)driver;
  fed__round_set_waiting(round, event->client, 0);
  return FED_OK;
}

static int gathering_check_in(struct fed__round *round, const struct fed__round_event *event,
                              struct fed__round_driver *driver) {
  FED_TRY(fed__round_note_waiting(round, event, driver));
  open_round_if_possible(round, driver, event->now_ms);
  return FED_OK;
}

int fed__round_time_is_up(const struct fed__round *round, int64_t now_ms) {
  return round->settings.time_max_ms &&
         now_ms - round->job_started_ms >= round->settings.time_max_ms;
}

static int gathering_time(struct fed__round *round, const struct fed__round_event *event,
                          struct fed__round_driver *driver) {
  if (fed__round_time_is_up(round, event->now_ms))
    fed__round_finish(round, driver, FED__END_TIME);
  else
    open_round_if_possible(round, driver, event->now_ms);
  return FED_OK;
}

int fed__round_finish_now(struct fed__round *round, const struct fed__round_event *event,
                          struct fed__round_driver *driver) {
  (void)event;
  fed__round_finish(round, driver, FED__END_STOPPED);
  return FED_OK;
}

/* ---- exchange ------------------------------------------------------------------------------- */

/* Those who answered go on to the next exchange; the others are lost to the round. */
static void next_exchange(struct fed__round *round, struct fed__round_driver *driver,
                          int64_t now_ms) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < round->cohort_count; i++) {
    const uint32_t client = round->cohort[i];
    const int answered = round->member[client] == FED__MEMBER_REPORTED;
    round->member[client] = answered ? FED__MEMBER_INVITED : FED__MEMBER_LOST;
    if (answered) round->cohort[kept++] = client;
  }
  round->cohort_count = kept;
  round->lost_count = 0;
  round->exchange++;
  fed__round_emit(round, driver, FED__EFFECT_NEXT_EXCHANGE, 0, NULL);
  begin_exchange(round, driver, now_ms);
}

static uint32_t exchange_count(const struct fed__round *round) {
  return round->kind == FED__ROUND_TRAIN ? round->settings.exchange_count : 1;
}

static void close_exchange(struct fed__round *round, struct fed__round_driver *driver,
                           int64_t now_ms) {
  if (round->exchange + 1 < exchange_count(round)) {
    next_exchange(round, driver, now_ms);
    return;
  }
  note_overdue(round, now_ms);
  round->phase = FED__PHASE_CLOSING;
  fed__round_emit(round, driver, FED__EFFECT_CLOSE_ROUND, 0, NULL);
}

static uint32_t answers_wanted(const struct fed__round *round) {
  return round->selection.rule->any_size ? round->cohort_count : round->settings.cohort;
}

/* The rule for the end of an exchange: enough answers, or nobody left to wait for. */
static void settle_exchange(struct fed__round *round, struct fed__round_driver *driver,
                            int64_t now_ms) {
  const uint32_t open = round->cohort_count - round->reported_count - round->lost_count;
  if (round->reported_count >= answers_wanted(round) ||
      (open == 0 && round->reported_count >= round->settings.minimum))
    close_exchange(round, driver, now_ms);
  else if (round->reported_count + open < round->settings.minimum)
    fail_round(round, driver, now_ms, "too few clients are left");
}

static int exchange_check_in(struct fed__round *round, const struct fed__round_event *event,
                             struct fed__round_driver *driver) {
  FED_TRY(fed__round_note_waiting(round, event, driver));
  const uint8_t member = round->member[event->client];
  if (member == FED__MEMBER_INVITED || member == FED__MEMBER_WORKING)
    give_task(round, driver, event->client, event->now_ms);
  return FED_OK;
}

int fed__round_is_at(const struct fed__round *round, const struct fed__round_event *event) {
  return event->round == round->round && event->attempt == round->attempt &&
         event->exchange == round->exchange;
}

static int dismiss_late(struct fed__round *round, const struct fed__round_event *event,
                        struct fed__round_driver *driver) {
  const int counted = event->round == round->round && event->attempt == round->attempt &&
                      round->phase == FED__PHASE_CLOSING &&
                      round->member[event->client] == FED__MEMBER_REPORTED;
  fed__round_emit(round, driver, counted ? FED__EFFECT_COUNTED_BEFORE : FED__EFFECT_DISMISS,
                  event->client, "the round is over");
  return FED_OK;
}

static int exchange_reported(struct fed__round *round, const struct fed__round_event *event,
                             struct fed__round_driver *driver) {
  if (!fed__round_is_at(round, event)) return dismiss_late(round, event, driver);
  const uint8_t member = round->member[event->client];
  if (member == FED__MEMBER_REPORTED) {
    fed__round_emit(round, driver, FED__EFFECT_COUNTED_BEFORE, event->client, NULL);
    return FED_OK;
  }
  if (member == FED__MEMBER_NONE || member == FED__MEMBER_LOST) {
    fed__round_emit(round, driver, FED__EFFECT_DISMISS, event->client,
                    "not a member of this round");
    return FED_OK;
  }
  round->member[event->client] = FED__MEMBER_REPORTED;
  round->reported_count++;
  if (round->kind == FED__ROUND_TRAIN)
    fed__selection_note_trained(&round->selection, event->client, round->round, event->now_ms);
  fed__round_emit(round, driver, FED__EFFECT_COUNT, event->client, NULL);
  settle_exchange(round, driver, event->now_ms);
  return FED_OK;
}

static int exchange_lost(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  const uint8_t member = round->member[event->client];
  if (!fed__round_is_at(round, event) ||
      (member != FED__MEMBER_INVITED && member != FED__MEMBER_WORKING))
    return FED_OK;
  round->member[event->client] = FED__MEMBER_LOST;
  round->lost_count++;
  settle_exchange(round, driver, event->now_ms);
  return FED_OK;
}

static int exchange_time(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  if (event->now_ms < round->deadline_ms) return FED_OK;
  if (round->reported_count >= round->settings.minimum)
    close_exchange(round, driver, event->now_ms);
  else
    fail_round(round, driver, event->now_ms, "too few clients answered before the deadline");
  return FED_OK;
}

static int exchange_stop(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  fed__round_emit(round, driver, FED__EFFECT_FAIL_ROUND, 0, "the job was stopped");
  return fed__round_finish_now(round, event, driver);
}

/* ---- closing -------------------------------------------------------------------------------- */

enum fed__round_end fed__round_end_after(const struct fed__round *round,
                                         const struct fed__round_event *event) {
  const struct fed__round_settings *s = &round->settings;
  if (round->stopping) return FED__END_STOPPED;
  if (event->measured && s->stop_metric == FED__METRIC_ACCURACY &&
      event->accuracy >= s->stop_at_least)
    return FED__END_TARGET;
  if (event->measured && s->stop_metric == FED__METRIC_LOSS && event->loss <= s->stop_at_most)
    return FED__END_TARGET;
  if (round->round >= s->rounds) return FED__END_ROUNDS;
  if (fed__round_time_is_up(round, event->now_ms)) return FED__END_TIME;
  return FED__END_NONE;
}

void fed__round_start_next(struct fed__round *round, struct fed__round_driver *driver,
                           int64_t now_ms) {
  round->round++;
  round->attempt = 1;
  if (fed__round_is_asynchronous(round))
    fed__round_gather_async(round, driver, now_ms);
  else
    gather(round, driver, now_ms);
}

static int closing_model(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  round->failures_in_row = 0;
  if (round->kind == FED__ROUND_EVALUATE) {
    fed__round_finish(round, driver, round->ending);
    return FED_OK;
  }
  round->ending = fed__round_end_after(round, event);
  if (round->ending != FED__END_NONE) {
    if (!round->settings.final_evaluation || round->ending == FED__END_STOPPED) {
      fed__round_finish(round, driver, round->ending);
      return FED_OK;
    }
    round->kind = FED__ROUND_EVALUATE;
  }
  fed__round_start_next(round, driver, event->now_ms);
  return FED_OK;
}

static int closing_model_failed(struct fed__round *round, const struct fed__round_event *event,
                                struct fed__round_driver *driver) {
  fail_round(round, driver, event->now_ms, "the new model could not be made");
  if (round->stopping && round->phase == FED__PHASE_FAILED)
    fed__round_finish(round, driver, FED__END_STOPPED);
  return FED_OK;
}

int fed__round_stop_later(struct fed__round *round, const struct fed__round_event *event,
                          struct fed__round_driver *driver) {
  (void)event, (void)driver;
  round->stopping = 1;
  return FED_OK;
}

/* ---- failed, finished ----------------------------------------------------------------------- */

static int failed_time(struct fed__round *round, const struct fed__round_event *event,
                       struct fed__round_driver *driver) {
  if (fed__round_time_is_up(round, event->now_ms)) {
    fed__round_finish(round, driver, FED__END_TIME);
  } else if (event->now_ms >= round->retry_at_ms) {
    round->attempt++;
    gather(round, driver, event->now_ms);
  }
  return FED_OK;
}

int fed__round_ignore(struct fed__round *round, const struct fed__round_event *event,
                      struct fed__round_driver *driver) {
  (void)round, (void)event, (void)driver;
  return FED_OK;
}

static fed__round_step_fn *const table[FED__PHASE_COUNT][FED__EVENT_COUNT] = {
    [FED__PHASE_GATHERING] = {[FED__EVENT_CHECK_IN] = gathering_check_in,
                              [FED__EVENT_LEFT] = fed__round_note_left,
                              [FED__EVENT_REPORTED] = dismiss_late,
                              [FED__EVENT_LOST] = fed__round_ignore,
                              [FED__EVENT_TIME] = gathering_time,
                              [FED__EVENT_STOP] = fed__round_finish_now},
    [FED__PHASE_EXCHANGE] = {[FED__EVENT_CHECK_IN] = exchange_check_in,
                             [FED__EVENT_LEFT] = fed__round_note_left,
                             [FED__EVENT_REPORTED] = exchange_reported,
                             [FED__EVENT_LOST] = exchange_lost,
                             [FED__EVENT_TIME] = exchange_time,
                             [FED__EVENT_STOP] = exchange_stop},
    [FED__PHASE_CLOSING] = {[FED__EVENT_CHECK_IN] = fed__round_note_waiting,
                            [FED__EVENT_LEFT] = fed__round_note_left,
                            [FED__EVENT_REPORTED] = dismiss_late,
                            [FED__EVENT_LOST] = fed__round_ignore,
                            [FED__EVENT_TIME] = fed__round_ignore,
                            [FED__EVENT_MODEL] = closing_model,
                            [FED__EVENT_MODEL_FAILED] = closing_model_failed,
                            [FED__EVENT_STOP] = fed__round_stop_later},
    [FED__PHASE_FAILED] = {[FED__EVENT_CHECK_IN] = fed__round_note_waiting,
                           [FED__EVENT_LEFT] = fed__round_note_left,
                           [FED__EVENT_REPORTED] = dismiss_late,
                           [FED__EVENT_LOST] = fed__round_ignore,
                           [FED__EVENT_TIME] = failed_time,
                           [FED__EVENT_STOP] = fed__round_finish_now},
    [FED__PHASE_FINISHED] = {[FED__EVENT_CHECK_IN] = fed__round_ignore,
                             [FED__EVENT_LEFT] = fed__round_ignore,
                             [FED__EVENT_REPORTED] = dismiss_late,
                             [FED__EVENT_LOST] = fed__round_ignore,
                             [FED__EVENT_TIME] = fed__round_ignore,
                             [FED__EVENT_STOP] = fed__round_ignore},
};

static int is_about_client(enum fed__round_event_type type) {
  return type == FED__EVENT_CHECK_IN || type == FED__EVENT_LEFT || type == FED__EVENT_REPORTED ||
         type == FED__EVENT_LOST;
}

int fed__round_step(struct fed__round *round, const struct fed__round_event *event,
                    struct fed__round_driver *driver) {
  FED_REQUIRE((unsigned)event->type < FED__EVENT_COUNT);
  if (is_about_client(event->type) && event->client >= round->client_count)
    return FED_RAISE(FED_E_RANGE, "client %u of %u", event->client, round->client_count);
  fed__round_step_fn *step = fed__round_is_asynchronous(round)
                                 ? fed__round_async_table[round->phase][event->type]
                                 : table[round->phase][event->type];
  if (!step)
    return FED_RAISE(FED_E_ORDER, "event %d is not expected while %s", (int)event->type,
                     fed__round_phase_name(round->phase));
  return step(round, event, driver);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int64_t to_ms(double seconds) { return (int64_t)llround(seconds * 1000); }

void fed__round_settings_from_job(const struct fed__job *job, uint32_t exchange_count_,
                                  struct fed__round_settings *settings) {
  *settings = (struct fed__round_settings){
      .rounds = job->rounds.count,
      .cohort = job->rounds.cohort,
      .invited = (uint32_t)ceil(job->rounds.cohort * job->rounds.over_selection - ROUNDING),
      .minimum = job->rounds.minimum,
      .failures_max = job->rounds.failures_max,
      .exchange_count = exchange_count_,
      .gather_ms = to_ms(job->rounds.gather_s),
      .deadline_ms = to_ms(job->rounds.deadline_s),
      .back_off_ms = to_ms(job->rounds.back_off_s),
      .back_off_max_ms = to_ms(job->rounds.back_off_max_s),
      .time_max_ms = to_ms(job->stop.seconds),
      .final_evaluation = job->evaluate.federated && job->evaluate.every > 0,
      .stop_metric = job->stop.metric,
      .stop_at_least = job->stop.at_least,
      .stop_at_most = job->stop.at_most,
      .seed = job->seed,
      .buffer = fed__job_buffer(job),
      .staleness_max = job->aggregate.staleness_max,
      .selection = job->rounds.selection,
  };
}

int fed__round_init(struct fed__round *round, const struct fed_context *context,
                    const struct fed__round_settings *settings, uint64_t version,
                    enum fed__round_end ending, int64_t now_ms) {
  *round = (struct fed__round){.context = context,
                               .settings = *settings,
                               .phase = FED__PHASE_GATHERING,
                               .round = version + 1,
                               .attempt = 1,
                               .job_started_ms = now_ms,
                               .gather_since_ms = now_ms,
                               .kind = ending ? FED__ROUND_EVALUATE : FED__ROUND_TRAIN,
                               .ending = ending};
  fed__selection_init(&round->selection, context, &settings->selection);
  return fed__round_set_client_count(round, 0);
}

void fed__round_clear(struct fed__round *round) {
  if (!round->context) return;
  fed__free(round->context, round->waiting);
  fed__free(round->context, round->waiting_tree);
  fed__free(round->context, round->member);
  fed__free(round->context, round->cohort);
  fed__free(round->context, round->tasks);
  fed__selection_clear(&round->selection);
  *round = (struct fed__round){0};
}

static int grow(const struct fed_context *context, uint8_t **array, uint32_t from, uint32_t to) {
  uint8_t *moved = fed__resize(context, *array, to, 1);
  if (!moved) return FED_E_MEMORY;
  if (to > from) memset(moved + from, 0, to - from);
  *array = moved;
  return FED_OK;
}

static int make_room_for_tasks(struct fed__round *round, uint32_t count) {
  if (!round->settings.buffer || count <= round->client_count) return FED_OK;
  struct fed__open_task *moved = fed__resize(round->context, round->tasks, count, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  round->tasks = moved;
  memset(moved + round->client_count, 0, (count - round->client_count) * sizeof *moved);
  return FED_OK;
}

int fed__round_set_client_count(struct fed__round *round, uint32_t count) {
  if (count <= round->client_count) return FED_OK;
  FED_TRY(grow(round->context, &round->waiting, round->client_count, count));
  FED_TRY(fed__round_grow_waiting(round, count));
  FED_TRY(grow(round->context, &round->member, round->client_count, count));
  uint32_t *moved = fed__resize(round->context, round->cohort, count, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  round->cohort = moved;
  FED_TRY(make_room_for_tasks(round, count));
  FED_TRY(fed__selection_set_client_count(&round->selection, count));
  round->client_count = count;
  fed__round_count_waiting(round);
  return FED_OK;
}

struct fed__client_facts *fed__round_facts(struct fed__round *round, uint32_t client) {
  return fed__selection_facts(&round->selection, client);
}

int fed__round_resume(struct fed__round *round, uint64_t number, uint32_t attempt,
                      const uint32_t *cohort, uint32_t cohort_count, int64_t now_ms,
                      struct fed__round_driver *driver) {
  if (fed__round_is_asynchronous(round)) {
    round->round = number;
    round->attempt = attempt;
    fed__round_gather_async(round, driver, now_ms);
    return FED_OK;
  }
  if (cohort_count > round->client_count)
    return FED_RAISE(FED_E_RANGE, "a cohort of %u among %u clients", cohort_count,
                     round->client_count);
  for (uint32_t i = 0; i < cohort_count; i++) {
    if (cohort[i] >= round->client_count)
      return FED_RAISE(FED_E_RANGE, "client %u of %u", cohort[i], round->client_count);
    round->cohort[i] = cohort[i];
  }
  round->cohort_count = cohort_count;
  round->round = number;
  round->attempt = attempt;
  open_round(round, driver, now_ms);
  return FED_OK;
}

void fed__round_resume_gathering(struct fed__round *round, uint32_t attempt) {
  round->attempt = attempt;
}

void fed__round_resume_closing(struct fed__round *round, uint64_t number) {
  round->round = number;
  round->phase = FED__PHASE_CLOSING;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms) { return a_ms < b_ms ? a_ms : b_ms; }

int64_t fed__round_next_ms(const struct fed__round *round) {
  const struct fed__round_settings *s = &round->settings;
  const int64_t time_up_ms = s->time_max_ms ? round->job_started_ms + s->time_max_ms : INT64_MAX;
  switch (round->phase) {
  case FED__PHASE_GATHERING:
    return round->waiting_count >= s->minimum
               ? earlier(round->gather_since_ms + s->gather_ms, time_up_ms)
               : time_up_ms;
  case FED__PHASE_EXCHANGE:
    return fed__round_is_asynchronous(round) ? fed__round_next_overdue_ms(round)
                                             : round->deadline_ms;
  case FED__PHASE_FAILED:
    return earlier(round->retry_at_ms, time_up_ms);
  default:
    return INT64_MAX;
  }
}

const char *fed__round_phase_name(enum fed__round_phase phase) {
  static const char *const names[] = {"gathering", "exchange", "closing", "failed", "finished"};
  return phase < FED__PHASE_COUNT ? names[phase] : "unknown";
}

const char *fed__round_end_name(enum fed__round_end end) {
  static const char *const names[] = {"running",      "all rounds done", "target reached",
                                      "time is over", "stopped",         "too many failed rounds"};
  return end <= FED__END_FAILURES ? names[end] : "unknown";
}
