/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.h: what a job leaves at an agent between its rounds (running statistics, a control variate):
 * files in the agent's folder, kept/JOB/ROUND.safetensors, for the owner's eyes only. Those of the
 * last two rounds are there, because a round that the server lost is run again from what was kept
 * before it.
 */
#ifndef FED_AGENT_KEPT_H
#define FED_AGENT_KEPT_H

#include "fed/buffer.h"

/* Append what was kept in the last round before this one; nothing if there is none. FED_E_PROTOCOL
 * for a job whose name is no file name, FED_E_IO. */
FED_MUST int fed__kept_read(const char *folder, const char *job, uint64_t round,
                            struct fed_buffer *kept);

/* Not that of this round after all; fine if there is none. */
FED_MUST int fed__kept_forget(const char *folder, const char *job, uint64_t round);

/* Keep it for the rounds after this one, and forget what is older than the round before. */
FED_MUST int fed__kept_write(const char *folder, const char *job, uint64_t round,
                             struct fed_slice kept);

#endif
