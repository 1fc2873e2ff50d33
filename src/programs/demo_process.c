/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_process.c: the demo's server and agents as processes: started, watched, killed. All of
 * them die with the demo, however it ends.
 */
#include "base/raise.h"
#include "programs/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: output to a log file, death with the parent. */
static void become(const char *const *words, const char *log_path) {
  const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (null >= 0) dup2(null, STDIN_FILENO);
  if (log >= 0) {
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  execv(words[0], (char *const *)(uintptr_t)words);
  _exit(127);
}

static pid_t spawn(const char *const *words, const char *log_path) {
  const pid_t pid = fork();
  if (pid == 0) become(words, log_path);
  return pid;
}

int fed__demo_run(const struct fed__demo *demo, const char *const *words) {
  char log_path[FED__PATH_MAX];
  int status = 0;
  const pid_t pid = spawn(words, fed__demo_path(demo, log_path, "logs/setup.log"));
  if (pid < 0) return FED_RAISE(FED_E_LIMIT, "cannot start '%s': %s", words[0], strerror(errno));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return FED_OK;
  return FED_RAISE(FED_E_IO, "'%s %s' failed; see %s", words[0], words[1], log_path);
}

static int start(struct fed__demo *demo, struct fed__demo_process *process,
                 const char *const *words) {
  char log_path[FED__PATH_MAX];
  const pid_t pid = spawn(words, fed__demo_path(demo, log_path, "logs/%s.log", process->name));
  if (pid < 0) return FED_RAISE(FED_E_LIMIT, "cannot start '%s': %s", words[0], strerror(errno));
  process->pid = pid;
  return FED_OK;
}

int fed__demo_start_server(struct fed__demo *demo) {
  char program[FED__PATH_MAX], folder[FED__PATH_MAX];
  snprintf(program, sizeof program, "%s/fed", demo->programs);
  const char *const words[] = {
      program,       "server", "--dir", fed__demo_path(demo, folder, "federation"),
      "--log-level", "info",   NULL};
  return start(demo, &demo->server, words);
}

int fed__demo_start_agent(struct fed__demo *demo, int index) {
  char program[FED__PATH_MAX], folder[FED__PATH_MAX], policy[FED__PATH_MAX];
  snprintf(program, sizeof program, "%s/fed-agent", demo->programs);
  const char *const words[] = {
      program,       "run",
      "--dir",       fed__demo_path(demo, folder, "agents/client-%d/identity", index + 1),
      "--policy",    fed__demo_path(demo, policy, "agents/client-%d/policy.yaml", index + 1),
      "--log-level", "info",
      NULL};
  return start(demo, &demo->agents[index], words);
}

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t read_peak_bytes(pid_t pid) {
  char path[64], line[256];
  unsigned long long kibibytes = 0;
  snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
  FILE *status = fopen(path, "re");
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, "VmHWM:", 6) == 0) kibibytes = strtoull(line + 6, NULL, 10);
  if (status) fclose(status);
  return kibibytes * 1024;
}

static void note_peak(struct fed__demo_process *process) {
  const uint64_t peak = process->pid ? read_peak_bytes(process->pid) : 0;
  if (peak > process->peak_bytes) process->peak_bytes = peak;
}

void fed__demo_note_peaks(struct fed__demo *demo) {
  pthread_mutex_lock(&demo->lock);
  note_peak(&demo->server);
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) note_peak(&demo->agents[i]);
  pthread_mutex_unlock(&demo->lock);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void reap(struct fed__demo_process *process) {
  while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  process->pid = 0;
}

void fed__demo_kill(struct fed__demo_process *process) {
  if (!process->pid) return;
  note_peak(process);
  kill(process->pid, SIGKILL);
  reap(process);
  process->restarts++;
}

static void stop(struct fed__demo_process *process) {
  if (!process->pid) return;
  kill(process->pid, SIGTERM);
  for (int tries = 0; tries < 100; tries++) {
    if (waitpid(process->pid, NULL, WNOHANG) == process->pid) {
      process->pid = 0;
      return;
    }
    usleep(50000);
  }
  kill(process->pid, SIGKILL);
  reap(process);
}

void fed__demo_stop_all(struct fed__demo *demo) {
  demo->job_over = 1;
  pthread_mutex_lock(&demo->lock);
  for (int i = 0; i < FED__DEMO_CLIENTS; i++)
    if (demo->agents[i].pid) kill(demo->agents[i].pid, SIGTERM);
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) stop(&demo->agents[i]);
  stop(&demo->server);
  demo->ending = 1;
  pthread_mutex_unlock(&demo->lock);
  if (demo->trouble_started) pthread_join(demo->trouble, NULL);
}
