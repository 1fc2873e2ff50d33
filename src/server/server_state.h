/* SPDX-License-Identifier: Apache-2.0
 *
 * server_state.h: what the server's files share: the server, its runs (jobs at work), uploads.
 *
 * One lock guards all of it. Requests come in on the HTTP server's threads, take the lock, step
 * the round's state table, and carry its effects out; a timer thread does the same for time, and
 * an evaluation thread measures new models without holding the lock. What happens under the lock
 * is recorded in one transaction of the store, ended before the request is answered.
 */
#ifndef FED_SERVER_STATE_H
#define FED_SERVER_STATE_H

#include "net/http_server.h"
#include "round/metric_sums.h"
#include "round/plan.h"
#include "round/round.h"
#include "round/store.h"
#include "server/roster.h"
#include "server/server.h"
#include "wire/wire.h"

#include <jansson.h>
#include <pthread.h>

/* A job at work. */
struct fed__run {
  struct fed__round_driver driver;
  struct fed__server *server;
  struct fed__job_record record;
  struct fed__job job;
  struct fed__plan plan;
  struct fed_model *model;
  struct fed_params current, state; /* the newest version, and what the algorithm keeps with it */
  struct fed__aggregate *aggregate;
  struct fed__round round;
  uint8_t nonce[FED__NONCE_BYTES];
  int has_nonce;
  struct fed__metric_sums train, evaluate;
  uint64_t *weights; /* by client: of its last update; 0: none yet. Only where the algorithm … */
  uint32_t weight_slots;
  double weight_of_all;           /* … asks for that of all clients … */
  struct fed__digest vector_down; /* … by which the open round's tasks have the state's vector */
  uint64_t fresh_weight, base_version; /* asynchronous: as in plan.h; of the last that counted */
  struct fed_examples *test_set;       /* NULL: none */
  uint8_t *refused;                    /* by client: its policy forbids this job */
  uint32_t refused_count;              /* entries of `refused` */
  int64_t round_started_us;
  uint64_t bytes_in_before, bytes_out_before; /* the server's counters when the round opened */
  /* The answer of the state table to the request at hand. */
  enum fed__round_effect_type verdict;
  const char *verdict_reason;
  const struct fed__pending_update *pending; /* the update that COUNT folds in */
  int model_pending;                         /* CLOSE_ROUND is done: step MODEL next */
  struct fed__round_event model_event;
  int broken; /* the store failed: load again from it */
  pthread_t evaluator;
  int evaluator_started; /* a thread to join */
  int evaluating;        /* it is at work */
};

struct fed__pending_update {
  const Fed__UpdateHeader *header;
  struct fed_slice grid;
  uint64_t weight, staleness;
  size_t bytes; /* of the whole upload */
};

/* An upload in progress; at most one a client. */
struct fed__upload {
  struct fed__upload *next;
  char job[FED__NAME_MAX + 1];
  uint64_t round;
  uint32_t attempt, exchange, client;
  struct fed__digest digest; /* of the whole body, as announced */
  struct fed_buffer body;
  struct fed__http_exchange *writer; /* who appends to it now */
};

/* A request that waits for new events. */
struct fed__watcher {
  struct fed__watcher *next;
  struct fed__http_exchange *exchange;
  char job[FED__NAME_MAX + 1];
  uint64_t after;
  int64_t until_ms;
};

struct fed__server {
  struct fed__http_handler handler;
  const struct fed_context *context;
  struct fed__federation federation;
  char folder[4096], data_folder[4096];
  char url[300];
  struct fed__store *store;
  struct fed__ca ca;
  struct fed_buffer ca_der;
  struct fed__http_server *http;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t timer;
  int timer_started, closing;
  struct fed__roster roster;
  struct fed__run **runs;
  size_t run_count;
  struct fed__upload *uploads;
  size_t upload_bytes;
  struct fed__watcher *watchers;
  int in_transaction, durable, has_events;
  int64_t swept_ms;             /* when waiting connections were last looked at */
  struct fed__bucket strangers; /* requests without a certificate, all together */
  uint64_t rate_limited;
  uint64_t updates_counted, updates_dismissed, updates_refused, rounds_committed, rounds_failed;
};

#define FED__POLL_MS_MAX 55000
#define FED__UPLOAD_BYTES_MAX ((size_t)2 << 30) /* of all uploads in progress together */

static inline int64_t fed__server_now_ms(const struct fed__server *server) {
  return server->context->clock->monotonic_us(server->context->clock) / 1000;
}

/* server.c */
void fed__server_lock(struct fed__server *server);
/* End the transaction, tell the watchers, let go of the lock. */
FED_MUST int fed__server_unlock(struct fed__server *server);
/* Begin a transaction if none is open. */
FED_MUST int fed__server_write(struct fed__server *server, int durable);
/* Give up what the open transaction did; only for requests that changed nothing in memory. */
void fed__server_undo(struct fed__server *server);
/* Record an event and log it. Fields as for fed__log. Failures are logged, not returned: they
 * also fail the commit. */
void fed__server_event(struct fed__server *server, const char *job, const char *type,
                       const char *fields, ...);

/* routes.c */
void fed__server_routes(struct fed__server *server);
void fed__answer_json(struct fed__http_exchange *exchange, uint32_t status, json_t *json);
void fed__answer_message(struct fed__http_exchange *exchange, const struct fed_context *context,
                         const ProtobufCMessage *message);
const char *fed__path_part(const char *path, int index, char *part, size_t size);

/* check_in.c */
void fed__handle_check_in(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__handle_task_failure(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__unpark(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__expire_polls(struct fed__server *server, int64_t now_ms);
void fed__lose_revoked(struct fed__server *server);
void fed__give_task(struct fed__run *run, uint32_t client);
void fed__offer_parked(struct fed__server *server); /* a new job: those who wait may want it */
int fed__run_is_eligible(const struct fed__run *run, uint32_t client);

/* uploads.c */
void fed__handle_upload_headers(struct fed__server *server, struct fed__http_exchange *exchange);
FED_MUST int fed__handle_upload_chunk(struct fed__server *server,
                                      struct fed__http_exchange *exchange, struct fed_slice bytes);
void fed__handle_upload_complete(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__upload_writer_gone(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__drop_uploads(struct fed__server *server, const struct fed__run *run);

/* run.c */
FED_MUST int fed__run_new(struct fed__server *server, const struct fed__job_record *record,
                          struct fed__run **run);
void fed__run_free(struct fed__run *run);
FED_MUST int fed__run_resume(struct fed__run *run);
void fed__run_forget_answers(struct fed__run *run); /* what was folded in, and its metrics */
FED_MUST int fed__run_step(struct fed__run *run, const struct fed__round_event *event);
struct fed__run *fed__run_find(struct fed__server *server, const char *job);
struct fed__round_event fed__run_event(const struct fed__run *run, enum fed__round_event_type type);

/* run_facts.c */
FED_MUST int fed__run_note_client(struct fed__run *run, uint32_t client); /* it has checked in */
/* Its report counts; returns the seconds that it took, for the event, or NULL: nobody asks. */
json_t *fed__run_note_report(struct fed__run *run, uint32_t client,
                             const Fed__UpdateHeader *header);
FED_MUST int fed__run_recall_facts(struct fed__run *run); /* after a restart */

/* run_weights.c */
FED_MUST int fed__run_note_weight(struct fed__run *run, uint32_t client, uint64_t weight);
FED_MUST int fed__run_weigh_all(struct fed__run *run); /* sets weight_of_all */

/* run_model.c */
FED_MUST int fed__run_store_vector(struct fed__run *run); /* sets vector_down */
void fed__run_close_round(struct fed__run *run);
void fed__run_note_bytes(struct fed__run *run);
FED_MUST int fed__run_resume_measuring(struct fed__run *run);
void fed__run_join_evaluator(struct fed__run *run);
FED_MUST int fed__run_store_start(struct fed__run *run); /* version 0, and the job's record */
FED_MUST int fed__run_load_version(struct fed__run *run);

/* jobs.c */
void fed__handle_submit(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__handle_jobs(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__handle_job(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__handle_stop(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__handle_agents(struct fed__server *server, struct fed__http_exchange *exchange);

/* watch.c */
void fed__handle_events(struct fed__server *server, struct fed__http_exchange *exchange);
void fed__wake_watchers(struct fed__server *server);
void fed__expire_watchers(struct fed__server *server, int64_t now_ms);
void fed__drop_watcher(struct fed__server *server, struct fed__http_exchange *exchange);

/* enrol.c */
void fed__handle_enrol(struct fed__server *server, struct fed__http_exchange *exchange);

/* server_metrics.c */
void fed__handle_metrics(struct fed__server *server, struct fed__http_exchange *exchange);

/* pace.c: when an agent without a task should come again; pure. `draw` in [0, 1). */
uint32_t fed__pace_come_back_ms(uint32_t client_count, uint32_t parked_count, int job_running,
                                double draw);
#define FED__PARKED_MAX 4096

#endif
