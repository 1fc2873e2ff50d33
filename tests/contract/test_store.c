/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store.c: what every store must do with objects, records and tokens.
 */
#include "store_contract.h"

#include <pthread.h>

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
  changed.approval = digest_of(6);
  memset(changed.signer, 's', 64);
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

int main(void) {
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
      TEST(a_store_that_is_not_there_is_not_found),
  };
  RUN_FOR_EVERY_KIND(tests);
}
