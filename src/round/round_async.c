/* SPDX-License-Identifier: Apache-2.0
 *
 * round_async.c: the table of states of asynchronous training: a round is a version, made of every
 * `buffer` answers that come in, from whichever version their clients began with.
 *
 *            enough clients       buffer is full            model stored
 *   GATHERING ───────────► EXCHANGE ─────────────► CLOSING ─────────────► EXCHANGE …
 *
 * Answers that come in while a version is made are counted for the next one.
 *
 * Up to `cohort` clients work at a time; who answers makes room for another one, drawn from those
 * that wait. A task that is not answered by its deadline is given up; an answer that more than
 * `staleness_max` versions were made before is thanked for and dropped. Tasks outlive rounds. The
 * evaluation at the end is a round in step, in the other table.
 *
 * Cost: O(cohort + log clients) an answer. A rule of selection that looks at facts looks at those
 * of all who wait whenever a place is filled; uniform draws do not.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "round/round_parts.h"

int fed__round_is_asynchronous(const struct fed__round *round) {
  return round->settings.buffer && round->kind == FED__ROUND_TRAIN;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static void give_task(struct fed__round *round, struct fed__round_driver *driver, uint32_t client,
                      int64_t now_ms) {
  struct fed__open_task *task = &round->tasks[client];
  const uint32_t number = task->round == round->round ? task->number + 1 : 1;
  *task = (struct fed__open_task){.round = round->round, .number = number, .given_ms = now_ms};
  fed__round_set_waiting(round, client, 0);
  round->member[client] = FED__MEMBER_WORKING;
  round->deadline_ms = now_ms + round->settings.deadline_ms;
  fed__selection_note_given(&round->selection, client, now_ms);
  fed__round_emit(round, driver, FED__EFFECT_GIVE_TASK, client, NULL);
}

/* Those who work are at the front of `cohort`; who is drawn comes behind them. */
static uint32_t draw(struct fed__round *round, uint32_t *drawn, uint32_t wanted) {
  const uint64_t seed = round->settings.seed;
  uint32_t count;
  if (fed__selection_draw_ranks(&round->selection, seed, round->round, ++round->draw_count,
                                round->waiting_count, wanted, drawn, &count)) {
    for (uint32_t i = 0; i < count; i++) drawn[i] = fed__round_find_waiting(round, drawn[i]);
    return count;
  }
  count = 0;
  for (uint32_t client = 0; client < round->client_count; client++)
    if (round->waiting[client]) drawn[count++] = client;
  return fed__selection_draw(&round->selection, seed, round->round, round->draw_count, drawn, count,
                             wanted);
}

static void fill_places(struct fed__round *round, struct fed__round_driver *driver,
                        int64_t now_ms) {
  const uint32_t free_count = round->settings.cohort - round->cohort_count;
  uint32_t *drawn = round->cohort + round->cohort_count;
  if (free_count == 0 || round->waiting_count == 0) return;
  const uint32_t count = draw(round, drawn, free_count);
  round->cohort_count += count;
  for (uint32_t i = 0; i < count; i++) {
    fed__selection_note_chosen(&round->selection, drawn[i], round->round);
    give_task(round, driver, drawn[i], now_ms);
  }
}

/* The others keep their order: that of their tasks' deadlines. */
static void leave_cohort(struct fed__round *round, uint32_t client) {
  uint32_t at = 0;
  while (at < round->cohort_count && round->cohort[at] != client) at++;
  if (at == round->cohort_count) return;
  round->cohort_count--;
  memmove(round->cohort + at, round->cohort + at + 1,
          (round->cohort_count - at) * sizeof *round->cohort);
}

static void leave_place(struct fed__round *round, uint32_t client) {
  leave_cohort(round, client);
  round->member[client] = FED__MEMBER_NONE;
}

/* Another task, and a later deadline. */
static void give_again(struct fed__round *round, struct fed__round_driver *driver, uint32_t client,
                       int64_t now_ms) {
  leave_cohort(round, client);
  round->cohort[round->cohort_count++] = client;
  give_task(round, driver, client, now_ms);
}

static int is_its_task(const struct fed__round *round, const struct fed__round_event *event) {
  const struct fed__open_task *task = &round->tasks[event->client];
  return task->round == event->round && task->number == event->attempt && event->exchange == 0;
}

static void settle(struct fed__round *round, struct fed__round_driver *driver, int64_t now_ms) {
  if (round->reported_count < round->settings.buffer) {
    fill_places(round, driver, now_ms);
    return;
  }
  round->phase = FED__PHASE_CLOSING;
  fed__round_emit(round, driver, FED__EFFECT_CLOSE_ROUND, 0, NULL);
}

enum fed__answer_wish fed__round_wish_async(const struct fed__round *round,
                                            const struct fed__round_event *answer) {
  if (!is_its_task(round, answer)) return FED__ANSWER_NOT_WANTED;
  if (round->tasks[answer->client].counted) return FED__ANSWER_COUNTED;
  return round->member[answer->client] == FED__MEMBER_WORKING ? FED__ANSWER_WANTED
                                                              : FED__ANSWER_NOT_WANTED;
}

/* ---- gathering ------------------------------------------------------------------------------ */

static void open_version(struct fed__round *round, struct fed__round_driver *driver,
                         int64_t now_ms) {
  round->phase = FED__PHASE_EXCHANGE;
  round->exchange = 0;
  round->reported_count = round->early_count;
  round->early_count = round->lost_count = round->draw_count = 0;
  fed__round_emit(round, driver, FED__EFFECT_OPEN_ROUND, 0, NULL);
  settle(round, driver, now_ms);
}

/* While some are at work it goes on at once: their answers are wanted. */
void fed__round_gather_async(struct fed__round *round, struct fed__round_driver *driver,
                             int64_t now_ms) {
  round->phase = FED__PHASE_GATHERING;
  round->gather_since_ms = now_ms;
  if (round->cohort_count > 0 || round->waiting_count >= round->settings.minimum)
    open_version(round, driver, now_ms);
}

static int gathering_check_in(struct fed__round *round, const struct fed__round_event *event,
                              struct fed__round_driver *driver) {
  FED_TRY(fed__round_note_waiting(round, event, driver));
  fed__round_gather_async(round, driver, event->now_ms);
  return FED_OK;
}

static int gathering_time(struct fed__round *round, const struct fed__round_event *event,
                          struct fed__round_driver *driver) {
  if (fed__round_time_is_up(round, event->now_ms)) fed__round_finish(round, driver, FED__END_TIME);
  return FED_OK;
}

/* ---- exchange ------------------------------------------------------------------------------- */

/* Who works and asks for a task has lost the one it had. */
static int exchange_check_in(struct fed__round *round, const struct fed__round_event *event,
                             struct fed__round_driver *driver) {
  FED_TRY(fed__round_note_waiting(round, event, driver));
  if (round->member[event->client] == FED__MEMBER_WORKING)
    give_again(round, driver, event->client, event->now_ms);
  else
    fill_places(round, driver, event->now_ms);
  return FED_OK;
}

static int dismiss(struct fed__round *round, const struct fed__round_event *event,
                   struct fed__round_driver *driver) {
  const int counted = is_its_task(round, event) && round->tasks[event->client].counted;
  fed__round_emit(round, driver, counted ? FED__EFFECT_COUNTED_BEFORE : FED__EFFECT_DISMISS,
                  event->client, "the task is given up, or was answered");
  return FED_OK;
}

/* For the version of the round `next`. */
static void count_or_drop(struct fed__round *round, const struct fed__round_event *event,
                          struct fed__round_driver *driver, uint64_t next, uint32_t *count) {
  const uint32_t client = event->client;
  leave_place(round, client);
  if (next - event->round > round->settings.staleness_max || *count >= round->settings.buffer) {
    fed__round_emit(round, driver, FED__EFFECT_DISMISS, client,
                    "too many versions were made since the task");
    return;
  }
  round->tasks[client].counted = 1;
  ++*count;
  fed__selection_note_trained(&round->selection, client, next, event->now_ms);
  fed__round_emit(round, driver, FED__EFFECT_COUNT, client, NULL);
}

static int exchange_reported(struct fed__round *round, const struct fed__round_event *event,
                             struct fed__round_driver *driver) {
  if (round->member[event->client] != FED__MEMBER_WORKING || !is_its_task(round, event))
    return dismiss(round, event, driver);
  count_or_drop(round, event, driver, round->round, &round->reported_count);
  settle(round, driver, event->now_ms);
  return FED_OK;
}

static int closing_reported(struct fed__round *round, const struct fed__round_event *event,
                            struct fed__round_driver *driver) {
  if (round->member[event->client] != FED__MEMBER_WORKING || !is_its_task(round, event))
    return dismiss(round, event, driver);
  count_or_drop(round, event, driver, round->round + 1, &round->early_count);
  return FED_OK;
}

static int exchange_lost(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  if (round->member[event->client] != FED__MEMBER_WORKING || !is_its_task(round, event))
    return FED_OK;
  leave_place(round, event->client);
  round->lost_count++;
  fill_places(round, driver, event->now_ms);
  return FED_OK;
}

static int64_t overdue_ms(const struct fed__round *round, uint32_t client) {
  return round->tasks[client].given_ms + round->settings.deadline_ms;
}

int64_t fed__round_next_overdue_ms(const struct fed__round *round) {
  return round->cohort_count ? overdue_ms(round, round->cohort[0]) : INT64_MAX;
}

static int exchange_time(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  while (event->now_ms >= fed__round_next_overdue_ms(round)) {
    const uint32_t client = round->cohort[0];
    fed__selection_note_overdue(&round->selection, client, event->now_ms);
    leave_place(round, client);
    round->lost_count++;
  }
  fill_places(round, driver, event->now_ms);
  return FED_OK;
}

static int exchange_stop(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  fed__round_emit(round, driver, FED__EFFECT_FAIL_ROUND, 0, "the job was stopped");
  return fed__round_finish_now(round, event, driver);
}

/* ---- closing -------------------------------------------------------------------------------- */

/* The evaluation at the end begins with nobody at work. */
static void end_training(struct fed__round *round, struct fed__round_driver *driver,
                         int64_t now_ms) {
  if (!round->settings.final_evaluation || round->ending == FED__END_STOPPED) {
    fed__round_finish(round, driver, round->ending);
    return;
  }
  round->kind = FED__ROUND_EVALUATE;
  round->cohort_count = 0;
  fed__round_start_next(round, driver, now_ms);
}

static int closing_model(struct fed__round *round, const struct fed__round_event *event,
                         struct fed__round_driver *driver) {
  round->failures_in_row = 0;
  round->ending = fed__round_end_after(round, event);
  if (round->ending != FED__END_NONE) {
    end_training(round, driver, event->now_ms);
    return FED_OK;
  }
  fed__round_start_next(round, driver, event->now_ms);
  return FED_OK;
}

/* What was in the buffer is lost, early answers too; those at work go on. */
static int closing_model_failed(struct fed__round *round, const struct fed__round_event *event,
                                struct fed__round_driver *driver) {
  round->failures_in_row++;
  fed__round_emit(round, driver, FED__EFFECT_FAIL_ROUND, 0, "the new model could not be made");
  if (round->stopping || round->failures_in_row >= round->settings.failures_max) {
    fed__round_finish(round, driver, round->stopping ? FED__END_STOPPED : FED__END_FAILURES);
    return FED_OK;
  }
  round->attempt++;
  round->early_count = 0;
  open_version(round, driver, event->now_ms);
  return FED_OK;
}

fed__round_step_fn *const fed__round_async_table[FED__PHASE_COUNT][FED__EVENT_COUNT] = {
    [FED__PHASE_GATHERING] = {[FED__EVENT_CHECK_IN] = gathering_check_in,
                              [FED__EVENT_LEFT] = fed__round_note_left,
                              [FED__EVENT_REPORTED] = dismiss,
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
                            [FED__EVENT_REPORTED] = closing_reported,
                            [FED__EVENT_LOST] = fed__round_ignore,
                            [FED__EVENT_TIME] = fed__round_ignore,
                            [FED__EVENT_MODEL] = closing_model,
                            [FED__EVENT_MODEL_FAILED] = closing_model_failed,
                            [FED__EVENT_STOP] = fed__round_stop_later},
    [FED__PHASE_FINISHED] = {[FED__EVENT_CHECK_IN] = fed__round_ignore,
                             [FED__EVENT_LEFT] = fed__round_ignore,
                             [FED__EVENT_REPORTED] = dismiss,
                             [FED__EVENT_LOST] = fed__round_ignore,
                             [FED__EVENT_TIME] = fed__round_ignore,
                             [FED__EVENT_STOP] = fed__round_ignore},
};
