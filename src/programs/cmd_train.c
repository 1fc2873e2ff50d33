/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_train.c: fed train: a job's model trained on files that are here, without a federation.
 */
#include "base/raise.h"
#include "crypto/hash.h"
#include "data/dataset.h"
#include "programs/class_figures.h"
#include "programs/fed_commands.h"
#include "programs/job_files.h"
#include "programs/local_training.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_US 100000 /* between two looks at it */

struct session {
  struct fed__invocation *invocation;
  struct fed__job_files files;
  struct fed__local_training training;
  uint64_t steps;   /* of the whole run */
  int64_t shown_us; /* when progress was shown last */
  int header_printed;
  struct fed__local_epoch last_epoch;
};

static volatile sig_atomic_t asked_to_stop;

static void ask_to_stop(int number) {
  (void)number;
  asked_to_stop = 1;
}

static int stopping(void) { return asked_to_stop; }

/* ---- telling -------------------------------------------------------------------------------- */

static int tells(const struct session *session) {
  return !session->invocation->quiet && !session->invocation->json;
}

static double mean_loss(const struct fed_metrics *metrics) {
  return metrics->loss_sum / (double)(metrics->example_count ? metrics->example_count : 1);
}

static const char *format_accuracy(const struct session *session, const struct fed_metrics *metrics,
                                   char text[16]) {
  const enum fed_loss loss = session->files.job.train.options.loss;
  const int none = loss == FED_LOSS_MEAN_SQUARED_ERROR || loss == FED_LOSS_HUBER ||
                   loss == FED_LOSS_OUTPUT || !metrics->example_count;
  const double share = none ? 0 : (double)metrics->correct_count / (double)metrics->example_count;
  snprintf(text, 16, none ? "-" : "%.2f %%", share * 100);
  return text;
}

static const char *format_loss(const struct fed_metrics *metrics, char text[16]) {
  snprintf(text, 16, metrics->example_count ? "%.5f" : "-", mean_loss(metrics));
  return text;
}

/* On a terminal one line that is written again and again. */
static void show_step(struct fed__local_training *training) {
  struct session *session = training->data_of_caller;
  struct fed_clock *clock = training->context->clock;
  const int64_t now_us = clock->monotonic_us(clock);
  char accuracy[16];
  if (!tells(session) || !session->invocation->colour || now_us - session->shown_us < PROGRESS_US)
    return;
  session->shown_us = now_us;
  printf("\r\033[Kepoch %u/%u, step %llu/%llu: loss %.5f, accuracy %s, rate %.3g, %.0f s",
         training->current.number, training->epochs.epochs, (unsigned long long)training->step,
         (unsigned long long)session->steps, mean_loss(&training->last),
         format_accuracy(session, &training->last, accuracy), training->rate,
         fed__local_training_seconds(training));
  fflush(stdout);
}

static void show_epoch(struct fed__local_training *training, const struct fed__local_epoch *epoch) {
  struct session *session = training->data_of_caller;
  char loss[16], accuracy[16], test_loss[16], test_accuracy[16];
  session->last_epoch = *epoch;
  if (!tells(session)) return;
  if (session->invocation->colour) printf("\r\033[K");
  if (!session->header_printed++)
    printf("%7s %8s %11s %10s %14s %14s %9s %9s\n", "epoch", "step", "loss", "accuracy",
           "evaluated loss", "accuracy", "rate", "seconds");
  printf("%7u %8llu %11s %10s %14s %14s %9.3g %9.1f\n", epoch->number,
         (unsigned long long)training->step, format_loss(&epoch->trained, loss),
         format_accuracy(session, &epoch->trained, accuracy),
         format_loss(&epoch->evaluated, test_loss),
         format_accuracy(session, &epoch->evaluated, test_accuracy), training->rate,
         fed__local_training_seconds(training));
  fflush(stdout);
}

static void print_metrics_json(const char *name, const struct fed_metrics *metrics) {
  printf("\"%s\": ", name);
  if (!metrics->example_count)
    printf("null, ");
  else
    printf("{\"examples\": %llu, \"correct\": %llu, \"loss\": %.9g}, ",
           (unsigned long long)metrics->example_count, (unsigned long long)metrics->correct_count,
           mean_loss(metrics));
}

static void print_classes_json(const struct session *session,
                               const struct fed__classification *found) {
  json_t *classes = fed__classification_json(session->training.job, found),
         *confusion = fed__matrix_json(found);
  char *text = json_dumps(classes, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
  char *matrix = json_dumps(confusion, JSON_COMPACT | JSON_ENCODE_ANY);
  printf("\"classes\": %s, \"confusion\": %s, ", text ? text : "null", matrix ? matrix : "null");
  free(text); /* jansson's */
  free(matrix);
  json_decref(classes);
  json_decref(confusion);
}

static void tell_end(const struct session *session, const struct fed__classification *found) {
  const struct fed__local_training *training = &session->training;
  const double seconds = fed__local_training_seconds(training);
  if (session->invocation->json) {
    printf("{\"steps\": %llu, \"epochs\": %u, ", (unsigned long long)training->step,
           training->walk.epoch);
    print_metrics_json("trained", &session->last_epoch.trained);
    print_metrics_json("evaluated", &session->last_epoch.evaluated);
    print_classes_json(session, found);
    printf("\"kernels\": \"%s\", \"seconds\": %.3f}\n", fed_trainer_kernels(training->trainer),
           seconds);
  } else {
    fed__classification_print(found);
    printf("%llu steps in %.1f s with %s kernels; %s/model.onnx and model.safetensors\n",
           (unsigned long long)training->step, seconds, fed_trainer_kernels(training->trainer),
           training->folder);
  }
}

/* ---- setting up ----------------------------------------------------------------------------- */

static int read_whole(const struct fed__invocation *invocation, const char *option, double most,
                      uint64_t *value) {
  double number = (double)*value;
  FED_TRY(fed__option_number(invocation, option, 0, most, &number));
  *value = (uint64_t)number;
  return (double)*value == number
             ? FED_OK
             : FED_RAISE(FED_E_USAGE, "--%s: expected a whole number, found %g", option, number);
}

/* By default as many passes as the federation's agents make, at most as many steps. */
static int read_epochs(struct session *session) {
  const struct fed__job *job = &session->files.job;
  struct fed__local_training *training = &session->training;
  uint64_t epochs = (uint64_t)job->rounds.count * job->train.epochs, seed = job->seed;
  uint64_t checkpoint_epochs = 1;
  FED_TRY(read_whole(session->invocation, "epochs", 1e9, &epochs));
  FED_TRY(read_whole(session->invocation, "seed", 9e15, &seed));
  FED_TRY(read_whole(session->invocation, "checkpoint-epochs", 1e9, &checkpoint_epochs));
  FED_TRY(read_whole(session->invocation, "checkpoint-steps", 1e15, &training->checkpoint_steps));
  if (epochs == 0 || epochs > UINT32_MAX)
    return FED_RAISE(FED_E_USAGE, "%llu epochs: expected 1 to %u; --epochs says how many",
                     (unsigned long long)epochs, UINT32_MAX);
  training->checkpoint_epochs = (uint32_t)checkpoint_epochs;
  training->epochs.epochs = (uint32_t)epochs;
  training->epochs.seed = seed;
  if (!fed__option_on(session->invocation, "epochs"))
    training->epochs.steps_max = job->train.steps_max * job->rounds.count;
  return FED_OK;
}

static int check_job(const struct fed__job *job) {
  if (strcmp(job->train.trainer, "native") != 0)
    return FED_RAISE(FED_E_UNSUPPORTED, "the job wants the external trainer '%s'; run that one",
                     job->train.trainer);
  if (!job->data.name)
    return FED_RAISE(FED_E_MISSING,
                     "the job has no 'data' section, so there is nothing to train on");
  return FED_OK;
}

/* There is only one place here, so statistics that would stay at each agent go into the model. */
static int load_model(struct session *session) {
  struct fed_model_options options;
  fed__job_model_options(&session->files.job, &options);
  if (options.statistics == FED_STATISTICS_LOCAL) options.statistics = FED_STATISTICS_AVERAGE;
  FED_TRY(fed_model_load(session->invocation->context, fed_buffer_slice(&session->files.graph),
                         &options, &session->training.model));
  return fed__job_files_doubt(session->invocation, &session->files.job, session->training.model);
}

static int open_data(struct session *session) {
  struct fed__job *job = &session->files.job;
  struct fed__local_training *training = &session->training;
  const char *folder = fed__option_text(session->invocation, "data");
  const char *test = fed__option_text(session->invocation, "evaluate");
  if (!folder) return FED_RAISE(FED_E_USAGE, "--data is missing: the folder with the job's data");
  if (test) job->data.holdout = 0;
  FED_TRY(fed__job_examples_open(job, folder, "fed train", &training->data));
  training->epochs.rows = training->data.split.train;
  training->epochs.row_count = training->data.split.train_count;
  training->epochs.row_weights = training->data.row_weights;
  return test ? fed__dataset_open(training->context, test, &job->data.schema, &training->test)
              : FED_OK;
}

static struct fed__digest identify(const struct fed__job_files *files) {
  struct fed__sha256 stream;
  fed__sha256_init(&stream);
  fed__sha256_update(&stream, fed_buffer_slice(&files->plan));
  fed__sha256_update(&stream, fed_buffer_slice(&files->graph));
  return fed__sha256_finish(&stream);
}

static int open_session(struct session *session) {
  struct fed__invocation *invocation = session->invocation;
  struct fed__local_training *training = &session->training;
  FED_TRY(fed__job_files_read(invocation->context, invocation->arguments[0], &session->files));
  *training = (struct fed__local_training){.context = invocation->context,
                                           .job = &session->files.job,
                                           .folder = fed__option_text(invocation, "out"),
                                           .identity = identify(&session->files),
                                           .stepped = show_step,
                                           .epoch_ended = show_epoch,
                                           .data_of_caller = session,
                                           .stopping = stopping};
  FED_TRY(check_job(training->job));
  FED_TRY(read_epochs(session));
  FED_TRY(load_model(session));
  FED_TRY(open_data(session));
  return fed_trainer_new(invocation->context, training->model, &training->job->train.options,
                         &training->trainer);
}

static void close_session(struct session *session) {
  struct fed__local_training *training = &session->training;
  fed__local_training_end(training);
  fed_trainer_free(training->trainer);
  fed_examples_free(training->test);
  fed__job_examples_close(&training->data);
  fed_model_free(training->model);
  fed__job_files_clear(&session->files);
}

/* ---- running -------------------------------------------------------------------------------- */

static int end_session(struct session *session) {
  struct fed__classification found;
  FED_TRY(fed__local_training_classify(&session->training, &found));
  tell_end(session, &found);
  fed__classification_clear(&found);
  return FED_OK;
}

static int run_session(struct session *session) {
  struct fed__local_training *training = &session->training;
  FED_TRY(open_session(session));
  FED_TRY(fed__local_training_begin(training, fed__option_on(session->invocation, "resume")));
  session->steps = fed__walk_steps_per_epoch(&training->walk) * training->epochs.epochs;
  if (training->epochs.steps_max && training->epochs.steps_max < session->steps)
    session->steps = training->epochs.steps_max;
  signal(SIGINT, ask_to_stop);
  signal(SIGTERM, ask_to_stop);
  FED_TRY(fed__local_training_run(training));
  if (!fed__walk_is_over(&training->walk)) {
    if (tells(session) && session->invocation->colour) printf("\r\033[K");
    fflush(stdout);
    return FED_RAISE(FED_E_BUSY, "stopped after step %llu of %llu; --resume goes on from there",
                     (unsigned long long)training->step, (unsigned long long)session->steps);
  }
  FED_TRY(fed__local_training_export(training));
  return end_session(session);
}

static int train(struct fed__invocation *invocation) {
  struct session session = {.invocation = invocation};
  const int code = run_session(&session);
  close_session(&session);
  return code;
}

static const struct fed__option train_options[] = {
    {"data", "FOLDER", "the data, as the job file describes it", NULL},
    {"out", "DIR", "where results go", "training"},
    {"epochs", "COUNT", "passes through the data; else rounds.count times train.epochs", NULL},
    {"evaluate", "FOLDER", "other data, evaluated after each epoch; else what the job holds out",
     NULL},
    {"resume", NULL, "go on from DIR's checkpoint", NULL},
    {"seed", "NUMBER", "of the order of examples; else the job's", NULL},
    {"checkpoint-epochs", "COUNT", "save after every so many epochs; 0: at the end", "1"},
    {"checkpoint-steps", "COUNT", "save after every so many steps, too; 0: do not", "0"},
    {0}};
static const char *const train_examples[] = {
    "fed train job.yaml --data data --evaluate test --out first",
    "train, and evaluate after each epoch", "fed train job.yaml --data data --out first --resume",
    "go on where it was stopped, with the same result", NULL};

const struct fed__command fed__train_commands[1] = {
    {"train", "JOB.yaml", "train a job's model on local files, without a federation",
     "Uses the job's model, data and train sections. Writes DIR/losses.jsonl (a line a step), "
     "checkpoint.safetensors (also when interrupted; exit status 7), and at the end model.onnx and "
     "model.safetensors.",
     train_options, train_examples, 1, 1, train},
};
