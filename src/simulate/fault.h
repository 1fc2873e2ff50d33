/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.h: what goes wrong between the clients and the server, drawn from named streams of the
 * seed, one for each kind; and the names under which a simulation counts what did.
 *
 * Draws come one after the other, so they depend on the order of events, which is the same in
 * every run with the same seed. A kind whose probability is 0 draws nothing.
 */
#ifndef FED_SIMULATE_FAULT_H
#define FED_SIMULATE_FAULT_H

#include "job/job.h"

enum fed__fault {
  FED__FAULT_LOST,
  FED__FAULT_DUPLICATED,
  FED__FAULT_DELAYED,
  FED__FAULT_REORDERED,
  FED__FAULT_CLIENT_CRASH,
  FED__FAULT_SERVER_CRASH,
  FED__FAULT_SERVER_CRASH_WAITING,
  FED__FAULT_COUNT
};

struct fed__faults {
  const struct fed__fault_settings *settings;
  uint64_t seed;
  uint64_t drawn[FED__FAULT_COUNT]; /* so many of each kind */
};

/* Does it happen now? */
int fed__fault_strikes(struct fed__faults *faults, enum fed__fault fault);

/* A part, uniform in [0, 1): of a fault that strikes, how much. */
double fed__fault_part(struct fed__faults *faults, enum fed__fault fault);

/* The server crashes in the attempt that begins when so many answers have been counted: from 0 (as
 * soon as the round is open) to `wanted` (when the model is stored). UINT32_MAX: it does not. */
uint32_t fed__fault_server_crash(struct fed__faults *faults, uint32_t wanted);

/* What a simulation counts. */
enum fed__trouble {
  FED__TROUBLE_LATE,         /* answers that were dismissed: the round was over, or void */
  FED__TROUBLE_REPEATED,     /* answers that had been counted before */
  FED__TROUBLE_LOST,         /* messages */
  FED__TROUBLE_DELAYED,      /* messages */
  FED__TROUBLE_REORDERED,    /* answers that another one passed */
  FED__TROUBLE_DROPPED_OUT,  /* tasks without an answer: the device's drop_out */
  FED__TROUBLE_WENT_AWAY,    /* tasks that were lost because the client left the network */
  FED__TROUBLE_CLIENT_CRASH, /* tasks that were lost because the client crashed */
  FED__TROUBLE_SERVER_CRASH,
  FED__TROUBLE_COUNT
};

/* "late", "repeated" …: as they are called in metrics.jsonl. Static. */
const char *fed__trouble_name(enum fed__trouble trouble);

#endif
