/* SPDX-License-Identifier: Apache-2.0
 *
 * quadratic_world.h: three clients whose losses are quadratics, and the library's rounds of them.
 * Client i has f_i(w) = h_i / 2 * (w - b_i)^2, so K steps of gradient descent from x, drawn
 * anywhere by terms linear in w, end at p + (1 - eta * (h + pull))^K * (x - p) for the p where the
 * drawn gradient is zero. A round of each algorithm is then a short formula.
 */
#ifndef FED_TESTS_QUADRATIC_WORLD_H
#define FED_TESTS_QUADRATIC_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "round/local_round.h"
#include "unit/train/graph_writer.h"

#include <math.h>
#include <stdio.h>

#define CLIENTS 3
#define ROWS_MAX 16
#define BATCH 2
#define ETA 0.05

/* All rows of a client are the same: input a, target a * b; the loss is the mean square error. */
struct client {
  double a, b;
  size_t rows;
};
static const struct client clients[CLIENTS] = {{1, 2, 4}, {2, -1, 10}, {0.5, 5, 16}};

static inline double curvature(int i) { return 2 * clients[i].a * clients[i].a; }
static inline double steps(int i) { return (double)clients[i].rows / BATCH; }
static inline double weight(int i) { return (double)clients[i].rows / 30; } /* of 4 + 10 + 16 */

/* What K steps from x lead to, when gradients are h * (w - b) + pull * w + offset. */
static inline double descend(int i, double x, double pull, double offset) {
  const double h = curvature(i) + pull;
  const double p = (curvature(i) * clients[i].b - offset) / h;
  return p + pow(1 - ETA * h, steps(i)) * (x - p);
}

/* ---- the library's side --------------------------------------------------------------------- */

struct world {
  struct graph_writer writer;
  struct fed_model *model;
  struct fed_examples *examples[CLIENTS];
  float inputs[CLIENTS][ROWS_MAX], targets[CLIENTS][ROWS_MAX];
  struct fed__job job;
  struct fed__plan plan;
  struct fed_trainer *trainer;
  struct fed__aggregate *aggregate;
  struct fed_params current, state, trained;
  float kept[CLIENTS], to_keep[CLIENTS], values[2];
  uint64_t round;
};

static inline void open_model(struct world *world) {
  static const float start = 0.75f;
  writer_init(&world->writer);
  writer_input(&world->writer, "x", 1, (const int64_t[]){1});
  writer_floats(&world->writer, "w", 2, (const int64_t[]){1, 1}, &start);
  writer_node(&world->writer, "MatMul", "x,w", "y");
  writer_output(&world->writer, "y");
  must(fed_model_load(&world->writer.context, writer_finish(&world->writer), NULL, &world->model));
}

static inline void open_client(struct world *world, int i) {
  const int64_t rows = (int64_t)clients[i].rows;
  for (int64_t row = 0; row < rows; row++) {
    world->inputs[i][row] = (float)clients[i].a;
    world->targets[i][row] = (float)(clients[i].a * clients[i].b);
  }
  const struct fed_tensor inputs = {"x", FED_F32, {2, {rows, 1}}, world->inputs[i]};
  const struct fed_tensor targets = {"t", FED_F32, {2, {rows, 1}}, world->targets[i]};
  must(fed_examples_of_arrays(&world->writer.context, &inputs, 1, &targets, &world->examples[i]));
}

#define FINE_GRID "grid_bits: 32, grid_step: 2^-24"

static inline void open_world_with(struct world *world, const char *train, const char *aggregate,
                                   const char *update) {
  char text[1024];
  *world = (struct world){0};
  open_model(world);
  for (int i = 0; i < CLIENTS; i++) open_client(world, i);
  snprintf(text, sizeof text,
           "version: 1\nname: quadratic\nmodel: {file: m.onnx, loss: mean_squared_error}\n"
           "data: {name: d, format: npy, inputs: {file: x.npy, shape: [1]},"
           " target: {file: t.npy, kind: number, shape: [1]}}\n"
           "train: {batch_size: %d, learning_rate: %g%s}\nrounds: {count: 1, cohort: %d, "
           "minimum: 1}\nupdate: {%s}\naggregate: {%s}\nevaluate: {federated: false}\n",
           BATCH, ETA, train, CLIENTS, update, aggregate);
  if (fed__job_parse(&world->writer.context, "job.yaml", fed_slice_of_text(text), &world->job))
    fail_msg("%s", fed_error_last()->message);
  must(fed__plan_make(&world->job, 1, &world->plan));
  world->job.train.options.kernels = FED_KERNELS_REFERENCE;
  must(fed_trainer_new(&world->writer.context, world->model, &world->job.train.options,
                       &world->trainer));
  must(world->plan.rule->init(&world->writer.context, &world->plan.shape, &world->aggregate));
  must(fed_params_copy(&world->current, &world->writer.context, fed_model_params(world->model)));
  must(fed_params_copy(&world->trained, &world->writer.context, fed_model_params(world->model)));
  must(fed__plan_start_state(&world->writer.context, &world->plan, &world->state));
}

static inline void open_world(struct world *world, const char *train, const char *aggregate) {
  open_world_with(world, train, aggregate, FINE_GRID);
}

static inline void close_world(struct world *world) {
  world->plan.rule->free(world->aggregate);
  fed_trainer_free(world->trainer);
  for (int i = 0; i < CLIENTS; i++) fed_examples_free(world->examples[i]);
  fed_params_clear(&world->current);
  fed_params_clear(&world->state);
  fed_params_clear(&world->trained);
  fed_model_free(world->model);
  fed__job_clear(&world->job);
  writer_clear(&world->writer);
}

static inline float model_of(const struct world *world) {
  return fed_params_floats(&world->current)[0];
}
static inline float state_of(const struct world *world, int i) {
  return *(const float *)world->state.tensors[i].data;
}

static inline double weight_of_all(const struct world *world) {
  double sum = 0;
  for (int i = 0; i < CLIENTS; i++) sum += (double)fed__plan_weight(&world->job, clients[i].rows);
  return sum;
}

static inline void visit_with(struct world *world, int i, uint64_t weight_) {
  struct fed__local_result result;
  char grid[64];
  const struct fed__client_rule *rule = world->plan.algorithm->client;
  float vector_down;
  if (rule->gets_vector) fed__plan_vector_down(&world->state, weight_of_all(world), &vector_down);
  const struct fed__local_round local = {
      .job = &world->job,
      .plan = &world->plan,
      .trainer = world->trainer,
      .examples = world->examples[i],
      .row_count = clients[i].rows,
      .round = world->round,
      .client = "client",
      .received = &world->current,
      .from_server = rule->gets_vector ? &vector_down : NULL,
      .kept = world->round > 1 ? &world->kept[i] : NULL,
      .to_keep = &world->to_keep[i],
      .trained = &world->trained,
      .values = world->values,
      .grid = grid,
  };
  must(fed_trainer_reset(world->trainer, &world->current));
  if (fed__local_round_train(&local, &result)) fail_msg("%s", fed_error_last()->message);
  assert_int_equal(result.clamped_count, 0);
  must(world->plan.rule->add(world->aggregate,
                             fed_slice_of(grid, fed__plan_update_bytes(&world->plan)), weight_));
}

static inline void visit(struct world *world, int i) {
  visit_with(world, i, fed__plan_weight(&world->job, clients[i].rows));
}

/* A round of these clients, a bit each. */
static inline void run_round_of(struct world *world, unsigned cohort) {
  struct fed_params next, next_state;
  const struct fed__plan_version version = {&world->current, &world->state, weight_of_all(world)};
  world->round++;
  world->plan.rule->begin(world->aggregate);
  for (int i = 0; i < CLIENTS; i++)
    if (cohort >> i & 1) visit(world, i);
  must(fed__plan_next_model(&world->plan, world->aggregate, &version, &next, &next_state));
  for (int i = 0; i < CLIENTS; i++)
    if (cohort >> i & 1) world->kept[i] = world->to_keep[i];
  fed_params_clear(&world->current);
  fed_params_clear(&world->state);
  world->current = next;
  world->state = next_state;
}

/* A round of the clients from `first` on. */
static inline void run_round(struct world *world, int first) {
  run_round_of(world, 7u >> first << first);
}

static inline void assert_near(double found, double expected) {
  if (fabs(found - expected) > 4e-6 * (1 + fabs(expected)))
    fail_msg("found %.9g, expected %.9g", found, expected);
}

#endif
