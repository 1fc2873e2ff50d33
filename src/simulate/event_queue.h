/* SPDX-License-Identifier: Apache-2.0
 *
 * event_queue.h: what will happen to the clients, by virtual time. Events of the same time come
 * out in the order in which they were put in, so that a run does not depend on the heap's layout.
 *
 * A binary heap: O(log n) to put and to take, 40 bytes an event; grows and never shrinks.
 */
#ifndef FED_SIMULATE_EVENT_QUEUE_H
#define FED_SIMULATE_EVENT_QUEUE_H

#include "round/round.h"

enum fed__queued_type {
  FED__QUEUED_COMES,   /* the client's device is there from now on */
  FED__QUEUED_LEAVES,  /* … and is not */
  FED__QUEUED_ASKS,    /* the client checks in: it has nothing to do */
  FED__QUEUED_ANSWERS, /* the client's answer to (round, attempt, exchange) arrives */
};

struct fed__queued_event {
  int64_t time_us;
  uint64_t number; /* the queue's */
  uint8_t type;    /* enum fed__queued_type */
  uint8_t copy;    /* ANSWERS: nobody waits for what the server says to it */
  uint8_t passed;  /* ANSWERS: has let another one pass */
  uint8_t empty;   /* ANSWERS: without an update */
  uint32_t client, attempt, exchange;
  uint64_t round;
};

struct fed__event_queue {
  const struct fed_context *context;
  struct fed__queued_event *items; /* a heap: no item comes before its parent */
  size_t count, capacity;
  uint64_t next_number;
};

void fed__event_queue_init(struct fed__event_queue *queue, const struct fed_context *context);
void fed__event_queue_clear(struct fed__event_queue *queue);

/* Make it hold so many items, to be filled in as they were in another queue. FED_E_MEMORY. */
FED_MUST int fed__event_queue_resize(struct fed__event_queue *queue, size_t count);

/* FED_E_MEMORY; then the queue is as it was. */
FED_MUST int fed__event_queue_put(struct fed__event_queue *queue,
                                  const struct fed__queued_event *event);

/* When the next event is; INT64_MAX: there is none. */
int64_t fed__event_queue_next_us(const struct fed__event_queue *queue);

/* Take the next event; there must be one. */
struct fed__queued_event fed__event_queue_take(struct fed__event_queue *queue);

#endif
