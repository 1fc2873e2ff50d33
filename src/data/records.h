/* SPDX-License-Identifier: Apache-2.0
 *
 * records.h: a text file of records (CSV, JSONL) as examples. A format reads one record at a time
 * and says how many examples it makes; here all are read once, which checks them, and kept as
 * float32 and int64 while they fit into memory. If they do not, an index of places in the file
 * stays (at most 32 MiB), and a record is read again when a batch wants it.
 */
#ifndef FED_DATA_RECORDS_H
#define FED_DATA_RECORDS_H

#include "data/text_reader.h"
#include "fed/examples.h"

/* Where to put one example; NULL: leave that out. */
struct fed__record_slots {
  void *inputs[FED_INPUTS_MAX];
  void *target;
};

/* An open file of some format, which fills in everything but what is said to be internal. */
struct fed__records {
  /* Read and check the next record: `*count` examples, or `*found` 0 at the end. */
  FED_MUST int (*next)(struct fed__records *self, size_t *count, int *found);
  /* Copy one example of the record read last, at < *count. */
  void (*get)(const struct fed__records *self, size_t at, const struct fed__record_slots *slots);
  void (*free)(struct fed__records *self);
  const struct fed_context *context;
  struct fed__source source;
  struct fed__text_reader text; /* over that source; between two records when next is called */
  struct fed_example_spec spec; /* names belong to the records */
  /* Fields that are wanted beside the model's, set before the first next: `key` gets the values
   * that they have in a record, in turn, each with a zero byte behind it. NULL: none (jsonl). */
  const char *const *key_names;
  size_t key_count;
  struct fed_buffer *key;
};

/* Read them all. The examples take the records over; after a failure they are still the caller's.
 * The errors of next; FED_E_EMPTY; FED_E_TOO_LARGE for a packed file of more than
 * FED__DATA_BYTES_MAX when read. */
FED_MUST int fed__record_examples_new(struct fed__records *records, uint64_t memory_max,
                                      struct fed_examples **examples);

#endif
