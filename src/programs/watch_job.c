/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_job.c: a job's progress as it happens, from its events: a line a round, and on a
 * terminal a line that is rewritten as clients report.
 */
#include "base/raise.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"

#include <jansson.h>
#include <poll.h>
#include <string.h>

#define WAIT_MS 25000
#define EVENTS_BYTES_MAX ((size_t)32 << 20)

struct progress {
  const struct fed__invocation *invocation;
  uint64_t after; /* the newest event seen */
  int finished, failed;
  int64_t created_ms, round_started_ms;
  long long rounds, round, cohort, reported, lost;
  double seconds_sum;
  long long seconds_count;
  double test_accuracy; /* of the newest version; below 0: not measured */
  json_t *row;          /* the committed round that is not printed yet */
  int header_printed, status_shown;
};

static double number_at(const json_t *body, const char *object, const char *key) {
  const json_t *value = json_object_get(object ? json_object_get(body, object) : body, key);
  return json_is_number(value) ? json_number_value(value) : -1;
}

static long long integer_at(const json_t *body, const char *key) {
  return json_integer_value(json_object_get(body, key));
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int is_live(const struct progress *progress) { return progress->invocation->colour; }

static void clear_status(struct progress *progress) {
  if (progress->status_shown) fputs("\r\033[K", stdout);
  progress->status_shown = 0;
}

static void show_status(struct progress *progress) {
  char bar[31];
  if (!is_live(progress) || progress->cohort <= 0) return;
  const long long width = (long long)sizeof bar - 1;
  const long long filled = progress->reported * width / progress->cohort;
  for (long long i = 0; i < width; i++) bar[i] = i < filled ? '#' : '.';
  bar[width] = '\0';
  clear_status(progress);
  printf("round %lld/%lld  [%s]  %lld in, %lld out of %lld", progress->round, progress->rounds, bar,
         progress->reported, progress->lost, progress->cohort);
  fflush(stdout);
  progress->status_shown = 1;
}

static const char *format_bytes(double bytes, char text[16]) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
  snprintf(text, 16, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return text;
}

static const char *format_share(double share, char text[16]) {
  if (share < 0)
    snprintf(text, 16, "-");
  else
    snprintf(text, 16, "%.2f %%", share * 100);
  return text;
}

static const char *format_left(const struct progress *progress, char text[16]) {
  const long long left = progress->rounds - progress->round;
  if (!progress->seconds_count || left <= 0) {
    snprintf(text, 16, "-");
  } else {
    const double seconds = progress->seconds_sum / (double)progress->seconds_count * (double)left;
    snprintf(text, 16, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
  }
  return text;
}

static void print_header(struct progress *progress) {
  if (progress->header_printed) return;
  printf("%7s  %9s  %10s  %16s  %11s  %9s  %9s  %7s  %5s\n", "round", "clients", "train loss",
         "held out, before", "test, after", "up", "down", "seconds", "left");
  progress->header_printed = 1;
}

/* The row of the last committed round, once the new model has been measured or not. */
static void print_row(struct progress *progress) {
  const json_t *body = progress->row;
  char held_out[16], test[16], up[16], down[16], left[16], loss[16] = "-", clients[24];
  if (!body) return;
  const double train_loss = number_at(body, "train", "loss");
  if (train_loss >= 0) snprintf(loss, sizeof loss, "%.4f", train_loss);
  snprintf(clients, sizeof clients, "%lld/%lld", integer_at(body, "reported"),
           integer_at(body, "cohort"));
  clear_status(progress);
  print_header(progress);
  printf("%4lld/%-3lld %9s  %10s  %16s  %11s  %9s  %9s  %7.1f  %5s\n", progress->round,
         progress->rounds, clients, loss,
         format_share(number_at(body, "evaluate", "accuracy"), held_out),
         format_share(progress->test_accuracy, test),
         format_bytes(number_at(body, NULL, "bytes_up"), up),
         format_bytes(number_at(body, NULL, "bytes_down"), down), number_at(body, NULL, "seconds"),
         format_left(progress, left));
  fflush(stdout);
  json_decref(progress->row);
  progress->row = NULL;
  progress->test_accuracy = -1;
}

static void print_note(struct progress *progress, const char *format, const char *first,
                       const char *second) {
  clear_status(progress);
  printf("        ");
  printf(format, first ? first : "", second ? second : "");
  fputc('\n', stdout);
  fflush(stdout);
}

/* ---- events --------------------------------------------------------------------------------- */

static void on_created(struct progress *p, const json_t *body) {
  p->rounds = integer_at(body, "rounds");
}

static void on_started(struct progress *p, const json_t *body) {
  print_row(p);
  p->round = integer_at(body, "round");
  p->cohort = integer_at(body, "cohort");
  p->reported = p->lost = 0;
  show_status(p);
}

static void on_reported(struct progress *p, const json_t *body) {
  p->reported = integer_at(body, "reported");
  show_status(p);
}

static void on_failed_client(struct progress *p, const json_t *body) {
  p->lost++;
  print_note(p, "client %s: %s", json_string_value(json_object_get(body, "client")),
             json_string_value(json_object_get(body, "code")));
}

static void on_refused(struct progress *p, const json_t *body) {
  p->lost++;
  print_note(p, "client %s refuses: %s", json_string_value(json_object_get(body, "client")),
             json_string_value(json_object_get(body, "reason")));
}

static void on_committed(struct progress *p, const json_t *body) {
  p->seconds_sum += number_at(body, NULL, "seconds");
  p->seconds_count++;
  p->row = json_incref((json_t *)(uintptr_t)body);
}

static void on_evaluated(struct progress *p, const json_t *body) {
  p->test_accuracy = number_at(body, NULL, "accuracy");
  const double accuracy = p->test_accuracy;
  print_row(p);
  if (integer_at(body, "version") == p->rounds) {
    char text[16];
    print_note(p, "final model on the server's test set: %s%s", format_share(accuracy, text), NULL);
  }
}

static void on_clients_evaluated(struct progress *p, const json_t *body) {
  char text[16];
  print_note(p, "final model on the agents' held-out rows: %s%s",
             format_share(number_at(body, "evaluate", "accuracy"), text), NULL);
}

static void on_round_trouble(struct progress *p, const json_t *body) {
  print_note(p, "round again: %s%s", json_string_value(json_object_get(body, "reason")), NULL);
}

static void on_finished(struct progress *p, const json_t *body) {
  const char *state = json_string_value(json_object_get(body, "state"));
  print_row(p);
  clear_status(p);
  printf("%s: %s\n", state ? state : "finished",
         json_string_value(json_object_get(body, "reason")));
}

static const struct {
  const char *type;
  void (*show)(struct progress *progress, const json_t *body);
} handlers[] = {
    {"job.created", on_created},        {"round.started", on_started},
    {"client.reported", on_reported},   {"client.failed", on_failed_client},
    {"client.refused", on_refused},     {"round.committed", on_committed},
    {"model.evaluated", on_evaluated},  {"model.evaluated_by_clients", on_clients_evaluated},
    {"round.failed", on_round_trouble}, {"round.void", on_round_trouble},
    {"job.finished", on_finished},
};

static void note_end(struct progress *progress, const char *type, const json_t *body) {
  const char *state = json_string_value(json_object_get(body, "state"));
  if (!type || strcmp(type, "job.finished") != 0) return;
  progress->finished = 1;
  progress->failed = state && strcmp(state, "failed") == 0;
}

static void take_event(struct progress *progress, const json_t *event, const char *line,
                       size_t length) {
  const char *type = json_string_value(json_object_get(event, "type"));
  const json_t *body = json_object_get(event, "body");
  progress->after = (uint64_t)json_integer_value(json_object_get(event, "number"));
  note_end(progress, type, body);
  if (progress->invocation->json) {
    printf("%.*s\n", (int)length, line);
    fflush(stdout);
  } else if (!progress->invocation->quiet) {
    for (size_t i = 0; type && i < sizeof handlers / sizeof handlers[0]; i++)
      if (strcmp(handlers[i].type, type) == 0) handlers[i].show(progress, body);
  }
}

static void take_lines(struct progress *progress, struct fed_slice text) {
  const char *at = (const char *)text.data, *end = at + text.size;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const size_t length = (size_t)((newline ? newline : end) - at);
    json_t *event = json_loadb(at, length, 0, NULL);
    if (event) take_event(progress, event, at, length);
    json_decref(event);
    at += length + 1;
  }
}

/* ---- following ------------------------------------------------------------------------------ */

static int ask(struct progress *progress, struct fed__http_client *client, const char *job) {
  struct fed_buffer events;
  char path[256];
  snprintf(path, sizeof path, "/v1/jobs/%.100s/events?after=%llu&wait_ms=%d", job,
           (unsigned long long)progress->after, WAIT_MS);
  fed_buffer_init(&events, progress->invocation->context, EVENTS_BYTES_MAX);
  const int code = fed__federation_get(client, path, WAIT_MS + 30000, &events);
  if (code == FED_OK) take_lines(progress, fed_buffer_slice(&events));
  fed_buffer_clear(&events);
  return code;
}

/* A server that is away for a while (restarted, say) is waited for. */
static int follow(struct progress *progress, struct fed__http_client *client, const char *job) {
  int away = 0;
  while (!progress->finished) {
    const int code = ask(progress, client, job);
    if (code == FED_E_NETWORK || fed_error_class(code) == FED_CLASS_BUSY) {
      if (away++ == 0 && !progress->invocation->json && !progress->invocation->quiet)
        print_note(progress, "the server does not answer; waiting for it%s%s", NULL, NULL);
      if (away > 300) return code;
      poll(NULL, 0, 200);
    } else if (code != FED_OK) {
      return code;
    } else {
      away = 0;
    }
  }
  return FED_OK;
}

int fed__job_watch(struct fed__invocation *invocation, const char *folder, const char *job) {
  struct progress progress = {.invocation = invocation, .test_accuracy = -1};
  struct fed__http_client *client = NULL;
  FED_TRY(fed__operator_connect(invocation->context, folder, &client));
  const int code = follow(&progress, client, job);
  fed__http_client_free(client);
  json_decref(progress.row);
  FED_TRY(code);
  return progress.failed ? FED_RAISE(FED_E_INPUT, "job '%s' failed; its events say why", job)
                         : FED_OK;
}
