/* SPDX-License-Identifier: Apache-2.0
 *
 * round_parts.h: what the two tables of states share: rounds in step (round.c) and versions made of
 * whatever comes in (round_async.c).
 */
#ifndef FED_ROUND_PARTS_H
#define FED_ROUND_PARTS_H

#include "round/round.h"

typedef int fed__round_step_fn(struct fed__round *round, const struct fed__round_event *event,
                               struct fed__round_driver *driver);

void fed__round_emit(struct fed__round *round, struct fed__round_driver *driver,
                     enum fed__round_effect_type type, uint32_t client, const char *reason);
void fed__round_finish(struct fed__round *round, struct fed__round_driver *driver,
                       enum fed__round_end end);
int fed__round_time_is_up(const struct fed__round *round, int64_t now_ms);
enum fed__round_end fed__round_end_after(const struct fed__round *round,
                                         const struct fed__round_event *event);

/* round_waiting.c: note that a client waits, or does not. In asynchronous training also: who is the
 * n-th (from 0) of those that wait, by number. */
void fed__round_set_waiting(struct fed__round *round, uint32_t client, int is_waiting);
uint32_t fed__round_find_waiting(const struct fed__round *round, uint32_t rank);
FED_MUST int fed__round_grow_waiting(struct fed__round *round, uint32_t client_count);

/* Is the event about the round, attempt and exchange at hand? */
int fed__round_is_at(const struct fed__round *round, const struct fed__round_event *event);

/* The next round: of the job's kind of training, or of evaluation in step. */
void fed__round_start_next(struct fed__round *round, struct fed__round_driver *driver,
                           int64_t now_ms);

/* Cells that both tables have. */
fed__round_step_fn fed__round_note_waiting, fed__round_note_left, fed__round_finish_now,
    fed__round_stop_later, fed__round_ignore;

/* round_async.c: its table, its beginning, and when it next has to look at the time. */
extern fed__round_step_fn *const fed__round_async_table[FED__PHASE_COUNT][FED__EVENT_COUNT];
void fed__round_gather_async(struct fed__round *round, struct fed__round_driver *driver,
                             int64_t now_ms);
enum fed__answer_wish fed__round_wish_async(const struct fed__round *round,
                                            const struct fed__round_event *answer);
int64_t fed__round_next_overdue_ms(const struct fed__round *round);

#endif
