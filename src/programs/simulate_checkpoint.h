/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_checkpoint.h: DIR/checkpoint.safetensors, which is there while a run in DIR is not
 * finished: written every so often, replaced as a whole, and gone when the results are written.
 */
#ifndef FED_SIMULATE_CHECKPOINT_FILE_H
#define FED_SIMULATE_CHECKPOINT_FILE_H

#include "crypto/hash.h"
#include "programs/command.h"
#include "programs/job_files.h"
#include "simulate/simulation_state.h"

struct fed__simulate_checkpoint {
  struct fed__invocation *invocation;
  const struct fed__job_files *files;
  const char *folder;
  struct fed__ranks *ranks; /* of which the first one writes */
  int is_resuming;          /* there is a checkpoint to go on from */
  int is_written;           /* there is one to remove at the end */
  int is_finished; /* this very run has been finished before: there is nothing to go on with */
  int64_t every_us, due_us;
  int has_identity;
  struct fed__digest identity; /* of what decides about the result */
  /* Carries what else goes on: the caller's. */
  FED_MUST int (*carry_output)(void *output, struct fed__checkpoint *checkpoint);
  void *output;
};

/* Look at DIR: a run that was interrupted is resumed (--resume), or forgotten (--restart), or
 * FED_E_USAGE. When a run begins anew, the summary of another one goes. */
FED_MUST int fed__simulate_checkpoint_begin(struct fed__simulate_checkpoint *self);

/* Go on from it, if there is one to go on from; the simulation is divided and the output begun. All
 * processes of a simulation must have the same identity in any case. FED_E_INPUT when job, model,
 * data, partition or options are not those of the interrupted run. */
FED_MUST int fed__simulate_checkpoint_read(struct fed__simulate_checkpoint *self,
                                           struct fed__simulation *simulation);

/* Write it if it is time, or `at_once`. */
FED_MUST int fed__simulate_checkpoint_write(struct fed__simulate_checkpoint *self,
                                            struct fed__simulation *simulation, int at_once);

/* A run begins anew: an earlier one's checkpoint and summary.json go. */
FED_MUST int fed__simulate_checkpoint_forget(const struct fed__simulate_checkpoint *self);

/* The run is over and its results are written. */
FED_MUST int fed__simulate_checkpoint_end(struct fed__simulate_checkpoint *self);

#endif
