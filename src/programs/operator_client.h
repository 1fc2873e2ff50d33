/* SPDX-License-Identifier: Apache-2.0
 *
 * operator_client.h: an operator's connection to the server, from the identity in a federation's
 * folder: what the commands `fed job …` and `fed agents` use.
 */
#ifndef FED_OPERATOR_CLIENT_H
#define FED_OPERATOR_CLIENT_H

#include "net/federation_client.h"
#include "programs/command.h"
#include "round/approval.h"

/* FED__DIR_OPTION belongs into a command's options. */
#define FED__DIR_OPTION                                                                            \
  { "dir", "FOLDER", "the federation's folder", "federation" }

FED_MUST int fed__operator_connect(const struct fed_context *context, const char *folder,
                                   struct fed__http_client **client);

/* Sign a job with the folder's identity: append the Approval for the submission. */
FED_MUST int fed__operator_sign(const struct fed_context *context, const char *folder,
                                const struct fed__approved_job *job, struct fed_buffer *approval);

/* GET a path and print the JSON answer: as it is with --json, else through `print`. */
FED_MUST int fed__operator_show(struct fed__invocation *invocation, const char *path,
                                void (*print)(const void *json));

#endif
