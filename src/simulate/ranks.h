/* SPDX-License-Identifier: Apache-2.0
 *
 * ranks.h: one simulation in several processes. Each steps the same table with the same events and
 * makes the same models; the visits of a cohort are dealt out among them, and what they found is
 * added up. All that is exchanged are sums of whole numbers, so any number of processes gives the
 * bits of one. Every process asks for the same sums in the same order.
 *
 * Who takes part is behind one function, which an MPI implementation offers
 * (programs/mpi_module.c). NULL in place of the ranks: this process is alone.
 */
#ifndef FED_SIMULATE_RANKS_H
#define FED_SIMULATE_RANKS_H

#include "fed/buffer.h"
#include "train/outcomes.h"

struct fed__ranks {
  uint32_t rank, count; /* this process, and how many there are */
  uint32_t here;        /* how many of them share this machine */
  const char *machine;  /* its name */
  /* values[i] of each process becomes the sum over all of them, modulo 2^64. */
  void (*sum)(struct fed__ranks *self, int64_t *values, size_t count);
  void (*close)(struct fed__ranks *self); /* may wait for the others */

  int (*wants_to_stop)(void); /* of this process; NULL: never */
  int stopping;               /* some process wanted to, when they last agreed */
  int failed;                 /* they know of a failure: nothing is exchanged any more */
};

static inline uint32_t fed__ranks_count(const struct fed__ranks *ranks) {
  return ranks ? ranks->count : 1;
}

static inline int fed__ranks_is_first(const struct fed__ranks *ranks) {
  return !ranks || ranks->rank == 0;
}

/* Before what all do together, and at the end: this process's own result so far. Where all succeed
 * it is FED_OK; else every process fails with the failure of the first that did, which is told with
 * its place if it is another's. */
FED_MUST int fed__ranks_agree(struct fed__ranks *ranks, int code);

/* As ranks->sum, of bytes in which all processes but one have zeros. */
void fed__ranks_merge(struct fed__ranks *ranks, void *bytes, size_t size);

/* Each row's outcomes are those of the process that has asked for them; in the others the row is as
 * fed__outcomes_init leaves it. */
void fed__ranks_merge_outcomes(struct fed__ranks *ranks, struct fed__outcomes *outcomes);

/* The first process's bytes into everybody's buffer, which is empty in the others. FED_E_MEMORY is
 * for fed__ranks_agree; then this process has no bytes. */
FED_MUST int fed__ranks_share(struct fed__ranks *ranks, struct fed_buffer *bytes);

#endif
