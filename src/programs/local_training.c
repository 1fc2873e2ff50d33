/* SPDX-License-Identifier: Apache-2.0
 *
 * local_training.c: the loop: a step, a line, now and then an evaluation and a checkpoint. What is
 * behind the last checkpoint in losses.jsonl is cut off when a run goes on, so that the file reads
 * as if nothing had happened.
 */
#include "programs/local_training.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "programs/model_files.h"
#include "train/schedule.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOG_NAME "losses.jsonl"

double fed__local_training_seconds(const struct fed__local_training *training) {
  struct fed_clock *clock = training->context->clock;
  return training->seconds_before +
         (double)(clock->monotonic_us(clock) - training->started_us) * 1e-6;
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* Only what the checkpoint knows of stays in the log. */
static int open_log(struct fed__local_training *training, uint64_t bytes) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, training->folder, LOG_NAME));
  training->log = fopen(path, bytes ? "r+" : "w");
  if (!training->log || ftruncate(fileno(training->log), (off_t)bytes) != 0 ||
      fseeko(training->log, 0, SEEK_END) != 0)
    return FED_RAISE(FED_E_IO, "cannot write '%s': %s", path, strerror(errno));
  if ((uint64_t)ftello(training->log) != bytes)
    return FED_RAISE(FED_E_TRUNCATED, "'%s' is shorter than when the checkpoint was made", path);
  return FED_OK;
}

static int check_no_run(const struct fed__local_training *training) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, training->folder, "checkpoint.safetensors"));
  if (!fed__file_exists(path)) return FED_OK;
  return FED_RAISE(FED_E_EXISTS,
                   "'%s' holds a training already; go on with it (--resume), or choose another "
                   "folder (--out)",
                   training->folder);
}

int fed__local_training_begin(struct fed__local_training *training, int resume) {
  uint64_t log_bytes = 0;
  if (resume)
    FED_TRY(fed__local_checkpoint_read(training, &log_bytes));
  else
    FED_TRY(check_no_run(training));
  FED_TRY(fed__folder_make(training->folder));
  FED_TRY(open_log(training, log_bytes));
  FED_TRY(fed__walk_begin(&training->walk, training->trainer, training->data.examples,
                          &training->epochs));
  training->started_us = training->context->clock->monotonic_us(training->context->clock);
  FED_TRY(fed__walk_skip(&training->walk, training->step));
  training->current.number = training->walk.epoch + 1;
  return FED_OK;
}

void fed__local_training_end(struct fed__local_training *training) {
  if (training->walk.trainer) fed__walk_end(&training->walk);
  if (training->log) fclose(training->log);
}

/* ---- the log -------------------------------------------------------------------------------- */

static void print_metrics(FILE *log, const struct fed_metrics *metrics, int has_accuracy) {
  const double count = metrics->example_count ? (double)metrics->example_count : 1;
  fprintf(log, "\"loss\": %.9g, ", metrics->loss_sum / count);
  if (has_accuracy) fprintf(log, "\"accuracy\": %.9g, ", (double)metrics->correct_count / count);
}

static int has_accuracy(const struct fed__local_training *training) {
  const enum fed_loss loss = training->job->train.options.loss;
  return loss == FED_LOSS_SOFTMAX_CROSS_ENTROPY || loss == FED_LOSS_SOFT_CROSS_ENTROPY ||
         loss == FED_LOSS_BINARY_CROSS_ENTROPY;
}

static void log_step(const struct fed__local_training *training) {
  fprintf(training->log, "{\"step\": %llu, \"epoch\": %u, ", (unsigned long long)training->step,
          training->current.number);
  print_metrics(training->log, &training->last, has_accuracy(training));
  fprintf(training->log, "\"rate\": %.9g, \"seconds\": %.3f}\n", training->rate,
          fed__local_training_seconds(training));
}

static void log_evaluation(const struct fed__local_training *training,
                           const struct fed_metrics *metrics) {
  fprintf(training->log, "{\"step\": %llu, \"epoch\": %u, \"evaluation\": {",
          (unsigned long long)training->step, training->current.number);
  print_metrics(training->log, metrics, has_accuracy(training));
  fprintf(training->log, "\"examples\": %llu}, \"seconds\": %.3f}\n",
          (unsigned long long)metrics->example_count, fed__local_training_seconds(training));
}

/* ---- the loop ------------------------------------------------------------------------------- */

static int evaluate(struct fed__local_training *training, struct fed_metrics *metrics) {
  const struct fed__split *split = &training->data.split;
  if (training->test) return fed_evaluate(training->trainer, training->test, NULL, 0, metrics);
  if (!split->held_out_count) return FED_OK;
  return fed_evaluate(training->trainer, training->data.examples, split->held_out,
                      split->held_out_count, metrics);
}

static int classify(const struct fed__local_training *training, struct fed_examples *examples,
                    const uint32_t *rows, size_t count, struct fed__classification *found) {
  struct fed__outcomes outcomes;
  FED_TRY(fed__outcomes_init(&outcomes, training->context, training->trainer, count));
  int code = fed__outcomes_gather(&outcomes, 0, training->trainer, examples, rows, count);
  if (code == FED_OK) code = fed__classification_of(&outcomes, found);
  fed__outcomes_clear(&outcomes);
  return code == FED_E_NOT_FINITE ? FED_OK : code;
}

static int classify_all(const struct fed__local_training *training, struct fed_examples *examples,
                        struct fed__classification *found) {
  uint32_t *rows = fed__alloc(training->context, examples->count * sizeof *rows);
  if (!rows) return FED_E_MEMORY;
  for (size_t i = 0; i < examples->count; i++) rows[i] = (uint32_t)i;
  const int code = classify(training, examples, rows, examples->count, found);
  fed__free(training->context, rows);
  return code;
}

int fed__local_training_classify(const struct fed__local_training *training,
                                 struct fed__classification *found) {
  const struct fed__split *split = &training->data.split;
  *found = (struct fed__classification){.context = training->context};
  if (!fed__trainer_classes(training->trainer)) return FED_OK;
  if (training->test) return classify_all(training, training->test, found);
  if (!split->held_out_count) return FED_OK;
  return classify(training, training->data.examples, split->held_out, split->held_out_count, found);
}

/* The epoch is over, or the whole run within it. */
static int end_epoch(struct fed__local_training *training) {
  struct fed__local_epoch epoch = training->current;
  FED_TRY(evaluate(training, &epoch.evaluated));
  if (epoch.evaluated.example_count) log_evaluation(training, &epoch.evaluated);
  if (training->epoch_ended) training->epoch_ended(training, &epoch);
  training->current = (struct fed__local_epoch){.number = training->walk.epoch + 1};
  return FED_OK;
}

static int take_step(struct fed__local_training *training) {
  const uint32_t epoch = training->walk.epoch;
  struct fed_metrics *sum = &training->current.trained;
  training->rate = fed__schedule_rate(&training->job->train.options, training->step);
  training->last = (struct fed_metrics){0};
  FED_TRY(fed__walk_step(&training->walk, &training->last));
  training->step++;
  training->current.steps++;
  sum->example_count += training->last.example_count;
  sum->correct_count += training->last.correct_count;
  sum->loss_sum += training->last.loss_sum;
  log_step(training);
  if (training->stepped) training->stepped(training);
  if (training->walk.epoch != epoch || fed__walk_is_over(&training->walk))
    return end_epoch(training);
  return FED_OK;
}

static int checkpoint_is_due(const struct fed__local_training *training, uint32_t epoch_before) {
  if (training->checkpoint_steps && training->step % training->checkpoint_steps == 0) return 1;
  return training->checkpoint_epochs && training->walk.epoch != epoch_before &&
         training->walk.epoch % training->checkpoint_epochs == 0;
}

int fed__local_training_run(struct fed__local_training *training) {
  while (!fed__walk_is_over(&training->walk) && !training->stopping()) {
    const uint32_t epoch = training->walk.epoch;
    FED_TRY(take_step(training));
    if (checkpoint_is_due(training, epoch)) FED_TRY(fed__local_checkpoint_write(training));
  }
  return fed__local_checkpoint_write(training);
}

/* ---- the end -------------------------------------------------------------------------------- */

int fed__local_training_export(const struct fed__local_training *training) {
  struct fed_params params;
  FED_TRY(fed_params_copy(&params, training->context, fed_model_params(training->model)));
  int code = fed_trainer_params(training->trainer, &params);
  if (code == FED_OK)
    code = fed__model_files_write(training->context, training->folder, training->model, &params);
  fed_params_clear(&params);
  return code;
}
