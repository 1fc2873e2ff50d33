/* SPDX-License-Identifier: Apache-2.0
 *
 * simulation_state.h: all of a simulation that a later process needs to go on with the same bits.
 */
#ifndef FED_SIMULATE_SIMULATION_STATE_H
#define FED_SIMULATE_SIMULATION_STATE_H

#include "simulate/checkpoint.h"
#include "simulate/simulation.h"

/* Carry the state between two events into a checkpoint, or out of it: then the simulation has its
 * partition already, and fed__simulation_run goes on where the other one was. What lies in the
 * simulation must stay as it is until a written checkpoint is encoded. */
FED_MUST int fed__simulation_carry(struct fed__simulation *simulation,
                                   struct fed__checkpoint *checkpoint);

#endif
