/* SPDX-License-Identifier: Apache-2.0
 *
 * partition.c: a partition's memory, its held-out rows, and its file.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "fed/safetensors.h"
#include "job/job_examples.h"
#include "simulate/partition_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory --------------------------------------------------------------------------------- */

int fed__partition_allocate(struct fed__partition *partition, size_t row_count) {
  const struct fed_context *context = partition->context;
  const size_t clients = partition->client_count;
  if ((partition->rows = fed__zalloc(context, row_count ? row_count : 1, sizeof(uint32_t))) &&
      (partition->starts = fed__zalloc(context, clients + 1, sizeof(size_t))) &&
      (partition->train_counts = fed__zalloc(context, clients, sizeof(uint32_t))))
    return FED_OK;
  return FED_E_MEMORY;
}

void fed__partition_clear(struct fed__partition *partition) {
  if (!partition->context) return;
  fed__free(partition->context, partition->names);
  fed__free(partition->context, partition->rows);
  fed__free(partition->context, partition->starts);
  fed__free(partition->context, partition->train_counts);
  *partition = (struct fed__partition){0};
}

static void train_on_all(struct fed__partition *partition) {
  for (uint32_t c = 0; c < partition->client_count; c++)
    partition->train_counts[c] = (uint32_t)(partition->starts[c + 1] - partition->starts[c]);
}

int fed__partition_collect(struct fed__partition *partition, const uint32_t *client_of) {
  const size_t count = partition->example_count;
  FED_TRY(fed__partition_allocate(partition, count));
  size_t *starts = partition->starts;
  for (size_t i = 0; i < count; i++)
    if (client_of[i] != FED__PARTITION_NOBODY) starts[client_of[i] + 1]++;
  for (uint32_t c = 0; c < partition->client_count; c++) starts[c + 1] += starts[c];
  for (size_t i = 0; i < count; i++) /* train_counts: how many are there already */
    if (client_of[i] != FED__PARTITION_NOBODY)
      partition->rows[starts[client_of[i]] + partition->train_counts[client_of[i]]++] = (uint32_t)i;
  return FED_OK;
}

static int fill_parts(struct fed__partition *partition, const char (*names)[FED__CLIENT_NAME_BYTES],
                      const size_t *counts) {
  partition->names =
      fed__zalloc(partition->context, partition->client_count, sizeof *partition->names);
  if (!partition->names) return FED_E_MEMORY;
  memcpy(partition->names, names, partition->client_count * sizeof *names);
  FED_TRY(fed__partition_allocate(partition, partition->example_count));
  for (size_t i = 0; i < partition->example_count; i++) partition->rows[i] = (uint32_t)i;
  for (uint32_t c = 0; c < partition->client_count; c++)
    partition->starts[c + 1] = partition->starts[c] + counts[c];
  train_on_all(partition);
  return FED_OK;
}

int fed__partition_of_parts(const struct fed_context *context,
                            const char (*names)[FED__CLIENT_NAME_BYTES], const size_t *counts,
                            uint32_t client_count, struct fed__partition *partition) {
  *partition = (struct fed__partition){.context = context, .client_count = client_count};
  for (uint32_t c = 0; c < client_count; c++) partition->example_count += counts[c];
  const int code = fill_parts(partition, names, counts);
  if (code != FED_OK) fed__partition_clear(partition);
  return code;
}

/* ---- asking --------------------------------------------------------------------------------- */

size_t fed__partition_train_count(const struct fed__partition *partition, uint32_t client) {
  return partition->rows ? partition->train_counts[client] : partition->drawn_train_count;
}

size_t fed__partition_held_out_count(const struct fed__partition *partition, uint32_t client) {
  const size_t count = partition->rows ? partition->starts[client + 1] - partition->starts[client]
                                       : partition->drawn_count;
  return count - fed__partition_train_count(partition, client);
}

struct fed__client_rows fed__partition_rows(const struct fed__partition *partition, uint32_t client,
                                            uint32_t *scratch) {
  const uint32_t *rows = scratch;
  if (partition->rows) {
    rows = partition->rows + partition->starts[client];
  } else {
    const uint64_t key = fed__rng_key(partition->seed, "partition.drawn", client, 0);
    for (uint32_t i = 0; i < partition->drawn_count; i++) /* uniform to 2^-32 */
      scratch[i] =
          (uint32_t)(((fed__rng_at(key, i) >> 32) * (uint64_t)partition->example_count) >> 32);
  }
  const size_t train_count = fed__partition_train_count(partition, client);
  return (struct fed__client_rows){rows, rows + train_count, train_count,
                                   fed__partition_held_out_count(partition, client)};
}

const char *fed__partition_name(const struct fed__partition *partition, uint32_t client,
                                char name[FED__CLIENT_NAME_BYTES]) {
  if (partition->names) return partition->names[client];
  snprintf(name, FED__CLIENT_NAME_BYTES, "client-%04u", client);
  return name;
}

double fed__partition_noise(const struct fed__partition *partition, double last, uint32_t client) {
  return client ? last * client / (partition->client_count - 1) : 0;
}

/* ---- held-out rows -------------------------------------------------------------------------- */

/* The first part of the rows of a client becomes those that train. */
static int hold_out(struct fed__partition *partition, const struct fed__job *job, uint32_t client,
                    uint32_t *scratch) {
  char text[FED__CLIENT_NAME_BYTES];
  uint32_t *rows = partition->rows + partition->starts[client];
  const size_t count = partition->starts[client + 1] - partition->starts[client];
  struct fed__split split;
  if (count == 0) return FED_OK;
  FED_TRY(fed__job_hold_out(job, fed__partition_name(partition, client, text), count, &split));
  memcpy(scratch, rows, count * sizeof *rows);
  for (size_t i = 0; i < count; i++) rows[i] = scratch[split.train[i]]; /* held_out follows */
  partition->train_counts[client] = (uint32_t)split.train_count;
  fed__split_clear(&split);
  return FED_OK;
}

static size_t largest_count(const struct fed__partition *partition) {
  size_t largest = 0;
  for (uint32_t c = 0; c < partition->client_count; c++)
    if (partition->starts[c + 1] - partition->starts[c] > largest)
      largest = partition->starts[c + 1] - partition->starts[c];
  return largest;
}

/* Drawn rows are in no order: the last ones are as good as any. */
static int hold_out_drawn(struct fed__partition *partition, const struct fed__job *job) {
  struct fed__split split;
  FED_TRY(fed__job_hold_out(job, "", partition->drawn_count, &split));
  partition->drawn_train_count = (uint32_t)split.train_count;
  fed__split_clear(&split);
  return FED_OK;
}

int fed__partition_hold_out(struct fed__partition *partition, const struct fed__job *job) {
  int code = FED_OK;
  if (job->data.holdout == 0) return FED_OK;
  if (!partition->rows) return hold_out_drawn(partition, job);
  uint32_t *scratch =
      fed__alloc(partition->context, (largest_count(partition) + 1) * sizeof *scratch);
  if (!scratch) return FED_E_MEMORY;
  for (uint32_t c = 0; c < partition->client_count && code == FED_OK; c++)
    code = hold_out(partition, job, c, scratch);
  fed__free(partition->context, scratch);
  return code;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int compare_rows(const void *a, const void *b) {
  const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static size_t count_rows(const struct fed__partition *partition) {
  return partition->rows ? partition->starts[partition->client_count]
                         : (size_t)partition->client_count * partition->drawn_count;
}

static void fill_file(const struct fed__partition *partition, uint32_t *rows, uint64_t *starts) {
  for (uint32_t c = 0; c < partition->client_count; c++) {
    const struct fed__client_rows found = fed__partition_rows(partition, c, rows);
    const size_t count = found.train_count + found.held_out_count;
    if (found.train != rows) memcpy(rows, found.train, count * sizeof *rows);
    qsort(rows, count, sizeof *rows, compare_rows);
    rows += count;
    starts[c + 1] = starts[c] + count;
  }
}

int fed__partition_encode(const struct fed__partition *partition, struct fed_buffer *out) {
  const struct fed_tensor like[2] = {
      {"rows", FED_U32, {1, {(int64_t)count_rows(partition)}}, NULL},
      {"starts", FED_U64, {1, {(int64_t)partition->client_count + 1}}, NULL}};
  struct fed_params file;
  FED_TRY(fed_params_init(&file, partition->context, like, 2));
  fill_file(partition, file.tensors[0].data, file.tensors[1].data);
  const int code = fed_safetensors_encode(&file, NULL, 0, out);
  fed_params_clear(&file);
  return code;
}

static int find_array(const struct fed_params *file, const char *name, enum fed_dtype dtype,
                      const struct fed_tensor **array) {
  *array = fed_params_find(file, name);
  if (!*array) return FED_RAISE(FED_E_MISSING, "a partition has a tensor '%s'", name);
  if ((*array)->dtype != dtype)
    return FED_RAISE(FED_E_TYPE, "a partition's '%s' is %s, found %s", name, fed_dtype_name(dtype),
                     fed_dtype_name((*array)->dtype));
  return (*array)->shape.rank == 1 ? FED_OK
                                   : FED_RAISE(FED_E_SHAPE, "a partition's '%s' has rank 1", name);
}

static int check_starts(const uint64_t *starts, size_t client_count, size_t row_count) {
  if (starts[0] != 0 || starts[client_count] != row_count)
    return FED_RAISE(FED_E_RANGE, "a partition's 'starts' go from 0 to %zu, the number of rows",
                     row_count);
  for (size_t c = 0; c < client_count; c++)
    if (starts[c + 1] < starts[c])
      return FED_RAISE(FED_E_RANGE, "a partition's 'starts' never fall: client %zu", c);
  return FED_OK;
}

static int take_rows(struct fed__partition *partition, const uint32_t *rows,
                     const uint64_t *starts) {
  const size_t row_count = (size_t)starts[partition->client_count];
  FED_TRY(fed__partition_allocate(partition, row_count));
  for (size_t i = 0; i < row_count; i++) {
    if (rows[i] >= partition->example_count)
      return FED_RAISE(FED_E_RANGE, "the partition has row %u, but there are %zu examples", rows[i],
                       partition->example_count);
    partition->rows[i] = rows[i];
  }
  for (uint32_t c = 0; c < partition->client_count; c++) {
    partition->starts[c + 1] = (size_t)starts[c + 1];
    qsort(partition->rows + starts[c], (size_t)(starts[c + 1] - starts[c]), sizeof *rows,
          compare_rows);
  }
  train_on_all(partition);
  return FED_OK;
}

static int decode(const struct fed_params *file, struct fed__partition *partition) {
  const struct fed_tensor *rows, *starts;
  FED_TRY(find_array(file, "rows", FED_U32, &rows));
  FED_TRY(find_array(file, "starts", FED_U64, &starts));
  const int64_t count = starts->shape.dims[0] - 1;
  if (count < 1 || count > UINT32_MAX - 1)
    return FED_RAISE(FED_E_RANGE, "a partition of %lld clients", (long long)count);
  partition->client_count = (uint32_t)count;
  FED_TRY(check_starts(starts->data, (size_t)count, fed_tensor_elements(rows)));
  return take_rows(partition, rows->data, starts->data);
}

int fed__partition_decode(const struct fed_context *context, struct fed_slice bytes,
                          size_t example_count, struct fed__partition *partition) {
  struct fed_params file;
  *partition = (struct fed__partition){.context = context, .example_count = example_count};
  FED_TRY(fed_safetensors_decode(bytes, context, &file));
  const int code = decode(&file, partition);
  fed_params_clear(&file);
  if (code != FED_OK) fed__partition_clear(partition);
  return code;
}
