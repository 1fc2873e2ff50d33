/* SPDX-License-Identifier: Apache-2.0
 *
 * test_facts.c: what a server learns about clients for a job's rule of selection, writes down, and
 * knows again after a restart.
 */
#include "small_federation.h"

#include "base/memory.h"
#include "base/raise.h"
#include "server/server_state.h"
#include "store/sqlite_store.h"

#include <math.h>

/* A server that is not running, with a job at work. */
struct still {
  struct fed_context context;
  struct fed__server server;
  struct fed__run run;
  char folder[64];
};

static void open_still(struct still *still, enum fed__selection_kind kind) {
  static char north[] = "north-*", *groups[] = {north}, dataset[] = "heart";
  *still = (struct still){0};
  fed_context_init(&still->context);
  snprintf(still->folder, sizeof still->folder, "/tmp/fed-test-facts-XXXXXX");
  assert_non_null(mkdtemp(still->folder));
  still->server.context = &still->context;
  fed__roster_init(&still->server.roster, &still->context);
  assert_int_equal(fed__sqlite_store_open(&still->context, still->folder, 1, &still->server.store),
                   FED_OK);
  still->run.server = &still->server;
  still->run.plan.algorithm = fed__algorithm_of(&still->run.job);
  snprintf(still->run.record.id, sizeof still->run.record.id, "job-1");
  still->run.job.data.name = dataset;
  still->run.job.rounds.selection =
      (struct fed__selection_settings){.kind = kind, .groups = groups, .group_count = 1};
  const struct fed__round_settings settings = {.rounds = 10,
                                               .cohort = 1,
                                               .invited = 1,
                                               .minimum = 1,
                                               .exchange_count = 1,
                                               .selection = still->run.job.rounds.selection};
  assert_int_equal(
      fed__round_init(&still->run.round, &still->context, &settings, 0, FED__END_NONE, 0), FED_OK);
}

static void close_still(struct still *still) {
  fed__free(&still->context, still->run.weights);
  fed__round_clear(&still->run.round);
  fed__roster_clear(&still->server.roster);
  still->server.store->ops->close(still->server.store);
  assert_int_equal(fed__folder_remove(still->folder), FED_OK);
}

static uint32_t number_of(struct still *still, const char *name) {
  uint32_t client;
  assert_int_equal(fed__roster_number(&still->server.roster, name, &client), FED_OK);
  return client;
}

static const struct fed__client_facts *facts_of(struct still *still, const char *name) {
  const struct fed__client_facts *facts =
      fed__round_facts(&still->run.round, number_of(still, name));
  assert_non_null(facts);
  return facts;
}

static void add_event(struct still *still, const char *job, const char *type, const char *body) {
  uint64_t number;
  struct fed__store *store = still->server.store;
  assert_int_equal(store->ops->event_add(store, 1, job, type, body, &number), FED_OK);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_check_in_tells_examples_and_group(void **state) {
  (void)state;
  struct still still;
  open_still(&still, FED__SELECTION_WEIGHTED);
  const uint32_t client = number_of(&still, "north-7");
  struct fed__roster_client *member = still.server.roster.clients[client];
  member->dataset_count = 2;
  snprintf(member->datasets[0].name, sizeof member->datasets[0].name, "other");
  snprintf(member->datasets[1].name, sizeof member->datasets[1].name, "heart");
  member->datasets[0].example_count = 5;
  member->datasets[1].example_count = 300;
  assert_int_equal(fed__run_note_client(&still.run, client), FED_OK);
  assert_int_equal(fed__run_note_client(&still.run, number_of(&still, "west")), FED_OK);
  assert_int_equal(facts_of(&still, "north-7")->example_count, 300);
  assert_int_equal(facts_of(&still, "north-7")->group, 0);
  assert_int_equal(facts_of(&still, "west")->group, 1);
  assert_int_equal(facts_of(&still, "west")->example_count, 0);
  member->datasets[1].example_count = 0; /* not opened since it started again: as before */
  assert_int_equal(fed__run_note_client(&still.run, client), FED_OK);
  assert_int_equal(facts_of(&still, "north-7")->example_count, 300);
  close_still(&still);
}

static void a_report_tells_the_loss(void **state) {
  (void)state;
  struct still still;
  Fed__UpdateHeader header = FED__UPDATE_HEADER__INIT;
  Fed__Metrics metrics = FED__METRICS__INIT;
  open_still(&still, FED__SELECTION_POWER_OF_CHOICE);
  const uint32_t client = number_of(&still, "a");
  assert_int_equal(fed__run_note_client(&still.run, client), FED_OK);
  header.example_count = 40;
  json_t *duration =
      fed__run_note_report(&still.run, client, &header); /* keeps its loss to itself */
  assert_true(json_is_real(duration));
  json_decref(duration);
  assert_true(isnan(facts_of(&still, "a")->loss));
  assert_int_equal(facts_of(&still, "a")->example_count, 40);
  metrics.example_count = 80;
  metrics.loss_sum = 60;
  header.train = &metrics;
  json_decref(fed__run_note_report(&still.run, client, &header));
  assert_true(facts_of(&still, "a")->loss == 0.75);
  still.run.round.kind = FED__ROUND_EVALUATE; /* trains nothing */
  metrics.loss_sum = 8;
  assert_null(fed__run_note_report(&still.run, client, &header));
  assert_true(facts_of(&still, "a")->loss == 0.75);
  close_still(&still);
}

static void rules_without_facts_cost_nothing(void **state) {
  (void)state;
  struct still still;
  const Fed__UpdateHeader header = FED__UPDATE_HEADER__INIT;
  open_still(&still, FED__SELECTION_UNIFORM);
  assert_int_equal(fed__run_note_client(&still.run, number_of(&still, "a")), FED_OK);
  assert_null(fed__round_facts(&still.run.round, 0));
  assert_null(fed__run_note_report(&still.run, 0, &header));
  assert_int_equal(fed__run_recall_facts(&still.run), FED_OK);
  close_still(&still);
}

static void a_restart_recalls_the_reports(void **state) {
  (void)state;
  struct still still;
  open_still(&still, FED__SELECTION_OORT);
  add_event(&still, "job-1", "client.reported",
            "{\"round\":1,\"client\":\"a\",\"examples\":10,\"train\":{\"loss\":2.5},"
            "\"duration_s\":1.25}");
  add_event(&still, "job-1", "client.refused", "{\"client\":\"d\"}");
  add_event(&still, "job-2", "client.reported",
            "{\"round\":9,\"client\":\"a\",\"examples\":99,\"train\":{\"loss\":9},"
            "\"duration_s\":9}");
  add_event(&still, "job-1", "client.reported",
            "{\"round\":2,\"client\":\"b\",\"examples\":20,\"train\":null,\"duration_s\":3}");
  add_event(&still, "job-1", "client.reported",
            "{\"round\":4,\"client\":\"a\",\"examples\":12,\"train\":{\"loss\":0.5},"
            "\"duration_s\":2}");
  add_event(&still, "job-1", "client.reported", /* an evaluation: it trained nothing */
            "{\"round\":5,\"client\":\"c\",\"examples\":7,\"train\":null}");
  assert_int_equal(fed__run_recall_facts(&still.run), FED_OK);
  const struct fed__client_facts *a = facts_of(&still, "a"), *b = facts_of(&still, "b");
  assert_true(a->loss == 0.5 && a->example_count == 12 && a->duration_ms == 2000);
  assert_true(a->reported_round == 4 && a->chosen_round == 4);
  assert_true(a->reported_count == 2 && a->chosen_count == 2);
  assert_true(isnan(b->loss) && b->reported_count == 1 && b->reported_round == 2);
  assert_int_equal(still.server.roster.count, 2);
  close_still(&still);
}

static void enrol(struct still *still, const char *name) {
  struct fed__store *store = still->server.store;
  struct fed__client_record record = {.role = FED__ROLE_AGENT, .state = FED__CLIENT_ACTIVE};
  snprintf(record.serial, sizeof record.serial, "%s", name);
  snprintf(record.name, sizeof record.name, "%s", name);
  assert_int_equal(store->ops->client_put(store, &record), FED_OK);
}

/* Sums over all clients: who was not heard of weighs as much as the others on average, and the
 * reports of the round that was open do not count, since it runs again. */
static void a_restart_recalls_the_weights(void **state) {
  (void)state;
  struct still still;
  open_still(&still, FED__SELECTION_UNIFORM);
  still.run.job.aggregate.algorithm = FED__ALGORITHM_SCAFFOLD;
  still.run.plan.algorithm = fed__algorithm_of(&still.run.job);
  still.run.record.version = 2;
  assert_int_equal(fed__run_weigh_all(&still.run), FED_OK);
  assert_true(still.run.weight_of_all == 1); /* never 0 */
  for (const char *name = "abcd"; *name; name++) enrol(&still, (const char[]){*name, 0});
  add_event(&still, "job-1", "client.reported", "{\"round\":1,\"client\":\"a\",\"weight\":7}");
  add_event(&still, "job-1", "client.reported", "{\"round\":2,\"client\":\"a\",\"weight\":10}");
  add_event(&still, "job-1", "client.reported", "{\"round\":2,\"client\":\"b\",\"weight\":30}");
  add_event(&still, "job-1", "client.reported", "{\"round\":2,\"client\":\"c\"}");
  add_event(&still, "job-1", "client.reported", "{\"round\":3,\"client\":\"d\",\"weight\":90}");
  assert_int_equal(fed__run_recall_facts(&still.run), FED_OK);
  assert_int_equal(fed__run_weigh_all(&still.run), FED_OK);
  assert_true(still.run.weight_of_all == 80); /* (10 + 30) / 2 for each of four */
  assert_int_equal(fed__run_note_weight(&still.run, number_of(&still, "d"), 90), FED_OK);
  assert_int_equal(fed__run_weigh_all(&still.run), FED_OK);
  assert_true(fabs(still.run.weight_of_all - 130 * (4.0 / 3)) < 1e-9);
  still.run.job.aggregate.population = 6;
  assert_int_equal(fed__run_weigh_all(&still.run), FED_OK);
  assert_true(still.run.weight_of_all == 260);
  close_still(&still);
}

static void more_events_than_are_read_at_once(void **state) {
  (void)state;
  struct still still;
  open_still(&still, FED__SELECTION_ROUND_ROBIN);
  struct fed__store *store = still.server.store;
  assert_int_equal(store->ops->begin(store), FED_OK);
  for (int i = 1; i <= 10001; i++) {
    char body[96];
    snprintf(body, sizeof body, "{\"round\":%d,\"client\":\"a\",\"examples\":1,\"duration_s\":0}",
             i);
    add_event(&still, "job-1", "client.reported", body);
  }
  assert_int_equal(store->ops->commit(store, 0), FED_OK);
  assert_int_equal(fed__run_recall_facts(&still.run), FED_OK);
  assert_int_equal(facts_of(&still, "a")->reported_count, 10001);
  assert_int_equal(facts_of(&still, "a")->chosen_round, 10001);
  close_still(&still);
}

/* A record is never written over: it says what clients were asked for. */
static void attempts_that_failed_before_a_restart_keep_their_records(void **state) {
  (void)state;
  struct still still;
  open_still(&still, FED__SELECTION_UNIFORM);
  struct fed__store *store = still.server.store;
  const struct fed__job_record job = {.id = "job-1", .state = FED__JOB_RUNNING};
  struct fed__round_record record = {.job = "job-1", .round = 1, .state = FED__ROUND_VOID};
  assert_int_equal(store->ops->job_put(store, &job), FED_OK);
  for (record.attempt = 1; record.attempt <= 3; record.attempt++)
    assert_int_equal(store->ops->round_put(store, &record, "[]"), FED_OK);
  record.round = 2; /* of another round */
  record.attempt = 7;
  assert_int_equal(store->ops->round_put(store, &record, "[]"), FED_OK);
  assert_int_equal(fed__run_resume(&still.run), FED_OK);
  assert_int_equal(still.run.round.round, 1);
  assert_int_equal(still.run.round.attempt, 4);
  close_still(&still);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_check_in_tells_examples_and_group),
      cmocka_unit_test(a_report_tells_the_loss),
      cmocka_unit_test(rules_without_facts_cost_nothing),
      cmocka_unit_test(a_restart_recalls_the_reports),
      cmocka_unit_test(a_restart_recalls_the_weights),
      cmocka_unit_test(more_events_than_are_read_at_once),
      cmocka_unit_test(attempts_that_failed_before_a_restart_keep_their_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
