/* SPDX-License-Identifier: Apache-2.0
 *
 * mpi_module.c: fed-mpi.so, the only code that is linked with MPI: loaded by name when `fed
 * simulate` is started by mpirun, so that nobody else needs an MPI library.
 *
 * MPI's own error handler ends all processes when communication fails.
 */
#include "simulate/ranks.h"

#include <mpi.h>

#define SUMMED_AT_ONCE ((size_t)1 << 24)

static void sum(struct fed__ranks *self, int64_t *values, size_t count) {
  (void)self;
  for (size_t part; count; values += part, count -= part) {
    part = count < SUMMED_AT_ONCE ? count : SUMMED_AT_ONCE;
    MPI_Allreduce(MPI_IN_PLACE, values, (int)part, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  }
}

static void finish(struct fed__ranks *self) {
  (void)self;
  MPI_Finalize();
}

/* How many processes share this machine. */
static uint32_t count_here(void) {
  MPI_Comm here;
  int count;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, &count);
  MPI_Comm_free(&here);
  return (uint32_t)count;
}

/* What the loader looks for. */
FED_API struct fed__ranks *fed__ranks_open(void);

struct fed__ranks *fed__ranks_open(void) {
  static struct fed__ranks ranks;
  static char machine[MPI_MAX_PROCESSOR_NAME];
  int rank, count, length, given;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS) return NULL;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  MPI_Get_processor_name(machine, &length);
  ranks = (struct fed__ranks){.rank = (uint32_t)rank,
                              .count = (uint32_t)count,
                              .here = count_here(),
                              .machine = machine,
                              .sum = sum,
                              .close = finish};
  return &ranks;
}
