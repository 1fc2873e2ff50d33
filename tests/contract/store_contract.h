/* SPDX-License-Identifier: Apache-2.0
 *
 * store_contract.h: the stores that the contract is for (a new one adds a row to `kinds`), and
 * records to put into them.
 */
#ifndef FED_TESTS_STORE_CONTRACT_H
#define FED_TESTS_STORE_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "store/sqlite_store.h"

#include <stdio.h>
#include <stdlib.h>

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

static inline void reopen(struct fixture *fixture) {
  if (fixture->store) fixture->store->ops->close(fixture->store);
  assert_int_equal(fixture->kind->open(&fixture->context, fixture->folder, 1, &fixture->store),
                   FED_OK);
}

static inline int set_up(void **state) {
  struct fixture *fixture = test_calloc(1, sizeof *fixture);
  fixture->kind = *state;
  fed_context_init(&fixture->context);
  snprintf(fixture->folder, sizeof fixture->folder, "/tmp/fed-store-XXXXXX");
  assert_non_null(mkdtemp(fixture->folder));
  reopen(fixture);
  *state = fixture;
  return 0;
}

static inline int tear_down(void **state) {
  struct fixture *fixture = *state;
  fixture->store->ops->close(fixture->store);
  assert_int_equal(fed__folder_remove(fixture->folder), FED_OK);
  test_free(fixture);
  return 0;
}

#define STORE(state) (((struct fixture *)*(state))->store)

static inline void assert_message_has(const char *part) {
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
}

/* --- records to put, each field different --- */

static inline struct fed__digest digest_of(uint8_t byte) {
  struct fed__digest digest;
  memset(digest.bytes, byte, sizeof digest.bytes);
  digest.bytes[0] = 0; /* a zero byte must not end it */
  return digest;
}

static inline struct fed__client_record some_client(const char *name) {
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

static inline struct fed__token_record some_token(uint8_t secret) {
  return (struct fed__token_record){.secret_hash = digest_of(secret),
                                    .name = "site-1",
                                    .role = FED__ROLE_AGENT,
                                    .created_ms = 1000,
                                    .expires_ms = 2000};
}

static inline struct fed__job_record some_job(const char *id, int64_t created_ms) {
  struct fed__job_record record = {.name = "digits, \"quoted\" and 'so'; DROP TABLE job;--",
                                   .state = FED__JOB_STOPPED,
                                   .reason = "the operator said so",
                                   .plan = digest_of(1),
                                   .graph = digest_of(2),
                                   .approval = digest_of(5),
                                   .signer = "Maria.L",
                                   .parameters = digest_of(3),
                                   .version = INT64_MAX,
                                   .created_ms = created_ms,
                                   .finished_ms = 9};
  snprintf(record.id, sizeof record.id, "%s", id);
  return record;
}

static inline struct fed__round_record some_round(const char *job, uint64_t round, uint32_t attempt,
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

/* --- what a listing visits, as text --- */

struct names {
  char text[256];
  int stop_after;
};

static inline int note_name(struct names *names, const char *name) {
  snprintf(names->text + strlen(names->text), sizeof names->text - strlen(names->text), "%s ",
           name);
  return --names->stop_after == 0;
}

/* Runs `tests` for every kind of store; the number of kinds that failed. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define RUN_FOR_EVERY_KIND(tests)                                                                  \
  int failures = 0;                                                                                \
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {                                    \
    for (size_t t = 0; t < sizeof tests / sizeof tests[0]; t++)                                    \
      tests[t].initial_state = (void *)(uintptr_t)&kinds[i];                                       \
    failures += cmocka_run_group_tests_name(kinds[i].name, tests, NULL, NULL) != 0;                \
  }                                                                                                \
  return failures

#endif
