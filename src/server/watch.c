/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: the event log as a stream: one JSON object a line, from a number on. A request for
 * events that have not happened yet waits for them.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "server/server_state.h"

#include <stdlib.h>

#define EVENTS_A_REQUEST 1000
#define LINES_BYTES_MAX ((size_t)16 << 20)

struct lines {
  struct fed_buffer text;
  int code;
};

static int append_line(void *data, uint64_t number, int64_t time_ms, const char *job,
                       const char *type, const char *body) {
  struct lines *lines = data;
  lines->code = fed_buffer_print(
      &lines->text,
      "{\"number\":%llu,\"time_ms\":%lld,\"job\":\"%s\",\"type\":\"%s\",\"body\":%s}\n",
      (unsigned long long)number, (long long)time_ms, job, type, body);
  return lines->code != FED_OK;
}

/* Answers if there are events (or `even_if_none`); says whether it did. */
static int answer_events(struct fed__server *server, struct fed__http_exchange *exchange,
                         const char *job, uint64_t after, int even_if_none) {
  struct lines lines = {.code = FED_OK};
  fed_buffer_init(&lines.text, server->context, LINES_BYTES_MAX);
  const int code = server->store->ops->event_list(server->store, job, after, EVENTS_A_REQUEST,
                                                  append_line, &lines);
  const int answers = code != FED_OK || lines.text.size || even_if_none;
  if (code != FED_OK)
    fed__http_answer_failure(exchange, 0);
  else if (answers)
    fed__http_answer(exchange, &(struct fed__http_answer){.status = 200,
                                                          .content_type = "application/x-ndjson",
                                                          .body = fed_buffer_slice(&lines.text)});
  fed_buffer_clear(&lines.text);
  return answers;
}

static uint64_t query_number(const struct fed__http_exchange *exchange, const char *name) {
  const char *text = fed__http_query(exchange, name);
  return text ? strtoull(text, NULL, 10) : 0;
}

static int add_watcher(struct fed__server *server, struct fed__http_exchange *exchange,
                       const char *job, uint64_t after, uint64_t wait_ms) {
  struct fed__watcher *watcher = fed__zalloc(server->context, 1, sizeof *watcher);
  if (!watcher) return FED_E_MEMORY;
  watcher->exchange = exchange;
  watcher->after = after;
  snprintf(watcher->job, sizeof watcher->job, "%s", job);
  watcher->until_ms = fed__server_now_ms(server) +
                      (int64_t)(wait_ms < FED__POLL_MS_MAX ? wait_ms : FED__POLL_MS_MAX);
  watcher->next = server->watchers;
  server->watchers = watcher;
  return FED_OK;
}

void fed__handle_events(struct fed__server *server, struct fed__http_exchange *exchange) {
  char job[FED__NAME_MAX + 1];
  struct fed__job_record record;
  const uint64_t after = query_number(exchange, "after");
  const uint64_t wait_ms = query_number(exchange, "wait_ms");
  int code = fed__path_part(fed__http_path(exchange), 2, job, sizeof job)
                 ? server->store->ops->job_find(server->store, job, &record)
                 : FED_RAISE(FED_E_USAGE, "expected /v1/jobs/{job}/events");
  if (code == FED_OK && (answer_events(server, exchange, job, after, wait_ms == 0))) return;
  if (code == FED_OK) code = add_watcher(server, exchange, job, after, wait_ms);
  if (code != FED_OK) fed__http_answer_failure(exchange, 0);
}

static void remove_watcher(struct fed__server *server, struct fed__watcher **link) {
  struct fed__watcher *watcher = *link;
  *link = watcher->next;
  fed__free(server->context, watcher);
}

static void answer_watchers(struct fed__server *server, int64_t expired_by_ms) {
  struct fed__watcher **link = &server->watchers;
  while (*link) {
    struct fed__watcher *watcher = *link;
    if (answer_events(server, watcher->exchange, watcher->job, watcher->after,
                      watcher->until_ms <= expired_by_ms))
      remove_watcher(server, link);
    else
      link = &watcher->next;
  }
}

void fed__wake_watchers(struct fed__server *server) { answer_watchers(server, INT64_MIN); }

void fed__expire_watchers(struct fed__server *server, int64_t now_ms) {
  for (const struct fed__watcher *watcher = server->watchers; watcher; watcher = watcher->next)
    if (watcher->until_ms <= now_ms) {
      answer_watchers(server, now_ms);
      return;
    }
}

void fed__drop_watcher(struct fed__server *server, struct fed__http_exchange *exchange) {
  for (struct fed__watcher **link = &server->watchers; *link; link = &(*link)->next)
    if ((*link)->exchange == exchange) {
      remove_watcher(server, link);
      return;
    }
}
