/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_trouble.c: what a real network does to a federation, on purpose: one agent is killed in
 * the middle of a round and comes back, the server is killed with SIGKILL and started again.
 */
#include "base/raise.h"
#include "programs/demo.h"
#include "programs/operator_client.h"

#include <jansson.h>
#include <unistd.h>

#define AGENT_OUT_US 800000
#define SERVER_OUT_US 500000

struct position {
  long long round, reported, cohort;
  int in_exchange, running;
};

/* Where the job is; zeros while the server does not answer. */
static struct position ask(struct fed__demo *demo, struct fed__http_client *client) {
  struct position position = {.running = 1};
  struct fed_buffer answer;
  char path[128];
  snprintf(path, sizeof path, "/v1/jobs/%s", demo->job_id);
  fed_buffer_init(&answer, demo->context, 1 << 20);
  if (fed__federation_get(client, path, 5000, &answer) == FED_OK) {
    json_t *job = json_loadb((char *)answer.data, answer.size, 0, NULL);
    const json_t *progress = json_object_get(job, "progress");
    const char *phase = json_string_value(json_object_get(progress, "phase"));
    const char *state = json_string_value(json_object_get(job, "state"));
    position.round = json_integer_value(json_object_get(progress, "round"));
    position.reported = json_integer_value(json_object_get(progress, "reported"));
    position.cohort = json_integer_value(json_object_get(progress, "cohort"));
    position.in_exchange = phase && phase[0] == 'e';
    position.running = !state || state[0] == 'r';
    json_decref(job);
  }
  fed_buffer_clear(&answer);
  return position;
}

/* Until round `round` has some answers but not all. */
static int wait_for_round(struct fed__demo *demo, struct fed__http_client *client,
                          long long round) {
  for (;;) {
    const struct position at = ask(demo, client);
    if (!at.running || demo->job_over || at.round > round) return 0;
    if (at.round == round && at.in_exchange && at.reported >= 2 && at.reported + 2 <= at.cohort)
      return 1;
    usleep(10000);
  }
}

static void note(const struct fed__demo *demo, const char *text) {
  if (!demo->invocation->json && !demo->invocation->quiet)
    printf("%s        %s%s\n", demo->colour ? "\r\033[K\033[33m" : "", text,
           demo->colour ? "\033[0m" : "");
  fflush(stdout);
}

static int disturb_agent(struct fed__demo *demo, int index) {
  pthread_mutex_lock(&demo->lock);
  note(demo, "-- client-4 is killed in the middle of the round");
  fed__demo_kill(&demo->agents[index]);
  pthread_mutex_unlock(&demo->lock);
  usleep(AGENT_OUT_US);
  pthread_mutex_lock(&demo->lock);
  const int code = fed__demo_start_agent(demo, index);
  note(demo, "-- client-4 is back");
  pthread_mutex_unlock(&demo->lock);
  return code;
}

static int disturb_server(struct fed__demo *demo) {
  pthread_mutex_lock(&demo->lock);
  note(demo, "-- the server is killed with SIGKILL");
  fed__demo_kill(&demo->server);
  pthread_mutex_unlock(&demo->lock);
  usleep(SERVER_OUT_US);
  pthread_mutex_lock(&demo->lock);
  const int code = fed__demo_start_server(demo);
  note(demo, "-- the server is started again");
  pthread_mutex_unlock(&demo->lock);
  return code;
}

static int make_trouble(struct fed__demo *demo, struct fed__http_client *client) {
  const long long rounds = demo->job.rounds.count;
  const long long agent_round = rounds / 3 ? rounds / 3 : 1, server_round = agent_round + 2;
  if (wait_for_round(demo, client, agent_round)) FED_TRY(disturb_agent(demo, 3));
  if (wait_for_round(demo, client, server_round)) FED_TRY(disturb_server(demo));
  return FED_OK;
}

static void *run_trouble(void *data) {
  struct fed__demo *demo = data;
  struct fed__http_client *client = NULL;
  char folder[FED__PATH_MAX];
  int code =
      fed__operator_connect(demo->context, fed__demo_path(demo, folder, "federation"), &client);
  if (code == FED_OK) code = make_trouble(demo, client);
  if (code != FED_OK) note(demo, fed_error_last()->message);
  while (!demo->ending) { /* a process dies with the thread that started it */
    fed__demo_note_peaks(demo);
    usleep(200000);
  }
  fed__http_client_free(client);
  return NULL;
}

int fed__demo_trouble_start(struct fed__demo *demo) {
  if (pthread_create(&demo->trouble, NULL, run_trouble, demo) != 0)
    return FED_RAISE(FED_E_LIMIT, "cannot start a thread");
  demo->trouble_started = 1;
  return FED_OK;
}
