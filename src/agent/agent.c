/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.c: the agent's life: check in, do what comes, wait out what fails.
 */
#include "agent/agent.h"
#include "agent/agent_state.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/raise.h"

#include <poll.h>
#include <signal.h>

#define POLL_IDLE_MS 50000
#define POLL_WORKER_MS 10000          /* with a worker process to let go of soon */
#define WORKER_IDLE_US (15 * 1000000) /* after so long without work it ends */
#define BACK_OFF_FIRST_MS 200
#define BACK_OFF_MAX_MS 30000

int fed__agent_stopping(void *data) {
  const struct fed__agent *agent = data;
  return agent->options->stopping && agent->options->stopping(agent->options->stopping_data);
}

/* Sleep in slices, so that a signal to stop is noticed. */
static void pause_ms(struct fed__agent *agent, int64_t left_ms) {
  while (left_ms > 0 && !fed__agent_stopping(agent)) {
    const int slice_ms = left_ms < 100 ? (int)left_ms : 100;
    poll(NULL, 0, slice_ms);
    left_ms -= slice_ms;
  }
}

/* ---- checking in ---------------------------------------------------------------------------- */

struct hello {
  Fed__CheckIn message;
  Fed__Dataset *datasets;
  Fed__Dataset **dataset_list;
  Fed__Refusal refusals[FED__AGENT_REFUSALS_MAX];
  Fed__Refusal *refusal_list[FED__AGENT_REFUSALS_MAX];
};

static int fill_datasets(struct fed__agent *agent, struct hello *hello) {
  const size_t count = agent->policy.dataset_count;
  hello->datasets = fed__zalloc(agent->context, count, sizeof *hello->datasets);
  hello->dataset_list = fed__zalloc(agent->context, count, sizeof *hello->dataset_list);
  if (!hello->datasets || !hello->dataset_list) return FED_E_MEMORY;
  for (size_t i = 0; i < count; i++) {
    fed__dataset__init(&hello->datasets[i]);
    hello->datasets[i].name = agent->policy.datasets[i].name;
    hello->datasets[i].example_count = agent->example_counts[i];
    hello->dataset_list[i] = &hello->datasets[i];
  }
  hello->message.n_datasets = count;
  hello->message.datasets = hello->dataset_list;
  return FED_OK;
}

static void fill_refusals(struct fed__agent *agent, struct hello *hello) {
  size_t count = agent->refusal_count;
  if (count > FED__AGENT_REFUSALS_MAX) count = FED__AGENT_REFUSALS_MAX;
  for (size_t i = 0; i < count; i++) {
    fed__refusal__init(&hello->refusals[i]);
    hello->refusals[i].job = agent->refusals[i].job;
    hello->refusals[i].code = (uint32_t)agent->refusals[i].code;
    hello->refusals[i].reason = agent->refusals[i].reason;
    hello->refusal_list[i] = &hello->refusals[i];
  }
  hello->message.n_refusals = count;
  hello->message.refusals = hello->refusal_list;
}

static int check_in(struct fed__agent *agent, Fed__CheckInReply **reply) {
  struct hello hello = {.message = FED__CHECK_IN__INIT};
  hello.message.protocol = FED__PROTOCOL_VERSION;
  hello.message.version = (char *)(uintptr_t)FED_VERSION;
  hello.message.wait_ms = agent->worker.pid ? POLL_WORKER_MS : POLL_IDLE_MS;
  fill_refusals(agent, &hello);
  int code = fill_datasets(agent, &hello);
  if (code == FED_OK)
    code = fed__federation_check_in(agent->client, agent->context, &hello.message,
                                    fed__agent_stopping, agent, reply);
  fed__free(agent->context, hello.datasets);
  fed__free(agent->context, hello.dataset_list);
  return code;
}

/* With the worker go the objects that it worked from, and the memory that all of it took. */
static void let_idle_worker_go(struct fed__agent *agent) {
  struct fed_clock *clock = agent->context->clock;
  if (!agent->worker.pid ||
      clock->monotonic_us(clock) - agent->worker.idle_since_us <= WORKER_IDLE_US)
    return;
  fed__worker_end(&agent->worker);
  fed_buffer_clear(&agent->plan.bytes);
  fed_buffer_clear(&agent->graph.bytes);
  fed_buffer_clear(&agent->approval.bytes);
  fed_buffer_clear(&agent->parameters.bytes);
  fed_buffer_clear(&agent->server_state.bytes);
}

static int work_once(struct fed__agent *agent) {
  Fed__CheckInReply *reply = NULL;
  if (!agent->worker.pid) fed__memory_trim(); /* before a wait that may be long */
  FED_TRY(check_in(agent, &reply));
  int code = FED_OK;
  if (reply->task) {
    fed__log(agent->context, FED_LOG_INFO, "task.received", "s:s, s:I, s:i", "job",
             reply->task->job, "round", (json_int_t)reply->task->round, "attempt",
             (int)reply->task->attempt);
    code = fed__agent_do_task(agent, reply->task);
  } else {
    let_idle_worker_go(agent);
    pause_ms(agent, reply->come_back_ms);
  }
  fed__wire_free(agent->context, reply);
  return code;
}

/* ---- running -------------------------------------------------------------------------------- */

static int64_t jittered_ms(const struct fed__agent *agent, int64_t wait_ms) {
  uint16_t bits = 0;
  if (agent->context->entropy->fill(agent->context->entropy, &bits, sizeof bits) != FED_OK)
    return wait_ms;
  return wait_ms / 2 + wait_ms * bits / 65536;
}

static int run(struct fed__agent *agent) {
  int64_t wait_ms = BACK_OFF_FIRST_MS;
  while (!fed__agent_stopping(agent)) {
    const int code = work_once(agent);
    if (code == FED_OK) {
      wait_ms = BACK_OFF_FIRST_MS;
      continue;
    }
    if (fed__agent_stopping(agent)) break;
    fed__log_failure(agent->context, FED_LOG_WARNING, "server.unreachable");
    if (code == FED_E_REVOKED) return code;
    let_idle_worker_go(agent);
    pause_ms(agent, jittered_ms(agent, wait_ms));
    wait_ms = wait_ms * 2 < BACK_OFF_MAX_MS ? wait_ms * 2 : BACK_OFF_MAX_MS;
  }
  return FED_OK;
}

static int load_policy(struct fed__agent *agent) {
  struct fed_buffer text;
  fed_buffer_init(&text, agent->context, FED__JOB_BYTES_MAX);
  int code = fed__file_read(agent->options->policy_file, &text);
  if (code == FED_OK)
    code = fed__policy_parse(agent->context, agent->options->policy_file, fed_buffer_slice(&text),
                             &agent->policy);
  fed_buffer_clear(&text);
  if (code != FED_OK) return code;
  agent->example_counts =
      fed__zalloc(agent->context, agent->policy.dataset_count, sizeof *agent->example_counts);
  return agent->example_counts ? FED_OK : FED_E_MEMORY;
}

static int connect_client(struct fed__agent *agent) {
  const struct fed__http_client_options options = {
      .url = agent->identity.url,
      .ca_der = fed_buffer_slice(&agent->identity.ca_der),
      .certificate_pem = fed_buffer_text(&agent->identity.certificate),
      .key_pem = fed_buffer_text(&agent->identity.key),
      .proxy = agent->options->proxy,
      .connect_timeout_ms = 10000,
      .stall_timeout_ms = 60000,
      .bytes_per_s_max = agent->policy.network_bytes_per_s_max};
  return fed__http_client_new(agent->context, &options, &agent->client);
}

int fed__agent_run(const struct fed_context *context, const struct fed__agent_options *options) {
  struct fed__agent agent = {.context = context, .options = options};
  fed__worker_init(&agent.worker, context);
  signal(SIGPIPE, SIG_IGN);
  int code = load_policy(&agent);
  if (code == FED_OK) code = fed__agent_identity_load(context, options->folder, &agent.identity);
  if (code == FED_OK) code = connect_client(&agent);
  if (code == FED_OK) {
    fed__log(context, FED_LOG_INFO, "agent.started", "s:s, s:s", "name", agent.identity.name,
             "server", agent.identity.url);
    code = run(&agent);
  }
  fed__worker_end(&agent.worker);
  fed__http_client_free(agent.client);
  fed__agent_identity_clear(&agent.identity);
  fed__policy_clear(&agent.policy);
  fed__free(context, agent.example_counts);
  fed_buffer_clear(&agent.plan.bytes);
  fed_buffer_clear(&agent.graph.bytes);
  fed_buffer_clear(&agent.approval.bytes);
  fed_buffer_clear(&agent.parameters.bytes);
  fed_buffer_clear(&agent.server_state.bytes);
  return code;
}
