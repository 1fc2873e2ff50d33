/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_store.c: the table of operations of the SQLite store, and opening it.
 */
#include "store/sqlite_store.h"
#include "base/memory.h"
#include "base/raise.h"
#include "store/sqlite_parts.h"

static struct fed__sqlite_store *whole(struct fed__store *store) {
  return (struct fed__sqlite_store *)store;
}

static void close_store(struct fed__store *store) {
  if (!store) return;
  fed__database_close(fed__database_of(store));
  fed__free(whole(store)->context, store);
}

static int begin(struct fed__store *store) { return fed__database_begin(fed__database_of(store)); }

static int commit(struct fed__store *store, int durable) {
  return fed__database_commit(fed__database_of(store), durable);
}

static void rollback(struct fed__store *store) { fed__database_rollback(fed__database_of(store)); }

static int put_object(struct fed__store *store, struct fed_slice bytes, struct fed__digest *hash) {
  return fed__object_files_put(&whole(store)->objects, bytes, hash);
}

static int get_object(struct fed__store *store, const struct fed__digest *hash,
                      struct fed_buffer *out) {
  return fed__object_files_get(&whole(store)->objects, hash, out);
}

static int find_object_path(struct fed__store *store, const struct fed__digest *hash, char *path,
                            size_t size) {
  return fed__object_files_path(&whole(store)->objects, hash, path, size);
}

static const struct fed__store_ops sqlite_store_ops = {
    .name = "sqlite",
    .close = close_store,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .object_put = put_object,
    .object_get = get_object,
    .object_path = find_object_path,
    .client_put = fed__sqlite_client_put,
    .client_find = fed__sqlite_client_find,
    .client_list = fed__sqlite_client_list,
    .token_put = fed__sqlite_token_put,
    .token_use = fed__sqlite_token_use,
    .token_list = fed__sqlite_token_list,
    .job_put = fed__sqlite_job_put,
    .job_find = fed__sqlite_job_find,
    .job_list = fed__sqlite_job_list,
    .round_put = fed__sqlite_round_put,
    .round_find_open = fed__sqlite_round_find_open,
    .round_list = fed__sqlite_round_list,
    .event_add = fed__sqlite_event_add,
    .event_list = fed__sqlite_event_list,
};

int fed__sqlite_store_open(const struct fed_context *context, const char *folder, int create,
                           struct fed__store **store) {
  *store = NULL;
  struct fed__sqlite_store *opened = fed__zalloc(context, 1, sizeof *opened);
  if (!opened) return FED_E_MEMORY;
  opened->store.ops = &sqlite_store_ops;
  opened->context = context;
  int code = fed__database_open(&opened->database, folder, create);
  if (code != FED_OK) {
    fed__free(context, opened);
    return code;
  }
  code = fed__object_files_init(&opened->objects, folder, create);
  if (code != FED_OK) {
    close_store(&opened->store);
    return code;
  }
  *store = &opened->store;
  return FED_OK;
}
