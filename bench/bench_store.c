/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_store.c: what a server's disk costs a round: commits and objects of the SQLite store.
 *
 *   bench_store FOLDER [repeats, 200]
 *
 * FOLDER is made, and must not exist: put it on the disk to be measured. Prints medians and the
 * 99th percentile.
 */
#include "base/file.h"
#include "store/sqlite_store.h"

#include <stdio.h>
#include <stdlib.h>

#define REPEATS_MAX 10000
#define OBJECT_BYTES 40000

enum action { COMMIT_DURABLE, COMMIT_QUICK, OBJECT_PUT, OBJECT_GET, ACTION_COUNT };
static const char *const action_names[] = {"commit, durable", "commit, not durable",
                                           "object_put, 40 kB", "object_get, 40 kB"};

struct bench {
  struct fed_context context;
  struct fed__store *store;
  uint8_t bytes[OBJECT_BYTES];
  struct fed__digest hash; /* of the last object put */
};

static int commit(struct bench *bench, uint64_t n, int durable) {
  const struct fed__store_ops *ops = bench->store->ops;
  const struct fed__job_record job = {.id = "j", .name = "bench", .version = n};
  uint64_t number;
  int code = ops->begin(bench->store);
  if (code != FED_OK) return code;
  code = ops->job_put(bench->store, &job);
  if (code == FED_OK)
    code = ops->event_add(bench->store, 1, "j", "round.committed", "{\"clients\":10}", &number);
  if (code == FED_OK) code = ops->commit(bench->store, durable);
  if (code != FED_OK) ops->rollback(bench->store);
  return code;
}

static int act(struct bench *bench, enum action action, uint64_t n) {
  const struct fed__store_ops *ops = bench->store->ops;
  struct fed_buffer out;
  int code;
  switch (action) {
  case COMMIT_DURABLE:
    return commit(bench, n, 1);
  case COMMIT_QUICK:
    return commit(bench, n, 0);
  case OBJECT_PUT:
    memcpy(bench->bytes, &n, sizeof n); /* never the same object twice */
    return ops->object_put(bench->store, fed_slice_of(bench->bytes, OBJECT_BYTES), &bench->hash);
  default:
    fed_buffer_init(&out, &bench->context, OBJECT_BYTES);
    code = ops->object_get(bench->store, &bench->hash, &out);
    fed_buffer_clear(&out);
    return code;
  }
}

static int compare_numbers(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static int run(struct bench *bench, size_t repeats) {
  static int64_t us[ACTION_COUNT][REPEATS_MAX];
  for (size_t r = 0; r < repeats; r++)
    for (enum action action = 0; action < ACTION_COUNT; action++) {
      const int64_t start_us = bench->context.clock->monotonic_us(bench->context.clock);
      const int code = act(bench, action, r + 1);
      if (code != FED_OK) return code;
      us[action][r] = bench->context.clock->monotonic_us(bench->context.clock) - start_us;
    }
  for (enum action action = 0; action < ACTION_COUNT; action++) {
    qsort(us[action], repeats, sizeof us[action][0], compare_numbers);
    printf("%-20s median %8.3f ms   99 %% %8.3f ms\n", action_names[action],
           (double)us[action][repeats / 2] / 1000, (double)us[action][repeats * 99 / 100] / 1000);
  }
  return FED_OK;
}

int main(int argc, char **argv) {
  static struct bench bench;
  const size_t repeats = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
  if (argc < 2 || repeats < 1 || repeats > REPEATS_MAX || fed__file_exists(argv[1])) {
    fprintf(stderr, "bench_store NEW-FOLDER [repeats, 1 to %d]\n", REPEATS_MAX);
    return 2;
  }
  fed_context_init(&bench.context);
  int code = fed__sqlite_store_open(&bench.context, argv[1], 1, &bench.store);
  if (code == FED_OK) {
    code = run(&bench, repeats);
    bench.store->ops->close(bench.store);
  }
  if (code != FED_OK) fprintf(stderr, "bench_store: %s\n", fed_error_last()->message);
  return (int)fed_error_class(code);
}
