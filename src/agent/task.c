/* SPDX-License-Identifier: Apache-2.0
 *
 * task.c: one task, from the server's offer to its receipt.
 */
#include "agent/agent_state.h"
#include "agent/external.h"
#include "agent/kept.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"
#include "round/algorithm.h"
#include "round/approval.h"
#include "round/plan.h"

#include <libgen.h>
#include <stdio.h>
#include <time.h>

#define UPLOAD_TRIES 8
#define APPROVED_MS 60000

/* ---- objects -------------------------------------------------------------------------------- */

static int fetch(struct fed__agent *agent, ProtobufCBinaryData hash_bytes,
                 struct fed__agent_object *object) {
  struct fed__digest hash;
  memcpy(hash.bytes, hash_bytes.data, sizeof hash.bytes);
  if (object->bytes.size && fed__digest_equal(&hash, &object->hash)) return FED_OK;
  fed_buffer_clear(&object->bytes);
  const uint64_t size_max = agent->policy.download_bytes_max;
  fed_buffer_init(&object->bytes, agent->context, size_max ? (size_t)size_max : SIZE_MAX);
  const int code = fed__federation_download(agent->client, agent->context, &hash, &object->bytes);
  if (code == FED_OK)
    object->hash = hash;
  else
    fed_buffer_clear(&object->bytes);
  return code;
}

/* ---- the operator's word -------------------------------------------------------------------- */

/* The job is what the operator signed, not what the server says. The graph is fetched by the hash
 * that was signed; the plan is here, and not read before this. */
static int verify_approval(struct fed__agent *agent, const struct fed__approved_job *job,
                           int64_t wall_ms) {
  struct fed__agent_approved *approved = &agent->approved;
  approved->until_ms = 0;
  FED_TRY(fed__approval_verify(agent->context, fed_buffer_slice(&agent->identity.ca_der),
                               fed_buffer_slice(&agent->approval.bytes), wall_ms, job,
                               &approved->signer));
  approved->approval = agent->approval.hash;
  approved->plan = job->plan;
  approved->graph = job->graph;
  approved->from_ms = wall_ms;
  approved->until_ms = wall_ms + APPROVED_MS;
  if (approved->signer.not_after_ms < approved->until_ms)
    approved->until_ms = approved->signer.not_after_ms;
  return FED_OK;
}

/* Reading certificates and checking signatures takes longer than all the rest of a small task: what
 * was found good a moment ago is not looked at again. */
static int check_approval(struct fed__agent *agent, const Fed__Task *task,
                          struct fed__identity *signer) {
  const struct fed__agent_approved *approved = &agent->approved;
  struct fed_clock *clock = agent->context->clock;
  const int64_t wall_ms = clock->wall_ms(clock);
  struct fed__approved_job job = {.plan = agent->plan.hash};
  memcpy(job.graph.bytes, task->graph.data, sizeof job.graph.bytes);
  const int known = wall_ms >= approved->from_ms && wall_ms < approved->until_ms &&
                    fed__digest_equal(&approved->approval, &agent->approval.hash) &&
                    fed__digest_equal(&approved->plan, &job.plan) &&
                    fed__digest_equal(&approved->graph, &job.graph);
  if (!known) FED_TRY(verify_approval(agent, &job, wall_ms));
  *signer = approved->signer;
  return FED_OK;
}

/* ---- the owner's policy --------------------------------------------------------------------- */

static const struct fed__policy_dataset *find_dataset(const struct fed__policy *policy,
                                                      const char *name) {
  for (size_t i = 0; i < policy->dataset_count; i++)
    if (strcmp(policy->datasets[i].name, name) == 0) return &policy->datasets[i];
  return NULL;
}

static const struct fed__policy_trainer *find_trainer(const struct fed__policy *policy,
                                                      const char *name) {
  for (size_t i = 0; i < policy->trainer_count; i++)
    if (strcmp(policy->trainers[i].name, name) == 0) return &policy->trainers[i];
  return NULL;
}

static uint32_t local_hour(const struct fed_context *context) {
  const time_t now = (time_t)(context->clock->wall_ms(context->clock) / 1000);
  struct tm parts;
  return localtime_r(&now, &parts) ? (uint32_t)parts.tm_hour : 0;
}

static int check_task(struct fed__agent *agent, const Fed__Task *task, const struct fed__job *job,
                      const struct fed__identity *signer) {
  char plan[FED__DIGEST_HEX_SIZE];
  fed__digest_encode(&agent->plan.hash, plan);
  FED_TRY(fed__policy_allows(&agent->policy, job, plan, signer, local_hour(agent->context)));
  if (task->cohort < agent->policy.cohort_min)
    return FED_RAISE(FED_E_DENIED, "a cohort of %u; this site's policy demands at least %u",
                     task->cohort, agent->policy.cohort_min);
  return FED_OK;
}

/* A refusal goes into the owner's log, and to the server with the next check-in: the policy's
 * sentence, which is for both; of other failures the error's code only. */
static void refuse(struct fed__agent *agent, const char *job) {
  const struct fed_error *error = fed_error_last();
  const char *told = error->code == FED_E_DENIED ? error->message : fed_error_text(error->code);
  struct fed__agent_refusal *refusal =
      &agent->refusals[agent->refusal_count++ % FED__AGENT_REFUSALS_MAX];
  snprintf(refusal->job, sizeof refusal->job, "%s", job);
  snprintf(refusal->reason, sizeof refusal->reason, "%.500s", told);
  refusal->code = error->code;
  fed__log(agent->context, FED_LOG_WARNING, "job.refused", "s:s, s:s, s:s", "job", job, "code",
           fed_error_name(error->code), "reason", error->message);
}

/* ---- the work ------------------------------------------------------------------------------- */

static int keeps(const struct fed__job *job) {
  return job->model.statistics == FED_STATISTICS_LOCAL || fed__algorithm_of(job)->client->kept_name;
}

/* With what this agent kept of the job's earlier rounds. */
static int work_with_kept(struct fed__agent *agent, const char *job,
                          const struct fed__work_limits *limits,
                          const struct fed__work_request *request,
                          struct fed__work_result *result) {
  struct fed__work_request with = *request;
  struct fed_buffer kept;
  fed_buffer_init(&kept, agent->context, SIZE_MAX);
  int code = fed__kept_read(agent->options->folder, job, request->round, &kept);
  with.kept = fed_buffer_slice(&kept);
  if (code == FED_OK)
    code = fed__worker_do(&agent->worker, limits, &with, fed__agent_stopping, agent, result);
  fed_buffer_clear(&kept);
  return code;
}

/* `name`: the job's in the federation. */
static int do_work(struct fed__agent *agent, const char *name, const struct fed__job *job,
                   const struct fed__work_request *request, struct fed__work_result *result) {
  const struct fed__policy *policy = &agent->policy;
  const struct fed__work_limits limits = {policy->memory_bytes_max, policy->cpu_s_max,
                                          policy->train_s_max};
  if (strcmp(job->train.trainer, "native") == 0 && keeps(job))
    return work_with_kept(agent, name, &limits, request, result);
  if (strcmp(job->train.trainer, "native") == 0)
    return fed__worker_do(&agent->worker, &limits, request, fed__agent_stopping, agent, result);
  const struct fed__policy_trainer *trainer = find_trainer(policy, job->train.trainer);
  if (!trainer)
    return FED_RAISE(FED_E_DENIED,
                     "the job wants the trainer '%s', which this site's policy does "
                     "not name",
                     job->train.trainer);
  return fed__external_do(agent->context, trainer->command, &limits, request, fed__agent_stopping,
                          agent, result);
}

static void fill_metrics(const struct fed_metrics *metrics, Fed__Metrics *message) {
  message->example_count = metrics->example_count;
  message->correct_count = metrics->correct_count;
  message->loss_sum = metrics->loss_sum;
}

/* As many examples as the owner lets the server know of. */
static uint64_t reported_count(const struct fed__agent *agent, uint64_t example_count) {
  const uint64_t counted_max = agent->policy.examples_counted_max;
  return counted_max && example_count > counted_max ? counted_max : example_count;
}

static int encode_update(const struct fed__agent *agent, const Fed__Task *task,
                         const struct fed__work_result *result, struct fed_buffer *out) {
  Fed__UpdateHeader header = FED__UPDATE_HEADER__INIT;
  Fed__Metrics train = FED__METRICS__INIT, evaluate = FED__METRICS__INIT;
  header.nonce = task->nonce;
  header.example_count = reported_count(agent, result->example_count);
  if (agent->policy.share_metrics) {
    fill_metrics(&result->train_metrics, &train);
    fill_metrics(&result->evaluate_metrics, &evaluate);
    header.train = &train;
    header.evaluate = &evaluate;
    header.norm = result->norm;
  }
  header.grid_bits = result->grid_bits;
  header.element_count = result->element_count;
  header.train_s = result->train_s;
  header.peak_bytes = result->peak_bytes;
  header.clamped_count = result->clamped_count;
  return fed__update_encode(&header, fed_buffer_slice(&result->grid), out);
}

/* What stays here belongs to an update that the server counts: it is kept before the update leaves,
 * so that a crash cannot come between, and forgotten if the server does not want the update. */
static int keep(const struct fed__agent *agent, const Fed__Task *task,
                const struct fed__work_result *result) {
  if (!result->kept.size) return FED_OK;
  return fed__kept_write(agent->options->folder, task->job, task->round,
                         fed_buffer_slice(&result->kept));
}

static int forget_if_dismissed(const struct fed__agent *agent, const Fed__Task *task,
                               const Fed__Receipt *receipt) {
  if (receipt->verdict != FED__VERDICT__DISMISSED) return FED_OK;
  return fed__kept_forget(agent->options->folder, task->job, task->round);
}

static int send_update(struct fed__agent *agent, const Fed__Task *task,
                       const struct fed__work_result *result) {
  static const char *const verdicts[] = {"counted", "counted before", "dismissed"};
  const uint64_t size_max = agent->policy.upload_bytes_max;
  Fed__Receipt *receipt = NULL;
  struct fed_buffer update;
  fed_buffer_init(&update, agent->context, size_max ? (size_t)size_max : SIZE_MAX);
  int code = encode_update(agent, task, result, &update);
  if (code == FED_E_TOO_LARGE)
    code = FED_RAISE(FED_E_DENIED, "the update is larger than the %llu bytes that may leave",
                     (unsigned long long)size_max);
  if (code == FED_OK) code = keep(agent, task, result);
  if (code == FED_OK)
    code = fed__federation_upload(agent->client, agent->context, task, fed_buffer_slice(&update),
                                  UPLOAD_TRIES, &receipt);
  if (code == FED_OK)
    fed__log(agent->context, FED_LOG_INFO, "update.sent", "s:s, s:I, s:I, s:f, s:s", "job",
             task->job, "round", (json_int_t)task->round, "bytes", (json_int_t)update.size,
             "train_s", result->train_s, "verdict",
             receipt->verdict <= FED__VERDICT__DISMISSED ? verdicts[receipt->verdict] : "?");
  if (code == FED_OK) code = forget_if_dismissed(agent, task, receipt);
  fed__wire_free(agent->context, receipt);
  fed_buffer_clear(&update);
  return code;
}

/* A policy's folder, relative to the policy file. */
static int data_folder(const struct fed__agent *agent, const char *folder, char *path,
                       size_t size) {
  char policy_file[FED__PATH_MAX];
  if (folder[0] == '/') return fed__path_join(path, size, "", folder + 1);
  snprintf(policy_file, sizeof policy_file, "%s", agent->options->policy_file);
  return fed__path_join(path, size, dirname(policy_file), folder);
}

static int work_and_send(struct fed__agent *agent, const Fed__Task *task,
                         const struct fed__job *job) {
  const char *name = job->data.name;
  const struct fed__policy_dataset *dataset = name ? find_dataset(&agent->policy, name) : NULL;
  struct fed__work_result result;
  if (name && !dataset)
    return FED_RAISE(FED_E_DENIED,
                     "the job wants the data set '%s', which this site's policy does "
                     "not name",
                     name);
  char folder[FED__PATH_MAX] = "";
  if (dataset) FED_TRY(data_folder(agent, dataset->folder, folder, sizeof folder));
  const int training = task->kind == FED__TASK_KIND__TRAIN;
  const struct fed__work_request request = {
      .plan = fed_buffer_slice(&agent->plan.bytes),
      .graph = fed_buffer_slice(&agent->graph.bytes),
      .parameters = fed_buffer_slice(&agent->parameters.bytes),
      .server_state = task->server_state.len ? fed_buffer_slice(&agent->server_state.bytes)
                                             : (struct fed_slice){0},
      .data_folder = folder,
      .client = agent->identity.name,
      .round = fed__plan_training_number(job, task->round, task->attempt),
      .train = training,
      .evaluate = task->evaluate || !training};
  fed__work_result_init(&result, agent->context);
  int code = do_work(agent, task->job, job, &request, &result);
  if (code == FED_OK) {
    if (training && dataset)
      agent->example_counts[dataset - agent->policy.datasets] =
          reported_count(agent, result.example_count);
    code = send_update(agent, task, &result);
  }
  fed__work_result_clear(&result);
  return code;
}

static int fetch_state(struct fed__agent *agent, ProtobufCBinaryData hash) {
  if (hash.len != FED__HASH_BYTES)
    return FED_RAISE(FED_E_PROTOCOL, "Task.server_state: expected %d bytes, found %zu",
                     FED__HASH_BYTES, hash.len);
  return fetch(agent, hash, &agent->server_state);
}

static int prepare(struct fed__agent *agent, const Fed__Task *task,
                   const struct fed__identity *signer, struct fed__job *job) {
  FED_TRY(fed__job_parse(agent->context, "job.yaml", fed_buffer_slice(&agent->plan.bytes), job));
  FED_TRY(check_task(agent, task, job, signer));
  FED_TRY(fetch(agent, task->graph, &agent->graph));
  if (task->server_state.len) FED_TRY(fetch_state(agent, task->server_state));
  return fetch(agent, task->parameters, &agent->parameters);
}

/* The message stays here: it may quote the owner's data. Only the error's code goes out. */
static int report(struct fed__agent *agent, const Fed__Task *task, int code) {
  Fed__TaskFailure failure = FED__TASK_FAILURE__INIT;
  fed__log_failure(agent->context, FED_LOG_ERROR, "task.failed");
  failure.job = task->job;
  failure.round = task->round;
  failure.attempt = task->attempt;
  failure.exchange = task->exchange;
  failure.nonce = task->nonce;
  failure.code = (uint32_t)code;
  failure.message = (char *)(uintptr_t)fed_error_text(code);
  return fed__federation_report_failure(agent->client, agent->context, &failure);
}

static int is_of_the_connection(int code) {
  return code == FED_E_NETWORK || code == FED_E_REVOKED || code == FED_E_CERTIFICATE ||
         code == FED_E_EXPIRED || fed_error_class(code) == FED_CLASS_BUSY;
}

int fed__agent_do_task(struct fed__agent *agent, const Fed__Task *task) {
  struct fed__job job = {0};
  struct fed__identity signer;
  int code = fetch(agent, task->approval, &agent->approval);
  if (code == FED_OK) code = fetch(agent, task->plan, &agent->plan);
  if (code == FED_OK) {
    code = check_approval(agent, task, &signer);
    if (code != FED_OK && code != FED_E_MEMORY) {
      refuse(agent, task->job);
      return FED_OK;
    }
  }
  if (code == FED_OK) code = prepare(agent, task, &signer, &job);
  if (code == FED_OK) code = work_and_send(agent, task, &job);
  fed__job_clear(&job);
  if (code == FED_OK || is_of_the_connection(code) || fed__agent_stopping(agent)) return code;
  if (fed_error_class(code) == FED_CLASS_DENIED) {
    refuse(agent, task->job);
    return FED_OK;
  }
  return report(agent, task, code);
}
