/* SPDX-License-Identifier: Apache-2.0
 *
 * event_queue.c: the heap.
 */
#include "simulate/event_queue.h"
#include "base/memory.h"
#include "base/raise.h"

#define CAPACITY_MIN 64

void fed__event_queue_init(struct fed__event_queue *queue, const struct fed_context *context) {
  *queue = (struct fed__event_queue){.context = context};
}

void fed__event_queue_clear(struct fed__event_queue *queue) {
  if (queue->context) fed__free(queue->context, queue->items);
  *queue = (struct fed__event_queue){.context = queue->context};
}

static int is_before(const struct fed__queued_event *a, const struct fed__queued_event *b) {
  return a->time_us != b->time_us ? a->time_us < b->time_us : a->number < b->number;
}

static int reserve(struct fed__event_queue *queue, size_t capacity) {
  if (capacity <= queue->capacity) return FED_OK;
  struct fed__queued_event *moved =
      fed__resize(queue->context, queue->items, capacity, sizeof *moved);
  if (!moved) return FED_E_MEMORY;
  queue->items = moved;
  queue->capacity = capacity;
  return FED_OK;
}

static int make_room(struct fed__event_queue *queue) {
  if (queue->count < queue->capacity) return FED_OK;
  return reserve(queue, queue->capacity ? 2 * queue->capacity : CAPACITY_MIN);
}

int fed__event_queue_resize(struct fed__event_queue *queue, size_t count) {
  FED_TRY(reserve(queue, count));
  queue->count = count;
  return FED_OK;
}

int fed__event_queue_put(struct fed__event_queue *queue, const struct fed__queued_event *event) {
  struct fed__queued_event fresh = *event;
  FED_TRY(make_room(queue));
  fresh.number = queue->next_number++;
  size_t at = queue->count++;
  for (; at && is_before(&fresh, &queue->items[(at - 1) / 2]); at = (at - 1) / 2)
    queue->items[at] = queue->items[(at - 1) / 2];
  queue->items[at] = fresh;
  return FED_OK;
}

int64_t fed__event_queue_next_us(const struct fed__event_queue *queue) {
  return queue->count ? queue->items[0].time_us : INT64_MAX;
}

struct fed__queued_event fed__event_queue_take(struct fed__event_queue *queue) {
  const struct fed__queued_event first = queue->items[0];
  const struct fed__queued_event last = queue->items[--queue->count];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= queue->count) break;
    if (child + 1 < queue->count && is_before(&queue->items[child + 1], &queue->items[child]))
      child++;
    if (!is_before(&queue->items[child], &last)) break;
    queue->items[at] = queue->items[child];
    at = child;
  }
  queue->items[at] = last;
  return first;
}
