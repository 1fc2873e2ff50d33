/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate_ranks.c: loading the module that speaks MPI.
 */
#include "programs/simulate_ranks.h"
#include "base/file.h"
#include "base/raise.h"

#include <dlfcn.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE "fed-mpi.so"

/* Set by Open MPI's mpirun and by Slurm; by Hydra (MPICH, Intel MPI). */
static int is_one_of_many(void) {
  const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_SIZE"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (getenv(names[i])) return 1;
  return 0;
}

/* Beside the program, as in a build folder; else where it is installed, under any prefix. */
static int module_path(char path[FED__PATH_MAX]) {
  char program[FED__PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  program[length > 0 ? length : 0] = 0;
  const char *folder = dirname(program);
  FED_TRY(fed__path_join(path, FED__PATH_MAX, folder, MODULE));
  if (fed__file_exists(path)) return FED_OK;
  return fed__path_join(path, FED__PATH_MAX, folder, FED_MODULES "/" MODULE);
}

/* MPI's own plug-ins look for its symbols among those of everybody. */
static int load(struct fed__ranks *(**open)(void)) {
  char path[FED__PATH_MAX];
  FED_TRY(module_path(path));
  void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  if (module) *(void **)open = dlsym(module, "fed__ranks_open");
  if (module && *open) return FED_OK;
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "mpirun started several processes, which takes fed's MPI module (Debian package "
                   "fed-mpi): %s",
                   dlerror());
}

/* Before MPI is there to ask. Without its own word for it a process is the first. */
int fed__simulate_ranks_is_mute(void) {
  const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *rank = getenv(names[i]);
    if (rank) return strcmp(rank, "0") != 0;
  }
  return 0;
}

static void be_mute(struct fed__invocation *invocation) {
  invocation->mute = 1;
  if (!freopen("/dev/null", "w", stdout)) fclose(stdout);
}

int fed__simulate_ranks_open(struct fed__invocation *invocation, struct fed__ranks **ranks) {
  struct fed__ranks *(*open)(void) = NULL;
  *ranks = NULL;
  if (!is_one_of_many()) return FED_OK;
  FED_TRY(load(&open));
  *ranks = open();
  if (!*ranks) return FED_RAISE(FED_E_IO, "MPI cannot be initialised");
  if ((*ranks)->rank != 0) be_mute(invocation);
  return FED_OK;
}

int fed__simulate_ranks_close(struct fed__ranks *ranks, int code) {
  if (!ranks) return code;
  const int agreed = fed__ranks_agree(ranks, code);
  ranks->close(ranks);
  return agreed;
}

uint32_t fed__simulate_ranks_threads(const struct fed__ranks *ranks) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t set;
  uint32_t own = online > 0 ? (uint32_t)online : 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    own = (uint32_t)CPU_COUNT(&set);
  if (!ranks || own < (uint32_t)online) return own; /* mpirun has divided them */
  return own / ranks->here ? own / ranks->here : 1;
}
