/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sqlite_store.c: what is particular to the SQLite store: files and their modes, databases
 * that are not ours, damaged ones, another program's lock, and running out of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "store/sqlite_parts.h"
#include "store/sqlite_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fed_context context;
static char base[64], folder[96], database[128];

static int make_base(void **state) {
  (void)state;
  snprintf(base, sizeof base, "/tmp/fed-sqlite-XXXXXX");
  if (!mkdtemp(base)) return -1;
  snprintf(folder, sizeof folder, "%s/store", base);
  snprintf(database, sizeof database, "%s/fed.sqlite3", folder);
  return 0;
}

static int remove_base(void **state) {
  (void)state;
  return fed__folder_remove(base);
}

static struct fed__store *open_store(int create) {
  struct fed__store *store;
  if (fed__sqlite_store_open(&context, folder, create, &store) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
  return store;
}

static void make_and_close(void) {
  struct fed__store *store = open_store(1);
  store->ops->close(store);
}

static void assert_refused(int expected, const char *part) {
  struct fed__store *store = (struct fed__store *)&context;
  assert_int_equal(fed__sqlite_store_open(&context, folder, 1, &store), expected);
  assert_null(store);
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
  if (!strstr(fed_error_last()->message, folder))
    fail_msg("the folder is not in: %s", fed_error_last()->message);
}

static void change_database(const char *sql) {
  sqlite3 *handle;
  assert_int_equal(sqlite3_open(database, &handle), SQLITE_OK);
  assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(handle);
}

static void write_text(const char *path, const char *mode, const char *text) {
  FILE *file = fopen(path, mode);
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static unsigned mode_of(const char *path) {
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  return info.st_mode & 0777;
}

static void files_are_private(void **state) {
  (void)state;
  const mode_t before = umask(0); /* the loosest a user can have */
  struct fed__store *store = open_store(1);
  struct fed__digest hash;
  char path[FED__PATH_MAX];
  uint64_t number;
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("x"), &hash), FED_OK);
  assert_int_equal(store->ops->event_add(store, 1, NULL, "t", "{}", &number), FED_OK);
  umask(before);
  assert_int_equal(mode_of(folder), 0700);
  assert_int_equal(mode_of(database), 0600);
  snprintf(path, sizeof path, "%s-wal", database);
  assert_int_equal(mode_of(path), 0600);
  assert_int_equal(store->ops->object_path(store, &hash, path, sizeof path), FED_OK);
  assert_int_equal(mode_of(path), 0600);
  assert_non_null(strstr(path, "/objects/2d/2d711642b726b044")); /* SHA-256 of "x" */
  snprintf(path, sizeof path, "%s/objects/2d", folder);
  assert_int_equal(mode_of(path), 0700);
  store->ops->close(store);
}

static void a_folder_that_everybody_may_write_is_refused(void **state) {
  (void)state;
  make_and_close();
  assert_int_equal(chmod(folder, 0777), 0);
  assert_refused(FED_E_PERMISSION, "chmod 700");
  assert_int_equal(chmod(folder, 0750), 0);
  make_and_close();
}

static void a_newer_schema_is_refused(void **state) {
  (void)state;
  make_and_close();
  change_database("PRAGMA user_version = 4");
  assert_refused(FED_E_VERSION, "version 4");
}

/* A store as an older fed left it, made anew from its dump. */
static void make_version_1(void) {
  struct fed_buffer sql;
  assert_int_equal(fed__file_read_in(&context, FED_TESTS "/vectors/store", "version-1.sql", &sql),
                   FED_OK);
  assert_int_equal(fed__folder_make(folder), FED_OK);
  change_database(fed_buffer_text(&sql));
  fed_buffer_clear(&sql);
}

static void an_older_schema_is_upgraded(void **state) {
  (void)state;
  const struct fed__digest none = {{0}};
  struct fed__job_record record;
  make_version_1();
  for (int again = 0; again < 2; again++) {
    struct fed__store *store = open_store(again);
    assert_int_equal(store->ops->job_find(store, "test-1", &record), FED_OK);
    assert_int_equal(record.state, FED__JOB_RUNNING);
    assert_true(record.created_ms == INT64_C(1795253204800));
    assert_string_equal(record.signer, again ? "maria" : "");
    assert_memory_equal(&record.approval, &none, sizeof none);
    snprintf(record.signer, sizeof record.signer, "maria");
    assert_int_equal(store->ops->job_put(store, &record), FED_OK);
    store->ops->close(store);
  }
}

static void a_failing_upgrade_changes_nothing(void **state) {
  (void)state;
  make_version_1();
  change_database("ALTER TABLE job ADD COLUMN signer TEXT"); /* so that fed's own does not go */
  assert_refused(FED_E_STORE, "cannot upgrade the tables");
  change_database("ALTER TABLE job DROP COLUMN signer");
  struct fed__store *store = open_store(0);
  store->ops->close(store);
}

static void somebody_elses_database_is_refused(void **state) {
  (void)state;
  assert_int_equal(fed__folder_make(folder), FED_OK);
  change_database("PRAGMA application_id = 7; CREATE TABLE t (x)");
  assert_refused(FED_E_INPUT, "not one of fed");
}

static void what_is_no_database_is_refused(void **state) {
  (void)state;
  assert_int_equal(fed__folder_make(folder), FED_OK);
  write_text(database, "w",
             "This is a text, long enough to be taken for a header by nobody.\n"
             "And one more line, so that a hundred bytes are there to be read.\n");
  assert_refused(FED_E_CORRUPT, "backup");
}

static void a_file_in_place_of_the_folder_is_refused(void **state) {
  (void)state;
  write_text(folder, "w", "");
  assert_refused(FED_E_EXISTS, "not a folder");
}

static void damaged_records_are_noticed(void **state) {
  (void)state;
  static const char *const damages[] = {
      "UPDATE client SET role = 'emperor'", "UPDATE client SET state = 'sleepy'",
      "UPDATE client SET fingerprint = x'00'",
      "UPDATE client SET serial = '0123456789012345678901234567890123456789012345'"};
  const struct fed__client_record put = {.name = "site-1"};
  struct fed__client_record found;
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    struct fed__store *store = open_store(1);
    assert_int_equal(store->ops->client_put(store, &put), FED_OK);
    assert_int_equal(store->ops->client_find(store, "site-1", &found), FED_OK);
    change_database(damages[i]);
    assert_int_equal(store->ops->client_find(store, "site-1", &found), FED_E_CORRUPT);
    assert_int_equal(store->ops->client_put(store, &put), FED_OK);
    assert_int_equal(store->ops->client_find(store, "site-1", &found), FED_OK);
    store->ops->close(store);
  }
}

/* What `fed enroll token` does beside a running server. */
static void another_program_can_write_meanwhile(void **state) {
  (void)state;
  struct fed__store *server = open_store(1), *program = open_store(0);
  const struct fed__token_record token = {.secret_hash = {{1}}, .name = "a", .expires_ms = 10};
  struct fed__token_record used;
  uint64_t number;
  assert_int_equal(server->ops->event_add(server, 1, NULL, "t", "{}", &number), FED_OK);
  assert_int_equal(program->ops->token_put(program, &token), FED_OK);
  assert_int_equal(program->ops->event_add(program, 1, NULL, "t", "{}", &number), FED_OK);
  assert_int_equal(number, 2);
  program->ops->close(program);
  assert_int_equal(server->ops->token_use(server, &token.secret_hash, 1, &used), FED_OK);
  assert_int_equal(server->ops->event_add(server, 1, NULL, "t", "{}", &number), FED_OK);
  assert_int_equal(number, 3);
  server->ops->close(server);
}

static void a_lock_that_stays_is_busy(void **state) {
  (void)state;
  struct fed__store *holder = open_store(1), *waiter = open_store(0);
  const struct fed__client_record record = {.name = "site-1"};
  struct fed__client_record found;
  sqlite3_busy_timeout(fed__database_of(waiter)->handle, 1);
  assert_int_equal(holder->ops->begin(holder), FED_OK);
  assert_int_equal(waiter->ops->client_put(waiter, &record), FED_E_BUSY);
  assert_int_equal(waiter->ops->begin(waiter), FED_E_BUSY);
  assert_non_null(strstr(fed_error_last()->message, "another program"));
  assert_int_equal(waiter->ops->client_find(waiter, "site-1", &found), FED_E_NOT_FOUND);
  holder->ops->rollback(holder);
  assert_int_equal(waiter->ops->client_put(waiter, &record), FED_OK);
  holder->ops->close(holder);
  waiter->ops->close(waiter);
}

static void running_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  struct failing_alloc failing;
  struct fed_context limited;
  struct fed__store *store;
  int code = FED_E_MEMORY;
  long allowed = 0;
  for (; code != FED_OK; allowed++) {
    failing_alloc_init(&failing, &limited, allowed);
    code = fed__sqlite_store_open(&limited, folder, 1, &store);
    if (code == FED_OK) store->ops->close(store);
    assert_true(code == FED_OK || (code == FED_E_MEMORY && !store));
    assert_int_equal(failing.living, 0);
  }
  assert_true(allowed > 1);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_base, remove_base)
  const struct CMUnitTest tests[] = {
      TEST(files_are_private),
      TEST(a_folder_that_everybody_may_write_is_refused),
      TEST(a_newer_schema_is_refused),
      TEST(an_older_schema_is_upgraded),
      TEST(a_failing_upgrade_changes_nothing),
      TEST(somebody_elses_database_is_refused),
      TEST(what_is_no_database_is_refused),
      TEST(a_file_in_place_of_the_folder_is_refused),
      TEST(damaged_records_are_noticed),
      TEST(another_program_can_write_meanwhile),
      TEST(a_lock_that_stays_is_busy),
      TEST(running_out_of_memory_leaves_nothing),
  };
  fed_context_init(&context);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
