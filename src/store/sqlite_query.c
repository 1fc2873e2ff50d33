/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_query.c: queries of a database, with statements that stay prepared.
 */
#include "base/raise.h"
#include "store/sqlite_database.h"

#include <string.h>

struct fed__query fed__query_prepare(struct fed__database *database, const char *sql) {
  struct fed__query query = {.database = database};
  const int result = sqlite3_prepare_v2(database->handle, sql, -1, &query.statement, NULL);
  if (result != SQLITE_OK) query.code = FED__RAISE_SQLITE(database, result, "cannot be read");
  return query;
}

struct fed__query fed__query_start(struct fed__database *database, const char *sql) {
  for (size_t i = 0; i < database->statement_count; i++)
    if (database->statements[i].sql == sql)
      return (struct fed__query){
          .database = database, .statement = database->statements[i].handle, .kept = 1};
  struct fed__query query = fed__query_prepare(database, sql);
  if (query.code == FED_OK && database->statement_count < FED__STATEMENTS_MAX) {
    database->statements[database->statement_count++] =
        (struct fed__statement){sql, query.statement};
    query.kept = 1;
  }
  return query;
}

static void note_result(struct fed__query *query, int result) {
  if (query->code == FED_OK && result != SQLITE_OK)
    query->code = FED__RAISE_SQLITE(query->database, result, "cannot be asked");
}

void fed__query_give_integer(struct fed__query *query, int64_t value) {
  if (query->code == FED_OK)
    note_result(query, sqlite3_bind_int64(query->statement, ++query->next, value));
}

void fed__query_give_count(struct fed__query *query, uint64_t value) {
  if (query->code == FED_OK && value > INT64_MAX)
    query->code = FED_RAISE(FED_E_RANGE, "store: %llu is above the largest number that can be kept",
                            (unsigned long long)value);
  fed__query_give_integer(query, (int64_t)value);
}

void fed__query_give_text(struct fed__query *query, const char *text) {
  if (query->code == FED_OK)
    note_result(query, sqlite3_bind_text(query->statement, ++query->next, text, -1, SQLITE_STATIC));
}

void fed__query_give_digest(struct fed__query *query, const struct fed__digest *digest) {
  if (query->code == FED_OK)
    note_result(query, sqlite3_bind_blob(query->statement, ++query->next, digest->bytes,
                                         sizeof digest->bytes, SQLITE_STATIC));
}

int fed__query_next_row(struct fed__query *query) {
  if (query->code != FED_OK) return 0;
  if (!sqlite3_stmt_busy(query->statement) &&
      query->next != sqlite3_bind_parameter_count(query->statement)) {
    query->code =
        FED_RAISE(FED_E_INTERNAL, "store: %d of %d parameters were given to: %s", query->next,
                  sqlite3_bind_parameter_count(query->statement), sqlite3_sql(query->statement));
    return 0;
  }
  const int result = sqlite3_step(query->statement);
  query->next = 0;
  if (result == SQLITE_ROW) return 1;
  if (result != SQLITE_DONE)
    query->code = FED__RAISE_SQLITE(query->database, result, "cannot be asked");
  return 0;
}

static int column_is(struct fed__query *query, int type) {
  if (query->code != FED_OK) return 0;
  if (sqlite3_column_type(query->statement, query->next) == type) return 1;
  query->code = FED_RAISE(FED_E_CORRUPT,
                          "store '%s': column %d is not as expected (%s); restore the folder "
                          "from a backup",
                          query->database->path, query->next, sqlite3_sql(query->statement));
  return 0;
}

int64_t fed__query_take_integer(struct fed__query *query) {
  if (!column_is(query, SQLITE_INTEGER)) return 0;
  return sqlite3_column_int64(query->statement, query->next++);
}

const char *fed__query_borrow_text(struct fed__query *query) {
  if (query->code != FED_OK) return NULL;
  if (sqlite3_column_type(query->statement, query->next) == SQLITE_NULL) {
    query->next++;
    return NULL;
  }
  if (!column_is(query, SQLITE_TEXT)) return NULL;
  const char *text = (const char *)sqlite3_column_text(query->statement, query->next++);
  if (!text) query->code = FED__RAISE_SQLITE(query->database, SQLITE_NOMEM, "cannot be read");
  return text;
}

void fed__query_take_text(struct fed__query *query, char *text, size_t size) {
  if (!column_is(query, SQLITE_TEXT)) return;
  const char *found = fed__query_borrow_text(query);
  if (!found) return;
  if (strlen(found) < size)
    memcpy(text, found, strlen(found) + 1);
  else
    query->code = FED_RAISE(FED_E_CORRUPT,
                            "store '%s': a text of %zu bytes, expected less than "
                            "%zu; restore the folder from a backup",
                            query->database->path, strlen(found), size);
}

void fed__query_take_digest(struct fed__query *query, struct fed__digest *digest) {
  if (!column_is(query, SQLITE_BLOB)) return;
  if (sqlite3_column_bytes(query->statement, query->next) != (int)sizeof digest->bytes)
    query->code = FED_RAISE(
        FED_E_CORRUPT, "store '%s': a hash of %d bytes, expected %zu", query->database->path,
        sqlite3_column_bytes(query->statement, query->next), sizeof digest->bytes);
  else
    memcpy(digest->bytes, sqlite3_column_blob(query->statement, query->next++),
           sizeof digest->bytes);
}

int fed__query_take_word(struct fed__query *query, const char *const *words, size_t count) {
  char word[32] = "";
  fed__query_take_text(query, word, sizeof word);
  for (size_t i = 0; query->code == FED_OK && i < count; i++)
    if (strcmp(word, words[i]) == 0) return (int)i;
  if (query->code == FED_OK)
    query->code =
        FED_RAISE(FED_E_CORRUPT, "store '%s': '%s' is not a state", query->database->path, word);
  return 0;
}

int fed__query_finish(struct fed__query *query) {
  if (query->kept) {
    sqlite3_reset(query->statement);
    sqlite3_clear_bindings(query->statement);
  } else {
    sqlite3_finalize(query->statement);
  }
  return query->code;
}

int fed__query_run(struct fed__query *query) {
  if (fed__query_next_row(query))
    query->code =
        FED_RAISE(FED_E_INTERNAL, "store: a row came from: %s", sqlite3_sql(query->statement));
  return fed__query_finish(query);
}
