/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_database.c: opening, the schema, locking and transactions.
 *
 * The connection runs with synchronous=NORMAL, which never leaves a mixture but may lose the last
 * commits in a power cut; a durable commit is followed by a sync of the write-ahead log. (The
 * pragma cannot be changed inside a transaction, and only commit says whether it is durable.)
 */
#include "store/sqlite_database.h"
#include "base/raise.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000
#define SCHEMA_VERSION 3
#define APPLICATION_ID 0x66656473 /* "feds": SQLite's mark of whose file this is */

static const char schema[] =
    "CREATE TABLE client (name TEXT PRIMARY KEY, role TEXT NOT NULL, state TEXT NOT NULL,"
    " fingerprint BLOB NOT NULL, serial TEXT NOT NULL, enrolled_ms INTEGER NOT NULL,"
    " last_seen_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE token (secret_hash BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE job (id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL,"
    " reason TEXT NOT NULL, plan BLOB NOT NULL, graph BLOB NOT NULL, parameters BLOB NOT NULL,"
    " version INTEGER NOT NULL, created_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL,"
    " approval BLOB NOT NULL, signer TEXT NOT NULL, server_state BLOB NOT NULL) STRICT;"
    "CREATE TABLE round (job TEXT NOT NULL REFERENCES job (id), round INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, state TEXT NOT NULL, parameters BLOB NOT NULL,"
    " started_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL, cohort TEXT,"
    " PRIMARY KEY (job, round, attempt)) STRICT;"
    /* Never deleted from, so SQLite's own numbers (the largest plus one) have no gaps. */
    "CREATE TABLE event (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, job TEXT,"
    " type TEXT NOT NULL, body TEXT NOT NULL CHECK (json_valid(body))) STRICT;"
    "CREATE INDEX event_of_job ON event (job, number);";

#define NO_OBJECT " DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';"

/* By the version that they lead from. Version 1 knew no signed jobs, version 2 no state beside the
 * model: what their jobs lack is empty, or a hash of no object. */
static const char *const upgrades[SCHEMA_VERSION] = {
    [1] = "ALTER TABLE job ADD COLUMN approval BLOB NOT NULL" NO_OBJECT
          "ALTER TABLE job ADD COLUMN signer TEXT NOT NULL DEFAULT '';",
    [2] = "ALTER TABLE job ADD COLUMN server_state BLOB NOT NULL" NO_OBJECT};

/* --- errors --- */

static int map_result(int result, int system_error) {
  switch (result & 0xff) {
  case SQLITE_FULL:
    return FED_E_DISK;
  case SQLITE_IOERR:
    return system_error == ENOSPC || system_error == EDQUOT ? FED_E_DISK : FED_E_STORE;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return FED_E_BUSY;
  case SQLITE_NOMEM:
    return FED_E_MEMORY;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return FED_E_CORRUPT;
  case SQLITE_CONSTRAINT:
    return result == SQLITE_CONSTRAINT_FOREIGNKEY ? FED_E_NOT_FOUND : FED_E_INPUT;
  default:
    return FED_E_STORE;
  }
}

static const char *advice_for(int code) {
  switch (code) {
  case FED_E_DISK:
    return "free some space on its disk, then try again";
  case FED_E_BUSY:
    return "another program is writing to it; try again";
  case FED_E_CORRUPT:
    return "restore the folder from a backup";
  case FED_E_NOT_FOUND:
    return "the job that this belongs to is not in the store";
  case FED_E_INPUT:
    return "the record is not valid";
  case FED_E_MEMORY:
    return "out of memory";
  default:
    return "check the disk, and that the folder belongs to the user that runs fed";
  }
}

int fed__raise_sqlite(const char *file, int line, const struct fed__database *database, int result,
                      const char *what) {
  sqlite3 *handle = database->handle;
  const int system_error = handle ? sqlite3_system_errno(handle) : 0;
  const int code = map_result(result, system_error);
  const int is_system = (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
  return fed__raise(file, line, code, "store '%s': %s: %s%s%s (%d); %s", database->path, what,
                    handle && sqlite3_extended_errcode(handle) == result ? sqlite3_errmsg(handle)
                                                                         : sqlite3_errstr(result),
                    is_system && system_error ? ": " : "",
                    is_system && system_error ? strerror(system_error) : "", result,
                    advice_for(code));
}

static int execute(struct fed__database *database, const char *sql, const char *what) {
  const int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
  return result == SQLITE_OK ? FED_OK : FED__RAISE_SQLITE(database, result, what);
}

/* --- opening --- */

static int check_folder(const char *folder) {
  struct stat info;
  if (stat(folder, &info) != 0)
    return FED_RAISE(FED_E_NOT_FOUND,
                     "no store in '%s': %s; check the folder's name, or start a "
                     "server with it once",
                     folder, strerror(errno));
  if (info.st_mode & S_IWOTH)
    return FED_RAISE(FED_E_PERMISSION,
                     "every user may write to '%s': run `chmod 700` on it, so that nobody "
                     "can change the store",
                     folder);
  return FED_OK;
}

/* Makes the file private before SQLite writes to it; its log gets the same mode. */
static int make_file(const char *path, const char *folder) {
  char parent[FED__PATH_MAX];
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return FED_RAISE(FED_E_STORE,
                     "cannot open '%s': %s; check that the folder belongs to the user "
                     "that runs fed",
                     path, strerror(errno));
  close(fd);
  FED_TRY(fed__folder_sync(folder));
  FED_TRY(fed__path_join(parent, sizeof parent, folder, ".."));
  return fed__folder_sync(parent);
}

static int read_pragma(struct fed__database *database, const char *sql, int64_t *value) {
  struct fed__query query = fed__query_prepare(database, sql);
  if (fed__query_next_row(&query)) *value = fed__query_take_integer(&query);
  return fed__query_finish(&query);
}

static int use_write_ahead_log(struct fed__database *database) {
  char mode[16] = "";
  struct fed__query query = fed__query_prepare(database, "PRAGMA journal_mode = WAL");
  if (fed__query_next_row(&query)) fed__query_take_text(&query, mode, sizeof mode);
  FED_TRY(fed__query_finish(&query));
  if (strcmp(mode, "wal") == 0) return FED_OK;
  return FED_RAISE(FED_E_UNSUPPORTED,
                   "store '%s': its file system cannot keep a write-ahead log (journal mode '%s'); "
                   "use a local disk",
                   database->path, mode);
}

static int set_version(struct fed__database *database) {
  char sql[96];
  sqlite3_snprintf(sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   APPLICATION_ID, SCHEMA_VERSION);
  return execute(database, sql, "cannot set the version");
}

/* Inside a transaction, so that of two programs that open a new store only one makes the tables. */
static int make_tables(struct fed__database *database) {
  int64_t version = 0, application = 0;
  FED_TRY(read_pragma(database, "PRAGMA user_version", &version));
  FED_TRY(read_pragma(database, "PRAGMA application_id", &application));
  if (version > SCHEMA_VERSION)
    return FED_RAISE(FED_E_VERSION,
                     "store '%s' has schema version %lld, this fed knows up to %d: it was written "
                     "by a newer fed; upgrade this one",
                     database->path, (long long)version, SCHEMA_VERSION);
  if (version == SCHEMA_VERSION && application == APPLICATION_ID) return FED_OK;
  if (version > 0 && application == APPLICATION_ID) {
    for (; version < SCHEMA_VERSION; version++)
      FED_TRY(execute(database, upgrades[version], "cannot upgrade the tables"));
    return set_version(database);
  }
  if (version != 0 || application != 0)
    return FED_RAISE(FED_E_INPUT, "'%s' is a database, but not one of fed; choose another folder",
                     database->path);
  FED_TRY(execute(database, schema, "cannot make the tables"));
  return set_version(database);
}

static int set_up(struct fed__database *database) {
  sqlite3_busy_timeout(database->handle, BUSY_TIMEOUT_MS);
  FED_TRY(use_write_ahead_log(database));
  FED_TRY(execute(database, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON",
                  "cannot be set up"));
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, make_tables(database));
}

static int init_mutex(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0)
    return FED_RAISE(FED_E_MEMORY, "out of memory: could not make a lock");
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  const int error = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return error == 0 ? FED_OK
                    : FED_RAISE(FED_E_MEMORY, "could not make a lock: %s", strerror(error));
}

int fed__database_open(struct fed__database *database, const char *folder, int create) {
  memset(database, 0, sizeof *database);
  FED_TRY(fed__path_join(database->path, sizeof database->path, folder, "fed.sqlite3"));
  if (create) FED_TRY(fed__folder_make(folder));
  FED_TRY(check_folder(folder));
  if (create) FED_TRY(make_file(database->path, folder));
  if (!fed__file_exists(database->path))
    return FED_RAISE(FED_E_NOT_FOUND,
                     "no store in '%s' (there is no file '%s'); check the "
                     "folder's name, or start a server with it once",
                     folder, database->path);
  FED_TRY(init_mutex(&database->mutex));
  const int result =
      sqlite3_open_v2(database->path, &database->handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
  const int code = result == SQLITE_OK ? set_up(database)
                                       : FED__RAISE_SQLITE(database, result, "cannot be opened");
  if (code != FED_OK) fed__database_close(database);
  return code;
}

void fed__database_close(struct fed__database *database) {
  fed__database_rollback(database);
  for (size_t i = 0; i < database->statement_count; i++)
    sqlite3_finalize(database->statements[i].handle);
  sqlite3_close(database->handle);
  pthread_mutex_destroy(&database->mutex);
}

/* --- transactions --- */

static int check_usable(const struct fed__database *database) {
  if (database->sync_failed)
    return FED_RAISE(FED_E_STORE,
                     "store '%s': an earlier sync to disk failed, so its content is not certain; "
                     "check the disk, then start again",
                     database->path);
  if (database->in_transaction && sqlite3_get_autocommit(database->handle))
    return FED_RAISE(FED_E_STORE,
                     "store '%s': this transaction was given up after an earlier failure; begin "
                     "it again",
                     database->path);
  return FED_OK;
}

int fed__database_enter(struct fed__database *database) {
  pthread_mutex_lock(&database->mutex);
  const int code = check_usable(database);
  if (code != FED_OK) pthread_mutex_unlock(&database->mutex);
  return code;
}

int fed__database_leave(struct fed__database *database, int code) {
  pthread_mutex_unlock(&database->mutex);
  return code;
}

int fed__database_begin(struct fed__database *database) {
  FED_TRY(fed__database_enter(database));
  const int code = database->in_transaction
                       ? FED_RAISE(FED_E_USAGE,
                                   "store '%s': this thread is in a transaction "
                                   "already",
                                   database->path)
                       : execute(database, "BEGIN IMMEDIATE", "cannot begin a transaction");
  if (code != FED_OK) return fed__database_leave(database, code);
  database->in_transaction = 1; /* and the mutex stays locked */
  return FED_OK;
}

/* SQLite's own handle on the log also syncs the folder of a log just made. */
static int sync_log(struct fed__database *database) {
  sqlite3_file *log = NULL;
  int result = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (result == SQLITE_OK && log && log->pMethods)
    result = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (result == SQLITE_OK) return FED_OK;
  database->sync_failed = 1;
  return FED__RAISE_SQLITE(database, result, "cannot sync to disk");
}

static void end_transaction(struct fed__database *database) {
  database->in_transaction = 0;
  pthread_mutex_unlock(&database->mutex);
}

int fed__database_commit(struct fed__database *database, int durable) {
  FED_TRY(fed__database_enter(database));
  int code = database->in_transaction ? execute(database, "COMMIT", "cannot commit")
                                      : FED_RAISE(FED_E_USAGE,
                                                  "store '%s': there is no "
                                                  "transaction to commit",
                                                  database->path);
  if (code == FED_OK && durable) code = sync_log(database);
  if (code == FED_OK) end_transaction(database);
  return fed__database_leave(database, code);
}

void fed__database_rollback(struct fed__database *database) {
  pthread_mutex_lock(&database->mutex);
  if (database->in_transaction) {
    if (!sqlite3_get_autocommit(database->handle))
      sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    end_transaction(database);
  }
  pthread_mutex_unlock(&database->mutex);
}

int fed__database_enter_change(struct fed__database *database) {
  FED_TRY(fed__database_enter(database));
  if (database->in_transaction) return FED_OK;
  const int code = fed__database_begin(database);
  if (code != FED_OK) return fed__database_leave(database, code);
  database->own_transaction = 1;
  return FED_OK;
}

int fed__database_leave_change(struct fed__database *database, int code) {
  if (database->own_transaction) {
    database->own_transaction = 0;
    if (code == FED_OK) code = fed__database_commit(database, 1);
    if (code != FED_OK) fed__database_rollback(database);
  }
  return fed__database_leave(database, code);
}
