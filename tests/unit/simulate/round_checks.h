/* SPDX-License-Identifier: Apache-2.0
 *
 * round_checks.h: what must hold after each round of a simulation, whatever goes wrong on the way.
 */
#ifndef ROUND_CHECKS_H
#define ROUND_CHECKS_H

#include "made_up_job.h"

#define CLIENTS_MAX 40

/* A client waits, or asks, or answers: one of these, at most; and where devices come and go its
 * next coming or leaving is known. */
static inline void check_clients(const struct fed__simulation *simulation) {
  uint32_t doing[CLIENTS_MAX] = {0}, moving[CLIENTS_MAX] = {0};
  const struct fed__event_queue *queue = &simulation->queue;
  const int may_leave = fed__devices_period_us(&simulation->devices) != 0;
  for (size_t i = 0; i < queue->count; i++) {
    const struct fed__queued_event *event = &queue->items[i];
    if (event->type == FED__QUEUED_COMES || event->type == FED__QUEUED_LEAVES)
      moving[event->client]++;
    else if (!event->copy)
      doing[event->client]++;
  }
  for (uint32_t c = 0; c < simulation->partition.client_count; c++) {
    doing[c] += simulation->round.waiting[c];
    if (!fed__simulation_is_eligible(simulation, c)) {
      assert_int_equal(doing[c] + moving[c], 0);
    } else if (may_leave) {
      assert_true(doing[c] <= 1 && moving[c] <= 1);
    } else {
      assert_int_equal(doing[c], 1);
      assert_int_equal(moving[c], 0);
    }
  }
}

static inline int is_member(const struct fed__round *round, uint32_t client) {
  for (uint32_t i = 0; i < round->cohort_count; i++)
    if (round->cohort[i] == client) return 1;
  return 0;
}

/* Tasks that counted in asynchronous training, in the whole run. */
#define TASKS_MAX 1000
struct counted_tasks {
  struct fed__visit tasks[TASKS_MAX];
  size_t count;
};

static inline void check_tasks(const struct fed__simulation *simulation,
                               struct counted_tasks *counted) {
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const struct fed__visit *visit = &simulation->visits[i];
    for (size_t k = 0; k < counted->count; k++)
      assert_false(counted->tasks[k].client == visit->client &&
                   counted->tasks[k].number == visit->number);
    assert_true(counted->count < TASKS_MAX);
    counted->tasks[counted->count++] = *visit;
  }
}

/* Everybody counts once, and everybody who counts is a member. */
static inline void check_members(const struct fed__simulation *simulation,
                                 const struct fed__simulated_round *round) {
  uint32_t counted[CLIENTS_MAX] = {0};
  assert_true(round->reported <= round->cohort);
  for (size_t i = 0; i < simulation->visit_count; i++) {
    const uint32_t client = simulation->visits[i].client;
    assert_int_equal(counted[client]++, 0);
    assert_true(is_member(&simulation->round, client));
  }
}

static inline void check_examples(const struct fed__simulation *simulation,
                                  const struct fed__simulated_round *round) {
  uint64_t examples = 0;
  for (size_t i = 0; i < simulation->visit_count; i++)
    examples += fed__partition_train_count(&simulation->partition, simulation->visits[i].client);
  assert_int_equal(simulation->visit_count, round->reported);
  assert_true(round->reported >= simulation->job->rounds.minimum);
  if (round->kind == FED__ROUND_TRAIN)
    assert_int_equal(round->trained.example_count, examples * simulation->job->train.epochs);
}

static inline void check_round(struct fed__simulation_observer *self,
                               const struct fed__simulation *simulation,
                               const struct fed__simulated_round *round) {
  const struct made_up *made = observed(self);
  if (made->round_count)
    assert_true(round->virtual_s >= made->rounds[made->round_count - 1].virtual_s);
  check_clients(simulation);
  if (!round->failure) {
    check_examples(simulation, round);
    if (fed__round_is_asynchronous(&simulation->round))
      assert_int_equal(round->reported, simulation->round.settings.buffer);
    else
      check_members(simulation, round);
  }
  keep_round(self, simulation, round);
}

#endif
