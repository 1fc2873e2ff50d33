/* SPDX-License-Identifier: Apache-2.0
 *
 * fed_commands.h: the commands of the program fed, one file a noun.
 */
#ifndef FED_COMMANDS_H
#define FED_COMMANDS_H

#include "programs/command.h"

extern const struct fed__command fed__server_commands[2], fed__enroll_commands[3],
    fed__operator_commands[3], fed__job_commands[7], fed__model_commands[3],
    fed__model_show_commands[2], fed__report_commands[1], fed__demo_commands[1],
    fed__verify_commands[1], fed__train_commands[1], fed__simulate_commands[1];

/* Follow a job to its end, showing progress unless quiet; 0 events are missed after a lost
 * connection. FED_E_INPUT if the job failed. */
FED_MUST int fed__job_watch(struct fed__invocation *invocation, const char *folder,
                            const char *job);

/* Submit a job file; `job` gets the identifier (65 bytes). */
FED_MUST int fed__job_submit(const struct fed_context *context, const char *folder,
                             const char *file, char job[65]);

#endif
