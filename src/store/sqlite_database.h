/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_database.h: one SQLite connection shared by threads: its schema, transactions, and
 * queries whose parameters and columns are given and taken in order, with one error at the end.
 */
#ifndef FED_STORE_SQLITE_DATABASE_H
#define FED_STORE_SQLITE_DATABASE_H

#include "base/file.h"
#include "crypto/hash.h"

#include <pthread.h>
#include <sqlite3.h>

#define FED__STATEMENTS_MAX 32

struct fed__statement {
  const char *sql; /* the address names it */
  sqlite3_stmt *handle;
};

struct fed__database {
  sqlite3 *handle;
  char path[FED__PATH_MAX];
  pthread_mutex_t mutex; /* recursive; held by the thread that has a transaction */
  int in_transaction;
  int own_transaction; /* of one call, not begun by the caller */
  int sync_failed;     /* what is on disk is unknown: no more calls */
  size_t statement_count;
  struct fed__statement statements[FED__STATEMENTS_MAX];
};

/* Open the file, making it and its tables if `create`. */
FED_MUST int fed__database_open(struct fed__database *database, const char *folder, int create);
void fed__database_close(struct fed__database *database);

/* Transactions, as the store's begin, commit and rollback. */
FED_MUST int fed__database_begin(struct fed__database *database);
FED_MUST int fed__database_commit(struct fed__database *database, int durable);
void fed__database_rollback(struct fed__database *database);

/* Around every reading call: have the connection for this thread. leave passes `code` on. */
FED_MUST int fed__database_enter(struct fed__database *database);
int fed__database_leave(struct fed__database *database, int code);

/* Around every changing call: the same, in the caller's transaction or a durable one of its own,
 * which leave_change commits if `code` is FED_OK. */
FED_MUST int fed__database_enter_change(struct fed__database *database);
int fed__database_leave_change(struct fed__database *database, int code);

/* Raise SQLite's last error as ours; `result` is SQLite's code. */
#define FED__RAISE_SQLITE(database, result, what)                                                  \
  fed__raise_sqlite(__FILE__, __LINE__, (database), (result), (what))
int fed__raise_sqlite(const char *file, int line, const struct fed__database *database, int result,
                      const char *what);

/* --- queries --- */

struct fed__query {
  struct fed__database *database;
  sqlite3_stmt *statement;
  int next; /* parameter or column */
  int code; /* the first failure; later calls then do nothing */
  int kept; /* the statement stays prepared for the next time */
};

/* A query with the statement of that text. Between start and finish no other query of the same
 * text may be started; one made by prepare is on its own and may. */
struct fed__query fed__query_start(struct fed__database *database, const char *sql);
struct fed__query fed__query_prepare(struct fed__database *database, const char *sql);

/* The next parameter. Texts and digests are not copied: they must stay until finish. */
void fed__query_give_integer(struct fed__query *query, int64_t value);
void fed__query_give_count(struct fed__query *query, uint64_t value);  /* FED_E_RANGE from 2^63 */
void fed__query_give_text(struct fed__query *query, const char *text); /* NULL: NULL */
void fed__query_give_digest(struct fed__query *query, const struct fed__digest *digest);

/* The next row: 1, or 0 at the end or after a failure. */
int fed__query_next_row(struct fed__query *query);

/* The next column of the row. FED_E_CORRUPT for another type or a text that does not fit. */
int64_t fed__query_take_integer(struct fed__query *query);
void fed__query_take_text(struct fed__query *query, char *text, size_t size);
const char *fed__query_borrow_text(struct fed__query *query); /* until the next row; NULL: NULL */
void fed__query_take_digest(struct fed__query *query, struct fed__digest *digest);

/* The next column as the number of a word in the list; FED_E_CORRUPT for another word. (States are
 * kept as words, for people with the sqlite3 shell.) */
int fed__query_take_word(struct fed__query *query, const char *const *words, size_t count);

/* End it; the code of the first failure. run: of a query without rows. */
FED_MUST int fed__query_finish(struct fed__query *query);
FED_MUST int fed__query_run(struct fed__query *query);

#endif
