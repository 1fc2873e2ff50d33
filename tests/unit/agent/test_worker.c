/* SPDX-License-Identifier: Apache-2.0
 *
 * test_worker.c: the same request gives the same bytes, in one session, in a fresh one and in the
 * child process; and the child's limits: wall clock, processor time, memory; its death is a failed
 * task, and the next one works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/worker.h"
#include "base/file.h"
#include "base/rng.h"
#include "fed/safetensors.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 120

/* A data owner's folder, and a job over it. */
struct site {
  struct fed_context context;
  char folder[64];
  struct fed_buffer graph, parameters;
  char plan[1024];
};

static void write_rows(struct site *site) {
  struct fed_buffer text;
  struct fed_rng rng;
  char path[128];
  fed_buffer_init(&text, &site->context, 1 << 20);
  assert_int_equal(fed_buffer_print(&text, "a,b,c,d,label\n"), FED_OK);
  fed__rng_init(&rng, 1, "test_worker", 0, 0);
  for (int i = 0; i < ROWS; i++) {
    const int label = (int)fed__rng_below(&rng, 2);
    for (int k = 0; k < 4; k++)
      assert_int_equal(fed_buffer_print(&text, "%.4f,", fed__rng_normal(&rng) + label), FED_OK);
    assert_int_equal(fed_buffer_print(&text, "%d\n", label), FED_OK);
  }
  snprintf(path, sizeof path, "%s/points.csv", site->folder);
  assert_int_equal(fed__file_write(path, fed_buffer_slice(&text), FED__FILE_PRIVATE), FED_OK);
  fed_buffer_clear(&text);
}

static void write_model(struct site *site, uint32_t hidden) {
  const struct fed_recipe_options recipe = {.recipe = "mlp",
                                            .input = {1, {4}},
                                            .classes = 2,
                                            .hidden = {hidden},
                                            .hidden_count = 1,
                                            .seed = 1};
  struct fed_model *model;
  fed_buffer_clear(&site->graph);
  fed_buffer_clear(&site->parameters);
  fed_buffer_init(&site->graph, &site->context, (size_t)1 << 30);
  fed_buffer_init(&site->parameters, &site->context, (size_t)1 << 30);
  assert_int_equal(fed_recipe_write(&site->context, &recipe, &site->graph), FED_OK);
  assert_int_equal(fed_model_load(&site->context, fed_buffer_slice(&site->graph), NULL, &model),
                   FED_OK);
  assert_int_equal(fed_safetensors_encode(fed_model_params(model), NULL, 0, &site->parameters),
                   FED_OK);
  fed_model_free(model);
}

static void write_plan(struct site *site, uint32_t epochs) {
  snprintf(site->plan, sizeof site->plan,
           "version: 1\nname: test\nmodel: {file: model.onnx}\n"
           "data:\n  name: points\n  format: csv\n  inputs: {file: points.csv}\n"
           "  target: {classes: 2}\n  holdout: 0.25\n"
           "  csv:\n    columns:\n"
           "      - {name: a, kind: number}\n      - {name: b, kind: number}\n"
           "      - {name: c, kind: number}\n      - {name: d, kind: number}\n"
           "      - {name: label, kind: target, categories: [\"0\", \"1\"]}\n"
           "train: {epochs: %u, batch_size: 8}\n"
           "rounds: {count: 1, cohort: 2, minimum: 2}\n",
           epochs);
}

static int open_site(void **state) {
  struct site *site = test_calloc(1, sizeof *site);
  fed_context_init(&site->context);
  snprintf(site->folder, sizeof site->folder, "/tmp/fed-test-worker-XXXXXX");
  assert_non_null(mkdtemp(site->folder));
  write_rows(site);
  write_model(site, 8);
  write_plan(site, 2);
  *state = site;
  return 0;
}

static int close_site(void **state) {
  struct site *site = *state;
  assert_int_equal(fed__folder_remove(site->folder), FED_OK);
  fed_buffer_clear(&site->graph);
  fed_buffer_clear(&site->parameters);
  test_free(site);
  return 0;
}

static struct fed__work_request request_of(const struct site *site) {
  return (struct fed__work_request){.plan = fed_slice_of_text(site->plan),
                                    .graph = fed_buffer_slice(&site->graph),
                                    .parameters = fed_buffer_slice(&site->parameters),
                                    .data_folder = site->folder,
                                    .client = "a",
                                    .round = 1,
                                    .train = 1,
                                    .evaluate = 1};
}

/* ---- the same request, the same bytes ------------------------------------------------------- */

static void assert_same_result(const struct fed__work_result *a, const struct fed__work_result *b) {
  assert_int_equal(a->grid.size, b->grid.size);
  assert_memory_equal(a->grid.data, b->grid.data, a->grid.size);
  assert_int_equal(a->example_count, b->example_count);
  assert_memory_equal(&a->train_metrics, &b->train_metrics, sizeof a->train_metrics);
  assert_memory_equal(&a->evaluate_metrics, &b->evaluate_metrics, sizeof a->evaluate_metrics);
}

static int bytes_differ(const struct fed__work_result *a, const struct fed__work_result *b) {
  return a->grid.size != b->grid.size || memcmp(a->grid.data, b->grid.data, a->grid.size) != 0;
}

static void work_in(struct fed__work_session *session, const struct fed__work_request *request,
                    struct fed__work_result *result) {
  const int code = fed__work_do(session, request, result);
  if (code != FED_OK) fail_msg("%s", fed_error_last()->message);
}

static void work_is_repeatable(void **state) {
  struct site *site = *state;
  struct fed__work_session *session, *fresh;
  struct fed__work_result first, other;
  struct fed__work_request request = request_of(site);
  fed__work_result_init(&first, &site->context);
  fed__work_result_init(&other, &site->context);
  assert_int_equal(fed__work_session_new(&site->context, &session), FED_OK);
  assert_int_equal(fed__work_session_new(&site->context, &fresh), FED_OK);
  work_in(session, &request, &first);
  assert_int_equal(first.example_count, ROWS * 3 / 4);
  assert_int_equal(first.train_metrics.example_count, 2 * ROWS * 3 / 4);
  assert_int_equal(first.evaluate_metrics.example_count, ROWS / 4);
  assert_int_equal(first.grid_bits, 16);
  assert_int_equal(first.grid.size, 2 * first.element_count);
  work_in(session, &request, &other);
  assert_same_result(&first, &other);
  work_in(fresh, &request, &other);
  assert_same_result(&first, &other);
  request.round = 2; /* another round has other batches */
  work_in(session, &request, &other);
  assert_true(bytes_differ(&first, &other));
  request.round = 1;
  request.client = "b"; /* and so has another client of the same data */
  work_in(fresh, &request, &other);
  assert_true(bytes_differ(&first, &other));
  request.client = "a"; /* what came between changes nothing */
  work_in(session, &request, &other);
  assert_same_result(&first, &other);
  fed__work_session_free(session);
  fed__work_session_free(fresh);
  fed__work_result_clear(&first);
  fed__work_result_clear(&other);
}

/* With the figures, before anything is trained. */
static void a_plan_beyond_the_owners_memory_is_refused(void **state) {
  struct site *site = *state;
  struct fed__work_session *session;
  struct fed__work_result result;
  struct fed__work_request request = request_of(site);
  request.memory_bytes_max = 200;
  fed__work_result_init(&result, &site->context);
  assert_int_equal(fed__work_session_new(&site->context, &session), FED_OK);
  assert_int_equal(fed__work_do(session, &request, &result), FED_E_TOO_LARGE);
  assert_non_null(strstr(fed_error_last()->message, "200"));
  request.memory_bytes_max = 64 << 20;
  work_in(session, &request, &result);
  fed__work_session_free(session);
  fed__work_result_clear(&result);
}

static void the_child_gives_the_same_bytes(void **state) {
  struct site *site = *state;
  const struct fed__work_limits no_limits = {0};
  struct fed__work_request request = request_of(site);
  struct fed__work_session *session;
  struct fed__work_result here, there;
  struct fed__worker worker;
  fed__work_result_init(&here, &site->context);
  fed__work_result_init(&there, &site->context);
  fed__worker_init(&worker, &site->context);
  assert_int_equal(fed__work_session_new(&site->context, &session), FED_OK);
  work_in(session, &request, &here);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &there), FED_OK);
    assert_same_result(&here, &there);
    assert_true(there.peak_bytes > 0);
  }
  request.train = 0; /* evaluate only: no update */
  assert_int_equal(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &there), FED_OK);
  assert_int_equal(there.grid.size, 0);
  assert_int_equal(there.evaluate_metrics.example_count, ROWS / 4);
  fed__worker_end(&worker);
  fed__worker_end(&worker); /* a second time does no harm */
  fed__work_session_free(session);
  fed__work_result_clear(&here);
  fed__work_result_clear(&there);
}

/* ---- limits and deaths ---------------------------------------------------------------------- */

/* One request that must fail so; then a small one must succeed, in a child that is well. */
static void assert_fails(struct site *site, struct fed__worker *worker,
                         const struct fed__work_limits *limits, int (*stopping)(void *), int code,
                         const char *part) {
  const struct fed__work_limits no_limits = {0};
  struct fed__work_request request = request_of(site);
  struct fed__work_result result;
  fed__work_result_init(&result, &site->context);
  assert_int_equal(fed__worker_do(worker, limits, &request, stopping, worker, &result), code);
  if (!strstr(fed_error_last()->message, part))
    fail_msg("'%s' is not in: %s", part, fed_error_last()->message);
  assert_int_equal(result.grid.size, 0);
  if (fed_error_class(code) == FED_CLASS_RESOURCE && worker->pid) fed__worker_end(worker);
  write_plan(site, 1);
  write_model(site, 8);
  request = request_of(site);
  const int again = fed__worker_do(worker, &no_limits, &request, NULL, NULL, &result);
  if (again != FED_OK) fail_msg("the next task fails: %s", fed_error_last()->message);
  assert_true(result.grid.size > 0);
  fed__work_result_clear(&result);
  fed__worker_end(worker);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void the_wall_clock_is_limited(void **state) {
  struct site *site = *state;
  const struct fed__work_limits limits = {.wall_s_max = 0.3};
  struct fed__worker worker;
  fed__worker_init(&worker, &site->context);
  write_plan(site, 100000);
  write_model(site, 64);
  assert_fails(site, &worker, &limits, NULL, FED_E_TIMEOUT, "longer than the 0.3 s");
}

static void processor_time_is_limited(void **state) {
  struct site *site = *state;
  const struct fed__work_limits limits = {.cpu_s_max = 0.1, .wall_s_max = 300};
  struct fed__worker worker;
  fed__worker_init(&worker, &site->context);
  write_plan(site, 100000);
  write_model(site, 64);
  assert_fails(site, &worker, &limits, NULL, FED_E_LIMIT, "processor time");
}

/* QEMU's user mode does not keep such limits. */
static int system_limits_memory(void) {
  struct rlimit before, after = {0};
  assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
  const struct rlimit lower = {before.rlim_max / 2, before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_DATA, &lower), 0);
  assert_int_equal(getrlimit(RLIMIT_DATA, &after), 0);
  assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
  return after.rlim_cur == lower.rlim_cur;
}

/* Whether not even the request fits, or the training does not. */
static void memory_is_limited(void **state) {
  struct site *site = *state;
  struct fed__worker worker;
  struct fed__work_result result;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); /* they reserve terabytes: the limit is not set */
#endif
  if (!system_limits_memory()) skip();
  write_model(site, 1000000); /* 7 million parameters: 28 MB */
  const struct fed__work_request request = request_of(site);
  for (uint64_t mebibytes = 16; mebibytes <= 64; mebibytes += 16) {
    const struct fed__work_limits limits = {.memory_bytes_max = mebibytes << 20};
    fed__worker_init(&worker, &site->context);
    fed__work_result_init(&result, &site->context);
    const int code = fed__worker_do(&worker, &limits, &request, NULL, NULL, &result);
    assert_int_equal(fed_error_class(code), FED_CLASS_RESOURCE);
    fed__work_result_clear(&result);
    fed__worker_end(&worker);
  }
}

static int is_stopping(void *data) {
  (void)data;
  return 1;
}

static void an_agent_that_stops_does_not_wait(void **state) {
  struct site *site = *state;
  const struct fed__work_limits limits = {.wall_s_max = 300};
  struct fed__worker worker;
  fed__worker_init(&worker, &site->context);
  write_plan(site, 100000);
  write_model(site, 64);
  assert_fails(site, &worker, &limits, is_stopping, FED_E_TIMEOUT, "the agent is stopping");
}

/* These are asked while the child is at work. */
static int kill_child(void *data) {
  kill(((struct fed__worker *)data)->pid, SIGKILL);
  return 0;
}

static int crash_child(void *data) {
  kill(((struct fed__worker *)data)->pid, SIGABRT); /* no sanitizer catches it */
  return 0;
}

static void a_crash_is_a_failed_task(void **state) {
  struct site *site = *state;
  const struct fed__work_limits limits = {.wall_s_max = 300};
  struct fed__worker worker;
  fed__worker_init(&worker, &site->context);
  write_plan(site, 100000);
  write_model(site, 64);
  assert_fails(site, &worker, &limits, kill_child, FED_E_LIMIT, "out of memory?");
  write_plan(site, 100000);
  write_model(site, 64);
  assert_fails(site, &worker, &limits, crash_child, FED_E_INTERNAL, "signal 6");
}

/* The child dies while it has nothing to do: nobody's task should pay for that. */
static void a_child_that_died_idle_is_replaced(void **state) {
  struct site *site = *state;
  const struct fed__work_limits no_limits = {0};
  const struct fed__work_request request = request_of(site);
  struct fed__work_result result;
  struct fed__worker worker;
  siginfo_t ended;
  fed__work_result_init(&result, &site->context);
  fed__worker_init(&worker, &site->context);
  assert_int_equal(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &result), FED_OK);
  kill(worker.pid, SIGKILL);
  assert_int_equal(waitid(P_PID, (id_t)worker.pid, &ended, WEXITED | WNOWAIT), 0);
  const int code = fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &result);
  if (code != FED_OK) fail_msg("%s", fed_error_last()->message);
  fed__worker_end(&worker);
  fed__work_result_clear(&result);
}

/* What is wrong with the data is told with the work's own words. */
static void failures_of_the_work_come_through(void **state) {
  struct site *site = *state;
  const struct fed__work_limits no_limits = {0};
  struct fed__work_request request = request_of(site);
  struct fed__work_result result;
  struct fed__worker worker;
  fed__work_result_init(&result, &site->context);
  fed__worker_init(&worker, &site->context);
  request.data_folder = "/nowhere";
  assert_int_equal(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &result),
                   FED_E_NOT_FOUND);
  assert_non_null(strstr(fed_error_last()->message, "/nowhere"));
  request.data_folder = site->folder;
  request.parameters = fed_slice_of_text("no parameters");
  assert_int_equal(
      fed_error_class(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &result)),
      FED_CLASS_INPUT);
  request = request_of(site);
  assert_int_equal(fed__worker_do(&worker, &no_limits, &request, NULL, NULL, &result), FED_OK);
  fed__worker_end(&worker);
  fed__work_result_clear(&result);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
#define AT_SITE(test) cmocka_unit_test_setup_teardown(test, open_site, close_site)
  const struct CMUnitTest tests[] = {
      AT_SITE(work_is_repeatable),
      AT_SITE(a_plan_beyond_the_owners_memory_is_refused),
      AT_SITE(the_child_gives_the_same_bytes),
      AT_SITE(the_wall_clock_is_limited),
      AT_SITE(processor_time_is_limited),
      AT_SITE(memory_is_limited),
      AT_SITE(an_agent_that_stops_does_not_wait),
      AT_SITE(a_crash_is_a_failed_task),
      AT_SITE(a_child_that_died_idle_is_replaced),
      AT_SITE(failures_of_the_work_come_through),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
