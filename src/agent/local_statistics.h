/* SPDX-License-Identifier: Apache-2.0
 *
 * local_statistics.h: running statistics that a job leaves at each agent, between its rounds: a
 * file a job in the agent's folder, statistics/JOB.safetensors, for the owner's eyes only.
 */
#ifndef FED_AGENT_LOCAL_STATISTICS_H
#define FED_AGENT_LOCAL_STATISTICS_H

#include "fed/buffer.h"

/* Append the file's bytes; nothing if there is no file yet. FED_E_PROTOCOL for a job whose name is
 * no file name, FED_E_IO. */
FED_MUST int fed__local_statistics_read(const char *folder, const char *job,
                                        struct fed_buffer *statistics);
FED_MUST int fed__local_statistics_write(const char *folder, const char *job,
                                         struct fed_slice statistics);

#endif
