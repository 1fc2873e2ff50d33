/* SPDX-License-Identifier: Apache-2.0
 *
 * external.h: training by any program, through files in one folder (docs/external-trainer.md):
 *
 *   in   model.onnx  parameters.safetensors  task.json      what came, and what is asked for
 *   out  update.safetensors  metrics.json                   the trained parameters, and counts
 *
 * The program is started with the folder as its last argument, under the owner's limits. The
 * folder is private, lies in memory where the system offers that, and is removed afterwards.
 */
#ifndef FED_AGENT_EXTERNAL_H
#define FED_AGENT_EXTERNAL_H

#include "agent/worker.h"

FED_MUST int fed__external_do(const struct fed_context *context, char *const *command,
                              const struct fed__work_limits *limits,
                              const struct fed__work_request *request, int (*stopping)(void *data),
                              void *stopping_data, struct fed__work_result *result);

#endif
