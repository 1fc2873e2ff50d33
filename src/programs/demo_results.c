/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_results.c: what came out of the demo: read from the job's own events, written as files,
 * shown as a table.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "programs/demo.h"
#include "programs/operator_client.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define EVENTS_BYTES_MAX ((size_t)256 << 20)

/* ---- the events ----------------------------------------------------------------------------- */

static void note_client(struct fed__demo *demo, const json_t *body) {
  static const char prefix[] = "client-";
  const char *name = json_string_value(json_object_get(body, "client"));
  const json_t *evaluate = json_object_get(body, "evaluate");
  const uint64_t peak = (uint64_t)json_integer_value(json_object_get(body, "peak_bytes"));
  if (!name || strncmp(name, prefix, sizeof prefix - 1) != 0) return;
  const long index = strtol(name + sizeof prefix - 1, NULL, 10);
  if (index < 1 || index > FED__DEMO_CLIENTS) return;
  struct fed__demo_client *client = &demo->clients[index - 1];
  if (json_is_object(evaluate))
    client->accuracy = json_number_value(json_object_get(evaluate, "accuracy"));
  if (peak > client->trainer_peak_bytes) client->trainer_peak_bytes = peak;
}

static void note_event(struct fed__demo *demo, const json_t *event) {
  const char *type = json_string_value(json_object_get(event, "type"));
  const json_t *body = json_object_get(event, "body");
  if (!type) return;
  if (strcmp(type, "client.reported") == 0) note_client(demo, body);
  if (strcmp(type, "model.evaluated") == 0)
    demo->federated_accuracy = json_number_value(json_object_get(body, "accuracy"));
  if (strcmp(type, "round.void") == 0 || strcmp(type, "round.failed") == 0)
    demo->interrupted_rounds++;
  if (strcmp(type, "round.committed") == 0) {
    demo->rounds++;
    demo->bytes_up += (uint64_t)json_integer_value(json_object_get(body, "bytes_up"));
    demo->bytes_down += (uint64_t)json_integer_value(json_object_get(body, "bytes_down"));
  }
}

static uint64_t note_lines(struct fed__demo *demo, const char *at, const char *end) {
  uint64_t last = 0;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const size_t length = (size_t)((newline ? newline : end) - at);
    json_t *event = json_loadb(at, length, 0, NULL);
    if (event) {
      note_event(demo, event);
      last = (uint64_t)json_integer_value(json_object_get(event, "number"));
    }
    json_decref(event);
    at += length + 1;
  }
  return last;
}

/* The whole log, page by page, into events.ndjson. */
static int collect_events(struct fed__demo *demo, struct fed__http_client *client) {
  struct fed_buffer log;
  char path[FED__PATH_MAX];
  uint64_t after = 0;
  int code = FED_OK;
  fed_buffer_init(&log, demo->context, EVENTS_BYTES_MAX);
  for (;;) {
    const size_t before = log.size;
    snprintf(path, sizeof path, "/v1/jobs/%s/events?after=%llu", demo->job_id,
             (unsigned long long)after);
    code = fed__federation_get(client, path, 30000, &log);
    if (code != FED_OK || log.size == before) break;
    after = note_lines(demo, (char *)log.data + before, (char *)log.data + log.size);
  }
  fed__demo_path(demo, path, "events.ndjson");
  if (code == FED_OK) code = fed__file_write_quick(path, fed_buffer_slice(&log), FED__FILE_SHARED);
  fed_buffer_clear(&log);
  return code;
}

int fed__demo_collect(struct fed__demo *demo) {
  struct fed__http_client *client = NULL;
  char folder[FED__PATH_MAX];
  FED_TRY(
      fed__operator_connect(demo->context, fed__demo_path(demo, folder, "federation"), &client));
  const int code = collect_events(demo, client);
  fed__http_client_free(client);
  return code;
}

/* ---- files ---------------------------------------------------------------------------------- */

struct spread {
  double mean, worst, best;
};

static struct spread spread_of(const struct fed__demo *demo, int local) {
  struct spread spread = {0, 2, -1};
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    const double value = local ? demo->clients[i].local_accuracy : demo->clients[i].accuracy;
    spread.mean += value / FED__DEMO_CLIENTS;
    if (value < spread.worst) spread.worst = value;
    if (value > spread.best) spread.best = value;
  }
  return spread;
}

static json_t *client_json(const struct fed__demo *demo, int index) {
  const struct fed__demo_client *client = &demo->clients[index];
  char name[32];
  json_t *labels = json_array();
  for (int i = 0; i < FED__DEMO_CLASSES; i++)
    json_array_append_new(labels, json_integer((json_int_t)client->label_counts[i]));
  snprintf(name, sizeof name, "client-%d", index + 1);
  return json_pack("{s:s, s:I, s:o, s:f, s:f}", "name", name, "examples",
                   (json_int_t)client->example_count, "labels", labels, "accuracy",
                   client->accuracy, "local_accuracy", client->local_accuracy);
}

static json_t *process_json(const char *name, uint64_t peak_bytes) {
  return json_pack("{s:s, s:I}", "name", name, "peak_bytes", (json_int_t)peak_bytes);
}

static json_t *processes_json(const struct fed__demo *demo) {
  json_t *processes = json_array();
  json_array_append_new(processes, process_json("server", demo->server.peak_bytes));
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    char name[64];
    json_array_append_new(processes,
                          process_json(demo->agents[i].name, demo->agents[i].peak_bytes));
    snprintf(name, sizeof name, "%s training", demo->agents[i].name);
    json_array_append_new(processes, process_json(name, demo->clients[i].trainer_peak_bytes));
  }
  return processes;
}

static json_t *summary_json(const struct fed__demo *demo) {
  const struct spread local = spread_of(demo, 1);
  struct utsname machine;
  char text[256];
  json_t *clients = json_array();
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) json_array_append_new(clients, client_json(demo, i));
  uname(&machine);
  snprintf(text, sizeof text, "%s %s, %ld processors", machine.sysname, machine.machine,
           sysconf(_SC_NPROCESSORS_ONLN));
  json_t *baselines =
      json_pack("[{s:s, s:f}, {s:s, s:f}, {s:s, s:f}, {s:s, s:f}]", "name", "federated", "accuracy",
                demo->federated_accuracy, "name", "centralised on pooled data", "accuracy",
                demo->centralised_accuracy, "name", "local only, mean", "accuracy", local.mean,
                "name", "local only, worst", "accuracy", local.worst);
  return json_pack("{s:s, s:s, s:o, s:o, s:o, s:f, s:I, s:I, s:I, s:I, s:s}", "title",
                   "Fashion-MNIST, ten clients", "job", demo->job_id, "baselines", baselines,
                   "clients", clients, "processes", processes_json(demo), "seconds",
                   fed__demo_seconds(demo), "rounds", (json_int_t)demo->rounds,
                   "interrupted_rounds", (json_int_t)demo->interrupted_rounds, "bytes_up",
                   (json_int_t)demo->bytes_up, "bytes_down", (json_int_t)demo->bytes_down,
                   "machine", text);
}

static int write_summary(struct fed__demo *demo) {
  char path[FED__PATH_MAX];
  json_t *summary = summary_json(demo);
  char *text = summary ? json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
  int code = text ? fed__file_write_quick(fed__demo_path(demo, path, "summary.json"),
                                          fed_slice_of_text(text), FED__FILE_SHARED)
                  : FED_RAISE(FED_E_MEMORY, "out of memory for summary.json");
  if (code == FED_OK && demo->invocation->json) printf("%s\n", text);
  free(text); /* jansson's */
  json_decref(summary);
  return code;
}

static int export_as(struct fed__demo *demo, const char *name) {
  char program[FED__PATH_MAX], folder[FED__PATH_MAX], file[FED__PATH_MAX];
  snprintf(program, sizeof program, "%s/fed", demo->programs);
  const char *const words[] = {program,  "model",
                               "export", demo->job_id,
                               "--dir",  fed__demo_path(demo, folder, "federation"),
                               "--out",  fed__demo_path(demo, file, "%s", name),
                               NULL};
  return fed__demo_run(demo, words);
}

static int write_report(struct fed__demo *demo) {
  char program[FED__PATH_MAX], folder[FED__PATH_MAX], file[FED__PATH_MAX], summary[FED__PATH_MAX];
  snprintf(program, sizeof program, "%s/fed", demo->programs);
  const char *const words[] = {program,
                               "report",
                               demo->job_id,
                               "--dir",
                               fed__demo_path(demo, folder, "federation"),
                               "--out",
                               fed__demo_path(demo, file, "report.html"),
                               "--summary",
                               fed__demo_path(demo, summary, "summary.json"),
                               NULL};
  return fed__demo_run(demo, words);
}

int fed__demo_write_results(struct fed__demo *demo) {
  FED_TRY(write_summary(demo));
  FED_TRY(export_as(demo, "model.onnx"));
  FED_TRY(export_as(demo, "model.safetensors"));
  return write_report(demo);
}

/* ---- the table ------------------------------------------------------------------------------ */

static void print_memory(const struct fed__demo *demo) {
  uint64_t agent = 0, training = 0;
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    if (demo->agents[i].peak_bytes > agent) agent = demo->agents[i].peak_bytes;
    if (demo->clients[i].trainer_peak_bytes > training)
      training = demo->clients[i].trainer_peak_bytes;
  }
  printf("  peak memory      server %.1f MB, largest agent %.1f MB, largest training process "
         "%.1f MB\n",
         (double)demo->server.peak_bytes * 1e-6, (double)agent * 1e-6, (double)training * 1e-6);
}

static void print_files(const struct fed__demo *demo) {
  static const char *const files[][2] = {{"model.onnx", "the trained model, for any ONNX runtime"},
                                         {"model.safetensors", "its parameters"},
                                         {"report.html", "plots and tables; open it in a browser"},
                                         {"events.ndjson", "everything that happened"},
                                         {"summary.json", "the numbers above"}};
  char path[FED__PATH_MAX];
  printf("\nFiles\n");
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    printf("  %-40s %s\n", fed__demo_path(demo, path, "%s", files[i][0]), files[i][1]);
  printf("\nTry next\n"
         "  %s/fed model show %s\n"
         "  %s/fed job check --explain %s/job/job.yaml\n"
         "  docs/quick-start.md: the same by hand, with your own data\n",
         demo->programs, fed__demo_path(demo, path, "model.onnx"), demo->programs, demo->folder);
}

void fed__demo_print_results(const struct fed__demo *demo) {
  const struct spread clients = spread_of(demo, 0), local = spread_of(demo, 1);
  if (demo->invocation->json) return;
  printf("\nAccuracy on the test set\n"
         "  federated                    %6.2f %%\n"
         "  centralised on pooled data   %6.2f %%\n"
         "  local only, mean             %6.2f %%\n"
         "  local only, worst            %6.2f %%\n",
         demo->federated_accuracy * 100, demo->centralised_accuracy * 100, local.mean * 100,
         local.worst * 100);
  printf("\nFederated model on each client's held-out rows\n"
         "  mean %.2f %%, worst %.2f %%, best %.2f %%\n",
         clients.mean * 100, clients.worst * 100, clients.best * 100);
  printf("\nCost\n"
         "  rounds           %lld, %lld more interrupted and run again\n"
         "  bytes            %.1f MB up, %.1f MB down\n",
         demo->rounds, demo->interrupted_rounds, (double)demo->bytes_up * 1e-6,
         (double)demo->bytes_down * 1e-6);
  print_memory(demo);
  printf("  time             %.0f s in all, %.0f s of it federated training\n",
         fed__demo_seconds(demo), demo->train_seconds);
  print_files(demo);
}
