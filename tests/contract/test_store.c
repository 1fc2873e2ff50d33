/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store.c: what every store of round/store.h must do. A new store adds a row to `kinds`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "store/sqlite_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct kind {
  const char *name;
  int (*open)(const struct fed_context *context, const char *folder, int create,
              struct fed__store **store);
};

static const struct kind kinds[] = {{"sqlite", fed__sqlite_store_open}};

struct fixture {
  const struct kind *kind;
  struct fed_context context;
  char folder[64];
  struct fed__store *store;
};

static void reopen(struct fixture *fixture) {
  if (fixture->store) fixture->store->ops->close(fixture->store);
  assert_int_equal(fixture->kind->open(&fixture->context, fixture->folder, 1, &fixture->store),
                   FED_OK);
}

static int set_up(void **state) {
  struct fixture *fixture = test_calloc(1, sizeof *fixture);
  fixture->kind = *state;
  fed_context_init(&fixture->context);
  snprintf(fixture->folder, sizeof fixture->folder, "/tmp/fed-store-XXXXXX");
  assert_non_null(mkdtemp(fixture->folder));
  reopen(fixture);
  *state = fixture;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *fixture = *state;
  fixture->store->ops->close(fixture->store);
  assert_int_equal(fed__folder_remove(fixture->folder), FED_OK);
  test_free(fixture);
  return 0;
}

#define STORE(state) (((struct fixture *)*(state))->store)

static void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

/* --- records to put, each field different --- */

static struct fed__digest digest_of(uint8_t byte) {
  struct fed__digest digest;
  memset(digest.bytes, byte, sizeof digest.bytes);
  digest.bytes[0] = 0; /* a zero byte must not end it */
  return digest;
}

static struct fed__client_record some_client(const char *name) {
  struct fed__client_record record = {.role = FED__ROLE_OPERATOR,
                                      .state = FED__CLIENT_REVOKED,
                                      .fingerprint = digest_of(7),
                                      .serial = "0123456789abcdef0123456789abcdef01234567",
                                      .enrolled_ms = 1,
                                      .last_seen_ms = 2,
                                      .expires_ms = INT64_MAX};
  snprintf(record.name, sizeof record.name, "%s", name);
  return record;
}

static struct fed__token_record some_token(uint8_t secret) {
  return (struct fed__token_record){.secret_hash = digest_of(secret),
                                    .name = "site-1",
                                    .role = FED__ROLE_AGENT,
                                    .created_ms = 1000,
                                    .expires_ms = 2000};
}

static struct fed__job_record some_job(const char *id, int64_t created_ms) {
  struct fed__job_record record = {.name = "digits, \"quoted\" and 'so'; DROP TABLE job;--",
                                   .state = FED__JOB_STOPPED,
                                   .reason = "the operator said so",
                                   .plan = digest_of(1),
                                   .graph = digest_of(2),
                                   .parameters = digest_of(3),
                                   .version = INT64_MAX,
                                   .created_ms = created_ms,
                                   .finished_ms = 9};
  snprintf(record.id, sizeof record.id, "%s", id);
  return record;
}

static struct fed__round_record some_round(const char *job, uint64_t round, uint32_t attempt,
                                           enum fed__round_state_kind state) {
  struct fed__round_record record = {.round = round,
                                     .attempt = attempt,
                                     .state = state,
                                     .parameters = digest_of(4),
                                     .started_ms = 5,
                                     .finished_ms = 6};
  snprintf(record.job, sizeof record.job, "%s", job);
  return record;
}

static int count_job(void *data, const struct fed__job_record *record) {
  (void)record;
  ++*(int *)data;
  return 0;
}

static int job_count(struct fed__store *store) {
  int count = 0;
  assert_int_equal(store->ops->job_list(store, count_job, &count), FED_OK);
  return count;
}

static uint64_t add_event(struct fed__store *store, const char *job, const char *body) {
  uint64_t number = 0;
  assert_int_equal(store->ops->event_add(store, 77, job, "round.opened", body, &number), FED_OK);
  return number;
}

/* --- objects --- */

static void objects_come_back_by_their_hash(void **state) {
  struct fed__store *store = STORE(state);
  struct fed__digest hash, again;
  struct fed_buffer out;
  char hex[FED__DIGEST_HEX_SIZE];
  fed_buffer_init(&out, &((struct fixture *)*state)->context, 1 << 20);
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("abc"), &hash), FED_OK);
  fed__digest_encode(&hash, hex); /* FIPS 180-4, the SHA-256 example of one block */
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("abc"), &again), FED_OK);
  assert_memory_equal(&hash, &again, sizeof hash);
  reopen(*state);
  store = STORE(state);
  assert_int_equal(fed_buffer_append(&out, "x", 1), FED_OK);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_OK);
  assert_int_equal(out.size, 4);
  assert_memory_equal(out.data, "xabc", 4);
  fed_buffer_clear(&out);
}

static void empty_and_large_objects_are_kept(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed_context *context = &((struct fixture *)*state)->context;
  static uint8_t bytes[3000000];
  struct fed__digest hash;
  struct fed_buffer out;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31 >> 3);
  fed_buffer_init(&out, context, sizeof bytes);
  assert_int_equal(store->ops->object_put(store, fed_slice_of("", 0), &hash), FED_OK);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_OK);
  assert_int_equal(out.size, 0);
  assert_int_equal(store->ops->object_put(store, fed_slice_of(bytes, sizeof bytes), &hash), FED_OK);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_OK);
  assert_int_equal(out.size, sizeof bytes);
  assert_memory_equal(out.data, bytes, sizeof bytes);
  fed_buffer_clear(&out);
}

static void an_object_that_is_missing_is_not_found(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__digest hash = digest_of(9);
  struct fed_buffer out;
  char path[FED__PATH_MAX];
  fed_buffer_init(&out, &((struct fixture *)*state)->context, 100);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_E_NOT_FOUND);
  const int code = store->ops->object_path(store, &hash, path, sizeof path);
  assert_true(code == FED_E_NOT_FOUND || code == FED_E_UNSUPPORTED);
  fed_buffer_clear(&out);
}

static void an_object_larger_than_the_buffer_leaves_it_alone(void **state) {
  struct fed__store *store = STORE(state);
  struct fed__digest hash;
  struct fed_buffer out;
  fed_buffer_init(&out, &((struct fixture *)*state)->context, 3);
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("abcd"), &hash), FED_OK);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_E_TOO_LARGE);
  assert_int_equal(out.size, 0);
  fed_buffer_clear(&out);
}

static void a_damaged_object_is_noticed_and_can_be_put_again(void **state) {
  struct fed__store *store = STORE(state);
  struct fed__digest hash;
  struct fed_buffer out;
  char path[FED__PATH_MAX];
  fed_buffer_init(&out, &((struct fixture *)*state)->context, 100);
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("weights"), &hash), FED_OK);
  if (store->ops->object_path(store, &hash, path, sizeof path) == FED_E_UNSUPPORTED) skip();
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  fputc('W', file);
  fclose(file);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_E_CORRUPT);
  assert_int_equal(out.size, 0);
  assert_message_has(path);
  assert_int_equal(store->ops->object_put(store, fed_slice_of_text("weights"), &hash), FED_OK);
  assert_int_equal(store->ops->object_get(store, &hash, &out), FED_OK);
  fed_buffer_clear(&out);
}

/* --- records --- */

struct names {
  char text[256];
  int stop_after;
};

static int note_name(struct names *names, const char *name) {
  snprintf(names->text + strlen(names->text), sizeof names->text - strlen(names->text), "%s ",
           name);
  return --names->stop_after == 0;
}

static int note_client(void *data, const struct fed__client_record *record) {
  return note_name(data, record->name);
}

static int note_job(void *data, const struct fed__job_record *record) {
  return note_name(data, record->id);
}

static int note_round(void *data, const struct fed__round_record *record) {
  char text[96];
  snprintf(text, sizeof text, "%s/%d.%d", record->job, (int)record->round, (int)record->attempt);
  return note_name(data, text);
}

static void clients_come_back_whole(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__client_record put =
      some_client("a-name-of-64-characters-........................................");
  struct fed__client_record found;
  assert_int_equal(strlen(put.name), 64);
  assert_int_equal(store->ops->client_put(store, &put), FED_OK);
  reopen(*state);
  store = STORE(state);
  assert_int_equal(store->ops->client_find(store, put.name, &found), FED_OK);
  assert_memory_equal(&found, &put, sizeof put);
  assert_int_equal(store->ops->client_find(store, "nobody", &found), FED_E_NOT_FOUND);
  assert_message_has("nobody");
}

static void a_client_put_again_is_replaced(void **state) {
  struct fed__store *store = STORE(state);
  struct fed__client_record record = some_client("site-1"), found;
  struct names names = {"", 0};
  assert_int_equal(store->ops->client_put(store, &record), FED_OK);
  record.state = FED__CLIENT_ACTIVE;
  record.role = FED__ROLE_AGENT;
  record.last_seen_ms = 99;
  assert_int_equal(store->ops->client_put(store, &record), FED_OK);
  assert_int_equal(store->ops->client_find(store, "site-1", &found), FED_OK);
  assert_memory_equal(&found, &record, sizeof record);
  assert_int_equal(store->ops->client_list(store, note_client, &names), FED_OK);
  assert_string_equal(names.text, "site-1 ");
}

static void a_visitor_can_stop_a_listing(void **state) {
  struct fed__store *store = STORE(state);
  struct names all = {"", 0}, two = {"", 2};
  static const char *const put[] = {"c", "a", "d", "b"};
  for (size_t i = 0; i < 4; i++) {
    const struct fed__client_record record = some_client(put[i]);
    assert_int_equal(store->ops->client_put(store, &record), FED_OK);
  }
  assert_int_equal(store->ops->client_list(store, note_client, &all), FED_OK);
  assert_string_equal(all.text, "a b c d ");
  assert_int_equal(store->ops->client_list(store, note_client, &two), FED_OK);
  assert_string_equal(two.text, "a b ");
}

static void jobs_come_back_whole_oldest_first(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record late = some_job("a-late", 200), early = some_job("z-early", 100);
  struct fed__job_record found, changed = late;
  struct names names = {"", 0};
  assert_int_equal(store->ops->job_put(store, &late), FED_OK);
  assert_int_equal(store->ops->job_put(store, &early), FED_OK);
  assert_int_equal(store->ops->job_find(store, "a-late", &found), FED_OK);
  assert_memory_equal(&found, &late, sizeof late);
  changed.version = 3;
  changed.state = FED__JOB_FAILED;
  assert_int_equal(store->ops->job_put(store, &changed), FED_OK);
  assert_int_equal(store->ops->job_find(store, "a-late", &found), FED_OK);
  assert_memory_equal(&found, &changed, sizeof changed);
  assert_int_equal(store->ops->job_list(store, note_job, &names), FED_OK);
  assert_string_equal(names.text, "z-early a-late ");
  assert_int_equal(store->ops->job_find(store, "none", &found), FED_E_NOT_FOUND);
  changed.version = (uint64_t)INT64_MAX + 1;
  assert_int_equal(store->ops->job_put(store, &changed), FED_E_RANGE);
}

static void rounds_keep_their_cohort(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record job = some_job("j", 1), other = some_job("k", 2);
  struct fed__round_record round = some_round("j", 4, 2, FED__ROUND_OPEN), found;
  struct fed_buffer cohort;
  fed_buffer_init(&cohort, &((struct fixture *)*state)->context, 1000);
  assert_int_equal(store->ops->round_put(store, &round, "[]"), FED_E_NOT_FOUND); /* no job */
  assert_int_equal(store->ops->job_put(store, &job), FED_OK);
  assert_int_equal(store->ops->job_put(store, &other), FED_OK);
  assert_int_equal(store->ops->round_find_open(store, "j", &found, &cohort), FED_E_NOT_FOUND);
  assert_int_equal(store->ops->round_put(store, &round, "[\"site-1\",\"site-2\"]"), FED_OK);
  round.started_ms = 55;
  assert_int_equal(store->ops->round_put(store, &round, NULL), FED_OK);
  assert_int_equal(store->ops->job_put(store, &job), FED_OK); /* does not touch its rounds */
  reopen(*state);
  store = STORE(state);
  assert_int_equal(store->ops->round_find_open(store, "k", &found, &cohort), FED_E_NOT_FOUND);
  assert_int_equal(store->ops->round_find_open(store, "j", &found, &cohort), FED_OK);
  assert_memory_equal(&found, &round, sizeof round);
  assert_string_equal(fed_buffer_text(&cohort), "[\"site-1\",\"site-2\"]");
  round.state = FED__ROUND_VOID;
  assert_int_equal(store->ops->round_put(store, &round, NULL), FED_OK);
  assert_int_equal(store->ops->round_find_open(store, "j", &found, &cohort), FED_E_NOT_FOUND);
  fed_buffer_clear(&cohort);
}

static void rounds_are_listed_in_order(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record job = some_job("j", 1), other = some_job("k", 2);
  const struct fed__round_record put[] = {
      some_round("j", 10, 1, FED__ROUND_COMMITTED), some_round("j", 2, 2, FED__ROUND_FAILED),
      some_round("k", 3, 1, FED__ROUND_OPEN), some_round("j", 2, 1, FED__ROUND_VOID)};
  struct names names = {"", 0};
  assert_int_equal(store->ops->job_put(store, &job), FED_OK);
  assert_int_equal(store->ops->job_put(store, &other), FED_OK);
  for (size_t i = 0; i < sizeof put / sizeof put[0]; i++)
    assert_int_equal(store->ops->round_put(store, &put[i], "[]"), FED_OK);
  assert_int_equal(store->ops->round_list(store, "j", note_round, &names), FED_OK);
  assert_string_equal(names.text, "j/2.1 j/2.2 j/10.1 ");
}

/* --- tokens --- */

static int note_token(void *data, const struct fed__token_record *record) {
  *(struct fed__token_record *)data = *record;
  return 0;
}

static void a_token_is_used_once(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__token_record put = some_token(1);
  struct fed__token_record used, listed;
  assert_int_equal(store->ops->token_put(store, &put), FED_OK);
  assert_int_equal(store->ops->token_list(store, note_token, &listed), FED_OK);
  assert_memory_equal(&listed, &put, sizeof put);
  assert_int_equal(store->ops->token_use(store, &put.secret_hash, 1999, &used), FED_OK);
  assert_string_equal(used.name, "site-1");
  assert_int_equal(used.role, FED__ROLE_AGENT);
  assert_int_equal(used.used_ms, 1999);
  reopen(*state);
  store = STORE(state);
  assert_int_equal(store->ops->token_use(store, &put.secret_hash, 1999, &used), FED_E_TOKEN);
  assert_message_has("1970-01-01T00:00:01.999Z");
  assert_int_equal(store->ops->token_list(store, note_token, &listed), FED_OK);
  assert_int_equal(listed.used_ms, 1999);
}

static void an_unknown_or_late_token_is_refused(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__token_record put = some_token(1);
  const struct fed__digest unknown = digest_of(2);
  struct fed__token_record used;
  assert_int_equal(store->ops->token_put(store, &put), FED_OK);
  assert_int_equal(store->ops->token_use(store, &unknown, 1500, &used), FED_E_TOKEN);
  assert_int_equal(store->ops->token_use(store, &put.secret_hash, 2000, &used), FED_E_TOKEN);
  assert_message_has("1970-01-01T00:00:02.000Z");
  assert_int_equal(store->ops->token_use(store, &put.secret_hash, 0, &used), FED_E_USAGE);
  assert_int_equal(store->ops->token_use(store, &put.secret_hash, 1500, &used), FED_OK);
}

#define RACERS 4

struct racer {
  struct fed__store *store;
  pthread_barrier_t *barrier;
  int code;
};

static void *race_for_token(void *data) {
  struct racer *racer = data;
  const struct fed__digest secret = digest_of(1);
  struct fed__token_record used;
  pthread_barrier_wait(racer->barrier);
  racer->code = racer->store->ops->token_use(racer->store, &secret, 1500, &used);
  return NULL;
}

static void run_race(struct fed__store *const stores[RACERS]) {
  struct racer racers[RACERS];
  pthread_t threads[RACERS];
  pthread_barrier_t barrier;
  int winners = 0;
  const struct fed__token_record token = some_token(1);
  assert_int_equal(stores[0]->ops->token_put(stores[0], &token), FED_OK);
  pthread_barrier_init(&barrier, NULL, RACERS);
  for (int i = 0; i < RACERS; i++) {
    racers[i] = (struct racer){stores[i], &barrier, -1};
    assert_int_equal(pthread_create(&threads[i], NULL, race_for_token, &racers[i]), 0);
  }
  for (int i = 0; i < RACERS; i++) {
    pthread_join(threads[i], NULL);
    winners += racers[i].code == FED_OK;
    assert_true(racers[i].code == FED_OK || racers[i].code == FED_E_TOKEN);
  }
  pthread_barrier_destroy(&barrier);
  assert_int_equal(winners, 1);
}

static void of_threads_racing_for_a_token_one_wins(void **state) {
  struct fed__store *const stores[RACERS] = {STORE(state), STORE(state), STORE(state),
                                             STORE(state)};
  for (int i = 0; i < 20; i++) run_race(stores);
}

static void of_servers_racing_for_a_token_one_wins(void **state) {
  struct fixture *fixture = *state;
  struct fed__store *stores[RACERS];
  for (int i = 0; i < RACERS; i++)
    assert_int_equal(fixture->kind->open(&fixture->context, fixture->folder, 0, &stores[i]),
                     FED_OK);
  for (int i = 0; i < 10; i++) run_race(stores);
  for (int i = 0; i < RACERS; i++) stores[i]->ops->close(stores[i]);
}

/* --- transactions and events --- */

static void what_is_rolled_back_never_was(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record kept = some_job("kept", 1), dropped = some_job("dropped", 2);
  const struct fed__token_record token = some_token(1);
  struct fed__token_record used;
  struct fed__job_record found;
  assert_int_equal(store->ops->token_put(store, &token), FED_OK);
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(store->ops->job_put(store, &kept), FED_OK);
  assert_int_equal(store->ops->commit(store, 0), FED_OK);
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(store->ops->job_put(store, &dropped), FED_OK);
  assert_int_equal(store->ops->token_use(store, &token.secret_hash, 1500, &used), FED_OK);
  assert_int_equal(store->ops->job_find(store, "dropped", &found), FED_OK); /* sees its own */
  store->ops->rollback(store);
  assert_int_equal(store->ops->job_find(store, "dropped", &found), FED_E_NOT_FOUND);
  assert_int_equal(store->ops->job_find(store, "kept", &found), FED_OK);
  assert_int_equal(store->ops->token_use(store, &token.secret_hash, 1500, &used), FED_OK);
}

static void an_unfinished_transaction_ends_with_the_store(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record job = some_job("j", 1);
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(store->ops->job_put(store, &job), FED_OK);
  reopen(*state);
  assert_int_equal(job_count(STORE(state)), 0);
}

static void a_failed_call_leaves_the_transaction_usable(void **state) {
  struct fed__store *store = STORE(state);
  const struct fed__job_record job = some_job("j", 1);
  const struct fed__round_record lost = some_round("nowhere", 1, 1, FED__ROUND_OPEN);
  struct fed__job_record found;
  uint64_t number;
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(store->ops->job_put(store, &job), FED_OK);
  assert_int_equal(store->ops->round_put(store, &lost, "[]"), FED_E_NOT_FOUND);
  assert_int_equal(store->ops->event_add(store, 1, "j", "t", "{not json", &number), FED_E_INPUT);
  assert_int_equal(store->ops->job_find(store, "none", &found), FED_E_NOT_FOUND);
  assert_int_equal(store->ops->commit(store, 1), FED_OK);
  assert_int_equal(store->ops->job_find(store, "j", &found), FED_OK);
}

static void wrong_order_of_calls_is_refused(void **state) {
  struct fed__store *store = STORE(state);
  assert_int_equal(store->ops->commit(store, 1), FED_E_USAGE);
  store->ops->rollback(store); /* nothing to do */
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(store->ops->begin(store), FED_E_USAGE);
  assert_int_equal(store->ops->commit(store, 1), FED_OK);
  assert_int_equal(store->ops->begin(store), FED_OK);
  store->ops->rollback(store);
}

static void event_numbers_have_no_gaps(void **state) {
  struct fed__store *store = STORE(state);
  assert_int_equal(add_event(store, "j", "{}"), 1);
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(add_event(store, NULL, "{}"), 2);
  assert_int_equal(add_event(store, "j", "{}"), 3);
  store->ops->rollback(store);
  assert_int_equal(add_event(store, "j", "{}"), 2);
  reopen(*state);
  store = STORE(state);
  assert_int_equal(store->ops->begin(store), FED_OK);
  assert_int_equal(add_event(store, "j", "{}"), 3);
  store->ops->rollback(store);
  reopen(*state);
  assert_int_equal(add_event(STORE(state), "j", "{}"), 3);
}

static int note_event(void *data, uint64_t number, int64_t time_ms, const char *job,
                      const char *type, const char *body_json) {
  char text[128];
  snprintf(text, sizeof text, "%d:%d:%s:%s:%s", (int)number, (int)time_ms, job ? job : "-", type,
           body_json);
  return note_name(data, text);
}

static void events_are_listed_from_a_number_on(void **state) {
  struct fed__store *store = STORE(state);
  struct names all = {"", 0}, of_job = {"", 0}, two = {"", 0}, none = {"", 0};
  add_event(store, "j", "1");
  add_event(store, "k", "2");
  add_event(store, NULL, "{\"a\":\"\\u00e9\"}");
  add_event(store, "j", "4");
  assert_int_equal(store->ops->event_list(store, NULL, 1, 100, note_event, &all), FED_OK);
  assert_string_equal(all.text, "2:77:k:round.opened:2 "
                                "3:77:-:round.opened:{\"a\":\"\\u00e9\"} 4:77:j:round.opened:4 ");
  assert_int_equal(store->ops->event_list(store, "j", 0, 100, note_event, &of_job), FED_OK);
  assert_string_equal(of_job.text, "1:77:j:round.opened:1 4:77:j:round.opened:4 ");
  assert_int_equal(store->ops->event_list(store, NULL, 0, 2, note_event, &two), FED_OK);
  assert_string_equal(two.text, "1:77:j:round.opened:1 2:77:k:round.opened:2 ");
  assert_int_equal(store->ops->event_list(store, NULL, UINT64_MAX, 2, note_event, &none), FED_OK);
  assert_string_equal(none.text, "");
}

/* --- threads and programs --- */

#define WRITERS 3
#define TRANSACTIONS 30

struct writer {
  struct fed__store *store;
  const char *name;
  int failures;
};

/* Each transaction adds two events; a reader must never see one without the other. */
static void *write_pairs(void *data) {
  struct writer *writer = data;
  const struct fed__store_ops *ops = writer->store->ops;
  uint64_t first, second;
  for (int i = 0; i < TRANSACTIONS; i++) {
    if (ops->begin(writer->store) != FED_OK) {
      writer->failures++;
      continue;
    }
    int bad = ops->event_add(writer->store, 1, writer->name, "a", "1", &first) != FED_OK ||
              ops->event_add(writer->store, 1, writer->name, "b", "2", &second) != FED_OK ||
              second != first + 1;
    if (ops->commit(writer->store, 0) != FED_OK) bad = 1;
    if (bad) ops->rollback(writer->store);
    writer->failures += bad;
  }
  return NULL;
}

static int check_next_event(void *data, uint64_t number, int64_t time_ms, const char *job,
                            const char *type, const char *body_json) {
  (void)time_ms, (void)job, (void)type, (void)body_json;
  uint64_t *last = data;
  if (number != *last + 1) return 1;
  *last = number;
  return 0;
}

static void *read_pairs(void *data) {
  struct writer *reader = data;
  for (uint64_t last = 0; last < WRITERS * TRANSACTIONS * 2;) {
    const uint64_t before = last;
    if (reader->store->ops->event_list(reader->store, NULL, last, 1000, check_next_event, &last) !=
            FED_OK ||
        last % 2 != 0)
      reader->failures++;
    if (reader->failures) break;
    if (last == before) usleep(200);
  }
  return NULL;
}

static void run_writers_and_reader(struct fed__store *const stores[WRITERS + 1]) {
  static const char *const names[] = {"w0", "w1", "w2", "r"};
  struct writer parties[WRITERS + 1];
  pthread_t threads[WRITERS + 1];
  for (int i = 0; i <= WRITERS; i++) {
    parties[i] = (struct writer){stores[i], names[i], 0};
    assert_int_equal(
        pthread_create(&threads[i], NULL, i < WRITERS ? write_pairs : read_pairs, &parties[i]), 0);
  }
  for (int i = 0; i <= WRITERS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i <= WRITERS; i++) assert_int_equal(parties[i].failures, 0);
}

static void threads_see_whole_transactions(void **state) {
  struct fed__store *store = STORE(state), *const stores[] = {store, store, store, store};
  run_writers_and_reader(stores);
}

static void programs_see_whole_transactions(void **state) {
  struct fixture *fixture = *state;
  struct fed__store *stores[WRITERS + 1];
  for (int i = 0; i <= WRITERS; i++)
    assert_int_equal(fixture->kind->open(&fixture->context, fixture->folder, 0, &stores[i]),
                     FED_OK);
  run_writers_and_reader(stores);
  for (int i = 0; i <= WRITERS; i++) stores[i]->ops->close(stores[i]);
}

static void a_store_that_is_not_there_is_not_found(void **state) {
  struct fixture *fixture = *state;
  struct fed__store *store;
  char folder[128];
  snprintf(folder, sizeof folder, "%s/none", fixture->folder);
  assert_int_equal(fixture->kind->open(&fixture->context, folder, 0, &store), FED_E_NOT_FOUND);
  assert_null(store);
  assert_message_has(folder);
  assert_false(fed__file_exists(folder));
}

static void runs_for(const struct kind *kind, struct CMUnitTest *tests, size_t count) {
  for (size_t i = 0; i < count; i++) tests[i].initial_state = (void *)(uintptr_t)kind;
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  struct CMUnitTest tests[] = {
      TEST(objects_come_back_by_their_hash),
      TEST(empty_and_large_objects_are_kept),
      TEST(an_object_that_is_missing_is_not_found),
      TEST(an_object_larger_than_the_buffer_leaves_it_alone),
      TEST(a_damaged_object_is_noticed_and_can_be_put_again),
      TEST(clients_come_back_whole),
      TEST(a_client_put_again_is_replaced),
      TEST(a_visitor_can_stop_a_listing),
      TEST(jobs_come_back_whole_oldest_first),
      TEST(rounds_keep_their_cohort),
      TEST(rounds_are_listed_in_order),
      TEST(a_token_is_used_once),
      TEST(an_unknown_or_late_token_is_refused),
      TEST(of_threads_racing_for_a_token_one_wins),
      TEST(of_servers_racing_for_a_token_one_wins),
      TEST(what_is_rolled_back_never_was),
      TEST(an_unfinished_transaction_ends_with_the_store),
      TEST(a_failed_call_leaves_the_transaction_usable),
      TEST(wrong_order_of_calls_is_refused),
      TEST(event_numbers_have_no_gaps),
      TEST(events_are_listed_from_a_number_on),
      TEST(threads_see_whole_transactions),
      TEST(programs_see_whole_transactions),
      TEST(a_store_that_is_not_there_is_not_found),
  };
  int failures = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    runs_for(&kinds[i], tests, sizeof tests / sizeof tests[0]);
    failures += cmocka_run_group_tests_name(kinds[i].name, tests, NULL, NULL);
  }
  return failures != 0;
}
