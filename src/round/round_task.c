/* SPDX-License-Identifier: Apache-2.0
 *
 * round_task.c: a client's task in either table: its number, whether its answer is waited for, how
 * stale that would be.
 */
#include "round/round_parts.h"

uint32_t fed__round_task_attempt(const struct fed__round *round, uint32_t client) {
  return fed__round_is_asynchronous(round) ? round->tasks[client].number : round->attempt;
}

enum fed__answer_wish fed__round_wish(const struct fed__round *round,
                                      const struct fed__round_event *answer) {
  if (answer->client >= round->client_count) return FED__ANSWER_NOT_WANTED;
  if (fed__round_is_asynchronous(round)) return fed__round_wish_async(round, answer);
  if (!fed__round_is_at(round, answer)) return FED__ANSWER_NOT_WANTED;
  const uint8_t member = round->member[answer->client];
  if (member == FED__MEMBER_REPORTED) return FED__ANSWER_COUNTED;
  return round->phase == FED__PHASE_EXCHANGE &&
                 (member == FED__MEMBER_INVITED || member == FED__MEMBER_WORKING)
             ? FED__ANSWER_WANTED
             : FED__ANSWER_NOT_WANTED;
}

void fed__round_address(const struct fed__round *round, struct fed__round_event *event) {
  const int alone = fed__round_is_asynchronous(round);
  event->round = alone ? round->tasks[event->client].round : round->round;
  event->attempt = fed__round_task_attempt(round, event->client);
  event->exchange = round->exchange;
}

uint64_t fed__round_staleness(const struct fed__round *round, uint32_t client) {
  if (!fed__round_is_asynchronous(round)) return 0;
  return round->round + (round->phase == FED__PHASE_CLOSING) - round->tasks[client].round;
}
