/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_demo.c: fed demo: the whole of fed in one command, on real data and real processes.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "programs/demo.h"
#include "programs/fed_commands.h"
#include "programs/operator_client.h"

#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define START_TRIES 200

const char *fed__demo_path(const struct fed__demo *demo, char path[FED__PATH_MAX],
                           const char *format, ...) {
  const int length = snprintf(path, FED__PATH_MAX, "%s/", demo->folder);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(path + length, (size_t)(FED__PATH_MAX - length), format, arguments);
  va_end(arguments);
  return path;
}

double fed__demo_seconds(const struct fed__demo *demo) {
  return (double)(demo->context->clock->monotonic_us(demo->context->clock) - demo->started_us) *
         1e-6;
}

void fed__demo_step(const struct fed__demo *demo, const char *format, ...) {
  va_list arguments;
  if (demo->invocation->json || demo->invocation->quiet) return;
  printf("%s[%5.1f s]%s ", demo->colour ? "\033[1m" : "", fed__demo_seconds(demo),
         demo->colour ? "\033[0m" : "");
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  fputc('\n', stdout);
  fflush(stdout);
}

/* ---- setting up ----------------------------------------------------------------------------- */

/* Only a folder that a demo made before is cleared. */
static int clear_folder(const struct fed__demo *demo) {
  char marker[FED__PATH_MAX];
  fed__demo_path(demo, marker, ".fed-demo");
  if (fed__file_exists(demo->folder) && !fed__file_exists(marker))
    return FED_RAISE(FED_E_EXISTS,
                     "'%s' exists and is not a demo's folder; give another with "
                     "--dir",
                     demo->folder);
  FED_TRY(fed__folder_remove(demo->folder));
  FED_TRY(fed__folder_make(demo->folder));
  return fed__file_write_quick(marker, fed_slice_of_text("made by fed demo; safe to remove\n"),
                               FED__FILE_SHARED);
}

static int find_programs(struct fed__demo *demo) {
  char path[FED__PATH_MAX / 4];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return FED_RAISE(FED_E_IO, "cannot find this program's own path");
  path[length] = '\0';
  snprintf(demo->programs, sizeof demo->programs, "%s", dirname(path));
  return FED_OK;
}

static int init(struct fed__demo *demo, struct fed__invocation *invocation) {
  double seed = 1;
  char working[FED__PATH_MAX / 8];
  const char *folder = fed__option_text(invocation, "dir");
  FED_TRY(fed__option_number(invocation, "seed", 0, 9e15, &seed));
  if (!getcwd(working, sizeof working)) return FED_RAISE(FED_E_IO, "no working folder");
  *demo = (struct fed__demo){.invocation = invocation,
                             .context = invocation->context,
                             .data_folder = fed__option_text(invocation, "data"),
                             .quick = fed__option_on(invocation, "quick"),
                             .colour = invocation->colour,
                             .seed = (uint64_t)seed};
  demo->started_us = demo->context->clock->monotonic_us(demo->context->clock);
  snprintf(demo->folder, sizeof demo->folder, "%s%s%.400s", folder[0] == '/' ? "" : working,
           folder[0] == '/' ? "" : "/", folder);
  snprintf(demo->server.name, sizeof demo->server.name, "server");
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    snprintf(demo->agents[i].name, sizeof demo->agents[i].name, "client-%d", i + 1);
    demo->clients[i].accuracy = demo->clients[i].local_accuracy = -1;
  }
  pthread_mutex_init(&demo->lock, NULL);
  FED_TRY(find_programs(demo));
  return clear_folder(demo);
}

static int wait_for_server(struct fed__demo *demo) {
  struct fed__http_client *client = NULL;
  char folder[FED__PATH_MAX];
  int code = FED_E_NETWORK;
  FED_TRY(
      fed__operator_connect(demo->context, fed__demo_path(demo, folder, "federation"), &client));
  for (int tries = 0; tries < START_TRIES && code != FED_OK; tries++) {
    struct fed_buffer answer;
    fed_buffer_init(&answer, demo->context, 1 << 20);
    code = fed__federation_get(client, "/healthz", 2000, &answer);
    fed_buffer_clear(&answer);
    if (code != FED_OK) poll(NULL, 0, 50);
  }
  fed__http_client_free(client);
  return code == FED_OK ? code : FED_WRAP("the server did not start; see its log");
}

static int enrol_agents(struct fed__demo *demo) {
  char program[FED__PATH_MAX], folder[FED__PATH_MAX], token[FED__PATH_MAX];
  snprintf(program, sizeof program, "%s/fed-agent", demo->programs);
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    const char *const words[] = {
        program,   "enroll",
        "--dir",   fed__demo_path(demo, folder, "agents/client-%d/identity", i + 1),
        "--token", fed__demo_path(demo, token, "agents/client-%d/token", i + 1),
        NULL};
    FED_TRY(fed__demo_run(demo, words));
    FED_TRY(fed__demo_start_agent(demo, i));
  }
  return FED_OK;
}

static int set_up(struct fed__demo *demo) {
  fed__demo_step(demo, "making a federation: CA, server identity, %d tokens", FED__DEMO_CLIENTS);
  FED_TRY(fed__demo_create(demo));
  fed__demo_step(demo, "splitting Fashion-MNIST over %d clients by Dirichlet(0.5)",
                 FED__DEMO_CLIENTS);
  FED_TRY(fed__demo_split_data(demo));
  fed__demo_step(demo, "starting the server; %d agents enrol and start", FED__DEMO_CLIENTS);
  FED_TRY(fed__demo_start_server(demo));
  FED_TRY(wait_for_server(demo));
  return enrol_agents(demo);
}

/* ---- the job -------------------------------------------------------------------------------- */

static int train(struct fed__demo *demo) {
  char folder[FED__PATH_MAX], file[FED__PATH_MAX];
  const double from = fed__demo_seconds(demo);
  fed__demo_path(demo, folder, "federation");
  FED_TRY(fed__job_submit(demo->context, folder, fed__demo_path(demo, file, "job/job.yaml"),
                          demo->job_id));
  fed__demo_step(demo, "training: job %s; one agent and the server will be killed on the way",
                 demo->job_id);
  FED_TRY(fed__demo_trouble_start(demo));
  struct fed__invocation watching = *demo->invocation;
  if (watching.json) watching.json = 0, watching.quiet = 1;
  const int code = fed__job_watch(&watching, folder, demo->job_id);
  demo->job_over = 1;
  demo->train_seconds = fed__demo_seconds(demo) - from;
  return code;
}

static int run_steps(struct fed__demo *demo) {
  FED_TRY(set_up(demo));
  FED_TRY(train(demo));
  fed__demo_note_peaks(demo);
  FED_TRY(fed__demo_collect(demo));
  fed__demo_step(demo, "training the same model on pooled data, and on each client's alone");
  FED_TRY(fed__demo_baselines(demo));
  FED_TRY(fed__demo_write_results(demo));
  fed__demo_print_results(demo);
  return FED_OK;
}

static int run_demo(struct fed__invocation *invocation) {
  struct fed__demo *demo = fed__zalloc(invocation->context, 1, sizeof *demo);
  if (!demo) return FED_E_MEMORY;
  signal(SIGPIPE, SIG_IGN);
  int code = init(demo, invocation);
  if (code == FED_OK) code = run_steps(demo);
  const struct fed_error error = *fed_error_last();
  fed__demo_stop_all(demo);
  fed_buffer_clear(&demo->onnx);
  fed__job_clear(&demo->job);
  fed__free(invocation->context, demo);
  return code == FED_OK ? code : FED_RAISE(code, "%s", error.message);
}

static const struct fed__option options[] = {
    {"dir", "FOLDER", "where everything goes; a demo's folder from before is cleared", "demo-out"},
    {"quick", NULL, "a fifth of the data and four rounds: for tests", NULL},
    {"seed", "NUMBER", "of the split, the start values and the training", "1"},
    {"data", "FOLDER", "Fashion-MNIST, as the Debian package installs it",
     "/usr/share/datasets/fashion-mnist"},
    {0}};
static const char *const examples[] = {"fed demo", "some two minutes on two cores",
                                       "fed demo --quick --dir /tmp/demo", "in half a minute",
                                       NULL};

const struct fed__command fed__demo_commands[1] = {
    {"demo", "", "train a model over ten agents on this machine, and measure it",
     "Makes a federation in a scratch folder, splits Fashion-MNIST unevenly over ten agents, "
     "trains a convolutional network by federated averaging over mutual TLS, kills an agent and "
     "the server on the way, and compares the result with training on pooled data and on each "
     "agent's data alone. Nothing is left running.",
     options, examples, 0, 0, run_demo},
};
