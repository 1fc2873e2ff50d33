/* SPDX-License-Identifier: Apache-2.0
 *
 * roster.h: the clients that a server has seen, as small numbers: 0, 1, 2 … in the order in
 * which they were first met. Names are found through a hash table, O(1).
 * Not thread-safe: the server's lock covers it.
 */
#ifndef FED_ROSTER_H
#define FED_ROSTER_H

#include "crypto/certificate.h"
#include "server/rate_limit.h"

#define FED__ROSTER_DATASETS_MAX 16

struct fed__roster_dataset {
  char name[FED__NAME_MAX + 1];
  uint64_t example_count;
};

struct fed__roster_client {
  char name[FED__NAME_MAX + 1];
  struct fed__roster_dataset datasets[FED__ROSTER_DATASETS_MAX];
  size_t dataset_count;
  int64_t last_seen_ms;
  struct fed__bucket requests;
  int is_out;   /* revoked while it waited: its rounds must not wait for it */
  void *parked; /* the exchange of its unanswered check-in */
  int64_t parked_until_ms;
};

struct fed__roster {
  const struct fed_context *context;
  struct fed__roster_client **clients;
  uint32_t count, capacity;
  uint32_t *slots; /* client number + 1, or 0 */
  uint32_t slot_count;
};

void fed__roster_init(struct fed__roster *roster, const struct fed_context *context);
void fed__roster_clear(struct fed__roster *roster);

/* The number of that name, added if new. */
FED_MUST int fed__roster_number(struct fed__roster *roster, const char *name, uint32_t *number);

/* Does the client say that it has the data set, and with at least so many examples? An agent that
 * has not opened a data set yet reports 0 examples: unknown, which counts as enough. `dataset`
 * NULL: the job needs no data. */
int fed__roster_has(const struct fed__roster_client *client, const char *dataset,
                    uint64_t examples_min);

#endif
