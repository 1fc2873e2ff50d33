/* SPDX-License-Identifier: Apache-2.0
 *
 * server_crash.h: a server that crashes and comes back as a real one does: it knows what is in its
 * store (versions, the open round and its cohort, events), and nothing of what was in memory only
 * (the sum of an open round, who waits, failures in a row).
 *
 *   in an open round          the attempt is void and runs again with the same cohort; in
 *                             asynchronous training the buffer and the tasks are lost
 *   when a model is stored    the table waits for its MODEL event again
 *   while no round is open    (gathering, or backing off) it gathers anew, for the first attempt
 */
#ifndef FED_SIMULATE_SERVER_CRASH_H
#define FED_SIMULATE_SERVER_CRASH_H

#include "base/raise.h"

struct fed__simulation;

/* Now. */
FED_MUST int fed__server_crash(struct fed__simulation *simulation);

/* After each event: where the table begins to wait, `crash_after` or `crash_us` is drawn for this
 * wait. Those of a round are drawn when it opens. */
void fed__server_watch(struct fed__simulation *simulation);

int fed__server_is_to_crash(const struct fed__simulation *simulation);

#endif
