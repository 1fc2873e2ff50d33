/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: a child process that does the work, so that the agent stays small, limits can be
 * enforced, and a crash in training is a failed task and no more. It is made by fork on the first
 * task, keeps model and data between rounds, and is ended when it has been idle for a while.
 * Requests and results go over a socket pair; nothing touches the disk.
 */
#ifndef FED_AGENT_WORKER_H
#define FED_AGENT_WORKER_H

#include "agent/work.h"

#include <sys/types.h>

struct fed__worker {
  const struct fed_context *context;
  pid_t pid; /* 0: none */
  int socket;
  int64_t idle_since_us;
};

struct fed__work_limits {
  uint64_t memory_bytes_max; /* 0: none */
  double cpu_s_max, wall_s_max;
};

void fed__worker_init(struct fed__worker *worker, const struct fed_context *context);

/* Do the work in the child. FED_E_TIMEOUT past wall_s_max or when `stopping` says so, FED_E_LIMIT
 * when the child was killed for memory or processor time, else what the work itself returned. */
FED_MUST int fed__worker_do(struct fed__worker *worker, const struct fed__work_limits *limits,
                            const struct fed__work_request *request, int (*stopping)(void *data),
                            void *stopping_data, struct fed__work_result *result);

/* End the child; fine if there is none. */
void fed__worker_end(struct fed__worker *worker);

/* For a child between fork and its work: die with the parent, no core dump, the owner's limits. */
void fed__limits_apply(const struct fed__work_limits *limits);

#endif
