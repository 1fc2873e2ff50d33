/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_jobs.c: jobs and their rounds.
 */
#include "base/raise.h"
#include "store/sqlite_parts.h"

#define JOB_COLUMNS                                                                                \
  "id, name, state, reason, plan, graph, parameters, version, created_ms, finished_ms, approval, " \
  "signer, server_state"
#define ROUND_COLUMNS "job, round, attempt, state, parameters, started_ms, finished_ms"

static const char *const job_words[] = {[FED__JOB_RUNNING] = "running",
                                        [FED__JOB_DONE] = "done",
                                        [FED__JOB_STOPPED] = "stopped",
                                        [FED__JOB_FAILED] = "failed"};
static const char *const round_words[] = {[FED__ROUND_OPEN] = "open",
                                          [FED__ROUND_COMMITTED] = "committed",
                                          [FED__ROUND_FAILED] = "failed",
                                          [FED__ROUND_VOID] = "void"};
#define JOB_WORD_COUNT (sizeof job_words / sizeof job_words[0])
#define ROUND_WORD_COUNT (sizeof round_words / sizeof round_words[0])

/* --- jobs --- */

static int put_job(struct fed__database *database, const struct fed__job_record *record) {
  /* Not INSERT OR REPLACE: that would delete the row that rounds refer to. */
  static const char sql[] =
      "INSERT INTO job (" JOB_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state,"
      " reason = excluded.reason, plan = excluded.plan, graph = excluded.graph,"
      " parameters = excluded.parameters, version = excluded.version,"
      " created_ms = excluded.created_ms, finished_ms = excluded.finished_ms,"
      " approval = excluded.approval, signer = excluded.signer,"
      " server_state = excluded.server_state";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, record->id);
  fed__query_give_text(&query, record->name);
  fed__query_give_text(&query, job_words[record->state]);
  fed__query_give_text(&query, record->reason);
  fed__query_give_digest(&query, &record->plan);
  fed__query_give_digest(&query, &record->graph);
  fed__query_give_digest(&query, &record->parameters);
  fed__query_give_count(&query, record->version);
  fed__query_give_integer(&query, record->created_ms);
  fed__query_give_integer(&query, record->finished_ms);
  fed__query_give_digest(&query, &record->approval);
  fed__query_give_text(&query, record->signer);
  fed__query_give_digest(&query, &record->server_state);
  return fed__query_run(&query);
}

static void take_job(struct fed__query *query, struct fed__job_record *record) {
  *record = (struct fed__job_record){0};
  fed__query_take_text(query, record->id, sizeof record->id);
  fed__query_take_text(query, record->name, sizeof record->name);
  record->state = (enum fed__job_state)fed__query_take_word(query, job_words, JOB_WORD_COUNT);
  fed__query_take_text(query, record->reason, sizeof record->reason);
  fed__query_take_digest(query, &record->plan);
  fed__query_take_digest(query, &record->graph);
  fed__query_take_digest(query, &record->parameters);
  record->version = (uint64_t)fed__query_take_integer(query);
  record->created_ms = fed__query_take_integer(query);
  record->finished_ms = fed__query_take_integer(query);
  fed__query_take_digest(query, &record->approval);
  fed__query_take_text(query, record->signer, sizeof record->signer);
  fed__query_take_digest(query, &record->server_state);
}

static int find_job(struct fed__database *database, const char *id,
                    struct fed__job_record *record) {
  static const char sql[] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, id);
  const int found = fed__query_next_row(&query);
  if (found) take_job(&query, record);
  FED_TRY(fed__query_finish(&query));
  return found ? FED_OK : FED_RAISE(FED_E_NOT_FOUND, "there is no job '%s'", id);
}

static int list_jobs(struct fed__database *database, fed__job_visit_fn *visit, void *data) {
  struct fed__query query =
      fed__query_prepare(database, "SELECT " JOB_COLUMNS " FROM job ORDER BY created_ms, rowid");
  struct fed__job_record record;
  while (fed__query_next_row(&query)) {
    take_job(&query, &record);
    if (query.code == FED_OK && visit(data, &record)) break;
  }
  return fed__query_finish(&query);
}

int fed__sqlite_job_put(struct fed__store *store, const struct fed__job_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, put_job(database, record));
}

int fed__sqlite_job_find(struct fed__store *store, const char *id, struct fed__job_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, find_job(database, id, record));
}

int fed__sqlite_job_list(struct fed__store *store, fed__job_visit_fn *visit, void *data) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, list_jobs(database, visit, data));
}

/* --- rounds --- */

static int put_round(struct fed__database *database, const struct fed__round_record *record,
                     const char *cohort) {
  static const char sql[] =
      "INSERT INTO round (" ROUND_COLUMNS ", cohort) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (job, round, attempt) DO UPDATE SET state = excluded.state,"
      " parameters = excluded.parameters, started_ms = excluded.started_ms,"
      " finished_ms = excluded.finished_ms, cohort = coalesce(excluded.cohort, cohort)";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, record->job);
  fed__query_give_count(&query, record->round);
  fed__query_give_integer(&query, record->attempt);
  fed__query_give_text(&query, round_words[record->state]);
  fed__query_give_digest(&query, &record->parameters);
  fed__query_give_integer(&query, record->started_ms);
  fed__query_give_integer(&query, record->finished_ms);
  fed__query_give_text(&query, cohort);
  return fed__query_run(&query);
}

static void take_round(struct fed__query *query, struct fed__round_record *record) {
  *record = (struct fed__round_record){0};
  fed__query_take_text(query, record->job, sizeof record->job);
  record->round = (uint64_t)fed__query_take_integer(query);
  record->attempt = (uint32_t)fed__query_take_integer(query);
  record->state =
      (enum fed__round_state_kind)fed__query_take_word(query, round_words, ROUND_WORD_COUNT);
  fed__query_take_digest(query, &record->parameters);
  record->started_ms = fed__query_take_integer(query);
  record->finished_ms = fed__query_take_integer(query);
}

static void take_cohort(struct fed__query *query, struct fed_buffer *cohort) {
  const char *text = fed__query_borrow_text(query);
  if (text && query->code == FED_OK) query->code = fed_buffer_append(cohort, text, strlen(text));
}

static int find_open_round(struct fed__database *database, const char *job,
                           struct fed__round_record *record, struct fed_buffer *cohort) {
  static const char sql[] = "SELECT " ROUND_COLUMNS ", cohort FROM round WHERE job = ? "
                            "AND state = 'open' ORDER BY round DESC, attempt DESC LIMIT 1";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, job);
  const int found = fed__query_next_row(&query);
  if (found) {
    take_round(&query, record);
    take_cohort(&query, cohort);
  }
  FED_TRY(fed__query_finish(&query));
  return found ? FED_OK : FED_RAISE(FED_E_NOT_FOUND, "job '%s' has no open round", job);
}

static int list_rounds(struct fed__database *database, const char *job, fed__round_visit_fn *visit,
                       void *data) {
  struct fed__query query = fed__query_prepare(database, "SELECT " ROUND_COLUMNS " FROM round "
                                                         "WHERE job = ? ORDER BY round, attempt");
  struct fed__round_record record;
  fed__query_give_text(&query, job);
  while (fed__query_next_row(&query)) {
    take_round(&query, &record);
    if (query.code == FED_OK && visit(data, &record)) break;
  }
  return fed__query_finish(&query);
}

int fed__sqlite_round_put(struct fed__store *store, const struct fed__round_record *record,
                          const char *cohort) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, put_round(database, record, cohort));
}

int fed__sqlite_round_find_open(struct fed__store *store, const char *job,
                                struct fed__round_record *record, struct fed_buffer *cohort) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, find_open_round(database, job, record, cohort));
}

int fed__sqlite_round_list(struct fed__store *store, const char *job, fed__round_visit_fn *visit,
                           void *data) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, list_rounds(database, job, visit, data));
}
