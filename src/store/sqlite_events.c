/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_events.c: the log of events. An event's number is SQLite's row number: the largest one
 * plus one, taken inside the transaction, so a number that was rolled back is given out again.
 */
#include "base/raise.h"
#include "store/sqlite_parts.h"

static int add_event(struct fed__database *database, int64_t time_ms, const char *job,
                     const char *type, const char *body_json, uint64_t *number) {
  static const char sql[] = "INSERT INTO event (time_ms, job, type, body) VALUES (?, ?, ?, ?)";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_integer(&query, time_ms);
  fed__query_give_text(&query, job);
  fed__query_give_text(&query, type);
  fed__query_give_text(&query, body_json);
  FED_TRY(fed__query_run(&query));
  *number = (uint64_t)sqlite3_last_insert_rowid(database->handle);
  return FED_OK;
}

static int list_events(struct fed__database *database, const char *job, uint64_t after,
                       uint32_t limit, fed__event_visit_fn *visit, void *data) {
  struct fed__query query =
      fed__query_prepare(database, job ? "SELECT number, time_ms, job, type, body FROM event "
                                         "WHERE number > ? AND job = ? ORDER BY number LIMIT ?"
                                       : "SELECT number, time_ms, job, type, body FROM event "
                                         "WHERE number > ? ORDER BY number LIMIT ?");
  fed__query_give_integer(&query, after > INT64_MAX ? INT64_MAX : (int64_t)after);
  if (job) fed__query_give_text(&query, job);
  fed__query_give_integer(&query, limit);
  while (fed__query_next_row(&query)) {
    const uint64_t number = (uint64_t)fed__query_take_integer(&query);
    const int64_t time_ms = fed__query_take_integer(&query);
    const char *of_job = fed__query_borrow_text(&query);
    const char *type = fed__query_borrow_text(&query);
    const char *body = fed__query_borrow_text(&query);
    if (query.code == FED_OK && visit(data, number, time_ms, of_job, type, body)) break;
  }
  return fed__query_finish(&query);
}

int fed__sqlite_event_add(struct fed__store *store, int64_t time_ms, const char *job,
                          const char *type, const char *body_json, uint64_t *number) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database,
                                    add_event(database, time_ms, job, type, body_json, number));
}

int fed__sqlite_event_list(struct fed__store *store, const char *job, uint64_t after,
                           uint32_t limit, fed__event_visit_fn *visit, void *data) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, list_events(database, job, after, limit, visit, data));
}
