/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: the child process that trains. Both ends run the same build, so the frames on the
 * socket are plain structs followed by the bytes they announce.
 */
#include "agent/worker.h"
#include "base/memory.h"
#include "base/raise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct request_frame {
  uint64_t plan_size, graph_size, parameters_size, state_size, kept_size, folder_size, client_size;
  uint64_t round;
  int32_t train, evaluate;
  struct fed__work_limits limits;
};

struct result_frame {
  int32_t code;
  char message[2048];
  uint64_t grid_size, kept_size;
  struct fed__work_result result; /* its buffers are not valid here */
};

/* ---- bytes over the socket ------------------------------------------------------------------ */

static int send_all(int fd, const void *data, size_t size) {
  const char *cursor = data;
  while (size) {
    const ssize_t sent = send(fd, cursor, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return FED_RAISE(FED_E_IO, "the training process is gone");
    cursor += sent;
    size -= (size_t)sent;
  }
  return FED_OK;
}

static int receive_all(int fd, void *data, size_t size) {
  char *cursor = data;
  while (size) {
    const ssize_t got = recv(fd, cursor, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return FED_RAISE(FED_E_IO, "the training process is gone");
    cursor += got;
    size -= (size_t)got;
  }
  return FED_OK;
}

static int receive_buffer(int fd, uint64_t size, struct fed_buffer *buffer) {
  buffer->size = 0;
  FED_TRY(fed_buffer_reserve(buffer, size));
  FED_TRY(receive_all(fd, buffer->data, size));
  buffer->size = size;
  return FED_OK;
}

/* ---- the child ------------------------------------------------------------------------------ */

enum {
  PART_PLAN,
  PART_GRAPH,
  PART_PARAMETERS,
  PART_STATE,
  PART_KEPT,
  PART_FOLDER,
  PART_CLIENT,
  PART_COUNT
};

static int receive_parts(int fd, const struct request_frame *frame, struct fed_buffer *parts) {
  const uint64_t sizes[PART_COUNT] = {frame->plan_size,  frame->graph_size, frame->parameters_size,
                                      frame->state_size, frame->kept_size,  frame->folder_size,
                                      frame->client_size};
  for (int i = 0; i < PART_COUNT; i++) FED_TRY(receive_buffer(fd, sizes[i], &parts[i]));
  return FED_OK;
}

static uint64_t peak_bytes(void) {
  struct rusage used;
  return getrusage(RUSAGE_SELF, &used) == 0 ? (uint64_t)used.ru_maxrss * 1024 : 0;
}

static int answer(int fd, int code, struct fed__work_result *result) {
  struct result_frame frame = {.code = code, .result = *result};
  if (code == FED_OK) {
    frame.grid_size = result->grid.size;
    frame.kept_size = result->kept.size;
  } else {
    snprintf(frame.message, sizeof frame.message, "%s", fed_error_last()->message);
  }
  frame.result.peak_bytes = peak_bytes();
  FED_TRY(send_all(fd, &frame, sizeof frame));
  FED_TRY(send_all(fd, result->grid.data, (size_t)frame.grid_size));
  return send_all(fd, result->kept.data, (size_t)frame.kept_size);
}

static int serve_one(const struct fed_context *context, struct fed__work_session *session, int fd,
                     struct fed_buffer *parts) {
  struct request_frame frame;
  struct fed__work_result result;
  FED_TRY(receive_all(fd, &frame, sizeof frame));
  fed__limits_apply(&frame.limits);
  FED_TRY(receive_parts(fd, &frame, parts));
  const struct fed__work_request request = {.plan = fed_buffer_slice(&parts[PART_PLAN]),
                                            .graph = fed_buffer_slice(&parts[PART_GRAPH]),
                                            .parameters = fed_buffer_slice(&parts[PART_PARAMETERS]),
                                            .server_state = fed_buffer_slice(&parts[PART_STATE]),
                                            .kept = fed_buffer_slice(&parts[PART_KEPT]),
                                            .data_folder = fed_buffer_text(&parts[PART_FOLDER]),
                                            .client = fed_buffer_text(&parts[PART_CLIENT]),
                                            .memory_bytes_max = frame.limits.memory_bytes_max,
                                            .round = frame.round,
                                            .train = frame.train,
                                            .evaluate = frame.evaluate};
  if (!request.data_folder || !request.client) return FED_E_MEMORY;
  fed__work_result_init(&result, context);
  const int code = fed__work_do(session, &request, &result);
  const int answered = answer(fd, code, &result);
  fed__work_result_clear(&result);
  return answered;
}

static void run_child(const struct fed_context *context, int fd) {
  struct fed__work_session *session = NULL;
  struct fed_buffer parts[PART_COUNT];
  signal(SIGINT, SIG_IGN); /* the agent decides when to end */
  for (int i = 0; i < PART_COUNT; i++) fed_buffer_init(&parts[i], context, SIZE_MAX);
  if (fed__work_session_new(context, &session) == FED_OK)
    while (serve_one(context, session, fd, parts) == FED_OK) {
    }
  _exit(0); /* in the child */
}

/* ---- the parent ----------------------------------------------------------------------------- */

void fed__worker_init(struct fed__worker *worker, const struct fed_context *context) {
  *worker = (struct fed__worker){.context = context, .socket = -1};
}

void fed__worker_end(struct fed__worker *worker) {
  if (!worker->pid) return;
  close(worker->socket);
  kill(worker->pid, SIGKILL);
  while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  fed__worker_init(worker, worker->context);
}

/* A child that died while it was idle (killed to free memory, say) costs no task. */
static void forget_dead(struct fed__worker *worker) {
  if (!worker->pid || waitpid(worker->pid, NULL, WNOHANG) != worker->pid) return;
  close(worker->socket);
  fed__worker_init(worker, worker->context);
}

static int start(struct fed__worker *worker) {
  int pair[2];
  forget_dead(worker);
  if (worker->pid) return FED_OK;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return FED_RAISE(FED_E_LIMIT, "cannot make a socket pair: %s", strerror(errno));
  const pid_t pid = fork();
  if (pid < 0) {
    close(pair[0]);
    close(pair[1]);
    return FED_RAISE(FED_E_LIMIT, "cannot start a training process: %s", strerror(errno));
  }
  if (pid == 0) {
    const int fd = dup2(pair[1], STDERR_FILENO + 1); /* everything else is the agent's own */
    close_range((unsigned)fd + 1, ~0u, 0);
    run_child(worker->context, fd);
  }
  close(pair[1]);
  worker->pid = pid;
  worker->socket = pair[0];
  return FED_OK;
}

static int send_request(struct fed__worker *worker, const struct fed__work_limits *limits,
                        const struct fed__work_request *request) {
  const struct request_frame frame = {.plan_size = request->plan.size,
                                      .graph_size = request->graph.size,
                                      .parameters_size = request->parameters.size,
                                      .state_size = request->server_state.size,
                                      .kept_size = request->kept.size,
                                      .folder_size = strlen(request->data_folder),
                                      .client_size = strlen(request->client),
                                      .round = request->round,
                                      .train = request->train,
                                      .evaluate = request->evaluate,
                                      .limits = *limits};
  const int fd = worker->socket;
  FED_TRY(send_all(fd, &frame, sizeof frame));
  FED_TRY(send_all(fd, request->plan.data, request->plan.size));
  FED_TRY(send_all(fd, request->graph.data, request->graph.size));
  FED_TRY(send_all(fd, request->parameters.data, request->parameters.size));
  FED_TRY(send_all(fd, request->server_state.data, request->server_state.size));
  FED_TRY(send_all(fd, request->kept.data, request->kept.size));
  FED_TRY(send_all(fd, request->data_folder, strlen(request->data_folder)));
  return send_all(fd, request->client, strlen(request->client));
}

/* Wait until the child has something to say, or time is up. */
static int wait_for_answer(struct fed__worker *worker, double wall_s_max,
                           int (*stopping)(void *data), void *stopping_data) {
  struct fed_clock *clock = worker->context->clock;
  const int64_t started_us = clock->monotonic_us(clock);
  for (;;) {
    struct pollfd wanted = {.fd = worker->socket, .events = POLLIN};
    if (poll(&wanted, 1, 200) > 0) return FED_OK;
    if (stopping && stopping(stopping_data))
      return FED_RAISE(FED_E_TIMEOUT, "the agent is stopping");
    const double spent_s = (double)(clock->monotonic_us(clock) - started_us) * 1e-6;
    if (wall_s_max > 0 && spent_s > wall_s_max)
      return FED_RAISE(FED_E_TIMEOUT, "training took longer than the %g s that the policy allows",
                       wall_s_max);
  }
}

static int receive_result(struct fed__worker *worker, struct fed__work_result *result) {
  struct result_frame frame;
  FED_TRY(receive_all(worker->socket, &frame, sizeof frame));
  frame.message[sizeof frame.message - 1] = '\0';
  if (frame.code != FED_OK) return FED_RAISE(frame.code, "%s", frame.message);
  fed__work_result_set(result, &frame.result);
  FED_TRY(receive_buffer(worker->socket, frame.grid_size, &result->grid));
  return receive_buffer(worker->socket, frame.kept_size, &result->kept);
}

/* The socket broke: say what became of the child. */
static int explain_end(struct fed__worker *worker, const struct fed__work_limits *limits) {
  int status = 0;
  if (waitpid(worker->pid, &status, 0) == worker->pid) {
    close(worker->socket);
    fed__worker_init(worker, worker->context);
  }
  const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (number == SIGXCPU)
    return FED_RAISE(FED_E_LIMIT,
                     "training used more than the %g s of processor time that the "
                     "policy allows",
                     limits->cpu_s_max);
  if (number == SIGKILL || number == 0) /* it ends by itself when not even a request fits */
    return FED_RAISE(FED_E_LIMIT, "the training process ended without an answer (out of memory?)");
  return FED_RAISE(FED_E_INTERNAL, "the training process ended with signal %d", number);
}

int fed__worker_do(struct fed__worker *worker, const struct fed__work_limits *limits,
                   const struct fed__work_request *request, int (*stopping)(void *data),
                   void *stopping_data, struct fed__work_result *result) {
  FED_TRY(start(worker));
  int code = send_request(worker, limits, request);
  if (code == FED_OK) code = wait_for_answer(worker, limits->wall_s_max, stopping, stopping_data);
  if (code == FED_E_TIMEOUT) {
    fed__worker_end(worker);
    return code;
  }
  if (code == FED_OK) code = receive_result(worker, result);
  worker->idle_since_us = worker->context->clock->monotonic_us(worker->context->clock);
  return code == FED_E_IO ? explain_end(worker, limits) : code;
}
