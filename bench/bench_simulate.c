/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_simulate.c: what the simulator costs beside training: client visits a second with
 * train.epochs 0 (a visit resets the trainer, takes the difference, rounds it and adds it up), for
 * models and numbers of clients of several sizes; and a round of McMahan's 2NN beside the training
 * steps that are in it.
 *
 *   bench_simulate [threads, 2] [seconds for each line, 1] [scale]
 *
 * With `scale`: a CSV of what a round costs for 10 to 1,000,000 registered clients, of which all
 * take part, or 1,000 (measure_simulate.py plots it).
 *
 * The data is made up. Opening the simulation, gathering the clients and the first round are timed
 * apart.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "simulate/simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CLASSES 10

struct line {
  uint32_t clients, cohort, features, hidden, rows, epochs;
};

struct world {
  struct fed__simulation_source source;
  struct fed__simulation_observer observer;
  const struct fed_context *context;
  float *points;
  int64_t *labels;
  size_t rows, features;
  int64_t began_us, first_us, until_us;
  double first_cpu_s;
  uint64_t rounds, reported;
  void (*print)(const struct world *world, const struct line *line,
                const struct fed__simulation *simulation);
};

static int64_t now_us(const struct world *world) {
  return world->context->clock->monotonic_us(world->context->clock);
}

/* Of all threads: what counts on a machine that others use, too. */
static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static int open_world(struct fed__simulation_source *self, struct fed_examples **training,
                      struct fed_examples **test) {
  struct world *world = (struct world *)self;
  const int64_t rows = (int64_t)world->rows;
  const struct fed_tensor points = {
      "x", FED_F32, {2, {rows, (int64_t)world->features}}, world->points};
  const struct fed_tensor labels = {"y", FED_I64, {1, {rows}}, world->labels};
  *test = NULL;
  return fed_examples_of_arrays(world->context, &points, 1, &labels, training);
}

static struct world *observed(struct fed__simulation_observer *self) {
  return (struct world *)((char *)self - offsetof(struct world, observer));
}

/* The first round is not counted: it makes what later rounds find. */
static void count_round(struct fed__simulation_observer *self,
                        const struct fed__simulation *simulation,
                        const struct fed__simulated_round *round) {
  struct world *world = observed(self);
  (void)simulation;
  if (!world->first_us) {
    world->first_us = now_us(world);
    world->first_cpu_s = cpu_s();
    return;
  }
  world->rounds++;
  world->reported += round->reported;
}

static int is_over(struct fed__simulation_observer *self) {
  struct world *world = observed(self);
  return world->rounds && now_us(world) >= world->until_us;
}

static int make_world(struct world *world, const struct line *line) {
  struct fed_rng rng;
  world->rows = line->rows;
  world->features = line->features;
  world->points = fed__alloc(world->context, world->rows * world->features * sizeof(float));
  world->labels = fed__alloc(world->context, world->rows * sizeof(int64_t));
  if (!world->points || !world->labels) return FED_E_MEMORY;
  fed__rng_init(&rng, 1, "bench_simulate", 0, 0);
  for (size_t i = 0; i < world->rows * world->features; i++)
    world->points[i] = (float)fed__rng_unit(&rng);
  for (size_t i = 0; i < world->rows; i++)
    world->labels[i] = (int64_t)fed__rng_below(&rng, CLASSES);
  return FED_OK;
}

static int load(const struct line *line, const struct fed_context *context, struct fed__job *job,
                struct fed_model **model) {
  const struct fed_recipe_options recipe = {.recipe = line->hidden ? "mlp" : "logreg",
                                            .input = {1, {line->features}},
                                            .classes = CLASSES,
                                            .hidden = {line->hidden, line->hidden},
                                            .hidden_count = line->hidden ? 2 : 0,
                                            .seed = 1};
  char plan[1024];
  struct fed_buffer graph;
  snprintf(plan, sizeof plan,
           "version: 1\nname: bench\nmodel: {file: model.onnx}\n"
           "data: {name: points, format: npy, inputs: {file: x.npy, shape: [%u]},\n"
           "       target: {file: y.npy, classes: %d}, holdout: 0}\n"
           "train: {epochs: %u, batch_size: 10}\n"
           "rounds: {count: 1000000, cohort: %u, minimum: %u}\n"
           "evaluate: {every: 0, federated: false}\n"
           "simulate: {clients: %u, partition: {kind: %s, examples: 10}}\n",
           line->features, CLASSES, line->epochs, line->cohort, line->cohort, line->clients,
           line->rows < line->clients ? "drawn" : "iid");
  FED_TRY(fed__job_parse(context, "job.yaml", fed_slice_of_text(plan), job));
  fed_buffer_init(&graph, context, (size_t)1 << 30);
  int code = fed_recipe_write(context, &recipe, &graph);
  if (code == FED_OK) code = fed_model_load(context, fed_buffer_slice(&graph), NULL, model);
  fed_buffer_clear(&graph);
  return code;
}

static void print_line(const struct world *world, const struct line *line,
                       const struct fed__simulation *simulation) {
  struct rusage usage;
  const double s = (double)(now_us(world) - world->first_us) * 1e-6;
  getrusage(RUSAGE_SELF, &usage);
  printf("%7u clients, cohort %6u, %6zu parameters, %u epochs: %8.3f ms a round, %7.0f visits/s, "
         "%8.2f us of a processor a visit; begun in %.0f ms, peak %ld MB\n",
         line->clients, line->cohort, simulation->plan.shape.element_count, line->epochs,
         s / (double)world->rounds * 1e3, (double)world->reported / s,
         (cpu_s() - world->first_cpu_s) / (double)world->reported * 1e6,
         (double)(world->first_us - world->began_us) * 1e-3, usage.ru_maxrss / 1024);
  fflush(stdout);
}

static void print_row(const struct world *world, const struct line *line,
                      const struct fed__simulation *simulation) {
  struct rusage usage;
  const double s = (double)(now_us(world) - world->first_us) * 1e-6;
  (void)simulation;
  getrusage(RUSAGE_SELF, &usage);
  printf("%u,%u,%.9g,%.9g,%.9g,%ld\n", line->clients, line->cohort, s / (double)world->rounds,
         (cpu_s() - world->first_cpu_s) / (double)world->rounds,
         (double)(world->first_us - world->began_us) * 1e-6, usage.ru_maxrss * 1024);
  fflush(stdout);
}

static int run(struct world *world, const struct line *line, uint32_t threads, double seconds,
               const struct fed__job *job, const struct fed_model *model) {
  struct fed__simulation simulation;
  const struct fed__simulation_setting setting = {world->context,   job,    model, &world->source,
                                                  &world->observer, threads};
  world->began_us = now_us(world);
  world->until_us = world->began_us + (int64_t)(seconds * 1e6);
  FED_TRY(fed__simulation_init(&simulation, &setting));
  int code = fed__simulation_divide(&simulation);
  if (code == FED_OK) code = fed__simulation_run(&simulation);
  if (code == FED_OK) world->print(world, line, &simulation);
  fed__simulation_clear(&simulation);
  return code;
}

static int measure(const struct fed_context *context, const struct line *line, uint32_t threads,
                   double seconds, int as_row) {
  struct world world = {.source = {open_world},
                        .observer = {count_round, is_over},
                        .context = context,
                        .print = as_row ? print_row : print_line};
  struct fed__job job = {0};
  struct fed_model *model = NULL;
  int code = make_world(&world, line);
  if (code == FED_OK) code = load(line, context, &job, &model);
  if (code == FED_OK) code = run(&world, line, threads, seconds, &job, model);
  fed_model_free(model);
  fed__job_clear(&job);
  fed__free(context, world.points);
  fed__free(context, world.labels);
  return code;
}

static int scale(const struct fed_context *context, uint32_t threads, double seconds) {
  static const uint32_t clients[] = {10, 100, 1000, 3000, 10000, 30000, 100000, 300000, 1000000};
  printf("clients,cohort,seconds,processor_seconds,begun_seconds,peak_bytes\n");
  for (size_t i = 0; i < 2 * sizeof clients / sizeof clients[0]; i++) {
    const int is_sample = i % 2 == 1;
    const uint32_t all = clients[i / 2];
    const struct line line = {all, is_sample ? 1000 : all, 99, 0, 10000, 0};
    if (is_sample && all <= 1000) continue;
    FED_TRY(measure(context, &line, threads, seconds, 1));
  }
  return FED_OK;
}

int main(int argc, char **argv) {
  static const struct line lines[] = {
      {1000, 1000, 99, 0, 10000, 0}, /* 1,000 parameters */
      {10000, 10000, 99, 0, 10000, 0},  {100000, 100000, 99, 0, 100000, 0},
      {1000000, 1000, 99, 0, 10000, 0}, {1000, 1000, 999, 0, 10000, 0}, /* 10,000 parameters */
      {3000, 3000, 999, 0, 10000, 0},   {100, 10, 784, 200, 60000, 1},  /* McMahan's 2NN */
  };
  const uint32_t threads = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2;
  const double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
  struct fed_context context;
  if (threads < 1 || seconds <= 0) {
    fprintf(stderr, "bench_simulate [threads, from 1] [seconds for each line]\n");
    return 2;
  }
  fed_context_init(&context);
  int code = FED_OK;
  if (argc > 3) {
    code = scale(&context, threads, seconds);
  } else {
    printf("compiler: %s, %u threads\n", __VERSION__, threads);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0] && code == FED_OK; i++)
      code = measure(&context, &lines[i], threads, seconds, 0);
  }
  if (code != FED_OK) fprintf(stderr, "bench_simulate: %s\n", fed_error_last()->message);
  return code == FED_OK ? 0 : 3;
}
