/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd_job.c: fed job new|check|submit|list|watch|stop, fed agents.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/raise.h"
#include "fed/train.h"
#include "job/job.h"
#include "programs/fed_commands.h"
#include "programs/job_files.h"
#include "programs/operator_client.h"
#include "round/plan.h"

#include <jansson.h>
#include <string.h>

/* ---- new, check ----------------------------------------------------------------------------- */

static int new_job(struct fed__invocation *invocation) {
  static const char text[] =
      "# A federated job; `fed job check --explain FILE` explains every setting.\n"
      "version: 1\n"
      "name: my-job\n"
      "model: {file: model.onnx}\n"
      "data:\n"
      "  name: my-data # as the agents' policies call it\n"
      "  format: idx\n"
      "  inputs: {file: images.idx, shape: [1, 28, 28]}\n"
      "  target: {file: labels.idx, classes: 10}\n"
      "train: {epochs: 1, batch_size: 32, learning_rate: 0.05}\n"
      "rounds: {count: 10, cohort: 5, minimum: 3, deadline: 10 min}\n";
  const char *file = invocation->argument_count ? invocation->arguments[0] : "job.yaml";
  if (fed__file_exists(file))
    return FED_RAISE(FED_E_EXISTS, "'%s' exists; give another name", file);
  FED_TRY(fed__file_write(file, fed_slice_of_text(text), FED__FILE_SHARED));
  if (!invocation->quiet)
    printf("wrote %s; next: fed model new, then fed job check %s\n", file, file);
  return FED_OK;
}

static int check_plan(const struct fed__invocation *invocation, const struct fed__job_files *files,
                      size_t *elements) {
  const struct fed_context *context = invocation->context;
  struct fed_model_options options;
  struct fed_model *model = NULL;
  struct fed__plan plan;
  fed__job_model_options(&files->job, &options);
  FED_TRY(fed_model_load(context, fed_buffer_slice(&files->graph), &options, &model));
  *elements = fed_params_elements(fed_model_params(model));
  int code = fed__plan_make(&files->job, *elements, &plan);
  if (code == FED_OK) code = fed__plan_check_training(context, &files->job, model);
  if (code == FED_OK) code = fed__job_files_doubt(invocation, &files->job, model);
  fed_model_free(model);
  return code;
}

static int explain(struct fed__invocation *invocation, const struct fed__job *job) {
  struct fed_buffer text;
  fed_buffer_init(&text, invocation->context, FED__JOB_BYTES_MAX);
  const int code = fed__job_explain(invocation->context, job, invocation->json, &text);
  fwrite(text.data ? (char *)text.data : "", 1, text.size, stdout);
  fed_buffer_clear(&text);
  return code;
}

static int check_job(struct fed__invocation *invocation) {
  struct fed__job_files files;
  size_t elements = 0;
  if (!invocation->argument_count) return explain(invocation, NULL);
  int code = fed__job_files_read(invocation->context, invocation->arguments[0], &files);
  if (code == FED_OK) code = check_plan(invocation, &files, &elements);
  if (code == FED_OK && fed__option_on(invocation, "explain"))
    code = explain(invocation, &files.job);
  else if (code == FED_OK && !invocation->quiet)
    printf("%s: fine; %u round%s, cohort %u, %zu parameters\n", invocation->arguments[0],
           files.job.rounds.count, fed__plural(files.job.rounds.count), files.job.rounds.cohort,
           elements);
  fed__job_files_clear(&files);
  return code;
}

/* ---- submit, watch -------------------------------------------------------------------------- */

static int send_job(const struct fed_context *context, const char *folder,
                    const struct fed__job_files *files, const struct fed_buffer *approval,
                    char job[65]) {
  struct fed__http_client *client = NULL;
  Fed__JobSubmission submission = FED__JOB_SUBMISSION__INIT;
  Fed__JobAccepted *accepted = NULL;
  submission.protocol = FED__PROTOCOL_VERSION;
  submission.approval = (ProtobufCBinaryData){approval->size, approval->data};
  submission.plan = (ProtobufCBinaryData){files->plan.size, files->plan.data};
  submission.graph = (ProtobufCBinaryData){files->graph.size, files->graph.data};
  FED_TRY(fed__operator_connect(context, folder, &client));
  const int code = fed__federation_submit(client, context, &submission, &accepted);
  if (code == FED_OK) snprintf(job, 65, "%s", accepted->job);
  fed__wire_free(context, accepted);
  fed__http_client_free(client);
  return code;
}

static int sign_and_send(const struct fed_context *context, const char *folder,
                         const struct fed__job_files *files, char job[65]) {
  const struct fed__approved_job signed_job = {fed__sha256_of(fed_buffer_slice(&files->plan)),
                                               fed__sha256_of(fed_buffer_slice(&files->graph))};
  struct fed_buffer approval;
  fed_buffer_init(&approval, context, FED__APPROVAL_BYTES_MAX);
  int code = fed__operator_sign(context, folder, &signed_job, &approval);
  if (code == FED_OK) code = send_job(context, folder, files, &approval, job);
  fed_buffer_clear(&approval);
  return code;
}

int fed__job_submit(const struct fed_context *context, const char *folder, const char *file,
                    char job[65]) {
  struct fed__job_files files;
  int code = fed__job_files_read(context, file, &files);
  if (code == FED_OK) code = sign_and_send(context, folder, &files, job);
  fed__job_files_clear(&files);
  return code;
}

static int submit(struct fed__invocation *invocation) {
  char job[65];
  const char *folder = fed__option_text(invocation, "dir");
  FED_TRY(fed__job_submit(invocation->context, folder, invocation->arguments[0], job));
  if (invocation->json)
    printf("{\"job\":\"%s\"}\n", job);
  else
    printf("%s\n", job);
  fflush(stdout);
  return fed__option_on(invocation, "watch") ? fed__job_watch(invocation, folder, job) : FED_OK;
}

static int watch(struct fed__invocation *invocation) {
  return fed__job_watch(invocation, fed__option_text(invocation, "dir"), invocation->arguments[0]);
}

/* ---- list, stop, agents --------------------------------------------------------------------- */

static void print_jobs(const void *jobs) {
  size_t index;
  const json_t *job;
  json_array_foreach((const json_t *)jobs, index, job) {
    char time[32];
    fed__format_time(json_integer_value(json_object_get(job, "created_ms")), time);
    printf("%-24s %-8s version %-5lld %.19s  %-12s %s\n",
           json_string_value(json_object_get(job, "id")),
           json_string_value(json_object_get(job, "state")),
           (long long)json_integer_value(json_object_get(job, "version")), time,
           json_string_value(json_object_get(job, "signer")),
           json_string_value(json_object_get(job, "reason")));
  }
}

static int list(struct fed__invocation *invocation) {
  return fed__operator_show(invocation, "/v1/jobs", print_jobs);
}

static int stop(struct fed__invocation *invocation) {
  struct fed__http_client *client = NULL;
  struct fed_buffer answer;
  char path[128];
  snprintf(path, sizeof path, "/v1/jobs/%.100s/stop", invocation->arguments[0]);
  fed_buffer_init(&answer, invocation->context, 1 << 20);
  FED_TRY(fed__operator_connect(invocation->context, fed__option_text(invocation, "dir"), &client));
  const int code = fed__federation_post(client, path, fed_slice_of_text("{}"), &answer);
  if (code == FED_OK && invocation->json)
    printf("%.*s\n", (int)answer.size, (char *)answer.data);
  else if (code == FED_OK && !invocation->quiet)
    printf("stopped %s\n", invocation->arguments[0]);
  fed_buffer_clear(&answer);
  fed__http_client_free(client);
  return code;
}

static void print_agents(const void *agents) {
  size_t index;
  const json_t *agent;
  json_array_foreach((const json_t *)agents, index, agent) {
    char *datasets = json_dumps(json_object_get(agent, "datasets"), JSON_COMPACT);
    printf("%-24s %-8s %-8s %s\n", json_string_value(json_object_get(agent, "name")),
           json_string_value(json_object_get(agent, "state")),
           json_is_true(json_object_get(agent, "waiting")) ? "waiting" : "",
           datasets ? datasets : "");
    free(datasets); /* jansson's */
  }
}

static int agents(struct fed__invocation *invocation) {
  return fed__operator_show(invocation, "/v1/agents", print_agents);
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct fed__option check_options[] = {
    {"explain", NULL, "print every setting with its value, default, unit and meaning", NULL}, {0}};
static const struct fed__option submit_options[] = {
    FED__DIR_OPTION, {"watch", NULL, "follow the job to its end", NULL}, {0}};
static const struct fed__option dir_options[] = {FED__DIR_OPTION, {0}};
static const char *const check_examples[] = {
    "fed job check job.yaml", "check the job file and its model without a server",
    "fed job check --explain job.yaml", "also say what every setting is and means", NULL};
static const char *const submit_examples[] = {"fed job submit job.yaml --watch",
                                              "start the job and follow it", NULL};
static const char *const watch_examples[] = {
    "fed job watch fashion-cnn-1", "progress as it happens", "fed job watch fashion-cnn-1 --json",
    "every event as a JSON line, from the first", NULL};

const struct fed__command fed__job_commands[7] = {
    {"job new", "[FILE]", "write a job file to start from", NULL, NULL, NULL, 0, 1, new_job},
    {"job check", "[FILE]", "check a job file; without one, show all defaults", NULL, check_options,
     check_examples, 0, 1, check_job},
    {"job submit", "FILE", "sign and start a job",
     "Signs job file and model with the folder's operator.key. Prints the job's identifier.",
     submit_options, submit_examples, 1, 1, submit},
    {"job list", "", "list jobs", NULL, dir_options, NULL, 0, 0, list},
    {"job watch", "JOB", "follow a job to its end", NULL, dir_options, watch_examples, 1, 1, watch},
    {"job stop", "JOB", "end a job; its newest model version stays", NULL, dir_options, NULL, 1, 1,
     stop},
    {"agents", "", "list agents: who waits for work, with what data", NULL, dir_options, NULL, 0, 0,
     agents},
};
