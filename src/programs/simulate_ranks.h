/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_ranks.h: the other processes of a simulation that mpirun started.
 */
#ifndef FED_SIMULATE_RANKS_PROGRAM_H
#define FED_SIMULATE_RANKS_PROGRAM_H

#include "programs/command.h"
#include "simulate/ranks.h"

/* Is this a process of mpirun's other than the first? As long as they have not met it ends with
 * status 0 when it is called wrongly: mpirun kills the others as soon as one fails, and the first
 * has to tell. Its status is mpirun's. */
int fed__simulate_ranks_is_mute(void);

/* `*ranks` NULL where no mpirun is at work. All but the first process are mute from now on:
 * standard output, and the telling of failures. FED_E_UNSUPPORTED when fed was installed without
 * its MPI module. */
FED_MUST int fed__simulate_ranks_open(struct fed__invocation *invocation,
                                      struct fed__ranks **ranks);

/* The last agreement; returns what this process's own `code` becomes by it. */
int fed__simulate_ranks_close(struct fed__ranks *ranks, int code);

/* The processors that this process may use, shared with the other ones here. */
uint32_t fed__simulate_ranks_threads(const struct fed__ranks *ranks);

#endif
