/* SPDX-License-Identifier: Apache-2.0
 *
 * server.c: opening and closing a server, its lock and transactions, and the timer thread that
 * steps rounds as time passes.
 */
#include "server/server.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "server/server_state.h"
#include "store/sqlite_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- lock and transaction ------------------------------------------------------------------- */

void fed__server_lock(struct fed__server *server) { pthread_mutex_lock(&server->lock); }

int fed__server_write(struct fed__server *server, int durable) {
  server->durable |= durable;
  if (server->in_transaction) return FED_OK;
  FED_TRY(server->store->ops->begin(server->store));
  server->in_transaction = 1;
  return FED_OK;
}

/* The store failed: what is in memory may be ahead of it, so the runs are loaded again. */
static void distrust_memory(struct fed__server *server) {
  fed__log_failure(server->context, FED_LOG_ERROR, "store.failed");
  server->store->ops->rollback(server->store);
  for (size_t i = 0; i < server->run_count; i++) server->runs[i]->broken = 1;
}

void fed__server_undo(struct fed__server *server) {
  if (!server->in_transaction) return;
  server->in_transaction = server->durable = 0;
  server->store->ops->rollback(server->store);
}

static int end_transaction(struct fed__server *server) {
  if (!server->in_transaction) return FED_OK;
  const int durable = server->durable;
  server->in_transaction = server->durable = 0;
  const int code = server->store->ops->commit(server->store, durable);
  if (code != FED_OK) distrust_memory(server);
  return code;
}

int fed__server_unlock(struct fed__server *server) {
  const int code = end_transaction(server);
  if (server->has_events) {
    server->has_events = 0;
    fed__wake_watchers(server);
  }
  pthread_mutex_unlock(&server->lock);
  return code;
}

static void store_event(struct fed__server *server, const char *job, const char *type,
                        const json_t *body) {
  uint64_t number;
  const int64_t now_ms = server->context->clock->wall_ms(server->context->clock);
  char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(9));
  if (!text || fed__server_write(server, 0) != FED_OK ||
      server->store->ops->event_add(server->store, now_ms, job, type, text, &number) != FED_OK)
    fed__log_failure(server->context, FED_LOG_ERROR, "event.lost");
  else
    fed__log(server->context, FED_LOG_INFO, type, "s:s, s:O", "job", job, "body", body);
  server->has_events = 1;
  free(text); /* jansson's */
}

void fed__server_event(struct fed__server *server, const char *job, const char *type,
                       const char *fields, ...) {
  char format[512];
  snprintf(format, sizeof format, "{%s}", fields);
  va_list arguments;
  va_start(arguments, fields);
  json_t *body = json_vpack_ex(NULL, 0, format, arguments);
  va_end(arguments);
  if (body) store_event(server, job, type, body);
  json_decref(body);
}

/* ---- time ----------------------------------------------------------------------------------- */

static int reload_run(struct fed__server *server, size_t index) {
  struct fed__run *old = server->runs[index], *fresh = NULL;
  struct fed__job_record record;
  FED_TRY(server->store->ops->job_find(server->store, old->record.id, &record));
  FED_TRY(fed__run_new(server, &record, &fresh));
  fed__drop_uploads(server, old);
  fed__run_free(old);
  server->runs[index] = fresh;
  return fed__run_resume(fresh);
}

static void tick_run(struct fed__server *server, size_t index, int64_t now_ms) {
  struct fed__run *run = server->runs[index];
  if (run->broken) {
    if (!run->evaluating && reload_run(server, index) != FED_OK)
      fed__log_failure(server->context, FED_LOG_ERROR, "run.reload_failed");
    return;
  }
  if (fed__round_next_ms(&run->round) > now_ms) return;
  const struct fed__round_event event = fed__run_event(run, FED__EVENT_TIME);
  if (fed__run_step(run, &event) != FED_OK)
    fed__log_failure(server->context, FED_LOG_ERROR, "round.step_failed");
}

static void tick(struct fed__server *server) {
  const int64_t now_ms = fed__server_now_ms(server);
  fed__server_lock(server);
  for (size_t i = 0; i < server->run_count; i++) tick_run(server, i, now_ms);
  fed__lose_revoked(server);
  fed__expire_polls(server, now_ms);
  fed__expire_watchers(server, now_ms);
  if (fed__server_unlock(server) != FED_OK)
    fed__log_failure(server->context, FED_LOG_ERROR, "tick.failed");
}

static void *run_timer(void *data) {
  struct fed__server *server = data;
  pthread_mutex_lock(&server->lock);
  while (!server->closing) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
      until.tv_sec++;
      until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_unlock(&server->lock);
    tick(server);
    pthread_mutex_lock(&server->lock);
    while (!server->closing && pthread_cond_timedwait(&server->wake, &server->lock, &until) == 0) {
    }
  }
  pthread_mutex_unlock(&server->lock);
  return NULL;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int load_ca(struct fed__server *server) {
  struct fed_buffer key = {0}, certificate = {0};
  int code = fed__file_read_in(server->context, server->folder, "ca.key", &key);
  if (code == FED_OK)
    code = fed__file_read_in(server->context, server->folder, "ca.pem", &certificate);
  if (code == FED_OK)
    code = fed__ca_load(server->context, fed_buffer_slice(&key), fed_buffer_slice(&certificate),
                        &server->ca);
  fed_buffer_init(&server->ca_der, server->context, 1 << 16);
  if (code == FED_OK)
    code = fed__certificate_encode_der(fed_buffer_slice(&certificate), &server->ca_der);
  if (key.data) fed__wipe(key.data, key.size);
  fed_buffer_clear(&key);
  fed_buffer_clear(&certificate);
  return code;
}

static int count_running(void *data, const struct fed__job_record *record) {
  size_t *count = data;
  *count += record->state == FED__JOB_RUNNING;
  return 0;
}

struct collected_jobs {
  struct fed__job_record *records;
  size_t count, capacity;
};

static int collect_running(void *data, const struct fed__job_record *record) {
  struct collected_jobs *jobs = data;
  if (record->state == FED__JOB_RUNNING && jobs->count < jobs->capacity)
    jobs->records[jobs->count++] = *record;
  return 0;
}

/* A job from before there were signed jobs: no agent would do it. */
static int fail_unsigned(struct fed__server *server, const struct fed__job_record *running) {
  struct fed__job_record record = *running;
  record.state = FED__JOB_FAILED;
  record.finished_ms = server->context->clock->wall_ms(server->context->clock);
  snprintf(record.reason, sizeof record.reason, "it is not signed; submit it again");
  FED_TRY(fed__server_write(server, 1));
  FED_TRY(server->store->ops->job_put(server->store, &record));
  fed__server_event(server, record.id, "job.finished", "s:s, s:s, s:I", "state", "failed", "reason",
                    record.reason, "version", (json_int_t)record.version);
  return FED_OK;
}

static int resume_job(struct fed__server *server, const struct fed__job_record *record) {
  if (!record->signer[0]) return fail_unsigned(server, record);
  FED_TRY(fed__run_new(server, record, &server->runs[server->run_count]));
  server->run_count++;
  return fed__run_resume(server->runs[server->run_count - 1]);
}

static int resume_jobs(struct fed__server *server) {
  size_t count = 0;
  FED_TRY(server->store->ops->job_list(server->store, count_running, &count));
  struct collected_jobs jobs = {NULL, 0, count};
  jobs.records = fed__zalloc(server->context, count, sizeof *jobs.records);
  server->runs = fed__zalloc(server->context, count, sizeof(struct fed__run *));
  if (!jobs.records || !server->runs) {
    fed__free(server->context, jobs.records);
    return FED_E_MEMORY;
  }
  int code = server->store->ops->job_list(server->store, collect_running, &jobs);
  for (size_t i = 0; code == FED_OK && i < jobs.count; i++)
    code = resume_job(server, &jobs.records[i]);
  fed__free(server->context, jobs.records);
  return code;
}

static int number_client(void *data, const struct fed__client_record *record) {
  struct fed__server *server = data;
  uint32_t number;
  return record->role == FED__ROLE_AGENT &&
         fed__roster_number(&server->roster, record->name, &number) != FED_OK;
}

static int open_http(struct fed__server *server, const struct fed__server_options *options) {
  struct fed_buffer key = {0}, certificate = {0};
  int code = fed__file_read_in(server->context, server->folder, "server.key", &key);
  if (code == FED_OK)
    code = fed__file_read_in(server->context, server->folder, "server.pem", &certificate);
  if (code == FED_OK) {
    const struct fed__http_server_options http = {
        .address = options->address ? options->address : server->federation.address,
        .port = options->port ? options->port : server->federation.port,
        .certificate_pem = fed_buffer_text(&certificate),
        .key_pem = fed_buffer_text(&key),
        .ca_der = fed_buffer_slice(&server->ca_der),
        .threads = options->threads,
        .idle_timeout_s = 120,
        .handler = &server->handler,
    };
    code = fed__http_server_open(server->context, &http, &server->http);
  }
  if (key.data) fed__wipe(key.data, key.size);
  fed_buffer_clear(&key);
  fed_buffer_clear(&certificate);
  return code;
}

static int open_parts(struct fed__server *server, const struct fed__server_options *options) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__federation_load(server->context, server->folder, &server->federation));
  FED_TRY(load_ca(server));
  FED_TRY(fed__path_join(path, sizeof path, server->folder, "store"));
  FED_TRY(fed__sqlite_store_open(server->context, path, 0, &server->store));
  FED_TRY(server->store->ops->client_list(server->store, number_client, server));
  fed__server_lock(server);
  int code = resume_jobs(server);
  const int commit_code = fed__server_unlock(server);
  FED_TRY(code ? code : commit_code);
  FED_TRY(open_http(server, options));
  snprintf(server->url, sizeof server->url, "https://%s:%u", server->federation.host,
           fed__http_server_port(server->http));
  if (pthread_create(&server->timer, NULL, run_timer, server) != 0)
    return FED_RAISE(FED_E_LIMIT, "cannot start a thread");
  server->timer_started = 1;
  return FED_OK;
}

int fed__server_open(const struct fed_context *context, const struct fed__server_options *options,
                     struct fed__server **server) {
  struct fed__server *fresh = fed__zalloc(context, 1, sizeof *fresh);
  *server = NULL;
  if (!fresh) return FED_E_MEMORY;
  fresh->context = context;
  pthread_mutex_init(&fresh->lock, NULL);
  pthread_cond_init(&fresh->wake, NULL);
  fed__roster_init(&fresh->roster, context);
  fed__server_routes(fresh);
  snprintf(fresh->folder, sizeof fresh->folder, "%s", options->folder);
  snprintf(fresh->data_folder, sizeof fresh->data_folder, "%s",
           options->data_folder ? options->data_folder : options->folder);
  int code = open_parts(fresh, options);
  if (code != FED_OK) {
    fed__server_close(fresh);
    return code;
  }
  *server = fresh;
  return FED_OK;
}

const char *fed__server_url(const struct fed__server *server) { return server->url; }

uint16_t fed__server_port(const struct fed__server *server) {
  return fed__http_server_port(server->http);
}

void fed__server_close(struct fed__server *server) {
  if (!server) return;
  pthread_mutex_lock(&server->lock);
  server->closing = 1;
  pthread_cond_broadcast(&server->wake);
  pthread_mutex_unlock(&server->lock);
  if (server->timer_started) pthread_join(server->timer, NULL);
  if (server->http) fed__http_server_close(server->http);
  for (size_t i = 0; i < server->run_count; i++) fed__run_free(server->runs[i]);
  fed__free(server->context, server->runs);
  fed__drop_uploads(server, NULL);
  fed__roster_clear(&server->roster);
  if (server->store) server->store->ops->close(server->store);
  fed__ca_clear(&server->ca);
  fed_buffer_clear(&server->ca_der);
  pthread_cond_destroy(&server->wake);
  pthread_mutex_destroy(&server->lock);
  fed__free(server->context, server);
}
