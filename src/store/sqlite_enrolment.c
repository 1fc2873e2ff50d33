/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_enrolment.c: clients and the tokens with which they enrol.
 */
#include "base/log.h"
#include "base/raise.h"
#include "store/sqlite_parts.h"

#define CLIENT_COLUMNS                                                                             \
  "name, role, state, fingerprint, serial, enrolled_ms, last_seen_ms, expires_ms"
#define TOKEN_COLUMNS "secret_hash, name, role, created_ms, expires_ms, used_ms"

static const char *const state_words[] = {
    [FED__CLIENT_ACTIVE] = "active", [FED__CLIENT_REVOKED] = "revoked"};
#define STATE_COUNT (sizeof state_words / sizeof state_words[0])

static void take_role(struct fed__query *query, enum fed__role *role) {
  char word[32] = "";
  fed__query_take_text(query, word, sizeof word);
  if (query->code == FED_OK && fed__role_parse(word, role) != FED_OK)
    query->code =
        FED_RAISE(FED_E_CORRUPT, "store '%s': '%s' is not a role", query->database->path, word);
}

/* --- clients --- */

static int put_client(struct fed__database *database, const struct fed__client_record *record) {
  static const char sql[] =
      "INSERT OR REPLACE INTO client (" CLIENT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, record->name);
  fed__query_give_text(&query, fed__role_name(record->role));
  fed__query_give_text(&query, state_words[record->state]);
  fed__query_give_digest(&query, &record->fingerprint);
  fed__query_give_text(&query, record->serial);
  fed__query_give_integer(&query, record->enrolled_ms);
  fed__query_give_integer(&query, record->last_seen_ms);
  fed__query_give_integer(&query, record->expires_ms);
  return fed__query_run(&query);
}

static void take_client(struct fed__query *query, struct fed__client_record *record) {
  *record = (struct fed__client_record){0};
  fed__query_take_text(query, record->name, sizeof record->name);
  take_role(query, &record->role);
  record->state = (enum fed__client_state)fed__query_take_word(query, state_words, STATE_COUNT);
  fed__query_take_digest(query, &record->fingerprint);
  fed__query_take_text(query, record->serial, sizeof record->serial);
  record->enrolled_ms = fed__query_take_integer(query);
  record->last_seen_ms = fed__query_take_integer(query);
  record->expires_ms = fed__query_take_integer(query);
}

static int find_client(struct fed__database *database, const char *name,
                       struct fed__client_record *record) {
  static const char sql[] = "SELECT " CLIENT_COLUMNS " FROM client WHERE name = ?";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_text(&query, name);
  const int found = fed__query_next_row(&query);
  if (found) take_client(&query, record);
  FED_TRY(fed__query_finish(&query));
  return found ? FED_OK : FED_RAISE(FED_E_NOT_FOUND, "there is no client '%s'", name);
}

static int list_clients(struct fed__database *database, fed__client_visit_fn *visit, void *data) {
  struct fed__query query =
      fed__query_prepare(database, "SELECT " CLIENT_COLUMNS " FROM client ORDER BY name");
  struct fed__client_record record;
  while (fed__query_next_row(&query)) {
    take_client(&query, &record);
    if (query.code == FED_OK && visit(data, &record)) break;
  }
  return fed__query_finish(&query);
}

int fed__sqlite_client_put(struct fed__store *store, const struct fed__client_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, put_client(database, record));
}

int fed__sqlite_client_find(struct fed__store *store, const char *name,
                            struct fed__client_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, find_client(database, name, record));
}

int fed__sqlite_client_list(struct fed__store *store, fed__client_visit_fn *visit, void *data) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, list_clients(database, visit, data));
}

/* --- tokens --- */

static int put_token(struct fed__database *database, const struct fed__token_record *record) {
  static const char sql[] =
      "INSERT OR REPLACE INTO token (" TOKEN_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_digest(&query, &record->secret_hash);
  fed__query_give_text(&query, record->name);
  fed__query_give_text(&query, fed__role_name(record->role));
  fed__query_give_integer(&query, record->created_ms);
  fed__query_give_integer(&query, record->expires_ms);
  fed__query_give_integer(&query, record->used_ms);
  return fed__query_run(&query);
}

static void take_token(struct fed__query *query, struct fed__token_record *record) {
  *record = (struct fed__token_record){0};
  fed__query_take_digest(query, &record->secret_hash);
  fed__query_take_text(query, record->name, sizeof record->name);
  take_role(query, &record->role);
  record->created_ms = fed__query_take_integer(query);
  record->expires_ms = fed__query_take_integer(query);
  record->used_ms = fed__query_take_integer(query);
}

static int find_token(struct fed__database *database, const struct fed__digest *secret_hash,
                      struct fed__token_record *record) {
  static const char sql[] = "SELECT " TOKEN_COLUMNS " FROM token WHERE secret_hash = ?";
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_digest(&query, secret_hash);
  const int found = fed__query_next_row(&query);
  if (found) take_token(&query, record);
  FED_TRY(fed__query_finish(&query));
  return found ? FED_OK
               : FED_RAISE(FED_E_TOKEN, "this enrolment token is not known here: copy it whole, "
                                        "or ask the operator for a new one");
}

static int check_token(const struct fed__token_record *record, int64_t now_ms) {
  char when[32];
  if (record->used_ms) {
    fed__format_time(record->used_ms, when);
    return FED_RAISE(FED_E_TOKEN,
                     "the enrolment token for '%s' was used before, at %s: ask the operator for a "
                     "new one",
                     record->name, when);
  }
  if (now_ms < record->expires_ms) return FED_OK;
  fed__format_time(record->expires_ms, when);
  return FED_RAISE(FED_E_TOKEN,
                   "the enrolment token for '%s' expired at %s: ask the operator for a new one",
                   record->name, when);
}

/* The transaction around it lets no other thread or program in between reading and marking. */
static int use_token(struct fed__database *database, const struct fed__digest *secret_hash,
                     int64_t now_ms, struct fed__token_record *record) {
  static const char sql[] = "UPDATE token SET used_ms = ? WHERE secret_hash = ?";
  if (now_ms <= 0)
    return FED_RAISE(FED_E_USAGE,
                     "a token cannot be used at time %lld: expected milliseconds "
                     "since 1970",
                     (long long)now_ms);
  FED_TRY(find_token(database, secret_hash, record));
  FED_TRY(check_token(record, now_ms));
  struct fed__query query = fed__query_start(database, sql);
  fed__query_give_integer(&query, now_ms);
  fed__query_give_digest(&query, secret_hash);
  record->used_ms = now_ms;
  return fed__query_run(&query);
}

static int list_tokens(struct fed__database *database, fed__token_visit_fn *visit, void *data) {
  struct fed__query query = fed__query_prepare(
      database, "SELECT " TOKEN_COLUMNS " FROM token ORDER BY created_ms, secret_hash");
  struct fed__token_record record;
  while (fed__query_next_row(&query)) {
    take_token(&query, &record);
    if (query.code == FED_OK && visit(data, &record)) break;
  }
  return fed__query_finish(&query);
}

int fed__sqlite_token_put(struct fed__store *store, const struct fed__token_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, put_token(database, record));
}

int fed__sqlite_token_use(struct fed__store *store, const struct fed__digest *secret_hash,
                          int64_t now_ms, struct fed__token_record *record) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter_change(database));
  return fed__database_leave_change(database, use_token(database, secret_hash, now_ms, record));
}

int fed__sqlite_token_list(struct fed__store *store, fed__token_visit_fn *visit, void *data) {
  struct fed__database *database = fed__database_of(store);
  FED_TRY(fed__database_enter(database));
  return fed__database_leave(database, list_tokens(database, visit, data));
}
