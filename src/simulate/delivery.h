/* SPDX-License-Identifier: Apache-2.0
 *
 * delivery.h: what lies between the state table and the clients' work: devices that come and go,
 * tasks and answers on their way, what is lost, late, double or out of order on it, and clients
 * that crash. It turns the table's GIVE_TASK into events in the queue, and those into the table's
 * events.
 *
 * A client does one thing at a time: it waits (the table has its check-in), works (its answer or
 * its next check-in is in the queue), or is away. Where devices come and go, the next time that it
 * does lies in the queue as well, and whatever else the client would do after it is dropped: when
 * it is back it checks in anew.
 */
#ifndef FED_SIMULATE_DELIVERY_H
#define FED_SIMULATE_DELIVERY_H

#include "simulate/event_queue.h"
#include "simulate/fault.h"

struct fed__simulation;

/* The table takes a step; failures of its effects are this function's. */
FED_MUST int fed__delivery_step(struct fed__simulation *simulation,
                                const struct fed__round_event *event);

/* An event of this kind, now. */
struct fed__round_event fed__delivery_event(const struct fed__simulation *simulation,
                                            enum fed__round_event_type type);

/* Count it, for the open round and for the run. */
void fed__delivery_note(struct fed__simulation *simulation, enum fed__trouble trouble);

/* Everybody that is there at the beginning checks in. */
FED_MUST int fed__delivery_begin(struct fed__simulation *simulation);

/* The table's effect: the client gets its task of the open round. */
FED_MUST int fed__delivery_give_task(struct fed__simulation *simulation, uint32_t client);

/* The next of the queue happens; there must be one. */
FED_MUST int fed__delivery_next(struct fed__simulation *simulation);

/* The client checks in, at what was `planned_us`: if it has left since then, it does when it is
 * back. */
FED_MUST int fed__delivery_check_in(struct fed__simulation *simulation, uint32_t client,
                                    int64_t planned_us);

#endif
