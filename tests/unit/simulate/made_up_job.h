/* SPDX-License-Identifier: Apache-2.0
 *
 * made_up_job.h: a small job, model and data in memory, for tests of the simulation.
 */
#ifndef MADE_UP_JOB_H
#define MADE_UP_JOB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "simulate/simulation.h"

#include <stdio.h>

#define ROWS 900
#define FEATURES 4
#define CLASSES 3

/* Points of three classes around their own centres; every thread opens the same arrays. */
struct made_up {
  struct fed__simulation_source source;
  struct fed__simulation_observer observer;
  struct fed_context context;
  struct fed__job job;
  struct fed_model *model;
  float points[ROWS * FEATURES];
  int64_t labels[ROWS];
  int has_test; /* the same rows */
  struct fed__simulated_round rounds[200];
  size_t round_count;
  uint32_t stop_after; /* rounds; 0: do not */
};

static inline int open_arrays(struct made_up *made, struct fed_examples **examples) {
  const struct fed_tensor points = {"x", FED_F32, {2, {ROWS, FEATURES}}, made->points};
  const struct fed_tensor labels = {"y", FED_I64, {1, {ROWS}}, made->labels};
  return fed_examples_of_arrays(&made->context, &points, 1, &labels, examples);
}

static inline int open_made_up(struct fed__simulation_source *self, struct fed_examples **training,
                               struct fed_examples **test) {
  struct made_up *made = (struct made_up *)self;
  int code = open_arrays(made, training);
  if (code == FED_OK && made->has_test) code = open_arrays(made, test);
  return code;
}

static inline struct made_up *observed(struct fed__simulation_observer *self) {
  return (struct made_up *)((char *)self - offsetof(struct made_up, observer));
}

static inline void keep_round(struct fed__simulation_observer *self,
                              const struct fed__simulation *simulation,
                              const struct fed__simulated_round *round) {
  struct made_up *made = observed(self);
  (void)simulation;
  assert_true(made->round_count < sizeof made->rounds / sizeof made->rounds[0]);
  made->rounds[made->round_count] = *round;
  made->rounds[made->round_count++].real_s = 0;
}

static inline int stop_after(struct fed__simulation_observer *self) {
  const struct made_up *made = observed(self);
  return made->stop_after && made->round_count >= made->stop_after;
}

static inline void make_points(struct made_up *made) {
  struct fed_rng rng;
  fed__rng_init(&rng, 11, "made_up", 0, 0);
  for (int i = 0; i < ROWS; i++) {
    made->labels[i] = (int64_t)fed__rng_below(&rng, CLASSES);
    for (int k = 0; k < FEATURES; k++)
      made->points[i * FEATURES + k] =
          (float)(fed__rng_normal(&rng) + 1.5 * (made->labels[i] == k % CLASSES));
  }
}

static inline void make_model(struct made_up *made) {
  const struct fed_recipe_options recipe = {.recipe = "mlp",
                                            .input = {1, {FEATURES}},
                                            .classes = CLASSES,
                                            .hidden = {8},
                                            .hidden_count = 1,
                                            .seed = 2};
  struct fed_buffer graph;
  fed_buffer_init(&graph, &made->context, 1 << 20);
  assert_int_equal(fed_recipe_write(&made->context, &recipe, &graph), FED_OK);
  assert_int_equal(fed_model_load(&made->context, fed_buffer_slice(&graph), NULL, &made->model),
                   FED_OK);
  fed_buffer_clear(&graph);
}

/* `train` and `more` are parts of the job file: the section's inside, and further sections. */
static inline void make_up(struct made_up *made, const char *train, const char *rounds,
                           const char *more) {
  char plan[2048];
  *made = (struct made_up){.source = {open_made_up}, .observer = {keep_round, stop_after}};
  fed_context_init(&made->context);
  make_points(made);
  make_model(made);
  snprintf(plan, sizeof plan,
           "version: 1\nname: test\nseed: 7\nmodel: {file: model.onnx}\n"
           "data:\n  name: points\n  format: npy\n  inputs: {file: x.npy, shape: [%d]}\n"
           "  target: {file: y.npy, classes: %d}\n  holdout: 0.2\n"
           "train: {batch_size: 8, learning_rate: 0.1, %s}\nrounds: {%s}\n%s",
           FEATURES, CLASSES, train, rounds, more);
  if (fed__job_parse(&made->context, "job.yaml", fed_slice_of_text(plan), &made->job) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
}

static inline void take_down(struct made_up *made) {
  fed_model_free(made->model);
  fed__job_clear(&made->job);
}

static inline struct fed__simulation_setting setting_of(struct made_up *made, uint32_t threads) {
  return (struct fed__simulation_setting){.context = &made->context,
                                          .job = &made->job,
                                          .model = made->model,
                                          .source = &made->source,
                                          .observer = &made->observer,
                                          .thread_count = threads};
}

/* From the beginning to the end. */
static inline void simulate(struct made_up *made, uint32_t threads,
                            struct fed__simulation *simulation) {
  const struct fed__simulation_setting setting = setting_of(made, threads);
  made->round_count = 0;
  if (fed__simulation_init(simulation, &setting) != FED_OK ||
      fed__simulation_divide(simulation) != FED_OK || fed__simulation_run(simulation) != FED_OK)
    fail_msg("%s", fed_error_last()->message);
}

#endif
