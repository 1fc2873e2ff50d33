/* SPDX-License-Identifier: Apache-2.0
 *
 * external.c: the directory contract with an external trainer.
 */
#include "agent/external.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "fed/safetensors.h"
#include "round/plan.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UPDATE_BYTES_MAX ((size_t)2 << 30)
#define ARGUMENTS_MAX 64

/* ---- the folder ----------------------------------------------------------------------------- */

static int make_folder(char *folder, size_t size) {
  const char *const parents[] = {getenv("XDG_RUNTIME_DIR"), "/dev/shm", "/tmp"};
  for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
    if (!parents[i] || access(parents[i], W_OK) != 0) continue;
    snprintf(folder, size, "%s/fed-task-XXXXXX", parents[i]);
    if (mkdtemp(folder)) return FED_OK; /* mode 0700 */
  }
  return FED_RAISE(FED_E_IO,
                   "no folder for the trainer's files in XDG_RUNTIME_DIR, /dev/shm or "
                   "/tmp: %s",
                   strerror(errno));
}

static int put(const char *folder, const char *name, struct fed_slice bytes) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  return fed__file_write_quick(path, bytes, FED__FILE_PRIVATE);
}

static int get(const char *folder, const char *name, struct fed_buffer *out) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__path_join(path, sizeof path, folder, name));
  const int code = fed__file_read(path, out);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_MISSING, "the external trainer wrote no %s", name);
  return code;
}

static json_t *task_json(const struct fed__job *job, const struct fed__work_request *request) {
  const struct fed_train_options *options = &job->train.options;
  return json_pack(
      "{s:s, s:s, s:s, s:I, s:I, s:b, s:b, s:i, s:i, s:f, s:f, s:f, s:f}", "job", job->name,
      "client", request->client, "data", request->data_folder, "round", (json_int_t)request->round,
      "seed", (json_int_t)(fed__plan_train_seed(job, request->round, request->client) >> 11),
      "train", request->train, "evaluate", request->evaluate, "epochs", (int)job->train.epochs,
      "batch_size", (int)options->batch_size, "learning_rate", options->learning_rate, "momentum",
      options->momentum, "weight_decay", options->weight_decay, "holdout", job->data.holdout);
}

static int fill_folder(const char *folder, const struct fed__job *job,
                       const struct fed__work_request *request) {
  json_t *task = task_json(job, request);
  char *text = task ? json_dumps(task, JSON_INDENT(2)) : NULL;
  int code = text ? put(folder, "task.json", fed_slice_of_text(text))
                  : FED_RAISE(FED_E_MEMORY, "out of memory for task.json");
  free(text); /* jansson's */
  json_decref(task);
  if (code == FED_OK) code = put(folder, "model.onnx", request->graph);
  if (code == FED_OK) code = put(folder, "parameters.safetensors", request->parameters);
  if (code == FED_OK) code = put(folder, "job.yaml", request->plan);
  return code;
}

/* ---- the program ---------------------------------------------------------------------------- */

static void run_program(char *const *command, char *folder, const struct fed__work_limits *limits) {
  char *arguments[ARGUMENTS_MAX + 2];
  size_t count = 0;
  for (; command[count] && count < ARGUMENTS_MAX; count++) arguments[count] = command[count];
  arguments[count++] = folder;
  arguments[count] = NULL;
  setpgid(0, 0);
  fed__limits_apply(limits);
  close_range(3, ~0u, 0);
  execvp(arguments[0], arguments);
  _exit(127); /* in the child */
}

static int explain_status(int status, const char *program) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return FED_OK;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return FED_RAISE(FED_E_NOT_FOUND, "the external trainer '%s' could not be started", program);
  if (WIFEXITED(status))
    return FED_RAISE(FED_E_INPUT, "the external trainer '%s' ended with status %d", program,
                     WEXITSTATUS(status));
  return FED_RAISE(FED_E_LIMIT, "the external trainer '%s' was ended by signal %d", program,
                   WTERMSIG(status));
}

static int wait_for_program(const struct fed_context *context, pid_t pid, const char *program,
                            double wall_s_max, int (*stopping)(void *data), void *stopping_data) {
  const int64_t started_us = context->clock->monotonic_us(context->clock);
  int status, late = 0;
  for (;;) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) break;
    const double spent_s =
        (double)(context->clock->monotonic_us(context->clock) - started_us) * 1e-6;
    if ((wall_s_max > 0 && spent_s > wall_s_max) || (stopping && stopping(stopping_data))) {
      late = 1;
      kill(-pid, SIGKILL);
    }
    usleep(5000);
  }
  kill(-pid, SIGKILL); /* what it has started and left */
  if (late)
    return FED_RAISE(FED_E_TIMEOUT, "the external trainer '%s' was stopped; the policy allows %g s",
                     program, wall_s_max);
  return explain_status(status, program);
}

static int run(const struct fed_context *context, char *const *command, char *folder,
               const struct fed__work_limits *limits, int (*stopping)(void *data),
               void *stopping_data) {
  const pid_t pid = fork();
  if (pid < 0)
    return FED_RAISE(FED_E_LIMIT, "cannot start the external trainer: %s", strerror(errno));
  if (pid == 0) run_program(command, folder, limits);
  setpgid(pid, pid); /* whoever comes first; so that its children end with it */
  return wait_for_program(context, pid, command[0], limits->wall_s_max, stopping, stopping_data);
}

/* ---- what it wrote -------------------------------------------------------------------------- */

static int read_metric(const json_t *json, const char *name, struct fed_metrics *metrics) {
  const json_t *entry = json_object_get(json, name);
  json_int_t examples, correct;
  double loss_sum;
  if (!entry) return FED_OK;
  if (json_unpack((json_t *)(uintptr_t)entry, "{s:I, s:I, s:F}", "examples", &examples, "correct",
                  &correct, "loss_sum", &loss_sum) != 0 ||
      examples < 0 || correct < 0 || correct > examples)
    return FED_RAISE(FED_E_INPUT, "metrics.json: '%s' must have examples, correct and loss_sum",
                     name);
  *metrics = (struct fed_metrics){(uint64_t)examples, (uint64_t)correct, loss_sum};
  return FED_OK;
}

static int read_metrics(const struct fed_context *context, const char *folder,
                        struct fed__work_result *result) {
  struct fed_buffer text;
  json_error_t error;
  fed_buffer_init(&text, context, 1 << 20);
  int code = get(folder, "metrics.json", &text);
  json_t *json = code == FED_OK ? json_loadb((char *)text.data, text.size, 0, &error) : NULL;
  const json_int_t examples = json_integer_value(json_object_get(json, "example_count"));
  if (code == FED_OK && (!json || examples < 1))
    code = FED_RAISE(FED_E_INPUT, "metrics.json: expected an object with a positive example_count");
  result->example_count = examples > 0 ? (uint64_t)examples : 0;
  if (code == FED_OK) code = read_metric(json, "train", &result->train_metrics);
  if (code == FED_OK) code = read_metric(json, "evaluate", &result->evaluate_metrics);
  json_decref(json);
  fed_buffer_clear(&text);
  return code;
}

/* The trained tensors in the order of the received ones. */
static int reorder(const struct fed_context *context, const struct fed_params *received,
                   const struct fed_params *found, struct fed_params *trained) {
  FED_TRY(fed_params_init(trained, context, received->tensors, received->count));
  for (size_t i = 0; i < received->count; i++) {
    const struct fed_tensor *want = &trained->tensors[i];
    const struct fed_tensor *have = fed_params_find(found, want->name);
    if (!have || have->dtype != want->dtype || !fed_shape_equal(&have->shape, &want->shape))
      return FED_RAISE(FED_E_SHAPE,
                       "update.safetensors: tensor '%s' is missing or has another "
                       "type or shape than was sent",
                       want->name);
    memcpy(want->data, have->data, fed_tensor_bytes(want));
  }
  return FED_OK;
}

static int read_update(const struct fed_context *context, const char *folder,
                       const struct fed__job *job, const struct fed_params *received,
                       struct fed__work_result *result) {
  struct fed_buffer bytes;
  struct fed_params found = {0}, trained = {0};
  fed_buffer_init(&bytes, context, UPDATE_BYTES_MAX);
  int code = get(folder, "update.safetensors", &bytes);
  if (code == FED_OK) code = fed_safetensors_decode(fed_buffer_slice(&bytes), context, &found);
  if (code == FED_OK) code = reorder(context, received, &found, &trained);
  if (code == FED_OK) code = fed_params_check_finite(&trained);
  if (code == FED_OK) code = fed__work_finish(job, received, &trained, result);
  fed_params_clear(&found);
  fed_params_clear(&trained);
  fed_buffer_clear(&bytes);
  return code;
}

static int work_in(const struct fed_context *context, char *folder, char *const *command,
                   const struct fed__work_limits *limits, const struct fed__job *job,
                   const struct fed__work_request *request, int (*stopping)(void *data),
                   void *stopping_data, struct fed__work_result *result) {
  struct fed_params received = {0};
  FED_TRY(fill_folder(folder, job, request));
  FED_TRY(run(context, command, folder, limits, stopping, stopping_data));
  FED_TRY(read_metrics(context, folder, result));
  if (!request->train) return FED_OK;
  FED_TRY(fed_safetensors_decode(request->parameters, context, &received));
  const int code = read_update(context, folder, job, &received, result);
  fed_params_clear(&received);
  return code;
}

int fed__external_do(const struct fed_context *context, char *const *command,
                     const struct fed__work_limits *limits, const struct fed__work_request *request,
                     int (*stopping)(void *data), void *stopping_data,
                     struct fed__work_result *result) {
  const int64_t started_us = context->clock->monotonic_us(context->clock);
  char folder[FED__PATH_MAX];
  struct fed__job job;
  FED_TRY(fed__job_parse(context, "job.yaml", request->plan, &job));
  int code = make_folder(folder, sizeof folder);
  if (code == FED_OK) {
    code =
        work_in(context, folder, command, limits, &job, request, stopping, stopping_data, result);
    const int removed = fed__folder_remove(folder);
    if (code == FED_OK) code = removed;
  }
  fed__job_clear(&job);
  result->train_s = (double)(context->clock->monotonic_us(context->clock) - started_us) * 1e-6;
  return code;
}
