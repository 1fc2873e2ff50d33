/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.c: what the data owner's policy allows a training process, put into force by the kernel.
 */
#include "agent/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Sanitizers reserve terabytes, which count as data. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_LIMIT_MEMORY = 0 };
#else
enum { CAN_LIMIT_MEMORY = 1 };
#endif

/* Processor time counts from now on: a worker serves many rounds. */
static void limit_cpu(double cpu_s_max) {
  struct rusage used;
  struct rlimit limit;
  if (cpu_s_max <= 0 || getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &limit) != 0)
    return;
  limit.rlim_cur =
      (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1) + (rlim_t)(cpu_s_max + 0.5);
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CPU, &limit);
}

void fed__limits_apply(const struct fed__work_limits *limits) {
  const struct rlimit no_core = {0, 0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CORE, &no_core);
  if (limits->memory_bytes_max && CAN_LIMIT_MEMORY) {
    const struct rlimit memory = {limits->memory_bytes_max, limits->memory_bytes_max};
    setrlimit(RLIMIT_DATA, &memory);
  }
  limit_cpu(limits->cpu_s_max);
}
