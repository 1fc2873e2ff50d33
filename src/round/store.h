/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h: what a server must never forget, as an interface that stores implement (SQLite and
 * files now; a database server and an object store later). Three kinds of things:
 *
 *   objects   immutable bytes named by their SHA-256: plans, graphs, approvals, model versions
 *   records   clients, tokens, jobs, rounds: small rows, changed in transactions
 *   events    an append-only log of everything that happened, numbered from 1 without gaps
 *
 * Between begin and commit all changes of records and events happen together or not at all;
 * commit(durable = 1) returns only when they would survive a power cut, durable = 0 may lose the
 * last moments but never leaves a mixture. Objects are durable when object_put returns, so they
 * are put before the record that names them.
 *
 * Threads: calls may come from several threads at once; a transaction belongs to the thread that
 * began it, and others' calls wait for its end. Texts given out are copied into the record's
 * arrays or into buffers, never borrowed.
 */
#ifndef FED_ROUND_STORE_H
#define FED_ROUND_STORE_H

#include "crypto/certificate.h"
#include "crypto/hash.h"
#include "fed/buffer.h"

#define FED__STORE_NAME_BYTES 65

enum fed__client_state { FED__CLIENT_ACTIVE, FED__CLIENT_REVOKED };

struct fed__client_record {
  char name[FED__STORE_NAME_BYTES];
  enum fed__role role;
  enum fed__client_state state;
  struct fed__digest fingerprint; /* of the certificate in force */
  char serial[41];
  int64_t enrolled_ms, last_seen_ms, expires_ms;
};

struct fed__token_record {
  struct fed__digest secret_hash;
  char name[FED__STORE_NAME_BYTES]; /* that the client will get */
  enum fed__role role;
  int64_t created_ms, expires_ms, used_ms; /* used_ms 0: not yet */
};

enum fed__job_state { FED__JOB_RUNNING, FED__JOB_DONE, FED__JOB_STOPPED, FED__JOB_FAILED };

struct fed__job_record {
  char id[FED__STORE_NAME_BYTES];
  char name[FED__STORE_NAME_BYTES];
  enum fed__job_state state;
  char reason[256];
  struct fed__digest plan, graph;
  struct fed__digest approval;        /* the Approval that it was submitted with */
  char signer[FED__STORE_NAME_BYTES]; /* whose; empty: from a fed that knew no approvals */
  struct fed__digest parameters;      /* the newest model version */
  struct fed__digest server_state;    /* what the algorithm keeps beside it; zeros: nothing */
  uint64_t version;                   /* rounds committed; 0: the start parameters */
  int64_t created_ms, finished_ms;
};

enum fed__round_state_kind {
  FED__ROUND_OPEN,
  FED__ROUND_COMMITTED,
  FED__ROUND_FAILED,
  FED__ROUND_VOID
};

/* One attempt at a round. The cohort is kept so that a round interrupted by a crash is run again
 * with the same clients. */
struct fed__round_record {
  char job[FED__STORE_NAME_BYTES];
  uint64_t round;
  uint32_t attempt;
  enum fed__round_state_kind state;
  struct fed__digest parameters; /* of the model that the round made, when committed */
  int64_t started_ms, finished_ms;
};

struct fed__store; /* an implementation's own */

/* Visitors return non-zero to stop the listing; the listing then returns FED_OK. They must not
 * change the store. What they are given is valid until they return. */
typedef int fed__client_visit_fn(void *data, const struct fed__client_record *record);
typedef int fed__token_visit_fn(void *data, const struct fed__token_record *record);
typedef int fed__job_visit_fn(void *data, const struct fed__job_record *record);
typedef int fed__round_visit_fn(void *data, const struct fed__round_record *record);
typedef int fed__event_visit_fn(void *data, uint64_t number, int64_t time_ms, const char *job,
                                const char *type, const char *body_json);

struct fed__store_ops {
  const char *name;
  void (*close)(struct fed__store *store);

  /* A change made without begin is a transaction of its own, durable when the call returns. A call
   * that fails changes nothing; when the disk fails inside a transaction, all its later calls fail
   * too, until rollback. */
  FED_MUST int (*begin)(struct fed__store *store);
  FED_MUST int (*commit)(struct fed__store *store, int durable);
  void (*rollback)(struct fed__store *store); /* also ends a transaction whose commit failed */

  /* Objects. put is idempotent. get appends; FED_E_NOT_FOUND; FED_E_CORRUPT if the bytes no longer
   * match. path: a file that can be served (FED_E_UNSUPPORTED where objects are not files). */
  FED_MUST int (*object_put)(struct fed__store *store, struct fed_slice bytes,
                             struct fed__digest *hash);
  FED_MUST int (*object_get)(struct fed__store *store, const struct fed__digest *hash,
                             struct fed_buffer *out);
  FED_MUST int (*object_path)(struct fed__store *store, const struct fed__digest *hash, char *path,
                              size_t size);

  /* Clients. put inserts or replaces by name. find: FED_E_NOT_FOUND. */
  FED_MUST int (*client_put)(struct fed__store *store, const struct fed__client_record *record);
  FED_MUST int (*client_find)(struct fed__store *store, const char *name,
                              struct fed__client_record *record);
  FED_MUST int (*client_list)(struct fed__store *store, fed__client_visit_fn *visit, void *data);

  /* Tokens. use: marks it used, once: FED_E_TOKEN if unknown, used before (saying when) or
   * expired at now_ms (which must be above 0). */
  FED_MUST int (*token_put)(struct fed__store *store, const struct fed__token_record *record);
  FED_MUST int (*token_use)(struct fed__store *store, const struct fed__digest *secret_hash,
                            int64_t now_ms, struct fed__token_record *record);
  FED_MUST int (*token_list)(struct fed__store *store, fed__token_visit_fn *visit, void *data);

  /* Jobs. put inserts or replaces by id. List: oldest first. */
  FED_MUST int (*job_put)(struct fed__store *store, const struct fed__job_record *record);
  FED_MUST int (*job_find)(struct fed__store *store, const char *id,
                           struct fed__job_record *record);
  FED_MUST int (*job_list)(struct fed__store *store, fed__job_visit_fn *visit, void *data);

  /* Rounds. put inserts or replaces by (job, round, attempt); `cohort` NULL keeps what is there;
   * FED_E_NOT_FOUND when there is no such job. list: oldest first.
   * The cohort is a JSON array of client names. find_open: the attempt of a job that is open, if
   * any, with its cohort appended to `cohort`; FED_E_NOT_FOUND. */
  FED_MUST int (*round_put)(struct fed__store *store, const struct fed__round_record *record,
                            const char *cohort);
  FED_MUST int (*round_find_open)(struct fed__store *store, const char *job,
                                  struct fed__round_record *record, struct fed_buffer *cohort);
  FED_MUST int (*round_list)(struct fed__store *store, const char *job, fed__round_visit_fn *visit,
                             void *data);

  /* Events. add returns its number. list: those with a number above `after`, in order, at most
   * `limit`; job NULL: of all jobs. */
  FED_MUST int (*event_add)(struct fed__store *store, int64_t time_ms, const char *job,
                            const char *type, const char *body_json, uint64_t *number);
  FED_MUST int (*event_list)(struct fed__store *store, const char *job, uint64_t after,
                             uint32_t limit, fed__event_visit_fn *visit, void *data);
};

/* What every implementation's struct begins with. */
struct fed__store {
  const struct fed__store_ops *ops;
};

#endif
