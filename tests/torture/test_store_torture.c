/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store_torture.c: the SQLite store when the disk fails at every possible place, when the
 * power fails after every change of a file, and when the program is killed. Whatever happens, a
 * transaction is there wholly or not at all, in the order of the commits, and a durable one whose
 * commit returned is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faulty_vfs.h"
#include "store/sqlite_parts.h"
#include "store/sqlite_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fed_context context;
static char folder[64];

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/fed-torture-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return fed__folder_remove(folder);
}

static struct fed__store *open_store(const char *where) {
  struct fed__store *store;
  if (fed__sqlite_store_open(&context, where, 1, &store) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return store;
}

/* Transaction n: the job's version becomes n, round n and event n are added. Together or not. */
static int change_all(struct fed__store *store, uint64_t n) {
  const struct fed__store_ops *ops = store->ops;
  const struct fed__job_record job = {.id = "j", .name = "digits", .version = n};
  const struct fed__round_record round = {.job = "j", .round = n, .attempt = 1};
  uint64_t number = 0;
  int code = ops->job_put(store, &job);
  if (code == FED_OK) code = ops->round_put(store, &round, "[\"site-1\"]");
  if (code == FED_OK) code = ops->event_add(store, 1, "j", "round.committed", "{}", &number);
  if (code == FED_OK && number != n) fail_msg("event %d, expected %d", (int)number, (int)n);
  return code;
}

static int commit_one(struct fed__store *store, uint64_t n, int durable) {
  int code = store->ops->begin(store);
  if (code != FED_OK) return code;
  code = change_all(store, n);
  if (code == FED_OK) code = store->ops->commit(store, durable);
  if (code != FED_OK) store->ops->rollback(store);
  return code;
}

static int count_round(void *data, const struct fed__round_record *record) {
  uint64_t *count = data;
  assert_int_equal(record->round, ++*count);
  return 0;
}

static int count_event(void *data, uint64_t number, int64_t time_ms, const char *job,
                       const char *type, const char *body_json) {
  (void)time_ms, (void)job, (void)type, (void)body_json;
  uint64_t *count = data;
  assert_int_equal(number, ++*count);
  return 0;
}

/* How many transactions are there; fails when one is there in part. */
static uint64_t count_whole(struct fed__store *store) {
  struct fed__job_record job = {.version = 0};
  uint64_t rounds = 0, events = 0;
  const int code = store->ops->job_find(store, "j", &job);
  assert_true(code == FED_OK || code == FED_E_NOT_FOUND);
  assert_int_equal(store->ops->round_list(store, "j", count_round, &rounds), FED_OK);
  assert_int_equal(store->ops->event_list(store, NULL, 0, UINT32_MAX, count_event, &events),
                   FED_OK);
  assert_int_equal(rounds, job.version);
  assert_int_equal(events, job.version);
  return job.version;
}

static uint64_t count_after_reopening(void) {
  struct fed__store *store = open_store(folder);
  const uint64_t count = count_whole(store);
  store->ops->close(store);
  return count;
}

/* --- the disk fails --- */

/* After a failure: the error says where, and nothing of the transaction is seen; when it is not
 * known what is on disk (a failed sync) every call is refused. */
static void check_after_failure(struct fed__store *store, int code, uint64_t before) {
  struct fed__job_record job;
  assert_true(code == FED_E_STORE || code == FED_E_DISK);
  assert_non_null(strstr(fed_error_last()->message, folder));
  faulty_vfs_fail(-1, 0, 0);
  const int found = store->ops->job_find(store, "j", &job);
  if (found == FED_E_STORE) {
    assert_non_null(strstr(fed_error_last()->message, "sync"));
    assert_int_equal(store->ops->begin(store), FED_E_STORE);
  } else {
    assert_int_equal(count_whole(store), before);
    assert_int_equal(commit_one(store, before + 1, 1), FED_OK); /* it goes on */
  }
}

static void try_failure(long nth, int result, int forever, int durable, long *asked) {
  const uint64_t before = count_after_reopening();
  struct fed__store *store = open_store(folder);
  /* A first transaction, so that statements and caches are as in the middle of a run. */
  assert_int_equal(commit_one(store, before + 1, 1), FED_OK);
  faulty_vfs_fail(nth, result, forever);
  const int code = commit_one(store, before + 2, durable);
  *asked = faulty_vfs_count();
  faulty_vfs_fail(-1, 0, 0);
  if (code == FED_OK) assert_int_equal(count_whole(store), before + 2);
  if (code != FED_OK) check_after_failure(store, code, before + 1);
  store->ops->close(store);
  const uint64_t after = count_after_reopening();
  assert_true(after == before + 1 || after == before + 2);
  if (code == FED_OK) assert_int_equal(after, before + 2);
}

static void each_failing_change_leaves_all_or_nothing(void **state) {
  (void)state;
  static const int results[] = {SQLITE_IOERR, SQLITE_FULL};
  for (int variant = 0; variant < 8; variant++) {
    long asked = 1;
    for (long nth = 0; nth <= asked; nth++) {
      try_failure(nth, results[variant & 1], variant >> 1 & 1, variant >> 2, &asked);
      assert_true(nth < asked || nth > 2); /* the loop did fail something */
    }
  }
}

static void opening_on_a_failing_disk_is_an_error(void **state) {
  (void)state;
  int code = FED_E_DISK, failures = -1;
  for (long nth = 0; code != FED_OK; nth++, failures++) {
    struct fed__store *store;
    faulty_vfs_fail(nth, SQLITE_FULL, 1);
    code = fed__sqlite_store_open(&context, folder, 1, &store);
    faulty_vfs_fail(-1, 0, 0);
    assert_true(code == FED_OK || code == FED_E_DISK || code == FED_E_STORE);
    if (code == FED_OK) store->ops->close(store);
    assert_int_equal(count_after_reopening(), 0);
    assert_int_equal(fed__folder_remove(folder), FED_OK); /* the next try starts anew */
  }
  assert_true(failures > 2);
}

/* --- the power fails --- */

#define TRANSACTIONS 12

/* Plays a power cut after `cut` changes in a folder of its own. */
static uint64_t count_after_power_cut(const char *base, long cut, struct fed_rng *chance) {
  char copy[FED__PATH_MAX];
  snprintf(copy, sizeof copy, "%s/cut-%ld", base, cut);
  assert_int_equal(fed__folder_make(copy), FED_OK);
  faulty_vfs_play(copy, cut, chance);
  struct fed__store *store;
  const int code = fed__sqlite_store_open(&context, copy, 0, &store);
  if (code == FED_E_NOT_FOUND) return 0; /* cut before the first write */
  if (code != FED_OK) fail_msg("after %ld changes: %s", cut, fed_error_last()->message);
  const uint64_t count = count_whole(store);
  store->ops->close(store);
  assert_int_equal(fed__folder_remove(copy), FED_OK);
  return count;
}

/* Transactions with and without durability, checkpoints in between; `done[i]`: the changes of
 * files when commit i had returned. */
static long record_run(long done[TRANSACTIONS + 1], int durable_every) {
  faulty_vfs_record();
  struct fed__store *store = open_store(folder);
  sqlite3_wal_autocheckpoint(fed__database_of(store)->handle, 20);
  faulty_vfs_fail(-1, 0, 0);
  for (uint64_t n = 1; n <= TRANSACTIONS; n++) {
    assert_int_equal(commit_one(store, n, n % (uint64_t)durable_every == 0), FED_OK);
    done[n] = faulty_vfs_count();
  }
  store->ops->close(store);
  return faulty_vfs_recorded();
}

static void each_power_cut_leaves_whole_transactions(void **state) {
  (void)state;
  struct fed_rng chance;
  fed__rng_init(&chance, 1, "power cut", 0, 0);
  for (int durable_every = 1; durable_every <= 3; durable_every += 2) {
    long done[TRANSACTIONS + 1] = {0};
    /* The recording begins with opening; done[] counts from after it. */
    const long changes = record_run(done, durable_every);
    const long opening = changes - faulty_vfs_count();
    uint64_t lost = 0;
    for (long cut = 0; cut <= changes; cut++) {
      uint64_t durable = 0, committed = 0;
      for (uint64_t n = 1; n <= TRANSACTIONS; n++) {
        if (opening + done[n] > cut) continue;
        committed = n;
        if (n % (uint64_t)durable_every == 0) durable = n;
      }
      const uint64_t count = count_after_power_cut(folder, cut, &chance);
      assert_true(count >= durable);
      assert_true(count <= committed + 1);
      lost += count < committed;
    }
    assert_true(durable_every == 1 ? lost == 0 : lost > 0); /* the cuts do lose what may be lost */
    assert_int_equal(fed__folder_remove(folder), FED_OK);
  }
}

/* --- the program is killed --- */

static void commit_until_killed(int pipe_fd) {
  struct fed__store *store;
  if (fed__sqlite_store_open(&context, folder, 1, &store) != FED_OK) _exit(1);
  for (uint64_t n = count_whole(store) + 1;; n++) {
    if (commit_one(store, n, n % 2) != FED_OK) _exit(1);
    if (write(pipe_fd, &n, sizeof n) != sizeof n) _exit(1);
  }
}

/* The last transaction that the child said was committed; it is killed after `delay_us`. */
static uint64_t run_and_kill(useconds_t delay_us) {
  int fds[2], status;
  uint64_t n, last = 0;
  assert_int_equal(pipe(fds), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(fds[0]);
    commit_until_killed(fds[1]);
  }
  close(fds[1]);
  if (read(fds[0], &n, sizeof n) == sizeof n) last = n; /* it is under way */
  usleep(delay_us);
  assert_int_equal(kill(child, SIGKILL), 0);
  while (read(fds[0], &n, sizeof n) == sizeof n) last = n;
  close(fds[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return last;
}

static void a_killed_program_leaves_what_it_committed(void **state) {
  (void)state;
  struct fed_rng chance;
  uint64_t before = 0;
  fed__rng_init(&chance, 1, "kill", 0, 0);
  for (int i = 0; i < 20; i++) {
    const uint64_t committed = run_and_kill((useconds_t)fed__rng_below(&chance, 30000));
    const uint64_t count = count_after_reopening();
    assert_true(committed > before);
    assert_true(count == committed || count == committed + 1);
    before = count;
  }
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)
  const struct CMUnitTest tests[] = {
      TEST(each_failing_change_leaves_all_or_nothing),
      TEST(opening_on_a_failing_disk_is_an_error),
      TEST(each_power_cut_leaves_whole_transactions),
      TEST(a_killed_program_leaves_what_it_committed),
  };
  fed_context_init(&context);
  faulty_vfs_install();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
