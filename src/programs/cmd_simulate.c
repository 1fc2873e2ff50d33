/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_simulate.c: fed simulate: a job with many made-up clients, in one process.
 */
#include "base/file.h"
#include "base/raise.h"
#include "job/simulate_section.h"
#include "programs/fed_commands.h"
#include "programs/job_files.h"
#include "programs/simulate_checkpoint.h"
#include "programs/simulate_data.h"
#include "programs/simulate_output.h"
#include "programs/simulate_partition.h"
#include "programs/simulate_ranks.h"
#include "programs/simulate_sweep.h"

#include <signal.h>
#include <time.h>

#define THREADS_MAX 1024

struct session {
  struct fed__invocation *invocation;
  const struct fed__job_override *overrides;
  size_t override_count;
  const char *out; /* --out: a run's in a sweep is below it */
  struct fed__job_files files;
  struct fed_model *model;
  struct fed__simulate_data data;
  struct fed__simulate_output output;
  struct fed__simulate_checkpoint checkpoint;
  struct fed__simulation simulation;
  struct fed__ranks *ranks; /* NULL: this process is alone */
};

static volatile sig_atomic_t asked_to_stop;

/* The second time ends the process at once; --resume goes on from the last checkpoint. Not within a
 * second: `timeout` and schedulers send one request both to a process and to its group. */
static void ask_to_stop(int number) {
  static volatile sig_atomic_t first_s;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!asked_to_stop) first_s = (sig_atomic_t)now.tv_sec;
  asked_to_stop = 1;
  if (now.tv_sec - first_s < 2) return; /* whole seconds: more than one has passed */
  signal(number, SIG_DFL);
  raise(number);
}

static struct session *session_of(struct fed__simulation_observer *self) {
  return (struct session *)((char *)self - offsetof(struct session, output));
}

static int save(struct fed__simulation_observer *self, struct fed__simulation *simulation,
                int is_stopping) {
  struct session *session = session_of(self);
  return fed__simulate_checkpoint_write(&session->checkpoint, simulation, is_stopping);
}

static int wants_to_stop(void) { return asked_to_stop; }

/* Several processes stop where they have agreed on it. */
static int stopping(struct fed__simulation_observer *self) {
  const struct session *session = session_of(self);
  return session->ranks ? session->ranks->stopping : asked_to_stop;
}

/* ---- options -------------------------------------------------------------------------------- */

/* Where it is not given, the value stays, to the last bit. */
static int read_whole(const struct fed__invocation *invocation, const char *option, double least,
                      double most, uint64_t *value) {
  double number = 0;
  if (!fed__option_text(invocation, option)) return FED_OK;
  FED_TRY(fed__option_number(invocation, option, least, most, &number));
  *value = (uint64_t)number;
  return (double)*value == number
             ? FED_OK
             : FED_RAISE(FED_E_USAGE, "--%s: expected a whole number, found %g", option, number);
}

/* What the command line says takes the place of what the job says. */
static int read_options(struct session *session) {
  const struct fed__invocation *invocation = session->invocation;
  struct fed__job *job = &session->files.job;
  const char *partition = fed__option_text(invocation, "partition");
  const char *baselines = fed__option_text(invocation, "baselines");
  uint64_t clients = job->simulate.clients, threads = fed__simulate_ranks_threads(session->ranks);
  FED_TRY(read_whole(invocation, "clients", 1, 1e6, &clients));
  FED_TRY(read_whole(invocation, "threads", 1, THREADS_MAX, &threads));
  FED_TRY(read_whole(invocation, "seed", 0, 9e15, &job->seed));
  job->simulate.clients = (uint32_t)clients;
  session->output.thread_count = (uint32_t)threads;
  if (partition && fed__partition_choose(job, partition) != FED_OK) return FED_WRAP("--partition");
  if (baselines && fed__baselines_choose(job, baselines) != FED_OK) return FED_WRAP("--baselines");
  if (!fed__option_text(invocation, "data"))
    return FED_RAISE(FED_E_USAGE, "--data is missing: the folder with the data to divide");
  const int own_clients = job->simulate.partition.kind == FED__PARTITION_COLUMN ||
                          job->simulate.partition.kind == FED__PARTITION_FOLDERS ||
                          job->simulate.partition.kind == FED__PARTITION_FILE;
  if (own_clients && fed__option_text(invocation, "clients"))
    return FED_RAISE(FED_E_USAGE, "--clients: the partition '%s' says itself how many there are",
                     fed__partition_kind_name(job->simulate.partition.kind));
  return FED_OK;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int load(struct session *session) {
  struct fed__invocation *invocation = session->invocation;
  struct fed_model_options options;
  FED_TRY(fed__job_files_read_with(invocation->context, invocation->arguments[0],
                                   session->overrides, session->override_count, &session->files));
  FED_TRY(read_options(session));
  fed__job_model_options(&session->files.job, &options);
  FED_TRY(fed_model_load(invocation->context, fed_buffer_slice(&session->files.graph), &options,
                         &session->model));
  FED_TRY(fed__job_files_doubt(invocation, &session->files.job, session->model));
  FED_TRY(fed__plan_check_training(invocation->context, &session->files.job, session->model));
  return fed__simulate_data_init(&session->data, &session->files.job,
                                 fed__option_text(invocation, "data"),
                                 fed__option_text(invocation, "test"), session->out);
}

static int save_partition(const struct session *session, const struct fed__partition *partition) {
  const char *path = fed__option_text(session->invocation, "save-partition");
  struct fed_buffer file;
  if (!path || session->invocation->mute) return FED_OK;
  fed_buffer_init(&file, session->invocation->context, SIZE_MAX);
  int code = fed__partition_encode(partition, &file);
  if (code == FED_OK) code = fed__file_write(path, fed_buffer_slice(&file), FED__FILE_SHARED);
  fed_buffer_clear(&file);
  return code;
}

static int divide(struct session *session) {
  struct fed__partition partition;
  FED_TRY(fed__simulate_data_divide(&session->data, fed__pool_examples(session->simulation.pool),
                                    &partition));
  return fed__simulation_use(&session->simulation, &partition);
}

/* All that was asked for can be done: only now does what an earlier run left go. */
static int begin_anew(struct session *session) {
  if (session->checkpoint.is_resuming) return FED_OK;
  FED_TRY(fed__simulate_checkpoint_forget(&session->checkpoint));
  return fed__simulate_output_empty(&session->output);
}

static int prepare(struct session *session) {
  session->output.files = &session->files;
  session->output.job = &session->files.job;
  session->output.folder = fed__option_text(session->invocation, "out");
  session->output.observer.stopping = stopping;
  session->output.observer.at_rest = save;
  session->checkpoint =
      (struct fed__simulate_checkpoint){.invocation = session->invocation,
                                        .files = &session->files,
                                        .folder = session->output.folder,
                                        .ranks = session->ranks,
                                        .carry_output = fed__simulate_output_carry,
                                        .output = &session->output};
  FED_TRY(load(session));
  FED_TRY(fed__simulate_checkpoint_begin(&session->checkpoint));
  if (session->checkpoint.is_finished) return FED_OK;
  FED_TRY(fed__simulate_output_begin(&session->output));
  const struct fed__simulation_setting setting = {.context = session->invocation->context,
                                                  .job = &session->files.job,
                                                  .model = session->model,
                                                  .source = &session->data.source,
                                                  .observer = &session->output.observer,
                                                  .thread_count = session->output.thread_count,
                                                  .ranks = session->ranks};
  FED_TRY(fed__simulation_init(&session->simulation, &setting));
  FED_TRY(divide(session));
  FED_TRY(save_partition(session, &session->simulation.partition));
  FED_TRY(begin_anew(session));
  return fed__simulate_checkpoint_read(&session->checkpoint, &session->simulation);
}

static void clear(struct session *session) {
  fed__simulation_clear(&session->simulation);
  fed__simulate_output_end(&session->output);
  fed__simulate_data_clear(&session->data);
  fed_model_free(session->model);
  fed__job_files_clear(&session->files);
}

static int print_summary(const struct session *session) {
  char path[FED__PATH_MAX];
  struct fed_buffer summary;
  FED_TRY(fed__path_join(path, sizeof path, session->output.folder, "summary.json"));
  fed_buffer_init(&summary, session->invocation->context, (size_t)1 << 30);
  const int code = fed__file_read(path, &summary);
  if (code == FED_OK) printf("%.*s\n", (int)summary.size, (const char *)summary.data);
  fed_buffer_clear(&summary);
  return code;
}

/* Nothing to resume: the results are there. */
static int tell_finished(const struct session *session) {
  if (session->invocation->mute) return FED_OK;
  if (session->invocation->json) return print_summary(session);
  if (!session->invocation->quiet)
    printf("%s has the results of this run; --restart runs it again\n", session->output.folder);
  return FED_OK;
}

static int run_session(struct session *session) {
  FED_TRY(prepare(session));
  if (session->checkpoint.is_finished) return tell_finished(session);
  signal(SIGINT, ask_to_stop);
  signal(SIGTERM, ask_to_stop);
  FED_TRY(fed__simulation_run(&session->simulation));
  FED_TRY(fed__simulate_output_finish(&session->output, &session->simulation));
  const unsigned long long version = session->simulation.version;
  if (session->simulation.end == FED__END_STOPPED)
    return FED_RAISE(FED_E_BUSY,
                     "stopped after round %llu; the results are those so far, --resume goes on",
                     version);
  FED_TRY(fed__simulate_checkpoint_end(&session->checkpoint));
  if (session->simulation.end == FED__END_FAILURES)
    return FED_RAISE(FED_E_INPUT,
                     "too many failed rounds in a row after round %llu; metrics.jsonl says why",
                     version);
  return FED_OK;
}

/* ---- the partition alone -------------------------------------------------------------------- */

static int divide_and_show(const struct session *session, struct fed_examples *examples) {
  struct fed__partition partition;
  FED_TRY(fed__simulate_data_divide(&session->data, examples, &partition));
  int code = save_partition(session, &partition);
  if (code == FED_OK && !session->invocation->mute)
    code = fed__simulate_partition_show(session->invocation, &session->files.job, &partition,
                                        examples);
  fed__partition_clear(&partition);
  return code;
}

/* Needs no model, and no test set. */
static int show_partition(struct session *session) {
  struct fed__invocation *invocation = session->invocation;
  struct fed__job *job = &session->files.job;
  struct fed_examples *examples = NULL;
  FED_TRY(fed__job_files_read_plan(invocation->context, invocation->arguments[0],
                                   session->overrides, session->override_count, &session->files));
  FED_TRY(read_options(session));
  if (!job->data.name)
    return FED_RAISE(FED_E_MISSING, "the job has no 'data' section, so there is nothing to divide");
  FED_TRY(fed__simulate_data_init(&session->data, job, fed__option_text(invocation, "data"), NULL,
                                  session->out));
  FED_TRY(fed__simulate_data_open(&session->data, &examples));
  const int code = divide_and_show(session, examples);
  fed_examples_free(examples);
  return code;
}

static int run(const struct fed__simulate_runner *self, struct fed__invocation *invocation,
               const struct fed__job_override *overrides, size_t override_count,
               const char *title) {
  struct session session = {.invocation = invocation,
                            .overrides = overrides,
                            .override_count = override_count,
                            .out = self->out,
                            .output = {.invocation = invocation, .title = title},
                            .ranks = self->ranks};
  const int shows = fed__option_on(invocation, "show-partition");
  const int code = shows ? show_partition(&session) : run_session(&session);
  clear(&session);
  return code;
}

/* Once, or once for each combination. */
static int run_with(struct fed__invocation *invocation, const struct fed__axes *set,
                    const struct fed__axes *sweep, struct fed__ranks *ranks) {
  const struct fed__simulate_runner runner = {run, ranks, fed__option_text(invocation, "out")};
  struct fed__job_override overrides[FED__GIVEN_MAX];
  FED_TRY(fed__axes_check(invocation, set, sweep));
  if (sweep->count && fed__option_on(invocation, "show-partition"))
    return FED_RAISE(FED_E_USAGE, "--show-partition and --sweep: which one?");
  if (sweep->count) return fed__simulate_sweep(invocation, set, sweep, &runner);
  fed__axes_pick(set, 0, overrides);
  return run(&runner, invocation, overrides, fed__axes_add_test(invocation, overrides, set->count),
             NULL);
}

static int simulate(struct fed__invocation *invocation) {
  struct fed__axes set = {0}, sweep = {0};
  struct fed__ranks *ranks = NULL;
  FED_TRY(fed__simulate_ranks_open(invocation, &ranks));
  if (ranks) ranks->wants_to_stop = wants_to_stop;
  int code = fed__axes_of_set(invocation, &set);
  if (code == FED_OK) code = fed__axes_of_sweep(invocation, &sweep);
  if (code == FED_OK) code = run_with(invocation, &set, &sweep, ranks);
  fed__axes_clear(&set);
  fed__axes_clear(&sweep);
  return fed__simulate_ranks_close(ranks, code);
}

static const struct fed__option simulate_options[] = {
    {"data", "FOLDER", "the data to divide among the clients, as the job file describes it", NULL},
    {"clients", "COUNT", "how many there are; else the job's simulate.clients", NULL},
    {"partition", "KIND[:VALUE]",
     "iid, dirichlet:ALPHA, shards:COUNT, labels:COUNT, power_law:EXPONENT, log_normal:SIGMA, "
     "drawn:EXAMPLES, feature:NOISE, sorted:COLUMN, column:NAME[,NAME] (each value a client), "
     "folders (each a client) or file:PATH; else the job's",
     NULL},
    {"save-partition", "FILE", "write it, to be used again (file:FILE)", NULL},
    {"show-partition", NULL, "print who would have what, write DIR/partition.html; no training",
     NULL},
    {"baselines", "WORDS",
     "train besides, to compare with: centralised, local, best (single client), with commas "
     "between; else the job's simulate.baselines",
     NULL},
    {"test", "FOLDER", "with the test set; else the job's evaluate.test.folder below --data", NULL},
    {"set", "KEY=VALUE",
     "a setting in place of the job's, such as train.learning_rate=0.1; may be given several times",
     NULL},
    {"sweep", "KEY=VALUES",
     "run once for each of VALUE,VALUE,... or FROM..TO[:STEP], each in a folder of its own in DIR, "
     "and tell mean and standard deviation over seeds; several make all combinations",
     NULL},
    {"threads", "COUNT", "that train; the result is the same; else one a processor", NULL},
    {"seed", "NUMBER", "of every random choice; else the job's", NULL},
    {"out", "DIR", "where results go; those of a finished run are replaced", "simulation"},
    {"checkpoint-every", "SECONDS", "save the state after a round, at most so often; 0: each time",
     "60"},
    {"resume", NULL,
     "go on with the interrupted run in DIR; begin if there is none, do nothing if it is finished",
     NULL},
    {"restart", NULL, "begin anew, though there is an interrupted run in DIR", NULL},
    {0}};
static const char *const simulate_examples[] = {
    "fed simulate job.yaml --data data --clients 100 --partition dirichlet:0.5",
    "a hundred clients with unequal shares of the classes",
    "fed simulate job.yaml --data sites --partition folders --test test",
    "one client for each folder in sites",
    "fed simulate job.yaml --data data --partition column:hospital",
    "one client for each value in a column of the data",
    "fed simulate job.yaml --data data --partition shards:2 --show-partition",
    "how unlike the clients are, before anything is trained",
    NULL};

const struct fed__command fed__simulate_commands[1] = {
    {"simulate", "JOB.yaml", "run a job with made-up clients, in one process",
     "The rounds are those of the server, on a virtual clock; the clients do what agents do, with "
     "their part of the data. The same seed gives the same model, bit for bit, with any number of "
     "threads. Writes DIR/metrics.jsonl (a line a round), tables for spreadsheets, report.html "
     "with plots, summary.json, model.onnx and model.safetensors.",
     simulate_options, simulate_examples, 1, 1, simulate, fed__simulate_ranks_is_mute},
};
