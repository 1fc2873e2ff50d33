/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store_transactions.c: what every store must do with transactions, the numbers of events,
 * and several threads and programs at once.
 */
#include "store_contract.h"

#include <pthread.h>
#include <unistd.h>

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

int main(void) {
  struct CMUnitTest tests[] = {
      TEST(what_is_rolled_back_never_was),
      TEST(an_unfinished_transaction_ends_with_the_store),
      TEST(a_failed_call_leaves_the_transaction_usable),
      TEST(wrong_order_of_calls_is_refused),
      TEST(event_numbers_have_no_gaps),
      TEST(events_are_listed_from_a_number_on),
      TEST(threads_see_whole_transactions),
      TEST(programs_see_whole_transactions),
  };
  RUN_FOR_EVERY_KIND(tests);
}
