/* SPDX-License-Identifier: Apache-2.0
 *
 * partition.h: which client has which examples of one data set. Deterministic from a seed; each
 * kind of partition is defined in docs/simulate.md.
 *
 * Memory: 4 bytes an example and 12 a client; `drawn` keeps nothing and draws a client's rows when
 * they are asked for, so that a million clients cost nothing. Threads: read only once it is made.
 */
#ifndef FED_SIMULATE_PARTITION_H
#define FED_SIMULATE_PARTITION_H

#include "data/row_groups.h"
#include "fed/buffer.h"
#include "job/job.h"

#define FED__CLIENT_NAME_BYTES 65

struct fed__partition {
  const struct fed_context *context;
  uint32_t client_count;
  size_t example_count;                  /* of the data set */
  char (*names)[FED__CLIENT_NAME_BYTES]; /* by client; NULL: client-0000, client-0001 … */
  uint32_t *rows;         /* client by client; ascending until some are held out. NULL: drawn */
  size_t *starts;         /* of each client's rows, and of one client more */
  uint32_t *train_counts; /* of a client's rows the first so many train, the others are held out */
  uint32_t drawn_count, drawn_train_count; /* of each client */
  uint64_t seed;
};

/* The examples that are divided: how many, and of what class, where the kind asks for it. */
struct fed__partition_source {
  size_t example_count;
  const int64_t *labels; /* NULL: they have no classes */
  uint32_t classes;
};

/* All kinds but sorted, column, folders and file. FED_E_INPUT for a kind that wants labels where
 * there are none, FED_E_RANGE for what cannot be divided so, FED_E_MEMORY; nothing to clear then.
 */
FED_MUST int fed__partition_make(const struct fed_context *context,
                                 const struct fed__partition_settings *settings,
                                 const struct fed__partition_source *source, uint32_t client_count,
                                 uint64_t seed, struct fed__partition *partition);

/* The same for a job's examples, as it says. */
FED_MUST int fed__partition_of_examples(const struct fed__job *job, struct fed_examples *examples,
                                        struct fed__partition *partition);

/* A client for each group of at least settings->minimum examples, in the order of their values
 * (whole numbers by size), named by the values: "1henryiv.KING_HENRY_IV". Whatever is no letter,
 * digit, '-', '_' or '.' is a '_'; a name is cut at 64 bytes, and one that is there already gets a
 * number. FED_E_RANGE if there is one group only, or none that is large enough, or too many. */
FED_MUST int fed__partition_of_groups(const struct fed_context *context,
                                      const struct fed__partition_settings *settings,
                                      const struct fed__row_groups *groups,
                                      struct fed__partition *partition);

/* The examples sorted by the numbers that are the groups' values (in the column of this name; of
 * equal ones in their order) and cut into pieces, whose sizes differ by one at most: the first
 * client has the lowest. FED_E_TYPE for values that are no numbers, FED_E_RANGE. */
FED_MUST int fed__partition_of_sorted(const struct fed_context *context, const char *column,
                                      const struct fed__row_groups *groups, uint32_t client_count,
                                      struct fed__partition *partition);

/* One client a part: the first counts[0] rows are the first client's, and so on. Names are copied
 * (at most 64 bytes). */
FED_MUST int fed__partition_of_parts(const struct fed_context *context,
                                     const char (*names)[FED__CLIENT_NAME_BYTES],
                                     const size_t *counts, uint32_t client_count,
                                     struct fed__partition *partition);
void fed__partition_clear(struct fed__partition *partition);

/* Hold out a part of each client's rows, as that client's agent would in a deployment: the same
 * rows by the job's seed and the client's name. */
FED_MUST int fed__partition_hold_out(struct fed__partition *partition, const struct fed__job *job);

/* A client's rows; `scratch` has room for drawn_count and may hold them. */
struct fed__client_rows {
  const uint32_t *train, *held_out;
  size_t train_count, held_out_count;
};
struct fed__client_rows fed__partition_rows(const struct fed__partition *partition, uint32_t client,
                                            uint32_t *scratch);

/* Only how many. */
size_t fed__partition_train_count(const struct fed__partition *partition, uint32_t client);
size_t fed__partition_held_out_count(const struct fed__partition *partition, uint32_t client);

/* Into `name`, or the partition's own text. */
const char *fed__partition_name(const struct fed__partition *partition, uint32_t client,
                                char name[FED__CLIENT_NAME_BYTES]);

/* The deviation of the noise that a client's numbers get: none for the first, `last` for the last
 * one, in equal steps (the code of NIID-Bench, Li et al. 2022). */
double fed__partition_noise(const struct fed__partition *partition, double last, uint32_t client);

/* As a safetensors file: `rows` (U32), client by client, and `starts` (U64), one more than there
 * are clients. Names are not in it. */
FED_MUST int fed__partition_encode(const struct fed__partition *partition, struct fed_buffer *out);

/* FED_E_MISSING, FED_E_TYPE, FED_E_SHAPE; FED_E_RANGE for a row that the data set does not have. */
FED_MUST int fed__partition_decode(const struct fed_context *context, struct fed_slice file,
                                   size_t example_count, struct fed__partition *partition);

#endif
