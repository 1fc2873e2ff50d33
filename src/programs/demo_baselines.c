/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_baselines.c: what the federation is measured against: the same model, optimiser and
 * number of passes, on all data pooled in one place (the best that federating can hope for), and
 * on each client's own data alone (what a client has without federating).
 */
#include "base/memory.h"
#include "base/raise.h"
#include "data/dataset.h"
#include "data/joined_examples.h"
#include "programs/demo.h"

#define THREADS 2

/* Eleven trainings: one for each client, and the pooled one, shared out over two threads. */
struct queue {
  struct fed__demo *demo;
  struct fed_model *model;
  pthread_mutex_t lock;
  int next;
  int code;
  struct fed_error error;
};

static int open_folder(struct fed__demo *demo, const char *folder, struct fed_examples **out) {
  return fed__dataset_open(demo->context, folder, &demo->job.data.schema, out);
}

/* All clients' examples, one after the other, as one source. */
static int open_pooled(struct fed__demo *demo, struct fed_examples **out) {
  struct fed_examples *parts[FED__DEMO_CLIENTS];
  char folder[FED__PATH_MAX];
  for (int i = 0; i < FED__DEMO_CLIENTS; i++) {
    fed__demo_path(demo, folder, "agents/client-%d/data", i + 1);
    const int code = open_folder(demo, folder, &parts[i]);
    if (code == FED_OK) continue;
    while (i > 0) fed_examples_free(parts[--i]);
    return code;
  }
  return fed__joined_examples_new(demo->context, parts, FED__DEMO_CLIENTS, out);
}

static int train_and_test(struct fed__demo *demo, const struct fed_model *model,
                          struct fed_examples *examples, struct fed_examples *test, int index,
                          double *accuracy) {
  struct fed_trainer *trainer = NULL;
  struct fed_metrics metrics = {0}, trained = {0};
  const struct fed_epochs epochs = {.epochs = demo->job.rounds.count * demo->job.train.epochs,
                                    .seed = demo->seed + (uint64_t)index};
  FED_TRY(fed_trainer_new(demo->context, model, &demo->job.train.options, &trainer));
  int code = fed_train_epochs(trainer, examples, &epochs, &trained);
  if (code == FED_OK) code = fed_evaluate(trainer, test, NULL, 0, &metrics);
  fed_trainer_free(trainer);
  if (metrics.example_count)
    *accuracy = (double)metrics.correct_count / (double)metrics.example_count;
  return code;
}

/* index FED__DEMO_CLIENTS is the pooled one. */
static int train_one(struct queue *queue, int index) {
  struct fed__demo *demo = queue->demo;
  const int is_pooled = index == FED__DEMO_CLIENTS;
  struct fed_examples *examples = NULL, *test = NULL;
  char folder[FED__PATH_MAX];
  double *accuracy = is_pooled ? &demo->centralised_accuracy : &demo->clients[index].local_accuracy;
  fed__demo_path(demo, folder, "agents/client-%d/data", index + 1);
  int code = is_pooled ? open_pooled(demo, &examples) : open_folder(demo, folder, &examples);
  fed__demo_path(demo, folder, "federation/test");
  if (code == FED_OK) code = open_folder(demo, folder, &test);
  if (code == FED_OK) code = train_and_test(demo, queue->model, examples, test, index, accuracy);
  fed_examples_free(examples);
  fed_examples_free(test);
  return code;
}

static int take_next(struct queue *queue) {
  pthread_mutex_lock(&queue->lock);
  const int index = queue->code == FED_OK && queue->next >= 0 ? queue->next-- : -1;
  pthread_mutex_unlock(&queue->lock);
  return index;
}

static void tell_result(struct fed__demo *demo, int index) {
  if (index == FED__DEMO_CLIENTS)
    fed__demo_step(demo, "  pooled: %.2f %%", demo->centralised_accuracy * 100);
  else
    fed__demo_step(demo, "  client-%d alone: %.2f %%", index + 1,
                   demo->clients[index].local_accuracy * 100);
}

static void *run_queue(void *data) {
  struct queue *queue = data;
  for (int index = take_next(queue); index >= 0; index = take_next(queue)) {
    const int code = train_one(queue, index);
    pthread_mutex_lock(&queue->lock);
    if (code != FED_OK && queue->code == FED_OK) {
      queue->code = code;
      queue->error = *fed_error_last();
    }
    if (code == FED_OK) tell_result(queue->demo, index);
    pthread_mutex_unlock(&queue->lock);
  }
  return NULL;
}

static int run_threads(struct queue *queue) {
  pthread_t threads[THREADS];
  int started = 0;
  while (started < THREADS && pthread_create(&threads[started], NULL, run_queue, queue) == 0)
    started++;
  if (!started) return FED_RAISE(FED_E_LIMIT, "cannot start a thread");
  for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
  if (queue->code != FED_OK) return FED_RAISE(queue->code, "baseline: %s", queue->error.message);
  return FED_OK;
}

int fed__demo_baselines(struct fed__demo *demo) {
  struct queue queue = {.demo = demo, .next = FED__DEMO_CLIENTS, .code = FED_OK};
  struct fed_model_options options;
  fed__job_model_options(&demo->job, &options);
  FED_TRY(fed_model_load(demo->context, fed_buffer_slice(&demo->onnx), &options, &queue.model));
  pthread_mutex_init(&queue.lock, NULL);
  const int code = run_threads(&queue);
  pthread_mutex_destroy(&queue.lock);
  fed_model_free(queue.model);
  return code;
}
