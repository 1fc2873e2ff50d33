/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_parts.h: what the files of the SQLite store share: its struct, and the operations of
 * round/store.h that are not in sqlite_store.c.
 */
#ifndef FED_STORE_SQLITE_PARTS_H
#define FED_STORE_SQLITE_PARTS_H

#include "round/store.h"
#include "store/object_files.h"
#include "store/sqlite_database.h"

struct fed__sqlite_store {
  struct fed__store store; /* first: a pointer to it is a pointer to the whole */
  const struct fed_context *context;
  struct fed__database database;
  struct fed__object_files objects;
};

static inline struct fed__database *fed__database_of(struct fed__store *store) {
  return &((struct fed__sqlite_store *)store)->database;
}

int fed__sqlite_client_put(struct fed__store *store, const struct fed__client_record *record);
int fed__sqlite_client_find(struct fed__store *store, const char *name,
                            struct fed__client_record *record);
int fed__sqlite_client_list(struct fed__store *store, fed__client_visit_fn *visit, void *data);

int fed__sqlite_token_put(struct fed__store *store, const struct fed__token_record *record);
int fed__sqlite_token_use(struct fed__store *store, const struct fed__digest *secret_hash,
                          int64_t now_ms, struct fed__token_record *record);
int fed__sqlite_token_list(struct fed__store *store, fed__token_visit_fn *visit, void *data);

int fed__sqlite_job_put(struct fed__store *store, const struct fed__job_record *record);
int fed__sqlite_job_find(struct fed__store *store, const char *id, struct fed__job_record *record);
int fed__sqlite_job_list(struct fed__store *store, fed__job_visit_fn *visit, void *data);

int fed__sqlite_round_put(struct fed__store *store, const struct fed__round_record *record,
                          const char *cohort);
int fed__sqlite_round_find_open(struct fed__store *store, const char *job,
                                struct fed__round_record *record, struct fed_buffer *cohort);
int fed__sqlite_round_list(struct fed__store *store, const char *job, fed__round_visit_fn *visit,
                           void *data);

int fed__sqlite_event_add(struct fed__store *store, int64_t time_ms, const char *job,
                          const char *type, const char *body_json, uint64_t *number);
int fed__sqlite_event_list(struct fed__store *store, const char *job, uint64_t after,
                           uint32_t limit, fed__event_visit_fn *visit, void *data);

#endif
